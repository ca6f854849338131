//! What names people, and how it goes.

use futures::future::join_all;
use serde_json::json;
use stoa_audit::tree::{self, Hash};
use stoa_audit_v1::*;
use stoa_kit::{Code, Service};
use stoa_testkit::{Node, both};

use crate::{commits, export, get, head, holds, place, search};

fn services() -> Vec<Service> {
    crate::services()
}

fn redact(leaf_index: i64, fields: &[&str]) -> RedactRequest {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    RedactRequest { leaf_index, fields, reason: "it names a child".into() }
}

fn hold(name: &str, about: &str) -> SetHoldRequest {
    SetHoldRequest { name: name.into(), about: about.into(), reason: "a lawsuit".into() }
}

fn about(id: &str) -> SearchEntriesRequest {
    SearchEntriesRequest { about: id.into(), ..SearchEntriesRequest::default() }
}

async fn erase(node: &Node, subject: &str) {
    node.ask(&node.admin(), "EraseSubject", json!({"subject": subject})).await.unwrap();
    // Whether something is due is asked once a second.
    node.advance(std::time::Duration::from_secs(2)).await;
}

/// All that is kept of entries, in one text.
async fn kept(node: &Node) -> String {
    let entries = "SELECT entry FROM audit_entry ORDER BY leaf_index";
    let entries: Vec<Vec<u8>> =
        node.rows::<(Vec<u8>,)>(entries).await.into_iter().map(|(entry,)| entry).collect();
    let subjects = "SELECT subject FROM audit_about ORDER BY leaf_index, subject";
    let subjects = node.rows::<(String,)>(subjects).await;
    format!("{} {subjects:?}", String::from_utf8_lossy(&entries.concat()))
}

both! {
    async fn what_is_redacted_is_gone_and_every_proof_holds(node: Node) {
        commits(&node, 1_000).await;
        node.settle().await;
        let before = head(&node).await;
        let root = Hash::try_from(before.root_hash.as_slice()).unwrap();
        let admin = node.admin();
        for places in Vec::from_iter(0..1_000).chunks(100) {
            let calls = places.iter().map(|at| redact(*at, &["caller", "touched.0"]));
            let calls = calls.map(|request| node.call(&admin, request));
            assert!(join_all(calls).await.iter().all(Result::is_ok));
        }
        assert!(!kept(&node).await.contains("usr_9") && !kept(&node).await.contains("acc_9"));
        let entries = export(&node, &node.admin(), 0).await;
        let mut details = entries[..1_000].iter().flat_map(|entry| [&*entry.caller, &entry.touched[0]]);
        assert!(details.all(|detail| detail.salt.is_empty()));
        for leaf_index in (0..1_000).step_by(37) {
            let entry = get(&node, leaf_index).await;
            assert_eq!((&*entry.caller.value, entry.redactions.len()), ("", 2));
            let Redaction { field, reason, .. } = &entry.redactions[1];
            assert_eq!((&**field, &**reason), ("touched.0", "it names a child"));
            let proof = GetInclusionProofRequest { leaf_index, size: before.size };
            let proof = node.call(&node.admin(), proof).await.unwrap().hashes;
            let to_hash = |hash: &Vec<u8>| Hash::try_from(hash.as_slice()).unwrap();
            let proof: Vec<Hash> = proof.iter().map(to_hash).collect();
            let leaf = tree::leaf(&entry.leaf);
            assert!(tree::includes(leaf_index as u64, before.size as u64, &leaf, &proof, &root));
        }
        node.settle().await;
        assert_eq!(holds(&node, Some(&before)).await.redacted, 1_000);
        // To say it again changes nothing.
        node.call(&node.admin(), redact(0, &["caller"])).await.unwrap();
        assert_eq!(get(&node, 0).await.redactions.len(), 2);
        let refused = node.fails(&node.admin(), redact(0, &["touched.1"])).await;
        assert_eq!(refused.reason(), "audit.no_field");
    }
}

both! {
    async fn who_is_erased_is_named_by_no_entry_and_what_they_did_stays(node: Node) {
        commits(&node, 20).await;
        node.settle().await;
        let before = head(&node).await;
        erase(&node, "usr_7").await;
        // What is said of them later, as the erasure itself does, is kept without.
        node.change("ledger", &node.user("usr_7"), |tx| {
            tx.touch("ledger.account", "acc_late");
            Ok(())
        }).await.unwrap();
        node.settle().await;
        assert!(!kept(&node).await.contains("usr_7"));
        assert_eq!(search(&node, &node.admin(), about("usr_7")).await, []);
        let did = search(&node, &node.admin(), about("acc_7")).await;
        assert_eq!((did.len(), &*did[0].caller.value), (1, ""));
        assert_eq!(did[0].redactions[0].reason, "erased");
        let late = search(&node, &node.admin(), about("acc_late")).await;
        assert_eq!((late.len(), &*late[0].caller.value), (1, ""));
        holds(&node, Some(&before)).await;
    }
}

both! {
    async fn a_hold_beats_redaction_and_erasure_until_it_is_released(node: Node) {
        commits(&node, 20).await;
        node.call(&node.admin(), hold("case-1", "acc_7")).await.unwrap();
        node.settle().await;
        let (held, other) = (place(&node, "acc_7").await, place(&node, "acc_8").await);
        let refused = node.fails(&node.admin(), redact(held, &["caller"])).await;
        assert_eq!((refused.code(), refused.reason()), (Code::FailedPrecondition, "audit.held"));
        erase(&node, "usr_7").await;
        erase(&node, "usr_8").await;
        assert_eq!(get(&node, held).await.caller.value, "user:usr_7");
        assert_eq!(get(&node, other).await.caller.value, "");
        let all = node.call(&node.admin(), ListHoldsRequest {}).await.unwrap().holds;
        assert_eq!(all.iter().map(|hold| &*hold.name).collect::<Vec<_>>(), ["case-1"]);
        let release = ReleaseHoldRequest { name: "case-1".into() };
        node.call(&node.admin(), release.clone()).await.unwrap();
        node.settle().await;
        node.advance(crate::MINUTE).await;
        assert_eq!(get(&node, held).await.caller.value, "", "what waited goes on");
        assert_eq!(node.fails(&node.admin(), release).await.code(), Code::NotFound);
        holds(&node, None).await;
    }
}
