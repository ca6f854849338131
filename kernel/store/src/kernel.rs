//! The kernel's own rows: the same statements on both engines, written once.

use std::sync::Arc;

use stoa_contract::Format;
use stoa_kit::session::{Extent, Origin, Session};
use stoa_kit::tx::{Enqueued, Gathered};
use stoa_kit::value::{FromRow, Params, Row};
use stoa_kit::{Code, Error, Micros, Result};

use crate::{Changes, Header, Keep, Key, Outcome, Reply};

/// Those of the kernel's tables that nodes keep in mind: what is written there is told of like what
/// is written by services.
pub const TOLD: &[&str] = &["stoa_host", "stoa_tenant"];

/// Those of the kernel's tables of which every change is told, because what a query says may rest on
/// them.
pub const SEEN: &[&str] =
    &["stoa_blob", "stoa_grant", "stoa_host", "stoa_setting", "stoa_subject", "stoa_tenant"];

/// Marks of rows that the record of a commit has room for, by table.
const MARKS_MAX: usize = 16;

/// Runs one of the kernel's own statements and gives its rows.
///
/// # Errors
/// Those of the engine.
pub fn rows<T: FromRow>(
    session: &mut dyn Session, tenant: &str, sql: &'static str, params: impl Params,
) -> Result<Vec<T>> {
    let mut rows = Vec::new();
    let origin = Origin { service: 0, tenant, writes: true };
    let mut each = |row: &dyn Row| {
        rows.push(T::read(row)?);
        Ok(true)
    };
    params.with(|values| session.run(origin, sql.into(), values, &mut each))?;
    Ok(rows)
}

/// Runs one of the kernel's own statements and gives the number of rows it changed.
///
/// # Errors
/// Those of the engine.
pub fn execute(
    session: &mut dyn Session, tenant: &str, sql: &'static str, params: impl Params,
) -> Result<u64> {
    let origin = Origin { service: 0, tenant, writes: true };
    params.with(|values| session.run(origin, sql.into(), values, &mut |_| Ok(true)))
}

/// What an earlier commit left under an idempotency key.
#[derive(Debug)]
pub struct Remembered {
    /// Its position.
    pub position: i64,
    /// Its reply, canonical; none where it was not kept.
    pub reply: Option<Vec<u8>>,
}

/// Finds what an earlier commit left under a key.
///
/// # Errors
/// `idempotency.key_reused` where the key came with another request.
pub fn remembered(
    session: &mut dyn Session, tenant: &str, key: &Key,
) -> Result<Option<Remembered>> {
    const FIND: &str =
        "SELECT fingerprint, position, reply FROM stoa_key WHERE tenant = :tenant AND hash = $1";
    let found = rows::<(Vec<u8>, i64, Vec<u8>)>(session, tenant, FIND, (key.hash.as_slice(),))?;
    let Some((fingerprint, position, reply)) = found.into_iter().next() else { return Ok(None) };
    if fingerprint != key.fingerprint {
        return Err(reused());
    }
    let reply = match (reply.split_first(), &key.keep) {
        (Some((&KEPT, reply)), _) => Some(reply.to_vec()),
        (Some((&SEALED, reply)), Keep::Sealed(seal)) => seal.open(&[&key.hash], reply),
        _ => None,
    };
    Ok(Some(Remembered { position, reply }))
}

/// What a caller is told whose key came with another request.
pub fn reused() -> Error {
    Error::new(
        Code::InvalidArgument,
        "idempotency.key_reused",
        "this idempotency key came with another request before",
    )
    .help("Use a new key for a new request, and the same key only to retry the same one.")
}

/// The first byte of a remembered reply: it was kept.
const KEPT: u8 = 1;
/// The first byte of a remembered reply: it had secret fields.
const WITHHELD: u8 = 0;
/// The first byte of a remembered reply: it is sealed.
const SEALED: u8 = 2;

/// Claims a key; false if somebody has it.
///
/// # Errors
/// Those of the engine.
pub fn claim(
    session: &mut dyn Session, tenant: &str, key: &Key, position: i64, now: Micros, reply: &[u8],
) -> Result<bool> {
    const CLAIM: &str = "INSERT INTO stoa_key (tenant, hash, fingerprint, position, reply, expires) \
         VALUES (:tenant, $1, $2, $3, $4, $5) ON CONFLICT (tenant, hash) DO NOTHING";
    let expires = now.after(key.life).0;
    let (hash, fingerprint) = (key.hash.as_slice(), key.fingerprint.as_slice());
    let claimed = execute(session, tenant, CLAIM, (hash, fingerprint, position, reply, expires))?;
    Ok(claimed == 1)
}

/// Gives a key back that was claimed in this transaction.
///
/// # Errors
/// Those of the engine.
pub fn forget(session: &mut dyn Session, tenant: &str, key: &Key) -> Result<()> {
    const FORGET: &str = "DELETE FROM stoa_key WHERE tenant = :tenant AND hash = $1";
    execute(session, tenant, FORGET, (key.hash.as_slice(),)).map(|_| ())
}

/// A reply as it is kept under a key.
///
/// # Errors
/// `internal` where it cannot be encoded.
pub fn kept(key: &Key, outcome: &Outcome) -> Result<Vec<u8>> {
    let reply = outcome.reply.as_ref().and_then(|reply| reply.as_ref().ok());
    let reply = reply.map(|reply| reply.encode(Format::Binary));
    let reply = reply.transpose()?.unwrap_or_default();
    Ok(match &key.keep {
        Keep::Reply => [&[KEPT], reply.as_slice()].concat(),
        Keep::Sealed(seal) => [&[SEALED], seal.seal(&[&key.hash], &reply)?.as_slice()].concat(),
        Keep::Nothing => vec![WITHHELD],
    })
}

