//! The rows of entries, holds and those who were erased.

pub(crate) mod tree;

use std::collections::BTreeMap;

use stoa_audit_v1::{Entry, Hold, Reason, Redaction};
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};

use crate::model::{self, Act, Name};

/// Names that are redacted in one commit.
const CHUNK: i64 = 200;
/// Holds that there can be.
const HOLDS_MAX: usize = 100;
/// What is said of what was redacted because somebody was erased.
const ERASED: &str = "erased";

type ActRow = (i64, String, Micros, String, String, String, String);
type NameRow = (i64, i64, Vec<u8>, Vec<u8>, String, String);

/// Adds an entry.
pub(crate) fn add(tx: &mut Tx, act: &Act, names: &[Name]) -> Result<()> {
    const ACT: &str = "INSERT INTO audit_entry \
         (tenant, leaf_index, position, time, cause, method, trace, tables) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7)";
    const NAME: &str = "INSERT INTO audit_detail \
         (tenant, leaf_index, place, hash, salt, value, subject) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6)";
    let Act { leaf_index, position, time, cause, method, trace, tables } = act;
    tx.insert(ACT, (*leaf_index, position.as_str(), *time, cause, method, trace, tables))?;
    for name in names {
        let Name { place, hash, salt, value, subject } = name;
        let what = (hash.as_slice(), salt.as_slice(), value, subject);
        tx.insert(NAME, (*leaf_index, *place, what.0, what.1, what.2, what.3))?;
    }
    Ok(())
}

/// Entries as they are kept, with what they name.
pub(crate) fn kept(view: &View, from: i64, to: i64) -> Result<Vec<(Act, Vec<Name>)>> {
    const ACTS: &str = "SELECT leaf_index, position, time, cause, method, trace, tables \
         FROM audit_entry WHERE tenant = :tenant AND leaf_index >= $1 AND leaf_index < $2 \
         ORDER BY leaf_index";
    const NAMES: &str = "SELECT leaf_index, place, hash, salt, value, subject FROM audit_detail \
         WHERE tenant = :tenant AND leaf_index >= $1 AND leaf_index < $2 \
         ORDER BY leaf_index, place";
    together(view.rows(ACTS, (from, to))?, view.rows(NAMES, (from, to))?)
}

/// The entries of some places, the newest first.
pub(crate) fn of(view: &View, places: &[i64]) -> Result<Vec<(Act, Vec<Name>)>> {
    const ACTS: &str = "SELECT leaf_index, position, time, cause, method, trace, tables \
         FROM audit_entry WHERE tenant = :tenant AND leaf_index = ANY ($1) \
         ORDER BY leaf_index DESC";
    const NAMES: &str = "SELECT leaf_index, place, hash, salt, value, subject FROM audit_detail \
         WHERE tenant = :tenant AND leaf_index = ANY ($1) ORDER BY leaf_index, place";
    let places = places.to_vec();
    together(view.rows(ACTS, (places.clone(),))?, view.rows(NAMES, (places,))?)
}

fn together(acts: Vec<ActRow>, names: Vec<NameRow>) -> Result<Vec<(Act, Vec<Name>)>> {
    let mut of = BTreeMap::<i64, Vec<Name>>::new();
    for (leaf_index, place, hash, salt, value, subject) in names {
        of.entry(leaf_index).or_default().push(Name { place, hash, salt, value, subject });
    }
    let act = |(leaf_index, position, time, cause, method, trace, tables): ActRow| {
        let act = Act { leaf_index, position, time, cause, method, trace, tables };
        (act, of.remove(&leaf_index).unwrap_or_default())
    };
    Ok(acts.into_iter().map(act).collect())
}

/// One entry as it is kept.
pub(crate) fn one(view: &View, leaf_index: i64) -> Result<(Act, Vec<Name>)> {
    let found = kept(view, leaf_index, leaf_index.saturating_add(1))?.into_iter().next();
    found.ok_or_else(|| Error::not_found("entry", &leaf_index.to_string()))
}

