//! Users who proved at another provider who they are. Who they are there is the business of whoever asks;
//! what they come to here is decided here.

use stoa_auth_v1::{
    DraftSessionRequest, DraftSessionResponse, GetWaysInRequest, GetWaysInResponse,
    LinkAccountRequest, LinkAccountResponse, NewSession, OpenSessionRequest, OpenSessionResponse,
};
use stoa_kit::{Error, Result, Tx, View};

use super::{proofs, sessions, tell};
use crate::{model, store, token};

pub(super) fn draft(view: &View, request: DraftSessionRequest) -> Result<DraftSessionResponse> {
    let tenant = &view.caller().tenant;
    let token = token::write(token::SESSION, tenant, &request.secret);
    let ticket = token::write(token::TICKET, tenant, &request.ticket_secret);
    let (token_hash, ticket_hash) = (token::hash(&token), token::hash(&ticket));
    let session = NewSession { token_hash, label: request.label, ticket_hash };
    Ok(DraftSessionResponse { token, ticket, session: session.into() })
}

pub(super) fn open(tx: &mut Tx, request: OpenSessionRequest) -> Result<OpenSessionResponse> {
    let OpenSessionRequest { user_id, session, address } = request;
    proofs::active(tx, &user_id)?;
    let new = session.into_option().unwrap_or_default();
    let (session, asked) = sessions::enter(tx, &user_id, model::PROVIDER, new, &address)?;
    Ok(OpenSessionResponse { session: session.into(), second_factor: asked.into() })
}

pub(super) fn link(tx: &mut Tx, request: LinkAccountRequest) -> Result<LinkAccountResponse> {
    let LinkAccountRequest { user_id, email } = request;
    let user = token::user(tx, &user_id)?.ok_or_else(|| Error::not_found("user", &user_id))?;
    if email.is_empty() || !user.email.eq_ignore_ascii_case(email.trim()) {
        return Ok(LinkAccountResponse::default());
    }
    if store::email_verified(tx, &user_id, &user.email)?.is_some() {
        return Ok(LinkAccountResponse { linked: true, ended: false });
    }
    // What a mailbox proves stands in for no second factor.
    if store::has_second_factor(tx, &user_id)? {
        return Ok(LinkAccountResponse::default());
    }
    let had_password = store::delete_password(tx, &user_id)?;
    store::forget_tickets(tx, &user_id)?;
    store::revoke_keys(tx, &user_id)?;
    store::revoke_sessions(tx, &user_id, "")?;
    store::note_email(tx, &user_id, &user.email)?;
    if had_password {
        tell(tx, &user_id, "auth.password_removed")?;
    }
    Ok(LinkAccountResponse { linked: true, ended: true })
}

pub(super) fn ways_in(view: &View, request: GetWaysInRequest) -> Result<GetWaysInResponse> {
    let passkeys = store::passkeys(view, &request.user_id)?.len();
    Ok(GetWaysInResponse {
        password: store::password(view, &request.user_id)?.is_some(),
        passkeys: i32::try_from(passkeys).unwrap_or(i32::MAX),
    })
}
