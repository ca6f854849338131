//! The code generator, run on small contracts: what it writes and what it refuses.

#![cfg(test)]

mod methods;
mod rows;

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
  // Gets orders.
  rpc BatchGetOrders(BatchGetOrdersRequest) returns (BatchGetOrdersResponse) {
    option (stoa.v1.permission) = "internal";
    option idempotency_level = NO_SIDE_EFFECTS;
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
// Asks for several orders.
message BatchGetOrdersRequest {
  // What names them.
  repeated string ids = 1 [(buf.validate.field).repeated.max_items = 100];
}
// The answer.
message BatchGetOrdersResponse {
  // Them.
  repeated Order orders = 1;
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
