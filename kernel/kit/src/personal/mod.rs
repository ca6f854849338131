//! What is personal: sealed with the key of whom it is about, on its way into a row or an event.
//!
//! A contract says which fields are about a person, and which field says about whom; the rest
//! happens here, between a service and its engine:
//!
//! ```ignore
//! string email = 3 [(stoa.v1.personal) = "id"];                    // users_user.email is BYTEA
//! let user = tx.add(User { email, ..user })?;                      // sealed
//! let user = view.load::<User>(&id)?;                              // opened
//! let key = view.fingerprint("login", &model::normal(&email))?;    // what equal texts have in common
//! ```
//!
//! A person's key is made in the commit that first keeps something about them. Once it is destroyed
//! their rows are still there, and what was personal in them is empty; what is kept about them later
//! is kept without it.
//!
//! **Invariant:** a sealed value opens only where it was sealed: in its tenant, table, column and row,
//! for its subject.

use std::borrow::Cow;
use std::collections::BTreeMap;

use stoa_contract::{Code, Message};

use crate::registry::ServiceId;
use crate::ring::{CELL, Seal, of_tenant};
use crate::session::Origin;
use crate::value::{FromRow, Params, Row, Value};
use crate::{Error, Result, Tx, View};

mod subject;
mod wire;

pub use subject::Held;
pub(crate) use wire::value;

/// Which columns of a table hold what is personal. Generated from the contract.
#[derive(Debug)]
pub struct Personal {
    /// The table.
    pub table: &'static str,
    /// The places of the columns that name a row.
    pub key: &'static [usize],
    /// The columns.
    pub fields: &'static [Sealed],
}

/// A column that is sealed.
#[derive(Debug)]
pub struct Sealed {
    /// Its place among the columns of the table.
    pub place: usize,
    /// Its name.
    pub column: &'static str,
    /// The place of the column that says whom it is about.
    pub subject: usize,
    /// What is read where the key was destroyed.
    pub empty: Value<'static>,
}

/// The first byte of a sealed value: how the rest of it is written.
const VERSION: u8 = 1;
/// What to do where something does not open.
const DAMAGED: &str = "It was changed behind the node's back. Put a backup of the database back.";
/// What is read of a subject's key.
const FIND: &str = "SELECT key FROM stoa_subject WHERE tenant = :tenant AND subject = $1";

/// The keys that a run has met.
#[derive(Default)]
pub(crate) struct Keys {
    tenant: Option<Seal>,
    /// None for one that was destroyed.
    subjects: BTreeMap<String, Option<Seal>>,
}

