//! API keys and service accounts.

use stoa_auth_v1::{
    CreateApiKeyRequest, CreateApiKeyResponse, CreateServiceAccountRequest,
    DeleteServiceAccountRequest, ListApiKeysRequest, ListServiceAccountsRequest,
    ListSessionsRequest, RevokeApiKeyRequest, RevokeRoleRequest, StepUpRequest, StepUpRequestProof,
};
use stoa_kit::{Caller, Code, Micros, Result, Service, View};
use stoa_testkit::{Node, both};
use stoa_users_v1::DisableUserRequest;

use crate::{DAY, MINUTE, PASSWORD, bearer, create, fails, grant, person, sign_in, texts};

fn services() -> Vec<Service> {
    crate::services()
}

fn asked(permissions: &[&str]) -> CreateApiKeyRequest {
    CreateApiKeyRequest {
        name: "nightly".into(),
        permissions: texts(permissions),
        ..CreateApiKeyRequest::default()
    }
}

async fn key(node: &Node, caller: &Caller, permissions: &[&str]) -> Result<CreateApiKeyResponse> {
    node.call(caller, asked(permissions)).await
}

async fn account(node: &Node, name: &str) -> String {
    let request = CreateServiceAccountRequest { name: name.into(), ..Default::default() };
    node.call(&node.admin(), request).await.unwrap().service_account.id.clone()
}

both! {
    async fn a_key_may_what_it_was_made_for(node: Node) {
        let ada = create(&node, "ada").await;
        grant(&node, &ada, "seller", &["orders.*", "catalog.products.list"]).await;
        let caller = node.user_with(&ada, &["orders.*", "catalog.products.list"]);
        let made = key(&node, &caller, &["orders.*.list", "catalog.products.list"]).await.unwrap();
        assert!(made.token.starts_with("stoa_k_") && made.token.len() == 76);
        assert_eq!(made.api_key.owner, ada);
        let found = bearer(&node, &made.token).await.unwrap();
        assert_eq!(found.user(), Some(&*ada));
        assert_eq!(*found.credential, made.api_key.id);
        assert!(found.may("orders.carts.list") && found.may("catalog.products.list"));
        assert!(!found.may("orders.carts.create") && !found.may("catalog.products.create"));
    }
}

both! {
    async fn nobody_makes_a_key_that_may_more_than_they(node: Node) {
        let ada = create(&node, "ada").await;
        let caller = node.user_with(&ada, &["orders.*.list"]);
        for wanted in [&["*"][..], &["orders.*"], &["orders.carts.list", "ledger.accounts.list"]] {
            fails(key(&node, &caller, wanted).await, Code::PermissionDenied, "auth.escalation");
        }
        grant(&node, &ada, "lister", &["orders.*.list"]).await;
        let wanted = ["orders.carts.list", "auth.create_api_key"];
        let token = key(&node, &caller, &wanted).await.unwrap().token;
        let by_key = bearer(&node, &token).await.unwrap();
        let outcome = key(&node, &by_key, &["orders.*.list"]).await;
        fails(outcome, Code::PermissionDenied, "auth.escalation");
        let error = key(&node, &caller, &["Orders.*"]).await.err().unwrap();
        assert_eq!(error.violations()[0].path, "permissions[0]");
    }
}

both! {
    async fn a_key_loses_what_its_user_loses(node: Node) {
        let ada = create(&node, "ada").await;
        grant(&node, &ada, "seller", &["orders.*"]).await;
        let caller = node.user_with(&ada, &["orders.*"]);
        let token = key(&node, &caller, &["orders.*"]).await.unwrap().token;
        assert!(bearer(&node, &token).await.unwrap().may("orders.carts.list"));
        let revoke = RevokeRoleRequest { role: "seller".into(), user_id: ada.clone() };
        node.call(&node.admin(), revoke).await.unwrap();
        assert!(!bearer(&node, &token).await.unwrap().may("orders.carts.list"));
        grant(&node, &ada, "everything", &["*"]).await;
        let now = bearer(&node, &token).await.unwrap();
        assert!(now.may("orders.carts.list") && !now.may("ledger.accounts.list"));
        node.call(&node.admin(), DisableUserRequest { id: ada }).await.unwrap();
        fails(bearer(&node, &token).await, Code::Unauthenticated, "auth.token_invalid");
    }
}

