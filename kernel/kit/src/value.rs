//! Values that cross between a service and SQL: the same on both engines.

use buffa::{EnumValue, MessageField, ProtoBox};
use buffa_types::google::protobuf::{Duration, Timestamp};
use stoa_contract::Words;
use stoa_contract::serde::{Serialize, de::DeserializeOwned};
use stoa_contract::v1::Money;

use crate::personal::Personal;
use crate::{Error, Micros, Result};

/// A value on its way into or out of a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value, of a type: PostgreSQL must know which.
    Null(Type),
    /// `BIGINT`.
    Int(i64),
    /// `DOUBLE PRECISION`.
    Float(f64),
    /// `BOOLEAN`.
    Bool(bool),
    /// `TEXT`.
    Text(&'a str),
    /// `BYTEA`.
    Bytes(&'a [u8]),
    /// Several of `TEXT`, for `= ANY ($1)`.
    Texts(&'a [String]),
    /// Several of `BIGINT`, for `= ANY ($1)`.
    Ints(&'a [i64]),
}

/// The types of columns and parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `BIGINT`.
    Int,
    /// `DOUBLE PRECISION`.
    Float,
    /// `BOOLEAN`.
    Bool,
    /// `TEXT`.
    Text,
    /// `BYTEA`.
    Bytes,
    /// Several of `TEXT`.
    Texts,
    /// Several of `BIGINT`.
    Ints,
}

impl Value<'_> {
    /// The value's type.
    pub fn kind(&self) -> Type {
        match self {
            Value::Null(kind) => *kind,
            Value::Int(_) => Type::Int,
            Value::Float(_) => Type::Float,
            Value::Bool(_) => Type::Bool,
            Value::Text(_) => Type::Text,
            Value::Bytes(_) => Type::Bytes,
            Value::Texts(_) => Type::Texts,
            Value::Ints(_) => Type::Ints,
        }
    }

    /// How many values it stands for.
    pub fn count(&self) -> usize {
        match self {
            Value::Texts(values) => values.len(),
            Value::Ints(values) => values.len(),
            _ => 1,
        }
    }
}

/// A row as an engine shows it, valid until the next one.
pub trait Row {
    /// The value of a column, counted from 0. An engine that does not know a column's type may
    /// show `NULL` as any type.
    ///
    /// # Errors
    /// `internal` where there is no such column or its type is none of ours.
    fn value(&self, column: usize) -> Result<Value<'_>>;

    /// How many columns it has.
    fn columns(&self) -> usize;
}

/// A Rust type that can be a parameter.
pub trait Param {
    /// The value to bind.
    fn value(&self) -> Value<'_>;
}

/// A Rust type that a column can be read into.
pub trait Column: Sized {
    /// Reads the column's value.
    ///
    /// # Errors
    /// `internal` where the column holds another type.
    fn read(value: Value<'_>) -> Result<Self>;
}

fn mismatch<T>(value: Value<'_>, wanted: Type) -> Result<T> {
    Err(Error::internal(format!("a column holds {:?}, the code reads {wanted:?}", value.kind())))
}

/// A scalar that can be a parameter and a column.
macro_rules! scalar {
    ($type:ty, $kind:ident, |$this:ident| $bind:expr, $($pattern:pat => $read:expr),+) => {
        impl Param for $type {
            fn value(&self) -> Value<'_> {
                let $this = self;
                Value::$kind($bind)
            }
        }
        impl Param for Option<$type> {
            fn value(&self) -> Value<'_> {
                self.as_ref().map_or(Value::Null(Type::$kind), Param::value)
            }
        }
        impl Column for $type {
            fn read(value: Value<'_>) -> Result<Self> {
                match value {
                    $($pattern => Ok($read),)+
                    other => mismatch(other, Type::$kind),
                }
            }
        }
    };
}

scalar!(i64, Int, |v| *v, Value::Int(v) => v);
scalar!(f64, Float, |v| *v, Value::Float(v) => v, Value::Int(v) => v as f64);
scalar!(bool, Bool, |v| *v, Value::Bool(v) => v, Value::Int(v) => v != 0);
scalar!(String, Text, |v| v, Value::Text(v) => v.to_owned());
scalar!(Vec<u8>, Bytes, |v| v, Value::Bytes(v) => v.to_vec());

