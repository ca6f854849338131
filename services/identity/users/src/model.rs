//! The names of users, and who is in a list of them.

use std::time::Duration;

use stoa_users_v1::User;

/// How long ago, at most, whoever changes an address proved who they are.
pub(crate) const ADDRESS_STEP_UP: Duration = Duration::from_secs(10 * 60);

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

/// What a list's statement asks of a handle, of one user who was read already.
pub(crate) fn matches(user: &User, (from, to): (&str, &str), after: &str) -> bool {
    let key = normal(&user.handle);
    key.as_str() > after && key.as_str() >= from && key.as_str() < to
}
