//! Who calls: tokens are looked up by the one service that knows them, and answers are kept
//! until a commit touches what they rest on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use stoa_contract::{Code, Format};
use stoa_kit::registry::ServiceId;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Authenticated, Authenticator, Caller, Cause, Error, Registry, Result};
use stoa_store::{Notice, Store};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::{Call, Node};

/// Answers that are kept.
const KEPT_MAX: usize = 65_536;

/// Answers to "whose token is this".
pub(crate) struct Tokens {
    provider: Option<ServiceId>,
    kept: Mutex<Kept>,
}

struct Kept {
    answers: HashMap<[u8; 16], Authenticated>,
    notices: Receiver<Notice>,
    /// Grows with every commit that touched what answers rest on.
    generation: u64,
}

impl Tokens {
    pub(crate) fn new(registry: &Registry, store: &Store) -> Self {
        let provider = registry.services().iter().position(|s| s.authenticator.is_some());
        let kept = Kept { answers: HashMap::new(), notices: store.notices(), generation: 0 };
        Self { provider: provider.map(|index| ServiceId(index as u16)), kept: Mutex::new(kept) }
    }

    fn kept(&self, tables: &[&str]) -> std::sync::MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.refresh(tables);
        kept
    }
}

impl Kept {
    /// Forgets everything if a commit since the last look touched one of the tables. A commit
    /// tells of itself before its reply leaves, so whoever revoked a token and was answered
    /// never sees it used again on this node.
    fn refresh(&mut self, tables: &[&str]) {
        let mut stale = false;
        loop {
            match self.notices.try_recv() {
                Ok(notice) => stale |= notice.tables.iter().any(|t| tables.contains(&&**t)),
                Err(TryRecvError::Lagged(_)) => stale = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if stale {
            self.generation += 1;
            self.answers.clear();
        }
    }
}

impl Node {
    /// The caller whom a bearer token belongs to.
    ///
    /// # Errors
    /// `auth.token_invalid` for a token that is unknown, expired or revoked.
    pub async fn authenticate(self: &Arc<Self>, token: &str) -> Result<Caller> {
        let Some((provider, tables, run)) = self.provider() else { return Err(refused()) };
        let name = self.keys.token(token);
        let now = self.world.now();
        let generation = {
            let kept = self.tokens.kept(tables);
            if let Some(known) = kept.answers.get(&name).filter(|known| known.until > now) {
                return Ok(known.caller.clone());
            }
            kept.generation
        };
        let (registry, tenant) = (Arc::clone(&self.registry), Arc::clone(&self.tenant));
        let token = token.to_owned();
        let read = move |session: &mut dyn Session, stamp: Stamp| {
            let (caller, cause) = (Caller::system(&tenant), Cause::Request);
            let (registry, caller, cause) = (&registry, &caller, &cause);
            let query = Run { registry, caller, cause, stamp, nested: true };
            query.query(session, provider, |view| run(view, &token))
        };
        let mut found = self.read(None, read).await?.ok_or_else(refused)?;
        if let Some((method, request)) = found.due.take() {
            // A use that cannot be noted is still a use: the store may be full, or busy.
            if let Err(error) = self.note(method, &request).await {
                tracing::warn!(%error, method, "the use of a token was not noted");
            }
        }
        let mut kept = self.tokens.kept(tables);
        if kept.generation == generation {
            if kept.answers.len() >= KEPT_MAX {
                kept.answers.clear();
            }
            kept.answers.insert(name, found.clone());
        }
        Ok(found.caller)
    }

    /// Runs a command that the provider asked for.
    async fn note(self: &Arc<Self>, method: &'static str, request: &[u8]) -> Result<()> {
        let bound = self.registry.method(method).ok_or_else(|| crate::call::unknown(method))?;
        let call = Call {
            method: method.to_owned(),
            caller: Caller::system(&self.tenant),
            request: bound.decode_request(request, Format::Binary)?,
            key: None,
            trace: String::new(),
            deadline: None,
            address: String::new(),
            position: None,
        };
        self.call(call).await.map(drop)
    }

    fn provider(
        &self,
    ) -> Option<(
        ServiceId,
        &'static [&'static str],
        fn(&stoa_kit::View<'_>, &str) -> Result<Option<Authenticated>>,
    )> {
        let id = self.tokens.provider?;
        let Authenticator { tables, run } = self.registry.service(id).authenticator.as_ref()?;
        Some((id, tables, *run))
    }
}

fn refused() -> Error {
    Error::new(
        Code::Unauthenticated,
        "auth.token_invalid",
        "the token is unknown, expired or revoked",
    )
    .help("Sign in again, or use a key that is still good.")
}
