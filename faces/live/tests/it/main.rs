//! Live, with users who sign in and are shut out.

#![cfg(test)]

mod cut_off;
mod mutated;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_auth_v1::{
    CreateRoleRequest, GrantRoleRequest, RevokeRoleRequest, SetPasswordRequest, SignInRequest,
    SignOutRequest,
};
use stoa_kit::Service;
use stoa_live::Live;
use stoa_node::{Listen, Origins, Port, Proxies};
use stoa_testkit::{Node, both, open_socket};
use stoa_users_v1::CreateUserRequest;
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const PASSWORD: &str = "correct horse battery";
const USERS: &str = "stoa.users.v1.UsersService/ListUsers";
const ROLES: &str = "stoa.auth.v1.AuthService/ListRoles";
const ME: &str = "stoa.auth.v1.AuthService/WhoAmI";

fn services() -> Vec<Service> {
    vec![
        stoa_auth::service(),
        stoa_notify::service(),
        stoa_tokens::service(),
        stoa_users::service(),
    ]
}

fn port(node: &Node) -> Arc<Port> {
    let listen = Listen {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        receive_max: Duration::from_secs(30),
        names_tenants: false,
        proxies: Proxies::default(),
        origins: Origins::default(),
        connections_max: 16,
    };
    Port::new(node.inner(), vec![Arc::new(Live)], listen).unwrap()
}

async fn user(node: &Node, handle: &str) -> String {
    let request = CreateUserRequest {
        handle: handle.into(),
        email: format!("{handle}@example.com"),
        ..CreateUserRequest::default()
    };
    node.call(&node.admin(), request).await.unwrap().user.id.clone()
}

/// A user who may list users by a role, and the token of a session of theirs.
async fn reader(node: &Node) -> (String, String) {
    let user_id = user(node, "ada").await;
    let admin = node.admin();
    let permissions = vec!["users.users.*".to_owned(), "auth.roles.*".to_owned()];
    let role = CreateRoleRequest { name: "reader".into(), permissions, ..Default::default() };
    node.call(&admin, role).await.unwrap();
    let grant = GrantRoleRequest { role: "reader".into(), user_id: user_id.clone() };
    node.call(&admin, grant).await.unwrap();
    let request = SetPasswordRequest { user_id: user_id.clone(), password: PASSWORD.into() };
    node.call(&admin, request).await.unwrap();
    let request =
        SignInRequest { login: "ada".into(), password: PASSWORD.into(), label: "laptop".into() };
    let token = node.call(&node.nobody(), request).await.unwrap().token;
    (user_id, token)
}

/// One end of a conversation.
struct Client(WebSocketStream<DuplexStream>);

