//! A person as a whole: everything that is kept about them, and its end.

use crate::registry::ServiceId;
use crate::{Error, Page, Result, Table, Tx, View};

/// A table that holds what is about people.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Its name.
    pub table: &'static str,
    /// The full name of the message that its rows are.
    pub message: &'static str,
    rows: fn(&View, subject: &str, page: &mut Turn<'_>) -> Result<(Vec<String>, String)>,
}

/// Gives the page that was asked for, given how many sort keys the table has.
type Turn<'a> = dyn FnMut(usize) -> Result<Page> + 'a;

impl Held {
    pub(crate) fn of<T: Table>() -> Self {
        Self {
            table: <T as Table>::PERSONAL.map_or("", |personal| personal.table),
            message: T::NAME,
            rows: rows::<T>,
        }
    }
}

fn rows<T: Table>(
    view: &View, subject: &str, page: &mut Turn<'_>,
) -> Result<(Vec<String>, String)> {
    let list = view.list_by_key::<T>().about(subject);
    let page = page(T::KEY.len())?;
    let (rows, token) = list.show(&page)?;
    let text =
        |row: &T| String::from_utf8(stoa_contract::json::encode(row)?).map_err(Error::internal);
    Ok((rows.iter().map(text).collect::<Result<_>>()?, token))
}

impl View<'_> {
    /// Whether somebody was erased: what is kept about them from then on is kept without what is
    /// personal in it.
    ///
    /// # Errors
    /// `ring.damaged`, and those of the store.
    pub fn is_erased(&self, subject: &str) -> Result<bool> {
        let key = self.subject_key(subject, false)?;
        Ok(key.is_none() && self.keys().borrow().subjects.contains_key(subject))
    }

    /// A page of what a table holds about a person, each row as JSON, and the token of the next page;
    /// for the node's own contract.
    ///
    /// # Errors
    /// `resource.not_found` where no table of this name holds what is about people.
    pub fn export(
        &self, subject: &str, table: &str, page: &mut Turn<'_>,
    ) -> Result<(Vec<String>, String)> {
        for (id, service) in self.registry().ids() {
            if let Some(held) = service.held.iter().find(|held| held.table == table) {
                return (held.rows)(&self.seen_by(id), subject, page);
            }
        }
        Err(Error::not_found("table with what is about people", table))
    }
}

impl Tx<'_> {
    /// Erases a person: every service lets go of what it must not keep, and the cell of the blobs that
    /// are about them, then their key is destroyed; for the node's own contract.
    ///
    /// # Errors
    /// What a service refuses, and those of the store.
    pub fn erase(&mut self, subject: &str) -> Result<()> {
        const DESTROY: &str = "INSERT INTO stoa_subject (tenant, subject, key, erase_time) \
             VALUES (:tenant, $1, $2, $3) ON CONFLICT (tenant, subject) \
             DO UPDATE SET key = excluded.key, erase_time = excluded.erase_time \
             WHERE stoa_subject.erase_time = 0";
        let services: Vec<(ServiceId, crate::Erase)> =
            self.registry().ids().filter_map(|(id, service)| Some((id, service.erase?))).collect();
        // Who needs others comes before them, and can still ask them who it is.
        for (id, erase) in services.into_iter().rev() {
            self.as_service(id, |tx| erase(tx, subject))?;
        }
        self.erase_blobs(subject)?;
        let (tenant, now) = (self.caller().tenant.to_string(), self.now().0);
        self.kernel::<()>(&tenant, DESTROY, (subject, &[0_u8; 0], now))?;
        self.keys().borrow_mut().subjects.insert(subject.to_owned(), None);
        Ok(())
    }
}
