//! Audit, through its contract.

#![cfg(test)]

#[path = "it/million.rs"]
mod million;
#[path = "it/names.rs"]
mod names;
#[path = "it/proofs.rs"]
mod proofs;
#[path = "it/race.rs"]
mod race;
#[path = "it/traps.rs"]
mod traps;

use std::time::Duration;

use futures::TryStreamExt;
use futures::future::join_all;
use serde_json::json;
use stoa_audit_v1::*;
use stoa_kit::{Caller, Micros, Service};
use stoa_testkit::{Node, both};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn services() -> Vec<Service> {
    vec![stoa_ledger::service(), stoa_audit::service()]
}

stoa_testkit::compliance!(stoa_audit::service, services);

/// Commits that change nothing but say that they did, each of somebody and something else.
async fn commits(node: &Node, count: usize) {
    let commit = |place: usize| {
        let caller = node.user(&format!("usr_{place}"));
        async move {
            let touch = move |tx: &mut stoa_kit::Tx| {
                tx.touch("ledger.account", &format!("acc_{place}"));
                Ok(())
            };
            node.change("ledger", &caller, touch).await.unwrap();
        }
    };
    for some in Vec::from_iter(0..count).chunks(256) {
        join_all(some.iter().copied().map(commit)).await;
    }
}

async fn head(node: &Node) -> TreeHead {
    let reply = node.call(&node.admin(), GetTreeHeadRequest {}).await.unwrap();
    (*reply.head).clone()
}

/// Verifies the tree, also against a head that was held.
async fn verify(node: &Node, held: Option<&TreeHead>) -> VerifyTreeResponse {
    let (size, root_hash) =
        held.map(|head| (head.size, head.root_hash.clone())).unwrap_or_default();
    node.call(&node.admin(), VerifyTreeRequest { size, root_hash }).await.unwrap()
}

async fn holds(node: &Node, held: Option<&TreeHead>) -> VerifyTreeResponse {
    let verified = verify(node, held).await;
    assert!(verified.holds, "{:?}", verified.faults);
    verified
}

async fn get(node: &Node, leaf_index: i64) -> Entry {
    let reply = node.call(&node.admin(), GetEntryRequest { leaf_index }).await.unwrap();
    (*reply.entry).clone()
}

/// Where the one entry is that names something.
async fn place(node: &Node, about: &str) -> i64 {
    let about = SearchEntriesRequest { about: about.into(), ..SearchEntriesRequest::default() };
    let found = search(node, &node.admin(), about).await;
    let [entry] = found.as_slice() else { panic!("{found:?}") };
    entry.leaf_index
}

async fn search(node: &Node, caller: &Caller, request: SearchEntriesRequest) -> Vec<Entry> {
    let pages = node.pages(caller, request).await.unwrap();
    pages.into_iter().flat_map(|page| page.entries).collect()
}

/// The commits that were recorded of the main tenant, but for those that put leaves into the tree.
async fn recorded(node: &Node) -> Vec<(String, i64)> {
    let sql = "SELECT method, time FROM stoa_commit WHERE tenant = 'main' \
         AND cause <> 'records:audit.append' ORDER BY position";
    node.rows(sql).await
}

both! {
    async fn what_was_done_is_found_by_who_did_it_and_by_what_it_was_done_to(node: Node) {
        commits(&node, 120).await;
        node.settle().await;
        let by = SearchEntriesRequest { about: "usr_7".into(), ..SearchEntriesRequest::default() };
        let to = SearchEntriesRequest { about: "acc_7".into(), ..by.clone() };
        let by = search(&node, &node.admin(), by).await;
        assert_eq!(search(&node, &node.admin(), to).await, by);
        let [entry] = by.as_slice() else { panic!("{by:?}") };
        let said = (&*entry.caller.value, &*entry.touched[0].value);
        assert_eq!(said, ("user:usr_7", "ledger.account/acc_7"));
        assert_eq!((&*entry.cause, &*entry.method), ("request", "test"));
        let of = |method: &str, page_size| SearchEntriesRequest {
            method: method.into(),
            page_size,
            ..SearchEntriesRequest::default()
        };
        let all = search(&node, &node.admin(), of("test", 50)).await;
        let places: Vec<i64> = all.iter().map(|entry| entry.leaf_index).collect();
        assert_eq!(places, Vec::from_iter((0..120).rev()));
        assert_eq!(search(&node, &node.admin(), of("none", 0)).await, []);
        let time = |at: Micros| {
            SearchEntriesRequest { start_time: at.timestamp(), ..of("test", 1_000) }
        };
        assert_eq!(search(&node, &node.admin(), time(Micros(0))).await, all);
        assert_eq!(search(&node, &node.admin(), time(node.now().after(DAY))).await, []);
    }
}

