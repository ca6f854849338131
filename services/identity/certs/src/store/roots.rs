//! The rows of roots: their private keys, sealed, and the lists of what is revoked of them.

use stoa_certs_v1::{Authority, Reason, Root, RootCreated, RootRetired, Settings};
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};
use x509_cert::ext::pkix::CrlReason;
use zeroize::Zeroizing;

use crate::crypto::{self, Private, Revoked, Signer};
use crate::model;

/// Authorities whose roots are followed, and roots whose lists are signed, in one commit.
const CHUNK: i64 = 10;

/// Makes the next root of an authority: of the first one nobody keeps a bundle without it, and every other one
/// waits until nobody does any more.
pub(crate) fn add(tx: &mut Tx, authority: &Authority) -> Result<Root> {
    let settings: Settings = tx.settings()?;
    let latest = tx.row::<(i64,)>(
        "SELECT number FROM certs_root WHERE tenant = :tenant AND authority_id = $1 \
         ORDER BY number DESC LIMIT 1",
        &authority.id,
    )?;
    let (now, number) = (tx.now(), latest.map_or(0, |(number,)| number) + 1);
    let from = now.before(model::SKEW);
    let active = if number == 1 { from } else { now.after(model::BUNDLE_KEPT) };
    let follow = now.after(model::root_life(&settings));
    // Whatever it signs until the next one does is over before it is: a day is for a timer that is late.
    let expire =
        model::whole(follow.after(model::BUNDLE_KEPT).after(model::LIFE_MAX).after(model::DAY));
    tx.execute(
        "UPDATE certs_root SET follow_time = NULL, retire_time = COALESCE(retire_time, $2) \
         WHERE tenant = :tenant AND authority_id = $1",
        (&authority.id, active.after(model::LIFE_MAX).after(model::SKEW)),
    )?;
    let id = tx.new_id("rot");
    let private = private(tx)?;
    let serial = model::serial(first(tx.salt("serial of a root")?));
    let name = format!("{} R{number}", authority.name);
    let domain = &authority.trust_domain;
    let certificate = crypto::sign_root(&private, &name, domain, &serial, from, expire)?;
    let (private, certificate) = (private.to_bytes()?, crypto::pem(&certificate)?);
    let signer = Signer::read(&private, &certificate)?;
    let (crl, due) = sign(tx, &signer, 1, &[])?;
    let sealed = tx.seal(&place(&id), &private)?;
    let root = Root {
        id,
        authority_id: authority.id.clone(),
        number,
        certificate,
        active_time: active.timestamp(),
        expire_time: expire.timestamp(),
        ..Root::default()
    };
    let root = tx.add_with(
        root,
        "follow_time, private_key, crl, crl_number, crl_due_time",
        (follow, sealed.as_slice(), crl.as_slice(), 1_i64, due),
    )?;
    tx.emit(&RootCreated {
        authority_id: authority.id.clone(),
        root_id: root.id.clone(),
        active_time: active.timestamp(),
    });
    Ok(root)
}

/// Takes a root out of the bundle, and gives the newest one that is left: it signs at once where that one did.
pub(crate) fn retire(tx: &mut Tx, authority: &Authority, root: Root) -> Result<Root> {
    let signing = signer(tx, &authority.id).is_ok_and(|(one, _)| one.id == root.id);
    tx.execute(
        "UPDATE certs_root SET retire_time = $2, follow_time = NULL WHERE tenant = :tenant AND id = $1",
        (&root.id, tx.now()),
    )?;
    let left = bundle(tx, &authority.id)?.into_iter();
    let mut next = match left.rev().find(|one| !one.retire_time.is_set()) {
        Some(next) => next,
        None => add(tx, authority)?,
    };
    if signing {
        // Later than the one that goes, so that none before it signs again.
        let active = tx.now().before(model::SKEW).max(Micros(Micros::of(&root.active_time).0 + 1));
        next.active_time = active.timestamp();
        next = tx.save(next)?;
    }
    tx.emit(&RootRetired { authority_id: authority.id.clone(), root_id: root.id });
    Ok(next)
}

