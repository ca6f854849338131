//! The code generator, run on small contracts: what it writes and what it refuses.

#![cfg(test)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use stoa_codegen::Generated;

/// A contract with everything in order; tests replace lines of it.
const GOOD: &str = r#"syntax = "proto3";
package stoa.shop.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "stoa/v1/money.proto";
import "stoa/v1/options.proto";
// Sells things.
service ShopService {
  // Places an order.
  // In one commit.
  //
  // Not before it is paid.
  rpc Move(MoveRequest) returns (MoveResponse) {
    option (stoa.v1.permission) = "shop.orders.create";
    option (stoa.v1.job) = {max_attempts: 3};
    option (google.api.http) = {post: "/v1/shop/orders", body: "*"};
  }
  // Gets an order.
  rpc Get(GetRequest) returns (GetResponse) {
    option (stoa.v1.permission) = "authenticated";
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {
      get: "/v1/shop/orders/{order.id=big/*}:show"
      response_body: "order"
      additional_bindings {get: "/v1/shop/search"}
    };
  }
  // Follows orders.
  rpc Follow(FollowRequest) returns (stream FollowResponse) {
    option (stoa.v1.permission) = "internal";
    option (stoa.v1.effect) = true;
  }
}
// Why a call fails.
enum Reason {
  // Not a reason.
  REASON_UNSPECIFIED = 0;
  // There is none left.
  REASON_SOLD_OUT = 1 [(stoa.v1.problem) = {code: CODE_FAILED_PRECONDITION, help: "Wait."}];
}
// An order.
message Order {
  option (stoa.v1.resource) = {type: "shop.order", id: "id", owner: "owner"};
  // What names it.
  string id = 1;
  // Whose it is.
  string owner = 2;
  // The order it replaces.
  Order before = 3;
}
// Asks for an order.
message MoveRequest {
  // How many.
  int64 count = 1 [(buf.validate.field).int64 = {gte: 1, lte: 10}];
  // What it costs.
  stoa.v1.Money price = 2 [(buf.validate.field).required = true];
  // What for.
  string type = 3 [
    (buf.validate.field).string.pattern = "^[a-z]+$",
    (buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE
  ];
  // How it is paid.
  oneof payment {
    option (buf.validate.oneof).required = true;
    // From an account.
    string account = 4;
    // With a promise.
    Order promise = 5;
  }
  // When.
  google.protobuf.Timestamp time = 6;
}
// The answer.
message MoveResponse {}
// Asks.
message GetRequest {
  // The order.
  OrderName order = 1;
}
// Names an order.
message OrderName {
  // What names it.
  string id = 1;
  // What to tell of it.
  repeated bool parts = 2;
}
// The answer.
message GetResponse {
  // The order.
  Order order = 1;
  // What opens it.
  string code = 2 [debug_redact = true];
}
// Asks.
message FollowRequest {}
// The answer.
message FollowResponse {}
// It was placed.
message OrderPlaced {
  option (stoa.v1.event) = {topic: "shop.order", subject: "order_id"};
  // The order.
  string order_id = 1 [(stoa.v1.references) = "shop.order"];
}
"#;

/// Generates the contract `shop` from some files, which stand in one folder.
fn generate_files(files: &[(&str, &str)]) -> Result<Generated, Vec<String>> {
    // Not by `tempfile`: the generator would be built a second time, for tests.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let folder = home.join("stoa/shop/v1");
    fs::create_dir_all(&folder).unwrap();
    for (name, proto) in files {
        fs::write(folder.join(name), proto).unwrap();
    }
    let generated = stoa_codegen::contract(&home, "shop");
    fs::remove_dir_all(home).unwrap();
    generated.map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
}

/// Generates the contract `shop` from one file.
fn generate(proto: &str) -> Result<String, Vec<String>> {
    generate_files(&[("shop.proto", proto)]).map(|generated| generated.text)
}

/// Generates the good contract with lines replaced, and gives what is wrong with it.
fn wrong(replaced: &[(&str, &str)]) -> Vec<String> {
    let mut proto = GOOD.to_owned();
    for (from, to) in replaced {
        assert!(proto.contains(from), "{from}");
        proto = proto.replacen(from, to, 1);
    }
    generate(&proto).err().unwrap_or_default()
}

/// The number of the first line of the good contract that holds a text.
fn line(text: &str) -> usize {
    GOOD.lines().position(|line| line.contains(text)).unwrap() + 1
}

/// A message at the place of a text of the good contract.
fn at(text: &str, message: &str) -> String {
    format!("proto/stoa/shop/v1/shop.proto:{}: {message}", line(text))
}

#[test]
fn a_contract_becomes_a_module() {
    let code = generate(GOOD).unwrap();
    let flat = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "pub use __buffa::oneof::move_request::Payment as MoveRequestPayment;",
        "impl ::stoa_contract::Message for Order {",
        // A message that holds itself.
        "name: \"before\", json: \"before\", value: ::stoa_contract::Value::Message(&SHAPE_ORDER)",
        "value: ::stoa_contract::Value::Message(<::stoa_contract::v1::Money as ::stoa_contract::Message>::SHAPE)",
        "name: \"code\", json: \"code\", value: ::stoa_contract::Value::Leaf(::stoa_contract::Leaf::Text), redact: true, personal: false",
        "impl ::stoa_contract::Command for MoveRequest {}",
        "impl ::stoa_contract::Query for GetRequest {}",
        "impl ::stoa_contract::Effect for FollowRequest {}",
        "doc: \"Places an order. In one commit.\"",
        "::stoa_contract::Permission::Named(\"shop.orders.create\")",
        "max_attempts: 3, backoff_ms: 1000, backoff_max_ms: 3600000, timeout_ms: 30000, at_once: 16",
        "value: ::stoa_contract::Value::Leaves(::stoa_contract::Leaf::Bool)",
        "http_method: \"POST\", template: \"/v1/shop/orders\",",
        "template: \"/v1/shop/orders/{order.id=big/*}:show\", segments: \
         &[::stoa_contract::Segment::Word(\"v1\"), ::stoa_contract::Segment::Word(\"shop\"), \
         ::stoa_contract::Segment::Word(\"orders\"), ::stoa_contract::Segment::Word(\"big\"), \
         ::stoa_contract::Segment::One, ], verb: \"show\", variables: \
         &[::stoa_contract::Variable { field: \"order.id\", start: 3, end: 5 }, ], body: \"\", \
         response_body: \"order\",",
        "template: \"/v1/shop/search\",",
        "Self::REASON_SOLD_OUT => ::stoa_contract::Code::FailedPrecondition,",
        "Self::REASON_SOLD_OUT => \"shop.sold_out\",",
        "const TOPIC: &'static str = \"shop.order\";",
        "fn owner(&self) -> &str { &self.owner }",
        "fn r#move(&self, tx: &mut ::stoa_kit::Tx, request: MoveRequest) -> ::stoa_kit::Result<MoveResponse>;",
        "-> impl ::core::future::Future<Output = ::stoa_kit::Result<::stoa_kit::Stream<FollowResponse>>> + ::core::marker::Send;",
        "::stoa_contract::EventType::of::<OrderPlaced>(),",
        "ShopService::r#move(&*service, tx, request)",
    ] {
        assert!(flat.contains(expected), "{expected}\n\n{code}");
    }
}

