//! The paths and words of Vault's transit engine, for clients that were written for it.
//!
//! Each request is one of the contract's: it is held to the same rules, takes the same permission, and
//! comes to the same. Only names and shapes are Vault's.

mod words;

use serde_json::{Value, json};
use stoa_kit::v1::{HttpHeader, HttpRequest, HttpResponse};
use stoa_kit::{Code, Ctx, Error, Manners, Reason as _, Result};
use stoa_secrets_v1::*;

use super::{keys, transit};
use words::{Body, Item};

/// Where clients find it: their address of Vault ends before `/v1`.
pub(crate) const PREFIX: &str = "/vault/v1/transit";
/// The largest request.
pub(crate) const BODY_MAX: usize = 4 << 20;
/// How clients of Vault send a token, and read a refusal.
pub(crate) const MANNERS: Manners = Manners { token: Some("x-vault-token"), refuse };

/// Keys that a list shows at once.
const PAGE: i32 = 1_000;

/// What is answered: a status, and data where there is some.
type Answer = (i32, Value);
/// What came of each item.
type Outcomes = Vec<Result<Value, Failure>>;

pub(super) async fn serve(ctx: Ctx, request: ServeVaultRequest) -> Result<ServeVaultResponse> {
    let http = request.http.into_option().unwrap_or_default();
    let http = match answer(&ctx, &http).await {
        Ok((status, data)) if data.is_null() => said(status, &data),
        Ok((status, data)) => said(status, &json!({"data": data})),
        Err(error) => refuse(&error),
    };
    Ok(ServeVaultResponse { http: http.into() })
}

async fn answer(ctx: &Ctx, http: &HttpRequest) -> Result<Answer> {
    let path = http.path.strip_prefix(PREFIX).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let verb = match &*http.method {
        "GET" if http.query.split('&').any(|pair| pair == "list=true") => "LIST",
        "PUT" => "POST",
        verb => verb,
    };
    let body = Body::read(&http.body)?;
    let own = body.fields();
    match (verb, &*parts) {
        ("LIST", ["keys"]) => list(ctx).await,
        ("GET", ["keys", name]) => {
            let reply = ctx.call(ctx.admit(GetKeyRequest { name: (*name).into() })?).await?;
            Ok((200, words::key(&reply.key)))
        }
        ("POST", ["keys", name]) => {
            let request = ctx.admit(create(name, &own)?)?;
            Ok((200, words::key(&keys::create(ctx.clone(), request).await?.key)))
        }
        ("DELETE", ["keys", name]) => {
            ctx.call(ctx.admit(DeleteKeyRequest { name: (*name).into() })?).await?;
            Ok((204, Value::Null))
        }
        ("POST", ["keys", name, "config"]) => {
            let reply = ctx.call(ctx.admit(update(name, &own)?)?).await?;
            Ok((200, words::key(&reply.key)))
        }
        ("POST", ["keys", name, "rotate"]) => {
            let request = ctx.admit(RotateKeyRequest { name: (*name).into() })?;
            Ok((200, words::key(&keys::rotate(ctx.clone(), request).await?.key)))
        }
        ("POST", ["encrypt", name]) => told(&body, encrypt(ctx, name, &body).await?),
        ("POST", ["decrypt", name]) => told(&body, decrypt(ctx, name, &body).await?),
        ("POST", ["rewrap", name]) => told(&body, rewrap(ctx, name, &body).await?),
        ("POST", ["datakey", how @ ("plaintext" | "wrapped"), name]) => {
            data_key(ctx, name, *how == "wrapped", &own).await
        }
        ("POST", ["hmac", name]) => {
            told(&body, hmac(ctx, name, own.text("algorithm")?, &body).await?)
        }
        ("POST", ["hmac", name, hash]) => told(&body, hmac(ctx, name, hash, &body).await?),
        ("POST", ["sign", name]) => {
            told(&body, sign(ctx, name, own.text("hash_algorithm")?, &body).await?)
        }
        ("POST", ["sign", name, hash]) => told(&body, sign(ctx, name, hash, &body).await?),
        ("POST", ["verify", name]) => {
            told(&body, verify(ctx, name, own.text("hash_algorithm")?, &body).await?)
        }
        ("POST", ["verify", name, hash]) => told(&body, verify(ctx, name, hash, &body).await?),
        _ => Err(Reason::UnknownPath.because(format!("there is no {verb} of `{path}`"))),
    }
}

