//! ACME (RFC 8555), by a client that also does what none should.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rcgen::KeyPair;
use serde_json::{Value, json};
use stoa_certs_v1::*;
use stoa_kit::{Code, Error, Service};
use stoa_testkit::{answer, both};
use x509_cert::der::Encode as _;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;

use crate::client::*;
use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn an_order_goes_from_names_to_a_certificate(node: Node) {
        let authority = authority(&node).await;
        let directory = send(&node, "GET", &format!("/acme/{}/directory", authority.id), &[], Vec::new()).await.json();
        assert_eq!(directory["newOrder"], format!("{ADDRESS}/acme/{}/new-order", authority.id));
        let mut client = Client::registered(&node, &authority).await;
        let (_, chain) = client.obtain(&node, &["www.Shop.example", "shop.example"]).await;
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);
        let all = node.call(&node.admin(), ListCertificatesRequest::default()).await.unwrap();
        let [kept] = &all.certificates[..] else { panic!("one certificate") };
        assert_eq!(kept.names, ["shop.example", "www.shop.example"]);
        assert!(chain.starts_with(&kept.certificate));
        let asked: Vec<_> = node.asked().iter().map(|asked| asked.request.uri().host().unwrap().to_owned()).collect();
        assert_eq!(asked.len(), 2);
        // The account sees its order, and an order is good for one certificate.
        let listed = client.get(&node, &format!("{}/orders", client.account.clone())).await.json();
        let order = listed["orders"][0].as_str().unwrap().to_owned();
        let (_, csr) = csr(&["shop.example", "www.shop.example"]);
        let again = client.post(&node, &format!("{order}/finalize"), &finalize(&csr)).await;
        fails(&again, 403, "orderNotReady");
    }
}

both! {
    async fn the_names_of_a_request_are_those_of_the_order(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        proving(&node, &client.thumbprint);
        let (_, order) = client.order(&node, &["a.example", "b.example"]).await;
        let finish = order["finalize"].as_str().unwrap();
        let good = csr(&["b.example", "a.example"]).1;
        fails(&client.post(&node, finish, &finalize(&good)).await, 403, "orderNotReady");
        client.prove(&node, &order).await;
        for names in [
            &["a.example"][..],
            &["a.example", "b.example", "c.example"],
            &["a.example", "c.example"],
            &["*.example", "a.example"],
            &["a.example", "b.example", "192.0.2.1"],
        ] {
            let refused = client.post(&node, finish, &finalize(&csr(names).1)).await;
            fails(&refused, 400, "badCSR");
        }
        assert_eq!(client.post(&node, finish, &finalize(&good)).await.json()["status"], "valid");
    }
}

both! {
    async fn a_nonce_is_good_once_on_every_node_and_after_a_restart(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        let kept = client.new_nonce(&node).await;
        let other = client.new_nonce(&node).await;
        let spent = client.nonce.clone();
        assert_eq!(client.get(&node, &client.account.clone()).await.status, 200);
        let next = node.crash(services()).await;
        client.nonce = spent.clone();
        let refused = client.get(&next, &client.account.clone()).await;
        fails(&refused, 400, "badNonce");
        // What came with the refusal is good, and so is what was made before the restart.
        assert_eq!(client.get(&next, &client.account.clone()).await.status, 200);
        client.nonce = kept.clone();
        assert_eq!(client.get(&next, &client.account.clone()).await.status, 200);
        client.nonce = kept;
        fails(&client.get(&next, &client.account.clone()).await, 400, "badNonce");
        client.nonce = "AAAA".into();
        fails(&client.get(&next, &client.account.clone()).await, 400, "badNonce");
        next.advance(HOUR).await;
        client.nonce = other;
        fails(&client.get(&next, &client.account.clone()).await, 400, "badNonce");
        // Strangers who ask for nonces write nothing.
        let before = next.kept().await;
        client.new_nonce(&next).await;
        assert!(next.kept().await == before);
    }
}

