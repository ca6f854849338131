//! Resources that change, and who is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_auth_v1::{
    CreateRoleRequest, GrantRoleRequest, RevokeRoleRequest, SetPasswordRequest, SignInRequest,
};
use stoa_kit::Service;
use stoa_mcp::{Mcp, Settings};
use stoa_node::Port;
use stoa_testkit::{Node, both};
use stoa_users_v1::CreateUserRequest;

use crate::{Agent, listen};

const PASSWORD: &str = "correct horse battery";
const USERS: &str = "users:///";
const ROLES: &str = "auth://roles";

fn services() -> Vec<Service> {
    vec![
        stoa_auth::service(),
        stoa_notify::service(),
        stoa_tokens::service(),
        stoa_users::service(),
    ]
}

async fn user(node: &Node, handle: &str) -> String {
    let email = format!("{handle}@example.com");
    let request = CreateUserRequest { handle: handle.into(), email, ..Default::default() };
    node.call(&node.admin(), request).await.unwrap().user.id.clone()
}

async fn role(node: &Node, name: &str, permissions: &[&str]) {
    let permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
    let role = CreateRoleRequest { name: name.into(), permissions, ..Default::default() };
    node.call(&node.admin(), role).await.unwrap();
}

/// Ada, who may read users and roles, in a session of hers; and who she is.
async fn ada(node: &Node) -> (Agent, String) {
    let user_id = user(node, "ada").await;
    let admin = node.admin();
    role(node, "reader", &["users.users.*", "auth.roles.*"]).await;
    let grant = GrantRoleRequest { role: "reader".into(), user_id: user_id.clone() };
    node.call(&admin, grant).await.unwrap();
    let request = SetPasswordRequest { user_id: user_id.clone(), password: PASSWORD.into() };
    node.call(&admin, request).await.unwrap();
    let request =
        SignInRequest { login: "ada".into(), password: PASSWORD.into(), label: "laptop".into() };
    let token = node.call(&node.nobody(), request).await.unwrap().token;
    let mcp = Mcp::new(node.inner().registry(), Settings::default());
    let port = Port::new(node.inner(), vec![Arc::new(mcp)], listen()).unwrap();
    let mut agent = Agent { port, token: token.leak(), session: None };
    agent.begin(json!({})).await;
    (agent, user_id)
}

async fn subscribe(agent: &Agent, uri: &str) {
    assert_eq!(agent.result("resources/subscribe", json!({"uri": uri})).await, json!({}));
}

/// What a session is told.
struct Told(BoxStream<'static, String>);

impl Told {
    async fn to(agent: &Agent) -> Self {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let request = Request::get("/mcp")
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {}", agent.token))
            .header("mcp-session-id", agent.session.as_ref().unwrap());
        let answer = agent.port.answer(peer, request.body(Default::default()).unwrap()).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let pieces = answer.into_body().into_data_stream();
        Self(pieces.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap()).boxed())
    }

    /// The address of what has changed next; none where nothing is told any more.
    async fn next(&mut self) -> Option<String> {
        let told = tokio::time::timeout(Duration::from_secs(20), self.changed()).await;
        told.expect("it is told in time")
    }

    async fn changed(&mut self) -> Option<String> {
        loop {
            let event = self.0.next().await?;
            if event.starts_with(':') {
                continue;
            }
            let data = event.trim().strip_prefix("event: message\ndata: ").unwrap();
            let mut told: Value = serde_json::from_str(data).unwrap();
            assert_eq!(told["method"], "notifications/resources/updated");
            return told["params"]["uri"].take().as_str().map(str::to_owned);
        }
    }
}

both! {
    async fn who_subscribed_is_told_of_each_change(node: Node) {
        let (agent, _) = ada(&node).await;
        let mut told = Told::to(&agent).await;
        subscribe(&agent, USERS).await;
        subscribe(&agent, ROLES).await;
        user(&node, "bob").await;
        assert_eq!(told.next().await.as_deref(), Some(USERS));
        role(&node, "writer", &["users.users.*"]).await;
        assert_eq!(told.next().await.as_deref(), Some(ROLES));
        agent.result("resources/unsubscribe", json!({"uri": USERS})).await;
        user(&node, "cid").await;
        role(&node, "looker", &["users.users.*"]).await;
        assert_eq!(told.next().await.as_deref(), Some(ROLES), "of users nothing is told any more");
    }

    async fn who_comes_back_is_told_of_what_changed_meanwhile(node: Node) {
        let (agent, _) = ada(&node).await;
        subscribe(&agent, USERS).await;
        subscribe(&agent, ROLES).await;
        user(&node, "bob").await;
        let mut told = Told::to(&agent).await;
        assert_eq!(told.next().await.as_deref(), Some(USERS), "roles are as they were");
        drop(told);
        role(&node, "writer", &["users.users.*"]).await;
        let mut told = Told::to(&agent).await;
        assert_eq!(told.next().await.as_deref(), Some(ROLES), "and users are now");
        let mut other = Told::to(&agent).await;
        user(&node, "cid").await;
        assert_eq!(other.next().await.as_deref(), Some(USERS));
        assert_eq!(told.next().await, None, "a session listens once");
    }

    async fn who_may_not_read_it_any_more_is_told_once(node: Node) {
        let (agent, user_id) = ada(&node).await;
        subscribe(&agent, ROLES).await;
        let mut told = Told::to(&agent).await;
        let grant = RevokeRoleRequest { role: "reader".into(), user_id };
        node.call(&node.admin(), grant).await.unwrap();
        assert_eq!(told.next().await.as_deref(), Some(ROLES));
        let said = agent.ask("resources/read", json!({"uri": ROLES})).await;
        assert_eq!(said.refusal().1, "auth.permission_denied");
        let end = agent.post("/mcp").method("DELETE");
        assert_eq!(agent.send(end, "").await.status, 204);
        assert_eq!(told.next().await, None, "with the session all of it is over");
    }

    async fn what_cannot_be_subscribed_to_is_refused(node: Node) {
        let (agent, _) = ada(&node).await;
        let long = format!("{USERS}?pageToken={}", "x".repeat(2 << 10));
        for (uri, reason) in [
            ("users://nobody", "resource.not_found"),
            ("users:///?nothing=1", "request.invalid"),
            ("nothing://any", "resource.not_found"),
            (&long, "mcp.params"),
        ] {
            let said = agent.ask("resources/subscribe", json!({"uri": uri})).await;
            assert_eq!(said.refusal(), (200, reason.to_owned()), "{uri}");
        }
        let mut stranger = agent.of("");
        stranger.session = None;
        stranger.begin(json!({})).await;
        let said = stranger.ask("resources/subscribe", json!({"uri": USERS})).await;
        assert_eq!(said.refusal(), (401, "auth.required".to_owned()));
        for size in 1..=64 {
            subscribe(&agent, &format!("{USERS}?pageSize={size}")).await;
        }
        subscribe(&agent, &format!("{USERS}?pageSize=1")).await;
        let said = agent.ask("resources/subscribe", json!({"uri": USERS})).await;
        assert_eq!(said.refusal(), (200, "mcp.subscriptions".to_owned()));
    }

    async fn listening_ends_with_the_node(node: Node) {
        let (agent, _) = ada(&node).await;
        let server = stoa_node::serve(Arc::clone(node.inner()), Vec::new(), listen()).await.unwrap();
        let mut told = Told::to(&agent).await;
        server.stop().await;
        assert_eq!(told.next().await, None);
    }
}
