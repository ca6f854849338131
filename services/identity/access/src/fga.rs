//! The paths and words of OpenFGA, for clients that were written for it.
//!
//! Each request is one of the contract's: it is held to the same rules, takes the same permission, and
//! comes to the same. Only names and shapes are OpenFGA's. A tenant is one store: its identifier follows
//! from the tenant's name, so that a client of another one is told that there is no such store.

mod words;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stoa_access_v1::*;
use stoa_kit::v1::{HttpHeader, HttpRequest, HttpResponse};
use stoa_kit::{Code, Ctx, Error, Manners, Reason as _, Result};

use words::*;

/// Where clients find it: their address of the API ends with it.
pub(crate) const PREFIX: &str = "/fga";
/// The largest request.
pub(crate) const BODY_MAX: usize = 1 << 20;
/// How clients of OpenFGA read a refusal.
pub(crate) const MANNERS: Manners = Manners { token: None, refuse };

/// What a list asks for at once.
const PAGE: i32 = 1_000;

/// A status and what is said.
type Answer = (i32, Value);

pub(super) async fn serve(ctx: Ctx, request: ServeFgaRequest) -> Result<ServeFgaResponse> {
    let http = request.http.into_option().unwrap_or_default();
    let http = match answer(&ctx, &http).await {
        Ok((status, body)) => said(status, &body),
        Err(error) => refuse(&error),
    };
    Ok(ServeFgaResponse { http: http.into() })
}

async fn answer(ctx: &Ctx, http: &HttpRequest) -> Result<Answer> {
    let path = http.path.strip_prefix(PREFIX).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let tenant = ctx.caller().tenant.clone();
    let (verb, query, body) = (&*http.method, &*http.query, &*http.body);
    let within = match (verb, &*parts) {
        ("GET", ["stores"]) => {
            return Ok((200, json!({"stores": [store(ctx)], "continuation_token": ""})));
        }
        ("POST", ["stores"]) => return Ok((201, store(ctx))),
        (_, ["stores", id, within @ ..]) if *id == store_id(&tenant) => within,
        (_, ["stores", id, ..]) => return Err(Error::not_found("store", id)),
        _ => return Err(unknown(verb, path)),
    };
    match (verb, within) {
        ("GET", []) => Ok((200, store(ctx))),
        ("DELETE", []) => Err(Reason::OneStore.because("this store is the tenant's")),
        ("GET", ["authorization-models"]) => models(ctx, query).await,
        ("POST", ["authorization-models"]) => write_model(ctx, read(body)?).await,
        ("GET", ["authorization-models", id]) => {
            let request = ctx.admit(GetModelRequest { id: model_id(id)? })?;
            let model = ctx.call(request).await?.model;
            Ok((200, json!({"authorization_model": model_json(&model)?})))
        }
        ("POST", ["read"]) => relations(ctx, read(body)?).await,
        ("POST", ["write"]) => write(ctx, read(body)?).await,
        ("POST", ["check"]) => {
            let check = read::<Check>(body)?;
            let request = ctx.admit(check.request("")?)?;
            let allowed = ctx.call(request).await?.allowed;
            Ok((200, json!({"allowed": allowed, "resolution": ""})))
        }
        ("POST", ["batch-check"]) => batch(ctx, read(body)?).await,
        ("POST", ["list-objects"]) => {
            let objects = objects(ctx, read(body)?).await?;
            Ok((200, json!({"objects": objects})))
        }
        ("POST", ["streamed-list-objects"]) => {
            let objects = objects(ctx, read(body)?).await?.into_iter();
            let lines = objects.map(|object| json!({"result": {"object": object}}));
            Ok((200, Value::Array(lines.collect())))
        }
        ("POST", ["list-users"]) => users(ctx, read(body)?).await,
        _ => Err(unknown(verb, path)),
    }
}

