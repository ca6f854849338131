//! What can be read, as resources: what REST serves by GET, at the same path.
//!
//! `/v1/ledger/accounts` is `ledger://accounts`, and `/v1/ledger/accounts/{account}` the template
//! `ledger://accounts/{account}`. What a colon would make a port of begins with one slash more:
//! `notify:///inbox:unread`. Fields that the path does not name can follow as a query.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rmcp::model::{
    ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use stoa_contract::{
    AnyMessage, Binding, Contract, Format, Kind, Leaf, Method, Permission, Segment, Shape, Value,
};
use stoa_kit::{Caller, Code, Error, Result};
use stoa_node::Body;

use crate::message::raw;
use crate::serve::{Asking, Reply};
use crate::tools::{Paged, page};
use crate::{content, hints};

const KIND: &str = "application/json";
/// What is escaped of a value in an address: all that RFC 3986 does not leave alone everywhere.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What can be read, by its address or its template.
pub(crate) struct Resources(BTreeMap<String, Readable>);

/// A query that can be read.
#[derive(Clone, Copy)]
pub(crate) struct Readable {
    pub(crate) method: &'static Method,
    pub(crate) binding: &'static Binding,
}

/// What is asked of `resources/read`, and of what goes on about the same address.
#[derive(Deserialize)]
pub(crate) struct Params<'a> {
    #[serde(borrow)]
    pub(crate) uri: Cow<'a, str>,
}

impl Resources {
    pub(crate) fn new(contracts: impl Iterator<Item = &'static Contract>) -> Self {
        let methods = contracts.flat_map(|contract| contract.methods.iter().copied());
        // What gets many by their identifiers is no address: each of them has one.
        let queries = methods.filter(|method| {
            method.kind == Kind::Query
                && method.permission != Permission::Internal
                && method.batch_gets.is_none()
        });
        let readable = queries.filter_map(|method| {
            let binding = method.http.iter().find(|binding| is_plain(binding))?;
            Some((template(binding), Readable { method, binding }))
        });
        Self(readable.collect())
    }

    /// What has this template.
    pub(crate) fn get(&self, template: &str) -> Option<Readable> {
        self.0.get(template).copied()
    }

    /// What can be read by an address that has no variables.
    pub(crate) fn whole(&self) -> impl Iterator<Item = Readable> {
        self.0.values().filter(|readable| readable.binding.variables.is_empty()).copied()
    }

    fn of(&self, caller: &Caller, chosen: &[&str], is_one: bool) -> Vec<(&str, Readable)> {
        let shown = |readable: &Readable| {
            let asked = chosen.is_empty() || chosen.contains(&readable.method.service);
            asked
                && caller.may_call(readable.method)
                && readable.binding.variables.is_empty() == is_one
        };
        let all = self.0.iter().filter(|(_, readable)| shown(readable));
        all.map(|(address, readable)| (address.as_str(), *readable)).collect()
    }

    /// # Errors
    /// `mcp.cursor`.
    pub(crate) fn list(
        &self, caller: &Caller, chosen: &[&str], paged: &Paged,
    ) -> Result<ListResourcesResult> {
        let all = self.of(caller, chosen, true);
        let (page, next) = page(&all, paged)?;
        let resources = page.iter().map(|(address, Readable { method, .. })| {
            Resource::new(*address, method.scope())
                .with_title(hints::title(method))
                .with_description(method.doc)
                .with_mime_type(KIND)
        });
        let mut list = ListResourcesResult::with_all_items(resources.collect());
        (list.result_type, list.next_cursor) = (None, next);
        Ok(list)
    }

    /// # Errors
    /// `mcp.cursor`.
    pub(crate) fn templates(
        &self, caller: &Caller, chosen: &[&str], paged: &Paged,
    ) -> Result<ListResourceTemplatesResult> {
        let all = self.of(caller, chosen, false);
        let (page, next) = page(&all, paged)?;
        let templates = page.iter().map(|(template, Readable { method, .. })| {
            ResourceTemplate::new(*template, method.scope())
                .with_title(hints::title(method))
                .with_description(method.doc)
                .with_mime_type(KIND)
        });
        let mut list = ListResourceTemplatesResult::with_all_items(templates.collect());
        (list.result_type, list.next_cursor) = (None, next);
        Ok(list)
    }

