//! The fields of a request, as options of a command.

use std::collections::BTreeSet;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction};
use jiff::Timestamp;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};
use regex::Regex;
use stoa_contract::described::extension;

use crate::contracts::{amount_of, comment_of};
use crate::kebab;
use crate::value::{self, Holds, Said};

/// How deep a message is taken apart; what lies below is written as JSON.
const DEPTH_MAX: usize = 3;

/// An option that says a field.
#[derive(Clone)]
pub(crate) struct Flag {
    /// The fields that lead to it, itself the last one.
    pub(crate) path: Vec<FieldDescriptor>,
    /// What people type, without dashes in front: `by.email`.
    pub(crate) name: String,
    /// It is part of the one item of a list.
    pub(crate) of_item: bool,
}

/// The options of a request.
///
/// A field that is a message has one, and its own fields have theirs behind a dot. Where a request has
/// one list of messages, and none of their fields is called like another of the request, the fields
/// have options too, for the list that has one item.
pub(crate) fn of(request: &MessageDescriptor) -> Vec<Flag> {
    let mut flags = Vec::new();
    collect(request, &[], &mut flags);
    let lists = request.fields().filter(|field| field.is_list() && message_of(field).is_some());
    if let [list] = lists.collect::<Vec<_>>().as_slice()
        && let Some(item) = message_of(list)
    {
        let taken: BTreeSet<&str> = flags.iter().map(|flag| flag.name.as_str()).collect();
        let items = item.fields().map(|field| Flag {
            name: kebab(field.name()),
            path: vec![list.clone(), field],
            of_item: true,
        });
        let items: Vec<Flag> = items.collect();
        if items.iter().all(|flag| !taken.contains(flag.name.as_str())) {
            flags.extend(items);
        }
    }
    flags
}

fn collect(message: &MessageDescriptor, prefix: &[FieldDescriptor], flags: &mut Vec<Flag>) {
    for field in message.fields() {
        let path: Vec<FieldDescriptor> = prefix.iter().cloned().chain([field.clone()]).collect();
        let names: Vec<String> = path.iter().map(|field| kebab(field.name())).collect();
        let inner = message_of(&field).filter(|_| !field.is_list() && path.len() < DEPTH_MAX);
        let circular =
            |inner: &MessageDescriptor| path.iter().any(|field| field.parent_message() == inner);
        let inner = inner.filter(|inner| !circular(inner));
        flags.push(Flag { name: names.join("."), path: path.clone(), of_item: false });
        if let Some(inner) = inner {
            collect(&inner, &path, flags);
        }
    }
}

/// The message that a field holds, where it is one of a contract.
pub(crate) fn message_of(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match Holds::of(&field.kind()) {
        Holds::Message(message) if !field.is_map() => Some(message),
        _ => None,
    }
}

impl Flag {
    /// What names it among the options: its path by the names of the contract.
    pub(crate) fn id(&self) -> String {
        let names: Vec<&str> = self.path.iter().map(FieldDescriptor::name).collect();
        names.join(".")
    }

    /// The field it says.
    pub(crate) fn field(&self) -> &FieldDescriptor {
        // A path has at least the field that it leads to.
        &self.path[self.path.len() - 1]
    }

    /// Whether it may be given several times.
    fn is_repeated(&self) -> bool {
        self.field().is_list() || self.field().is_map()
    }

    /// The options that say something else of the same choice.
    pub(crate) fn rivals<'a>(&'a self, all: &'a [Self]) -> impl Iterator<Item = &'a Self> {
        all.iter().filter(|other| {
            let mut steps = self.path.iter().zip(&other.path);
            let fork = steps.find(|(mine, theirs)| mine != theirs);
            let oneof = |field: &FieldDescriptor| field.containing_oneof();
            match fork {
                Some((mine, theirs)) => oneof(mine).is_some() && oneof(mine) == oneof(theirs),
                // The list as a whole, and the parts of its one item.
                None => self.of_item != other.of_item && self.path.len() != other.path.len(),
            }
        })
    }

    /// The option, as clap knows it.
    pub(crate) fn arg(&self, all: &[Self], now: Timestamp) -> Arg {
        let field = self.field();
        let rivals = self.rivals(all).map(|rival| clap::Id::from(rival.id()));
        let arg = Arg::new(self.id())
            .long(self.name.clone())
            .value_name(self.value_name())
            .help(self.help())
            .conflicts_with_all(rivals)
            .value_parser(self.parser(now))
            .action(if self.is_repeated() { ArgAction::Append } else { ArgAction::Set });
        match (Holds::of(&field.kind()), field.kind()) {
            (_, Kind::Bool) if !field.is_list() => {
                arg.num_args(0..=1).require_equals(true).default_missing_value("true")
            }
            (Holds::Enum(_), _) | (Holds::Scalar, Kind::String | Kind::Bytes) => arg,
            _ => arg.allow_hyphen_values(true),
        }
    }

