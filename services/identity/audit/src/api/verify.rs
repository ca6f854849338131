//! Verification: the tree is made anew out of the entries, and compared with all that is kept of it.

use std::collections::BTreeSet;

use ed25519_dalek::{Signature, VerifyingKey};
use stoa_audit_v1::*;
use stoa_kit::{Ctx, Result, View};

use crate::model::{
    self,
    tree::{self, Hash},
};
use crate::store;
use crate::store::tree::{WIDTH, hashes};

/// Faults that are told.
const FAULTS_MAX: usize = 1_000;

/// What is found on the way.
#[derive(Default)]
struct Found {
    faults: Vec<Fault>,
    redacted: i64,
    forgotten: i64,
}

impl Found {
    fn fault(&mut self, leaf_index: u64, problem: Problem) {
        self.faults.push(fault(leaf_index as i64, problem));
    }
}

/// Verifies the tree as it is now, a tile at a time. Entries that come meanwhile are not looked at.
pub(super) async fn verify(ctx: &Ctx, request: VerifyTreeRequest) -> Result<VerifyTreeResponse> {
    let head = ctx.call(GetTreeHeadRequest {}).await?.head;
    let (size, held) = (head.size.unsigned_abs(), request.size.unsigned_abs());
    let mut found = Found::default();
    let (mut roots, mut before) = (Vec::new(), Vec::new());
    for tile in 0..size.div_ceil(WIDTH) {
        let verified = ctx.call(VerifyTileRequest { tile: tile as i64, size: head.size }).await?;
        found.faults.extend(verified.faults);
        found.redacted += verified.redacted;
        found.forgotten += verified.forgotten;
        let leaves = hashes(&verified.leaf_hashes.concat());
        if tile * WIDTH < held {
            let of_it = (held - tile * WIDTH).min(leaves.len() as u64) as usize;
            before.push(tree::over(&leaves[..of_it]));
        }
        roots.push(tree::over(&leaves));
    }
    let root = tree::over(&roots);
    nodes(ctx, size, roots, &mut found).await?;
    if root[..] != head.root_hash || !is_signed(&head) {
        found.fault(0, Problem::Head);
    }
    if held > size || held > 0 && tree::over(&before)[..] != request.root_hash {
        found.fault(0, Problem::HeldHead);
    }
    let Found { mut faults, redacted, forgotten } = found;
    let holds = faults.is_empty();
    faults.truncate(FAULTS_MAX);
    let (size, root_hash) = (head.size, root.to_vec());
    Ok(VerifyTreeResponse { holds, size, root_hash, redacted, forgotten, faults })
}

/// Compares the nodes above the leaves with those that follow from them.
async fn nodes(ctx: &Ctx, size: u64, roots: Vec<Hash>, found: &mut Found) -> Result<()> {
    let (mut level, mut width, mut below) = (1, WIDTH, roots);
    loop {
        // Only what is full has a node above.
        below.truncate((size / width) as usize);
        if below.is_empty() {
            return Ok(());
        }
        let mut above = Vec::new();
        for (tile, wanted) in below.chunks(WIDTH as usize).enumerate() {
            let kept = ctx.call(ReadTileRequest { level, tile: tile as i64 }).await?.hashes;
            if kept != wanted.concat() {
                found.fault(tile as u64 * WIDTH * width, Problem::Node);
            }
            above.push(tree::over(wanted));
        }
        (level, width, below) = (level + 1, width * WIDTH, above);
    }
}

/// Whether a head is what was signed.
fn is_signed(head: &TreeHead) -> bool {
    let key = head.public_key.as_slice().try_into().ok();
    let key = key.and_then(|key| VerifyingKey::from_bytes(key).ok());
    let signature = Signature::from_slice(&head.signature);
    let text = head.checkpoint.as_bytes();
    key.zip(signature.ok()).is_some_and(|(key, of)| key.verify_strict(text, &of).is_ok())
}

/// Verifies the entries of a tile.
pub(super) fn tile(view: &View, request: &VerifyTileRequest) -> Result<VerifyTileResponse> {
    let (from, size) = (request.tile * WIDTH as i64, request.size);
    let to = (from + WIDTH as i64).min(size);
    let head = store::tree::head(view)?;
    let mut reply = VerifyTileResponse::default();
    let leaves = hashes(&store::tree::read(view, 0, request.tile.unsigned_abs())?);
    let full = from + leaves.len() as i64 == (from + WIDTH as i64).min(head.size as i64);
    if !full {
        reply.faults.push(fault(from, Problem::Node));
    }
    let kept = store::found(view, from, to)?;
    let named = named(view, &kept, (from, to))?;
    let mut kept = kept.into_iter().peekable();
    for (leaf_index, place) in (from..to).zip(0..) {
        let leaf = leaves.get(place).copied();
        let entry = kept.next_if(|(at, _)| *at == leaf_index);
        let hash = match &entry {
            Some((_, entry)) => entry.as_ref().map(|entry| tree::leaf(&model::leaf(entry))),
            None => leaf,
        };
        let is_whole = |entry: &Entry| {
            let is_named = |id: &&str| named.contains(&((*id).to_owned(), leaf_index));
            model::details(entry).all(model::is_true) && model::subjects(entry).iter().all(is_named)
        };
        let problem = match &entry {
            Some((_, entry)) if hash != leaf || !entry.as_ref().is_some_and(is_whole) => {
                Some(Problem::Entry)
            }
            None if leaf_index >= head.kept_from => Some(Problem::Gap),
            _ => None,
        };
        reply.faults.extend(problem.map(|problem| fault(leaf_index, problem)));
        reply.forgotten += i64::from(entry.is_none());
        let is_redacted = |entry: Entry| model::details(&entry).any(model::is_redacted);
        reply.redacted += i64::from(entry.and_then(|(_, entry)| entry).is_some_and(is_redacted));
        reply.leaf_hashes.push(hash.unwrap_or_default().to_vec());
    }
    if to == size && store::beyond(view, head.size as i64)? {
        reply.faults.push(fault(head.size as i64, Problem::Entry));
    }
    Ok(reply)
}

/// By whom entries are found, of those whom they name.
fn named(
    view: &View, kept: &[(i64, Option<Entry>)], places: (i64, i64),
) -> Result<BTreeSet<(String, i64)>> {
    let entries = kept.iter().filter_map(|(_, entry)| entry.as_ref());
    let subjects: BTreeSet<&str> = entries.flat_map(model::subjects).collect();
    let subjects: Vec<String> = subjects.into_iter().map(str::to_owned).collect();
    store::abouts(view, &subjects, places)
}

fn fault(leaf_index: i64, problem: Problem) -> Fault {
    Fault { leaf_index, problem: problem.into() }
}
