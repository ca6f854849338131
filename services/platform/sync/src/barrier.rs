//! Where several wait until all of them are there.

use stoa_kit::{Reason as _, Result, Tx};
use stoa_sync_v1::{Barrier, BarrierOpened, Party, Reason};

use crate::{model, store};

/// Has somebody wait at a barrier of so many parties, or opens it: the round in which they came.
pub(crate) fn enter(tx: &mut Tx, party: Party, parties: i32) -> Result<(i64, Barrier)> {
    let mut barrier = match tx.get::<Barrier>((&party.barrier,))? {
        Some(barrier) => settled(tx, barrier)?,
        None => {
            let (name, round) = (party.barrier.clone(), model::next_number(0, tx.now()));
            tx.add(Barrier { name, parties, round, ..Barrier::default() })?
        }
    };
    if barrier.parties != parties {
        if barrier.arrived > 0 {
            let message = format!("it waits for {}, as others said who wait", barrier.parties);
            return Err(Reason::LimitDiffers.because(message));
        }
        barrier.parties = parties;
    }
    match tx.get::<Party>((&party.barrier, &party.owner, &party.name))? {
        Some(_) => drop(tx.save(party)?),
        None => {
            tx.add(party)?;
            barrier.arrived += 1;
        }
    }
    let round = barrier.round;
    if barrier.arrived == barrier.parties {
        store::delete_parties(tx, &barrier.name)?;
        barrier.arrived = 0;
        barrier.round = model::next_number(round, tx.now());
        tx.emit(&BarrierOpened { barrier: barrier.name.clone(), round });
    }
    Ok((round, close(tx, barrier)?))
}

/// Has somebody wait no more, if they do.
pub(crate) fn leave(tx: &mut Tx, barrier: &str, owner: &str, name: &str) -> Result<()> {
    let Some(mut known) = tx.get::<Barrier>((barrier,))? else { return Ok(()) };
    if tx.delete::<Party>((barrier, owner, name))? {
        known.arrived -= 1;
        close(tx, known)?;
    }
    Ok(())
}

/// Sends away who is waited for no more.
pub(crate) fn expire(tx: &mut Tx, name: &str) -> Result<()> {
    if let Some(barrier) = tx.get::<Barrier>((name,))? {
        let barrier = settled(tx, barrier)?;
        close(tx, barrier)?;
    }
    Ok(())
}

fn settled(tx: &mut Tx, mut barrier: Barrier) -> Result<Barrier> {
    let gone = store::delete_parties_over(tx, &barrier.name, tx.now())?;
    barrier.arrived -= i32::try_from(gone).unwrap_or(barrier.arrived);
    Ok(barrier)
}

fn close(tx: &mut Tx, mut barrier: Barrier) -> Result<Barrier> {
    let idle = barrier.arrived == 0;
    barrier.expire_time = if idle { tx.after(model::IDLE).timestamp() } else { Default::default() };
    tx.save(barrier)
}
