//! Streams, as events and as lines.

use http::Request;
use serde_json::Value;

use crate::with_rest;

#[test]
fn a_stream_comes_as_lines_or_as_events() {
    with_rest(async |_, shelf| {
        let said = shelf.get("/v1/shelf/numbers:count?to=2").await;
        assert_eq!(said.headers["content-type"], "application/x-ndjson");
        let text = String::from_utf8(said.body.into()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], [r#"{"result":{"number":"1"}}"#, r#"{"result":{"number":"2"}}"#]);
        let last: Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(last["error"]["reason"], "shelf.over");

        let events = Request::get("/v1/shelf/numbers:count?to=1");
        let events = events.header("accept", "text/html, text/event-stream;q=0.9");
        let said = shelf.send(events, "").await;
        assert_eq!(said.headers["content-type"], "text/event-stream");
        let text = String::from_utf8(said.body.into()).unwrap();
        let events: Vec<&str> = text.split("\n\n").collect();
        assert_eq!((events[0], events.len()), (r#"data: {"number":"1"}"#, 3));
        let problem = events[1].strip_prefix("event: error\ndata: ").unwrap();
        let problem: Value = serde_json::from_str(problem).unwrap();
        assert_eq!((&problem["reason"], &problem["next"]), (&"shelf.over".into(), &"Stop.".into()));
    });
}

#[test]
fn a_stream_that_is_asked_for_wrongly_is_refused_before_it_begins() {
    with_rest(async |_, shelf| {
        let refusal = shelf.get("/v1/shelf/numbers:count?two=2").await.refusal();
        assert_eq!((refusal.0, refusal.1.as_str()), (400, "request.invalid"));
    });
}
