//! The rows of cases and their events.

use stoa_cases_v1::Event;
use stoa_kit::{Result, Tx, View};

/// Lets go of somebody who is erased: a digest outlives the key that their data is sealed with.
pub(crate) fn erase(tx: &mut Tx, person: &str) -> Result<()> {
    tx.execute(
        "UPDATE cases_event SET digest = $2 WHERE tenant = :tenant AND person = $1",
        (person, &[][..] as &[u8]),
    )?;
    Ok(())
}

/// The events of sources and identifiers, as far as they are there, each with its digest.
pub(crate) fn known(view: &View, source: &str, id: &str) -> Result<Option<(Event, Vec<u8>)>> {
    const KNOWN: &str =
        "SELECT {}, digest FROM cases_event WHERE tenant = :tenant AND source = $1 AND id = $2";
    let found = view.select_with::<Event, (Vec<u8>,)>(KNOWN, (source, id))?;
    Ok(found.into_iter().next().map(|(event, (digest,))| (event, digest)))
}

/// So many events of a case behind a sequence.
pub(crate) fn behind(view: &View, case: &str, seq: i64, limit: i64) -> Result<Vec<Event>> {
    view.all("case_id = $1 AND seq > $2 ORDER BY seq LIMIT $3", (case, seq, limit))
}
