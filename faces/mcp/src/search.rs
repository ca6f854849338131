//! A tool among many: searched for by words, described, called.
//!
//! An agent that may call hundreds of methods is handed three tools instead of them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use stoa_contract::described::Described;
use stoa_contract::{Contract, Method};
use stoa_kit::{Error, Result};

use crate::hints;
use crate::tools::Entry;

pub(crate) const SEARCH: &str = "search_tools";
pub(crate) const DESCRIBE: &str = "describe_tool";
pub(crate) const CALL: &str = "call_tool";
/// The names that no method has.
pub(crate) const NAMES: [&str; 3] = [SEARCH, DESCRIBE, CALL];

/// What a search gives unless it says how much, and at the most.
const FOUND: (usize, usize) = (10, 50);
/// How much more a word says in a name than in a description.
const NAMED: f64 = 4.0;

/// What is asked of [`SEARCH`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(default)]
    limit: Option<usize>,
}

/// What is asked of [`DESCRIBE`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
}

/// What is asked of [`CALL`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relayed<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "idempotencyKey")]
    pub(crate) key: Option<Cow<'a, str>>,
}

/// The words by which a method is found.
pub(crate) struct Words {
    name: BTreeSet<String>,
    text: BTreeSet<String>,
}

impl Words {
    pub(crate) fn of(contract: &Contract, method: &Method) -> Self {
        let about = contract.doc.lines().next().unwrap_or_default();
        Self { name: words(&method.scope()), text: words(&format!("{} {about}", method.doc)) }
    }

    fn weight(&self, word: &str) -> f64 {
        let has = |words: &BTreeSet<String>| words.iter().any(|known| known.starts_with(word));
        match (has(&self.name), has(&self.text)) {
            (true, _) => NAMED,
            (false, true) => 1.0,
            (false, false) => 0.0,
        }
    }
}

/// The words of a text in lower case, each as of one thing: `accounts` is `account`.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 1);
    let words = words.map(|word| {
        let word = word.to_lowercase();
        match word.strip_suffix('s') {
            Some(one) if one.len() > 2 && !one.ends_with('s') => one.to_owned(),
            _ => word,
        }
    });
    words.collect()
}

impl Query<'_> {
    /// The tools that fit best: those with the most of the words that are asked for, a word counting
    /// the more the fewer tools have it.
    pub(crate) fn answer(&self, tools: &[(&str, &Entry)]) -> Json {
        let wanted = words(&self.query);
        let rarity: HashMap<&str, f64> = wanted
            .iter()
            .map(|word| {
                let known = tools.iter().filter(|(_, entry)| entry.words.weight(word) > 0.0);
                let share = (1 + tools.len()) as f64 / (1 + known.count()) as f64;
                (word.as_str(), 1.0 + share.ln())
            })
            .collect();
        let score = |entry: &Entry| -> f64 {
            rarity.iter().map(|(word, rarity)| entry.words.weight(word) * rarity).sum()
        };
        let mut found: Vec<(f64, &str, &Entry)> = tools
            .iter()
            .map(|(name, entry)| (score(entry), *name, *entry))
            .filter(|(score, ..)| *score > 0.0 || wanted.is_empty())
            .collect();
        found.sort_by(|(one, a, _), (other, b, _)| other.total_cmp(one).then(a.cmp(b)));
        let limit = self.limit.unwrap_or(FOUND.0).clamp(1, FOUND.1);
        let shown = found.iter().take(limit).map(|(_, name, entry)| {
            let hints = hints::of(entry.method);
            json!({
                "name": name,
                "description": entry.method.doc,
                "readOnly": hints.read_only_hint,
                "destructive": hints.read_only_hint != Some(true) && hints.is_destructive(),
            })
        });
        json!({"tools": shown.collect::<Vec<_>>(), "found": found.len(), "all": tools.len()})
    }
}

/// A tool as a list has it.
///
/// # Errors
/// Those of [`Entry::tool`].
pub(crate) fn describe(name: &str, entry: &Entry, described: &Described) -> Result<Json> {
    let tool = entry.tool(name, described)?;
    serde_json::to_value(tool).map_err(Error::internal)
}

/// The three.
pub(crate) fn tools() -> Vec<Tool> {
    let tool = |name: &'static str, title: &str, said: &'static str, input: Json| {
        let input = if let Json::Object(input) = input { input } else { JsonObject::new() };
        Tool::new(name, said, Arc::new(input)).with_title(title)
    };
    let reads = || ToolAnnotations::new().read_only(true).open_world(false);
    let name = json!({"type": "string", "description": "The name of a tool, as a search gave it."});
    vec![
        tool(
            SEARCH,
            "Search tools",
            "Finds the tools for a task among all that you may call, by words of their names and \
             descriptions. Begin here.",
            json!({
                "type": "object",
                "properties": {
                    "query": {
                        "type": "string",
                        "description": "Words for what is to be done: `transfer money`. All tools if empty.",
                    },
                    "limit": {
                        "type": "integer",
                        "description": "How many tools to give.",
                        "minimum": 1,
                        "maximum": FOUND.1,
                        "default": FOUND.0,
                    },
                },
                "required": ["query"],
                "additionalProperties": false,
            }),
        )
        .with_annotations(reads()),
        tool(
            DESCRIBE,
            "Describe tool",
            "Describes a tool: what it does, what it takes and what it gives, as JSON Schema.",
            json!({
                "type": "object",
                "properties": {"name": name.clone()},
                "required": ["name"],
                "additionalProperties": false,
            }),
        )
        .with_annotations(reads()),
        tool(
            CALL,
            "Call tool",
            "Calls a tool, with the arguments that its description asks for.",
            json!({
                "type": "object",
                "properties": {
                    "name": name,
                    "arguments": {"type": "object", "description": "Its arguments."},
                    "idempotencyKey": {
                        "type": "string",
                        "description": "What was called before with this key does not happen again, \
                            but gives its reply again: for a call whose answer was lost.",
                    },
                },
                "required": ["name"],
                "additionalProperties": false,
            }),
        )
        .with_annotations(ToolAnnotations::new().read_only(false).destructive(true)),
    ]
}
