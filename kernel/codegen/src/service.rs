//! Writes what a service is: its requests, its trait, its contract as a value.

use std::fmt::Write as _;

use crate::emit::{Package, bytes, doc};
use crate::http::{Binding, Segment, Variable};
use crate::idents::{ident, snake};
use crate::model::{Contract, Event, Kind, Method, Table, is_blob, personal_of};

/// Everything about the service of a package.
pub(crate) fn text(package: &Package<'_>, contract: &Contract) -> String {
    let mut out = String::new();
    for method in &contract.methods {
        out.push_str(&request(package, contract, method));
        out.push_str(&raw(package, method));
    }
    out.push_str(&service_trait(package, contract));
    out.push_str(&contract_value(package, contract));
    out.push_str(&serve(package, contract));
    out.push_str(&functions(package, contract));
    out
}

fn request(package: &Package<'_>, contract: &Contract, method: &Method) -> String {
    let c = package.names.contract;
    let request = package.rust_type(&method.request);
    let reply = package.rust_type(&method.reply);
    let kind = kind(method.kind);
    let permission = match method.permission.as_str() {
        "public" => "Public".to_owned(),
        "authenticated" => "Authenticated".to_owned(),
        "internal" => "Internal".to_owned(),
        named => format!("Named({named:?})"),
    };
    let none = || "::core::option::Option::None".to_owned();
    let job = method.job.as_ref().map_or_else(none, |job| {
        format!(
            "::core::option::Option::Some({c}::Job {{ max_attempts: {}, backoff_ms: {}, \
             backoff_max_ms: {}, timeout_ms: {}, at_once: {} }})",
            job.max_attempts, job.backoff_ms, job.backoff_max_ms, job.timeout_ms, job.at_once
        )
    });
    let price = method.price.as_ref().map_or_else(none, |price| {
        format!(
            "::core::option::Option::Some({c}::Price {{ amount: {}, currency: {:?} }})",
            price.amount, price.currency
        )
    });
    let http: String = method.http.iter().map(|http| binding(c, http)).collect();
    format!(
        "\nimpl {c}::Request for {request} {{\n\
         type Reply = {reply};\n\
         const METHOD: &'static {c}::Method = {{\n\
         static METHOD: {c}::Method = {c}::Method {{\n\
         path: {path:?},\n\
         service: {service:?},\n\
         name: {name:?},\n\
         doc: {doc:?},\n\
         kind: {c}::Kind::{kind},\n\
         streams: {streams},\n\
         takes_stream: {takes_stream},\n\
         batch_gets: {batch_gets},\n\
         permission: {c}::Permission::{permission},\n\
         job: {job},\n\
         prompt: {prompt},\n\
         price: {price},\n\
         step_up: {step_up},\n\
         http: &[\n{http}],\n\
         request: <{request} as {c}::Message>::SHAPE,\n\
         reply: <{reply} as {c}::Message>::SHAPE,\n}};\n\
         &METHOD\n}};\n}}\n\n\
         impl {c}::{kind} for {request} {{}}\n",
        path = format!("{}/{}", contract.full_name, method.name),
        service = package.source.service_name(),
        name = method.name,
        doc = first_paragraph(&method.doc),
        streams = method.streams,
        takes_stream = method.takes_stream.as_ref().map_or_else(none, |total| {
            format!(
                "::core::option::Option::Some({c}::Total {{ bytes_max: {}, seconds_max: {} }})",
                total.bytes_max, total.seconds_max
            )
        }),
        prompt = method.prompt,
        step_up = method.step_up_seconds.map_or_else(none, |seconds| {
            format!("::core::option::Option::Some(::core::time::Duration::from_secs({seconds}))")
        }),
        batch_gets = method
            .batch_gets
            .as_ref()
            .map_or_else(none, |kind| { format!("::core::option::Option::Some({kind:?})") }),
    )
}

fn binding(c: &str, binding: &Binding) -> String {
    let segments = binding.segments.iter().map(|segment| match segment {
        Segment::Word(word) => format!("{c}::Segment::Word({word:?}), "),
        Segment::One => format!("{c}::Segment::One, "),
        Segment::Rest => format!("{c}::Segment::Rest, "),
    });
    let variables = binding.variables.iter().map(|variable| {
        let Variable { field, start, end } = variable;
        format!("{c}::Variable {{ field: {field:?}, start: {start}, end: {end} }}, ")
    });
    format!(
        "{c}::Binding {{\n\
         http_method: {http_method:?},\n\
         template: {template:?},\n\
         segments: &[{segments}],\n\
         verb: {verb:?},\n\
         variables: &[{variables}],\n\
         body: {body:?},\n\
         response_body: {response_body:?},\n}},\n",
        segments = segments.collect::<String>(),
        variables = variables.collect::<String>(),
        http_method = binding.http_method,
        template = binding.template,
        verb = binding.verb,
        body = binding.body,
        response_body = binding.response_body,
    )
}