#[test]
fn rules_become_comparisons() {
    let code = generate(GOOD).unwrap();
    let flat = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "check.bound(\"count\", \"int64.gte\", self.count >= 1, \"at least 1\");",
        "check.bound(\"count\", \"int64.lte\", self.count <= 10, \"at most 10\");",
        "check.required(\"price\", self.price.is_set());",
        "check.text(\"type\", &self.r#type); if !self.r#type.is_empty() { { static PATTERN",
        "check.required(\"payment\", self.payment.is_some());",
        "Some(__buffa::oneof::move_request::Payment::Account(value)) => { check.text(\"account\", value);",
        "check.within(\"promise\", |check| {",
    ] {
        assert!(flat.contains(expected), "{expected}\n\n{code}");
    }
}

#[test]
fn a_method_that_takes_http_as_it_comes_can_be_mounted() {
    let raw = |request: &str, reply: &str, effect: &str| {
        let method = format!(
            "  // Receives.\n  rpc Receive(ReceiveRequest) returns (ReceiveResponse) {{\n    \
             option (stoa.v1.permission) = \"public\";\n{effect}  }}\n}}\n// Why a call fails."
        );
        let messages = format!(
            "// What came.\nmessage ReceiveRequest {{\n  // It.\n  {request} = 1;\n}}\n\
             // What is said.\nmessage ReceiveResponse {{\n  // It.\n  {reply} = 1;\n}}\n"
        );
        let import = "import \"stoa/v1/http.proto\";\nimport \"stoa/v1/money.proto\";";
        let contract = GOOD.replace("import \"stoa/v1/money.proto\";", import);
        let contract = contract.replacen("}\n// Why a call fails.", &method, 1) + &messages;
        match generate(&contract) {
            Ok(code) => code.contains("impl ::stoa_contract::Raw for ReceiveRequest"),
            Err(wrong) => {
                assert!(wrong[0].contains("has no place on REST"), "{wrong:?}");
                false
            }
        }
    };
    let (request, reply) = ("stoa.v1.HttpRequest http", "stoa.v1.HttpResponse http");
    let effect = "    option (stoa.v1.effect) = true;\n";
    assert!(raw(request, reply, effect));
    assert!(!raw(request, reply, ""), "a command talks to nobody outside");
    assert!(!raw("stoa.v1.HttpRequest came", reply, effect));
    assert!(!raw(request, "stoa.v1.Money http", effect));
}