both! {
    async fn what_is_not_proved_is_refused_and_says_why(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        let told = |kind: &str| format!("{PROBLEM}{kind}");
        let thumbprint = client.thumbprint.clone();
        for (status, body, kind) in [
            (200, "something else".to_owned(), "unauthorized"),
            (404, String::new(), "unauthorized"),
            (200, format!("x.{thumbprint}"), "unauthorized"),
            (302, String::new(), "incorrectResponse"),
        ] {
            node.web(move |_| Ok(answer(status, &[("location", "http://a.example/again")], body.clone())));
            let (url, order) = client.order(&node, &["a.example"]).await;
            client.prove(&node, &order).await;
            let order = client.get(&node, &url).await.json();
            assert_eq!((&order["status"], &order["error"]["type"]), (&json!("invalid"), &json!(told(kind))));
            let authorization = client.get(&node, order["authorizations"][0].as_str().unwrap()).await.json();
            assert_eq!(authorization["status"], "invalid");
            assert_eq!(authorization["challenges"][0]["error"]["type"], told(kind));
        }
        for (reason, kind) in [
            ("http.no_address", "dns"),
            ("http.unreachable", "connection"),
            ("http.refused_host", "rejectedIdentifier"),
        ] {
            node.web(move |_| Err(Error::new(Code::FailedPrecondition, reason, "no")));
            let (url, order) = client.order(&node, &["a.example"]).await;
            client.prove(&node, &order).await;
            let order = client.get(&node, &url).await.json();
            assert_eq!(order["error"]["type"], told(kind));
            let finish = order["finalize"].as_str().unwrap();
            fails(&client.post(&node, finish, &finalize(&csr(&["a.example"]).1)).await, 403, "orderNotReady");
        }
        let all = node.call(&node.admin(), ListCertificatesRequest::default()).await.unwrap();
        assert!(all.certificates.is_empty());
    }
}

both! {
    async fn what_somebody_else_signed_or_for_something_else_is_refused(node: Node) {
        let authority = authority(&node).await;
        let mut ada = Client::registered(&node, &authority).await;
        let mut eve = Client::registered(&node, &authority).await;
        let (order, told) = ada.order(&node, &["a.example"]).await;
        let url = ada.url("new-order");
        let payload = json!({"identifiers": [{"type": "dns", "value": "a.example"}]});
        // Eve's key under ada's name.
        let header = json!({"alg": "ES256", "nonce": eve.nonce, "url": url, "kid": ada.account});
        let forged = sign(&eve.key, &header, &payload);
        fails(&eve.send(&node, &url, forged).await, 400, "malformed");
        // Another payload under the same signature.
        let mut changed: Value = serde_json::from_slice(&sign(&eve.key, &eve.header(&url), &payload)).unwrap();
        changed["payload"] = BASE64.encode(payload.to_string().replace("a.e", "b.e")).into();
        fails(&eve.send(&node, &url, changed.to_string().into_bytes()).await, 400, "malformed");
        // Signed for another address.
        let body = sign(&eve.key, &eve.header(&eve.url("new-account")), &payload);
        fails(&eve.send(&node, &url, body).await, 403, "unauthorized");
        // What is ada's is not eve's to see, prove or use.
        for path in [&order, told["authorizations"][0].as_str().unwrap()] {
            fails(&eve.get(&node, path).await, 404, "malformed");
        }
        let challenge = told["authorizations"][0].as_str().unwrap().replace("/authz/", "/challenge/");
        fails(&eve.post(&node, &challenge, &json!({})).await, 404, "malformed");
        fails(&eve.post(&node, &format!("{order}/finalize"), &finalize(&csr(&["a.example"]).1)).await, 404, "malformed");
        fails(&eve.get(&node, &ada.account).await, 403, "unauthorized");
        // Algorithms that are none, or not the key's, and headers that are both or neither.
        let mut headers = Vec::new();
        for (name, value) in [("alg", json!("none")), ("alg", json!("HS256")), ("alg", json!("RS256"))] {
            let mut header = eve.header(&url);
            header[name] = value;
            headers.push((header, "badSignatureAlgorithm"));
        }
        for (name, value) in [("jwk", eve.jwk.clone()), ("kid", Value::Null), ("crit", json!(["b64"]))] {
            let mut header = eve.header(&url);
            header[name] = value;
            headers.push((header, "malformed"));
        }
        let mut header = eve.header(&url);
        header["kid"] = format!("{}x", eve.account).into();
        headers.push((header, "accountDoesNotExist"));
        for (header, kind) in headers {
            let refused = eve.send(&node, &url, sign(&eve.key, &header, &payload)).await;
            fails(&refused, 400, kind);
            if kind == "badSignatureAlgorithm" {
                assert_eq!(refused.json()["algorithms"], json!(["ES256", "RS256", "EdDSA"]));
            }
        }
        let plain = send(&node, "POST", &url, &[("content-type", "application/json")], Vec::new()).await;
        fails(&plain, 400, "malformed");
        // Short keys, and such as are none.
        for jwk in [
            json!({"kty": "RSA", "n": BASE64.encode([0xff; 128]), "e": "AQAB"}),
            json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}),
            json!({"kty": "oct", "k": "AAAA"}),
        ] {
            let header = json!({"alg": "ES256", "nonce": eve.nonce, "url": eve.url("new-account"), "jwk": jwk});
            let (url, body) = (eve.url("new-account"), sign(&eve.key, &header, &json!({})));
            fails(&eve.send(&node, &url, body).await, 400, "badPublicKey");
        }
    }
}

