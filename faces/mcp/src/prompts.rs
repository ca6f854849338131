//! Prompts: what people choose to ask a model for, of the methods that say they are one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rmcp::model::{
    GetPromptResult, ListPromptsResult, Prompt, PromptArgument, PromptMessage, Role,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use stoa_contract::described::Described;
use stoa_contract::schema::is_required;
use stoa_contract::{Format, Method};
use stoa_kit::{Code, Error, Result};
use stoa_node::Body;

use crate::message::raw;
use crate::resources::put;
use crate::serve::{Asking, Reply};
use crate::tools::{Entry, Paged, page};
use crate::{content, hints};

/// What is asked of `prompts/get`.
#[derive(Deserialize)]
pub(crate) struct Params<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    arguments: BTreeMap<String, String>,
}

/// # Errors
/// `mcp.cursor`.
pub(crate) fn list(asking: &Asking, paged: &Paged) -> Result<Reply> {
    let described = asking.visit.node().registry().described()?;
    let mut prompts = asking.server.tools.of(asking.visit.caller(), &asking.chosen()?);
    prompts.retain(|(_, entry)| entry.method.prompt);
    let (page, next) = page(&prompts, paged)?;
    let page = page.iter().map(|(name, Entry { method, .. })| {
        let arguments = Some(arguments(method, described)).filter(|all| !all.is_empty());
        Prompt::new(*name, Some(method.doc), arguments).with_title(hints::title(method))
    });
    let mut list = ListPromptsResult::with_all_items(page.collect());
    (list.result_type, list.next_cursor) = (None, next);
    Ok(Reply::Result(raw(&list)?))
}

fn arguments(method: &Method, described: &Described) -> Vec<PromptArgument> {
    let request = described.message(method.request.name);
    let fields = request.iter().flat_map(|request| request.fields());
    let arguments = fields.map(|field| {
        let comment = described.comment(&field.parent_message().parent_file(), field.path());
        PromptArgument::new(field.json_name())
            .with_description(comment)
            .with_required(is_required(&field))
    });
    arguments.collect()
}

/// # Errors
/// `mcp.prompt`, and those of the method that gives it.
pub(crate) async fn get(asking: &Asking, asked: Params<'_>) -> Result<Reply> {
    let method = asking.prompt(&asked.name)?;
    let mut message = Map::new();
    for (name, text) in asked.arguments {
        put(&mut message, method.request, &name, text);
    }
    let message = Json::Object(message);
    asking.take_call(method)?;
    let bound = asking.visit.node().registry().method(method.path);
    let bound = bound.ok_or_else(|| Error::internal("a prompt of no method"))?;
    let request = bound.decode_request(message.to_string().as_bytes(), Format::Json)?;
    let Body::Message(reply) = asking.visit.call(method, request).await?.body else {
        return Err(Error::internal("a stream where a message was expected"));
    };
    let reply = reply.encode(Format::Json)?;
    let mut reply = serde_json::from_slice(&reply).map_err(Error::internal)?;
    let address = asking.server.resources.address(method, &message);
    let blocks = content::blocks(content::take(method.reply, &mut reply), &address);
    let messages = blocks.into_iter().map(|block| PromptMessage::new(Role::User, block));
    let mut result = GetPromptResult::new(messages.collect()).with_description(method.doc);
    result.result_type = None;
    Ok(Reply::Result(raw(&result)?))
}

impl Asking {
    /// A prompt by its name.
    ///
    /// # Errors
    /// `mcp.prompt`.
    pub(crate) fn prompt(&self, name: &str) -> Result<&'static Method> {
        let found = self.tool(name).ok().map(|entry| entry.method).filter(|method| method.prompt);
        found.ok_or_else(|| {
            let shown: String = name.chars().take(64).collect();
            let message = format!("there is no prompt `{shown}`");
            Error::new(Code::InvalidArgument, "mcp.prompt", message)
                .help("List the prompts, and ask for one by its name.")
        })
    }
}
