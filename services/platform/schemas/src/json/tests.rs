//! The suite that JSON Schema is held to, and what a comparison promises.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use super::Problem;
use super::compare::{Difference, Policy, compare};
use super::compile::Schema;
use super::document::Library;
use super::draft::{self, Draft};
use super::validate::TooComplex;

mod drawn;

fn compiled(schema: &Value) -> Result<Schema, Problem> {
    Schema::compile(schema, &Library::new())
}

fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let (old, new) = (compiled(old).unwrap(), compiled(new).unwrap());
    compare(&old, &new, Policy::Strict, &mut 1_000_000).unwrap()
}

fn suite() -> Value {
    let mut text = String::new();
    let packed = include_bytes!("../../tests/data/suite.json.gz");
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs the tests of a draft: how many there are, and which come to something else.
fn run(suite: &Value, draft: &str, address: &str) -> (usize, Vec<String>) {
    let remotes = suite["remotes"].as_object().unwrap().iter();
    let library: Library = remotes
        .map(|(path, text)| (format!("http://localhost:1234/{path}"), text.clone()))
        .collect();
    let (mut count, mut wrong) = (0, Vec::new());
    for group in suite["drafts"][draft].as_array().unwrap() {
        let mut schema = group["schema"].clone();
        if let Some(all) = schema.as_object_mut() {
            all.entry("$schema").or_insert_with(|| json!(address));
        }
        let compiled = Schema::compile(&schema, &library);
        for test in group["tests"].as_array().unwrap() {
            count += 1;
            let outcome = compiled.as_ref().map(|schema| schema.check(&test["data"]));
            let valid = matches!(&outcome, Ok(Ok(outcome)) if outcome.violations.is_empty());
            if outcome.is_err() || json!(valid) != test["valid"] {
                let problem = outcome.err();
                wrong.push(format!("{group} {test} {problem:?}"));
            }
        }
    }
    (count, wrong)
}

#[test]
fn every_required_test_of_both_drafts_passes() {
    let suite = suite();
    for (draft, address, count) in [
        ("draft2020-12", "https://json-schema.org/draft/2020-12/schema", 1_257),
        ("draft7", "http://json-schema.org/draft-07/schema#", 913),
    ] {
        assert_eq!(run(&suite, draft, address), (count, Vec::new()), "{draft}");
    }
}

#[test]
fn a_metaschema_is_in_order_by_itself() {
    for address in [draft::LATEST, draft::SEVEN] {
        let text = draft::metaschema(address).unwrap();
        let of = Draft::of(text, &Library::new(), Draft::USUAL).unwrap();
        assert_eq!(draft::check(of, text).unwrap().violations, []);
        assert_eq!(differences(text, text), [], "the same is compatible");
    }
}

#[test]
fn what_fans_out_is_given_up_and_what_leads_back_is_refused() {
    let mut parts = Map::new();
    for place in 0..40 {
        let next = json!({"$ref": format!("#/$defs/{}", place + 1)});
        parts.insert(place.to_string(), json!({"allOf": [next, next]}));
    }
    parts.insert("40".into(), json!({"type": "object"}));
    let fans = json!({"$defs": parts, "$ref": "#/$defs/0"});
    let schema = compiled(&fans).unwrap();
    assert_eq!(schema.check(&json!({})).err(), Some(TooComplex));
    let deep = json!({"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
    let data = (0..60).fold(json!({}), |inner, _| json!({"a": inner}));
    assert_eq!(compiled(&deep).unwrap().check(&data).err(), Some(TooComplex));
    let name = "x".repeat(20_000);
    let many: Vec<Value> = (0..1_000).map(|_| json!({})).collect();
    let long = json!({"properties": {name: {"anyOf": many}}});
    assert!(compiled(&long).err().unwrap().said.contains("names that are too long"));
    let circle = json!({"allOf": [{"anyOf": [{"$ref": "#"}]}]});
    assert_eq!(compiled(&circle).err().unwrap().said, "leads back to itself with the same value");
}

#[test]
fn patterns_are_those_of_ecma_and_take_no_time_without_bound() {
    for (pattern, yes, no) in [
        (r"^\d+$", "123", "١٢٣"),
        (r"^\w$", "a", "ä"),
        (r"^\s$", "\u{feff}", "\u{85}"),
        (r"^[^\d\-]$", "a", "-"),
        (r"^[[&&a]$", "[", "b"),
        (r"^\cA$", "\u{1}", "A"),
        (r"^\uD83D\uDC32*$", "🐲🐲", "🐲 "),
        (r"^\p{L}+$", "åäö", "1"),
        (r"^.$", "a", "\u{2028}"),
        (r"^[]$|^[^]$", "\n", ""),
        (r"^\/a\-b$", "/a-b", "a"),
    ] {
        let schema = compiled(&json!({"pattern": pattern})).unwrap();
        let valid = |text: &str| schema.check(&json!(text)).unwrap().violations.is_empty();
        assert_eq!((valid(yes), valid(no)), (true, false), "{pattern}");
    }
    for pattern in ["(?=a)", "(?<!a)", r"(a)\1", "a{1000}{1000}", "(", r"\y", r"\uD83D", "[b-a]"] {
        assert!(compiled(&json!({"pattern": pattern})).is_err(), "{pattern}");
    }
}

#[test]
fn decimals_are_taken_as_they_are_written() {
    for (schema, data, valid) in [
        (json!({"multipleOf": 0.0001}), json!(0.0075), true),
        (json!({"multipleOf": 0.01}), json!(4.35), true),
        (json!({"multipleOf": 0.3}), json!(1e300), false),
        (json!({"multipleOf": 0.25}), json!(1e300), true),
        (json!({"minimum": 9_007_199_254_740_993_i64}), json!(9_007_199_254_740_992_i64), false),
        (json!({"maximum": u64::MAX}), json!(1e19), true),
        (json!({"maximum": -0.1}), json!(-0.05), false),
        (json!({"const": 1}), json!(1.0), true),
        (json!({"enum": [{"a": [0.0]}]}), json!({"a": [0]}), true),
        (json!({"uniqueItems": true}), json!([1, 1.0]), false),
        (json!({"type": "integer"}), json!(1e30), true),
    ] {
        let found = compiled(&schema).unwrap().check(&data).unwrap().violations;
        assert_eq!(found.is_empty(), valid, "{schema} {data}");
    }
}
