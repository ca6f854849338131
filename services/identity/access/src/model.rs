//! Models: which relations there are, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use stoa_access_v1::Reason;
use stoa_kit::{Error, Reason as _, Result};

/// What relations there are, by type and name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub types: BTreeMap<String, BTreeMap<String, Rule>>,
}

/// From what a relation follows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule {
    /// It is written, for users of these kinds.
    Written(Vec<Kind>),
    /// From another relation to the same object.
    Same(String),
    /// From a relation to whatever this object is related to: `viewer from folder`.
    From {
        relation: String,
        through: String,
    },
    Any(Vec<Rule>),
    All(Vec<Rule>),
    Unless(Box<Rule>, Box<Rule>),
}

/// To whom a relation can be given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kind {
    pub of: String,
    pub which: Which,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Which {
    /// One of the type.
    One,
    /// All of the type.
    All,
    /// Those who have a relation to an object of the type.
    Having(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Which::One => f.write_str(&self.of),
            Which::All => write!(f, "{}:*", self.of),
            Which::Having(relation) => write!(f, "{}#{relation}", self.of),
        }
    }
}

/// A user: one, all of a type, or all who have a relation to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct User<'a> {
    pub of: &'a str,
    pub id: &'a str,
    pub relation: Option<&'a str>,
}

impl<'a> User<'a> {
    /// Reads `user:ada`, `user:*` or `group:staff#member`.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (object, relation) = match text.split_once('#') {
            Some((object, relation)) => (object, Some(relation)),
            None => (text, None),
        };
        let (of, id) = parts(object)?;
        let well = relation.is_none_or(|it| !it.is_empty() && id != "*");
        well.then_some(Self { of, id, relation })
    }

    /// Whether it stands for more than one.
    pub(crate) fn is_many(&self) -> bool {
        self.relation.is_some() || self.id == "*"
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, kind: &Kind) -> bool {
        self.of == kind.of
            && match &kind.which {
                Which::One => !self.is_many(),
                Which::All => self.id == "*",
                Which::Having(relation) => self.relation == Some(relation),
            }
    }
}

/// The type and the identifier of an object.
pub(crate) fn parts(object: &str) -> Option<(&str, &str)> {
    object.split_once(':').filter(|(of, id)| !of.is_empty() && !id.is_empty())
}

/// The type of an object that is well formed.
pub(crate) fn type_of(object: &str) -> &str {
    object.split(':').next().unwrap_or_default()
}

impl Rule {
    /// Every rule of which this one is made, itself first.
    pub(crate) fn each(&self) -> Vec<&Rule> {
        let parts = match self {
            Self::Written(_) | Self::Same(_) | Self::From { .. } => Vec::new(),
            Self::Any(rules) | Self::All(rules) => rules.iter().collect(),
            Self::Unless(rule, but) => vec![&**rule, &**but],
        };
        let below = parts.into_iter().flat_map(Rule::each);
        std::iter::once(self).chain(below).collect()
    }

    /// To whom it can be given by writing it.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.each().into_iter().flat_map(|rule| match rule {
            Self::Written(kinds) => kinds.as_slice(),
            _ => &[],
        })
    }

    /// The rules that can give it to somebody: all but those that only take it away.
    pub(crate) fn giving(&self) -> Vec<&Rule> {
        match self {
            Self::Written(_) | Self::Same(_) | Self::From { .. } => vec![self],
            Self::Any(rules) | Self::All(rules) => rules.iter().flat_map(Rule::giving).collect(),
            Self::Unless(rule, _) => rule.giving(),
        }
    }
}

impl Model {
    /// The relations of a type.
    ///
    /// # Errors
    /// `access.unknown_type`.
    pub(crate) fn of(&self, name: &str) -> Result<&BTreeMap<String, Rule>> {
        self.types.get(name).ok_or_else(|| {
            Reason::UnknownType.because(format!("the model has no type `{}`", short(name)))
        })
    }

    /// What a relation follows from.
    ///
    /// # Errors
    /// `access.unknown_type`, `access.unknown_relation`.
    pub(crate) fn rule(&self, of: &str, relation: &str) -> Result<&Rule> {
        self.of(of)?.get(relation).ok_or_else(|| {
            let message = format!("`{of}` has no relation `{}`", short(relation));
            Reason::UnknownRelation.because(message)
        })
    }

    /// The rule of a relation, if there is one.
    pub(crate) fn known(&self, of: &str, relation: &str) -> Option<&Rule> {
        self.types.get(of)?.get(relation)
    }

    /// To whom a relation can be given by writing it.
    pub(crate) fn kinds(&self, of: &str, relation: &str) -> impl Iterator<Item = &Kind> {
        self.known(of, relation).into_iter().flat_map(Rule::kinds)
    }

    /// Whether a relation that is written counts.
    pub(crate) fn takes(&self, object: &str, relation: &str, user: &str) -> bool {
        let fits = |user: User<'_>| self.kinds(type_of(object), relation).any(|kind| user.is(kind));
        User::read(user).is_some_and(fits)
    }

    /// Whether somebody can be given a relation by writing it.
    ///
    /// # Errors
    /// `access.unknown_type`, `access.unknown_relation`, `access.not_assignable`.
    pub(crate) fn admits(&self, object: &str, relation: &str, user: &str) -> Result<()> {
        let of = type_of(object);
        self.rule(of, relation)?;
        let read = User::read(user).ok_or_else(|| malformed("user", user))?;
        self.stands_for(&read)?;
        if self.takes(object, relation, user) {
            return Ok(());
        }
        let message = format!("`{relation}` of `{of}` is not given to `{}`", short(user));
        Err(Reason::NotAssignable.because(message))
    }