both! {
    async fn identifiers_are_names_of_hosts(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        for (kind, value, error) in [
            ("dns", "*.shop.example", "rejectedIdentifier"),
            ("dns", "192.0.2.1", "rejectedIdentifier"),
            ("dns", "shop.example:80", "rejectedIdentifier"),
            ("dns", "shop.example/../x", "rejectedIdentifier"),
            ("dns", "", "rejectedIdentifier"),
            ("ip", "192.0.2.1", "unsupportedIdentifier"),
        ] {
            let order = json!({"identifiers": [{"type": kind, "value": value}]});
            fails(&client.post(&node, "new-order", &order).await, 400, error);
        }
        fails(&client.post(&node, "new-order", &json!({"identifiers": []})).await, 400, "malformed");
        let dated = json!({"identifiers": [{"type": "dns", "value": "a.example"}], "notAfter": "2030-01-01T00:00:00Z"});
        fails(&client.post(&node, "new-order", &dated).await, 400, "malformed");
    }
}

both! {
    async fn an_account_is_its_key_which_can_be_changed(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        let account = std::mem::take(&mut client.account);
        let known = client.post(&node, "new-account", &json!({"onlyReturnExisting": true})).await;
        assert_eq!((known.status.as_u16(), known.header("location")), (200, &*account));
        let mut nobody = Client::new(&node, &authority).await;
        let asked = nobody.post(&node, "new-account", &json!({"onlyReturnExisting": true})).await;
        fails(&asked, 400, "accountDoesNotExist");
        let asked = nobody.post(&node, "new-account", &json!({"contact": ["tel:+46"]})).await;
        fails(&asked, 400, "unsupportedContact");
        client.account = account.clone();
        let url = client.url("key-change");
        let next = KeyPair::generate().unwrap();
        let (jwk, thumbprint) = public(&next);
        let inner = |key: &KeyPair, url: &str, old: &Value| {
            let header = json!({"alg": "ES256", "url": url, "jwk": public(key).0});
            let text = sign(key, &header, &json!({"account": account, "oldKey": old}));
            serde_json::from_slice::<Value>(&text).unwrap()
        };
        // A key that somebody else has, another address, another old key.
        let mut other = Client::registered(&node, &authority).await;
        for (wrong, status) in [
            (inner(&other.key, &url, &client.jwk), 409),
            (inner(&next, &client.url("new-order"), &client.jwk), 400),
            (inner(&next, &url, &jwk), 400),
        ] {
            let refused = client.post(&node, "key-change", &wrong).await;
            fails(&refused, status, "malformed");
        }
        let good = inner(&next, &url, &client.jwk);
        assert_eq!(client.post(&node, "key-change", &good).await.status, 200);
        fails(&client.get(&node, &account).await, 400, "malformed");
        (client.key, client.jwk, client.thumbprint) = (next, jwk, thumbprint);
        assert_eq!(client.get(&node, &account).await.status, 200);
        client.obtain(&node, &["a.example"]).await;
        // Who let go of an account does nothing by it any more.
        let ended = client.post(&node, &account, &json!({"status": "deactivated"})).await;
        assert_eq!(ended.json()["status"], "deactivated");
        fails(&client.get(&node, &account).await, 403, "unauthorized");
        assert_eq!(other.get(&node, &other.account.clone()).await.status, 200);
    }
}

both! {
    async fn a_certificate_is_revoked_by_its_account_its_key_or_who_has_the_names(node: Node) {
        let authority = authority(&node).await;
        let mut ada = Client::registered(&node, &authority).await;
        let mut eve = Client::registered(&node, &authority).await;
        let body = |chain: &str, reason: i64| {
            json!({"certificate": BASE64.encode(read(chain).to_der().unwrap()), "reason": reason})
        };
        let (_, chain) = ada.obtain(&node, &["a.example"]).await;
        fails(&eve.post(&node, "revoke-cert", &body(&chain, 0)).await, 403, "unauthorized");
        fails(&ada.post(&node, "revoke-cert", &body(&chain, 6)).await, 400, "badRevocationReason");
        assert_eq!(ada.post(&node, "revoke-cert", &body(&chain, 4)).await.status, 200);
        fails(&ada.post(&node, "revoke-cert", &body(&chain, 4)).await, 400, "alreadyRevoked");
        let all = node.call(&node.admin(), ListCertificatesRequest::default()).await.unwrap();
        let serial = all.certificates[0].serial.clone();
        assert!(crl(&node, &all.certificates[0].root_id).await.serials().contains(&serial));
        // Whoever has its key, and no account.
        let (key, chain) = ada.obtain(&node, &["a.example"]).await;
        let url = ada.url("revoke-cert");
        let mut thief = Client::new(&node, &authority).await;
        fails(&thief.post(&node, "revoke-cert", &body(&chain, 1)).await, 403, "unauthorized");
        (thief.jwk, thief.key) = (public(&key).0, key);
        assert_eq!(thief.post(&node, &url, &body(&chain, 1)).await.status, 200);
        // Whoever proved since that the names are theirs.
        let (_, chain) = ada.obtain(&node, &["a.example"]).await;
        eve.obtain(&node, &["a.example"]).await;
        assert_eq!(eve.post(&node, "revoke-cert", &body(&chain, 0)).await.status, 200);
        // What another authority signed is none of this one's.
        let foreign = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap().cert.pem();
        fails(&eve.post(&node, "revoke-cert", &body(&foreign, 0)).await, 403, "unauthorized");
    }
}

