//! Who shares the cell: which tenant a call is about, and whether that goes on.
//!
//! A credential names its tenant. Whoever has none says by the host they call, or by the header
//! `stoa-tenant` where that is listened to; who says nothing means the main tenant. What is said
//! twice must be the same.
//!
//! Every node keeps in mind which tenants there are, all of them: a call looks nothing up.
//!
//! **Invariant:** no call reaches a tenant that is suspended, and no token one that it does not name.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoa_contract::Code;
use stoa_kit::session::Session;
use stoa_kit::{Caller, Error, MAIN, Result};
use stoa_store::{Notice, Store, kernel};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::Node;
use crate::auth::Visitor;

/// How old what the store knows of other nodes may be, for what is kept to be good, and how long it
/// is kept where the store does not know.
const FRESH: Duration = Duration::from_secs(1);
/// The state of a tenant that is stopped, as its row says it.
pub(crate) const SUSPENDED: &str = "suspended";

/// A tenant, as far as calls have to know it.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) name: Arc<str>,
    pub(crate) is_active: bool,
    /// Commits a second; 0 for no limit.
    pub(crate) commits_per_second: u32,
    /// Jobs that may wait; 0 for no limit.
    pub(crate) jobs_max: i64,
    /// Bytes of blobs; 0 for no limit.
    pub(crate) blob_bytes_max: i64,
}

/// All tenants at one time.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    all: BTreeMap<Arc<str>, Arc<Tenant>>,
    hosts: HashMap<String, Arc<Tenant>>,
}

/// What a node keeps in mind of the tenants.
pub(crate) struct Directory {
    kept: Mutex<Kept>,
    /// One look at a time.
    looks: tokio::sync::Mutex<()>,
}

struct Kept {
    tenants: Option<(Duration, Arc<Tenants>)>,
    notices: Receiver<Notice>,
}

impl Directory {
    pub(crate) fn new(store: &Store) -> Self {
        let kept = Kept { tenants: None, notices: store.notices() };
        Self { kept: Mutex::new(kept), looks: tokio::sync::Mutex::default() }
    }

    /// What is kept, if nothing can have changed since.
    fn kept(&self, now: Duration, fresh_since: Duration) -> Option<Arc<Tenants>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.listen();
        let (looked, tenants) = kept.tenants.as_ref()?;
        let is_fresh = |since: Duration| now.saturating_sub(since) <= FRESH;
        (is_fresh(fresh_since) || is_fresh(*looked)).then(|| Arc::clone(tenants))
    }

    fn keep(&self, looked: Duration, tenants: &Arc<Tenants>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tenants = Some((looked, Arc::clone(tenants)));
        // What was heard of since the look may not be in it.
        kept.listen();
    }
}

impl Kept {
    /// Forgets everything if a commit since the last time changed a tenant. A commit tells of itself
    /// before its reply leaves.
    fn listen(&mut self) {
        loop {
            match self.notices.try_recv() {
                Ok(notice) => {
                    let mut tables = notice.tables.iter().map(|written| &*written.table);
                    if tables.any(|table| kernel::TOLD.contains(&table)) {
                        self.tenants = None;
                    }
                }
                Err(TryRecvError::Lagged(_)) => self.tenants = None,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }
}

impl Tenants {
    /// A tenant that goes on.
    ///
    /// # Errors
    /// `tenant.unknown` and `tenant.suspended`.
    pub(crate) fn active(&self, name: &str) -> Result<&Arc<Tenant>> {
        match self.all.get(name) {
            Some(tenant) if tenant.is_active => Ok(tenant),
            Some(_) => Err(suspended()),
            None => Err(unknown()),
        }
    }

    /// The names of all of them, active or not.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.all.keys()
    }

    /// Whether there is a tenant of this name, active or not.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// The tenant that a visitor means by the host they call, or by a header.
    ///
    /// # Errors
    /// `tenant.unknown`, and `tenant.mismatch` for two of them.
    pub(crate) fn meant(&self, visitor: &Visitor) -> Result<Meant> {
        let host = self.hosts.get(&visitor.host).map(|tenant| Arc::clone(&tenant.name));
        let Some(header) = visitor.tenant.as_deref() else {
            return Ok(Meant { tenant: host, is_heard: true });
        };
        if host.as_deref().is_some_and(|host| host != header) {
            return Err(mismatch());
        }
        let is_heard = visitor.names_tenants || host.is_some();
        let tenant = match self.all.get(header) {
            Some(named) => Arc::clone(&named.name),
            None if is_heard => return Err(unknown()),
            // Who is not heard does not learn which tenants there are.
            None => header.into(),
        };
        Ok(Meant { tenant: Some(tenant), is_heard })
    }

    fn read(session: &mut dyn Session) -> Result<Self> {
        const ALL: &str =
            "SELECT tenant, state, commits_per_second, jobs_max, blob_bytes_max FROM stoa_tenant";
        const HOSTS: &str = "SELECT host, tenant FROM stoa_host";
        let mut tenants = Self::default();
        for (name, state, commits, jobs_max, blob_bytes_max) in
            kernel::rows::<(String, String, i64, i64, i64)>(session, "", ALL, ())?
        {
            let name: Arc<str> = name.into();
            let is_active = state != SUSPENDED;
            let commits_per_second = u32::try_from(commits).unwrap_or(0);
            let own = Arc::clone(&name);
            let tenant =
                Tenant { name: own, is_active, commits_per_second, jobs_max, blob_bytes_max };
            tenants.all.insert(name, Arc::new(tenant));
        }
        for (host, name) in kernel::rows::<(String, String)>(session, "", HOSTS, ())? {
            if let Some(tenant) = tenants.all.get(&*name) {
                tenants.hosts.insert(host, Arc::clone(tenant));
            }
        }
        Ok(tenants)
    }
}

impl Node {
    /// The tenants of the cell.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn tenants(&self) -> Result<Arc<Tenants>> {
        let kept = || self.directory.kept(self.world.uptime(), self.store.fresh_since());
        if let Some(tenants) = kept() {
            return Ok(tenants);
        }
        let _turn = self.directory.looks.lock().await;
        if let Some(tenants) = kept() {
            return Ok(tenants);
        }
        let looked = self.world.uptime();
        let tenants = self.read(None, |session, _| Tenants::read(session)).await?;
        let tenants = Arc::new(tenants);
        self.directory.keep(looked, &tenants);
        Ok(tenants)
    }
}