impl Param for i32 {
    fn value(&self) -> Value<'_> {
        Value::Int((*self).into())
    }
}

impl Column for i32 {
    fn read(value: Value<'_>) -> Result<Self> {
        i64::read(value)?.try_into().map_err(Error::internal)
    }
}

impl Param for u32 {
    fn value(&self) -> Value<'_> {
        Value::Int((*self).into())
    }
}

impl Column for u32 {
    fn read(value: Value<'_>) -> Result<Self> {
        i64::read(value)?.try_into().map_err(Error::internal)
    }
}

impl Param for Micros {
    fn value(&self) -> Value<'_> {
        Value::Int(self.0)
    }
}

impl Param for Option<Micros> {
    fn value(&self) -> Value<'_> {
        self.map_or(Value::Null(Type::Int), |time| Value::Int(time.0))
    }
}

impl Column for Micros {
    fn read(value: Value<'_>) -> Result<Self> {
        i64::read(value).map(Self)
    }
}

/// An enum is its word. A value that the contract does not know has none, and is refused by
/// every column that wants one.
impl<E: Words> Param for EnumValue<E> {
    fn value(&self) -> Value<'_> {
        self.as_known().map_or(Value::Null(Type::Text), |value| Value::Text(value.word()))
    }
}

impl<E: Words> Column for EnumValue<E> {
    fn read(value: Value<'_>) -> Result<Self> {
        of_word(value).map(Self::Known)
    }
}

/// A time is in microseconds; one that is not given is NULL.
impl<P: ProtoBox<Timestamp>> Param for MessageField<Timestamp, P> {
    fn value(&self) -> Value<'_> {
        self.as_option().map_or(Value::Null(Type::Int), |time| Value::Int(Micros::of(time).0))
    }
}

impl<P: ProtoBox<Timestamp>> Column for MessageField<Timestamp, P> {
    fn read(value: Value<'_>) -> Result<Self> {
        Ok(Option::<Micros>::read(value)?.map_or_else(Self::none, Micros::timestamp))
    }
}

/// A duration is in microseconds; one that is not given is NULL.
impl<P: ProtoBox<Duration>> Param for MessageField<Duration, P> {
    fn value(&self) -> Value<'_> {
        self.as_option().map_or(Value::Null(Type::Int), |duration| {
            let micros = i64::from(duration.nanos) / 1_000;
            Value::Int(duration.seconds.saturating_mul(1_000_000).saturating_add(micros))
        })
    }
}

impl<P: ProtoBox<Duration>> Column for MessageField<Duration, P> {
    fn read(value: Value<'_>) -> Result<Self> {
        let duration = |micros: i64| Duration {
            seconds: micros / 1_000_000,
            nanos: (micros % 1_000_000 * 1_000) as i32,
            ..Duration::default()
        };
        Ok(Option::<i64>::read(value)?.map(duration).into())
    }
}

impl Param for &str {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Param for Option<&str> {
    fn value(&self) -> Value<'_> {
        self.map_or(Value::Null(Type::Text), Value::Text)
    }
}

impl Param for &[u8] {
    fn value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

/// Any number of texts are one parameter: `id = ANY ($1)` is true of each of them.
impl Param for &[String] {
    fn value(&self) -> Value<'_> {
        Value::Texts(self)
    }
}

impl Param for Vec<String> {
    fn value(&self) -> Value<'_> {
        Value::Texts(self)
    }
}

/// Any number of integers are one parameter: `number = ANY ($1)` is true of each of them.
impl Param for &[i64] {
    fn value(&self) -> Value<'_> {
        Value::Ints(self)
    }
}

impl Param for Vec<i64> {
    fn value(&self) -> Value<'_> {
        Value::Ints(self)
    }
}