/// A remembered reply, as the caller gets it.
pub fn replay(remembered: Remembered) -> Reply {
    remembered.reply.map_or(Reply::Withheld, Reply::Replayed)
}

/// What the commit record needs besides the header.
pub struct Record<'a> {
    /// The commit's position.
    pub position: i64,
    /// Its time.
    pub now: Micros,
    /// Rows changed by table.
    pub changes: &'a Changes,
    /// How long the command ran, in microseconds.
    pub duration_us: i64,
}

/// Writes events, jobs and the commit record.
///
/// # Errors
/// Those of the engine.
pub fn record(
    session: &mut dyn Session, header: &Header, gathered: &Gathered, record: &Record<'_>,
) -> Result<()> {
    const EVENT: &str = "INSERT INTO stoa_event \
         (tenant, position, ordinal, topic, message, subject, depth, payload) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7)";
    const COMMIT: &str = "INSERT INTO stoa_commit \
         (tenant, position, time, cause, caller, method, trace, tables, touched, duration_us) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let tenant = &*header.tenant;
    for (ordinal, event) in gathered.events.iter().enumerate() {
        let place = (record.position, ordinal as i64);
        let about = (event.topic, event.message, &event.subject);
        execute(
            session,
            tenant,
            EVENT,
            (place.0, place.1, about.0, about.1, about.2, event.depth, event.payload.as_slice()),
        )?;
    }
    for job in &gathered.jobs {
        enqueue(session, header, job, record.position, record.now)?;
    }
    if header.method.is_empty() {
        return Ok(());
    }
    let who = (header.cause.as_str(), &*header.caller, header.method, header.trace.as_str());
    let tables = join(record.changes);
    let touched = gathered.touched.join(" ");
    execute(
        session,
        tenant,
        COMMIT,
        (
            record.position,
            record.now.0,
            who.0,
            who.1,
            who.2,
            who.3,
            tables,
            touched,
            record.duration_us,
        ),
    )?;
    Ok(())
}

/// What was changed, as a record has it: `ledger_transfer:1@09f3aa11 ledger_entry:2`, for each table
/// how many rows, and the marks of their keys where they are few.
fn join(changes: &Changes) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(changes.len() * 32);
    for (table, (rows, extent)) in changes {
        let space = if text.is_empty() { "" } else { " " };
        // A string takes whatever is written.
        let _ = write!(text, "{space}{table}:{rows}");
        if let Extent::Marks(marks) = extent
            && marks.len() <= MARKS_MAX
        {
            text.push('@');
            for (place, mark) in marks.iter().enumerate() {
                let _ = write!(text, "{}{mark:08x}", if place == 0 { "" } else { "," });
            }
        }
    }
    text
}

/// Reads one table of a record: its name, how many rows, and which.
pub fn changed(text: &str) -> Option<(&str, u64, Extent)> {
    let (table, rest) = text.split_once(':')?;
    let (rows, marks) = match rest.split_once('@') {
        Some((rows, marks)) => (rows, Some(marks)),
        None => (rest, None),
    };
    let marks = marks.and_then(|marks| {
        let marks = marks.split(',').filter(|mark| !mark.is_empty());
        marks.map(|mark| u32::from_str_radix(mark, 16).ok()).collect()
    });
    Some((table, rows.parse().ok()?, marks.map_or(Extent::Whole, Extent::Marks)))
}

fn enqueue(
    session: &mut dyn Session, header: &Header, job: &Enqueued, position: i64, now: Micros,
) -> Result<()> {
    const ENQUEUE: &str = "INSERT INTO stoa_job (tenant, id, method, request, state, position, \
         run_at, priority, attempts, lease, dedupe, lane, behalf, credential, trace, depth, error, \
         time) VALUES (:tenant, $1, $2, $3, 'ready', $4, $5, $6, 0, 0, $7, $8, $9, $10, $11, $12, \
         '', $13) \
         ON CONFLICT (tenant, method, dedupe) WHERE dedupe IS NOT NULL DO NOTHING";
    let options = &job.options;
    execute(
        session,
        &header.tenant,
        ENQUEUE,
        (
            &job.id,
            job.method,
            job.request.as_slice(),
            position,
            options.at.unwrap_or(now).0,
            options.priority,
            &options.dedupe,
            &options.lane,
            &job.behalf,
            &job.credential,
            &header.trace,
            job.depth,
            now.0,
        ),
    )?;
    Ok(())
}

/// Adds rows changed to those of a table.
pub(crate) fn count(changes: &mut Changes, table: &Arc<str>, rows: u64, extent: &Extent) {
    match changes.get_mut(table) {
        Some((known, all)) => {
            *known += rows;
            all.add(extent);
        }
        None => {
            changes.insert(Arc::clone(table), (rows, extent.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_again_what_was_changed() {
        let few = Extent::Marks([1, u32::MAX].into());
        let many = Extent::Marks((0..=MARKS_MAX as u32).collect());
        let none = Extent::default();
        let all =
            [("few", 2, few), ("many", 17, many), ("none", 5, none), ("whole", 3, Extent::Whole)];
        let changes =
            all.iter().cloned().map(|(table, rows, extent)| (table.into(), (rows, extent)));
        let text = join(&changes.collect());
        assert_eq!(text, "few:2@00000001,ffffffff many:17 none:5@ whole:3");
        let read: Vec<_> = text.split(' ').filter_map(changed).collect();
        let mut expected = all;
        expected[1].2 = Extent::Whole;
        assert_eq!(read, expected);
    }
}
