//! Passwords. An attempt takes three steps: a query that finds the hash, the hash itself in the
//! pool, and a command that commits what it came to.

use stoa_auth_v1::{
    Account, AccountBy, ChangePasswordRequest, ChangePasswordResponse, CheckPasswordRequest,
    CheckPasswordResponse, FindPasswordRequest, FindPasswordResponse, Reason, RecordAttemptRequest,
    RecordAttemptRequestThen, RecordAttemptResponse, SetPasswordRequest, SetPasswordResponse,
    StorePasswordRequest, StorePasswordResponse,
};
use stoa_kit::{Ctx, Error, Micros, Reason as _, Result, Tx, View};
use stoa_users_v1::{LookupUserRequest, LookupUserRequestBy, User, UserState};

use super::{has_all, proofs, sessions};
use crate::model::{self, Bucket};
use crate::{password, store, token};

/// Compares a password with the one of an account. Gives the hash it was compared with if it is
/// the right one, and nothing if it is not, or if there is no such account: after the same work.
pub(super) async fn compare(ctx: &Ctx, account: &Account, password: String) -> Result<String> {
    let request =
        FindPasswordRequest { account: account.clone().into(), address: ctx.address().to_owned() };
    let found = ctx.call(request).await?;
    if let Some(until) = found.blocked_until.as_option() {
        return Err(blocked(Micros::of(until), ctx.now()));
    }
    let hash = found.password_hash;
    ctx.compute(move || if password::verify(&hash, &password) { hash } else { String::new() }).await
}

/// Commits what an attempt came to.
pub(super) async fn commit(
    ctx: &Ctx, account: Account, matched_hash: String, then: RecordAttemptRequestThen,
) -> Result<RecordAttemptResponse> {
    let request = RecordAttemptRequest {
        account: account.into(),
        address: ctx.address().to_owned(),
        matched_hash,
        then: Some(then),
    };
    ctx.call(request).await
}

pub(super) fn blocked(until: Micros, now: Micros) -> Error {
    let message = "too many attempts failed, for this account or from this address";
    Error::exhausted(Reason::TooManyAttempts.name(), message, until.since(now))
}

pub(super) async fn change(
    ctx: Ctx, request: ChangePasswordRequest,
) -> Result<ChangePasswordResponse> {
    let Some(user_id) = ctx.caller().user().map(str::to_owned) else {
        return Err(Reason::NotYours.because("a service account has no password"));
    };
    password::check("new_password", &request.new_password)?;
    let account = Account { by: Some(AccountBy::UserId(user_id)) };
    let matched = compare(&ctx, &account, request.current_password).await?;
    let (salt, new) = (ctx.secret("salt"), request.new_password);
    let hash = match matched.is_empty() {
        true => String::new(),
        false => ctx.compute(move || password::hash(&new, salt)).await??,
    };
    commit(&ctx, account, matched, RecordAttemptRequestThen::PasswordHash(hash)).await?;
    Ok(ChangePasswordResponse {})
}

pub(super) async fn check(
    ctx: Ctx, request: CheckPasswordRequest,
) -> Result<CheckPasswordResponse> {
    password::check("password", &request.password)?;
    let guessed = ctx.compute(move || zxcvbn::zxcvbn(&request.password, &[])).await?;
    let feedback = guessed.feedback();
    let suggestions = feedback.map(|feedback| feedback.suggestions()).unwrap_or_default();
    let warning = feedback.and_then(|feedback| feedback.warning());
    Ok(CheckPasswordResponse {
        score: u8::from(guessed.score()).into(),
        guesses_log10: guessed.guesses_log10(),
        warning: warning.map(|warning| warning.to_string()).unwrap_or_default(),
        suggestions: suggestions.iter().map(ToString::to_string).collect(),
    })
}

pub(super) async fn set(ctx: Ctx, request: SetPasswordRequest) -> Result<SetPasswordResponse> {
    let (salt, SetPasswordRequest { user_id, password }) = (ctx.secret("salt"), request);
    password::check("password", &password)?;
    let password_hash = ctx.compute(move || password::hash(&password, salt)).await??;
    ctx.call(StorePasswordRequest { user_id, password_hash }).await?;
    Ok(SetPasswordResponse {})
}

