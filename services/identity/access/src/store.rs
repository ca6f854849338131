//! The rows of models, relations and rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use stoa_access_v1::{AccessRule, Model, Reason, Relation};
use stoa_kit::{Error, Reason as _, Result, Tx, View};

use crate::kept::Kept;
use crate::model::{self, User};
use crate::reach::LOOKED_MAX;
use crate::rules;

/// Relations that one step of a decision looks at.
const STEP_MAX: usize = 10_000;
/// Rules about objects of a type.
const RULES_MAX: usize = 500;
/// No text that begins as another one sorts behind that one and this.
const LAST: char = '\u{10ffff}';

/// The model that counts, if one was written.
pub(crate) fn newest(view: &View) -> Result<Option<Model>> {
    view.find::<Model>("number > 0 ORDER BY number DESC LIMIT 1", ())
}

/// The model to decide by: one that is named, or the newest.
///
/// # Errors
/// `access.no_model`, and `resource.not_found` for one that is named and not there.
pub(crate) fn model(view: &View, kept: &Kept, id: &str) -> Result<Arc<model::Model>> {
    let written = match id {
        "" => newest(view)?.ok_or_else(|| Reason::NoModel.because("no model was written yet"))?,
        id => view.load::<Model>(id)?,
    };
    kept.read(&view.caller().tenant, &written.id, &written.definition)
}

/// The rules about a relation to objects of a type.
pub(crate) fn rules(view: &View, of: &str, relation: &str) -> Result<Vec<AccessRule>> {
    view.all(
        "object_type = $1 AND relation IN ($2, $3) ORDER BY relation, name LIMIT $4",
        (of, relation, rules::ANY, RULES_MAX as i64),
    )
}

