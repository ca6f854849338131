//! Rows, and what else a resource says of itself.

use crate::{GOOD, at, generate, wrong};

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
fn a_text_that_names_a_blob_is_a_column_that_says_so() {
    const PERSONAL_BLOB: (&str, &str) = (
        "string note = 10 [(stoa.v1.personal) = \"owner\"]",
        "string note = 10 [(stoa.v1.blob) = true, (stoa.v1.personal) = \"owner\"]",
    );
    let mut proto = GOOD.to_owned();
    for (from, to) in [KEPT, PERSONAL, &[PERSONAL_BLOB]].concat() {
        proto = proto.replacen(from, to, 1);
    }
    let code = generate(&proto).unwrap();
    let flat = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "table: \"shop_order\", key: &[0], fields: &[ ::stoa_kit::blobs::Named { place: 8, column: \
         \"note\", subject: ::core::option::Option::Some(1) }, ], \
         words: &[Self::INSERT, Self::UPDATE, Self::DELETE], }",
        ".names_blobs::<Order>()",
    ] {
        assert!(flat.contains(expected), "{expected}\n\n{code}");
    }
    for (field, from, to) in [
        ("owner", "string owner = 2;", "string owner = 2 [(stoa.v1.blob) = true];"),
        ("id", "string id = 1;\n  // Whose", "string id = 1 [(stoa.v1.blob) = true];\n  // Whose"),
        ("left", "computed = true]", "computed = true, (stoa.v1.blob) = true]"),
        ("etag", "string etag = 9", "string etag = 9 [(stoa.v1.blob) = true]"),
    ] {
        let problems = wrong(&[KEPT[0], KEPT[1], (from, to)]);
        let why = format!(
            "field {field} names a blob: it has to be a text, and a column that is neither key nor owner"
        );
        assert!(problems.len() == 1 && problems[0].ends_with(&why), "{problems:?}");
    }
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
    let code = generate(GOOD).unwrap();
    assert!(code.contains("batch_gets: ::core::option::Option::Some(\"shop.order\"),"), "{code}");
    let ids = "  repeated string ids = 1 [(buf.validate.field).repeated.max_items = 100];";
    for (kind, rule) in
        [("string", "max_items = 1001"), ("string", "min_items = 1"), ("int64", "max_items = 9")]
    {
        let other = format!("  repeated {kind} ids = 1 [(buf.validate.field).repeated.{rule}];");
        let problems = wrong(&[(ids, &other)]);
        assert!(problems[0].contains("a batch get is a query that takes"), "{problems:?}");
    }
}

#[test]
fn what_is_got_or_referred_to_can_be_got_in_batches() {
    let none = [
        (
            "rpc BatchGetOrders(BatchGetOrdersRequest) returns (BatchGetOrdersResponse)",
            "rpc FetchOrders(FetchOrdersRequest) returns (FetchOrdersResponse)",
        ),
        ("message BatchGetOrdersRequest", "message FetchOrdersRequest"),
        ("message BatchGetOrdersResponse", "message FetchOrdersResponse"),
    ];
    let without = |more: &[(&str, &str)]| wrong(&[&none, more].concat());
    let unfollowed = |field: &str| {
        format!(
            "field {field} references `shop.order`, which cannot be followed: let `shop` have a \
             `BatchGet…` that takes `repeated string ids` and gives a list of it"
        )
    };
    assert_eq!(without(&[]), [at("string order_id", &unfollowed("order_id"))]);
    let other = "  string owner = 2 [(stoa.v1.references) = \"shop.order\"];";
    let both = without(&[("  string owner = 2;", other)]);
    assert_eq!(both[0], at("string owner", &unfollowed("owner")));
    let single = without(&[
        ("string order_id = 1 [(stoa.v1.references) = \"shop.order\"]", "string order = 1"),
        ("subject: \"order_id\"", "subject: \"order\""),
        (
            "rpc Get(GetRequest) returns (GetResponse)",
            "rpc GetOrder(GetOrderRequest) returns (GetOrderResponse)",
        ),
        ("message GetRequest {", "message GetOrderRequest {"),
        ("message GetResponse {", "message GetOrderResponse {"),
    ]);
    let alone = "method GetOrder: gets one `shop.order`, and nothing gets many, so that a list of \
                 references to it would be followed one by one; add a `BatchGet…` that takes \
                 `repeated string ids` and gives a list of Order";
    assert_eq!(single, [at("rpc Get(", alone)]);
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