impl View<'_> {
    /// What equal texts have in common, and what tells nothing else about them: for columns by which
    /// something personal is found, or said to be there once. It differs by service and by `purpose`.
    ///
    /// # Errors
    /// Those of the store.
    pub fn fingerprint(&self, purpose: &str, text: &str) -> Result<[u8; 16]> {
        let service = self.registry().service(self.service()).name;
        let parts = [b"fingerprint", service.as_bytes(), purpose.as_bytes(), text.as_bytes()];
        Ok(self.tenant_key()?.derive(&parts))
    }

    /// Seals bytes with the key of the tenant, for a place of this service that has to be named again to
    /// open them: what is nobody's in particular, and nobody's to see.
    ///
    /// # Errors
    /// Those of the store.
    pub fn seal(&self, place: &[&[u8]], bytes: &[u8]) -> Result<Vec<u8>> {
        self.tenant_key()?.seal(&self.place(place), bytes)
    }

    /// The bytes that were sealed for a place.
    ///
    /// # Errors
    /// `ring.damaged`, and those of the store.
    pub fn open(&self, place: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>> {
        let opened = self.tenant_key()?.open(&self.place(place), sealed);
        opened.ok_or_else(|| {
            let service = self.registry().service(self.service()).name;
            let message = format!("what {service} sealed does not open where it lies");
            Error::new(Code::DataLoss, "ring.damaged", message).help(DAMAGED)
        })
    }

    fn place<'a>(&'a self, place: &[&'a [u8]]) -> Vec<&'a [u8]> {
        let service = self.registry().service(self.service()).name;
        [&[b"service", service.as_bytes()], place].concat()
    }

    /// Shows the parameters of a statement to what runs it, sealed where they are personal.
    pub(crate) fn bind<P: Params, R>(
        &self, params: P, run: impl FnOnce(&[Value<'_>]) -> Result<R>,
    ) -> Result<R> {
        let Some(personal) = P::PERSONAL else { return params.with(run) };
        params.with(|values| {
            let sealed = self.seal_row(personal, values)?;
            let mut values = values.to_vec();
            for (field, bytes) in personal.fields.iter().zip(&sealed) {
                values[field.place] = Value::Bytes(bytes);
            }
            run(&values)
        })
    }

    fn seal_row(&self, personal: &Personal, values: &[Value<'_>]) -> Result<Vec<Vec<u8>>> {
        let sealed = personal.fields.iter().map(|field| {
            let Some(key) = self.subject_key(subject(values[field.subject])?, true)? else {
                return Ok(Vec::new());
            };
            let place = Place::of(self, personal, field, &|at| Ok(values[at]))?;
            let text = key.seal(&place.parts(), &wire::value(values[field.place]))?;
            Ok([&[VERSION], text.as_slice()].concat())
        });
        sealed.collect()
    }

    /// A row as it was before it was sealed.
    pub(crate) fn open_row(&self, personal: &Personal, mut row: Copied) -> Result<Copied> {
        for field in personal.fields {
            row.0[field.place] = match self.open_value(personal, field, &row)? {
                Some(text) => {
                    Cell::of(wire::of_value(&text).ok_or_else(|| damaged(personal, field))?)
                }
                None => Cell::of(field.empty),
            };
        }
        Ok(row)
    }

    fn open_value(
        &self, personal: &Personal, field: &Sealed, row: &Copied,
    ) -> Result<Option<Vec<u8>>> {
        let Value::Bytes(sealed) = row.value(field.place)? else {
            return Err(damaged(personal, field));
        };
        let Some((version, sealed)) = sealed.split_first() else { return Ok(None) };
        let Some(key) = self.subject_key(subject(row.value(field.subject)?)?, false)? else {
            return Ok(None);
        };
        let place = Place::of(self, personal, field, &|at| row.value(at))?;
        let text = key.open(&place.parts(), sealed).filter(|_| *version == VERSION);
        text.map(Some).ok_or_else(|| damaged(personal, field))
    }

    /// A message as it was before [`Tx::seal_message`].
    ///
    /// # Errors
    /// `ring.damaged`, and those of the store.
    pub fn open_message<'b>(&self, name: &str, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>> {
        let parts = wire::parts(bytes);
        if parts.is_empty() {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut whole = bytes.to_vec();
        for part in parts {
            let Some(key) = self.subject_key(part.subject, false)? else { continue };
            let tenant = self.caller().tenant.as_bytes();
            let place = [b"message", tenant, name.as_bytes(), part.subject.as_bytes(), part.nonce];
            let text = key.open(&place, part.sealed).ok_or_else(|| {
                let message = format!("what {name} says of a person does not open");
                Error::new(Code::DataLoss, "ring.damaged", message)
            })?;
            whole.extend(text);
        }
        Ok(Cow::Owned(whole))
    }

    /// The key of a subject; none where it was destroyed, or where there never was one and none is
    /// to be made.
    pub(crate) fn subject_key(&self, subject: &str, make: bool) -> Result<Option<Seal>> {
        if let Some(known) = self.keys().borrow().subjects.get(subject) {
            return Ok(known.clone());
        }
        let tenant = self.caller().tenant.to_string();
        let found = self.kernel::<(Vec<u8>,)>(&tenant, FIND, (subject,))?;
        let context: [&[u8]; 2] = [b"subject", subject.as_bytes()];
        let key = match found {
            Some((wrapped,)) if wrapped.is_empty() => None,
            Some((wrapped,)) => {
                let key = self.tenant_key()?.open(&context, &wrapped);
                let key = key.and_then(|key| key.try_into().ok()).map(Seal::new);
                Some(key.ok_or_else(|| {
                    let message = format!("the key of subject `{subject}` does not open");
                    Error::new(Code::DataLoss, "ring.damaged", message)
                })?)
            }
            None if make => Some(self.make_subject_key(&tenant, subject, &context)?),
            None => return Ok(None),
        };
        self.keys().borrow_mut().subjects.insert(subject.to_owned(), key.clone());
        Ok(key)
    }

    fn make_subject_key(&self, tenant: &str, subject: &str, context: &[&[u8]]) -> Result<Seal> {
        const MAKE: &str = "INSERT INTO stoa_subject (tenant, subject, key, erase_time) \
             VALUES (:tenant, $1, $2, 0)";
        let parts = [b"subject", tenant.as_bytes(), subject.as_bytes()];
        let key = self.registry().ring()?.draw(self.stamp(), &parts);
        let wrapped = self.tenant_key()?.seal(context, &key)?;
        self.kernel::<()>(tenant, MAKE, (subject, wrapped.as_slice()))?;
        Ok(Seal::new(key))
    }

    /// The key of the tenant.
    pub(crate) fn tenant_key(&self) -> Result<Seal> {
        const FIND: &str = "SELECT value FROM stoa_secret WHERE tenant = :tenant AND name = $1";
        const MAKE: &str = "INSERT INTO stoa_secret (tenant, name, value) VALUES (:tenant, $1, $2)";
        let (ring, tenant) = (self.registry().ring()?, &*self.caller().tenant);
        let known = ring.tenant(tenant).or_else(|| self.keys().borrow().tenant.clone());
        if let Some(key) = known {
            return Ok(key);
        }
        let name = of_tenant(tenant);
        let key = match self.kernel::<(Vec<u8>,)>("", FIND, (&name,))? {
            Some((wrapped,)) => {
                let key = ring.open(tenant, &wrapped)?;
                // What a command reads may be its own, or another's that is not durable yet.
                if !self.commits() {
                    ring.learn(tenant, &key);
                }
                key
            }
            // Where nothing was ever kept nothing is found, by whichever key.
            None => {
                let key = ring.draw(self.stamp(), &[b"tenant", tenant.as_bytes()]);
                if self.writes() {
                    if let Some((cell,)) = self.kernel::<(Vec<u8>,)>("", FIND, (CELL,))? {
                        ring.is_current(&cell)?;
                    }
                    let wrapped = ring.wrap(tenant, &key)?;
                    self.kernel::<()>("", MAKE, (&name, wrapped.as_slice()))?;
                }
                Seal::new(key)
            }
        };
        self.keys().borrow_mut().tenant = Some(key.clone());
        Ok(key)
    }

    /// Runs one of the kernel's own statements, and gives its first row.
    pub(crate) fn kernel<T: FromRow>(
        &self, tenant: &str, sql: &'static str, params: impl Params,
    ) -> Result<Option<T>> {
        let rows = self.kernel_rows(tenant, sql, params)?;
        Ok(rows.into_iter().next())
    }

    /// Runs one of the kernel's own statements, and gives its rows.
    pub(crate) fn kernel_rows<T: FromRow>(
        &self, tenant: &str, sql: &'static str, params: impl Params,
    ) -> Result<Vec<T>> {
        let origin = Origin { service: ServiceId::KERNEL.0, tenant, writes: self.writes() };
        let mut rows = Vec::new();
        params.with(|values| {
            self.session(&mut |session| {
                session.run(origin, sql.into(), values, &mut |row| {
                    rows.push(T::read(row)?);
                    Ok(true)
                })
            })
        })?;
        Ok(rows)
    }
}

impl Tx<'_> {
    /// A message as it is kept: what is personal in it is sealed, and in a field of its own that
    /// nobody's contract has, so that whoever reads the rest reads a message without it.
    pub(crate) fn seal_message<M: Message>(&self, message: &M) -> Result<Vec<u8>> {
        if !M::PERSONAL {
            return Ok(message.encode_to_vec());
        }
        let mut rest = message.clone();
        let taken = rest.take_personal();
        let mut bytes = rest.encode_to_vec();
        for (subject, part) in taken {
            let text = part.encode_to_vec();
            if text.is_empty() {
                continue;
            }
            let Some(key) = self.subject_key(nobody(&subject)?, true)? else { continue };
            let nonce = self.random().to_le_bytes();
            let tenant = self.caller().tenant.as_bytes();
            let place =
                [b"message", tenant, M::NAME.as_bytes(), subject.as_bytes(), nonce.as_slice()];
            let sealed = key.seal(&place, &text)?;
            let part = wire::Part { subject: &subject, nonce: &nonce, sealed: &sealed };
            part.append(&mut bytes);
        }
        Ok(bytes)
    }
}

/// Where a value stands, as what it is sealed for.
struct Place(Vec<Vec<u8>>);

impl Place {
    fn of<'v>(
        view: &View, personal: &Personal, field: &Sealed, row: &dyn Fn(usize) -> Result<Value<'v>>,
    ) -> Result<Self> {
        let tenant = view.caller().tenant.as_bytes();
        let start = [b"row", tenant, personal.table.as_bytes(), field.column.as_bytes()];
        let mut parts: Vec<Vec<u8>> = start.map(<[u8]>::to_vec).into();
        parts.push(wire::value(row(field.subject)?));
        for at in personal.key {
            parts.push(wire::value(row(*at)?));
        }
        Ok(Self(parts))
    }

    fn parts(&self) -> Vec<&[u8]> {
        self.0.iter().map(Vec::as_slice).collect()
    }
}

fn subject(value: Value<'_>) -> Result<&str> {
    match value {
        Value::Text(subject) => nobody(subject),
        _ => nobody(""),
    }
}

/// Refuses what is about nobody: it could never be erased.
fn nobody(subject: &str) -> Result<&str> {
    match subject {
        "" => Err(Error::internal("what is personal names nobody whom it is about")),
        subject => Ok(subject),
    }
}

fn damaged(personal: &Personal, field: &Sealed) -> Error {
    let message = format!("a value of {}.{} does not open", personal.table, field.column);
    Error::new(Code::DataLoss, "ring.damaged", message).help(DAMAGED)
}

/// A row that outlives the statement.
pub(crate) struct Copied(Vec<Cell>);

enum Cell {
    Text(String),
    Bytes(Vec<u8>),
    /// What owns nothing.
    Plain(Value<'static>),
}

impl Cell {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Value::Null(kind) => Self::Plain(Value::Null(kind)),
            Value::Int(number) => Self::Plain(Value::Int(number)),
            Value::Float(number) => Self::Plain(Value::Float(number)),
            Value::Bool(truth) => Self::Plain(Value::Bool(truth)),
            // No column holds several values.
            several @ (Value::Texts(_) | Value::Ints(_)) => {
                Self::Plain(Value::Null(several.kind()))
            }
        }
    }
}

impl FromRow for Copied {
    fn read(row: &dyn Row) -> Result<Self> {
        (0..row.columns()).map(|at| row.value(at).map(Cell::of)).collect::<Result<_>>().map(Self)
    }
}

impl Row for Copied {
    fn value(&self, column: usize) -> Result<Value<'_>> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Value::Text(text)),
            Some(Cell::Bytes(bytes)) => Ok(Value::Bytes(bytes)),
            Some(Cell::Plain(value)) => Ok(*value),
            None => Err(Error::internal(format!("there is no column {column}"))),
        }
    }

    fn columns(&self) -> usize {
        self.0.len()
    }
}
