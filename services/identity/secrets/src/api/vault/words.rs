//! Vault's JSON, as requests and replies of the contract.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use stoa_kit::{Error, Micros, Result};
use stoa_secrets_v1::*;

use crate::crypto::ED25519_INFO;
use crate::model;

/// The types of keys, by the names that Vault gives.
const TYPES: [(&str, KeyType); 4] = [
    ("aes256-gcm96", KeyType::Aes256Gcm96),
    ("chacha20-poly1305", KeyType::Chacha20Poly1305),
    ("ed25519", KeyType::Ed25519),
    ("ecdsa-p256", KeyType::EcdsaP256),
];
const HASHES: [(&str, Hash); 3] =
    [("sha2-256", Hash::Sha2256), ("sha2-384", Hash::Sha2384), ("sha2-512", Hash::Sha2512)];

/// What a client sends.
pub(super) struct Body(Map<String, Value>);

/// One thing that is asked for: all that was sent, or one of a batch.
pub(super) struct Item<'a>(&'a Map<String, Value>);

impl Body {
    /// # Errors
    /// `request.invalid` for what is no object of JSON.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        serde_json::from_slice(bytes).map(Self).map_err(|_| wrong("body", "is no object of JSON"))
    }

    pub(super) fn fields(&self) -> Item<'_> {
        Item(&self.0)
    }

    pub(super) fn is_batch(&self) -> bool {
        self.fields().has("batch_input")
    }

    /// # Errors
    /// `request.invalid` for a batch that is none, and for a nonce.
    pub(super) fn items(&self) -> Result<std::vec::IntoIter<Item<'_>>> {
        let items = match self.0.get("batch_input") {
            None | Some(Value::Null) => vec![self.fields()],
            Some(Value::Array(batch)) => {
                let object = |item| Value::as_object(item).map(Item);
                let batch = batch.iter().map(object).collect::<Option<_>>();
                batch.ok_or_else(|| wrong("batch_input", "has what is no object"))?
            }
            Some(_) => return Err(wrong("batch_input", "is no list")),
        };
        items.iter().try_for_each(Item::no_nonce)?;
        Ok(items.into_iter())
    }
}

impl Item<'_> {
    /// Refuses a nonce of the client's own.
    pub(super) fn no_nonce(&self) -> Result<()> {
        match self.text("nonce")? {
            "" => Ok(()),
            _ => Err(wrong("nonce", "is not taken: one that is used twice gives texts away")),
        }
    }

    pub(super) fn text(&self, name: &'static str) -> Result<&str> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(wrong(name, "is no text")),
        }
    }

    pub(super) fn bytes(&self, name: &'static str) -> Result<Vec<u8>> {
        STANDARD.decode(self.text(name)?).map_err(|_| wrong(name, "is not base64"))
    }

    pub(super) fn number(&self, name: &'static str) -> Result<i32> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => Some(0),
            // The command line of Vault sends all as texts.
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_i64().and_then(|number| number.try_into().ok()),
        };
        number.ok_or_else(|| wrong(name, "is no number"))
    }

    pub(super) fn truth(&self, name: &'static str) -> Result<Option<bool>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(_) => Err(wrong(name, "is neither true nor false")),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }
}

/// A type of keys by its name.
pub(super) fn kind(name: &str) -> Result<KeyType> {
    find(&TYPES, name).ok_or_else(|| {
        wrong("type", "is none of aes256-gcm96, chacha20-poly1305, ed25519, ecdsa-p256")
    })
}

/// A hash function by its name.
pub(super) fn hash(name: &str) -> Result<Hash> {
    find(&HASHES, name)
        .ok_or_else(|| wrong("hash_algorithm", "is none of sha2-256, sha2-384, sha2-512"))
}

fn find<T: Copy>(all: &[(&str, T)], name: &str) -> Option<T> {
    let first = all.first().filter(|_| name.is_empty());
    first.or_else(|| all.iter().find(|(known, _)| *known == name)).map(|(_, found)| *found)
}

/// A key, as Vault shows it.
pub(super) fn key(key: &Key) -> Value {
    let kind = model::kind(key.r#type);
    let name = TYPES.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name);
    let encrypts = matches!(kind, KeyType::Aes256Gcm96 | KeyType::Chacha20Poly1305);
    let versions = key.versions.iter().map(|version| {
        let time = Micros::of(&version.create_time);
        let shown = match encrypts {
            true => json!(time.0 / 1_000_000),
            false => json!({
                "name": name,
                "creation_time": &version.create_time,
                "public_key": public_key(kind, &version.public_key),
            }),
        };
        (version.version.to_string(), shown)
    });
    json!({
        "name": key.name,
        "type": name,
        "keys": versions.collect::<Map<_, _>>(),
        "derived": key.derived,
        "convergent_encryption": key.convergent_encryption,
        "exportable": key.exportable,
        "deletion_allowed": key.deletion_allowed,
        "allow_plaintext_backup": false,
        "latest_version": key.latest_version,
        "min_available_version": 0,
        "min_decryption_version": key.min_decryption_version,
        "min_encryption_version": key.min_encryption_version,
        "supports_encryption": encrypts,
        "supports_decryption": encrypts,
        "supports_derivation": kind != KeyType::EcdsaP256,
        "supports_signing": !encrypts,
    })
}

/// A public key, as Vault shows it: PEM, and of Ed25519 its 32 bytes.
fn public_key(kind: KeyType, info: &[u8]) -> String {
    if kind == KeyType::Ed25519 {
        return STANDARD.encode(info.get(ED25519_INFO.len()..).unwrap_or_default());
    }
    let text = STANDARD.encode(info);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{lines}-----END PUBLIC KEY-----\n")
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// What a version of a key made, with the version beside it.
pub(super) fn versioned(name: &str, text: String) -> Value {
    let version = model::read(&text).map_or(0, |(version, _)| version);
    json!({name: text, "key_version": version})
}

/// Whether an input is hashed already. Signatures are written in one way.
pub(super) fn prehashed(of: &Item<'_>) -> Result<bool> {
    if !matches!(of.text("marshaling_algorithm")?, "" | "asn1") {
        return Err(wrong("marshaling_algorithm", "is not `asn1`, the one that there is"));
    }
    Ok(of.truth("prehashed")?.unwrap_or_default())
}

/// What is said of something that is not as it should be.
pub(super) fn wrong(field: &'static str, message: &'static str) -> Error {
    Error::field(field, "vault", message)
}
