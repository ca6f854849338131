//! Keys rotate and people go while everybody works.

use futures::future::{join, join_all};
use stoa_kit::Service;
use stoa_secrets_v1::*;
use stoa_testkit::fuzz::cases;
use stoa_testkit::{Node, both};

/// Values that are encrypted, more where that is asked for.
const VALUES: usize = 300;
/// Values in a batch.
const BATCH: usize = 50;
/// How often the key is rotated meanwhile.
const ROTATIONS: i32 = 3;
/// People, all of whom go.
const PEOPLE: usize = 100;

fn services() -> Vec<Service> {
    crate::services()
}

async fn encrypt(node: &Node, texts: &[Vec<u8>]) -> Vec<String> {
    let item = |text: &Vec<u8>| EncryptItem { plaintext: text.clone(), ..EncryptItem::default() };
    let request = EncryptRequest { name: "k".into(), items: texts.iter().map(item).collect() };
    let reply = node.call(&node.admin(), request).await.unwrap();
    reply.results.into_iter().map(|result| told(result.outcome)).collect()
}

async fn rewrap(node: &Node, texts: &[String]) -> Vec<String> {
    let item = |text: &String| RewrapItem { ciphertext: text.clone(), ..RewrapItem::default() };
    let request = RewrapRequest { name: "k".into(), items: texts.iter().map(item).collect() };
    let reply = node.call(&node.admin(), request).await.unwrap();
    reply.results.into_iter().map(|result| told(result.outcome)).collect()
}

fn told(outcome: Option<EncryptedOutcome>) -> String {
    match outcome {
        Some(EncryptedOutcome::Ciphertext(ciphertext)) => ciphertext,
        other => panic!("{other:?}"),
    }
}

async fn decrypt(node: &Node, texts: &[String]) -> Vec<Vec<u8>> {
    let item = |text: &String| DecryptItem { ciphertext: text.clone(), ..DecryptItem::default() };
    let request = DecryptRequest { name: "k".into(), items: texts.iter().map(item).collect() };
    let reply = node.call(&node.admin(), request).await.unwrap();
    let each = reply.results.into_iter().map(|result| match result.outcome {
        Some(DecryptedOutcome::Plaintext(plaintext)) => plaintext,
        other => panic!("{other:?}"),
    });
    each.collect()
}

both! {
    async fn a_key_rotates_under_load_and_nothing_fails(node: Node) {
        let key = CreateKeyRequest { name: "k".into(), ..CreateKeyRequest::default() };
        node.call(&node.admin(), key).await.unwrap();
        let texts: Vec<Vec<u8>> =
            (0..cases(VALUES)).map(|number| format!("value {number}").into_bytes()).collect();
        let lane = async |texts: &[Vec<u8>]| {
            let mut sealed = encrypt(&node, texts).await;
            for _ in 0..ROTATIONS {
                sealed = rewrap(&node, &sealed).await;
                assert_eq!(decrypt(&node, &sealed).await, texts);
            }
            sealed
        };
        let rotate = async {
            for version in 2..=ROTATIONS + 1 {
                let request = RotateKeyRequest { name: "k".into() };
                let key = node.call(&node.admin(), request).await.unwrap().key;
                assert_eq!(key.latest_version, version);
            }
        };
        let (sealed, ()) = join(join_all(texts.chunks(BATCH).map(lane)), rotate).await;
        let sealed = rewrap_all(&node, &sealed.concat()).await;
        let least = UpdateKeyRequest {
            name: "k".into(), min_decryption_version: ROTATIONS + 1, ..UpdateKeyRequest::default()
        };
        node.call(&node.admin(), least).await.unwrap();
        let opened = join_all(sealed.chunks(BATCH).map(|batch| decrypt(&node, batch))).await;
        assert_eq!(opened.concat(), texts);
    }
}

async fn rewrap_all(node: &Node, texts: &[String]) -> Vec<String> {
    join_all(texts.chunks(BATCH).map(|batch| rewrap(node, batch))).await.concat()
}

both! {
    async fn of_a_hundred_people_who_are_gone_nothing_is_left(node: Node) {
        let value = |person: usize| format!("canary-{person:03}-of-somebody");
        let wrap = async |person: usize| {
            let request = WrapRequest {
                kind: "note".into(),
                value: value(person),
                subject: format!("usr_{person}"),
                purposes: vec!["tests".into()],
                ttl_seconds: 0,
            };
            node.call(&node.admin(), request).await.unwrap().reference.id.clone()
        };
        let references = join_all((0..PEOPLE).map(wrap)).await;
        let look = async |id: &String| {
            let (id, purpose, reason) = (id.clone(), "tests".into(), "to see".into());
            node.call(&node.admin(), UnwrapRequest { id, purpose, reason }).await
        };
        for (person, seen) in join_all(references.iter().map(look)).await.into_iter().enumerate() {
            assert_eq!(seen.unwrap().value, value(person));
        }
        for person in 0..PEOPLE {
            let subject = format!("usr_{person}");
            if person % 2 == 0 {
                let request = DestroySubjectRequest { subject };
                node.call(&node.admin(), request).await.unwrap();
            } else {
                let erase = move |tx: &mut stoa_kit::Tx| tx.erase(&subject);
                node.change("secrets", &node.admin(), erase).await.unwrap();
            }
        }
        assert!(join_all(references.iter().map(look)).await.iter().all(Result::is_err));
        assert_eq!(node.first_on_disk([&b"canary-"[..]].into_iter()).await, None);
    }
}
