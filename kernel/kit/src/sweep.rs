//! What ends by itself: rows that are of no use to anybody after a time that stands in them.
//!
//! ```ignore
//! .due("delete_expired", |view| view.earliest::<Token>("expire_time"), &DeleteExpiredRequest::default())
//!
//! tx.sweep::<Token>("expire_time")?;
//! ```

use std::time::Duration;

use crate::table::{Table, kept};
use crate::{Micros, Result, Tx, View};

/// How long what is over may stay, so that much of it goes in one commit.
const LINGER: Duration = Duration::from_secs(60 * 60);
/// Rows that go in one commit.
const CHUNK: i64 = 200;

impl View<'_> {
    /// When there will be rows to [sweep](Tx::sweep), by the earliest time in a column; an index
    /// begins with it. What is over stays for an hour at most.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn earliest<T: Table>(&self, column: &'static str) -> Result<Option<Micros>> {
        let sql = kept(T::GET, column, || {
            format!("SELECT MIN({column}) FROM {} WHERE tenant = :tenant", table::<T>())
        });
        let first = self.row::<(Option<Micros>,)>(sql, ())?.and_then(|(first,)| first);
        Ok(first.map(|first| first.after(LINGER)))
    }
}

impl Tx<'_> {
    /// Deletes rows whose time in a column is over, a chunk in each commit: see [`Tx::again`].
    ///
    /// # Errors
    /// Those of [`Tx::execute`].
    pub fn sweep<T: Table>(&mut self, column: &'static str) -> Result<()> {
        const { assert!(T::GRANTED.is_empty(), "what was granted of a row would stay") };
        let sql = kept(T::DELETE, column, || {
            let (table, key) = (table::<T>(), T::KEY.join(", "));
            format!(
                "DELETE FROM {table} WHERE tenant = :tenant AND ({key}) IN \
                 (SELECT {key} FROM {table} WHERE tenant = :tenant AND {column} <= $1 \
                  ORDER BY {column}, {key} LIMIT $2)"
            )
        });
        let swept = self.execute(sql, (self.now(), CHUNK))?;
        self.again(swept == CHUNK as u64);
        Ok(())
    }
}

/// The name of a table, as its statements have it.
fn table<T: Table>() -> &'static str {
    let rest = T::DELETE.strip_prefix("DELETE FROM ").unwrap_or_default();
    rest.split(' ').next().unwrap_or_default()
}