    /// Whether there can be such a user.
    ///
    /// # Errors
    /// `access.unknown_type`, `access.unknown_relation`.
    pub(crate) fn stands_for(&self, user: &User<'_>) -> Result<()> {
        match user.relation {
            Some(relation) => self.rule(user.of, relation).map(|_| ()),
            None => self.of(user.of).map(|_| ()),
        }
    }

    /// Whether a relation holds for all whom a walk from the user towards objects finds: nothing that it
    /// rests on takes anything away.
    pub(crate) fn only_gives(&self, of: &str, relation: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut left = vec![(of.to_owned(), relation.to_owned())];
        while let Some((of, relation)) = left.pop() {
            if !seen.insert((of.clone(), relation.clone())) {
                continue;
            }
            let Some(rule) = self.known(&of, &relation) else { continue };
            for rule in rule.each() {
                match rule {
                    Rule::All(_) | Rule::Unless(..) => return false,
                    Rule::Any(_) => {}
                    Rule::Same(other) => left.push((of.clone(), other.clone())),
                    Rule::From { relation, through } => {
                        let parents = self.kinds(&of, through).map(|kind| kind.of.clone());
                        left.extend(parents.map(|parent| (parent, relation.clone())));
                    }
                    Rule::Written(kinds) => {
                        left.extend(kinds.iter().filter_map(|kind| match &kind.which {
                            Which::Having(relation) => Some((kind.of.clone(), relation.clone())),
                            Which::One | Which::All => None,
                        }))
                    }
                }
            }
        }
        true
    }

    /// Looks whether everything that rules name is there, and every relation can be had.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (of, relations) in &self.types {
            for (relation, rule) in relations {
                let place = format!("`{relation}` of `{of}`");
                for rule in rule.each() {
                    self.check_rule(of, rule).map_err(|wrong| format!("{place}: {wrong}"))?;
                }
            }
        }
        let had = self.had();
        let all = self.types.iter().flat_map(|(of, all)| all.keys().map(move |it| (of, it)));
        for (of, relation) in all {
            if !had.contains(&(of, relation)) {
                return Err(format!(
                    "`{relation}` of `{of}`: nobody can have it: it rests on itself"
                ));
            }
        }
        Ok(())
    }

    fn check_rule(&self, of: &str, rule: &Rule) -> Result<(), String> {
        match rule {
            Rule::Any(_) | Rule::All(_) | Rule::Unless(..) => Ok(()),
            Rule::Same(other) => match self.known(of, other) {
                Some(_) => Ok(()),
                None => Err(format!("`{of}` has no relation `{other}`")),
            },
            Rule::Written(kinds) => kinds.iter().try_for_each(|kind| match &kind.which {
                _ if !self.types.contains_key(&kind.of) => Err(format!("no type `{}`", kind.of)),
                Which::Having(relation) if self.known(&kind.of, relation).is_none() => {
                    Err(format!("`{}` has no relation `{relation}`", kind.of))
                }
                Which::One | Which::All | Which::Having(_) => Ok(()),
            }),
            Rule::From { relation, through } => {
                let Some(Rule::Written(kinds)) = self.known(of, through) else {
                    return Err(format!(
                        "`{through}` is not a relation of `{of}` that is only written"
                    ));
                };
                if kinds.iter().any(|kind| kind.which != Which::One) {
                    return Err(format!("`{through}` has to be given to single objects alone"));
                }
                match kinds.iter().any(|kind| self.known(&kind.of, relation).is_some()) {
                    true => Ok(()),
                    false => Err(format!("nothing in `{through}` has a relation `{relation}`")),
                }
            }
        }
    }

    /// The relations that somebody can have, found from those that are written on.
    fn had(&self) -> BTreeSet<(&String, &String)> {
        let mut had = BTreeSet::new();
        loop {
            let before = had.len();
            for (of, relations) in &self.types {
                for (relation, rule) in relations {
                    if self.can_be_had(of, rule, &had) {
                        had.insert((of, relation));
                    }
                }
            }
            if had.len() == before {
                return had;
            }
        }
    }

    fn can_be_had(&self, of: &str, rule: &Rule, had: &BTreeSet<(&String, &String)>) -> bool {
        let knows = |of: &str, relation: &str| {
            had.iter().any(|(one, other)| (one.as_str(), other.as_str()) == (of, relation))
        };
        match rule {
            Rule::Written(kinds) => kinds.iter().any(|kind| match &kind.which {
                Which::One | Which::All => true,
                Which::Having(relation) => knows(&kind.of, relation),
            }),
            Rule::Same(other) => knows(of, other),
            Rule::From { relation, through } => {
                self.kinds(of, through).any(|kind| knows(&kind.of, relation))
            }
            Rule::Any(rules) => rules.iter().any(|rule| self.can_be_had(of, rule, had)),
            Rule::All(rules) => rules.iter().all(|rule| self.can_be_had(of, rule, had)),
            Rule::Unless(rule, _) => self.can_be_had(of, rule, had),
        }
    }
}

/// A user or an object that is none.
pub(crate) fn malformed(field: &str, text: &str) -> Error {
    let message = format!("`{}` is not of the form `type:id`", short(text));
    Error::field(field, "string.pattern", message)
}

/// What is told of a text that somebody sent.
fn short(text: &str) -> &str {
    let end = text.char_indices().nth(64).map_or(text.len(), |(end, _)| end);
    &text[..end]
}
