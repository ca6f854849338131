//! Who calls: tokens are looked up by the one service that knows them, and answers are kept
//! until a commit touches what they rest on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::unsync::Cache;
use stoa_contract::{Code, Format, Method, Permission};
use stoa_kit::registry::ServiceId;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Authenticated, Authenticator, Caller, Cause, Error, Registry, Result};
use stoa_store::{Notice, Store};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::call::authorize;
use crate::{Call, Node};

/// Answers that are kept.
const KEPT_MAX: usize = 65_536;
/// How old what the store knows of other nodes may be, for a kept answer to be good.
const FRESH: Duration = Duration::from_secs(1);

/// Somebody at a face, as far as the head of a request tells.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// The value of their `Authorization`, if they sent one.
    pub authorization: Option<Arc<str>>,
    /// The network that they come from, as [`stoa_kit::network`] writes it.
    pub network: String,
}

impl Visitor {
    /// The bearer token they sent; an error if it is something else that they sent.
    fn token(&self) -> Option<Result<&str>> {
        let value = self.authorization.as_deref()?;
        let token = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        Some(token.filter(|token| !token.is_empty()).ok_or_else(|| {
            Error::new(Code::Unauthenticated, "auth.malformed", "not a bearer token")
                .help("Send `Authorization: Bearer <token>`.")
        }))
    }
}

/// Answers to "whose token is this".
pub(crate) struct Tokens {
    provider: Option<ServiceId>,
    kept: Mutex<Kept>,
}

struct Kept {
    answers: Cache<[u8; 16], Authenticated>,
    notices: Receiver<Notice>,
    /// Grows with every commit that touched what answers rest on.
    generation: u64,
}

impl Tokens {
    pub(crate) fn new(registry: &Registry, store: &Store) -> Self {
        let provider = registry.services().iter().position(|s| s.authenticator.is_some());
        let kept = Kept { answers: Cache::new(KEPT_MAX), notices: store.notices(), generation: 0 };
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
    /// Who a visitor is, if they may come in now: authenticate ▸ rate. A face asks before it takes
    /// in what they send.
    ///
    /// A look for a token costs the visitor's network a call, which it gets back if the token is
    /// good: who guesses is a stranger until then. To a `public` method a bad token is no token,
    /// for whoever signs in again with an old one in hand must not be kept out by it.
    ///
    /// # Errors
    /// `node.rate`, `auth.malformed`, and those of [`Node::authenticate`].
    pub async fn identify(self: &Arc<Self>, visitor: &Visitor, public: bool) -> Result<Caller> {
        let uptime = self.world.uptime();
        if let Some(Ok(token)) = visitor.token()
            && let Some(caller) = self.remembered(token)
        {
            self.limits.take(&caller, uptime)?;
            return Ok(caller);
        }
        self.limits.take_stranger(&visitor.network, uptime)?;
        let found = match visitor.token() {
            None => return Ok(self.anonymous()),
            Some(Ok(token)) => self.authenticate(token).await,
            Some(Err(error)) => Err(error),
        };
        match found {
            Ok(caller) => {
                self.limits.give_back(&visitor.network);
                self.limits.take(&caller, uptime)?;
                Ok(caller)
            }
            Err(_) if public => Ok(self.anonymous()),
            Err(error) => Err(error),
        }
    }

    /// Whether a visitor who came in may still call a method: what an open stream asks before it
    /// tells anything more.
    ///
    /// # Errors
    /// Those of [`Node::authenticate`], and those of a caller who may not.
    pub async fn still_good(self: &Arc<Self>, visitor: &Visitor, method: &Method) -> Result<()> {
        let caller = match visitor.token() {
            Some(Ok(token)) => self.authenticate(token).await,
            Some(Err(error)) => Err(error),
            None => Ok(self.anonymous()),
        };
        match caller {
            Err(_) if method.permission == Permission::Public => Ok(()),
            caller => authorize(method, &caller?),
        }
    }

    /// The caller whom a bearer token belongs to.
    ///
    /// # Errors
    /// `auth.token_invalid` for a token that is unknown, expired or revoked.
    pub async fn authenticate(self: &Arc<Self>, token: &str) -> Result<Caller> {
        if let Some(caller) = self.remembered(token) {
            return Ok(caller);
        }
        let Some((provider, tables, run)) = self.provider() else { return Err(refused()) };
        let name = self.keys.token(token);
        let generation = self.tokens.kept(tables).generation;
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
            kept.answers.insert(name, found.clone());
        }
        Ok(found.caller)
    }

    /// The bearer of a token, where the answer was kept and nothing can have changed it: the store
    /// says how long ago it knew of every commit, and a node that was asleep knows of none since.
    fn remembered(&self, token: &str) -> Option<Caller> {
        let (_, tables, _) = self.provider()?;
        if self.world.uptime().saturating_sub(self.store.fresh_since()) > FRESH {
            return None;
        }
        let (name, now) = (self.keys.token(token), self.world.now());
        let kept = self.tokens.kept(tables);
        let known = kept.answers.get(&name).filter(|known| known.until > now);
        known.map(|known| known.caller.clone())
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
        fn(&stoa_kit::View, &str) -> Result<Option<Authenticated>>,
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
