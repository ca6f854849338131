//! The rows of what people prove with who they are, besides a password.

use stoa_auth_v1::{FactorKind, Passkey, Totp};
use stoa_kit::{Micros, Result, Tx, View};

use crate::model;

/// A user's codes, confirmed or not.
pub(crate) fn totp(view: &View, user_id: &str) -> Result<Option<Totp>> {
    view.get::<Totp>(user_id)
}

/// Accepts the code of a step; false where one of this step or of a later one was accepted before.
pub(crate) fn accept_step(tx: &mut Tx, user_id: &str, step: i64) -> Result<bool> {
    let accepted = tx.execute(
        "UPDATE auth_totp SET last_step = $2 \
         WHERE tenant = :tenant AND user_id = $1 AND confirmed = TRUE AND last_step < $2",
        (user_id, step),
    )?;
    Ok(accepted == 1)
}

/// Whether a user is asked for more than a password.
pub(crate) fn has_second_factor(view: &View, user_id: &str) -> Result<bool> {
    let row = view.row::<(bool,)>(
        "SELECT confirmed FROM auth_totp WHERE tenant = :tenant AND user_id = $1",
        (user_id,),
    )?;
    Ok(row.is_some_and(|(confirmed,)| confirmed) || !passkeys(view, user_id)?.is_empty())
}

/// What a user can prove a second factor with; nothing for who has none.
pub(crate) fn kinds(view: &View, user_id: &str) -> Result<Vec<FactorKind>> {
    let mut kinds = Vec::new();
    if totp(view, user_id)?.is_some_and(|totp| totp.confirmed) {
        kinds.push(FactorKind::Totp);
    }
    if !passkeys(view, user_id)?.is_empty() {
        kinds.push(FactorKind::Passkey);
    }
    if !kinds.is_empty() && recovery_codes_left(view, user_id)? > 0 {
        kinds.push(FactorKind::RecoveryCode);
    }
    Ok(kinds)
}

/// Keeps recovery codes by their hashes, in the place of those that there are.
pub(crate) fn set_recovery_codes(tx: &mut Tx, user_id: &str, hashes: &[Vec<u8>]) -> Result<()> {
    delete_recovery_codes(tx, user_id)?;
    for hash in hashes {
        tx.execute(
            "INSERT INTO auth_recovery_code (tenant, user_id, hash) VALUES (:tenant, $1, $2)",
            (user_id, hash.as_slice()),
        )?;
    }
    Ok(())
}

/// Spends a recovery code; false if there is none of this hash.
pub(crate) fn spend_recovery_code(tx: &mut Tx, user_id: &str, hash: &[u8]) -> Result<bool> {
    let spent = tx.execute(
        "DELETE FROM auth_recovery_code WHERE tenant = :tenant AND user_id = $1 AND hash = $2",
        (user_id, hash),
    )?;
    Ok(spent == 1)
}

/// How many recovery codes a user has.
pub(crate) fn recovery_codes_left(view: &View, user_id: &str) -> Result<i64> {
    let row = view.row::<(i64,)>(
        "SELECT COUNT(*) FROM auth_recovery_code WHERE tenant = :tenant AND user_id = $1",
        (user_id,),
    )?;
    Ok(row.map_or(0, |(left,)| left))
}

/// Deletes the recovery codes of a user.
pub(crate) fn delete_recovery_codes(tx: &mut Tx, user_id: &str) -> Result<()> {
    tx.execute("DELETE FROM auth_recovery_code WHERE tenant = :tenant AND user_id = $1", user_id)?;
    Ok(())
}

/// A passkey with what its signatures are verified with.
pub(crate) struct Key {
    pub(crate) passkey: Passkey,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) sign_count: i64,
}

/// The passkeys of a user, the oldest first.
pub(crate) fn passkeys(view: &View, user_id: &str) -> Result<Vec<Key>> {
    let rows = view.select_with::<Passkey, (Vec<u8>, Vec<u8>, i64)>(
        "SELECT {p}, p.credential_id, p.public_key, p.sign_count FROM auth_passkey p \
         WHERE p.tenant = :tenant AND p.user_id = $1 ORDER BY p.id",
        user_id,
    )?;
    Ok(rows.into_iter().map(key).collect())
}