pub(super) fn find(view: &View, request: FindPasswordRequest) -> Result<FindPasswordResponse> {
    let account = request.account.into_option().unwrap_or_default();
    let Found { user, buckets, known, .. } = find_account(view, &account, &request.address)?;
    let until = store::blocked_until(view, &buckets, known)?;
    let user_id = user.map_or_else(String::new, |user| user.id);
    Ok(FindPasswordResponse {
        password_hash: store::password(view, &user_id)?.unwrap_or_default(),
        user_id,
        blocked_until: until.map(|until| until.timestamp()).unwrap_or_default(),
    })
}

/// What an attempt came to is decided here, where it is counted: by what holds in this commit,
/// not by what held when the hash was found. So attempts that were made at once cannot slip past
/// the limit, and a password that was changed in between is not accepted.
pub(super) fn record(tx: &mut Tx, request: RecordAttemptRequest) -> Result<RecordAttemptResponse> {
    let account = request.account.into_option().unwrap_or_default();
    let Found { user, buckets, known } = find_account(tx, &account, &request.address)?;
    if let Some(until) = store::blocked_until(tx, &buckets, known)? {
        return Err(blocked(until, tx.now()));
    }
    let Some(user) = proven(tx, user, &request.matched_hash)? else {
        store::count_failure(tx, &buckets)?;
        let wrong = Reason::WrongCredentials.because("the login and the password do not match");
        return Err(wrong.remembered());
    };
    if user.state != UserState::Active {
        return Err(Reason::UserDisabled.because("this account is disabled"));
    }
    if let Some(bucket) = buckets.first() {
        store::clear_failures(tx, bucket)?;
    }
    let mut accepted = RecordAttemptResponse::default();
    match request.then {
        Some(RecordAttemptRequestThen::Session(session)) => {
            let (session, asked) =
                sessions::enter(tx, &user.id, model::PASSWORD, session, &request.address)?;
            accepted.session = session.into();
            accepted.second_factor = asked.into();
        }
        Some(RecordAttemptRequestThen::PasswordHash(hash)) => replace(tx, &user.id, &hash)?,
        Some(RecordAttemptRequestThen::StepUpSessionId(id)) => {
            let session = proofs::session_of(tx, &id, &user.id)?;
            accepted.session = proofs::step_up(tx, &session, model::PASSWORD)?.into();
        }
        None => {}
    }
    Ok(accepted)
}

/// The account's user, if the hash that matched is still the one that is kept.
fn proven(view: &View, user: Option<User>, matched_hash: &str) -> Result<Option<User>> {
    let Some(user) = user else { return Ok(None) };
    let kept = store::password(view, &user.id)?;
    Ok(kept.filter(|kept| !kept.is_empty() && kept == matched_hash).map(|_| user))
}

pub(super) fn store(tx: &mut Tx, request: StorePasswordRequest) -> Result<StorePasswordResponse> {
    let user = token::user(tx, &request.user_id)?;
    let user = user.ok_or_else(|| Error::not_found("user", &request.user_id))?;
    // Whoever sets a password can sign in with it.
    has_all(tx, &store::permissions(tx, &user.id)?)?;
    replace(tx, &user.id, &request.password_hash)?;
    Ok(StorePasswordResponse {})
}

/// Keeps another password and ends the user's sessions, but for the one that asked; what somebody was
/// given for the password before is good no more.
pub(super) fn replace(tx: &mut Tx, user_id: &str, hash: &str) -> Result<()> {
    let current = tx.caller().credential.to_string();
    store::set_password(tx, user_id, hash)?;
    store::forget_tickets(tx, user_id)?;
    store::revoke_sessions(tx, user_id, &current)?;
    Ok(())
}

/// An account, and what attempts at its password count for.
struct Found {
    user: Option<User>,
    buckets: Vec<Bucket>,
    /// Whether its user signed in from this network before.
    known: bool,
}

fn find_account(view: &View, account: &Account, address: &str) -> Result<Found> {
    let by = match account.by.clone() {
        Some(AccountBy::Login(login)) => Some(LookupUserRequestBy::Login(login)),
        Some(AccountBy::UserId(id)) => Some(LookupUserRequestBy::Id(id)),
        None => None,
    };
    let found = view.call(LookupUserRequest { by })?;
    let user = found.user.into_option();
    let id = user.as_ref().map(|user| user.id.as_str());
    let network = store::network(view, address)?;
    let buckets = model::buckets(&store::counted_by(view, id, &found.login)?, &network);
    let known = match id {
        Some(id) => store::is_known(view, id, &network)?,
        None => false,
    };
    Ok(Found { user, buckets, known })
}
