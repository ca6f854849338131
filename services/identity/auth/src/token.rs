//! Tokens: what they look like, how they are kept, and whose they are.

use std::sync::Arc;

use stoa_auth_v1::RecordUseRequest;
use stoa_kit::{Authenticated, Caller, Micros, Pattern, Proof, Result, View};
use stoa_users_v1::{LookupUserRequest, LookupUserRequestBy, User, UserState};

use crate::{model, store};

/// What the token of a session begins with, so that people and scanners recognise it. The name of
/// its tenant follows, and then the secret.
pub(crate) const SESSION: &str = "stoa_s_";
/// What the token of an API key begins with.
pub(crate) const KEY: &str = "stoa_k_";

/// What a ticket begins with, which stands between a password and a session.
pub(crate) const TICKET: &str = "stoa_f_";
/// What the secret of a link begins with.
pub(crate) const LINK: &str = "stoa_l_";

/// A token, as its bearer keeps it.
pub(crate) fn write(prefix: &str, tenant: &str, secret: &[u8]) -> String {
    secret.iter().fold(format!("{prefix}{tenant}_"), |token, byte| format!("{token}{byte:02x}"))
}

/// The tenant that a token names. Its hash is of the whole token, so whoever changes the name has
/// another token.
pub(crate) fn tenant(token: &str) -> Option<&str> {
    let rest = token.strip_prefix(SESSION).or_else(|| token.strip_prefix(KEY))?;
    rest.split_once('_').map(|(tenant, _)| tenant)
}

/// A token or a code, as the store keeps it. It has 256 bits of chance, so that a fast hash is
/// as good as a slow one.
pub(crate) fn hash(token: &str) -> Vec<u8> {
    blake3::hash(token.as_bytes()).as_bytes().to_vec()
}

/// Finds the bearer of a token; none for one that is unknown, over or revoked, or whose user is
/// disabled.
pub(crate) fn authenticate(view: &View, token: &str) -> Result<Option<Authenticated>> {
    if token.starts_with(SESSION) {
        session(view, token)
    } else if token.starts_with(KEY) {
        api_key(view, token)
    } else {
        Ok(None)
    }
}

fn session(view: &View, token: &str) -> Result<Option<Authenticated>> {
    let Some(session) = store::session_of(view, &hash(token))? else { return Ok(None) };
    let last_use = Micros::of(&session.last_use_time);
    let end = Micros::of(&session.idle_expire_time);
    if view.now() >= end || !is_active(view, &session.user_id)? {
        return Ok(None);
    }
    let permissions = store::permissions(view, &session.user_id)?;
    let subject = format!("user:{}", session.user_id);
    let mut found = bearer(view, &subject, &session.id, &permissions, end, Some(last_use));
    let second = store::has_second_factor(view, &session.user_id)?;
    let (time, full) = (Micros::of(&session.auth_time), model::is_full(&session.methods, second));
    found.caller.proof = Some(Arc::new(Proof { methods: session.methods, time, full }));
    Ok(Some(found))
}

fn api_key(view: &View, token: &str) -> Result<Option<Authenticated>> {
    let Some(key) = store::key_of(view, &hash(token))? else { return Ok(None) };
    let expire = Micros::of(&key.expire_time);
    if view.now() >= expire {
        return Ok(None);
    }
    let scope = key.permissions.iter().filter_map(|text| Pattern::parse(text)).collect();
    let (subject, permissions) = if store::is_service_account(view, &key.owner)? {
        (format!("service:{}", key.owner), key.permissions)
    } else if is_active(view, &key.owner)? {
        let held = store::permissions(view, &key.owner)?;
        (format!("user:{}", key.owner), model::common(&key.permissions, &held))
    } else {
        return Ok(None);
    };
    let last_use = store::last_use(view, &key.id)?;
    let mut found = bearer(view, &subject, &key.id, &permissions, expire, last_use);
    found.caller.scope = Some(scope);
    Ok(Some(found))
}

/// Who somebody is now whose call was long ago: a user who is active, with what they may, as far as
/// the key that they came with goes and is there; or a program with such a key.
pub(crate) fn principal(view: &View, subject: &str, credential: &str) -> Result<Option<Caller>> {
    let key = store::key(view, credential)?.filter(|key| view.now() < Micros::of(&key.expire_time));
    let tenant = &view.caller().tenant;
    let caller = |permissions: &[String]| {
        let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
        Caller::of(tenant, subject, &permissions)
    };
    let Some(user) = subject.strip_prefix("user:") else {
        let held = key.filter(|key| subject == format!("service:{}", key.owner));
        return Ok(held.map(|key| caller(&key.permissions)));
    };
    if !is_active(view, user)? {
        return Ok(None);
    }
    let held = store::permissions(view, user)?;
    match key {
        Some(key) => Ok(Some(caller(&model::common(&key.permissions, &held)))),
        // A session may have ended since; a key that did was taken away.
        None if credential.starts_with("key_") => Ok(None),
        None => Ok(Some(caller(&held))),
    }
}

/// A caller, good until the credential ends or its next use is to be noted: looking again is what
/// notes it.
fn bearer(
    view: &View, subject: &str, credential: &str, permissions: &[String], end: Micros,
    last_use: Option<Micros>,
) -> Authenticated {
    let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
    let mut caller = Caller::of(&view.caller().tenant, subject, &permissions);
    caller.credential = credential.into();
    let noted = last_use.filter(|last_use| !model::is_noted_again(*last_use, view.now()));
    let until = end.min(noted.unwrap_or(view.now()).after(model::USE_NOTED_EVERY));
    let found = Authenticated { caller, until, due: None };
    match noted {
        Some(_) => found,
        None => found.then(&RecordUseRequest { credential_id: credential.to_owned() }),
    }
}

/// A user by their identifier.
pub(crate) fn user(view: &View, id: &str) -> Result<Option<User>> {
    let by = Some(LookupUserRequestBy::Id(id.to_owned()));
    Ok(view.call(LookupUserRequest { by })?.user.into_option())
}

fn is_active(view: &View, user_id: &str) -> Result<bool> {
    Ok(user(view, user_id)?.is_some_and(|user| user.state == UserState::Active))
}
