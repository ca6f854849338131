//! The rows of models and relations.

use stoa_access_v1::{Model, Reason, Relation};
use stoa_kit::{Error, Reason as _, Result, Tx, View};

use crate::language;
use crate::model::{self, User};

/// Relations that one step of a decision looks at.
const STEP_MAX: usize = 10_000;

/// The model that counts, if one was written.
pub(crate) fn newest(view: &View) -> Result<Option<Model>> {
    view.find::<Model>("number > 0 ORDER BY number DESC LIMIT 1", ())
}

/// The model to decide by: one that is named, or the newest.
///
/// # Errors
/// `access.no_model`, and `resource.not_found` for one that is named and not there.
pub(crate) fn model(view: &View, id: &str) -> Result<model::Model> {
    let written = match id {
        "" => newest(view)?.ok_or_else(|| Reason::NoModel.because("no model was written yet"))?,
        id => view.load::<Model>(id)?,
    };
    language::read(&written.definition).map_err(Error::internal)
}

/// Writes a relation; false if it is there.
pub(crate) fn write(tx: &mut Tx, relation: &Relation) -> Result<bool> {
    let Relation { object, relation, user, .. } = relation;
    let many = User::read(user).is_some_and(|user| user.is_many());
    let written = tx.execute(
        "INSERT INTO access_relation (tenant, object, relation, subject, many, create_time) \
         VALUES (:tenant, $1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, object, relation, subject) DO NOTHING",
        (object, relation, user, many, tx.now()),
    )?;
    Ok(written == 1)
}

/// Deletes a relation; false if it is not there.
pub(crate) fn delete(tx: &mut Tx, relation: &Relation) -> Result<bool> {
    tx.delete::<Relation>((&relation.object, &relation.relation, &relation.user))
}

/// Relations as a question sees them: those that are written but for some, and those that came with it.
pub(crate) struct Relations<'a> {
    view: &'a View<'a>,
    context: Vec<&'a Relation>,
    without: &'a [Relation],
}

impl<'a> Relations<'a> {
    pub(crate) fn new(view: &'a View<'a>, context: &'a [Relation]) -> Self {
        Self { view, context: context.iter().collect(), without: &[] }
    }

    /// As if some were written, and others were not.
    pub(crate) fn changed(mut self, writes: &'a [Relation], deletes: &'a [Relation]) -> Self {
        self.context.extend(writes);
        self.without = deletes;
        self
    }

    fn context(&self, fits: impl Fn(&&Relation) -> bool) -> impl Iterator<Item = &Relation> {
        self.context.iter().copied().filter(move |relation| fits(relation))
    }

    /// Whether one that is written counts.
    fn counts(&self, object: &str, relation: &str, user: &str) -> bool {
        let is =
            |it: &Relation| (&*it.object, &*it.relation, &*it.user) == (object, relation, user);
        !self.without.iter().any(is)
    }

    /// The first of some users who have a relation to an object because that is written.
    pub(crate) fn has(
        &self, object: &str, relation: &str, users: &[String],
    ) -> Result<Option<String>> {
        let fits = |it: &&Relation| {
            it.object == object && it.relation == relation && users.contains(&it.user)
        };
        if let Some(found) = self.context(fits).next() {
            return Ok(Some(found.user.clone()));
        }
        let found = self.view.rows::<(String,)>(
            "SELECT subject FROM access_relation WHERE tenant = :tenant AND object = $1 \
             AND relation = $2 AND subject = ANY ($3) ORDER BY subject LIMIT $4",
            (object, relation, users, self.without.len() as i64 + 1),
        )?;
        let found = found.into_iter().map(|(user,)| user);
        Ok(found.into_iter().find(|user| self.counts(object, relation, user)))
    }

    /// The users who stand for many, and have a relation to an object.
    pub(crate) fn many(&self, object: &str, relation: &str) -> Result<Vec<String>> {
        let found = self.view.rows::<(String,)>(
            "SELECT subject FROM access_relation WHERE tenant = :tenant AND object = $1 \
             AND relation = $2 AND many = $3 ORDER BY subject LIMIT $4",
            (object, relation, true, STEP_MAX as i64 + 1),
        )?;
        let fits = |it: &&Relation| it.object == object && it.relation == relation;
        let more = self.context(fits).map(|it| it.user.clone());
        let found = found.into_iter().map(|(user,)| user);
        let found = found.filter(|user| self.counts(object, relation, user));
        all(found.chain(more).collect())
    }

    /// All users who have a relation to an object.
    pub(crate) fn users(&self, object: &str, relation: &str) -> Result<Vec<String>> {
        let found = self.view.rows::<(String,)>(
            "SELECT subject FROM access_relation WHERE tenant = :tenant AND object = $1 \
             AND relation = $2 ORDER BY subject LIMIT $3",
            (object, relation, STEP_MAX as i64 + 1),
        )?;
        let fits = |it: &&Relation| it.object == object && it.relation == relation;
        let more = self.context(fits).map(|it| it.user.clone());
        let found = found.into_iter().map(|(user,)| user);
        let found = found.filter(|user| self.counts(object, relation, user));
        all(found.chain(more).collect())
    }

    /// What any of some users have a relation to: user, relation and object.
    pub(crate) fn objects(&self, users: &[String]) -> Result<Vec<(String, String, String)>> {
        let mut found = self.view.rows::<(String, String, String)>(
            "SELECT subject, relation, object FROM access_relation WHERE tenant = :tenant \
             AND subject = ANY ($1) ORDER BY subject, relation, object LIMIT $2",
            (users, crate::reach::LOOKED_MAX as i64 + 1),
        )?;
        found.retain(|(user, relation, object)| self.counts(object, relation, user));
        let fits = |it: &&Relation| users.contains(&it.user);
        let more = self.context(fits);
        found.extend(more.map(|it| (it.user.clone(), it.relation.clone(), it.object.clone())));
        Ok(found)
    }
}

fn all<T>(found: Vec<T>) -> Result<Vec<T>> {
    if found.len() > STEP_MAX { Err(too_many()) } else { Ok(found) }
}

/// A question that would look at too much.
pub(crate) fn too_many() -> Error {
    Reason::TooMany.because("more relations have to be looked at than one call may")
}