/// A key that nobody can make again.
fn private(tx: &Tx) -> Result<Private> {
    let made = (0..4).find_map(|turn| match tx.salt(&format!("key of a root, {turn}")) {
        Ok(chance) => Private::of(&chance).map(Ok),
        Err(error) => Some(Err(error)),
    });
    made.unwrap_or_else(|| Err(Error::internal("no number is a key")))
}

fn first(chance: [u8; 32]) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&chance[..16]);
    first
}

/// The roots of an authority that are in its bundle, the oldest first.
pub(crate) fn bundle(view: &View, authority_id: &str) -> Result<Vec<Root>> {
    let roots = view.all::<Root>("authority_id = $1 ORDER BY number", authority_id)?;
    let now = view.now();
    let left = |root: &Root| root.retire_time.is_set() && Micros::of(&root.retire_time) <= now;
    Ok(roots.into_iter().filter(|root| !left(root)).collect())
}

/// The root of an authority that signs now.
pub(crate) fn signer(view: &View, authority_id: &str) -> Result<(Root, Signer)> {
    let found = view.select_with::<Root, (Vec<u8>,)>(
        "SELECT {}, private_key FROM certs_root \
         WHERE tenant = :tenant AND authority_id = $1 AND active_time <= $2 \
         AND (retire_time IS NULL OR retire_time > $2) \
         ORDER BY active_time DESC, number DESC LIMIT 1",
        (authority_id, view.now()),
    )?;
    let found = found.into_iter().next();
    let good = found.filter(|(root, _)| view.now() < Micros::of(&root.expire_time));
    let (root, (sealed,)) =
        good.ok_or_else(|| Reason::NoRoot.because("the authority has no root that signs now"))?;
    let private = Zeroizing::new(view.open(&place(&root.id), &sealed)?);
    let signer = Signer::read(&private, &root.certificate)?;
    Ok((root, signer))
}

fn place(id: &str) -> [&[u8]; 2] {
    [b"root", id.as_bytes()]
}

/// When a root is to be followed, or to go.
pub(crate) fn next_due(view: &View) -> Result<Option<Micros>> {
    let follow = view.row::<(Option<Micros>,)>(
        "SELECT MIN(follow_time) FROM certs_root WHERE tenant = :tenant",
        (),
    )?;
    let retire = view.earliest::<Root>("retire_time")?;
    Ok(follow.and_then(|(follow,)| follow).into_iter().chain(retire).min())
}

/// Follows the roots that have signed for long, and deletes those of which no certificate is left.
pub(crate) fn rotate_due(tx: &mut Tx) -> Result<()> {
    let due = tx.select::<Authority>(
        "SELECT {a} FROM certs_root r \
         JOIN certs_authority a ON a.tenant = r.tenant AND a.id = r.authority_id \
         WHERE r.tenant = :tenant AND a.tenant = :tenant AND r.follow_time <= $1 \
         ORDER BY r.follow_time, r.id LIMIT $2",
        (tx.now(), CHUNK),
    )?;
    for authority in &due {
        add(tx, authority)?;
    }
    tx.again(due.len() == CHUNK as usize);
    tx.sweep::<Root>("retire_time")
}

/// A list of what is revoked.
pub(crate) struct Crl {
    pub(crate) bytes: Vec<u8>,
    pub(crate) number: i64,
    /// Whether the next one is to be signed.
    pub(crate) is_due: bool,
}

/// The list of a root as it was last signed.
pub(crate) fn crl(view: &View, root_id: &str) -> Result<Crl> {
    let found = view.row::<(Vec<u8>, i64, Micros)>(
        "SELECT crl, crl_number, crl_due_time FROM certs_root WHERE tenant = :tenant AND id = $1",
        root_id,
    )?;
    let (bytes, number, due) =
        found.ok_or_else(|| Reason::UnknownPath.because("there is no root of this identifier"))?;
    Ok(Crl { bytes, number, is_due: due <= view.now() })
}

