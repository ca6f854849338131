//! GraphQL over HTTP: which methods, which kinds of content, which statuses.

use http::Request;
use serde_json::{Value, json};

use crate::with_graphql;

const PUT: &str = r#"mutation { lendingPutBook(title: "x") { place } }"#;

#[test]
fn a_query_is_asked_by_get_and_a_mutation_is_not() {
    with_graphql(async |lending| {
        let query = "query%20Q(%24id%3A%20String!)%7Blending%7Bbook(id%3A%24id)%7Bid%7D%7D%7D";
        let asked =
            format!("/graphql?query={query}&operationName=Q&variables=%7B%22id%22:%22book1%22%7D");
        let said = lending.send(Request::get(&asked), "").await;
        assert_eq!(said.data(), json!({"lending": {"book": {"id": "book1"}}}));
        let put = PUT.replace(' ', "+").replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        let put = Request::get(format!("/graphql?query={put}"));
        let said = lending.send(put.header("authorization", "Bearer user:usr_ada"), "").await;
        assert_eq!((said.status.as_u16(), said.refusal().0.as_str()), (405, "request.method"));
        assert_eq!(said.headers["allow"], "GET, POST");
        let first = lending.ask(PUT).await.data();
        assert_eq!(first["lendingPutBook"]["place"], "1", "nothing happened before");
        let said = lending.send(Request::put("/graphql"), "").await;
        assert_eq!(said.status, 405);
    });
}

#[test]
fn only_json_is_taken() {
    with_graphql(async |lending| {
        let body = json!({"query": PUT}).to_string();
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
        ] {
            let request = Request::post("/graphql").header("authorization", "Bearer user:usr_ada");
            let request =
                if kind.is_empty() { request } else { request.header("content-type", kind) };
            let said = lending.send(request, body.clone()).await;
            assert_eq!(
                (said.status.as_u16(), said.refusal().0.as_str()),
                (415, "request.content_type"),
                "{kind}"
            );
        }
        assert_eq!(lending.ask(PUT).await.data()["lendingPutBook"]["place"], "1");
    });
}

#[test]
fn the_status_says_what_the_kind_of_answer_leaves_open() {
    with_graphql(async |lending| {
        let send = async |accept: &str, body: &str| {
            let request =
                Request::post("/graphql").header("content-type", "application/json; charset=utf-8");
            lending.send(request.header("accept", accept), body.to_owned()).await
        };
        let response = "application/graphql-response+json";
        for (body, as_json, as_response, reason) in [
            (json!({"query": "{ __typename }"}).to_string(), 200, 200, ""),
            (json!({"query": "{"}).to_string(), 200, 400, "graphql.invalid"),
            (json!({"query": "{ nothing }"}).to_string(), 200, 400, "graphql.invalid"),
            (json!({"query": "{ __typename }", "operationName": "Q"}).to_string(), 200, 400, "graphql.invalid"),
            (json!({"query": "query($i: Int!) { lending { echo(small: $i) { __typename } } }", "variables": {"i": "x"}}).to_string(), 200, 400, "request.invalid"),
            ("{".to_owned(), 400, 400, "json.malformed"),
            ("[]".to_owned(), 400, 400, "graphql.batch"),
            ("{}".to_owned(), 400, 400, "graphql.request"),
            (json!({"query": 5}).to_string(), 400, 400, "graphql.request"),
            (json!({"query": "{ __typename }", "variables": []}).to_string(), 400, 400, "graphql.request"),
            (json!({"query": "{ __typename }", "extensions": "x"}).to_string(), 400, 400, "graphql.request"),
        ] {
            let said = send("application/json", &body).await;
            assert_eq!(said.status, as_json, "{body}");
            assert_eq!(said.headers["content-type"], "application/json; charset=utf-8");
            if !reason.is_empty() {
                assert_eq!(said.refusal().0, reason, "{body}");
                assert!(said.json().get("data").is_none(), "nothing was executed");
            }
            let said = send(response, &body).await;
            assert_eq!(said.status, as_response, "{body}");
        }
        let kind = send(
            "text/html, application/graphql-response+json;q=0.9, */*",
            r#"{"query": "{ __typename }", "variables": null}"#,
        )
        .await;
        assert_eq!(
            kind.headers["content-type"],
            "application/graphql-response+json; charset=utf-8"
        );
        assert_eq!(kind.json()["errors"], Value::Null);
    });
}
