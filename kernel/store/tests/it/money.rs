//! Random transfers: nothing is made and nothing is lost, and both engines end where a model in
//! memory ends, so both end alike.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stoa_kit::{Result, Tx, View};
use stoa_store::Header;

use crate::cell::{Cell, On, refusal};

crate::on_both!(transfers_keep_the_sum);

/// One transfer between two of five accounts.
#[derive(Debug, Clone)]
struct Transfer {
    from: u8,
    to: u8,
    amount: i64,
    /// Fails after its first half.
    fails: bool,
    /// Moves the second half in an attempt that is undone, and then again.
    stumbles: bool,
    /// Is sent this often, with one key.
    sent: u8,
}

fn transfer() -> impl Strategy<Value = Transfer> {
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.2), 1..4_u8);
    (0..5_u8, 0..5_u8, 0..1_000_i64, flags).prop_map(
        |(from, to, amount, (fails, stumbles, sent))| Transfer {
            from,
            to,
            amount,
            fails,
            stumbles,
            sent,
        },
    )
}

const MOVE: &str = "INSERT INTO alpha_account (tenant, id, balance) VALUES (:tenant, $1, $2) \
     ON CONFLICT (tenant, id) DO UPDATE SET balance = alpha_account.balance + excluded.balance";
const ENTRY: &str = "INSERT INTO alpha_entry (tenant, id, account, amount) \
     VALUES (:tenant, $1, $2, $3)";

fn half(tx: &mut Tx, account: u8, amount: i64) -> Result<()> {
    let id = tx.new_id("ent");
    tx.execute(ENTRY, (&id, account.to_string(), amount))?;
    tx.execute(MOVE, (account.to_string(), amount))?;
    Ok(())
}

fn run(tx: &mut Tx, transfer: &Transfer) -> Result<()> {
    half(tx, transfer.from, -transfer.amount)?;
    if transfer.fails {
        return Err(refusal("alpha.no"));
    }
    if transfer.stumbles {
        let stumbled = tx.attempt(|tx| {
            half(tx, transfer.to, transfer.amount)?;
            Err::<(), _>(refusal("alpha.stumbled"))
        });
        assert!(stumbled.is_err());
    }
    half(tx, transfer.to, transfer.amount)
}

/// The balances by account, and the same summed up from the entries.
fn state(view: &View) -> Result<[BTreeMap<String, i64>; 2]> {
    const BALANCES: &str = "SELECT id, balance FROM alpha_account WHERE tenant = :tenant \
         /* whole: a test reads what it wrote */";
    const ENTRIES: &str = "SELECT account, CAST(SUM(amount) AS BIGINT) FROM alpha_entry \
         WHERE tenant = :tenant GROUP BY account \
         /* whole: a test reads what it wrote */";
    let balances = view.rows::<(String, i64)>(BALANCES, ())?.into_iter().collect();
    Ok([balances, view.rows::<(String, i64)>(ENTRIES, ())?.into_iter().collect()])
}

/// Sends every transfer at once, waits for all, and gives the state they leave.
fn send(cell: &Cell, tenant: &str, transfers: &[Transfer]) -> [BTreeMap<String, i64>; 2] {
    let mut pending = Vec::new();
    for (index, transfer) in transfers.iter().enumerate() {
        for _ in 0..transfer.sent {
            let (mut header, transfer) = (Cell::keyed(index as u8, 1), transfer.clone());
            header = Header { tenant: tenant.into(), ..header };
            let fails = transfer.fails;
            pending.push((fails, cell.submit(header, move |tx| run(tx, &transfer))));
        }
    }
    for (fails, one) in pending {
        assert_eq!(cell.wait(one).is_err(), fails);
    }
    cell.view_as(("alpha", tenant), None, state).unwrap()
}

fn transfers_keep_the_sum(on: On) {
    let cell = on.cell();
    let runs = std::cell::Cell::new(0);
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let transfers = proptest::collection::vec(transfer(), 1..40);
    let result = TestRunner::new(config).run(&transfers, |transfers| {
        runs.set(runs.get() + 1);
        let mut model = BTreeMap::new();
        for transfer in transfers.iter().filter(|transfer| !transfer.fails) {
            *model.entry(transfer.from.to_string()).or_insert(0) -= transfer.amount;
            *model.entry(transfer.to.to_string()).or_insert(0) += transfer.amount;
        }
        let [balances, entries] = send(&cell, &format!("t{}", runs.get()), &transfers);
        prop_assert_eq!(balances.values().sum::<i64>(), 0);
        prop_assert_eq!(&balances, &model);
        prop_assert_eq!(&entries, &model);
        Ok(())
    });
    result.unwrap();
}
