//! The rules: what keys can be, and how what they make is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::EnumValue;
use stoa_kit::{Error, Reason as _, Result};
use stoa_secrets_v1::{CreateKeyRequest, Key, KeyType, Reason};

/// What stands before the version in all that a key makes: clients of Vault look for it.
const WRITTEN: &str = "vault:v";

/// What a key is for.
pub(crate) fn kind(asked: EnumValue<KeyType>) -> KeyType {
    match asked.as_known() {
        None | Some(KeyType::Unspecified) => KeyType::Aes256Gcm96,
        Some(kind) => kind,
    }
}

fn encrypts(kind: KeyType) -> bool {
    matches!(kind, KeyType::Aes256Gcm96 | KeyType::Chacha20Poly1305)
}

/// Refuses a key that cannot be.
pub(crate) fn check(request: &CreateKeyRequest) -> Result<()> {
    let kind = kind(request.r#type);
    if request.derived && kind == KeyType::EcdsaP256 {
        let message = "is not for keys of this type";
        return Err(Error::field("derived", "derived.type", message));
    }
    if request.convergent_encryption && !(request.derived && encrypts(kind)) {
        let message = "is for keys that encrypt and are derived";
        return Err(Error::field("convergent_encryption", "convergent_encryption.type", message));
    }
    Ok(())
}

/// Refuses what no key can become.
pub(crate) fn check_change(before: &Key, key: &Key) -> Result<()> {
    let (latest, least) = (key.latest_version, key.min_decryption_version);
    if !(1..=latest).contains(&least) {
        let message = format!("must be 1 or more, and {latest}, the latest, or less");
        return Err(Error::field("min_decryption_version", "version", message));
    }
    let encrypting = key.min_encryption_version;
    if encrypting != 0 && !(least..=latest).contains(&encrypting) {
        let message = format!("must be 0, or {least} or more and {latest}, the latest, or less");
        return Err(Error::field("min_encryption_version", "version", message));
    }
    if before.exportable && !key.exportable {
        let message = "cannot be taken back: the key may have been shown";
        return Err(Error::field("exportable", "exportable", message));
    }
    Ok(())
}

/// Refuses a key that does something else.
pub(crate) fn check_encrypts(key: &Key) -> Result<()> {
    if encrypts(kind(key.r#type)) { Ok(()) } else { Err(wrong_type(key, "encrypts nothing")) }
}

pub(crate) fn wrong_type(key: &Key, what: &str) -> Error {
    Reason::WrongType.because(format!("`{}` is of a type that {what}", key.name))
}

/// Refuses a context where none is meant, and none where one is.
pub(crate) fn check_context(key: &Key, context: &[u8]) -> Result<()> {
    match (key.derived, context.is_empty()) {
        (true, true) => {
            Err(Reason::WrongContext.because("the key is derived, and wants a context"))
        }
        (false, false) => {
            Err(Reason::WrongContext.because("the key is not derived, and takes no context"))
        }
        _ => Ok(()),
    }
}

/// The version that encrypts or signs, if it is the one that was asked for or none was.
pub(crate) fn encrypting_version(key: &Key, asked: i32) -> Result<i32> {
    match asked {
        0 => Ok(key.latest_version),
        asked if asked < key.min_encryption_version || asked < key.min_decryption_version => {
            Err(too_old(asked))
        }
        asked if asked > key.latest_version => Err(unknown_version(asked)),
        asked => Ok(asked),
    }
}

/// Refuses a version whose work is good no more.
pub(crate) fn check_version(key: &Key, version: i32) -> Result<()> {
    match version {
        version if version < key.min_decryption_version => Err(too_old(version)),
        version if version > key.latest_version => Err(unknown_version(version)),
        _ => Ok(()),
    }
}

fn too_old(version: i32) -> Error {
    Reason::WrongVersion.because(format!("version {version} is older than the key allows"))
}

fn unknown_version(version: i32) -> Error {
    Reason::WrongVersion.because(format!("the key has no version {version}"))
}

/// What a version made, as it is told.
pub(crate) fn write(version: i32, bytes: &[u8]) -> String {
    format!("{WRITTEN}{version}:{}", STANDARD.encode(bytes))
}

/// What a version made, and which one.
pub(crate) fn read(text: &str) -> Result<(i32, Vec<u8>)> {
    let read = || {
        let (version, bytes) = text.strip_prefix(WRITTEN)?.split_once(':')?;
        let plain = version.bytes().all(|digit| digit.is_ascii_digit());
        let version = version.parse().ok().filter(|version| plain && *version > 0)?;
        Some((version, STANDARD.decode(bytes).ok()?))
    };
    read().ok_or_else(|| Reason::WrongCiphertext.because("it is not of the form `vault:v1:…`"))
}

/// What is said of all that does not open, whatever is wrong with it.
pub(crate) fn not_opened() -> Error {
    Reason::WrongCiphertext.because("this key, context and associated data do not open it")
}
