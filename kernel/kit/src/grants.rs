//! Grants: single rows that somebody else than their owner may see.
//!
//! A resource says in its contract as what its rows can be granted (`relations`). Whoever was granted
//! a row sees it, in every [`load`](View::load), [`visible`](View::visible) and [`list`](View::list);
//! what else they may do with it is the service's rule, which [`is_granted`](View::is_granted) asks.
//!
//! ```ignore
//! tx.grant::<Account>(&account.id, &request.user_id, "viewer")?;
//! ```
//!
//! **Invariant:** what was granted is looked up in each call's own snapshot: what is revoked is gone
//! at the next.
//!
//! **Invariant:** services write grants only here, and what was granted of a row goes with it.

use stoa_contract::Resource;

use crate::value::Value;
use crate::{Code, Error, Result, Tx, View};

/// Grants that one row may have.
const HOLDERS_MAX: i64 = 1_000;

/// Somebody to whom a row was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The id of a user or of a service account.
    pub id: String,
    /// As what.
    pub relation: String,
}

impl View<'_> {
    /// To whom a row was granted, sorted.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn holders<T: Resource>(&self, id: &str) -> Result<Vec<Holder>> {
        const HOLDERS: &str = "SELECT grantee, relation FROM stoa_grant \
             WHERE tenant = :tenant AND type = $1 AND id = $2 ORDER BY grantee, relation";
        let rows = self.of_kernel().rows::<(String, String)>(HOLDERS, (T::TYPE, id))?;
        Ok(rows.into_iter().map(|(id, relation)| Holder { id, relation }).collect())
    }

    /// Whether a row was granted to the caller as this.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn is_granted<T: Resource>(&self, id: &str, relation: &str) -> Result<bool> {
        const HELD: &str = "SELECT relation FROM stoa_grant WHERE tenant = :tenant \
             AND type = $1 AND id = $2 AND grantee = $3 AND relation = $4";
        let Some(owner) = self.caller().owner() else { return Ok(false) };
        let held = (T::TYPE, id, owner, relation);
        Ok(self.of_kernel().row::<(String,)>(HELD, held)?.is_some())
    }
}

impl Tx<'_> {
    /// Grants a row to a user or a service account, by their id, as one of the relations that its
    /// contract names; false if it was granted to them before.
    ///
    /// # Errors
    /// `grant.too_many` where a row has as many grants as it may, and those of [`Tx::execute`].
    pub fn grant<T: Resource>(&mut self, id: &str, to: &str, relation: &str) -> Result<bool> {
        const GRANT: &str = "INSERT INTO stoa_grant (tenant, type, id, grantee, relation) \
             VALUES (:tenant, $1, $2, $3, $4) \
             ON CONFLICT (tenant, type, id, grantee, relation) DO NOTHING";
        const COUNT: &str = "SELECT COUNT(*) FROM stoa_grant \
             WHERE tenant = :tenant AND type = $1 AND id = $2";
        if !T::RELATIONS.contains(&relation) || id.is_empty() || to.is_empty() {
            let what = format!("{} `{id}` cannot be granted to `{to}` as `{relation}`", T::TYPE);
            return Err(Error::internal(what));
        }
        let granted = self.execute_as_kernel(GRANT, (T::TYPE, id, to, relation))? == 1;
        let count = self.of_kernel().row::<(i64,)>(COUNT, (T::TYPE, id))?;
        if granted && count.is_some_and(|(count,)| count > HOLDERS_MAX) {
            let what = format!("it is granted {HOLDERS_MAX} times already");
            return Err(Error::new(Code::ResourceExhausted, "grant.too_many", what)
                .help("Revoke what nobody needs any more."));
        }
        self.touch(T::TYPE, id);
        Ok(granted)
    }

    /// Takes a grant back; false if there was none.
    ///
    /// # Errors
    /// Those of [`Tx::execute`].
    pub fn revoke<T: Resource>(&mut self, id: &str, from: &str, relation: &str) -> Result<bool> {
        const REVOKE: &str = "DELETE FROM stoa_grant WHERE tenant = :tenant \
             AND type = $1 AND id = $2 AND grantee = $3 AND relation = $4";
        let revoked = self.execute_as_kernel(REVOKE, (T::TYPE, id, from, relation))? == 1;
        self.touch(T::TYPE, id);
        Ok(revoked)
    }

    /// Forgets all that was granted of the row of a key, which is its identifier.
    pub(crate) fn forget_grants(&mut self, kind: &str, key: &[Value<'_>]) -> Result<()> {
        const FORGET: &str = "DELETE FROM stoa_grant \
             WHERE tenant = :tenant AND type = $1 AND id = $2";
        let [Value::Text(id)] = *key else {
            return Err(Error::internal(format!("what is the key of {kind}?")));
        };
        self.execute_as_kernel(FORGET, (kind, id)).map(|_| ())
    }
}
