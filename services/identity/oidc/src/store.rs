//! The rows of clients, families, devices and logins, and who is at a browser.

pub(crate) mod keys;
pub(crate) mod providers;

use std::time::Duration;

use stoa_auth_v1::{IntrospectTokenRequest, ListSessionsRequest, Session};
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};
use stoa_oidc_v1::{
    Assertion, Client, ClientProof, Device, Family, Grant, Login, Reason, SignIn, TokenReused,
};
use stoa_users_v1::{LookupUserRequest, LookupUserRequestBy, User, UserState};

use crate::model;

/// Sessions that are looked at in one commit.
const CHUNK: i64 = 100;
/// Codes that somebody may type in an hour which are none of a device's.
const GUESSES_MAX: i64 = 10;
const GUESSES_KEPT: Duration = Duration::from_secs(60 * 60);
/// A page of sessions.
const PAGE: i32 = 1_000;

/// The client that an application is, if it proved it: one that has keys by what it signed, one that has a
/// secret by the secret, and one that has neither by none.
pub(crate) fn proven(view: &View, proof: Option<&ClientProof>) -> Result<Client> {
    let wrong = || Reason::InvalidClient.because("no such application, or not with this secret");
    let proof = proof.ok_or_else(wrong)?;
    let found = view.select_with::<Client, (Vec<u8>,)>(
        "SELECT {}, secret_hash FROM oidc_client WHERE tenant = :tenant AND id = $1",
        &proof.client_id,
    )?;
    let (client, (secret_hash,)) = found.into_iter().next().ok_or_else(wrong)?;
    let has_keys = !client.jwks.is_empty();
    let good = match model::is_public(&client) {
        _ if has_keys || proof.signed => has_keys && proof.signed && proof.secret.is_empty(),
        true => proof.secret.is_empty(),
        false => model::equal(&model::hash(&proof.secret), &secret_hash),
    };
    if good { Ok(client) } else { Err(wrong()) }
}

/// Ends all that came of one sign-in, because a part of it came a second time.
pub(crate) fn reused(tx: &mut Tx, family: &Family) -> Result<Error> {
    tx.delete::<Family>(&family.id)?;
    let Family { client_id, user_id, .. } = family.clone();
    tx.emit(&TokenReused { client_id, user_id });
    Ok(Reason::InvalidGrant
        .because("this was used before, and all that came of it ended")
        .remembered())
}

/// Ends the families of a user with one client.
pub(crate) fn end_families(tx: &mut Tx, user_id: &str, client_id: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM oidc_family WHERE tenant = :tenant AND user_id = $1 AND client_id = $2",
        (user_id, client_id),
    )
    .map(|_| ())
}

/// Ends the families of a session, but for those that go on without one.
pub(crate) fn end_families_of_session(tx: &mut Tx, session_id: &str) -> Result<()> {
    let families = tx.all::<Family>("session_id = $1 ORDER BY id", session_id)?;
    end_online(tx, families)
}

/// Ends the families of all sessions of a user, but for those that go on without one.
pub(crate) fn end_families_of_user(tx: &mut Tx, user_id: &str) -> Result<()> {
    let families = tx.all::<Family>("user_id = $1 ORDER BY id", user_id)?;
    end_online(tx, families)
}

fn end_online(tx: &mut Tx, families: Vec<Family>) -> Result<()> {
    for family in families {
        if !family.scopes.iter().any(|scope| scope == model::OFFLINE) {
            tx.delete::<Family>(&family.id)?;
        }
    }
    Ok(())
}

/// Takes the logins of a session, or of all sessions of a user: no more is told of them.
pub(crate) fn take_logins(tx: &mut Tx, user_id: &str, session_id: &str) -> Result<Vec<Login>> {
    let logins = match session_id {
        "" => tx.all::<Login>("user_id = $1 ORDER BY client_id, session_id", user_id)?,
        session => tx.all::<Login>("session_id = $1 ORDER BY client_id", session)?,
    };
    for login in &logins {
        tx.delete::<Login>((&login.session_id, &login.client_id))?;
    }
    Ok(logins)
}

/// The logins whose sessions may be over, and whether there may be more.
pub(crate) fn due_logins(view: &View) -> Result<(Vec<Login>, bool)> {
    let due = view.all::<Login>(
        "check_time <= $1 ORDER BY check_time, session_id, client_id LIMIT $2",
        (view.now(), CHUNK),
    )?;
    let full = due.len() == CHUNK as usize;
    Ok((due, full))
}

/// When a session may be over.
pub(crate) fn next_check(view: &View) -> Result<Option<Micros>> {
    let first = view.row::<(Option<Micros>,)>(
        "SELECT MIN(check_time) FROM oidc_login WHERE tenant = :tenant",
        (),
    )?;
    Ok(first.and_then(|(first,)| first))
}

/// When something expires.
pub(crate) fn next_expiry(view: &View) -> Result<Option<Micros>> {
    let family = view.earliest::<Family>("expire_time")?;
    let device = view.earliest::<Device>("expire_time")?;
    let sign_in = view.earliest::<SignIn>("expire_time")?;
    let assertion = view.earliest::<Assertion>("expire_time")?;
    Ok(family.into_iter().chain(device).chain(sign_in).chain(assertion).min())
}

/// Deletes what has expired.
pub(crate) fn delete_expired(tx: &mut Tx) -> Result<()> {
    tx.sweep::<Family>("expire_time")?;
    tx.sweep::<Device>("expire_time")?;
    tx.sweep::<SignIn>("expire_time")?;
    tx.sweep::<Assertion>("expire_time")
}

