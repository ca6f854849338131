//! What is answered: every value as it came, in the order in which it was asked for.

use http::Request;
use serde_json::{Value, json};

use crate::with_graphql;

const EVERYTHING: &str = "
  small large unsigned word real flag raw binding sinceTime wait price { amount currency } tags
  bindings note crates anything boxed left right crate { count inner { count inner { count } } }
  nothing";

#[test]
fn every_value_comes_back() {
    with_graphql(async |lending| {
        let query = format!(
            r#"query ($crates: JSON, $anything: JSON) {{ lending {{ echo(
                small: -7, large: 9007199254740993, unsigned: "18446744073709551615",
                word: 4294967295, real: 0.5, flag: true, raw: "AAEC", binding: BINDING_CLOTH,
                sinceTime: "2026-11-29T07:00:00Z", wait: "1.500s",
                price: {{amount: "12", currency: "EUR"}}, tags: "one", bindings: [BINDING_CLOTH],
                note: "", crates: $crates, anything: $anything, boxed: "0", left: "l",
                crate: {{count: 1, inner: {{count: 2}}}}, nothing: {{}}
            ) {{ asked {{ {EVERYTHING} }} }} }} }}"#
        );
        let crates = json!({"a/b": {"count": "3"}});
        let anything = json!({"list": [1, null, {"deep": true}]});
        let variables = json!({"crates": crates, "anything": anything});
        let said = lending.ask_as("", &query, variables).await.data();
        assert_eq!(
            said["lending"]["echo"]["asked"],
            json!({
                "small": -7, "large": "9007199254740993", "unsigned": "18446744073709551615",
                "word": 4294967295_u32, "real": 0.5, "flag": true, "raw": "AAEC",
                "binding": "BINDING_CLOTH", "sinceTime": "2026-11-29T07:00:00Z", "wait": "1.500s",
                "price": {"amount": "12", "currency": "EUR"}, "tags": ["one"],
                "bindings": ["BINDING_CLOTH"], "note": "", "crates": {"a/b": {"count": "3"}},
                "anything": anything, "boxed": "0", "left": "l", "right": null,
                "crate": {"count": "1", "inner": {"count": "2", "inner": null}}, "nothing": {},
            })
        );
    });
}

#[test]
fn no_digit_of_a_large_number_is_lost() {
    with_graphql(async |lending| {
        let query = "query ($large: Int64, $unsigned: UInt64) {
            lending { echo(large: $large, unsigned: $unsigned) { asked { large unsigned } } } }";
        for (large, unsigned) in [
            (json!(i64::MIN), json!(u64::MAX)),
            (json!(i64::MIN.to_string()), json!(u64::MAX.to_string())),
        ] {
            let variables = json!({"large": large, "unsigned": unsigned});
            let said = lending.ask_as("", query, variables).await.data();
            let expected = json!({"large": i64::MIN.to_string(), "unsigned": u64::MAX.to_string()});
            assert_eq!(said["lending"]["echo"]["asked"], expected);
        }
    });
}

