//! Keys: what they are for and allow, never what they are.

use stoa_kit::{Ctx, Reason as _, Result, Tx, View};
use stoa_secrets_v1::*;

use crate::model;
use crate::store::keys as store;

pub(super) async fn create(ctx: Ctx, request: CreateKeyRequest) -> Result<CreateKeyResponse> {
    model::check(&request)?;
    let secret = ctx.secret::<32>("key").to_vec();
    let store = StoreKeyRequest { key: request.into(), secret };
    Ok(CreateKeyResponse { key: ctx.call(store).await?.key })
}

pub(super) fn store(tx: &mut Tx, request: StoreKeyRequest) -> Result<StoreKeyResponse> {
    let StoreKeyRequest { key, secret } = request;
    let CreateKeyRequest { name, r#type, derived, convergent_encryption, exportable } =
        key.into_option().unwrap_or_default();
    let mut key = Key {
        name,
        r#type: model::kind(r#type).into(),
        derived,
        convergent_encryption,
        exportable,
        min_decryption_version: 1,
        ..Key::default()
    };
    key.versions = vec![store::next_version(tx, &key, &secret)?];
    key.latest_version = 1;
    let name = key.name.clone();
    let Some(key) = tx.add_new(key, "name")? else {
        return Err(Reason::KeyExists.because(format!("there is a key `{name}` already")));
    };
    store::keep_secret(tx, &key, &secret)?;
    tx.emit(&KeyCreated { name });
    Ok(StoreKeyResponse { key: key.into() })
}

pub(super) async fn rotate(ctx: Ctx, request: RotateKeyRequest) -> Result<RotateKeyResponse> {
    let secret = ctx.secret::<32>("key").to_vec();
    let store = StoreKeyVersionRequest { name: request.name, secret };
    Ok(RotateKeyResponse { key: ctx.call(store).await?.key })
}

pub(super) fn store_version(
    tx: &mut Tx, request: StoreKeyVersionRequest,
) -> Result<StoreKeyVersionResponse> {
    let mut key = tx.load::<Key>(&request.name)?;
    let version = store::next_version(tx, &key, &request.secret)?;
    key.latest_version = version.version;
    key.versions.push(version);
    store::keep_secret(tx, &key, &request.secret)?;
    let key = tx.save(key)?;
    tx.emit(&KeyRotated { name: request.name, version: key.latest_version });
    Ok(StoreKeyVersionResponse { key: key.into() })
}

pub(super) fn get(view: &View, request: GetKeyRequest) -> Result<GetKeyResponse> {
    Ok(GetKeyResponse { key: view.load::<Key>(&request.name)?.into() })
}

pub(super) fn batch_get(view: &View, request: BatchGetKeysRequest) -> Result<BatchGetKeysResponse> {
    Ok(BatchGetKeysResponse { keys: view.load_many(&request.ids)? })
}

pub(super) fn list(view: &View, request: ListKeysRequest) -> Result<ListKeysResponse> {
    let (keys, next_page_token) = view.list::<Key>("name").page(&request)?;
    Ok(ListKeysResponse { keys, next_page_token })
}

pub(super) fn update(tx: &mut Tx, request: UpdateKeyRequest) -> Result<UpdateKeyResponse> {
    let before = tx.load::<Key>(&request.name)?;
    let mut key = before.clone();
    request.apply(&mut key)?;
    model::check_change(&before, &key)?;
    let key = tx.save(key)?;
    tx.emit(&KeyUpdated { name: key.name.clone() });
    Ok(UpdateKeyResponse { key: key.into() })
}

pub(super) fn delete(tx: &mut Tx, request: DeleteKeyRequest) -> Result<DeleteKeyResponse> {
    let DeleteKeyRequest { name } = request;
    if !tx.load::<Key>(&name)?.deletion_allowed {
        return Err(Reason::DeletionNotAllowed.because(format!("`{name}` is not to be deleted")));
    }
    store::destroy_key(tx, &name)?;
    tx.emit(&KeyDeleted { name });
    Ok(DeleteKeyResponse {})
}