impl<const N: usize> Param for [u8; N] {
    fn value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl<T: Param> Param for &T {
    fn value(&self) -> Value<'_> {
        (*self).value()
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: Value<'_>) -> Result<Self> {
        match value {
            Value::Null(_) => Ok(None),
            value => T::read(value).map(Some),
        }
    }
}

/// Reads a column.
///
/// # Errors
/// `internal` where there is no such column or it holds another type.
pub fn column<T: Column>(row: &dyn Row, at: usize) -> Result<T> {
    T::read(row.value(at)?)
}

/// Reads the word of an enum. One that nobody knows is an error: it was written by newer code,
/// or is damaged, and must not pass for no value.
///
/// # Errors
/// `internal`.
pub fn of_word<E: Words>(value: Value<'_>) -> Result<E> {
    match value {
        Value::Text(word) => E::of_word(word)
            .ok_or_else(|| Error::internal(format!("a column holds the unknown word `{word}`"))),
        other => mismatch(other, Type::Text),
    }
}

/// A text of which an empty one is NULL.
pub fn filled(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Null(Type::Text) } else { Value::Text(text) }
}

/// Reads a text of which NULL is an empty one.
///
/// # Errors
/// As [`column`].
pub fn or_empty(row: &dyn Row, at: usize) -> Result<String> {
    Ok(column::<Option<String>>(row, at)?.unwrap_or_default())
}

/// Lists, maps and messages as JSON; what is empty as an empty text. What JSON cannot say becomes
/// NULL, which the column refuses.
pub fn json<T: Serialize>(value: &T) -> Option<String> {
    let text = serde_json::to_string(value).ok()?;
    Some(if matches!(text.as_str(), "[]" | "{}" | "null") { String::new() } else { text })
}

/// Reads what [`json`] wrote.
///
/// # Errors
/// `internal` where the column is damaged.
pub fn of_json<T: DeserializeOwned + Default>(row: &dyn Row, at: usize) -> Result<T> {
    match row.value(at)? {
        Value::Text("") => Ok(T::default()),
        Value::Text(text) => serde_json::from_str(text).map_err(Error::internal),
        other => mismatch(other, Type::Text),
    }
}

/// The amount of money; NULL for none.
pub fn amount<P: ProtoBox<Money>>(money: &MessageField<Money, P>) -> Value<'_> {
    money.as_option().map_or(Value::Null(Type::Int), |money| Value::Int(money.amount))
}

/// The currency of money; NULL for none.
pub fn currency<P: ProtoBox<Money>>(money: &MessageField<Money, P>) -> Value<'_> {
    money.as_option().map_or(Value::Null(Type::Text), |money| Value::Text(&money.currency))
}

/// Reads money from two columns, the amount first.
///
/// # Errors
/// As [`column`].
pub fn money<P: ProtoBox<Money>>(row: &dyn Row, at: usize) -> Result<MessageField<Money, P>> {
    let (amount, currency) = (column(row, at)?, column(row, at + 1)?);
    Ok(Option::zip(amount, currency).map(|(amount, currency)| Money { amount, currency }).into())
}

/// The parameters of a statement: a tuple, `$1` first; one text alone; or a row that a contract
/// describes.
pub trait Params {
    /// Which of them are sealed on their way.
    const PERSONAL: Option<&'static Personal> = None;

    /// Shows the values to `body`.
    fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R;
}

/// A row read into an owned tuple.
pub trait FromRow: Sized {
    /// Which columns are opened on their way.
    const PERSONAL: Option<&'static Personal> = None;

    /// Reads the row.
    ///
    /// # Errors
    /// `internal` where a column's type is another.
    fn read(row: &dyn Row) -> Result<Self>;
}

impl Params for &str {
    fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R {
        body(&[Value::Text(self)])
    }
}

impl Params for &String {
    fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R {
        body(&[Value::Text(self)])
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Param),*> Params for ($($name,)*) {
            fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R {
                body(&[$(self.$index.value()),*])
            }
        }
        impl<$($name: Column),*> FromRow for ($($name,)*) {
            fn read(_row: &dyn Row) -> Result<Self> {
                Ok(($($name::read(_row.value($index)?)?,)*))
            }
        }
    };
}

tuple!();
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);
