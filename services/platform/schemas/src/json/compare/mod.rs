//! Whether whatever is valid under one schema is valid under another.
//!
//! It is proved, keyword by keyword: from what the old schema says of a value, that the new one holds.
//! What cannot be proved is a difference, also where no value shows it.
//!
//! **Invariant:** where no difference is found, no value is valid under the old schema and not under the
//! new one.

mod array;
mod facts;
mod object;

use std::collections::BTreeSet;

use serde_json::Value;

use super::compile::Schema;
use super::document::escaped;
use super::node::{Id, Node, Types};
use super::number::{Decimal, same};
use super::told;
use super::validate::TooComplex;
use facts::Facts;

/// The most differences that are told.
const DIFFERENCES_MAX: usize = 100;
/// How deep a proof leads.
const DEPTH_MAX: usize = 100;

/// What makes a value valid under the old schema, and perhaps not under the new one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    /// Where, as a JSON Pointer in the schema that asks for more.
    pub(crate) path: String,
    /// Which rule is broken, by the name that Confluent's registry has for it where it has one.
    pub(crate) rule: &'static str,
}

/// How strictly properties that come and go are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Every value that is valid stays valid.
    Strict,
    /// What is not required may come into an open content model, and go out of a closed one.
    Lenient,
}

/// What of the new schema does not follow from the old one, in no more than so many steps.
///
/// # Errors
/// [`TooComplex`].
pub(crate) fn compare(
    old: &Schema, new: &Schema, policy: Policy, steps: &mut u64,
) -> Result<Vec<Difference>, TooComplex> {
    if same(&old.text, &new.text) {
        return Ok(Vec::new());
    }
    let mut proof =
        Proof { sides: [old, new], policy, steps: *steps, depth: 0, level: 0, assumed: Vec::new() };
    let facts = Facts::of(vec![Part { side: 0, id: old.root }]);
    let found = proof.prove(&facts, Part { side: 1, id: new.root });
    *steps = proof.steps;
    found
}

/// A schema of one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    side: usize,
    id: Id,
}

struct Proof<'a> {
    sides: [&'a Schema; 2],
    policy: Policy,
    steps: u64,
    depth: usize,
    /// How deep in a value what is proved stands.
    level: usize,
    /// What is being proved, and how deep: for what is deeper it may be taken as proved.
    assumed: Vec<(Facts, Part, usize)>,
}

type Found = Result<Vec<Difference>, TooComplex>;

fn one(path: String, rule: &'static str) -> Vec<Difference> {
    vec![Difference { path: told(path), rule }]
}

