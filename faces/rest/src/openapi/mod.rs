//! `/openapi.json`: what the services of a node promise on REST, as OpenAPI 3.1.
//!
//! A document is made when it is first asked for, of what its reader may call, and kept.

mod examples;
mod operation;
mod reasons;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value as Json, json};
use stoa_contract::schema::Schemas;
use stoa_contract::{Code, Contract, Method, Permission, Words};
use stoa_kit::{Caller, Error, Registry, Result};
use stoa_node::Content;

use operation::Operations;

/// Where it is.
pub(crate) const PATH: &str = "/openapi.json";
/// What can be done to it.
pub(crate) const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Documents that are kept, and their bytes: readers who may call the same have the same.
const KEPT_MAX: (usize, u64) = (32, 32 << 20);

/// The operations by path and method of HTTP, each as it will be written: as values they would take ten
/// times the memory.
type Paths = BTreeMap<String, BTreeMap<&'static str, Box<RawValue>>>;

#[derive(Serialize)]
struct Document {
    openapi: &'static str,
    info: Json,
    servers: Json,
    tags: Vec<Json>,
    paths: Paths,
    components: Components,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    schemas: BTreeMap<String, Json>,
    responses: BTreeMap<String, Json>,
    security_schemes: Json,
}

/// What the node's services promise.
pub(crate) struct Documents {
    contracts: Vec<&'static Contract>,
    kept: Cache<Vec<&'static str>, Bytes, ByBytes>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Vec<&'static str>, Bytes> for ByBytes {
    fn weight(&self, _: &Vec<&'static str>, text: &Bytes) -> u64 {
        text.len() as u64
    }
}

impl Documents {
    pub(crate) fn new(registry: &Registry) -> Self {
        let contracts = registry.services().iter().filter_map(|service| service.contract).collect();
        Self { contracts, kept: Cache::with_weighter(KEPT_MAX.0, KEPT_MAX.1, ByBytes) }
    }

    /// The document for a reader; `query` may name services.
    ///
    /// # Errors
    /// `resource.not_found` for a service that is not here.
    pub(crate) fn respond(
        &self, registry: &Registry, caller: &Caller, query: &str,
    ) -> Result<Response<Content>> {
        let asked: Vec<&str> =
            query.split('&').filter_map(|pair| pair.strip_prefix("service=")).collect();
        for name in &asked {
            if !self.contracts.iter().any(|contract| contract.name == *name) {
                return Err(Error::not_found("service", name));
            }
        }
        let shown: Vec<(&Contract, Vec<&'static Method>)> = self
            .contracts
            .iter()
            .filter(|contract| asked.is_empty() || asked.contains(&contract.name))
            .map(|contract| {
                let may = |method: &&'static Method| {
                    method.permission != Permission::Internal && caller.may_call(method)
                };
                (*contract, contract.methods.iter().copied().filter(may).collect())
            })
            .collect();
        let names = shown.iter().flat_map(|(_, methods)| methods).map(|method| method.path);
        let names: Vec<&'static str> = names.collect();
        let text = self.kept.get_or_insert_with(&names, || document(registry, &shown))?;
        let mut response = Response::new(Content::from(text));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("authorization"));
        Ok(response)
    }
}

fn document(registry: &Registry, shown: &[(&Contract, Vec<&'static Method>)]) -> Result<Bytes> {
    let described = registry.described()?;
    let mut schemas = Schemas::new(described, "#/components/schemas");
    let (mut paths, mut tags, mut responses) = (Paths::new(), Vec::new(), BTreeMap::new());
    for (contract, methods) in shown.iter().filter(|(_, methods)| !methods.is_empty()) {
        tags.push(json!({"name": contract.name, "description": contract.doc}));
        let mut operations = Operations::new(registry, described, contract, &mut schemas);
        for &method in methods {
            for (path, verb, operation) in operations.of(method)? {
                paths.entry(path).or_default().insert(verb, text(&operation)?);
            }
        }
        responses.extend(operations.refusals());
    }
    let mut schemas = schemas.made;
    schemas.insert("Problem".to_owned(), problem());
    let document = Document {
        openapi: "3.1.0",
        info: json!({
            "title": "Stoa",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The methods of this node that whoever asked may call. \
                A value in a path that holds a slash or a colon is sent percent-encoded.",
        }),
        servers: json!([{"url": "/"}]),
        tags,
        paths,
        components: Components {
            schemas,
            responses,
            security_schemes: json!({"bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "A session's or an API key's token.",
            }}),
        },
    };
    serde_json::to_vec(&document).map(Bytes::from).map_err(Error::internal)
}

fn text(value: &Json) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(Error::internal)
}

/// A problem, as [`crate::problem`] writes it.
fn problem() -> Json {
    let codes: Vec<&str> =
        Code::WORDS.iter().map(|(_, word)| *word).filter(|word| !word.is_empty()).collect();
    json!({
        "type": "object",
        "description": "What a request is refused with (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "reason"],
        "properties": {
            "type": {"type": "string", "description": "The reason, as a URN."},
            "title": {"type": "string", "description": "The reason in words."},
            "status": {"type": "integer", "description": "The status of HTTP."},
            "detail": {"type": "string", "description": "Words for people about this one case."},
            "code": {"type": "string", "enum": codes},
            "reason": {"type": "string", "description": "What programs can rely on."},
            "violations": {
                "type": "array",
                "description": "The fields at fault.",
                "items": {
                    "type": "object",
                    "required": ["path", "rule", "message"],
                    "properties": {
                        "path": {"type": "string"},
                        "rule": {"type": "string"},
                        "message": {"type": "string"},
                    },
                },
            },
            "next": {"type": "string", "description": "What to do next."},
            "trace": {"type": "string", "description": "The W3C trace that the call belongs to."},
        },
    })
}