/// Says that something of a root was revoked, so that its list is signed anew, whatever a clock says.
pub(crate) fn crl_changed(tx: &mut Tx, root_id: &str) -> Result<()> {
    let sql = "UPDATE certs_root SET crl_due_time = 0 WHERE tenant = :tenant AND id = $1";
    tx.execute(sql, root_id).map(|_| ())
}

/// When a list is to be signed.
pub(crate) fn next_crl(view: &View) -> Result<Option<Micros>> {
    let first = view.row::<(Option<Micros>,)>(
        "SELECT MIN(crl_due_time) FROM certs_root WHERE tenant = :tenant",
        (),
    )?;
    Ok(first.and_then(|(first,)| first))
}

/// Signs the lists that are due.
pub(crate) fn sign_due(tx: &mut Tx) -> Result<()> {
    let due = tx.rows::<(String,)>(
        "SELECT id FROM certs_root WHERE tenant = :tenant AND crl_due_time <= $1 \
         ORDER BY crl_due_time, id LIMIT $2",
        (tx.now(), CHUNK),
    )?;
    for (root_id,) in &due {
        sign_crl(tx, root_id)?;
    }
    tx.again(due.len() == CHUNK as usize);
    Ok(())
}

/// Signs the list of a root, if it is due: whoever comes second is given what the first one signed.
pub(crate) fn sign_crl(tx: &mut Tx, root_id: &str) -> Result<Crl> {
    let last = crl(tx, root_id)?;
    if !last.is_due {
        return Ok(last);
    }
    let kept = tx.row::<(String, Vec<u8>)>(
        "SELECT certificate, private_key FROM certs_root WHERE tenant = :tenant AND id = $1",
        root_id,
    )?;
    let (certificate, sealed) = kept.ok_or_else(|| Error::internal("a root is gone"))?;
    let private = Zeroizing::new(tx.open(&place(root_id), &sealed)?);
    let signer = Signer::read(&private, &certificate)?;
    let revoked = tx.rows::<(String, Micros, String)>(
        "SELECT serial_number, revoke_time, revocation_reason FROM certs_certificate \
         WHERE tenant = :tenant AND root_id = $1 AND revoke_time > 0 \
         ORDER BY revoke_time, serial_number",
        root_id,
    )?;
    let revoked = revoked.into_iter();
    let revoked =
        revoked.map(|(serial, time, word)| Revoked { serial, time, reason: reason(&word) });
    let number = last.number + 1;
    let (bytes, due) = sign(tx, &signer, number, &revoked.collect::<Vec<_>>())?;
    tx.execute(
        "UPDATE certs_root SET crl = $2, crl_number = $3, crl_due_time = $4 \
         WHERE tenant = :tenant AND id = $1",
        (root_id, bytes.as_slice(), number, due),
    )?;
    Ok(Crl { bytes, number, is_due: false })
}

/// A list, and when it is to be followed: halfway to when it is good no more.
fn sign(tx: &Tx, signer: &Signer, number: i64, revoked: &[Revoked]) -> Result<(Vec<u8>, Micros)> {
    let life = model::crl_life(&tx.settings::<Settings>()?);
    let now = tx.now();
    let bytes = crypto::sign_crl(signer, number, now, now.after(life), revoked)?;
    Ok((bytes, now.after(life / 2)))
}

/// A reason as lists have it; none where nobody said one (RFC 5280, 5.3.1).
fn reason(word: &str) -> Option<CrlReason> {
    Some(match word {
        "key_compromise" => CrlReason::KeyCompromise,
        "affiliation_changed" => CrlReason::AffiliationChanged,
        "superseded" => CrlReason::Superseded,
        "cessation_of_operation" => CrlReason::CessationOfOperation,
        "privilege_withdrawn" => CrlReason::PrivilegeWithdrawn,
        _ => return None,
    })
}