/// Entries as callers see them.
pub(crate) fn shown(view: &View, kept: Vec<(Act, Vec<Name>)>) -> Result<Vec<Entry>> {
    const REDACTIONS: &str = "SELECT leaf_index, place, reason, time FROM audit_redaction \
         WHERE tenant = :tenant AND leaf_index = ANY ($1) ORDER BY leaf_index, place";
    let places: Vec<i64> = kept.iter().map(|(act, _)| act.leaf_index).collect();
    let mut redactions = BTreeMap::<i64, Vec<Redaction>>::new();
    for (leaf_index, place, reason, time) in
        view.rows::<(i64, i64, String, Micros)>(REDACTIONS, (places,))?
    {
        let redact_time = time.timestamp();
        let redaction = Redaction { field: model::field(place), reason, redact_time };
        redactions.entry(leaf_index).or_default().push(redaction);
    }
    let entry = |(act, names): (Act, Vec<Name>)| {
        let redactions = redactions.remove(&act.leaf_index).unwrap_or_default();
        model::entry(act, &names, redactions)
    };
    Ok(kept.into_iter().map(entry).collect())
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
    const ABOUT_END: &str = "SELECT leaf_index FROM audit_detail WHERE tenant = :tenant \
         AND subject = $3 AND subject <> '' AND leaf_index < $1 \
         ORDER BY leaf_index DESC LIMIT 1 OFFSET $2";
    const ALL: &str = "SELECT leaf_index FROM audit_entry WHERE tenant = :tenant \
         AND leaf_index < $1 AND leaf_index >= $2 AND ($3 = '' OR method = $3) \
         AND time >= $4 AND time < $5 ORDER BY leaf_index DESC LIMIT $6";
    const ABOUT: &str = "SELECT DISTINCT d.leaf_index FROM audit_detail AS d \
         JOIN audit_entry AS e ON e.tenant = :tenant AND e.leaf_index = d.leaf_index \
         WHERE d.tenant = :tenant AND d.subject = $7 AND d.subject <> '' \
         AND d.leaf_index < $1 AND d.leaf_index >= $2 AND ($3 = '' OR e.method = $3) \
         AND e.time >= $4 AND e.time < $5 ORDER BY d.leaf_index DESC LIMIT $6";
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

/// Drops what a name of an entry says, and keeps in mind why.
pub(crate) fn redact(tx: &mut Tx, leaf_index: i64, place: i64, reason: &str) -> Result<()> {
    const DROP: &str = "UPDATE audit_detail SET salt = $3, value = '', subject = '' \
         WHERE tenant = :tenant AND leaf_index = $1 AND place = $2";
    const REMEMBER: &str = "INSERT INTO audit_redaction (tenant, leaf_index, place, reason, time) \
         VALUES (:tenant, $1, $2, $3, $4)";
    tx.execute(DROP, (leaf_index, place, [0_u8; 0].as_slice()))?;
    tx.insert(REMEMBER, (leaf_index, place, reason, tx.now()))
}

/// Deletes an entry, but for its leaf.
pub(crate) fn forget(tx: &mut Tx, leaf_index: i64) -> Result<()> {
    const ACT: &str = "DELETE FROM audit_entry WHERE tenant = :tenant AND leaf_index = $1";
    const NAMES: &str = "DELETE FROM audit_detail WHERE tenant = :tenant AND leaf_index = $1";
    const WHY: &str = "DELETE FROM audit_redaction WHERE tenant = :tenant AND leaf_index = $1";
    for sql in [ACT, NAMES, WHY] {
        tx.execute(sql, (leaf_index,))?;
    }
    Ok(())
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

/// Keeps in mind that a name was left out because whom it names was erased.
pub(crate) fn left_out(tx: &mut Tx, leaf_index: i64, place: i64) -> Result<()> {
    const REMEMBER: &str = "INSERT INTO audit_redaction (tenant, leaf_index, place, reason, time) \
         VALUES (:tenant, $1, $2, $3, $4)";
    tx.insert(REMEMBER, (leaf_index, place, ERASED, tx.now()))
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
    const NAMED: &str = "SELECT DISTINCT leaf_index FROM audit_detail WHERE tenant = :tenant \
         AND subject = $1 AND subject <> '' AND leaf_index >= $2 ORDER BY leaf_index LIMIT $3";
    const MOVE: &str = "UPDATE audit_erased SET state = $2, next = $3 \
         WHERE tenant = :tenant AND subject = $1";
    let Some((subject, next)) = due(tx)? else { return Ok(false) };
    let named = tx.rows::<(i64,)>(NAMED, (&subject, next, CHUNK))?;
    let named: Vec<i64> = named.into_iter().map(|(leaf_index,)| leaf_index).collect();
    let holds = holds(tx)?;
    for (act, names) in of(tx, &named)? {
        if model::hold(&holds, &names).is_none() {
            for name in names.iter().filter(|name| name.subject == subject) {
                redact(tx, act.leaf_index, name.place, ERASED)?;
            }
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
    const ANY: &str = "SELECT leaf_index FROM audit_detail WHERE tenant = :tenant \
         AND subject = $1 AND subject <> '' LIMIT 1";
    Ok(view.row::<(i64,)>(ANY, (subject,))?.is_some())
}
