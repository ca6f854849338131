//! Sessions, and whose a token is.

use stoa_auth_v1::{
    Account, AccountBy, IntrospectTokenRequest, IntrospectTokenResponse, ListSessionsRequest,
    ListSessionsResponse, NewSession, RecordAttemptRequestThen, RecordUseRequest,
    RecordUseResponse, RevokeAllSessionsRequest, RevokeAllSessionsResponse, RevokeSessionRequest,
    RevokeSessionResponse, Session, SignInRequest, SignInResponse, SignOutRequest, SignOutResponse,
    WhoAmIRequest, WhoAmIResponse,
};
use stoa_kit::{Ctx, Resource as _, Result, Tx, View};

use super::{may_change, passwords};
use crate::{model, store, token};

/// Whoever was granted this ends anybody's sessions.
const REVOKE_ALL: &str = "auth.sessions.revoke_all";

pub(super) async fn sign_in(ctx: Ctx, request: SignInRequest) -> Result<SignInResponse> {
    let SignInRequest { login, password, label } = request;
    let account = Account { by: Some(AccountBy::Login(login)) };
    let matched = passwords::compare(&ctx, &account, password).await?;
    let token = token::write(token::SESSION, &ctx.caller().tenant, ctx.secret("token"));
    let session = NewSession { token_hash: token::hash(&token), label };
    let then = RecordAttemptRequestThen::Session(session);
    let session = passwords::commit(&ctx, account, matched, then).await?.session;
    Ok(SignInResponse { token, session })
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
