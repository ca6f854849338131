//! The contract's functions, by what they are about.

mod keys;
mod passwords;
mod roles;
mod sessions;
pub(crate) mod setup;

use stoa_auth_v1::*;
use stoa_kit::{Ctx, Reason as _, Result, Tx, View};

/// The service.
pub(crate) struct Auth;

impl AuthService for Auth {
    fn get_setup(&self, view: &View, _: GetSetupRequest) -> Result<GetSetupResponse> {
        setup::get(view)
    }

    async fn set_up(&self, ctx: &Ctx, request: SetUpRequest) -> Result<SetUpResponse> {
        setup::set_up(ctx, request).await
    }

    async fn sign_in(&self, ctx: &Ctx, request: SignInRequest) -> Result<SignInResponse> {
        sessions::sign_in(ctx, request).await
    }

    fn sign_out(&self, tx: &mut Tx, _: SignOutRequest) -> Result<SignOutResponse> {
        sessions::sign_out(tx)
    }

    fn who_am_i(&self, view: &View, _: WhoAmIRequest) -> Result<WhoAmIResponse> {
        sessions::who_am_i(view)
    }

    fn list_sessions(
        &self, view: &View, request: ListSessionsRequest,
    ) -> Result<ListSessionsResponse> {
        sessions::list(view, &request)
    }

    fn revoke_session(
        &self, tx: &mut Tx, request: RevokeSessionRequest,
    ) -> Result<RevokeSessionResponse> {
        sessions::revoke(tx, &request)
    }

    fn revoke_all_sessions(
        &self, tx: &mut Tx, request: RevokeAllSessionsRequest,
    ) -> Result<RevokeAllSessionsResponse> {
        sessions::revoke_all(tx, &request)
    }

    async fn change_password(
        &self, ctx: &Ctx, request: ChangePasswordRequest,
    ) -> Result<ChangePasswordResponse> {
        passwords::change(ctx, request).await
    }

    async fn set_password(
        &self, ctx: &Ctx, request: SetPasswordRequest,
    ) -> Result<SetPasswordResponse> {
        passwords::set(ctx, request).await
    }

    fn create_service_account(
        &self, tx: &mut Tx, request: CreateServiceAccountRequest,
    ) -> Result<CreateServiceAccountResponse> {
        keys::create_service_account(tx, &request)
    }

    fn list_service_accounts(
        &self, view: &View, request: ListServiceAccountsRequest,
    ) -> Result<ListServiceAccountsResponse> {
        keys::list_service_accounts(view, &request)
    }

    fn delete_service_account(
        &self, tx: &mut Tx, request: DeleteServiceAccountRequest,
    ) -> Result<DeleteServiceAccountResponse> {
        keys::delete_service_account(tx, &request)
    }

    async fn create_api_key(
        &self, ctx: &Ctx, request: CreateApiKeyRequest,
    ) -> Result<CreateApiKeyResponse> {
        keys::create(ctx, request).await
    }

    fn list_api_keys(
        &self, view: &View, request: ListApiKeysRequest,
    ) -> Result<ListApiKeysResponse> {
        keys::list(view, &request)
    }

    fn revoke_api_key(
        &self, tx: &mut Tx, request: RevokeApiKeyRequest,
    ) -> Result<RevokeApiKeyResponse> {
        keys::revoke(tx, &request)
    }

    fn create_role(&self, tx: &mut Tx, request: CreateRoleRequest) -> Result<CreateRoleResponse> {
        roles::create(tx, &request)
    }

    fn update_role(&self, tx: &mut Tx, request: UpdateRoleRequest) -> Result<UpdateRoleResponse> {
        roles::update(tx, &request)
    }

    fn delete_role(&self, tx: &mut Tx, request: DeleteRoleRequest) -> Result<DeleteRoleResponse> {
        roles::delete(tx, &request)
    }

    fn list_roles(&self, view: &View, request: ListRolesRequest) -> Result<ListRolesResponse> {
        roles::list(view, &request)
    }

    fn grant_role(&self, tx: &mut Tx, request: GrantRoleRequest) -> Result<GrantRoleResponse> {
        roles::grant(tx, &request)
    }

    fn revoke_role(&self, tx: &mut Tx, request: RevokeRoleRequest) -> Result<RevokeRoleResponse> {
        roles::revoke(tx, &request)
    }

    fn list_role_grants(
        &self, view: &View, request: ListRoleGrantsRequest,
    ) -> Result<ListRoleGrantsResponse> {
        roles::list_grants(view, &request)
    }

    fn introspect_token(
        &self, view: &View, request: IntrospectTokenRequest,
    ) -> Result<IntrospectTokenResponse> {
        sessions::introspect(view, &request)
    }

    fn prepare_setup(
        &self, tx: &mut Tx, request: PrepareSetupRequest,
    ) -> Result<PrepareSetupResponse> {
        Ok(PrepareSetupResponse { open: setup::prepare(tx, &request.code_hash)? })
    }

    fn check_setup(&self, view: &View, request: CheckSetupRequest) -> Result<CheckSetupResponse> {
        setup::check(view, &request.code_hash)?;
        Ok(CheckSetupResponse {})
    }

    fn complete_setup(
        &self, tx: &mut Tx, request: CompleteSetupRequest,
    ) -> Result<CompleteSetupResponse> {
        setup::complete(tx, request)
    }

    fn find_password(
        &self, view: &View, request: FindPasswordRequest,
    ) -> Result<FindPasswordResponse> {
        passwords::find(view, request)
    }

    fn record_attempt(
        &self, tx: &mut Tx, request: RecordAttemptRequest,
    ) -> Result<RecordAttemptResponse> {
        passwords::record(tx, request)
    }

    fn store_password(
        &self, tx: &mut Tx, request: StorePasswordRequest,
    ) -> Result<StorePasswordResponse> {
        passwords::store(tx, &request)
    }

    fn store_api_key(
        &self, tx: &mut Tx, request: StoreApiKeyRequest,
    ) -> Result<StoreApiKeyResponse> {
        keys::store(tx, request)
    }

    fn record_use(&self, tx: &mut Tx, request: RecordUseRequest) -> Result<RecordUseResponse> {
        sessions::record_use(tx, &request)
    }

    fn delete_expired(
        &self, tx: &mut Tx, _: DeleteExpiredRequest,
    ) -> Result<DeleteExpiredResponse> {
        crate::store::delete_expired(tx)?;
        Ok(DeleteExpiredResponse {})
    }
}

/// Refuses a change of somebody else's row to a caller without the permission for it.
fn may_change(view: &View, owner: &str, permission: &str) -> Result<()> {
    let own = view.caller().owner() == Some(owner);
    if own || view.is_nested() || view.caller().may(permission) {
        return Ok(());
    }
    Err(Reason::NotYours.because(format!("this takes the permission `{permission}`")))
}

/// Refuses to hand out permissions that the caller does not have.
fn has_all(view: &View, permissions: &[String]) -> Result<()> {
    let has = |one: &String| view.registry().may_hand_on(view.caller(), one);
    match permissions.iter().find(|one| !has(one)) {
        None => Ok(()),
        Some(one) => Err(Reason::Escalation.because(format!("you do not have `{one}` yourself"))),
    }
}
