//! Passkeys: what a browser is asked for, and what it gives.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use stoa_auth_v1::{
    BeginPasskeyRegistrationRequest, BeginPasskeyRegistrationResponse, BeginPasskeySignInRequest,
    BeginPasskeySignInResponse, ChallengePurpose, FindPasskeyRequest, FindPasskeyResponse,
    FinishPasskeyRegistrationRequest, FinishPasskeyRegistrationResponse, Passkey, PasskeyProof,
    Reason, Settings, StoreChallengeRequest, StoreChallengeResponse,
};
use stoa_kit::{Ctx, Error, Reason as _, Result, Tx, View};

use super::{factors, tell};
use crate::store::{Key, Ticket};
use crate::webauthn::{self, Assertion, Registration, Site};
use crate::{model, store, token};

/// How long a browser asks its user, in milliseconds: as long as the challenge is good.
const TIMEOUT_MS: u128 = model::TICKET_LIFE.as_millis();

/// What a challenge is about that goes with a ticket.
pub(super) fn about(ticket_hash: &[u8]) -> String {
    format!("ticket:{}", URL_SAFE_NO_PAD.encode(ticket_hash))
}

pub(super) fn refused(what: &str) -> Error {
    Reason::PasskeyRefused.because(format!("what the passkey sent proves nothing: {what}"))
}

pub(super) async fn begin_registration(
    ctx: Ctx, _: BeginPasskeyRegistrationRequest,
) -> Result<BeginPasskeyRegistrationResponse> {
    let challenge = StoreChallengeRequest {
        challenge: ctx.secret::<32>("challenge").to_vec(),
        purpose: ChallengePurpose::Registration.into(),
        ..asking(&ctx)
    };
    Ok(BeginPasskeyRegistrationResponse { options: ctx.call(challenge).await?.options })
}

pub(super) async fn begin(
    ctx: Ctx, request: BeginPasskeySignInRequest,
) -> Result<BeginPasskeySignInResponse> {
    let challenge = StoreChallengeRequest {
        challenge: ctx.secret::<32>("challenge").to_vec(),
        purpose: ChallengePurpose::Proof.into(),
        ..match request.ticket.as_str() {
            "" => asking(&ctx),
            ticket => StoreChallengeRequest {
                ticket_hash: token::hash(ticket),
                ..StoreChallengeRequest::default()
            },
        }
    };
    Ok(BeginPasskeySignInResponse { options: ctx.call(challenge).await?.options })
}

/// Whoever signed in, if they did.
fn asking(ctx: &Ctx) -> StoreChallengeRequest {
    let caller = ctx.caller();
    match caller.user() {
        Some(user) => StoreChallengeRequest {
            user_id: user.to_owned(),
            session_id: caller.credential.to_string(),
            ..StoreChallengeRequest::default()
        },
        None => StoreChallengeRequest::default(),
    }
}

pub(super) fn store(tx: &mut Tx, request: StoreChallengeRequest) -> Result<StoreChallengeResponse> {
    let hash = blake3::hash(&request.challenge).as_bytes().to_vec();
    let challenge = URL_SAFE_NO_PAD.encode(&request.challenge);
    if request.purpose == ChallengePurpose::Registration {
        let ticket = Ticket { user_id: request.user_id, about: request.session_id };
        store::put_ticket(tx, &hash, store::REGISTRATION, &ticket)?;
        let options = registration(tx, &ticket.user_id, &challenge)?;
        return Ok(StoreChallengeResponse { options: options.to_string() });
    }
    let ticket = match request.ticket_hash.is_empty() {
        true => Ticket { user_id: request.user_id, about: request.session_id },
        false => {
            let ticket = store::ticket(tx, &request.ticket_hash, store::SECOND_FACTOR)?;
            let ticket = ticket.ok_or_else(|| {
                Reason::TicketNotGood.because("the ticket is not good, or not any more")
            })?;
            Ticket { user_id: ticket.user_id, about: about(&request.ticket_hash) }
        }
    };
    store::put_ticket(tx, &hash, store::PROOF, &ticket)?;
    let settings: Settings = tx.settings()?;
    let keys = match ticket.user_id.as_str() {
        // Who has none is not told from who has some: their device knows.
        "" => Vec::new(),
        user_id => store::passkeys(tx, user_id)?,
    };
    // Behind a first factor it is enough to have it.
    let verification = if request.ticket_hash.is_empty() { "required" } else { "preferred" };
    let options = json!({
        "challenge": challenge,
        "timeout": TIMEOUT_MS,
        "rpId": settings.passkey_domain,
        "allowCredentials": keys.iter().map(descriptor).collect::<Vec<_>>(),
        "userVerification": verification,
    });
    Ok(StoreChallengeResponse { options: options.to_string() })
}

