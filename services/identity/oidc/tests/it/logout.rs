//! Who is signed out here, and whom that is told.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_auth_v1::{RevokeAllSessionsRequest, RevokeSessionRequest};
use stoa_kit::Service;
use stoa_oidc_v1::CreateClientRequest;
use stoa_testkit::{Node, answer, both};

use crate::world::*;

const TOLD: &str = "https://shop.example/signed-out";
const LEFT: &str = "https://shop.example/bye";

fn services() -> Vec<Service> {
    crate::services()
}

async fn telling(node: &Node, name: &str) -> App {
    let request = CreateClientRequest {
        name: name.into(),
        backchannel_logout_uri: TOLD.into(),
        post_logout_redirect_uris: vec![LEFT.into()],
        first_party: true,
        ..shop()
    };
    app(node, request).await
}

/// What applications were told so far.
async fn told(node: &Node) -> Vec<Value> {
    node.settle().await;
    let keys = published(node).await;
    let read = |body: &[u8]| {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let token = text.strip_prefix("logout_token=").unwrap().to_owned();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.typ.as_deref(), Some("logout+jwt"));
        verified(&keys, &token).unwrap()
    };
    let asked = node.asked();
    assert!(asked.iter().all(|asked| asked.request.uri() == TOLD));
    asked.iter().map(|asked| read(asked.request.body())).collect()
}

