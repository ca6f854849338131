//! The first administrator: created once, by whoever has the code that the node printed.

use stoa_auth_v1::{
    CheckSetupRequest, CheckSetupResponse, CompleteSetupRequest, CompleteSetupResponse,
    GetSetupRequest, GetSetupResponse, PrepareSetupRequest, PrepareSetupResponse, Reason, Role,
    SetUpRequest, SetUpResponse,
};
use stoa_kit::{Ctx, Error, Reason as _, Result, Tx, View};
use stoa_users_v1::{CreateUserRequest, SetAdministratorRequest};

use crate::{model, password, store, token};

pub(super) fn get(view: &View, _: GetSetupRequest) -> Result<GetSetupResponse> {
    Ok(GetSetupResponse { open: is_open(view)? })
}

pub(super) async fn set_up(ctx: Ctx, request: SetUpRequest) -> Result<SetUpResponse> {
    let SetUpRequest { code, handle, email, password, display_name } = request;
    password::check("password", &password)?;
    let code_hash = token::hash(code.trim());
    // Whoever does not have the code makes no work.
    ctx.call(CheckSetupRequest { code_hash: code_hash.clone() }).await?;
    let salt = ctx.secret("salt");
    let password_hash = ctx.compute(move || password::hash(&password, salt)).await??;
    let request = CompleteSetupRequest { code_hash, handle, email, display_name, password_hash };
    let user_id = ctx.call(request).await?.user_id;
    Ok(SetUpResponse { user_id })
}

/// Keeps the hash of another code while set-up is open; false once it is not.
pub(crate) fn prepare(tx: &mut Tx, code_hash: &[u8]) -> Result<bool> {
    store::prepare_setup(tx, code_hash)?;
    is_open(tx)
}

pub(super) fn prepare_setup(
    tx: &mut Tx, request: PrepareSetupRequest,
) -> Result<PrepareSetupResponse> {
    Ok(PrepareSetupResponse { open: prepare(tx, &request.code_hash)? })
}

pub(super) fn check(view: &View, request: CheckSetupRequest) -> Result<CheckSetupResponse> {
    is_code(view, &request.code_hash)?;
    Ok(CheckSetupResponse {})
}

/// Whether this is the code of set-up. Whoever has it may ask also after the end: the answer to
/// one who was set up, and did not hear of it, is that of the first time.
fn is_code(view: &View, code_hash: &[u8]) -> Result<()> {
    match store::setup(view)? {
        Some((known, _)) if known == code_hash => Ok(()),
        Some((_, Some(_))) => Err(closed()),
        _ => Err(Reason::SetupCodeWrong.because("this is not the code that was printed last")),
    }
}

fn closed() -> Error {
    Reason::SetupClosed.because("there is an administrator")
}

pub(super) fn complete(
    tx: &mut Tx, request: CompleteSetupRequest,
) -> Result<CompleteSetupResponse> {
    is_code(tx, &request.code_hash)?;
    if !is_open(tx)? {
        return Err(closed());
    }
    let CompleteSetupRequest { handle, email, display_name, password_hash, .. } = request;
    let user = CreateUserRequest { handle, email, display_name, ..CreateUserRequest::default() };
    let user = tx.call(user)?.user.into_option();
    let user = user.ok_or_else(|| Error::internal("a user was created and not shown"))?;
    store::set_password(tx, &user.id, &password_hash)?;
    let everything = Role {
        name: model::ADMINISTRATOR.to_owned(),
        description: "Whoever runs this Stoa.".to_owned(),
        permissions: vec!["*".to_owned()],
        ..Role::default()
    };
    tx.add_new(everything, "name")?;
    store::insert_grant(tx, &user.id, model::ADMINISTRATOR)?;
    tx.call(SetAdministratorRequest { id: user.id.clone(), administrator: true })?;
    if !store::close_setup(tx, &user.id)? {
        return Err(closed());
    }
    Ok(CompleteSetupResponse { user_id: user.id })
}

fn is_open(view: &View) -> Result<bool> {
    Ok(!matches!(store::setup(view)?, Some((_, Some(_)))))
}
