//! Rules: which one decides, before relations do.

use std::collections::{BTreeMap, BTreeSet};

use stoa_access_v1::{AccessRule, Effect, Reason, RuleOutcome, RuleStep};
use stoa_auth_v1::ListRoleGrantsRequest;
use stoa_kit::{Error, Reason as _, Result, View};

use crate::condition::{Attributes, Condition};
use crate::judge::Judge;
use crate::model::{self, Model, User, type_of};
use crate::reach::{self, LOOKED_MAX};
use crate::store::{self, Relations, too_many};

/// A relation of a rule that is about any.
pub(crate) const ANY: &str = "*";
/// The type of users whose roles `auth` knows.
const PEOPLE: &str = "user";
/// Longer ones are nobody's, and `auth` would not take them.
const USER_MAX: usize = 64;
/// Grants that are asked for at once.
const AT_ONCE: i32 = 1_000;

/// A rule, and its condition as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub row: AccessRule,
    condition: Option<Condition>,
}

/// The rules about a relation to objects of a type, the one that decides first in front: by priority, and
/// those that deny before the others.
pub(crate) struct Rules<'a> {
    view: &'a View<'a>,
    relations: &'a Relations<'a>,
    attributes: &'a Attributes,
    all: Vec<Rule>,
    /// Objects that relations name.
    known: BTreeMap<String, bool>,
    /// Whether somebody was granted a role.
    granted: BTreeMap<(String, String), bool>,
}

/// What would be written and deleted.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Changed<'a> {
    pub writes: &'a [AccessRule],
    pub deletes: &'a [String],
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// `access.condition_invalid`.
    pub(crate) fn read(row: AccessRule) -> Result<Self> {
        let condition = match &*row.condition {
            "" => None,
            text => Some(Condition::read(text).map_err(|wrong| {
                Reason::ConditionInvalid.because(format!("the condition of `{}` {wrong}", row.name))
            })?),
        };
        Ok(Self { row, condition })
    }

    pub(crate) fn denies(&self) -> bool {
        self.row.effect != Effect::Allow
    }

    /// What objects that it is about begin with, where it is about many.
    pub(crate) fn beginning(&self) -> Option<&str> {
        self.row.object.strip_suffix('*')
    }

    fn is_about(&self, object: &str) -> bool {
        match self.beginning() {
            Some(begin) => object.starts_with(begin),
            None => object == self.row.object,
        }
    }

    fn place(&self) -> (i32, bool) {
        (-self.row.priority, !self.denies())
    }
}

/// Looks whether a rule can be: for whom it is, and about what, by a model.
///
/// # Errors
/// `request.invalid`, `access.unknown_type`, `access.unknown_relation`, `access.condition_invalid`.
pub(crate) fn check(model: &Model, row: &AccessRule) -> Result<()> {
    let of = type_of(&row.object);
    match &*row.relation {
        ANY => model.of(of).map(|_| ())?,
        relation => model.rule(of, relation).map(|_| ())?,
    }
    match (&*row.user, &*row.role, &*row.holder) {
        (user, "", "") if !user.is_empty() => {
            let user = User::read(user).ok_or_else(|| model::malformed("user", user))?;
            model.stands_for(&user)?;
        }
        ("", role, "") if !role.is_empty() => {}
        ("", "", holder) if !holder.is_empty() => model.rule(of, holder).map(|_| ())?,
        _ => {
            let message = "say one of `user`, `role` and `holder`";
            return Err(Error::field("user", "rule.for_whom", message));
        }
    }
    Rule::read(row.clone()).map(|_| ())
}

