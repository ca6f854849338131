//! Schemas and values that are drawn: what is accepted as compatible is.

use serde_json::{Map, Value, json};

use super::{Policy, compare, compiled};

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }

    fn one<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn often(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

fn value(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 8 } else { 14 }) {
        0 => Value::Null,
        1 => json!(dice.often(2)),
        2 | 3 => json!(dice.below(8) as i64 - 2),
        4 => json!(dice.below(10) as f64 / 2.0),
        5..=7 => json!(dice.one(&["", "a", "b", "ab", "abc"])),
        8 | 9 => (0..dice.below(4)).map(|_| value(dice, depth - 1)).collect(),
        _ => {
            let names = ["a", "b", "c", "ab"].into_iter().filter(|_| dice.often(2));
            let names: Vec<_> = names.collect();
            names.into_iter().map(|name| (name.to_owned(), value(dice, depth - 1))).collect()
        }
    }
}

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// A keyword that asks something of one value.
fn simple(dice: &mut Dice) -> (&'static str, Value) {
    let few = json!(dice.below(4));
    match dice.below(14) {
        0..=2 => ("type", json!(dice.one(&TYPES))),
        3 => ("type", json!([dice.one(&TYPES[..3]), dice.one(&TYPES[3..])])),
        4 => ("minimum", few),
        5 => ("maximum", few),
        6 => (dice.one(&["exclusiveMinimum", "exclusiveMaximum"]), few),
        7 => ("multipleOf", dice.one(&[json!(1), json!(2), json!(0.5)])),
        8 => (dice.one(&["minLength", "minItems", "minProperties"]), few),
        9 => (dice.one(&["maxLength", "maxItems", "maxProperties"]), few),
        10 => ("pattern", dice.one(&[json!("^a"), json!("b")])),
        11 => ("enum", json!([value(dice, 1), value(dice, 1), value(dice, 0)])),
        12 => ("const", value(dice, 1)),
        _ => ("required", dice.one(&[json!(["a"]), json!(["a", "b"])])),
    }
}

/// A keyword that holds schemas.
fn nested(dice: &mut Dice, depth: usize, all: &mut Map<String, Value>) -> (&'static str, Value) {
    match dice.below(18) {
        0..=3 => {
            let names = ["a", "b", "c"].into_iter().filter(|_| dice.often(2));
            let names: Vec<_> = names.collect();
            let each = names.into_iter().map(|name| (name.to_owned(), schema(dice, depth)));
            ("properties", Value::Object(each.collect()))
        }
        4 => ("additionalProperties", json!(false)),
        5 => ("additionalProperties", schema(dice, depth)),
        6 => ("patternProperties", json!({dice.one(&["^a", "b"]): schema(dice, depth)})),
        7 => ("propertyNames", schema(dice, 0)),
        8 => ("items", schema(dice, depth)),
        9 => ("prefixItems", json!([schema(dice, depth), schema(dice, depth)])),
        10 => {
            if dice.often(2) {
                let limit = dice.one(&["minContains", "maxContains"]);
                all.insert(limit.into(), json!(dice.below(3)));
            }
            ("contains", schema(dice, depth))
        }
        11 => ("allOf", json!([schema(dice, depth), schema(dice, depth)])),
        12 => ("anyOf", json!([schema(dice, depth), schema(dice, depth)])),
        13 => ("oneOf", json!([schema(dice, depth), schema(dice, depth)])),
        14 => ("not", schema(dice, depth)),
        15 => {
            all.insert("then".into(), schema(dice, depth));
            all.insert("else".into(), schema(dice, depth));
            ("if", schema(dice, depth))
        }
        16 => dice.one(&[
            ("uniqueItems", json!(true)),
            ("unevaluatedProperties", json!(false)),
            ("unevaluatedItems", json!(false)),
            ("dependentRequired", json!({"a": ["b"]})),
            ("$ref", json!("#/$defs/d")),
            ("properties", json!({"a": {"$ref": "#"}})),
        ]),
        _ => ("dependentSchemas", json!({"a": schema(dice, depth)})),
    }
}

fn keyword(dice: &mut Dice, depth: usize, all: &mut Map<String, Value>) {
    let (name, value) = match depth {
        0 => simple(dice),
        _ if dice.often(2) => simple(dice),
        _ => nested(dice, depth - 1, all),
    };
    all.insert(name.into(), value);
}

fn schema(dice: &mut Dice, depth: usize) -> Value {
    if dice.often(12) {
        return json!(dice.often(2));
    }
    let mut all = Map::new();
    for _ in 0..=dice.below(3) {
        keyword(dice, depth, &mut all);
    }
    Value::Object(all)
}

fn whole(dice: &mut Dice) -> Value {
    let mut all = schema(dice, 2);
    if let Some(all) = all.as_object_mut() {
        all.insert("$defs".into(), json!({"d": schema(dice, 1)}));
    }
    all
}

/// The same but for some part.
fn changed(dice: &mut Dice, of: &Value, depth: usize) -> Value {
    let less = depth.saturating_sub(1);
    match of {
        Value::Object(all) if !all.is_empty() && !dice.often(4) => {
            let mut all = all.clone();
            let name = dice.one(&all.keys().cloned().collect::<Vec<_>>());
            match dice.below(6) {
                0 => drop(all.remove(&name)),
                1 => keyword(dice, depth, &mut all),
                _ => {
                    let part = changed(dice, &all[&name], less);
                    all.insert(name, part);
                }
            }
            Value::Object(all)
        }
        Value::Array(all) if !all.is_empty() && !dice.often(4) => {
            let mut all = all.clone();
            let place = dice.below(all.len());
            match dice.below(4) {
                0 if all.len() > 1 => drop(all.remove(place)),
                1 => all.push(all[place].clone()),
                _ => all[place] = changed(dice, &all[place], less),
            }
            Value::Array(all)
        }
        Value::Number(number) if !dice.often(4) => {
            let next = number.as_f64().unwrap() + if dice.often(2) { 1.0 } else { -1.0 };
            json!(next.abs())
        }
        Value::Object(_) | Value::Bool(_) => schema(dice, depth),
        other => other.clone(),
    }
}

#[test]
fn what_is_accepted_as_compatible_is() {
    let (mut accepted, mut refused, mut rightly) = (0, 0, 0);
    for seed in 0..2_500 {
        let mut dice = Dice(seed);
        let old = whole(&mut dice);
        let new = if dice.often(8) { whole(&mut dice) } else { changed(&mut dice, &old, 2) };
        let (Ok(one), Ok(two)) = (compiled(&old), compiled(&new)) else { continue };
        let Ok(found) = compare(&one, &two, Policy::Strict, &mut 100_000) else { continue };
        let valid = |schema: &super::Schema, value: &Value| {
            schema.check(value).is_ok_and(|outcome| outcome.violations.is_empty())
        };
        let mut values = (0..40).map(|_| value(&mut dice, 2));
        let against = values.find(|value| valid(&one, value) && !valid(&two, value));
        match (found.is_empty(), against) {
            (true, Some(value)) => panic!("seed {seed}: {old} → {new} accepted, but {value}"),
            (true, None) => accepted += usize::from(old != new),
            (false, against) => {
                refused += 1;
                rightly += usize::from(against.is_some());
            }
        }
    }
    // What refuses all would keep the promise too.
    assert!(accepted > 500 && rightly * 3 > refused * 2, "{accepted} {refused} {rightly}");
}
