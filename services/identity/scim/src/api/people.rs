//! People: accounts of `users`, with what a directory says of them besides.

use serde_json::{Value, json};
use stoa_auth_v1::RevokeAllSessionsRequest;
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};
use stoa_scim_v1::*;
use stoa_users_v1::{
    CreateUserRequest, DisableUserRequest, EnableUserRequest, LookupUserRequest,
    LookupUserRequestBy, UpdateUserRequest, User, UserState,
};

use super::{asked, check_version, complete, read_document, wanted};
use crate::model::filter::Filter;
use crate::model::{self, Object, invalid_value, schema};
use crate::store;

pub(super) fn find(view: &View, id: &str) -> Result<Option<Object>> {
    view.get::<Person>(id)?.map(|person| shown(view, person)).transpose()
}

/// Those that a filter is about, or all.
pub(super) fn all(view: &View, filter: Option<&Filter>) -> Result<Vec<Object>> {
    let people = if let Some(name) = asked(filter, "userName") {
        store::by_user_name(view, name)?.into_iter().collect()
    } else if let Some(id) = asked(filter, "externalId") {
        store::by_external_id(view, id)?
    } else if let Some(id) = asked(filter, "id") {
        view.get::<Person>(id)?.into_iter().collect()
    } else {
        store::people(view, 0, store::SCAN_MAX + 1)?
    };
    if people.len() as i64 > store::SCAN_MAX {
        return Err(Reason::TooMany.because("there are more people than are looked at"));
    }
    people.into_iter().map(|person| shown(view, person)).collect()
}

pub(super) fn shown(view: &View, person: Person) -> Result<Object> {
    let mut document = read_document(&person.document)?;
    if document.contains_key("active") {
        let user = user(view, &person.user_id)?;
        let active = user.is_some_and(|user| user.state == UserState::Active);
        document.insert("active".into(), active.into());
    }
    let times = (Micros::of(&person.create_time), Micros::of(&person.update_time));
    complete(view, Kind::User, &person.user_id, document, times)
}

fn user(view: &View, id: &str) -> Result<Option<User>> {
    let by = Some(LookupUserRequestBy::Id(id.to_owned()));
    Ok(view.call(LookupUserRequest { by })?.user.into_option())
}

pub(super) fn write(tx: &mut Tx, request: &WriteResourceRequest) -> Result<String> {
    if request.id.is_empty() {
        return create(tx, request);
    }
    let person = tx.get::<Person>(&request.id)?;
    let person = person.ok_or_else(|| Error::not_found("resource", &request.id))?;
    let before = shown(tx, person.clone())?;
    check_version(&before, &request.version)?;
    let document = wanted(Kind::User, Some(&before), request)?;
    free(tx, model::text(&document, "userName"), &person.user_id)?;
    let email = email(&document)?;
    let display_name = model::display_name(&document);
    let known = user(tx, &person.user_id)?.unwrap_or_default();
    let mut change = UpdateUserRequest { id: known.id.clone(), ..UpdateUserRequest::default() };
    let mut paths = Vec::new();
    if !known.email.eq_ignore_ascii_case(&email) {
        change.email = email;
        paths.push("email".to_owned());
    }
    if known.display_name != display_name {
        change.display_name = display_name;
        paths.push("display_name".to_owned());
    }
    if !paths.is_empty() {
        change.update_mask.get_or_insert_default().paths = paths;
        tx.attempt(|tx| tx.call(change)).map_err(told)?;
    }
    set_active(tx, &known, &document)?;
    let id = person.user_id.clone();
    let text = Value::Object(document.clone()).to_string();
    store::put(tx, Person { document: text, ..person }, &document, false)?;
    Ok(id)
}

