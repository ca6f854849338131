//! A service as its contract describes it, read out of descriptors and checked on the way.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor, ReflectMessage as _,
    ServiceDescriptor, Value,
};

use crate::http::{self, Binding};
use crate::idents::{is_dotted, pascal};
use crate::problems::Problems;
use crate::source::{Source, extension, number_of, text_of, texts_of};

/// One service.
pub(crate) struct Contract {
    /// Its name in the contract: `LedgerService`.
    pub(crate) name: String,
    pub(crate) full_name: String,
    pub(crate) doc: String,
    pub(crate) methods: Vec<Method>,
}

/// One method.
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    /// Whether its reply is a stream.
    pub(crate) streams: bool,
    /// How much its request may come to, where that is a stream.
    pub(crate) takes_stream: Option<Total>,
    pub(crate) batch_gets: Option<String>,
    pub(crate) permission: String,
    pub(crate) job: Option<Job>,
    pub(crate) prompt: bool,
    pub(crate) price: Option<Price>,
    /// For how many seconds a proof of who calls is good for it.
    pub(crate) step_up_seconds: Option<u32>,
    /// Whether it takes HTTP as it comes.
    pub(crate) raw: bool,
    pub(crate) http: Vec<Binding>,
    pub(crate) request: MessageDescriptor,
    pub(crate) reply: MessageDescriptor,
}

/// What a method may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Query,
    Command,
    Effect,
}

/// How much a stream of requests may come to, defaults filled in.
pub(crate) struct Total {
    pub(crate) bytes_max: u64,
    pub(crate) seconds_max: u32,
}

/// How a job is tried, defaults filled in.
pub(crate) struct Job {
    pub(crate) max_attempts: u32,
    pub(crate) backoff_ms: u32,
    pub(crate) backoff_max_ms: u32,
    pub(crate) timeout_ms: u32,
    pub(crate) at_once: u32,
}

/// What a call costs.
pub(crate) struct Price {
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

impl Contract {
    /// The one service of the package.
    pub(crate) fn read(source: &Source, problems: &mut Problems) -> Option<Self> {
        let services = source.services();
        let expected = format!("{}Service", pascal(source.service_name()));
        for service in services.iter().filter(|service| service.name() != expected) {
            let message = format!("service {} must be called {expected}", service.name());
            problems.0.push(source.problem(&service.parent_file(), service.path(), message));
        }
        let Some(service) = services.iter().find(|service| service.name() == expected) else {
            if let (true, Some(file)) = (services.is_empty(), source.files.first()) {
                let message = format!("{} declares no service {expected}", source.package);
                problems.0.push(source.problem(file, &[2], message));
            }
            return None;
        };
        let reader = Reader { source, service };
        let methods: Vec<Method> =
            service.methods().map(|method| reader.method(&method, problems)).collect();
        for (place, message) in http::collisions(&methods).into_iter().chain(one_by_one(&methods)) {
            reader.wrong(&service.methods().nth(place)?, message, problems);
        }
        Some(Self {
            name: service.name().to_owned(),
            full_name: service.full_name().to_owned(),
            doc: source.comment(&service.parent_file(), service.path()).to_owned(),
            methods,
        })
    }
}

struct Reader<'a> {
    source: &'a Source,
    service: &'a ServiceDescriptor,
}