/// What is written for a method that takes HTTP as it came.
fn raw(package: &Package<'_>, method: &Method) -> String {
    if !method.raw {
        return String::new();
    }
    format!(
        "\nimpl {c}::Raw for {request} {{\n\
         fn of(http: {c}::v1::HttpRequest) -> Self {{\nSelf {{ http: http.into() }}\n}}\n\
         fn answer(reply: {reply}) -> {c}::v1::HttpResponse {{\n\
         reply.http.into_option().unwrap_or_default()\n}}\n}}\n",
        c = package.names.contract,
        request = package.rust_type(&method.request),
        reply = package.rust_type(&method.reply),
    )
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Query => "Query",
        Kind::Command => "Command",
        Kind::Effect => "Effect",
    }
}

fn first_paragraph(comment: &str) -> String {
    let lines: Vec<&str> = comment.lines().take_while(|line| !line.trim().is_empty()).collect();
    lines.join(" ")
}

fn service_trait(package: &Package<'_>, contract: &Contract) -> String {
    let mut methods = String::new();
    for method in &contract.methods {
        let request = package.rust_type(&method.request);
        let reply = package.rust_type(&method.reply);
        let name = ident(&snake(&method.name));
        let signature = match method.kind {
            Kind::Command => format!(
                "fn {name}(&self, tx: &mut ::stoa_kit::Tx, request: {request}) \
                 -> ::stoa_kit::Result<{reply}>;"
            ),
            Kind::Query => format!(
                "fn {name}(&self, view: &::stoa_kit::View, request: {request}) \
                 -> ::stoa_kit::Result<{reply}>;"
            ),
            Kind::Effect => format!(
                "fn {name}(&self, ctx: &::stoa_kit::Ctx, {asked}) \
                 -> impl ::core::future::Future<Output = ::stoa_kit::Result<{reply}>> \
                 + ::core::marker::Send;",
                asked = asked(package, method),
                reply = given(package, method),
            ),
        };
        let _ = writeln!(methods, "{}{signature}", doc(&method.doc));
    }
    format!(
        "\n{doc}pub trait {name}: ::core::marker::Send + ::core::marker::Sync + 'static {{\n\
         {methods}}}\n",
        doc = doc(&contract.doc),
        name = contract.name,
    )
}

/// What an effect takes, as a parameter.
fn asked(package: &Package<'_>, method: &Method) -> String {
    let request = package.rust_type(&method.request);
    match method.takes_stream.is_some() {
        true => format!("requests: ::stoa_kit::Requests<{request}>"),
        false => format!("request: {request}"),
    }
}

/// What an effect gives.
fn given(package: &Package<'_>, method: &Method) -> String {
    let reply = package.rust_type(&method.reply);
    if method.streams { format!("::stoa_kit::Stream<{reply}>") } else { reply }
}

/// How an effect is bound.
fn binder(method: &Method) -> &'static str {
    match (method.takes_stream.is_some(), method.streams) {
        (false, false) => "effect",
        (false, true) => "stream",
        (true, false) => "gather",
        (true, true) => "converse",
    }
}

fn contract_value(package: &Package<'_>, contract: &Contract) -> String {
    let c = package.names.contract;
    let methods: String = contract
        .methods
        .iter()
        .map(|method| {
            format!("<{} as {c}::Request>::METHOD,\n", package.rust_type(&method.request))
        })
        .collect();
    let events: String = package
        .source
        .messages()
        .iter()
        .filter_map(|message| {
            Event::read(message)?;
            Some(format!("{c}::EventType::of::<{}>(),\n", package.rust_type(message)))
        })
        .collect();
    format!(
        "\n/// The contract, for faces.\n\
         pub static CONTRACT: {c}::Contract = {c}::Contract {{\n\
         name: {name:?},\n\
         full_name: {full_name:?},\n\
         doc: {doc:?},\n\
         methods: &[\n{methods}],\n\
         events: &[\n{events}],\n\
         descriptors: {descriptors},\n}};\n",
        name = package.source.service_name(),
        full_name = contract.full_name,
        doc = contract.doc,
        descriptors = bytes(&package.source.documented()),
    )
}

