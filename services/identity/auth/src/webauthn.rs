//! Passkeys: what a browser hands over, as WebAuthn level 3 has it verified (7.1, 7.2).
//!
//! What a device says of its make, its attestation, is not looked at: whoever signs in with it is known
//! by its key, and nothing is said of which devices are good.

mod key;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub(crate) use key::{ALGORITHMS, is_key};

/// Bytes of an identifier of a passkey at most (4, Credential ID).
const ID_MAX: usize = 1023;

/// A user was there.
const PRESENT: u8 = 1;
/// And was verified.
const VERIFIED: u8 = 1 << 2;
/// It may be synchronized.
const ELIGIBLE: u8 = 1 << 3;
/// It is.
const BACKED_UP: u8 = 1 << 4;
/// A key follows.
const ATTESTED: u8 = 1 << 6;
/// Extensions follow.
const EXTENDED: u8 = 1 << 7;

/// Where passkeys of this deployment are asked for.
pub(crate) struct Site<'a> {
    pub(crate) rp_id: &'a str,
    pub(crate) origins: &'a [String],
}

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) verified: bool,
    pub(crate) eligible: bool,
    pub(crate) backed_up: bool,
    pub(crate) sign_count: u32,
}

/// A passkey that is to be registered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) challenge: Vec<u8>,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) state: State,
}

/// What a passkey signed.
#[derive(Debug)]
pub(crate) struct Assertion {
    pub(crate) credential_id: Vec<u8>,
    pub(crate) user_handle: Vec<u8>,
    client_data: Vec<u8>,
    data: Vec<u8>,
    signature: Vec<u8>,
}

/// What a passkey proved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proved {
    pub(crate) challenge: Vec<u8>,
    pub(crate) state: State,
}

/// Why something proves nothing: for tests, and for nobody who asks.
type Refused = &'static str;

/// Reads a RegistrationResponseJSON, and holds it to the rules of 7.1.
pub(crate) fn register(json: &str, site: &Site<'_>) -> Result<Registration, Refused> {
    let (id, response) = credential(json)?;
    let client_data = bytes_of(&response, "clientDataJSON")?;
    let challenge = challenge(&client_data, "webauthn.create", site)?;
    let object = bytes_of(&response, "attestationObject")?;
    let mut rest = object.as_slice();
    let object: Value = ciborium::from_reader(&mut rest).map_err(|_| "attestation object")?;
    let object = object.into_map().map_err(|_| "attestation object")?;
    let data = object.into_iter().find(|(key, _)| key.as_text() == Some("authData"));
    let data = data.and_then(|(_, value)| value.into_bytes().ok()).ok_or("authenticator data")?;
    let (state, attested) = authenticator(&data, site)?;
    let (credential_id, public_key) = attested.ok_or("no key")?;
    if !rest.is_empty() || credential_id.is_empty() || credential_id.len() > ID_MAX {
        return Err("identifier");
    }
    if credential_id != id {
        return Err("another identifier");
    }
    if !is_key(&public_key) {
        return Err("algorithm");
    }
    Ok(Registration { challenge, credential_id, public_key, state })
}

impl Assertion {
    /// Reads an AuthenticationResponseJSON.
    pub(crate) fn read(json: &str) -> Result<Self, Refused> {
        let (credential_id, response) = credential(json)?;
        let user_handle = match response.get("userHandle") {
            None | Some(Json::Null) => Vec::new(),
            Some(_) => bytes_of(&response, "userHandle")?,
        };
        Ok(Self {
            credential_id,
            user_handle,
            client_data: bytes_of(&response, "clientDataJSON")?,
            data: bytes_of(&response, "authenticatorData")?,
            signature: bytes_of(&response, "signature")?,
        })
    }

