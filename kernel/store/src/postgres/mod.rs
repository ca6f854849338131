//! The engine beyond one machine: PostgreSQL.

use std::sync::Arc;

pub(crate) fn open(
    _url: &str,
    _options: crate::Options,
    _schema: crate::schema::Schema,
    _world: Arc<dyn stoa_kit::World>,
) -> stoa_kit::Result<Arc<dyn crate::Engine>> {
    Err(stoa_kit::Error::internal("not here yet"))
}
