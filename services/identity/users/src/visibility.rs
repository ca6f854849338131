//! Who sees which parts of a profile.
//!
//! **Invariant:** of somebody else there is what they show to whoever asks, and nothing besides: neither in an
//! answer, nor in an order, nor by what a list is narrowed to.

use std::collections::{BTreeMap, BTreeSet};

use stoa_kit::{Error, Reason as _, Result, Tx, View};
use stoa_users_v1::{Audience, Reason, SetVisibilityRequest, User, Visibility};

use crate::api::UPDATE_ALL;
use crate::store;

pub(crate) fn set(tx: &mut Tx, request: SetVisibilityRequest) -> Result<Visibility> {
    let user = tx.load::<User>(&request.user_id)?;
    let own = tx.caller().user() == Some(user.id.as_str());
    if !own && !tx.is_nested() && !tx.caller().may(UPDATE_ALL) {
        return Err(Reason::NotYours.because("the profile of somebody else"));
    }
    let before = tx.get::<Visibility>(&user.id)?;
    let is_new = before.is_none();
    let mut row = before.unwrap_or_else(|| nobody(&user.id));
    let SetVisibilityRequest { handle, email, display_name, locale, time_zone, .. } = request;
    for (kept, wanted) in [
        (&mut row.handle, handle),
        (&mut row.email, email),
        (&mut row.display_name, display_name),
        (&mut row.locale, locale),
        (&mut row.time_zone, time_zone),
    ] {
        if wanted != Audience::Unspecified {
            *kept = wanted;
        }
    }
    let row = if is_new { tx.add(row)? } else { tx.save(row)? };
    store::show_handle(tx, &user.id, row.handle)?;
    tx.touch("users.user", &user.id);
    Ok(row)
}

pub(crate) fn get(view: &View, user_id: &str) -> Result<Visibility> {
    let user = view.load::<User>(user_id)?;
    Ok(view.get::<Visibility>(&user.id)?.unwrap_or_else(|| nobody(&user.id)))
}

/// What is so before anything was said.
fn nobody(user_id: &str) -> Visibility {
    let nobody = || Audience::Nobody.into();
    Visibility {
        user_id: user_id.to_owned(),
        handle: nobody(),
        email: nobody(),
        display_name: nobody(),
        locale: nobody(),
        time_zone: nobody(),
    }
}

/// Users as the caller may see them.
pub(crate) fn shown(view: &View, users: Vec<User>) -> Result<Vec<User>> {
    let access = view.access::<User>();
    let others = users.iter().filter(|user| !access.shows(&user.id));
    let others: Vec<String> = others.map(|user| user.id.clone()).collect();
    if others.is_empty() || view.caller().is_anonymous() {
        return Ok(users.into_iter().filter(|user| access.shows(&user.id)).collect());
    }
    let said = store::visibility_of(view, &others)?;
    let said: BTreeMap<&str, &Visibility> = said.iter().map(|it| (&*it.user_id, it)).collect();
    let near: BTreeSet<String> = match view.caller().user() {
        Some(user) => store::among_own(view, user, &others)?.into_iter().collect(),
        None => BTreeSet::new(),
    };
    let show = |user: User| match said.get(user.id.as_str()) {
        _ if access.shows(&user.id) => Some(user),
        Some(said) => part(&user, said, near.contains(&user.id)),
        None => None,
    };
    Ok(users.into_iter().filter_map(show).collect())
}

/// A user, if the caller may see anything of them.
///
/// # Errors
/// `resource.not_found`, the same for somebody who is not there and for one who shows nothing.
pub(crate) fn one(view: &View, id: &str) -> Result<User> {
    let found = view.get::<User>(id)?.into_iter().collect();
    shown(view, found)?.pop().ok_or_else(|| Error::not_found("user", id))
}

/// What somebody shows to others, if it is anything.
fn part(user: &User, said: &Visibility, near: bool) -> Option<User> {
    let sees = |audience: &buffa::EnumValue<Audience>| match audience.as_known() {
        Some(Audience::Everybody) => true,
        Some(Audience::Organizations) => near,
        _ => false,
    };
    let text = |audience, text: &String| if sees(audience) { text.clone() } else { String::new() };
    let all = [&said.handle, &said.email, &said.display_name, &said.locale, &said.time_zone];
    all.into_iter().any(sees).then(|| User {
        id: user.id.clone(),
        handle: text(&said.handle, &user.handle),
        email: text(&said.email, &user.email),
        display_name: text(&said.display_name, &user.display_name),
        locale: text(&said.locale, &user.locale),
        time_zone: text(&said.time_zone, &user.time_zone),
        ..User::default()
    })
}
