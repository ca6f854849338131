//! Requests as command lines: the examples of a service, as help shows them.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use stoa_contract::v1::Money;

use crate::contracts::{Method, Service, amount_of};
use crate::flags::{self, Flag, message_of};
use crate::kebab;
use crate::method::positional;
use crate::value::{self, Holds};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

/// The longest line of an example: help does not break it once more.
const LINE_MAX: usize = 76;

/// What help says last of a method: how it is asked.
pub(crate) fn section(service: &Service, method: &Method) -> String {
    let examples: Json = serde_yaml_ng::from_str(service.examples).unwrap_or_default();
    let of = &examples["methods"][method.descriptor.name()]["success"];
    let nothing = Map::new();
    let request = match &of["with"] {
        Json::Object(fields) => fields,
        Json::Null if of.is_object() => &nothing,
        _ => return String::new(),
    };
    let words = method.words(request);
    let words: Vec<String> = words.iter().map(|word| quoted(&named(word))).collect();
    let mut lines = vec![format!("  stoa {} {}", service.name, method.command)];
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < LINE_MAX => *line += &format!(" {word}"),
            _ => lines.push(format!("    {word}")),
        }
    }
    format!("Example:\n{}", lines.join(" \\\n"))
}

/// What an earlier step kept, as a place to fill in: `${ada}` is `<ada>`.
fn named(word: &str) -> String {
    word.replace("${", "<").replace('}', if word.contains("${") { ">" } else { "}" })
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_./:@=,+".contains(sign);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

impl Method {
    /// The words that say a request behind the method's name: by its options, and by `--json` what no
    /// option says.
    pub fn words(&self, request: &Map<String, Json>) -> Vec<String> {
        let flags = flags::of(&self.descriptor.input());
        let mut left = request.clone();
        let mut words = Vec::new();
        for flag in positional(self, &flags) {
            match taken(&mut left, flag.field()) {
                Some(Json::String(text)) if !text.is_empty() && !text.starts_with('-') => {
                    words.push(text);
                }
                Some(value) => {
                    // Whoever comes behind would be taken for this one.
                    left.insert(flag.field().json_name().to_owned(), value);
                    break;
                }
                None => break,
            }
        }
        let of_item = flags.iter().filter(|flag| flag.of_item).cloned().collect::<Vec<_>>();
        let input = self.descriptor.input();
        for field in input.fields() {
            let Some(value) = taken(&mut left, &field) else { continue };
            let currency = request.get("currency").and_then(Json::as_str).unwrap_or("");
            let said = match one_item(&field, &value, &of_item) {
                Some(item) => item_words(&of_item, item, currency),
                None => field_words(&flags, std::slice::from_ref(&field), &value, currency),
            };
            match said {
                Some(said) => words.extend(said),
                None => {
                    left.insert(field.json_name().to_owned(), value);
                }
            }
        }
        if !left.is_empty() {
            words.push(format!("--json={}", Json::Object(left)));
        }
        words
    }
}

/// Takes the value of a field out of a message.
fn taken(fields: &mut Map<String, Json>, field: &FieldDescriptor) -> Option<Json> {
    fields.remove(field.json_name()).or_else(|| fields.remove(field.name()))
}

fn one_item<'a>(
    field: &FieldDescriptor, value: &'a Json, of_item: &[Flag],
) -> Option<&'a Map<String, Json>> {
    let list = of_item.first()?.path.first()?;
    match value.as_array()?.as_slice() {
        [Json::Object(item)] if list == field => Some(item),
        _ => None,
    }
}

fn item_words(of_item: &[Flag], item: &Map<String, Json>, currency: &str) -> Option<Vec<String>> {
    let mut left = item.clone();
    let mut words = Vec::new();
    for flag in of_item {
        if let Some(value) = taken(&mut left, flag.field()) {
            words.extend(values(flag.field(), &flag.name, &value, currency)?);
        }
    }
    (left.is_empty() && !words.is_empty()).then_some(words)
}

/// The options that say a field; none where no option can.
fn field_words(
    flags: &[Flag], path: &[FieldDescriptor], value: &Json, currency: &str,
) -> Option<Vec<String>> {
    let flag = flags.iter().find(|flag| flag.path == path)?;
    let field = flag.field();
    let inner = message_of(field).filter(|_| !field.is_list());
    if let (Some(inner), Json::Object(fields)) = (inner, value)
        && let Some(words) = inner_words(flags, path, &inner, fields, currency)
    {
        return Some(words);
    }
    values(field, &flag.name, value, currency)
}