#[test]
fn the_same_contract_gives_the_same_bytes() {
    assert_eq!(generate(GOOD).unwrap(), generate(GOOD).unwrap());
}

#[test]
fn descriptors_keep_our_comments_and_no_others() {
    let code = generate(GOOD).unwrap();
    let (_, descriptors) = code.split_once("descriptors: b\"").unwrap();
    assert!(descriptors.contains("Not before it is paid."));
    assert!(!descriptors.contains("WARRANTIES"), "a licence of a vendored file");
}

#[test]
fn what_every_contract_imports_is_not_in_each() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let imports = stoa_codegen::imports(&root).unwrap().text;
    let code = generate(GOOD).unwrap();
    for shared in ["buf.validate", "google.api", "google.protobuf", "google.rpc", "stoa.v1"] {
        // The package of a file is its second field.
        let package = format!("\\x12{}{shared}", (shared.len() as u8).escape_ascii());
        assert!(imports.contains(&package), "{package}");
        assert!(!code.contains(&package), "{package}");
    }
}

#[test]
fn a_file_that_nobody_would_watch_is_refused() {
    let other = "syntax = \"proto3\";\npackage stoa.shop.v1;\n// More.\nmessage More {}\n";
    let import = "import \"stoa/v1/options.proto\";\n";
    let good = GOOD.replace(import, &format!("{import}import \"stoa/shop/v1/more.proto\";\n"));
    let generated = generate_files(&[("shop.proto", &good), ("more.proto", other)]).unwrap();
    assert!(generated.text.contains("pub struct More"));
    assert!(generated.files.iter().any(|file| file.ends_with("stoa/shop/v1/more.proto")));
    let problems = generate_files(&[("shop.proto", GOOD), ("more.proto", other)]).unwrap_err();
    let not_imported = "is not imported, directly or not, by stoa/shop/v1/shop.proto";
    assert_eq!(problems, [format!("proto/stoa/shop/v1/more.proto:1: {not_imported}")]);
}

#[test]
fn every_problem_is_reported_at_once_with_its_line() {
    let problems = wrong(&[
        ("    option (stoa.v1.permission) = \"shop.orders.create\";\n", "\n"),
        ("\"authenticated\"", "\"Shop.Get\""),
        ("    option (stoa.v1.effect) = true;\n", "\n"),
        ("  // How many.\n", "\n"),
        ("subject: \"order_id\"", "subject: \"order\""),
        ("owner: \"owner\"", "owner: \"before\""),
        (" [(stoa.v1.problem) = {code: CODE_FAILED_PRECONDITION, help: \"Wait.\"}]", ""),
    ]);
    assert_eq!(
        problems,
        [
            at(
                "rpc Move",
                "method Move: has no permission; say `option (stoa.v1.permission) = \"shop.….…\"`, or public, authenticated or internal"
            ),
            at(
                "rpc Get",
                "method Get: permission `Shop.Get` is neither public, authenticated or internal nor two or more lower-case words joined by dots that start with `shop.`"
            ),
            at(
                "rpc Follow",
                "method Follow: is a stream, so it must say `option (stoa.v1.effect) = true`"
            ),
            at("REASON_SOLD_OUT", "reason REASON_SOLD_OUT has no `(stoa.v1.problem)` with a code"),
            at("message Order {", "resource Order: its owner `before` is not a string"),
            at("int64 count", "field count has no comment"),
            at("message OrderPlaced", "event OrderPlaced: its subject `order` does not exist"),
        ]
    );
}

/// The good contract with its order kept in a table, and lines of it replaced.
const KEPT: &[(&str, &str)] = &[
    (
        "  // What names it.\n  string id = 1;\n",
        "  option (stoa.v1.table) = {name: \"shop_order\", key: \"id\"};\n  // What names it.\n  \
         string id = 1;\n",
    ),
    (
        "  // The order it replaces.\n",
        "  // What it costs.\n  stoa.v1.Money price = 4;\n  // When it was made.\n  \
         google.protobuf.Timestamp create_time = 5;\n  // Its place.\n  \
         string place = 6 [(stoa.v1.column) = {name: \"location\", null_if_empty: true}];\n  \
         // What is left of it.\n  int64 left = 7 [(stoa.v1.column).computed = true];\n  \
         // Why it is there.\n  Reason why = 8;\n  // Changes with it.\n  string etag = 9;\n  \
         // The order it replaces.\n",
    ),
];

