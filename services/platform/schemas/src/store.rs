//! The rows of subjects, versions and schemas.

use stoa_kit::{Result, Tx, View};
use stoa_schemas_v1::{CompatibilitySetting, Schema, Subject, Version};

use crate::model;

/// The schema with a text.
pub(crate) fn schema_of(view: &View, text: &str) -> Result<Option<Schema>> {
    view.find("hash = $1", (model::hash(text),))
}

/// Keeps a text under the next identifier.
pub(crate) fn add_schema(tx: &mut Tx, text: &str) -> Result<Schema> {
    const NEXT: &str = "INSERT INTO schemas_counter (tenant, last) VALUES (:tenant, 1) \
         ON CONFLICT (tenant) DO UPDATE SET last = schemas_counter.last + 1 RETURNING last";
    let next = tx.row::<(i64,)>(NEXT, ())?.map_or(0, |(last,)| last);
    let schema = Schema { id: next.to_string(), schema: text.to_owned(), ..Schema::default() };
    tx.add_with(schema, "hash", (model::hash(text),))
}

/// The youngest version of a subject, of those that are there, or of all.
pub(crate) fn latest(view: &View, subject: &str, deleted: bool) -> Result<Option<Version>> {
    let latest = match deleted {
        true => "subject = $1 ORDER BY version DESC LIMIT 1",
        false => "subject = $1 AND state = 'active' ORDER BY version DESC LIMIT 1",
    };
    view.find(latest, (subject,))
}

/// The version of a subject that has a schema, the youngest where several had.
pub(crate) fn version_of(view: &View, subject: &str, schema: &str) -> Result<Option<Version>> {
    view.find(
        "subject = $1 AND schema_id = $2 AND state = 'active' ORDER BY version DESC LIMIT 1",
        (subject, schema),
    )
}

/// The same of those that were deleted.
pub(crate) fn deleted_version_of(
    view: &View, subject: &str, schema: &str,
) -> Result<Option<Version>> {
    view.find(
        "subject = $1 AND schema_id = $2 AND state = 'deleted' ORDER BY version DESC LIMIT 1",
        (subject, schema),
    )
}

/// All versions of a subject, the oldest first: no more than there may be.
pub(crate) fn versions(view: &View, subject: &str) -> Result<Vec<Version>> {
    view.all("subject = $1 ORDER BY version", (subject,))
}

/// The texts of schemas, with their identifiers.
pub(crate) fn texts(view: &View, ids: &[String]) -> Result<Vec<Schema>> {
    view.all("id = ANY ($1)", (ids,))
}

/// Whether any version has a schema.
pub(crate) fn is_used(view: &View, schema: &str) -> Result<bool> {
    const USED: &str =
        "SELECT version FROM schemas_version WHERE tenant = :tenant AND schema_id = $1 LIMIT 1";
    Ok(view.row::<(i64,)>(USED, (schema,))?.is_some())
}

/// What is said of a subject, or of all where it is empty.
pub(crate) fn said(view: &View, subject: &str) -> Result<Option<CompatibilitySetting>> {
    view.get((subject,))
}

/// Keeps a subject.
pub(crate) fn put_subject(tx: &mut Tx, subject: Subject, is_new: bool) -> Result<Subject> {
    if is_new { tx.add(subject) } else { tx.save(subject) }
}
