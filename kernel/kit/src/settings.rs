//! Settings: what operators change while nodes run.
//!
//! A service names a message of its contract, and what its fields are unless somebody says something
//! else. Rules of the contract hold for whatever is said:
//!
//! ```ignore
//! Service::new(auth::serve(Auth)).settings(&Settings { session_idle_days: 14, ..})   // the manifest
//! let settings: Settings = view.settings()?;                                         // what holds now
//! ```
//!
//! What is set is a row, so it holds from its commit on, on every node, and is there after a restart.
//! Below it is what a node was started with, and below that the manifest.
//!
//! **Invariant:** a field that is `debug_redact` is sealed with the key of the tenant, and is shown to
//! nobody but the service.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use stoa_contract::{Code, Field, Format, Message, Shape};

use crate::registry::ServiceId;
use crate::service::Service;
use crate::{Error, Micros, Result, Tx, View};

/// The settings of a service, before anybody set one.
pub struct Settings {
    shape: &'static Shape,
    given: BTreeMap<&'static str, Given>,
    check: fn(&Map<String, Value>) -> Result<()>,
}

/// A value, and who says so.
#[derive(Debug, Clone)]
struct Given {
    value: Value,
    source: String,
}

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct Initial {
    /// The service.
    pub service: String,
    /// The setting.
    pub name: String,
    /// Its value: JSON, or a text as it is.
    pub value: String,
    /// Where it was said.
    pub source: String,
}

/// A setting, as it holds.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The service.
    pub service: &'static str,
    /// Its field in the contract.
    pub field: &'static Field,
    /// Its value; of one that is secret too, for the service alone.
    value: Value,
    /// Who says so: the manifest, a file or a variable, or a caller.
    pub source: String,
    /// When it was set; none where a node was started with it.
    pub time: Option<Micros>,
}

/// What the manifest says.
const MANIFEST: &str = "default";

impl Settings {
    pub(crate) fn of<T: Message>(defaults: &T) -> Self {
        let defaults = json(defaults);
        let given = T::SHAPE.fields.iter().map(|field| {
            let value = defaults.get(field.json).cloned().unwrap_or(Value::Null);
            (field.name, Given { value, source: MANIFEST.to_owned() })
        });
        Self { shape: T::SHAPE, given: given.collect(), check: |all| read::<T>(all).map(|_| ()) }
    }

    /// Takes what a node is started with.
    pub(crate) fn start(&mut self, initial: &Initial) -> Result<()> {
        let field = self.field(&initial.service, &initial.name)?;
        let whole = |value: Value| {
            let mut all = self.values();
            all.insert(field.name.to_owned(), value.clone());
            (self.check)(&all).map(|()| value)
        };
        let text = Value::String(initial.value.clone());
        let value = match serde_json::from_str(&initial.value) {
            Ok(value) => whole(value).or_else(|error| whole(text).map_err(|_| error)),
            Err(_) => whole(text),
        };
        let value = value.map_err(|error| {
            let Initial { service, name, source, .. } = initial;
            // The value is not repeated: it may be secret.
            let message = format!("{source}: `{service}.{name}`: {}", error.message());
            Error::new(Code::InvalidArgument, "config.invalid", message)
                .help("Correct it, or leave it out: `stoa system list-settings` shows what holds.")
        })?;
        self.given.insert(field.name, Given { value, source: initial.source.clone() });
        Ok(())
    }

    fn field(&self, service: &str, name: &str) -> Result<&'static Field> {
        let found = self.shape.fields.iter().find(|field| field.name == name);
        found.ok_or_else(|| unknown(service, name))
    }

    fn values(&self) -> Map<String, Value> {
        let given = self.given.iter();
        given.map(|(name, given)| ((*name).to_owned(), given.value.clone())).collect()
    }
}

impl Setting {
    /// Its value as JSON; nothing of one that is secret.
    pub fn shown(&self) -> String {
        if self.field.redact { String::new() } else { self.value.to_string() }
    }

    /// Whether it has a value that says something.
    pub fn is_set(&self) -> bool {
        !matches!(&self.value, Value::Null) && self.value != Value::String(String::new())
    }

    /// Changes with it.
    pub fn etag(&self) -> String {
        let time = self.time.map_or(0, |time| time.0);
        let text = format!("{} {} {time}", self.value, self.source);
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }
}

