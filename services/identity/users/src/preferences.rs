//! Preferences: what they can be, and what they are for somebody.

use std::collections::BTreeMap;

use stoa_kit::contract::open;
use stoa_kit::{Error, Reason as _, Result, Tx, View};
use stoa_users_v1::{
    ClearPreferenceRequest, DefinePreferenceRequest, DefinePreferenceResponse,
    GetPreferencesRequest, ListPreferenceDefinitionsRequest, ListPreferenceDefinitionsResponse,
    Misfit, Preference, PreferenceDefined, PreferenceDefinition, PreferenceSource, Reason,
    SetPreferenceRequest, SharedPreference, User, UserPreference,
};

use crate::schema::{Schema, VALUE_MAX};
use crate::store;

/// Whoever was granted this sets preferences for anybody.
const SET_ALL: &str = "users.preferences.set_all";
/// Misfits that are told.
const MISFITS_MAX: usize = 1_000;

/// For whom a value is set.
enum Whose {
    User(String),
    Organization(String),
    Everybody,
}

pub(crate) fn define(
    tx: &mut Tx, request: DefinePreferenceRequest,
) -> Result<DefinePreferenceResponse> {
    let DefinePreferenceRequest { key, schema, default } = request;
    let read = Schema::read(&schema.0)?;
    fits(&read, &default.0, "default")?;
    let before = tx.get::<PreferenceDefinition>(&key)?;
    let row = PreferenceDefinition { key, schema, default, ..PreferenceDefinition::default() };
    let definition = match before {
        Some(before) => tx.save(PreferenceDefinition { create_time: before.create_time, ..row })?,
        None if store::definitions(tx)?.len() == store::DEFINITIONS_MAX => {
            let message = format!("there are {} preferences", store::DEFINITIONS_MAX);
            return Err(Reason::TooManyPreferences.because(message));
        }
        None => tx.add(row)?,
    };
    tx.emit(&PreferenceDefined { key: definition.key.clone() });
    let (misfits, cut) = misfits(tx, &definition.key, &read)?;
    Ok(DefinePreferenceResponse { definition: definition.into(), misfits, cut })
}

pub(crate) fn list(
    view: &View, request: ListPreferenceDefinitionsRequest,
) -> Result<ListPreferenceDefinitionsResponse> {
    let list = view.list_all::<PreferenceDefinition>("key");
    let (definitions, next_page_token) = list.page(&request)?;
    Ok(ListPreferenceDefinitionsResponse { definitions, next_page_token })
}

pub(crate) fn undefine(tx: &mut Tx, key: &str) -> Result<()> {
    match tx.delete::<PreferenceDefinition>(key)? {
        true => Ok(()),
        false => Err(unknown(key)),
    }
}

pub(crate) fn set(tx: &mut Tx, request: SetPreferenceRequest) -> Result<Preference> {
    let SetPreferenceRequest { key, value, source, id } = request;
    let whose = whose(tx, source.as_known().unwrap_or_default(), id)?;
    let schema = defined(tx, &key)?.schema;
    fits(&Schema::read(&schema.0)?, &value.0, "value")?;
    let source = match whose {
        Whose::User(user_id) => {
            let before = tx.get::<UserPreference>((&user_id, &key))?;
            let (key, value) = (key.clone(), value.clone());
            let row = UserPreference { user_id, key, value, ..UserPreference::default() };
            if before.is_some() {
                tx.save(row)?
            } else {
                tx.add(row)?
            };
            PreferenceSource::User
        }
        Whose::Organization(id) => {
            put_shared(tx, id, key.clone(), &value)?;
            PreferenceSource::Organization
        }
        Whose::Everybody => {
            put_shared(tx, String::new(), key.clone(), &value)?;
            PreferenceSource::Tenant
        }
    };
    Ok(Preference { key, value, source: source.into() })
}

pub(crate) fn clear(tx: &mut Tx, request: ClearPreferenceRequest) -> Result<()> {
    let ClearPreferenceRequest { key, source, id } = request;
    match whose(tx, source.as_known().unwrap_or_default(), id)? {
        Whose::User(user_id) => tx.delete::<UserPreference>((&user_id, &key))?,
        Whose::Organization(id) => tx.delete::<SharedPreference>((&id, &key))?,
        Whose::Everybody => tx.delete::<SharedPreference>(("", &key))?,
    };
    Ok(())
}

