//! The rows of entries, holds and those who were erased.

pub(crate) mod tree;

use std::collections::BTreeSet;

use stoa_audit_v1::{Detail, Entry, Hold, Reason};
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};

use crate::model;

/// Names that are redacted in one commit.
const CHUNK: i64 = 200;
/// Holds that there can be.
const HOLDS_MAX: usize = 100;
/// What is said of what was redacted because somebody was erased.
pub(crate) const ERASED: &str = "erased";
/// Subjects that one statement looks for.
const SUBJECTS_MAX: usize = 1_000;

type Row = (i64, Micros, String, Vec<u8>);

/// Adds an entry.
pub(crate) fn add(tx: &mut Tx, entry: &Entry) -> Result<()> {
    const ENTRY: &str = "INSERT INTO audit_entry (tenant, leaf_index, time, method, entry) \
         VALUES (:tenant, $1, $2, $3, $4)";
    const ABOUT: &str =
        "INSERT INTO audit_about (tenant, subject, leaf_index) VALUES (:tenant, $1, $2)";
    let (time, bytes) = (Micros::of(&entry.commit_time), model::bytes(entry));
    tx.insert(ENTRY, (entry.leaf_index, time, &entry.method, bytes.as_slice()))?;
    for subject in model::subjects(entry) {
        tx.insert(ABOUT, (subject, entry.leaf_index))?;
    }
    Ok(())
}

/// The entry of a row; none where it is not what was written.
fn read((leaf_index, time, method, bytes): &Row) -> Option<Entry> {
    let entry: Entry = model::message(bytes)?;
    let is_it = entry.leaf_index == *leaf_index
        && entry.commit_time == time.timestamp()
        && entry.method == *method;
    is_it.then_some(entry)
}

fn whole(row: &Row) -> Result<Entry> {
    read(row).ok_or_else(|| tree::damaged("an entry is not what was written"))
}

/// Entries as they are kept, with their places; none in the place of one that is not what was written.
pub(crate) fn found(view: &View, from: i64, to: i64) -> Result<Vec<(i64, Option<Entry>)>> {
    let rows = rows(view, from, to)?;
    Ok(rows.iter().map(|row| (row.0, read(row))).collect())
}

/// Entries as they are kept.
pub(crate) fn kept(view: &View, from: i64, to: i64) -> Result<Vec<Entry>> {
    rows(view, from, to)?.iter().map(whole).collect()
}

fn rows(view: &View, from: i64, to: i64) -> Result<Vec<Row>> {
    const ENTRIES: &str = "SELECT leaf_index, time, method, entry FROM audit_entry \
         WHERE tenant = :tenant AND leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index";
    view.rows(ENTRIES, (from, to))
}

/// The entries of some places, the newest first.
pub(crate) fn of(view: &View, places: Vec<i64>) -> Result<Vec<Entry>> {
    const ENTRIES: &str = "SELECT leaf_index, time, method, entry FROM audit_entry \
         WHERE tenant = :tenant AND leaf_index = ANY ($1) ORDER BY leaf_index DESC";
    view.rows::<Row>(ENTRIES, (places,))?.iter().map(whole).collect()
}

/// One entry.
pub(crate) fn one(view: &View, leaf_index: i64) -> Result<Entry> {
    let found = kept(view, leaf_index, leaf_index.saturating_add(1))?.into_iter().next();
    found.ok_or_else(|| Error::not_found("entry", &leaf_index.to_string()))
}

/// Which of some subjects are found in entries from a place to another, and in which of them.
pub(crate) fn abouts(
    view: &View, subjects: &[String], (from, to): (i64, i64),
) -> Result<BTreeSet<(String, i64)>> {
    const ABOUT: &str = "SELECT subject, leaf_index FROM audit_about WHERE tenant = :tenant \
         AND subject = ANY ($1) AND leaf_index >= $2 AND leaf_index < $3 \
         ORDER BY subject, leaf_index";
    let mut found = BTreeSet::new();
    for subjects in subjects.chunks(SUBJECTS_MAX) {
        found.extend(view.rows::<(String, i64)>(ABOUT, (subjects.to_vec(), from, to))?);
    }
    Ok(found)
}

/// Whether there are entries from a place on.
pub(crate) fn beyond(view: &View, from: i64) -> Result<bool> {
    const BEYOND: &str = "SELECT leaf_index FROM audit_entry WHERE tenant = :tenant \
         AND leaf_index >= $1 LIMIT 1";
    Ok(view.row::<(i64,)>(BEYOND, (from,))?.is_some())
}