#[test]
fn what_is_absent_is_what_its_type_says() {
    with_graphql(async |lending| {
        let query = format!("{{ lending {{ echo {{ asked {{ {EVERYTHING} }} }} }} }}");
        let said = lending.ask(&query).await.data();
        assert_eq!(
            said["lending"]["echo"]["asked"],
            json!({
                "small": 0, "large": "0", "unsigned": "0", "word": 0, "real": 0, "flag": false,
                "raw": "", "binding": "BINDING_UNSPECIFIED", "sinceTime": null, "wait": null,
                "price": null, "tags": [], "bindings": [], "note": null, "crates": {},
                "anything": null, "boxed": null, "left": null, "right": null, "crate": null,
                "nothing": null,
            })
        );
        let nan = r#"query ($n: Float) { lending { echo(real: $n) { asked { real } } } }"#;
        let none = lending.ask(r#"{ lending { echo(real: 1e400) { asked { real } } } }"#).await;
        assert_ne!(none.json()["errors"], Value::Null);
        let some = lending.ask_as("", nan, json!({"n": 2.5})).await.data();
        assert_eq!(some["lending"]["echo"]["asked"]["real"], 2.5);
    });
}

#[test]
fn keys_stand_in_the_order_in_which_they_were_asked_for() {
    with_graphql(async |lending| {
        let query = r#"
            query Q($no: Boolean!) {
              z: lending { ...Books b: book(id: "book2") { title id } }
              lending { book(id: "book1") { title ... { id @include(if: $no) } } }
              a: lending { book(id: "book3") { id @skip(if: $no) title @include(if: false) } }
              lending { book(id: "book1") { authorId ...T } }
            }
            fragment Books on LendingQuery { a: book(id: "book9") { ...T } }
            fragment T on LendingBook { id }"#;
        let said = lending.ask_as("", query, json!({"no": false})).await;
        let text = String::from_utf8(said.body.to_vec()).unwrap();
        assert_eq!(
            text,
            r#"{"data":{"z":{"a":{"id":"book9"},"b":{"title":"Volume 2","id":"book2"}},"lending":{"book":{"title":"Volume 1","authorId":"author1","id":"book1"}},"a":{"book":{"id":"book3"}}}}"#
        );
    });
}

#[test]
fn what_fails_leaves_the_rest_as_it_is() {
    with_graphql(async |lending| {
        let query = r#"{ lending {
            good: book(id: "book1") { id }
            bad: book(id: "book100") { id }
            denied: batchGetAuthors(ids: ["author1"]) { authors { name } } } }"#;
        let said = lending.ask_as("", query, json!({})).await.json();
        let data = json!({"lending": {"good": {"id": "book1"}, "bad": null, "denied": null}});
        assert_eq!(said["data"], data);
        let errors = said["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0]["path"], json!(["lending", "bad"]));
        assert_eq!(errors[0]["locations"], json!([{"line": 3, "column": 13}]));
        assert_eq!(errors[0]["extensions"]["code"], "not_found");
        assert_eq!(errors[0]["extensions"]["reason"], "resource.not_found");
        assert_eq!(errors[1]["extensions"]["reason"], "auth.required");
    });
}

#[test]
fn commands_run_one_after_another_each_once() {
    with_graphql(async |lending| {
        let query = r#"mutation {
            c: lendingPutBook(title: "third") { place title }
            a: lendingPutBook(title: "first") { place }
            broken: lendingPutBook(title: "forbidden") { place }
            b: lendingPutBook(title: "second") { place }
            a: lendingPutBook(title: "first") { title } }"#;
        let said = lending.ask(query).await.json();
        assert_eq!(
            said["data"],
            json!({
                "c": {"place": "1", "title": "third"}, "a": {"place": "2", "title": "first"},
                "broken": null, "b": {"place": "3"},
            }),
            "what stands there twice happens once"
        );
        assert_eq!(said["errors"][0]["path"], json!(["broken"]));
        let unread = r#"mutation {
            a: lendingPutBook(title: "a") { place } b: lendingPutBook(title: "b", copies: "many") { place } }"#;
        assert_eq!(lending.ask(unread).await.json()["data"], Value::Null);
        let next = lending.ask(r#"mutation { lendingPutBook(title: "x") { place } }"#).await.data();
        assert_eq!(next["lendingPutBook"]["place"], "4", "nothing ran of what could not be read");
    });
}

#[test]
fn a_key_makes_each_command_happen_once() {
    with_graphql(async |lending| {
        let put = async |key: &str, query: &str| {
            let request = Request::post("/graphql").header("content-type", "application/json");
            let request = request.header("authorization", "Bearer user:usr_ada");
            let body = json!({"query": query}).to_string();
            lending.send(request.header("idempotency-key", key), body).await
        };
        let one = r#"mutation { lendingPutBook(title: "one") { place } }"#;
        let first = put("k", one).await;
        assert!(first.headers.contains_key("stoa-position"));
        let again = put("k", one).await;
        assert_eq!((again.data(), first.data()), (first.data(), again.data()));
        assert_eq!(again.headers["idempotency-replayed"], "true");
        let both = r#"mutation {
            a: lendingPutBook(title: "two") { place } b: lendingPutBook(title: "two") { place } }"#;
        let said = put("l", both).await.data();
        assert_eq!(said, json!({"a": {"place": "2"}, "b": {"place": "3"}}));
        assert_eq!(put("l", both).await.data(), said);
    });
}
