//! The rows of references; those of keys have a file of their own.

pub(crate) mod keys;

use stoa_kit::{Result, Tx, View};

/// What a value is found by: the same for equal ones of a kind.
pub(crate) fn fingerprint(view: &View, kind: &str, value: &str) -> Result<String> {
    let fingerprint = view.fingerprint(kind, value)?;
    Ok(format!("{:032x}", u128::from_be_bytes(fingerprint)))
}

/// Deletes all that is wrapped about somebody: how much there was.
pub(crate) fn destroy(tx: &mut Tx, subject: &str) -> Result<i32> {
    tx.execute("DELETE FROM secrets_content WHERE tenant = :tenant AND subject = $1", (subject,))?;
    let destroyed = tx.execute(
        "DELETE FROM secrets_reference WHERE tenant = :tenant AND subject = $1",
        (subject,),
    )?;
    Ok(i32::try_from(destroyed).unwrap_or(i32::MAX))
}

/// Lets go of somebody who is erased: a fingerprint outlives the key of whom it is about.
pub(crate) fn erase(tx: &mut Tx, subject: &str) -> Result<()> {
    destroy(tx, subject).map(|_| ())
}
