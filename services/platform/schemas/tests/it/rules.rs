//! What a promise allows, and what it does not.

use serde_json::{Value, json};
use stoa_kit::{Reason as _, Result};
use stoa_schemas_v1::*;
use stoa_testkit::{Node, both};

use crate::{ada, register, services};

async fn promise(node: &Node, compatibility: Compatibility, policy: CompatibilityPolicy) {
    let (compatibility, policy) = (compatibility.into(), policy.into());
    let set = SetCompatibilityRequest { subject: String::new(), compatibility, policy };
    node.call(&ada(node), set).await.unwrap();
}

/// The rules that a schema breaks as the next version of a subject.
async fn broken(node: &Node, subject: &str, schema: &Value) -> Vec<(String, String)> {
    let request = CheckCompatibilityRequest {
        subject: subject.into(),
        schema: schema.to_string(),
        ..Default::default()
    };
    let reply = node.call(&ada(node), request).await.unwrap();
    assert_eq!(reply.compatible, reply.differences.is_empty());
    reply.differences.into_iter().map(|one| (one.rule, one.path)).collect()
}

fn open(properties: Value, required: Value) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

fn closed(properties: Value, required: Value) -> Value {
    let mut schema = open(properties, required);
    schema["additionalProperties"] = json!(false);
    schema
}

const ADDED: &str = "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL";
const REMOVED: &str = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL";
const REQUIRED: &str = "REQUIRED_ATTRIBUTE_ADDED";

/// Two versions of a schema, and what BACKWARD, FORWARD and LENIENT BACKWARD say of the second.
type Step =
    (Value, Value, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

fn steps() -> Vec<Step> {
    let (a, ab) = (
        json!({"a": {"type": "string"}}),
        json!({"a": {"type": "string"}, "b": {"type": "string"}}),
    );
    let none = json!([]);
    let (one, two) = (open(a.clone(), none.clone()), open(ab.clone(), none.clone()));
    let (shut, shut_two) = (closed(a.clone(), none.clone()), closed(ab.clone(), none.clone()));
    vec![
        (one.clone(), two.clone(), &[ADDED], &[], &[]),
        (two, one, &[], &[ADDED], &[]),
        (shut.clone(), shut_two.clone(), &[], &[REMOVED], &[]),
        (shut_two, shut, &[REMOVED], &[], &[]),
        (
            open(ab.clone(), none.clone()),
            open(ab.clone(), json!(["b"])),
            &[REQUIRED],
            &[],
            &[REQUIRED],
        ),
        (
            closed(a.clone(), none),
            closed(ab.clone(), json!(["b"])),
            &[REQUIRED],
            &[REMOVED],
            &[REQUIRED],
        ),
        (
            open(ab.clone(), json!(["a"])),
            open(ab, json!(["b"])),
            &[REQUIRED],
            &[REQUIRED],
            &[REQUIRED],
        ),
        (json!({"type": "integer"}), json!({"type": "number"}), &[], &["TYPE_NARROWED"], &[]),
        (
            json!({"enum": ["a", "b"]}),
            json!({"enum": ["a", "b", "c"]}),
            &[],
            &["ENUM_ARRAY_NARROWED"],
            &[],
        ),
        (json!({"maximum": 5}), json!({"exclusiveMaximum": 6}), &[], &["MAXIMUM_DECREASED"], &[]),
        (
            json!({"type": ["string", "null"]}),
            json!({"oneOf": [{"type": "null"}, {"type": "string"}, {"type": "integer"}]}),
            &[],
            &["TYPE_NARROWED"],
            &[],
        ),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}, "maxItems": 3}}}),
            json!({"definitions": {"b": {"items": {"$ref": "#/definitions/b"}, "maxItems": 4}}, "$ref": "#/definitions/b"}),
            &[],
            &["MAX_ITEMS_DECREASED"],
            &[],
        ),
        (json!({"title": "old"}), json!({"description": "new", "x-other": 1}), &[], &[], &[]),
    ]
}

