//! Idempotency keys: what is hashed, and with which secret.

use std::sync::Arc;
use std::time::Duration;

use stoa_contract::{AnyMessage, Code, Format, Method};
use stoa_kit::session::{Session, Stamp};
use stoa_kit::{Basis, Caller, Cause, Error, Result, Seal, World};
use stoa_store::{Commit, Header, Keep, Key, Outcome, Store, kernel};

use crate::tenants;

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
    /// Reads the cell's secret, or makes it, and with it the first tenant.
    pub(crate) async fn load(store: &Store, world: &Arc<dyn World>) -> Result<Self> {
        let mut fresh = [0u8; 32];
        world.entropy(&mut fresh);
        let found = Arc::new(std::sync::Mutex::new(fresh));
        let seen = Arc::clone(&found);
        let run = move |session: &mut dyn Session, stamp: Stamp| {
            const KEEP: &str = "INSERT INTO stoa_secret (tenant, name, value) \
                 VALUES (:tenant, 'cell', $1) ON CONFLICT (tenant, name) DO NOTHING";
            const READ: &str =
                "SELECT value FROM stoa_secret WHERE tenant = :tenant AND name = 'cell'";
            tenants::begin(session, stamp.now)?;
            kernel::execute(session, "", KEEP, (fresh.as_slice(),))?;
            let rows = kernel::rows::<(Vec<u8>,)>(session, "", READ, ())?;
            let secret = rows.into_iter().next().and_then(|(value,)| value.try_into().ok());
            let secret = secret.ok_or_else(|| Error::internal("the cell's secret is damaged"))?;
            *seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = secret;
            Ok(Outcome { reply: None, gathered: Default::default() })
        };
        let header = housekeeping("");
        store.commit(Commit { header, run: Box::new(run) }).await?;
        let secret = *found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Self(Seal::new(secret)))
    }

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
        let keep = if method.reply.redacts() { Keep::Nothing } else { Keep::Reply };
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
        deadline: None,
        bytes: 64,
    }
}