#[test]
fn a_table_becomes_statements_and_columns() {
    let mut proto = GOOD.to_owned();
    for (from, to) in KEPT {
        proto = proto.replacen(from, to, 1);
    }
    let code = generate(&proto).unwrap();
    let flat = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "impl ::stoa_kit::Table for Order {",
        "&[\"id\", \"owner\", \"before\", \"price_amount\", \"price_currency\", \"create_time\", \
         \"location\", \"why\"];",
        "const OWNER: &'static str = \"owner\";",
        "\"SELECT id, owner, before, price_amount, price_currency, create_time, location, why \
         FROM shop_order WHERE tenant = :tenant AND id = $1\";",
        "\"INSERT INTO shop_order (tenant, id, owner, before, price_amount, price_currency, \
         create_time, location, why) VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8)\";",
        "\"UPDATE shop_order SET owner = $2, before = $3, price_amount = $4, price_currency = $5, \
         create_time = $6, location = $7, why = $8 WHERE tenant = :tenant AND id = $1\";",
        "\"DELETE FROM shop_order WHERE tenant = :tenant AND id = $1\";",
        "value::json(&self.before).value(), value::amount(&self.price), \
         value::currency(&self.price), self.create_time.value(), value::filled(&self.place),",
        "price: value::money(row, 3)?, create_time: value::column(row, 5)?, \
         place: value::or_empty(row, 6)?, why: value::column(row, 7)?, ..Self::default()",
        "Ok(::stoa_kit::tagged(this))",
        "(Self::REASON_SOLD_OUT, \"sold_out\"),",
        "(Self::REASON_UNSPECIFIED, \"\"),",
    ] {
        assert!(flat.contains(expected), "{expected}\n\n{code}");
    }
}

#[test]
fn a_table_that_cannot_be_kept_is_refused() {
    let refused = |from: &str, to: &str| wrong(&[KEPT[0], KEPT[1], (from, to)]);
    let of = |message: &str| vec![at("message Order {", message)];
    assert_eq!(
        refused("name: \"shop_order\"", "name: \"bank_order\""),
        of("table bank_order: its name must start with `shop_`")
    );
    assert_eq!(
        refused("key: \"id\"", "key: \"left\""),
        of("table shop_order: its key must name fields that are columns")
    );
    let problems = refused("int64 left = 7 [(stoa.v1.column).computed = true]", "uint64 left = 7");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let ends = "table shop_order: field left does not fit into BIGINT; use int64";
    assert!(problems[0].ends_with(ends), "{problems:?}");
}

/// A field that is about the owner of an order, which no job is handed any more.
const PERSONAL: &[(&str, &str)] = &[
    ("    option (stoa.v1.job) = {max_attempts: 3};\n", "\n"),
    (
        "  // The order it replaces.\n",
        "  // What they said.\n  string note = 10 [(stoa.v1.personal) = \"owner\"];\n  \
         // The order it replaces.\n",
    ),
];

#[test]
fn what_is_personal_is_sealed_on_its_way() {
    let mut proto = GOOD.to_owned();
    for (from, to) in [KEPT, PERSONAL].concat() {
        proto = proto.replacen(from, to, 1);
    }
    let code = generate(&proto).unwrap();
    let flat = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "name: \"note\", json: \"note\", value: ::stoa_contract::Value::Leaf(::stoa_contract::Leaf::Text), redact: false, personal: true",
        "fn take_personal(&mut self) -> ::std::vec::Vec<(::std::string::String, Self)> { ::std::vec![ \
         (self.owner.clone(), Self { note: ::core::mem::take(&mut self.note), ..Self::default() }), ] }",
        "table: \"shop_order\", key: &[0], fields: &[ ::stoa_kit::personal::Sealed { place: 8, column: \
         \"note\", subject: 1, empty: ::stoa_kit::value::Value::Text(\"\") }, ],",
    ] {
        assert!(flat.contains(expected), "{expected}\n\n{code}");
    }
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let refused = |from: &str, to: &str| {
        wrong(&[KEPT, PERSONAL, &[(from, to)]].concat())
            .into_iter()
            .map(|problem| problem.splitn(3, ':').nth(2).unwrap_or_default().trim().to_owned())
            .collect::<Vec<_>>()
    };
    let personal = "string note = 10 [(stoa.v1.personal) = \"owner\"]";
    for (to, why) in [
        (
            "string note = 10 [(stoa.v1.personal) = \"nobody\"]",
            "field note of Order: its subject `nobody` does not exist",
        ),
        (
            "string note = 10 [(stoa.v1.personal) = \"note\"]",
            "field note is about somebody who is personal too",
        ),
        (
            "string note = 10 [debug_redact = true]",
            "field note would be kept as it is; say `(stoa.v1.personal)` whom it is about, or \
             keep a secret in no column that is shown",
        ),
    ] {
        assert_eq!(refused(personal, to), [why]);
    }
    assert_eq!(
        refused("string owner = 2;", "string owner = 2 [(stoa.v1.personal) = \"id\"];"),
        [
            "field owner names a row or whose it is, and cannot be personal; use an identifier",
            "field note is about somebody who is personal too",
        ]
    );
    assert_eq!(
        refused("\n\n    option (google", "\n    option (stoa.v1.job) = {};\n    option (google"),
        ["method Move: a job's request is kept as it is, and this one has a field that is secret \
             or personal; hand over an identifier, and let the job ask for the rest"]
    );
}

