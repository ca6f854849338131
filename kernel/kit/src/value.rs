//! Values that cross between a service and SQL: the same on both engines.

use crate::{Error, Result};

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
}

/// The types of columns.
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

/// The parameters of a statement: a tuple, `$1` first.
pub trait Params {
    /// Shows the values to `body`.
    fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R;
}

/// A row read into an owned tuple.
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// `internal` where a column's type is another.
    fn read(row: &dyn Row) -> Result<Self>;
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
