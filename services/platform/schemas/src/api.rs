//! The contract's functions.

mod versions;

use stoa_kit::{Ctx, Error, Methods, Reason as _, Result, Tx, View};
use stoa_schemas_v1::*;

use crate::model::{self, Kept};
use crate::{face, store};

/// What keeps each promise of the contract.
pub(crate) fn methods() -> Methods {
    let functions = Functions {
        register_schema: versions::register,
        get_schema,
        batch_get_schemas,
        list_schemas,
        list_subjects: versions::list_subjects,
        get_version: versions::get,
        list_versions: versions::list,
        find_version: versions::find,
        delete_version: versions::delete,
        delete_subject: versions::delete_subject,
        set_compatibility,
        get_compatibility,
        check_compatibility,
        validate,
        serve_registry,
    };
    functions.serve()
}

fn get_schema(view: &View, request: GetSchemaRequest) -> Result<GetSchemaResponse> {
    Ok(GetSchemaResponse { schema: view.load::<Schema>(&request.id)?.into() })
}

fn batch_get_schemas(
    view: &View, request: BatchGetSchemasRequest,
) -> Result<BatchGetSchemasResponse> {
    Ok(BatchGetSchemasResponse { schemas: view.load_many(&request.ids)? })
}

fn list_schemas(view: &View, request: ListSchemasRequest) -> Result<ListSchemasResponse> {
    let (schemas, next_page_token) =
        view.list::<Schema>("create_time DESC, id DESC").page(&request)?;
    Ok(ListSchemasResponse { schemas, next_page_token })
}

fn set_compatibility(
    tx: &mut Tx, request: SetCompatibilityRequest,
) -> Result<SetCompatibilityResponse> {
    let before = store::said(tx, &request.subject)?;
    let setting = CompatibilitySetting {
        subject: request.subject,
        compatibility: request.compatibility,
        policy: request.policy,
    };
    let says_nothing = compatibility(&setting) == Compatibility::Unspecified;
    match (says_nothing, &before) {
        (true, _) => drop(tx.delete::<CompatibilitySetting>((&setting.subject,))?),
        (false, None) => drop(tx.add(setting)?),
        (false, Some(_)) => drop(tx.save(setting)?),
    }
    Ok(SetCompatibilityResponse { before: before.map(Into::into).unwrap_or_default() })
}

fn get_compatibility(
    view: &View, request: GetCompatibilityRequest,
) -> Result<GetCompatibilityResponse> {
    let (setting, own) = promised(view, &request.subject)?;
    Ok(GetCompatibilityResponse { setting: setting.into(), own })
}

/// What a subject promises, and whether it is said of itself.
fn promised(view: &View, subject: &str) -> Result<(CompatibilitySetting, bool)> {
    if let Some(own) = store::said(view, subject)? {
        return Ok((own, true));
    }
    let mut usual = match subject {
        "" => None,
        _ => store::said(view, "")?,
    };
    let setting = usual.get_or_insert_with(|| CompatibilitySetting {
        compatibility: Compatibility::Backward.into(),
        policy: CompatibilityPolicy::Strict.into(),
        ..CompatibilitySetting::default()
    });
    setting.subject = subject.to_owned();
    Ok((setting.clone(), false))
}

fn compatibility(setting: &CompatibilitySetting) -> Compatibility {
    setting.compatibility.as_known().unwrap_or_default()
}

/// What of its promise a subject would break with a schema as its next version, or, where one version
/// is named, compared with that one.
fn broken(view: &View, subject: &str, text: &str, version: i32) -> Result<Vec<Difference>> {
    let new = model::understood(text)?;
    let (setting, _) = promised(view, subject)?;
    let kept = Kept::of(compatibility(&setting));
    if !kept.backward && !kept.forward {
        return Ok(Vec::new());
    }
    let all = store::versions(view, subject)?;
    let is_active = |one: &&Version| one.state.as_known() == Some(VersionState::Active);
    let mut others: Vec<&Version> = all.iter().filter(is_active).rev().collect();
    if version != 0 {
        others.retain(|one| one.version == version);
        if others.is_empty() {
            return Err(versions::none(subject, version));
        }
    } else if !kept.transitive {
        others.truncate(1);
    }
    let mut ids: Vec<String> = others.iter().map(|one| one.schema_id.clone()).collect();
    ids.sort();
    ids.dedup();
    let texts = if ids.is_empty() { Vec::new() } else { store::texts(view, &ids)? };
    let policy = setting.policy.as_known().unwrap_or_default();
    let (mut found, mut steps) = (Vec::new(), model::COMPARING_MAX);
    for Version { version, schema_id, .. } in others {
        let Some(old) = texts.iter().find(|schema| schema.id == *schema_id) else { continue };
        let old = model::understood(&old.schema)?;
        found.extend(model::differences(kept, policy, *version, &old, &new, &mut steps)?);
    }
    found.truncate(model::DIFFERENCES_MAX);
    Ok(found)
}

fn check_compatibility(
    view: &View, request: CheckCompatibilityRequest,
) -> Result<CheckCompatibilityResponse> {
    let differences = broken(view, &request.subject, &request.schema, request.version)?;
    Ok(CheckCompatibilityResponse { compatible: differences.is_empty(), differences })
}

fn validate(view: &View, request: ValidateRequest) -> Result<ValidateResponse> {
    let id = match (&*request.schema_id, &*request.subject) {
        ("", "") => {
            return Err(Error::field("schema_id", "one_of", "or a subject has to be named"));
        }
        (id, "") if request.version == 0 => id.to_owned(),
        (_, "") => return Err(Error::field("version", "one_of", "is one of a subject")),
        ("", subject) => versions::at(view, subject, request.version, false)?.schema_id,
        _ => return Err(Error::field("subject", "one_of", "is not named beside a schema")),
    };
    let schema = model::understood(&view.load::<Schema>(&id)?.schema)?;
    let data = request.data.into_option().unwrap_or_default();
    let outcome = model::check(&schema, &data.0)?;
    let violations = outcome
        .violations
        .into_iter()
        .map(|one| Violation { pointer: one.pointer, keyword: one.keyword });
    let secrets = outcome.secrets.into_iter().map(|(pointer, secret)| Secret {
        pointer,
        kind: secret.kind,
        purposes: secret.purposes,
    });
    let violations: Vec<Violation> = violations.collect();
    Ok(ValidateResponse {
        schema_id: id,
        valid: violations.is_empty(),
        violations,
        secrets: secrets.collect(),
    })
}

async fn serve_registry(ctx: Ctx, request: ServeRegistryRequest) -> Result<ServeRegistryResponse> {
    let http = request.http.into_option().unwrap_or_default();
    Ok(ServeRegistryResponse { http: face::serve(&ctx, &http).await.into() })
}

/// What is told of a schema that breaks a promise: the first differences.
fn incompatible(found: &[Difference]) -> Error {
    let told = found.iter().take(3).map(|one| {
        let Difference { path, rule, version, .. } = one;
        format!("{rule} at `{path}` against version {version}")
    });
    let told: Vec<String> = told.collect();
    let rest = match found.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Reason::Incompatible.because(format!("{}{rest}", told.join(", ")))
}
