//! People who sign in with an account elsewhere, and link one with theirs.

use std::time::Duration;

use stoa_auth_v1::*;
use stoa_kit::{Code, Service};
use stoa_oidc_v1::*;
use stoa_testkit::both;
use stoa_users_v1::GetUserRequest;

use crate::elsewhere::*;
use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn who_comes_from_elsewhere_gets_an_account_and_comes_back_to_it(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let away = leave(&node, &there).await;
        assert!(away.address.as_str().starts_with("https://accounts.example/authorize?realm=main&"));
        assert_eq!(away.said("redirect_uri"), format!("{ISSUER}/oauth2/callback/{}", there.id));
        assert_eq!(away.said("scope"), "openid email profile");
        assert_eq!(away.said("code_challenge_method"), "S256");
        says(&node, &about(&node, &away, "1815", "ada@accounts.example"));
        let came = come_back(&node, &away).await;
        assert!(came.text.contains("content=\"0;url=/\""), "{came:?}");
        let session = whose(&node, &session(&came)).await;
        // The session says honestly by what it was opened.
        assert_eq!(session.methods, ["provider"]);
        let ada = session.subject.strip_prefix("user:").unwrap();
        let user = node.call(&node.admin(), GetUserRequest { id: ada.into() }).await.unwrap().user;
        assert_eq!((&*user.email, &*user.handle), ("ada@accounts.example", "ada.l"));
        assert_eq!(user.display_name, "Ada Lovelace");
        // By what they are called there, whatever else is said of them then.
        let again = sign_in_as(&node, &there, "1815", "").await;
        assert_eq!(whose(&node, &crate::elsewhere::session(&again)).await.subject, session.subject);
        let other = sign_in_as(&node, &there, "1816", "eve@accounts.example").await;
        assert_ne!(whose(&node, &crate::elsewhere::session(&other)).await.subject, session.subject);

        let asked = node.asked();
        let token = asked.iter().find(|asked| asked.request.uri().path() == "/token").unwrap();
        let form: Vec<_> = url::form_urlencoded::parse(token.request.body()).collect();
        let verifier = form.iter().find(|(name, _)| name == "code_verifier").unwrap().1.clone();
        assert_eq!(verifier.len(), 64);
        // The secret comes as `Basic`, each part written as forms write values.
        let basic = "Basic c3RvYTpodXNoK2h1c2grJTI2K2h1c2g=";
        assert_eq!(token.request.headers()["authorization"], basic);
        let secrets = ["hush hush & hush", &*verifier, &away.said("state"), &away.said("nonce")];
        assert_eq!(node.first_on_disk(secrets.iter().map(|text| text.as_bytes())).await, None);
    }
}

both! {
    async fn an_address_that_is_verified_on_both_sides_leads_to_its_account_as_it_is(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let ada = person(&node, "ada").await;
        let note = LinkAccountRequest { user_id: ada.id.clone(), email: "ada@example.com".into() };
        assert!(node.call(&node.system(), note).await.unwrap().linked);
        let (_, before) = {
            let set = SetPasswordRequest { user_id: ada.id.clone(), password: PASSWORD.into() };
            node.call(&node.admin(), set).await.unwrap();
            sign_in(&node, "ada").await
        };
        let came = sign_in_as(&node, &there, "1815", "Ada@example.com").await;
        assert_eq!(whose(&node, &session(&came)).await.subject, format!("user:{}", ada.id));
        // Nothing that they had ended.
        assert!(whose(&node, &before).await.active);
        sign_in(&node, "ada").await;
    }
}

both! {
    async fn who_links_an_account_signs_in_with_it_and_never_loses_the_last_way_in(node: Node) {
        let there = provider(&node, CreateProviderRequest {
            trusts_email: false, creates_accounts: false, ..elsewhere()
        }).await;
        let ada = person(&node, "ada").await;
        let link = LinkIdentityRequest {
            provider_id: there.id.clone(),
            return_path: "/oauth2/device?user_code=BCDF-GHJK".into(),
        };
        let caller = node.visit(&ada.session, None).await.unwrap();
        let path = node.call(&caller, link).await.unwrap().path;
        let away = away(&there.id, &browse(&node, &ada.session, &path).await);
        says(&node, &about(&node, &away, "1815", "somebody@else.example"));
        let came = come_back(&node, &away).await;
        assert!(came.text.contains("/oauth2/device?user_code=BCDF-GHJK"), "{came:?}");
        // Who links keeps the session that there was.
        assert_eq!(session(&came), "");
        let came = sign_in_as(&node, &there, "1815", "").await;
        let by_link = session(&came);
        assert_eq!(whose(&node, &by_link).await.subject, format!("user:{}", ada.id));
        let all = node.call(&caller, ListIdentitiesRequest::default()).await.unwrap().identities;
        assert_eq!((&*all[0].subject, &*all[0].email), ("1815", "somebody@else.example"));
        let eve = node.user("usr_eve");
        assert!(node.call(&eve, ListIdentitiesRequest::default()).await.unwrap().identities.is_empty());

        let unlink = UnlinkIdentityRequest { id: all[0].id.clone() };
        assert_eq!(node.fails(&eve, unlink.clone()).await.code(), Code::NotFound);
        // Somebody who never had a password, and no other account.
        let open = UpdateProviderRequest {
            id: there.id.clone(),
            trusts_email: true,
            creates_accounts: true,
            ..Default::default()
        };
        node.call(&node.admin(), open).await.unwrap();
        let bob = session(&sign_in_as(&node, &there, "1912", "bob@accounts.example").await);
        let bob = node.visit(&bob, None).await.unwrap();
        let his = node.call(&bob, ListIdentitiesRequest::default()).await.unwrap().identities;
        let last = UnlinkIdentityRequest { id: his[0].id.clone() };
        assert_eq!(node.fails(&bob, last).await.reason(), "oidc.last_way_in");
        node.call(&caller, unlink).await.unwrap();
        refused(&sign_in_as(&node, &there, "1815", "").await, 400);
    }
}

