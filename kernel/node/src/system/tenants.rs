//! Tenants as people run them: made, shown, changed, stopped and resumed.
//!
//! Who administers the main tenant runs the cell and may all of it; others see their own tenant and
//! no more. Nobody acts in a tenant who does not belong to it: its first administrator is whoever
//! was handed its code.

use stoa_kit::registry::ServiceId;
use stoa_kit::{Ctx, Error, MAIN, Mask, Micros, Reason as _, Result, Tx, View};

use super::is_main;
use crate::background::TO_FILL;
use crate::contract::*;
use crate::tenants::SUSPENDED;

/// What an update may name.
const FIELDS: [&str; 5] =
    ["display_name", "hosts", "commits_per_second", "jobs_max", "blob_bytes_max"];

pub(super) async fn create(ctx: Ctx, request: CreateTenantRequest) -> Result<CreateTenantResponse> {
    let (code, code_hash) = code(&ctx);
    let added = ctx.call(AddTenantRequest { tenant: request.into(), code_hash }).await?;
    let setup_code = if added.open { code } else { String::new() };
    Ok(CreateTenantResponse { tenant: added.tenant, setup_code })
}

pub(super) async fn renew_setup_code(
    ctx: Ctx, request: RenewSetupCodeRequest,
) -> Result<RenewSetupCodeResponse> {
    let (setup_code, code_hash) = code(&ctx);
    ctx.call(KeepSetupCodeRequest { name: request.name, code_hash }).await?;
    Ok(RenewSetupCodeResponse { setup_code })
}

/// A code, and its hash.
fn code(ctx: &Ctx) -> (String, Vec<u8>) {
    let secret: [u8; 10] = ctx.secret("code");
    let code: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = blake3::hash(code.as_bytes()).as_bytes().to_vec();
    (code, hash)
}

/// Adds the tenant's row, its hosts and the hash of its code: with one commit it is there, whole.
pub(super) fn add(tx: &mut Tx, request: AddTenantRequest) -> Result<AddTenantResponse> {
    const ADD: &str = "INSERT INTO stoa_tenant (tenant, state, display_name, \
         commits_per_second, jobs_max, create_time, update_time, blob_bytes_max) \
         VALUES ($1, 'active', $2, $3, $4, $5, $5, $6) ON CONFLICT (tenant) DO NOTHING";
    is_main(tx)?;
    let tenant = request.tenant.into_option().unwrap_or_default();
    let CreateTenantRequest {
        name,
        display_name,
        hosts,
        commits_per_second,
        jobs_max,
        blob_bytes_max,
        ..
    } = tenant;
    let limits = (i64::from(commits_per_second), i64::from(jobs_max));
    let row = (&name, &display_name, limits.0, limits.1, tx.now().0, blob_bytes_max);
    if tx.execute(ADD, row)? == 0 {
        return Err(Reason::TenantExists.because(format!("there is a tenant called `{name}`")));
    }
    set_hosts(tx, &name, &hosts)?;
    subscribe(tx, &name)?;
    let open = match provider(tx) {
        Some((service, prepare)) => {
            tx.within(&name, service, |tx| prepare(tx, &request.code_hash))?
        }
        None => false,
    };
    tx.touch("system.tenant", &name);
    Ok(AddTenantResponse { tenant: find(tx, &name)?.into(), open })
}

pub(super) fn keep_setup_code(
    tx: &mut Tx, request: KeepSetupCodeRequest,
) -> Result<KeepSetupCodeResponse> {
    is_main(tx)?;
    find(tx, &request.name)?;
    let open = match provider(tx) {
        Some((service, prepare)) => {
            tx.within(&request.name, service, |tx| prepare(tx, &request.code_hash))?
        }
        None => false,
    };
    if !open {
        return Err(Reason::SetUp.because(format!("`{}` has an administrator", request.name)));
    }
    tx.touch("system.tenant", &request.name);
    Ok(KeepSetupCodeResponse {})
}

pub(super) fn get(view: &View, request: GetTenantRequest) -> Result<GetTenantResponse> {
    Ok(GetTenantResponse { tenant: find(view, &request.name)?.into() })
}

pub(super) fn list(view: &View, request: ListTenantsRequest) -> Result<ListTenantsResponse> {
    const LIST: &str = "SELECT tenant, state, display_name, commits_per_second, jobs_max, \
         create_time, update_time, blob_bytes_max FROM stoa_tenant \
         WHERE (tenant = :tenant OR :tenant = 'main') AND tenant > $1 ORDER BY tenant LIMIT $2";
    let page = view.page(&request, 1)?;
    let rows = view.rows::<Row>(LIST, (page.after(), page.limit()))?;
    let mut tenants = rows.into_iter().map(|row| shown(view, row)).collect::<Result<_>>()?;
    let next_page_token = page.cut(&mut tenants, |last: &Tenant| vec![last.name.clone()])?;
    Ok(ListTenantsResponse { tenants, next_page_token })
}

