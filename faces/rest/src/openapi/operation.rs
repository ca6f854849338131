//! Methods as operations: where they are asked for, what with, and what can come back.

use std::collections::BTreeMap;

use http::StatusCode;
use prost_reflect::{FieldDescriptor, MessageDescriptor, MethodDescriptor};
use serde_json::{Value as Json, json};
use stoa_contract::described::Described;
use stoa_contract::schema::{Schemas, in_query, is_required};
use stoa_contract::{Binding, Code, Contract, Kind, Method, Permission, Segment};
use stoa_kit::{Error, Result};

use crate::problem::status_of;

/// What any method may be refused with before its service sees it (`docs/spec/requests.md`).
const COMMON: [(Code, &str, &str); 16] = [
    (Code::InvalidArgument, "request.invalid", "fields that break a rule, each with its path"),
    (Code::InvalidArgument, "request.inner", "it leads to a request that breaks a rule"),
    (Code::InvalidArgument, "json.malformed", "the body is no JSON"),
    (Code::Unauthenticated, "auth.required", "nobody is signed in"),
    (Code::Unauthenticated, "auth.token_invalid", "the token is forged, expired or revoked"),
    (Code::PermissionDenied, "auth.permission_denied", "the permission is missing"),
    (Code::NotFound, "resource.not_found", "there is none, or it is somebody else's"),
    (Code::DeadlineExceeded, "request.too_slow", "the body did not come in time"),
    (Code::AlreadyExists, "idempotency.withheld", "it happened, and its reply held secrets"),
    (Code::Aborted, "request.etag", "it was changed in the meantime"),
    (Code::ResourceExhausted, "request.too_large", "the body is too large"),
    (Code::Unimplemented, "request.content_type", "the body is something else than JSON"),
    (Code::ResourceExhausted, "node.rate", "too many calls a second"),
    (Code::Internal, "internal", "a fault of ours"),
    (Code::Unavailable, "store.unavailable", "the store cannot serve now"),
    (Code::DeadlineExceeded, "request.deadline", "the deadline passed; it may still happen"),
];

/// The operations of one contract.
pub(super) struct Operations<'d, 's> {
    described: &'d Described,
    contract: &'d Contract,
    schemas: &'s mut Schemas<'d>,
    /// What can go wrong, by its status.
    refusals: BTreeMap<StatusCode, Vec<String>>,
}

impl<'d, 's> Operations<'d, 's> {
    pub(super) fn new(
        described: &'d Described, contract: &'d Contract, schemas: &'s mut Schemas<'d>,
    ) -> Self {
        let mut refusals: BTreeMap<StatusCode, Vec<String>> = BTreeMap::new();
        let mut add = |code, reason: &str, when: &str| {
            let status = status_of(&Error::new(code, reason.to_owned(), ""));
            refusals.entry(status).or_default().push(format!("- `{reason}`: {when}"));
        };
        for (code, reason, when) in COMMON {
            add(code, reason, when);
        }
        for reason in described.reasons(contract) {
            add(reason.code, &reason.name, &reason.help);
        }
        Self { described, contract, schemas, refusals }
    }

    /// The answers that refuse, for all methods of the contract.
    pub(super) fn refusals(&self) -> Vec<(String, Json)> {
        let answers = self.refusals.iter().map(|(status, reasons)| {
            let problem = json!({"$ref": "#/components/schemas/Problem"});
            let answer = json!({
                "description": reasons.join("\n"),
                "content": {"application/problem+json": {"schema": problem}},
            });
            (self.refusal(*status), answer)
        });
        answers.collect()
    }

    fn refusal(&self, status: StatusCode) -> String {
        format!("{}_{}", self.contract.name, status.as_u16())
    }

    /// The operations of a method, each with its path and its method of HTTP.
    pub(super) fn of(&mut self, method: &Method) -> Result<Vec<(String, &'static str, Json)>> {
        let found = self.described.method(method.path);
        let found = found.ok_or_else(|| Error::internal("a method without a descriptor"))?;
        let mut operations = Vec::new();
        for (nth, binding) in method.http.iter().enumerate() {
            let mut id = method.scope().replace('.', "_");
            if nth > 0 {
                id = format!("{id}_{}", nth + 1);
            }
            let verb = match binding.http_method {
                "GET" => "get",
                "PUT" => "put",
                "POST" => "post",
                "DELETE" => "delete",
                _ => "patch",
            };
            let operation = self.operation(method, &found, binding, id);
            operations.push((path(binding), verb, operation));
        }
        Ok(operations)
    }

