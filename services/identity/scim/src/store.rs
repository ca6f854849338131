//! The rows of people and groups, and the names by which a directory asks for people.

use stoa_kit::{Result, Tx, View};
use stoa_scim_v1::{Group, Person};

use crate::model::{self, Object};

/// What is looked at in one question at most.
pub(crate) const SCAN_MAX: i64 = 10_000;

/// A name, as it is kept: whatever its case.
fn user_name(view: &View, name: &str) -> Result<[u8; 16]> {
    view.fingerprint("user_name", &name.trim().to_lowercase())
}

fn external_id(view: &View, document: &Object) -> Result<Option<Vec<u8>>> {
    match model::text(document, "externalId") {
        "" => Ok(None),
        id => Ok(Some(view.fingerprint("external_id", id)?.to_vec())),
    }
}

/// Whose a name is.
pub(crate) fn by_user_name(view: &View, name: &str) -> Result<Option<Person>> {
    view.find::<Person>("user_name = $1", (user_name(view, name)?.as_slice(),))
}

/// Whom a directory knows by this.
pub(crate) fn by_external_id(view: &View, id: &str) -> Result<Vec<Person>> {
    let key = view.fingerprint("external_id", id)?;
    view.all::<Person>("external_id = $1 ORDER BY user_id", (key.as_slice(),))
}

/// Keeps a person.
pub(crate) fn put(tx: &mut Tx, person: Person, document: &Object, is_new: bool) -> Result<Person> {
    let name = user_name(tx, model::text(document, "userName"))?;
    let keys = (name.to_vec(), external_id(tx, document)?);
    match is_new {
        true => tx.add_with(person, "user_name, external_id", keys),
        false => tx.save_with(person, "user_name, external_id", keys),
    }
}

/// So many people behind so many others, the first that were made first.
pub(crate) fn people(view: &View, skip: i64, count: i64) -> Result<Vec<Person>> {
    let most = skip.saturating_add(count).min(SCAN_MAX + 1);
    let mut all = view.all::<Person>("user_id > '' ORDER BY user_id LIMIT $1", (most,))?;
    let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(all.len());
    all.drain(..skip);
    Ok(all)
}

/// How many people there are.
pub(crate) fn people_count(view: &View) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM scim_person WHERE tenant = :tenant \
               /* whole: a list says how many there are in all */";
    Ok(view.row::<(i64,)>(sql, ())?.map_or(0, |(count,)| count))
}

/// The groups.
pub(crate) fn groups(view: &View) -> Result<Vec<Group>> {
    view.all::<Group>("team_id > '' ORDER BY team_id LIMIT $1", (SCAN_MAX + 1,))
}

/// Lets go of somebody who is erased.
pub(crate) fn erase(tx: &mut Tx, subject: &str) -> Result<()> {
    tx.delete::<Person>(subject).map(|_| ())
}
