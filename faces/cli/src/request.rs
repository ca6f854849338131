//! A request, from what was matched on a command line.

use std::io::Read;

use clap::ArgMatches;
use prost_reflect::{FieldDescriptor, MessageDescriptor};
use serde_json::{Map, Value as Json};
use stoa_contract::Code;
use stoa_kit::{Error, Result};

use crate::contracts::{Contracts, Method};
use crate::flags::{self, Flag};
use crate::kebab;
use crate::method::{JSON, place, positional};
use crate::value::{Currency, Said, put};

/// The largest request that is read from a file or a pipe, as large as a node takes.
const REQUEST_MAX: u64 = 4 << 20;

/// A method and what is asked of it.
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The request as JSON.
    pub request: Json,
    flags: Vec<Flag>,
}

impl Ask {
    /// What the commands of a service matched; none where it is no service's.
    ///
    /// # Errors
    /// `cli.usage` where the options together say no request.
    pub fn read(
        contracts: &Contracts, service: &str, matches: &ArgMatches,
    ) -> Option<Result<Self>> {
        let (method, matches) = matches.subcommand()?;
        let method = contracts.service(service)?.method(method)?;
        Some(Self::of(method.clone(), matches))
    }

    fn of(method: Method, matches: &ArgMatches) -> Result<Self> {
        let flags = flags::of(&method.descriptor.input());
        let mut request = match matches.try_get_one::<String>(JSON).ok().flatten() {
            Some(text) => whole(text)?,
            None => Map::new(),
        };
        let mut currencies = Vec::new();
        let places = positional(&method, &flags);
        for flag in &flags {
            let id = match places.iter().any(|known| known.id() == flag.id()) {
                true if matches.contains_id(&place(flag)) => place(flag),
                _ => flag.id(),
            };
            let said = matches.get_many::<Said>(&id).into_iter().flatten().cloned();
            for (nth, Said { value, currency }) in said.enumerate() {
                let of_json = nth == 0 && !flag.field().is_map();
                set(&mut request, flag, value, of_json)?;
                currencies.extend(currency.map(|currency| (flag, currency)));
            }
        }
        for (flag, currency) in currencies {
            say_currency(&mut request, flag, currency)?;
        }
        Ok(Self { method, request: request.into(), flags })
    }

    /// The option that says the field at a path, as violations name it: `legs[0].amount`.
    pub fn option(&self, path: &str) -> Option<String> {
        let mut wanted: String = path
            .split('[')
            .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest))
            .collect();
        loop {
            if let Some(flag) = self.flags.iter().find(|flag| flag.id() == wanted) {
                let positional = positional(&self.method, &self.flags);
                let is_place = positional.iter().any(|place| place.id() == flag.id());
                return Some(match is_place {
                    true => format!("<{}>", kebab(flag.field().name()).to_ascii_uppercase()),
                    false => format!("--{}", flag.name),
                });
            }
            wanted = wanted.rsplit_once('.')?.0.to_owned();
        }
    }
}

fn usage(message: String) -> Error {
    Error::new(Code::InvalidArgument, "cli.usage", message)
        .help("`--help` behind the method shows its options.")
}

/// A whole request: JSON, `@` a file, or `-` what is piped in.
fn whole(text: &str) -> Result<Map<String, Json>> {
    let text = match (text, text.strip_prefix('@')) {
        ("-", _) => read(std::io::stdin().lock(), "what is piped in")?,
        (_, Some(path)) => {
            let file = std::fs::File::open(path);
            read(file.map_err(|error| usage(format!("{path}: {error}")))?, path)?
        }
        (text, None) => text.to_owned(),
    };
    let request = serde_json::from_str(&text);
    match request.map_err(|error| usage(format!("the request is not JSON: {error}")))? {
        Json::Object(fields) => Ok(fields),
        _ => Err(usage("a request is an object of JSON, {…}".to_owned())),
    }
}

fn read(from: impl Read, name: &str) -> Result<String> {
    let mut text = String::new();
    let length = from.take(REQUEST_MAX + 1).read_to_string(&mut text);
    let length = length.map_err(|error| usage(format!("{name}: {error}")))?;
    match length as u64 > REQUEST_MAX {
        true => Err(usage(format!("{name} is larger than {REQUEST_MAX} bytes"))),
        false => Ok(text),
    }
}

/// Puts what an option says where its field is. What it says first takes the place of what the whole
/// request says.
fn set(request: &mut Map<String, Json>, flag: &Flag, value: Json, is_first: bool) -> Result<()> {
    let clash = || usage(format!("--{} stands in the way of another option", flag.name));
    let (leaf, way) = flag.path.split_last().ok_or_else(clash)?;
    let mut fields = request;
    for step in way {
        fields = inside(fields, step).ok_or_else(clash)?;
    }
    if is_first {
        fields.remove(leaf.name());
        fields.remove(leaf.json_name());
    }
    put(fields, leaf, value).map_err(|()| clash())
}

/// The fields of the message that a field holds; of the first one, where it holds several.
fn inside<'a>(
    fields: &'a mut Map<String, Json>, step: &FieldDescriptor,
) -> Option<&'a mut Map<String, Json>> {
    let name = match fields.contains_key(step.name()) {
        true => step.name(),
        false => step.json_name(),
    };
    let value = fields.entry(name).or_insert(Json::Null);
    let value = match step.is_list() {
        true => {
            if value.is_null() {
                *value = Json::Array(vec![Json::Null]);
            }
            value.as_array_mut()?.first_mut()?
        }
        false => value,
    };
    if value.is_null() {
        *value = Json::Object(Map::new());
    }
    value.as_object_mut()
}

/// Says the currency of an amount: in the message that holds the amount, or in the first one around it
/// that has a field for it.
fn say_currency(request: &mut Map<String, Json>, flag: &Flag, said: Currency) -> Result<()> {
    let has = |message: &MessageDescriptor| message.get_field_by_name(&said.field);
    let place = flag.path.iter().enumerate().rev();
    let mut place = place.filter_map(|(depth, field)| Some((depth, has(field.parent_message())?)));
    let Some((depth, field)) = place.next() else {
        return Err(usage(format!("--{}: there is no place for a currency", flag.name)));
    };
    let mut fields = request;
    for step in &flag.path[..depth] {
        fields = inside(fields, step).ok_or_else(|| usage("a message is none".to_owned()))?;
    }
    let known = fields.get(field.name()).or_else(|| fields.get(field.json_name()));
    match known.and_then(Json::as_str) {
        Some(known) if known != said.code => Err(usage(format!(
            "--{} is in {}, and --{} says {known}",
            flag.name,
            said.code,
            kebab(&said.field)
        ))),
        Some(_) => Ok(()),
        None => put(fields, &field, said.code.into()).map_err(|()| {
            usage(format!("--{} cannot be said besides --{}", flag.name, kebab(&said.field)))
        }),
    }
}
