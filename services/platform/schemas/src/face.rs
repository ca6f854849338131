//! The paths and words of Confluent's Schema Registry, for clients that were written for it.
//!
//! Each request is one of the contract's: it is held to the same rules, takes the same permission, and
//! comes to the same. Only names and shapes are Confluent's.

use buffa::Enumeration as _;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use stoa_kit::v1::{HttpHeader, HttpRequest, HttpResponse};
use stoa_kit::{Code, Ctx, Error, Manners, Reason as _, Result};
use stoa_schemas_v1::*;

/// Where clients find it: their address of the registry ends with it.
pub(crate) const PREFIX: &str = "/schema-registry";
/// The largest request: a schema as JSON in JSON.
pub(crate) const BODY_MAX: usize = 512 << 10;
/// How clients of the registry read a refusal.
pub(crate) const MANNERS: Manners = Manners { token: None, refuse };

/// What a list asks for at once.
const PAGE: i32 = 1_000;

pub(crate) async fn serve(ctx: &Ctx, http: &HttpRequest) -> HttpResponse {
    let path = http.path.strip_prefix(PREFIX).unwrap_or_default();
    let parts = path.split('/').filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let asked = Asked { ctx, http };
    match asked.answer(&parts).await {
        Ok(body) => said(200, &body),
        Err(error) => told(&error, parts.first() == Some(&"subjects") && parts.len() < 3),
    }
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

struct Asked<'a> {
    ctx: &'a Ctx,
    http: &'a HttpRequest,
}

