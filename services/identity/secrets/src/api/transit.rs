//! Encryption as a service: each item of a request comes to something by itself.

use aes_gcm::aead::Payload;
use stoa_kit::{Code, Ctx, Error, Result, View};
use stoa_secrets_v1::*;

use crate::crypto::{self, Input, Nonces, Signer};
use crate::model;
use crate::store::keys::Opened;

pub(super) async fn encrypt(ctx: Ctx, request: EncryptRequest) -> Result<EncryptResponse> {
    let chance = ctx.secret::<32>("nonces").to_vec();
    let items = EncryptItemsRequest { request: request.into(), chance };
    Ok(EncryptResponse { results: ctx.call(items).await?.results })
}

pub(super) fn encrypt_items(
    view: &View, request: EncryptItemsRequest,
) -> Result<EncryptItemsResponse> {
    let EncryptItemsRequest { request, chance } = request;
    let EncryptRequest { name, items } = request.into_option().unwrap_or_default();
    let mut key = Opened::load(view, &name)?;
    model::check_encrypts(&key.row)?;
    let each = items.iter().enumerate().map(|(place, item)| {
        let text = Payload { msg: &item.plaintext, aad: &item.associated_data };
        let outcome = seal(&mut key, item.key_version, &item.context, (&chance, place), text);
        encrypted(outcome)
    });
    Ok(EncryptItemsResponse { results: each.collect::<Result<_>>()? })
}

pub(super) fn decrypt(view: &View, request: DecryptRequest) -> Result<DecryptResponse> {
    let mut key = Opened::load(view, &request.name)?;
    model::check_encrypts(&key.row)?;
    let each = request.items.iter().map(|item| {
        let outcome = open(&mut key, &item.ciphertext, &item.context, &item.associated_data);
        let outcome = match of(outcome)? {
            Ok(plaintext) => DecryptedOutcome::Plaintext(plaintext),
            Err(failure) => DecryptedOutcome::Failure(failure),
        };
        Ok(Decrypted { outcome: Some(outcome) })
    });
    Ok(DecryptResponse { results: each.collect::<Result<_>>()? })
}

pub(super) async fn rewrap(ctx: Ctx, request: RewrapRequest) -> Result<RewrapResponse> {
    let chance = ctx.secret::<32>("nonces").to_vec();
    let items = RewrapItemsRequest { request: request.into(), chance };
    Ok(RewrapResponse { results: ctx.call(items).await?.results })
}

pub(super) fn rewrap_items(
    view: &View, request: RewrapItemsRequest,
) -> Result<RewrapItemsResponse> {
    let RewrapItemsRequest { request, chance } = request;
    let RewrapRequest { name, items } = request.into_option().unwrap_or_default();
    let mut key = Opened::load(view, &name)?;
    model::check_encrypts(&key.row)?;
    let each = items.iter().enumerate().map(|(place, item)| {
        let aad = &*item.associated_data;
        let text = open(&mut key, &item.ciphertext, &item.context, aad);
        encrypted(text.and_then(|msg| {
            let text = Payload { msg: &msg, aad };
            seal(&mut key, item.key_version, &item.context, (&chance, place), text)
        }))
    });
    Ok(RewrapItemsResponse { results: each.collect::<Result<_>>()? })
}

pub(super) async fn generate_data_key(
    ctx: Ctx, request: GenerateDataKeyRequest,
) -> Result<GenerateDataKeyResponse> {
    let GenerateDataKeyRequest { name, bits, context, wrapped } = request;
    let length = if bits == 0 { 32 } else { bits.unsigned_abs() as usize / 8 };
    let plaintext = ctx.secret::<64>("data key")[..length].to_vec();
    let item = EncryptItem { plaintext: plaintext.clone(), context, ..EncryptItem::default() };
    let request = EncryptRequest { name, items: vec![item] };
    let chance = ctx.secret::<32>("nonces").to_vec();
    let items = EncryptItemsRequest { request: request.into(), chance };
    let sealed = ctx.call(items).await?.results.pop().and_then(|sealed| sealed.outcome);
    match sealed {
        Some(EncryptedOutcome::Ciphertext(ciphertext)) => {
            let plaintext = if wrapped { Vec::new() } else { plaintext };
            Ok(GenerateDataKeyResponse { plaintext, ciphertext })
        }
        Some(EncryptedOutcome::Failure(failure)) => {
            let Failure { reason, message, next } = failure;
            Err(Error::new(Code::InvalidArgument, reason, message).help(next))
        }
        None => Err(Error::internal("nothing came of a text")),
    }
}

pub(super) fn sign(view: &View, request: SignRequest) -> Result<SignResponse> {
    let mut key = Opened::load(view, &request.name)?;
    let hash = request.hash.as_known().unwrap_or_default();
    let each = request.items.iter().map(|item| {
        let input = Input { bytes: &item.input, hash, prehashed: request.prehashed };
        let signature = signer(&mut key, item.key_version, &item.context)
            .and_then(|(version, by)| Ok(model::write(version, &by.sign(&input)?)));
        let outcome = match of(signature)? {
            Ok(signature) => SignedOutcome::Signature(signature),
            Err(failure) => SignedOutcome::Failure(failure),
        };
        Ok(Signed { outcome: Some(outcome) })
    });
    Ok(SignResponse { results: each.collect::<Result<_>>()? })
}

