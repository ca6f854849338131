//! What GraphQL refuses: for the same reason, at the same path, as Connect.

use serde_json::json;

use crate::with_graphql;

#[test]
fn a_wrong_argument_is_refused_as_on_connect() {
    with_graphql(async |lending| {
        for (arguments, json) in [
            ("smal: 5", json!({"smal": 5})),
            ("small: \"x\"", json!({"small": "x"})),
            ("small: 2147483648", json!({"small": 2147483648_u32})),
            ("small: 2000", json!({"small": 2000})),
            ("large: 1.5", json!({"large": 1.5})),
            ("large: \"9223372036854775808\"", json!({"large": "9223372036854775808"})),
            ("unsigned: -1", json!({"unsigned": -1})),
            ("word: 4294967296", json!({"word": 4294967296_u64})),
            ("flag: \"true\"", json!({"flag": "true"})),
            ("binding: SILK", json!({"binding": "SILK"})),
            ("raw: \"!\"", json!({"raw": "!"})),
            ("sinceTime: \"today\"", json!({"sinceTime": "today"})),
            ("wait: \"1\"", json!({"wait": "1"})),
            ("price: 5", json!({"price": 5})),
            ("price: {amont: 5}", json!({"price": {"amont": 5}})),
            ("tags: [1]", json!({"tags": [1]})),
            ("crate: {inner: {count: \"x\"}}", json!({"crate": {"inner": {"count": "x"}}})),
            ("left: \"l\", right: 1", json!({"left": "l", "right": 1})),
        ] {
            let query = format!("{{ lending {{ echo({arguments}) {{ __typename }} }} }}");
            let found = lending.ask(&query).await.refusal();
            assert_eq!(found, lending.connect("Echo", &json).await, "{arguments}");
        }
    });
}

#[test]
fn a_wrong_variable_is_refused_as_on_connect() {
    with_graphql(async |lending| {
        for (kind, name, value) in [
            ("Int", "small", json!("x")),
            ("Int", "small", json!(2147483648_u32)),
            ("Int64", "large", json!("much")),
            ("LendingBinding", "binding", json!("SILK")),
            ("MoneyInput", "price", json!({"amont": 5})),
            ("[String!]", "tags", json!([1])),
            ("Timestamp", "sinceTime", json!("today")),
        ] {
            let query =
                format!("query($v: {kind}) {{ lending {{ echo({name}: $v) {{ __typename }} }} }}");
            let found = lending.ask_as("user:usr_ada", &query, json!({"v": value})).await.refusal();
            assert_eq!(found, lending.connect("Echo", &json!({ name: value })).await, "{name}");
        }
    });
}

#[test]
fn a_missing_argument_is_refused_as_on_connect() {
    with_graphql(async |lending| {
        let found = lending.ask("{ lending { book { id } } }").await;
        assert_eq!(found.refusal(), lending.connect("GetBook", &json!({})).await);
        let query = "query($id: String!) { lending { book(id: $id) { id } } }";
        let found = lending.ask_as("user:usr_ada", query, json!({})).await;
        assert_eq!(found.refusal(), lending.connect("GetBook", &json!({})).await);
    });
}

#[test]
fn who_may_not_is_told_so_before_what_is_wrong() {
    with_graphql(async |lending| {
        let wrong = "mutation { lendingPutBook(titel: 5) { place } }";
        let right = r#"mutation { lendingPutBook(title: "x") { place } }"#;
        for query in [wrong, right] {
            let nobody = lending.ask_as("", query, json!({})).await.refusal();
            assert_eq!(nobody.0, "auth.required", "{query}");
            let forged = lending.ask_as("bad", query, json!({})).await.refusal();
            assert_eq!(forged.0, "auth.token_invalid", "{query}");
        }
        let public =
            lending.ask_as("bad", r#"{ lending { book(id: "book1") { id } } }"#, json!({}));
        assert_eq!(public.await.data()["lending"]["book"]["id"], "book1");
        let forget = lending.ask("mutation { lendingForget }").await.refusal();
        assert_eq!(forget.0, "auth.permission_denied");
    });
}
