//! Where the parts of schemas are: what `$id`, `$anchor` and `$ref` lead to.
//!
//! **Invariant:** a reference leads to a part of the schema itself, of a metaschema that stands in this
//! program, or of a text that was handed in with the schema. Nothing is fetched.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::Problem;
use super::draft::{Draft, Kind};

/// What a schema is known as that says nothing of it.
const NAMELESS: &str = "json-schema:///";

/// What the places of the schemas in one come to at the most, in bytes: each of them names its own.
const PLACES_MAX: usize = 4 << 20;

/// A part of a document that has an address of its own.
pub(crate) struct Resource {
    document: usize,
    pointer: String,
    base: Url,
    pub(crate) draft: Draft,
    anchors: BTreeMap<String, String>,
    /// Anchors that what refers here may mean others of.
    pub(crate) dynamic: BTreeMap<String, String>,
}

impl Resource {
    pub(crate) fn document(&self) -> usize {
        self.document
    }
}

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) document: usize,
    pub(crate) pointer: String,
}

/// Texts by their addresses: what may be referred to besides the schema itself.
pub(crate) type Library = BTreeMap<String, Value>;

/// Every document that a schema is made of.
pub(crate) struct Documents<'a> {
    library: &'a Library,
    texts: Vec<Value>,
    pub(crate) resources: Vec<Resource>,
    addresses: BTreeMap<String, usize>,
    roots: BTreeMap<Place, usize>,
    size: usize,
}

impl<'a> Documents<'a> {
    pub(crate) fn new(library: &'a Library) -> Self {
        Self {
            library,
            texts: Vec::new(),
            resources: Vec::new(),
            addresses: BTreeMap::new(),
            roots: BTreeMap::new(),
            size: 0,
        }
    }

    /// Takes a document in; what it is known as besides what it says of itself, if anything.
    pub(crate) fn add(
        &mut self, text: Value, address: &str, usual: Draft,
    ) -> Result<Place, Problem> {
        let document = self.texts.len();
        let address = if address.is_empty() { NAMELESS } else { address };
        let base = Url::parse(address).map_err(|_| Problem::at("", "$id", "is no address"))?;
        let draft = Draft::of(&text, self.library, usual);
        let draft = draft.map_err(|said| Problem::at("", "$schema", said))?;
        self.resource(document, String::new(), base, draft);
        self.scan(document, &text, draft)?;
        self.texts.push(text);
        Ok(Place { document, pointer: String::new() })
    }

    fn resource(&mut self, document: usize, pointer: String, base: Url, draft: Draft) -> usize {
        let at = self.resources.len();
        self.addresses.entry(base.to_string()).or_insert(at);
        self.roots.insert(Place { document, pointer: pointer.clone() }, at);
        let (anchors, dynamic) = (BTreeMap::new(), BTreeMap::new());
        self.resources.push(Resource { document, pointer, base, draft, anchors, dynamic });
        at
    }

    /// Finds what in a document has an address or an anchor.
    fn scan(&mut self, document: usize, text: &Value, draft: Draft) -> Result<(), Problem> {
        let root = self.resources.len() - 1;
        let mut left = vec![(text, String::new(), root)];
        while let Some((schema, pointer, mut resource)) = left.pop() {
            self.size += pointer.len();
            if self.size > PLACES_MAX {
                let said = "lies under names that are too long for so many schemas".to_owned();
                return Err(Problem { pointer, said });
            }
            let Some(object) = schema.as_object() else { continue };
            if let Some(id) = draft.id_of(object) {
                resource = self.identify(document, &pointer, resource, id, draft)?;
            }
            for keyword in ["$anchor", "$dynamicAnchor"] {
                let Some(name) = object.get(keyword).and_then(Value::as_str) else { continue };
                if draft.knows(keyword) {
                    let of = &mut self.resources[resource];
                    if keyword == "$dynamicAnchor" {
                        of.dynamic.insert(name.to_owned(), pointer.clone());
                    }
                    if of.anchors.insert(name.to_owned(), pointer.clone()).is_some() {
                        return Err(Problem::at(&pointer, keyword, "stands twice"));
                    }
                }
            }
            if draft.ref_stands_alone() && object.contains_key("$ref") {
                // What stands beside it is not there, but what is defined there can be referred to.
                let at = format!("{pointer}/definitions");
                parts(object.get("definitions"), Kind::Named, &at, resource, &mut left);
                continue;
            }
            for (keyword, value) in object {
                if let Some(kind) = draft.kind(keyword) {
                    let at = format!("{pointer}/{}", escaped(keyword));
                    parts(Some(value), kind, &at, resource, &mut left);
                }
            }
        }
        Ok(())
    }

