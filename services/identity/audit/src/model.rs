//! The rules: what a leaf holds, what of it may name people, and what is signed.

pub mod tree;

use std::collections::BTreeSet;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};
use stoa_audit_v1::{Detail, Entry, Hold, Leaf, Reason, Redaction, TreeHead};
use stoa_kit::{Message, Micros, Reason as _, Result};

use tree::Hash;

/// What may name somebody of an entry: who asked, then what was touched.
pub(crate) fn details(entry: &Entry) -> impl Iterator<Item = &Detail> {
    entry.caller.as_option().into_iter().chain(&entry.touched)
}

/// The identifiers of whom an entry names.
pub(crate) fn subjects(entry: &Entry) -> BTreeSet<&str> {
    details(entry).map(|detail| subject(&detail.value)).filter(|id| !id.is_empty()).collect()
}

/// A name, with the salt that it is hashed with.
pub(crate) fn detail(value: &str, salt: &[u8]) -> Detail {
    let hash = salted(salt, value).to_vec();
    Detail { value: value.to_owned(), salt: salt.to_vec(), hash }
}

pub(crate) fn is_redacted(detail: &Detail) -> bool {
    detail.salt.is_empty()
}

/// Whether the hash of a name is that of what it says.
pub(crate) fn is_true(detail: &Detail) -> bool {
    match is_redacted(detail) {
        true => detail.value.is_empty(),
        false => salted(&detail.salt, &detail.value)[..] == detail.hash,
    }
}

/// Drops what some names of an entry say, by their places, and keeps in mind why.
pub(crate) fn redact(
    entry: &mut Entry, (reason, now): (&str, Micros), drops: impl Fn(usize, &Detail) -> bool,
) {
    let Entry { caller, touched, redactions, .. } = entry;
    let details = std::iter::once(caller.get_or_insert_default()).chain(touched);
    for (place, detail) in details.enumerate() {
        if !is_redacted(detail) && drops(place, detail) {
            detail.salt.clear();
            detail.value.clear();
            let (field, redact_time) = (field(place), now.timestamp());
            redactions.push(Redaction { field, reason: reason.to_owned(), redact_time });
        }
    }
}

/// The hash of a value and the salt before it.
fn salted(salt: &[u8], value: &str) -> Hash {
    Sha256::new().chain_update(salt).chain_update(value).finalize().into()
}

/// The identifier that a name ends with: `user:usr_1` and `users.user/usr_1` name `usr_1`. The node
/// itself, and nobody in particular, are named by none.
pub(crate) fn subject(value: &str) -> &str {
    match value.split_once('/') {
        Some((_, id)) => id,
        None => value.rsplit_once(':').map_or("", |(_, id)| id),
    }
}

/// What the tree holds of an entry.
pub(crate) fn leaf(entry: &Entry) -> Vec<u8> {
    let mut hashes = details(entry).map(|detail| detail.hash.clone());
    let leaf = Leaf {
        position: entry.position.clone(),
        time_us: Micros::of(&entry.commit_time).0,
        cause: entry.cause.clone(),
        method: entry.method.clone(),
        trace: entry.trace.clone(),
        tables: entry.tables.clone(),
        caller_hash: hashes.next().unwrap_or_default(),
        touched_hashes: hashes.collect(),
    };
    bytes(&leaf)
}

/// A message as it is hashed and kept: of equal messages the bytes are equal.
pub(crate) fn bytes<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

/// A message out of its bytes, if these are exactly what it is written as.
pub(crate) fn message<M: Message>(kept: &[u8]) -> Option<M> {
    M::decode_from_slice(kept).ok().filter(|message| bytes(message) == kept)
}

/// An entry as callers see it.
pub(crate) fn shown(entry: Entry) -> Entry {
    Entry { leaf: leaf(&entry), ..entry }
}

/// The field of a place, as it is named where it is redacted.
fn field(place: usize) -> String {
    if place == 0 { "caller".to_owned() } else { format!("touched.{}", place - 1) }
}

/// The places that a field of an entry stands for.
pub(crate) fn places(field: &str, entry: &Entry) -> Result<Range<usize>> {
    let names = 1 + entry.touched.len();
    let touched = || field.strip_prefix("touched.")?.parse::<usize>().ok();
    match (field, touched()) {
        ("caller", _) => Ok(0..1),
        ("touched", _) => Ok(1..names),
        (_, Some(place)) if place < entry.touched.len() => Ok(place + 1..place + 2),
        _ => Err(Reason::NoField.because(format!("the entry has no field `{field}`"))),
    }
}

/// The hold that keeps an entry as it is, if one does.
pub(crate) fn hold<'a>(holds: &'a [Hold], entry: &Entry) -> Option<&'a Hold> {
    let subjects = subjects(entry);
    holds.iter().find(|hold| hold.about.is_empty() || subjects.contains(&*hold.about))
}

/// What is refused because of a hold.
pub(crate) fn held(hold: &Hold) -> stoa_kit::Error {
    Reason::Held.because(format!("the hold `{}` keeps this entry as it is", hold.name))
}

/// The head of a tree, as it is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) size: u64,
    pub(crate) root: Vec<u8>,
    pub(crate) time: Micros,
    pub(crate) signature: Vec<u8>,
    pub(crate) requests: i64,
    /// Of how many requests a head was told, and when.
    pub(crate) told: (i64, Micros),
    pub(crate) kept_from: i64,
    pub(crate) look_from: i64,
}

impl Head {
    /// What is signed of it: a checkpoint (C2SP `tlog-checkpoint`) with one more line.
    pub(crate) fn checkpoint(&self, tenant: &str) -> String {
        let root = BASE64.encode(&self.root);
        format!("{}\n{}\n{root}\n{}\n", origin(tenant), self.size, self.time.0)
    }

    /// The same head, signed.
    pub(crate) fn signed(self, tenant: &str, key: &SigningKey) -> Self {
        let signature = key.sign(self.checkpoint(tenant).as_bytes()).to_bytes().to_vec();
        Self { signature, ..self }
    }

    /// Whether this was signed.
    pub(crate) fn is_signed(&self, tenant: &str, key: &SigningKey) -> bool {
        // Of one text and one key there is one signature.
        key.sign(self.checkpoint(tenant).as_bytes()).to_bytes()[..] == self.signature
    }

    /// The head as callers see it.
    pub(crate) fn shown(&self, tenant: &str, key: &SigningKey) -> TreeHead {
        TreeHead {
            size: self.size as i64,
            root_hash: self.root.clone(),
            append_time: self.time.timestamp(),
            checkpoint: self.checkpoint(tenant),
            signature: self.signature.clone(),
            public_key: key.verifying_key().to_bytes().to_vec(),
        }
    }
}

/// The name of a tenant's log.
pub(crate) fn origin(tenant: &str) -> String {
    format!("stoa.audit/{tenant}")
}
