//! GraphQL over WebSocket, as `graphql-transport-ws` has it.

use futures::{SinkExt, StreamExt};
use http::Request;
use serde_json::{Value, json};
use stoa_testkit::open_socket;
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::{Lending, with_graphql};

pub(crate) struct Client(WebSocketStream<DuplexStream>);

impl Client {
    async fn open(lending: &Lending, protocol: &str) -> Self {
        let request = Request::get("ws://node.example/graphql")
            .header("host", "node.example")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = match protocol {
            "" => request,
            protocol => request.header("sec-websocket-protocol", protocol),
        };
        Self(open_socket(&lending.port, request.body(()).unwrap()).await.unwrap())
    }

    /// One who signed in by the first message.
    pub(crate) async fn signed_in(lending: &Lending) -> Self {
        let mut client = Self::open(lending, "graphql-transport-ws").await;
        let payload = json!({"authorization": "Bearer user:usr_ada"});
        client.say(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(client.heard().await, json!({"type": "connection_ack"}));
        client
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Frame::text(message.to_string())).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({"type": "subscribe", "id": id, "payload": {"query": query}})).await;
    }

    pub(crate) async fn heard(&mut self) -> Value {
        let text = self.0.next().await.unwrap().unwrap().into_text().unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The code of the frame that closes.
    async fn closed(mut self) -> u16 {
        while let Some(Ok(frame)) = self.0.next().await {
            if let Frame::Close(Some(close)) = frame {
                return close.code.into();
            }
        }
        panic!("it was not closed");
    }
}

#[test]
fn questions_of_every_kind_are_asked_on_one_connection() {
    with_graphql(async |lending| {
        let mut client = Client::signed_in(&lending).await;
        client.subscribe("q", r#"{ lending { book(id: "book1") { author { name } } } }"#).await;
        let book = json!({"lending": {"book": {"author": {"name": "AUTHOR1"}}}});
        assert_eq!(
            client.heard().await,
            json!({"type": "next", "id": "q", "payload": {"data": book}})
        );
        assert_eq!(client.heard().await, json!({"type": "complete", "id": "q"}));
        client.subscribe("m", r#"mutation { lendingPutBook(title: "x") { place } }"#).await;
        assert_eq!(client.heard().await["payload"]["data"]["lendingPutBook"]["place"], "1");
        assert_eq!(client.heard().await["type"], "complete");
        client.subscribe("s", "subscription { lendingReadBooks(count: 2) { book { id } } }").await;
        for nth in 0..2 {
            let told = client.heard().await;
            assert_eq!(
                told["payload"]["data"]["lendingReadBooks"]["book"]["id"],
                format!("book{nth}")
            );
        }
        let over = client.heard().await;
        assert_eq!(over["payload"]["errors"][0]["extensions"]["reason"], "lending.over");
        assert_eq!(client.heard().await, json!({"type": "complete", "id": "s"}));
        client.subscribe("w", "{ lending { book(id: 5) { id } } }").await;
        let refused = client.heard().await;
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("w")));
        assert_eq!(refused["payload"][0]["extensions"]["violations"][0]["path"], "id");
        client.say(json!({"type": "ping"})).await;
        assert_eq!(client.heard().await, json!({"type": "pong"}));
    });
}

#[test]
fn who_did_not_sign_in_is_nobody() {
    with_graphql(async |lending| {
        let mut client = Client::open(&lending, "graphql-transport-ws").await;
        client.say(json!({"type": "connection_init"})).await;
        client.heard().await;
        client.subscribe("m", r#"mutation { lendingPutBook(title: "x") { place } }"#).await;
        let said = client.heard().await;
        assert_eq!(said["payload"]["errors"][0]["extensions"]["reason"], "auth.required");
    });
}

#[test]
fn what_the_protocol_forbids_closes_the_connection() {
    with_graphql(async |lending| {
        let forged = json!({"type": "connection_init", "payload": {"authorization": "Bearer bad"}});
        let init = json!({"type": "connection_init"});
        let stream = "subscription { lendingReadBooks(count: 9) { book { id } } }";
        let follow = json!({"type": "subscribe", "id": "a", "payload": {"query": stream}});
        for (said, code) in [
            (
                vec![
                    json!({"type": "subscribe", "id": "a", "payload": {"query": "{ __typename }"}}),
                ],
                4401,
            ),
            (vec![init.clone(), init.clone()], 4429),
            (vec![init.clone(), follow.clone(), follow], 4409),
            (vec![json!({"type": "nonsense"})], 4400),
            (vec![json!(5)], 4400),
            (vec![init, json!({"type": "subscribe", "payload": {}})], 4400),
            (vec![forged], 4403),
        ] {
            let mut client = Client::open(&lending, "graphql-transport-ws").await;
            for message in &said {
                client.say(message.clone()).await;
            }
            assert_eq!(client.closed().await, code, "{said:?}");
        }
        assert_eq!(Client::open(&lending, "").await.closed().await, 4406);
    });
}
