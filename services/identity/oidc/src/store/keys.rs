//! The rows of signing keys, and the private ones, sealed.

use std::time::Duration;

use stoa_kit::{Micros, Reason as _, Result, Tx, View};
use stoa_oidc_v1::{Reason, Settings, SigningAlgorithm, SigningKey};
use zeroize::Zeroizing;

use crate::crypto::Signer;
use crate::model;

/// How long a key that is due is waited for before it is asked for again.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

fn word(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "es256",
        _ => "rs256",
    }
}

/// Whether there is a key of an algorithm.
pub(crate) fn has(view: &View, algorithm: SigningAlgorithm) -> Result<bool> {
    let found = view.row::<(i64,)>(
        "SELECT active_time FROM oidc_signing_key WHERE tenant = :tenant AND algorithm = $1 LIMIT 1",
        word(algorithm),
    )?;
    Ok(found.is_some())
}

/// Keeps a new key: of the first one of its algorithm nobody keeps a list without it, and every other one
/// waits until nobody does any more.
pub(crate) fn keep(
    tx: &mut Tx, algorithm: SigningAlgorithm, private: &[u8], public_jwk: String,
) -> Result<SigningKey> {
    let settings: Settings = tx.settings()?;
    let active = match has(tx, algorithm)? {
        true => tx.after(model::KEYS_KEPT),
        false => tx.now(),
    };
    let retire = active.after(model::TOKEN_LIFE_MAX);
    tx.execute(
        "UPDATE oidc_signing_key SET follow_time = NULL, retire_time = COALESCE(retire_time, $2) \
         WHERE tenant = :tenant AND algorithm = $1",
        (word(algorithm), retire),
    )?;
    let key = SigningKey {
        id: tx.new_id("sgk"),
        algorithm: algorithm.into(),
        public_jwk,
        active_time: active.timestamp(),
        ..SigningKey::default()
    };
    let sealed = tx.seal(&place(&key.id), private)?;
    let follow = tx.after(model::days(settings.key_life_days));
    tx.add_with(key, "follow_time, private_key", (follow, sealed.as_slice()))
}

/// The key that signs now.
pub(crate) fn signer(view: &View, algorithm: SigningAlgorithm) -> Result<Signer> {
    let found = view.row::<(String, Vec<u8>)>(
        "SELECT id, private_key FROM oidc_signing_key \
         WHERE tenant = :tenant AND algorithm = $1 AND active_time <= $2 \
         ORDER BY active_time DESC, id DESC LIMIT 1",
        (word(algorithm), view.now()),
    )?;
    let (id, sealed) = found
        .ok_or_else(|| Reason::TemporarilyUnavailable.because("there is no key yet that signs"))?;
    let private = Zeroizing::new(view.open(&place(&id), &sealed)?);
    Ok(Signer { id, algorithm, private })
}

fn place(id: &str) -> [&[u8]; 2] {
    [b"signing_key", id.as_bytes()]
}

/// When a key is to be followed, or to go.
pub(crate) fn next_due(view: &View) -> Result<Option<Micros>> {
    let follow = view.row::<(Option<Micros>,)>(
        "SELECT MIN(follow_time) FROM oidc_signing_key WHERE tenant = :tenant",
        (),
    )?;
    let retire = view.earliest::<SigningKey>("retire_time")?;
    Ok(follow.and_then(|(follow,)| follow).into_iter().chain(retire).min())
}

/// The algorithms whose newest key is to be followed: they are asked for again only after a while.
pub(crate) fn take_due(tx: &mut Tx) -> Result<Vec<SigningAlgorithm>> {
    let later = tx.after(PATIENCE);
    let due = tx.rows::<(String,)>(
        "UPDATE oidc_signing_key SET follow_time = $2 \
         WHERE tenant = :tenant AND follow_time <= $1 RETURNING algorithm",
        (tx.now(), later),
    )?;
    let mut due: Vec<String> = due.into_iter().map(|(word,)| word).collect();
    due.sort();
    due.dedup();
    let of = |text: String| match &*text {
        "es256" => SigningAlgorithm::Es256,
        _ => SigningAlgorithm::Rs256,
    };
    Ok(due.into_iter().map(of).collect())
}

/// Deletes the keys whose last token has ended.
pub(crate) fn sweep(tx: &mut Tx) -> Result<()> {
    tx.sweep::<SigningKey>("retire_time")
}
