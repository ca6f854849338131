//! What is asked of arrays.

use super::facts::Facts;
use super::{Found, Part, Proof, one};
use crate::json::node::Node;
use crate::json::validate::TooComplex;

impl Proof<'_> {
    pub(super) fn array(&mut self, facts: &Facts, goal: Part) -> Found {
        let node = self.node(goal);
        let asked = &node.array;
        let arrays: Vec<_> = facts.is.iter().map(|part| &self.node(*part).array).collect();
        let least = arrays.iter().filter_map(|known| known.length_min).max().unwrap_or_default();
        let most = arrays.iter().filter_map(|known| known.length_max).min().unwrap_or(u64::MAX);
        let at = |keyword: &str| format!("{}/{keyword}", node.pointer);
        let mut found = Vec::new();
        if least < asked.length_min.unwrap_or_default() {
            found.extend(one(at("minItems"), "MIN_ITEMS_INCREASED"));
        }
        if most > asked.length_max.unwrap_or(u64::MAX) {
            found.extend(one(at("maxItems"), "MAX_ITEMS_DECREASED"));
        }
        if asked.unique && most > 1 && !arrays.iter().any(|known| known.unique) {
            found.extend(one(at("uniqueItems"), "UNIQUE_ITEMS_ADDED"));
        }
        let known = arrays.iter().map(|known| known.prefix.len()).max().unwrap_or_default();
        // One place behind all that are named stands for the rest.
        for place in 0..=known.max(asked.prefix.len()) {
            if place as u64 >= most {
                break;
            }
            let Some(id) = asked.prefix.get(place).copied().or(node.rest()) else { continue };
            let item = self.item(facts, place);
            found.extend(self.prove_within(&item, Part { id, ..goal })?);
        }
        if !self.contains(facts, goal, most)? {
            found.extend(one(at("contains"), "CONTAINS_NARROWED"));
        }
        Ok(found)
    }

    /// What is known of an item.
    fn item(&self, facts: &Facts, place: usize) -> Facts {
        let known = facts.is.iter().filter_map(|part| {
            let node: &Node = self.node(*part);
            let id = node.array.prefix.get(place).copied().or(node.rest())?;
            Some(Part { id, ..*part })
        });
        Facts::of(known.collect())
    }

    fn contains(&mut self, facts: &Facts, goal: Part, most: u64) -> Result<bool, TooComplex> {
        let asked = &self.node(goal).array;
        let Some(id) = asked.contains else { return Ok(true) };
        let goal = Part { id, ..goal };
        let mut enough = asked.contains_min == Some(0);
        let mut few = asked.contains_max.is_none_or(|max| most <= max);
        for part in &facts.is {
            let known = &self.node(*part).array;
            let Some(id) = known.contains else { continue };
            let contained = Part { id, ..*part };
            if !enough && known.contains_min.unwrap_or(1) >= asked.contains_min.unwrap_or(1) {
                self.level += 1;
                let holds = self.holds(&Facts::of(vec![contained]), goal);
                self.level -= 1;
                enough = holds?;
            }
            if !few
                && known.contains_max.unwrap_or(u64::MAX) <= asked.contains_max.unwrap_or(u64::MAX)
            {
                self.level += 1;
                let holds = self.holds(&Facts::of(vec![goal]), contained);
                self.level -= 1;
                few = holds?;
            }
        }
        Ok(enough && few)
    }
}
