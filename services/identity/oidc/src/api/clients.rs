//! Clients: the applications that people sign in to.

use stoa_kit::{Ctx, Reason as _, Result, Tx, View};
use stoa_oidc_v1::*;

use super::keys;
use crate::{model, store};

pub(crate) async fn create(ctx: Ctx, request: CreateClientRequest) -> Result<CreateClientResponse> {
    create_as(&ctx, request, false).await
}

/// Makes an application known, which nobody in particular may have asked for.
pub(crate) async fn create_as(
    ctx: &Ctx, request: CreateClientRequest, registered: bool,
) -> Result<CreateClientResponse> {
    let client = Client { registered, ..model::client(request)? };
    let secret = match model::is_public(&client) || !client.jwks.is_empty() {
        true => String::new(),
        false => model::secret(ctx.secret("client")),
    };
    let secret_hash = if secret.is_empty() { Vec::new() } else { model::hash(&secret) };
    let algorithm = model::algorithm(client.id_token_algorithm.as_known());
    let kept = ctx.call(StoreClientRequest { client: client.into(), secret_hash }).await?;
    if kept.wants_key {
        keys::make_one(ctx, algorithm, true).await?;
    }
    Ok(CreateClientResponse { client: kept.client, secret })
}

pub(super) fn store(tx: &mut Tx, request: StoreClientRequest) -> Result<StoreClientResponse> {
    let StoreClientRequest { client, secret_hash } = request;
    let client = Client { id: tx.new_id("cli"), ..client.into_option().unwrap_or_default() };
    let client = tx.add_with(client, "secret_hash", (secret_hash.as_slice(),))?;
    tx.emit(&ClientCreated { client_id: client.id.clone() });
    let algorithm = model::algorithm(client.id_token_algorithm.as_known());
    let wants_key = !store::keys::has(tx, algorithm)?;
    Ok(StoreClientResponse { client: client.into(), wants_key })
}

pub(super) fn get(view: &View, request: GetClientRequest) -> Result<GetClientResponse> {
    Ok(GetClientResponse { client: view.load::<Client>(&request.id)?.into() })
}

pub(super) fn batch_get(
    view: &View, request: BatchGetClientsRequest,
) -> Result<BatchGetClientsResponse> {
    Ok(BatchGetClientsResponse { clients: view.load_many(&request.ids)? })
}

pub(super) fn list(view: &View, request: ListClientsRequest) -> Result<ListClientsResponse> {
    let (clients, next_page_token) = view.list::<Client>("name, id").page(&request)?;
    Ok(ListClientsResponse { clients, next_page_token })
}

pub(super) fn update(tx: &mut Tx, request: UpdateClientRequest) -> Result<UpdateClientResponse> {
    let mut client = tx.load::<Client>(&request.id)?;
    request.apply(&mut client)?;
    model::check(&client)?;
    let client = tx.save(client)?;
    tx.emit(&ClientUpdated { client_id: client.id.clone() });
    Ok(UpdateClientResponse { client: client.into() })
}

pub(super) fn delete(tx: &mut Tx, request: DeleteClientRequest) -> Result<DeleteClientResponse> {
    let client = tx.load::<Client>(&request.id)?;
    store::delete_client(tx, &client.id)?;
    tx.emit(&ClientDeleted { client_id: client.id });
    Ok(DeleteClientResponse {})
}

pub(super) async fn rotate_secret(
    ctx: Ctx, request: RotateClientSecretRequest,
) -> Result<RotateClientSecretResponse> {
    let secret = model::secret(ctx.secret("client"));
    let (client_id, secret_hash) = (request.id, model::hash(&secret));
    let kept = ctx.call(StoreClientSecretRequest { client_id, secret_hash }).await?;
    Ok(RotateClientSecretResponse { client: kept.client, secret })
}

pub(super) fn store_secret(
    tx: &mut Tx, request: StoreClientSecretRequest,
) -> Result<StoreClientSecretResponse> {
    let client = tx.load::<Client>(&request.client_id)?;
    if model::is_public(&client) {
        return Err(Reason::InvalidClientMetadata.because("a public application has no secret"));
    }
    if !client.jwks.is_empty() {
        let message = "an application that has keys has no secret";
        return Err(Reason::InvalidClientMetadata.because(message));
    }
    let client = tx.save_with(client, "secret_hash", (request.secret_hash.as_slice(),))?;
    tx.emit(&ClientSecretRotated { client_id: client.id.clone() });
    Ok(StoreClientSecretResponse { client: client.into() })
}