pub(super) fn verify(view: &View, request: VerifyRequest) -> Result<VerifyResponse> {
    let mut key = Opened::load(view, &request.name)?;
    let hash = request.hash.as_known().unwrap_or_default();
    let each = request.items.iter().map(|item| {
        let input = Input { bytes: &item.input, hash, prehashed: request.prehashed };
        let outcome = match of(is_good(&mut key, item, &input))? {
            Ok(valid) => VerifiedOutcome::Valid(valid),
            Err(failure) => VerifiedOutcome::Failure(failure),
        };
        Ok(Verified { outcome: Some(outcome) })
    });
    Ok(VerifyResponse { results: each.collect::<Result<_>>()? })
}

pub(super) fn compute_hmac(
    view: &View, request: ComputeHmacRequest,
) -> Result<ComputeHmacResponse> {
    let mut key = Opened::load(view, &request.name)?;
    let hash = request.hash.as_known().unwrap_or_default();
    let each = request.items.iter().map(|item| {
        let hmac = model::encrypting_version(&key.row, item.key_version).and_then(|version| {
            let mac = crypto::authenticate(key.secret(version)?, hash, &item.input)?;
            Ok(model::write(version, &mac))
        });
        let outcome = match of(hmac)? {
            Ok(hmac) => AuthenticatedOutcome::Hmac(hmac),
            Err(failure) => AuthenticatedOutcome::Failure(failure),
        };
        Ok(Authenticated { outcome: Some(outcome) })
    });
    Ok(ComputeHmacResponse { results: each.collect::<Result<_>>()? })
}

fn seal(
    key: &mut Opened<'_>, asked: i32, context: &[u8], (chance, place): (&[u8], usize),
    text: Payload<'_, '_>,
) -> Result<String> {
    model::check_context(&key.row, context)?;
    let version = model::encrypting_version(&key.row, asked)?;
    let nonces = match key.row.convergent_encryption {
        true => Nonces::Convergent,
        false => Nonces::Drawn(chance, place),
    };
    let kind = model::kind(key.row.r#type);
    let sealed = crypto::encrypt(kind, key.secret(version)?, context, &nonces, text)?;
    Ok(model::write(version, &sealed))
}

fn open(
    key: &mut Opened<'_>, ciphertext: &str, context: &[u8], associated: &[u8],
) -> Result<Vec<u8>> {
    model::check_context(&key.row, context)?;
    let (version, sealed) = model::read(ciphertext)?;
    model::check_version(&key.row, version)?;
    let kind = model::kind(key.row.r#type);
    let text = crypto::decrypt(kind, key.secret(version)?, context, &sealed, associated)?;
    text.ok_or_else(model::not_opened)
}

fn signer(key: &mut Opened<'_>, asked: i32, context: &[u8]) -> Result<(i32, Signer)> {
    let version = model::encrypting_version(&key.row, asked)?;
    Ok((version, signer_of(key, version, context)?))
}

fn signer_of(key: &mut Opened<'_>, version: i32, context: &[u8]) -> Result<Signer> {
    model::check_context(&key.row, context)?;
    let kind = model::kind(key.row.r#type);
    let signer = Signer::of(kind, key.secret(version)?, context)?;
    signer.ok_or_else(|| model::wrong_type(&key.row, "signs nothing"))
}

fn is_good(key: &mut Opened<'_>, item: &VerifyItem, input: &Input<'_>) -> Result<bool> {
    let (hmac, proof) = match &item.proof {
        Some(VerifyItemProof::Hmac(hmac)) => (true, hmac.as_str()),
        Some(VerifyItemProof::Signature(signature)) => (false, signature.as_str()),
        None => (false, ""),
    };
    let (version, proof) = model::read(proof)?;
    model::check_version(&key.row, version)?;
    if hmac {
        let mac = crypto::authenticate(key.secret(version)?, input.hash, input.bytes)?;
        return Ok(crypto::equal(&mac, &proof));
    }
    Ok(signer_of(key, version, &item.context)?.verify(input, &proof))
}

fn encrypted(outcome: Result<String>) -> Result<Encrypted> {
    let outcome = match of(outcome)? {
        Ok(ciphertext) => EncryptedOutcome::Ciphertext(ciphertext),
        Err(failure) => EncryptedOutcome::Failure(failure),
    };
    Ok(Encrypted { outcome: Some(outcome) })
}

/// What came of an item: what is wrong with it is its own, anything else the whole call's.
fn of<T>(outcome: Result<T>) -> Result<Result<T, Failure>> {
    match outcome {
        Err(error) if error.code() == Code::InvalidArgument => {
            let (reason, message) = (error.reason().to_owned(), error.message().to_owned());
            Ok(Err(Failure { reason, message, next: error.next().to_owned() }))
        }
        outcome => outcome.map(Ok),
    }
}