    fn parser(&self, now: Timestamp) -> ValueParser {
        let field = self.field().clone();
        if let Holds::Enum(descriptor) = Holds::of(&field.kind()) {
            // The first value stands for none.
            let words = value::words(&descriptor).into_iter().enumerate();
            let words = words
                .map(|(place, (word, name))| PossibleValue::new(word).alias(name).hide(place == 0));
            let read = move |word: String| value::read(&field, &word, now);
            return PossibleValuesParser::new(words).try_map(read).into();
        }
        let read = move |text: &str| -> Result<Said, String> { value::read(&field, text, now) };
        ValueParser::from(read)
    }

    fn value_name(&self) -> &'static str {
        let field = self.field();
        if field.is_map() {
            return "KEY=VALUE";
        }
        match (Holds::of(&field.kind()), field.kind()) {
            (Holds::Enum(_), _) => "WORD",
            (Holds::Timestamp, _) => "TIME",
            (Holds::Duration, _) => "DURATION",
            (Holds::Mask, _) => "FIELD,FIELD",
            (Holds::Money, _) => "AMOUNT",
            (Holds::Json, _) => "JSON",
            (Holds::Message(_), _) => "FIELD=VALUE,…",
            (Holds::Scalar, Kind::String) => "TEXT",
            (Holds::Scalar, Kind::Bytes) => "@FILE",
            (Holds::Scalar, Kind::Bool) => "BOOL",
            (Holds::Scalar, _) if amount_of(field).is_some() => "AMOUNT",
            (Holds::Scalar, _) => "NUMBER",
        }
    }

    /// What the contract says of the field, on one line.
    pub(crate) fn help(&self) -> String {
        let comment = comment_of(self.field());
        let first = comment.split("\n\n").next().unwrap_or("").replace('\n', " ");
        let first = first.trim_end_matches('.');
        let amount = if amount_of(self.field()).is_some() { "; or as 11.77EUR" } else { "" };
        let required = if is_required(self.field()) { " [required]" } else { "" };
        format!("{first}{amount}{required}")
    }
}

/// Whether the rules of a field refuse it where nothing is said of it.
pub(crate) fn is_required(field: &FieldDescriptor) -> bool {
    let Some(rules) = extension(&field.options(), "buf.validate.field") else { return false };
    let Some(rules) = rules.as_message() else { return false };
    let truth = |name: &str| {
        rules.get_field_by_name(name).is_some_and(|value| value.as_bool() == Some(true))
    };
    if truth("required") {
        return true;
    }
    let ignored = rules.get_field_by_name("ignore").and_then(|ignore| ignore.as_enum_number());
    if field.supports_presence() || ignored.is_some_and(|ignore| ignore != 0) {
        return false;
    }
    let kind = rules.descriptor().oneofs().next().into_iter().flat_map(|oneof| {
        let fields: Vec<FieldDescriptor> = oneof.fields().collect();
        fields.into_iter().filter(|rule| rules.has_field(rule))
    });
    kind.into_iter().any(|kind| {
        let of_kind = rules.get_field(&kind);
        let Some(of_kind) = of_kind.as_message() else { return false };
        let rule = |name: &str| {
            let rule = of_kind.has_field_by_name(name).then(|| of_kind.get_field_by_name(name));
            rule.flatten().map(|rule| rule.into_owned())
        };
        let least = |name: &str| rule(name).is_some_and(|least| number(&least) > Some(0.0));
        let pattern = rule("pattern").is_some_and(|pattern| {
            let pattern = pattern.as_str().and_then(|pattern| Regex::new(pattern).ok());
            pattern.is_some_and(|pattern| !pattern.is_match(""))
        });
        let not_none = rule("not_in").is_some_and(|not_in| {
            not_in.as_list().is_some_and(|not_in| not_in.contains(&Value::I32(0)))
        });
        let positive = rule("gt").is_some_and(|gt| number(&gt) >= Some(0.0));
        pattern
            || not_none
            || positive
            || ["min_len", "min_items", "min_pairs", "gte", "len"].into_iter().any(least)
    })
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::I32(number) => Some(f64::from(*number)),
        Value::U32(number) => Some(f64::from(*number)),
        // Compared with 0 alone.
        Value::I64(number) => Some(number.signum() as f64),
        Value::U64(number) => Some(if *number > 0 { 1.0 } else { 0.0 }),
        Value::F32(number) => Some(f64::from(*number)),
        Value::F64(number) => Some(*number),
        _ => None,
    }
}
