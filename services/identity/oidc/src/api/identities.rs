//! With which accounts elsewhere people sign in.

use stoa_auth_v1::GetWaysInRequest;
use stoa_kit::{Ctx, Error, Reason as _, Result, Tx, View};
use stoa_oidc_v1::*;

use crate::{model, store};

/// Whoever was granted this unlinks what others linked.
const UNLINK_ALL: &str = "oidc.identities.unlink_all";

pub(super) async fn link(ctx: Ctx, request: LinkIdentityRequest) -> Result<LinkIdentityResponse> {
    let LinkIdentityRequest { provider_id, return_path } = request;
    let user_id = ctx.caller().user().unwrap_or_default().to_owned();
    let session_id = ctx.caller().credential.to_string();
    if user_id.is_empty() || session_id.is_empty() {
        return Err(Reason::LoginRequired.because("this is for the session of a user"));
    }
    let start =
        StartSignInRequest { provider_id: provider_id.clone(), return_path, user_id, session_id };
    let sign_in_id = ctx.call(start).await?.sign_in_id;
    let written = ctx.call(WriteSignInRequest { sign_in_id, provider_id }).await?;
    Ok(LinkIdentityResponse { path: format!("/oauth2/sign-in?link={}", written.state) })
}

pub(super) fn unlink(
    tx: &mut Tx, request: UnlinkIdentityRequest,
) -> Result<UnlinkIdentityResponse> {
    let identity = tx.get::<Identity>(&request.id)?;
    let caller = tx.caller();
    let may = |identity: &Identity| {
        tx.is_nested() || caller.owner() == Some(&*identity.user_id) || caller.may(UNLINK_ALL)
    };
    // Whoever may not unlink it does not learn that it is there.
    let identity = identity.filter(may);
    let identity = identity.ok_or_else(|| Error::not_found("identity", &request.id))?;
    let user_id = identity.user_id.clone();
    let others = store::providers::identities(tx, &user_id)?.len() > 1;
    let here = tx.call(GetWaysInRequest { user_id: user_id.clone() })?;
    // A link by mail is not counted: a mailbox may be lost with the account elsewhere.
    if !(others || here.password || here.passkeys > 0) {
        return Err(Reason::LastWayIn.because("there is no other way to sign in"));
    }
    tx.delete::<Identity>(&identity.id)?;
    tx.emit(&IdentityUnlinked { user_id, provider_id: identity.provider_id });
    Ok(UnlinkIdentityResponse {})
}

pub(super) fn list(view: &View, request: ListIdentitiesRequest) -> Result<ListIdentitiesResponse> {
    let list = view.list::<Identity>("id").owned_by(&request.user_id);
    let (identities, next_page_token) = list.page(&request)?;
    Ok(ListIdentitiesResponse { identities, next_page_token })
}

/// Links an account elsewhere, if nobody else has it.
pub(super) fn add(
    tx: &mut Tx, user_id: &str, request: &FinishSignInRequest, provider_id: &str,
) -> Result<()> {
    if let Some(known) = store::providers::identity(tx, provider_id, &request.subject)? {
        return match known.user_id == user_id {
            true => Ok(()),
            false => Err(Reason::IdentityTaken.because("the account there is linked already")),
        };
    }
    let identity = Identity {
        user_id: user_id.to_owned(),
        provider_id: provider_id.to_owned(),
        subject: request.subject.clone(),
        email: model::shortened(&request.email, 254),
        ..Identity::default()
    };
    store::providers::add_identity(tx, identity)?;
    tx.emit(&IdentityLinked { user_id: user_id.to_owned(), provider_id: provider_id.to_owned() });
    Ok(())
}