    /// # Errors
    /// `resource.not_found` for an address of nothing, and those of the method that reads.
    pub(crate) async fn read(&self, asking: &Asking, asked: Params<'_>) -> Result<Reply> {
        let (method, request) = self.request(asking, &asked.uri)?;
        let Body::Message(reply) = asking.visit.call(method, request).await?.body else {
            return Err(Error::internal("a stream where a message was expected"));
        };
        let mut reply = reply.encode(Format::Json)?;
        let mut contents = Vec::new();
        if method.reply.has_content() {
            let mut whole = serde_json::from_slice(&reply).map_err(Error::internal)?;
            let parts = content::take(method.reply, &mut whole);
            contents.extend(parts.into_iter().map(|part| part.contents(&asked.uri)));
            reply = whole.to_string().into_bytes();
        }
        if contents.is_empty() || reply != b"{}" {
            let text = String::from_utf8(reply).map_err(Error::internal)?;
            contents.push(ResourceContents::text(text, asked.uri).with_mime_type(KIND));
        }
        let mut result = ReadResourceResult::new(contents);
        result.result_type = None;
        Ok(Reply::Result(raw(&result)?))
    }

    /// The query that an address stands for, and what it is asked with: a call that is made.
    ///
    /// # Errors
    /// `resource.not_found` for an address of nothing, and what is wrong with one of something.
    pub(crate) fn request(
        &self, asking: &Asking, address: &str,
    ) -> Result<(&'static Method, Box<dyn AnyMessage>)> {
        let chosen = asking.chosen()?;
        let found = self.find(address)?;
        let found = found
            .filter(|(readable, _)| chosen.is_empty() || chosen.contains(&readable.method.service));
        let (Readable { method, .. }, message) = found.ok_or_else(|| nothing(address))?;
        asking.take_call(method)?;
        let bound = asking.visit.node().registry().method(method.path);
        let bound = bound.ok_or_else(|| Error::internal("a resource of no method"))?;
        Ok((method, bound.decode_request(message.to_string().as_bytes(), Format::Json)?))
    }

    /// Where what a query gives for some arguments can be read. What can be read nowhere has a name
    /// of the same kind.
    pub(crate) fn address(&self, method: &'static Method, arguments: &Json) -> String {
        let mut all = self.0.iter();
        let found = all.find(|(_, readable)| std::ptr::eq(readable.method, method));
        let address = found.and_then(|(template, readable)| filled(template, *readable, arguments));
        address.unwrap_or_else(|| format!("{}:{}", scheme(method.service), method.name))
    }

    /// What an address asks for: what reads it, and the message to read it with.
    fn find(&self, address: &str) -> Result<Option<(Readable, Json)>> {
        let Some((scheme, rest)) = address.split_once("://") else { return Ok(None) };
        // One content of several ends with its number.
        let (rest, _) = rest.split_once('#').unwrap_or((rest, ""));
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let last = path.rfind('/').unwrap_or(0);
        let (path, verb) = match path[last..].rsplit_once(':') {
            Some((kept, verb)) => (&path[..last + kept.len()], verb),
            None => (path, ""),
        };
        let mut segments = vec![scheme.replace('-', "_")];
        for segment in path.split('/').filter(|_| !path.is_empty()) {
            segments.push(decoded(segment)?);
        }
        for readable in self.0.values().filter(|readable| readable.binding.verb == verb) {
            if let Some(values) = fit(readable.binding, &segments) {
                let mut message = Map::new();
                for (field, value) in values {
                    put(&mut message, readable.method.request, field, value.to_owned());
                }
                for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    put(&mut message, readable.method.request, &decoded(name)?, decoded(value)?);
                }
                return Ok(Some((*readable, Json::Object(message))));
            }
        }
        Ok(None)
    }
}

/// Whether each value of a path is one segment of it, and a field of the request itself: what an
/// address can say in one way only.
fn is_plain(binding: &Binding) -> bool {
    let variable = |field: &str, start: usize, end: usize| {
        !field.contains('.') && end == start + 1 && binding.segments[start] == Segment::One
    };
    binding.http_method == "GET"
        && binding.variables.iter().all(|it| variable(it.field, it.start, it.end))
}