/// Deletes all that there is of a client.
pub(crate) fn delete_client(tx: &mut Tx, id: &str) -> Result<()> {
    for sql in [
        "DELETE FROM oidc_family WHERE tenant = :tenant AND client_id = $1",
        "DELETE FROM oidc_grant WHERE tenant = :tenant AND client_id = $1",
        "DELETE FROM oidc_device WHERE tenant = :tenant AND client_id = $1",
        "DELETE FROM oidc_login WHERE tenant = :tenant AND client_id = $1",
        "DELETE FROM oidc_assertion WHERE tenant = :tenant AND client_id = $1",
    ] {
        tx.execute(sql, (id,))?;
    }
    tx.delete::<Client>(id).map(|_| ())
}

/// Lets go of somebody who is erased.
pub(crate) fn erase(tx: &mut Tx, subject: &str) -> Result<()> {
    for sql in [
        "DELETE FROM oidc_family WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_grant WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_device WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_login WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_guess WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_identity WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_sign_in WHERE tenant = :tenant AND user_id = $1",
    ] {
        tx.execute(sql, (subject,))?;
    }
    Ok(())
}

/// Ends what applications have of a user, and with which accounts elsewhere they sign in: the account comes to
/// somebody whose it was not shown to be before.
pub(crate) fn end_all(tx: &mut Tx, user_id: &str) -> Result<()> {
    for sql in [
        "DELETE FROM oidc_family WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_grant WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_device WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM oidc_identity WHERE tenant = :tenant AND user_id = $1",
    ] {
        tx.execute(sql, (user_id,))?;
    }
    Ok(())
}

/// What a user granted to a client.
pub(crate) fn grant(view: &View, user_id: &str, client_id: &str) -> Result<Option<Grant>> {
    view.find::<Grant>("user_id = $1 AND client_id = $2", (user_id, client_id))
}

/// A device by what somebody typed, if it still waits.
pub(crate) fn device(view: &View, user_code: &str) -> Result<Option<Device>> {
    let code = view.fingerprint("user_code", &model::typed(user_code))?;
    let found = view.find::<Device>("user_code = $1", (code.as_slice(),))?;
    Ok(found.filter(|device| view.now() < Micros::of(&device.expire_time)))
}

/// Refuses somebody who typed too many codes that there are none of.
pub(crate) fn may_type(view: &View, user_id: &str) -> Result<()> {
    let known = view.row::<(i64, Micros)>(
        "SELECT count, forget_time FROM oidc_guess WHERE tenant = :tenant AND user_id = $1",
        user_id,
    )?;
    match known {
        Some((GUESSES_MAX.., until)) if view.now() < until => {
            let message = "too many codes were typed that there are none of";
            Err(Error::exhausted(Reason::TooManyCodes.name(), message, until.since(view.now())))
        }
        _ => Ok(()),
    }
}

/// Counts a code that there is none of.
pub(crate) fn count_guess(tx: &mut Tx, user_id: &str) -> Result<()> {
    let (now, until) = (tx.now(), tx.after(GUESSES_KEPT));
    tx.execute(
        "INSERT INTO oidc_guess (tenant, user_id, count, forget_time) VALUES (:tenant, $1, 1, $2) \
         ON CONFLICT (tenant, user_id) DO UPDATE SET \
         count = CASE WHEN oidc_guess.forget_time <= $3 THEN 1 ELSE oidc_guess.count + 1 END, \
         forget_time = excluded.forget_time",
        (user_id, until, now),
    )
    .map(|_| ())
}

/// Who is at a browser.
pub(crate) struct Present {
    pub(crate) session: Session,
    pub(crate) user: User,
}

impl Present {
    /// When they proved who they are.
    pub(crate) fn auth_time(&self) -> Micros {
        Micros::of(&self.session.auth_time)
    }

    /// What shows that a page was made for this session and for nothing but this.
    pub(crate) fn page_code(&self, view: &View, about: &str) -> Result<String> {
        let text = format!("{} {about}", self.session.id);
        Ok(model::hex(&view.fingerprint("page", &text)?))
    }

    /// Refuses what does not come from a page that was made for this session and this.
    pub(crate) fn check_page(&self, view: &View, about: &str, code: &str) -> Result<()> {
        match model::equal(self.page_code(view, about)?.as_bytes(), code.as_bytes()) {
            true => Ok(()),
            false => Err(Reason::WrongPage.because("this does not come from a page made for it")),
        }
    }
}

/// Who is at a browser, by the token of a session; nobody if it is of none.
pub(crate) fn present(view: &View, session_token: &str) -> Result<Option<Present>> {
    if session_token.is_empty() || session_token.len() > 256 {
        return Ok(None);
    }
    let found = view.call(IntrospectTokenRequest { token: session_token.to_owned() })?;
    let Some(user_id) = found.subject.strip_prefix("user:").filter(|_| found.active) else {
        return Ok(None);
    };
    // A key of a user's is no session.
    let Some(session) = session(view, user_id, &found.credential_id)? else { return Ok(None) };
    Ok(user(view, user_id)?.map(|user| Present { session, user }))
}

/// A session that can still be used.
pub(crate) fn session(view: &View, user_id: &str, id: &str) -> Result<Option<Session>> {
    let mut page_token = String::new();
    loop {
        let request = ListSessionsRequest { user_id: user_id.into(), page_size: PAGE, page_token };
        let page = view.call(request)?;
        if let Some(found) = page.sessions.into_iter().find(|session| session.id == id) {
            return Ok(Some(found));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(None);
        }
    }
}

/// A user who may sign in.
pub(crate) fn user(view: &View, id: &str) -> Result<Option<User>> {
    let by = Some(LookupUserRequestBy::Id(id.to_owned()));
    let found = view.call(LookupUserRequest { by })?.user.into_option();
    Ok(found.filter(|user| user.state == UserState::Active))
}