fn serve(package: &Package<'_>, contract: &Contract) -> String {
    let mut out = format!(
        "\n/// Binds an implementation to its contract.\n\
         pub fn serve(service: impl {}) -> ::stoa_kit::Methods {{\n\
         let service = ::std::sync::Arc::new(service);\n\
         let methods = ::stoa_kit::Methods::new(&CONTRACT);\n",
        contract.name
    );
    for method in &contract.methods {
        let request = package.rust_type(&method.request);
        // By the trait's path: a method of `Arc` or of a trait in scope may have its name.
        let name = format!("{}::{}", contract.name, ident(&snake(&method.name)));
        let (register, taken, call) = match method.kind {
            Kind::Command => (
                "command",
                format!("tx: &mut ::stoa_kit::Tx, request: {request}"),
                format!("{name}(&*service, tx, request)"),
            ),
            Kind::Query => (
                "query",
                format!("view: &::stoa_kit::View, request: {request}"),
                format!("{name}(&*service, view, request)"),
            ),
            Kind::Effect => (
                binder(method),
                format!("ctx: ::stoa_kit::Ctx, {}", asked(package, method)),
                format!(
                    "{{\nlet service = service.clone();\n\
                     async move {{ {name}(&*service, &ctx, {asked}).await }}\n}}",
                    asked = if method.takes_stream.is_some() { "requests" } else { "request" },
                ),
            ),
        };
        let _ = writeln!(
            out,
            "let methods = methods.{register}({{\n\
             let service = service.clone();\n\
             move |{taken}| {call}\n}});"
        );
    }
    let _ = write!(out, "methods{}\n}}\n", people(package));
    out
}

/// What the messages of a contract say of people: which tables hold it, and that it is told at all;
/// and which tables name blobs.
fn people(package: &Package<'_>) -> String {
    let messages = package.source.messages();
    let personal =
        messages.iter().filter(|m| m.fields().any(|field| personal_of(&field).is_some()));
    let said = |message: &_| match Table::read(message) {
        Some(_) => format!("\n.holds::<{}>()", package.rust_type(message)),
        None => "\n.tells_of_people()".to_owned(),
    };
    let blobs = messages.iter().filter(|message| message.fields().any(|field| is_blob(&field)));
    let names = |message| format!("\n.names_blobs::<{}>()", package.rust_type(message));
    personal.map(said).chain(blobs.map(names)).collect()
}

/// The table of functions that stands for the trait where a service is written in several rooms. A
/// function that is missing, or is of another method, does not compile.
fn functions(package: &Package<'_>, contract: &Contract) -> String {
    let (mut fields, mut types, mut bounds, mut binds) =
        (String::new(), Vec::new(), String::new(), String::new());
    for method in &contract.methods {
        let request = package.rust_type(&method.request);
        let (name, own) = (ident(&snake(&method.name)), method.name.as_str());
        let (register, context) = match method.kind {
            Kind::Command => ("command", "&mut ::stoa_kit::Tx"),
            Kind::Query => ("query", "&::stoa_kit::View"),
            Kind::Effect => (binder(method), "::stoa_kit::Ctx"),
        };
        let reply = format!("::stoa_kit::Result<{}>", given(package, method));
        let asked = match method.takes_stream.is_some() {
            true => format!("::stoa_kit::Requests<{request}>"),
            false => request.clone(),
        };
        let always = "::core::marker::Send + ::core::marker::Sync + 'static";
        let _ = writeln!(fields, "{}pub {name}: {own},", doc(&method.doc));
        types.push(own.to_owned());
        if method.kind == Kind::Effect {
            types.push(format!("{own}Future"));
            let future = "::core::future::Future<Output = ";
            let _ = writeln!(bounds, "{own}: Fn({context}, {asked}) -> {own}Future + {always},");
            let _ =
                writeln!(bounds, "{own}Future: {future}{reply}> + ::core::marker::Send + 'static,");
        } else {
            let _ = writeln!(bounds, "{own}: Fn({context}, {request}) -> {reply} + {always},");
        }
        let _ = writeln!(
            binds,
            ".{register}::<{request}{}>(self.{name})",
            match method.kind {
                Kind::Effect => ", _",
                Kind::Command | Kind::Query => "",
            }
        );
    }
    let own: Vec<&str> = contract.methods.iter().map(|method| method.name.as_str()).collect();
    format!(
        "\n/// What keeps each promise of the contract, function by function: for a service whose\n\
         /// functions stand in several rooms.\n\
         pub struct Functions<{own}> {{\n{fields}}}\n\n\
         impl<{types}> Functions<{own}>\nwhere\n{bounds}{{\n\
         /// Binds them to the contract.\n\
         pub fn serve(self) -> ::stoa_kit::Methods {{\n\
         ::stoa_kit::Methods::new(&CONTRACT)\n{binds}{people}}}\n}}\n",
        people = people(package),
        own = own.join(", "),
        types = types.join(", "),
    )
}
