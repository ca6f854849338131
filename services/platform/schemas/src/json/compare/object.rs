//! What is asked of objects: which properties there are, what they have to be, and what others may be.

use std::collections::BTreeSet;

use serde_json::Value;

use super::facts::Facts;
use super::{Difference, Found, Part, Policy, Proof, below, names, one};
use crate::json::node::{Id, Node, Types};
use crate::json::validate::TooComplex;

const ADDED_TO_OPEN: &str = "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL";
const ADDED_UNCOVERED: &str = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL";
const REMOVED_FROM_CLOSED: &str = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL";
const REMOVED_UNCOVERED: &str = "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL";

impl<'a> Proof<'a> {
    pub(super) fn object(&mut self, facts: &Facts, goal: Part) -> Found {
        let mut found = self.properties(facts, goal)?;
        found.extend(self.pattern_properties(facts, goal)?);
        found.extend(self.additional(facts, goal)?);
        found.extend(self.property_names(facts, goal)?);
        found.extend(self.required(facts, goal)?);
        found.extend(self.counts(facts, goal));
        Ok(found)
    }

    fn nodes(&self, facts: &Facts) -> Vec<&'a Node> {
        facts.is.iter().map(|part| self.node(*part)).collect()
    }

    /// What is known of a property, where it is there.
    pub(super) fn property(&mut self, facts: &Facts, name: &str) -> Result<Facts, TooComplex> {
        let mut known = Facts::of(Vec::new());
        for part in &facts.is {
            let asked = &self.node(*part).object;
            let other = |id: &Id| Part { id: *id, ..*part };
            self.spend(1 + asked.patterns.len())?;
            if let Some(id) = asked.names
                && !self.accepts(other(&id), &Value::String(name.to_owned()))?
            {
                known.types = Types::default();
            }
            let named = asked.properties.get(name);
            let matching = asked.patterns.iter().filter(|(pattern, _)| pattern.is_match(name));
            let mut all: Vec<Id> =
                named.into_iter().chain(matching.map(|(_, id)| id)).copied().collect();
            if all.is_empty() {
                all.extend(self.node(*part).others());
            }
            known.is.extend(all.iter().map(other));
        }
        Ok(known)
    }

    fn properties(&mut self, facts: &Facts, goal: Part) -> Found {
        let node = self.node(goal);
        let known = names(self.nodes(facts).into_iter());
        let mut found = Vec::new();
        for (name, id) in &node.object.properties {
            let property = self.property(facts, name)?;
            let differences = self.prove_within(&property, Part { id: *id, ..goal })?;
            if differences.is_empty() {
                continue;
            }
            let path = || below(node, "properties", name);
            if known.contains(name.as_str()) {
                found.extend(differences);
            } else if !property.is.is_empty() {
                found.extend(one(path(), ADDED_UNCOVERED));
            } else if self.policy == Policy::Strict || node.object.required.contains(name) {
                found.extend(one(path(), ADDED_TO_OPEN));
            }
        }
        Ok(found)
    }

    fn pattern_properties(&mut self, facts: &Facts, goal: Part) -> Found {
        let node = self.node(goal);
        let known = names(self.nodes(facts).into_iter());
        let mut found = Vec::new();
        for (pattern, id) in &node.object.patterns {
            let goal = Part { id: *id, ..goal };
            for name in known.iter().filter(|name| pattern.is_match(name)) {
                let property = self.property(facts, name)?;
                found.extend(self.prove_within(&property, goal)?);
            }
            if !self.any_other(facts, goal, |text| text == pattern.text, true)? {
                let path = below(node, "patternProperties", &pattern.text);
                found.extend(one(path, "PATTERN_PROPERTY_NARROWED"));
            }
        }
        Ok(found)
    }

    /// Whether a schema follows for a property that no schema knows by its name: from all that one of
    /// them may say of it. `same` tells a pattern that decides it by itself, or is left out.
    fn any_other(
        &mut self, facts: &Facts, goal: Part, same: impl Fn(&str) -> bool, decides: bool,
    ) -> Result<bool, TooComplex> {
        'next: for part in &facts.is {
            let node = self.node(*part);
            let fact = |id: &Id| Facts::of(vec![Part { id: *id, ..*part }]);
            let equal = node.object.patterns.iter().find(|(pattern, _)| same(&pattern.text));
            if let Some((_, id)) = equal
                && decides
                && self.prove_within(&fact(id), goal)?.is_empty()
            {
                return Ok(true);
            }
            let other = node.others().map_or(Facts::of(Vec::new()), |id| fact(&id));
            if !self.prove_within(&other, goal)?.is_empty() {
                continue;
            }
            for (pattern, id) in &node.object.patterns {
                let left_out = !decides && same(&pattern.text);
                if !left_out && !self.prove_within(&fact(id), goal)?.is_empty() {
                    continue 'next;
                }
            }
            return Ok(true);
        }
        self.prove_within(&Facts::of(Vec::new()), goal).map(|found| found.is_empty())
    }

    fn additional(&mut self, facts: &Facts, goal: Part) -> Found {
        let node = self.node(goal);
        let Some(id) = node.others() else { return Ok(Vec::new()) };
        let asked = &node.object;
        let others = Part { id, ..goal };
        let closed = self.node(others).always == Some(false);
        let required = self.all_required(facts);
        let mut found = Vec::new();
        for name in names(self.nodes(facts).into_iter()) {
            let matches = asked.patterns.iter().any(|(pattern, _)| pattern.is_match(name));
            if matches || asked.properties.contains_key(name) {
                continue;
            }
            let property = self.property(facts, name)?;
            if self.prove_within(&property, others)?.is_empty() {
                continue;
            }
            let forgiven = self.policy == Policy::Lenient && !required.contains(name);
            let path = below(node, "properties", name);
            match closed {
                true if forgiven => {}
                true => found.extend(one(path, REMOVED_FROM_CLOSED)),
                false => found.extend(one(path, REMOVED_UNCOVERED)),
            }
        }
        let known = |text: &str| asked.patterns.iter().any(|(pattern, _)| pattern.text == text);
        if !self.any_other(facts, others, known, false)? {
            let rule = match closed {
                true => "ADDITIONAL_PROPERTIES_REMOVED",
                false => "ADDITIONAL_PROPERTIES_NARROWED",
            };
            found.extend(one(format!("{}/additionalProperties", node.pointer), rule));
        }
        Ok(found)
    }

    fn property_names(&mut self, facts: &Facts, goal: Part) -> Found {
        let node = self.node(goal);
        let Some(id) = node.object.names else { return Ok(Vec::new()) };
        let goal = Part { id, ..goal };
        for part in &facts.is {
            let Some(id) = self.node(*part).object.names else { continue };
            let mut known = Facts::of(vec![Part { id, ..*part }]);
            known.types = Types::STRING;
            if self.prove_within(&known, goal)?.is_empty() {
                return Ok(Vec::new());
            }
        }
        let mut all = self.nodes(facts).into_iter().zip(&facts.is);
        let only = all.find(|(node, part)| {
            let never = |id| self.node(Part { id, ..**part }).always == Some(false);
            node.object.patterns.is_empty() && node.others().is_some_and(never)
        });
        let mut good = only.is_some();
        for name in only.iter().flat_map(|(node, _)| node.object.properties.keys()) {
            good &= self.accepts(goal, &Value::String(name.clone()))?;
        }
        let mut any = Facts::of(Vec::new());
        any.types = Types::STRING;
        if good || self.prove_within(&any, goal)?.is_empty() {
            return Ok(Vec::new());
        }
        Ok(one(format!("{}/propertyNames", node.pointer), "PROPERTY_NAMES_NARROWED"))
    }

    fn all_required(&self, facts: &Facts) -> BTreeSet<&'a str> {
        let all = self.nodes(facts).into_iter().flat_map(|node| &node.object.required);
        all.map(String::as_str).collect()
    }

    fn required(&mut self, facts: &Facts, goal: Part) -> Found {
        let node = self.node(goal);
        let known = self.all_required(facts);
        let missing = node.object.required.iter().filter(|name| !known.contains(name.as_str()));
        let mut found: Vec<Difference> = missing
            .flat_map(|name| one(below(node, "properties", name), "REQUIRED_ATTRIBUTE_ADDED"))
            .collect();
        for (name, all) in &node.object.required_by {
            let by =
                self.nodes(facts).into_iter().filter_map(|node| node.object.required_by.get(name));
            let by: BTreeSet<&str> = by.flatten().map(String::as_str).collect();
            let mut all = all.iter().map(String::as_str);
            let good = all.all(|name| known.contains(name) || by.contains(name));
            if !good && !self.is_absent(facts, name)? {
                let path = below(node, "dependentRequired", name);
                found.extend(one(path, "DEPENDENCY_ARRAY_EXTENDED"));
            }
        }
        for (name, id) in &node.object.schema_by {
            if self.is_absent(facts, name)? {
                continue;
            }
            let mut more = facts.clone();
            more.types = more.types.and(Types::OBJECT);
            for part in &facts.is {
                let also = self.node(*part).object.schema_by.get(name);
                more.is.extend(also.map(|id| Part { id: *id, ..*part }));
            }
            found.extend(self.prove(&more, Part { id: *id, ..goal })?);
        }
        Ok(found)
    }

    /// Whether a property cannot be there.
    fn is_absent(&mut self, facts: &Facts, name: &str) -> Result<bool, TooComplex> {
        let property = self.property(facts, name)?;
        let property = self.flattened(&property)?;
        self.is_impossible(&property)
    }

    fn counts(&self, facts: &Facts, goal: Part) -> Vec<Difference> {
        let node = self.node(goal);
        let asked = &node.object;
        let objects = || self.nodes(facts).into_iter().map(|node| &node.object);
        let required = self.all_required(facts).len() as u64;
        let least = objects().filter_map(|known| known.count_min).max().unwrap_or_default();
        let most = objects().filter_map(|known| known.count_max).min().unwrap_or(u64::MAX);
        let mut found = Vec::new();
        if least.max(required) < asked.count_min.unwrap_or_default() {
            let path = format!("{}/minProperties", node.pointer);
            found.extend(one(path, "MIN_PROPERTIES_INCREASED"));
        }
        if most > asked.count_max.unwrap_or(u64::MAX) {
            let path = format!("{}/maxProperties", node.pointer);
            found.extend(one(path, "MAX_PROPERTIES_DECREASED"));
        }
        found
    }
}
