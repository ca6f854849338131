//! The rules: what applications may be, and how secrets and codes are written.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest as _, Sha256};
use stoa_kit::{Error, Micros, Reason as _, Result, View};
use stoa_oidc_v1::{Client, ClientType, CreateClientRequest, Reason, Settings, SigningAlgorithm};
use url::{Host, Url};

use crate::crypto;

pub(crate) const CODE: &str = "authorization_code";
pub(crate) const REFRESH: &str = "refresh_token";
pub(crate) const CREDENTIALS: &str = "client_credentials";
pub(crate) const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) const OPENID: &str = "openid";
/// Whoever grants it lets an application go on when they are signed out.
pub(crate) const OFFLINE: &str = "offline_access";
/// Scopes that are about people.
pub(crate) const OF_PEOPLE: [&str; 4] = [OPENID, "profile", "email", OFFLINE];

/// How long a code can be used.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long a refresh token that was used gives the same successor again: an answer may be lost.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// How long lists of keys are kept by those who verify, and so how long a key is published before it signs.
pub(crate) const KEYS_KEPT: Duration = Duration::from_secs(60 * 60);
/// No token that is signed is good longer: `access_life_seconds` goes no further.
pub(crate) const TOKEN_LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a device may wait.
pub(crate) const DEVICE_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long somebody may be away who was sent to another provider.
pub(crate) const SIGN_IN_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long ago, at most, whoever has a provider believed about addresses proved who they are.
pub(crate) const TRUST_STEP_UP: Duration = Duration::from_secs(10 * 60);
/// How often a device is to ask.
pub(crate) const POLL_SECONDS: i64 = 5;
/// Questions of a device that lie closer together come too fast. It is less than devices are told, so that
/// one whose clock is not ours, or whose packets hurry, is not held up.
pub(crate) const POLL_LEAST: Duration = Duration::from_secs(4);

/// The settings until somebody says something else.
pub(crate) fn settings() -> Settings {
    Settings {
        issuer: String::new(),
        registration_open: false,
        access_life_seconds: 600,
        refresh_life_days: 30,
        key_life_days: 90,
    }
}

/// How long an access token is good.
pub(crate) fn access_life(settings: &Settings) -> Duration {
    Duration::from_secs(settings.access_life_seconds.unsigned_abs().into())
}

/// So many days, as a setting says them.
pub(crate) fn days(setting: i32) -> Duration {
    Duration::from_secs(u64::from(setting.unsigned_abs()) * 24 * 60 * 60)
}

/// Whole seconds since 1970, as tokens say times.
pub(crate) fn seconds(time: Micros) -> i64 {
    time.0.div_euclid(1_000_000)
}

/// The issuer, if there is one.
pub(crate) fn issuer(settings: &Settings) -> Result<&str> {
    match &*settings.issuer {
        "" => Err(Reason::TemporarilyUnavailable.because("this provider has no issuer yet")),
        issuer => Ok(issuer),
    }
}

/// What a key signs with, if it was said.
pub(crate) fn algorithm(asked: Option<SigningAlgorithm>) -> SigningAlgorithm {
    match asked {
        Some(SigningAlgorithm::Es256) => SigningAlgorithm::Es256,
        _ => SigningAlgorithm::Rs256,
    }
}

/// An application as it is to be, of what was asked.
pub(crate) fn client(request: CreateClientRequest) -> Result<Client> {
    let or = |given: Vec<String>, usual: &[&str]| match given.is_empty() {
        true => usual.iter().map(|text| (*text).to_owned()).collect(),
        false => given,
    };
    let client = Client {
        name: request.name,
        r#type: match request.r#type.as_known() {
            Some(ClientType::Public) => ClientType::Public,
            _ => ClientType::Confidential,
        }
        .into(),
        redirect_uris: request.redirect_uris,
        post_logout_redirect_uris: request.post_logout_redirect_uris,
        backchannel_logout_uri: request.backchannel_logout_uri,
        grant_types: or(request.grant_types, &[CODE, REFRESH]),
        scopes: or(request.scopes, &OF_PEOPLE),
        id_token_algorithm: algorithm(request.id_token_algorithm.as_known()).into(),
        first_party: request.first_party,
        introspects_all: request.introspects_all,
        jwks: request.jwks,
        ..Client::default()
    };
    check(&client)?;
    Ok(client)
}

