//! Cursors: how far each partition has come, in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use stoa_kit::session::Session;
use stoa_kit::{Result, Start};
use stoa_store::kernel;

use super::partition::{Idle, Place};
use super::router::{Reaction, reactions};
use crate::Node;
use crate::background::{CELL, housekeep};

/// A cursor.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) generation: i64,
    pub(super) partition: i64,
    pub(super) cursor: Place,
    pub(super) state: String,
    pub(super) fill: String,
    pub(super) holder: String,
}

/// What `fill` begins with while there are pages to fill.
pub(crate) const TO_FILL: &str = "page:";

/// Cursors by subscription, each by generation and partition.
type Rows = BTreeMap<String, Vec<Row>>;

/// Reads every cursor of a tenant.
pub(super) async fn read(node: &Node, tenant: &Arc<str>) -> Result<Rows> {
    let tenant = Arc::clone(tenant);
    node.read(None, move |session, _| rows(session, &tenant)).await
}

/// Whether cursors have to be brought in line: a node that does not subscribe has put them aside,
/// or they are lost and what they feed can be filled anew.
pub(super) fn are_astray(reaction: &Reaction, rows: &[Row]) -> bool {
    let is_astray =
        |row: &Row| row.state == "retired" || (reaction.is_filled && row.state == "lost");
    rows.iter().any(is_astray)
}

/// Brings the cursors of tenants in line with what is subscribed to: those of new subscriptions begin, those
/// whose number of partitions is another go on in so many, those that came back go on where they
/// were, and those of subscriptions that are no more are retired: they hold up nothing.
pub(super) async fn register(node: &Node, tenants: Vec<Arc<str>>) -> Result<()> {
    const RETIRE: &str = "UPDATE stoa_cursor SET state = 'retired' \
         WHERE tenant = :tenant AND subscription = $1 AND state = ''";
    const FLOOR: &str = "SELECT position FROM stoa_floor WHERE tenant = :tenant";
    let (end, registry) = (node.store().settled().await?, Arc::clone(node.registry()));
    housekeep(node, CELL, move |session, _| {
        for tenant in &tenants {
            let floor = kernel::rows::<(i64,)>(session, tenant, FLOOR, ())?;
            let floor = floor.first().map_or(0, |(floor,)| *floor);
            let mut known = rows(session, tenant)?;
            for reaction in reactions(&registry, tenant) {
                let rows = known.remove(&reaction.name).unwrap_or_default();
                enrol(session, tenant, &reaction, rows, (floor, end))?;
            }
            for (name, rows) in &known {
                if rows.iter().any(|row| row.state.is_empty()) {
                    kernel::execute(session, tenant, RETIRE, (name,))?;
                }
            }
        }
        Ok(())
    })
    .await
}

/// Moves cursors over what was of no interest, each unless somebody else has moved it.
pub(super) async fn move_idle(
    node: &Node, tenant: &Arc<str>, idle: impl Iterator<Item = Idle>,
) -> Result<()> {
    const MOVE: &str = "UPDATE stoa_cursor SET position = $6, ordinal = $7 \
         WHERE tenant = :tenant AND subscription = $1 AND generation = $2 AND partition = $3 \
         AND position = $4 AND ordinal = $5 AND state = ''";
    let (idle, tenant) = (idle.collect::<Vec<_>>(), Arc::clone(tenant));
    if idle.is_empty() {
        return Ok(());
    }
    housekeep(node, &tenant.clone(), move |session, _| {
        for Idle { name, generation, number, from, to } in &idle {
            let params = (name, *generation, *number, from.0, from.1, to.0, to.1);
            kernel::execute(session, &tenant, MOVE, params)?;
        }
        Ok(())
    })
    .await
}

