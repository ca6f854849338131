//! What a user is, and what a change makes of them.

use std::collections::BTreeMap;

use stoa_kit::{Error, Result};
use stoa_users_v1::{UpdateUserRequest, User, UserState};

/// The form in which names are compared: no white space around, lower case. The contract admits
/// only ASCII, so that no two of these look the same to people; names in any script belong into
/// `display_name`.
pub(crate) fn normal(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// The handles that begin with a prefix: from the first string up to the second, which is not
/// one of them. Every character of a handle sorts before U+007F.
pub(crate) fn range(prefix: &str) -> (String, String) {
    let from = normal(prefix);
    let to = format!("{from}\u{7f}");
    (from, to)
}

/// Whether a list is of disabled users or of active ones; none for either.
pub(crate) fn is_disabled(state: UserState) -> Option<bool> {
    match state {
        UserState::USER_STATE_UNSPECIFIED => None,
        UserState::USER_STATE_ACTIVE => Some(false),
        UserState::USER_STATE_DISABLED => Some(true),
    }
}

/// What a list's statement asks of a row, of one user who was read already.
pub(crate) fn matches(
    user: &User,
    (from, to): (&str, &str),
    disabled: Option<bool>,
    after: &str,
) -> bool {
    let key = normal(&user.handle);
    let is = user.state == UserState::Disabled;
    key.as_str() > after
        && key.as_str() >= from
        && key.as_str() < to
        && disabled.unwrap_or(is) == is
}

/// The fields that a change may name.
const FIELDS: [&str; 6] = ["handle", "email", "display_name", "locale", "time_zone", "preferences"];

/// The user as a change makes them.
///
/// # Errors
/// `request.invalid` for a mask that names another field, or a name that would become empty.
pub(crate) fn apply(mut user: User, request: UpdateUserRequest) -> Result<User> {
    let mask = request.update_mask.as_option().map(|mask| mask.paths.as_slice());
    if let Some(path) = mask.and_then(|paths| paths.iter().find(|path| !is_field(path))) {
        let message = format!("`{path}` is none of {}", FIELDS.join(", "));
        return Err(Error::field("update_mask", "field_mask", message));
    }
    let named = |field: &str, filled: bool| match mask {
        Some(paths) if !paths.is_empty() => paths.iter().any(|path| path == field),
        _ => filled,
    };
    for (field, value) in [("handle", &request.handle), ("email", &request.email)] {
        if named(field, !value.is_empty()) && value.is_empty() {
            return Err(Error::field(field, "required", "is required"));
        }
    }
    let change = |field: &str, old: &mut String, new: String| {
        if named(field, !new.is_empty()) {
            *old = new;
        }
    };
    change("handle", &mut user.handle, request.handle);
    change("email", &mut user.email, request.email);
    change("display_name", &mut user.display_name, request.display_name);
    change("locale", &mut user.locale, request.locale);
    change("time_zone", &mut user.time_zone, request.time_zone);
    if named("preferences", !request.preferences.is_empty()) {
        user.preferences = request.preferences;
    }
    Ok(user)
}

fn is_field(path: &str) -> bool {
    FIELDS.contains(&path)
}

/// Preferences as a column keeps them: JSON, the keys in order.
pub(crate) fn write_preferences(user: &User) -> Result<String> {
    let ordered: BTreeMap<_, _> = user.preferences.iter().collect();
    serde_json::to_string(&ordered).map_err(Error::internal)
}

/// Preferences as a column keeps them.
pub(crate) fn read_preferences(user: &mut User, json: &str) -> Result<()> {
    let pairs: BTreeMap<String, String> = serde_json::from_str(json).map_err(Error::internal)?;
    user.preferences = pairs.into_iter().collect();
    Ok(())
}
