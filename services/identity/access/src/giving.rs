//! Who may write what: nobody gives what they lack.
//!
//! A relation gives itself, and one that leads to other objects whatever follows from it. What only takes
//! away is no gift to write, but one to delete.

use std::collections::{BTreeMap, BTreeSet};

use stoa_access_v1::{AccessRule, CheckRequest, Reason, Relation};
use stoa_kit::{Code, Reason as _, Result, View};

use crate::answer::{self, Change};
use crate::model::{Model, Rule, Which, type_of};
use crate::rules;

/// Whoever was granted this gives anything.
const WRITE_ALL: &str = "access.grants.write_all";

/// A relation of a type.
type Place = (String, String);

/// Whoever writes.
pub(crate) struct Writer<'a> {
    view: &'a View<'a>,
    model: &'a Model,
    signs: BTreeMap<Place, Signs>,
}

/// What comes of a relation: whether something follows from it, and whether something follows without it.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Signs {
    gives: bool,
    takes: bool,
}

impl<'a> Writer<'a> {
    /// Whoever calls, unless they give anything. A service of the node does, but where it writes for a client.
    pub(crate) fn held(view: &'a View<'a>, model: &'a Model, for_client: bool) -> Option<Self> {
        let caller = view.caller();
        let is_service = view.is_nested() && !for_client;
        let free = is_service || caller.is_system() || caller.may(WRITE_ALL);
        (!free).then(|| Self { view, model, signs: signs(model) })
    }

    /// Refuses to write a relation that the writer lacks.
    ///
    /// # Errors
    /// `access.not_held`.
    pub(crate) fn may_write(&self, it: &Relation) -> Result<()> {
        let of = type_of(&it.object);
        if !self.signs(of, &it.relation).gives {
            return Ok(());
        }
        let follow = following(self.model, of, &it.relation);
        if follow.is_empty() {
            return self.has(&it.object, &it.relation);
        }
        follow.into_iter().try_for_each(|relation| self.has(&it.object, relation))
    }

    /// Refuses to delete a relation without which somebody has more.
    ///
    /// # Errors
    /// `access.not_held`.
    pub(crate) fn may_delete(&self, it: &Relation) -> Result<()> {
        match self.signs(type_of(&it.object), &it.relation).takes {
            true => Err(lacks(&format!("what `{}` takes away from others", it.relation))),
            false => Ok(()),
        }
    }

    /// Refuses to write or delete a rule by which somebody has more than the writer.
    ///
    /// # Errors
    /// `access.not_held`.
    pub(crate) fn may_rule(&self, rule: &AccessRule) -> Result<()> {
        if rule.object.ends_with('*') || rule.relation == rules::ANY {
            return Err(lacks(&format!("`{}` to `{}`, however many", rule.relation, rule.object)));
        }
        self.has(&rule.object, &rule.relation)
    }

    fn signs(&self, of: &str, relation: &str) -> Signs {
        let both = Signs { gives: true, takes: true };
        self.signs.get(&(of.to_owned(), relation.to_owned())).copied().unwrap_or(both)
    }

    fn has(&self, object: &str, relation: &str) -> Result<()> {
        let check = CheckRequest {
            user: self.view.caller().subject.to_string(),
            relation: relation.to_owned(),
            object: object.to_owned(),
            ..CheckRequest::default()
        };
        match answer::check(self.view, self.model, &check, Change::default()) {
            Ok(true) => Ok(()),
            Err(error) if matches!(error.code(), Code::Internal | Code::Unavailable) => Err(error),
            Ok(false) | Err(_) => Err(lacks(&format!("`{relation}` to `{object}`"))),
        }
    }
}

fn lacks(what: &str) -> stoa_kit::Error {
    Reason::NotHeld.because(format!("whoever writes this has to have {what}"))
}

/// The relations of a type that follow from one by way of other objects: `viewer from folder`.
fn following<'a>(model: &'a Model, of: &str, by: &str) -> Vec<&'a str> {
    let Ok(relations) = model.of(of) else { return Vec::new() };
    let leads = |rule: &&Rule| matches!(rule, Rule::From { through, .. } if through == by);
    let follow = relations.iter().filter(|(_, rule)| rule.giving().iter().any(leads));
    follow.map(|(name, _)| name.as_str()).collect()
}

/// What comes of each relation that somebody can ask about, and of all that these rest on.
fn signs(model: &Model) -> BTreeMap<Place, Signs> {
    let all = || model.types.iter().flat_map(|(of, all)| all.iter().map(move |it| (of, it)));
    let mut taken = BTreeSet::new();
    for (of, (_, rule)) in all() {
        let under = rests_on(model, of, rule, true).into_iter();
        taken.extend(under.filter(|(_, gives)| !gives).map(|(place, _)| place));
    }
    let place = |of: &String, name: &String| (of.clone(), name.clone());
    let asked = all().map(|(of, (name, _))| (place(of, name), true));
    let mut left: Vec<(Place, bool)> = asked.filter(|(place, _)| !taken.contains(place)).collect();
    let mut signs = BTreeMap::<Place, Signs>::new();
    while let Some((place, gives)) = left.pop() {
        let known = signs.entry(place.clone()).or_default();
        let before =
            std::mem::replace(if gives { &mut known.gives } else { &mut known.takes }, true);
        if let (false, Some(rule)) = (before, model.known(&place.0, &place.1)) {
            left.extend(rests_on(model, &place.0, rule, gives));
        }
    }
    signs
}

/// The relations that a rule rests on, and whether it gives more where they do.
fn rests_on(model: &Model, of: &str, rule: &Rule, gives: bool) -> Vec<(Place, bool)> {
    let place = |of: &str, relation: &str| ((of.to_owned(), relation.to_owned()), gives);
    match rule {
        Rule::Same(other) => vec![place(of, other)],
        Rule::From { relation, through } => {
            let others = model.kinds(of, through).map(|kind| place(&kind.of, relation));
            others.chain([place(of, through)]).collect()
        }
        Rule::Written(kinds) => {
            let having = |kind: &crate::model::Kind| match &kind.which {
                Which::Having(relation) => Some(place(&kind.of, relation)),
                Which::One | Which::All => None,
            };
            kinds.iter().filter_map(having).collect()
        }
        Rule::Any(rules) | Rule::All(rules) => {
            rules.iter().flat_map(|rule| rests_on(model, of, rule, gives)).collect()
        }
        Rule::Unless(rule, but) => {
            let mut all = rests_on(model, of, rule, gives);
            all.extend(rests_on(model, of, but, !gives));
            all
        }
    }
}
