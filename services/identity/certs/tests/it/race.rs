//! Many do at once what one may do once.

use futures::future::join_all;
use serde_json::json;
use stoa_certs_v1::*;
use stoa_kit::Service;
use stoa_testkit::both;
use x509_cert::der::{DecodePem as _, Encode as _};
use x509_cert::request::CertReq;

use crate::client::*;
use crate::world::*;

const RIVALS: usize = 32;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn of_many_who_use_a_nonce_or_an_order_one_does(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        proving(&node, &client.thumbprint);
        // Several names, which are looked at at once, make one order ready.
        let names: Vec<_> = (0..8).map(|turn| format!("a{turn}.example")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let (url, order) = client.order(&node, &names).await;
        client.prove(&node, &order).await;
        let told = client.get(&node, &url).await.json();
        assert_eq!(told["status"], "ready", "{told}");

        let spends = (0..RIVALS).map(async |_| {
            let spend = SpendNonceRequest { nonce: client.nonce.clone() };
            node.call(&node.system(), spend).await
        });
        let spent = join_all(spends).await;
        assert_eq!(spent.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        let order_id = url.rsplit('/').next().unwrap().to_owned();
        let csr = CertReq::from_pem(csr(&names).1).unwrap().to_der().unwrap();
        let finishes = (0..RIVALS).map(async |turn| {
            let sign = SignCertificateRequest {
                authority_id: authority.id.clone(),
                csr: csr.clone(),
                serial: vec![0x40 + turn as u8; 16],
                ttl_seconds: 0,
                order_id: order_id.clone(),
            };
            let certificate = node.call(&node.system(), sign).await?.certificate;
            let store = StoreCertificateRequest { certificate, order_id: order_id.clone() };
            node.call(&node.system(), store).await
        });
        let finished = join_all(finishes).await;
        assert_eq!(finished.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for error in finished.into_iter().filter_map(Result::err) {
            assert_eq!(error.reason(), "certs.order_not_ready");
        }
        let all = node.call(&node.admin(), ListCertificatesRequest::default()).await.unwrap();
        assert_eq!(all.certificates.len(), 1);
        client.nonce = client.new_nonce(&node).await;
        assert_eq!(client.get(&node, &url).await.json()["status"], json!("valid"));
    }
}

both! {
    async fn lists_that_many_ask_for_are_signed_once(node: Node) {
        let authority = authority(&node).await;
        let issued = issue(&node, &authority, &["a.example"]).await.certificate;
        let before = crl(&node, &issued.root_id).await.number();
        revoke(&node, &issued.serial, RevocationReason::Superseded).await;
        let lists = join_all((0..RIVALS).map(|_| crl(&node, &issued.root_id))).await;
        for list in lists {
            assert_eq!((list.number(), list.serials().len()), (before + 1, 1));
        }
    }
}
