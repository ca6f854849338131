//! Who holds a lock, and who stands in line for it.

use stoa_kit::{Error, Reason as _, Result, Tx, View};
use stoa_sync_v1::{Lease, LeaseState, Lock, LockAcquired, LockReleased, Reason};

use crate::{model, store};

/// The lock of a name as it is now, made if there is none, for somebody who says how many permits it has.
pub(crate) fn open(tx: &mut Tx, name: &str, permits: i32) -> Result<Lock> {
    let mut lock = match tx.get::<Lock>((name,))? {
        Some(lock) => settled(tx, lock)?,
        None => tx.add(Lock { name: name.to_owned(), permits, ..Lock::default() })?,
    };
    if lock.permits != permits {
        if lock.held + lock.waiting > 0 {
            let message = format!("it has {} permits, as others said who use it now", lock.permits);
            return Err(Reason::LimitDiffers.because(message));
        }
        lock.permits = permits;
    }
    Ok(lock)
}

/// Has somebody hold a lock, or stand in line for it.
pub(crate) fn enter(tx: &mut Tx, lock: &mut Lock, mut lease: Lease) -> Result<Lease> {
    lock.number = model::next_number(lock.number, tx.now());
    lease.place = lock.number;
    if lock.waiting == 0 && model::fits(lock, lease.permits) {
        held(tx, lock, &mut lease);
        return tx.add(lease);
    }
    if lease.wait_seconds == 0 {
        return Err(Reason::Locked.because("others hold it"));
    }
    if lock.waiting >= model::LINE_MAX {
        let message = format!("{} stand in line for it", model::LINE_MAX);
        return Err(Reason::LineFull.because(message));
    }
    lock.waiting += 1;
    lease.state = LeaseState::Waiting.into();
    lease.expire_time = tx.after(model::life(&lease)).timestamp();
    tx.add(lease)
}

/// Ends a lease, and lets in who is next.
pub(crate) fn end(tx: &mut Tx, lease: &Lease) -> Result<()> {
    let mut lock = known(tx, &lease.lock)?;
    leave(tx, &mut lock, lease, false)?;
    let lock = settled(tx, lock)?;
    close(tx, lock).map(drop)
}

/// Ends what is over of a lock, and lets in who is next.
pub(crate) fn expire(tx: &mut Tx, name: &str) -> Result<()> {
    let lock = known(tx, name)?;
    let lock = settled(tx, lock)?;
    close(tx, lock).map(drop)
}

/// Keeps a lock as it is now.
pub(crate) fn close(tx: &mut Tx, mut lock: Lock) -> Result<Lock> {
    let idle = lock.held + lock.waiting == 0;
    lock.expire_time = if idle { tx.after(model::IDLE).timestamp() } else { Default::default() };
    tx.save(lock)
}

/// Lets a command of any service happen only while its caller holds a lock.
pub(crate) fn check_fence(view: &View, said: &str) -> Result<()> {
    let (fence, lock) = model::fence(said)?;
    let owner = view.owner()?;
    let lease = store::fenced(view, lock, fence)?;
    let holds = |lease: &Lease| lease.owner == owner && !model::is_over(lease, view.now());
    lease.filter(holds).map(drop).ok_or_else(model::lost)
}

fn known(tx: &Tx, name: &str) -> Result<Lock> {
    let lock = tx.get::<Lock>((name,))?;
    lock.ok_or_else(|| Error::internal("a lease is there and its lock is not"))
}

/// A lock without what is over, and with whoever is next, as far as there are permits for them.
fn settled(tx: &mut Tx, mut lock: Lock) -> Result<Lock> {
    for lease in store::leases_over(tx, &lock.name, tx.now())? {
        leave(tx, &mut lock, &lease, true)?;
    }
    while lock.waiting > 0 {
        let next = store::next(tx, &lock.name)?;
        let Some(mut next) = next.filter(|next| model::fits(&lock, next.permits)) else { break };
        lock.waiting -= 1;
        held(tx, &mut lock, &mut next);
        tx.save(next)?;
    }
    Ok(lock)
}

/// Has the owner of a lease hold the lock.
fn held(tx: &mut Tx, lock: &mut Lock, lease: &mut Lease) {
    lock.held += lease.permits;
    lock.number = model::next_number(lock.number, tx.now());
    lease.state = LeaseState::Held.into();
    lease.fence = lock.number;
    lease.expire_time = tx.after(model::life(lease)).timestamp();
    tx.emit(&LockAcquired {
        lock: lock.name.clone(),
        lease_id: lease.id.clone(),
        fence: lease.fence,
    });
}

fn leave(tx: &mut Tx, lock: &mut Lock, lease: &Lease, expired: bool) -> Result<()> {
    tx.delete::<Lease>((&lease.id,))?;
    if lease.state == LeaseState::Waiting {
        lock.waiting -= 1;
        return Ok(());
    }
    lock.held -= lease.permits;
    let (lock, lease_id) = (lock.name.clone(), lease.id.clone());
    tx.emit(&LockReleased { lock, lease_id, expired });
    Ok(())
}
