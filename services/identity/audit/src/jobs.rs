//! What happens without a caller: commits become entries, heads are told of, and what was kept for long
//! enough is forgotten.

use std::collections::BTreeSet;
use std::time::Duration;

use stoa_audit_v1::{Detail, Entry, Settings, TreeHeadSigned};
use stoa_kit::{Cause, Micros, Recorded, Result, Tx, View};

use crate::model::{self, tree};
use crate::store;

/// Names that are added in one commit, if one record alone does not have more.
const NAMES_MAX: usize = 512;
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
        let mut entry = entry(tx, leaf_index, record)?;
        leaves.push(tree::leaf(&model::leaf(&entry)));
        if model::hold(&holds, &entry).is_some() {
            for subject in model::subjects(&entry).into_iter().filter(|id| erased.contains(*id)) {
                store::hold_erased(tx, subject)?;
            }
        } else if !erased.is_empty() {
            let names = |_, detail: &Detail| erased.contains(model::subject(&detail.value));
            model::redact(&mut entry, (store::ERASED, tx.now()), names);
        }
        store::add(tx, &entry)?;
    }
    let asked = Cause::Request.to_string();
    let asked = records.iter().filter(|record| record.cause == asked).count() as i64;
    let head = model::Head { requests: head.requests + asked, ..head };
    store::tree::append(tx, head, &leaves)?;
    Ok(taken)
}

/// What an entry keeps of a record.
fn entry(tx: &Tx, leaf_index: i64, record: &Recorded) -> Result<Entry> {
    let detail = |(place, value): (usize, &String)| {
        Ok(model::detail(value, &tx.salt(&format!("{leaf_index}.{place}"))?))
    };
    let touched = record.touched.iter().zip(1..).map(|(value, place)| detail((place, value)));
    let tables = record.tables.iter().map(|(table, rows)| format!("{table}:{rows}"));
    Ok(Entry {
        leaf_index,
        position: record.position.clone(),
        commit_time: record.time.timestamp(),
        cause: record.cause.clone(),
        method: record.method.clone(),
        trace: record.trace.clone(),
        tables: tables.collect(),
        caller: detail((0, &record.caller))?.into(),
        touched: touched.collect::<Result<_>>()?,
        ..Entry::default()
    })
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
    let is_old = |entry: &&Entry| Micros::of(&entry.commit_time) <= end;
    let old: Vec<_> = entries.iter().take_while(is_old).collect();
    for entry in &old {
        if model::hold(&holds, entry).is_none() {
            store::forget(tx, entry)?;
        }
    }
    if let Some(entry) = old.last() {
        tx.execute(MOVE, (entry.leaf_index + 1,))?;
    }
    tx.again(old.len() as i64 == CHUNK);
    Ok(())
}

/// How long entries are kept; none for ever.
fn retention(view: &View) -> Result<Option<Duration>> {
    let days = view.settings::<Settings>()?.retention_days.unsigned_abs();
    Ok((days > 0).then(|| Duration::from_secs(u64::from(days) * DAY)))
}