    fn identify(
        &mut self, document: usize, pointer: &str, resource: usize, id: &str, draft: Draft,
    ) -> Result<usize, Problem> {
        let bad = |said| Problem::at(pointer, "$id", said);
        let (address, fragment) = id.split_once('#').unwrap_or((id, ""));
        if !fragment.is_empty() {
            if !draft.ref_stands_alone() {
                return Err(bad("has a fragment"));
            }
            let of = &mut self.resources[resource];
            of.anchors.insert(fragment.to_owned(), pointer.to_owned());
            if address.is_empty() {
                return Ok(resource);
            }
        }
        let base = self.resources[resource].base.join(address).map_err(|_| bad("is no address"))?;
        if pointer.is_empty() {
            // The whole document: it goes by both.
            self.addresses.insert(base.to_string(), resource);
            self.resources[resource].base = base;
            return Ok(resource);
        }
        if self.addresses.contains_key(base.as_str()) {
            return Err(bad("stands twice"));
        }
        Ok(self.resource(document, pointer.to_owned(), base, draft))
    }

    /// The value at a place.
    pub(crate) fn value(&self, place: &Place) -> Option<&Value> {
        self.texts[place.document].pointer(&place.pointer)
    }

    /// What a place is a part of.
    pub(crate) fn resource_of(&self, place: &Place) -> usize {
        let mut above = place.clone();
        loop {
            if let Some(found) = self.roots.get(&above) {
                return *found;
            }
            let end = above.pointer.rfind('/').unwrap_or_default();
            above.pointer.truncate(end);
        }
    }

    /// What a reference leads to, and the anchor that it names, if it names one.
    pub(crate) fn resolve(
        &mut self, from: usize, reference: &str,
    ) -> Result<(Place, Option<String>), &'static str> {
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let base = &self.resources[from].base;
        let target = match address {
            "" => from,
            _ => {
                let url = base.join(address).map_err(|_| "is no address")?;
                let usual = self.resources[from].draft;
                self.find(url.as_str(), usual)?
            }
        };
        let Resource { document, pointer, anchors, .. } = &self.resources[target];
        let fragment = unescaped(fragment).ok_or("is no address")?;
        if fragment.is_empty() || fragment.starts_with('/') {
            let place = Place { document: *document, pointer: format!("{pointer}{fragment}") };
            return match self.value(&place) {
                Some(_) => Ok((place, None)),
                None => Err("leads to nothing"),
            };
        }
        let pointer = anchors.get(&fragment).ok_or("leads to nothing")?.clone();
        Ok((Place { document: *document, pointer }, Some(fragment)))
    }

    fn find(&mut self, address: &str, usual: Draft) -> Result<usize, &'static str> {
        if let Some(found) = self.addresses.get(address) {
            return Ok(*found);
        }
        let library = self.library;
        let text = library.get(address).or_else(|| super::draft::metaschema(address));
        let Some(text) = text else { return Err("leads out of the schema, and is not followed") };
        let place =
            self.add(text.clone(), address, usual).map_err(|_| "leads to what is no schema")?;
        let found = self.resource_of(&place);
        self.addresses.insert(address.to_owned(), found);
        Ok(found)
    }
}

type Part<'a> = (&'a Value, String, usize);

/// The schemas in the value of a keyword.
fn parts<'a>(
    value: Option<&'a Value>, kind: Kind, at: &str, resource: usize, left: &mut Vec<Part<'a>>,
) {
    match (kind, value) {
        (Kind::One | Kind::OneOrMany, Some(one @ Value::Object(_))) => {
            left.push((one, at.to_owned(), resource));
        }
        (Kind::Many | Kind::OneOrMany, Some(Value::Array(many))) => {
            for (place, one) in many.iter().enumerate() {
                left.push((one, format!("{at}/{place}"), resource));
            }
        }
        (Kind::Named, Some(Value::Object(named))) => {
            for (name, one) in named {
                left.push((one, format!("{at}/{}", escaped(name)), resource));
            }
        }
        _ => {}
    }
}

/// A name as it stands in a JSON Pointer (RFC 6901).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A fragment without its percent signs.
fn unescaped(fragment: &str) -> Option<String> {
    if !fragment.contains('%') {
        return Some(fragment.to_owned());
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut left = fragment.bytes();
    while let Some(byte) = left.next() {
        let byte = match byte {
            b'%' => {
                let digits = [left.next()?, left.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}