both! {
    async fn who_looks_leaves_an_entry(node: Node) {
        let eve = node.user_with("usr_eve", &["audit.entries.read"]);
        let about = "usr_ada".to_owned();
        let about = SearchEntriesRequest { about, ..SearchEntriesRequest::default() };
        commits(&node, 1).await;
        node.settle().await;
        node.call(&eve, about).await.unwrap();
        node.call(&eve, GetEntryRequest { leaf_index: 0 }).await.unwrap();
        let exported = export(&node, &eve, 0).await;
        assert_eq!(exported.len(), 2, "what is looked at is what was there");
        node.settle().await;
        let seen = export(&node, &node.admin(), 2).await;
        let said: Vec<_> = seen.iter().map(|entry| {
            let name = entry.method.rsplit('/').next().unwrap();
            assert!(entry.caller.value.ends_with("user:usr_eve"), "{entry:?}");
            (name, &*entry.touched[0].value)
        }).collect();
        assert_eq!(said, [
            ("SearchEntries", "audit.search/usr_ada"),
            ("GetEntry", "audit.entry/0"),
            ("RecordExport", "audit.export/0"),
        ]);
    }
}

/// Everything that is exported from an entry on.
async fn export(node: &Node, caller: &Caller, first_leaf: i64) -> Vec<Entry> {
    let pages = node.stream(caller, ExportRequest { first_leaf }).await.unwrap();
    let pages: Vec<ExportResponse> = pages.try_collect().await.unwrap();
    pages.into_iter().flat_map(|page| page.entries).collect()
}

both! {
    async fn an_export_gives_every_entry_once(node: Node) {
        commits(&node, 600).await;
        node.settle().await;
        let places: Vec<i64> =
            export(&node, &node.admin(), 44).await.iter().map(|entry| entry.leaf_index).collect();
        // That a head was told of is the last.
        assert_eq!(places, Vec::from_iter(44..=600));
    }
}

both! {
    async fn a_head_is_told_of_once_a_minute_and_not_again_while_nobody_asks(node: Node) {
        let told = async || node.events::<TreeHeadSigned>().await;
        commits(&node, 3).await;
        node.settle().await;
        let first = told().await;
        let before = head(&node).await;
        assert_eq!((first.len(), first[0].size), (1, 3));
        assert_eq!(before.size, 4, "to tell of it is a commit too");
        commits(&node, 5).await;
        node.advance(MINUTE / 2).await;
        assert_eq!(told().await.len(), 1);
        node.advance(MINUTE).await;
        assert_eq!(told().await.last().map(|head| head.size), Some(9));
        node.advance(MINUTE * 10).await;
        assert_eq!((told().await.len(), head(&node).await.size), (2, 10));
        assert_eq!(first[0].checkpoint.lines().next(), Some("stoa.audit/main"));
    }
}

both! {
    async fn what_was_kept_for_long_enough_is_forgotten_unless_it_is_held(node: Node) {
        let keep = json!({"service": "audit", "name": "retention_days", "value": "30"});
        node.ask(&node.admin(), "UpdateSetting", keep).await.unwrap();
        commits(&node, 300).await;
        let about = "usr_7".to_owned();
        let hold = SetHoldRequest { name: "case-1".into(), about, reason: "a lawsuit".into() };
        node.call(&node.admin(), hold).await.unwrap();
        node.settle().await;
        let (before, at) = (head(&node).await, place(&node, "acc_7").await);
        node.advance(29 * DAY).await;
        assert_eq!(holds(&node, Some(&before)).await.forgotten, 0);
        node.advance(2 * DAY).await;
        // All that there was and the search in it, but for what is held.
        assert_eq!(holds(&node, Some(&before)).await.forgotten, before.size);
        get(&node, at).await;
        let gone = node.fails(&node.admin(), GetEntryRequest { leaf_index: 0 }).await;
        assert_eq!(gone.reason(), "resource.not_found");
        node.call(&node.admin(), ReleaseHoldRequest { name: "case-1".into() }).await.unwrap();
        node.advance(MINUTE).await;
        let verified = holds(&node, Some(&before)).await;
        assert!(verified.forgotten > before.size, "{verified:?}");
        let proof = GetInclusionProofRequest { leaf_index: at, size: before.size };
        let proof = node.call(&node.admin(), proof).await.unwrap();
        assert_eq!(proof.root_hash, before.root_hash, "its leaf is there");
    }
}
