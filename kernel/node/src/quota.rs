//! What a tenant may have waiting: jobs, so that one who enqueues without end is refused, and not
//! everybody who comes behind.
//!
//! It is counted for those that have a quota, once a second on each node: between two looks more may
//! come in than that.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use stoa_kit::session::Session;
use stoa_kit::tx::Gathered;
use stoa_kit::{Caller, Error, Result};
use stoa_store::kernel;

use crate::Node;
use crate::tenants::Tenant;

/// How long a count is good.
const COUNTED_FOR: Duration = Duration::from_secs(1);
/// Tenants that are remembered.
const REMEMBERED: usize = 4_096;

/// What was counted last.
pub(crate) struct Quotas(Cache<Arc<str>, (Duration, bool)>);

impl Quotas {
    pub(crate) fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

/// What a command may leave that a caller asked for.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    jobs: bool,
}

impl Allowed {
    /// Everything.
    pub(crate) const ALL: Self = Self { jobs: true };

    /// Refuses what goes beyond.
    pub(crate) fn check(self, gathered: &Gathered) -> Result<()> {
        if self.jobs || gathered.jobs.is_empty() {
            return Ok(());
        }
        let message = "this tenant has as many jobs waiting as it may";
        Err(Error::exhausted("tenant.jobs", message, COUNTED_FOR))
    }
}

impl Node {
    /// What a caller's commands may leave behind now. What happens without a caller is not refused:
    /// it would stand aside, and wait for people.
    pub(crate) async fn allowed(&self, caller: &Caller) -> Result<Allowed> {
        if caller.is_system() {
            return Ok(Allowed::ALL);
        }
        let tenants = self.tenants().await?;
        let tenant = tenants.active(&caller.tenant)?;
        Ok(Allowed { jobs: tenant.jobs_max == 0 || !self.is_full(tenant).await? })
    }

    async fn is_full(&self, tenant: &Tenant) -> Result<bool> {
        // As many as there may be, and not one more, are looked at.
        const FULL: &str = "SELECT id FROM stoa_job WHERE tenant = :tenant AND state = 'ready' \
             ORDER BY method, priority, run_at, id LIMIT 1 OFFSET $1";
        let now = self.world.uptime();
        if let Some((at, full)) = self.quotas.0.get(&tenant.name)
            && now.saturating_sub(at) < COUNTED_FOR
        {
            return Ok(full);
        }
        let (name, last) = (Arc::clone(&tenant.name), tenant.jobs_max - 1);
        let read = move |session: &mut dyn Session, _| {
            kernel::rows::<(String,)>(session, &name, FULL, (last,))
        };
        let full = !self.read(None, read).await?.is_empty();
        self.quotas.0.insert(Arc::clone(&tenant.name), (now, full));
        Ok(full)
    }
}
