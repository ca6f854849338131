//! Rows that a contract describes: `(stoa.v1.table)` on a message makes it one.
//!
//! What is the same for every table is said here once: to get a row by its key, to add, save and
//! delete one. A condition stays SQL, a literal that says something:
//!
//! ```ignore
//! let order = view.load::<Order>(&request.id)?;                   // or `resource.not_found`
//! let late = view.all::<Order>("state = 'placed' AND create_time < $1 LIMIT 100", (before,))?;
//! let order = tx.add(Order { id: tx.new_id("ord"), ..order })?;   // its times and its touch too
//! ```

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use stoa_contract::{Message, Resource};

use crate::blobs::Blobs;
use crate::personal::Personal;
use crate::value::{FromRow, Params, Row, Value};
use crate::{Error, Micros, Result, Tx, View};

/// A message that is kept as rows of a table. Generated from the contract.
pub trait Table: Message + FromRow + Params {
    /// The columns, in the order in which a row is read and bound.
    const COLUMNS: &'static [&'static str];
    /// The columns of the primary key, besides the tenant.
    const KEY: &'static [&'static str];
    /// The column that names the owner; empty where rows have none.
    const OWNER: &'static str;
    /// The start of a statement that reads rows; a condition follows.
    const SELECT: &'static str;
    /// Reads the row of a key.
    const GET: &'static str;
    /// Adds a row.
    const INSERT: &'static str;
    /// Changes all of a row but its key.
    const UPDATE: &'static str;
    /// Deletes the row of a key.
    const DELETE: &'static str;
    /// The type under which rows are granted one by one; empty where they are not.
    const GRANTED: &'static str = "";
    /// Which columns are sealed, if any are.
    const PERSONAL: Option<&'static Personal> = None;
    /// Which columns name blobs, if any do.
    const BLOBS: Option<&'static Blobs> = None;

    /// Type and identifier, where the row is a resource.
    fn touched(&self) -> Option<(&'static str, &str)> {
        None
    }

    /// Notes when it was created, if it says so and nobody has.
    fn created(&mut self, _now: Micros) {}

    /// Notes when it last changed, if it says so.
    fn updated(&mut self, _now: Micros) {}

    /// Where its etag stands, if it has one.
    fn etag(&mut self) -> Option<&mut String> {
        None
    }
}

impl View<'_> {
    /// The row of a key.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn get<T: Table>(&self, key: impl Params) -> Result<Option<T>> {
        self.row(T::GET, key)
    }

    /// The row of an identifier, if there is one that the caller may see.
    ///
    /// # Errors
    /// `resource.not_found`, and those of [`View::rows`].
    pub fn load<T: Table + Resource>(&self, id: &str) -> Result<T> {
        const { assert!(T::KEY.len() == 1, "the identifier is not the key of the table") }
        self.visible(self.get(id)?, id)
    }

    /// The rows of identifiers, as far as there are any that the caller may see, in the order in
    /// which they were asked for: what [`View::load`] gives of each.
    ///
    /// # Errors
    /// `request.invalid` at `ids` for more than a batch may have, and those of [`View::rows`].
    pub fn load_many<T: Table + Resource>(&self, ids: &[String]) -> Result<Vec<T>> {
        const { assert!(T::KEY.len() == 1, "the identifier is not the key of the table") }
        let key = T::KEY.first().copied().unwrap_or_default();
        let sql = kept(T::SELECT, key, || format!("{}{key} = ANY ($1)", T::SELECT));
        self.visible_many(if ids.is_empty() { Vec::new() } else { self.rows(sql, (ids,))? }, ids)
    }

    /// The first row that fulfils a condition, if any.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn find<T: Table>(
        &self, condition: &'static str, params: impl Params,
    ) -> Result<Option<T>> {
        self.row(joined(T::SELECT, condition), params)
    }

    /// The rows that fulfil a condition, which also says in which order and how many.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn all<T: Table>(&self, condition: &'static str, params: impl Params) -> Result<Vec<T>> {
        self.rows(joined(T::SELECT, condition), params)
    }

    /// The rows of a statement of its own, such as a join, in which `{}` stands for the columns of
    /// the table, and `{t}` for the same under the alias `t`.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn select<T: Table>(&self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        self.rows(expanded::<T>(sql), params)
    }

    /// The rows of such a statement, each with what else it selects behind the columns.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn select_with<T: Table, E: FromRow>(
        &self, sql: &'static str, params: impl Params,
    ) -> Result<Vec<(T, E)>> {
        let rows = self.rows::<With<T, E>>(expanded::<T>(sql), params)?;
        Ok(rows.into_iter().map(|With(row, rest)| (row, rest)).collect())
    }
}

