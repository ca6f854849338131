//! Subjects and their versions.

use stoa_kit::{Error, Reason as _, Result, Tx, View};
use stoa_schemas_v1::*;

use super::{broken, incompatible};
use crate::{model, store};

/// The most versions of one subject, deleted ones among them.
const VERSIONS_MAX: usize = 1_000;

pub(super) fn register(
    tx: &mut Tx, request: RegisterSchemaRequest,
) -> Result<RegisterSchemaResponse> {
    let RegisterSchemaRequest { subject, schema: text, .. } = request;
    let known = store::schema_of(tx, &text)?;
    if let Some(schema) = &known
        && let Some(version) = store::version_of(tx, &subject, &schema.id)?
    {
        return Ok(RegisterSchemaResponse { version: version.into() });
    }
    let found = broken(tx, &subject, &text, 0)?;
    if !found.is_empty() {
        return Err(incompatible(&found));
    }
    if store::versions(tx, &subject)?.len() >= VERSIONS_MAX {
        let said = format!("a subject has {VERSIONS_MAX} versions at the most");
        return Err(Reason::TooManyVersions.because(said));
    }
    let schema_id = match known {
        Some(schema) => schema.id,
        None => store::add_schema(tx, &text)?.id,
    };
    let before = tx.get::<Subject>((&subject,))?;
    let is_new = before.is_none();
    let mut after =
        before.unwrap_or_else(|| Subject { name: subject.clone(), ..Subject::default() });
    after.state = VersionState::Active.into();
    after.last_version += 1;
    let version = after.last_version;
    store::put_subject(tx, after, is_new)?;
    let state = VersionState::Active.into();
    let added = Version { subject, version, schema_id, state, ..Version::default() };
    let added = tx.add(added)?;
    tx.emit(&SchemaRegistered {
        subject: added.subject.clone(),
        version,
        schema_id: added.schema_id.clone(),
    });
    Ok(RegisterSchemaResponse { version: added.into() })
}

/// There is no such subject, or it has no such version.
pub(super) fn none(subject: &str, version: i32) -> Error {
    Reason::UnknownVersion.because(format!("`{subject}` has no version {version}"))
}

fn no_subject(subject: &str) -> Error {
    Reason::UnknownSubject.because(format!("there is no subject `{subject}`"))
}

/// A version of a subject; 0 is the youngest.
pub(super) fn at(view: &View, subject: &str, version: i32, deleted: bool) -> Result<Version> {
    let latest = store::latest(view, subject, deleted)?.ok_or_else(|| no_subject(subject))?;
    if version == 0 {
        return Ok(latest);
    }
    let found = view.get::<Version>((subject, version))?;
    let shown = |one: &Version| deleted || is_active(one);
    found.filter(shown).ok_or_else(|| none(subject, version))
}

fn is_active(version: &Version) -> bool {
    version.state.as_known() == Some(VersionState::Active)
}

pub(super) fn get(view: &View, request: GetVersionRequest) -> Result<GetVersionResponse> {
    let version = at(view, &request.subject, request.version, request.deleted)?;
    let schema = view.load::<Schema>(&version.schema_id)?;
    Ok(GetVersionResponse { version: version.into(), schema: schema.into() })
}

pub(super) fn list(view: &View, request: ListVersionsRequest) -> Result<ListVersionsResponse> {
    let asks = request.state.as_known() != Some(VersionState::Unspecified);
    let (versions, next_page_token) = view
        .list_all::<Version>("create_time DESC, subject DESC, version DESC")
        .only("state", if asks { request.state } else { VersionState::Active.into() })
        .only("subject", request.subject.as_str())
        .only("schema_id", request.schema_id.as_str())
        .page(&request)?;
    Ok(ListVersionsResponse { versions, next_page_token })
}

pub(super) fn list_subjects(
    view: &View, request: ListSubjectsRequest,
) -> Result<ListSubjectsResponse> {
    let asks = request.state.as_known() != Some(VersionState::Unspecified);
    let (subjects, next_page_token) = view
        .list_all::<Subject>("name")
        .only("state", if asks { request.state } else { VersionState::Active.into() })
        .page(&request)?;
    Ok(ListSubjectsResponse { subjects, next_page_token })
}