fn rows(session: &mut dyn Session, tenant: &str) -> Result<Rows> {
    const ROWS: &str = "SELECT subscription, generation, partition, position, ordinal, state, \
         fill, holder FROM stoa_cursor WHERE tenant = :tenant \
         ORDER BY subscription, generation, partition \
         /* whole: there are as many as partitions of subscriptions */";
    type Columns = (String, i64, i64, i64, i64, String, String, String);
    let mut rows = Rows::new();
    for columns in kernel::rows::<Columns>(session, tenant, ROWS, ())? {
        let (name, generation, partition, position, ordinal, state, fill, holder) = columns;
        let cursor = (position, ordinal);
        let row = Row { generation, partition, cursor, state, fill, holder };
        rows.entry(name).or_default().push(row);
    }
    Ok(rows)
}

/// Brings the cursors of one subscription in line with its manifest.
fn enrol(
    session: &mut dyn Session, tenant: &str, reaction: &Reaction, mut rows: Vec<Row>,
    (floor, end): (i64, i64),
) -> Result<()> {
    const RETURN: &str = "UPDATE stoa_cursor SET state = CASE WHEN position < $2 THEN 'lost' \
         ELSE '' END WHERE tenant = :tenant AND subscription = $1 AND state = 'retired'";
    const REPLACE: &str = "UPDATE stoa_cursor SET state = 'replaced' \
         WHERE tenant = :tenant AND subscription = $1 AND generation = $2";
    const FORGET: &str = "DELETE FROM stoa_cursor \
         WHERE tenant = :tenant AND subscription = $1 AND generation = $2";
    let name = &reaction.name;
    let anew = (end, i64::MAX);
    let Some(generation) = rows.last().map(|row| row.generation) else {
        let start = if reaction.start == Start::Now { anew } else { (0, i64::MAX) };
        let fill = if reaction.is_filled { TO_FILL } else { "" };
        return begin(session, tenant, reaction, 1, start, ("", fill));
    };
    if rows.iter().any(|row| row.state == "retired") {
        kernel::execute(session, tenant, RETURN, (name, floor))?;
    }
    let is_lost =
        |row: &Row| row.state == "lost" || (row.state == "retired" && row.cursor.0 < floor);
    let current = rows.split_off(rows.partition_point(|row| row.generation < generation));
    let slowest = current.iter().map(|row| row.cursor).min().unwrap_or_default();
    let (lost, full) = (current.iter().any(is_lost), current.iter().all(|row| row.fill.is_empty()));
    let next = match (lost, full) {
        (true, _) if reaction.is_filled => Some((anew, ("", TO_FILL))),
        // Whoever is furthest behind decides where all go on; what the others handled beyond it
        // is known by their cursors, which stay.
        _ if current.len() as i64 == reaction.partitions => None,
        (true, _) => Some((slowest, ("lost", ""))),
        (false, false) => Some((slowest, ("", TO_FILL))),
        (false, true) => Some((slowest, ("", ""))),
    };
    if let Some((start, state)) = next {
        kernel::execute(session, tenant, REPLACE, (name, generation))?;
        begin(session, tenant, reaction, generation + 1, start, state)?;
        rows.extend(current);
    }
    let start = next.map_or(slowest, |(start, _)| start);
    for earlier in rows.chunk_by(|one, next| one.generation == next.generation) {
        if let Some(row) = earlier.first().filter(|_| earlier.iter().all(|r| r.cursor <= start)) {
            kernel::execute(session, tenant, FORGET, (name, row.generation))?;
        }
    }
    Ok(())
}

/// Writes the cursors of a generation.
fn begin(
    session: &mut dyn Session, tenant: &str, reaction: &Reaction, generation: i64,
    (position, ordinal): Place, (state, fill): (&str, &str),
) -> Result<()> {
    const BEGIN: &str = "INSERT INTO stoa_cursor \
         (tenant, subscription, generation, partition, position, ordinal, state, fill, holder) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, '') \
         ON CONFLICT (tenant, subscription, generation, partition) DO NOTHING";
    for partition in 0..reaction.partitions {
        let params = (&reaction.name, generation, partition, position, ordinal, state, fill);
        kernel::execute(session, tenant, BEGIN, params)?;
    }
    Ok(())
}