impl<'a> Rules<'a> {
    /// The rules about a relation to objects of a type.
    pub(crate) fn about(
        view: &'a View<'a>, relations: &'a Relations<'a>, attributes: &'a Attributes,
        (of, relation): (&str, &str), changed: Changed<'_>,
    ) -> Result<Self> {
        let mut rows = store::rules(view, of, relation)?;
        let stays = |row: &AccessRule| {
            !changed.deletes.contains(&row.name)
                && !changed.writes.iter().any(|other| other.name == row.name)
        };
        rows.retain(stays);
        let fits = |row: &&AccessRule| {
            type_of(&row.object) == of && (row.relation == relation || row.relation == ANY)
        };
        rows.extend(changed.writes.iter().filter(fits).cloned());
        let mut all = rows.into_iter().map(Rule::read).collect::<Result<Vec<_>>>()?;
        all.sort_by(|one, other| {
            (one.place(), &one.row.name).cmp(&(other.place(), &other.row.name))
        });
        let (known, granted) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { view, relations, attributes, all, known, granted })
    }

    pub(crate) fn are_none(&self) -> bool {
        self.all.is_empty()
    }

    /// The rule that decides about an object, if one does; what is looked at is told.
    ///
    /// # Errors
    /// `access.attribute_missing`, and those of decisions by relations.
    pub(crate) fn deciding(
        &mut self, judge: &mut Judge<'_>, object: &str, told: &mut Vec<RuleStep>,
    ) -> Result<Option<AccessRule>> {
        let all = std::mem::take(&mut self.all);
        let decided = all
            .chunk_by(|one, other| one.place() == other.place())
            .find_map(|alike| self.one_of(alike, judge, object, told).transpose());
        self.all = all;
        decided.transpose()
    }

    /// The rule that applies, of some that come to the same and stand beside one another. One that cannot be
    /// answered matters only where no other applies.
    fn one_of(
        &mut self, alike: &[Rule], judge: &mut Judge<'_>, object: &str, told: &mut Vec<RuleStep>,
    ) -> Result<Option<AccessRule>> {
        let mut unanswered = None;
        for rule in alike {
            let outcome = match self.outcome(rule, judge, object) {
                Ok(outcome) => outcome,
                Err(error) if error.reason() == "access.attribute_missing" => {
                    unanswered.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let AccessRule { name, effect, priority, .. } = rule.row.clone();
            told.push(RuleStep { name, effect, priority, outcome: outcome.into() });
            if outcome == RuleOutcome::Applies {
                return Ok(Some(rule.row.clone()));
            }
        }
        unanswered.map_or(Ok(None), Err)
    }

    fn outcome(&mut self, rule: &Rule, judge: &mut Judge<'_>, object: &str) -> Result<RuleOutcome> {
        if !rule.is_about(object) {
            return Ok(RuleOutcome::OtherObject);
        }
        if !self.is_for(rule, judge, object)? {
            return Ok(RuleOutcome::OtherUser);
        }
        if rule.beginning().is_some() && !rule.denies() && !self.is_known(object)? {
            return Ok(RuleOutcome::OtherObject);
        }
        let holds = match &rule.condition {
            Some(condition) => condition.holds(self.attributes)?,
            None => true,
        };
        Ok(if holds { RuleOutcome::Applies } else { RuleOutcome::ConditionFalse })
    }

    /// Whether the one who is asked about is one for whom the rule is.
    fn is_for(&mut self, rule: &Rule, judge: &mut Judge<'_>, object: &str) -> Result<bool> {
        let user = judge.user();
        match rule.whom() {
            Whom::Holders(relation) => judge.allows(object, relation),
            Whom::Role(role) => self.has_role(&user, role),
            Whom::User(name) => match User::read(name) {
                Some(User { of, id, relation: Some(relation) }) => {
                    judge.allows(&format!("{of}:{id}"), relation)
                }
                Some(User { of, id: "*", .. }) => Ok(user.of == of && user.relation.is_none()),
                Some(one) => Ok(user == one),
                None => Ok(false),
            },
        }
    }

    fn is_known(&mut self, object: &str) -> Result<bool> {
        if let Some(known) = self.known.get(object) {
            return Ok(*known);
        }
        let known = self.relations.name_it(object)?;
        self.known.insert(object.to_owned(), known);
        Ok(known)
    }

    fn has_role(&mut self, user: &User<'_>, role: &str) -> Result<bool> {
        let is_one = !user.is_many() && user.of == PEOPLE && user.id.len() <= USER_MAX;
        if !is_one {
            return Ok(false);
        }
        let key = (user.id.to_owned(), role.to_owned());
        if let Some(granted) = self.granted.get(&key) {
            return Ok(*granted);
        }
        let (user_id, role) = key.clone();
        let request = ListRoleGrantsRequest { user_id, role, page_size: 1, ..Default::default() };
        let granted = !self.view.call(request)?.role_grants.is_empty();
        self.granted.insert(key, granted);
        Ok(granted)
    }

    /// Objects that rules may allow, beside those that relations lead to.
    pub(crate) fn objects(
        &mut self, model: &Model, judge: &mut Judge<'_>, of: &str,
    ) -> Result<BTreeSet<String>> {
        let (mut objects, user) = (BTreeSet::new(), judge.user());
        let all = self.all.clone();
        for rule in all.iter().filter(|rule| !rule.denies()) {
            match (rule.beginning(), rule.whom()) {
                (None, _) => drop(objects.insert(rule.row.object.clone())),
                (Some(begin), Whom::Holders(relation)) => {
                    let held = reach::objects(self.relations, model, &user, (of, relation))?;
                    objects.extend(held.into_iter().filter(|object| object.starts_with(begin)));
                }
                (Some(begin), _) => {
                    if self.is_for(rule, judge, "")? {
                        objects.extend(self.relations.beginning_with(begin)?);
                    }
                }
            }
        }
        Ok(objects)
    }

    /// Users whom rules may allow an object, beside those who reach it by relations.
    pub(crate) fn users(
        &self, model: &Model, object: &str, wanted: (&str, Option<&str>),
    ) -> Result<BTreeSet<String>> {
        let mut users = BTreeSet::new();
        let allowing = |rule: &&Rule| !rule.denies() && rule.is_about(object);
        for rule in self.all.iter().filter(allowing) {
            match rule.whom() {
                Whom::Holders(relation) => {
                    users.extend(reach::users(self.relations, model, object, relation, wanted)?);
                }
                Whom::Role(role) if wanted == (PEOPLE, None) => users.extend(self.holders(role)?),
                Whom::Role(_) => {}
                Whom::User(name) => match User::read(name) {
                    Some(User { of, id, relation: Some(relation) }) => {
                        let object = format!("{of}:{id}");
                        users.extend(reach::users(
                            self.relations,
                            model,
                            &object,
                            relation,
                            wanted,
                        )?);
                    }
                    Some(user) if (user.of, user.relation) == wanted => {
                        users.insert(name.to_owned());
                    }
                    _ => {}
                },
            }
        }
        Ok(users)
    }

    /// Those who were granted a role.
    fn holders(&self, role: &str) -> Result<BTreeSet<String>> {
        let mut holders = BTreeSet::new();
        let (role, page_size) = (role.to_owned(), AT_ONCE);
        let mut request = ListRoleGrantsRequest { role, page_size, ..Default::default() };
        loop {
            let reply = self.view.call(request.clone())?;
            let granted = reply.role_grants.into_iter();
            holders.extend(granted.map(|grant| format!("{PEOPLE}:{}", grant.user_id)));
            if holders.len() > LOOKED_MAX {
                return Err(too_many());
            }
            if reply.next_page_token.is_empty() {
                return Ok(holders);
            }
            request.page_token = reply.next_page_token;
        }
    }
}

/// For whom a rule is.
pub(crate) enum Whom<'a> {
    User(&'a str),
    Role(&'a str),
    /// Those who have a relation to the object that is asked about.
    Holders(&'a str),
}

impl Rule {
    fn whom(&self) -> Whom<'_> {
        whom(&self.row)
    }
}

pub(crate) fn whom(row: &AccessRule) -> Whom<'_> {
    match (&*row.role, &*row.holder) {
        ("", "") => Whom::User(&row.user),
        ("", holder) => Whom::Holders(holder),
        (role, _) => Whom::Role(role),
    }
}