/// Writes a rule, in the place of one of its name.
///
/// # Errors
/// `access.too_many_rules`.
pub(crate) fn put_rule(tx: &mut Tx, rule: AccessRule) -> Result<AccessRule> {
    let of = model::type_of(&rule.object).to_owned();
    let before = tx.get::<AccessRule>(&rule.name)?;
    if before.as_ref().is_none_or(|before| model::type_of(&before.object) != of) {
        let there = tx.rows::<(String,)>(
            "SELECT name FROM access_rule WHERE tenant = :tenant AND object_type = $1 \
             ORDER BY name LIMIT $2",
            (&of, RULES_MAX as i64),
        )?;
        if there.len() == RULES_MAX {
            let message = format!("there are {RULES_MAX} rules about `{of}`");
            return Err(Reason::TooManyRules.because(message));
        }
    }
    match before {
        Some(AccessRule { create_time, .. }) => {
            tx.save(AccessRule { create_time, r#type: of, ..rule })
        }
        None => tx.add(AccessRule { r#type: of, ..rule }),
    }
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

    /// The first of one or two users who have a relation to an object because that is written.
    pub(crate) fn has(
        &self, object: &str, relation: &str, users: &[&str],
    ) -> Result<Option<String>> {
        let (Some(first), Some(last)) = (users.first(), users.last()) else { return Ok(None) };
        if let Some(came) = self.came(object, relation, users) {
            return Ok(Some(came));
        }
        let found = self.view.rows::<(String,)>(
            "SELECT subject FROM access_relation WHERE tenant = :tenant AND object = $1 \
             AND relation = $2 AND subject IN ($3, $4) ORDER BY subject LIMIT $5",
            (object, relation, first, last, self.without.len() as i64 + 1),
        )?;
        let mut found = found.into_iter().map(|(user,)| user);
        Ok(found.find(|user| self.counts(object, relation, user)))
    }

    /// The same, and where none of them has it, the users who stand for many and have it: looked up at
    /// once, since most steps of a decision ask for both.
    pub(crate) fn has_or_many(
        &self, object: &str, relation: &str, users: &[&str],
    ) -> Result<(Option<String>, Vec<String>)> {
        let (Some(first), Some(last)) = (users.first(), users.last()) else {
            return Ok((None, self.many(object, relation)?));
        };
        if let Some(came) = self.came(object, relation, users) {
            return Ok((Some(came), Vec::new()));
        }
        let found = self.view.rows::<(String,)>(
            "SELECT subject FROM access_relation WHERE tenant = :tenant AND object = $1 \
             AND relation = $2 AND subject IN ($3, $4) UNION ALL \
             SELECT subject FROM access_relation WHERE tenant = :tenant AND object = $1 \
             AND relation = $2 AND many = $5 LIMIT $6",
            (object, relation, first, last, true, STEP_MAX as i64 + 3),
        )?;
        // Sorted here: of two selects, an engine sorts all that both give anew.
        let found = found.into_iter().map(|(user,)| user);
        let mut found: Vec<String> =
            found.filter(|user| self.counts(object, relation, user)).collect();
        found.sort_unstable();
        if let Some(user) = found.iter().find(|user| users.contains(&&***user)) {
            return Ok((Some(user.clone()), Vec::new()));
        }
        let fits = |it: &&Relation| it.object == object && it.relation == relation;
        let more = self.context(fits).map(|it| it.user.clone());
        Ok((None, all(found.into_iter().chain(more).collect())?))
    }

    /// The first of some users who have a relation to an object by what came with the question.
    fn came(&self, object: &str, relation: &str, users: &[&str]) -> Option<String> {
        let fits = |it: &&Relation| {
            it.object == object && it.relation == relation && users.contains(&&*it.user)
        };
        self.context(fits).next().map(|found| found.user.clone())
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
            (users, LOOKED_MAX as i64 + 1),
        )?;
        found.retain(|(user, relation, object)| self.counts(object, relation, user));
        let fits = |it: &&Relation| users.contains(&it.user);
        let more = self.context(fits);
        found.extend(more.map(|it| (it.user.clone(), it.relation.clone(), it.object.clone())));
        Ok(found)
    }
}

impl Relations<'_> {
    /// Whether any of them names an object: as what it is to, or as whom it is given to.
    pub(crate) fn name_it(&self, object: &str) -> Result<bool> {
        let names = |it: &&Relation| it.object == object || object_of(&it.user) == object;
        if self.context(names).next().is_some() {
            return Ok(true);
        }
        let most = self.without.len() as i64 + 1;
        let mut found = self.view.rows::<(String, String, String)>(
            "SELECT object, relation, subject FROM access_relation WHERE tenant = :tenant \
             AND object = $1 ORDER BY relation, subject LIMIT $2",
            (object, most),
        )?;
        for (from, to) in [(object.to_owned(), object.to_owned()), having(object)] {
            found.extend(self.view.rows::<(String, String, String)>(
                "SELECT object, relation, subject FROM access_relation WHERE tenant = :tenant \
                 AND subject >= $1 AND subject <= $2 ORDER BY subject LIMIT $3",
                (from, to, most),
            )?);
        }
        Ok(found.iter().any(|(object, relation, user)| self.counts(object, relation, user)))
    }

    /// The objects that any of them names, and that begin with a text.
    pub(crate) fn beginning_with(&self, begin: &str) -> Result<BTreeSet<String>> {
        let (end, most) = (format!("{begin}{LAST}"), LOOKED_MAX as i64 + 1);
        let mut found = self.view.rows::<(String,)>(
            "SELECT DISTINCT object FROM access_relation WHERE tenant = :tenant \
             AND object >= $1 AND object < $2 ORDER BY object LIMIT $3",
            (begin, &end, most),
        )?;
        found.extend(self.view.rows::<(String,)>(
            "SELECT DISTINCT subject FROM access_relation WHERE tenant = :tenant \
             AND subject >= $1 AND subject < $2 ORDER BY subject LIMIT $3",
            (begin, &end, most),
        )?);
        if found.len() > LOOKED_MAX {
            return Err(too_many());
        }
        let written = found.iter().map(|(name,)| object_of(name));
        let came = self.context.iter().flat_map(|it| [&*it.object, object_of(&it.user)]);
        let names = written.chain(came).filter(|name| name.starts_with(begin));
        Ok(names.filter(|name| !name.ends_with(":*")).map(str::to_owned).collect())
    }
}

/// The object of which a user is one, or which it is.
fn object_of(user: &str) -> &str {
    user.split('#').next().unwrap_or_default()
}

/// The first and the last of the users who have a relation to an object.
fn having(object: &str) -> (String, String) {
    (format!("{object}#"), format!("{object}#{LAST}"))
}

fn all<T>(found: Vec<T>) -> Result<Vec<T>> {
    if found.len() > STEP_MAX { Err(too_many()) } else { Ok(found) }
}

/// A question that would look at too much.
pub(crate) fn too_many() -> Error {
    Reason::TooMany.because("more relations have to be looked at than one call may")
}