/// What a browser is asked for that is to make a passkey.
fn registration(view: &View, user_id: &str, challenge: &str) -> Result<Value> {
    let user = token::user(view, user_id)?.ok_or_else(|| Error::not_found("user", user_id))?;
    let settings: Settings = view.settings()?;
    let known = store::passkeys(view, user_id)?;
    let algorithms = webauthn::ALGORITHMS.map(|alg| json!({"type": "public-key", "alg": alg}));
    let name = if user.display_name.is_empty() { &user.handle } else { &user.display_name };
    Ok(json!({
        "rp": {"id": settings.passkey_domain, "name": settings.site_name},
        "user": {
            "id": URL_SAFE_NO_PAD.encode(user_id),
            "name": user.handle,
            "displayName": name,
        },
        "challenge": challenge,
        "pubKeyCredParams": algorithms,
        "timeout": TIMEOUT_MS,
        "excludeCredentials": known.iter().map(descriptor).collect::<Vec<_>>(),
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": true,
            "userVerification": "preferred",
        },
        "attestation": "none",
    }))
}

fn descriptor(key: &Key) -> Value {
    json!({"type": "public-key", "id": URL_SAFE_NO_PAD.encode(&key.credential_id)})
}

pub(super) fn register(
    tx: &mut Tx, request: FinishPasskeyRegistrationRequest,
) -> Result<FinishPasskeyRegistrationResponse> {
    let user_id = tx.user()?.to_owned();
    let settings: Settings = tx.settings()?;
    let site = Site { rp_id: &settings.passkey_domain, origins: &settings.passkey_origins };
    let made = webauthn::register(&request.passkey, &site).map_err(refused)?;
    let Registration { challenge, credential_id, public_key, state } = made;
    let hash = blake3::hash(&challenge);
    let spent = store::spend_ticket(tx, hash.as_bytes(), store::REGISTRATION)?;
    let about = tx.caller().credential.to_string();
    if spent.is_none_or(|ticket| ticket.user_id != user_id || ticket.about != about) {
        return Err(refused("the challenge"));
    }
    if store::passkey(tx, &credential_id)?.is_some() {
        return Err(Reason::PasskeyExists.because("this passkey is registered"));
    }
    if store::passkeys(tx, &user_id)?.len() >= model::PASSKEYS_MAX {
        let message = format!("a user may have {} passkeys", model::PASSKEYS_MAX);
        return Err(Reason::TooManyPasskeys.because(message));
    }
    let passkey = Passkey {
        id: tx.new_id("psk"),
        user_id: user_id.clone(),
        label: request.label,
        backup_eligible: state.eligible,
        backed_up: state.backed_up,
        ..Passkey::default()
    };
    let kept = (credential_id, public_key, i64::from(state.sign_count));
    let passkey = tx.add_with(passkey, "credential_id, public_key, sign_count", kept)?;
    // Whoever made it holds it: what it would be asked for at once is proved.
    store::step_up(tx, &about, model::PASSKEY)?;
    tell(tx, &user_id, factors::CHANGED)?;
    Ok(FinishPasskeyRegistrationResponse { passkey: passkey.into() })
}

pub(super) fn find(view: &View, request: FindPasskeyRequest) -> Result<FindPasskeyResponse> {
    let settings: Settings = view.settings()?;
    let key = store::passkey(view, &request.credential_id)?;
    Ok(FindPasskeyResponse {
        public_key: key.map(|key| key.public_key).unwrap_or_default(),
        domain: settings.passkey_domain,
        origins: settings.passkey_origins,
    })
}

/// What a passkey signed, once its signature is verified: the rest is decided where it is committed.
pub(super) async fn prove(ctx: &Ctx, json: String) -> Result<PasskeyProof> {
    let assertion = Assertion::read(&json).map_err(refused)?;
    let credential_id = assertion.credential_id.clone();
    let user_handle = String::from_utf8(assertion.user_handle.clone());
    let user_handle = user_handle.map_err(|_| refused("the user"))?;
    let asked = FindPasskeyRequest { credential_id: credential_id.clone() };
    let FindPasskeyResponse { public_key, domain, origins } = ctx.call(asked).await?;
    let key = public_key.clone();
    let verify = move || assertion.verify(&key, &Site { rp_id: &domain, origins: &origins });
    let proved = ctx.compute(verify).await?.map_err(refused)?;
    Ok(PasskeyProof {
        credential_id,
        public_key,
        challenge_hash: blake3::hash(&proved.challenge).as_bytes().to_vec(),
        sign_count: proved.state.sign_count.into(),
        user_verified: proved.state.verified,
        backup_eligible: proved.state.eligible,
        backed_up: proved.state.backed_up,
        user_handle,
    })
}