pub(super) fn find(view: &View, request: FindVersionRequest) -> Result<FindVersionResponse> {
    let FindVersionRequest { subject, schema: text, deleted, .. } = request;
    if store::latest(view, &subject, deleted)?.is_none() {
        return Err(no_subject(&subject));
    }
    let mut found = None;
    if let Some(schema) = store::schema_of(view, &text)? {
        found = store::version_of(view, &subject, &schema.id)?;
        if found.is_none() && deleted {
            found = store::deleted_version_of(view, &subject, &schema.id)?;
        }
    }
    if found.is_none() {
        model::understood(&text)?;
    }
    let none =
        || Reason::UnknownSchema.because(format!("`{subject}` has no version with this text"));
    Ok(FindVersionResponse { version: found.ok_or_else(none)?.into() })
}

pub(super) fn delete(tx: &mut Tx, request: DeleteVersionRequest) -> Result<DeleteVersionResponse> {
    let DeleteVersionRequest { subject, version, permanent, .. } = request;
    let found = match version {
        0 => at(tx, &subject, 0, permanent)?,
        _ => at(tx, &subject, version, true)?,
    };
    let number = found.version;
    match (permanent, is_active(&found)) {
        (false, true) => hide(tx, found)?,
        (true, false) => remove(tx, &found)?,
        (false, false) => {
            let said = format!("version {number} of `{subject}` is deleted already");
            return Err(Reason::AlreadyDeleted.because(said));
        }
        (true, true) => {
            let said = format!("version {number} of `{subject}` is not deleted yet");
            return Err(Reason::NotDeleted.because(said));
        }
    }
    settle(tx, &subject)?;
    Ok(DeleteVersionResponse { version: number })
}

pub(super) fn delete_subject(
    tx: &mut Tx, request: DeleteSubjectRequest,
) -> Result<DeleteSubjectResponse> {
    let DeleteSubjectRequest { subject, permanent, .. } = request;
    let all = store::versions(tx, &subject)?;
    if all.is_empty() {
        return Err(no_subject(&subject));
    }
    let (active, deleted): (Vec<_>, Vec<_>) = all.into_iter().partition(is_active);
    let gone = match (permanent, active.is_empty()) {
        (true, true) => deleted,
        (false, false) => active,
        (true, false) => {
            return Err(Reason::NotDeleted.because(format!("`{subject}` is not deleted yet")));
        }
        (false, true) => {
            return Err(Reason::AlreadyDeleted.because(format!("`{subject}` is deleted already")));
        }
    };
    let versions = gone.iter().map(|one| one.version).collect();
    for version in gone {
        if permanent { remove(tx, &version)? } else { hide(tx, version)? }
    }
    settle(tx, &subject)?;
    Ok(DeleteSubjectResponse { versions })
}

/// Shows a version no more.
fn hide(tx: &mut Tx, version: Version) -> Result<()> {
    told(tx, &version, false);
    tx.save(Version { state: VersionState::Deleted.into(), ..version })?;
    Ok(())
}

/// Lets go of a version, and of its schema where no other one has it.
fn remove(tx: &mut Tx, version: &Version) -> Result<()> {
    told(tx, version, true);
    tx.delete::<Version>((&version.subject, version.version))?;
    if !store::is_used(tx, &version.schema_id)? {
        tx.delete::<Schema>((&version.schema_id,))?;
    }
    Ok(())
}

fn told(tx: &mut Tx, version: &Version, permanent: bool) {
    tx.emit(&VersionDeleted {
        subject: version.subject.clone(),
        version: version.version,
        permanent,
    });
}

/// Notes what is left of a subject.
fn settle(tx: &mut Tx, name: &str) -> Result<()> {
    let Some(mut subject) = tx.get::<Subject>((name,))? else { return Ok(()) };
    let left = (store::latest(tx, name, false)?, store::latest(tx, name, true)?);
    subject.state = match left {
        (Some(_), _) => VersionState::Active,
        (None, Some(_)) => VersionState::Deleted,
        // Of a subject without a version nothing is shown; its numbers go on where it comes again.
        (None, None) => VersionState::Unspecified,
    }
    .into();
    tx.save(subject)?;
    Ok(())
}