#[test]
fn rows_are_granted_by_their_identifier() {
    let granted = ("owner: \"owner\"", "owner: \"owner\" relations: [\"viewer\", \"editor\"]");
    let mut proto = GOOD.to_owned();
    for (from, to) in KEPT.iter().chain([&granted]) {
        proto = proto.replacen(from, to, 1);
    }
    let code = generate(&proto).unwrap();
    for expected in [
        "const RELATIONS: &'static [&'static str] = &[\"viewer\", \"editor\"];",
        "const KEY: &'static [&'static str] = &[\"id\"];",
        "const GRANTED: &'static str = <Self as ::stoa_contract::Resource>::TYPE;",
    ] {
        assert!(code.contains(expected), "{expected}\n\n{code}");
    }
    let refused = "Order: `relations` are lower-case words, of a resource with an owner whose table \
         has its identifier as key";
    for wrong_in in [
        vec![granted],
        vec![KEPT[0], KEPT[1], granted, ("key: \"id\"", "key: \"place\"")],
        vec![KEPT[0], KEPT[1], ("owner: \"owner\"", "relations: \"viewer\"")],
        vec![KEPT[0], KEPT[1], ("owner: \"owner\"", "owner: \"owner\" relations: \"a viewer\"")],
    ] {
        assert_eq!(wrong(&wrong_in), [at("message Order {", refused)], "{wrong_in:?}");
    }
}

#[test]
fn a_batch_get_is_known_by_its_shape() {
    let shaped = |rule: &str, kind: &str| {
        let method = "  // Gets orders.\n  rpc BatchGetOrders(BatchGetOrdersRequest) returns \
             (BatchGetOrdersResponse) {\n    option (stoa.v1.permission) = \"internal\";\n    \
             option idempotency_level = NO_SIDE_EFFECTS;\n  }\n  // Follows orders.\n";
        let messages = format!(
            "// Asks.\nmessage BatchGetOrdersRequest {{\n// Each.\n\
             repeated {kind} ids = 1 [{rule}];\n}}\n\
             // The answer.\nmessage BatchGetOrdersResponse {{\n// Them.\n\
             repeated Order orders = 1;\n}}\n// It was placed.\n"
        );
        let proto = GOOD.replacen("  // Follows orders.\n", method, 1);
        generate(&proto.replacen("// It was placed.\n", &messages, 1))
    };
    let code = shaped("(buf.validate.field).repeated.max_items = 100", "string").unwrap();
    assert!(code.contains("batch_gets: ::core::option::Option::Some(\"shop.order\"),"), "{code}");
    for (rule, kind) in [
        ("(buf.validate.field).repeated.max_items = 1001", "string"),
        ("(buf.validate.field).repeated.min_items = 1", "string"),
        ("(buf.validate.field).repeated.max_items = 9", "int64"),
    ] {
        let problems = shaped(rule, kind).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("a batch get is a query that takes"), "{problems:?}");
    }
}

