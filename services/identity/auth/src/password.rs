//! Passwords: Argon2id (RFC 9106) with the parameters that OWASP recommends, kept as PHC strings.

use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use stoa_kit::{Error, Result};
use unicode_normalization::UnicodeNormalization as _;

/// Characters that a new password has at least.
const LENGTH_MIN: usize = 10;
/// Memory that one hash fills, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Lanes that could be filled at once.
const LANES: u32 = 1;
/// Bytes of the result.
const LENGTH: usize = 32;

/// What the password of nobody is compared with, so that it costs what one of somebody costs.
/// No password has this hash but by a chance of one in 2^256.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c3RvYS1uby1hY2NvdW50IQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static HASHES: AtomicU64 = AtomicU64::new(0);

/// How many times this process has run the hash: for metrics, and for the test which proves that
/// an unknown account costs what a known one costs.
pub fn hashes() -> u64 {
    HASHES.load(Ordering::Relaxed)
}

/// What was typed as a password, in the form in which passwords are compared: the profile
/// OpaqueString of RFC 8265, by which keyboards that compose letters and keyboards that do not
/// type the same.
fn normal(typed: &str) -> String {
    let is_space = |letter: char| letter.is_whitespace() && !letter.is_control();
    typed.chars().map(|letter| if is_space(letter) { ' ' } else { letter }).nfc().collect()
}

/// Whether a new password is long enough. Letters are counted as they are compared, so that nobody
/// gets by with accents.
///
/// # Errors
/// `request.invalid` at the field.
pub(crate) fn check(field: &str, typed: &str) -> Result<()> {
    if normal(typed).chars().count() < LENGTH_MIN {
        let message = format!("must have at least {LENGTH_MIN} characters");
        return Err(Error::field(field, "string.min_len", message));
    }
    Ok(())
}

/// The hash of a password, to be kept.
///
/// # Errors
/// `internal` where there is no memory for it.
pub(crate) fn hash(password: &str, salt: [u8; 16]) -> Result<String> {
    let password = normal(password);
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(LENGTH)).map_err(Error::internal)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = counted(|| argon2.hash_password_with_salt(password.as_bytes(), &salt));
    hash.map(|hash| hash.to_string()).map_err(Error::internal)
}

/// Whether this is the password that a hash was made from, by the parameters that the hash
/// names. An empty hash is nobody's: the work is done all the same, and the answer is no.
pub(crate) fn verify(hash: &str, password: &str) -> bool {
    let known = if hash.is_empty() { NOBODY } else { hash };
    let password = normal(password);
    let verified = counted(|| Argon2::default().verify_password(password.as_bytes(), known));
    verified.is_ok() && !hash.is_empty()
}

/// Runs the hash and counts it: neither goes without the other.
fn counted<T>(hash: impl FnOnce() -> T) -> T {
    HASHES.fetch_add(1, Ordering::Relaxed);
    hash()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_recognised_and_nobodys_never_is() {
        let kept = hash("correct horse", [7; 16]).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verify(&kept, "correct horse"));
        assert!(!verify(&kept, "correct horsf"));
        assert!(!verify("", "correct horse"));
    }

    #[test]
    fn a_password_is_the_same_from_every_keyboard() {
        let composed = hash("Zo\u{eb} \u{c5}ngstr\u{f6}m", [7; 16]).unwrap();
        assert!(verify(&composed, "Zoe\u{308}\u{a0}A\u{30a}ngstro\u{308}m"));
        assert!(!verify(&composed, "Zoe Angstrom"));
        let five = "o\u{308}".repeat(5);
        assert_eq!(check("password", &five).unwrap_err().violations()[0].path, "password");
        check("password", &"o\u{308}".repeat(10)).unwrap();
    }

    #[test]
    fn nobodys_hash_is_one_that_takes_the_work() {
        use argon2::password_hash::{Error, phc::PasswordHash};
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let outcome = Argon2::default().verify_password(b"", &nobody);
        assert_eq!(outcome, Err(Error::PasswordInvalid));
        let params = Params::try_from(&nobody).unwrap();
        let stated = (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(stated, (MEMORY_KIB, PASSES, LANES));
    }
}
