//! Proofs beyond a password: what opens a session, or steps one up.

use stoa_auth_v1::{
    Account, AccountBy, FinishPasskeySignInRequest, FinishPasskeySignInResponse, PasskeyProof,
    Reason, RecordAttemptRequestThen, RecordProofRequest, RecordProofRequestProof,
    RecordProofResponse, Session, StepUpRequest, StepUpRequestProof, StepUpResponse,
    VerifySecondFactorRequest, VerifySecondFactorRequestProof, VerifySecondFactorResponse,
};
use stoa_kit::{Ctx, Error, Reason as _, Result, Tx, View};
use stoa_users_v1::UserState;
use subtle::ConstantTimeEq as _;

use super::sessions::{self, Secrets};
use super::{passkeys, passwords};
use crate::{model, store, token, totp};

pub(super) async fn verify(
    ctx: Ctx, request: VerifySecondFactorRequest,
) -> Result<VerifySecondFactorResponse> {
    let VerifySecondFactorRequest { ticket, label, proof } = request;
    let proof = match proof {
        Some(VerifySecondFactorRequestProof::Code(code)) => RecordProofRequestProof::Code(code),
        Some(VerifySecondFactorRequestProof::RecoveryCode(code)) => {
            RecordProofRequestProof::RecoveryHash(model::recovery_hash(&code))
        }
        Some(VerifySecondFactorRequestProof::Passkey(json)) => {
            RecordProofRequestProof::from(passkeys::prove(&ctx, json).await?)
        }
        None => return Err(wrong_code()),
    };
    let (token, session) = open(&ctx, proof, token::hash(&ticket), label).await?;
    Ok(VerifySecondFactorResponse { token, session: session.into() })
}

pub(super) async fn sign_in(
    ctx: Ctx, request: FinishPasskeySignInRequest,
) -> Result<FinishPasskeySignInResponse> {
    let proof = RecordProofRequestProof::from(passkeys::prove(&ctx, request.passkey).await?);
    let (token, session) = open(&ctx, proof, Vec::new(), request.label).await?;
    Ok(FinishPasskeySignInResponse { token, session: session.into() })
}

async fn open(
    ctx: &Ctx, proof: RecordProofRequestProof, ticket_hash: Vec<u8>, label: String,
) -> Result<(String, Session)> {
    let secrets = Secrets::draw(ctx);
    let request = RecordProofRequest {
        address: ctx.address().to_owned(),
        proof: Some(proof),
        ticket_hash,
        session: secrets.session(label).into(),
        ..RecordProofRequest::default()
    };
    let session = ctx.call(request).await?.session.into_option().unwrap_or_default();
    Ok((secrets.given(None).0, session))
}

pub(super) async fn step_up_by(ctx: Ctx, request: StepUpRequest) -> Result<StepUpResponse> {
    let (user_id, session_id) = match (ctx.caller().user(), &*ctx.caller().credential) {
        (Some(user), credential) => (user.to_owned(), credential.to_owned()),
        (None, _) => return Err(no_session()),
    };
    let proof = match request.proof {
        Some(StepUpRequestProof::Password(password)) => {
            let account = Account { by: Some(AccountBy::UserId(user_id)) };
            let matched = passwords::compare(&ctx, &account, password).await?;
            let then = RecordAttemptRequestThen::StepUpSessionId(session_id);
            let session = passwords::commit(&ctx, account, matched, then).await?.session;
            return Ok(StepUpResponse { session });
        }
        Some(StepUpRequestProof::Code(code)) => RecordProofRequestProof::Code(code),
        Some(StepUpRequestProof::Passkey(json)) => {
            RecordProofRequestProof::from(passkeys::prove(&ctx, json).await?)
        }
        None => return Err(wrong_code()),
    };
    let request =
        RecordProofRequest { proof: Some(proof), session_id, ..RecordProofRequest::default() };
    Ok(StepUpResponse { session: ctx.call(request).await?.session })
}

/// Whom a proof is expected of.
struct Expected {
    /// Empty for who signs in with a passkey alone.
    user_id: String,
    /// What a challenge of theirs is about.
    about: String,
    /// Whether nothing but this proves who they are.
    alone: bool,
    /// What they proved before.
    first: Option<String>,
}

pub(super) fn record(tx: &mut Tx, request: RecordProofRequest) -> Result<RecordProofResponse> {
    let expected = expected(tx, &request)?;
    let (user_id, method) = match request.proof {
        Some(RecordProofRequestProof::Code(code)) => {
            code_accepted(tx, &expected.user_id, &code)?;
            (expected.user_id, model::CODE)
        }
        Some(RecordProofRequestProof::RecoveryHash(hash)) => {
            if !store::spend_recovery_code(tx, &expected.user_id, &hash)? {
                return Err(wrong_code());
            }
            (expected.user_id, model::RECOVERY)
        }
        Some(RecordProofRequestProof::Passkey(proof)) => {
            (passkey_accepted(tx, &expected, &proof)?, model::PASSKEY)
        }
        None => return Err(wrong_code()),
    };
    let Some(new) = request.session.into_option() else {
        let session = session_of(tx, &request.session_id, &user_id)?;
        return Ok(RecordProofResponse { session: step_up(tx, &session, method)?.into() });
    };
    if !request.ticket_hash.is_empty() {
        let spent = store::spend_ticket(tx, &request.ticket_hash, store::SECOND_FACTOR)?;
        spent.ok_or_else(ticket_not_good)?;
    }
    active(tx, &user_id)?;
    let methods = expected.first.into_iter().chain([method.to_owned()]).collect();
    let session = sessions::open(tx, &user_id, methods, new, &request.address)?;
    Ok(RecordProofResponse { session: session.into() })
}

