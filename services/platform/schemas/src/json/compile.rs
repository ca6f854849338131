//! Takes a schema apart, with all that it refers to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Problem;
use super::document::{Documents, Library, Place, escaped};
use super::draft::Draft;
use super::node::{Dynamic, Id, Node, Secret, Types};
use super::number::Decimal;
use super::pattern::Pattern;

/// The most schemas that one is made of.
const NODES_MAX: usize = 10_000;
/// The most regular expressions in one.
const PATTERNS_MAX: usize = 100;

/// A schema that values can be checked against.
pub(crate) struct Schema {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: Id,
    /// As it is written.
    pub(crate) text: Value,
    /// Of each resource, what it has to say to references that are decided by where one comes from.
    pub(crate) dynamic: Vec<BTreeMap<String, Id>>,
    /// Whether any part asks what other parts looked at.
    pub(crate) looks_back: bool,
    /// Whether any part is to be wrapped.
    pub(crate) has_secrets: bool,
    /// How many regular expressions there are.
    pub(crate) patterns: usize,
}

impl Schema {
    /// Takes a schema apart that its metaschema finds in order.
    ///
    /// # Errors
    /// What of it cannot be understood, or leads nowhere.
    pub(crate) fn compile(schema: &Value, library: &Library) -> Result<Self, Problem> {
        let mut documents = Documents::new(library);
        let place = documents.add(schema.clone(), "", Draft::USUAL)?;
        let mut work = Compiler {
            documents,
            nodes: Vec::new(),
            known: BTreeMap::new(),
            left: Vec::new(),
            looks_back: false,
            has_secrets: false,
            patterns: 0,
        };
        let root = work.id(place)?;
        let dynamic = work.run()?;
        work.ends()?;
        let Compiler { nodes, looks_back, has_secrets, patterns, .. } = work;
        let text = schema.clone();
        Ok(Self { nodes, root, text, dynamic, looks_back, has_secrets, patterns })
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }
}

struct Compiler<'a> {
    documents: Documents<'a>,
    nodes: Vec<Node>,
    known: BTreeMap<Place, Id>,
    left: Vec<(Place, Id)>,
    looks_back: bool,
    has_secrets: bool,
    patterns: usize,
}

