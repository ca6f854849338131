//! The rows of API keys and service accounts.

use stoa_auth_v1::{ApiKey, ServiceAccount};
use stoa_kit::{Micros, Result, Tx, View};

use super::note_revoked;
use crate::model;

/// What a token of a key stands for.
pub(crate) struct KeyBearer {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) expire: Micros,
}

/// The key with this hash of a token.
pub(crate) fn key_of(view: &View<'_>, token_hash: &[u8]) -> Result<Option<KeyBearer>> {
    let row = view.row::<(String, String, String, i64)>(
        "SELECT id, owner, permissions, expire_time FROM auth_api_key \
         WHERE tenant = :tenant AND token_hash = $1",
        (token_hash,),
    )?;
    Ok(row.map(|(id, owner, permissions, expire)| KeyBearer {
        id,
        owner,
        permissions: model::split(&permissions),
        expire: Micros(expire),
    }))
}

type KeyRow = (String, String, String, String, i64, Option<i64>, i64);

macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.owner, k.name, k.permissions, k.create_time, u.time, k.expire_time \
             FROM auth_api_key k LEFT JOIN auth_use u \
             ON u.tenant = k.tenant AND u.credential_id = k.id WHERE k.tenant = :tenant ",
            $rest
        )
    };
}

fn read_key(row: KeyRow) -> ApiKey {
    let (id, owner, name, permissions, created, last_use, expire) = row;
    ApiKey {
        id,
        owner,
        name,
        permissions: model::split(&permissions),
        create_time: Micros(created).timestamp(),
        last_use_time: last_use.map_or_else(Default::default, |time| Micros(time).timestamp()),
        expire_time: Micros(expire).timestamp(),
    }
}

/// A key by its identifier.
pub(crate) fn key(view: &View<'_>, id: &str) -> Result<Option<ApiKey>> {
    Ok(view.row::<KeyRow>(select_keys!("AND k.id = $1"), (id,))?.map(read_key))
}

/// Keys that can still be used, of one owner or of all, the oldest first.
pub(crate) fn keys(
    view: &View<'_>,
    owner: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<ApiKey>> {
    const ALL: &str = select_keys!("AND k.id > $1 AND k.expire_time > $3 ORDER BY k.id LIMIT $2");
    const OF_OWNER: &str = select_keys!(
        "AND k.owner = $4 AND k.id > $1 AND k.expire_time > $3 ORDER BY k.id LIMIT $2"
    );
    let now = view.now().0;
    let rows = match owner {
        None => view.rows::<KeyRow>(ALL, (after, limit, now))?,
        Some(owner) => view.rows::<KeyRow>(OF_OWNER, (after, limit, now, owner))?,
    };
    Ok(rows.into_iter().map(read_key).collect())
}

/// Keeps a new key; gives its identifier.
pub(crate) fn insert_key(
    tx: &mut Tx<'_>,
    owner: &str,
    name: &str,
    permissions: &[String],
    token_hash: &[u8],
    expire: Micros,
) -> Result<String> {
    let id = tx.new_id("key");
    tx.insert(
        "INSERT INTO auth_api_key (tenant, id, owner, name, permissions, token_hash, create_time, \
         expire_time) VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7)",
        (&id, owner, name, model::join(permissions), token_hash, tx.now().0, expire.0),
    )?;
    Ok(id)
}

/// Revokes a key.
pub(crate) fn revoke_key(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute("DELETE FROM auth_api_key WHERE tenant = :tenant AND id = $1", (id,))?;
    note_revoked(tx, id)
}

/// Keeps a new service account; none if the name is taken.
pub(crate) fn insert_service_account(
    tx: &mut Tx<'_>,
    name: &str,
    description: &str,
) -> Result<Option<ServiceAccount>> {
    let id = tx.new_id("svc");
    let row = tx.row::<(String, String, String, i64)>(
        "INSERT INTO auth_service_account (tenant, id, name, description, create_time) \
         VALUES (:tenant, $1, $2, $3, $4) ON CONFLICT (tenant, name) DO NOTHING \
         RETURNING id, name, description, create_time",
        (&id, name, description, tx.now().0),
    )?;
    Ok(row.map(read_service_account))
}

fn read_service_account(row: (String, String, String, i64)) -> ServiceAccount {
    let (id, name, description, created) = row;
    ServiceAccount { id, name, description, create_time: Micros(created).timestamp() }
}

/// Whether this is a service account.
pub(crate) fn is_service_account(view: &View<'_>, id: &str) -> Result<bool> {
    let row = view.row::<(i64,)>(
        "SELECT create_time FROM auth_service_account WHERE tenant = :tenant AND id = $1",
        (id,),
    )?;
    Ok(row.is_some())
}

/// Service accounts, the oldest first.
pub(crate) fn service_accounts(
    view: &View<'_>,
    after: &str,
    limit: i64,
) -> Result<Vec<ServiceAccount>> {
    let rows = view.rows(
        "SELECT id, name, description, create_time FROM auth_service_account \
         WHERE tenant = :tenant AND id > $1 ORDER BY id LIMIT $2",
        (after, limit),
    )?;
    Ok(rows.into_iter().map(read_service_account).collect())
}

/// Deletes a service account with its keys; false if there is none.
pub(crate) fn delete_service_account(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    let deleted =
        tx.execute("DELETE FROM auth_service_account WHERE tenant = :tenant AND id = $1", (id,))?;
    let keys = tx.rows::<(String,)>(
        "DELETE FROM auth_api_key WHERE tenant = :tenant AND owner = $1 RETURNING id",
        (id,),
    )?;
    for (key,) in &keys {
        note_revoked(tx, key)?;
    }
    Ok(deleted == 1)
}