pub(super) fn update(tx: &mut Tx, request: UpdateTenantRequest) -> Result<UpdateTenantResponse> {
    const UPDATE: &str = "UPDATE stoa_tenant SET display_name = $2, commits_per_second = $3, \
         jobs_max = $4, update_time = $5, blob_bytes_max = $6 WHERE tenant = $1";
    is_main(tx)?;
    let mask = Mask::read(request.update_mask.as_option(), &FIELDS)?;
    let mut tenant = find(tx, &request.name)?;
    if mask.names("display_name", !request.display_name.is_empty()) {
        tenant.display_name.clone_from(&request.display_name);
    }
    if mask.names("commits_per_second", request.commits_per_second != 0) {
        tenant.commits_per_second = request.commits_per_second;
    }
    if mask.names("jobs_max", request.jobs_max != 0) {
        tenant.jobs_max = request.jobs_max;
    }
    if mask.names("blob_bytes_max", request.blob_bytes_max != 0) {
        tenant.blob_bytes_max = request.blob_bytes_max;
    }
    if mask.names("hosts", !request.hosts.is_empty()) {
        set_hosts(tx, &request.name, &request.hosts)?;
    }
    let limits = (i64::from(tenant.commits_per_second), i64::from(tenant.jobs_max));
    let (now, bytes) = (tx.now().0, tenant.blob_bytes_max);
    let row = (&request.name, &tenant.display_name, limits.0, limits.1, now, bytes);
    tx.execute(UPDATE, row)?;
    tx.touch("system.tenant", &request.name);
    Ok(UpdateTenantResponse { tenant: find(tx, &request.name)?.into() })
}

pub(super) fn suspend(tx: &mut Tx, request: SuspendTenantRequest) -> Result<SuspendTenantResponse> {
    if request.name == MAIN {
        return Err(Reason::MainTenant.because("the main tenant is what the cell is run from"));
    }
    Ok(SuspendTenantResponse { tenant: set_state(tx, &request.name, SUSPENDED)?.into() })
}

pub(super) fn resume(tx: &mut Tx, request: ResumeTenantRequest) -> Result<ResumeTenantResponse> {
    Ok(ResumeTenantResponse { tenant: set_state(tx, &request.name, "active")?.into() })
}

fn set_state(tx: &mut Tx, name: &str, state: &str) -> Result<Tenant> {
    const SET: &str = "UPDATE stoa_tenant SET state = $2, update_time = $3 \
         WHERE tenant = $1 AND state <> $2";
    is_main(tx)?;
    let now = tx.now();
    tx.execute(SET, (name, state, now.0))?;
    tx.touch("system.tenant", name);
    find(tx, name)
}

/// A tenant that the caller may see.
fn find(view: &View, name: &str) -> Result<Tenant> {
    const FIND: &str = "SELECT tenant, state, display_name, commits_per_second, jobs_max, \
         create_time, update_time, blob_bytes_max FROM stoa_tenant \
         WHERE tenant = $1 AND (tenant = :tenant OR :tenant = 'main')";
    let row = view.row::<Row>(FIND, (name,))?.ok_or_else(|| Error::not_found("tenant", name))?;
    shown(view, row)
}

type Row = (String, String, String, i64, i64, i64, i64, i64);

fn shown(view: &View, row: Row) -> Result<Tenant> {
    const HOSTS: &str = "SELECT host FROM stoa_host WHERE tenant = $1 ORDER BY host";
    const USED: &str = "SELECT blob_bytes FROM stoa_usage WHERE tenant = $1";
    let (name, state, display_name, commits_per_second, jobs_max, ..) = row;
    let (.., create_time, update_time, blob_bytes_max) = row;
    let hosts = view.rows::<(String,)>(HOSTS, (&name,))?;
    let used = view.row::<(i64,)>(USED, (&name,))?;
    let number = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    let state = if state == SUSPENDED { TenantState::Suspended } else { TenantState::Active };
    Ok(Tenant {
        name,
        state: state.into(),
        display_name,
        hosts: hosts.into_iter().map(|(host,)| host).collect(),
        commits_per_second: number(commits_per_second),
        jobs_max: number(jobs_max),
        create_time: Micros(create_time).timestamp(),
        update_time: Micros(update_time).timestamp(),
        blob_bytes_max,
        blob_bytes: used.map_or(0, |(bytes,)| bytes),
    })
}

/// Has these hosts mean a tenant, and no others.
fn set_hosts(tx: &mut Tx, name: &str, hosts: &[String]) -> Result<()> {
    const CLEAR: &str = "DELETE FROM stoa_host WHERE tenant = $1";
    const ADD: &str = "INSERT INTO stoa_host (tenant, host) VALUES ($1, $2) \
         ON CONFLICT (host) DO NOTHING";
    tx.execute(CLEAR, (name,))?;
    let mut hosts: Vec<&String> = hosts.iter().collect();
    hosts.sort_unstable();
    hosts.dedup();
    for host in hosts {
        if tx.execute(ADD, (name, host))? == 0 {
            return Err(Reason::HostTaken.because(format!("`{host}` means another tenant")));
        }
    }
    Ok(())
}

/// Has every subscription begin with the tenant: what happens there from now on is its to handle.
fn subscribe(tx: &mut Tx, name: &str) -> Result<()> {
    const BEGIN: &str = "INSERT INTO stoa_cursor (tenant, subscription, generation, partition, \
         position, ordinal, state, fill, holder) VALUES ($1, $2, 1, $3, 0, $4, '', $5, '')";
    let services = tx.registry().services().iter();
    let all = services.flat_map(|service| {
        service.subscriptions.iter().map(|one| {
            let fill = if one.is_filled() { TO_FILL } else { "" };
            (format!("{}.{}", service.name, one.name), i64::from(one.partitions), fill)
        })
    });
    let all: Vec<_> = all.collect();
    for (subscription, partitions, fill) in all {
        for partition in 0..partitions {
            tx.insert(BEGIN, (name, &subscription, partition, i64::MAX, fill))?;
        }
    }
    Ok(())
}

/// The service that knows callers, and how it prepares for the first one.
fn provider(view: &View) -> Option<(ServiceId, fn(&mut Tx, &[u8]) -> Result<bool>)> {
    let (service, by) = view.registry().authenticator()?;
    Some((service, by.prepare))
}
