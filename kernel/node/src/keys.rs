//! Idempotency keys: what is hashed, and with which secret.

use std::time::Duration;

use stoa_contract::{AnyMessage, Code, Format, Method};
use stoa_kit::{Basis, Caller, Cause, Error, Result, Seal};
use stoa_store::{Header, Keep, Key};

/// How long a reply is remembered.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest key.
const KEY_MAX: usize = 255;

/// How long the steps of a job are remembered: longer than anybody tries it again.
const JOB_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The cell's seal, under which keys and requests are hashed: what a database holds cannot be
/// compared with guesses.
pub(crate) struct Keys(pub(crate) Seal);

impl Keys {
    /// The key of a request, as the store keeps it.
    ///
    /// # Errors
    /// `idempotency.anonymous` and `idempotency.malformed`.
    pub(crate) fn of(
        &self, caller: &Caller, method: &Method, key: &str, request: &dyn AnyMessage,
    ) -> Result<Key> {
        if caller.is_anonymous() {
            return Err(Error::new(
                Code::InvalidArgument,
                "idempotency.anonymous",
                "an anonymous call cannot carry an idempotency key",
            )
            .help("Sign in, or leave the key out: two strangers must not share replies."));
        }
        if key.is_empty() || key.len() > KEY_MAX || key.bytes().any(|b| !(33..127).contains(&b)) {
            return Err(Error::new(
                Code::InvalidArgument,
                "idempotency.malformed",
                "an idempotency key has 1 to 255 visible ASCII characters",
            )
            .help("Use a UUID, or another identifier of the one thing you want to happen."));
        }
        let path = method.path.as_bytes();
        let (tenant, subject) = (caller.tenant.as_bytes(), caller.subject.as_bytes());
        let keep = if method.reply.redacts() {
            Keep::Nothing
        } else if method.reply.is_personal() {
            Keep::Sealed(self.0.within(&[b"reply", tenant, subject, path, key.as_bytes()]))
        } else {
            Keep::Reply
        };
        Ok(Key {
            hash: self.0.derive(&[b"key", tenant, subject, path, key.as_bytes()]),
            fingerprint: self.0.derive(&[b"request", path, &request.encode(Format::Binary)?]),
            keep,
            life: LIFE,
        })
    }

    /// What the secrets and steps of an effect follow from: the same for every run under one key
    /// with one request. Another request under the same key shares nothing with it, so that
    /// nobody learns by a key what a step would have said to something else.
    pub(crate) fn effect(&self, caller: &Caller, method: &Method, key: &str, of: &Key) -> Seal {
        let (tenant, subject) = (caller.tenant.as_bytes(), caller.subject.as_bytes());
        let path = method.path.as_bytes();
        self.0.within(&[b"effect", tenant, subject, path, key.as_bytes(), &of.fingerprint])
    }

    /// The same for a job.
    pub(crate) fn job(&self, tenant: &str, id: &str) -> Seal {
        self.0.within(&[b"job", tenant.as_bytes(), id.as_bytes()])
    }

    /// A token's name in the cache of callers.
    pub(crate) fn token(&self, token: &str) -> [u8; 16] {
        self.0.derive(&[b"token", token.as_bytes()])
    }
}

/// The key of an effect's step. Its reply is kept sealed: the seal follows from the key that the
/// caller sent, which is not in the store. What it was asked for makes no difference: a step that
/// was done is done.
pub(crate) fn step(basis: &Basis, hash: [u8; 16]) -> Key {
    let life = if matches!(basis.cause, Cause::Job { .. }) { JOB_LIFE } else { LIFE };
    let keep = Keep::Sealed(basis.seal.within(&[b"reply"]));
    Key { hash, fingerprint: hash, keep, life }
}

/// The header of the kernel's own work, which leaves no commit record.
pub(crate) fn housekeeping(tenant: &str) -> Header {
    Header {
        tenant: tenant.into(),
        cause: String::new(),
        caller: "system".into(),
        method: "",
        trace: String::new(),
        key: None,
        asked: None,
        deadline: None,
        bytes: 64,
    }
}
