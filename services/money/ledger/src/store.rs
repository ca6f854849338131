//! All SQL of the ledger.

mod transfers;

use std::collections::BTreeSet;

pub(crate) use self::transfers::*;
use stoa_kit::{Delta, Micros, Result, Tx, View};
use stoa_ledger_v1::{Account, AccountKind, Entry, Leg, Transfer};

use crate::model::{self, Party, Posting, Step};

/// The balances of accounts without a floor.
pub(crate) const TOTALS: Delta = stoa_kit::delta!("ledger_total");

/// Movements up to this size reach a total unchecked: nine billion of them fit between the
/// largest balance and the end of 64 bits. Larger ones are rare enough to read the total first,
/// which on PostgreSQL conflicts with whoever else moves it.
const UNCHECKED_MAX: i64 = 1_000_000_000;

/// Selects accounts with what they hold: a row where there is a floor, a delta where there is
/// none.
macro_rules! accounts {
    ($rest:literal) => {
        concat!(
            "SELECT {a}, CAST(COALESCE(b.balance, COALESCE(t.value, 0) + COALESCE((SELECT SUM(d.value) ",
            "FROM ledger_total_tail d WHERE d.tenant = :tenant AND d.key = a.id), 0)) AS BIGINT), ",
            "COALESCE(b.held, 0) FROM ledger_account a ",
            "LEFT JOIN ledger_balance b ON b.tenant = a.tenant AND b.account = a.id ",
            "LEFT JOIN ledger_total t ON t.tenant = a.tenant AND t.key = a.id ",
            "WHERE a.tenant = :tenant AND ",
            $rest
        )
    };
}

fn with_balance((account, (balance, held)): (Account, (i64, i64))) -> Account {
    Account { balance, held, available: balance - held, ..account }
}

/// An account, by its identifier or its code.
pub(crate) fn account(view: &View, name: &str) -> Result<Option<Account>> {
    let rows = if name.starts_with(model::ACCOUNT_PREFIX) {
        view.select_with(accounts!("a.id = $1"), name)?
    } else {
        view.select_with(accounts!("a.code = $1"), name)?
    };
    Ok(rows.into_iter().next().map(with_balance))
}

/// The identifier and the currency of the account with this code, and whether it is closed.
pub(crate) fn account_of_code(view: &View, code: &str) -> Result<Option<(String, String, bool)>> {
    view.row(
        "SELECT id, currency, close_time IS NOT NULL FROM ledger_account \
         WHERE tenant = :tenant AND code = $1",
        (code,),
    )
}

/// The accounts of these identifiers, in the order of those.
pub(crate) fn accounts(view: &View, ids: &[String]) -> Result<Vec<Account>> {
    let rows = view.select_with(accounts!("a.id = ANY ($1) ORDER BY a.id"), (ids,))?;
    Ok(rows.into_iter().map(with_balance).collect())
}

/// Adds an account; false if its code is taken.
pub(crate) fn insert_account(tx: &mut Tx, account: &Account) -> Result<bool> {
    let Some(account) = tx.add_new(account.clone(), "code")? else { return Ok(false) };
    if account.floor.is_some() {
        tx.insert(
            "INSERT INTO ledger_balance (tenant, account, balance, held) \
             VALUES (:tenant, $1, 0, 0)",
            &account.id,
        )?;
    }
    Ok(true)
}

/// Closes an account; false if it is closed already.
pub(crate) fn close_account(tx: &mut Tx, id: &str) -> Result<bool> {
    let closed = tx.execute(
        "UPDATE ledger_account SET close_time = $2 \
         WHERE tenant = :tenant AND id = $1 AND close_time IS NULL",
        (id, tx.now().0),
    )?;
    Ok(closed == 1)
}

/// Opens a closed account again.
pub(crate) fn reopen_account(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute(
        "UPDATE ledger_account SET close_time = NULL WHERE tenant = :tenant AND id = $1",
        (id,),
    )?;
    Ok(())
}

/// Selects what transfers have to know of accounts. Totals are not read: whoever reads what
/// many write waits for them, or collides with them.
macro_rules! parties {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.code, a.currency, a.kind, a.floor, ",
            "COALESCE(b.balance - b.held, 0), a.close_time IS NOT NULL FROM ledger_account a ",
            "LEFT JOIN ledger_balance b ON b.tenant = a.tenant AND b.account = a.id ",
            "WHERE a.tenant = :tenant AND ",
            $rest
        )
    };
}

type PartyRow = (String, Option<String>, String, AccountKind, Option<i64>, i64, bool);

/// The accounts that legs name, in the order of their identifiers: whoever locks rows locks
/// them in this order.
pub(crate) fn parties(view: &View, legs: &[Leg]) -> Result<Vec<Party>> {
    const BY_ID: &str = parties!("a.id = ANY ($1)");
    const BY_CODE: &str = parties!("a.code = ANY ($1)");
    let names: BTreeSet<&String> = legs.iter().flat_map(|leg| [&leg.debit, &leg.credit]).collect();
    let is_id = |name: &String| name.starts_with(model::ACCOUNT_PREFIX);
    let (ids, codes): (Vec<String>, Vec<String>) = names.into_iter().cloned().partition(is_id);
    let mut parties = Vec::new();
    // One statement for identifiers and codes would read the accounts of the whole tenant.
    for (sql, names) in [(BY_ID, ids), (BY_CODE, codes)] {
        if !names.is_empty() {
            let rows: Vec<PartyRow> = view.rows(sql, (names,))?;
            parties.extend(rows.into_iter().map(party));
        }
    }
    parties.sort_by(|a, b| a.id.cmp(&b.id));
    parties.dedup_by(|a, b| a.id == b.id);
    Ok(parties)
}

