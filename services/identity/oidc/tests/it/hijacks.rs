//! What must not happen to somebody who signs in with an account elsewhere, whoever tries.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use stoa_auth_v1::*;
use stoa_kit::{Code, Service};
use stoa_oidc_v1::*;
use stoa_testkit::both;

use crate::elsewhere::*;
use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn nobody_is_let_in_by_what_another_browser_began(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let (ada, eve) = (leave(&node, &there).await, leave(&node, &there).await);
        says(&node, &about(&node, &eve, "666", "eve@accounts.example"));
        // Eve has Ada's browser come back with Eve's answer.
        let named = eve.cookie.split_once('=').unwrap().0;
        let others = ada.cookie.split_once('=').unwrap().1;
        for cookie in ["", &ada.cookie, &format!("{named}={others}"), &format!("{named}=")] {
            refused(&return_with(&node, &eve, cookie, &[]).await, 400);
        }
        // That spent nothing of Eve's.
        assert_ne!(session(&come_back(&node, &eve).await), "");
        // Once.
        refused(&come_back(&node, &eve).await, 400);
        // An answer to one is none to another.
        let mixed = Away { address: ada.address.clone(), ..eve.clone() };
        refused(&come_back(&node, &mixed).await, 400);
        let forged = ada.said("state").replace("stoa_of_", "stoa_oc_");
        let path = format!("/oauth2/callback/{}?{}", there.id, form(&[("state", &forged), ("code", "c")]));
        refused(&browse(&node, "", &path).await, 400);
    }
}

both! {
    async fn no_provider_passes_an_answer_off_as_anothers(node: Node) {
        let honest = provider(&node, elsewhere()).await;
        let other = CreateProviderRequest { issuer: "https://evil.example".into(), ..elsewhere() };
        let other = node.call(&node.admin(), other).await.unwrap().provider.id.clone();
        let away = leave(&node, &honest).await;
        says(&node, &about(&node, &away, "1", "a@accounts.example"));
        let elsewhere = Away { provider_id: other, ..away };
        refused(&come_back(&node, &elsewhere).await, 400);
        let away = leave(&node, &honest).await;
        says(&node, &about(&node, &away, "1", "a@accounts.example"));
        refused(&return_with(&node, &away, &away.cookie, &[("iss", "https://evil.example")]).await, 400);
        let away = leave(&node, &honest).await;
        says(&node, &about(&node, &away, "1", "a@accounts.example"));
        let good = return_with(&node, &away, &away.cookie, &[("iss", ELSEWHERE)]).await;
        assert_ne!(session(&good), "");
    }
}

both! {
    async fn no_token_is_believed_that_is_not_for_this_sign_in(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let now = node.now().0 / 1_000_000;
        for (name, value) in [
            ("iss", json!("https://accounts.example/")), ("iss", json!("https://evil.example")),
            ("iss", Value::Null),
            ("aud", json!("another")), ("aud", json!(["another"])), ("aud", json!([])), ("aud", Value::Null),
            ("aud", json!(["stoa", "another"])),
            ("azp", json!("another")), ("azp", json!(7)),
            ("nonce", json!("another")), ("nonce", json!("")), ("nonce", Value::Null),
            ("exp", json!(now - 120)), ("exp", Value::Null), ("exp", json!("soon")),
            ("iat", json!(now - 3_600)), ("iat", json!(now + 3_600)), ("iat", Value::Null),
            ("nbf", json!(now + 3_600)),
            ("sub", json!("")), ("sub", Value::Null), ("sub", json!("x".repeat(256))), ("sub", json!(7)),
            ("at_hash", json!("of another token")), ("at_hash", json!(1)),
        ] {
            let away = leave(&node, &there).await;
            let mut said = about(&node, &away, "1815", "ada@accounts.example");
            said[name] = value.clone();
            says(&node, &said);
            let came = come_back(&node, &away).await;
            assert_eq!((came.status.as_u16(), &*session(&came)), (400, ""), "{name} {value}");
        }
        // Of an hour ago, for the same person: an answer is good for one request.
        let (first, second) = (leave(&node, &there).await, leave(&node, &there).await);
        says(&node, &about(&node, &first, "1815", "ada@accounts.example"));
        refused(&come_back(&node, &second).await, 400);
        assert_ne!(session(&come_back(&node, &first).await), "");
        // For us and others, if it says that it was given to us; and with the hash of its access token.
        let away = leave(&node, &there).await;
        let mut said = about(&node, &away, "1815", "ada@accounts.example");
        (said["aud"], said["azp"]) = (json!(["another", "stoa"]), json!("stoa"));
        said["at_hash"] = json!(half("at-1"));
        says(&node, &said);
        assert_ne!(session(&come_back(&node, &away).await), "");
    }
}

