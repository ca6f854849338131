//! The first administrator.

use futures::future::join_all;
use stoa_auth_v1::{
    CompleteSetupRequest, GetSetupRequest, ListRoleGrantsRequest, PrepareSetupRequest,
    SetUpRequest, SetUpResponse,
};
use stoa_kit::{Code, Result, Service};
use stoa_testkit::{Node, both};
use stoa_users_v1::ListUsersRequest;

use crate::{PASSWORD, bearer, fails, sign_in};

fn services() -> Vec<Service> {
    crate::services()
}

async fn prepare(node: &Node, code: &str) -> bool {
    let code_hash = blake3::hash(code.as_bytes()).as_bytes().to_vec();
    node.call(&node.system(), PrepareSetupRequest { code_hash }).await.unwrap().open
}

async fn is_open(node: &Node) -> bool {
    node.call(&node.nobody(), GetSetupRequest {}).await.unwrap().open
}

async fn set_up(node: &Node, code: &str, handle: &str) -> Result<SetUpResponse> {
    let request = SetUpRequest {
        code: code.into(),
        handle: handle.into(),
        email: format!("{handle}@example.com"),
        password: PASSWORD.into(),
        ..SetUpRequest::default()
    };
    node.call(&node.nobody(), request).await
}

both! {
    async fn the_code_makes_an_administrator_and_works_once(node: Node) {
        assert!(is_open(&node).await);
        let error = set_up(&node, "code", "root").await;
        fails(error, Code::Unauthenticated, "auth.setup_code_wrong");
        assert!(prepare(&node, "first").await);
        assert!(prepare(&node, "second").await, "every start prints another code");
        fails(set_up(&node, "first", "root").await, Code::Unauthenticated, "auth.setup_code_wrong");
        let user_id = set_up(&node, " second\n", "root").await.unwrap().user_id;
        assert!(!is_open(&node).await);
        fails(set_up(&node, "second", "eve").await, Code::FailedPrecondition, "auth.setup_closed");
        assert!(!prepare(&node, "third").await);
        fails(set_up(&node, "third", "eve").await, Code::FailedPrecondition, "auth.setup_closed");

        let token = sign_in(&node, "ROOT@example.com", PASSWORD).await.unwrap().token;
        let caller = bearer(&node, &token).await.unwrap();
        assert_eq!(caller.user(), Some(user_id.as_str()));
        assert!(caller.may("anything.at_all"));
        let everybody = node.call(&caller, ListUsersRequest::default()).await.unwrap();
        assert_eq!(everybody.users.len(), 1);
    }
}

both! {
    async fn of_many_with_the_code_one_becomes_the_administrator(node: Node) {
        prepare(&node, "code").await;
        let attempts = (0..12).map(|n| {
            let node = node.clone();
            async move { set_up(&node, "code", &format!("root{n}")).await }
        });
        let outcomes = join_all(attempts).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            fails(outcome, Code::FailedPrecondition, "auth.setup_closed");
        }
        let users = node.call(&node.admin(), ListUsersRequest::default()).await.unwrap().users;
        assert_eq!(users.len(), 1, "the others left no user behind");
        let request = ListRoleGrantsRequest::default();
        let grants = node.call(&node.admin(), request).await.unwrap().role_grants;
        let grants: Vec<_> = grants.iter().map(|grant| (&*grant.role, &grant.user_id)).collect();
        assert_eq!(grants, [("administrator", &users[0].id)]);
    }
}

both! {
    async fn what_fails_leaves_setup_open(node: Node) {
        prepare(&node, "code").await;
        crate::create(&node, "taken").await;
        fails(set_up(&node, "code", "taken").await, Code::AlreadyExists, "users.handle_taken");
        assert!(is_open(&node).await);
        set_up(&node, "code", "root").await.unwrap();
    }
}

both! {
    async fn a_code_that_was_replaced_while_the_password_was_hashed_is_void(node: Node) {
        prepare(&node, "first").await;
        prepare(&node, "second").await;
        let late = CompleteSetupRequest {
            code_hash: blake3::hash(b"first").as_bytes().to_vec(),
            handle: "root".into(),
            email: "root@example.com".into(),
            ..CompleteSetupRequest::default()
        };
        let outcome = node.call(&node.system(), late).await;
        fails(outcome, Code::Unauthenticated, "auth.setup_code_wrong");
        assert!(is_open(&node).await);
    }
}