/// The address, or the template of addresses (RFC 6570, level 1).
fn template(binding: &Binding) -> String {
    let names: HashMap<usize, &str> =
        binding.variables.iter().map(|variable| (variable.start, variable.field)).collect();
    // All paths begin with the version and the service.
    let service = match binding.segments.get(1) {
        Some(Segment::Word(service)) => scheme(service),
        _ => String::new(),
    };
    let segments = binding.segments.iter().enumerate().skip(2).map(|(place, segment)| {
        match (segment, names.get(&place)) {
            (Segment::Word(word), _) => (*word).to_owned(),
            (_, name) => format!("{{{}}}", name.copied().unwrap_or_default()),
        }
    });
    let path = segments.collect::<Vec<_>>().join("/");
    let colon = if binding.verb.is_empty() { "" } else { ":" };
    // What stands behind a colon of the first segment would be a port.
    let slash = if path.contains('/') || !path.is_empty() && colon.is_empty() { "" } else { "/" };
    format!("{service}://{slash}{path}{colon}{}", binding.verb)
}

/// The scheme of a service's addresses: its name, for which RFC 3986 has no underscore.
fn scheme(service: &str) -> String {
    service.replace('_', "-")
}

/// The address that a template comes to; none where it cannot say all of the arguments.
fn filled(template: &str, readable: Readable, arguments: &Json) -> Option<String> {
    let mut address = template.to_owned();
    let mut query = Vec::new();
    for (name, value) in arguments.as_object()? {
        let value = match value {
            Json::String(text) => text.clone(),
            Json::Number(_) | Json::Bool(_) => value.to_string(),
            _ => return None,
        };
        let value = utf8_percent_encode(&value, ESCAPED);
        let field = readable.method.request.field(name)?.name;
        if readable.binding.variables.iter().any(|variable| variable.field == field) {
            address = address.replace(&format!("{{{field}}}"), &value.to_string());
        } else {
            query.push(format!("{name}={value}"));
        }
    }
    if address.contains('{') {
        return None;
    }
    let mark = if query.is_empty() { "" } else { "?" };
    Some(format!("{address}{mark}{}", query.join("&")))
}

/// What the segments of an address say of the fields of a binding, if they fit it.
fn fit<'a>(
    binding: &'static Binding, segments: &'a [String],
) -> Option<Vec<(&'static str, &'a str)>> {
    let pattern = &binding.segments[1..];
    let fits = |(wanted, segment): (&Segment, &String)| match wanted {
        Segment::Word(word) => word == segment,
        Segment::One | Segment::Rest => !segment.is_empty(),
    };
    if pattern.len() != segments.len() || !pattern.iter().zip(segments).all(fits) {
        return None;
    }
    let variables = binding.variables.iter();
    Some(variables.map(|it| (it.field, segments[it.start - 1].as_str())).collect())
}

/// Puts what a text says of a field into the message. A name that is no field stays one that
/// the decoder refuses, and so does one that stands there twice and is no list.
pub(crate) fn put(
    message: &mut Map<String, Json>, shape: &'static Shape, name: &str, text: String,
) {
    let field = shape.field(name);
    let value = match (field.map(|field| field.value), text.as_str()) {
        (Some(Value::Leaf(Leaf::Bool) | Value::Leaves(Leaf::Bool)), "true") => Json::Bool(true),
        (Some(Value::Leaf(Leaf::Bool) | Value::Leaves(Leaf::Bool)), "false") => Json::Bool(false),
        _ => Json::String(text),
    };
    let name = field.map_or(name, |field| field.json);
    let is_list = matches!(field.map(|field| field.value), Some(Value::Leaves(_)));
    match message.get_mut(name) {
        Some(Json::Array(values)) => values.push(value),
        Some(first) => *first = Json::Array(vec![first.take(), value]),
        None => {
            let value = if is_list { Json::Array(vec![value]) } else { value };
            message.insert(name.to_owned(), value);
        }
    }
}

fn decoded(text: &str) -> Result<String> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Cow::into_owned).map_err(|_| {
        Error::new(Code::InvalidArgument, "mcp.params", "`uri` is not UTF-8")
            .help("Encode what is not ASCII as the percent-encoded bytes of its UTF-8.")
    })
}

fn nothing(address: &str) -> Error {
    Error::not_found("resource", address).help(
        "See `resources/list` and `resources/templates/list` for what there is. A value that holds a \
         slash or a colon is sent with `%2F` or `%3A`.",
    )
}
