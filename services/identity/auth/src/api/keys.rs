//! API keys and the service accounts that hold them.

use stoa_auth_v1::{
    ApiKey, BatchGetServiceAccountsRequest, BatchGetServiceAccountsResponse, CreateApiKeyRequest,
    CreateApiKeyResponse, CreateServiceAccountRequest, CreateServiceAccountResponse,
    DeleteServiceAccountRequest, DeleteServiceAccountResponse, GetServiceAccountRequest,
    GetServiceAccountResponse, ListApiKeysRequest, ListApiKeysResponse, ListServiceAccountsRequest,
    ListServiceAccountsResponse, Reason, RevokeApiKeyRequest, RevokeApiKeyResponse, Role,
    ServiceAccount, StoreApiKeyRequest, StoreApiKeyResponse,
};
use stoa_kit::{Ctx, Error, Micros, Reason as _, Resource as _, Result, Tx, View};

use super::{has_all, may_change, roles};
use crate::{model, store, token};

/// Whoever was granted this creates keys for service accounts.
const CREATE_KEY: &str = "auth.service_accounts.create_key";
/// Whoever was granted this revokes anybody's keys.
const REVOKE_ALL: &str = "auth.api_keys.revoke_all";

pub(super) async fn create(ctx: Ctx, request: CreateApiKeyRequest) -> Result<CreateApiKeyResponse> {
    let token = token::write(token::KEY, &ctx.caller().tenant, &ctx.secret::<32>("token"));
    let request = StoreApiKeyRequest { key: request.into(), token_hash: token::hash(&token) };
    let api_key = ctx.call(request).await?.api_key;
    Ok(CreateApiKeyResponse { token, api_key })
}

pub(super) fn store(tx: &mut Tx, request: StoreApiKeyRequest) -> Result<StoreApiKeyResponse> {
    let key = request.key.into_option().unwrap_or_default();
    let owner = owner(tx, &key.service_account_id)?;
    has_all(tx, &key.permissions)?;
    let expire_time = expiry(tx, &key)?.timestamp();
    let CreateApiKeyRequest { name, permissions, .. } = key;
    let Role { permissions, .. } = roles::role_of(permissions);
    let id = tx.new_id("key");
    let key = ApiKey { id, owner, name, permissions, expire_time, ..ApiKey::default() };
    let api_key = tx.add_with(key, "token_hash", (request.token_hash,))?;
    Ok(StoreApiKeyResponse { api_key: api_key.into() })
}

/// Whose a new key will be.
fn owner(view: &View, service_account_id: &str) -> Result<String> {
    if service_account_id.is_empty() {
        return Ok(view.user()?.to_owned());
    }
    if !view.caller().may(CREATE_KEY) {
        let message = format!("a key of a service account takes the permission `{CREATE_KEY}`");
        return Err(Reason::NotYours.because(message));
    }
    match store::is_service_account(view, service_account_id)? {
        true => Ok(service_account_id.to_owned()),
        false => Err(Error::not_found("service account", service_account_id)),
    }
}

fn expiry(view: &View, key: &CreateApiKeyRequest) -> Result<Micros> {
    let (now, latest) = (view.now(), latest(view, key)?);
    let Some(asked) = key.expire_time.as_option().map(Micros::of) else {
        return Ok(now.after(model::KEY_LIFE_DEFAULT).min(latest));
    };
    if asked <= now || asked > latest {
        let message = "must lie in the future, not beyond 400 days, and not beyond the end of what \
                       you call with";
        return Err(Error::field("expire_time", "timestamp.within", message));
    }
    Ok(asked)
}

/// The latest time for a new key to end. Were it later than the end of what it is made with, a
/// token that leaked could be made to last. A key of a service account is not its maker's own: in
/// a session, somebody who is there answers for it, and proves that they are.
fn latest(view: &View, new: &CreateApiKeyRequest) -> Result<Micros> {
    let credential = &view.caller().credential;
    let end = match store::key(view, credential)? {
        Some(key) => Some(Micros::of(&key.expire_time)),
        None if new.service_account_id.is_empty() => {
            store::session(view, credential)?.map(|session| Micros::of(&session.expire_time))
        }
        None => {
            view.step_up(model::KEY_STEP_UP)?;
            None
        }
    };
    let longest = view.now().after(model::KEY_LIFE_MAX);
    Ok(end.map_or(longest, |end| end.min(longest)))
}

pub(super) fn list(view: &View, request: ListApiKeysRequest) -> Result<ListApiKeysResponse> {
    let page = view.page(&request, 1)?;
    let mut api_keys = view
        .access::<ApiKey>()
        .list(&request.owner, |owner| store::keys(view, owner, page.after(), page.limit()))?;
    let next_page_token = page.cut(&mut api_keys, |key| vec![key.id.clone()])?;
    Ok(ListApiKeysResponse { api_keys, next_page_token })
}

pub(super) fn revoke(tx: &mut Tx, request: RevokeApiKeyRequest) -> Result<RevokeApiKeyResponse> {
    let key = tx.visible(store::key(tx, &request.id)?, &request.id)?;
    may_change(tx, &key.owner, REVOKE_ALL)?;
    store::revoke_key(tx, &key.id)?;
    tx.touch(ApiKey::TYPE, &key.id);
    Ok(RevokeApiKeyResponse {})
}

pub(super) fn create_service_account(
    tx: &mut Tx, request: CreateServiceAccountRequest,
) -> Result<CreateServiceAccountResponse> {
    let CreateServiceAccountRequest { name, description, .. } = request.clone();
    let id = tx.new_id("svc");
    let account = ServiceAccount { id, name, description, ..ServiceAccount::default() };
    let account = tx.add_new(account, "name")?.ok_or_else(|| {
        let message = format!("there is a service account called `{}`", request.name);
        Reason::ServiceAccountExists.because(message)
    })?;
    Ok(CreateServiceAccountResponse { service_account: account.into() })
}

pub(super) fn list_service_accounts(
    view: &View, request: ListServiceAccountsRequest,
) -> Result<ListServiceAccountsResponse> {
    let (service_accounts, next_page_token) = view.list_all("id").page(&request)?;
    Ok(ListServiceAccountsResponse { service_accounts, next_page_token })
}

pub(super) fn get_service_account(
    view: &View, request: GetServiceAccountRequest,
) -> Result<GetServiceAccountResponse> {
    let service_account: ServiceAccount = view.load(&request.id)?;
    Ok(GetServiceAccountResponse { service_account: service_account.into() })
}

pub(super) fn batch_get_service_accounts(
    view: &View, request: BatchGetServiceAccountsRequest,
) -> Result<BatchGetServiceAccountsResponse> {
    Ok(BatchGetServiceAccountsResponse { service_accounts: view.load_many(&request.ids)? })
}

pub(super) fn delete_service_account(
    tx: &mut Tx, request: DeleteServiceAccountRequest,
) -> Result<DeleteServiceAccountResponse> {
    if !store::delete_service_account(tx, &request.id)? {
        return Err(Error::not_found("service account", &request.id));
    }
    tx.touch("auth.service_account", &request.id);
    Ok(DeleteServiceAccountResponse {})
}