    /// Holds it to the rules of 7.2 that do not depend on what was kept of the passkey.
    pub(crate) fn verify(&self, public_key: &[u8], site: &Site<'_>) -> Result<Proved, Refused> {
        let challenge = challenge(&self.client_data, "webauthn.get", site)?;
        let (state, _) = authenticator(&self.data, site)?;
        let signed = [&*self.data, &*Sha256::digest(&self.client_data)].concat();
        if !key::verify(public_key, &signed, &self.signature) {
            return Err("signature");
        }
        Ok(Proved { challenge, state })
    }
}

/// A credential's identifier and its response.
fn credential(json: &str) -> Result<(Vec<u8>, Json), Refused> {
    let json: Json = serde_json::from_str(json).map_err(|_| "JSON")?;
    if json.get("type").and_then(Json::as_str) != Some("public-key") {
        return Err("type");
    }
    let id = bytes_of(&json, "rawId")?;
    if bytes_of(&json, "id")? != id {
        return Err("two identifiers");
    }
    Ok((id, json.get("response").cloned().ok_or("response")?))
}

fn bytes_of(json: &Json, field: &str) -> Result<Vec<u8>, Refused> {
    let text = json.get(field).and_then(Json::as_str).ok_or("field")?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "base64url")
}

/// What a browser says that it asked for: the challenge, if the rest is right.
fn challenge(client_data: &[u8], kind: &str, site: &Site<'_>) -> Result<Vec<u8>, Refused> {
    let data: Json = serde_json::from_slice(client_data).map_err(|_| "client data")?;
    if data.get("type").and_then(Json::as_str) != Some(kind) {
        return Err("ceremony");
    }
    let origin = data.get("origin").and_then(Json::as_str).unwrap_or_default();
    if !site.origins.iter().any(|known| known == origin) {
        return Err("origin");
    }
    // No page of ours is a part of somebody else's.
    if data.get("crossOrigin").is_some_and(|cross| cross != &Json::Bool(false))
        || data.get("topOrigin").is_some()
    {
        return Err("cross-origin");
    }
    bytes_of(&data, "challenge")
}

/// A passkey's identifier and its public key.
type Attested = (Vec<u8>, Vec<u8>);

/// What a device says (6.1), if it is for this site and somebody was there.
fn authenticator(data: &[u8], site: &Site<'_>) -> Result<(State, Option<Attested>), Refused> {
    let (hash, rest) = data.split_at_checked(32).ok_or("authenticator data")?;
    let ([flags, count @ ..], mut rest) =
        rest.split_first_chunk::<5>().ok_or("authenticator data")?;
    if !bool::from(hash.ct_eq(&Sha256::digest(site.rp_id.as_bytes()))) {
        return Err("relying party");
    }
    if flags & PRESENT == 0 {
        return Err("nobody there");
    }
    if flags & BACKED_UP != 0 && flags & ELIGIBLE == 0 {
        return Err("backed up, and not eligible for it");
    }
    let attested = match flags & ATTESTED {
        0 => None,
        _ => Some(attested(&mut rest)?),
    };
    if flags & EXTENDED != 0 {
        let extensions: Value = ciborium::from_reader(&mut rest).map_err(|_| "extensions")?;
        extensions.into_map().map_err(|_| "extensions")?;
    }
    if !rest.is_empty() {
        return Err("more than the flags say");
    }
    let state = State {
        verified: flags & VERIFIED != 0,
        eligible: flags & ELIGIBLE != 0,
        backed_up: flags & BACKED_UP != 0,
        sign_count: u32::from_be_bytes(*count),
    };
    Ok((state, attested))
}

/// The key that is handed over (6.5.1), as it was written.
fn attested(rest: &mut &[u8]) -> Result<Attested, Refused> {
    let (_aaguid, after) = rest.split_at_checked(16).ok_or("attested data")?;
    let (length, after) = after.split_first_chunk::<2>().ok_or("attested data")?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (id, after) = after.split_at_checked(length).ok_or("attested data")?;
    let mut behind = after;
    let _: Value = ciborium::from_reader(&mut behind).map_err(|_| "key")?;
    let key = &after[..after.len() - behind.len()];
    *rest = behind;
    Ok((id.to_vec(), key.to_vec()))
}

#[cfg(test)]
mod tests;