    fn operation(
        &mut self, method: &Method, found: &MethodDescriptor, binding: &Binding, id: String,
    ) -> Json {
        let file = found.parent_file();
        let comment = self.described.comment(&file, found.path());
        let summary = comment.lines().next().unwrap_or_default();
        let who = match method.permission {
            Permission::Public => "For everybody.".to_owned(),
            Permission::Named(name) => format!("Needs the permission `{name}`."),
            _ => "For everybody who signed in.".to_owned(),
        };
        let security = match method.permission {
            Permission::Public => json!([{}, {"bearer": []}]),
            _ => json!([{"bearer": []}]),
        };
        let mut responses: BTreeMap<String, Json> = self
            .refusals
            .keys()
            .map(|status| {
                let answer = format!("#/components/responses/{}", self.refusal(*status));
                (status.as_str().to_owned(), json!({"$ref": answer}))
            })
            .collect();
        responses.insert("200".to_owned(), self.success(method, &found.output(), binding));
        let mut operation = json!({
            "tags": [self.contract.name],
            "operationId": id,
            "summary": summary,
            "description": format!("{comment}\n\n{who}"),
            "parameters": self.parameters(method, &found.input(), binding),
            "responses": responses,
            "security": security,
        });
        if let Some(body) = self.body(&found.input(), binding) {
            operation["requestBody"] = body;
        }
        operation
    }

    fn success(&mut self, method: &Method, reply: &MessageDescriptor, binding: &Binding) -> Json {
        let part = reply.get_field_by_name(binding.response_body);
        let schema = match part {
            Some(field) => self.schemas.field(&field),
            None => self.schemas.message(reply),
        };
        let content = match method.streams {
            true => json!({
                "application/x-ndjson": {"schema": {
                    "type": "object",
                    "properties": {
                        "result": schema,
                        "error": {"$ref": "#/components/schemas/Problem"},
                    },
                }},
                "text/event-stream": {"schema": {"type": "string"}},
            }),
            false => json!({"application/json": {"schema": schema}}),
        };
        json!({"description": self.described.comment(&reply.parent_file(), reply.path()), "content": content})
    }

    fn body(&mut self, request: &MessageDescriptor, binding: &Binding) -> Option<Json> {
        let schema = match binding.body {
            "" => return None,
            "*" => {
                let written: Vec<&str> = binding.variables.iter().map(|it| it.field).collect();
                self.schemas.rest_of(request, &written)
            }
            field => self.schemas.field(&request.get_field_by_name(field)?),
        };
        Some(json!({"required": true, "content": {"application/json": {"schema": schema}}}))
    }

    fn parameters(
        &mut self, method: &Method, request: &MessageDescriptor, binding: &Binding,
    ) -> Vec<Json> {
        let mut parameters = Vec::new();
        let written: Vec<&str> = binding.variables.iter().map(|it| it.field).collect();
        for (name, field) in names(binding) {
            let found = field_at(request, field);
            let schema =
                found.map_or_else(|| json!({"type": "string"}), |it| self.schemas.field(&it));
            parameters
                .push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
        }
        let elsewhere =
            |name: &str| binding.body == "*" || binding.body == name || written.contains(&name);
        for field in request.fields().filter(|field| !elsewhere(field.name())) {
            for (name, field) in in_query(&field, "") {
                let mut schema = self.schemas.field(&field);
                let said = schema.as_object_mut().and_then(|schema| schema.remove("description"));
                let mut parameter = json!({"name": name, "in": "query", "schema": schema});
                if let Some(said) = said {
                    parameter["description"] = said;
                }
                if is_required(&field) && !name.contains('.') {
                    parameter["required"] = true.into();
                }
                parameters.push(parameter);
            }
        }
        let header = |name: &str, said: &str| json!({"name": name, "in": "header", "description": said, "schema": {"type": "string"}});
        if method.kind != Kind::Query && !method.streams && method.permission != Permission::Public
        {
            let said = "Sent again with the same key, the call happens once.";
            parameters.push(header("Idempotency-Key", said));
        }
        if method.kind != Kind::Query && request.get_field_by_name("etag").is_some() {
            parameters.push(header("If-Match", "Changes nothing but what has this etag."));
        }
        parameters
    }
}

/// The names of a path's values, each with its field.
fn names(binding: &Binding) -> Vec<(String, &'static str)> {
    let mut names = Vec::new();
    for variable in binding.variables {
        let parts = &binding.segments[variable.start..variable.end];
        let open = parts.iter().filter(|part| !matches!(part, Segment::Word(_))).count();
        names.extend((1..=open).map(|nth| match open {
            1 => (variable.field.to_owned(), variable.field),
            _ => (format!("{}_{nth}", variable.field), variable.field),
        }));
    }
    names
}

/// A template as OpenAPI writes it: one name a segment.
fn path(binding: &Binding) -> String {
    let mut names = names(binding).into_iter().map(|(name, _)| name);
    let segments = binding.segments.iter().map(|segment| match segment {
        Segment::Word(word) => format!("/{word}"),
        Segment::One | Segment::Rest => format!("/{{{}}}", names.next().unwrap_or_default()),
    });
    let path: String = segments.collect();
    if binding.verb.is_empty() { path } else { format!("{path}:{}", binding.verb) }
}

fn field_at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    match path.split_once('.') {
        None => message.get_field_by_name(path),
        Some((name, rest)) => field_at(message.get_field_by_name(name)?.kind().as_message()?, rest),
    }
}
