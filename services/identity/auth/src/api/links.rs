//! Links by mail. Asking for one writes the same whether there is such an account or not; who it is for is
//! looked up by a job, which nobody waits for. The secret is drawn by that job, and is kept nowhere.

use std::time::Duration;

use stoa_auth_v1::{
    Account, AccountBy, GetEmailVerificationRequest, GetEmailVerificationResponse,
    IssueLinkRequest, IssueLinkResponse, LinkPurpose, Reason, RecordLinkRequest,
    RecordLinkResponse, RedeemRequest, RedeemRequestThen, RedeemResponse,
    RequestEmailVerificationRequest, RequestEmailVerificationResponse, RequestMagicLinkRequest,
    RequestMagicLinkResponse, RequestPasswordResetRequest, RequestPasswordResetResponse,
    SendLinkRequest, SendLinkResponse, Settings, StoreLinkRequest, StoreLinkResponse,
};
use stoa_kit::ports::{Mail, Mailer};
use stoa_kit::{Ctx, Error, JobOptions, Reason as _, Result, Tx, View};
use stoa_notify_v1::KeepMailRequest;
use stoa_tokens_v1::{ConsumeTokenRequest, IssueTokenRequest, StoreTokenRequest};
use stoa_users_v1::{LookupUserRequest, LookupUserRequestBy, User, UserState};

use super::sessions::{self, Secrets};
use super::{passwords, proofs};
use crate::{letters, model, password, store, token};

pub(super) async fn request_sign_in(
    ctx: Ctx, request: RequestMagicLinkRequest,
) -> Result<RequestMagicLinkResponse> {
    ask(&ctx, LinkPurpose::SignIn, AccountBy::Login(request.login)).await?;
    Ok(RequestMagicLinkResponse {})
}

pub(super) async fn request_password(
    ctx: Ctx, request: RequestPasswordResetRequest,
) -> Result<RequestPasswordResetResponse> {
    ask(&ctx, LinkPurpose::Password, AccountBy::Login(request.login)).await?;
    Ok(RequestPasswordResetResponse {})
}

pub(super) async fn request_email(
    ctx: Ctx, _: RequestEmailVerificationRequest,
) -> Result<RequestEmailVerificationResponse> {
    let user = ctx.caller().user().map(str::to_owned).ok_or_else(proofs::no_session)?;
    ask(&ctx, LinkPurpose::Email, AccountBy::UserId(user)).await?;
    Ok(RequestEmailVerificationResponse {})
}

async fn ask(ctx: &Ctx, purpose: LinkPurpose, by: AccountBy) -> Result<()> {
    let (purpose, address) = (purpose.into(), ctx.address().to_owned());
    let account = Account { by: Some(by) };
    ctx.call(StoreLinkRequest { purpose, account: account.into(), address }).await?;
    Ok(())
}

pub(super) fn store(tx: &mut Tx, request: StoreLinkRequest) -> Result<StoreLinkResponse> {
    // Whom a link is for is not looked up here: what is not asked cannot be told by how long it takes.
    let whom = match request.account.into_option().unwrap_or_default().by {
        Some(AccountBy::Login(login)) => format!("login:{}", login.trim().to_lowercase()),
        Some(AccountBy::UserId(id)) => format!("user:{id}"),
        None => String::new(),
    };
    let network = store::network(tx, &request.address)?;
    let buckets = model::link_buckets(&store::counted_by(tx, None, &whom)?, &network);
    if let Some(until) = store::blocked_until(tx, &buckets, false)? {
        return Err(passwords::blocked(until, tx.now()));
    }
    store::count_failure(tx, &buckets)?;
    let id = tx.new_id("lnk");
    store::put_link(tx, &id, request.purpose.to_i32(), whom.as_bytes())?;
    tx.enqueue(&SendLinkRequest { link_id: id }, JobOptions::default())?;
    Ok(StoreLinkResponse {})
}

pub(super) async fn send(ctx: Ctx, request: SendLinkRequest) -> Result<SendLinkResponse> {
    let secret = token::write(token::LINK, &ctx.caller().tenant, &ctx.secret::<16>("link"));
    // The job's identifier stays the same over its attempts, so that the mail is one.
    let id = ctx.key().unwrap_or(&request.link_id).to_owned();
    let issued = ctx.call(IssueLinkRequest { link_id: request.link_id, secret }).await?;
    let IssueLinkResponse { user_id, to, subject, text } = issued;
    if user_id.is_empty() {
        return Ok(SendLinkResponse {});
    }
    match ctx.port_if_any::<dyn Mailer>()? {
        Some(mailer) => mailer.deliver(Mail { id, to, subject, text }).await?,
        None => {
            ctx.call(KeepMailRequest { id, to, subject, text, user_id }).await?;
        }
    }
    Ok(SendLinkResponse {})
}

