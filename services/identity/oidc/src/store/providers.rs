//! The rows of providers, of whose the accounts there are, and of who was sent there.

use stoa_kit::{Result, Tx, View};
use stoa_oidc_v1::{Identity, Provider, SignIn};
use zeroize::Zeroizing;

/// A provider's secret, sealed.
pub(crate) fn seal(view: &View, id: &str, secret: &str) -> Result<Vec<u8>> {
    match secret {
        "" => Ok(Vec::new()),
        secret => view.seal(&place(id), secret.as_bytes()),
    }
}

/// What this node proves at a provider that it is itself with; empty where it has no secret.
pub(crate) fn secret(view: &View, id: &str) -> Result<Zeroizing<String>> {
    let sealed = view.row::<(Vec<u8>,)>(
        "SELECT client_secret FROM oidc_provider WHERE tenant = :tenant AND id = $1",
        id,
    )?;
    let Some((sealed,)) = sealed.filter(|(sealed,)| !sealed.is_empty()) else {
        return Ok(Zeroizing::default());
    };
    let secret = Zeroizing::new(view.open(&place(id), &sealed)?);
    Ok(Zeroizing::new(String::from_utf8_lossy(&secret).into_owned()))
}

fn place(id: &str) -> [&[u8]; 2] {
    [b"provider", id.as_bytes()]
}

/// Whether a provider with this issuer is known.
pub(crate) fn is_known(view: &View, issuer: &str) -> Result<bool> {
    Ok(view.find::<Provider>("issuer = $1", issuer)?.is_some())
}

/// Deletes all that there is of a provider.
pub(crate) fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    for sql in [
        "DELETE FROM oidc_identity WHERE tenant = :tenant AND provider_id = $1",
        "DELETE FROM oidc_sign_in WHERE tenant = :tenant AND provider_id = $1",
        "DELETE FROM oidc_discovered WHERE tenant = :tenant AND provider_id = $1",
    ] {
        tx.execute(sql, (id,))?;
    }
    tx.delete::<Provider>(id).map(|_| ())
}

/// Whose an account at a provider is.
pub(crate) fn identity(view: &View, provider_id: &str, subject: &str) -> Result<Option<Identity>> {
    let key = subject_key(view, provider_id, subject)?;
    view.find::<Identity>("provider_id = $1 AND subject_key = $2", (provider_id, key.as_slice()))
}

/// Keeps whose an account at a provider is.
pub(crate) fn add_identity(tx: &mut Tx, identity: Identity) -> Result<Identity> {
    let key = subject_key(tx, &identity.provider_id, &identity.subject)?;
    let identity = Identity { id: tx.new_id("idn"), ..identity };
    tx.add_with(identity, "subject_key", (key.as_slice(),))
}

fn subject_key(view: &View, provider_id: &str, subject: &str) -> Result<[u8; 16]> {
    view.fingerprint("subject", &format!("{provider_id} {subject}"))
}

/// With which accounts elsewhere a user signs in.
pub(crate) fn identities(view: &View, user_id: &str) -> Result<Vec<Identity>> {
    view.all::<Identity>("user_id = $1 ORDER BY id", user_id)
}

/// Takes whoever was sent to a provider: once.
pub(crate) fn take(tx: &mut Tx, id: &str) -> Result<Option<SignIn>> {
    let sign_in = tx.get::<SignIn>(id)?;
    tx.delete::<SignIn>(id)?;
    Ok(sign_in.filter(|sign_in| tx.now() < stoa_kit::Micros::of(&sign_in.expire_time)))
}