impl Compiler<'_> {
    /// The schema at a place, which is looked at later.
    fn id(&mut self, place: Place) -> Result<Id, Problem> {
        if let Some(id) = self.known.get(&place) {
            return Ok(*id);
        }
        let id = self.nodes.len();
        if id == NODES_MAX {
            let said = "makes a schema of more than 10,000".to_owned();
            return Err(Problem { pointer: place.pointer, said });
        }
        self.nodes.push(Node::default());
        self.known.insert(place.clone(), id);
        self.left.push((place, id));
        Ok(id)
    }

    fn run(&mut self) -> Result<Vec<BTreeMap<String, Id>>, Problem> {
        let mut dynamic = Vec::new();
        loop {
            while let Some((place, id)) = self.left.pop() {
                self.nodes[id] = self.node(&place)?;
            }
            // What was referred to may bring more.
            let Some(resource) = self.documents.resources.get(dynamic.len()) else {
                return Ok(dynamic);
            };
            let anchors = resource.dynamic.clone();
            let document = resource.document();
            let mut named = BTreeMap::new();
            for (name, pointer) in anchors {
                named.insert(name, self.id(Place { document, pointer })?);
            }
            dynamic.push(named);
        }
    }

    /// Whether every way through schemas of one and the same value ends.
    fn ends(&self) -> Result<(), Problem> {
        let mut done = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut way = vec![(start, 0)];
            let mut on_way = BTreeSet::from([start]);
            while let Some((id, next)) = way.last_mut() {
                let (id, step) = (*id, *next);
                *next += 1;
                match self.nodes[id].in_place().nth(step).filter(|_| !done[id]) {
                    None => {
                        done[id] = true;
                        on_way.remove(&id);
                        way.pop();
                    }
                    Some(below) if !on_way.insert(below) => {
                        let pointer = self.nodes[below].pointer.clone();
                        let said = "leads back to itself with the same value".to_owned();
                        return Err(Problem { pointer, said });
                    }
                    Some(below) => way.push((below, 0)),
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, place: &Place) -> Result<Node, Problem> {
        let resource = self.documents.resource_of(place);
        let value = self.documents.value(place).cloned().unwrap_or_default();
        let mut node = Node { pointer: place.pointer.clone(), resource, ..Node::default() };
        match value {
            Value::Bool(always) => node.always = Some(always),
            Value::Object(keywords) => {
                Reading { work: self, place, node: &mut node, all: &keywords }.read()?;
            }
            _ => {
                let said = "is no schema".to_owned();
                return Err(Problem { pointer: place.pointer.clone(), said });
            }
        }
        Ok(node)
    }
}

/// A schema that is being read.
struct Reading<'r, 'a> {
    work: &'r mut Compiler<'a>,
    place: &'r Place,
    node: &'r mut Node,
    all: &'r Map<String, Value>,
}

impl Reading<'_, '_> {
    fn read(&mut self) -> Result<(), Problem> {
        let draft = self.work.documents.resources[self.node.resource].draft;
        if draft.ref_stands_alone() && self.all.contains_key("$ref") {
            return self.reference();
        }
        self.reference()?;
        for (keyword, value) in self.all {
            if !draft.knows(keyword) {
                continue;
            }
            if !self.simple(keyword, value)? {
                self.applicator(keyword, value)?;
            }
        }
        if draft.knows("dependencies") {
            self.dependencies()?;
        }
        self.items(draft.ref_stands_alone())?;
        self.secret()
    }

    fn problem(&self, keyword: &str, said: &str) -> Problem {
        Problem::at(&self.place.pointer, keyword, said)
    }

    fn below(&mut self, path: &[&str]) -> Result<Id, Problem> {
        let mut place = self.place.clone();
        for part in path {
            place.pointer.push('/');
            place.pointer.push_str(&escaped(part));
        }
        self.work.id(place)
    }

    fn pattern(&mut self, keyword: &str, text: &str) -> Result<Pattern, Problem> {
        self.work.patterns += 1;
        if self.work.patterns > PATTERNS_MAX {
            return Err(self.problem(keyword, "is one of more than 100 regular expressions"));
        }
        Pattern::new(text).map_err(|said| self.problem(keyword, said))
    }

    fn reference(&mut self) -> Result<(), Problem> {
        let resource = self.node.resource;
        if let Some(Value::String(to)) = self.all.get("$ref") {
            let found = self.work.documents.resolve(resource, to);
            let (place, _) = found.map_err(|said| self.problem("$ref", said))?;
            self.node.refers = Some(self.work.id(place)?);
        }
        let draft = self.work.documents.resources[resource].draft;
        if let Some(Value::String(to)) = self.all.get("$dynamicRef")
            && draft.knows("$dynamicRef")
        {
            let found = self.work.documents.resolve(resource, to);
            let (place, anchor) = found.map_err(|said| self.problem("$dynamicRef", said))?;
            let of = self.work.documents.resource_of(&place);
            let decided = &self.work.documents.resources[of].dynamic;
            let anchor = anchor.filter(|name| decided.get(name) == Some(&place.pointer));
            self.node.dynamic = Some(Dynamic { target: self.work.id(place)?, anchor });
        }
        Ok(())
    }

    /// Keywords that hold no schema.
    fn simple(&mut self, keyword: &str, value: &Value) -> Result<bool, Problem> {
        let number = value.as_number().map(Decimal::of);
        let count = number.and_then(Decimal::count);
        let Node { number: numbers, text, array, object, types, values, .. } = &mut *self.node;
        match keyword {
            "type" => {
                let named = |value: &Value| Types::named(value.as_str().unwrap_or_default());
                let all = value.as_array().map(|all| all.iter().map(named));
                *types =
                    Some(all.map_or(named(value), |all| all.fold(Types::default(), Types::or)));
            }
            "enum" => values.push(("enum", value.as_array().cloned().unwrap_or_default())),
            "const" => values.push(("const", vec![value.clone()])),
            "minimum" => numbers.minimum = number,
            "exclusiveMinimum" => numbers.above = number,
            "maximum" => numbers.maximum = number,
            "exclusiveMaximum" => numbers.below = number,
            "multipleOf" => numbers.multiple_of = number,
            "minLength" => text.length_min = count,
            "maxLength" => text.length_max = count,
            "pattern" => {
                let pattern = self.pattern(keyword, value.as_str().unwrap_or_default())?;
                self.node.text.pattern = Some(pattern);
            }
            "minItems" => array.length_min = count,
            "maxItems" => array.length_max = count,
            "minContains" => array.contains_min = count,
            "maxContains" => array.contains_max = count,
            "uniqueItems" => array.unique = value == &Value::Bool(true),
            "required" => object.required = texts(value),
            "minProperties" => object.count_min = count,
            "maxProperties" => object.count_max = count,
            "dependentRequired" => {
                let each = value.as_object().into_iter().flatten();
                object.required_by = each.map(|(name, all)| (name.clone(), texts(all))).collect();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Keywords that hold schemas.
    fn applicator(&mut self, keyword: &str, value: &Value) -> Result<(), Problem> {
        match keyword {
            "allOf" => self.node.all = self.many(keyword, value)?,
            "anyOf" => self.node.any = self.many(keyword, value)?,
            "oneOf" => self.node.one = self.many(keyword, value)?,
            "not" => self.node.not = Some(self.below(&[keyword])?),
            "if" => self.node.condition = Some(self.below(&[keyword])?),
            "then" => self.node.then = Some(self.below(&[keyword])?),
            "else" => self.node.otherwise = Some(self.below(&[keyword])?),
            "contains" => self.node.array.contains = Some(self.below(&[keyword])?),
            "propertyNames" => self.node.object.names = Some(self.below(&[keyword])?),
            "additionalProperties" => self.node.object.additional = Some(self.below(&[keyword])?),
            "properties" => self.node.object.properties = self.named(keyword, value)?,
            "dependentSchemas" => self.node.object.schema_by = self.named(keyword, value)?,
            "patternProperties" => {
                for (text, id) in self.named(keyword, value)? {
                    let pattern = self.pattern(keyword, &text)?;
                    self.node.object.patterns.push((pattern, id));
                }
            }
            "unevaluatedItems" => {
                self.work.looks_back = true;
                self.node.array.unevaluated = Some(self.below(&[keyword])?);
            }
            "unevaluatedProperties" => {
                self.work.looks_back = true;
                self.node.object.unevaluated = Some(self.below(&[keyword])?);
            }
            _ => {}
        }
        Ok(())
    }

    fn many(&mut self, keyword: &str, value: &Value) -> Result<Vec<Id>, Problem> {
        let count = value.as_array().map_or(0, Vec::len);
        (0..count).map(|place| self.below(&[keyword, &place.to_string()])).collect()
    }

    fn named(&mut self, keyword: &str, value: &Value) -> Result<BTreeMap<String, Id>, Problem> {
        let names = value.as_object().into_iter().flatten().map(|(name, _)| name);
        names.map(|name| Ok((name.clone(), self.below(&[keyword, name])?))).collect()
    }

    /// What draft 7 has in the place of `dependentRequired` and `dependentSchemas`.
    fn dependencies(&mut self) -> Result<(), Problem> {
        let all = self.all;
        for (name, value) in
            all.get("dependencies").and_then(Value::as_object).into_iter().flatten()
        {
            if value.is_array() {
                self.node.object.required_by.insert(name.clone(), texts(value));
            } else {
                let id = self.below(&["dependencies", name])?;
                self.node.object.schema_by.insert(name.clone(), id);
            }
        }
        Ok(())
    }

    /// What stands for the items of an array, in either draft.
    fn items(&mut self, is_seven: bool) -> Result<(), Problem> {
        let all = self.all;
        let (prefix, rest) = match all.get("items") {
            Some(Value::Array(_)) if is_seven => ("items", "additionalItems"),
            _ => ("prefixItems", "items"),
        };
        if let Some(many) = all.get(prefix).filter(|_| !is_seven || prefix == "items") {
            self.node.array.prefix = self.many(prefix, many)?;
        }
        if all.contains_key(rest) {
            self.node.array.rest = Some((self.below(&[rest])?, rest));
        }
        Ok(())
    }

    fn secret(&mut self) -> Result<(), Problem> {
        let Some(said) = self.all.get("x-secret") else { return Ok(()) };
        let is_word = |text: &str| {
            let allowed =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.".contains(&b);
            (1..=64).contains(&text.len()) && text.bytes().all(allowed)
        };
        let kind = said.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        let purposes = said.get("purposes").map(texts).unwrap_or_default();
        let known = said.as_object().is_some_and(|said| said.len() == 2);
        let good = known && (1..=16).contains(&purposes.len());
        if !good || !is_word(&kind) || !purposes.iter().all(|purpose| is_word(purpose)) {
            let said = "says no `kind` and `purposes` that a value could be wrapped with";
            return Err(self.problem("x-secret", said));
        }
        self.work.has_secrets = true;
        self.node.secret = Some(Secret { kind, purposes });
        Ok(())
    }
}

fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}
