//! The rows of API keys and service accounts.

use stoa_auth_v1::{ApiKey, ServiceAccount};
use stoa_kit::{Micros, Result, Tx, View};

use super::forget_use;

/// The key with this hash of a token.
pub(crate) fn key_of(view: &View, token_hash: &[u8]) -> Result<Option<ApiKey>> {
    view.find("token_hash = $1", (token_hash,))
}

macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT {k}, u.time FROM auth_api_key k LEFT JOIN auth_use u \
             ON u.tenant = k.tenant AND u.credential_id = k.id WHERE k.tenant = :tenant ",
            $rest
        )
    };
}

fn used((key, (last_use,)): (ApiKey, (Option<Micros>,))) -> ApiKey {
    ApiKey { last_use_time: last_use.map(Micros::timestamp).unwrap_or_default(), ..key }
}

/// A key by its identifier.
pub(crate) fn key(view: &View, id: &str) -> Result<Option<ApiKey>> {
    Ok(view.select_with(select_keys!("AND k.id = $1"), id)?.into_iter().next().map(used))
}

/// Keys that can still be used, of one owner or of all, the oldest first.
pub(crate) fn keys(
    view: &View, owner: Option<&str>, after: &str, limit: i64,
) -> Result<Vec<ApiKey>> {
    const ALL: &str = select_keys!("AND k.id > $1 AND k.expire_time > $3 ORDER BY k.id LIMIT $2");
    const OF_OWNER: &str = select_keys!(
        "AND k.owner = $4 AND k.id > $1 AND k.expire_time > $3 ORDER BY k.id LIMIT $2"
    );
    let now = view.now();
    let rows = match owner {
        None => view.select_with(ALL, (after, limit, now))?,
        Some(owner) => view.select_with(OF_OWNER, (after, limit, now, owner))?,
    };
    Ok(rows.into_iter().map(used).collect())
}

/// Revokes a key.
pub(crate) fn revoke_key(tx: &mut Tx, id: &str) -> Result<()> {
    let row = tx.row::<(Vec<u8>,)>(
        "SELECT token_hash FROM auth_api_key WHERE tenant = :tenant AND id = $1",
        id,
    )?;
    row.map_or(Ok(()), |(token_hash,)| end(tx, id, &token_hash))
}

fn end(tx: &mut Tx, id: &str, token_hash: &[u8]) -> Result<()> {
    tx.execute(
        "DELETE FROM auth_api_key WHERE tenant = :tenant AND token_hash = $1",
        (token_hash,),
    )?;
    forget_use(tx, id)
}

/// Whether this is a service account.
pub(crate) fn is_service_account(view: &View, id: &str) -> Result<bool> {
    Ok(view.get::<ServiceAccount>(id)?.is_some())
}

/// Deletes a service account with its keys; false if there is none.
pub(crate) fn delete_service_account(tx: &mut Tx, id: &str) -> Result<bool> {
    let deleted = tx.delete::<ServiceAccount>(id)?;
    revoke_keys(tx, id)?;
    Ok(deleted)
}

/// Revokes all keys of an owner.
pub(crate) fn revoke_keys(tx: &mut Tx, owner: &str) -> Result<()> {
    let keys = tx.rows::<(String, Vec<u8>)>(
        "SELECT id, token_hash FROM auth_api_key \
         WHERE tenant = :tenant AND owner = $1 ORDER BY id",
        (owner,),
    )?;
    keys.iter().try_for_each(|(id, token_hash)| end(tx, id, token_hash))
}