pub(super) fn issue(tx: &mut Tx, request: IssueLinkRequest) -> Result<IssueLinkResponse> {
    let nobody = IssueLinkResponse::default;
    let Some((purpose, whom)) = store::take_link(tx, &request.link_id)? else {
        return Ok(nobody());
    };
    let whom = String::from_utf8(whom).map_err(Error::internal)?;
    let by = match whom.split_once(':') {
        Some(("login", login)) => LookupUserRequestBy::Login(login.to_owned()),
        Some((_, id)) => LookupUserRequestBy::Id(id.to_owned()),
        None => return Ok(nobody()),
    };
    let user = tx.call(LookupUserRequest { by: Some(by) })?.user.into_option();
    let Some(user) = user.filter(|user| user.state == UserState::Active) else {
        return Ok(nobody());
    };
    let Some(kind) = kind(purpose) else { return Ok(nobody()) };
    let token = IssueTokenRequest {
        purpose: kind.token.to_owned(),
        subject: user.id.clone(),
        ttl_seconds: i32::try_from(kind.life.as_secs()).unwrap_or(i32::MAX),
        payload: user.email.clone(),
        ..IssueTokenRequest::default()
    };
    let (secret, owner) = (request.secret, String::new());
    tx.call(StoreTokenRequest { token: token.into(), secret: secret.clone(), owner })?;
    let settings: Settings = tx.settings()?;
    let link = format!("{}#{}={secret}", settings.link_url, kind.word);
    let (subject, text) = letters::write(kind.word, &user.locale, &settings.site_name, &link);
    Ok(IssueLinkResponse { user_id: user.id, to: user.email, subject, text })
}

/// What is the same about all links for one thing.
struct Kind {
    /// What their tokens are good for.
    token: &'static str,
    /// What the link says that it is for, and its letter is called.
    word: &'static str,
    life: Duration,
}

fn kind(purpose: i32) -> Option<Kind> {
    let (token, word, life) = match purpose {
        it if it == LinkPurpose::SignIn as i32 => ("auth.sign_in", "signIn", model::LINK_LIFE),
        it if it == LinkPurpose::Password as i32 => {
            ("auth.password", "newPassword", model::LINK_LIFE)
        }
        it if it == LinkPurpose::Email as i32 => ("auth.email", "email", model::EMAIL_LIFE),
        _ => return None,
    };
    Some(Kind { token, word, life })
}

pub(super) async fn redeem(ctx: Ctx, request: RedeemRequest) -> Result<RedeemResponse> {
    let record = RecordLinkRequest {
        secret: request.secret,
        address: ctx.address().to_owned(),
        ..RecordLinkRequest::default()
    };
    match request.then {
        Some(RedeemRequestThen::SignIn(sign_in)) => {
            let secrets = Secrets::draw(&ctx);
            let session = secrets.session(sign_in.label).into();
            let purpose = LinkPurpose::SignIn.into();
            let entered = ctx.call(RecordLinkRequest { purpose, session, ..record }).await?;
            let (token, asked) = secrets.given(entered.second_factor.into_option());
            let second_factor = asked.map(Into::into).unwrap_or_default();
            Ok(RedeemResponse { token, session: entered.session, second_factor })
        }
        Some(RedeemRequestThen::NewPassword(new)) => {
            password::check("new_password", &new)?;
            let salt = ctx.secret("salt");
            let password_hash = ctx.compute(move || password::hash(&new, salt)).await??;
            let purpose = LinkPurpose::Password.into();
            ctx.call(RecordLinkRequest { purpose, password_hash, ..record }).await?;
            Ok(RedeemResponse::default())
        }
        Some(RedeemRequestThen::Email(_)) => {
            let purpose = LinkPurpose::Email.into();
            ctx.call(RecordLinkRequest { purpose, ..record }).await?;
            Ok(RedeemResponse::default())
        }
        None => Err(not_good()),
    }
}

pub(super) fn record(tx: &mut Tx, request: RecordLinkRequest) -> Result<RecordLinkResponse> {
    let user = spend(tx, request.secret, request.purpose.to_i32())?;
    // Whoever has the link reads what is sent to that address.
    store::note_email(tx, &user.id, &user.email)?;
    let mut recorded = RecordLinkResponse::default();
    match request.purpose.as_known() {
        Some(LinkPurpose::SignIn) => {
            let new = request.session.into_option().unwrap_or_default();
            let (session, asked) =
                sessions::enter(tx, &user.id, model::LINK, new, &request.address)?;
            recorded.session = session.into();
            recorded.second_factor = asked.into();
        }
        Some(LinkPurpose::Password) => {
            // Also the session that this came with, if it did: whoever has that is not who asks.
            passwords::replace(tx, &user.id, &request.password_hash)?;
            store::revoke_sessions(tx, &user.id, "")?;
        }
        _ => {}
    }
    Ok(recorded)
}

/// Spends the token of a link: whose it was, if they still have the address that it was sent to.
fn spend(tx: &mut Tx, secret: String, purpose: i32) -> Result<User> {
    let kind = kind(purpose).ok_or_else(not_good)?;
    let purpose = kind.token.to_owned();
    let consume = ConsumeTokenRequest { secret, purpose, ..ConsumeTokenRequest::default() };
    let spent = tx.attempt(|tx| tx.call(consume)).map_err(|error| match error.reason() {
        "tokens.not_good" => not_good(),
        _ => error,
    })?;
    let token = spent.token.into_option().unwrap_or_default();
    let user = token::user(tx, &token.subject)?;
    let user = user.filter(|user| user.state == UserState::Active && user.email == token.payload);
    user.ok_or_else(not_good)
}

fn not_good() -> Error {
    Reason::LinkNotGood.because("the link is not good, or not any more")
}

pub(super) fn verification(
    view: &View, request: GetEmailVerificationRequest,
) -> Result<GetEmailVerificationResponse> {
    let user = token::user(view, &request.user_id)?.unwrap_or_default();
    let since = store::email_verified(view, &request.user_id, &user.email)?;
    Ok(GetEmailVerificationResponse {
        verified: since.is_some(),
        verify_time: since.map(|since| since.timestamp()).unwrap_or_default(),
    })
}
