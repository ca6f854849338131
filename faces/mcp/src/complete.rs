//! Completion: what an argument of a prompt, or a variable of an address, can be.
//!
//! An enum has its values. What names a resource can be any that its list shows to whoever asks: the
//! list above it in the address, or the one of the type that the contract refers to.

use prost_reflect::{FieldDescriptor, Kind};
use rmcp::model::{CompleteResult, CompletionInfo, Reference};
use serde::Deserialize;
use serde_json::Value as Json;
use stoa_contract::described::extension;
use stoa_contract::{Binding, Format, Method};
use stoa_kit::{Error, Result};
use stoa_node::Body;

use crate::message::raw;
use crate::resources::Readable;
use crate::serve::{Asking, Reply};

/// What is asked of `completion/complete`.
#[derive(Deserialize)]
pub(crate) struct Params {
    r#ref: Reference,
    argument: Argument,
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    value: String,
}

/// What can be said for a field, and whether there is more than that.
type Values = (Vec<String>, bool);

/// # Errors
/// `mcp.prompt` and `resource.not_found` for what is not there, and `mcp.budget`.
pub(crate) async fn complete(asking: &Asking, asked: Params) -> Result<Reply> {
    let (method, binding) = match &asked.r#ref {
        Reference::Prompt(prompt) => (asking.prompt(&prompt.name)?, None),
        Reference::Resource(resource) => {
            let found = asking.server.resources.get(&resource.uri);
            let found = found.ok_or_else(|| Error::not_found("template", &resource.uri))?;
            (found.method, Some(found.binding))
        }
        _ => return Err(Error::not_found("reference", asked.r#ref.reference_type())),
    };
    let described = asking.visit.node().registry().described()?;
    let request = described.message(method.request.name);
    let field = request.and_then(|request| {
        let mut fields = request.fields();
        fields.find(|field| [field.name(), field.json_name()].contains(&&*asked.argument.name))
    });
    let (values, more) = match &field {
        Some(field) => values(asking, method, binding, field).await?,
        None => Values::default(),
    };
    let wanted = asked.argument.value.to_lowercase();
    let begins = |value: &String| value.to_lowercase().starts_with(&wanted);
    let holds = |value: &String| value.to_lowercase().contains(&wanted);
    let (mut fit, rest): (Vec<String>, Vec<String>) = values.into_iter().partition(begins);
    fit.extend(rest.into_iter().filter(holds));
    let more = more || fit.len() > CompletionInfo::MAX_VALUES;
    fit.truncate(CompletionInfo::MAX_VALUES);
    let info = CompletionInfo::with_pagination(fit, None, more).map_err(Error::internal)?;
    let mut result = CompleteResult::new(info);
    result.result_type = None;
    Ok(Reply::Result(raw(&result)?))
}

async fn values(
    asking: &Asking, method: &'static Method, binding: Option<&Binding>, field: &FieldDescriptor,
) -> Result<Values> {
    match field.kind() {
        Kind::Bool => Ok((vec!["false".to_owned(), "true".to_owned()], false)),
        Kind::Enum(of) => {
            let values = of.values().filter(|value| value.number() != 0);
            Ok((values.map(|value| value.name().to_owned()).collect(), false))
        }
        Kind::String => match list(asking, method, binding, field)? {
            Some(list) => list.identifiers(asking).await,
            None => Ok(Values::default()),
        },
        _ => Ok(Values::default()),
    }
}

/// A query that lists what has an identifier.
struct List {
    method: &'static Method,
    /// The field of its reply, and the one in there, as JSON names them.
    items: String,
    id: String,
    kind: String,
}

/// The list in which whatever a field names stands.
fn list(
    asking: &Asking, method: &'static Method, binding: Option<&Binding>, field: &FieldDescriptor,
) -> Result<Option<List>> {
    let named = extension(&field.options(), "stoa.v1.references");
    let kind = named.as_ref().and_then(|kind| kind.as_str());
    let variable = binding.and_then(|binding| {
        let variable = binding.variables.iter().find(|it| it.field == field.name())?;
        Some(&binding.segments[..variable.start])
    });
    let is_above = |readable: &Readable| {
        readable.method.service == method.service
            && readable.binding.verb.is_empty()
            && Some(readable.binding.segments) == variable
    };
    let described = asking.visit.node().registry().described()?;
    for readable in asking.server.resources.whole() {
        let reply = described.message(readable.method.reply.name);
        let found =
            reply.and_then(|reply| reply.fields().find_map(|field| List::of(readable, &field)));
        let Some(list) = found else { continue };
        if kind.map_or_else(|| is_above(&readable), |kind| list.kind == kind) {
            return Ok(Some(list).filter(|list| asking.visit.caller().may_call(list.method)));
        }
    }
    Ok(None)
}

impl List {
    fn of(readable: Readable, field: &FieldDescriptor) -> Option<Self> {
        let kind = field.kind();
        let message = kind.as_message().filter(|_| field.is_list())?;
        let resource = extension(&message.options(), "stoa.v1.resource")?;
        let resource = resource.as_message()?;
        let said = |name: &str| Some(resource.get_field_by_name(name)?.as_str()?.to_owned());
        let id = message.get_field_by_name(&said("id")?)?.json_name().to_owned();
        let items = field.json_name().to_owned();
        Some(Self { method: readable.method, items, id, kind: said("type")? })
    }

    /// The identifiers on its first page.
    async fn identifiers(&self, asking: &Asking) -> Result<Values> {
        asking.take_call(self.method)?;
        let bound = asking.visit.node().registry().method(self.method.path);
        let bound = bound.ok_or_else(|| Error::internal("a list of no method"))?;
        let request = bound.decode_request(b"{}", Format::Json)?;
        let Body::Message(reply) = asking.visit.call(self.method, request).await?.body else {
            return Ok(Values::default());
        };
        let reply: Json =
            serde_json::from_slice(&reply.encode(Format::Json)?).map_err(Error::internal)?;
        let items = reply[&self.items].as_array().into_iter().flatten();
        let identifiers = items.filter_map(|item| Some(item[&self.id].as_str()?.to_owned()));
        Ok((identifiers.collect(), reply["nextPageToken"].as_str().is_some()))
    }
}