impl Reader<'_> {
    fn method(&self, method: &MethodDescriptor, problems: &mut Problems) -> Method {
        let options = method.options();
        let file = self.service.parent_file();
        let mut wrong = |message: String| self.wrong(method, message, problems);
        let effect = extension(&options, "stoa.v1.effect").and_then(|value| value.as_bool());
        let reads = options
            .get_field_by_name("idempotency_level")
            .is_some_and(|level| level.as_enum_number() == Some(NO_SIDE_EFFECTS));
        let (streams, takes_stream) = (method.is_server_streaming(), method.is_client_streaming());
        let kind = kind(effect.unwrap_or(false), reads, streams || takes_stream, &mut wrong);
        let job = extension(&options, "stoa.v1.job").map(|value| job(&value, kind));
        if job.is_some() && is_sensitive(&method.input(), 8) {
            wrong(
                "a job's request is kept as it is, and this one has a field that is secret or \
                 personal; hand over an identifier, and let the job ask for the rest"
                    .into(),
            );
        }
        if job.is_some() && kind == Kind::Query {
            wrong(
                "a query that declares a write: `(stoa.v1.job)` is for commands and effects".into(),
            );
        }
        if job.is_some() && (streams || takes_stream) {
            wrong("a stream cannot be run as a job".into());
        }
        let said = extension(&options, "stoa.v1.total");
        if said.is_some() && !takes_stream {
            wrong("`(stoa.v1.total)` is for methods that take a stream".into());
        }
        self.names(method, &mut wrong);
        let (permission, service) =
            (self.permission(&options, &mut wrong), self.source.service_name());
        let rule = extension(&options, "google.api.http");
        let rule = rule.as_ref().and_then(Value::as_message);
        let raw = kind == Kind::Effect && http::is_raw(&method.input(), &method.output());
        let comment = self.source.comment(&file, method.path());
        let read = Method {
            name: method.name().to_owned(),
            doc: comment.to_owned(),
            kind,
            streams,
            takes_stream: takes_stream.then(|| total(said.as_ref(), streams)),
            batch_gets: batch_gets(method, kind, &mut wrong),
            raw,
            http: http::bindings(rule, (&permission, service), raw || takes_stream, &mut wrong),
            permission,
            job,
            prompt: prompt(method, kind, &mut wrong),
            price: price(&options, &mut wrong),
            step_up_seconds: step_up(&options, (kind, streams || takes_stream), &mut wrong),
            request: method.input(),
            reply: method.output(),
        };
        http::check(&read, reads || streams, service, &mut wrong);
        read
    }

    fn wrong(&self, method: &MethodDescriptor, message: String, problems: &mut Problems) {
        let message = format!("method {}: {message}", method.name());
        let file = self.service.parent_file();
        problems.0.push(self.source.problem(&file, method.path(), message));
    }

    fn permission(&self, options: &DynamicMessage, wrong: &mut dyn FnMut(String)) -> String {
        let permission = extension(options, "stoa.v1.permission")
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default();
        let service = self.source.service_name();
        match permission.as_str() {
            "" => wrong(format!(
                "has no permission; say `option (stoa.v1.permission) = \"{service}.….…\"`, or \
                 public, authenticated or internal"
            )),
            "public" | "authenticated" | "internal" => {}
            named if is_dotted(named, service) => {}
            named => wrong(format!(
                "permission `{named}` is neither public, authenticated or internal nor two or \
                 more lower-case words joined by dots that start with `{service}.`"
            )),
        }
        permission
    }

    fn names(&self, method: &MethodDescriptor, wrong: &mut dyn FnMut(String)) {
        let pairs =
            [("takes", "Request", method.input()), ("returns", "Response", method.output())];
        for (verb, suffix, message) in pairs {
            let expected = format!("{}.{}{suffix}", self.source.package, method.name());
            if message.full_name() != expected {
                let short = format!("{}{suffix}", method.name());
                wrong(format!("{verb} {}; it must be {short}", message.name()));
            }
        }
    }
}

/// The number of `NO_SIDE_EFFECTS` in `google.protobuf.MethodOptions.IdempotencyLevel`.
const NO_SIDE_EFFECTS: i32 = 1;

fn kind(effect: bool, reads: bool, streams: bool, wrong: &mut dyn FnMut(String)) -> Kind {
    if effect && reads {
        wrong("is an effect, so it cannot promise NO_SIDE_EFFECTS".into());
    }
    if streams && !effect {
        wrong("is a stream, so it must say `option (stoa.v1.effect) = true`".into());
    }
    if effect || streams {
        Kind::Effect
    } else if reads {
        Kind::Query
    } else {
        Kind::Command
    }
}

/// The type of the resources that `BatchGet<Resources>` gets.
fn batch_gets(
    method: &MethodDescriptor, kind: Kind, wrong: &mut dyn FnMut(String),
) -> Option<String> {
    let gets = batch(method).filter(|_| kind == Kind::Query);
    if gets.is_none() && method.name().starts_with("BatchGet") {
        wrong(format!(
            "a batch get is a query that takes `repeated string ids`, {BATCH_MAX} at the most, \
             and gives one list of a resource"
        ));
    }
    gets
}

/// The type of the resources that a method gets many of, by its name and its shape.
pub(crate) fn batch(method: &MethodDescriptor) -> Option<String> {
    method.name().strip_prefix("BatchGet")?;
    let ids = method.input().get_field_by_name("ids")?;
    let is_text = ids.is_list() && ids.kind() == prost_reflect::Kind::String;
    let reply = method.output();
    let lists = reply.fields().filter(|field| field.is_list());
    let mut lists = lists.filter_map(|list| Resource::read(list.kind().as_message()?));
    let (resource, another) = (lists.next()?, lists.next());
    let fits = is_text && items_max(&ids)? <= BATCH_MAX && another.is_none();
    fits.then_some(resource.kind)
}

