//! The rows of links that were asked for, and of addresses that are their users'.

use stoa_kit::{Micros, Result, Tx, View};

/// Keeps what a link was asked for.
pub(crate) fn put_link(tx: &mut Tx, id: &str, purpose: i32, account: &[u8]) -> Result<()> {
    let sealed = tx.seal(&place(id), account)?;
    tx.execute(
        "INSERT INTO auth_link (tenant, id, purpose, account, create_time) \
         VALUES (:tenant, $1, $2, $3, $4)",
        (id, i64::from(purpose), sealed, tx.now().0),
    )?;
    Ok(())
}

/// Takes what a link was asked for, if it was not taken before.
pub(crate) fn take_link(tx: &mut Tx, id: &str) -> Result<Option<(i32, Vec<u8>)>> {
    let row = tx.rows::<(i64, Vec<u8>)>(
        "DELETE FROM auth_link WHERE tenant = :tenant AND id = $1 RETURNING purpose, account",
        id,
    )?;
    let Some((purpose, sealed)) = row.into_iter().next() else { return Ok(None) };
    let account = tx.open(&place(id), &sealed)?;
    Ok(Some((i32::try_from(purpose).unwrap_or_default(), account)))
}

fn place(id: &str) -> [&[u8]; 2] {
    [b"link", id.as_bytes()]
}

/// Notes that an address is its user's.
pub(crate) fn note_email(tx: &mut Tx, user_id: &str, address: &str) -> Result<()> {
    let fingerprint = tx.fingerprint("email", address)?;
    tx.execute(
        "INSERT INTO auth_email (tenant, user_id, address, time) VALUES (:tenant, $1, $2, $3) \
         ON CONFLICT (tenant, user_id) DO UPDATE SET address = excluded.address, \
         time = excluded.time WHERE auth_email.address <> excluded.address",
        (user_id, fingerprint.as_slice(), tx.now().0),
    )?;
    Ok(())
}

/// Since when an address is known to be its user's.
pub(crate) fn email_verified(view: &View, user_id: &str, address: &str) -> Result<Option<Micros>> {
    let fingerprint = view.fingerprint("email", address)?;
    let row = view.row::<(Vec<u8>, i64)>(
        "SELECT address, time FROM auth_email WHERE tenant = :tenant AND user_id = $1",
        (user_id,),
    )?;
    let same = |(known, _): &(Vec<u8>, i64)| known.as_slice() == fingerprint;
    Ok(row.filter(same).map(|(_, time)| Micros(time)))
}
