//! SCIM 2.0, as directories speak it (RFC 7644). What is decided is decided by methods of the contract; here it
//! is read and written.

use serde_json::{Value, json};
use stoa_kit::v1::{HttpHeader, HttpRequest, HttpResponse};
use stoa_kit::{Code, Ctx, Error, Manners, Reason as _, Result};
use stoa_scim_v1::*;
use url::form_urlencoded;

use crate::model::schema::{self, Attribute};
use crate::model::{self, Object, filter, invalid_value};

/// Where directories come in.
pub(crate) const PREFIX: &str = "/scim/v2";
/// The largest request.
pub(crate) const BODY_MAX: usize = 1 << 20;
/// A directory sends a key as a bearer token, as anybody does.
pub(crate) const MANNERS: Manners = Manners { token: None, refuse };
/// The most that is shown at once.
pub(crate) const COUNT_MAX: i64 = 1_000;
/// What is shown at once where nothing is said.
const COUNT: i64 = 100;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const JSON: &str = "application/scim+json";

/// Where things are, as a directory is told.
pub(crate) fn base(settings: &Settings) -> String {
    format!("{}{PREFIX}", settings.base_url)
}

pub(crate) async fn serve(ctx: &Ctx, http: &HttpRequest) -> HttpResponse {
    match answer(ctx, http).await {
        Ok(answer) => answer,
        Err(error) => refuse(&error),
    }
}

