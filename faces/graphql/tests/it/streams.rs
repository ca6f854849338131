//! Subscriptions, as server-sent events.

use http::Request;
use serde_json::{Value, json};

use crate::{Lending, with_graphql};

/// The events of an answer: each with its data.
async fn events(lending: &Lending, query: &str) -> Vec<(String, Value)> {
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = request.header("accept", "text/event-stream");
    let request = request.header("authorization", "Bearer user:usr_ada");
    let said = lending.send(request, json!({"query": query}).to_string()).await;
    assert_eq!(said.headers["content-type"], "text/event-stream");
    let text = String::from_utf8(said.body.to_vec()).unwrap();
    let events = text.split_terminator("\n\n").map(|event| {
        let (name, data) = event.split_once('\n').unwrap();
        let data = data.strip_prefix("data:").unwrap().trim();
        let data = if data.is_empty() { Value::Null } else { serde_json::from_str(data).unwrap() };
        (name.strip_prefix("event: ").unwrap().to_owned(), data)
    });
    events.collect()
}

#[test]
fn a_stream_is_told_message_by_message() {
    with_graphql(async |lending| {
        let query =
            "subscription { read: lendingReadBooks(count: 2) { book { id author { name } } } }";
        let told = events(&lending, query).await;
        assert_eq!(told.len(), 4, "{told:?}");
        for (nth, (name, data)) in told.iter().take(2).enumerate() {
            let book =
                json!({"id": format!("book{nth}"), "author": {"name": format!("AUTHOR{nth}")}});
            assert_eq!((name.as_str(), data), ("next", &json!({"data": {"read": {"book": book}}})));
        }
        assert_eq!(told[2].1["data"], json!({"read": null}));
        assert_eq!(told[2].1["errors"][0]["path"], json!(["read"]));
        assert_eq!(told[2].1["errors"][0]["extensions"]["reason"], "lending.over");
        assert_eq!(told[3], ("complete".to_owned(), Value::Null));
    });
}

#[test]
fn whatever_else_is_asked_is_told_once() {
    with_graphql(async |lending| {
        let told = events(&lending, r#"{ lending { book(id: "book1") { id } } }"#).await;
        assert_eq!(told[0].1, json!({"data": {"lending": {"book": {"id": "book1"}}}}));
        assert_eq!(told[1].0, "complete");
        let refused = events(&lending, "{ nothing }").await;
        assert_eq!(refused[0].1["errors"][0]["extensions"]["reason"], "graphql.invalid");
        let broken =
            events(&lending, "subscription { lendingReadBooks(count: -1) { book { id } } }").await;
        let said = &broken[0].1["errors"][0]["extensions"];
        assert_eq!(said["violations"][0]["path"], "count");
        let plain = lending.ask("subscription { lendingReadBooks { book { id } } }").await;
        assert_eq!(plain.refusal().0, "graphql.subscription");
    });
}