/// What entries are searched by, besides whom they are about.
pub(crate) struct Wanted<'a> {
    pub(crate) about: &'a str,
    pub(crate) method: &'a str,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// The places before one of the entries that are wanted, so many at the most, the newest first; and
/// where a look over so many of them ended, if there are more.
pub(crate) fn search(
    view: &View, wanted: &Wanted<'_>, before: i64, (limit, look): (i64, i64),
) -> Result<(Vec<i64>, Option<i64>)> {
    const ALL_END: &str = "SELECT leaf_index FROM audit_entry WHERE tenant = :tenant \
         AND leaf_index < $1 ORDER BY leaf_index DESC LIMIT 1 OFFSET $2";
    const ABOUT_END: &str = "SELECT leaf_index FROM audit_about WHERE tenant = :tenant \
         AND subject = $3 AND leaf_index < $1 ORDER BY leaf_index DESC LIMIT 1 OFFSET $2";
    const ALL: &str = "SELECT leaf_index FROM audit_entry WHERE tenant = :tenant \
         AND leaf_index < $1 AND leaf_index >= $2 AND ($3 = '' OR method = $3) \
         AND time >= $4 AND time < $5 ORDER BY leaf_index DESC LIMIT $6";
    const ABOUT: &str = "SELECT a.leaf_index FROM audit_about AS a \
         JOIN audit_entry AS e ON e.tenant = :tenant AND e.leaf_index = a.leaf_index \
         WHERE a.tenant = :tenant AND a.subject = $7 \
         AND a.leaf_index < $1 AND a.leaf_index >= $2 AND ($3 = '' OR e.method = $3) \
         AND e.time >= $4 AND e.time < $5 ORDER BY a.leaf_index DESC LIMIT $6";
    let Wanted { about, method, from, to } = *wanted;
    let end = match about {
        "" => view.row::<(i64,)>(ALL_END, (before, look - 1))?,
        about => view.row::<(i64,)>(ABOUT_END, (before, look - 1, about))?,
    };
    let end = end.map(|(end,)| end);
    let down = end.unwrap_or(0);
    let rows = match about {
        "" => view.rows::<(i64,)>(ALL, (before, down, method, from, to, limit))?,
        about => view.rows::<(i64,)>(ABOUT, (before, down, method, from, to, limit, about))?,
    };
    Ok((rows.into_iter().map(|(place,)| place).collect(), end))
}

/// Drops what some names of an entry say, by their places, and keeps in mind why.
pub(crate) fn redact(
    tx: &mut Tx, entry: &Entry, reason: &str, drops: impl Fn(usize, &Detail) -> bool,
) -> Result<()> {
    const KEEP: &str = "UPDATE audit_entry SET entry = $2 \
         WHERE tenant = :tenant AND leaf_index = $1";
    let mut redacted = entry.clone();
    model::redact(&mut redacted, (reason, tx.now()), drops);
    tx.execute(KEEP, (entry.leaf_index, model::bytes(&redacted).as_slice()))?;
    for subject in model::subjects(entry).difference(&model::subjects(&redacted)) {
        unname(tx, subject, entry.leaf_index)?;
    }
    Ok(())
}

/// An entry is not found by a subject any more.
fn unname(tx: &mut Tx, subject: &str, leaf_index: i64) -> Result<()> {
    const DELETE: &str = "DELETE FROM audit_about \
         WHERE tenant = :tenant AND subject = $1 AND leaf_index = $2";
    tx.execute(DELETE, (subject, leaf_index)).map(|_| ())
}

/// Deletes an entry, but for its leaf.
pub(crate) fn forget(tx: &mut Tx, entry: &Entry) -> Result<()> {
    const DELETE: &str = "DELETE FROM audit_entry WHERE tenant = :tenant AND leaf_index = $1";
    tx.execute(DELETE, (entry.leaf_index,))?;
    model::subjects(entry).iter().try_for_each(|subject| unname(tx, subject, entry.leaf_index))
}

/// The holds.
pub(crate) fn holds(view: &View) -> Result<Vec<Hold>> {
    view.all("tenant = :tenant ORDER BY name /* whole: there are a hundred at most */", ())
}

/// Sets a hold, in the place of one of the same name.
pub(crate) fn set_hold(tx: &mut Tx, hold: Hold) -> Result<Hold> {
    let others = holds(tx)?.iter().filter(|other| other.name != hold.name).count();
    if others >= HOLDS_MAX {
        return Err(Reason::TooManyHolds.because(format!("there are {HOLDS_MAX} holds")));
    }
    if tx.delete::<Hold>(&hold.name)? {
        look_again(tx)?;
    }
    tx.touch("audit.hold", &hold.name);
    tx.add(hold)
}

