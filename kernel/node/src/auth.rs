//! Who calls: tokens are looked up by the one service that knows them, in the tenant that they name,
//! and [answers are kept](crate::bearers) until a commit touches what they rest on.

use std::sync::Arc;
use std::time::Duration;

use stoa_contract::{Code, Format, Method, Permission};
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Caller, Cause, Error, Result};

use crate::{Call, Node};

/// How old what the store knows of other nodes may be, for a kept answer to be good.
const FRESH: Duration = Duration::from_secs(1);

/// Somebody at a face, as far as the head of a request tells.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// The value of their `Authorization`, if they sent one.
    pub authorization: Option<Arc<str>>,
    /// The network that they come from, as [`stoa_kit::network`] writes it.
    pub network: String,
    /// The host that they call, in lower case and without its port.
    pub host: String,
    /// The tenant that they name, if they name one.
    pub tenant: Option<Arc<str>>,
    /// Whether they are heard who name a tenant and have no credential of it.
    pub names_tenants: bool,
}

impl Visitor {
    /// The bearer token they sent; an error if it is something else that they sent.
    pub(crate) fn token(&self) -> Option<Result<&str>> {
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

impl Node {
    /// Who a visitor is, if they may come in now: authenticate ▸ rate. A face asks before it takes
    /// in what they send.
    ///
    /// A look for a token costs the visitor's network a call, which it gets back if the token is
    /// good: who guesses is a stranger until then. To a `public` method a bad token is no token,
    /// for whoever signs in again with an old one in hand must not be kept out by it.
    ///
    /// # Errors
    /// `node.rate`, `auth.malformed`, those of [`Node::authenticate`], and those of a tenant that is
    /// none, or not the bearer's, or suspended.
    pub async fn identify(self: &Arc<Self>, visitor: &Visitor, public: bool) -> Result<Caller> {
        let (uptime, tenants) = (self.world.uptime(), self.tenants().await?);
        let token = visitor.token();
        let known = match token {
            Some(Ok(token)) => self.remembered(token),
            _ => None,
        };
        let is_known = known.is_some();
        if !is_known {
            self.limits.take_stranger(&visitor.network, uptime)?;
        }
        let meant = tenants.meant(visitor)?;
        let found = match (known, token) {
            (Some(caller), _) => Ok(Some(caller)),
            (None, token) => self.bearer(token).await,
        };
        let caller = meant.caller(found, public)?;
        match (caller.is_anonymous(), is_known) {
            (true, true) => self.limits.take_stranger(&visitor.network, uptime)?,
            (true, false) => {}
            (false, true) => self.limits.take(&caller, uptime)?,
            (false, false) => {
                self.limits.give_back(&visitor.network);
                self.limits.take(&caller, uptime)?;
            }
        }
        tenants.active(&caller.tenant)?;
        Ok(caller)
    }

    /// Whether a visitor who came in may still call a method: what an open stream asks before it
    /// tells anything more. Who came in as somebody does not go on as nobody.
    ///
    /// # Errors
    /// Those of [`Node::identify`], and those of a caller who may not.
    pub async fn still_good(
        self: &Arc<Self>, visitor: &Visitor, came_as: &Caller, method: &Method,
    ) -> Result<()> {
        let tenants = self.tenants().await?;
        let found = self.bearer(visitor.token()).await;
        let public = method.permission == Permission::Public && came_as.is_anonymous();
        let caller = tenants.meant(visitor)?.caller(found, public)?;
        tenants.active(&caller.tenant)?;
        caller.authorize(method)
    }

    /// Who bears what was sent; none where nothing was.
    async fn bearer(self: &Arc<Self>, token: Option<Result<&str>>) -> Result<Option<Caller>> {
        match token {
            Some(token) => self.authenticate(token?).await.map(Some),
            None => Ok(None),
        }
    }

    /// The caller whom a bearer token belongs to.
    ///
    /// # Errors
    /// `auth.token_invalid` for a token that is unknown, expired or revoked; `tenant.suspended`.
    pub async fn authenticate(self: &Arc<Self>, token: &str) -> Result<Caller> {
        let registry = Arc::clone(&self.registry);
        let (provider, by) = registry.authenticator().ok_or_else(refused)?;
        let run = by.run;
        let tenants = self.tenants().await?;
        let tenant = (by.tenant)(token).filter(|tenant| tenants.knows(tenant));
        let tenant = Arc::clone(&tenants.active(tenant.ok_or_else(refused)?)?.name);
        if let Some(caller) = self.remembered(token) {
            return Ok(caller);
        }
        let name = self.keys.token(token);
        let heard = self.bearers.heard();
        let (registry, bearers) = (Arc::clone(&registry), Arc::clone(&tenant));
        let token = token.to_owned();
        let read = move |session: &mut dyn Session, stamp: Stamp| {
            let (caller, cause) = (Caller::system(&bearers), Cause::Request);
            let (registry, caller, cause) = (&registry, &caller, &cause);
            session.watch();
            let query = Run { registry, caller, cause, stamp, nested: true };
            let found = query.query(session, provider, |view| run(view, &token))?;
            Ok((found, session.reads()))
        };
        let (found, rests_on) = self.read(None, read).await?;
        let mut found = found.ok_or_else(refused)?;
        if let Some((method, request)) = found.due.take() {
            // A use that cannot be noted is still a use: the store may be full, or busy.
            if let Err(error) = self.note(&tenant, method, &request).await {
                tracing::warn!(%error, method, "the use of a token was not noted");
            }
        }
        let caller = found.caller.clone();
        self.bearers.keep(name, found, rests_on, heard);
        Ok(caller)
    }

    /// Who a job's method runs as, on behalf of somebody: as they are now, where it takes a
    /// permission; else as the service itself, which is granted nothing.
    ///
    /// # Errors
    /// `job.principal` where they may nothing any more, and those of one who may not.
    pub(crate) async fn principal(
        &self, method: &Method, tenant: &Arc<str>, (subject, credential): (&str, &str),
    ) -> Result<Caller> {
        if subject == "system" {
            return Ok(Caller::system(tenant));
        }
        if matches!(method.permission, Permission::Internal | Permission::Public) {
            return Ok(Caller::of(tenant, subject, &[]));
        }
        let caller = self.now(tenant, subject, credential).await?;
        caller.authorize(method)?;
        Ok(caller)
    }

    /// Somebody as they are now.
    pub(crate) async fn now(
        &self, tenant: &Arc<str>, subject: &str, credential: &str,
    ) -> Result<Caller> {
        let registry = Arc::clone(&self.registry);
        let Some((provider, by)) = registry.authenticator() else {
            return Ok(Caller::of(tenant, subject, &[]));
        };
        let (registry, principal) = (Arc::clone(&registry), by.principal);
        let (tenant, asked) = (Arc::clone(tenant), subject.to_owned());
        let credential = credential.to_owned();
        let read = move |session: &mut dyn Session, stamp: Stamp| {
            let (caller, cause) = (Caller::system(&tenant), Cause::Request);
            let (registry, caller, cause) = (&registry, &caller, &cause);
            let query = Run { registry, caller, cause, stamp, nested: true };
            query.query(session, provider, |view| principal(view, &asked, &credential))
        };
        self.read(None, read).await?.ok_or_else(|| {
            let message = format!("{subject}, on whose behalf this is, may nothing any more");
            Error::new(Code::PermissionDenied, "job.principal", message)
                .help("Have it asked for by somebody who may.")
        })
    }

    /// The bearer of a token, where the answer was kept and nothing can have changed it: the store
    /// says how long ago it knew of every commit, and a node that was asleep knows of none since.
    fn remembered(&self, token: &str) -> Option<Caller> {
        if self.world.uptime().saturating_sub(self.store.fresh_since()) > FRESH {
            return None;
        }
        self.bearers.find(self.keys.token(token), self.world.now())
    }

    /// Runs a command that the provider asked for.
    async fn note(
        self: &Arc<Self>, tenant: &str, method: &'static str, request: &[u8],
    ) -> Result<()> {
        let bound = self.registry.find(method)?;
        let call = Call {
            method: method.to_owned(),
            caller: Caller::system(tenant),
            request: bound.decode_request(request, Format::Binary)?,
            key: None,
            fence: None,
            trace: String::new(),
            deadline: None,
            cause: Cause::Request,
            address: String::new(),
            position: None,
            dry_run: false,
        };
        self.call(call).await.map(drop)
    }
}

/// What somebody is told whose token is good for nothing.
pub(crate) fn refused() -> Error {
    Error::new(
        Code::Unauthenticated,
        "auth.token_invalid",
        "the token is unknown, expired or revoked",
    )
    .help("Sign in again, or use a key that is still good.")
}