fn half(token: &str) -> String {
    use sha2::{Digest as _, Sha256};
    BASE64.encode(&Sha256::digest(token)[..16])
}

both! {
    async fn no_signature_is_taken_but_by_a_key_of_the_provider_in_its_own_algorithm(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let key = Key::new("k1", 7);
        let part = |value: &Value| BASE64.encode(value.to_string());
        let public = key.public();
        let point = BASE64.decode(public["x"].as_str().unwrap()).unwrap();
        let hmac = |claims: &Value, secret: &[u8]| {
            let header = Header { kid: Some("k1".into()), ..Header::new(Algorithm::HS256) };
            jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret).unwrap()).unwrap()
        };
        let forge = |kind: usize, claims: &Value| match kind {
            0 => format!("{}.{}.", part(&json!({"alg": "none"})), part(claims)),
            1 => format!("{}.{}.", part(&json!({"alg": "None", "kid": "k1"})), part(claims)),
            // With what everybody knows of the key as a secret.
            2 => hmac(claims, &point),
            3 => hmac(claims, public.to_string().as_bytes()),
            4 => hmac(claims, b"hush hush & hush"),
            // By somebody else's, who calls it as the provider's is called, or sends it along.
            5 => Key::new("k1", 9).sign(claims),
            6 => Key::new("k9", 9).sign(claims),
            7 => {
                let jwk = serde_json::from_value(Key::new("k9", 9).public()).unwrap();
                let header = Header { jwk: Some(jwk), ..Header::new(Algorithm::ES256) };
                jsonwebtoken::encode(&header, claims, &Key::new("k9", 9).private).unwrap()
            }
            8 => {
                let typ = Some("logout+jwt".to_owned());
                let header = Header { typ, kid: Some("k1".into()), ..Header::new(Algorithm::ES256) };
                jsonwebtoken::encode(&header, claims, &key.private).unwrap()
            }
            9 => {
                let crit = Some(vec!["exp".to_owned()]);
                let header = Header { crit, kid: Some("k1".into()), ..Header::new(Algorithm::ES256) };
                jsonwebtoken::encode(&header, claims, &key.private).unwrap()
            }
            10 => key.sign(claims).replacen("ey", "fy", 1),
            _ => String::new(),
        };
        for kind in 0..12 {
            let away = leave(&node, &there).await;
            let id_token = forge(kind, &about(&node, &away, "1815", "ada@accounts.example"));
            Says { id_token, ..Says::new() }.on(&node);
            let came = come_back(&node, &away).await;
            assert_eq!((came.status.as_u16(), &*session(&came)), (400, ""), "{kind} {}", came.text);
        }
    }
}

both! {
    async fn a_key_that_is_new_is_looked_for_and_one_that_was_taken_back_is_not_believed(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let (old, new) = (Key::new("k1", 7), Key::new("k2", 8));
        let by = async |key: &Key, list: &[&Key]| {
            let away = leave(&node, &there).await;
            let id_token = key.sign(&about(&node, &away, "1815", "ada@accounts.example"));
            let keys = list.iter().map(|key| key.public()).collect();
            Says { id_token, keys, ..Says::new() }.on(&node);
            !session(&come_back(&node, &away).await).is_empty()
        };
        assert!(by(&old, &[&old]).await);
        node.pass(Duration::from_secs(60));
        assert!(by(&new, &[&old, &new]).await);
        assert!(by(&old, &[&new]).await, "the list of a minute ago has it");
        // Whoever names keys that there are none of does not have the provider asked each time.
        let lists = || node.asked().iter().filter(|asked| asked.request.uri().path() == "/keys").count();
        let before = lists();
        for _ in 0..5 {
            assert!(!by(&Key::new("k9", 9), &[&old, &new]).await);
        }
        assert!(lists() <= before + 1);
        node.pass(Duration::from_secs(2 * 60 * 60));
        assert!(!by(&old, &[&new]).await);
        assert!(by(&new, &[&new]).await);
        // Keys that are for something else, or weak.
        node.pass(Duration::from_secs(2 * 60 * 60));
        let away = leave(&node, &there).await;
        let id_token = new.sign(&about(&node, &away, "1815", "ada@accounts.example"));
        let mut key = new.public();
        key["use"] = json!("enc");
        Says { id_token, keys: vec![key], ..Says::new() }.on(&node);
        refused(&come_back(&node, &away).await, 400);
    }
}