#[test]
fn texts_have_a_form_and_money_has_rules() {
    let required = "Money price = 2 [(buf.validate.field).required = true]";
    let pattern = "(buf.validate.field).string.pattern = \"^[a-z]+$\"";
    let count = "[(buf.validate.field).int64 = {gte: 1, lte: 10}]";
    let mut proto = GOOD.to_owned();
    for (from, to) in [
        (required, "Money price = 2 [(stoa.v1.money) = {gte: 0}]"),
        (pattern, "(stoa.v1.form) = FORM_LOWER"),
        (
            "message GetResponse {\n",
            "message GetResponse {\n// Each.\nrepeated MoveRequest moves = 7;\n// All.\n\
             repeated stoa.v1.Money prices = 8 [(stoa.v1.money) = {gte: 5, one_a_currency: true}];\n",
        ),
    ] {
        assert!(proto.contains(from), "{from}");
        proto = proto.replacen(from, to, 1);
    }
    let code = generate(&proto).unwrap();
    let flat = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "Form::Lower.take(&mut self.r#type);",
        "for value in &mut self.moves { value.form(); }",
        "check.within(\"price\", |check| check.least(money.amount, 0));",
        "check.each(\"prices\", &self.prices, |check, money| { check.least(money.amount, 5); });",
        "check.one_a_currency(\"prices\", &self.prices);",
    ] {
        assert!(flat.contains(expected), "{expected}\n\n{code}");
    }
    assert_eq!(
        wrong(&[(count, "[(stoa.v1.form) = FORM_UPPER]")]),
        [at("int64 count", "field count: a form is of texts")]
    );
    assert_eq!(
        wrong(&[(count, "[(stoa.v1.money) = {gte: 0}]")]),
        [at(
            "int64 count",
            "field count: rules of money are for a field of stoa.v1.Money, or a list"
        )]
    );
    assert_eq!(
        wrong(&[("string account = 4;", "string account = 4 [(stoa.v1.form) = FORM_TRIMMED];")]),
        [at("string account", "field account: texts in maps, and one of several, have no form")]
    );
}

#[test]
fn an_amount_has_a_currency_nearby() {
    let count = "[(buf.validate.field).int64 = {gte: 1, lte: 10}]";
    let problem = |currency: &str| {
        let text = format!("field count: an amount is an int64, and `{currency}` a string beside");
        move |found: &[String]| found.len() == 1 && found[0].contains(&text)
    };
    for (currency, kind) in [("nowhere", "int64"), ("count", "int64"), ("type", "int32")] {
        let option = format!("[(stoa.v1.amount_of) = \"{currency}\"]");
        let found = wrong(&[(count, &option), ("int64 count", &format!("{kind} count"))]);
        assert!(problem(currency)(&found), "{found:?}");
    }
    let beside = (count, "[(stoa.v1.amount_of) = \"type\"]");
    generate(&GOOD.replacen(beside.0, beside.1, 1)).unwrap();
}

#[test]
fn methods_must_be_of_one_kind() {
    let level = "    option idempotency_level = NO_SIDE_EFFECTS;\n";
    assert_eq!(
        wrong(&[(level, &format!("option (stoa.v1.job) = {{}};{level}"))]),
        [at(
            "rpc Get",
            "method Get: a query that declares a write: `(stoa.v1.job)` is for commands and effects"
        )]
    );
    assert_eq!(
        wrong(&[(level, &format!("option (stoa.v1.effect) = true;{level}"))]),
        [at("rpc Get", "method Get: is an effect, so it cannot promise NO_SIDE_EFFECTS")]
    );
    assert_eq!(
        wrong(&[("rpc Get(GetRequest)", "rpc Get(stream GetRequest)")]),
        [
            at(
                "rpc Get",
                "method Get: is a stream, so it must say `option (stoa.v1.effect) = true`"
            ),
            at(
                "rpc Get",
                "method Get: takes a stream, or HTTP as it comes, which REST does not serve; leave \
                 google.api.http out"
            ),
        ]
    );
    assert_eq!(
        wrong(&[("rpc Move(MoveRequest)", "rpc Move(GetRequest)")]),
        [at("rpc Move", "method Move: takes GetRequest; it must be MoveRequest")]
    );
}

#[test]
fn streams_go_either_way() {
    let follow = "rpc Follow(FollowRequest) returns (stream FollowResponse)";
    let signature = |rpc: &str| {
        let proto = GOOD.replacen(follow, rpc, 1);
        let code = generate(&proto).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let start = code.find("fn follow(").unwrap();
        let end = start + code[start..].find(';').unwrap();
        let bound = ["effect", "stream", "gather", "converse"]
            .into_iter()
            .find(|bound| code.contains(&format!("methods.{bound}(")));
        (code[start..end].to_owned(), bound)
    };
    for (rpc, takes, gives, bound) in [
        (follow, "request: FollowRequest", "Stream<FollowResponse>", "stream"),
        (
            "rpc Follow(stream FollowRequest) returns (FollowResponse)",
            "requests: ::stoa_kit::Requests<FollowRequest>",
            "Result<FollowResponse>",
            "gather",
        ),
        (
            "rpc Follow(stream FollowRequest) returns (stream FollowResponse)",
            "requests: ::stoa_kit::Requests<FollowRequest>",
            "Stream<FollowResponse>",
            "converse",
        ),
    ] {
        let (signature, found) = signature(rpc);
        assert!(signature.contains(takes) && signature.contains(gives), "{signature}");
        assert_eq!(found, Some(bound));
    }
}

