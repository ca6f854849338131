//! Values as PostgreSQL sends them, in its binary format.

use std::error::Error as StdError;

use bytes::BytesMut;
use stoa_kit::value::{Row, Type, Value};
use stoa_kit::{Error, Result};
use tokio_postgres::types::{IsNull, ToSql, Type as PgType, to_sql_checked};

/// A parameter, ready to be sent; none for NULL.
#[derive(Debug, Clone)]
pub(super) struct Encoded(Option<Vec<u8>>);

/// The type of a parameter or a column.
pub(super) fn type_of(kind: Type) -> PgType {
    match kind {
        Type::Int => PgType::INT8,
        Type::Float => PgType::FLOAT8,
        Type::Bool => PgType::BOOL,
        Type::Text => PgType::TEXT,
        Type::Bytes => PgType::BYTEA,
        Type::Texts => PgType::TEXT_ARRAY,
        Type::Ints => PgType::INT8_ARRAY,
    }
}

/// A value as it is sent.
pub(super) fn encode(value: Value<'_>) -> Encoded {
    Encoded(match value {
        Value::Null(_) => None,
        Value::Int(value) => Some(value.to_be_bytes().to_vec()),
        Value::Float(value) => Some(value.to_be_bytes().to_vec()),
        Value::Bool(value) => Some(vec![u8::from(value)]),
        Value::Text(value) => Some(value.as_bytes().to_vec()),
        Value::Bytes(value) => Some(value.to_vec()),
        Value::Texts(values) => Some(list(&PgType::TEXT_ARRAY, &values)),
        Value::Ints(values) => Some(list(&PgType::INT8_ARRAY, &values)),
    })
}

/// A list as it is sent. Its length is bounded where a statement is checked, and so it fits into
/// what the format can say.
fn list(kind: &PgType, values: &dyn ToSql) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    match values.to_sql_checked(kind, &mut bytes) {
        Ok(_) => bytes.to_vec(),
        Err(_) => Vec::new(),
    }
}

impl ToSql for Encoded {
    fn to_sql(
        &self, _: &PgType, out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
        }
    }

    /// Types are compared where a value is encoded.
    fn accepts(_: &PgType) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row, its columns read by their types.
pub(super) struct PgRow<'a>(pub &'a tokio_postgres::Row);

impl PgRow<'_> {
    fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
        &'a self, column: usize, kind: Type, value: impl FnOnce(T) -> Value<'a>,
    ) -> Result<Value<'a>> {
        let found: Option<T> = self.0.try_get(column).map_err(Error::internal)?;
        Ok(found.map_or(Value::Null(kind), value))
    }
}

impl Row for PgRow<'_> {
    fn value(&self, column: usize) -> Result<Value<'_>> {
        let Some(described) = self.0.columns().get(column) else {
            return Err(Error::internal(format!("there is no column {column}")));
        };
        match *described.type_() {
            PgType::INT8 => self.get(column, Type::Int, Value::Int),
            PgType::FLOAT8 => self.get(column, Type::Float, Value::Float),
            PgType::BOOL => self.get(column, Type::Bool, Value::Bool),
            PgType::TEXT => self.get(column, Type::Text, Value::Text),
            PgType::BYTEA => self.get(column, Type::Bytes, Value::Bytes),
            ref other => Err(Error::internal(format!(
                "column `{}` is {other}: cast it to BIGINT, DOUBLE PRECISION or TEXT",
                described.name()
            ))),
        }
    }

    fn columns(&self) -> usize {
        self.0.len()
    }
}