both! {
    async fn versions_go_on_from_each_other_as_the_rules_say(node: Node) {
        use Compatibility as C;
        use CompatibilityPolicy as P;
        for (place, (old, new, backward, forward, lenient)) in steps().into_iter().enumerate() {
            let subject = format!("step-{place}");
            promise(&node, C::Backward, P::Strict).await;
            register(&node, &subject, &old).await.unwrap();
            for (compatibility, policy, wanted) in [
                (C::Backward, P::Strict, backward),
                (C::Forward, P::Strict, forward),
                (C::Full, P::Strict, &*[backward, forward].concat()),
                (C::None, P::Strict, &[]),
                (C::Backward, P::Lenient, lenient),
            ] {
                promise(&node, compatibility, policy).await;
                let found = broken(&node, &subject, &new).await;
                let rules: Vec<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
                assert_eq!(rules, wanted, "{compatibility:?} {policy:?}: {old} → {new}: {found:?}");
                let outcome = register(&node, &subject, &new).await;
                match wanted {
                    [] => forget(&node, &subject, outcome.unwrap().version).await,
                    _ => assert_eq!(outcome.unwrap_err().reason(), Reason::Incompatible.name()),
                }
            }
        }
    }

    async fn only_a_transitive_promise_is_about_all_versions(node: Node) {
        let none = json!([]);
        let versions = [
            closed(json!({"a": {"type": "integer"}}), none.clone()),
            closed(json!({"a": {"type": "integer"}, "b": {}}), none.clone()),
        ];
        promise(&node, Compatibility::None, CompatibilityPolicy::Strict).await;
        let narrow = closed(json!({"a": {"type": "integer", "minimum": 3}, "b": {}}), none.clone());
        for schema in [&versions[0], &narrow, &versions[1]] {
            register(&node, "s", schema).await.unwrap();
        }
        // What the first allowed, and the second did not: the third allows it again, the fourth does not.
        let next = closed(json!({"a": {"type": "integer"}, "c": {}, "b": {}}), none.clone());
        let last = closed(json!({"b": {}, "c": {}, "a": {"type": "integer", "minimum": 3}}), none);
        promise(&node, Compatibility::ForwardTransitive, CompatibilityPolicy::Strict).await;
        assert_eq!(broken(&node, "s", &next).await.len(), 5, "every version is told");
        promise(&node, Compatibility::BackwardTransitive, CompatibilityPolicy::Strict).await;
        assert_eq!(broken(&node, "s", &next).await, []);
        register(&node, "s", &narrow).await.unwrap();
        let delete = DeleteVersionRequest { subject: "s".into(), version: 3, permanent: false };
        node.call(&ada(&node), delete).await.unwrap();
        promise(&node, Compatibility::Backward, CompatibilityPolicy::Strict).await;
        assert_eq!(broken(&node, "s", &last).await, [], "compared with the one before alone");
        promise(&node, Compatibility::BackwardTransitive, CompatibilityPolicy::Strict).await;
        let found = broken(&node, "s", &last).await;
        assert_eq!(found, [("MINIMUM_INCREASED".into(), "/properties/a/minimum".into())]);
    }

    async fn a_subject_s_own_promise_is_the_one_that_holds(node: Node) {
        register(&node, "s", &json!({"type": "string"})).await.unwrap();
        let other = json!({"type": "integer"});
        assert_eq!(broken(&node, "s", &other).await.len(), 1, "BACKWARD, where nothing is said");
        let set = |compatibility: Compatibility| SetCompatibilityRequest {
            subject: "s".into(),
            compatibility: compatibility.into(),
            ..Default::default()
        };
        node.call(&ada(&node), set(Compatibility::None)).await.unwrap();
        assert_eq!(broken(&node, "s", &other).await, []);
        promise(&node, Compatibility::Full, CompatibilityPolicy::Strict).await;
        assert_eq!(broken(&node, "s", &other).await, []);
        let before = node.call(&ada(&node), set(Compatibility::Unspecified)).await.unwrap().before;
        assert_eq!(before.compatibility.as_known(), Some(Compatibility::None));
        assert_eq!(broken(&node, "s", &other).await.len(), 2, "that of all holds again");
    }
}

/// Takes back the version that was tried.
async fn forget(node: &Node, subject: &str, version: i32) {
    for permanent in [false, true] {
        let delete = DeleteVersionRequest { subject: subject.into(), version, permanent };
        let outcome: Result<_> = node.call(&ada(node), delete).await;
        outcome.unwrap();
    }
}
