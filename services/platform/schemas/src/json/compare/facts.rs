//! What is known of a value: which schemas hold for it, and which do not.

use serde_json::Value;

use super::{Part, Proof};
use crate::json::node::{Id, Node, Types};
use crate::json::validate::TooComplex;

/// What is known of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Schemas that it is valid under.
    pub(super) is: Vec<Part>,
    /// Schemas that it is not valid under.
    pub(super) not: Vec<Part>,
    /// What it may be.
    pub(super) types: Types,
    /// Schemas of which one case is looked at.
    pub(super) split: Vec<(Part, Case)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Case {
    Any,
    One,
    Condition,
}

impl Facts {
    pub(super) fn of(is: Vec<Part>) -> Self {
        Self { is, not: Vec::new(), types: Types::ALL, split: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is.is_empty() && self.types == Types::ALL
    }

    pub(super) fn and(&self, part: Part) -> Self {
        let mut facts = self.clone();
        facts.is.push(part);
        facts
    }

    pub(super) fn without(&self, part: Part) -> Self {
        let mut facts = self.clone();
        facts.not.push(part);
        facts
    }
}

impl Node {
    /// Whether nothing beside it looks at parts of the value in its place.
    pub(super) fn stands_alone(&self) -> bool {
        let many = self.all.len() + self.any.len() + self.one.len() + self.object.schema_by.len();
        let single = [self.refers, self.not, self.condition, self.array.contains];
        many == 0 && single.iter().all(Option::is_none) && self.dynamic.is_none()
    }

    /// What a property is that nothing else says anything of.
    pub(super) fn others(&self) -> Option<Id> {
        let unevaluated = self.object.unevaluated.filter(|_| self.stands_alone());
        self.object.additional.or(unevaluated)
    }

    /// What an item is behind the prefix.
    pub(super) fn rest(&self) -> Option<Id> {
        let unevaluated = self.array.unevaluated.filter(|_| self.stands_alone());
        self.array.rest.map(|(id, _)| id).or(unevaluated)
    }
}

impl Proof<'_> {
    /// What is known, with all that follows from it as it stands.
    pub(super) fn flattened(&mut self, facts: &Facts) -> Result<Facts, TooComplex> {
        let mut all = Facts { is: Vec::new(), ..facts.clone() };
        let mut left: Vec<Part> = facts.is.iter().rev().copied().collect();
        while let Some(part) = left.pop() {
            self.spend(1)?;
            if all.is.contains(&part) {
                continue;
            }
            all.is.push(part);
            let node = self.node(part);
            left.extend(node.refers.iter().chain(&node.all).map(|id| Part { id: *id, ..part }));
            if let Some(id) = node.not {
                let not = Part { id, ..part };
                if !all.not.contains(&not) {
                    all.not.push(not);
                }
            }
            if let Some(types) = node.types {
                all.types = all.types.and(types);
            }
        }
        all.is.sort();
        all.not.sort();
        Ok(all)
    }

    /// Whether nothing is valid under what is known.
    pub(super) fn is_impossible(&mut self, facts: &Facts) -> Result<bool, TooComplex> {
        let never = facts.is.iter().any(|part| self.node(*part).always == Some(false));
        if never || facts.types == Types::default() {
            return Ok(true);
        }
        let Some(values) = self.values(facts) else { return Ok(false) };
        for value in values {
            if self.is_possible(facts, &value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All values that there can be, where they are few.
    pub(super) fn values(&self, facts: &Facts) -> Option<Vec<Value>> {
        let lists = facts.is.iter().flat_map(|part| &self.node(*part).values);
        let least = lists.map(|(_, values)| values).min_by_key(|values| values.len());
        let single = facts.types.is_in(Types::NULL.or(Types::BOOLEAN));
        let single = single.then(|| vec![Value::Null, Value::Bool(false), Value::Bool(true)]);
        least.cloned().or(single)
    }

    /// Whether nothing that is known speaks against a value.
    pub(super) fn is_possible(&mut self, facts: &Facts, value: &Value) -> Result<bool, TooComplex> {
        if !Types::of(value).is_in(facts.types) {
            return Ok(false);
        }
        for part in &facts.is {
            if !self.accepts(*part, value)? {
                return Ok(false);
            }
        }
        for part in &facts.not {
            if self.accepts(*part, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn accepts(&mut self, part: Part, value: &Value) -> Result<bool, TooComplex> {
        self.sides[part.side].accepts(part.id, value, &mut self.steps)
    }

    /// The cases that there are, of the first schema that has some.
    pub(super) fn cases(&self, facts: &Facts) -> Option<Vec<Facts>> {
        for part in &facts.is {
            let node = self.node(*part);
            let is_new = |case| !facts.split.contains(&(*part, case));
            let begun = |case| {
                let mut facts = facts.clone();
                facts.split.push((*part, case));
                facts
            };
            let other = |id: &Id| Part { id: *id, ..*part };
            if !node.any.is_empty() && is_new(Case::Any) {
                return Some(node.any.iter().map(|id| begun(Case::Any).and(other(id))).collect());
            }
            if !node.one.is_empty() && is_new(Case::One) {
                let case = |id: &Id| {
                    let others = node.one.iter().filter(|one| *one != id);
                    let begun = begun(Case::One).and(other(id));
                    others.fold(begun, |facts, id| facts.without(other(id)))
                };
                return Some(node.one.iter().map(case).collect());
            }
            if let Some(id) = node.condition
                && is_new(Case::Condition)
            {
                let with = |facts: Facts, id: Option<Id>| {
                    id.map_or(facts.clone(), |id| facts.and(other(&id)))
                };
                let begun = begun(Case::Condition);
                return Some(vec![
                    with(begun.and(other(&id)), node.then),
                    with(begun.without(other(&id)), node.otherwise),
                ]);
            }
        }
        None
    }

    /// Whether no value of which this is known is valid under a schema.
    pub(super) fn is_excluded(&mut self, facts: &Facts, part: Part) -> Result<bool, TooComplex> {
        for not in &facts.not {
            if *not == part || self.holds(&Facts::of(vec![part]), *not)? {
                return Ok(true);
            }
        }
        let both = self.flattened(&facts.and(part))?;
        self.is_contradiction(&both)
    }

    /// Whether what is known cannot all be.
    fn is_contradiction(&mut self, facts: &Facts) -> Result<bool, TooComplex> {
        self.spend(1)?;
        if self.is_impossible(facts)? {
            return Ok(true);
        }
        if facts.types != Types::OBJECT || self.depth >= super::DEPTH_MAX {
            return Ok(false);
        }
        // A property that has to be there, and cannot be anything.
        let required = facts.is.iter().flat_map(|part| &self.node(*part).object.required);
        let required: Vec<String> = required.cloned().collect();
        for name in required {
            self.depth += 1;
            let known = self.property(facts, &name)?;
            let known = self.flattened(&known)?;
            let none = self.is_contradiction(&known);
            self.depth -= 1;
            if none? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
