//! Checks a value against a schema, in bounded work.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::compile::Schema;
use super::document::escaped;
use super::node::{Id, Node, Secret, Types};
use super::number::{Decimal, canonical, same};
use super::told;

/// The most schemas that one value is checked against, each as often as it is.
pub(crate) const STEPS_MAX: u64 = 500_000;
/// The most violations that are told.
pub(crate) const VIOLATIONS_MAX: usize = 100;
/// How deep schemas lead into each other.
const DEPTH_MAX: usize = 300;

/// What is wrong with a value. Never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Where in the value, as a JSON Pointer.
    pub(crate) pointer: String,
    /// The keyword that says so, as a JSON Pointer in its schema.
    pub(crate) keyword: String,
}

/// What was found out about a value.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What is wrong with it; nothing where it is valid.
    pub(crate) violations: Vec<Violation>,
    /// What of it is to be wrapped, by its JSON Pointer.
    pub(crate) secrets: Vec<(String, Secret)>,
}

/// It cannot be found out in the work that is done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooComplex;

impl Schema {
    /// Checks a value.
    ///
    /// # Errors
    /// [`TooComplex`].
    pub(crate) fn check(&self, value: &Value) -> Result<Outcome, TooComplex> {
        self.check_node(self.root, value, &mut STEPS_MAX.clone(), false)
    }

    /// Whether a value is valid under one of the schemas in it.
    pub(crate) fn accepts(
        &self, id: Id, value: &Value, steps: &mut u64,
    ) -> Result<bool, TooComplex> {
        Ok(self.check_node(id, value, steps, true)?.violations.is_empty())
    }

    fn check_node(
        &self, id: Id, value: &Value, steps: &mut u64, quiet: bool,
    ) -> Result<Outcome, TooComplex> {
        let mut run = Run {
            schema: self,
            steps: *steps,
            quiet: usize::from(quiet),
            depth: 0,
            scope: Vec::new(),
            outcome: Outcome::default(),
        };
        let valid = run.node(id, value, &At::Root, &mut Seen::default());
        *steps = run.steps;
        if !valid? && run.outcome.violations.is_empty() {
            run.outcome
                .violations
                .push(Violation { pointer: String::new(), keyword: String::new() });
        }
        if !run.outcome.violations.is_empty() {
            run.outcome.secrets.clear();
        }
        Ok(run.outcome)
    }
}

/// A place in a value.
enum At<'a> {
    Root,
    Name(&'a At<'a>, &'a str),
    Place(&'a At<'a>, usize),
}

impl At<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Name(above, name) => format!("{}/{}", above.pointer(), escaped(name)),
            Self::Place(above, place) => format!("{}/{place}", above.pointer()),
        }
    }
}

/// Which parts of a value some schema looked at, and found in order.
#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    places: BTreeSet<usize>,
}

impl Seen {
    fn take(&mut self, other: Self) {
        self.names.extend(other.names);
        self.places.extend(other.places);
    }
}

struct Run<'a> {
    schema: &'a Schema,
    steps: u64,
    /// How many schemas around are only asked whether they hold.
    quiet: usize,
    depth: usize,
    scope: Vec<usize>,
    outcome: Outcome,
}

type Valid = Result<bool, TooComplex>;

impl<'a> Run<'a> {
    fn node(&mut self, id: Id, value: &Value, at: &At<'_>, seen: &mut Seen) -> Valid {
        self.spend(1)?;
        let schema: &'a Schema = self.schema;
        let node = schema.node(id);
        if let Some(always) = node.always {
            return Ok(always || self.wrong(node, "", at));
        }
        if self.depth == DEPTH_MAX {
            return Err(TooComplex);
        }
        self.depth += 1;
        let entered = self.scope.last() != Some(&node.resource);
        if entered {
            self.scope.push(node.resource);
        }
        let secrets = self.outcome.secrets.len();
        let mut own = Seen::default();
        let valid = self.keywords(node, value, at, &mut own);
        if entered {
            self.scope.pop();
        }
        self.depth -= 1;
        match valid {
            Ok(true) => {
                seen.take(own);
                if let Some(secret) = &node.secret {
                    self.outcome.secrets.push((at.pointer(), secret.clone()));
                }
            }
            _ => self.outcome.secrets.truncate(secrets),
        }
        valid
    }

    fn spend(&mut self, steps: usize) -> Result<(), TooComplex> {
        self.steps = self.steps.checked_sub(steps as u64).ok_or(TooComplex)?;
        Ok(())
    }

    /// Notes what is wrong.
    fn wrong(&mut self, node: &Node, keyword: &str, at: &At<'_>) -> bool {
        if self.quiet == 0 && self.outcome.violations.len() < VIOLATIONS_MAX {
            let slash = if keyword.is_empty() { "" } else { "/" };
            let keyword = format!("{}{slash}{keyword}", node.pointer);
            let (pointer, keyword) = (told(at.pointer()), told(keyword));
            self.outcome.violations.push(Violation { pointer, keyword });
        }
        false
    }

