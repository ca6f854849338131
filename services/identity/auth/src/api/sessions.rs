//! Sessions, and whose a token is.

use stoa_auth_v1::{
    Account, AccountBy, IntrospectTokenRequest, IntrospectTokenResponse, ListSessionsRequest,
    ListSessionsResponse, NewSession, RecordAttemptRequestThen, RecordUseRequest,
    RecordUseResponse, RevokeAllSessionsRequest, RevokeAllSessionsResponse, RevokeSessionRequest,
    RevokeSessionResponse, SecondFactor, Session, Settings, SignInRequest, SignInResponse,
    SignOutRequest, SignOutResponse, WhoAmIRequest, WhoAmIResponse,
};
use stoa_kit::{Ctx, Error, Resource as _, Result, Tx, View};

use super::{may_change, passwords};
use crate::store::Ticket;
use crate::{model, store, token};

/// Whoever was granted this ends anybody's sessions.
const REVOKE_ALL: &str = "auth.sessions.revoke_all";

pub(super) async fn sign_in(ctx: Ctx, request: SignInRequest) -> Result<SignInResponse> {
    let SignInRequest { login, password, label } = request;
    let account = Account { by: Some(AccountBy::Login(login)) };
    let matched = passwords::compare(&ctx, &account, password).await?;
    let secrets = Secrets::draw(&ctx);
    let then = RecordAttemptRequestThen::Session(secrets.session(label));
    let entered = passwords::commit(&ctx, account, matched, then).await?;
    let (token, second_factor) = secrets.given(entered.second_factor.into_option());
    let second_factor = second_factor.map(Into::into).unwrap_or_default();
    Ok(SignInResponse { token, session: entered.session, second_factor })
}

/// What an effect drew for whoever wants a session: one of the two is good in the end.
pub(super) struct Secrets {
    token: String,
    ticket: String,
}

impl Secrets {
    pub(super) fn draw(ctx: &Ctx) -> Self {
        let tenant = &ctx.caller().tenant;
        let token = token::write(token::SESSION, tenant, &ctx.secret::<32>("token"));
        Self { token, ticket: token::write(token::TICKET, tenant, &ctx.secret::<16>("ticket")) }
    }

    /// The session that is to be opened.
    pub(super) fn session(&self, label: String) -> NewSession {
        let ticket_hash = token::hash(&self.ticket);
        NewSession { token_hash: token::hash(&self.token), label, ticket_hash }
    }

    /// The token, or where a second factor is asked for the ticket.
    pub(super) fn given(self, asked: Option<SecondFactor>) -> (String, Option<SecondFactor>) {
        match asked {
            Some(asked) => (String::new(), Some(SecondFactor { ticket: self.ticket, ..asked })),
            None => (self.token, None),
        }
    }
}

/// What whoever proved a first factor comes to: a session, or what is still asked for.
pub(super) type Entered = (Option<Session>, Option<SecondFactor>);

/// Lets a user in who proved a first factor; or gives them a ticket, where they have a second one.
pub(super) fn enter(
    tx: &mut Tx, user_id: &str, method: &str, new: NewSession, address: &str,
) -> Result<Entered> {
    let kinds = store::kinds(tx, user_id)?;
    if kinds.is_empty() {
        let methods = vec![method.to_owned()];
        return Ok((Some(open(tx, user_id, methods, new, address)?), None));
    }
    let ticket = Ticket { user_id: user_id.to_owned(), about: method.to_owned() };
    let end = store::put_ticket(tx, &new.ticket_hash, store::SECOND_FACTOR, &ticket)?;
    let kinds = kinds.into_iter().map(Into::into).collect();
    let expire_time = end.timestamp();
    Ok((None, Some(SecondFactor { kinds, expire_time, ..SecondFactor::default() })))
}