fn inner_words(
    flags: &[Flag], path: &[FieldDescriptor], inner: &MessageDescriptor,
    fields: &Map<String, Json>, currency: &str,
) -> Option<Vec<String>> {
    let mut left = fields.clone();
    let mut words = Vec::new();
    for field in inner.fields() {
        let Some(value) = taken(&mut left, &field) else { continue };
        let path: Vec<FieldDescriptor> = path.iter().cloned().chain([field]).collect();
        words.extend(field_words(flags, &path, &value, currency)?);
    }
    (left.is_empty() && !words.is_empty()).then_some(words)
}

fn values(
    field: &FieldDescriptor, name: &str, value: &Json, currency: &str,
) -> Option<Vec<String>> {
    let all: Vec<String> = match value {
        Json::Array(items) if field.is_list() => {
            let items = items.iter().map(|item| text(field, item, currency));
            items.collect::<Option<_>>()?
        }
        Json::Object(pairs) if field.is_map() => {
            let pairs = pairs.iter().map(|(key, value)| {
                let pair = format!("{key}={}", plain(value)?);
                let said = value::read(field, &pair, Timestamp::UNIX_EPOCH).ok()?.value;
                (plain(said.get(key)?) == plain(value)).then_some(pair)
            });
            pairs.collect::<Option<_>>()?
        }
        value if !field.is_list() && !field.is_map() => vec![text(field, value, currency)?],
        _ => return None,
    };
    let said = |text: &String| match text.as_str() {
        "true" if field.kind() == Kind::Bool && !field.is_list() => format!("--{name}"),
        text => format!("--{name}={text}"),
    };
    (!all.is_empty()).then(|| all.iter().map(said).collect())
}

/// One value as an option takes it; none where it would take it for something else.
fn text(field: &FieldDescriptor, value: &Json, currency: &str) -> Option<String> {
    let kind = field.kind();
    let plain = plain(value)?;
    let text = match (Holds::of(&kind), value) {
        (Holds::Enum(descriptor), Json::String(name)) => {
            let words = value::words(&descriptor);
            words.into_iter().find(|(_, known)| known == name)?.0
        }
        (Holds::Money, Json::Object(money)) => {
            let amount = money.get("amount")?;
            let amount = amount.as_i64().or_else(|| amount.as_str()?.parse().ok())?;
            words_of(amount, money.get("currency")?.as_str()?)?
        }
        (Holds::Scalar, _) if amount_of(field).is_some() => {
            plain.parse().ok().and_then(|amount| words_of(amount, currency)).unwrap_or(plain)
        }
        (Holds::Message(_) | Holds::Json, value) if !value.is_object() => return None,
        (Holds::Message(message), Json::Object(fields)) => {
            pairs(&message, fields, currency).unwrap_or(plain)
        }
        // An empty text, or a number in the place of a text, is something else than what it says.
        (Holds::Scalar, value) if kind == Kind::String && !value.is_string() => return None,
        (Holds::Scalar, value) if kind != Kind::String && value == "" => return None,
        _ => plain,
    };
    let is_read = value::read(field, &text, Timestamp::UNIX_EPOCH).is_ok();
    (is_read || text.contains("${")).then_some(text)
}

/// A message as `debit=cash,credit=wallets/ada`; none where that would say something else.
fn pairs(
    message: &MessageDescriptor, fields: &Map<String, Json>, currency: &str,
) -> Option<String> {
    let mut left = fields.clone();
    let currency = fields.get("currency").and_then(Json::as_str).unwrap_or(currency);
    let mut parts = Vec::new();
    for field in message.fields() {
        let Some(value) = taken(&mut left, &field) else { continue };
        let is_one = !field.is_list() && !field.is_map();
        let text = text(&field, &value, currency).filter(|_| is_one)?;
        if text.contains(',') || text.starts_with('{') {
            return None;
        }
        parts.push(format!("{}={text}", kebab(field.name())));
    }
    (left.is_empty() && !parts.is_empty()).then(|| parts.join(","))
}

/// A value without quotes; none where there is more than one, or nothing.
fn plain(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) | Json::Object(_) => Some(value.to_string()),
        Json::Null | Json::Array(_) => None,
    }
}

/// An amount as people write it, without the space.
fn words_of(amount: i64, currency: &str) -> Option<String> {
    let text = Money { amount, currency: currency.to_owned() }.words().replace(' ', "");
    Money::read(&text).is_ok().then_some(text)
}