impl Asked<'_> {
    async fn answer(&self, parts: &[&str]) -> Result<Value> {
        match (&*self.http.method, parts) {
            ("GET", []) => Ok(json!({})),
            ("GET", ["mode"]) => Ok(json!({"mode": "READWRITE"})),
            (verb, ["subjects", rest @ ..]) => self.subjects(verb, rest).await,
            ("GET", ["schemas", rest @ ..]) => self.schemas(rest).await,
            ("POST", ["compatibility", "subjects", subject, "versions"]) => {
                self.compare(subject, 0).await
            }
            ("POST", ["compatibility", "subjects", subject, "versions", version]) => {
                self.compare_at(subject, number(version)?).await
            }
            (verb, ["config"]) => self.config(verb, "").await,
            (verb, ["config", subject]) => self.config(verb, subject).await,
            (verb, _) => Err(unknown(verb)),
        }
    }

    async fn call<R: stoa_kit::Request>(&self, request: R) -> Result<R::Reply> {
        self.ctx.call(self.ctx.admit(request)?).await
    }

    /// Whether a parameter of the address says so.
    fn says(&self, name: &str) -> bool {
        let mut pairs = self.http.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.any(|(known, value)| known == name && value == "true")
    }

    fn body(&self) -> Result<Value> {
        serde_json::from_slice(&self.http.body)
            .map_err(|_| Error::field("body", "json", "is no JSON object"))
    }

    /// The schema that a body holds.
    fn schema(&self) -> Result<String> {
        let body = self.body()?;
        if body["schemaType"] != "JSON" {
            let said = "the type of the schema has to be JSON, and be said: `schemaType`";
            return Err(Reason::InvalidSchema.because(said));
        }
        if body["references"].as_array().is_some_and(|all| !all.is_empty()) {
            let said = "a schema is one text, and refers to no other ones";
            return Err(Reason::InvalidSchema.because(said));
        }
        Ok(body["schema"].as_str().unwrap_or_default().to_owned())
    }

    async fn subjects(&self, verb: &str, rest: &[&str]) -> Result<Value> {
        match (verb, rest) {
            ("GET", []) => self.names().await,
            ("POST", [subject]) => {
                let (subject, schema) = ((*subject).to_owned(), self.schema()?);
                let deleted = self.says("deleted");
                let find = FindVersionRequest { subject, schema: schema.clone(), deleted };
                Ok(shown(&self.call(find).await?.version, &schema))
            }
            ("DELETE", [subject]) => {
                let (subject, permanent) = ((*subject).to_owned(), self.says("permanent"));
                let gone = self.call(DeleteSubjectRequest { subject, permanent }).await?;
                Ok(gone.versions.into())
            }
            ("GET", [subject, "versions"]) => self.versions(subject).await,
            ("POST", [subject, "versions"]) => {
                let (subject, schema) = ((*subject).to_owned(), self.schema()?);
                let register = RegisterSchemaRequest { subject, schema: schema.clone() };
                Ok(shown(&self.call(register).await?.version, &schema))
            }
            ("GET", [subject, "versions", version]) => {
                let found = self.version(subject, version).await?;
                Ok(shown(&found.version, &found.schema.schema))
            }
            ("GET", [subject, "versions", version, "schema"]) => {
                plain(&self.version(subject, version).await?.schema.schema)
            }
            ("GET", [subject, "versions", version, "referencedby"]) => {
                self.version(subject, version).await?;
                Ok(json!([]))
            }
            ("DELETE", [subject, "versions", version]) => {
                let request = DeleteVersionRequest {
                    subject: (*subject).to_owned(),
                    version: number(version)?,
                    permanent: self.says("permanent"),
                };
                Ok(self.call(request).await?.version.into())
            }
            _ => Err(unknown(verb)),
        }
    }

    async fn version(&self, subject: &str, version: &str) -> Result<GetVersionResponse> {
        let get = GetVersionRequest {
            subject: subject.to_owned(),
            version: number(version)?,
            deleted: self.says("deleted"),
        };
        self.call(get).await
    }

    /// The states that are asked for.
    fn states(&self) -> Vec<VersionState> {
        match (self.says("deletedOnly"), self.says("deleted")) {
            (true, _) => vec![VersionState::Deleted],
            (false, true) => vec![VersionState::Active, VersionState::Deleted],
            (false, false) => vec![VersionState::Active],
        }
    }

    async fn names(&self) -> Result<Value> {
        let mut names = Vec::new();
        for state in self.states() {
            let mut list =
                ListSubjectsRequest { page_size: PAGE, state: state.into(), ..Default::default() };
            loop {
                let page = self.call(list.clone()).await?;
                names.extend(page.subjects.into_iter().map(|subject| subject.name));
                if page.next_page_token.is_empty() {
                    break;
                }
                list.page_token = page.next_page_token;
            }
        }
        names.sort();
        Ok(names.into())
    }

    /// The versions that a list shows.
    async fn listed(&self, list: ListVersionsRequest) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        for state in self.states() {
            let mut list = list.clone();
            (list.page_size, list.state) = (PAGE, state.into());
            loop {
                let page = self.call(list.clone()).await?;
                versions.extend(page.versions);
                if page.next_page_token.is_empty() {
                    break;
                }
                list.page_token = page.next_page_token;
            }
        }
        Ok(versions)
    }

    async fn versions(&self, subject: &str) -> Result<Value> {
        let list = ListVersionsRequest { subject: subject.to_owned(), ..Default::default() };
        let mut numbers: Vec<i32> =
            self.listed(list).await?.into_iter().map(|one| one.version).collect();
        if numbers.is_empty() {
            let said = format!("there is no subject `{subject}`");
            return Err(Reason::UnknownSubject.because(said));
        }
        numbers.sort_unstable();
        Ok(numbers.into())
    }

    async fn schemas(&self, rest: &[&str]) -> Result<Value> {
        if rest == ["types"] {
            return Ok(json!(["JSON"]));
        }
        let (["ids", id], within) = (rest.get(..2).unwrap_or_default(), rest.get(2..)) else {
            return Err(unknown("GET"));
        };
        let get = GetSchemaRequest { id: (*id).to_owned() };
        let schema = self.call(get).await?.schema;
        let of = || ListVersionsRequest { schema_id: (*id).to_owned(), ..Default::default() };
        match within.unwrap_or_default() {
            [] => Ok(json!({"schema": schema.schema, "schemaType": "JSON"})),
            ["schema"] => plain(&schema.schema),
            ["versions"] => {
                let all = self.listed(of()).await?.into_iter();
                let pairs = all.map(|one| json!({"subject": one.subject, "version": one.version}));
                Ok(pairs.collect())
            }
            ["subjects"] => {
                let all = self.listed(of()).await?.into_iter();
                let mut names: Vec<String> = all.map(|one| one.subject).collect();
                names.sort();
                names.dedup();
                Ok(names.into())
            }
            _ => Err(unknown("GET")),
        }
    }

    async fn compare_at(&self, subject: &str, version: i32) -> Result<Value> {
        let get = GetVersionRequest { subject: subject.to_owned(), version, ..Default::default() };
        let found = self.call(get).await?.version.version;
        self.compare(subject, found).await
    }

    async fn compare(&self, subject: &str, version: i32) -> Result<Value> {
        let (subject, schema) = (subject.to_owned(), self.schema()?);
        let reply = self.call(CheckCompatibilityRequest { subject, schema, version }).await?;
        let mut body = json!({"is_compatible": reply.compatible});
        if self.says("verbose") {
            let message = |one: Difference| {
                let Difference { path, rule, version, .. } = one;
                format!("{{errorType:\"{rule}\", path:\"#{path}\", oldSchemaVersion:{version}}}")
            };
            body["messages"] = reply.differences.into_iter().map(message).collect();
        }
        Ok(body)
    }

    async fn config(&self, verb: &str, subject: &str) -> Result<Value> {
        match verb {
            "GET" => {
                let get = GetCompatibilityRequest { subject: subject.to_owned() };
                let found = self.call(get).await?;
                if !subject.is_empty() && !found.own && !self.says("defaultToGlobal") {
                    return Err(nothing_said(subject));
                }
                let (level, policy) = words(&found.setting);
                Ok(json!({"compatibilityLevel": level, "compatibilityPolicy": policy}))
            }
            "PUT" => {
                let body = self.body()?;
                let level = body["compatibility"].as_str().unwrap_or_default();
                let known = Compatibility::from_proto_name(&format!("COMPATIBILITY_{level}"));
                let known = known.filter(|one| *one != Compatibility::Unspecified);
                let bad = || Error::field("compatibility", "enum", "is no level that there is");
                let compatibility = known.ok_or_else(bad)?.into();
                let policy = match body["compatibilityPolicy"].as_str() {
                    Some("LENIENT") => CompatibilityPolicy::Lenient,
                    _ => CompatibilityPolicy::Strict,
                };
                let (subject, policy) = (subject.to_owned(), policy.into());
                self.call(SetCompatibilityRequest { subject, compatibility, policy }).await?;
                Ok(json!({"compatibility": level}))
            }
            "DELETE" => {
                let set =
                    SetCompatibilityRequest { subject: subject.to_owned(), ..Default::default() };
                let before = self.call(set).await?.before;
                if before.compatibility.as_known() == Some(Compatibility::Unspecified) {
                    return Err(nothing_said(subject));
                }
                Ok(json!({"compatibilityLevel": words(&before).0}))
            }
            verb => Err(unknown(verb)),
        }
    }
}

