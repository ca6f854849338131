//! The node's own contract, `stoa.system.v1`: it reads the kernel's tables, and is the one
//! service that may.

mod blobs;
mod catalogue;
mod commits;
mod follow;
mod jobs;
mod settings;
mod subjects;
mod subscriptions;
mod tenants;
mod timers;
mod watch;

use stoa_kit::Service;
use stoa_kit::blobs::PATH;

use crate::blobs::BLOB_MAX;
use crate::contract::{Functions, ReadBlobRequest, UploadBlobRequest};

/// The manifest of the kernel.
pub(crate) fn service() -> Service {
    let functions = Functions {
        list_services: catalogue::list,
        explain_access: catalogue::explain,
        get_commit: commits::get,
        list_commits: commits::list,
        list_jobs: jobs::list,
        retry_job: jobs::retry,
        retry_jobs: jobs::retry_all,
        list_subscriptions: subscriptions::list,
        resume_subscription: subscriptions::resume,
        list_parked: subscriptions::list_parked,
        release_parked: subscriptions::release_parked,
        drop_parked: subscriptions::drop_parked,
        list_timers: timers::list,
        list_settings: settings::list,
        update_setting: settings::update,
        reset_setting: settings::reset,
        list_personal_tables: subjects::tables,
        export_subject: subjects::export,
        erase_subject: subjects::erase,
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