/// Opens a session for a user who proved all that is asked for.
pub(super) fn open(
    tx: &mut Tx, user_id: &str, methods: Vec<String>, new: NewSession, address: &str,
) -> Result<Session> {
    let network = store::network(tx, address)?;
    let elsewhere = !store::networks(tx, user_id)?.is_empty();
    if elsewhere && !store::is_known(tx, user_id, &network)? {
        super::tell(tx, user_id, "auth.new_device")?;
    }
    store::note_network(tx, user_id, &network)?;
    let settings: Settings = tx.settings()?;
    let life = model::days_of(settings.session_life_days);
    let opened = Session {
        id: tx.new_id("ses"),
        user_id: user_id.to_owned(),
        label: new.label,
        address: address.to_owned(),
        expire_time: tx.after(life).timestamp(),
        methods,
        auth_time: tx.now().timestamp(),
        ..Session::default()
    };
    let opened = tx.add_with(opened, "token_hash", (new.token_hash,))?;
    store::session(tx, &opened.id)?.ok_or_else(|| Error::internal("a session is not there"))
}

pub(super) fn sign_out(tx: &mut Tx, _: SignOutRequest) -> Result<SignOutResponse> {
    let current = tx.caller().credential.to_string();
    store::revoke_session(tx, &current)?;
    Ok(SignOutResponse {})
}

pub(super) fn who_am_i(view: &View, _: WhoAmIRequest) -> Result<WhoAmIResponse> {
    let caller = view.caller();
    // What the session says, and not the caller, so that who watches is told of a step-up.
    let session = store::session(view, &caller.credential)?.unwrap_or_default();
    Ok(WhoAmIResponse {
        subject: caller.subject.to_string(),
        user_id: caller.user().unwrap_or_default().to_owned(),
        credential_id: caller.credential.to_string(),
        permissions: model::permissions(caller),
        methods: session.methods,
        auth_time: session.auth_time,
    })
}

pub(super) fn list(view: &View, request: ListSessionsRequest) -> Result<ListSessionsResponse> {
    let page = view.page(&request, 1)?;
    let mut sessions = view
        .access::<Session>()
        .list(&request.user_id, |user| store::sessions(view, user, page.after(), page.limit()))?;
    let next_page_token = page.cut(&mut sessions, |session| vec![session.id.clone()])?;
    Ok(ListSessionsResponse { sessions, next_page_token })
}

pub(super) fn revoke(tx: &mut Tx, request: RevokeSessionRequest) -> Result<RevokeSessionResponse> {
    let session = tx.visible(store::session(tx, &request.id)?, &request.id)?;
    may_change(tx, &session.user_id, REVOKE_ALL)?;
    store::revoke_session(tx, &session.id)?;
    tx.touch(Session::TYPE, &session.id);
    Ok(RevokeSessionResponse {})
}

pub(super) fn revoke_all(
    tx: &mut Tx, request: RevokeAllSessionsRequest,
) -> Result<RevokeAllSessionsResponse> {
    let user = match request.user_id.as_str() {
        "" => tx.user()?.to_owned(),
        user => user.to_owned(),
    };
    may_change(tx, &user, REVOKE_ALL)?;
    let current = tx.caller().credential.to_string();
    let but = if request.keep_current { current.as_str() } else { "" };
    let revoked = store::revoke_sessions(tx, &user, but)?;
    Ok(RevokeAllSessionsResponse { revoked: i32::try_from(revoked).unwrap_or(i32::MAX) })
}

pub(super) fn introspect(
    view: &View, request: IntrospectTokenRequest,
) -> Result<IntrospectTokenResponse> {
    let Some(found) = token::authenticate(view, &request.token)? else {
        return Ok(IntrospectTokenResponse::default());
    };
    Ok(IntrospectTokenResponse {
        active: true,
        subject: found.caller.subject.to_string(),
        credential_id: found.caller.credential.to_string(),
        permissions: model::permissions(&found.caller),
        recheck_time: found.until.timestamp(),
        methods: found.caller.proof.as_ref().map(|proof| proof.methods.clone()).unwrap_or_default(),
        auth_time: found.caller.proof.map(|proof| proof.time.timestamp()).unwrap_or_default(),
    })
}

pub(super) fn record_use(tx: &mut Tx, request: RecordUseRequest) -> Result<RecordUseResponse> {
    let id = &request.credential_id;
    let known = store::session(tx, id)?.is_some() || store::key(tx, id)?.is_some();
    let noted = store::last_use(tx, id)?;
    if known && noted.is_none_or(|noted| model::is_noted_again(noted, tx.now())) {
        store::note_use(tx, id)?;
    }
    Ok(RecordUseResponse {})
}