impl<'a> Proof<'a> {
    fn node(&self, part: Part) -> &'a Node {
        self.sides[part.side].node(part.id)
    }

    fn spend(&mut self, steps: usize) -> Result<(), TooComplex> {
        self.steps = self.steps.checked_sub(steps as u64).ok_or(TooComplex)?;
        Ok(())
    }

    /// What of a schema does not follow from what is known.
    fn prove(&mut self, facts: &Facts, goal: Part) -> Found {
        self.spend(1)?;
        let path = &self.node(goal).pointer;
        match self.node(goal).always {
            Some(true) => return Ok(Vec::new()),
            Some(false) if facts.is_empty() => {
                return Ok(one(path.clone(), "COMBINED_TYPE_CHANGED"));
            }
            _ => {}
        }
        let known = |(facts_then, goal_then, _): &&(Facts, Part, usize)| {
            (facts_then, *goal_then) == (facts, goal)
        };
        if let Some((.., level)) = self.assumed.iter().find(known) {
            let differs = one(path.clone(), "NOT_COMPARABLE");
            return Ok(if *level < self.level { Vec::new() } else { differs });
        }
        if self.depth == DEPTH_MAX {
            return Err(TooComplex);
        }
        self.depth += 1;
        self.assumed.push((facts.clone(), goal, self.level));
        let found = self.directly_or_by_cases(facts, goal);
        self.assumed.pop();
        self.depth -= 1;
        let mut found = found?;
        found.sort();
        found.dedup();
        found.truncate(DIFFERENCES_MAX);
        Ok(found)
    }

    /// The same of a part of a value.
    fn prove_within(&mut self, facts: &Facts, goal: Part) -> Found {
        self.level += 1;
        let found = self.prove(facts, goal);
        self.level -= 1;
        found
    }

    fn holds(&mut self, facts: &Facts, goal: Part) -> Result<bool, TooComplex> {
        Ok(self.prove(facts, goal)?.is_empty())
    }

    fn directly_or_by_cases(&mut self, facts: &Facts, goal: Part) -> Found {
        let facts = self.flattened(facts)?;
        if self.is_impossible(&facts)? {
            return Ok(Vec::new());
        }
        let found = self.directly(&facts, goal)?;
        if found.is_empty() {
            return Ok(found);
        }
        let Some(cases) = self.cases(&facts) else { return Ok(found) };
        for case in cases {
            if !self.holds(&case, goal)? {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    fn directly(&mut self, facts: &Facts, goal: Part) -> Found {
        let node = self.node(goal);
        let path = || node.pointer.clone();
        if node.always == Some(false) {
            return Ok(one(path(), "COMBINED_TYPE_CHANGED"));
        }
        if let Some(values) = self.values(facts) {
            return self.each_of(facts, &values, goal);
        }
        let mut found = Vec::new();
        if node.types.is_some_and(|types| !facts.types.is_in(types)) {
            found.extend(one(format!("{}/type", path()), "TYPE_NARROWED"));
        }
        for (keyword, _) in &node.values {
            found.extend(one(format!("{}/{keyword}", path()), "ENUM_ARRAY_NARROWED"));
        }
        if facts.types.meets(Types::NUMBER) {
            self.number(facts, node, &mut found);
        }
        if facts.types.meets(Types::STRING) {
            self.text(facts, node, &mut found);
        }
        if facts.types.meets(Types::ARRAY) {
            found.extend(self.array(facts, goal)?);
        }
        if facts.types.meets(Types::OBJECT) {
            found.extend(self.object(facts, goal)?);
        }
        found.extend(self.logic(facts, goal)?);
        if self.looks_back(goal) {
            found.extend(one(path(), "NOT_COMPARABLE"));
        }
        Ok(found)
    }

    /// Whether all of the values that there are at all are valid.
    fn each_of(&mut self, facts: &Facts, values: &[Value], goal: Part) -> Found {
        for value in values {
            if self.is_possible(facts, value)? && !self.accepts(goal, value)? {
                return Ok(one(self.node(goal).pointer.clone(), "ENUM_ARRAY_NARROWED"));
            }
        }
        Ok(Vec::new())
    }

    fn number(&self, facts: &Facts, node: &Node, found: &mut Vec<Difference>) {
        let asked = &node.number;
        let numbers = || facts.is.iter().map(|part| &self.node(*part).number);
        let low = numbers().filter_map(|known| known.minimum).max();
        let above = numbers().filter_map(|known| known.above).max();
        let high = numbers().filter_map(|known| known.maximum).min();
        let below = numbers().filter_map(|known| known.below).min();
        let mut hold = |good: bool, keyword: &str, rule| {
            if !good {
                found.extend(one(format!("{}/{keyword}", node.pointer), rule));
            }
        };
        if let Some(limit) = asked.minimum {
            let good = low.max(above) >= Some(limit);
            hold(good, "minimum", "MINIMUM_INCREASED");
        }
        if let Some(limit) = asked.above {
            let good = above >= Some(limit) || low > Some(limit);
            hold(good, "exclusiveMinimum", "EXCLUSIVE_MINIMUM_INCREASED");
        }
        let beneath = |limit: Decimal, known: Option<Decimal>, equal: bool| {
            known.is_some_and(|known| known < limit || (equal && known == limit))
        };
        if let Some(limit) = asked.maximum {
            let good = beneath(limit, high, true) || beneath(limit, below, true);
            hold(good, "maximum", "MAXIMUM_DECREASED");
        }
        if let Some(limit) = asked.below {
            let good = beneath(limit, below, true) || beneath(limit, high, false);
            hold(good, "exclusiveMaximum", "EXCLUSIVE_MAXIMUM_DECREASED");
        }
        if let Some(of) = asked.multiple_of {
            let whole = facts.types.and(Types::NUMBER).is_in(Types::INTEGER);
            let whole = whole.then_some(Decimal::ONE);
            let mut known = numbers().filter_map(|known| known.multiple_of).chain(whole);
            let good = known.any(|known| known.is_multiple_of(of));
            hold(good, "multipleOf", "MULTIPLE_OF_CHANGED");
        }
    }

    fn text(&self, facts: &Facts, node: &Node, found: &mut Vec<Difference>) {
        let asked = &node.text;
        let texts = || facts.is.iter().map(|part| &self.node(*part).text);
        let least = texts().filter_map(|known| known.length_min).max().unwrap_or_default();
        let most = texts().filter_map(|known| known.length_max).min().unwrap_or(u64::MAX);
        let mut hold = |good: bool, keyword: &str, rule| {
            if !good {
                found.extend(one(format!("{}/{keyword}", node.pointer), rule));
            }
        };
        let min = asked.length_min.unwrap_or_default();
        hold(least >= min, "minLength", "MIN_LENGTH_INCREASED");
        hold(most <= asked.length_max.unwrap_or(u64::MAX), "maxLength", "MAX_LENGTH_DECREASED");
        if let Some(pattern) = &asked.pattern {
            let mut known = texts().filter_map(|known| known.pattern.as_ref());
            let good = known.any(|known| known.text == pattern.text);
            hold(good, "pattern", "PATTERN_CHANGED");
        }
    }

    /// What stands in the schema besides what asks something of types.
    fn logic(&mut self, facts: &Facts, goal: Part) -> Found {
        let node = self.node(goal);
        let part = |id| Part { id, ..goal };
        let mut found = Vec::new();
        for id in node.refers.iter().chain(&node.all) {
            found.extend(self.prove(facts, part(*id))?);
        }
        for (keyword, ids, is_one) in [("anyOf", &node.any, false), ("oneOf", &node.one, true)] {
            if !ids.is_empty() && !self.some_of(facts, goal, ids, is_one)? {
                found.extend(one(format!("{}/{keyword}", node.pointer), "SUM_TYPE_NARROWED"));
            }
        }
        if let Some(id) = node.not
            && !self.is_excluded(facts, part(id))?
        {
            found.extend(one(format!("{}/not", node.pointer), "NOT_TYPE_NARROWED"));
        }
        if let Some(id) = node.condition {
            // Either way of it, unless what is known decides it.
            let holds = facts.and(part(id));
            let fails = facts.without(part(id));
            let ways = [(holds, node.then), (fails, node.otherwise)];
            for (facts, way) in ways {
                if let Some(way) = way {
                    found.extend(self.prove(&facts, part(way))?);
                }
            }
        }
        Ok(found)
    }

    /// Whether one of several follows, and where it is to be one alone, no other can hold.
    fn some_of(
        &mut self, facts: &Facts, goal: Part, ids: &[Id], is_one: bool,
    ) -> Result<bool, TooComplex> {
        if self.one_of(facts, goal, ids, is_one)? {
            return Ok(true);
        }
        let types = facts.types.each();
        if types.len() < 2 {
            return Ok(false);
        }
        for types in types {
            let facts = Facts { types, ..facts.clone() };
            if !self.is_impossible(&facts)? && !self.one_of(&facts, goal, ids, is_one)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn one_of(
        &mut self, facts: &Facts, goal: Part, ids: &[Id], is_one: bool,
    ) -> Result<bool, TooComplex> {
        'next: for (place, id) in ids.iter().enumerate() {
            if !self.holds(facts, Part { id: *id, ..goal })? {
                continue;
            }
            for (other, id) in ids.iter().enumerate().filter(|_| is_one) {
                if other != place && !self.is_excluded(facts, Part { id: *id, ..goal })? {
                    continue 'next;
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether a schema asks what others looked at, so that what it says is not its own.
    fn looks_back(&self, part: Part) -> bool {
        let node = self.node(part);
        let asks = |id: Option<Id>| {
            id.is_some_and(|id| self.node(Part { id, ..part }).always != Some(true))
        };
        let unevaluated = asks(node.object.unevaluated) || asks(node.array.unevaluated);
        node.dynamic.is_some() || (unevaluated && !node.stands_alone())
    }
}

/// The names that some schemas know.
fn names<'n>(nodes: impl Iterator<Item = &'n Node>) -> BTreeSet<&'n str> {
    nodes.flat_map(|node| node.object.properties.keys()).map(String::as_str).collect()
}

fn below(node: &Node, keyword: &str, name: &str) -> String {
    format!("{}/{keyword}/{}", node.pointer, escaped(name))
}
