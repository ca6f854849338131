//! Making a database, bringing it up to date, and finding where its positions begin.

use stoa_contract::Code;
use stoa_kit::{Error, Micros, Result};

use super::link::Link;
use crate::schema::{self, Applied, Dialect, Schema};

/// "STOA": whoever migrates holds this advisory lock.
const LOCK: i64 = 0x5354_4f41;

/// Creates a database or brings it up to date; one that is not ours is not touched. Gives the
/// base of its positions.
pub(super) fn migrate(link: &mut Link, schema: &Schema, now: Micros) -> Result<i64> {
    link.connect()?;
    link.plain(&format!("SELECT pg_advisory_lock({LOCK})"))?;
    let migrated = locked(link, schema, now);
    link.plain(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
    migrated
}

fn locked(link: &mut Link, schema: &Schema, now: Micros) -> Result<i64> {
    check(link)?;
    let applied = applied(link)?;
    let due = schema.due(&applied)?;
    if !due.is_empty() {
        // Simple statements sent together are one transaction, but not where one of them is
        // BEGIN: so an error is followed by ROLLBACK.
        let script = schema::script(&due, Dialect::Postgres, now)?;
        let run = link.plain(&format!("BEGIN;\n{script}\n{OWN}\nCOMMIT;"));
        if run.is_err() {
            link.plain("ROLLBACK")?;
        }
        run?;
    }
    base(link)
}

/// What only this engine needs: the base of positions, and the way by which commits of other
/// nodes are found.
const OWN: &str = "CREATE TABLE IF NOT EXISTS stoa_meta (key TEXT PRIMARY KEY, \
     value BIGINT NOT NULL); \
     INSERT INTO stoa_meta VALUES ('base', 0) ON CONFLICT DO NOTHING; \
     CREATE INDEX IF NOT EXISTS stoa_commit_position ON stoa_commit (position);";

/// Whether the database is ours, or nobody's.
fn check(link: &mut Link) -> Result<()> {
    const LOOK: &str = "SELECT current_database(), current_setting('server_encoding'), \
         current_setting('server_version_num')::int / 10000, \
         to_regclass('stoa_schema') IS NOT NULL, \
         (SELECT COUNT(*) FROM pg_class c \
             WHERE relnamespace = current_schema()::regnamespace \
             AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (SELECT 1 FROM pg_depend d \
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND deptype = 'e'))";
    let rows = link.rows(LOOK)?;
    let Some([name, encoding, version, ours, others]) = rows.first().map(Vec::as_slice) else {
        return Err(Error::internal("a look at the database gave nothing"));
    };
    let unfit = |what: &str| {
        Error::new(Code::FailedPrecondition, "store.unfit", format!("database `{name}`: {what}"))
    };
    if encoding != "UTF8" {
        return Err(unfit(&format!("its encoding is {encoding}"))
            .help("Create it with ENCODING 'UTF8' TEMPLATE template0."));
    }
    if version.parse::<u32>().unwrap_or(0) < 13 {
        return Err(unfit(&format!("PostgreSQL {version} is too old")).help("Use 13 or later."));
    }
    if ours == "f" && others != "0" {
        return Err(schema::not_ours(&format!("database `{name}`")));
    }
    Ok(())
}

fn applied(link: &mut Link) -> Result<Vec<Applied>> {
    let there = link.rows("SELECT to_regclass('stoa_schema') IS NOT NULL")?;
    if there.first().is_none_or(|row| row != &["t"]) {
        return Ok(Vec::new());
    }
    let rows = link.rows("SELECT service, name, checksum, breaks FROM stoa_schema")?;
    let applied = |row: Vec<String>| {
        let [service, name, checksum, breaks] = <[String; 4]>::try_from(row).ok()?;
        Some(Applied { service, name, checksum, breaks: breaks != "0" })
    };
    Ok(rows.into_iter().filter_map(applied).collect())
}

/// The base of positions. It is raised where the rows know a position that the server's own
/// counter has yet to reach: they were made by another server, and restored into this one.
fn base(link: &mut Link) -> Result<i64> {
    // One look-up a tenant for the log; the others are small or have an index.
    const LAST: &str = "WITH RECURSIVE tenants (name) AS (
            SELECT MIN(tenant) FROM stoa_event
            UNION ALL
            SELECT (SELECT MIN(tenant) FROM stoa_event WHERE tenant > name)
            FROM tenants WHERE name IS NOT NULL
        )
        SELECT GREATEST(
            (SELECT MAX(position) FROM stoa_commit),
            (SELECT MAX((SELECT MAX(position) FROM stoa_event WHERE tenant = name)) FROM tenants),
            (SELECT MAX(position) FROM stoa_cursor),
            0)";
    let last = link.number(LAST)?;
    let base = link.number("SELECT value FROM stoa_meta WHERE key = 'base'")?;
    // Asked last: every row seen was written by a transaction before this one.
    let current = link.number("SELECT pg_current_xact_id()::text::bigint")?;
    if base + current > last {
        return Ok(base);
    }
    // Reckoned from the oldest identifier that runs anywhere on the server, so that all that was
    // restored is settled at once.
    let raised = last - link.number(super::SETTLED)?;
    tracing::info!(base, raised, "the rows come from another server: positions go on behind them");
    link.plain(&format!("UPDATE stoa_meta SET value = {raised} WHERE key = 'base'"))?;
    Ok(raised)
}