/// The places of methods that get one resource where none gets many: whoever comes by a reference
/// would have to ask for each by itself.
fn one_by_one(methods: &[Method]) -> Vec<(usize, String)> {
    let is_batched = |kind: &String| methods.iter().any(|it| it.batch_gets.as_ref() == Some(kind));
    let alone = methods.iter().enumerate().filter_map(|(place, method)| {
        let noun = method.name.strip_prefix("Get")?;
        let parts = method.reply.fields().filter(|part| !part.is_list());
        let mut parts = parts.filter_map(|part| part.kind().as_message().cloned());
        let resource = parts.find(|part| part.name() == noun)?;
        let kind = Resource::read(&resource)?.kind;
        let problem = format!(
            "gets one `{kind}`, and nothing gets many, so that a list of references to it would be \
             followed one by one; add a `BatchGet…` that takes `repeated string ids` and gives a \
             list of {noun}"
        );
        (!is_batched(&kind)).then_some((place, problem))
    });
    alone.collect()
}

/// Identifiers that a batch get takes.
const BATCH_MAX: u64 = 1_000;

/// How many items a list may have, if there is a rule.
fn items_max(field: &FieldDescriptor) -> Option<u64> {
    let rules = extension(&field.options(), "buf.validate.field")?;
    let rules = rules.as_message()?.get_field_by_name("repeated")?;
    rules.as_message()?.get_field_by_name("max_items")?.as_u64().filter(|most| *most > 0)
}

fn total(value: Option<&Value>, streams: bool) -> Total {
    const HOUR: u32 = 3_600;
    let said = value.and_then(Value::as_message);
    let bytes = said.and_then(|said| said.get_field_by_name("bytes_max")?.as_u64());
    let seconds = said.map_or(0, |said| number_of(said, "seconds_max"));
    Total {
        bytes_max: bytes.filter(|most| *most > 0).unwrap_or(1 << 30),
        seconds_max: match seconds {
            0 if streams => 24 * HOUR,
            0 => HOUR,
            said => said,
        },
    }
}

fn job(value: &Value, kind: Kind) -> Job {
    let number = |name: &str, default: u32| {
        let number = value.as_message().map_or(0, |message| number_of(message, name));
        if number == 0 { default } else { number }
    };
    Job {
        // What is outside may be away for hours; what a command says will hardly change.
        max_attempts: number("max_attempts", if kind == Kind::Effect { 40 } else { 8 }),
        backoff_ms: number("backoff_ms", 1_000),
        backoff_max_ms: number("backoff_max_ms", 3_600_000),
        timeout_ms: number("timeout_ms", 30_000),
        at_once: number("at_once", 16),
    }
}

/// Whether a method is what somebody asks a language model for them.
fn prompt(method: &MethodDescriptor, kind: Kind, wrong: &mut dyn FnMut(String)) -> bool {
    let said = extension(&method.options(), "stoa.v1.prompt");
    if said.and_then(|value| value.as_bool()) != Some(true) {
        return false;
    }
    let is_plain = |field: FieldDescriptor| !field.is_list() && field.kind().as_message().is_none();
    let gives = |field: FieldDescriptor| {
        let kind = field.kind();
        kind.as_message().is_some_and(|of| of.full_name() == "stoa.v1.Content")
    };
    let (request, reply) = (method.input(), method.output());
    if kind != Kind::Query || !request.fields().all(is_plain) || !reply.fields().any(gives) {
        wrong(
            "is a prompt, so it must be a query that takes single scalars alone, and give one or more \
             stoa.v1.Content"
                .into(),
        );
    }
    true
}

/// What a call of a method costs.
fn price(options: &DynamicMessage, wrong: &mut dyn FnMut(String)) -> Option<Price> {
    let value = extension(options, "stoa.v1.price")?;
    let money = value.as_message()?;
    let amount = money.get_field_by_name("amount")?.as_i64().unwrap_or_default();
    let currency = text_of(money, "currency");
    let is_code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    if amount <= 0 || !is_code {
        wrong("has a price that is none; say `{amount: 5, currency: \"EUR\"}`".into());
    }
    Some(Price { amount, currency })
}