both! {
    async fn a_key_ends_when_it_was_said_to(node: Node) {
        let caller = node.user_with(&create(&node, "ada").await, &["*"]);
        let plain = key(&node, &caller, &["orders.*"]).await.unwrap();
        let at = |time: Micros| CreateApiKeyRequest {
            expire_time: time.timestamp(),
            ..asked(&["orders.*"])
        };
        let short = node.call(&caller, at(node.now().after(10 * MINUTE))).await.unwrap();
        for time in [node.now().before(MINUTE), node.now().after(401 * DAY)] {
            let error = node.call(&caller, at(time)).await.err().unwrap();
            assert_eq!(error.violations()[0].path, "expire_time");
        }
        for minutes in [0, 6, 3] {
            node.advance(minutes * MINUTE).await;
            bearer(&node, &short.token).await.unwrap();
        }
        node.advance(MINUTE).await;
        fails(bearer(&node, &short.token).await, Code::Unauthenticated, "auth.token_invalid");
        let left = node.call(&caller, ListApiKeysRequest::default()).await.unwrap().api_keys;
        assert_eq!(left.len(), 1, "one that is over is not listed");
        node.advance(89 * DAY).await;
        bearer(&node, &plain.token).await.unwrap();
        node.advance(DAY).await;
        fails(bearer(&node, &plain.token).await, Code::Unauthenticated, "auth.token_invalid");
    }
}

both! {
    async fn no_key_outlives_what_made_it(node: Node) {
        let ada = person(&node, "ada").await;
        let importer = account(&node, "importer").await;
        grant(&node, &ada, "owner", &["orders.*", "auth.service_accounts.*"]).await;
        let signed_in = node.now();
        let token = sign_in(&node, "ada", PASSWORD).await.unwrap().token;
        node.advance(DAY).await;
        let by_session = bearer(&node, &token).await.unwrap();
        let sessions = node.call(&by_session, ListSessionsRequest::default()).await.unwrap().sessions;
        let permissions = ["orders.*", "auth.service_accounts.*", "auth.create_api_key"];
        let until = |account: &str, days: u32| CreateApiKeyRequest {
            service_account_id: account.into(),
            expire_time: signed_in.after(days * DAY).timestamp(),
            ..asked(&permissions)
        };
        let too_late = async |caller: &Caller, wanted: CreateApiKeyRequest| {
            let error = node.call(caller, wanted).await.err().unwrap();
            assert_eq!(error.violations()[0].path, "expire_time");
        };
        let end = |made: &CreateApiKeyResponse| Micros::of(&made.api_key.expire_time);
        too_late(&by_session, until("", 91)).await;
        let longest = key(&node, &by_session, &permissions).await.unwrap();
        assert_eq!(end(&longest), Micros::of(&sessions[0].expire_time), "as long as the session");
        let outcome = node.call(&by_session, until(&importer, 400)).await;
        fails(outcome, Code::PermissionDenied, "auth.step_up_required");
        let proof = StepUpRequestProof::Password(PASSWORD.into());
        node.call(&by_session, StepUpRequest { proof: Some(proof) }).await.unwrap();
        let by_session = bearer(&node, &token).await.unwrap();
        node.call(&by_session, until(&importer, 400)).await.unwrap();

        let short = node.call(&by_session, until("", 10)).await.unwrap();
        let by_key = bearer(&node, &short.token).await.unwrap();
        too_late(&by_key, until("", 11)).await;
        too_late(&by_key, until(&importer, 11)).await;
        let longest = key(&node, &by_key, &permissions).await.unwrap();
        assert_eq!(end(&longest), end(&short));
    }
}

both! {
    async fn who_asked_for_something_is_as_they_are_when_it_happens(node: Node) {
        let ada = create(&node, "ada").await;
        grant(&node, &ada, "clerk", &["orders.*", "catalog.*"]).await;
        let caller = node.user_with(&ada, &["orders.*", "catalog.*"]);
        let made = key(&node, &caller, &["orders.*"]).await.unwrap().api_key;
        let (key, subject) = (made.id.clone(), format!("user:{ada}"));
        let now = async |credential: &str| {
            let (subject, credential) = (subject.clone(), credential.to_owned());
            let by = stoa_auth::service().authenticator.unwrap().principal;
            let ask = move |view: &View| by(view, &subject, &credential);
            let found = node.view("auth", &node.system(), ask).await.unwrap();
            found.map(|caller| -> Vec<String> {
                caller.permissions.iter().map(|one| one.as_str().to_owned()).collect()
            })
        };
        let all: Vec<String> = texts(&["catalog.*", "orders.*"]);
        let sorted = |found: Option<Vec<String>>| {
            found.map(|mut found| {
                found.sort();
                found
            })
        };
        assert_eq!(sorted(now("").await), Some(all.clone()));
        assert_eq!(sorted(now("ses_over").await), Some(all), "a session may have ended");
        assert_eq!(now(&key).await, Some(texts(&["orders.*"])), "a key gives no more later");
        node.call(&caller, RevokeApiKeyRequest { id: key.clone() }).await.unwrap();
        assert_eq!(now(&key).await, None, "nor anything once it is revoked");
        node.call(&node.admin(), DisableUserRequest { id: ada.clone() }).await.unwrap();
        assert_eq!(now("").await, None);
    }

    async fn a_key_is_kept_as_a_hash_and_dies_when_revoked(node: Node) {
        let caller = node.user_with(&create(&node, "ada").await, &["*"]);
        let made = key(&node, &caller, &["orders.*"]).await.unwrap();
        bearer(&node, &made.token).await.unwrap();
        let kept = node.kept().await;
        assert!(!kept.holds(made.token.as_bytes()) && !kept.holds(&made.token.as_bytes()[12..]));
        assert!(kept.holds(blake3::hash(made.token.as_bytes()).as_bytes()));
        let forged = made.token.replace("stoa_k_", "stoa_s_");
        fails(bearer(&node, &forged).await, Code::Unauthenticated, "auth.token_invalid");

        let keys = node.call(&caller, ListApiKeysRequest::default()).await.unwrap().api_keys;
        assert!(keys[0].last_use_time.is_set(), "its use was noted");
        let revoke = RevokeApiKeyRequest { id: made.api_key.id.clone() };
        node.call(&caller, revoke.clone()).await.unwrap();
        fails(bearer(&node, &made.token).await, Code::Unauthenticated, "auth.token_invalid");
        fails(node.call(&caller, revoke).await, Code::NotFound, "resource.not_found");
    }
}