fn create(tx: &mut Tx, request: &WriteResourceRequest) -> Result<String> {
    let mut document = wanted(Kind::User, None, request)?;
    document.entry("active").or_insert(true.into());
    let name = model::text(&document, "userName").to_owned();
    free(tx, &name, "")?;
    let mut handle = model::handle(&name);
    let by = Some(LookupUserRequestBy::Login(handle.clone()));
    if tx.call(LookupUserRequest { by })?.user.is_set() {
        handle = format!("{handle}-{:08x}", tx.random() >> 32);
    }
    let user = CreateUserRequest {
        handle,
        email: email(&document)?,
        display_name: model::display_name(&document),
        ..CreateUserRequest::default()
    };
    let user = tx.attempt(|tx| tx.call(user)).map_err(told)?.user.into_option().unwrap_or_default();
    set_active(tx, &user, &document)?;
    let text = Value::Object(document.clone()).to_string();
    let person = Person { user_id: user.id.clone(), document: text, ..Person::default() };
    store::put(tx, person, &document, true)?;
    Ok(user.id)
}

pub(super) fn adopt(tx: &mut Tx, request: AdoptPersonRequest) -> Result<AdoptPersonResponse> {
    let AdoptPersonRequest { user_id, user_name } = request;
    let user = user(tx, &user_id)?.ok_or_else(|| Error::not_found("user", &user_id))?;
    if tx.get::<Person>(&user_id)?.is_some() {
        return Err(Reason::Uniqueness.because("the directory keeps this account already"));
    }
    free(tx, &user_name, "")?;
    let said = json!({
        "userName": user_name,
        "displayName": user.display_name,
        "emails": [{"value": user.email, "primary": true}],
        "active": user.state == UserState::Active,
    });
    let document = schema::normal(Kind::User, said.as_object().unwrap_or(&Object::new()))?;
    let text = Value::Object(document.clone()).to_string();
    store::put(tx, Person { user_id, document: text, ..Person::default() }, &document, true)?;
    Ok(AdoptPersonResponse {})
}

/// Refuses a name that somebody else has.
fn free(view: &View, name: &str, but: &str) -> Result<()> {
    let known = store::by_user_name(view, name)?;
    match known.is_none_or(|person| person.user_id == but) {
        true => Ok(()),
        false => Err(Reason::Uniqueness.because("somebody else has this `userName`")),
    }
}

fn email(document: &Object) -> Result<String> {
    let email = model::email(document);
    email.ok_or_else(|| invalid_value("`emails` is missing, and `userName` is no address"))
}

/// What `users` says of an account, as a directory is told it.
fn told(error: Error) -> Error {
    match error.reason() {
        "users.email_taken" | "users.handle_taken" => {
            Reason::Uniqueness.because("an account here has this address or name already")
        }
        "request.invalid" | "request.inner" => {
            invalid_value("the address or the name is none that an account may have")
        }
        _ => error,
    }
}

/// Has an account be active or not, as a document says; where it says nothing, it stays what it is.
fn set_active(tx: &mut Tx, user: &User, document: &Object) -> Result<()> {
    let active = document.get("active").and_then(Value::as_bool);
    match (user.state == UserState::Active, active) {
        (true, Some(false)) => disable(tx, &user.id),
        (false, Some(true)) => tx.call(EnableUserRequest { id: user.id.clone() }).map(|_| ()),
        _ => Ok(()),
    }
}

/// Disables an account. Its user has no session from this commit on.
fn disable(tx: &mut Tx, id: &str) -> Result<()> {
    tx.call(DisableUserRequest { id: id.to_owned() })?;
    let end = RevokeAllSessionsRequest { user_id: id.to_owned(), ..Default::default() };
    tx.call(end).map(|_| ())
}

pub(super) fn forget(tx: &mut Tx, request: &DropResourceRequest) -> Result<()> {
    let person = tx.get::<Person>(&request.id)?;
    let person = person.ok_or_else(|| Error::not_found("resource", &request.id))?;
    check_version(&shown(tx, person.clone())?, &request.version)?;
    let user = user(tx, &person.user_id)?;
    if user.is_some_and(|user| user.state == UserState::Active) {
        disable(tx, &person.user_id)?;
    }
    tx.delete::<Person>(&person.user_id).map(|_| ())
}
