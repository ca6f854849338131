//! Keys encrypt, sign and authenticate for whoever may, and are seen by nobody.

use stoa_kit::{Error, Result, Service};
use stoa_secrets_v1::*;
use stoa_testkit::{Node, both};

const TEXT: &[u8] = b"canary of a plaintext";

fn services() -> Vec<Service> {
    crate::services()
}

fn named(name: &str) -> CreateKeyRequest {
    CreateKeyRequest { name: name.into(), ..CreateKeyRequest::default() }
}

/// A key by which equal texts of a context look equal.
fn convergent(name: &str) -> CreateKeyRequest {
    CreateKeyRequest { derived: true, convergent_encryption: true, ..named(name) }
}

async fn create(node: &Node, request: CreateKeyRequest) -> Key {
    (*node.call(&node.admin(), request).await.unwrap().key).clone()
}

async fn rotate(node: &Node, name: &str) -> Key {
    let request = RotateKeyRequest { name: name.into() };
    (*node.call(&node.admin(), request).await.unwrap().key).clone()
}

async fn update(node: &Node, request: UpdateKeyRequest) -> Result<Key> {
    node.call(&node.admin(), request).await.map(|reply| (*reply.key).clone())
}

fn text(plaintext: &[u8]) -> EncryptItem {
    EncryptItem { plaintext: plaintext.into(), ..EncryptItem::default() }
}

async fn encrypt_all(node: &Node, name: &str, items: Vec<EncryptItem>) -> Vec<EncryptedOutcome> {
    let request = EncryptRequest { name: name.into(), items };
    let reply = node.call(&node.admin(), request).await.unwrap();
    reply.results.into_iter().map(|result| result.outcome.unwrap()).collect()
}

async fn encrypt(node: &Node, name: &str, item: EncryptItem) -> String {
    told(encrypt_all(node, name, vec![item]).await.remove(0))
}

fn told(outcome: EncryptedOutcome) -> String {
    match outcome {
        EncryptedOutcome::Ciphertext(ciphertext) => ciphertext,
        EncryptedOutcome::Failure(failure) => panic!("{failure:?}"),
    }
}

fn sealed(ciphertext: &str) -> DecryptItem {
    DecryptItem { ciphertext: ciphertext.into(), ..DecryptItem::default() }
}

/// What a text was, or the reason for which it is not told.
async fn decrypt(node: &Node, name: &str, item: DecryptItem) -> Result<Vec<u8>, String> {
    let request = DecryptRequest { name: name.into(), items: vec![item] };
    let mut reply = node.call(&node.admin(), request).await.unwrap();
    match reply.results.remove(0).outcome.unwrap() {
        DecryptedOutcome::Plaintext(plaintext) => Ok(plaintext),
        DecryptedOutcome::Failure(failure) => Err(failure.reason),
    }
}

async fn rewrap(node: &Node, name: &str, item: RewrapItem) -> String {
    let request = RewrapRequest { name: name.into(), items: vec![item] };
    let mut reply = node.call(&node.admin(), request).await.unwrap();
    told(reply.results.remove(0).outcome.unwrap())
}

