//! Somebody who speaks ACME, and may do what none should.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::KeyPair;
use serde_json::{Value, json};
use stoa_certs_v1::Authority;
use stoa_testkit::{Node, answer};
use x509_cert::der::{DecodePem as _, Encode as _};
use x509_cert::request::CertReq;

use crate::world::*;

/// What the types of problems begin with.
pub(crate) const PROBLEM: &str = "urn:ietf:params:acme:error:";

/// Somebody who speaks ACME: a key, and an account once there is one.
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) key: KeyPair,
    pub(crate) jwk: Value,
    pub(crate) thumbprint: String,
    pub(crate) account: String,
    pub(crate) nonce: String,
}

impl Client {
    pub(crate) async fn new(node: &Node, authority: &Authority) -> Self {
        let base = format!("{ADDRESS}/acme/{}", authority.id);
        let key = KeyPair::generate().unwrap();
        let (jwk, thumbprint) = public(&key);
        let mut client =
            Self { base, key, jwk, thumbprint, account: String::new(), nonce: String::new() };
        client.nonce = client.new_nonce(node).await;
        client
    }

    pub(crate) async fn registered(node: &Node, authority: &Authority) -> Self {
        let mut client = Self::new(node, authority).await;
        let made = client.post(node, "new-account", &json!({"termsOfServiceAgreed": true})).await;
        assert_eq!(made.status, 201, "{made:?}");
        client.account = made.header("location").to_owned();
        client
    }

    pub(crate) async fn new_nonce(&self, node: &Node) -> String {
        let path = format!("{}/new-nonce", self.base);
        let answer = send(node, "HEAD", &path, &[], Vec::new()).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.header("replay-nonce").to_owned()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with("https:") { path.to_owned() } else { format!("{}/{path}", self.base) }
    }

    /// What names the key: itself, until there is an account.
    pub(crate) fn header(&self, url: &str) -> Value {
        let mut header = json!({"alg": "ES256", "nonce": self.nonce, "url": url});
        match &*self.account {
            "" => header["jwk"] = self.jwk.clone(),
            account => header["kid"] = account.into(),
        }
        header
    }

    pub(crate) async fn post(&mut self, node: &Node, path: &str, payload: &Value) -> Answer {
        let url = self.url(path);
        let body = sign(&self.key, &self.header(&url), payload);
        self.send(node, &url, body).await
    }

    pub(crate) async fn get(&mut self, node: &Node, path: &str) -> Answer {
        self.post(node, path, &Value::Null).await
    }

    pub(crate) async fn send(&mut self, node: &Node, url: &str, body: Vec<u8>) -> Answer {
        let headers = [("content-type", "application/jose+json")];
        let answer = send(node, "POST", url, &headers, body).await;
        answer.header("replay-nonce").clone_into(&mut self.nonce);
        assert!(!self.nonce.is_empty(), "{answer:?}");
        answer
    }

    /// An order for names.
    pub(crate) async fn order(&mut self, node: &Node, names: &[&str]) -> (String, Value) {
        let identifiers: Vec<_> =
            names.iter().map(|name| json!({"type": "dns", "value": name})).collect();
        let made = self.post(node, "new-order", &json!({"identifiers": identifiers})).await;
        assert_eq!(made.status, 201, "{made:?}");
        (made.header("location").to_owned(), made.json())
    }

    /// Says of all that is to be proved that the proof is there, and lets it be looked at.
    pub(crate) async fn prove(&mut self, node: &Node, order: &Value) {
        for authorization in order["authorizations"].as_array().unwrap() {
            let told = self.get(node, authorization.as_str().unwrap()).await.json();
            let url = told["challenges"][0]["url"].as_str().unwrap();
            let begun = self.post(node, url, &json!({})).await;
            assert_eq!(begun.json()["status"], "processing", "{begun:?}");
            assert!(
                begun
                    .headers
                    .get_all("link")
                    .iter()
                    .any(|link| link.to_str().unwrap().ends_with("\"up\""))
            );
        }
        node.settle().await;
    }

    /// A certificate for names, and its key.
    pub(crate) async fn obtain(&mut self, node: &Node, names: &[&str]) -> (KeyPair, String) {
        proving(node, &self.thumbprint);
        let (url, order) = self.order(node, names).await;
        self.prove(node, &order).await;
        assert_eq!(self.get(node, &url).await.json()["status"], "ready");
        let (key, csr) = csr(names);
        let done =
            self.post(node, order["finalize"].as_str().unwrap(), &finalize(&csr)).await.json();
        assert_eq!(done["status"], "valid", "{done}");
        let got = self.get(node, done["certificate"].as_str().unwrap()).await;
        assert_eq!(got.header("content-type"), "application/pem-certificate-chain");
        (key, String::from_utf8(got.body).unwrap())
    }
}

/// The public half of a key, and its thumbprint.
pub(crate) fn public(key: &KeyPair) -> (Value, String) {
    let jwk =
        Jwk::from_encoding_key(&EncodingKey::from_ec_der(&key.serialize_der()), Algorithm::ES256);
    let mut jwk = jwk.unwrap();
    let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).unwrap();
    jwk.common = Default::default();
    (serde_json::to_value(&jwk).unwrap(), thumbprint)
}

/// A text signed by a key; without a payload where that is null.
pub(crate) fn sign(key: &KeyPair, header: &Value, payload: &Value) -> Vec<u8> {
    let protected = BASE64.encode(header.to_string());
    let payload =
        if payload.is_null() { String::new() } else { BASE64.encode(payload.to_string()) };
    let text = format!("{protected}.{payload}");
    let by = EncodingKey::from_ec_der(&key.serialize_der());
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &by, Algorithm::ES256).unwrap();
    json!({"protected": protected, "payload": payload, "signature": signature})
        .to_string()
        .into_bytes()
}

pub(crate) fn finalize(csr: &str) -> Value {
    json!({"csr": BASE64.encode(CertReq::from_pem(csr).unwrap().to_der().unwrap())})
}

/// Every host proves for an account.
pub(crate) fn proving(node: &Node, thumbprint: &str) {
    let thumbprint = thumbprint.to_owned();
    node.web(move |asked| {
        let path = asked.request.uri().path();
        let token = path.strip_prefix("/.well-known/acme-challenge/").unwrap();
        Ok(answer(200, &[], format!("{token}.{thumbprint}\n")))
    });
}

#[track_caller]
pub(crate) fn fails(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["type"], format!("{PROBLEM}{kind}"), "{answer:?}");
}