impl Tx<'_> {
    /// Adds a row that cannot be there yet, and gives it as it is kept. As [`Tx::insert`].
    ///
    /// # Errors
    /// Those of [`Tx::insert`].
    pub fn add<T: Table>(&mut self, row: T) -> Result<T> {
        let row = self.fresh(row);
        self.insert(T::INSERT, &row)?;
        self.hold(&row)?;
        self.touched(&row);
        Ok(row)
    }

    /// Adds a row with more columns than its contract shows, such as the hash of a secret.
    ///
    /// # Errors
    /// Those of [`Tx::insert`].
    pub fn add_with<T: Table>(
        &mut self, row: T, columns: &'static str, params: impl Params,
    ) -> Result<T> {
        let row = self.fresh(row);
        self.insert(inserting::<T>(columns), Both(&row, params))?;
        self.hold(&row)?;
        self.touched(&row);
        Ok(row)
    }

    /// Adds a row unless another one has the same value in a unique column, or columns; none if
    /// one has.
    ///
    /// # Errors
    /// Those of [`Tx::execute`].
    pub fn add_new<T: Table>(&mut self, row: T, unique: &'static str) -> Result<Option<T>> {
        let row = self.fresh(row);
        if self.execute(unless(T::INSERT, unique), &row)? == 0 {
            return Ok(None);
        }
        self.hold(&row)?;
        self.touched(&row);
        Ok(Some(row))
    }

    /// Keeps a changed row, and gives it as it is kept.
    ///
    /// # Errors
    /// `internal` where there is no row of its key, and those of [`Tx::execute`].
    pub fn save<T: Table>(&mut self, mut row: T) -> Result<T> {
        row.updated(self.now());
        let row = tagged(row);
        let changed = self.execute(T::UPDATE, &row)?;
        self.saved(row, changed)
    }

    /// Keeps a changed row with more columns than its contract shows.
    ///
    /// # Errors
    /// As [`Tx::save`].
    pub fn save_with<T: Table>(
        &mut self, mut row: T, columns: &'static str, params: impl Params,
    ) -> Result<T> {
        row.updated(self.now());
        let row = tagged(row);
        let changed = self.execute(updating::<T>(columns), Both(&row, params))?;
        self.saved(row, changed)
    }

    /// The row that a statement changed, if it changed one: `UPDATE … RETURNING {}`, where `{}`
    /// stands for the columns of the table.
    ///
    /// # Errors
    /// Those of [`Tx::execute`].
    pub fn returning<T: Table>(
        &mut self, sql: &'static str, params: impl Params,
    ) -> Result<Option<T>> {
        let row = self.row::<T>(expanded::<T>(sql), params)?;
        if let Some(row) = &row {
            self.touched(row);
        }
        Ok(row)
    }

    /// Deletes the row of a key, and whatever was granted of it, and lets go of its blobs; false if
    /// there was none.
    ///
    /// # Errors
    /// Those of [`Tx::execute`].
    pub fn delete<T: Table>(&mut self, key: impl Params) -> Result<bool> {
        if !T::GRANTED.is_empty() {
            key.with(|values| self.forget_grants(T::GRANTED, values))?;
        }
        if let Some(blobs) = T::BLOBS {
            key.with(|values| self.let_go(blobs, values))?;
        }
        Ok(self.execute(T::DELETE, key)? == 1)
    }

    fn saved<T: Table>(&mut self, row: T, changed: u64) -> Result<T> {
        if changed != 1 {
            return Err(Error::internal(format!("a row of {} to be saved is not there", T::NAME)));
        }
        self.hold(&row)?;
        self.touched(&row);
        Ok(row)
    }

    fn fresh<T: Table>(&self, mut row: T) -> T {
        row.created(self.now());
        row.updated(self.now());
        tagged(row)
    }

    fn touched<T: Table>(&mut self, row: &T) {
        if let Some((kind, id)) = row.touched() {
            self.touch(kind, id);
        }
    }
}

impl<T: Table> Params for &T {
    const PERSONAL: Option<&'static Personal> = <T as Table>::PERSONAL;

    fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R {
        (**self).with(body)
    }
}

/// Parameters behind those of a row.
struct Both<'a, T, P>(&'a T, P);

impl<T: Table, P: Params> Params for Both<'_, T, P> {
    const PERSONAL: Option<&'static Personal> = <T as Table>::PERSONAL;

    fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R {
        self.0.with(|row| self.1.with(|rest| body(&[row, rest].concat())))
    }
}

/// A row and what stands behind it.
struct With<T, E>(T, E);

impl<T: Table, E: FromRow> FromRow for With<T, E> {
    const PERSONAL: Option<&'static Personal> = <T as Table>::PERSONAL;

    fn read(row: &dyn Row) -> Result<Self> {
        Ok(Self(T::read(row)?, E::read(&Behind(row, T::COLUMNS.len()))?))
    }
}

/// The columns of a row from one of them on.
struct Behind<'a>(&'a dyn Row, usize);

impl Row for Behind<'_> {
    fn value(&self, column: usize) -> Result<Value<'_>> {
        self.0.value(self.1 + column)
    }

    fn columns(&self) -> usize {
        self.0.columns().saturating_sub(self.1)
    }
}

/// A row with its etag: a hash of everything else that the caller is shown, so that whatever
/// changes changes it, and nothing has to count.
pub fn tagged<T: Table>(mut row: T) -> T {
    if let Some(etag) = row.etag() {
        etag.clear();
        let hash = blake3::hash(&row.encode_to_vec());
        if let Some(etag) = row.etag() {
            *etag = hash.to_hex()[..16].to_owned();
        }
    }
    row
}

/// Statements that were put together from two literals, by the addresses of both. There are as
/// many as pairs in the code, so they are kept for ever, like the literals themselves.
static JOINED: LazyLock<RwLock<HashMap<Pair, &'static str>>> = LazyLock::new(RwLock::default);

type Pair = [(usize, usize); 2];

pub(crate) fn kept(first: &str, second: &str, make: impl FnOnce() -> String) -> &'static str {
    let pair = [first, second].map(|text| (text.as_ptr() as usize, text.len()));
    let known = JOINED.read().unwrap_or_else(PoisonError::into_inner).get(&pair).copied();
    known.unwrap_or_else(|| {
        let mut all = JOINED.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(pair).or_insert_with(|| Box::leak(make().into_boxed_str()))
    })
}

fn joined(select: &'static str, condition: &'static str) -> &'static str {
    kept(select, condition, || format!("{select}{condition}"))
}

/// The statement that adds a row, with more columns.
fn inserting<T: Table>(columns: &'static str) -> &'static str {
    kept(T::INSERT, columns, || {
        let places: String = more::<T>(columns).map(|(_, number)| format!(", ${number}")).collect();
        let insert = T::INSERT.trim_end_matches(')');
        format!("{}{places})", insert.replacen(") VALUES", &format!(", {columns}) VALUES"), 1))
    })
}

/// The statement that changes a row, with more columns.
fn updating<T: Table>(columns: &'static str) -> &'static str {
    kept(T::UPDATE, columns, || {
        let set: String =
            more::<T>(columns).map(|(column, number)| format!("{column} = ${number}, ")).collect();
        T::UPDATE.replacen(" SET ", &format!(" SET {set}"), 1)
    })
}

/// Columns behind those of a table, with the numbers of their parameters.
fn more<T: Table>(columns: &'static str) -> impl Iterator<Item = (&'static str, usize)> {
    columns.split(", ").zip(T::COLUMNS.len() + 1..)
}

fn unless(insert: &'static str, unique: &'static str) -> &'static str {
    kept(insert, unique, || format!("{insert} ON CONFLICT (tenant, {unique}) DO NOTHING"))
}

/// Puts a table's columns where a statement says `{}` or `{alias}`.
fn expanded<T: Table>(sql: &'static str) -> &'static str {
    kept(T::SELECT, sql, || {
        let Some((before, rest)) = sql.split_once('{') else { return sql.to_owned() };
        let Some((alias, after)) = rest.split_once('}') else { return sql.to_owned() };
        let dot = if alias.is_empty() { "" } else { "." };
        let columns: Vec<_> = T::COLUMNS.iter().map(|name| format!("{alias}{dot}{name}")).collect();
        format!("{before}{}{after}", columns.join(", "))
    })
}