#[test]
fn a_stream_of_requests_says_how_much_it_may_come_to() {
    let follow = "rpc Follow(FollowRequest) returns (stream FollowResponse) {";
    let bounded = |rpc: &str, total: &str| {
        generate(&GOOD.replacen(follow, &format!("{rpc} {{\n{total}"), 1)).map(|code| {
            let code = code.split_whitespace().collect::<String>();
            let start = code.find("bytes_max:").expect("it is bounded");
            code[start..start + code[start..].find('}').unwrap()].to_owned()
        })
    };
    let both = "rpc Follow(stream FollowRequest) returns (stream FollowResponse)";
    let said = "option (stoa.v1.total) = {bytes_max: 7, seconds_max: 8};";
    assert_eq!(bounded(both, said).unwrap(), "bytes_max:7,seconds_max:8");
    assert_eq!(bounded(both, "").unwrap(), "bytes_max:1073741824,seconds_max:86400");
    let upload = "rpc Follow(stream FollowRequest) returns (FollowResponse)";
    assert_eq!(bounded(upload, "").unwrap(), "bytes_max:1073741824,seconds_max:3600");
    let none = format!("{follow}\n{said}");
    assert_eq!(
        wrong(&[(follow, &none)]),
        [at("rpc Follow", "method Follow: `(stoa.v1.total)` is for methods that take a stream")]
    );
}

#[test]
fn what_rest_could_not_serve_is_refused() {
    let post = "post: \"/v1/shop/orders\", body: \"*\"";
    for (rule, said) in [
        ("", "google.api.http names no path; use get, put, post, delete or patch"),
        ("post: \"/v1/orders\", body: \"*\"", "begins with something else than /v1/shop"),
        ("post: \"/v1/shopping\", body: \"*\"", "begins with something else than /v1/shop"),
        ("put: \"/v1/shop/a\"", "`promise` cannot be said in a query; say `body: \"*\"`"),
        ("delete: \"/v1/shop/a\", body: \"*\"", "DELETE has no body"),
        ("post: \"/v1/shop/{counts}\", body: \"*\"", "`counts` is no single scalar of MoveRequest"),
        ("post: \"/v1/shop/{price}\", body: \"*\"", "`price` is no single scalar of MoveRequest"),
        ("post: \"/v1/shop/{type}/{type}\", body: \"*\"", "`type` stands there twice"),
        ("post: \"/v1/shop/a\", body: \"prise\"", "MoveRequest has no field `prise`"),
        ("post: \"/v1/shop/{type}\", body: \"type\"", "a body is a field that stands nowhere else"),
        // An order that holds an order has no end.
        ("delete: \"/v1/shop/a\"", "`promise` cannot be said in a query; say `body: \"*\"`"),
    ] {
        let problems = wrong(&[(post, rule)]);
        assert_eq!(problems.len(), 1, "{rule}: {problems:?}");
        assert!(problems[0].starts_with(&at("rpc Move", "method Move: ")), "{problems:?}");
        assert!(problems[0].ends_with(said), "{problems:?}");
    }
    for template in
        ["v1/shop", "/v1/shop/", "/v1//shop", "/v1/shop/**/a", "/v1/shop/{type", "/v1/{"]
            .into_iter()
            .chain([
                "/v1/shop:",
                "/v1/shop/a:b:c",
                "/v1/shop/a{type}",
                "/v1/shop/{type}a",
                "/v1/shop/ä",
            ])
    {
        let problems = wrong(&[("/v1/shop/orders\", body", &format!("{template}\", body"))]);
        let said = format!("method Move: `{template}` is no template of google.api.http");
        assert_eq!(problems, [at("rpc Move", &said)]);
    }
}

#[test]
fn get_is_for_those_who_promise_to_change_nothing() {
    let level = "    option idempotency_level = NO_SIDE_EFFECTS;\n";
    let said = |path: &str| {
        let said = format!("method Get: GET {path} promises to change nothing; use post");
        at("rpc Get", &said)
    };
    let paths = ["/v1/shop/orders/{order.id=big/*}:show", "/v1/shop/search"];
    assert_eq!(wrong(&[(level, "\n")]), paths.map(said));
}

#[test]
fn who_is_shown_has_a_place_on_rest_and_nobody_else() {
    let rule = "    option (google.api.http) = {post: \"/v1/shop/orders\", body: \"*\"};\n";
    let missing =
        "method Move: has no place on REST; say `option (google.api.http) = {get: \"/v1/shop/…\"}`";
    assert_eq!(wrong(&[(rule, "\n")]), [at("rpc Move", missing)]);
    let internal = [("\"shop.orders.create\"", "\"internal\"")];
    let hidden = "method Move: is internal, so REST cannot serve it; leave google.api.http out";
    assert_eq!(wrong(&internal), [at("rpc Move", hidden)]);
}