pub(crate) fn get(view: &View, request: GetPreferencesRequest) -> Result<Vec<Preference>> {
    let GetPreferencesRequest { user_id, organization_id, keys } = request;
    let user_id = match &*user_id {
        "" => view.user()?.to_owned(),
        id => view.load::<User>(id)?.id,
    };
    if !organization_id.is_empty()
        && store::affiliation(view, &user_id, &organization_id)?.is_none()
    {
        return Err(Error::not_found("organization", &organization_id));
    }
    let definitions = match keys.is_empty() {
        true => store::definitions(view)?,
        false => keys.iter().map(|key| defined(view, key)).collect::<Result<_>>()?,
    };
    let own = by_key(store::of_user(view, &user_id)?, |it| (it.key, it.value.0.clone()));
    let everybody = shared(view, "")?;
    let organization = match &*organization_id {
        "" => BTreeMap::new(),
        id => shared(view, id)?,
    };
    let said = [
        (&own, PreferenceSource::User),
        (&organization, PreferenceSource::Organization),
        (&everybody, PreferenceSource::Tenant),
    ];
    let mut preferences = BTreeMap::new();
    for definition in definitions {
        let schema = Schema::read(&definition.schema.0)?;
        let fitting = said.iter().find_map(|(values, source)| {
            let value = values.get(&definition.key)?;
            schema.fits(value, "value").is_ok().then(|| (value.clone(), *source))
        });
        let (value, source) =
            fitting.unwrap_or_else(|| (definition.default.0.clone(), PreferenceSource::Default));
        let (key, value) = (definition.key.clone(), open::Value(value).into());
        preferences.insert(definition.key, Preference { key, value, source: source.into() });
    }
    Ok(preferences.into_values().collect())
}

/// What was set for an organization, or for everybody.
fn shared(view: &View, organization: &str) -> Result<BTreeMap<String, serde_json::Value>> {
    Ok(by_key(store::of_organization(view, organization)?, |it| (it.key, it.value.0.clone())))
}

fn by_key<T>(
    rows: Vec<T>, of: impl Fn(T) -> (String, serde_json::Value),
) -> BTreeMap<String, serde_json::Value> {
    rows.into_iter().map(of).collect()
}

fn put_shared(
    tx: &mut Tx, organization_id: String, key: String, value: &open::Value,
) -> Result<()> {
    let before = tx.get::<SharedPreference>((&organization_id, &key))?;
    let value = value.clone().into();
    let row = SharedPreference { organization_id, key, value, ..SharedPreference::default() };
    if before.is_some() {
        tx.save(row)?
    } else {
        tx.add(row)?
    };
    Ok(())
}

/// For whom the caller sets something, if they may.
fn whose(view: &View, source: PreferenceSource, id: String) -> Result<Whose> {
    let all = view.caller().may(SET_ALL) || view.is_nested();
    match source {
        PreferenceSource::Organization => {
            let own = match view.caller().user() {
                Some(user) => store::affiliation(view, user, &id)?,
                None => None,
            };
            match own {
                _ if all && store::is_affiliated(view, &id)? => Ok(Whose::Organization(id)),
                Some(true) => Ok(Whose::Organization(id)),
                Some(false) => Err(not_yours("an organization that you do not administer")),
                None => Err(Error::not_found("organization", &id)),
            }
        }
        PreferenceSource::Tenant if all => Ok(Whose::Everybody),
        PreferenceSource::Tenant => Err(not_yours("everybody")),
        _ if id.is_empty() => Ok(Whose::User(view.user()?.to_owned())),
        _ if all => match view.get::<User>(&id)? {
            Some(user) => Ok(Whose::User(user.id)),
            None => Err(Error::not_found("user", &id)),
        },
        _ => match view.load::<User>(&id)? {
            user if view.caller().user() == Some(&*user.id) => Ok(Whose::User(user.id)),
            _ => Err(not_yours("somebody else")),
        },
    }
}

fn not_yours(whom: &str) -> Error {
    Reason::NotYoursToSet.because(format!("it would be set for {whom}"))
}

fn unknown(key: &str) -> Error {
    Reason::UnknownPreference.because(format!("there is no preference `{key}`"))
}

fn defined(view: &View, key: &str) -> Result<PreferenceDefinition> {
    view.get::<PreferenceDefinition>(key)?.ok_or_else(|| unknown(key))
}

/// Refuses a value that does not fit, with the place in it.
fn fits(schema: &Schema, value: &serde_json::Value, path: &str) -> Result<()> {
    if serde_json::to_vec(value).map_or(true, |text| text.len() > VALUE_MAX) {
        return Err(Error::field(path, "schema", format!("has more than {VALUE_MAX} bytes")));
    }
    schema.fits(value, path).map_err(crate::schema::Misfit::error)
}

/// The values of a preference that do not fit, and whether there may be more.
fn misfits(view: &View, key: &str, schema: &Schema) -> Result<(Vec<Misfit>, bool)> {
    let (of_users, shared) = (store::of_key(view, key)?, store::shared_of_key(view, key)?);
    let all = of_users.len().max(shared.len()) == store::VALUES_MAX;
    let of_users = of_users.into_iter().map(|it| (PreferenceSource::User, it.user_id, it.value));
    let shared = shared.into_iter().map(|it| match it.organization_id.is_empty() {
        true => (PreferenceSource::Tenant, String::new(), it.value),
        false => (PreferenceSource::Organization, it.organization_id, it.value),
    });
    let mut misfits = Vec::new();
    for (source, id, value) in shared.chain(of_users) {
        if let Err(misfit) = schema.fits(&value.0, "value") {
            // What it was is not repeated: it is personal, and the reply may be kept.
            let message = format!("{} {}", misfit.path, misfit.message);
            misfits.push(Misfit { source: source.into(), id, message });
        }
    }
    let cut = all || misfits.len() > MISFITS_MAX;
    misfits.truncate(MISFITS_MAX);
    Ok((misfits, cut))
}
