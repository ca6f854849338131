//! Methods as operations: where they are asked for, what with, and what can come back.

use std::collections::BTreeMap;

use http::StatusCode;
use prost_reflect::{FieldDescriptor, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value as Json, json};
use stoa_contract::described::Described;
use stoa_contract::schema::{Schemas, in_query, is_required};
use stoa_contract::{Binding, Contract, Kind, Method, Permission, Segment};
use stoa_kit::{Error, Registry, Result};

use super::examples::{Example, Examples};
use super::reasons::Reasons;

/// The operations of one contract.
pub(super) struct Operations<'d, 's> {
    described: &'d Described,
    registry: &'d Registry,
    contract: &'d Contract,
    schemas: &'s mut Schemas<'d>,
    reasons: Reasons,
    examples: Examples,
    /// The answers that refuse, by their status and what they say, each with its name.
    refusals: BTreeMap<(StatusCode, String), String>,
}

impl<'d, 's> Operations<'d, 's> {
    pub(super) fn new(
        registry: &'d Registry, described: &'d Described, contract: &'d Contract,
        schemas: &'s mut Schemas<'d>,
    ) -> Self {
        let reasons = Reasons::new(registry, described, contract);
        let examples = Examples::of(registry, contract);
        let refusals = BTreeMap::new();
        Self { described, registry, contract, schemas, reasons, examples, refusals }
    }

    /// The answers that refuse, for the methods that were asked for.
    pub(super) fn refusals(self) -> impl Iterator<Item = (String, Json)> {
        self.refusals.into_iter().map(|((_, said), name)| {
            let problem = json!({"$ref": "#/components/schemas/Problem"});
            let answer = json!({
                "description": said,
                "content": {"application/problem+json": {"schema": problem}},
            });
            (name, answer)
        })
    }

    /// The answers that refuse one method: most methods of a contract share them.
    fn refuses(&mut self, method: &Method, binding: &Binding) -> Map<String, Json> {
        let mut refuses = Map::new();
        for (status, said) in self.reasons.of(method, binding) {
            let same = self.refusals.keys().filter(|(known, _)| *known == status).count();
            let name = self.refusals.entry((status, said)).or_insert_with(|| {
                let name = format!("{}_{}", self.contract.name, status.as_u16());
                if same == 0 { name } else { format!("{name}_{}", same + 1) }
            });
            let answer = json!({"$ref": format!("#/components/responses/{name}")});
            refuses.insert(status.as_str().to_owned(), answer);
        }
        refuses
    }

    /// The operations of a method, each with its path and its method of HTTP.
    pub(super) fn of(&mut self, method: &Method) -> Result<Vec<(String, &'static str, Json)>> {
        let found = self.described.method(method.path);
        let found = found.ok_or_else(|| Error::internal("a method without a descriptor"))?;
        let example = self.examples.find(self.registry, method);
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
            let operation = self.operation(method, &found, binding, (id, example.as_ref()));
            operations.push((path(binding), verb, operation));
        }
        Ok(operations)
    }

    fn operation(
        &mut self, method: &Method, found: &MethodDescriptor, binding: &Binding,
        (id, example): (String, Option<&Example>),
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
        let mut responses = self.refuses(method, binding);
        let reply = example.and_then(|example| example.reply.as_ref());
        responses.insert("200".to_owned(), self.success(method, &found.output(), (binding, reply)));
        let mut operation = json!({
            "tags": [self.contract.name],
            "operationId": id,
            "summary": summary,
            "description": format!("{comment}\n\n{who}"),
            "parameters": self.parameters(method, &found.input(), (binding, example)),
            "responses": responses,
            "security": security,
        });
        if let Some(body) = self.body(&found.input(), (binding, example)) {
            operation["requestBody"] = body;
        }
        operation
    }

    fn success(
        &mut self, method: &Method, reply: &MessageDescriptor,
        (binding, example): (&Binding, Option<&Json>),
    ) -> Json {
        let part = reply.get_field_by_name(binding.response_body);
        let schema = match &part {
            Some(field) => self.schemas.field(field),
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
            false => {
                let example = match &part {
                    Some(field) => example.and_then(|reply| reply.get(field.json_name())),
                    None => example,
                };
                json!({"application/json": shown(schema, example.cloned())})
            }
        };
        json!({"description": self.described.comment(&reply.parent_file(), reply.path()), "content": content})
    }

    fn body(
        &mut self, request: &MessageDescriptor, (binding, example): (&Binding, Option<&Example>),
    ) -> Option<Json> {
        let asked = example.map(|example| &example.request);
        let (schema, example) = match binding.body {
            "" => return None,
            "*" => {
                let written: Vec<&str> = binding.variables.iter().map(|it| it.field).collect();
                let in_path = |name: &str| {
                    let field = request.get_field_by_json_name(name);
                    field.is_some_and(|field| written.contains(&field.name()))
                };
                let rest = asked.map(|asked| {
                    asked.clone().into_iter().filter(|(name, _)| !in_path(name)).collect()
                });
                (self.schemas.rest_of(request, &written), rest)
            }
            name => {
                let field = request.get_field_by_name(name)?;
                let part = asked.and_then(|asked| asked.get(field.json_name()).cloned());
                (self.schemas.field(&field), part)
            }
        };
        Some(json!({"required": true, "content": {"application/json": shown(schema, example)}}))
    }

    fn parameters(
        &mut self, method: &Method, request: &MessageDescriptor,
        (binding, example): (&Binding, Option<&Example>),
    ) -> Vec<Json> {
        let mut parameters = Vec::new();
        let written: Vec<&str> = binding.variables.iter().map(|it| it.field).collect();
        for (name, field) in names(binding) {
            let found = field_at(request, field);
            let schema = found
                .as_ref()
                .map_or_else(|| json!({"type": "string"}), |it| self.schemas.field(it));
            let mut parameter =
                json!({"name": name, "in": "path", "required": true, "schema": schema});
            if let Some(value) = found.and_then(|field| example?.at(field.json_name()))
                && name == field
            {
                parameter["example"] = value.clone();
            }
            parameters.push(parameter);
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
                if let Some(value) = example.and_then(|example| example.at(&name)) {
                    parameter["example"] = value.clone();
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

/// A schema, and what it may look like.
fn shown(schema: Json, example: Option<Json>) -> Json {
    match example {
        Some(example) => json!({"schema": schema, "example": example}),
        None => json!({"schema": schema}),
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
