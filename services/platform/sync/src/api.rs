//! The contract's functions.

use stoa_kit::{Error, Result, Tx, View};
use stoa_sync_v1::*;

use crate::{barrier, line, model, store};

/// Whoever was granted this takes away anybody's leases.
const RELEASE_ALL: &str = "sync.leases.release_all";

/// Keeps the promises of `stoa.sync.v1`.
pub(crate) struct Sync;

impl SyncService for Sync {
    fn acquire_lock(
        &self, tx: &mut Tx, request: AcquireLockRequest,
    ) -> Result<AcquireLockResponse> {
        let (limit, permits) = (model::or(request.limit, 1), model::or(request.permits, 1));
        if permits > limit {
            let message = format!("the lock has {limit} in all");
            return Err(Error::field("permits", "sync.beyond_limit", message));
        }
        let lease = Lease {
            id: tx.new_id("lea"),
            owner: tx.owner()?.to_owned(),
            lock: request.name,
            permits,
            lease_seconds: model::lease_seconds(request.lease_seconds),
            wait_seconds: request.wait_seconds,
            note: request.note,
            ..Lease::default()
        };
        let mut lock = line::open(tx, &lease.lock, limit)?;
        let lease = line::enter(tx, &mut lock, lease)?;
        line::close(tx, lock)?;
        Ok(AcquireLockResponse { lease: lease.into() })
    }

    fn get_lock(&self, view: &View, request: GetLockRequest) -> Result<GetLockResponse> {
        let lock = view.get::<Lock>((&request.name,))?.ok_or_else(model::unused)?;
        let mut holders = store::holders(view, &lock.name)?;
        holders.retain(|lease| !model::is_over(lease, view.now()));
        let holder = |lease: Lease| Holder {
            note: lease.note,
            permits: lease.permits,
            fence: lease.fence,
            expire_time: lease.expire_time,
        };
        Ok(GetLockResponse {
            lock: lock.into(),
            holders: holders.into_iter().map(holder).collect(),
        })
    }

    fn list_locks(&self, view: &View, request: ListLocksRequest) -> Result<ListLocksResponse> {
        let (locks, next_page_token) = view.list_all::<Lock>("name").page(&request)?;
        Ok(ListLocksResponse { locks, next_page_token })
    }

    fn renew_lease(&self, tx: &mut Tx, request: RenewLeaseRequest) -> Result<RenewLeaseResponse> {
        let lease = own(tx, &request.id)?;
        let expire_time = tx.after(model::life(&lease)).timestamp();
        let lease = tx.save(Lease { expire_time, ..lease })?;
        Ok(RenewLeaseResponse { lease: lease.into() })
    }

    fn release_lease(
        &self, tx: &mut Tx, request: ReleaseLeaseRequest,
    ) -> Result<ReleaseLeaseResponse> {
        let lease = match tx.caller().may(RELEASE_ALL) {
            true => live(tx, &request.id)?,
            false => own(tx, &request.id)?,
        };
        line::end(tx, &lease)?;
        Ok(ReleaseLeaseResponse {})
    }

    fn get_lease(&self, view: &View, request: GetLeaseRequest) -> Result<GetLeaseResponse> {
        let lease = view.get::<Lease>((&request.id,))?;
        let lease = lease.filter(|lease| !model::is_over(lease, view.now()));
        Ok(GetLeaseResponse { lease: view.visible(lease, &request.id)?.into() })
    }

    fn batch_get_leases(
        &self, view: &View, request: BatchGetLeasesRequest,
    ) -> Result<BatchGetLeasesResponse> {
        let mut leases = view.load_many::<Lease>(&request.ids)?;
        leases.retain(|lease| !model::is_over(lease, view.now()));
        Ok(BatchGetLeasesResponse { leases })
    }

    fn list_leases(&self, view: &View, request: ListLeasesRequest) -> Result<ListLeasesResponse> {
        let list = view.list::<Lease>("place, id").owned_by(&request.owner);
        let (mut leases, next_page_token) =
            list.only("lock", request.lock.as_str()).page(&request)?;
        leases.retain(|lease| !model::is_over(lease, view.now()));
        Ok(ListLeasesResponse { leases, next_page_token })
    }

    fn enter_barrier(
        &self, tx: &mut Tx, request: EnterBarrierRequest,
    ) -> Result<EnterBarrierResponse> {
        let party = Party {
            barrier: request.name,
            owner: tx.owner()?.to_owned(),
            name: request.party,
            expire_time: tx.after(model::party_life(request.wait_seconds)).timestamp(),
        };
        let (round, barrier) = barrier::enter(tx, party, request.parties)?;
        Ok(EnterBarrierResponse { round, barrier: barrier.into() })
    }

    fn leave_barrier(
        &self, tx: &mut Tx, request: LeaveBarrierRequest,
    ) -> Result<LeaveBarrierResponse> {
        let owner = tx.owner()?.to_owned();
        barrier::leave(tx, &request.name, &owner, &request.party)?;
        Ok(LeaveBarrierResponse {})
    }

    fn get_barrier(&self, view: &View, request: GetBarrierRequest) -> Result<GetBarrierResponse> {
        let barrier = view.get::<Barrier>((&request.name,))?.ok_or_else(model::unused)?;
        Ok(GetBarrierResponse { barrier: barrier.into() })
    }

    fn expire_leases(&self, tx: &mut Tx, _: ExpireLeasesRequest) -> Result<ExpireLeasesResponse> {
        let (locks, full) = store::locks_over(tx, tx.now())?;
        for lock in locks {
            line::expire(tx, &lock)?;
        }
        tx.again(full);
        Ok(ExpireLeasesResponse {})
    }

    fn expire_parties(
        &self, tx: &mut Tx, _: ExpirePartiesRequest,
    ) -> Result<ExpirePartiesResponse> {
        let (barriers, full) = store::barriers_over(tx, tx.now())?;
        for barrier in barriers {
            barrier::expire(tx, &barrier)?;
        }
        tx.again(full);
        Ok(ExpirePartiesResponse {})
    }

    fn delete_expired(
        &self, tx: &mut Tx, _: DeleteExpiredRequest,
    ) -> Result<DeleteExpiredResponse> {
        tx.sweep::<Lock>("expire_time")?;
        tx.sweep::<Barrier>("expire_time")?;
        Ok(DeleteExpiredResponse {})
    }
}

/// A lease that is not over.
fn live(view: &View, id: &str) -> Result<Lease> {
    let lease = view.get::<Lease>((id,))?;
    lease.filter(|lease| !model::is_over(lease, view.now())).ok_or_else(model::lost)
}

/// A lease of the caller's own that is not over.
fn own(view: &View, id: &str) -> Result<Lease> {
    let (lease, owner) = (live(view, id)?, view.owner()?);
    if lease.owner == owner { Ok(lease) } else { Err(model::lost()) }
}

/// Lets go of somebody who is erased: others need not wait for them.
pub(crate) fn erase(tx: &mut Tx, owner: &str) -> Result<()> {
    // One after another: with each that ends, another of theirs may come to hold the lock.
    while let Some(lease) = store::lease_of(tx, owner)? {
        line::end(tx, &lease)?;
    }
    for party in store::parties_of(tx, owner)? {
        barrier::leave(tx, &party.barrier, owner, &party.name)?;
    }
    Ok(())
}
