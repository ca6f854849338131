//! The contract's functions.

mod groups;
mod people;

use serde_json::{Value, json};
use stoa_kit::v1::HttpResponse;
use stoa_kit::{Ctx, Error, Methods, Micros, Reason as _, Result, Tx, View};
use stoa_scim_v1::*;

use crate::model::filter::{self, Comparison, Filter};
use crate::model::{self, Object, schema};
use crate::{face, store};

/// What keeps each promise of the contract.
pub(crate) fn methods() -> Methods {
    let functions = Functions {
        serve_scim,
        adopt_person: people::adopt,
        read_resource,
        search_resources,
        write_resource,
        drop_resource,
    };
    functions.serve()
}

async fn serve_scim(ctx: Ctx, request: ServeScimRequest) -> Result<ServeScimResponse> {
    let http = request.http.into_option().unwrap_or_default();
    let answer: HttpResponse = face::serve(&ctx, &http).await;
    Ok(ServeScimResponse { http: answer.into() })
}

fn is_group(kind: &buffa::EnumValue<Kind>) -> bool {
    kind.as_known() == Some(Kind::Group)
}

fn read_resource(view: &View, request: ReadResourceRequest) -> Result<ReadResourceResponse> {
    let found = match is_group(&request.kind) {
        true => groups::find(view, &request.id)?,
        false => people::find(view, &request.id)?,
    };
    let found = found.ok_or_else(|| Error::not_found("resource", &request.id))?;
    Ok(ReadResourceResponse { resource: Value::Object(found).to_string() })
}

fn write_resource(tx: &mut Tx, request: WriteResourceRequest) -> Result<WriteResourceResponse> {
    let id = match is_group(&request.kind) {
        true => groups::write(tx, &request)?,
        false => people::write(tx, &request)?,
    };
    Ok(WriteResourceResponse { id })
}

fn drop_resource(tx: &mut Tx, request: DropResourceRequest) -> Result<DropResourceResponse> {
    match is_group(&request.kind) {
        true => groups::forget(tx, &request)?,
        false => people::forget(tx, &request)?,
    }
    Ok(DropResourceResponse {})
}

fn search_resources(
    view: &View, request: SearchResourcesRequest,
) -> Result<SearchResourcesResponse> {
    let kind = if is_group(&request.kind) { Kind::Group } else { Kind::User };
    let (skip, count) = (request.skip.max(0), request.count.clamp(0, face::COUNT_MAX));
    let is_plain = request.filter.is_empty() && request.sort_by.is_empty();
    if is_plain && kind == Kind::User {
        let people = store::people(view, skip, count)?;
        let shown = people.into_iter().map(|one| people::shown(view, one));
        let shown = shown.collect::<Result<Vec<_>>>()?;
        return Ok(found(shown, store::people_count(view)?));
    }
    let filter = match &*request.filter {
        "" => None,
        text => Some(filter::read(kind, text)?),
    };
    let mut all = match kind {
        Kind::Group => groups::all(view)?,
        _ => people::all(view, filter.as_ref())?,
    };
    all.retain(|one| filter.as_ref().is_none_or(|filter| filter.fits(one)));
    if !request.sort_by.is_empty() {
        sort(kind, &mut all, &request.sort_by, request.descending)?;
    }
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let place = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let page = all.into_iter().skip(place(skip)).take(place(count)).collect();
    Ok(found(page, total))
}

fn found(all: Vec<Object>, total: i64) -> SearchResourcesResponse {
    let resources = all.into_iter().map(|one| Value::Object(one).to_string()).collect();
    SearchResourcesResponse { resources, total }
}

/// What a filter asks of a name that is unique, where that is all of it.
fn asked<'a>(filter: Option<&'a Filter>, name: &str) -> Option<&'a str> {
    match filter {
        Some(Filter::Compared(path, Comparison::Eq, Value::String(text)))
            if path.len() == 1 && path[0].eq_ignore_ascii_case(name) =>
        {
            Some(text)
        }
        _ => None,
    }
}

fn sort(kind: Kind, all: &mut [Object], by: &str, descending: bool) -> Result<()> {
    let path = filter::path_of(by);
    let known = path.first().is_some_and(|name| {
        schema::find(schema::attributes(kind), name).is_some() || name.eq_ignore_ascii_case("id")
    });
    if !known {
        return Err(schema::unknown(by));
    }
    let key = |one: &Object| {
        let first = filter::get(one, &path[0]).cloned().unwrap_or_default();
        let value = match path.get(1) {
            Some(part) => first.as_object().and_then(|one| filter::get(one, part)).cloned(),
            None => Some(first),
        };
        let text = value.as_ref().and_then(Value::as_str).unwrap_or_default();
        text.to_lowercase()
    };
    all.sort_by_cached_key(key);
    if descending {
        all.reverse();
    }
    Ok(())
}

/// Refuses a change of what is another version than the one that was read.
fn check_version(now: &Object, wanted: &str) -> Result<()> {
    let is_it = wanted.is_empty() || wanted == "*" || wanted == model::text(meta(now), "version");
    if is_it { Ok(()) } else { Err(Reason::Changed.because("it was changed since it was read")) }
}

fn meta(resource: &Object) -> &Object {
    static NONE: std::sync::LazyLock<Object> = std::sync::LazyLock::new(Object::new);
    resource.get("meta").and_then(Value::as_object).unwrap_or(&NONE)
}

/// What a directory wants something to be, of what it is.
fn wanted(kind: Kind, before: Option<&Object>, request: &WriteResourceRequest) -> Result<Object> {
    let syntax = || Reason::InvalidSyntax.because("the body is no JSON object");
    let body: Object = serde_json::from_str(&request.body).map_err(|_| syntax())?;
    match before {
        Some(before) if request.patches => model::patch::apply(kind, before, &body),
        _ => schema::normal(kind, &body),
    }
}

/// A document as it is shown: with what the service says of it.
fn complete(
    view: &View, kind: Kind, id: &str, mut document: Object, times: (Micros, Micros),
) -> Result<Object> {
    let (name, place) = match kind {
        Kind::Group => ("Group", "Groups"),
        _ => ("User", "Users"),
    };
    let settings: Settings = view.settings()?;
    let location = format!("{}/{place}/{id}", face::base(&settings));
    document.insert("schemas".into(), json!([schema::urn(kind)]));
    document.insert("id".into(), id.into());
    let version = model::version(&document);
    let meta = json!({
        "resourceType": name,
        "created": instant(times.0),
        "lastModified": instant(times.1),
        "location": location,
        "version": version,
    });
    document.insert("meta".into(), meta);
    Ok(document)
}

/// A time as RFC 3339 writes it.
fn instant(time: Micros) -> String {
    jiff::Timestamp::from_microsecond(time.0).map(|time| time.to_string()).unwrap_or_default()
}

/// What is kept of a document.
fn read_document(text: &str) -> Result<Object> {
    serde_json::from_str(text).map_err(Error::internal)
}
