//! Who wants to be told how.

use stoa_users_v1::User;

/// The preference of users who want mail as well.
const WANTS_EMAIL: &str = "notify.email";

/// Whether a user wants mail, and has an address for it.
pub(crate) fn wants_email(user: &User) -> bool {
    let wish = user.preferences.get(WANTS_EMAIL).map(String::as_str);
    wish == Some("true") && !user.email.is_empty()
}
