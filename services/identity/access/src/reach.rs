//! What a user reaches, and who reaches an object: everybody to whom the rules give it, were there no
//! rule that takes it away.

use std::collections::{BTreeMap, BTreeSet};

use stoa_kit::Result;

use crate::judge::{DEPTH_MAX, names, too_deep};
use crate::model::{Model, Rule, User, Which, type_of};
use crate::store::{Relations, too_many};

/// Relations that one list may look at.
pub(crate) const LOOKED_MAX: usize = 100_000;
/// Users who are looked up at once.
const AT_ONCE: usize = 1_000;

type Place = (String, String);

/// A walk from a user towards objects.
struct Walk<'a> {
    model: &'a Model,
    /// Relations of types that may lead to what is asked for.
    leading: BTreeSet<Place>,
    found: BTreeSet<Place>,
    /// Found, and not yet gone on from.
    fresh: Vec<Place>,
}

/// The objects of a type that a user may have a relation to.
///
/// # Errors
/// `access.too_deep`, `access.too_many`.
pub(crate) fn objects(
    relations: &Relations<'_>, model: &Model, user: &User<'_>, (of, relation): (&str, &str),
) -> Result<BTreeSet<String>> {
    let leading = leading(model, of, relation);
    let mut walk = Walk { model, leading, found: BTreeSet::new(), fresh: Vec::new() };
    let mut looked = 0;
    let mut look = |users: &[String]| -> Result<Vec<(String, String, String)>> {
        let mut rows = Vec::new();
        for some in users.chunks(AT_ONCE) {
            rows.extend(relations.objects(some)?);
        }
        looked += rows.len();
        if looked > LOOKED_MAX { Err(too_many()) } else { Ok(rows) }
    };
    if let Some(having) = user.relation {
        walk.find(&format!("{}:{}", user.of, user.id), having);
    }
    for (user, relation, object) in look(&names(user))? {
        walk.written(&user, &relation, &object);
    }
    for depth in 0.. {
        let fresh = std::mem::take(&mut walk.fresh);
        match depth {
            _ if fresh.is_empty() => break,
            DEPTH_MAX => return Err(too_deep()),
            _ => {}
        }
        let mut had: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (object, relation) in &fresh {
            had.entry(object).or_default().push(relation);
        }
        let having = fresh.iter().map(|(object, relation)| format!("{object}#{relation}"));
        let users: Vec<String> =
            having.chain(had.keys().map(|object| (*object).to_owned())).collect();
        for (user, relation, object) in look(&users)? {
            match had.get(user.as_str()) {
                Some(had) => walk.related((&user, had), &relation, &object),
                None => walk.written(&user, &relation, &object),
            }
        }
    }
    let wanted = |(object, found): &Place| type_of(object) == of && found == relation;
    Ok(walk.found.into_iter().filter(wanted).map(|(object, _)| object).collect())
}

impl Walk<'_> {
    /// A relation is written, for somebody whom the walk has reached.
    fn written(&mut self, user: &str, relation: &str, object: &str) {
        if self.model.takes(object, relation, user) {
            self.find(object, relation);
        }
    }

    /// An object is related to one to which the user has some relations.
    fn related(&mut self, (other, had): (&str, &[&str]), by: &str, object: &str) {
        let model = self.model;
        if !model.takes(object, by, other) {
            return;
        }
        let Ok(relations) = model.of(type_of(object)) else { return };
        for (name, rule) in relations {
            let leads = rule.giving().into_iter().any(|rule| match rule {
                Rule::From { relation, through } => through == by && had.contains(&&**relation),
                _ => false,
            });
            if leads {
                self.find(object, name);
            }
        }
    }

    /// The user may have a relation to an object, and whatever follows from it for the same one.
    fn find(&mut self, object: &str, relation: &str) {
        let place = (type_of(object).to_owned(), relation.to_owned());
        if !self.leading.contains(&place) {
            return;
        }
        let found = (object.to_owned(), relation.to_owned());
        if !self.found.insert(found.clone()) {
            return;
        }
        self.fresh.push(found);
        let model = self.model;
        let Ok(relations) = model.of(type_of(object)) else { return };
        for (name, rule) in relations {
            let same = |rule: &Rule| matches!(rule, Rule::Same(other) if other == relation);
            if rule.giving().into_iter().any(same) {
                self.find(object, name);
            }
        }
    }
}

