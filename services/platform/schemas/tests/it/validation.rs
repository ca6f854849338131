//! What is said of schemas and of data.

use serde_json::{Value, json};
use stoa_kit::{Code, Error};
use stoa_schemas_v1::*;
use stoa_testkit::{Node, both};

use crate::{ada, register, services};

async fn check(node: &Node, schema: &Value, data: Value) -> Result<ValidateResponse, Error> {
    let subject = format!("s-{:x}", schema.to_string().len());
    register(node, &subject, schema).await?;
    let request = json!({"subject": subject, "data": data});
    node.call(&ada(node), serde_json::from_value::<ValidateRequest>(request).unwrap()).await
}

both! {
    async fn violations_say_where_and_never_what(node: Node) {
        let schema = json!({
            "type": "object",
            "properties": {
                "a/b": {"type": "array", "items": {"minimum": 3}},
                "~": {"anyOf": [{"const": 1}, {"pattern": "^x"}]},
                "closed": {"additionalProperties": false},
            },
            "required": ["name"],
        });
        let data = json!({"a/b": [7, 1.25], "~": "canary", "closed": {"here": "canary"}});
        let reply = check(&node, &schema, data).await.unwrap();
        assert!(!reply.valid);
        let found: Vec<_> =
            reply.violations.iter().map(|one| (&*one.pointer, &*one.keyword)).collect();
        assert_eq!(found, [
            ("/name", "/required"),
            ("/a~1b/1", "/properties/a~1b/items/minimum"),
            ("/closed/here", "/properties/closed/additionalProperties"),
            ("/~0", "/properties/~0/anyOf"),
        ]);
        assert!(!format!("{reply:?}").contains("canary"), "{reply:?}");
    }

    async fn what_is_to_be_wrapped_is_told_where_it_is_valid(node: Node) {
        let secret = json!({"type": "string", "x-secret": {"kind": "phone", "purposes": ["sms.send"]}});
        let schema = json!({
            "$defs": {"phone": secret},
            "properties": {"phones": {"items": {"$ref": "#/$defs/phone"}}},
            "anyOf": [
                {"properties": {"other": {"$ref": "#/$defs/phone"}}, "required": ["none"]},
                {"properties": {"other": {"type": "string"}, "more": {"$ref": "#/$defs/phone"}}},
            ],
            "not": {"properties": {"never": {"$ref": "#/$defs/phone"}}, "required": ["never"]},
        });
        let data = json!({"phones": ["+46701740605", "+46701740606"], "other": "x", "more": "+46701740607"});
        let reply = check(&node, &schema, data).await.unwrap();
        let mut found: Vec<_> = reply.secrets.iter().map(|one| &*one.pointer).collect();
        found.sort_unstable();
        assert_eq!(found, ["/more", "/phones/0", "/phones/1"], "of schemas that hold");
        assert_eq!(reply.secrets[0].kind, "phone");
        let reply = check(&node, &schema, json!({"phones": ["+46701740605", 7]})).await.unwrap();
        assert_eq!((reply.valid, reply.secrets.len()), (false, 0));
    }

    async fn what_is_no_schema_is_refused_with_its_place(node: Node) {
        let deep = (0..40).fold(json!({}), |inner, _| json!({"not": {"items": inner}}));
        for (schema, said) in [
            (json!({"type": "text"}), "`/type` breaks `"),
            (json!({"properties": {"a": {"minLength": -1}}}), "`/properties/a/minLength` breaks `"),
            (json!({"$schema": "http://json-schema.org/draft-04/schema#"}), "`/$schema` is neither"),
            (json!({"$ref": "https://example.com/schema"}), "`/$ref` leads out of the schema"),
            (json!({"$ref": "#/$defs/none"}), "`/$ref` leads to nothing"),
            (json!({"items": {"$ref": "file:///etc/passwd"}}), "`/items/$ref` leads out"),
            (json!({"anyOf": [{"$ref": "#"}]}), "the schema leads back to itself"),
            (json!({"pattern": "(?=a)"}), "`/pattern` looks ahead"),
            (json!({"x-secret": true}), "`/x-secret` says no `kind`"),
            (deep, "one value lies too deep"),
            (json!([]), "the schema breaks `/type`"),
        ] {
            let error = register(&node, "s", &schema).await.unwrap_err();
            assert_eq!(error.reason(), "schemas.invalid_schema", "{schema}");
            assert!(error.message().starts_with(said), "{schema}: {error}");
        }
        for (text, said) in [
            (r#"{"type": "string", "type": "integer"}"#, "a name stands twice"),
            ("{} {}", "trailing characters"),
            ("nonsense", "expected"),
        ] {
            let request = RegisterSchemaRequest { subject: "s".into(), schema: text.into() };
            let error = node.call(&ada(&node), request).await.unwrap_err();
            assert_eq!(error.reason(), "schemas.invalid_schema", "{text}");
            assert!(error.message().contains(said), "{text}: {error}");
        }
        let metaschema = json!({"$ref": "https://json-schema.org/draft/2020-12/schema"});
        assert!(!check(&node, &metaschema, json!({"type": "text"})).await.unwrap().valid);
    }

    async fn work_is_bounded(node: Node) {
        let refused = async |schema: &Value, data: Value| {
            let error = check(&node, schema, data).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{error}");
            error.reason().to_owned()
        };
        let large = json!("x".repeat(256 << 10));
        assert_eq!(refused(&json!({}), large).await, "request.invalid");
        let deep = (0..65).fold(json!({}), |inner, _| json!([inner]));
        assert_eq!(refused(&json!({}), deep).await, "request.invalid");
        let fans = json!({"items": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}});
        let nested = (0..40).fold(json!([]), |inner, _| json!([inner]));
        assert_eq!(refused(&fans, nested).await, "schemas.too_complex");
    }
}