both! {
    async fn a_key_that_is_asked_for_twice_is_shown_once(node: Node) {
        let caller = node.user_with(&create(&node, "ada").await, &["*"]);
        let made = node.call_with_key(&caller, "k1", asked(&["orders.*"])).await.unwrap();
        let again = node.call_with_key(&caller, "k1", asked(&["orders.*"])).await;
        assert_ne!(again.ok().map(|again| again.token), Some(made.token.clone()));
        assert!(!node.kept().await.holds(made.token.as_bytes()));
    }
}

both! {
    async fn nobody_sees_or_revokes_the_keys_of_others(node: Node) {
        let (ada, eve) = (create(&node, "ada").await, create(&node, "eve").await);
        let made = key(&node, &node.user_with(&ada, &["*"]), &["orders.*"]).await.unwrap();
        let caller = node.user(&eve);
        let list = ListApiKeysRequest { owner: ada, ..ListApiKeysRequest::default() };
        assert!(node.call(&caller, list.clone()).await.unwrap().api_keys.is_empty());
        let all = node.call(&caller, ListApiKeysRequest::default()).await.unwrap();
        assert!(all.api_keys.is_empty());
        let revoke = RevokeApiKeyRequest { id: made.api_key.id.clone() };
        let outcome = node.call(&caller, revoke.clone()).await;
        fails(outcome, Code::NotFound, "resource.not_found");
        let reader = node.user_with(&eve, &["auth.api_keys.read_all"]);
        assert_eq!(node.call(&reader, list).await.unwrap().api_keys.len(), 1);
        let outcome = node.call(&reader, revoke.clone()).await;
        fails(outcome, Code::PermissionDenied, "auth.not_yours");
        node.call(&node.user_with(&eve, &["auth.api_keys.*"]), revoke).await.unwrap();
        fails(bearer(&node, &made.token).await, Code::Unauthenticated, "auth.token_invalid");
    }
}

both! {
    async fn a_service_account_acts_by_its_keys(node: Node) {
        let importer = account(&node, "importer").await;
        let again = CreateServiceAccountRequest { name: "importer".into(), ..Default::default() };
        let outcome = node.call(&node.admin(), again).await;
        fails(outcome, Code::AlreadyExists, "auth.service_account_exists");
        let wanted = |account: &str| CreateApiKeyRequest {
            service_account_id: account.into(),
            ..asked(&["catalog.*", "auth.create_api_key"])
        };
        let outcome = node.call(&node.user_with("usr_1", &["catalog.*"]), wanted(&importer)).await;
        fails(outcome, Code::PermissionDenied, "auth.not_yours");
        let staff = node.user_with("usr_1", &["catalog.products.*", "auth.service_accounts.*"]);
        let outcome = node.call(&staff, wanted(&importer)).await;
        fails(outcome, Code::PermissionDenied, "auth.escalation");
        let outcome = node.call(&node.admin(), wanted("svc_none")).await;
        fails(outcome, Code::NotFound, "resource.not_found");

        let made = node.call(&node.admin(), wanted(&importer)).await.unwrap();
        let found = bearer(&node, &made.token).await.unwrap();
        assert_eq!((&*found.subject, found.user()), (&*format!("service:{importer}"), None));
        assert!(found.may("catalog.products.create") && !found.may("orders.carts.list"));
        let own = key(&node, &found, &["catalog.*"]).await;
        fails(own, Code::FailedPrecondition, "auth.no_user");

        node.advance(MINUTE).await;
        account(&node, "exporter").await;
        let request = ListServiceAccountsRequest { page_size: 1, ..Default::default() };
        let page = node.call(&node.admin(), request).await.unwrap();
        assert_eq!(page.service_accounts[0].name, "importer");
        assert!(!page.next_page_token.is_empty());
        let delete = DeleteServiceAccountRequest { id: importer };
        node.call(&node.admin(), delete.clone()).await.unwrap();
        fails(bearer(&node, &made.token).await, Code::Unauthenticated, "auth.token_invalid");
        let outcome = node.call(&node.admin(), delete).await;
        fails(outcome, Code::NotFound, "resource.not_found");
    }
}
