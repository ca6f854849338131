//! What happens without a caller: commits become entries, heads are told of, and what was kept for long
//! enough is forgotten.

use std::collections::BTreeSet;
use std::time::Duration;

use stoa_audit_v1::{Settings, TreeHeadSigned};
use stoa_kit::{Cause, Micros, Recorded, Result, Tx, View};

use crate::model::{self, Act, Name, tree};
use crate::store;

/// Names that are added in one commit, if one record alone does not have more.
const NAMES_MAX: usize = 128;
/// How long a head is not told of after another one.
const QUIET: Duration = Duration::from_secs(60);
/// Entries that are looked at in one commit, whether they can be forgotten.
const CHUNK: i64 = 200;
const DAY: u64 = 24 * 60 * 60;

/// Puts records of commits into the tree, behind those that are there.
pub(crate) fn append(tx: &mut Tx, records: &[Recorded]) -> Result<usize> {
    let mut names = 0;
    let fits = |record: &&Recorded| {
        names += 1 + record.touched.len();
        names <= NAMES_MAX
    };
    let taken = records.iter().take_while(fits).count().max(1).min(records.len());
    let records = &records[..taken];
    let (head, holds) = (store::tree::head(tx)?, store::holds(tx)?);
    let erased = erased(tx, records)?;
    let mut leaves = Vec::with_capacity(taken);
    for (leaf_index, record) in (head.size as i64..).zip(records) {
        let (act, names) = entry(tx, leaf_index, record)?;
        leaves.push(tree::leaf(&model::leaf(&act, &names)));
        let is_held = model::hold(&holds, &names).is_some();
        let mut kept = Vec::with_capacity(names.len());
        for name in names {
            let is_erased = erased.contains(&name.subject);
            if is_erased && is_held {
                store::hold_erased(tx, &name.subject)?;
            }
            if is_erased && !is_held {
                store::left_out(tx, leaf_index, name.place)?;
            }
            kept.push(if is_erased && !is_held { name.redacted() } else { name });
        }
        store::add(tx, &act, &kept)?;
    }
    let asked = Cause::Request.to_string();
    let asked = records.iter().filter(|record| record.cause == asked).count() as i64;
    let head = model::Head { requests: head.requests + asked, ..head };
    store::tree::append(tx, head, &leaves)?;
    Ok(taken)
}

/// What an entry keeps of a record.
fn entry(tx: &Tx, leaf_index: i64, record: &Recorded) -> Result<(Act, Vec<Name>)> {
    let tables: Vec<String> =
        record.tables.iter().map(|(table, rows)| format!("{table}:{rows}")).collect();
    let act = Act {
        leaf_index,
        position: record.position.clone(),
        time: record.time,
        cause: record.cause.clone(),
        method: record.method.clone(),
        trace: record.trace.clone(),
        tables: tables.join(" "),
    };
    let values = std::iter::once(&record.caller).chain(&record.touched);
    let name = |(place, value): (i64, &String)| {
        Ok(Name::new(place, value, &tx.salt(&format!("{leaf_index}.{place}"))?))
    };
    Ok((act, (0..).zip(values).map(name).collect::<Result<_>>()?))
}

/// Those whom records name and who were erased.
fn erased(view: &View, records: &[Recorded]) -> Result<BTreeSet<String>> {
    let values =
        records.iter().flat_map(|record| std::iter::once(&record.caller).chain(&record.touched));
    let subjects: BTreeSet<String> =
        values.map(|value| model::subject(value).to_owned()).filter(|id| !id.is_empty()).collect();
    Ok(store::erased(view, Vec::from_iter(subjects))?.into_iter().collect())
}

/// When a head is to be told of.
pub(crate) fn next_told(view: &View) -> Result<Option<Micros>> {
    let head = store::tree::head(view)?;
    let (told, time) = head.told;
    Ok((head.requests > told).then(|| time.after(QUIET)))
}

/// Tells of the head.
pub(crate) fn tell_head(tx: &mut Tx) -> Result<()> {
    const TOLD: &str = "UPDATE audit_head SET told = requests, told_time = $1 \
         WHERE tenant = :tenant";
    let head = store::tree::some_head(tx)?;
    let tenant = tx.caller().tenant.clone();
    tx.execute(TOLD, (tx.now(),))?;
    tx.emit(&TreeHeadSigned {
        origin: model::origin(&tenant),
        size: head.size as i64,
        checkpoint: head.checkpoint(&tenant),
        root_hash: head.root,
        signature: head.signature,
    });
    Ok(())
}

/// When an entry will have been kept for long enough.
pub(crate) fn next_forgotten(view: &View) -> Result<Option<Micros>> {
    const NEXT: &str = "SELECT time FROM audit_entry WHERE tenant = :tenant AND leaf_index >= $1 \
         ORDER BY leaf_index LIMIT 1";
    let Some(kept) = retention(view)? else { return Ok(None) };
    let from = store::tree::head(view)?.look_from;
    let next = view.row::<(Micros,)>(NEXT, (from,))?;
    Ok(next.map(|(time,)| time.after(kept)))
}

/// Forgets a chunk of the entries that were kept for long enough, as far as no hold keeps them.
pub(crate) fn forget(tx: &mut Tx) -> Result<()> {
    const NEXT: &str = "SELECT leaf_index FROM audit_entry WHERE tenant = :tenant \
         AND leaf_index >= $1 ORDER BY leaf_index LIMIT $2";
    const MOVE: &str = "UPDATE audit_head SET look_from = $1, \
         kept_from = CASE WHEN kept_from < $1 THEN $1 ELSE kept_from END \
         WHERE tenant = :tenant";
    let Some(kept) = retention(tx)? else { return Ok(()) };
    let (end, from) = (tx.now().before(kept), store::tree::head(tx)?.look_from);
    let next = tx.rows::<(i64,)>(NEXT, (from, CHUNK))?;
    let Some((last,)) = next.last().copied() else { return Ok(()) };
    let holds = store::holds(tx)?;
    let entries = store::kept(tx, from, last + 1)?;
    let old: Vec<_> = entries.iter().take_while(|(act, _)| act.time <= end).collect();
    for (act, names) in &old {
        if model::hold(&holds, names).is_none() {
            store::forget(tx, act.leaf_index)?;
        }
    }
    if let Some((act, _)) = old.last() {
        tx.execute(MOVE, (act.leaf_index + 1,))?;
    }
    tx.again(old.len() as i64 == CHUNK);
    Ok(())
}

/// How long entries are kept; none for ever.
fn retention(view: &View) -> Result<Option<Duration>> {
    let days = view.settings::<Settings>()?.retention_days.unsigned_abs();
    Ok((days > 0).then(|| Duration::from_secs(u64::from(days) * DAY)))
}
