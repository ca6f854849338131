//! Whether somebody who stays may still be there, and what they may.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use stoa_kit::session::{Extent, Reads, Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Caller, Cause, Result};

use super::group::{Groups, Look};
use super::hub::Hub;
use crate::Node;
use crate::auth::{Visitor, refused};

/// Somebody, as they are known to the node.
pub(crate) enum Access {
    /// By the token that they bear, and who that was.
    Token(Arc<str>, Caller),
    /// By their subject.
    Known(Caller),
}

impl Access {
    pub(super) fn of(visitor: &Visitor, caller: &Caller) -> Self {
        match visitor.token() {
            Some(Ok(token)) if !caller.is_anonymous() => Self::Token(token.into(), caller.clone()),
            _ => Self::Known(caller.clone()),
        }
    }

    fn caller(&self) -> &Caller {
        match self {
            Self::Token(_, caller) | Self::Known(caller) => caller,
        }
    }
}

impl Look for Access {
    type Key = [u8; 32];
    type Seen = Caller;
    /// Credentials end by time, too.
    const EVERY: Option<Duration> = Some(Duration::from_secs(10));
    /// Who joins was looked up a moment ago.
    const ANEW: bool = false;

    fn key(&self) -> Self::Key {
        let Caller { tenant, subject, credential, .. } = self.caller();
        let token = match self {
            Self::Token(token, _) => token,
            Self::Known(_) => "",
        };
        let mut hash = blake3::Hasher::new();
        for text in [tenant, subject, credential, token] {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        *hash.finalize().as_bytes()
    }

    fn tenant(&self) -> &Arc<str> {
        &self.caller().tenant
    }

    fn look(&self, node: &Arc<Node>) -> BoxFuture<'_, Result<(Caller, Reads)>> {
        let node = Arc::clone(node);
        async move {
            let (caller, mut reads) = match node.registry().authenticator() {
                Some(_) if !self.caller().is_anonymous() && !self.caller().is_system() => {
                    self.found(&node).await?
                }
                _ => (self.caller().clone(), Reads::new()),
            };
            node.tenants().await?.active(&caller.tenant)?;
            reads.insert("stoa_tenant".into(), Extent::Whole);
            Ok((caller, reads))
        }
        .boxed()
    }

    fn groups(hub: &Hub) -> &Groups<Self> {
        &hub.accesses
    }
}

impl Access {
    async fn found(&self, node: &Arc<Node>) -> Result<(Caller, Reads)> {
        let registry = Arc::clone(node.registry());
        let known = self.caller().clone();
        let token = match self {
            Self::Token(token, _) => Some(Arc::clone(token)),
            Self::Known(_) => None,
        };
        let read = move |session: &mut dyn Session, stamp: Stamp| {
            let (provider, by) = registry.authenticator().ok_or_else(refused)?;
            let (caller, cause) = (Caller::system(&known.tenant), Cause::Request);
            let (registry, caller, cause) = (&registry, &caller, &cause);
            session.watch();
            let query = Run { registry, caller, cause, stamp, nested: true };
            let found = query.query(session, provider, |view| match &token {
                Some(token) => Ok((by.run)(view, token)?.map(|found| found.caller)),
                None => (by.principal)(view, &known.subject, &known.credential),
            })?;
            Ok((found.ok_or_else(refused)?, session.reads()))
        };
        node.read(None, read).await
    }
}