/// The passkey that its device calls so.
pub(crate) fn passkey(view: &View, credential_id: &[u8]) -> Result<Option<Key>> {
    let rows = view.select_with::<Passkey, (Vec<u8>, Vec<u8>, i64)>(
        "SELECT {p}, p.credential_id, p.public_key, p.sign_count FROM auth_passkey p \
         WHERE p.tenant = :tenant AND p.credential_id = $1",
        (credential_id,),
    )?;
    Ok(rows.into_iter().next().map(key))
}

fn key((passkey, rest): (Passkey, (Vec<u8>, Vec<u8>, i64))) -> Key {
    let (credential_id, public_key, sign_count) = rest;
    Key { passkey, credential_id, public_key, sign_count }
}

/// Notes what a passkey said of itself as it was used; false if it was used meanwhile.
pub(crate) fn note_passkey(
    tx: &mut Tx, key: &Key, sign_count: i64, (eligible, backed_up): (bool, bool),
) -> Result<bool> {
    let noted = tx.execute(
        "UPDATE auth_passkey SET sign_count = $4, backup_eligible = $5, backed_up = $6, \
         last_use_time = $7 WHERE tenant = :tenant AND user_id = $1 AND id = $2 AND sign_count = $3",
        (
            &key.passkey.user_id,
            &key.passkey.id,
            key.sign_count,
            sign_count,
            eligible,
            backed_up,
            tx.now().0,
        ),
    )?;
    Ok(noted == 1)
}

/// Deletes what a user proves with who they are, but for their password.
pub(crate) fn delete_factors(tx: &mut Tx, user_id: &str) -> Result<()> {
    for delete in [
        "DELETE FROM auth_totp WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM auth_passkey WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM auth_recovery_code WHERE tenant = :tenant AND user_id = $1",
    ] {
        tx.execute(delete, user_id)?;
    }
    forget_tickets(tx, user_id)
}

/// What somebody holds who proved a first factor.
pub(crate) const SECOND_FACTOR: &str = "second_factor";
/// A challenge to register a passkey.
pub(crate) const REGISTRATION: &str = "registration";
/// A challenge to prove oneself with one.
pub(crate) const PROOF: &str = "proof";

/// Whom a ticket or a challenge is for, and what about.
pub(crate) struct Ticket {
    pub(crate) user_id: String,
    pub(crate) about: String,
}

/// Keeps a ticket by its hash; gives when it ends.
pub(crate) fn put_ticket(
    tx: &mut Tx, hash: &[u8], purpose: &str, ticket: &Ticket,
) -> Result<Micros> {
    let end = tx.after(model::TICKET_LIFE);
    tx.execute(
        "INSERT INTO auth_ticket (tenant, hash, purpose, user_id, about, expire_time) \
         VALUES (:tenant, $1, $2, $3, $4, $5)",
        (hash, purpose, &ticket.user_id, &ticket.about, end.0),
    )?;
    Ok(end)
}

/// A ticket that is good for this.
pub(crate) fn ticket(view: &View, hash: &[u8], purpose: &str) -> Result<Option<Ticket>> {
    let row = view.row::<(String, String)>(
        "SELECT user_id, about FROM auth_ticket \
         WHERE tenant = :tenant AND hash = $1 AND purpose = $2 AND expire_time > $3",
        (hash, purpose, view.now().0),
    )?;
    Ok(row.map(|(user_id, about)| Ticket { user_id, about }))
}

/// Spends a ticket; none if it is not good for this, or no more.
pub(crate) fn spend_ticket(tx: &mut Tx, hash: &[u8], purpose: &str) -> Result<Option<Ticket>> {
    let found = ticket(tx, hash, purpose)?;
    let spent =
        tx.execute("DELETE FROM auth_ticket WHERE tenant = :tenant AND hash = $1", (hash,))?;
    Ok(found.filter(|_| spent == 1))
}

/// Forgets the tickets and challenges of a user.
pub(crate) fn forget_tickets(tx: &mut Tx, user_id: &str) -> Result<()> {
    tx.execute("DELETE FROM auth_ticket WHERE tenant = :tenant AND user_id = $1", user_id)?;
    Ok(())
}