async fn list(ctx: &Ctx) -> Result<Answer> {
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListKeysRequest { page_size: PAGE, page_token };
        let reply = ctx.call(ctx.admit(request)?).await?;
        names.extend(reply.keys.into_iter().map(|key| key.name));
        page_token = reply.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    // Clients of Vault know an empty list by this.
    if names.is_empty() {
        Err(Error::not_found("key", "at all"))
    } else {
        Ok((200, json!({"keys": names})))
    }
}

fn create(name: &str, of: &Item<'_>) -> Result<CreateKeyRequest> {
    Ok(CreateKeyRequest {
        name: name.into(),
        r#type: words::kind(of.text("type")?)?.into(),
        derived: of.truth("derived")?.unwrap_or_default(),
        convergent_encryption: of.truth("convergent_encryption")?.unwrap_or_default(),
        exportable: of.truth("exportable")?.unwrap_or_default(),
    })
}

fn update(name: &str, of: &Item<'_>) -> Result<UpdateKeyRequest> {
    let mut request = UpdateKeyRequest {
        name: name.into(),
        min_decryption_version: of.number("min_decryption_version")?,
        min_encryption_version: of.number("min_encryption_version")?,
        deletion_allowed: of.truth("deletion_allowed")?.unwrap_or_default(),
        exportable: of.truth("exportable")?.unwrap_or_default(),
        ..UpdateKeyRequest::default()
    };
    let all =
        ["min_decryption_version", "min_encryption_version", "deletion_allowed", "exportable"];
    let named = all.iter().filter(|name| of.has(name)).map(|name| (*name).to_owned());
    request.update_mask.get_or_insert_default().paths = named.collect();
    Ok(request)
}

async fn encrypt(ctx: &Ctx, name: &str, body: &Body) -> Result<Outcomes> {
    let item = |of: Item<'_>| {
        Ok(EncryptItem {
            plaintext: of.bytes("plaintext")?,
            context: of.bytes("context")?,
            associated_data: of.bytes("associated_data")?,
            key_version: of.number("key_version")?,
        })
    };
    let items = body.items()?.map(item).collect::<Result<_>>()?;
    let request = ctx.admit(EncryptRequest { name: name.into(), items })?;
    Ok(encrypted(transit::encrypt(ctx.clone(), request).await?.results))
}

async fn decrypt(ctx: &Ctx, name: &str, body: &Body) -> Result<Outcomes> {
    let item = |of: Item<'_>| {
        Ok(DecryptItem {
            ciphertext: of.text("ciphertext")?.into(),
            context: of.bytes("context")?,
            associated_data: of.bytes("associated_data")?,
        })
    };
    let items = body.items()?.map(item).collect::<Result<_>>()?;
    let reply = ctx.call(ctx.admit(DecryptRequest { name: name.into(), items })?).await?;
    let each = reply.results.into_iter().filter_map(|result| result.outcome);
    let each = each.map(|outcome| match outcome {
        DecryptedOutcome::Plaintext(text) => Ok(json!({"plaintext": words::base64(&text)})),
        DecryptedOutcome::Failure(failure) => Err(failure),
    });
    Ok(each.collect())
}

async fn rewrap(ctx: &Ctx, name: &str, body: &Body) -> Result<Outcomes> {
    let item = |of: Item<'_>| {
        Ok(RewrapItem {
            ciphertext: of.text("ciphertext")?.into(),
            context: of.bytes("context")?,
            associated_data: of.bytes("associated_data")?,
            key_version: of.number("key_version")?,
        })
    };
    let items = body.items()?.map(item).collect::<Result<_>>()?;
    let request = ctx.admit(RewrapRequest { name: name.into(), items })?;
    Ok(encrypted(transit::rewrap(ctx.clone(), request).await?.results))
}

fn encrypted(results: Vec<Encrypted>) -> Outcomes {
    let each = results.into_iter().filter_map(|result| result.outcome);
    let each = each.map(|outcome| match outcome {
        EncryptedOutcome::Ciphertext(text) => Ok(words::versioned("ciphertext", text)),
        EncryptedOutcome::Failure(failure) => Err(failure),
    });
    each.collect()
}

async fn data_key(ctx: &Ctx, name: &str, wrapped: bool, of: &Item<'_>) -> Result<Answer> {
    of.no_nonce()?;
    let (bits, context) = (of.number("bits")?, of.bytes("context")?);
    let request = GenerateDataKeyRequest { name: name.into(), bits, context, wrapped };
    let reply = transit::generate_data_key(ctx.clone(), ctx.admit(request)?).await?;
    let mut data = words::versioned("ciphertext", reply.ciphertext);
    if !wrapped {
        data["plaintext"] = words::base64(&reply.plaintext).into();
    }
    Ok((200, data))
}

