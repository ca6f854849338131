//! Decisions: from an object towards the user, rule by rule.

use std::collections::BTreeMap;

use stoa_access_v1::{Derivation, Reason, Rule as How};
use stoa_kit::{Error, Reason as _, Result};

use crate::model::{Kind, Model, Rule, User, Which, type_of};
use crate::store::{Relations, too_many};

/// Relations that may follow from one another.
pub(crate) const DEPTH_MAX: usize = 25;
/// Relations to objects that one decision may look at.
const LOOKED_MAX: usize = 10_000;
/// Steps that an explanation tells.
const STEPS_MAX: usize = 200;

/// What is known of a relation to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Yes,
    No,
    /// Nothing but what rests on a relation further up, at this place of the way: no, if nothing else
    /// proves that one.
    Circle(usize),
}

/// Decides about one user.
pub(crate) struct Judge<'a> {
    relations: &'a Relations<'a>,
    model: &'a Model,
    /// The user, and for one of a type all of it.
    names: Vec<String>,
    user: User<'a>,
    known: BTreeMap<(String, String), bool>,
    way: Vec<(String, String)>,
    steps: Option<Vec<Derivation>>,
    /// Whether there were more steps than are told.
    pub cut: bool,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(relations: &'a Relations<'a>, model: &'a Model, user: User<'a>) -> Self {
        let names = names(&user);
        let (known, way) = (BTreeMap::new(), Vec::new());
        Self { relations, model, names, user, known, way, steps: None, cut: false }
    }

    /// Whom it decides about.
    pub(crate) fn user(&self) -> User<'a> {
        self.user
    }

    /// Keeps the steps of what is decided from now on.
    pub(crate) fn explaining(self) -> Self {
        Self { steps: Some(Vec::new()), ..self }
    }

    /// The steps that were kept.
    pub(crate) fn steps(self) -> Vec<Derivation> {
        self.steps.unwrap_or_default()
    }

    /// Whether the user has a relation to an object.
    ///
    /// # Errors
    /// `access.too_deep` and `access.too_many`, where nothing can be said.
    pub(crate) fn allows(&mut self, object: &str, relation: &str) -> Result<bool> {
        self.holds(object, relation, None).map(|verdict| verdict == Verdict::Yes)
    }

    fn holds(&mut self, object: &str, relation: &str, above: Option<usize>) -> Result<Verdict> {
        let place = (object.to_owned(), relation.to_owned());
        let itself = self.user.relation == Some(relation)
            && object.split_once(':') == Some((self.user.of, self.user.id));
        let model = self.model;
        let Some(rule) = model.known(type_of(object), relation) else { return Ok(Verdict::No) };
        if itself {
            return Ok(self.told(above, &place, How::RULE_ITSELF, Verdict::Yes));
        }
        if let Some(known) = self.known.get(&place).filter(|_| self.steps.is_none()) {
            return Ok(if *known { Verdict::Yes } else { Verdict::No });
        }
        if let Some(begun) = self.way.iter().position(|known| *known == place) {
            return Ok(self.told(above, &place, How::RULE_CIRCLE, Verdict::Circle(begun)));
        }
        if self.way.len() == DEPTH_MAX {
            return Err(too_deep());
        }
        if self.known.len() == LOOKED_MAX {
            return Err(too_many());
        }
        let begun = self.way.len();
        self.way.push(place.clone());
        let verdict = self.follows(&place, rule, above);
        self.way.pop();
        let verdict = match verdict? {
            // It rests on itself alone.
            Verdict::Circle(on) if on >= begun => Verdict::No,
            other => other,
        };
        if !matches!(verdict, Verdict::Circle(_)) {
            self.known.insert(place, verdict == Verdict::Yes);
        }
        Ok(verdict)
    }

    fn follows(
        &mut self, place: &(String, String), rule: &Rule, above: Option<usize>,
    ) -> Result<Verdict> {
        let how = match rule {
            Rule::Written(_) => How::RULE_WRITTEN,
            Rule::Same(_) => How::RULE_SAME_AS,
            Rule::From { .. } => How::RULE_FROM,
            Rule::Any(_) => How::RULE_ANY_OF,
            Rule::All(_) => How::RULE_ALL_OF,
            Rule::Unless(..) => How::RULE_UNLESS,
        };
        let step = self.tell(above, place, how);
        let verdict = match rule {
            Rule::Written(kinds) => match self.written(place, kinds)? {
                (Some(user), _) => {
                    self.name(step, &user);
                    Verdict::Yes
                }
                (None, many) => self.having(many, kinds, step)?,
            },
            Rule::Same(other) => self.holds(&place.0, other, step)?,
            Rule::From { relation, through } => self.from(place, relation, through, step)?,
            Rule::Any(rules) => {
                let mut verdict = Verdict::No;
                for rule in rules {
                    verdict = either(verdict, self.follows(place, rule, step)?);
                    if verdict == Verdict::Yes {
                        break;
                    }
                }
                verdict
            }
            Rule::All(rules) => {
                let mut verdict = Verdict::Yes;
                for rule in rules {
                    verdict = both(verdict, self.follows(place, rule, step)?);
                    if verdict == Verdict::No {
                        break;
                    }
                }
                verdict
            }
            Rule::Unless(rule, but) => match self.follows(place, rule, step)? {
                Verdict::No => Verdict::No,
                holds => match self.follows(place, but, step)? {
                    Verdict::Yes => Verdict::No,
                    Verdict::No => holds,
                    circle @ Verdict::Circle(_) => both(holds, circle),
                },
            },
        };
        self.settle(step, verdict);
        Ok(verdict)
    }

    /// The user who is written, if the relation can be given to such a one: this one, or all of the type.
    /// Where it can be given to those who have a relation to another object, who these are, too.
    fn written(
        &self, (object, relation): &(String, String), kinds: &[Kind],
    ) -> Result<(Option<String>, Vec<String>)> {
        let fits = |name: &&String| {
            User::read(name).is_some_and(|user| kinds.iter().any(|kind| user.is(kind)))
        };
        let names: Vec<&str> = self.names.iter().filter(fits).map(String::as_str).collect();
        let many = kinds.iter().any(|kind| matches!(kind.which, Which::Having(_)));
        match (&*names, many) {
            ([], false) => Ok((None, Vec::new())),
            ([], true) => Ok((None, self.relations.many(object, relation)?)),
            (names, false) => Ok((self.relations.has(object, relation, names)?, Vec::new())),
            (names, true) => self.relations.has_or_many(object, relation, names),
        }
    }

    /// Whether the user is among those who have a relation to another object, and to whom it is given.
    fn having(&mut self, all: Vec<String>, kinds: &[Kind], step: Option<usize>) -> Result<Verdict> {
        let mut verdict = Verdict::No;
        for many in all {
            let Some(user) = User::read(&many) else { continue };
            let (Some(relation), true) = (user.relation, kinds.iter().any(|kind| user.is(kind)))
            else {
                continue;
            };
            let object = format!("{}:{}", user.of, user.id);
            verdict = either(verdict, self.holds(&object, relation, step)?);
            if verdict == Verdict::Yes {
                self.name(step, &many);
                break;
            }
        }
        Ok(verdict)
    }

    /// Whether the user has a relation to one of the objects that this one is related to.
    fn from(
        &mut self, (object, _): &(String, String), relation: &str, through: &str,
        step: Option<usize>,
    ) -> Result<Verdict> {
        let mut verdict = Verdict::No;
        for other in self.relations.users(object, through)? {
            if !self.model.takes(object, through, &other) {
                continue;
            }
            verdict = either(verdict, self.holds(&other, relation, step)?);
            if verdict == Verdict::Yes {
                self.name(step, &other);
                break;
            }
        }
        Ok(verdict)
    }

    /// Begins a step; its place, if steps are kept.
    fn tell(
        &mut self, above: Option<usize>, (object, relation): &(String, String), rule: How,
    ) -> Option<usize> {
        let steps = self.steps.as_mut()?;
        if steps.len() == STEPS_MAX {
            self.cut = true;
            return None;
        }
        steps.push(Derivation {
            object: object.clone(),
            relation: relation.clone(),
            rule: rule.into(),
            parent: above.and_then(|above| i32::try_from(above).ok()).unwrap_or(-1),
            ..Derivation::default()
        });
        Some(steps.len() - 1)
    }

    /// A step that has none below it.
    fn told(
        &mut self, above: Option<usize>, place: &(String, String), rule: How, verdict: Verdict,
    ) -> Verdict {
        let step = self.tell(above, place, rule);
        self.settle(step, verdict);
        verdict
    }

    fn settle(&mut self, step: Option<usize>, verdict: Verdict) {
        if let Some(step) = self.step(step) {
            step.holds = verdict == Verdict::Yes;
        }
    }

    fn name(&mut self, step: Option<usize>, user: &str) {
        if let Some(step) = self.step(step) {
            user.clone_into(&mut step.user);
        }
    }

    fn step(&mut self, step: Option<usize>) -> Option<&mut Derivation> {
        self.steps.as_mut()?.get_mut(step?)
    }
}

/// What is written for a user: themselves, and all of their type.
pub(crate) fn names(user: &User<'_>) -> Vec<String> {
    let User { of, id, relation } = user;
    match relation {
        Some(relation) => vec![format!("{of}:{id}#{relation}")],
        None if *id == "*" => vec![format!("{of}:*")],
        None => vec![format!("{of}:{id}"), format!("{of}:*")],
    }
}

fn either(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Yes, _) | (_, Verdict::Yes) => Verdict::Yes,
        (Verdict::Circle(one), Verdict::Circle(other)) => Verdict::Circle(one.min(other)),
        (circle @ Verdict::Circle(_), Verdict::No) | (Verdict::No, circle) => circle,
    }
}

fn both(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::No, _) | (_, Verdict::No) => Verdict::No,
        (Verdict::Circle(one), Verdict::Circle(other)) => Verdict::Circle(one.min(other)),
        (circle @ Verdict::Circle(_), Verdict::Yes) | (Verdict::Yes, circle) => circle,
    }
}

/// A question whose answer follows from too far away.
pub(crate) fn too_deep() -> Error {
    let message = format!("more than {DEPTH_MAX} relations follow from one another");
    Reason::TooDeep.because(message)
}
