//! Where REST serves a method: `google.api.http`, read and checked.
//!
//! A template is read here and nowhere else; what a node gets are segments.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

use crate::model::Method;
use crate::source::text_of;

/// One way to ask for a method.
pub(crate) struct Binding {
    /// `GET`
    pub(crate) http_method: &'static str,
    /// The template, as the contract has it.
    pub(crate) template: String,
    pub(crate) segments: Vec<Segment>,
    /// `cancel` of `/v1/orders/{id}:cancel`.
    pub(crate) verb: String,
    pub(crate) variables: Vec<Variable>,
    pub(crate) body: String,
    pub(crate) response_body: String,
}

/// What one segment of a path may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Word(String),
    /// `*`
    One,
    /// `**`
    Rest,
}

/// A field, and the segments that it is written in.
pub(crate) struct Variable {
    pub(crate) field: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

const HTTP_METHODS: [(&str, &str); 5] =
    [("get", "GET"), ("put", "PUT"), ("post", "POST"), ("delete", "DELETE"), ("patch", "PATCH")];

/// Whether messages take HTTP as it comes: then a manifest says where the method is served.
pub(crate) fn is_raw(request: &MessageDescriptor, reply: &MessageDescriptor) -> bool {
    let is_only = |message: &MessageDescriptor, wanted: &str| {
        let fields: Vec<_> = message.fields().collect();
        let [field] = fields.as_slice() else { return false };
        let kind = field.kind();
        let of = kind.as_message().map(MessageDescriptor::full_name);
        field.name() == "http" && !field.is_list() && of == Some(wanted)
    };
    is_only(request, "stoa.v1.HttpRequest") && is_only(reply, "stoa.v1.HttpResponse")
}

/// The bindings of a method's rule, the one that stands first and the additional ones. Who is
/// shown, and takes one message, has a rule, and nobody else.
pub(crate) fn bindings(
    rule: Option<&DynamicMessage>, (permission, service): (&str, &str), elsewhere: bool,
    wrong: &mut dyn FnMut(String),
) -> Vec<Binding> {
    let internal = permission == "internal";
    let Some(rule) = rule else {
        if !internal && !elsewhere {
            wrong(format!(
                "has no place on REST; say `option (google.api.http) = {{get: \"/v1/{service}/…\"}}`"
            ));
        }
        return Vec::new();
    };
    if internal {
        wrong("is internal, so REST cannot serve it; leave google.api.http out".into());
    }
    if elsewhere {
        wrong(
            "takes a stream, or HTTP as it comes, which REST does not serve; leave google.api.http out"
                .into(),
        );
    }
    let more = rule.get_field_by_name("additional_bindings");
    let more = more.as_ref().and_then(|more| more.as_list()).unwrap_or_default();
    let mut rules = vec![rule];
    rules.extend(more.iter().filter_map(|rule| rule.as_message()));
    let mut bindings = Vec::new();
    for rule in rules {
        match binding(rule) {
            Ok(binding) => bindings.push(binding),
            Err(message) => wrong(message),
        }
    }
    bindings
}

fn binding(rule: &DynamicMessage) -> Result<Binding, String> {
    let named = HTTP_METHODS.iter().find(|(field, _)| rule.has_field_by_name(field));
    let Some((field, http_method)) = named else {
        return Err("google.api.http names no path; use get, put, post, delete or patch".into());
    };
    let template = text_of(rule, field);
    let (segments, variables, verb) = template_of(&template)
        .ok_or_else(|| format!("`{template}` is no template of google.api.http"))?;
    let (body, response_body) = (text_of(rule, "body"), text_of(rule, "response_body"));
    Ok(Binding { http_method, template, segments, verb, variables, body, response_body })
}

/// Reads `/v1/{name=orders/*}/lines/{line}:cancel`.
fn template_of(template: &str) -> Option<(Vec<Segment>, Vec<Variable>, String)> {
    let rest = template.strip_prefix('/')?;
    // A colon inside of braces would be one of a literal, which has none.
    let (rest, verb) = rest.rsplit_once(':').unwrap_or((rest, ""));
    if rest.is_empty() || (template.contains(':') && !is_word(verb)) {
        return None;
    }
    let (mut segments, mut variables) = (Vec::new(), Vec::new());
    let mut rest = Some(rest);
    while let Some(text) = rest {
        if let Some(text) = text.strip_prefix('{') {
            let (variable, after) = text.split_once('}')?;
            let (field, parts) = variable.split_once('=').unwrap_or((variable, "*"));
            let start = segments.len();
            for part in parts.split('/') {
                segments.push(segment(part)?);
            }
            variables.push(Variable { field: field.to_owned(), start, end: segments.len() });
            rest = if after.is_empty() { None } else { Some(after.strip_prefix('/')?) };
        } else {
            let (part, after) = text.split_once('/').map_or((text, None), |(p, a)| (p, Some(a)));
            segments.push(segment(part)?);
            rest = after;
        }
    }
    let early = segments.iter().rev().skip(1).any(|segment| *segment == Segment::Rest);
    (!early).then_some((segments, variables, verb.to_owned()))
}

fn segment(text: &str) -> Option<Segment> {
    match text {
        "*" => Some(Segment::One),
        "**" => Some(Segment::Rest),
        word => is_word(word).then(|| Segment::Word(word.to_owned())),
    }
}

fn is_word(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    !text.is_empty() && text.bytes().all(good)
}

/// Reports what is wrong with the bindings of a method, which may promise to change nothing.
pub(crate) fn check(method: &Method, is_safe: bool, service: &str, wrong: &mut dyn FnMut(String)) {
    for binding in &method.http {
        if binding.http_method == "GET" && !is_safe {
            wrong(format!("GET {} promises to change nothing; use post", binding.template));
        }
        if let Err(message) = binding.check(method, service) {
            wrong(format!("{} {}: {message}", binding.http_method, binding.template));
        }
    }
}

impl Binding {
    fn check(&self, method: &Method, service: &str) -> Result<(), String> {
        let word = |place: usize, word: &str| matches!(self.segments.get(place), Some(Segment::Word(found)) if found == word);
        if !word(0, "v1") || !word(1, service) {
            return Err(format!("begins with something else than /v1/{service}"));
        }
        if matches!(self.http_method, "GET" | "DELETE") && !self.body.is_empty() {
            return Err(format!("{} has no body", self.http_method));
        }
        let mut written = BTreeSet::new();
        for Variable { field, .. } in &self.variables {
            if !is_text(&method.request, field) {
                return Err(format!("`{field}` is no single scalar of {}", method.request.name()));
            }
            if !written.insert(field.as_str()) {
                return Err(format!("`{field}` stands there twice"));
            }
        }
        for (message, name) in [(&method.request, &self.body), (&method.reply, &self.response_body)]
        {
            let is_there = message.get_field_by_name(name).is_some();
            if !is_there && !matches!(name.as_str(), "" | "*") {
                return Err(format!("{} has no field `{name}`", message.name()));
            }
        }
        if self.response_body == "*" || written.contains(self.body.as_str()) {
            return Err("a body is a field that stands nowhere else".into());
        }
        let in_query = method.request.fields().filter(|field| {
            self.body != "*" && self.body != field.name() && !written.contains(field.name())
        });
        let mut unsayable = in_query.filter(|field| !is_sayable(field, 4));
        match unsayable.next() {
            None => Ok(()),
            Some(field) => {
                let name = field.name();
                Err(format!("`{name}` cannot be said in a query; say `body: \"*\"`"))
            }
        }
    }