#[test]
fn a_request_asks_for_one_method() {
    for (path, other) in [
        ("/v1/shop/search", Some("/v1/shop/search")),
        ("/v1/shop/*", Some("/v1/shop/search")),
        ("/v1/shop/**", Some("/v1/shop/search")),
        ("/v1/shop/{id=*/x/**}:show", None),
        ("/v1/shop/{id=*/*}/z:show", Some("/v1/shop/orders/{order.id=big/*}:show")),
        ("/v1/shop/orders/*/*", None),
        ("/v1/shop/search:now", None),
    ] {
        let follow = "  rpc Follow(FollowRequest) returns (stream FollowResponse) {\n    \
                      option (stoa.v1.permission) = \"internal\";\n";
        let shown = format!(
            "{}    option (google.api.http) = {{get: \"{path}\"}};\n",
            follow.replace("internal", "public")
        );
        let id =
            ("message FollowRequest {}", "message FollowRequest {\n  // It.\n  string id = 1;\n}");
        let said = other.map(|other| {
            at("rpc Follow", &format!("method Follow: GET {path} could be {other} of Get as well"))
        });
        assert_eq!(wrong(&[(follow, &shown), id]), said.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_reference_leads_to_a_resource() {
    let owner = "  string owner = 2;";
    let said = |option: &str| {
        let field = format!("  string owner = 2 [(stoa.v1.references) = \"{option}\"];");
        wrong(&[(owner, &field)])
    };
    assert_eq!(said("users.user"), [""; 0], "of Stoa's own contracts");
    assert_eq!(said("shop.order"), [""; 0], "of this one");
    assert_eq!(said("cinema.seat"), [""; 0], "of one in another crate");
    for (option, problem) in [
        ("users.usr", "references `users.usr`, and there is no such resource"),
        ("shop.ordre", "references `shop.ordre`, and there is no such resource"),
        ("users", "references `users`, which is no type of a resource such as `users.user`"),
    ] {
        assert_eq!(said(option), [at("string owner", &format!("field owner {problem}"))]);
    }
    let account = "    string account = 4;";
    let unsaid = at(
        "string account",
        "field account_id is called an identifier: say of what, as `(stoa.v1.references) = \
         \"users.user\"`, or `\"\"` where that is no resource of any contract",
    );
    assert_eq!(wrong(&[(account, "    string account_id = 4;")]), [unsaid]);
    let none = "    string account_id = 4 [(stoa.v1.references) = \"\"];";
    assert_eq!(wrong(&[(account, none)]), [""; 0], "of what is no resource");
    let number = "  int64 owner = 2 [(stoa.v1.references) = \"users.user\"];";
    let problems = wrong(&[(owner, number)]);
    let problem = at("string owner", "field owner is no text");
    assert!(problems.contains(&problem), "{problems:?}");
}

#[test]
fn rules_that_nobody_would_check_are_refused() {
    let pattern = "(buf.validate.field).string.pattern = \"^[a-z]+$\"";
    let refused = |rule: &str| wrong(&[(pattern, rule)]);
    assert_eq!(
        refused("(buf.validate.field).string.hostname = true"),
        [at(
            "string.pattern",
            "rule string.hostname is not supported; use one of len, min_len, max_len, min_bytes, max_bytes, pattern, prefix, in, email, uuid, uri"
        )]
    );
    assert_eq!(
        refused("(buf.validate.field).cel = {id: \"x\"}"),
        [at(
            "string.pattern",
            "rule cel is not supported; use one of required, ignore or the rules of a type"
        )]
    );
    assert_eq!(
        refused("(buf.validate.field).int64.gt = 1"),
        [at("string type", "field type: rules of int64 do not fit its type")]
    );
    let unclosed = refused("(buf.validate.field).string.pattern = \"(\"");
    assert_eq!(unclosed.len(), 1);
    assert!(unclosed[0].starts_with(&at("string.pattern", "field type: rule pattern: ")));
    assert_eq!(
        wrong(&[("{gte: 1, lte: 10}", "{gte: 11, lte: 10}")]),
        [at("int64 count", "field count: no number lies between its bounds")]
    );
}

#[test]
fn what_protobuf_itself_refuses_has_its_line() {
    let problems = wrong(&[("Order promise", "Nothing promise")]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with(&at("Order promise", "")[..at("Order promise", "").len() - 1]));
}

#[test]
fn a_package_has_its_one_service() {
    assert_eq!(
        wrong(&[("service ShopService", "service Shop")]),
        [at("service ShopService", "service Shop must be called ShopService")]
    );
    let missing = stoa_codegen::contract(Path::new("/nowhere"), "none").unwrap_err();
    assert!(missing.to_string().starts_with("proto/stoa/none/v1: "));
}
