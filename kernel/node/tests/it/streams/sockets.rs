//! Streams over WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use http::Request;
use serde_json::{Value, json};
use stoa_contract::{AnyMessage, Format};
use stoa_kit::v1::Money;
use stoa_node::Port;
use stoa_testkit::{Node, open_socket, until};
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::{ADD, TALK, Talk, amount, port, with};
use crate::faces::listen;
use crate::messages::Done;

struct Client(WebSocketStream<DuplexStream>);

impl Client {
    async fn open(port: &Arc<Port>, path: &str, head: &[(&str, &str)]) -> Self {
        let request = Request::get(format!("ws://node.example{path}"))
            .header("host", "node.example")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = head.iter().fold(request, |request, (name, value)| {
            let name: http::HeaderName = name.parse().unwrap();
            request.header(name, *value)
        });
        Self(open_socket(port, request.body(()).unwrap()).await.unwrap())
    }

    /// One who is known.
    async fn known(port: &Arc<Port>, path: &str) -> Self {
        Self::open(port, path, &[("authorization", "Bearer x")]).await
    }

    async fn say(&mut self, said: Value) {
        self.0.send(Frame::text(said.to_string())).await.unwrap();
    }

    async fn ask(&mut self, request: Value) {
        self.say(json!({"type": "request", "request": request})).await;
    }

    async fn heard(&mut self) -> Value {
        let frame = self.0.next().await.unwrap().unwrap();
        let text = frame.to_text().unwrap_or_else(|error| panic!("{error}"));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {frame:?}"))
    }

    /// The reason that it ends with as time passes.
    async fn in_time(mut self, node: &Node) -> String {
        let refused = tokio::spawn(async move { self.refused().await.0 });
        until(|| {
            node.skip(Duration::from_secs(1));
            refused.is_finished()
        })
        .await;
        refused.await.unwrap()
    }

    /// What it ends with: the reason of an error, and the code that closes.
    async fn refused(&mut self) -> (String, u16) {
        let mut reason = String::new();
        while let Some(Ok(frame)) = self.0.next().await {
            match frame {
                Frame::Close(Some(close)) => return (reason, close.code.into()),
                Frame::Text(text) => {
                    let said: Value = serde_json::from_str(&text).unwrap();
                    if said["type"] == "error" {
                        reason = said["error"]["reason"].as_str().unwrap().to_owned();
                    }
                }
                _ => {}
            }
        }
        panic!("it was not closed")
    }
}

fn taken() -> Value {
    json!({"type": "taken"})
}

fn reply(number: i64) -> Value {
    json!({"type": "reply", "reply": amount(number)})
}

#[test]
fn an_upload_is_answered_once_and_a_conversation_each_time() {
    with(|node, _| async move {
        let port = port(&node);
        let mut client = Client::open(&port, ADD, &[]).await;
        for number in 1..=20 {
            client.ask(amount(number)).await;
            assert_eq!(client.heard().await, taken());
        }
        client.say(json!({"type": "end"})).await;
        assert_eq!(client.heard().await, reply(210));
        assert_eq!(client.heard().await, json!({"type": "end"}));
        assert_eq!(client.refused().await, (String::new(), 1_000));

        let mut client = Client::open(&port, TALK, &[]).await;
        client.say(json!({"type": "sign_in", "authorization": "Bearer x"})).await;
        assert_eq!(client.heard().await, json!({"type": "signed_in"}));
        for number in 1..=3 {
            client.ask(amount(number)).await;
            assert_eq!(client.heard().await, taken());
            assert_eq!(client.heard().await, reply(2 * number));
        }
        client.say(json!({"type": "end"})).await;
        assert_eq!(client.heard().await, json!({"type": "end"}));
    });
}

#[test]
fn messages_are_protobuf_for_who_wants_them_so() {
    with(|node, _| async move {
        let head =
            [("authorization", "Bearer x"), ("sec-websocket-protocol", "stoa.stream.v1.proto")];
        let mut client = Client::open(&port(&node), TALK, &head).await;
        let talk = Talk(Money { amount: 4, ..Money::default() });
        let bytes = talk.encode(Format::Binary).unwrap();
        client.0.send(Frame::binary(bytes)).await.unwrap();
        assert_eq!(client.heard().await, taken());
        let doubled = Done::new("", 8).encode(Format::Binary).unwrap();
        assert_eq!(client.0.next().await.unwrap().unwrap(), Frame::binary(doubled));
        client.say(json!({"type": "end"})).await;
        assert_eq!(client.heard().await, json!({"type": "end"}));
    });
}

