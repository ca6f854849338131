//! Queries that are watched: a state, and another one whenever the answer is another one.

use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::sockets::Client;
use crate::{Lending, with_graphql};

const NEWEST: &str = "subscription { lending { newest { title author { name } } } }";

async fn put(lending: &Lending, title: &str) {
    let put = format!("mutation {{ lendingPutBook(title: \"{title}\") {{ place }} }}");
    lending.ask(&put).await.data();
}

async fn rename(lending: &Lending, id: &str, name: &str) {
    let rename = format!("mutation {{ lendingRenameAuthor(id: \"{id}\", name: \"{name}\") }}");
    lending.ask(&rename).await.data();
}

fn newest(title: &str, author: &str) -> Value {
    json!({"data": {"lending": {"newest": {"title": title, "author": {"name": author}}}}})
}

/// What is told next.
async fn next(client: &mut Client) -> Value {
    let told = client.heard().await;
    assert_eq!(told["type"], "next", "{told}");
    told["payload"].clone()
}

#[test]
fn a_state_is_told_and_the_next_one_when_it_differs() {
    with_graphql(async |lending| {
        put(&lending, "one").await;
        let mut client = Client::signed_in(&lending).await;
        client.subscribe("a", NEWEST).await;
        assert_eq!(next(&mut client).await, newest("one", "AUTHOR1"));
        put(&lending, "two").await;
        assert_eq!(next(&mut client).await, newest("two", "AUTHOR0"));
        rename(&lending, "author0", "Ann").await;
        assert_eq!(next(&mut client).await, newest("two", "Ann"), "what an edge leads to");
        // What is not led to any more, and what was not asked for.
        rename(&lending, "author1", "Eve").await;
        put(&lending, "three").await;
        assert_eq!(next(&mut client).await, newest("three", "Eve"));
        rename(&lending, "author0", "Bob").await;
        rename(&lending, "author1", "Eva").await;
        assert_eq!(next(&mut client).await, newest("three", "Eva"));
        client.say(json!({"type": "complete", "id": "a"})).await;
        put(&lending, "four").await;
        client.subscribe("b", NEWEST).await;
        let told = client.heard().await;
        assert_eq!((&told["id"], &told["payload"]), (&json!("b"), &newest("four", "Bob")));
    });
}

#[test]
fn nothing_is_told_of_what_was_not_asked_for() {
    with_graphql(async |lending| {
        put(&lending, "one").await;
        let mut client = Client::signed_in(&lending).await;
        client.subscribe("t", "subscription { lending { newest { title } } }").await;
        let title = |title: &str| json!({"data": {"lending": {"newest": {"title": title}}}});
        assert_eq!(next(&mut client).await, title("one"));
        let place = "subscription { lending { newest { place } } }";
        client.subscribe("p", place).await;
        next(&mut client).await;
        // Another place, and the same title.
        put(&lending, "one").await;
        let told = client.heard().await;
        assert_eq!(
            (&told["id"], &told["payload"]["data"]["lending"]["newest"]["place"]),
            (&json!("p"), &json!("2"))
        );
        put(&lending, "two").await;
        let mut told = [client.heard().await, client.heard().await];
        told.sort_by_key(|told| told["id"].to_string());
        assert_eq!(told[0]["payload"]["data"]["lending"]["newest"]["place"], "3");
        assert_eq!(told[1]["payload"], title("two"));
    });
}

#[test]
fn several_queries_of_a_service_are_watched_as_one() {
    with_graphql(async |lending| {
        put(&lending, "one").await;
        let mut client = Client::signed_in(&lending).await;
        let query = "subscription ($id: String!) { lending {
            newest { place } again: newest { title } book(id: $id) { title } } }";
        let payload = json!({"query": query, "variables": {"id": "book7"}});
        client.say(json!({"type": "subscribe", "id": "a", "payload": payload})).await;
        let told = next(&mut client).await;
        let state = |place: &str, title: &str| {
            json!({"data": {"lending": {
                "newest": {"place": place}, "again": {"title": title},
                "book": {"title": "Volume 7"}}}})
        };
        assert_eq!(told, state("1", "one"));
        put(&lending, "two").await;
        assert_eq!(next(&mut client).await, state("2", "two"));
    });
}

#[test]
fn what_fails_ends_with_its_error() {
    with_graphql(async |lending| {
        let mut client = Client::signed_in(&lending).await;
        client.subscribe("a", NEWEST).await;
        let told = next(&mut client).await;
        assert_eq!(told["data"], json!({"lending": {"newest": null}}));
        assert_eq!(told["errors"][0]["path"], json!(["lending", "newest"]));
        assert_eq!(told["errors"][0]["extensions"]["reason"], "resource.not_found");
        assert_eq!(client.heard().await, json!({"type": "complete", "id": "a"}));
        client.subscribe("b", "subscription { lending { book(id: 5) { id } } }").await;
        let refused = client.heard().await;
        assert_eq!(refused["payload"][0]["extensions"]["violations"][0]["path"], "id");
        client.subscribe("c", "subscription { lending { __typename } }").await;
        let refused = client.heard().await;
        assert_eq!(refused["payload"][0]["extensions"]["reason"], "graphql.invalid");
    });
}

#[test]
fn who_is_shut_out_is_told_so_and_nothing_else() {
    with_graphql(async |lending| {
        put(&lending, "one").await;
        let mut client = Client::signed_in(&lending).await;
        client.subscribe("a", NEWEST).await;
        assert_eq!(next(&mut client).await, newest("one", "AUTHOR1"));
        let out = r#"mutation { lendingShutOut(token: "user:usr_ada") }"#;
        lending.ask_as("user:usr_eve", out, json!({})).await.data();
        let told = next(&mut client).await;
        assert_eq!(told["data"], json!({"lending": {"newest": null}}));
        assert_eq!(told["errors"][0]["extensions"]["reason"], "auth.token_invalid");
        assert_eq!(client.heard().await, json!({"type": "complete", "id": "a"}));
    });
}

#[test]
fn the_same_is_told_as_events() {
    with_graphql(async |lending| {
        put(&lending, "one").await;
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request = request.header("accept", "text/event-stream");
        let request = request.header("authorization", "Bearer user:usr_ada");
        let body = json!({"query": NEWEST}).to_string();
        let peer = ([192, 0, 2, 1], 4711).into();
        let answer = lending.port.answer(peer, request.body(body.into()).unwrap()).await;
        let mut body = answer.into_body();
        for (title, author) in [("one", "AUTHOR1"), ("two", "AUTHOR0")] {
            let event = body.frame().await.unwrap().unwrap().into_data().unwrap();
            let event = String::from_utf8(event.into()).unwrap();
            let data = event.strip_prefix("event: next\ndata: ").unwrap();
            assert_eq!(serde_json::from_str::<Value>(data).unwrap(), newest(title, author));
            put(&lending, "two").await;
        }
    });
}