/// Relations of types from which one may follow.
fn leading(model: &Model, of: &str, relation: &str) -> BTreeSet<Place> {
    let mut all = BTreeSet::new();
    let mut left = vec![(of.to_owned(), relation.to_owned())];
    while let Some(place) = left.pop() {
        let (of, relation) = &place;
        let Some(rule) = model.known(of, relation) else { continue };
        for rule in rule.giving() {
            match rule {
                Rule::Same(other) => left.push((of.clone(), other.clone())),
                Rule::From { relation, through } => {
                    let others = model.kinds(of, through);
                    left.extend(others.map(|kind| (kind.of.clone(), relation.clone())));
                }
                Rule::Written(kinds) => left.extend(kinds.iter().filter_map(having)),
                Rule::Any(_) | Rule::All(_) | Rule::Unless(..) => {}
            }
        }
        all.insert(place);
        left.retain(|place| !all.contains(place));
    }
    all
}

fn having(kind: &crate::model::Kind) -> Option<Place> {
    match &kind.which {
        Which::Having(relation) => Some((kind.of.clone(), relation.clone())),
        Which::One | Which::All => None,
    }
}

/// The users who may have a relation to an object, and belong to a type.
///
/// # Errors
/// `access.too_deep`, `access.too_many`.
pub(crate) fn users(
    relations: &Relations<'_>, model: &Model, object: &str, relation: &str,
    wanted: (&str, Option<&str>),
) -> Result<BTreeSet<String>> {
    let (mut users, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let (mut fresh, mut looked) = (vec![(object.to_owned(), relation.to_owned())], 0);
    for depth in 0.. {
        fresh.retain(|place| seen.insert(place.clone()));
        match depth {
            _ if fresh.is_empty() => break,
            DEPTH_MAX => return Err(too_deep()),
            _ => {}
        }
        for (object, relation) in std::mem::take(&mut fresh) {
            let Some(rule) = model.known(type_of(&object), &relation) else { continue };
            users.insert(format!("{object}#{relation}"));
            for rule in rule.giving() {
                looked +=
                    giving(relations, model, (&object, &relation), rule, &mut users, &mut fresh)?;
            }
            if looked > LOOKED_MAX {
                return Err(too_many());
            }
        }
    }
    users.retain(|name| User::read(name).is_some_and(|user| (user.of, user.relation) == wanted));
    Ok(users)
}

/// Adds the users to whom one rule gives a relation, and from what else it follows; how many relations
/// were looked at.
fn giving(
    relations: &Relations<'_>, model: &Model, (object, relation): (&str, &str), rule: &Rule,
    users: &mut BTreeSet<String>, fresh: &mut Vec<Place>,
) -> Result<usize> {
    match rule {
        Rule::Same(other) => {
            fresh.push((object.to_owned(), other.clone()));
            Ok(0)
        }
        Rule::From { relation, through } => {
            let others = relations.users(object, through)?;
            let looked = others.len();
            let admitted = others.into_iter().filter(|other| model.takes(object, through, other));
            fresh.extend(admitted.map(|other| (other, relation.clone())));
            Ok(looked)
        }
        Rule::Written(kinds) => {
            let all = relations.users(object, relation)?;
            let looked = all.len();
            for name in all {
                let Some(user) = User::read(&name) else { continue };
                if !kinds.iter().any(|kind| user.is(kind)) {
                    continue;
                }
                if let Some(relation) = user.relation {
                    fresh.push((format!("{}:{}", user.of, user.id), relation.to_owned()));
                }
                users.insert(name);
            }
            Ok(looked)
        }
        Rule::Any(_) | Rule::All(_) | Rule::Unless(..) => Ok(0),
    }
}