fn unknown(verb: &str) -> Error {
    Reason::UnknownPath.because(format!("there is no {verb} here"))
}

/// What is said of a subject for which a client has a code of its own.
const NOTHING_SAID: &str = "schemas.nothing_said";

fn nothing_said(subject: &str) -> Error {
    let said = format!("nothing is said of the compatibility of `{subject}` itself");
    Error::new(Code::NotFound, NOTHING_SAID, said)
}

/// The level and the policy of a subject, by the names that clients know.
fn words(setting: &CompatibilitySetting) -> (&'static str, &'static str) {
    let level = setting.compatibility.as_known().unwrap_or_default().proto_name();
    let lenient = setting.policy.as_known() == Some(CompatibilityPolicy::Lenient);
    let policy = if lenient { "LENIENT" } else { "STRICT" };
    (level.trim_start_matches("COMPATIBILITY_"), policy)
}

/// The number of a version; 0 is the youngest.
fn number(text: &str) -> Result<i32> {
    match text {
        "latest" | "-1" => Ok(0),
        _ => text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
            Error::field("version", "version", "is neither a number from 1 on nor `latest`")
        }),
    }
}

fn shown(version: &Version, schema: &str) -> Value {
    json!({
        "subject": version.subject,
        "version": version.version,
        "id": version.schema_id.parse::<i64>().unwrap_or_default(),
        "schemaType": "JSON",
        "schema": schema,
    })
}

fn plain(schema: &str) -> Result<Value> {
    serde_json::from_str(schema).map_err(Error::internal)
}

/// A refusal by the door.
fn refuse(error: &Error) -> HttpResponse {
    told(error, false)
}

/// A refusal: a status, and a code of Confluent's.
fn told(error: &Error, of_subject: bool) -> HttpResponse {
    let field = error.violations().first().map(|one| one.path.as_str());
    let by = |subject, version| if of_subject { (404, subject) } else { (404, version) };
    let (status, code) = match (error.reason(), field) {
        ("schemas.unknown_subject", _) => (404, 40401),
        ("schemas.unknown_version", _) => (404, 40402),
        ("schemas.unknown_schema" | "resource.not_found", _) => (404, 40403),
        ("schemas.already_deleted", _) => by(40404, 40406),
        ("schemas.not_deleted", _) => by(40405, 40407),
        (NOTHING_SAID, _) => (404, 40408),
        ("schemas.incompatible", _) => (409, 409),
        ("schemas.invalid_schema" | "schemas.too_complex", _) => (422, 42201),
        ("request.invalid", Some("version")) => (422, 42202),
        ("request.invalid", Some("compatibility")) => (422, 42203),
        ("request.invalid", _) => (422, 42201),
        _ => {
            let status = match error.code() {
                Code::InvalidArgument => 422,
                Code::Unauthenticated => 401,
                Code::PermissionDenied => 403,
                Code::NotFound => 404,
                Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => 409,
                Code::ResourceExhausted => 429,
                Code::Unavailable | Code::DeadlineExceeded => 503,
                _ => 500,
            };
            (status, if status == 500 { 50001 } else { status })
        }
    };
    let mut answer = said(status, &json!({"error_code": code, "message": error.message()}));
    if status == 401 {
        answer.headers.push(header("www-authenticate", "Bearer"));
    }
    if let Some(wait) = error.retry_after() {
        answer.headers.push(header("retry-after", &(wait.as_secs() + 1).to_string()));
    }
    answer
}

fn said(status: i32, body: &Value) -> HttpResponse {
    let headers = vec![
        header("content-type", "application/vnd.schemaregistry.v1+json"),
        header("cache-control", "no-store"),
    ];
    HttpResponse { status, headers, body: body.to_string().into_bytes() }
}

fn header(name: &str, value: &str) -> HttpHeader {
    HttpHeader { name: name.into(), value: value.into() }
}
