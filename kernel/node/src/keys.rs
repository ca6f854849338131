//! Idempotency keys: what is hashed, and with which secret.

use std::sync::Arc;
use std::time::Duration;

use stoa_contract::{AnyMessage, Code, Format, Method};
use stoa_kit::session::Session;
use stoa_kit::{Caller, Error, Result, World};
use stoa_store::{Commit, Header, Key, Outcome, Store, kernel};

/// How long a reply is remembered.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest key.
const KEY_MAX: usize = 255;

/// The cell's secret, under which keys and requests are hashed: what a database holds cannot be
/// compared with guesses.
pub(crate) struct Keys([u8; 32]);

impl Keys {
    /// Reads the cell's secret, or makes it.
    pub(crate) async fn load(store: &Store, world: &Arc<dyn World>) -> Result<Self> {
        let mut fresh = [0u8; 32];
        world.entropy(&mut fresh);
        let found = Arc::new(std::sync::Mutex::new(fresh));
        let seen = Arc::clone(&found);
        let run = move |session: &mut dyn Session, _| {
            const KEEP: &str = "INSERT INTO stoa_secret (tenant, name, value) \
                 VALUES (:tenant, 'cell', $1) ON CONFLICT (tenant, name) DO NOTHING";
            const READ: &str =
                "SELECT value FROM stoa_secret WHERE tenant = :tenant AND name = 'cell'";
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
        Ok(Self(secret))
    }

    /// The key of a request, as the store keeps it.
    ///
    /// # Errors
    /// `idempotency.anonymous` and `idempotency.malformed`.
    pub(crate) fn of(
        &self,
        caller: &Caller,
        method: &Method,
        key: &str,
        request: &dyn AnyMessage,
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
        let hash = self.hash(&[&caller.tenant, &caller.subject, method.path, key]);
        let mut mac = blake3::Hasher::new_keyed(&self.0);
        mac.update(method.path.as_bytes()).update(&[0]).update(&request.encode(Format::Binary)?);
        Ok(Key {
            hash,
            fingerprint: short(&mac.finalize()),
            keeps_reply: !method.reply.redacts(),
            life: LIFE,
        })
    }

    fn hash(&self, parts: &[&str]) -> [u8; 16] {
        let mut mac = blake3::Hasher::new_keyed(&self.0);
        for part in parts {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            mac.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        short(&mac.finalize())
    }

    /// A token's name in the cache of callers.
    pub(crate) fn token(&self, token: &str) -> [u8; 16] {
        self.hash(&["token", token])
    }
}

fn short(hash: &blake3::Hash) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
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
