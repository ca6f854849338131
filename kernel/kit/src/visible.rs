//! Who sees which rows: one question, asked alike of a row, of several and of a list.
//!
//! **Invariant:** a row that is not there and one that the caller may not see are the same to them.

use std::collections::{HashMap, HashSet};

use stoa_contract::Resource;

use crate::{Access, Error, Result, View};

/// Rows that are asked for by their identifiers at once.
const BATCH_MAX: usize = 1_000;

impl View<'_> {
    /// Which rows of a resource the caller may see: the one question about rows.
    pub fn access<T: Resource>(&self) -> Access {
        let caller = self.caller();
        let wide = if T::WIDE.is_empty() { !T::OWNED } else { caller.may(T::WIDE) };
        if wide || self.is_nested() || caller.is_system() {
            return Access::All;
        }
        match caller.owner() {
            None => Access::None,
            Some(owner) if T::RELATIONS.is_empty() => Access::Own(owner.to_owned()),
            Some(owner) => Access::Granted(owner.to_owned()),
        }
    }

    /// A row, if the caller may see it.
    ///
    /// # Errors
    /// `resource.not_found`, the same for a row that is not there and for one of somebody else.
    pub fn visible<T: Resource>(&self, row: Option<T>, id: &str) -> Result<T> {
        let visible = self.shown(row.into_iter().collect())?.pop();
        visible.ok_or_else(|| {
            let noun = T::TYPE.rsplit('.').next().unwrap_or(T::TYPE);
            Error::not_found(noun, id)
        })
    }

    /// The rows of identifiers, as far as they are there and the caller may see them, in the order
    /// in which they were asked for.
    ///
    /// # Errors
    /// `request.invalid` at `ids` for more than a batch may have, and those of [`View::rows`].
    pub fn visible_many<T: Resource>(&self, rows: Vec<T>, ids: &[String]) -> Result<Vec<T>> {
        if ids.len() > BATCH_MAX {
            let message = format!("must have at most {BATCH_MAX} items");
            return Err(Error::field("ids", "repeated.max_items", message));
        }
        let rows = self.shown(rows)?;
        let rows: HashMap<&str, &T> = rows.iter().map(|row| (row.id(), row)).collect();
        Ok(ids.iter().filter_map(|id| rows.get(id.as_str()).map(|row| (*row).clone())).collect())
    }

    /// Those of some rows that the caller may see.
    pub(crate) fn shown<T: Resource>(&self, mut rows: Vec<T>) -> Result<Vec<T>> {
        const AMONG: &str = "SELECT id FROM stoa_grant \
             WHERE tenant = :tenant AND grantee = $1 AND type = $2 AND id = ANY ($3)";
        let access = self.access::<T>();
        let mut granted = HashSet::new();
        if let Access::Granted(own) = &access {
            let others = rows.iter().filter(|row| !access.shows(row.owner()));
            let others: Vec<String> = others.map(|row| row.id().to_owned()).collect();
            if !others.is_empty() {
                let found = self.of_kernel().rows(AMONG, (own, T::TYPE, others))?;
                granted.extend(found.into_iter().map(|(id,): (String,)| id));
            }
        }
        rows.retain(|row| access.shows(row.owner()) || granted.contains(row.id()));
        Ok(rows)
    }
}