    fn holds(&mut self, good: bool, node: &Node, keyword: &str, at: &At<'_>) -> bool {
        good || self.wrong(node, keyword, at)
    }

    /// Whether a schema holds, where it is not wrong if it does not.
    fn whether(&mut self, id: Id, value: &Value, at: &At<'_>, seen: &mut Seen) -> Valid {
        self.quiet += 1;
        let valid = self.node(id, value, at, seen);
        self.quiet -= 1;
        valid
    }

    fn keywords(&mut self, node: &'a Node, value: &Value, at: &At<'_>, seen: &mut Seen) -> Valid {
        let mut valid = true;
        if let Some(id) = node.refers {
            valid &= self.node(id, value, at, seen)?;
        }
        if let Some(id) = self.decided(node) {
            valid &= self.node(id, value, at, seen)?;
        }
        if let Some(types) = node.types {
            valid &= self.holds(Types::of(value).is_in(types), node, "type", at);
        }
        for (keyword, values) in &node.values {
            self.spend(values.len())?;
            valid &= self.holds(values.iter().any(|one| same(one, value)), node, keyword, at);
        }
        valid &= self.logic(node, value, at, seen)?;
        valid &= match value {
            Value::Number(number) => self.number(node, Decimal::of(number), at),
            Value::String(text) => self.text(node, text, at)?,
            Value::Array(items) => self.array(node, items, at, seen)?,
            Value::Object(object) => self.object(node, object, value, at, seen)?,
            _ => true,
        };
        Ok(valid)
    }

    /// What `$dynamicRef` leads to, coming from where one does.
    fn decided(&self, node: &Node) -> Option<Id> {
        let dynamic = node.dynamic.as_ref()?;
        let anchor = dynamic.anchor.as_ref();
        let mut outer = anchor.into_iter().flat_map(|anchor| {
            self.scope.iter().filter_map(move |of| self.schema.dynamic[*of].get(anchor))
        });
        Some(outer.next().copied().unwrap_or(dynamic.target))
    }

    fn logic(&mut self, node: &'a Node, value: &Value, at: &At<'_>, seen: &mut Seen) -> Valid {
        let mut valid = true;
        for id in &node.all {
            valid &= self.node(*id, value, at, seen)?;
        }
        if !node.any.is_empty() {
            let mut any = false;
            for id in &node.any {
                any |= self.whether(*id, value, at, seen)?;
                if any && !self.schema.looks_back && !self.schema.has_secrets {
                    break;
                }
            }
            valid &= self.holds(any, node, "anyOf", at);
        }
        if !node.one.is_empty() {
            let mut count = 0;
            for id in &node.one {
                count += usize::from(self.whether(*id, value, at, seen)?);
            }
            valid &= self.holds(count == 1, node, "oneOf", at);
        }
        if let Some(id) = node.not {
            let secrets = self.outcome.secrets.len();
            let not = self.whether(id, value, at, &mut Seen::default())?;
            self.outcome.secrets.truncate(secrets);
            valid &= self.holds(!not, node, "not", at);
        }
        if let Some(id) = node.condition {
            let next = match self.whether(id, value, at, seen)? {
                true => node.then,
                false => node.otherwise,
            };
            if let Some(id) = next {
                valid &= self.node(id, value, at, seen)?;
            }
        }
        Ok(valid)
    }

    fn number(&mut self, node: &Node, number: Decimal, at: &At<'_>) -> bool {
        let asked = &node.number;
        let mut valid = true;
        let mut hold = |keyword, limit: Option<Decimal>, good: fn(&Decimal, &Decimal) -> bool| {
            let good = limit.is_none_or(|limit| good(&number, &limit));
            valid &= self.holds(good, node, keyword, at);
        };
        hold("minimum", asked.minimum, Decimal::ge);
        hold("exclusiveMinimum", asked.above, Decimal::gt);
        hold("maximum", asked.maximum, Decimal::le);
        hold("exclusiveMaximum", asked.below, Decimal::lt);
        hold("multipleOf", asked.multiple_of, |number, of| number.is_multiple_of(*of));
        valid
    }

    fn text(&mut self, node: &Node, text: &str, at: &At<'_>) -> Valid {
        let asked = &node.text;
        let mut valid = true;
        if asked.length_min.is_some() || asked.length_max.is_some() {
            let length = text.chars().count();
            valid &= self.within(length, asked.length_min, asked.length_max, node, TEXT, at);
        }
        if let Some(pattern) = &asked.pattern {
            self.spend(text.len() / 64)?;
            valid &= self.holds(pattern.is_match(text), node, "pattern", at);
        }
        Ok(valid)
    }