async fn hmac(ctx: &Ctx, name: &str, hash: &str, body: &Body) -> Result<Outcomes> {
    let item = |of: Item<'_>| {
        Ok(HmacItem { input: of.bytes("input")?, key_version: of.number("key_version")? })
    };
    let (name, hash) = (name.into(), words::hash(hash)?.into());
    let items = body.items()?.map(item).collect::<Result<_>>()?;
    let reply = ctx.call(ctx.admit(ComputeHmacRequest { name, items, hash })?).await?;
    let each = reply.results.into_iter().filter_map(|result| result.outcome);
    let each = each.map(|outcome| match outcome {
        AuthenticatedOutcome::Hmac(hmac) => Ok(json!({"hmac": hmac})),
        AuthenticatedOutcome::Failure(failure) => Err(failure),
    });
    Ok(each.collect())
}

async fn sign(ctx: &Ctx, name: &str, hash: &str, body: &Body) -> Result<Outcomes> {
    let item = |of: Item<'_>| {
        Ok(SignItem {
            input: of.bytes("input")?,
            context: of.bytes("context")?,
            key_version: of.number("key_version")?,
        })
    };
    let (name, hash) = (name.into(), words::hash(hash)?.into());
    let prehashed = words::prehashed(&body.fields())?;
    let items = body.items()?.map(item).collect::<Result<_>>()?;
    let reply = ctx.call(ctx.admit(SignRequest { name, items, hash, prehashed })?).await?;
    let each = reply.results.into_iter().filter_map(|result| result.outcome);
    let each = each.map(|outcome| match outcome {
        SignedOutcome::Signature(signature) => Ok(words::versioned("signature", signature)),
        SignedOutcome::Failure(failure) => Err(failure),
    });
    Ok(each.collect())
}

async fn verify(ctx: &Ctx, name: &str, hash: &str, body: &Body) -> Result<Outcomes> {
    let item = |of: Item<'_>| {
        let proof = match of.text("hmac")? {
            "" => VerifyItemProof::Signature(of.text("signature")?.into()),
            hmac => VerifyItemProof::Hmac(hmac.into()),
        };
        let (input, context) = (of.bytes("input")?, of.bytes("context")?);
        Ok(VerifyItem { input, context, proof: Some(proof) })
    };
    let (name, hash) = (name.into(), words::hash(hash)?.into());
    let prehashed = words::prehashed(&body.fields())?;
    let items = body.items()?.map(item).collect::<Result<_>>()?;
    let reply = ctx.call(ctx.admit(VerifyRequest { name, items, hash, prehashed })?).await?;
    let each = reply.results.into_iter().filter_map(|result| result.outcome);
    let each = each.map(|outcome| match outcome {
        VerifiedOutcome::Valid(valid) => Ok(json!({"valid": valid})),
        VerifiedOutcome::Failure(failure) => Err(failure),
    });
    Ok(each.collect())
}

/// What is answered where items came to something: of one, that or an error; of a batch all of it, and
/// that some of it failed.
fn told(body: &Body, mut outcomes: Outcomes) -> Result<Answer> {
    if !body.is_batch() {
        let one = outcomes.pop().ok_or_else(|| Error::internal("nothing came of an item"))?;
        return match one {
            Ok(data) => Ok((200, data)),
            Err(failure) => Err(Error::new(Code::InvalidArgument, failure.reason, failure.message)),
        };
    }
    let status = if outcomes.iter().all(Result::is_ok) { 200 } else { 400 };
    let each = outcomes.into_iter().map(|outcome| match outcome {
        Ok(data) => data,
        Err(failure) => json!({"error": failure.message}),
    });
    Ok((status, json!({"batch_results": each.collect::<Vec<_>>()})))
}

/// An error, as Vault says one.
fn refuse(error: &Error) -> HttpResponse {
    let status = match error.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => {
            400
        }
        Code::NotFound => 404,
        Code::PermissionDenied | Code::Unauthenticated => 403,
        Code::ResourceExhausted => 429,
        Code::Unavailable => 503,
        _ => 500,
    };
    let mut errors = vec![error.message().to_owned()];
    errors.extend(error.violations().iter().map(|one| format!("{} {}", one.path, one.message)));
    errors.push(error.next().to_owned());
    errors.retain(|text| !text.is_empty());
    said(status, &json!({"errors": errors}))
}

fn said(status: i32, body: &Value) -> HttpResponse {
    let json = HttpHeader { name: "content-type".into(), value: "application/json".into() };
    let (headers, body) = match body {
        Value::Null => (Vec::new(), Vec::new()),
        body => (vec![json], body.to_string().into_bytes()),
    };
    HttpResponse { status, headers, body }
}