both! {
    async fn the_end_of_a_session_is_told_to_who_knows_it_and_ends_its_tokens(node: Node) {
        open(&node).await;
        node.web(|_| Ok(answer(200, &[], "")));
        let (ada, shop, other) =
            (person(&node, "ada").await, telling(&node, "Shop").await, telling(&node, "Other").await);
        let first = tokens(&node, &ada.session, &shop).await;
        let (_, second) = sign_in(&node, "ada").await;
        let kept = tokens(&node, &second, &shop).await;
        tokens(&node, &second, &other).await;
        let offline = authorize(&node, &ada.session, &shop, &[("scope", "openid offline_access")]).await;
        let offline = exchange(&node, &shop, &offline.sent("code")).await.ok();
        let caller = node.user(&ada.id);
        node.call(&caller, RevokeSessionRequest { id: ada.session_id.clone() }).await.unwrap();
        let told = told(&node).await;
        let [told] = &*told else { panic!("{told:?}") };
        assert_eq!((&told["sub"], &told["aud"]), (&json!(ada.id), &json!(shop.client.id)));
        assert_eq!((&told["sid"], told.get("nonce")), (&json!(ada.session_id), None));
        assert!(told["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
        assert!(!is_active(&node, &shop, &first["access_token"]).await);
        assert!(is_active(&node, &shop, &kept["access_token"]).await);
        assert!(is_active(&node, &shop, &offline["refresh_token"]).await);
    }
}

both! {
    async fn the_end_of_all_sessions_is_told_once_to_each_and_names_none(node: Node) {
        open(&node).await;
        node.web(|_| Ok(answer(200, &[], "")));
        let (ada, shop, other) =
            (person(&node, "ada").await, telling(&node, "Shop").await, telling(&node, "Other").await);
        let (_, second) = sign_in(&node, "ada").await;
        for session in [&ada.session, &second] {
            tokens(&node, session, &shop).await;
        }
        let ended = tokens(&node, &second, &other).await;
        node.call(&node.user(&ada.id), RevokeAllSessionsRequest::default()).await.unwrap();
        let told = told(&node).await;
        let mut clients: Vec<&str> = told.iter().map(|told| told["aud"].as_str().unwrap()).collect();
        clients.sort_unstable();
        let mut all = [&*shop.client.id, &*other.client.id];
        all.sort_unstable();
        assert_eq!(clients, all);
        assert!(told.iter().all(|told| told.get("sid").is_none() && told["sub"] == ada.id));
        assert!(!is_active(&node, &other, &ended["access_token"]).await);
    }
}

both! {
    async fn a_session_that_ends_by_itself_is_told_as_well(node: Node) {
        open(&node).await;
        node.web(|_| Ok(answer(200, &[], "")));
        let (ada, shop) = (person(&node, "ada").await, telling(&node, "Shop").await);
        let ended = tokens(&node, &ada.session, &shop).await;
        node.advance(Duration::from_secs(13 * 24 * 3_600)).await;
        assert_eq!(told(&node).await.len(), 0);
        // Whoever uses a session keeps it.
        assert!(!browse(&node, &ada.session, &asking(&shop, &[])).await.sent("code").is_empty());
        node.inner().authenticate(&ada.session).await.unwrap();
        node.advance(Duration::from_secs(2 * 24 * 3_600)).await;
        assert_eq!(told(&node).await.len(), 0);
        node.advance(Duration::from_secs(14 * 24 * 3_600)).await;
        let told = told(&node).await;
        assert_eq!((told.len(), &told[0]["sid"]), (1, &json!(ada.session_id)));
        refresh(&node, &shop, ended["refresh_token"].as_str().unwrap()).await.fails("invalid_grant");
    }
}

both! {
    async fn an_application_signs_its_user_out_and_nobody_elses(node: Node) {
        open(&node).await;
        node.web(|_| Ok(answer(200, &[], "")));
        let (ada, eve, shop) =
            (person(&node, "ada").await, person(&node, "eve").await, telling(&node, "Shop").await);
        let hint = tokens(&node, &ada.session, &shop).await["id_token"].as_str().unwrap().to_owned();
        let leave = |hint: &str, address: &str| {
            let fields = [("id_token_hint", hint), ("post_logout_redirect_uri", address), ("state", "x")];
            format!("/oauth2/end_session?{}", form(&fields))
        };
        // What the hint does not prove is asked: another's hint, one that was made up, one of no signature.
        let key = published(&node).await[0].clone();
        for wrong in forged(&hint, &key) {
            let page = browse(&node, &ada.session, &leave(&wrong, LEFT)).await;
            assert!(page.status == 200 && page.text.contains("Do you want to sign out?"), "{wrong}");
            let answer = submit(&node, &ada.session, &page.action(), &[("page", "00")]).await;
            assert_eq!(answer.status, 403);
        }
        let page = browse(&node, &eve.session, &leave(&hint, LEFT)).await;
        assert!(page.text.contains("Do you want to sign out?"));
        // An address that is not the application's is not gone to.
        let gone = browse(&node, "", &leave(&hint, "https://evil.example/")).await;
        assert!(gone.status == 200 && gone.header("location").is_empty());

        let gone = browse(&node, &ada.session, &leave(&hint, LEFT)).await;
        assert_eq!(gone.header("location"), format!("{LEFT}?state=x"));
        assert!(gone.header("set-cookie").starts_with("stoa_session=; Path=/; Max-Age=0"));
        assert!(node.inner().authenticate(&ada.session).await.is_err());
        assert_eq!(told(&node).await.len(), 1);

        let answer = submit(&node, &eve.session, &page.action(), &[("page", &*page.field("page"))]).await;
        assert!(answer.header("set-cookie").starts_with("stoa_session=;"), "{answer:?}");
        assert!(node.inner().authenticate(&eve.session).await.is_err());
    }
}

/// Tokens that look like one, and were signed by nobody who may.
fn forged(token: &str, key: &Value) -> Vec<String> {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    let (kid, mut parts) = (key["kid"].as_str().unwrap(), token.split('.'));
    let (head, claims, signature) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let header =
        |alg: &str| BASE64.encode(json!({"alg": alg, "kid": kid, "typ": "JWT"}).to_string());
    let by_public_key = {
        // The public key as a secret that everybody has.
        let secret = jsonwebtoken::EncodingKey::from_secret(key.to_string().as_bytes()).unwrap();
        let text = format!("{}.{claims}", header("HS256"));
        let mac =
            jsonwebtoken::crypto::sign(text.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256);
        format!("{text}.{}", mac.unwrap())
    };
    vec![
        format!("{}.{claims}.", header("none")),
        format!("{}.{claims}.{signature}", header("none")),
        format!("{}.{claims}.{signature}", header("RS256")),
        format!("{}.{claims}.{signature}", header("ES384")),
        by_public_key,
        format!("{head}.{claims}."),
        format!("{head}.{claims}.{}", BASE64.encode([0; 64])),
        format!("{head}.{}.{signature}", BASE64.encode(r#"{"iss":"https://id.example"}"#)),
        "..".to_owned(),
    ]
}
