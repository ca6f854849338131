//! The node's own contract, `stoa.system.v1`: it reads the kernel's tables, and is the one
//! service that may.

mod batch;
mod blobs;
mod catalogue;
mod commits;
mod follow;
mod jobs;
mod load;
mod logs;
mod node;
mod settings;
mod subjects;
mod subscriptions;
mod tenants;
mod timers;
mod watch;

use std::sync::{Arc, OnceLock};

use stoa_kit::blobs::PATH;
use stoa_kit::{Micros, Reason as _, Result, Service, View, World};
use stoa_store::Store;
use stoa_store::timeline::Timelines;

use crate::blobs::BLOB_MAX;
use crate::contract::{Functions, ReadBlobRequest, Reason, UploadBlobRequest};
use crate::load::Load;
use crate::log::Logs;
use crate::{Configured, Parts};

/// What a node knows of itself, and is in no table.
pub(crate) struct Own {
    pub(crate) name: Arc<str>,
    pub(crate) world: Arc<dyn World>,
    pub(crate) load: Load,
    since: Micros,
    configuration: Vec<Configured>,
    logs: Arc<Logs>,
    store: OnceLock<Store>,
}

impl Own {
    pub(crate) fn new(parts: &Parts, load: Load) -> Arc<Self> {
        let (name, world, logs) = (&parts.name, &parts.world, &parts.logs);
        Arc::new(Self {
            name: Arc::clone(name),
            world: Arc::clone(world),
            load,
            since: world.now(),
            configuration: parts.configuration.clone(),
            logs: Arc::clone(logs),
            store: OnceLock::new(),
        })
    }

    /// That of no node: of what only looks at a store.
    pub(crate) fn of_nobody(world: &Arc<dyn World>) -> Arc<Self> {
        Arc::new(Self {
            name: "".into(),
            world: Arc::clone(world),
            load: Load::new(std::iter::empty()),
            since: world.now(),
            configuration: Vec::new(),
            logs: Logs::new(world),
            store: OnceLock::new(),
        })
    }

    /// How the commits went that it made of late.
    fn timelines(&self) -> Option<&Timelines> {
        self.store.get().map(|store| store.timelines())
    }

    /// The node has opened its store.
    pub(crate) fn stores_in(&self, store: &Store) {
        self.store.get_or_init(|| Arc::clone(store));
    }
}

/// Refuses who does not administer the main tenant what concerns the cell.
fn is_main(view: &View) -> Result<()> {
    match view.caller().is_main() {
        true => Ok(()),
        false => Err(Reason::NotMain.because("only the main tenant's administrators may do this")),
    }
}

/// A query that tells of the node itself too.
fn with<Q, R>(
    own: &Arc<Own>, query: fn(&View, &Own, Q) -> Result<R>,
) -> impl Fn(&View, Q) -> Result<R> + Send + Sync + 'static
where
    Q: 'static,
    R: 'static,
{
    let own = Arc::clone(own);
    move |view, request| query(view, &own, request)
}

/// The manifest of the kernel.
pub(crate) fn service(own: &Arc<Own>) -> Service {
    let functions = Functions {
        list_services: catalogue::list,
        batch: batch::run,
        explain_access: catalogue::explain,
        get_commit: with(own, commits::get),
        list_commits: commits::list,
        list_jobs: jobs::list,
        retry_job: jobs::retry,
        retry_jobs: jobs::retry_all,
        drop_job: jobs::drop,
        list_subscriptions: subscriptions::list,
        resume_subscription: subscriptions::resume,
        list_parked: subscriptions::list_parked,
        release_parked: subscriptions::release_parked,
        drop_parked: subscriptions::drop_parked,
        list_timers: timers::list,
        get_load: with(own, load::get),
        list_logs: with(own, logs::list),
        get_node: with(own, node::get),
        list_settings: settings::list,
        update_setting: settings::update,
        reset_setting: settings::reset,
        list_personal_tables: subjects::tables,
        export_subject: subjects::export,
        erase_subject: subjects::erase,
        export_self: subjects::export_self,
        erase_self: subjects::erase_self,
        annotate: follow::annotate,
        create_tenant: tenants::create,
        get_tenant: tenants::get,
        list_tenants: tenants::list,
        update_tenant: tenants::update,
        suspend_tenant: tenants::suspend,
        resume_tenant: tenants::resume,
        renew_setup_code: tenants::renew_setup_code,
        add_tenant: tenants::add,
        keep_setup_code: tenants::keep_setup_code,
        upload_blob: blobs::upload,
        read_blob: blobs::read,
        follow_events: follow::events,
        watch: watch::watch,
    };
    Service::kernel(functions.serve())
        .raw::<UploadBlobRequest>("/-/uploads", BLOB_MAX as usize)
        .raw::<ReadBlobRequest>(PATH, 0)
}