impl Client {
    async fn open(port: &Arc<Port>) -> Self {
        let request = Request::get("ws://node.example/live")
            .header("host", "node.example")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "stoa.live.v1")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        Self(open_socket(port, request.body(()).unwrap()).await.unwrap())
    }

    /// One that is signed in.
    async fn signed_in(port: &Arc<Port>, token: &str) -> Self {
        let mut client = Self::open(port).await;
        let sign_in = json!({"type": "sign_in", "authorization": format!("Bearer {token}")});
        client.say(sign_in).await;
        assert_eq!(client.next().await, json!({"type": "signed_in"}));
        client
    }

    async fn say(&mut self, said: Value) {
        self.0.send(Message::text(said.to_string())).await.unwrap();
    }

    async fn watch(&mut self, id: &str, method: &str) {
        self.say(json!({"type": "watch", "id": id, "method": method})).await;
    }

    async fn next(&mut self) -> Value {
        loop {
            let said = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await;
            match said.expect("it is said in time").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The reason of the error that is said next, and of which watch.
    async fn fails(&mut self) -> (Option<String>, String) {
        let said = self.next().await;
        assert_eq!(said["type"], "error", "{said}");
        let reason = said["error"]["reason"].as_str().unwrap().to_owned();
        (said["id"].as_str().map(str::to_owned), reason)
    }
}

fn count(said: &Value) -> usize {
    said["reply"]["users"].as_array().unwrap_or_else(|| panic!("{said}")).len()
}

both! {
    async fn many_queries_are_watched_on_one_socket(node: Node) {
        let port = port(&node);
        let (_, token) = reader(&node).await;
        let mut client = Client::signed_in(&port, &token).await;
        client.watch("all", USERS).await;
        let all = client.next().await;
        assert_eq!((all["id"].as_str(), count(&all)), (Some("all"), 1));
        client.watch("me", ME).await;
        assert_eq!(client.next().await["id"], "me");
        user(&node, "bob").await;
        let again = client.next().await;
        assert_eq!((again["id"].as_str(), count(&again)), (Some("all"), 2));
        client.say(json!({"type": "unwatch", "id": "all"})).await;
        let seen = again["etag"].as_str().unwrap();
        client.say(json!({"type": "watch", "id": "2", "method": USERS, "etag": seen})).await;
        assert_eq!(client.next().await, json!({"type": "unchanged", "id": "2"}));
        user(&node, "eve").await;
        let next = client.next().await;
        assert_eq!((next["id"].as_str(), count(&next)), (Some("2"), 3), "and nothing of the first");
    }

    async fn who_loses_the_permission_or_the_session_is_cut_off(node: Node) {
        let port = port(&node);
        let (user_id, token) = reader(&node).await;
        user(&node, "bob").await;
        let mut client = Client::signed_in(&port, &token).await;
        client.watch("roles", ROLES).await;
        assert_eq!(client.next().await["type"], "reply");
        client.watch("users", USERS).await;
        assert_eq!(count(&client.next().await), 2);
        let revoke = RevokeRoleRequest { role: "reader".into(), user_id };
        node.call(&node.admin(), revoke).await.unwrap();
        let (mut denied, mut shown) = (false, 2);
        while !denied || shown > 1 {
            let said = client.next().await;
            match said["id"].as_str() {
                Some("roles") if said["type"] == "error" => {
                    assert_eq!(said["error"]["reason"], "auth.permission_denied");
                    denied = true;
                }
                Some("users") => shown = count(&said),
                _ => {}
            }
        }
        let caller = node.visit(&token, None).await.unwrap();
        node.call(&caller, SignOutRequest::default()).await.unwrap();
        let last = client.fails().await;
        assert_eq!(last, (Some("users".into()), "auth.token_invalid".into()));
        client.watch("again", ME).await;
        assert_eq!(client.fails().await, (Some("again".into()), "auth.token_invalid".into()));
    }

    async fn what_is_not_understood_is_told_and_ends_nothing(node: Node) {
        let port = port(&node);
        let (_, token) = reader(&node).await;
        let mut client = Client::open(&port).await;
        client.watch("all", USERS).await;
        assert_eq!(client.fails().await, (Some("all".into()), "auth.required".into()));
        client.say(json!({"type": "sign_in", "authorization": "Bearer nobodys"})).await;
        assert_eq!(client.fails().await, (None, "auth.token_invalid".into()));
        let mut client = Client::signed_in(&port, &token).await;
        client.watch("all", USERS).await;
        assert_eq!(count(&client.next().await), 1);
        for (said, id, reason) in [
            (json!({"type": "watch", "id": "all", "method": USERS}), Some("all"), "live.id_taken"),
            (json!({"type": "watch", "id": "b", "method": "x"}), Some("b"), "node.no_such_method"),
            (
                json!({"type": "watch", "id": "c", "method": "stoa.auth.v1.AuthService/SignOut"}),
                Some("c"),
                "watch.not_a_query",
            ),
            (
                json!({"type": "watch", "id": "d", "method": USERS, "request": {"nonsense": 1}}),
                Some("d"),
                "request.invalid",
            ),
            (json!({"type": "watch", "id": "e"}), None, "json.malformed"),
            (json!({"type": "dance"}), None, "json.malformed"),
            (json!({"type": "watch", "id": "x".repeat(65), "method": USERS}), None, "request.invalid"),
        ] {
            client.say(said).await;
            assert_eq!(client.fails().await, (id.map(str::to_owned), reason.to_owned()));
        }
        client.0.send(Message::binary(Bytes::from_static(b"{}"))).await.unwrap();
        assert_eq!(client.fails().await, (None, "json.malformed".into()));
        user(&node, "bob").await;
        assert_eq!(count(&client.next().await), 2);
    }

    async fn the_same_is_told_as_events_of_a_plain_request(node: Node) {
        let port = port(&node);
        let (_, token) = reader(&node).await;
        let ask = |request: http::request::Builder, body: String| {
            let request = request.header("authorization", format!("Bearer {token}"));
            let (port, request) = (Arc::clone(&port), request.body(Bytes::from(body)).unwrap());
            async move { port.answer(([192, 0, 2, 1], 4711).into(), request).await }
        };
        let watch = json!({"id": "all", "method": USERS}).to_string().replace('"', "%22");
        let body = json!({"watches": [{"id": "all", "method": USERS}]}).to_string();
        for (number, (request, body)) in [
            (Request::get(format!("/live?watch={watch}")), String::new()),
            (Request::post("/live"), body),
        ]
        .into_iter()
        .enumerate()
        {
            let answer = ask(request, body).await;
            assert_eq!(answer.headers()["content-type"], "text/event-stream");
            let mut body = answer.into_body();
            for more in 0..2 {
                let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
                let text = String::from_utf8(frame.into()).unwrap();
                let said = text.strip_prefix("data: ").and_then(|text| text.strip_suffix("\n\n"));
                let said: Value = serde_json::from_str(said.unwrap()).unwrap();
                assert_eq!(count(&said), 1 + number + more);
                if more == 0 {
                    user(&node, &format!("user{number}")).await;
                }
            }
        }
        for (query, reason) in [("", "request.invalid"), ("?watch=%7B", "json.malformed"), ("?x=1", "request.invalid")] {
            let answer = ask(Request::get(format!("/live{query}")), String::new()).await;
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let said: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(said["reason"], reason, "{said}");
        }
    }
}