both! {
    async fn who_squatted_on_an_address_has_nothing_once_its_owner_comes(node: Node) {
        let there = provider(&node, elsewhere()).await;
        // Eve has an account with Ada's address, which nobody has shown to be hers.
        let eve = person(&node, "ada").await;
        let shop = app(&node, CreateClientRequest { scopes: vec!["openid".into(), "profile".into(),
            "email".into(), "offline_access".into()], ..shop() }).await;
        let asked = authorize(&node, &eve.session, &shop, &[("scope", "openid offline_access")]).await;
        let offline = exchange(&node, &shop, &asked.sent("code")).await.ok();
        let caller = node.visit(&eve.session, None).await.unwrap();
        let key = CreateApiKeyRequest { name: "mine".into(), permissions: vec!["oidc.list_grants".into()], ..Default::default() };
        let key = node.call(&caller, key).await.unwrap().token;
        let link = LinkIdentityRequest { provider_id: there.id.clone(), ..Default::default() };
        let path = node.call(&caller, link).await.unwrap().path;
        let away = away(&there.id, &browse(&node, &eve.session, &path).await);
        says(&node, &about(&node, &away, "666", "eve@accounts.example"));
        come_back(&node, &away).await;

        let came = sign_in_as(&node, &there, "1815", "ada@example.com").await;
        assert_eq!(whose(&node, &session(&came)).await.subject, format!("user:{}", eve.id));
        node.settle().await;
        assert!(!whose(&node, &eve.session).await.active);
        assert!(!whose(&node, &key).await.active);
        let by_password = SignInRequest { login: "ada".into(), password: PASSWORD.into(), ..Default::default() };
        assert_eq!(node.fails(&node.nobody(), by_password).await.reason(), "auth.wrong_credentials");
        assert!(!is_active(&node, &shop, &offline["access_token"]).await);
        refresh(&node, &shop, offline["refresh_token"].as_str().unwrap()).await.fails("invalid_grant");
        // Nor does she come in by the account that she linked.
        refused(&sign_in_as(&node, &there, "666", "").await, 400);
        // From now on the address is known to be Ada's: nothing ends another time.
        let before = session(&came);
        sign_in_as(&node, &there, "1815", "ada@example.com").await;
        assert!(whose(&node, &before).await.active);
    }
}

both! {
    async fn nobody_with_an_open_session_has_a_provider_believed_about_addresses(node: Node) {
        open(&node).await;
        let late = stoa_kit::Caller { proof: None, ..node.admin() };
        let needs_proof = "auth.step_up_required";
        assert_eq!(node.fails(&late, elsewhere()).await.reason(), needs_proof);
        // One that comes to no account that is there already is anybody's who may make providers known.
        let shy = CreateProviderRequest { trusts_email: false, ..elsewhere() };
        let there = node.call(&late, shy).await.unwrap().provider.into_option().unwrap();
        let believe = |trusts_email| {
            let mut change =
                UpdateProviderRequest { id: there.id.clone(), trusts_email, ..Default::default() };
            change.update_mask.get_or_insert_default().paths = vec!["trusts_email".into()];
            change
        };
        assert_eq!(node.fails(&late, believe(true)).await.reason(), needs_proof);
        node.call(&node.admin(), believe(true)).await.unwrap();
        // To believe it no more is never too late, and a program of theirs has a key that took a proof.
        node.call(&late, believe(false)).await.unwrap();
        let program = node.account_with("sva_1", &["oidc.providers.update"]);
        node.call(&program, believe(true)).await.unwrap();
    }
}

both! {
    async fn an_address_leads_nowhere_that_the_provider_did_not_verify_or_is_not_believed_for(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let ada = person(&node, "ada").await;
        for verified in [json!(false), Value::Null, json!("false"), json!(1)] {
            let away = leave(&node, &there).await;
            let mut said = about(&node, &away, "1815", "ada@example.com");
            said["email_verified"] = verified;
            says(&node, &said);
            let (there, free) = (come_back(&node, &away).await, {
                let away = leave(&node, &there).await;
                let mut said = about(&node, &away, "1816", "nobody@example.com");
                said["email_verified"] = json!(false);
                says(&node, &said);
                come_back(&node, &away).await
            });
            refused(&there, 400);
            // Who has an account here is not told.
            assert_eq!(there.text, free.text);
        }
        let mut doubt = UpdateProviderRequest { id: there.id.clone(), ..Default::default() };
        doubt.update_mask.get_or_insert_default().paths = vec!["trusts_email".into()];
        node.call(&node.admin(), doubt).await.unwrap();
        refused(&sign_in_as(&node, &there, "1815", "ada@example.com").await, 400);
        assert!(whose(&node, &ada.session).await.active);
    }
}

both! {
    async fn no_mailbox_and_no_account_elsewhere_stands_in_for_a_second_factor(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let ada = person(&node, "ada").await;
        let link = LinkIdentityRequest { provider_id: there.id.clone(), ..Default::default() };
        let caller = node.visit(&ada.session, None).await.unwrap();
        let path = node.call(&caller, link).await.unwrap().path;
        let away = away(&there.id, &browse(&node, &ada.session, &path).await);
        says(&node, &about(&node, &away, "1815", "a@accounts.example"));
        come_back(&node, &away).await;
        second_factor(&node, &ada.session).await;
        // By the account that is linked she comes as far as by a password.
        let came = sign_in_as(&node, &there, "1815", "").await;
        assert_eq!(session(&came), "");
        assert!(came.text.contains("/sign-in?return=%2F#ticket=stoa_f_main_"), "{came:?}");
        // By the address alone she does not come at all, and nothing of hers ends.
        refused(&sign_in_as(&node, &there, "1816", "ada@example.com").await, 400);
        assert!(whose(&node, &ada.session).await.active);
    }
}

