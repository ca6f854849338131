//! A webhook's way in and out, by HTTP on both ends.

#![cfg(test)]

use std::time::Duration;

use http::Request;
use stoa_example_hooks::{Secret, service};
use stoa_kit::{Error, Service};
use stoa_testkit::{Engine, Node, answer, both};

fn secret() -> Secret {
    Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
}

fn services() -> Vec<Service> {
    vec![service(secret(), "https://inside.example/events")]
}

/// Sends a webhook as the provider does, or with another body than it signed.
async fn send(node: &Node, id: &str, body: &'static str, signed: &str) -> u16 {
    let timestamp = (node.now().0 / 1_000_000).to_string();
    let signature = secret().sign((id, &timestamp, signed.as_bytes()));
    let request = Request::post("/hooks/shop")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature);
    node.http(request.body(body.into()).unwrap()).await.status().as_u16()
}

both! {
    async fn an_event_is_handed_on_once(node: Node) {
        node.web(|_| Ok(answer(200, &[], "")));
        for _ in 0..3 {
            assert_eq!(send(&node, "evt_1", r#"{"a": 1}"#, r#"{"a": 1}"#).await, 204);
        }
        assert_eq!(send(&node, "evt_2", "{}", "{}").await, 204);
        node.settle().await;
        let asked = node.asked();
        let mut bodies: Vec<_> = asked.iter().map(|asked| &asked.request.body()[..]).collect();
        bodies.sort_unstable();
        assert_eq!(bodies, [&br#"{"a": 1}"#[..], b"{}"]);
        assert!(asked.iter().all(|asked| asked.request.uri() == "https://inside.example/events"));
    }

    async fn what_the_provider_did_not_sign_is_not_taken_in(node: Node) {
        assert_eq!(send(&node, "evt_1", r#"{"a": 2}"#, r#"{"a": 1}"#).await, 401);
        let bare = Request::post("/hooks/shop").body("{}".into()).unwrap();
        assert_eq!(node.http(bare).await.status().as_u16(), 401);
        let get = Request::get("/hooks/shop").body("".into()).unwrap();
        assert_eq!(node.http(get).await.status().as_u16(), 405);
        node.settle().await;
        assert!(node.asked().is_empty());
    }

    async fn who_asks_to_wait_is_waited_for(node: Node) {
        node.web(|_| Ok(answer(503, &[("retry-after", "120")], "")));
        assert_eq!(send(&node, "evt_1", "{}", "{}").await, 204);
        node.settle().await;
        node.advance(Duration::from_secs(119)).await;
        assert_eq!(node.asked().len(), 1);
        node.advance(Duration::from_secs(2)).await;
        assert_eq!(node.asked().len(), 2);
        // Nobody is waited for longer than the job has patience.
        node.web(|_| Ok(answer(429, &[("retry-after", "99999999999")], "")));
        node.advance(Duration::from_secs(121)).await;
        node.advance(Duration::from_secs(60 * 60)).await;
        assert_eq!(node.asked().len(), 4);
    }

    async fn who_is_away_is_told_later_under_the_same_key(node: Node) {
        node.web(|_| Err(Error::unavailable("http.unreachable", "nobody is there")));
        assert_eq!(send(&node, "evt_1", "{}", "{}").await, 204);
        node.settle().await;
        node.web(|_| Ok(answer(204, &[], "")));
        node.advance(Duration::from_secs(60)).await;
        let asked = node.asked();
        let keys: Vec<_> =
            asked.iter().map(|asked| &asked.request.headers()["idempotency-key"]).collect();
        assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
    }
}

#[test]
fn what_users_name_is_told_to_the_driver_as_such() {
    stoa_testkit::run(Engine::Sqlite, services(), |node| async move {
        node.web(|_| Ok(answer(200, &[], "")));
        assert_eq!(send(&node, "evt_1", "{}", "{}").await, 204);
        node.settle().await;
        assert!(node.asked()[0].given, "the operator has a word in it");
    });
}
