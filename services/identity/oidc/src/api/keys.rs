//! Keys that sign. Whatever takes long, as an RSA key does, is made outside of commits.

use stoa_kit::{Ctx, JobOptions, Result, Tx, View};
use stoa_oidc_v1::*;

use crate::{crypto, model, store};

/// Makes a key and keeps it: none where it was to be the first, and is not.
pub(super) async fn make_one(
    ctx: &Ctx, algorithm: SigningAlgorithm, only_first: bool,
) -> Result<Option<SigningKey>> {
    let seed = ctx.secret("signing key");
    let made = ctx.compute(move || crypto::make(algorithm, seed)).await??;
    let store = StoreSigningKeyRequest {
        algorithm: algorithm.into(),
        private_key: made.private.to_vec(),
        public_jwk: made.public_jwk,
        only_first,
    };
    Ok(ctx.call(store).await?.signing_key.into_option())
}

pub(super) async fn rotate(
    ctx: Ctx, request: RotateSigningKeyRequest,
) -> Result<RotateSigningKeyResponse> {
    let algorithm = model::algorithm(request.algorithm.as_known());
    Ok(RotateSigningKeyResponse { signing_key: make_one(&ctx, algorithm, false).await?.into() })
}

pub(super) async fn make(
    ctx: Ctx, request: MakeSigningKeyRequest,
) -> Result<MakeSigningKeyResponse> {
    make_one(&ctx, model::algorithm(request.algorithm.as_known()), false).await?;
    Ok(MakeSigningKeyResponse {})
}

pub(super) fn store(
    tx: &mut Tx, request: StoreSigningKeyRequest,
) -> Result<StoreSigningKeyResponse> {
    let algorithm = model::algorithm(request.algorithm.as_known());
    if request.only_first && store::keys::has(tx, algorithm)? {
        return Ok(StoreSigningKeyResponse::default());
    }
    let key = store::keys::keep(tx, algorithm, &request.private_key, request.public_jwk)?;
    tx.emit(&SigningKeyRotated { key_id: key.id.clone() });
    Ok(StoreSigningKeyResponse { signing_key: key.into() })
}

pub(super) fn rotate_due(tx: &mut Tx, _: RotateDueKeysRequest) -> Result<RotateDueKeysResponse> {
    for algorithm in store::keys::take_due(tx)? {
        let dedupe = Some(crypto::name(algorithm).to_owned());
        let job = MakeSigningKeyRequest { algorithm: algorithm.into() };
        tx.enqueue(&job, JobOptions { dedupe, ..JobOptions::default() })?;
    }
    store::keys::sweep(tx)?;
    Ok(RotateDueKeysResponse {})
}

pub(super) fn list(
    view: &View, request: ListSigningKeysRequest,
) -> Result<ListSigningKeysResponse> {
    let (signing_keys, next_page_token) = view.list_all::<SigningKey>("id").page(&request)?;
    Ok(ListSigningKeysResponse { signing_keys, next_page_token })
}
