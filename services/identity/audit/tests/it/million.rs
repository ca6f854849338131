//! A tree of any size: `STOA_AUDIT_ENTRIES=1000000` makes a large one, and says how long proofs take.

use std::time::Instant;

use stoa_audit_v1::*;
use stoa_testkit::{Engine, run};

use crate::{commits, head, holds, services};

#[test]
#[allow(clippy::disallowed_methods, reason = "it measures")]
fn proofs_of_a_large_tree_read_few_rows() {
    let entries = std::env::var("STOA_AUDIT_ENTRIES").ok().and_then(|text| text.parse().ok());
    let entries = entries.unwrap_or(600);
    run(Engine::Sqlite, services(), async |node| {
        commits(&node, entries).await;
        node.settle().await;
        let size = head(&node).await.size;
        assert!(size >= entries as i64);
        let mut slowest = std::time::Duration::ZERO;
        for place in 0..100 {
            let leaf_index = place * size / 100;
            let began = Instant::now();
            let proof = GetInclusionProofRequest { leaf_index, size: 0 };
            let proof = node.call(&node.admin(), proof).await.unwrap();
            slowest = slowest.max(began.elapsed());
            assert!(proof.hashes.len() <= 64);
        }
        let began = Instant::now();
        let verified = holds(&node, None).await;
        assert_eq!(verified.size, size);
        println!("{size} entries: a proof {slowest:?} at most, verified in {:?}", began.elapsed());
    });
}