/// Releases a hold.
pub(crate) fn release(tx: &mut Tx, name: &str) -> Result<()> {
    if !tx.delete::<Hold>(name)? {
        return Err(Error::not_found("hold", name));
    }
    tx.touch("audit.hold", name);
    look_again(tx)
}

/// Looks again at what waited for a hold.
fn look_again(tx: &mut Tx) -> Result<()> {
    const ERASED: &str = "UPDATE audit_erased SET state = 'due', next = 0 \
         WHERE tenant = :tenant AND state = 'held'";
    const LOOK: &str = "UPDATE audit_head SET look_from = 0 WHERE tenant = :tenant";
    tx.execute(ERASED, ())?;
    tx.execute(LOOK, ())?;
    Ok(())
}

/// Lets go of somebody who is erased: what names them is redacted after this commit, a chunk in each.
pub(crate) fn erase(tx: &mut Tx, subject: &str) -> Result<()> {
    const ERASE: &str = "INSERT INTO audit_erased (tenant, subject, state, next) \
         VALUES (:tenant, $1, 'due', 0) \
         ON CONFLICT (tenant, subject) DO UPDATE SET state = 'due', next = 0";
    tx.execute(ERASE, (subject,)).map(|_| ())
}

/// Those of some subjects who were erased.
pub(crate) fn erased(view: &View, subjects: Vec<String>) -> Result<Vec<String>> {
    const ERASED: &str =
        "SELECT subject FROM audit_erased WHERE tenant = :tenant AND subject = ANY ($1)";
    let erased = view.rows::<(String,)>(ERASED, (subjects,))?;
    Ok(erased.into_iter().map(|(subject,)| subject).collect())
}

/// Keeps in mind that a hold keeps something that names somebody who was erased.
pub(crate) fn hold_erased(tx: &mut Tx, subject: &str) -> Result<()> {
    const HELD: &str = "UPDATE audit_erased SET state = 'held' \
         WHERE tenant = :tenant AND subject = $1 AND state = 'done'";
    tx.execute(HELD, (subject,)).map(|_| ())
}

/// When something names somebody who was erased: at once.
pub(crate) fn next_erased(view: &View) -> Result<Option<Micros>> {
    Ok(due(view)?.map(|_| view.now()))
}

fn due(view: &View) -> Result<Option<(String, i64)>> {
    const DUE: &str = "SELECT subject, next FROM audit_erased WHERE tenant = :tenant \
         AND state = 'due' ORDER BY subject LIMIT 1";
    view.row(DUE, ())
}

/// Redacts a chunk of what names somebody who was erased; true if there may be more to do.
pub(crate) fn redact_erased(tx: &mut Tx) -> Result<bool> {
    const NAMED: &str = "SELECT leaf_index FROM audit_about WHERE tenant = :tenant \
         AND subject = $1 AND leaf_index >= $2 ORDER BY leaf_index LIMIT $3";
    const MOVE: &str = "UPDATE audit_erased SET state = $2, next = $3 \
         WHERE tenant = :tenant AND subject = $1";
    let Some((subject, next)) = due(tx)? else { return Ok(false) };
    let named = tx.rows::<(i64,)>(NAMED, (&subject, next, CHUNK))?;
    let named: Vec<i64> = named.into_iter().map(|(leaf_index,)| leaf_index).collect();
    let holds = holds(tx)?;
    for entry in of(tx, named.clone())? {
        if model::hold(&holds, &entry).is_none() {
            let names = |_, detail: &Detail| model::subject(&detail.value) == subject;
            redact(tx, &entry, ERASED, names)?;
        }
    }
    let state = match named.len() as i64 == CHUNK {
        true => "due",
        false if is_named(tx, &subject)? => "held",
        false => "done",
    };
    let next = named.last().map_or(next, |last| last + 1);
    tx.execute(MOVE, (&subject, state, next))?;
    Ok(true)
}

/// Whether anything names somebody.
fn is_named(view: &View, subject: &str) -> Result<bool> {
    const ANY: &str =
        "SELECT leaf_index FROM audit_about WHERE tenant = :tenant AND subject = $1 LIMIT 1";
    Ok(view.row::<(i64,)>(ANY, (subject,))?.is_some())
}