#[test]
fn who_works_slowly_is_sent_to_slowly() {
    with(|node, seen| async move {
        seen.slow.store(true, SeqCst);
        let (mut says, mut hears) = Client::open(&port(&node), ADD, &[]).await.0.split();
        let said = Arc::<AtomicI64>::default();
        let saying = Arc::clone(&said);
        let sending = tokio::spawn(async move {
            // Each nearly fills what lies between the two ends.
            let request = json!({"amount": "1", "currency": "x".repeat(60_000)});
            let request = json!({"type": "request", "request": request}).to_string();
            for _ in 0..30 {
                says.send(Frame::text(request.clone())).await.unwrap();
                saying.fetch_add(1, SeqCst);
            }
            says.send(Frame::text(r#"{"type":"end"}"#)).await.unwrap();
            says
        });
        for worked in 1..=20 {
            until(|| seen.added.load(SeqCst) == worked).await;
            let said = said.load(SeqCst);
            assert!(said <= worked + 7, "{said} of thirty were taken in after {worked}");
            seen.go_on.notify_one();
        }
        seen.slow.store(false, SeqCst);
        seen.go_on.notify_one();
        let mut heard = Vec::new();
        while let Some(Ok(Frame::Text(text))) = hears.next().await {
            heard.push(serde_json::from_str::<Value>(&text).unwrap());
        }
        assert_eq!(heard.iter().filter(|said| **said == taken()).count(), 30);
        assert_eq!(heard[30..], [reply(30), json!({"type": "end"})]);
        drop(sending.await.unwrap());
    });
}

#[test]
fn what_is_said_wrongly_ends_it() {
    with(|node, seen| async move {
        let port = port(&node);
        let end = json!({"type": "end"});
        let ask = |request: Value| json!({"type": "request", "request": request});
        for (said, expected) in [
            (vec![ask(json!({"amount": "-1"}))], "request.invalid"),
            (vec![ask(json!({"amout": "1"}))], "request.invalid"),
            (vec![json!({"type": "request"})], "json.malformed"),
            (vec![json!({"type": "dance"})], "json.malformed"),
            (
                vec![ask(amount(1)), json!({"type": "sign_in", "authorization": "Bearer x"})],
                "json.malformed",
            ),
            (vec![json!({"type": "sign_in", "authorization": "Bearer 1"})], "auth.token_invalid"),
        ] {
            let mut client = Client::open(&port, ADD, &[]).await;
            for message in said {
                client.say(message).await;
            }
            assert_eq!(client.refused().await, (expected.to_owned(), 4_000));
        }
        let mut client = Client::open(&port, TALK, &[]).await;
        client.ask(amount(1)).await;
        assert_eq!(client.refused().await.0, "auth.required");
        seen.slow.store(true, SeqCst);
        let mut client = Client::open(&port, ADD, &[]).await;
        for said in [ask(amount(1)), end.clone(), ask(amount(2))] {
            client.say(said).await;
        }
        assert_eq!(client.refused().await.0, "json.malformed", "all was said");
        let keyed = [("authorization", "Bearer x"), ("idempotency-key", "k")];
        let mut client = Client::open(&port, TALK, &keyed).await;
        client.say(end).await;
        assert_eq!(client.refused().await.0, "idempotency.stream");
    });
}

#[test]
fn what_is_waited_for_has_to_come() {
    with(|node, seen| async move {
        let port = port(&node);
        let client = Client::open(&port, ADD, &[]).await;
        assert_eq!(client.in_time(&node).await, "request.too_slow", "nothing was said at all");
        let mut client = Client::open(&port, ADD, &[]).await;
        client.ask(amount(1)).await;
        assert_eq!(client.heard().await, taken());
        assert_eq!(client.in_time(&node).await, "request.too_slow");
        until(|| seen.given_up.load(SeqCst) == 1).await;
        // In a conversation either side may be silent.
        let mut client = Client::known(&port, TALK).await;
        client.ask(amount(1)).await;
        assert_eq!(client.heard().await, taken());
        assert_eq!(client.heard().await, reply(2));
        node.skip(Duration::from_secs(50));
        client.ask(amount(2)).await;
        let mut heard = client.0.next().await.unwrap().unwrap();
        while heard.is_ping() {
            heard = client.0.next().await.unwrap().unwrap();
        }
        assert_eq!(serde_json::from_str::<Value>(heard.to_text().unwrap()).unwrap(), taken());
    });
}

#[test]
fn who_goes_away_takes_the_effect_along() {
    with(|node, seen| async move {
        let port = port(&node);
        let mut client = Client::open(&port, ADD, &[]).await;
        client.ask(amount(1)).await;
        assert_eq!(client.heard().await, taken());
        // That it was taken is told before it is worked on.
        until(|| seen.added.load(SeqCst) == 1).await;
        drop(client);
        until(|| seen.given_up.load(SeqCst) == 1).await;
        // Also where it does not wait for them, and with what it did not take.
        seen.slow.store(true, SeqCst);
        let mut client = Client::open(&port, ADD, &[]).await;
        for number in 1..=4 {
            client.ask(amount(number)).await;
        }
        until(|| seen.added.load(SeqCst) == 2).await;
        client.0.close(None).await.unwrap();
        until(|| seen.given_up.load(SeqCst) == 2).await;
        let mut client = Client::known(&port, TALK).await;
        client.ask(amount(1)).await;
        assert_eq!(client.heard().await, taken());
        drop(client);
        until(|| seen.given_up.load(SeqCst) == 3).await;
    });
}

#[test]
fn who_may_not_any_more_and_a_node_that_stops_end_it() {
    with(|node, seen| async move {
        let until_then = node.now().after(Duration::from_secs(60)).0;
        let bearer = format!("Bearer {until_then}");
        let port = port(&node);
        let mut client = Client::open(&port, TALK, &[("authorization", &bearer)]).await;
        client.ask(amount(1)).await;
        assert_eq!((client.heard().await, client.heard().await), (taken(), reply(2)));
        node.pass(Duration::from_secs(61));
        client.ask(amount(2)).await;
        assert_eq!(client.refused().await, ("auth.token_invalid".to_owned(), 4_000));
        assert_eq!(seen.added.load(SeqCst), 1, "what was said then is not heard");

        let server =
            stoa_node::serve(Arc::clone(node.inner()), Vec::new(), listen()).await.unwrap();
        let mut client = Client::known(&port, TALK).await;
        client.ask(amount(1)).await;
        assert_eq!((client.heard().await, client.heard().await), (taken(), reply(2)));
        let stopping = tokio::spawn(server.stop());
        let (reason, code) = client.refused().await;
        assert_eq!(code, 1_001, "{reason}");
        until(|| seen.given_up.load(SeqCst) == 2).await;
        drop(client);
        stopping.await.unwrap();
    });
}