/// Sets up a program that shows codes.
async fn second_factor(node: &stoa_testkit::Node, session: &str) {
    let caller = node.visit(session, None).await.unwrap();
    let shown = node.call(&caller, EnrolTotpRequest::default()).await.unwrap().secret;
    let code = code(&shown, node.now().0 / 1_000_000 / 30);
    node.call(&caller, ConfirmTotpRequest { code }).await.unwrap();
}

/// The code of a step (RFC 6238), of a secret as it is shown.
fn code(shown: &str, step: i64) -> String {
    use hmac::{KeyInit as _, Mac as _};
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut secret, mut buffer, mut held) = (Vec::new(), 0_u32, 0);
    for letter in shown.chars() {
        let five = letters.find(letter).unwrap() as u8;
        (buffer, held) = (buffer << 5 | u32::from(five), held + 5);
        if held >= 8 {
            held -= 8;
            secret.push((buffer >> held) as u8);
        }
    }
    let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(&secret).unwrap();
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let from = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[from..from + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

both! {
    async fn nobody_is_sent_to_another_site_nor_let_into_a_session_that_was_there(node: Node) {
        let there = provider(&node, elsewhere()).await;
        for path in ["//evil.example/", "https://evil.example/", "/\\evil.example", "evil", "/a b", "/\u{1}", "javascript:x"] {
            let query = form(&[("provider", &there.id), ("return", path)]);
            refused(&browse(&node, "", &format!("/oauth2/sign-in?{query}")).await, 400);
        }
        // Eve has put a session of hers into Ada's browser: Ada gets one of her own.
        let eve = person(&node, "eve").await;
        let away = leave(&node, &there).await;
        says(&node, &about(&node, &away, "1815", "ada@accounts.example"));
        let cookies = format!("stoa_session={}; {}", eve.session, away.cookie);
        let came = return_with(&node, &away, &cookies, &[]).await;
        let own = session(&came);
        assert_ne!(own, eve.session);
        assert_ne!(whose(&node, &own).await.subject, whose(&node, &eve.session).await.subject);
        assert_eq!(whose(&node, &eve.session).await.methods, ["pwd"]);
    }
}

both! {
    async fn no_provider_is_believed_that_is_another_or_nowhere_safe(node: Node) {
        let there = provider(&node, elsewhere()).await;
        let path = format!("/oauth2/sign-in?provider={}", there.id);
        for (name, value) in [
            ("issuer", json!("https://accounts.example/")), ("issuer", Value::Null),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("authorization_endpoint", json!("http://accounts.example/authorize")),
            ("authorization_endpoint", json!("com.example:/authorize")),
            ("token_endpoint", json!("http://accounts.example/token")), ("token_endpoint", Value::Null),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("userinfo_endpoint", json!("https://ada@accounts.example/userinfo")),
        ] {
            let mut says = Says::new();
            says.discovery[name] = value.clone();
            says.on(&node);
            let sent = browse(&node, "", &path).await;
            assert_eq!((sent.status.as_u16(), sent.header("location")), (400, ""), "{name} {value}");
        }
        for issuer in ["http://accounts.example", "ftp://x.example", "https://x.example?a=b", "https://x.example#f",
            "https://ada:pw@x.example", "com.example.app:/x", "x"] {
            let request = CreateProviderRequest { issuer: issuer.into(), ..elsewhere() };
            let error = node.fails(&node.admin(), request).await;
            assert_eq!((error.code(), &*error.violations()[0].path), (Code::InvalidArgument, "issuer"));
        }
        // What it says of somebody besides has to be of the same.
        Says::new().on(&node);
        let away = leave(&node, &there).await;
        let said = about(&node, &away, "1815", "");
        let id_token = Key::new("k1", 7).sign(&said);
        let user_info = json!({"sub": "1", "email": "ada@example.com", "email_verified": true});
        Says { id_token, user_info, ..Says::new() }.on(&node);
        refused(&come_back(&node, &away).await, 400);
        // And who is not let in there is not here.
        let away = leave(&node, &there).await;
        let query = form(&[("state", &away.said("state")), ("error", "access_denied")]);
        let path = format!("/oauth2/callback/{}?{query}", there.id);
        refused(&send(&node, "GET", &path, &[("cookie", &away.cookie)], String::new()).await, 403);
    }
}
