//! The rows of keys, and their secrets, sealed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use stoa_kit::{Error, Result, Tx, View};
use stoa_secrets_v1::{Key, KeyVersion};

use crate::crypto::{Secret, Signer};
use crate::model;

/// A key, and those of its secrets that were asked for.
pub(crate) struct Opened<'a> {
    view: &'a View<'a>,
    pub(crate) row: Key,
    secrets: BTreeMap<i32, Secret>,
}

impl<'a> Opened<'a> {
    /// # Errors
    /// `resource.not_found`, and those of the store.
    pub(crate) fn load(view: &'a View<'a>, name: &str) -> Result<Self> {
        Ok(Self { view, row: view.load(name)?, secrets: BTreeMap::new() })
    }

    /// The secret of a version that is there.
    pub(crate) fn secret(&mut self, version: i32) -> Result<&Secret> {
        Ok(match self.secrets.entry(version) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(find(self.view, &self.row.name, version)?),
        })
    }
}

fn find(view: &View, name: &str, version: i32) -> Result<Secret> {
    let found = view.row::<(Vec<u8>,)>(
        "SELECT secret FROM secrets_key_version WHERE tenant = :tenant AND key = $1 AND version = $2",
        (name, version),
    )?;
    let (sealed,) = found.ok_or_else(|| Error::internal("a version has no secret"))?;
    read(view.open(&place(name, &version.to_le_bytes()), &sealed)?)
}

/// The next version of a key, which the secret makes.
pub(crate) fn next_version(tx: &Tx, key: &Key, secret: &[u8]) -> Result<KeyVersion> {
    let signer = match key.derived {
        true => None,
        false => Signer::of(model::kind(key.r#type), &read(secret.to_vec())?, &[])?,
    };
    Ok(KeyVersion {
        version: key.latest_version + 1,
        create_time: tx.now().timestamp(),
        public_key: signer.map(|by| by.public_key()).transpose()?.unwrap_or_default(),
    })
}

/// Keeps the secret of a key's latest version.
pub(crate) fn keep_secret(tx: &mut Tx, key: &Key, secret: &[u8]) -> Result<()> {
    let (name, version) = (&key.name, key.latest_version);
    let sealed = tx.seal(&place(name, &version.to_le_bytes()), secret)?;
    tx.insert(
        "INSERT INTO secrets_key_version (tenant, key, version, secret) \
         VALUES (:tenant, $1, $2, $3)",
        (name, version, sealed.as_slice()),
    )
}

/// Deletes a key with all its versions.
pub(crate) fn destroy_key(tx: &mut Tx, name: &str) -> Result<()> {
    tx.execute("DELETE FROM secrets_key_version WHERE tenant = :tenant AND key = $1", (name,))?;
    tx.delete::<Key>(name).map(|_| ())
}

/// What the secret of a version is sealed for.
fn place<'a>(name: &'a str, version: &'a [u8; 4]) -> [&'a [u8]; 3] {
    [b"key", name.as_bytes(), version]
}

fn read(secret: Vec<u8>) -> Result<Secret> {
    let secret = <[u8; 32]>::try_from(secret);
    secret.map(Secret::new).map_err(|_| Error::internal("a secret has 32 bytes"))
}
