//! Answers: of one question, of a list, and why. All of them are given by [`allows`].

use std::collections::BTreeSet;

use stoa_access_v1::{
    CheckRequest, Decision, Effect, ExplainResponse, ListObjectsRequest, ListUsersRequest, Relation,
};
use stoa_kit::{Result, View};

use crate::condition::Attributes;
use crate::judge::Judge;
use crate::model::{self, Model, User, malformed, type_of};
use crate::reach;
use crate::rules::{Changed, Rules, Whom, whom};
use crate::store::Relations;

/// What would be, if it were written.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub writes: &'a [Relation],
    pub deletes: &'a [Relation],
    pub rules: Changed<'a>,
}

/// Whether somebody has a relation to an object: what the first rule says that applies, and what relations
/// say where none does.
fn allows(
    rules: &mut Rules<'_>, judge: &mut Judge<'_>, object: &str, relation: &str,
) -> Result<bool> {
    match rules.deciding(judge, object, &mut Vec::new())? {
        Some(rule) => Ok(rule.effect == Effect::Allow),
        None => judge.allows(object, relation),
    }
}

/// Answers a question.
///
/// # Errors
/// What is wrong with the question, and why nothing can be said.
pub(crate) fn check(
    view: &View, model: &Model, check: &CheckRequest, change: Change<'_>,
) -> Result<bool> {
    let user = asked(model, check)?;
    let attributes = Attributes::read(&check.attributes)?;
    let relations = relations(view, model, &check.context, change)?;
    let about = (type_of(&check.object), &*check.relation);
    let mut rules = Rules::about(view, &relations, &attributes, about, change.rules)?;
    let mut judge = Judge::new(&relations, model, user);
    allows(&mut rules, &mut judge, &check.object, &check.relation)
}

/// Answers a question, and says why.
pub(crate) fn explain(view: &View, model: &Model, check: &CheckRequest) -> Result<ExplainResponse> {
    let user = asked(model, check)?;
    let attributes = Attributes::read(&check.attributes)?;
    let relations = relations(view, model, &check.context, Change::default())?;
    let about = (type_of(&check.object), &*check.relation);
    let mut rules = Rules::about(view, &relations, &attributes, about, Changed::default())?;
    let mut told = Vec::new();
    let mut judge = Judge::new(&relations, model, user);
    let decided = rules.deciding(&mut judge, &check.object, &mut told)?;
    let mut judge = Judge::new(&relations, model, user).explaining();
    let allowed = match &decided {
        None => judge.allows(&check.object, &check.relation)?,
        Some(rule) => {
            match whom(rule) {
                Whom::Holders(relation) => drop(judge.allows(&check.object, relation)?),
                Whom::User(name) => {
                    if let Some((object, relation)) = name.split_once('#') {
                        judge.allows(object, relation)?;
                    }
                }
                Whom::Role(_) => {}
            }
            rule.effect == Effect::Allow
        }
    };
    let (rule, cut) = (decided.map(|rule| rule.name).unwrap_or_default(), judge.cut);
    Ok(ExplainResponse { allowed, steps: judge.steps(), cut, rule, rules: told })
}

/// The objects that a list asks for.
pub(crate) fn objects(
    view: &View, model: &Model, list: &ListObjectsRequest, change: Change<'_>,
) -> Result<BTreeSet<String>> {
    let about = (&*list.r#type, &*list.relation);
    model.rule(about.0, about.1)?;
    let user = user_of(model, &list.user)?;
    let attributes = Attributes::read(&list.attributes)?;
    let relations = relations(view, model, &list.context, change)?;
    let mut rules = Rules::about(view, &relations, &attributes, about, change.rules)?;
    let mut objects = reach::objects(&relations, model, &user, about)?;
    if rules.are_none() && model.only_gives(about.0, about.1) {
        return Ok(objects);
    }
    let mut judge = Judge::new(&relations, model, user);
    objects.extend(rules.objects(model, &mut judge, about.0)?);
    kept(objects, |object| allows(&mut rules, &mut judge, object, about.1))
}

/// The users whom a list asks for.
pub(crate) fn users(
    view: &View, model: &Model, list: &ListUsersRequest, change: Change<'_>,
) -> Result<BTreeSet<String>> {
    let ListUsersRequest { object, relation, .. } = list;
    let of = model::parts(object).ok_or_else(|| malformed("object", object))?.0;
    model.rule(of, relation)?;
    let wanted = match list.r#type.split_once('#') {
        Some((of, relation)) => (of, Some(relation)),
        None => (&*list.r#type, None),
    };
    model.stands_for(&User { of: wanted.0, id: "*", relation: wanted.1 })?;
    let attributes = Attributes::read(&list.attributes)?;
    let relations = relations(view, model, &list.context, change)?;
    let mut rules = Rules::about(view, &relations, &attributes, (of, relation), change.rules)?;
    let mut users = reach::users(&relations, model, object, relation, wanted)?;
    if rules.are_none() && model.only_gives(of, relation) {
        return Ok(users);
    }
    users.extend(rules.users(model, object, wanted)?);
    kept(users, |name| {
        let user = User::read(name).ok_or_else(|| malformed("user", name))?;
        let mut judge = Judge::new(&relations, model, user);
        allows(&mut rules, &mut judge, object, relation)
    })
}

/// What is told of an answer, or that there is none.
pub(crate) fn decision(answer: Result<bool>) -> Decision {
    match answer {
        Ok(allowed) => Decision { allowed, reason: String::new() },
        Err(error) => Decision { allowed: false, reason: error.reason().to_owned() },
    }
}

/// Relations as a question sees them, once those that came with it are known to be some.
fn relations<'a>(
    view: &'a View<'a>, model: &Model, context: &'a [Relation], change: Change<'a>,
) -> Result<Relations<'a>> {
    for it in context {
        model.admits(&it.object, &it.relation, &it.user)?;
    }
    Ok(Relations::new(view, context).changed(change.writes, change.deletes))
}

fn user_of<'a>(model: &Model, user: &'a str) -> Result<User<'a>> {
    let read = User::read(user).ok_or_else(|| malformed("user", user))?;
    model.stands_for(&read)?;
    Ok(read)
}

/// The user of a question that can be asked.
fn asked<'a>(model: &Model, check: &'a CheckRequest) -> Result<User<'a>> {
    model::parts(&check.object).ok_or_else(|| malformed("object", &check.object))?;
    model.rule(type_of(&check.object), &check.relation)?;
    user_of(model, &check.user)
}

/// Those of which something is so.
fn kept(
    names: BTreeSet<String>, mut is_so: impl FnMut(&str) -> Result<bool>,
) -> Result<BTreeSet<String>> {
    let mut kept = BTreeSet::new();
    for name in names {
        if is_so(&name)? {
            kept.insert(name);
        }
    }
    Ok(kept)
}