/// Refuses an application that cannot be.
pub(crate) fn check(client: &Client) -> Result<()> {
    let wrong = |field: &str, place: usize| {
        let path = format!("{field}[{place}]");
        let message = "must be an address of https, of http on the machine itself, or of a scheme with a \
                       dot in it, without a fragment";
        Error::field(&path, "redirect_uri", message)
    };
    for (field, addresses) in [
        ("redirect_uris", &client.redirect_uris),
        ("post_logout_redirect_uris", &client.post_logout_redirect_uris),
    ] {
        if let Some(place) = addresses.iter().position(|address| !may_be_sent_to(address)) {
            return Err(wrong(field, place));
        }
    }
    let back = &*client.backchannel_logout_uri;
    if !(back.is_empty() || may_be_sent_to(back) && back.starts_with("http")) {
        let message = "must be an address of https, or of http on the machine itself";
        return Err(Error::field("backchannel_logout_uri", "backchannel_logout_uri", message));
    }
    let has = |grant: &str| client.grant_types.iter().any(|one| one == grant);
    if has(CODE) && client.redirect_uris.is_empty() {
        let message = "must have an address, for codes are sent there";
        return Err(Error::field("redirect_uris", "redirect_uris.code", message));
    }
    if has(CREDENTIALS) && is_public(client) {
        let message = "must be without `client_credentials` for an application that has no secret";
        return Err(Error::field("grant_types", "grant_types.public", message));
    }
    if !client.jwks.is_empty() && (is_public(client) || !crypto::are_public_keys(&client.jwks)) {
        let message =
            "must be public keys of P-256, P-384, Ed25519 or RSA, of a confidential application";
        return Err(Error::field("jwks", "jwks", message));
    }
    if is_public(client) && client.introspects_all {
        let message = "is for applications that have a secret";
        return Err(Error::field("introspects_all", "introspects_all.public", message));
    }
    Ok(())
}

pub(crate) fn is_public(client: &Client) -> bool {
    client.r#type.as_known() == Some(ClientType::Public)
}

/// Whether an answer may be sent to an address: nobody on the way can read it, and no browser takes it for
/// something to run.
fn may_be_sent_to(address: &str) -> bool {
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let Some(url) = Url::parse(address).ok().filter(|_| plain) else { return false };
    let bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let safe = match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost",
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        ("http", None) => false,
        (scheme, _) => scheme.contains('.'),
    };
    bare && safe
}

/// Refuses what cannot be an issuer: accounts are known by it, and what it says of itself is below it.
pub(crate) fn check_issuer(issuer: &str) -> Result<()> {
    let is_one = issuer.starts_with("http") && may_be_sent_to(issuer) && !issuer.contains('?');
    if is_one && !issuer.ends_with('#') {
        return Ok(());
    }
    let message = "must be an address of https, or of http on the machine itself, without a query";
    Err(Error::field("issuer", "issuer", message))
}

/// Whether a provider may have said this of where it is.
pub(crate) fn may_be_endpoint(address: &str) -> bool {
    address.starts_with("http") && may_be_sent_to(address)
}

/// What a provider is asked for.
pub(crate) fn provider_scopes(asked: Vec<String>) -> Result<Vec<String>> {
    if asked.is_empty() {
        return Ok([OPENID, "email", "profile"].map(str::to_owned).into());
    }
    match asked.iter().any(|scope| scope == OPENID) {
        true => Ok(asked),
        false => Err(Error::field("scopes", "scopes.openid", "must have `openid` among them")),
    }
}

/// Whether a browser takes this for a path on this node, and for nothing else.
pub(crate) fn is_path_of_ours(path: &str) -> bool {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let Ok(home) = Url::parse("https://home.invalid/") else { return false };
    let same = |url: Url| url.origin() == home.origin();
    plain && path.starts_with('/') && !path.starts_with("//") && home.join(path).is_ok_and(same)
}

/// What a new account is called for short, of what it is called elsewhere.
pub(crate) fn handle(called: &str) -> String {
    let name = called.split('@').next().unwrap_or_default();
    let may = |letter: &char| letter.is_ascii_alphanumeric() || "._-".contains(*letter);
    let name: String = name.chars().filter(may).take(30).collect();
    match name.trim_matches(|letter: char| !letter.is_ascii_alphanumeric()) {
        "" => "user".to_owned(),
        name => name.to_owned(),
    }
}

/// The beginning of a text, in so many characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    text.trim().chars().filter(|letter| !letter.is_control()).take(most).collect()
}

/// Whether a verifier is what a challenge is the hash of (RFC 7636, `S256`).
pub(crate) fn fits(verifier: &str, challenge: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(allowed);
    well_formed && equal(self::challenge(verifier).as_bytes(), challenge.as_bytes())
}

/// The challenge of a verifier (RFC 7636, `S256`).
pub(crate) fn challenge(verifier: &str) -> String {
    BASE64.encode(Sha256::digest(verifier))
}