    /// Whether a request can ask for either of two.
    fn collides(&self, other: &Self) -> bool {
        self.http_method == other.http_method
            && self.verb == other.verb
            && overlap(&self.segments, &other.segments)
    }
}

fn overlap(one: &[Segment], other: &[Segment]) -> bool {
    match (one, other) {
        ([], []) | ([Segment::Rest, ..], _) | (_, [Segment::Rest, ..]) => true,
        ([a, one @ ..], [b, other @ ..]) => {
            (a == b || *a == Segment::One || *b == Segment::One) && overlap(one, other)
        }
        _ => false,
    }
}

/// Two methods that one request could ask for, with the places where they stand. Methods of two
/// services have none in common: their paths begin with the services' names.
pub(crate) fn collisions(methods: &[Method]) -> Vec<(usize, String)> {
    let all = || {
        methods.iter().enumerate().flat_map(|(place, method)| {
            method.http.iter().map(move |binding| (place, method, binding))
        })
    };
    let mut found = Vec::new();
    for (nth, (place, _, binding)) in all().enumerate() {
        for (_, other, known) in all().take(nth).filter(|(.., known)| known.collides(binding)) {
            found.push((
                place,
                format!(
                    "{} {} could be {} of {} as well",
                    binding.http_method, binding.template, known.template, other.name
                ),
            ));
        }
    }
    found
}

/// Whether a path of fields leads to a single scalar.
fn is_text(message: &MessageDescriptor, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = message.get_field_by_name(name).filter(|field| !field.is_list()) else {
        return false;
    };
    match (field.kind(), rest) {
        (Kind::Message(inner), Some(rest)) if !field.is_map() => is_text(&inner, rest),
        (Kind::Message(_), _) => false,
        (_, rest) => rest.is_none(),
    }
}

/// Whether text can stand for a field in a query.
fn is_sayable(field: &FieldDescriptor, depth: u8) -> bool {
    match field.kind() {
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" | "google.protobuf.Duration" => true,
            "google.protobuf.FieldMask" => !field.is_list(),
            name if name.starts_with("google.protobuf.") => false,
            _ => {
                let single = !field.is_list() && !field.is_map() && depth > 0;
                single && message.fields().all(|field| is_sayable(&field, depth - 1))
            }
        },
        _ => true,
    }
}