/// For how many seconds a proof of who calls is good. What is watched, or goes on for long, is let in once
/// and would be good for ever.
fn step_up(
    options: &DynamicMessage, (kind, streams): (Kind, bool), wrong: &mut dyn FnMut(String),
) -> Option<u32> {
    let seconds = extension(options, "stoa.v1.step_up_seconds")?.as_u32()?;
    let permission = extension(options, "stoa.v1.permission");
    let permission = permission.as_ref().and_then(Value::as_str);
    if seconds == 0 || kind == Kind::Query || streams {
        wrong("has a step-up that nobody is held to: `(stoa.v1.step_up_seconds)` is at least 1, and for \
               commands and effects that are no streams"
            .into());
    }
    if matches!(permission, Some("public" | "internal")) {
        wrong("takes a step-up, and nobody has to sign in for it".into());
    }
    Some(seconds)
}

/// What a message says about being an event.
pub(crate) struct Event {
    pub(crate) topic: String,
    pub(crate) subject: String,
}

/// What a message says about being a resource.
pub(crate) struct Resource {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) wide: String,
    pub(crate) relations: Vec<String>,
}

/// What a message says about being kept.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) key: Vec<String>,
}

/// What a field says about being kept.
#[derive(Default)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) computed: bool,
    pub(crate) null_if_empty: bool,
}

impl Event {
    pub(crate) fn read(message: &MessageDescriptor) -> Option<Self> {
        let value = extension(&message.options(), "stoa.v1.event")?;
        let event = value.as_message()?;
        Some(Self { topic: text_of(event, "topic"), subject: text_of(event, "subject") })
    }
}

impl Resource {
    pub(crate) fn read(message: &MessageDescriptor) -> Option<Self> {
        let value = extension(&message.options(), "stoa.v1.resource")?;
        let resource = value.as_message()?;
        Some(Self {
            kind: text_of(resource, "type"),
            id: text_of(resource, "id"),
            owner: text_of(resource, "owner"),
            wide: text_of(resource, "wide"),
            relations: texts_of(resource, "relations"),
        })
    }
}

impl Table {
    pub(crate) fn read(message: &MessageDescriptor) -> Option<Self> {
        let value = extension(&message.options(), "stoa.v1.table")?;
        let table = value.as_message()?;
        Some(Self { name: text_of(table, "name"), key: texts_of(table, "key") })
    }
}

/// How a field is kept.
pub(crate) fn column_of(field: &FieldDescriptor) -> Column {
    let Some(value) = extension(&field.options(), "stoa.v1.column") else {
        return Column::default();
    };
    let Some(column) = value.as_message() else { return Column::default() };
    let is = |name: &str| column.get_field_by_name(name).is_some_and(|v| v.as_bool() == Some(true));
    Column {
        name: text_of(column, "name"),
        computed: is("computed"),
        null_if_empty: is("null_if_empty"),
    }
}

/// The field that says whom a field is about, where it is about a person.
pub(crate) fn personal_of(field: &FieldDescriptor) -> Option<String> {
    let value = extension(&field.options(), "stoa.v1.personal")?;
    value.as_str().filter(|subject| !subject.is_empty()).map(str::to_owned)
}

/// Whether a field names a blob that its row holds.
pub(crate) fn is_blob(field: &FieldDescriptor) -> bool {
    extension(&field.options(), "stoa.v1.blob").is_some_and(|value| value.as_bool() == Some(true))
}

/// The field with the currency of an amount.
pub(crate) fn amount_of(field: &FieldDescriptor) -> Option<String> {
    extension(&field.options(), "stoa.v1.amount_of")?.as_str().map(str::to_owned)
}

/// Whether a field holds a secret.
pub(crate) fn is_redacted(field: &FieldDescriptor) -> bool {
    let redact = field.options().get_field_by_name("debug_redact").and_then(|v| v.as_bool());
    redact == Some(true)
}

/// Whether a field within reach holds a secret, or something about a person.
fn is_sensitive(message: &MessageDescriptor, depth: u8) -> bool {
    message.fields().any(|field| {
        let kind = field.kind();
        let inner = kind.as_message().filter(|_| depth > 0);
        is_redacted(&field)
            || personal_of(&field).is_some()
            || inner.is_some_and(|inner| is_sensitive(inner, depth - 1))
    })
}

/// What an enum value says about the failure it names: its code in Rust, and help.
pub(crate) fn problem_of(options: &DynamicMessage) -> Option<(String, String)> {
    let value = extension(options, "stoa.v1.problem")?;
    let problem = value.as_message()?;
    let field = problem.descriptor().get_field_by_name("code")?;
    let number = problem.get_field(&field).as_enum_number()?;
    let kind = field.kind();
    let name = kind.as_enum()?.get_value(number)?.name().to_owned();
    let code: String = name
        .trim_start_matches("CODE_")
        .split('_')
        .map(|word| pascal(&word.to_ascii_lowercase()))
        .collect();
    (number != 0).then(|| (code, text_of(problem, "help")))
}