    fn within(
        &mut self, count: usize, min: Option<u64>, max: Option<u64>, node: &Node,
        keywords: [&str; 2], at: &At<'_>,
    ) -> bool {
        let count = count as u64;
        let enough = self.holds(min.is_none_or(|min| count >= min), node, keywords[0], at);
        enough & self.holds(max.is_none_or(|max| count <= max), node, keywords[1], at)
    }

    fn array(&mut self, node: &Node, items: &[Value], at: &At<'_>, seen: &mut Seen) -> Valid {
        let asked = &node.array;
        let mut valid =
            self.within(items.len(), asked.length_min, asked.length_max, node, ARRAY, at);
        for (place, item) in items.iter().enumerate() {
            let id = asked.prefix.get(place).copied();
            let Some(id) = id.or(asked.rest.map(|(id, _)| id)) else { break };
            valid &= self.node(id, item, &At::Place(at, place), &mut Seen::default())?;
            if self.schema.looks_back {
                seen.places.insert(place);
            }
        }
        if let Some(id) = asked.contains {
            let mut count = 0;
            for (place, item) in items.iter().enumerate() {
                if self.whether(id, item, &At::Place(at, place), &mut Seen::default())? {
                    count += 1;
                    if self.schema.looks_back {
                        seen.places.insert(place);
                    }
                }
            }
            let min = asked.contains_min.unwrap_or(1);
            let keyword = if asked.contains_min.is_some() { "minContains" } else { "contains" };
            valid &= self.within(
                count,
                Some(min),
                asked.contains_max,
                node,
                [keyword, "maxContains"],
                at,
            );
        }
        if asked.unique {
            let mut known = BTreeSet::new();
            let mut unique = true;
            for item in items {
                let text = canonical(item);
                self.spend(text.len() / 64)?;
                unique &= known.insert(text);
            }
            valid &= self.holds(unique, node, "uniqueItems", at);
        }
        if let Some(id) = asked.unevaluated {
            for (place, item) in items.iter().enumerate() {
                if !seen.places.contains(&place) {
                    valid &= self.node(id, item, &At::Place(at, place), &mut Seen::default())?;
                    seen.places.insert(place);
                }
            }
        }
        Ok(valid)
    }

    fn object(
        &mut self, node: &Node, object: &Map<String, Value>, whole: &Value, at: &At<'_>,
        seen: &mut Seen,
    ) -> Valid {
        let asked = &node.object;
        let mut valid =
            self.within(object.len(), asked.count_min, asked.count_max, node, OBJECT, at);
        self.spend(asked.required.len())?;
        for name in asked.required.iter().filter(|name| !object.contains_key(*name)) {
            valid = self.wrong(node, "required", &At::Name(at, name));
        }
        for (name, all) in asked.required_by.iter().filter(|(name, _)| object.contains_key(*name)) {
            let keyword = format!("dependentRequired/{}", escaped(name));
            self.spend(all.len())?;
            for name in all.iter().filter(|name| !object.contains_key(*name)) {
                valid = self.wrong(node, &keyword, &At::Name(at, name));
            }
        }
        for (name, value) in object {
            valid &= self.property(node, name, value, at, seen)?;
        }
        for (name, id) in &asked.schema_by {
            if object.contains_key(name) {
                valid &= self.node(*id, whole, at, seen)?;
            }
        }
        if let Some(id) = asked.unevaluated {
            for (name, value) in object {
                if !seen.names.contains(name) {
                    valid &= self.node(id, value, &At::Name(at, name), &mut Seen::default())?;
                    seen.names.insert(name.clone());
                }
            }
        }
        Ok(valid)
    }

    fn property(
        &mut self, node: &Node, name: &str, value: &Value, above: &At<'_>, seen: &mut Seen,
    ) -> Valid {
        let asked = &node.object;
        let at = &At::Name(above, name);
        let (mut valid, mut known) = (true, false);
        if let Some(id) = asked.names {
            let text = Value::String(name.to_owned());
            let good = self.whether(id, &text, at, &mut Seen::default())?;
            valid &= self.holds(good, node, "propertyNames", at);
        }
        if let Some(id) = asked.properties.get(name) {
            known = true;
            valid &= self.node(*id, value, at, &mut Seen::default())?;
        }
        for (pattern, id) in &asked.patterns {
            self.spend(1 + name.len() / 64)?;
            if pattern.is_match(name) {
                known = true;
                valid &= self.node(*id, value, at, &mut Seen::default())?;
            }
        }
        if let Some(id) = asked.additional
            && !known
        {
            known = true;
            valid &= self.node(id, value, at, &mut Seen::default())?;
        }
        if known && self.schema.looks_back {
            seen.names.insert(name.to_owned());
        }
        Ok(valid)
    }
}

const TEXT: [&str; 2] = ["minLength", "maxLength"];
const ARRAY: [&str; 2] = ["minItems", "maxItems"];
const OBJECT: [&str; 2] = ["minProperties", "maxProperties"];