fn party((id, code, currency, kind, floor, available, closed): PartyRow) -> Party {
    Party { id, code, currency, kind, floor, available, closed }
}

/// Changes a balance as a step of a transfer asks.
pub(crate) fn change(tx: &mut Tx, posting: &Posting, step: Step) -> Result<()> {
    let (id, change) = (&posting.party.id, posting.change(step));
    match posting.party.floor {
        _ if change.is_none() => Ok(()),
        None => total(tx, id, change.balance),
        Some(floor) => {
            // Who takes out must leave the floor; who puts in may do so below it.
            let least = if change.available() < 0 { floor } else { i64::MIN };
            let changed = tx.execute(
                "UPDATE ledger_balance SET balance = balance + $2, held = held + $3 \
                 WHERE tenant = :tenant AND account = $1 \
                 AND balance + $2 - held - $3 >= $4 AND balance + $2 <= 1000000000000000000",
                (id, change.balance, change.held, least),
            )?;
            match (changed, change.available() < 0) {
                (1, _) => Ok(()),
                (_, true) => Err(model::insufficient(id)),
                (_, false) => Err(model::overflow()),
            }
        }
    }
}

fn total(tx: &mut Tx, account: &str, growth: i64) -> Result<()> {
    if !(-UNCHECKED_MAX..=UNCHECKED_MAX).contains(&growth) {
        model::add(TOTALS.value(tx, account)?, growth)?;
    }
    TOTALS.add(tx, account, growth)
}

/// Writes what a transfer did to its accounts.
pub(crate) fn insert_entries(tx: &mut Tx, transfer: &Transfer, postings: &[Posting]) -> Result<()> {
    let effective = model::effective(transfer).0;
    for Posting { party, debit, credit } in postings {
        tx.insert(
            "INSERT INTO ledger_entry (tenant, effective_time, transfer, account, debit, credit) \
             VALUES (:tenant, $1, $2, $3, $4, $5)",
            (effective, &transfer.id, &party.id, debit, credit),
        )?;
    }
    Ok(())
}

/// What an account's entries from a time on debit more than they credit.
pub(crate) fn moved_since(view: &View, account: &str, from: Micros) -> Result<i64> {
    let sum = view.row::<(i64,)>(
        "SELECT CAST(COALESCE(SUM(debit - credit), 0) AS BIGINT) \
         FROM ledger_entry WHERE tenant = :tenant AND account = $1 AND effective_time >= $2",
        (account, from.0),
    )?;
    Ok(sum.map_or(0, |(sum,)| sum))
}

/// Entries of an account after one of them and before a time, oldest first; their balances are
/// not known here.
pub(crate) fn entries(
    view: &View, account: &str, after: (Micros, &str), end: Micros, limit: i64,
) -> Result<Vec<Entry>> {
    let rows: Vec<(String, i64, i64, i64, String, String)> = view.rows(
        "SELECT e.transfer, e.debit, e.credit, e.effective_time, t.description, t.reference \
         FROM ledger_entry e JOIN ledger_transfer t ON t.tenant = e.tenant AND t.id = e.transfer \
         WHERE e.tenant = :tenant AND e.account = $1 \
         AND (e.effective_time, e.transfer) > ($2, $3) AND e.effective_time < $4 \
         ORDER BY e.effective_time, e.transfer LIMIT $5",
        (account, after.0.0, after.1, end.0, limit),
    )?;
    let entry = |(transfer_id, debit, credit, effective, description, reference)| Entry {
        transfer_id,
        debit,
        credit,
        balance: 0,
        description,
        reference,
        effective_time: Micros(effective).timestamp(),
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// What all accounts hold, by currency and kind; in all currencies if none is named.
pub(crate) fn sums(view: &View, currency: &str) -> Result<Vec<(String, AccountKind, i128)>> {
    // A sum of balances may leave 64 bits; that of their upper and of their lower halves do not.
    let rows: Vec<(String, AccountKind, i64, i64)> = view.rows(
        "SELECT a.currency, a.kind, CAST(SUM(m.value / 1000000000) AS BIGINT), \
         CAST(SUM(m.value % 1000000000) AS BIGINT) FROM ledger_account a JOIN (\
         SELECT account, balance AS value FROM ledger_balance WHERE tenant = :tenant \
         UNION ALL SELECT key AS account, value FROM ledger_total WHERE tenant = :tenant \
         UNION ALL SELECT key AS account, value FROM ledger_total_tail WHERE tenant = :tenant) m \
         ON m.account = a.id WHERE a.tenant = :tenant AND ($1 = '' OR a.currency = $1) \
         GROUP BY a.currency, a.kind ORDER BY a.currency \
         /* whole: it adds up every account */",
        (currency,),
    )?;
    let sum = |(currency, kind, high, low)| {
        (currency, kind, i128::from(high) * 1_000_000_000 + i128::from(low))
    };
    Ok(rows.into_iter().map(sum).collect())
}