fn unknown(verb: &str, path: &str) -> Error {
    Reason::UnknownPath.because(format!("there is no {verb} of `{path}`"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|error| Error::field("body", "json", format!("is not what is expected: {error}")))
}

/// The one store of a tenant.
fn store(ctx: &Ctx) -> Value {
    let tenant = &ctx.caller().tenant;
    // It was there before anybody asked.
    let since = "1970-01-01T00:00:00Z";
    json!({"id": store_id(tenant), "name": &**tenant, "created_at": since, "updated_at": since})
}

async fn models(ctx: &Ctx, query: &str) -> Result<Answer> {
    let (page_size, page_token) = page(query)?;
    let request = ctx.admit(ListModelsRequest { page_size, page_token })?;
    let reply = ctx.call(request).await?;
    let models = reply.models.iter().map(model_json).collect::<Result<Vec<_>>>()?;
    let next = reply.next_page_token;
    Ok((200, json!({"authorization_models": models, "continuation_token": next})))
}

async fn write_model(ctx: &Ctx, model: WrittenModel) -> Result<Answer> {
    let request = ctx.admit(WriteModelRequest { definition: model.definition()? })?;
    let id = ctx.call(request).await?.model.id.clone();
    Ok((201, json!({"authorization_model_id": ulid(&id)})))
}

async fn relations(ctx: &Ctx, read: Read) -> Result<Answer> {
    let key = read.tuple_key.unwrap_or_default();
    // A type alone stands for all of its objects.
    let (object, of) = match key.object.strip_suffix(':') {
        Some(_) => ("", &*key.object),
        None => (&*key.object, ""),
    };
    let request = ctx.admit(ListRelationsRequest {
        object: object.into(),
        user: key.user,
        relation: key.relation,
        page_size: read.page_size.unwrap_or_default(),
        page_token: read.continuation_token,
    })?;
    let reply = ctx.call(request).await?;
    let fits = reply.relations.iter().filter(|relation| relation.object.starts_with(of));
    let tuples: Vec<Value> = fits.map(tuple).collect();
    Ok((200, json!({"tuples": tuples, "continuation_token": reply.next_page_token})))
}

async fn write(ctx: &Ctx, write: Write) -> Result<Answer> {
    let (writes, deletes) = (write.writes.unwrap_or_default(), write.deletes.unwrap_or_default());
    let write = ctx.admit(WriteRelationsRequest {
        only_new: writes.on_duplicate != "ignore",
        only_there: deletes.on_missing != "ignore",
        writes: writes.relations()?,
        deletes: deletes.relations()?,
        model_id: model_id(&write.authorization_model_id)?,
    })?;
    ctx.call(WriteForClientRequest { write: write.into() }).await?;
    Ok((200, json!({})))
}

async fn batch(ctx: &Ctx, batch: Batch) -> Result<Answer> {
    let mut checks = Vec::new();
    for check in &batch.checks {
        checks.push(check.request(&batch.authorization_model_id)?);
    }
    let request = ctx.admit(BatchCheckRequest { checks })?;
    let decisions = ctx.call(request).await?.decisions;
    let mut result = serde_json::Map::new();
    for (check, decision) in batch.checks.into_iter().zip(decisions) {
        let told = match &*decision.reason {
            "" => json!({"allowed": decision.allowed}),
            reason => json!({"allowed": false, "error": {"message": reason}}),
        };
        let id = check.correlation_id;
        if id.is_empty() || result.insert(id, told).is_some() {
            let message = "each check has one of its own";
            return Err(Error::field("checks.correlation_id", "unique", message));
        }
    }
    Ok((200, json!({"result": result})))
}

async fn objects(ctx: &Ctx, list: ListedObjects) -> Result<Vec<String>> {
    let mut request = ctx.admit(list.request(PAGE)?)?;
    let mut objects = Vec::new();
    loop {
        let reply = ctx.call(request.clone()).await?;
        objects.extend(reply.objects);
        if reply.next_page_token.is_empty() {
            return Ok(objects);
        }
        request.page_token = reply.next_page_token;
    }
}

async fn users(ctx: &Ctx, list: ListedUsers) -> Result<Answer> {
    let mut users = Vec::new();
    for mut request in list.requests(PAGE)? {
        request = ctx.admit(request)?;
        loop {
            let reply = ctx.call(request.clone()).await?;
            users.extend(reply.users.iter().map(|user| user_json(user)));
            if reply.next_page_token.is_empty() {
                break;
            }
            request.page_token = reply.next_page_token;
        }
    }
    Ok((200, json!({"users": users})))
}

/// An error, as OpenFGA says one.
fn refuse(error: &Error) -> HttpResponse {
    let (status, code) = match (error.code(), error.reason()) {
        (_, "access.no_model") => (400, "latest_authorization_model_not_found"),
        (_, "access.model_invalid") => (400, "invalid_authorization_model"),
        (_, "access.unknown_type") => (400, "type_not_found"),
        (_, "access.unknown_relation") => (400, "relation_not_found"),
        (_, "access.too_deep" | "access.too_many") => {
            (400, "authorization_model_resolution_too_complex")
        }
        (_, "access.relation_exists" | "access.relation_missing") => {
            (400, "write_failed_due_to_invalid_input")
        }
        (_, "access.unknown_path") => (404, "undefined_endpoint"),
        (Code::NotFound, _) if error.message().contains("store") => (404, "store_id_not_found"),
        (Code::NotFound, _) => (400, "authorization_model_not_found"),
        (Code::Unauthenticated, _) => (401, "unauthenticated"),
        (_, "access.attribute_missing") => (400, "validation_error"),
        (Code::PermissionDenied, _) => (403, "forbidden"),
        (Code::ResourceExhausted, _) => (429, "rate_limit_exceeded"),
        (Code::InvalidArgument | Code::FailedPrecondition, _) => (400, "validation_error"),
        (Code::Aborted, _) => (409, "write_conflict"),
        (Code::Unavailable, _) => (503, "unavailable"),
        _ => (500, "internal_error"),
    };
    let told = error.violations().iter().map(|one| format!("{} {}", one.path, one.message));
    let told: Vec<String> = std::iter::once(error.message().to_owned()).chain(told).collect();
    said(status, &json!({"code": code, "message": told.join("; ")}))
}

/// What is answered: of a list its lines.
fn said(status: i32, body: &Value) -> HttpResponse {
    let (kind, body) = match body {
        Value::Array(lines) => {
            let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
            ("application/x-ndjson", lines.concat())
        }
        body => ("application/json", body.to_string()),
    };
    let headers = vec![HttpHeader { name: "content-type".into(), value: kind.into() }];
    HttpResponse { status, headers, body: body.into_bytes() }
}
