//! Applications that sign that they are themselves.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use stoa_kit::Service;
use stoa_oidc_v1::*;
use stoa_testkit::{Node, both};

use crate::elsewhere::Key;
use crate::world::*;

const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn services() -> Vec<Service> {
    crate::services()
}

/// A program that has keys.
async fn robot(node: &Node, keys: &[&Key]) -> App {
    let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
    let request = CreateClientRequest {
        redirect_uris: Vec::new(),
        grant_types: vec!["client_credentials".into()],
        scopes: vec!["reports.read".into()],
        jwks: json!({"keys": keys}).to_string(),
        ..shop()
    };
    let robot = app(node, request).await;
    assert_eq!(robot.secret, "");
    robot
}

fn claims(node: &Node, robot: &App, unique: &str) -> Value {
    let now = node.now().0 / 1_000_000;
    let id = &robot.client.id;
    json!({"iss": id, "sub": id, "aud": ISSUER, "jti": unique, "iat": now, "exp": now + 60})
}

async fn by(node: &Node, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_assertion_type", KIND),
        ("client_assertion", assertion),
    ];
    fields.extend(more);
    send(node, "POST", "/oauth2/token", &[], form(&fields)).await
}

both! {
    async fn what_an_application_signs_is_taken_once_and_only_for_here(node: Node) {
        open(&node).await;
        let (key, next) = (Key::new("k1", 7), Key::new("k2", 8));
        let robot = robot(&node, &[&key, &next]).await;
        let id = &*robot.client.id;
        let first = key.sign(&claims(&node, &robot, "a"));
        let tokens = by(&node, &first, &[("client_id", id)]).await.ok();
        assert_eq!(tokens["scope"], "reports.read");
        by(&node, &first, &[]).await.fails("invalid_client");
        // Also by another signature of the same, and by the next key.
        by(&node, &next.sign(&claims(&node, &robot, "a")), &[]).await.fails("invalid_client");
        by(&node, &next.sign(&claims(&node, &robot, "b")), &[]).await.ok();
        let token = tokens["access_token"].as_str().unwrap();
        let look = key.sign(&claims(&node, &robot, "c"));
        let fields = [("client_assertion_type", KIND), ("client_assertion", &*look), ("token", token)];
        let found = send(&node, "POST", "/oauth2/introspect", &[], form(&fields)).await.ok();
        assert_eq!(found["active"], true);

        let now = node.now().0 / 1_000_000;
        for (place, (name, value)) in [
            ("iss", json!("cli_other")), ("iss", Value::Null), ("sub", json!("cli_other")), ("sub", Value::Null),
            ("aud", json!("https://other.example")), ("aud", json!([ISSUER, "https://other.example"])),
            ("aud", json!([])), ("aud", Value::Null), ("jti", json!("")), ("jti", Value::Null),
            ("exp", json!(now - 120)), ("exp", json!(now + 86_400)), ("exp", Value::Null),
            ("nbf", json!(now + 300)), ("iat", json!(now + 300)),
        ].into_iter().enumerate() {
            let mut said = claims(&node, &robot, &format!("w{place}"));
            said[name] = value.clone();
            let answer = by(&node, &key.sign(&said), &[]).await;
            assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (401, json!("invalid_client")), "{name} {value}");
        }
        let mut whole = claims(&node, &robot, "d");
        whole["aud"] = json!([format!("{ISSUER}/oauth2/token")]);
        by(&node, &key.sign(&whole), &[]).await.ok();
    }
}

both! {
    async fn nobody_passes_for_an_application_that_has_keys(node: Node) {
        open(&node).await;
        let key = Key::new("k1", 7);
        let (ours, other) = (robot(&node, &[&key]).await, robot(&node, &[&Key::new("k1", 9)]).await);
        let shop = app(&node, CreateClientRequest { grant_types: vec!["client_credentials".into()],
            scopes: vec!["reports.read".into()], ..shop() }).await;
        let said = claims(&node, &ours, "x");
        let hmac = EncodingKey::from_secret(key.public().to_string().as_bytes()).unwrap();
        let forged = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &said, &hmac).unwrap();
        // By the key of another, by what everybody knows, by none, or for one that has a secret.
        for assertion in [Key::new("k1", 9).sign(&said), Key::new("k9", 7).sign(&said), forged, String::from("x.y.z"),
            key.sign(&claims(&node, &other, "x")), key.sign(&claims(&node, &shop, "x"))] {
            by(&node, &assertion, &[]).await.fails("invalid_client");
        }
        let good = key.sign(&said);
        by(&node, &good, &[("client_secret", "guess")]).await.fails("invalid_client");
        by(&node, &good, &[("client_id", &shop.client.id)]).await.fails("invalid_request");
        // Nor without it, with no secret or with some.
        for secret in ["", "guess"] {
            let fields = [("grant_type", "client_credentials"), ("client_id", &*ours.client.id), ("client_secret", secret)];
            send(&node, "POST", "/oauth2/token", &[], form(&fields)).await.fails("invalid_client");
        }
        by(&node, &good, &[]).await.ok();
        let rotate = RotateClientSecretRequest { id: ours.client.id.clone() };
        assert_eq!(node.fails(&node.admin(), rotate).await.reason(), "oidc.invalid_client_metadata");
        let mut private = key.public();
        private["d"] = json!("AAAA");
        for keys in [json!({"keys": []}), json!([key.public()]), json!({"keys": [private]}),
            json!({"keys": [{"kty": "oct", "k": "AAAA"}]}), json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}), json!("x")] {
            let request = CreateClientRequest { jwks: keys.to_string(), ..crate::world::shop() };
            let error = node.fails(&node.admin(), request).await;
            assert_eq!(error.violations()[0].path, "jwks", "{keys}");
        }
        // What was taken is forgotten when it ends.
        node.advance(std::time::Duration::from_secs(300)).await;
        let left = node.rows::<(i64,)>("SELECT COUNT(*) FROM oidc_assertion WHERE tenant = :tenant /* whole: a test */").await;
        assert_eq!(left, [(0,)]);
    }
}
