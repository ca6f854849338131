//! What somebody without Stoa would do: the statements of a transfer on the database itself, one
//! commit each, with no HTTP, no authentication, no events, no audit.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};
use stoa_kit::{Error, Result};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Statement};

use super::load::{Outcome, Random, outcome};
use crate::demo::now;

/// The accounts that transfers choose from.
const ACCOUNTS: usize = 10_000;
/// Connections to PostgreSQL: as many as a pool of an ordinary program.
const CONNECTIONS: usize = 16;

const TABLES: &str = "
CREATE TABLE bench_key (key TEXT PRIMARY KEY);
CREATE TABLE bench_balance (account BIGINT PRIMARY KEY, balance BIGINT NOT NULL);
CREATE TABLE bench_transfer (id TEXT PRIMARY KEY, debit BIGINT NOT NULL, credit BIGINT NOT NULL,
    amount BIGINT NOT NULL);
CREATE TABLE bench_entry (account BIGINT NOT NULL, transfer TEXT NOT NULL, amount BIGINT NOT NULL,
    PRIMARY KEY (account, transfer));
";
const KEY: &str = "INSERT INTO bench_key VALUES ($1) ON CONFLICT DO NOTHING";
const TAKE: &str = "UPDATE bench_balance SET balance = balance - 1
    WHERE account = $1 AND balance > -1000000000";
const GIVE: &str = "UPDATE bench_balance SET balance = balance + 1 WHERE account = $1";
const TRANSFER: &str = "INSERT INTO bench_transfer VALUES ($1, $2, $3, 1)";
const ENTRY: &str = "INSERT INTO bench_entry VALUES ($1, $2, $3)";

/// How many callers share the database: SQLite has one writer.
pub(crate) fn callers(engine: &str) -> usize {
    if engine == "postgres" { CONNECTIONS } else { 1 }
}

/// Transfers on SQLite.
pub(crate) fn sqlite(directory: &Path, time: Duration, round: u32) -> Result<Outcome> {
    std::fs::create_dir_all(directory).map_err(Error::internal)?;
    let path = directory.join(format!("raw-{round}.db"));
    let mut connection = Connection::open(path).map_err(Error::internal)?;
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
    connection.execute_batch(pragmas).map_err(Error::internal)?;
    connection.execute_batch(TABLES).map_err(Error::internal)?;
    let fill = connection.transaction().map_err(Error::internal)?;
    for account in 0..ACCOUNTS {
        let sql = "INSERT INTO bench_balance VALUES (?1, 0)";
        fill.execute(sql, [account as i64]).map_err(Error::internal)?;
    }
    fill.commit().map_err(Error::internal)?;
    let (mut random, mut spent) = (Random::new(1), Vec::new());
    let end = now() + time;
    while now() < end {
        let start = now();
        transfer(&mut connection, &mut random, spent.len()).map_err(Error::internal)?;
        spent.push(start.elapsed().as_micros() as u32);
    }
    Ok(outcome(spent, time))
}

fn transfer(
    connection: &mut Connection, random: &mut Random, number: usize,
) -> rusqlite::Result<()> {
    let (from, to) = pair(random);
    let id = format!("trf_{number:026}");
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.prepare_cached(KEY)?.execute([&id])?;
    tx.prepare_cached(TAKE)?.execute([from])?;
    tx.prepare_cached(GIVE)?.execute([to])?;
    tx.prepare_cached(TRANSFER)?.execute(params![id, from, to])?;
    tx.prepare_cached(ENTRY)?.execute(params![from, id, -1])?;
    tx.prepare_cached(ENTRY)?.execute(params![to, id, 1])?;
    tx.commit()
}

/// Transfers on PostgreSQL, over a pool of connections.
pub(crate) async fn postgres(url: &str, time: Duration, round: u32) -> Result<Outcome> {
    // A schema of its own: what is in `public` belongs to the node.
    let schema = format!("CREATE SCHEMA bench_{round}");
    connect(url, "public").await?.batch_execute(&schema).await.map_err(Error::internal)?;
    let schema = format!("bench_{round}");
    let client = connect(url, &schema).await?;
    client.batch_execute(TABLES).await.map_err(Error::internal)?;
    let fill = format!(
        "INSERT INTO bench_balance SELECT n, 0 FROM generate_series(0, {}) n",
        ACCOUNTS - 1
    );
    client.batch_execute(&fill).await.map_err(Error::internal)?;
    let mut callers = JoinSet::new();
    for number in 0..CONNECTIONS {
        let (url, schema) = (url.to_owned(), schema.clone());
        callers.spawn(async move { caller(&url, &schema, number, time).await });
    }
    let mut spent = Vec::new();
    while let Some(caller) = callers.join_next().await {
        spent.extend(caller.map_err(Error::internal)??);
    }
    Ok(outcome(spent, time))
}

async fn caller(url: &str, schema: &str, number: usize, time: Duration) -> Result<Vec<u32>> {
    let client = connect(url, schema).await?;
    let mut statements = Vec::new();
    for sql in [KEY, TAKE, GIVE, TRANSFER, ENTRY] {
        statements.push(client.prepare(sql).await.map_err(Error::internal)?);
    }
    let (mut random, mut spent) = (Random::new(number as u64 + 1), Vec::new());
    let end = now() + time;
    while now() < end {
        let start = now();
        let id = format!("trf_{number:04}_{:021}", spent.len());
        commit(&client, &statements, &id, pair(&mut random)).await.map_err(Error::internal)?;
        spent.push(start.elapsed().as_micros() as u32);
    }
    Ok(spent)
}

async fn commit(
    client: &Client, statements: &[Statement], id: &str, (from, to): (i64, i64),
) -> Result<(), tokio_postgres::Error> {
    let [key, take, give, transfer, entry] = statements else { return Ok(()) };
    // The lower account first, so that two transfers never wait for each other.
    let (first, second) =
        if from < to { ((take, from), (give, to)) } else { ((give, to), (take, from)) };
    client.batch_execute("BEGIN").await?;
    client.execute(key, &[&id]).await?;
    client.execute(first.0, &[&first.1]).await?;
    client.execute(second.0, &[&second.1]).await?;
    client.execute(transfer, &[&id, &from, &to]).await?;
    client.execute(entry, &[&from, &id, &-1_i64]).await?;
    client.execute(entry, &[&to, &id, &1_i64]).await?;
    client.batch_execute("COMMIT").await
}

#[allow(clippy::disallowed_methods, reason = "a driver's connection runs in the background")]
pub(crate) async fn connect(url: &str, schema: &str) -> Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.map_err(Error::internal)?;
    // It ends with its client.
    drop(tokio::spawn(connection));
    let path = format!("SET search_path TO {schema}");
    client.batch_execute(&path).await.map_err(Error::internal)?;
    Ok(client)
}

fn pair(random: &mut Random) -> (i64, i64) {
    let from = random.below(ACCOUNTS);
    let to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
    (from as i64, to as i64)
}