async fn answer(ctx: &Ctx, http: &HttpRequest) -> Result<HttpResponse> {
    let path = http.path.strip_prefix(PREFIX).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let verb = if http.method == "HEAD" { "GET" } else { &*http.method };
    let asked = Asked::of(http);
    match (verb, &*parts) {
        ("GET", ["ServiceProviderConfig" | "Schemas" | "ResourceTypes", ..]) => {
            let base = base(&ctx.settings().await?);
            described(&base, &parts)
        }
        (_, ["ServiceProviderConfig" | "Schemas" | "ResourceTypes", ..]) => {
            Ok(said(405, &problem(405, "", "this is only read")))
        }
        (_, [".search"]) => {
            Err(Reason::NotSupported.because("people and groups are searched one after the other"))
        }
        (_, ["Bulk"]) => Err(Reason::NotSupported.because("one request changes one thing")),
        (_, ["Me"]) => Err(Reason::NotSupported.because("a directory is nobody")),
        (verb, [place, rest @ ..]) => {
            let kind = kind(place)?;
            match (verb, rest) {
                ("GET", []) => search(ctx, kind, &asked).await,
                ("POST", [".search"]) => search(ctx, kind, &asked.posted()?).await,
                ("POST", []) => create(ctx, kind, &asked).await,
                ("GET", [id]) => read(ctx, kind, id, &asked, 200).await,
                ("PUT", [id]) => change(ctx, kind, id, &asked, false).await,
                ("PATCH", [id]) => change(ctx, kind, id, &asked, true).await,
                ("DELETE", [id]) => {
                    let (id, version) = ((*id).to_owned(), asked.header("if-match"));
                    ctx.call(DropResourceRequest { kind: kind.into(), id, version }).await?;
                    Ok(HttpResponse { status: 204, ..HttpResponse::default() })
                }
                (_, [] | [_]) => Ok(said(405, &problem(405, "", "there is no such verb here"))),
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

fn unknown() -> Error {
    Reason::UnknownPath.because("there is nothing at this path")
}

fn kind(place: &str) -> Result<Kind> {
    match place {
        "Users" => Ok(Kind::User),
        "Groups" => Ok(Kind::Group),
        _ => Err(unknown()),
    }
}

/// What is asked besides for what.
struct Asked<'a> {
    http: &'a HttpRequest,
    pairs: Vec<(String, String)>,
}

impl<'a> Asked<'a> {
    fn of(http: &'a HttpRequest) -> Self {
        Self { http, pairs: form_urlencoded::parse(http.query.as_bytes()).into_owned().collect() }
    }

    /// What is asked in a body (RFC 7644, 3.4.3).
    fn posted(self) -> Result<Self> {
        let body = self.object()?;
        let is_search = |schemas: &Value| {
            schemas.as_array().is_some_and(|all| all.iter().any(|one| one == SEARCH))
        };
        if !filter::get(&body, "schemas").is_some_and(is_search) {
            return Err(Reason::InvalidSyntax.because("the body is no question"));
        }
        let texts = |value: Value| match value {
            Value::String(text) => text,
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        };
        let pairs = body.into_iter().map(|(name, value)| (name, texts(value))).collect();
        Ok(Self { pairs, ..self })
    }

    /// A parameter; an empty text where it is not there.
    fn get(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn number(&self, name: &str, usual: i64) -> Result<i64> {
        match self.get(name) {
            "" => Ok(usual),
            text => text.parse().map_err(|_| invalid_value(format!("`{name}` is no number"))),
        }
    }

    fn header(&self, name: &str) -> String {
        let found = self.http.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.clone()).unwrap_or_default()
    }

    fn object(&self) -> Result<Object> {
        serde_json::from_slice(&self.http.body)
            .map_err(|_| Reason::InvalidSyntax.because("the body is no JSON object"))
    }

    /// The parts that are asked for of a resource (RFC 7644, 3.9).
    fn cut(&self, kind: Kind, resource: Object) -> Object {
        let names = |name: &str| -> Vec<Vec<String>> {
            let each = self.get(name).split(',').map(str::trim).filter(|name| !name.is_empty());
            each.map(filter::path_of).collect()
        };
        let (only, but) = (names("attributes"), names("excludedAttributes"));
        let always = |name: &str| name == "id" || name == "schemas";
        let named = |all: &[Vec<String>], name: &str| {
            all.iter().any(|path| path[0].eq_ignore_ascii_case(name) && path.len() == 1)
        };
        let mut cut = Object::new();
        for (name, value) in resource {
            let parts = |all: &[Vec<String>]| -> Vec<String> {
                let of = all.iter().filter(|path| path[0].eq_ignore_ascii_case(&name));
                of.filter_map(|path| path.get(1).cloned()).collect()
            };
            if always(&name) || (only.is_empty() && !named(&but, &name)) {
                let gone = parts(&but);
                let value = keep(value, &|part| !has(&gone, part));
                cut.insert(name, value);
            } else if named(&only, &name) {
                cut.insert(name, value);
            } else if !parts(&only).is_empty() && schema::find(all_of(kind), &name).is_some() {
                let kept = parts(&only);
                let value = keep(value, &|part| has(&kept, part));
                cut.insert(name, value);
            }
        }
        cut
    }
}

fn all_of(kind: Kind) -> &'static [Attribute] {
    schema::attributes(kind)
}

fn has(all: &[String], part: &str) -> bool {
    all.iter().any(|one| one.eq_ignore_ascii_case(part))
}

/// The parts of a value, or of each of many, that are kept.
fn keep(value: Value, kept: &dyn Fn(&str) -> bool) -> Value {
    match value {
        Value::Object(object) => {
            Value::Object(object.into_iter().filter(|(name, _)| kept(name)).collect())
        }
        Value::Array(each) => each.into_iter().map(|one| keep(one, kept)).collect(),
        other => other,
    }
}

async fn search(ctx: &Ctx, kind: Kind, asked: &Asked<'_>) -> Result<HttpResponse> {
    // One below the first is the first, and less than none is none (RFC 7644, 3.4.2.4).
    let start = asked.number("startIndex", 1)?.max(1);
    let count = asked.number("count", COUNT)?.clamp(0, COUNT_MAX);
    let request = SearchResourcesRequest {
        kind: kind.into(),
        filter: asked.get("filter").to_owned(),
        skip: start - 1,
        count,
        sort_by: asked.get("sortBy").to_owned(),
        descending: asked.get("sortOrder").eq_ignore_ascii_case("descending"),
    };
    let found = ctx.call(request).await?;
    let resources: Vec<Value> = found
        .resources
        .iter()
        .map(|text| Ok(Value::Object(asked.cut(kind, object(text)?))))
        .collect::<Result<_>>()?;
    Ok(said(200, &listed(resources, found.total, start)))
}

fn listed(resources: Vec<Value>, total: i64, start: i64) -> Value {
    json!({
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

fn object(text: &str) -> Result<Object> {
    serde_json::from_str(text).map_err(Error::internal)
}

async fn create(ctx: &Ctx, kind: Kind, asked: &Asked<'_>) -> Result<HttpResponse> {
    let body = Value::Object(asked.object()?).to_string();
    let request = WriteResourceRequest { kind: kind.into(), body, ..Default::default() };
    let id = ctx.call(request).await?.id;
    read(ctx, kind, &id, asked, 201).await
}

async fn change(
    ctx: &Ctx, kind: Kind, id: &str, asked: &Asked<'_>, patches: bool,
) -> Result<HttpResponse> {
    let (body, id) = (Value::Object(asked.object()?).to_string(), id.to_owned());
    let version = asked.header("if-match");
    let request = WriteResourceRequest { kind: kind.into(), id, body, patches, version };
    let id = ctx.call(request).await?.id;
    read(ctx, kind, &id, asked, 200).await
}

async fn read(
    ctx: &Ctx, kind: Kind, id: &str, asked: &Asked<'_>, status: i32,
) -> Result<HttpResponse> {
    let request = ReadResourceRequest { kind: kind.into(), id: id.to_owned() };
    let resource = object(&ctx.call(request).await?.resource)?;
    let meta = resource.get("meta").and_then(Value::as_object).cloned().unwrap_or_default();
    let (version, location) = (model::text(&meta, "version"), model::text(&meta, "location"));
    let known = asked.header("if-none-match");
    let answer = match status == 200 && !known.is_empty() && known == version {
        true => HttpResponse { status: 304, ..HttpResponse::default() },
        false => said(status, &Value::Object(asked.cut(kind, resource.clone()))),
    };
    Ok(with(with(answer, "etag", version), "location", location))
}

fn described(base: &str, parts: &[&str]) -> Result<HttpResponse> {
    let kinds = [Kind::User, Kind::Group];
    let body = match parts {
        ["ServiceProviderConfig"] => configuration(base),
        ["Schemas"] => {
            let all = kinds.map(|kind| schema::described(kind, base)).to_vec();
            listed(all, 2, 1)
        }
        ["Schemas", urn] => {
            let kind = kinds.into_iter().find(|kind| schema::urn(*kind).eq_ignore_ascii_case(urn));
            schema::described(kind.ok_or_else(unknown)?, base)
        }
        ["ResourceTypes"] => listed(kinds.map(|kind| resource_type(kind, base)).to_vec(), 2, 1),
        ["ResourceTypes", "User"] => resource_type(Kind::User, base),
        ["ResourceTypes", "Group"] => resource_type(Kind::Group, base),
        _ => return Err(unknown()),
    };
    Ok(said(200, &body))
}

fn resource_type(kind: Kind, base: &str) -> Value {
    let (name, about) = match kind {
        Kind::Group => ("Group", "Teams"),
        _ => ("User", "People who have an account"),
    };
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": name,
        "name": name,
        "description": about,
        "endpoint": format!("/{name}s"),
        "schema": schema::urn(kind),
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{name}")},
    })
}

fn configuration(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": COUNT_MAX},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "API key",
            "description": "A key with the permission `scim.resources.provision`, as a bearer token",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}

/// An error, as SCIM says one (RFC 7644, 3.12).
fn refuse(error: &Error) -> HttpResponse {
    let (status, kind) = match error.reason().strip_prefix("scim.") {
        Some("invalid_filter") => (400, "invalidFilter"),
        Some("invalid_path") => (400, "invalidPath"),
        Some("invalid_syntax") => (400, "invalidSyntax"),
        Some("invalid_value") => (400, "invalidValue"),
        Some("uniqueness") => (409, "uniqueness"),
        Some("no_target") => (400, "noTarget"),
        Some("mutability") => (400, "mutability"),
        Some("too_many") => (400, "tooMany"),
        Some("changed") => (412, ""),
        Some("not_supported") => (501, ""),
        _ => match error.code() {
            Code::InvalidArgument => (400, "invalidValue"),
            Code::Unauthenticated => (401, ""),
            Code::PermissionDenied | Code::FailedPrecondition => (403, ""),
            Code::NotFound => (404, ""),
            Code::AlreadyExists | Code::Aborted => (409, ""),
            Code::ResourceExhausted => (429, ""),
            Code::Unavailable | Code::DeadlineExceeded => (503, ""),
            _ => (500, ""),
        },
    };
    let answer = said(status, &problem(status, kind, error.message()));
    let answer = match status {
        401 => with(answer, "www-authenticate", "Bearer"),
        _ => answer,
    };
    match error.retry_after() {
        Some(wait) => with(answer, "retry-after", &(wait.as_secs() + 1).to_string()),
        None => answer,
    }
}

fn problem(status: i32, kind: &str, detail: &str) -> Value {
    let mut body = json!({"schemas": [ERROR], "status": status.to_string(), "detail": detail});
    if !kind.is_empty() {
        body["scimType"] = kind.into();
    }
    body
}

fn said(status: i32, body: &Value) -> HttpResponse {
    let answer =
        HttpResponse { status, body: body.to_string().into_bytes(), ..HttpResponse::default() };
    with(with(answer, "content-type", JSON), "cache-control", "no-store")
}

fn with(mut answer: HttpResponse, name: &str, value: &str) -> HttpResponse {
    answer.headers.push(HttpHeader { name: name.into(), value: value.into() });
    answer
}