impl View<'_> {
    /// The settings of this service, as they hold now.
    ///
    /// # Errors
    /// `internal` where its manifest names no such settings, and those of the store.
    pub fn settings<T: Message>(&self) -> Result<T> {
        let service = self.registry().service(self.service());
        if service.settings.as_ref().is_none_or(|of| of.shape.name != T::NAME) {
            return Err(Error::internal(format!(
                "{} are no settings of `{}`",
                T::NAME,
                service.name
            )));
        }
        let held = self.settings_of(service)?;
        read(&held.into_iter().map(|one| (one.field.name.to_owned(), one.value)).collect())
    }

    /// The settings of a service and who says so; for the node's own contract.
    ///
    /// # Errors
    /// Those of the store.
    pub fn settings_of(&self, service: &Service) -> Result<Vec<Setting>> {
        const SET: &str = "SELECT name, value, source, time FROM stoa_setting \
             WHERE tenant = :tenant AND service = $1";
        let Some(of) = &service.settings else { return Ok(Vec::new()) };
        let tenant = self.caller().tenant.to_string();
        let rows =
            self.kernel_rows::<(String, Vec<u8>, String, Micros)>(&tenant, SET, (service.name,))?;
        let mut rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.0.clone(), row)).collect();
        let fields =
            of.shape.fields.iter().filter_map(|field| Some((field, of.given.get(field.name)?)));
        let held = fields.map(|(field, given)| {
            let (value, source, time) = match rows.remove(field.name) {
                Some((_, kept, source, time)) => {
                    (self.opened(service.name, field, &kept)?, source, Some(time))
                }
                None => (given.value.clone(), given.source.clone(), None),
            };
            Ok(Setting { service: service.name, field, value, source, time })
        });
        held.collect()
    }

    fn opened(&self, service: &str, field: &Field, kept: &[u8]) -> Result<Value> {
        let text = match field.redact {
            true => self.tenant_key()?.open(&context(service, field), kept).ok_or_else(|| {
                let message = format!("setting `{service}.{}` does not open", field.name);
                Error::new(Code::DataLoss, "ring.damaged", message).help("Set it again.")
            })?,
            false => kept.to_vec(),
        };
        serde_json::from_slice(&text).map_err(Error::internal)
    }
}

impl Tx<'_> {
    /// Sets a setting, or with no value lets what a node was started with hold again; for the node's
    /// own contract.
    ///
    /// # Errors
    /// `config.unknown`; `request.invalid` at `value`; `request.etag`; and those of the store.
    pub fn set(
        &mut self, (service, name): (&str, &str), value: Option<&str>, etag: &str,
    ) -> Result<Setting> {
        const SET: &str = "INSERT INTO stoa_setting (tenant, service, name, value, source, time) \
             VALUES (:tenant, $1, $2, $3, $4, $5) ON CONFLICT (tenant, service, name) DO UPDATE \
             SET value = excluded.value, source = excluded.source, time = excluded.time";
        const RESET: &str =
            "DELETE FROM stoa_setting WHERE tenant = :tenant AND service = $1 AND name = $2";
        let of = self.registry().ids().find(|(_, one)| one.name == service);
        let (id, of) =
            of.map(|(id, one)| (id, one.settings.as_ref())).unwrap_or((ServiceId::KERNEL, None));
        let settings = of.ok_or_else(|| unknown(service, name))?;
        let field = settings.field(service, name)?;
        let held = self.settings_of(self.registry().service(id))?;
        let current = held.iter().find(|one| one.field.name == name);
        crate::check_etag(etag, &current.map(Setting::etag).unwrap_or_default())?;
        let tenant = self.caller().tenant.to_string();
        match value {
            None => {
                self.kernel_rows::<()>(&tenant, RESET, (service, name))?;
            }
            Some(text) => {
                let value: Value = serde_json::from_str(text)
                    .map_err(|_| Error::field("value", "json", "is not JSON"))?;
                let mut all: Map<String, Value> =
                    held.iter().map(|one| (one.field.name.to_owned(), one.value.clone())).collect();
                all.insert(name.to_owned(), value.clone());
                (settings.check)(&all).map_err(|error| {
                    let first = error.violations().iter().find(|one| one.path == name);
                    let message = first.map_or_else(|| error.message(), |one| one.message.as_str());
                    Error::field("value", "setting", message.to_owned())
                })?;
                let text = value.to_string();
                let kept = match field.redact {
                    true => self.tenant_key()?.seal(&context(service, field), text.as_bytes())?,
                    false => text.into_bytes(),
                };
                let (source, now) = (self.caller().subject.to_string(), self.now());
                self.kernel_rows::<()>(
                    &tenant,
                    SET,
                    (service, name, kept.as_slice(), &source, now),
                )?;
            }
        }
        self.touch("system.setting", &format!("{service}.{name}"));
        let held = self.settings_of(self.registry().service(id))?;
        let now = held.into_iter().find(|one| one.field.name == name);
        now.ok_or_else(|| unknown(service, name))
    }
}

fn context<'a>(service: &'a str, field: &'a Field) -> [&'a [u8]; 3] {
    [b"setting", service.as_bytes(), field.name.as_bytes()]
}

fn json<T: Message>(message: &T) -> Map<String, Value> {
    match serde_json::to_value(message) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn read<T: Message>(all: &Map<String, Value>) -> Result<T> {
    let present: Map<_, _> = all
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let text = serde_json::to_vec(&present).map_err(Error::internal)?;
    let message = stoa_contract::decode::<T>(&text, Format::Json)?;
    stoa_contract::validate(&message)?;
    Ok(message)
}

/// A setting that no service has.
pub(crate) fn unknown(service: &str, name: &str) -> Error {
    let message = format!("`{service:.64}.{name:.64}` is not a setting");
    Error::new(Code::InvalidArgument, "config.unknown", message)
        .help("`stoa system list-settings` shows every setting of every service.")
}