both! {
    async fn nobody_links_without_a_proof_of_a_moment_ago_nor_for_another_session(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let (ada, eve) = (person(&node, "ada").await, person(&node, "eve").await);
        let link = LinkIdentityRequest { provider_id: there.id.clone(), ..Default::default() };
        let caller = node.visit(&eve.session, None).await.unwrap();
        let path = node.call(&caller, link.clone()).await.unwrap().path;
        // Ada follows what Eve was given, with the session that she has or with none.
        for session in [&*ada.session, ""] {
            refused(&browse(&node, session, &path).await, 400);
        }
        // And the other way round: who comes back when the session has ended links nothing.
        let away = away(&there.id, &browse(&node, &eve.session, &path).await);
        says(&node, &about(&node, &away, "1", "x@accounts.example"));
        node.call(&node.admin(), RevokeSessionRequest { id: eve.session_id.clone() }).await.unwrap();
        refused(&come_back(&node, &away).await, 400);
        node.pass(Duration::from_secs(601));
        let late = node.visit(&ada.session, None).await.unwrap();
        assert_eq!(node.fails(&late, link.clone()).await.reason(), "auth.step_up_required");
        // A key is no session, whoever's it is.
        let key = stoa_kit::Caller { proof: None, ..node.user(&ada.id) };
        assert_eq!(node.fails(&key, link).await.reason(), "auth.step_up_required");
    }
}

both! {
    async fn an_account_elsewhere_belongs_to_one_here(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let eve = person(&node, "eve").await;
        sign_in_as(&node, &there, "1815", "ada@accounts.example").await;
        let link = LinkIdentityRequest { provider_id: there.id.clone(), ..Default::default() };
        let caller = node.visit(&eve.session, None).await.unwrap();
        let path = node.call(&caller, link).await.unwrap().path;
        let away = away(&there.id, &browse(&node, &eve.session, &path).await);
        says(&node, &about(&node, &away, "1815", "ada@accounts.example"));
        refused(&come_back(&node, &away).await, 409);
        assert!(node.call(&caller, ListIdentitiesRequest::default()).await.unwrap().identities.is_empty());
    }
}

both! {
    async fn with_a_provider_or_a_person_what_was_linked_goes(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let came = session(&sign_in_as(&node, &there, "1815", "ada@accounts.example").await);
        let ada = whose(&node, &came).await.subject.strip_prefix("user:").unwrap().to_owned();
        let all = async || {
            let list = ListIdentitiesRequest::default();
            node.call(&node.admin(), list).await.unwrap().identities.len()
        };
        assert_eq!(all().await, 1);
        node.ask(&node.admin(), "EraseSubject", serde_json::json!({"subject": ada})).await.unwrap();
        node.settle().await;
        assert_eq!(all().await, 0);
        sign_in_as(&node, &there, "1816", "bob@accounts.example").await;
        assert_eq!(all().await, 1);
        node.call(&node.admin(), DeleteProviderRequest { id: there.id.clone() }).await.unwrap();
        assert_eq!(all().await, 0);
        refused(&send(&node, "GET", &format!("/oauth2/sign-in?provider={}", there.id), &[], String::new()).await, 404);
        // Who was sent and does not come back is forgotten.
        let there = provider(&node, elsewhere()).await;
        leave(&node, &there).await;
        node.advance(Duration::from_secs(700)).await;
        let left = node.rows::<(i64,)>("SELECT COUNT(*) FROM oidc_sign_in WHERE tenant = :tenant /* whole: a test */").await;
        assert_eq!(left, [(0,)]);
    }
}