/// Whether a text can be a challenge: 256 bits.
pub(crate) fn is_challenge(text: &str) -> bool {
    text.len() == 43 && BASE64.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Half of a token's hash, by which an ID token names it.
pub(crate) fn half_hash(token: &str) -> String {
    BASE64.encode(&Sha256::digest(token)[..16])
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(crate) fn equal(one: &[u8], other: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(one, other).into()
}

/// The scopes of a list, each once.
pub(crate) fn scopes(text: &str) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

/// Refuses scopes that are not among those that may be.
pub(crate) fn check_scopes(asked: &[String], allowed: &[String]) -> Result<()> {
    match asked.iter().find(|scope| !allowed.contains(scope)) {
        Some(scope) => {
            let shown: String = scope.chars().filter(char::is_ascii_graphic).take(64).collect();
            Err(Reason::InvalidScope.because(format!("`{shown}` is not for this application")))
        }
        None => Ok(()),
    }
}

/// Where some scopes stand among all of a family, a bit for each.
pub(crate) fn places(asked: &[String], all: &[String]) -> i64 {
    let places = all.iter().take(32).enumerate();
    places.filter(|(_, scope)| asked.contains(scope)).fold(0, |mask, (place, _)| mask | 1 << place)
}

/// The scopes that stand at some places.
pub(crate) fn at_places(mask: i64, all: &[String]) -> Vec<String> {
    let places = all.iter().take(32).enumerate();
    places.filter(|(place, _)| mask >> place & 1 == 1).map(|(_, scope)| scope.clone()).collect()
}

/// The secret of an application, out of unpredictable bytes.
pub(crate) fn secret(chance: [u8; 32]) -> String {
    format!("stoa_os_{}", hex(&chance))
}

/// A secret, as the store keeps it. It has 256 bits of chance, so that a fast hash is as good as a slow one.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    blake3::hash(secret.as_bytes()).as_bytes().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Letters that people type at a device: none that is a vowel, or looks like another.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What people type at a device, out of unpredictable bytes: `BCDF-GHJK`.
pub(crate) fn user_code(chance: [u8; 32]) -> String {
    // No letter is likelier than another.
    let even = chance.iter().filter(|byte| **byte < 240).take(8);
    let letters: String = even.map(|byte| char::from(LETTERS[usize::from(byte % 20)])).collect();
    let (first, rest) = letters.split_at(letters.len().min(4));
    format!("{first}-{rest}")
}

/// What was typed, in the one form in which it is compared.
pub(crate) fn typed(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphabetic).take(16);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

/// What a token is for; each is written with a key of its own.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Code,
    Access,
    Refresh,
    Device,
    SignIn,
}

impl Kind {
    /// What it begins with, so that people and scanners recognise it.
    fn prefix(self) -> &'static str {
        match self {
            Self::Code => "stoa_oc_",
            Self::Access => "stoa_oa_",
            Self::Refresh => "stoa_or_",
            Self::Device => "stoa_od_",
            Self::SignIn => "stoa_of_",
        }
    }

    /// Writes a token: what it says, and what nobody can write who does not have the tenant's key.
    pub(crate) fn write(self, view: &View, says: &str) -> Result<String> {
        let prefix = self.prefix();
        Ok(format!("{prefix}{says}.{}", hex(&view.fingerprint(prefix, says)?)))
    }

    /// What a token says; none where it is no such token, or was made up.
    pub(crate) fn read(self, view: &View, token: &str) -> Result<Option<String>> {
        let says = token.strip_prefix(self.prefix()).and_then(|rest| rest.rsplit_once('.'));
        let Some((says, _)) = says.filter(|_| token.len() <= 256) else { return Ok(None) };
        let written = self.write(view, says)?;
        Ok(equal(written.as_bytes(), token.as_bytes()).then(|| says.to_owned()))
    }
}

/// What an access token says.
pub(crate) struct Access {
    pub(crate) family_id: String,
    pub(crate) expire_seconds: i64,
    pub(crate) scope_places: i64,
}

impl Access {
    pub(crate) fn write(&self, view: &View) -> Result<String> {
        let Self { family_id, expire_seconds, scope_places } = self;
        Kind::Access.write(view, &format!("{family_id}.{expire_seconds:x}.{scope_places:x}"))
    }

    pub(crate) fn read(view: &View, token: &str) -> Result<Option<Self>> {
        let says = Kind::Access.read(view, token)?;
        Ok(says.and_then(|says| {
            let mut parts = says.split('.');
            let family_id = parts.next()?.to_owned();
            let mut number = || i64::from_str_radix(parts.next()?, 16).ok();
            Some(Self { family_id, expire_seconds: number()?, scope_places: number()? })
        }))
    }
}

/// What a refresh token says.
pub(crate) struct Refresh {
    pub(crate) family_id: String,
    pub(crate) generation: i64,
}

impl Refresh {
    pub(crate) fn write(&self, view: &View) -> Result<String> {
        let Self { family_id, generation } = self;
        Kind::Refresh.write(view, &format!("{family_id}.{generation:x}"))
    }

    pub(crate) fn read(view: &View, token: &str) -> Result<Option<Self>> {
        let says = Kind::Refresh.read(view, token)?;
        Ok(says.and_then(|says| {
            let (family_id, generation) = says.split_once('.')?;
            let generation = i64::from_str_radix(generation, 16).ok()?;
            Some(Self { family_id: family_id.to_owned(), generation })
        }))
    }
}