fn expected(view: &View, request: &RecordProofRequest) -> Result<Expected> {
    if !request.session.is_set() {
        let session = store::session(view, &request.session_id)?.ok_or_else(no_session)?;
        let (user_id, about) = (session.user_id, session.id);
        return Ok(Expected { user_id, about, alone: true, first: None });
    }
    if request.ticket_hash.is_empty() {
        let (user_id, about) = (String::new(), String::new());
        return Ok(Expected { user_id, about, alone: true, first: None });
    }
    let ticket = store::ticket(view, &request.ticket_hash, store::SECOND_FACTOR)?;
    let ticket = ticket.ok_or_else(ticket_not_good)?;
    let about = passkeys::about(&request.ticket_hash);
    Ok(Expected { user_id: ticket.user_id, about, alone: false, first: Some(ticket.about) })
}

/// Accepts a code of a user, once. A wrong one is counted in the commit of its refusal.
fn code_accepted(tx: &mut Tx, user_id: &str, code: &str) -> Result<()> {
    let buckets = model::code_buckets(user_id);
    if let Some(until) = store::blocked_until(tx, &buckets, false)? {
        return Err(passwords::blocked(until, tx.now()));
    }
    let totp = store::totp(tx, user_id)?.filter(|totp| totp.confirmed);
    let totp = totp.ok_or_else(no_factor)?;
    let step = totp::accepted(&totp.secret, code, tx.now(), totp.last_step)?;
    let accepted = match step {
        Some(step) => store::accept_step(tx, user_id, step)?,
        None => false,
    };
    if !accepted {
        store::count_failure(tx, &buckets)?;
        return Err(wrong_code().remembered());
    }
    if let Some(bucket) = buckets.first() {
        store::clear_failures(tx, bucket)?;
    }
    Ok(())
}

/// Accepts what a passkey signed: whose it is.
fn passkey_accepted(tx: &mut Tx, expected: &Expected, proof: &PasskeyProof) -> Result<String> {
    let challenge = store::spend_ticket(tx, &proof.challenge_hash, store::PROOF)?;
    let challenge = challenge.ok_or_else(|| passkeys::refused("the challenge"))?;
    if challenge.about != expected.about || challenge.user_id != expected.user_id {
        return Err(passkeys::refused("the challenge of another"));
    }
    let key = store::passkey(tx, &proof.credential_id)?;
    let key = key.filter(|key| key.public_key.ct_eq(&proof.public_key).into());
    let key = key.ok_or_else(|| passkeys::refused("the passkey"))?;
    let owner = &key.passkey.user_id;
    let theirs = |said: &str| said.is_empty() || said == owner;
    if !theirs(&expected.user_id) || !theirs(&proof.user_handle) {
        return Err(passkeys::refused("the passkey of another"));
    }
    if expected.alone && !proof.user_verified {
        return Err(passkeys::refused("one that did not verify its user"));
    }
    // One that counts goes on counting: where it does not, there are two of it (6.1.1).
    if (proof.sign_count > 0 || key.sign_count > 0) && proof.sign_count <= key.sign_count {
        return Err(passkeys::refused("one that counted on elsewhere"));
    }
    if key.passkey.backup_eligible && !proof.backup_eligible {
        return Err(passkeys::refused("one that could be synchronized and says that it cannot"));
    }
    let says = (proof.backup_eligible, proof.backed_up);
    if !store::note_passkey(tx, &key, proof.sign_count, says)? {
        return Err(passkeys::refused("one that is used at this moment"));
    }
    Ok(key.passkey.user_id)
}

/// A session of a user that can be used.
pub(super) fn session_of(view: &View, id: &str, user_id: &str) -> Result<Session> {
    let session = store::session(view, id)?.filter(|session| session.user_id == user_id);
    session.ok_or_else(no_session)
}

/// Notes that the user of a session proved again who they are, if it was by the strongest that they have.
pub(super) fn step_up(tx: &mut Tx, session: &Session, method: &str) -> Result<Session> {
    let second = store::has_second_factor(tx, &session.user_id)?;
    if !model::is_full(&[method.to_owned()], second) {
        return Err(Reason::SecondFactorNeeded.because("a password is not enough for this account"));
    }
    store::step_up(tx, &session.id, method)?.ok_or_else(no_session)
}

/// Refuses a user who is not active.
pub(super) fn active(view: &View, user_id: &str) -> Result<()> {
    match token::user(view, user_id)? {
        Some(user) if user.state == UserState::Active => Ok(()),
        _ => Err(Reason::UserDisabled.because("this account is disabled")),
    }
}

pub(super) fn wrong_code() -> Error {
    Reason::WrongCode.because("the code is wrong, or was used before")
}

pub(super) fn no_factor() -> Error {
    Reason::NoFactor.because("there is no such second factor")
}

pub(super) fn no_session() -> Error {
    Reason::NoSession.because("this is for the session of a user")
}

fn ticket_not_good() -> Error {
    Reason::TicketNotGood.because("the ticket is not good")
}
