//! Cursors: how far each partition has come, in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use stoa_kit::session::Session;
use stoa_kit::{Result, Start};
use stoa_store::kernel;

use super::Reaction;
use super::partition::{Idle, Place};
use crate::Node;
use crate::background::housekeep;

/// A cursor.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) generation: i64,
    pub(super) partition: i64,
    pub(super) cursor: Place,
    pub(super) state: String,
    pub(super) holder: String,
}

/// Cursors by subscription, each by generation and partition.
type Rows = BTreeMap<String, Vec<Row>>;

/// Reads every cursor.
pub(super) async fn read(node: &Node) -> Result<Rows> {
    let tenant = Arc::clone(node.tenant());
    node.read(None, move |session, _| rows(session, &tenant)).await
}

/// Whether a node that does not subscribe has put the cursors aside.
pub(super) fn is_retired(rows: &Vec<Row>) -> bool {
    rows.iter().any(|row| row.state == "retired")
}

/// Brings the cursors in line with what is subscribed to: those of new subscriptions begin, those
/// whose number of partitions is another go on in so many, those that came back go on where they
/// were, and those of subscriptions that are no more are retired: they hold up nothing.
pub(super) async fn register(
    node: &Node,
    reactions: impl Iterator<Item = Arc<Reaction>>,
) -> Result<()> {
    const RETIRE: &str = "UPDATE stoa_cursor SET state = 'retired' \
         WHERE tenant = :tenant AND subscription = $1 AND state = ''";
    const FLOOR: &str = "SELECT position FROM stoa_floor WHERE tenant = :tenant";
    let (end, tenant) = (node.store().settled().await?, Arc::clone(node.tenant()));
    let reactions: Vec<_> = reactions.collect();
    housekeep(node, &tenant.clone(), move |session, _| {
        let floor = kernel::rows::<(i64,)>(session, &tenant, FLOOR, ())?;
        let floor = floor.first().map_or(0, |(floor,)| *floor);
        let mut known = rows(session, &tenant)?;
        for reaction in &reactions {
            let rows = known.remove(&reaction.name).unwrap_or_default();
            enrol(session, &tenant, reaction, rows, (floor, end))?;
        }
        for (name, rows) in &known {
            if rows.iter().any(|row| row.state.is_empty()) {
                kernel::execute(session, &tenant, RETIRE, (name,))?;
            }
        }
        Ok(())
    })
    .await
}

/// Moves cursors over what was of no interest, each unless somebody else has moved it.
pub(super) async fn move_idle(node: &Node, idle: impl Iterator<Item = Idle>) -> Result<()> {
    const MOVE: &str = "UPDATE stoa_cursor SET position = $6, ordinal = $7 \
         WHERE tenant = :tenant AND subscription = $1 AND generation = $2 AND partition = $3 \
         AND position = $4 AND ordinal = $5 AND state = ''";
    let (idle, tenant) = (idle.collect::<Vec<_>>(), Arc::clone(node.tenant()));
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
         holder FROM stoa_cursor WHERE tenant = :tenant \
         ORDER BY subscription, generation, partition";
    type Columns = (String, i64, i64, i64, i64, String, String);
    let mut rows = Rows::new();
    for columns in kernel::rows::<Columns>(session, tenant, ROWS, ())? {
        let (name, generation, partition, position, ordinal, state, holder) = columns;
        let cursor = (position, ordinal);
        rows.entry(name).or_default().push(Row { generation, partition, cursor, state, holder });
    }
    Ok(rows)
}

/// Brings the cursors of one subscription in line with its manifest.
fn enrol(
    session: &mut dyn Session,
    tenant: &str,
    reaction: &Reaction,
    mut rows: Vec<Row>,
    (floor, end): (i64, i64),
) -> Result<()> {
    const RETURN: &str = "UPDATE stoa_cursor SET state = CASE WHEN position < $2 THEN 'lost' \
         ELSE '' END WHERE tenant = :tenant AND subscription = $1 AND state = 'retired'";
    const REPLACE: &str = "UPDATE stoa_cursor SET state = 'replaced' \
         WHERE tenant = :tenant AND subscription = $1 AND generation = $2";
    const FORGET: &str = "DELETE FROM stoa_cursor \
         WHERE tenant = :tenant AND subscription = $1 AND generation = $2";
    let name = &reaction.name;
    let Some(generation) = rows.last().map(|row| row.generation) else {
        let start = if reaction.start == Start::Now { end } else { 0 };
        return begin(session, tenant, reaction, 1, ((start, i64::MAX), ""));
    };
    if is_retired(&rows) {
        kernel::execute(session, tenant, RETURN, (name, floor))?;
    }
    let is_lost =
        |row: &Row| row.state == "lost" || (row.state == "retired" && row.cursor.0 < floor);
    let current = rows.split_off(rows.partition_point(|row| row.generation < generation));
    let slowest = current.iter().map(|row| row.cursor).min().unwrap_or_default();
    if current.len() as i64 != reaction.partitions {
        // Whoever is furthest behind decides where all go on; what the others handled beyond it
        // is known by their cursors, which stay.
        let state = if current.iter().any(is_lost) { "lost" } else { "" };
        kernel::execute(session, tenant, REPLACE, (name, generation))?;
        begin(session, tenant, reaction, generation + 1, (slowest, state))?;
        rows.extend(current);
    }
    for earlier in rows.chunk_by(|one, next| one.generation == next.generation) {
        if let Some(row) = earlier.first().filter(|_| earlier.iter().all(|r| r.cursor <= slowest)) {
            kernel::execute(session, tenant, FORGET, (name, row.generation))?;
        }
    }
    Ok(())
}

/// Writes the cursors of a generation.
fn begin(
    session: &mut dyn Session,
    tenant: &str,
    reaction: &Reaction,
    generation: i64,
    ((position, ordinal), state): (Place, &str),
) -> Result<()> {
    const BEGIN: &str = "INSERT INTO stoa_cursor \
         (tenant, subscription, generation, partition, position, ordinal, state, holder) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, '') \
         ON CONFLICT (tenant, subscription, generation, partition) DO NOTHING";
    for partition in 0..reaction.partitions {
        let params = (&reaction.name, generation, partition, position, ordinal, state);
        kernel::execute(session, tenant, BEGIN, params)?;
    }
    Ok(())
}