/// What a visitor says of their tenant besides their credential.
pub(crate) struct Meant {
    /// The tenant; none if they say nothing.
    tenant: Option<Arc<str>>,
    /// Whether that counts for somebody without a credential.
    is_heard: bool,
}

impl Meant {
    /// The visitor, by what their credential came to. To what is `public`, one that is not good there
    /// is none.
    ///
    /// # Errors
    /// What the credential came to, `tenant.mismatch`, and `tenant.header`.
    pub(crate) fn caller(&self, found: Result<Option<Caller>>, public: bool) -> Result<Caller> {
        let fits =
            |caller: &Caller| self.tenant.as_ref().is_none_or(|tenant| *tenant == caller.tenant);
        match found {
            Ok(Some(caller)) if fits(&caller) => Ok(caller),
            Ok(Some(_)) if !public => Err(mismatch()),
            Err(error) if !public => Err(error),
            _ => self.nobody(),
        }
    }

    /// Nobody in particular, there, if nobody without a credential is heard.
    fn nobody(&self) -> Result<Caller> {
        match self.is_heard {
            true => Ok(Caller::anonymous(self.tenant.as_deref().unwrap_or(MAIN))),
            false => Err(unheard()),
        }
    }
}

/// Makes the main tenant, if it is not there yet.
pub(crate) fn begin(session: &mut dyn Session, now: stoa_kit::Micros) -> Result<()> {
    const BEGIN: &str = "INSERT INTO stoa_tenant (tenant, state, display_name, \
         commits_per_second, jobs_max, create_time, update_time) \
         VALUES (:tenant, 'active', '', 0, 0, $1, $1) ON CONFLICT (tenant) DO NOTHING";
    kernel::execute(session, MAIN, BEGIN, (now.0,)).map(|_| ())
}

fn unknown() -> Error {
    Error::new(Code::NotFound, "tenant.unknown", "there is no such tenant")
        .help("Leave the header `stoa-tenant` out, or ask whoever runs this cell for the name.")
}

fn suspended() -> Error {
    Error::new(Code::FailedPrecondition, "tenant.suspended", "this tenant is suspended")
        .help("Nothing of it is lost. Ask whoever runs this cell to resume it.")
}

/// What somebody is told who says one tenant by one thing and another by another.
fn mismatch() -> Error {
    let message = "the credential, the host and the header `stoa-tenant` do not mean one tenant";
    Error::new(Code::PermissionDenied, "tenant.mismatch", message)
        .help("Call the host of your tenant, with a credential that was made there.")
}

fn unheard() -> Error {
    let message = "a tenant is named here by a credential or by its host";
    Error::new(Code::PermissionDenied, "tenant.header", message)
        .help("Call a host of the tenant, or set `tenant_header` to `all` on this node.")
}
