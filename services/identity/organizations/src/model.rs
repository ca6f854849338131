//! The rules: who may do what to whom, and how long invitations are good.

use std::time::Duration;

use stoa_kit::{Reason as _, Result};
use stoa_organizations_v1::{Reason, Role};

/// What a secret begins with, so that people and scanners recognise it.
const PREFIX: &str = "stoa_i_";
/// How long an invitation can be accepted if nobody says.
const TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What tokens of invitations are good for.
pub(crate) const PURPOSE: &str = "organizations.invitation";

/// A secret out of unpredictable bytes.
pub(crate) fn secret(chance: [u8; 32]) -> String {
    chance.iter().fold(PREFIX.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// How long an invitation can be accepted.
pub(crate) fn ttl(seconds: i32) -> Duration {
    match seconds.unsigned_abs() {
        0 => TTL,
        asked => Duration::from_secs(asked.into()),
    }
}

/// The form in which addresses are compared.
pub(crate) fn normal(email: &str) -> String {
    email.trim().to_ascii_lowercase()
}

/// Whether somebody with a role may give or take another one.
///
/// # Errors
/// `organizations.role_too_low`.
pub(crate) fn may_give(own: Role, role: Role) -> Result<()> {
    let high = own as i32 >= role as i32;
    if high && own as i32 >= Role::Admin as i32 {
        return Ok(());
    }
    let message = match high {
        true => "members have no say in who belongs to it",
        false => "this role is higher than yours",
    };
    Err(Reason::RoleTooLow.because(message))
}
