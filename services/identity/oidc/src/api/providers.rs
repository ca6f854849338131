//! Other providers, with whose accounts people sign in here.

use stoa_kit::{Reason as _, Result, Tx, View};
use stoa_oidc_v1::*;

use crate::{model, store};

/// Providers that a sign-in page shows.
const SHOWN_MAX: i64 = 100;

pub(super) fn create(
    tx: &mut Tx, request: CreateProviderRequest,
) -> Result<CreateProviderResponse> {
    model::check_issuer(&request.issuer)?;
    if request.trusts_email {
        may_trust(tx)?;
    }
    if store::providers::is_known(tx, &request.issuer)? {
        return Err(Reason::IssuerTaken.because("there is a provider with this issuer"));
    }
    let provider = Provider {
        id: tx.new_id("prv"),
        display_name: request.display_name,
        issuer: request.issuer,
        client_id: request.client_id,
        scopes: model::provider_scopes(request.scopes)?,
        trusts_email: request.trusts_email,
        creates_accounts: request.creates_accounts,
        ..Provider::default()
    };
    let sealed = store::providers::seal(tx, &provider.id, &request.client_secret)?;
    let provider = tx.add_with(provider, "client_secret", (sealed.as_slice(),))?;
    tx.emit(&ProviderCreated { provider_id: provider.id.clone() });
    Ok(CreateProviderResponse { provider: provider.into() })
}

pub(super) fn get(view: &View, request: GetProviderRequest) -> Result<GetProviderResponse> {
    Ok(GetProviderResponse { provider: view.load::<Provider>(&request.id)?.into() })
}

pub(super) fn batch_get(
    view: &View, request: BatchGetProvidersRequest,
) -> Result<BatchGetProvidersResponse> {
    Ok(BatchGetProvidersResponse { providers: view.load_many(&request.ids)? })
}

pub(super) fn list(view: &View, request: ListProvidersRequest) -> Result<ListProvidersResponse> {
    let (providers, next_page_token) = view.list::<Provider>("display_name, id").page(&request)?;
    Ok(ListProvidersResponse { providers, next_page_token })
}

pub(super) fn update(
    tx: &mut Tx, request: UpdateProviderRequest,
) -> Result<UpdateProviderResponse> {
    let mut provider = tx.load::<Provider>(&request.id)?;
    let trusted = provider.trusts_email;
    request.apply(&mut provider)?;
    if provider.trusts_email && !trusted {
        may_trust(tx)?;
    }
    provider.scopes = model::provider_scopes(provider.scopes)?;
    let provider = tx.save(provider)?;
    tx.emit(&ProviderUpdated { provider_id: provider.id.clone() });
    Ok(UpdateProviderResponse { provider: provider.into() })
}

pub(super) fn set_secret(
    tx: &mut Tx, request: SetProviderSecretRequest,
) -> Result<SetProviderSecretResponse> {
    let provider = tx.load::<Provider>(&request.id)?;
    let sealed = store::providers::seal(tx, &provider.id, &request.client_secret)?;
    let provider = tx.save_with(provider, "client_secret", (sealed.as_slice(),))?;
    tx.emit(&ProviderUpdated { provider_id: provider.id });
    Ok(SetProviderSecretResponse {})
}

pub(super) fn delete(
    tx: &mut Tx, request: DeleteProviderRequest,
) -> Result<DeleteProviderResponse> {
    let provider = tx.load::<Provider>(&request.id)?;
    store::providers::delete(tx, &provider.id)?;
    tx.emit(&ProviderDeleted { provider_id: provider.id });
    Ok(DeleteProviderResponse {})
}

pub(super) fn shown(
    view: &View, _: ListSignInProvidersRequest,
) -> Result<ListSignInProvidersResponse> {
    let all = view.select::<Provider>(
        "SELECT {} FROM oidc_provider WHERE tenant = :tenant ORDER BY display_name, id LIMIT $1",
        (SHOWN_MAX,),
    )?;
    let shown = |provider: Provider| SignInProvider {
        path: format!("/oauth2/sign-in?provider={}", provider.id),
        provider_id: provider.id,
        display_name: provider.display_name,
    };
    Ok(ListSignInProvidersResponse { providers: all.into_iter().map(shown).collect() })
}

/// Refuses to have a provider believed about addresses to whoever found an open session: by way of one of their
/// own they would come to everybody's account.
fn may_trust(tx: &Tx) -> Result<()> {
    match tx.caller().user() {
        Some(_) => tx.step_up(model::TRUST_STEP_UP),
        None => Ok(()),
    }
}
