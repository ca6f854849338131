//! How people sign in to applications.

use std::time::Duration;

use serde_json::json;
use stoa_kit::Service;
use stoa_oidc_v1::{
    ClientType, CreateClientRequest, Grant, ListGrantsRequest, RevokeGrantRequest, SigningAlgorithm,
};
use stoa_testkit::both;

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn a_code_becomes_tokens_that_say_who_signed_in(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let sent = authorize(&node, &ada.session, &shop, &[]).await;
        assert!(sent.header("location").starts_with(BACK), "{sent:?}");
        assert_eq!((&*sent.sent("state"), &*sent.sent("iss")), ("s t+a&te", ISSUER));
        let tokens = exchange(&node, &shop, &sent.sent("code")).await.ok();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 600);

        let says = claims(&node, tokens["id_token"].as_str().unwrap()).await;
        let now = says["iat"].as_i64().unwrap();
        assert_eq!(says["exp"], now + 600);
        let expected = [("iss", ISSUER), ("sub", &*ada.id), ("aud", &*shop.client.id),
            ("nonce", "n-0S6"), ("sid", &*ada.session_id)];
        for (name, value) in expected {
            assert_eq!(says[name], value, "{name}");
        }
        assert!(says["auth_time"].as_i64().unwrap() <= now);
        assert_eq!(says["amr"], json!(["pwd"]));

        let access = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let headers = [("authorization", &*access)];
        let who = send(&node, "GET", "/oauth2/userinfo", &headers, String::new()).await.ok();
        assert_eq!((&who["sub"], &who["email"]), (&json!(ada.id), &json!("ada@example.com")));
        assert_eq!(who["preferred_username"], "ada");

        let next = refresh(&node, &shop, tokens["refresh_token"].as_str().unwrap()).await.ok();
        assert_ne!(next["refresh_token"], tokens["refresh_token"]);
        assert!(is_active(&node, &shop, &next["access_token"]).await);
        let again = claims(&node, next["id_token"].as_str().unwrap()).await;
        assert_eq!((&again["sub"], &again["nonce"]), (&json!(ada.id), &json!(null)));
        let revoked = [("token", next["access_token"].as_str().unwrap())];
        ask(&node, &shop, "revoke", &revoked).await.ok();
        for token in [&tokens["access_token"], &next["access_token"], &next["refresh_token"]] {
            assert!(!is_active(&node, &shop, token).await);
        }
    }
}

both! {
    async fn who_is_not_signed_in_is_sent_to_sign_in_and_back_here(node: Node) {
        open(&node).await;
        let shop = app(&node, shop()).await;
        let path = asking(&shop, &[]);
        for session in ["", "stoa_s_main_00", "nonsense"] {
            let sent = browse(&node, session, &path).await;
            assert!(sent.header("location").starts_with("/sign-in?return=%2Foauth2%2Fauthorize"));
            assert_eq!(sent.sent("return"), path);
        }
        // A browser keeps its cookie to itself where another site sends it: a page of ours asks again.
        let headers = [("sec-fetch-site", "cross-site")];
        let page = send(&node, "GET", &path, &headers, String::new()).await;
        assert!(page.status == 200 && page.text.contains("http-equiv=\"refresh\""), "{page:?}");
        assert!(!page.text.contains("<script"));
        let silent = browse(&node, "", &asking(&shop, &[("prompt", "none")])).await;
        assert_eq!(silent.sent("error"), "login_required");
    }
}

