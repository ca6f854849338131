//! `Delta`: totals that many change at once and few read.
//!
//! A row that every command updates makes concurrent transactions collide. A delta turns the
//! update into an insert: movements are rows of their own, and the total is a checkpoint plus
//! the movements not folded into it yet. On an engine whose commands run one after another the
//! update costs nothing, so the checkpoint is moved at once; a service sees no difference.
//!
//! The service's migration makes two tables, for a delta called `ledger_total`:
//!
//! ```sql
//! CREATE TABLE ledger_total (tenant TEXT NOT NULL, key TEXT NOT NULL, value BIGINT NOT NULL,
//!     PRIMARY KEY (tenant, key));
//! CREATE TABLE ledger_total_tail (tenant TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
//!     value BIGINT NOT NULL, PRIMARY KEY (tenant, key, id));
//! ```

use std::collections::BTreeMap;

use crate::{Result, Tx, View};

/// A set of totals by key.
#[derive(Debug, Clone, Copy)]
pub struct Delta {
    /// `INSERT` into the tail: `$1` key, `$2` id, `$3` value.
    pub append: &'static str,
    /// Adds to the checkpoint: `$1` key, `$2` value.
    pub add: &'static str,
    /// The checkpoint plus the tail, as BIGINT: `$1` key.
    pub value: &'static str,
    /// Deletes the older part of the tails of keys and returns it, as keys with values: `$1` keys, `$2`
    /// the last id.
    pub fold: &'static str,
    /// The first movements, as keys with the last id of each: `$1` how many at the most.
    pub tails: &'static str,
}

/// The statements of a delta of this name, as literals, so that they are prepared once and can
/// be checked like every other statement.
#[macro_export]
macro_rules! delta {
    ($table:literal) => {
        $crate::Delta {
            append: concat!(
                "INSERT INTO ",
                $table,
                "_tail (tenant, key, id, value) VALUES (:tenant, $1, $2, $3)"
            ),
            add: concat!(
                "INSERT INTO ",
                $table,
                " (tenant, key, value) VALUES (:tenant, $1, $2) ",
                "ON CONFLICT (tenant, key) DO UPDATE SET value = ",
                $table,
                ".value + excluded.value"
            ),
            value: concat!(
                "SELECT CAST(COALESCE((SELECT value FROM ",
                $table,
                " WHERE tenant = :tenant AND key = $1), 0) + COALESCE((SELECT SUM(value) FROM ",
                $table,
                "_tail WHERE tenant = :tenant AND key = $1), 0) AS BIGINT)"
            ),
            fold: concat!(
                "DELETE FROM ",
                $table,
                "_tail WHERE tenant = :tenant AND key = ANY ($1) AND id <= $2 RETURNING key, value"
            ),
            tails: concat!(
                "SELECT key, MAX(id) FROM (SELECT key, id FROM ",
                $table,
                "_tail WHERE tenant = :tenant ORDER BY key, id LIMIT $1) AS first ",
                "GROUP BY key ORDER BY key"
            ),
        }
    };
}

impl Delta {
    /// Moves a total.
    ///
    /// # Errors
    /// Those of the engine, also for a total that leaves 64 bits.
    pub fn add(&self, tx: &mut Tx, key: &str, value: i64) -> Result<()> {
        if tx.is_serial() {
            tx.execute(self.add, (key, value))?;
        } else {
            let id = tx.new_id("d");
            tx.insert(self.append, (key, id, value))?;
        }
        Ok(())
    }

    /// A total.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn value(&self, view: &View, key: &str) -> Result<i64> {
        Ok(view.row::<(i64,)>(self.value, (key,))?.map_or(0, |(value,)| value))
    }

    /// Whether movements wait to be folded.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn waits(&self, view: &View) -> Result<bool> {
        Ok(view.row::<(String, String)>(self.tails, (1,))?.is_some())
    }

    /// Folds up to `most` movements into their totals, for a timer. Gives how many; as many as
    /// `most` says that more are left. A fold must be short: on PostgreSQL the reads of every
    /// transaction that overlaps with it are remembered until it ends.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn fold(&self, tx: &mut Tx, most: i64) -> Result<usize> {
        // No total is another one afterwards.
        tx.unseen(|tx| {
            let tails = tx.rows::<(String, String)>(self.tails, (most,))?;
            // Of all keys but the last, these are all the movements there are.
            let Some((last, whole)) = tails.split_last() else { return Ok(0) };
            let mut folded = self.fold_keys(tx, whole)?;
            folded += self.fold_keys(tx, std::slice::from_ref(last))?;
            Ok(folded)
        })
    }

    /// Folds the movements of keys up to the last of all that are named.
    fn fold_keys(&self, tx: &mut Tx, tails: &[(String, String)]) -> Result<usize> {
        let Some(until) = tails.iter().map(|(_, last)| last).max() else { return Ok(0) };
        let keys: Vec<String> = tails.iter().map(|(key, _)| key.clone()).collect();
        let movements = tx.rows::<(String, i64)>(self.fold, (keys, until))?;
        let mut sums = BTreeMap::<&str, i64>::new();
        for (key, value) in &movements {
            *sums.entry(key).or_default() += value;
        }
        for (key, sum) in sums {
            tx.insert(self.add, (key, sum))?;
        }
        Ok(movements.len())
    }
}
