//! A person is asked before something is taken away.

use std::time::Duration;

use futures::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_mcp::Settings;
use stoa_testkit::Node;

use crate::{ADA, Agent, GARDENER, with_mcp};

const DELETE: &str = r#"{"jsonrpc":"2.0","id":"q","method":"tools/call","params":
    {"name":"garden_delete_plant","arguments":{"id":"rose"}}}"#;

/// Deletes a plant, and does something once a question has come: it is told which. Gives what the
/// call comes to.
async fn delete(agent: &Agent, meanwhile: impl AsyncFnOnce(Value)) -> Value {
    let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 4711));
    let request = agent.post("/mcp").body(DELETE.into()).unwrap();
    let answer = agent.port.answer(peer, request).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.into_body().into_data_stream();
    let mut next = async || {
        let event = events.next().await.unwrap().unwrap();
        let text = std::str::from_utf8(&event).unwrap().trim().to_owned();
        serde_json::from_str::<Value>(text.strip_prefix("event: message\ndata: ").unwrap()).unwrap()
    };
    let question = next().await;
    assert_eq!(question["method"], "elicitation/create");
    let ((), mut answer) = futures::join!(meanwhile(question), next());
    assert_eq!(answer["id"], "q");
    answer["result"]["structuredContent"].take()
}

async fn tell(agent: &Agent, question: &Value, result: Value) -> u16 {
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
    agent.send(agent.post("/mcp"), answer.to_string()).await.status.as_u16()
}

fn with_person(test: impl AsyncFnOnce(Node, Agent)) {
    with_mcp(Settings::default(), async |node, agent| {
        let mut agent = agent.of(GARDENER);
        agent.begin(json!({"elicitation": {}})).await;
        test(node, agent).await;
    });
}

#[test]
fn what_a_person_agrees_to_is_done() {
    with_person(async |_, agent| {
        let done = delete(&agent, async |question| {
            let params = &question["params"];
            let message = params["message"].as_str().unwrap();
            assert!(message.contains("Delete plant") && message.contains("rose"), "{message}");
            assert_eq!(params["requestedSchema"]["properties"]["confirm"]["type"], "boolean");
            let yes = json!({"action": "accept", "content": {"confirm": true}});
            assert_eq!(tell(&agent, &question, yes).await, 202);
        });
        assert_eq!(done.await, json!({}));
    });
}

#[test]
fn what_a_person_does_not_agree_to_is_not_done() {
    with_person(async |_, agent| {
        for said in [
            json!({"action": "decline"}),
            json!({"action": "cancel"}),
            json!({"action": "accept"}),
            json!({"action": "accept", "content": {"confirm": false}}),
            json!({"action": "accept", "content": {"confirm": "true"}}),
        ] {
            let refusal = delete(&agent, async |question| {
                tell(&agent, &question, said).await;
            });
            assert_eq!(refusal.await["reason"], "mcp.declined");
        }
        let refusal = delete(&agent, async |question| {
            let failed = json!({"jsonrpc": "2.0", "id": question["id"],
                "error": {"code": -32603, "message": "no"}});
            agent.send(agent.post("/mcp"), failed.to_string()).await;
        });
        assert_eq!(refusal.await["reason"], "mcp.unanswered");
    });
}

#[test]
fn only_the_session_that_was_asked_answers() {
    with_person(async |node, agent| {
        let refusal = delete(&agent, async |question| {
            let yes = || json!({"action": "accept", "content": {"confirm": true}});
            let mut other = agent.clone();
            other.begin(json!({})).await;
            tell(&other, &question, yes()).await;
            assert_eq!(tell(&agent.of(ADA), &question, yes()).await, 404);
            tell(&agent, &json!({"id": "guessed"}), yes()).await;
            node.skip(Duration::from_secs(121));
        });
        assert_eq!(refusal.await["reason"], "mcp.unanswered");
    });
}

#[test]
fn questions_are_few_and_short() {
    with_person(async |_, agent| {
        let long =
            json!({"name": "garden_delete_plant", "arguments": {"id": "x".repeat(65 << 10)}});
        let said = agent.ask("tools/call", long).await;
        assert_eq!(said.refusal(), (200, "mcp.questions".to_owned()));
        let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 4711));
        let mut asked = Vec::new();
        for _ in 0..8 {
            let request = agent.post("/mcp").body(DELETE.into()).unwrap();
            asked.push(agent.port.answer(peer, request).await);
        }
        let said = agent.send(agent.post("/mcp"), DELETE).await;
        assert_eq!(said.refusal(), (200, "mcp.questions".to_owned()));
        asked.pop();
        let request = agent.post("/mcp").body(DELETE.into()).unwrap();
        let answer = agent.port.answer(peer, request).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream", "who left asks no more");
    });
}

#[test]
fn nobody_is_asked_where_nothing_is_taken_away_or_nobody_can_be_asked() {
    with_person(async |_, mut agent| {
        let plant = json!({"plant": {"id": "rose"}});
        assert_eq!(agent.call("garden_create_plant", plant).await["isError"], false);
        let wrong = agent.refused("garden_delete_plant", json!({"name": "rose"})).await;
        assert_eq!(wrong, "request.invalid", "nobody is asked about what cannot be done");
        let tried = json!({
            "name": "garden_delete_plant", "arguments": {"id": "rose"},
            "_meta": {"stoa/dry-run": true},
        });
        let tried = agent.result("tools/call", tried).await;
        assert_eq!(tried["isError"], false, "nothing is taken away by a trial");
        agent.begin(json!({"elicitation": {"url": {}}})).await;
        let rose = || json!({"id": "rose"});
        assert_eq!(agent.call("garden_delete_plant", rose()).await["isError"], false);
        agent.session = None;
        assert_eq!(agent.call("garden_delete_plant", rose()).await["isError"], false);
    });
}