both! {
    async fn a_person_is_asked_once_and_can_take_it_back(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let silent = [("prompt", "none")];
        let sent = browse(&node, &ada.session, &asking(&shop, &silent)).await;
        assert_eq!(sent.sent("error"), "consent_required");
        let page = browse(&node, &ada.session, &asking(&shop, &[])).await;
        assert!(page.text.contains("Shop") && page.text.contains("your e-mail address"), "{page:?}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("https://shop.example"));
        let no = [("page", &*page.field("page")), ("decision", "deny")];
        let sent = submit(&node, &ada.session, &page.action(), &no).await;
        assert_eq!(sent.sent("error"), "access_denied");
        let tokens = tokens(&node, &ada.session, &shop).await;

        let sent = browse(&node, &ada.session, &asking(&shop, &silent)).await;
        assert!(!sent.sent("code").is_empty());
        let more = [("scope", "openid offline_access")];
        assert_eq!(browse(&node, &ada.session, &asking(&shop, &more)).await.status, 200);
        let consent = [("prompt", "consent")];
        assert_eq!(browse(&node, &ada.session, &asking(&shop, &consent)).await.status, 200);

        let caller = node.user(&ada.id);
        let grants = node.call(&caller, ListGrantsRequest::default()).await.unwrap().grants;
        let [Grant { id, client_id, .. }] = &*grants else { panic!("{grants:?}") };
        assert_eq!(client_id, &shop.client.id);
        node.fails(&node.user("usr_eve"), RevokeGrantRequest { id: id.clone() }).await;
        assert!(is_active(&node, &shop, &tokens["access_token"]).await);
        node.call(&caller, RevokeGrantRequest { id: id.clone() }).await.unwrap();
        assert!(!is_active(&node, &shop, &tokens["access_token"]).await);
        let sent = browse(&node, &ada.session, &asking(&shop, &silent)).await;
        assert_eq!(sent.sent("error"), "consent_required");
    }
}

both! {
    async fn nobody_is_asked_for_what_is_the_operators_own(node: Node) {
        open(&node).await;
        let ada = person(&node, "ada").await;
        let shop = app(&node, CreateClientRequest { first_party: true, ..shop() }).await;
        let sent = browse(&node, &ada.session, &asking(&shop, &[("prompt", "none")])).await;
        assert!(!sent.sent("code").is_empty());
    }
}

both! {
    async fn who_has_to_prove_again_who_they_are_is_not_let_through_before(node: Node) {
        open(&node).await;
        let ada = person(&node, "ada").await;
        let shop = app(&node, CreateClientRequest { first_party: true, ..shop() }).await;
        node.advance(Duration::from_secs(100)).await;
        for (but, passes) in [
            (("max_age", "50"), false),
            (("max_age", "200"), true),
            (("prompt", "login"), false),
        ] {
            let sent = browse(&node, &ada.session, &asking(&shop, &[but])).await;
            assert_eq!(!sent.sent("code").is_empty(), passes, "{but:?}");
            if passes {
                continue;
            }
            // Nobody is taken for signed in meanwhile.
            assert!(sent.header("set-cookie").starts_with("stoa_session=; Path=/; Max-Age=0"));
            let back = sent.sent("return");
            let sent = browse(&node, &ada.session, &back).await;
            assert!(sent.header("location").starts_with("/sign-in"), "the old session does not do");
            let (_, session) = sign_in(&node, "ada").await;
            assert!(!browse(&node, &session, &back).await.sent("code").is_empty());
            node.advance(Duration::from_secs(100)).await;
        }
        let old = [("max_age", "1"), ("prompt", "none")];
        let sent = browse(&node, &ada.session, &asking(&shop, &old)).await;
        assert_eq!(sent.sent("error"), "login_required");
    }
}

both! {
    async fn an_application_is_known_by_itself_and_for_its_own_scopes(node: Node) {
        open(&node).await;
        let reports = app(&node, CreateClientRequest {
            name: "Reports".into(),
            grant_types: vec!["client_credentials".into()],
            scopes: vec!["openid".into(), "reports.read".into(), "reports.write".into()],
            id_token_algorithm: SigningAlgorithm::Es256.into(),
            ..CreateClientRequest::default()
        }).await;
        let grant = ("grant_type", "client_credentials");
        let asked = [grant, ("scope", "reports.read")];
        let given = ask(&node, &reports, "token", &asked).await.ok();
        assert_eq!(given["scope"], "reports.read");
        assert!(given.get("refresh_token").is_none() && given.get("id_token").is_none());
        let token = ("token", given["access_token"].as_str().unwrap());
        let known = ask(&node, &reports, "introspect", &[token]).await.ok();
        assert_eq!((&known["sub"], &known["scope"]), (&json!(reports.client.id), &json!("reports.read")));
        let all = ask(&node, &reports, "token", &[grant]).await.ok();
        assert_eq!(all["scope"], "reports.read reports.write");
        ask(&node, &reports, "token", &[grant, ("scope", "openid")]).await.fails("invalid_scope");
        let shop = app(&node, shop()).await;
        ask(&node, &shop, "token", &[grant]).await.fails("unauthorized_client");
        // By its secret in the header of HTTP, written as forms write values.
        let basic = base64(&format!("{}:{}", reports.client.id, reports.secret));
        let headers = [("authorization", &*format!("Basic {basic}"))];
        let answer = send(&node, "POST", "/oauth2/token", &headers, form(&[grant])).await;
        answer.ok();
        let basic = base64(&format!("{}:wrong", reports.client.id));
        let headers = [("authorization", &*format!("Basic {basic}"))];
        let answer = send(&node, "POST", "/oauth2/token", &headers, form(&[grant])).await;
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").starts_with("Basic"));
        node.advance(Duration::from_secs(601)).await;
        assert!(!is_active(&node, &reports, &given["access_token"]).await);
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(text)
}

both! {
    async fn nobody_makes_an_application_known_unless_that_is_open(node: Node) {
        open(&node).await;
        let register = async |body: serde_json::Value| {
            let headers = [("content-type", "application/json")];
            send(&node, "POST", "/oauth2/register", &headers, body.to_string()).await
        };
        let app = json!({
            "client_name": "Game", "redirect_uris": [BACK], "scope": "openid money.move",
            "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "ES256",
        });
        register(app.clone()).await.fails("access_denied");
        set(&node, "registration_open", json!(true)).await;
        let known = register(app.clone()).await;
        assert_eq!(known.status, 201, "{known:?}");
        let known = known.json();
        assert_eq!((&known["scope"], known.get("client_secret")), (&json!("openid"), None));
        for (name, value, error) in [
            ("redirect_uris", json!(["http://shop.example/"]), "invalid_redirect_uri"),
            ("redirect_uris", json!("x"), "invalid_client_metadata"),
            ("grant_types", json!(["client_credentials"]), "invalid_client_metadata"),
            ("grant_types", json!(["password"]), "invalid_client_metadata"),
            ("response_types", json!(["token"]), "invalid_client_metadata"),
            ("id_token_signed_response_alg", json!("none"), "invalid_client_metadata"),
            ("id_token_signed_response_alg", json!("HS256"), "invalid_client_metadata"),
        ] {
            let mut app = app.clone();
            app[name] = value;
            register(app).await.fails(error);
        }
        let configuration = "/.well-known/openid-configuration";
        let said = send(&node, "GET", configuration, &[], String::new()).await.ok();
        assert_eq!(said["registration_endpoint"], format!("{ISSUER}/oauth2/register"));
        let game = node.call(&node.admin(), stoa_oidc_v1::ListClientsRequest::default()).await.unwrap();
        assert!(game.clients[0].registered && game.clients[0].r#type == ClientType::Public);
    }
}

both! {
    async fn without_an_issuer_there_is_no_provider(node: Node) {
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        for path in ["/.well-known/openid-configuration", &*asking(&shop, &[])] {
            let answer = browse(&node, &ada.session, path).await;
            assert_eq!(answer.status, 503, "{path}");
        }
    }
}
