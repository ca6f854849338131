//! The rules: what a leaf holds, what of it may name people, and what is signed.

pub mod tree;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};
use stoa_audit_v1::{Detail, Entry, Hold, Leaf, Reason, Redaction, TreeHead};
use stoa_kit::{Message, Micros, Reason as _, Result};

use tree::Hash;

/// An entry as it is kept, without what may name people.
pub(crate) struct Act {
    pub(crate) leaf_index: i64,
    pub(crate) position: String,
    pub(crate) time: Micros,
    pub(crate) cause: String,
    pub(crate) method: String,
    pub(crate) trace: String,
    /// Words, each a table and how many rows.
    pub(crate) tables: String,
}

/// What may name somebody of an entry, as it is kept: who asked, at place 0, or what was touched.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) place: i64,
    pub(crate) hash: Vec<u8>,
    pub(crate) salt: Vec<u8>,
    pub(crate) value: String,
    pub(crate) subject: String,
}

impl Name {
    /// A name, with the salt that it is hashed with.
    pub(crate) fn new(place: i64, value: &str, salt: &[u8]) -> Self {
        let (hash, subject) = (salted(salt, value).to_vec(), subject(value).to_owned());
        Self { place, hash, salt: salt.to_vec(), value: value.to_owned(), subject }
    }

    /// The same without what it names.
    pub(crate) fn redacted(self) -> Self {
        Self { salt: Vec::new(), value: String::new(), subject: String::new(), ..self }
    }

    pub(crate) fn is_redacted(&self) -> bool {
        self.salt.is_empty()
    }

    /// Whether its hash is that of what it names.
    pub(crate) fn is_true(&self) -> bool {
        match self.is_redacted() {
            true => self.value.is_empty() && self.subject.is_empty(),
            false => {
                salted(&self.salt, &self.value)[..] == self.hash
                    && subject(&self.value) == self.subject
            }
        }
    }

    fn detail(&self) -> Detail {
        let Self { hash, salt, value, .. } = self.clone();
        Detail { value, salt, hash }
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
pub(crate) fn leaf(act: &Act, names: &[Name]) -> Vec<u8> {
    let mut hashes = names.iter().map(|name| name.hash.clone());
    let leaf = Leaf {
        position: act.position.clone(),
        time_us: act.time.0,
        cause: act.cause.clone(),
        method: act.method.clone(),
        trace: act.trace.clone(),
        tables: act.tables.split_terminator(' ').map(str::to_owned).collect(),
        caller_hash: hashes.next().unwrap_or_default(),
        touched_hashes: hashes.collect(),
    };
    bytes(&leaf)
}

/// A message as it is hashed: of equal messages the bytes are equal.
fn bytes<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

/// An entry as callers see it.
pub(crate) fn entry(act: Act, names: &[Name], redactions: Vec<Redaction>) -> Entry {
    let leaf = leaf(&act, names);
    let mut details = names.iter().map(Name::detail);
    let Act { leaf_index, position, time, cause, method, trace, tables } = act;
    Entry {
        leaf_index,
        position,
        commit_time: time.timestamp(),
        cause,
        method,
        trace,
        tables: tables.split_terminator(' ').map(str::to_owned).collect(),
        caller: details.next().unwrap_or_default().into(),
        touched: details.collect(),
        redactions,
        leaf,
    }
}

/// The field of a place, as it is named where it is redacted.
pub(crate) fn field(place: i64) -> String {
    if place == 0 { "caller".to_owned() } else { format!("touched.{}", place - 1) }
}

/// The places that a field of an entry with so many names stands for.
pub(crate) fn places(field: &str, names: usize) -> Result<Vec<i64>> {
    let names = names as i64;
    let touched = || field.strip_prefix("touched.")?.parse::<i64>().ok();
    match (field, touched()) {
        ("caller", _) => Ok(vec![0]),
        ("touched", _) => Ok((1..names).collect()),
        (_, Some(place)) if place + 1 < names => Ok(vec![place + 1]),
        _ => Err(Reason::NoField.because(format!("the entry has no field `{field}`"))),
    }
}

/// The hold that keeps an entry as it is, if one does.
pub(crate) fn hold<'a>(holds: &'a [Hold], names: &[Name]) -> Option<&'a Hold> {
    let keeps =
        |hold: &&Hold| hold.about.is_empty() || names.iter().any(|name| name.subject == hold.about);
    holds.iter().find(keeps)
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