both! {
    async fn a_text_opens_with_what_it_was_encrypted_with_and_with_nothing_else(node: Node) {
        for (name, kind) in [("aes", KeyType::Aes256Gcm96), ("cha", KeyType::Chacha20Poly1305)] {
            create(&node, CreateKeyRequest { r#type: kind.into(), ..named(name) }).await;
            let item = EncryptItem { associated_data: b"order-1".to_vec(), ..text(TEXT) };
            let ciphertext = encrypt(&node, name, item).await;
            let whole = DecryptItem { associated_data: b"order-1".to_vec(), ..sealed(&ciphertext) };
            assert_eq!(decrypt(&node, name, whole.clone()).await.unwrap(), TEXT);
            let refused = Err("secrets.wrong_ciphertext".to_owned());
            let other = DecryptItem { associated_data: b"order-2".to_vec(), ..whole.clone() };
            assert_eq!(decrypt(&node, name, other).await, refused);
            for wrong in ["", "vault:v1:", "vault:v0:AAAA", "vault:v+1:AAAA", "vault:v1:-", &ciphertext[1..]] {
                assert_eq!(decrypt(&node, name, sealed(wrong)).await, refused, "{wrong}");
            }
            let version = sealed(&ciphertext.replace(":v1:", ":v2:"));
            assert_eq!(decrypt(&node, name, version).await.unwrap_err(), "secrets.wrong_version");
            create(&node, CreateKeyRequest { r#type: kind.into(), ..named("other") }).await;
            assert_eq!(decrypt(&node, "other", whole).await, refused);
            let allowed = UpdateKeyRequest {
                name: "other".into(), deletion_allowed: true, ..UpdateKeyRequest::default()
            };
            update(&node, allowed).await.unwrap();
            node.call(&node.admin(), DeleteKeyRequest { name: "other".into() }).await.unwrap();
        }
    }
}

both! {
    async fn each_of_a_batch_has_its_version_and_fails_by_itself(node: Node) {
        create(&node, named("k")).await;
        rotate(&node, "k").await;
        rotate(&node, "k").await;
        let versions = [0, 1, 2, 3, 4];
        let item = |key_version| EncryptItem { key_version, ..text(TEXT) };
        let outcomes = encrypt_all(&node, "k", versions.map(item).to_vec()).await;
        let prefixes = ["vault:v3:", "vault:v1:", "vault:v2:", "vault:v3:"];
        for (outcome, prefix) in outcomes[..4].iter().zip(prefixes) {
            let ciphertext = told(outcome.clone());
            assert!(ciphertext.starts_with(prefix), "{ciphertext}");
            assert_eq!(decrypt(&node, "k", sealed(&ciphertext)).await.unwrap(), TEXT);
        }
        let EncryptedOutcome::Failure(failure) = &outcomes[4] else { panic!("{outcomes:?}") };
        assert_eq!(failure.reason, "secrets.wrong_version");
        assert!(!failure.next.is_empty());
        let with_context = EncryptItem { context: b"c".to_vec(), ..text(TEXT) };
        let outcomes = encrypt_all(&node, "k", vec![with_context, text(TEXT)]).await;
        let EncryptedOutcome::Failure(failure) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(failure.reason, "secrets.wrong_context");
        told(outcomes[1].clone());
    }
}

both! {
    async fn what_is_below_the_least_version_is_refused_and_rewrapped_before(node: Node) {
        create(&node, named("k")).await;
        let old = encrypt(&node, "k", text(TEXT)).await;
        rotate(&node, "k").await;
        let item = RewrapItem { ciphertext: old.clone(), ..RewrapItem::default() };
        let new = rewrap(&node, "k", item).await;
        assert!(new.starts_with("vault:v2:"), "{new}");
        let least = UpdateKeyRequest {
            name: "k".into(), min_decryption_version: 2, ..UpdateKeyRequest::default()
        };
        update(&node, least.clone()).await.unwrap();
        let refused = decrypt(&node, "k", sealed(&old)).await.unwrap_err();
        assert_eq!(refused, "secrets.wrong_version");
        assert_eq!(decrypt(&node, "k", sealed(&new)).await.unwrap(), TEXT);
        let asked = EncryptItem { key_version: 1, ..text(TEXT) };
        let outcomes = encrypt_all(&node, "k", vec![asked]).await;
        assert!(matches!(outcomes[0], EncryptedOutcome::Failure(_)), "{outcomes:?}");
        let ahead = UpdateKeyRequest { min_decryption_version: 3, ..least.clone() };
        let error: Error = update(&node, ahead).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "min_decryption_version");
        let encrypting = UpdateKeyRequest {
            min_decryption_version: 0, min_encryption_version: 1, ..least
        };
        let error = update(&node, encrypting).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "min_encryption_version");
    }
}

both! {
    async fn equal_texts_of_a_context_look_equal_where_that_is_wanted_and_nowhere_else(node: Node) {
        create(&node, convergent("k")).await;
        create(&node, CreateKeyRequest { derived: true, ..named("drawn") }).await;
        let item = |text_of: &[u8], context: &[u8], beside: &[u8]| EncryptItem {
            context: context.into(), associated_data: beside.into(), ..text(text_of)
        };
        let first = encrypt(&node, "k", item(TEXT, b"a", b"")).await;
        assert_eq!(encrypt(&node, "k", item(TEXT, b"a", b"")).await, first);
        for other in [item(TEXT, b"b", b""), item(b"other", b"a", b""), item(TEXT, b"a", b"x")] {
            let other = encrypt(&node, "k", other).await;
            // No nonce is used for two texts: nor with other data beside it.
            assert_ne!(other[..24], first[..24], "{other}");
        }
        let opened = DecryptItem { context: b"a".to_vec(), ..sealed(&first) };
        assert_eq!(decrypt(&node, "k", opened.clone()).await.unwrap(), TEXT);
        let elsewhere = DecryptItem { context: b"b".to_vec(), ..opened };
        assert_eq!(decrypt(&node, "k", elsewhere).await.unwrap_err(), "secrets.wrong_ciphertext");
        let none = sealed(&first);
        assert_eq!(decrypt(&node, "k", none).await.unwrap_err(), "secrets.wrong_context");
        let twice = vec![item(TEXT, b"a", b""), item(TEXT, b"a", b"")];
        let outcomes = encrypt_all(&node, "drawn", twice.clone()).await;
        let again = encrypt_all(&node, "drawn", twice).await;
        assert!(outcomes[0] != outcomes[1] && outcomes[0] != again[0]);
    }
}

both! {
    async fn keys_that_cannot_be_are_refused_and_none_is_lost_by_accident(node: Node) {
        let ecdsa = CreateKeyRequest {
            derived: true, r#type: KeyType::EcdsaP256.into(), ..named("k")
        };
        let one_key = CreateKeyRequest { derived: false, ..convergent("k") };
        let signs = CreateKeyRequest { r#type: KeyType::Ed25519.into(), ..convergent("k") };
        for (request, at) in [
            (ecdsa, "derived"), (one_key, "convergent_encryption"), (signs, "convergent_encryption"),
        ] {
            let error = node.fails(&node.admin(), request).await;
            assert_eq!(error.violations()[0].path, at);
        }
        let key = create(&node, CreateKeyRequest { exportable: true, ..named("k") }).await;
        assert_eq!(node.fails(&node.admin(), named("k")).await.reason(), "secrets.key_exists");
        let ciphertext = encrypt(&node, "k", text(TEXT)).await;
        let delete = DeleteKeyRequest { name: "k".into() };
        let error = node.fails(&node.admin(), delete.clone()).await;
        assert_eq!(error.reason(), "secrets.deletion_not_allowed");
        let change = UpdateKeyRequest {
            name: "k".into(), deletion_allowed: true, etag: key.etag, ..UpdateKeyRequest::default()
        };
        let mut hide = change.clone();
        hide.update_mask.get_or_insert_default().paths = vec!["exportable".into()];
        let error = update(&node, hide).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "exportable");
        update(&node, change.clone()).await.unwrap();
        assert_eq!(update(&node, change).await.unwrap_err().reason(), "request.etag");
        node.call(&node.admin(), delete).await.unwrap();
        // Another key of this name is another key.
        create(&node, named("k")).await;
        let gone = decrypt(&node, "k", sealed(&ciphertext)).await.unwrap_err();
        assert_eq!(gone, "secrets.wrong_ciphertext");
    }
}

both! {
    async fn signatures_and_macs_are_good_for_what_they_are_of(node: Node) {
        for (name, kind) in [("ed", KeyType::Ed25519), ("ec", KeyType::EcdsaP256)] {
            let key = create(&node, CreateKeyRequest { r#type: kind.into(), ..named(name) }).await;
            assert!(!key.versions[0].public_key.is_empty());
            let item = SignItem { input: TEXT.to_vec(), ..SignItem::default() };
            let sign = SignRequest { name: name.into(), items: vec![item], ..Default::default() };
            let signed = node.call(&node.admin(), sign).await.unwrap();
            let Some(SignedOutcome::Signature(signature)) = signed.results[0].outcome.clone()
            else { panic!("{signed:?}") };
            let hmac = HmacItem { input: TEXT.to_vec(), ..HmacItem::default() };
            let hmac = ComputeHmacRequest { name: name.into(), items: vec![hmac], ..Default::default() };
            let hmac = node.call(&node.admin(), hmac).await.unwrap();
            let Some(AuthenticatedOutcome::Hmac(hmac)) = hmac.results[0].outcome.clone()
            else { panic!("{hmac:?}") };
            rotate(&node, name).await;
            let proofs = [VerifyItemProof::Signature(signature), VerifyItemProof::Hmac(hmac)];
            for proof in proofs {
                let item = |input: &[u8]| VerifyItem {
                    input: input.into(), proof: Some(proof.clone()), ..VerifyItem::default()
                };
                let items = vec![item(TEXT), item(b"other"), VerifyItem::default()];
                let request = VerifyRequest { name: name.into(), items, ..Default::default() };
                let reply = node.call(&node.admin(), request).await.unwrap();
                let outcomes: Vec<_> = reply.results.iter().map(|one| one.outcome.clone()).collect();
                assert_eq!(outcomes[0], Some(VerifiedOutcome::Valid(true)));
                assert_eq!(outcomes[1], Some(VerifiedOutcome::Valid(false)));
                assert!(matches!(outcomes[2], Some(VerifiedOutcome::Failure(_))));
            }
        }
        create(&node, named("aes")).await;
        let items = vec![SignItem::default()];
        let sign = SignRequest { name: "aes".into(), items, ..Default::default() };
        assert_eq!(node.fails(&node.admin(), sign).await.reason(), "secrets.wrong_type");
        let encrypt = EncryptRequest { name: "ed".into(), items: vec![text(TEXT)] };
        assert_eq!(node.fails(&node.admin(), encrypt).await.reason(), "secrets.wrong_type");
    }
}

both! {
    async fn no_text_and_no_secret_is_kept_as_it_is(node: Node) {
        create(&node, named("k")).await;
        let admin = node.admin();
        let request = EncryptRequest { name: "k".into(), items: vec![text(TEXT)] };
        let reply = node.call_with_key(&admin, "encrypt", request.clone()).await.unwrap();
        let again = node.call_with_key(&admin, "encrypt", request).await.unwrap();
        assert_eq!(reply, again);
        let Some(EncryptedOutcome::Ciphertext(ciphertext)) = reply.results[0].outcome.clone()
        else { panic!("{reply:?}") };
        rotate(&node, "k").await;
        let items = vec![RewrapItem { ciphertext, ..RewrapItem::default() }];
        let request = RewrapRequest { name: "k".into(), items };
        let shown = node.call_with_key(&admin, "rewrap", request).await.unwrap();
        let data = GenerateDataKeyRequest { name: "k".into(), bits: 512, ..Default::default() };
        let data = node.call_with_key(&admin, "data", data).await.unwrap();
        assert_eq!(data.plaintext.len(), 64);
        let opened = decrypt(&node, "k", sealed(&data.ciphertext)).await.unwrap();
        assert_eq!(opened, data.plaintext);
        let hidden = GenerateDataKeyRequest { name: "k".into(), wrapped: true, ..Default::default() };
        assert!(node.call(&admin, hidden).await.unwrap().plaintext.is_empty());
        assert!(!format!("{shown:?}").contains("canary"));
        node.settle().await;
        let texts = [TEXT, &data.plaintext];
        assert_eq!(node.first_on_disk(texts.into_iter()).await, None);
    }
}
