//! Whatever is sent is answered or refused, and never by a fault: odd payloads under a good signature, requests
//! for certificates that were right once, and bytes that are nothing.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::json;
use stoa_certs_v1::*;
use stoa_kit::{Code, Service};
use stoa_testkit::both;
use stoa_testkit::fuzz::{self, Random};
use x509_cert::der::{DecodePem as _, Encode as _};
use x509_cert::request::CertReq;

use crate::client::*;
use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn whatever_comes_by_acme_is_answered_or_refused(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        proving(&node, &client.thumbprint);
        let (order, told) = client.order(&node, &["a.example"]).await;
        client.prove(&node, &told).await;
        let authorization = told["authorizations"][0].as_str().unwrap().to_owned();
        let (_, chain) = client.obtain(&node, &["b.example"]).await;
        let certificate = BASE64.encode(read(&chain).to_der().unwrap());
        let paths = [
            "new-account".to_owned(), "new-order".into(), "revoke-cert".into(), "key-change".into(),
            client.account.clone(), format!("{}/orders", client.account), order.clone(),
            format!("{order}/finalize"), authorization.clone(),
            authorization.replace("/authz/", "/challenge/"), "cert/00".into(), "nothing".into(), "".into(),
        ];
        let payloads = [
            json!({"termsOfServiceAgreed": true, "contact": ["mailto:ada@example.com"]}),
            json!({"identifiers": [{"type": "dns", "value": "a.example"}]}),
            json!({"certificate": certificate, "reason": 6}),
            json!({"account": client.account, "oldKey": client.jwk}),
            json!({"protected": "e30", "payload": "", "signature": ""}),
            finalize(&csr(&["c.example"]).1),
            json!({"status": "valid"}),
            json!({}),
        ];
        let mut random = Random::new(fuzz::seed());
        for _ in 0..fuzz::cases(150) {
            let (path, payload) = (random.one(&paths).clone(), random.one(&payloads).clone());
            let payload = fuzz::message(&mut random, &payload);
            let url = client.url(&path);
            let mut header = client.header(&url);
            if random.below(4) == 0 {
                header = fuzz::message(&mut random, &header);
            }
            let mut body = sign(&client.key, &header, &payload);
            if random.below(4) == 0 {
                fuzz::bytes(&mut random, &mut body);
            }
            let headers = [("content-type", "application/jose+json")];
            let answer = send(&node, "POST", &url, &headers, body).await;
            assert!(answer.status.as_u16() < 500, "{path} {header} {payload}: {answer:?}");
            let nonce = answer.header("replay-nonce");
            if !nonce.is_empty() {
                nonce.clone_into(&mut client.nonce);
            }
            node.settle().await;
        }
    }
}

both! {
    async fn whatever_is_asked_to_be_signed_is_signed_or_refused(node: Node) {
        let authority = authority(&node).await;
        let good = [&["a.example"][..], &["*.a.example", "192.0.2.1", "2001:db8::1"], &["spiffe://shop.example/a"]];
        let mut random = Random::new(fuzz::seed());
        for _ in 0..fuzz::cases(150) {
            let mut csr = CertReq::from_pem(csr(good[random.below(good.len())]).1).unwrap().to_der().unwrap();
            for _ in 0..=random.below(3) {
                fuzz::bytes(&mut random, &mut csr);
            }
            let request = SignCertificateRequest {
                authority_id: authority.id.clone(),
                csr: csr.clone(),
                serial: vec![1; 16],
                ..SignCertificateRequest::default()
            };
            if let Err(error) = node.call(&node.system(), request).await {
                assert_ne!(error.code(), Code::Internal, "{}", hex(&csr));
            }
        }
    }
}
