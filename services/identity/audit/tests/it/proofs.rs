//! Proofs: those of others, and ours, by a prover that looks at every leaf.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use stoa_audit::tree::{self, Hash};
use stoa_audit_v1::*;
use stoa_kit::{Code, Service};
use stoa_testkit::both;

use crate::{commits, head};

const VECTORS: &str = include_str!("../vectors/merkle.jsonl");

fn services() -> Vec<Service> {
    crate::services()
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap_or_default()).unwrap()
}

/// A hash as a vector says it; some are wrong by their length.
fn hash(value: &Value) -> Option<Hash> {
    bytes(value).try_into().ok()
}

/// Whether a proof leads where a vector says that it leads; none where it is not even hashes.
fn judged(case: &Value) -> Option<bool> {
    let proof = case["proof"].as_array().into_iter().flatten().map(hash);
    let proof: Vec<Hash> = proof.collect::<Option<_>>()?;
    if case.get("leafIdx").is_some() {
        let (index, size) = (case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?);
        let leaf = hash(&case["leafHash"])?;
        return Some(tree::includes(index, size, &leaf, &proof, &bytes(&case["root"])));
    }
    let (first, second) = (case["size1"].as_u64()?, case["size2"].as_u64()?);
    let roots = (bytes(&case["root1"]), bytes(&case["root2"]));
    Some(tree::extends((first, &roots.0), (second, &roots.1), &proof))
}

#[test]
fn proofs_of_others_are_judged_as_they_judge_them() {
    let (mut right, mut wrong) = (0, 0);
    for line in VECTORS.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let is_right = !case["wantErr"].as_bool().unwrap();
        assert_eq!(judged(&case).unwrap_or(false), is_right, "{line}");
        *(if is_right { &mut right } else { &mut wrong }) += 1;
    }
    assert_eq!((right, wrong), (12, 184));
}

/// The hash over leaves as RFC 9162 defines it, word by word.
fn defined(leaves: &[Hash]) -> Hash {
    match leaves {
        [one] => *one,
        _ => {
            let mut middle = 1;
            while middle * 2 < leaves.len() {
                middle *= 2;
            }
            tree::node(&defined(&leaves[..middle]), &defined(&leaves[middle..]))
        }
    }
}

#[test]
fn every_proof_of_every_tree_up_to_a_size_leads_where_it_should_and_nowhere_else() {
    let leaves: Vec<Hash> = (0..70_u8).map(|leaf| tree::leaf(&[leaf])).collect();
    let find = |level: u32, place: u64| {
        let from = (place << level) as usize;
        Ok(defined(&leaves[from..from + (1 << level)]))
    };
    for size in 1..=leaves.len() as u64 {
        let root = defined(&leaves[..size as usize]);
        assert_eq!(tree::root(0, size, &mut { find }).unwrap(), root);
        for index in 0..size {
            let proof = tree::inclusion(index, size, &mut { find }).unwrap();
            let leaf = leaves[index as usize];
            assert!(tree::includes(index, size, &leaf, &proof, &root), "{index} in {size}");
            assert!(!tree::includes(index, size, &tree::leaf(b"another"), &proof, &root));
            assert!(size == 1 || !tree::includes((index + 1) % size, size, &leaf, &proof, &root));
        }
        for first in 1..=size {
            let before = defined(&leaves[..first as usize]);
            let proof = tree::consistency(first, size, &mut { find }).unwrap();
            assert!(tree::extends((first, &before), (size, &root), &proof), "{first} to {size}");
            let another = tree::leaf(b"another");
            assert!(!tree::extends((first, &another), (size, &root), &proof));
            assert!(!tree::extends((first, &before), (size, &another), &proof));
        }
    }
}

both! {
    async fn who_holds_a_head_can_check_every_entry_and_every_later_tree(node: Node) {
        let mut held: Vec<TreeHead> = Vec::new();
        for count in [1, 254, 1, 300, 44] {
            commits(&node, count).await;
            node.settle().await;
            held.push(head(&node).await);
        }
        let last = held.last().unwrap();
        let to_hash = |bytes: &Vec<u8>| Hash::try_from(bytes.as_slice()).unwrap();
        let root = to_hash(&last.root_hash);
        for head in &held {
            let key = to_hash(&head.public_key);
            let key = VerifyingKey::from_bytes(&key).unwrap();
            let signature = Signature::from_slice(&head.signature).unwrap();
            key.verify_strict(head.checkpoint.as_bytes(), &signature).unwrap();
            let lines: Vec<&str> = head.checkpoint.lines().collect();
            let (size, hash) = (head.size.to_string(), BASE64.encode(&head.root_hash));
            assert_eq!(lines[..3], ["stoa.audit/main", &size, &hash]);
            let proof = GetConsistencyProofRequest { first_size: head.size, second_size: 0 };
            let proof = node.call(&node.admin(), proof).await.unwrap();
            let hashes: Vec<Hash> = proof.hashes.iter().map(to_hash).collect();
            let first = (head.size as u64, head.root_hash.as_slice());
            assert!(tree::extends(first, (last.size as u64, root.as_slice()), &hashes));
        }
        for leaf_index in [0, 1, 255, 256, 511, 512, last.size - 1] {
            let entry = crate::get(&node, leaf_index).await;
            let proof = GetInclusionProofRequest { leaf_index, size: last.size };
            let proof = node.call(&node.admin(), proof).await.unwrap();
            let hashes: Vec<Hash> = proof.hashes.iter().map(to_hash).collect();
            let leaf = tree::leaf(&entry.leaf);
            assert!(tree::includes(leaf_index as u64, last.size as u64, &leaf, &hashes, &root));
        }
        let beyond = GetInclusionProofRequest { leaf_index: last.size, size: last.size };
        let refused = node.fails(&node.admin(), beyond).await;
        assert_eq!((refused.code(), refused.reason()), (Code::OutOfRange, "audit.beyond"));
    }
}
