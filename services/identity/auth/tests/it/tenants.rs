//! Two tenants in one node: what has the same name in both is two things.

use stoa_auth_v1::{CreateApiKeyRequest, SetUpRequest, SignInRequest, WhoAmIRequest};
use stoa_kit::{Caller, Code};
use stoa_testkit::{Node, both};

use crate::{PASSWORD, bearer, fails, services};

/// Names a tenant to the node's own contract.
const ACME: &str = r#"{"name": "acme"}"#;

/// Makes the first administrator of a tenant, `ada`, and signs them in.
async fn set_up(node: &Node, tenant: &str, code: &str) -> String {
    let request = SetUpRequest {
        code: code.into(),
        handle: "ada".into(),
        email: "ada@example.com".into(),
        password: PASSWORD.into(),
        ..SetUpRequest::default()
    };
    let nobody = Caller::anonymous(tenant);
    node.call(&nobody, request).await.unwrap();
    let request =
        SignInRequest { login: "ada".into(), password: PASSWORD.into(), ..Default::default() };
    node.call(&nobody, request).await.unwrap().token
}

both! {
    async fn a_token_is_good_in_its_tenant_and_nowhere_else(node: Node) {
        let (acme, beta) = (node.create_tenant("acme").await, node.create_tenant("beta").await);
        let tokens = [set_up(&node, "acme", &acme).await, set_up(&node, "beta", &beta).await];
        let mut users = Vec::new();
        for (token, tenant) in tokens.iter().zip(["acme", "beta"]) {
            let caller = bearer(&node, token).await.unwrap();
            assert_eq!(&*caller.tenant, tenant);
            users.push(node.call(&caller, WhoAmIRequest {}).await.unwrap().user_id);
            let request = CreateApiKeyRequest {
                name: "nightly".into(),
                permissions: vec!["*".into()],
                ..Default::default()
            };
            let key = node.call_with_key(&caller, "the-same", request).await.unwrap().token;
            assert_eq!(&*bearer(&node, &key).await.unwrap().tenant, tenant);
        }
        assert_ne!(users[0], users[1]);

        let forged = tokens[0].replace("stoa_s_acme_", "stoa_s_beta_");
        fails(bearer(&node, &forged).await, Code::Unauthenticated, "auth.token_invalid");
        let forged = tokens[0].replace("stoa_s_acme_", "stoa_s_gone_");
        fails(bearer(&node, &forged).await, Code::Unauthenticated, "auth.token_invalid");
        node.visit(&tokens[0], Some("acme")).await.unwrap();
        for tenant in ["beta", "main"] {
            let there = node.visit(&tokens[0], Some(tenant)).await;
            fails(there, Code::PermissionDenied, "tenant.mismatch");
        }

        node.ask(&node.admin(), "SuspendTenant", ACME).await.unwrap();
        let stopped = node.visit(&tokens[0], None).await;
        fails(stopped, Code::FailedPrecondition, "tenant.suspended");
        node.visit(&tokens[1], None).await.unwrap();
        node.ask(&node.admin(), "ResumeTenant", ACME).await.unwrap();
        node.visit(&tokens[0], None).await.unwrap();
    }

    async fn the_code_of_a_tenant_is_good_there_and_once(node: Node) {
        let (acme, _) = (node.create_tenant("acme").await, node.create_tenant("beta").await);
        let request = |code: &str| SetUpRequest {
            code: code.into(),
            handle: "eve".into(),
            email: "eve@example.com".into(),
            password: PASSWORD.into(),
            ..SetUpRequest::default()
        };
        for tenant in ["main", "beta"] {
            let tried = node.call(&Caller::anonymous(tenant), request(&acme)).await;
            fails(tried, Code::Unauthenticated, "auth.setup_code_wrong");
        }
        let renewed = node.ask(&node.admin(), "RenewSetupCode", ACME).await;
        let renewed = renewed.unwrap()["setupCode"].as_str().unwrap().to_owned();
        let tried = node.call(&Caller::anonymous("acme"), request(&acme)).await;
        fails(tried, Code::Unauthenticated, "auth.setup_code_wrong");
        set_up(&node, "acme", &renewed).await;
        let late = node.ask(&node.admin(), "RenewSetupCode", ACME).await;
        fails(late, Code::FailedPrecondition, "system.set_up");
    }
}
