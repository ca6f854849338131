//! What people prove with who they are, besides a password: how they come to it and get rid of it.

use stoa_auth_v1::{
    ConfirmTotpRequest, ConfirmTotpResponse, EnrolTotpRequest, EnrolTotpResponse,
    GenerateRecoveryCodesRequest, GenerateRecoveryCodesResponse, ListFactorsRequest,
    ListFactorsResponse, Passkey, RemovePasskeyRequest, RemovePasskeyResponse, RemoveTotpRequest,
    RemoveTotpResponse, ResetFactorsRequest, ResetFactorsResponse, Settings,
    StoreRecoveryCodesRequest, StoreRecoveryCodesResponse, StoreTotpRequest, StoreTotpResponse,
    Totp,
};
use stoa_kit::{Ctx, Error, Result, Tx, View};

use super::{has_all, proofs, tell};
use crate::{model, store, token, totp};

/// What users are told whose second factors are others than before.
pub(super) const CHANGED: &str = "auth.factors_changed";

pub(super) fn list(view: &View, _: ListFactorsRequest) -> Result<ListFactorsResponse> {
    let user_id = view.user()?;
    let passkeys = store::passkeys(view, user_id)?.into_iter().map(|key| key.passkey).collect();
    let user = token::user(view, user_id)?.unwrap_or_default();
    Ok(ListFactorsResponse {
        totp: store::totp(view, user_id)?.is_some_and(|totp| totp.confirmed),
        passkeys,
        recovery_codes_left: i32::try_from(store::recovery_codes_left(view, user_id)?)
            .unwrap_or(i32::MAX),
        email_verified: store::email_verified(view, user_id, &user.email)?.is_some(),
    })
}

pub(super) async fn enrol(ctx: Ctx, _: EnrolTotpRequest) -> Result<EnrolTotpResponse> {
    let Some(user_id) = ctx.caller().user().map(str::to_owned) else {
        return Err(proofs::no_session());
    };
    let secret = ctx.secret::<20>("totp").to_vec();
    let shown = totp::base32(&secret);
    let StoreTotpResponse { account, issuer } =
        ctx.call(StoreTotpRequest { user_id, secret }).await?;
    Ok(EnrolTotpResponse { uri: totp::uri(&shown, &issuer, &account), secret: shown })
}

pub(super) fn store_totp(tx: &mut Tx, request: StoreTotpRequest) -> Result<StoreTotpResponse> {
    let StoreTotpRequest { user_id, secret } = request;
    let user = token::user(tx, &user_id)?.ok_or_else(|| Error::not_found("user", &user_id))?;
    match store::totp(tx, &user_id)? {
        // What was confirmed stays good until the other one is.
        Some(known) => tx.save(Totp { pending: secret, ..known })?,
        None => tx.add(Totp { user_id, pending: secret, ..Totp::default() })?,
    };
    let settings: Settings = tx.settings()?;
    Ok(StoreTotpResponse { account: user.handle, issuer: settings.site_name })
}

pub(super) fn confirm(tx: &mut Tx, request: ConfirmTotpRequest) -> Result<ConfirmTotpResponse> {
    let user_id = tx.user()?.to_owned();
    let session = proofs::session_of(tx, &tx.caller().credential, &user_id)?;
    let known = store::totp(tx, &user_id)?.filter(|totp| !totp.pending.is_empty());
    let known = known.ok_or_else(proofs::no_factor)?;
    let step = totp::accepted(&known.pending, &request.code, tx.now(), 0)?;
    let step = step.ok_or_else(proofs::wrong_code)?;
    let (secret, pending) = (known.pending, Vec::new());
    tx.save(Totp { secret, pending, confirmed: true, last_step: step, ..known })?;
    store::step_up(tx, &session.id, model::CODE)?;
    tell(tx, &user_id, CHANGED)?;
    Ok(ConfirmTotpResponse {})
}

pub(super) fn remove_totp(tx: &mut Tx, _: RemoveTotpRequest) -> Result<RemoveTotpResponse> {
    let user_id = tx.user()?.to_owned();
    if tx.delete::<Totp>(&user_id)? {
        removed(tx, &user_id)?;
    }
    Ok(RemoveTotpResponse {})
}

pub(super) fn remove_passkey(
    tx: &mut Tx, request: RemovePasskeyRequest,
) -> Result<RemovePasskeyResponse> {
    let user_id = tx.user()?.to_owned();
    if !tx.delete::<Passkey>((&user_id, &request.id))? {
        return Err(Error::not_found("passkey", &request.id));
    }
    removed(tx, &user_id)?;
    Ok(RemovePasskeyResponse {})
}

/// What follows where a second factor is gone: recovery codes stand in for one that is there.
fn removed(tx: &mut Tx, user_id: &str) -> Result<()> {
    if !store::has_second_factor(tx, user_id)? {
        store::delete_recovery_codes(tx, user_id)?;
    }
    tell(tx, user_id, CHANGED)
}

pub(super) async fn generate(
    ctx: Ctx, _: GenerateRecoveryCodesRequest,
) -> Result<GenerateRecoveryCodesResponse> {
    let Some(user_id) = ctx.caller().user().map(str::to_owned) else {
        return Err(proofs::no_session());
    };
    let drawn = (0..model::RECOVERY_CODES).map(|n| ctx.secret::<16>(&format!("code {n}")));
    let codes: Vec<String> = drawn.map(|secret| model::recovery_code(&secret)).collect();
    let hashes = codes.iter().map(|code| model::recovery_hash(code)).collect();
    ctx.call(StoreRecoveryCodesRequest { user_id, hashes }).await?;
    Ok(GenerateRecoveryCodesResponse { codes })
}

pub(super) fn store_codes(
    tx: &mut Tx, request: StoreRecoveryCodesRequest,
) -> Result<StoreRecoveryCodesResponse> {
    let StoreRecoveryCodesRequest { user_id, hashes } = request;
    if !store::has_second_factor(tx, &user_id)? {
        return Err(proofs::no_factor());
    }
    store::set_recovery_codes(tx, &user_id, &hashes)?;
    Ok(StoreRecoveryCodesResponse {})
}

pub(super) fn reset(tx: &mut Tx, request: ResetFactorsRequest) -> Result<ResetFactorsResponse> {
    let user_id = request.user_id;
    token::user(tx, &user_id)?.ok_or_else(|| Error::not_found("user", &user_id))?;
    // What is left is the password: whoever can set that, and take the rest, can sign in as them.
    has_all(tx, &store::permissions(tx, &user_id)?)?;
    store::delete_factors(tx, &user_id)?;
    store::revoke_sessions(tx, &user_id, "")?;
    tell(tx, &user_id, CHANGED)?;
    Ok(ResetFactorsResponse {})
}