both! {
    async fn clients_are_told_when_to_renew(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        let (_, chain) = client.obtain(&node, &["a.example"]).await;
        let certificate = read(&chain);
        let said = certificate.tbs_certificate();
        let (_, signer) = said.get_extension::<AuthorityKeyIdentifier>().unwrap().unwrap();
        let key = BASE64.encode(signer.key_identifier.unwrap().as_bytes());
        let id = format!("{key}.{}", BASE64.encode(said.serial_number().as_bytes()));
        let path = format!("{}/renewal-info/{id}", client.base);
        let window = async || {
            let answer = send(&node, "GET", &path, &[], Vec::new()).await;
            assert_eq!(answer.header("retry-after"), "21600");
            let window = answer.json()["suggestedWindow"].clone();
            ["start", "end"].map(|name| window[name].as_str().unwrap().to_owned())
        };
        let now = || said.validity().not_before.to_date_time().to_string();
        let end = said.validity().not_after.to_date_time().to_string();
        let [start, last] = window().await;
        assert!(now() < start && start < last && last < end, "{start} {last} {end}");
        // With its root it is to go at once.
        let request = RetireRootRequest { id: bundle(&node, &authority).await.roots[0].id.clone() };
        node.call(&node.admin(), request).await.unwrap();
        let [start, last] = window().await;
        assert!(start < last && last < now(), "{start} {last}");
        for none in ["x", ".", "AA.AA", "AA."] {
            let path = format!("{}/renewal-info/{none}", client.base);
            fails(&send(&node, "GET", &path, &[], Vec::new()).await, 404, "malformed");
        }
    }
}

both! {
    async fn an_authority_that_is_not_open_looks_as_if_it_was_not_there(node: Node) {
        let open = authority(&node).await;
        let mut client = Client::registered(&node, &open).await;
        let update = UpdateAuthorityRequest {
            id: open.id.clone(),
            update_mask: serde_json::from_value::<_>(json!("acmeOpen")).unwrap(),
            ..UpdateAuthorityRequest::default()
        };
        node.call(&node.admin(), update).await.unwrap();
        let none = send(&node, "GET", "/acme/cau_none/directory", &[], Vec::new()).await;
        let closed = send(&node, "GET", &format!("/acme/{}/directory", open.id), &[], Vec::new()).await;
        fails(&none, 404, "malformed");
        assert_eq!((closed.status, closed.body), (none.status, none.body));
        let url = client.url("new-order");
        let body = sign(&client.key, &client.header(&url), &json!({}));
        let headers = [("content-type", "application/jose+json")];
        fails(&send(&node, "POST", &url, &headers, body).await, 404, "malformed");
        client.nonce.clear();
    }
}

both! {
    async fn too_many_orders_that_nothing_comes_of_are_refused(node: Node) {
        let authority = authority(&node).await;
        let mut client = Client::registered(&node, &authority).await;
        let id = client.account.rsplit('/').next().unwrap().to_owned();
        for turn in 0..300 {
            let request =
                CreateOrderRequest { account_id: id.clone(), names: vec![format!("a{turn}.example")] };
            node.call(&node.system(), request).await.unwrap();
        }
        let order = json!({"identifiers": [{"type": "dns", "value": "a.example"}]});
        let refused = client.post(&node, "new-order", &order).await;
        fails(&refused, 429, "rateLimited");
        assert!(!refused.header("retry-after").is_empty());
        node.advance(7 * DAY + 2 * HOUR).await;
        client.nonce = client.new_nonce(&node).await;
        client.order(&node, &["a.example"]).await;
    }
}
