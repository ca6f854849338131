//! Whoever is shut out is told nothing any more, within a second: on the node where that happened, and
//! on every other.
//!
//! The time is that of the node which they watch, and it stands still but for what the test lets pass: a
//! machine that is busy takes nothing of the second.

use std::pin::pin;
use std::time::Duration;

use stoa_auth_v1::{
    CreateApiKeyRequest, CreateServiceAccountRequest, RevokeAllSessionsRequest, RevokeApiKeyRequest,
};
use stoa_testkit::{Engine, run};
use stoa_users_v1::DisableUserRequest;

use super::*;

/// What passes at once, and how often within a second.
const STEP: Duration = Duration::from_millis(300);
const STEPS: u32 = 3;

/// A service account's key, and its token.
async fn key(node: &Node) -> (String, String) {
    let robot = CreateServiceAccountRequest { name: "robot".into(), ..Default::default() };
    let robot = node.call(&node.admin(), robot).await.unwrap().service_account.id.clone();
    let request = CreateApiKeyRequest {
        service_account_id: robot,
        name: "watching".into(),
        permissions: vec!["users.*".into()],
        ..Default::default()
    };
    let made = node.call(&node.admin(), request).await.unwrap();
    (made.api_key.id.clone(), made.token)
}

/// Another session of Ada.
async fn session(node: &Node) -> String {
    let request =
        SignInRequest { login: "ada".into(), password: PASSWORD.into(), label: "phone".into() };
    node.call(&node.nobody(), request).await.unwrap().token
}

/// Who watches a query, and has been told what it says.
async fn watching(port: &Arc<Port>, token: &str, method: &str) -> Client {
    let mut client = Client::signed_in(port, token).await;
    client.watch("it", method).await;
    let said = client.next().await;
    assert_eq!(said["type"], "reply", "{said}");
    client
}

/// The reason that somebody is cut off with, before a second has passed for their node.
async fn cut_off(node: &Node, client: &mut Client) -> String {
    let mut ended = pin!(async {
        loop {
            let said = client.next().await;
            if said["type"] == "error" {
                return said["error"]["reason"].as_str().unwrap().to_owned();
            }
        }
    });
    for _ in 0..STEPS {
        node.skip(STEP);
        if let Ok(reason) = tokio::time::timeout(Duration::from_secs(5), &mut ended).await {
            return reason;
        }
    }
    panic!("who was shut out still watches");
}

/// Shuts out by one node who watch at another, or at the same.
async fn all_are_cut_off(by: &Node, at: &Node) {
    let port = port(at);
    let ((user_id, token), (key_id, key)) = (reader(by).await, key(by).await);
    let other = session(by).await;
    let mut by_role = watching(&port, &token, ROLES).await;
    let mut by_session = watching(&port, &token, ME).await;
    let mut by_key = watching(&port, &key, USERS).await;
    at.stop();
    let admin = by.admin();
    let revoke = RevokeRoleRequest { role: "reader".into(), user_id: user_id.clone() };
    by.call(&admin, revoke).await.unwrap();
    assert_eq!(cut_off(at, &mut by_role).await, "auth.permission_denied");
    let (stays, now) =
        (by.visit(&other, None).await.unwrap(), by.visit(&token, None).await.unwrap());
    by.call(&now, SignOutRequest::default()).await.unwrap();
    assert_eq!(cut_off(at, &mut by_session).await, "auth.token_invalid");
    by.call(&admin, RevokeApiKeyRequest { id: key_id }).await.unwrap();
    assert_eq!(cut_off(at, &mut by_key).await, "auth.token_invalid");
    let mut by_all = watching(&port, &other, ME).await;
    by.call(&stays, RevokeAllSessionsRequest::default()).await.unwrap();
    assert_eq!(cut_off(at, &mut by_all).await, "auth.token_invalid");
    let mut disabled = watching(&port, &session(by).await, ME).await;
    by.call(&admin, DisableUserRequest { id: user_id }).await.unwrap();
    assert_eq!(cut_off(at, &mut disabled).await, "auth.token_invalid");
}

both! {
    async fn who_is_shut_out_is_cut_off_within_a_second(node: Node) {
        all_are_cut_off(&node, &node).await;
    }
}

#[test]
fn who_is_shut_out_by_another_node_is_cut_off_within_a_second() {
    run(Engine::Postgres, services(), async |node| {
        let other = node.beside("other", services()).await;
        all_are_cut_off(&node, &other).await;
        other.inner().close().await;
    });
}
