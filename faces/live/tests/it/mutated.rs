//! Messages that were good once: each is answered or refused, and so is what is said next.

use futures::SinkExt;
use serde_json::{Value, json};
use stoa_testkit::fuzz::{self, Random};
use stoa_testkit::{Engine, run};
use tokio_tungstenite::tungstenite::Message;

use crate::{Client, ME, ROLES, USERS, port, reader, services};

/// Each conversation has so many of them: watches that came about stay.
const A_CONVERSATION: usize = 100;

fn good(token: &str) -> Vec<Value> {
    let sign_in = json!({"type": "sign_in", "authorization": format!("Bearer {token}")});
    let watch = |id: &str, method: &str, request: Value| json!({"type": "watch", "id": id, "method": method, "request": request, "etag": "09f3"});
    vec![
        sign_in,
        watch("a", USERS, json!({"page_size": 2, "page_token": ""})),
        watch("b", ROLES, json!({})),
        watch("c", ME, json!({})),
        json!({"type": "unwatch", "id": "a"}),
    ]
}

#[test]
fn a_message_is_answered_or_refused() {
    run(Engine::Sqlite, services(), async |node| {
        let port = port(&node);
        let (_, token) = reader(&node).await;
        let (good, mut random) = (good(&token), Random::new(fuzz::seed()));
        let mut client = Client::signed_in(&port, &token).await;
        let (cases, mut refused) = (fuzz::cases(300), 0);
        for case in 0..cases {
            if case % A_CONVERSATION == A_CONVERSATION - 1 {
                client = Client::signed_in(&port, &token).await;
            }
            let message = random.one(&good).clone();
            let message = match random.below(2) {
                0 => fuzz::message(&mut random, &message).to_string(),
                _ => {
                    let mut bytes = message.to_string().into_bytes();
                    fuzz::bytes(&mut random, &mut bytes);
                    String::from_utf8_lossy(&bytes).into_owned()
                }
            };
            client.0.send(Message::text(message.as_str())).await.unwrap();
            let after = format!("after {case}");
            client.watch(&after, "nothing").await;
            loop {
                let said = client.next().await;
                assert_ne!(said["error"]["reason"], "internal", "{message}\n{said}");
                if said["id"] == after.as_str() {
                    break;
                }
                refused += usize::from(said["type"] == "error");
            }
        }
        assert!(refused > cases / 3, "{refused} of {cases}");
    });
}
