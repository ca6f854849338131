//! Clients of Vault: what they may, and what is kept of what they ask. `stoa/tests/it/vault.py` is one.

use stoa_kit::v1::HttpRequest;
use stoa_kit::{Caller, Service};
use stoa_secrets_v1::ServeVaultRequest;
use stoa_testkit::{Node, both};

/// `canary of a client`, as clients send it.
const TEXT: &str = "Y2FuYXJ5IG9mIGEgY2xpZW50";

fn services() -> Vec<Service> {
    crate::services()
}

fn posting(path: &str, body: &str) -> ServeVaultRequest {
    let http = HttpRequest {
        method: "POST".into(),
        path: format!("/vault/v1/transit/{path}"),
        body: body.into(),
        ..HttpRequest::default()
    };
    ServeVaultRequest { http: http.into() }
}

/// The status and the body of an answer.
async fn post(node: &Node, caller: &Caller, path: &str, body: &str) -> (i32, String) {
    let answer = node.call(caller, posting(path, body)).await.unwrap().http;
    (answer.status, String::from_utf8(answer.body.clone()).unwrap())
}

both! {
    async fn each_request_takes_the_permission_of_what_it_stands_for(node: Node) {
        let server = node.account_with("svc_1", &["secrets.vault.serve", "secrets.keys.create"]);
        assert_eq!(post(&node, &server, "keys/k", "{}").await.0, 200);
        let one = format!(r#"{{"plaintext":"{TEXT}"}}"#);
        for path in ["encrypt/k", "decrypt/k", "keys/k/rotate", "keys/k/config", "sign/k"] {
            let (status, body) = post(&node, &server, path, &one).await;
            assert_eq!(status, 403, "{path}: {body}");
            assert!(body.starts_with(r#"{"errors":["#), "{body}");
        }
        let user = node.account_with("svc_1", &["secrets.keys.*"]);
        let error = node.fails(&user, posting("encrypt/k", &one)).await;
        assert_eq!(error.reason(), "auth.permission_denied");
        let both = node.account_with("svc_1", &["secrets.vault.serve", "secrets.keys.encrypt"]);
        assert_eq!(post(&node, &both, "encrypt/k", &one).await.0, 200);
    }
}

both! {
    async fn a_nonce_is_refused_and_a_batch_fails_by_item(node: Node) {
        let admin = node.admin();
        post(&node, &admin, "keys/k", "{}").await;
        for body in [
            format!(r#"{{"plaintext":"{TEXT}","nonce":"AAAAAAAAAAAAAAAA"}}"#),
            format!(r#"{{"batch_input":[{{"plaintext":"{TEXT}","nonce":"AAAAAAAAAAAAAAAA"}}]}}"#),
        ] {
            let (status, said) = post(&node, &admin, "encrypt/k", &body).await;
            assert!(status == 400 && said.contains("nonce"), "{status} {said}");
        }
        let batch = format!(
            r#"{{"batch_input":[{{"plaintext":"{TEXT}"}},{{"plaintext":"{TEXT}","key_version":2}}]}}"#
        );
        let (status, said) = post(&node, &admin, "encrypt/k", &batch).await;
        assert!(status == 400 && said.contains("vault:v1:") && said.contains(r#"{"error":"#), "{said}");
    }
}

both! {
    async fn what_a_client_decrypts_is_not_kept(node: Node) {
        let admin = node.admin();
        post(&node, &admin, "keys/k", "{}").await;
        let (_, said) = post(&node, &admin, "encrypt/k", &format!(r#"{{"plaintext":"{TEXT}"}}"#)).await;
        let ciphertext = said.split('"').find(|part| part.starts_with("vault:")).unwrap();
        let request = posting("decrypt/k", &format!(r#"{{"ciphertext":"{ciphertext}"}}"#));
        let answer = node.call_with_key(&admin, "one", request.clone()).await.unwrap();
        assert!(String::from_utf8_lossy(&answer.http.body).contains(TEXT));
        let again = node.call_with_key(&admin, "one", request).await.unwrap_err();
        assert_eq!(again.reason(), "idempotency.withheld");
        node.settle().await;
        let texts = [TEXT, "canary of a client"];
        let on_disk = node.first_on_disk(texts.iter().map(|text| text.as_bytes())).await;
        assert_eq!(on_disk, None);
    }
}
