//! Preferences: what fits, who says what, and what becomes of it when a schema changes.

use serde_json::{Value, json};
use stoa_kit::contract::open;
use stoa_kit::{Caller, Code, Result, Struct};
use stoa_testkit::{Node, both};
use stoa_users_v1::*;

use super::{create, services};

async fn define(
    node: &Node, key: &str, schema: Value, default: Value,
) -> Result<DefinePreferenceResponse> {
    let schema: Struct = serde_json::from_value(schema).unwrap();
    let (schema, default) = (schema.into(), open::Value(default).into());
    node.call(&node.admin(), DefinePreferenceRequest { key: key.into(), schema, default }).await
}

async fn set(
    node: &Node, caller: &Caller, key: &str, value: Value, source: PreferenceSource, id: &str,
) -> Result<()> {
    let (key, value) = (key.into(), open::Value(value).into());
    let request = SetPreferenceRequest { key, value, source: source.into(), id: id.into() };
    node.call(caller, request).await.map(drop)
}

async fn clear(
    node: &Node, caller: &Caller, key: &str, source: PreferenceSource, id: &str,
) -> Result<()> {
    let (key, source, id) = (key.into(), source.into(), id.into());
    node.call(caller, ClearPreferenceRequest { key, source, id }).await.map(drop)
}

async fn got(
    node: &Node, caller: &Caller, organization: &str,
) -> Vec<(String, Value, PreferenceSource)> {
    let request =
        GetPreferencesRequest { organization_id: organization.into(), ..Default::default() };
    let all = node.call(caller, request).await.unwrap().preferences;
    all.into_iter().map(|it| (it.key, it.value.0.clone(), it.source.as_known().unwrap())).collect()
}

async fn affiliate(node: &Node, user: &str, organization: &str, administrator: bool) {
    let (user_id, organization_id) = (user.into(), organization.into());
    let request = SetAffiliationRequest { user_id, organization_id, member: true, administrator };
    node.call(&node.system(), request).await.unwrap();
}

fn theme() -> Value {
    json!({"type": "string", "enum": ["light", "dark", "dim"]})
}

const USER: PreferenceSource = PreferenceSource::User;
const ORGANIZATION: PreferenceSource = PreferenceSource::Organization;
const TENANT: PreferenceSource = PreferenceSource::Tenant;
const DEFAULT: PreferenceSource = PreferenceSource::Default;

both! {
    async fn what_is_taken_back_leaves_what_is_said_further_up(node: Node) {
        let (ada, admin) = (create(&node, "ada").await.id, node.admin());
        define(&node, "theme", theme(), json!("light")).await.unwrap();
        affiliate(&node, &ada, "org_1", true).await;
        let caller = node.user(&ada);
        let now = async |organization: &str| got(&node, &caller, organization).await.remove(0);
        let is = |value: &str, source| ("theme".to_owned(), json!(value), source);
        assert_eq!(now("").await, is("light", DEFAULT));
        set(&node, &admin, "theme", json!("dim"), TENANT, "").await.unwrap();
        assert_eq!(now("org_1").await, is("dim", TENANT));
        set(&node, &caller, "theme", json!("light"), ORGANIZATION, "org_1").await.unwrap();
        assert_eq!(now("org_1").await, is("light", ORGANIZATION));
        assert_eq!(now("").await, is("dim", TENANT), "they act for nobody");
        set(&node, &caller, "theme", json!("dark"), USER, "").await.unwrap();
        set(&node, &caller, "theme", json!("dark"), USER, &ada).await.unwrap();
        assert_eq!(now("org_1").await, is("dark", USER));
        for (source, id, left) in [
            (USER, "", is("light", ORGANIZATION)),
            (ORGANIZATION, "org_1", is("dim", TENANT)),
        ] {
            clear(&node, &caller, "theme", source, id).await.unwrap();
            assert_eq!(now("org_1").await, left);
        }
        clear(&node, &admin, "theme", TENANT, "").await.unwrap();
        assert_eq!(now("org_1").await, is("light", DEFAULT));
    }

    async fn nobody_sets_what_is_for_others(node: Node) {
        let (ada, eve) = (create(&node, "ada").await.id, create(&node, "eve").await.id);
        define(&node, "theme", theme(), json!("light")).await.unwrap();
        affiliate(&node, &ada, "org_1", true).await;
        affiliate(&node, &eve, "org_1", false).await;
        let (eve, dark) = (node.user(&eve), || json!("dark"));
        for (source, id, code, reason) in [
            (USER, &*ada, Code::NotFound, "resource.not_found"),
            (ORGANIZATION, "org_1", Code::PermissionDenied, "users.not_yours_to_set"),
            (ORGANIZATION, "org_2", Code::NotFound, "resource.not_found"),
            (TENANT, "", Code::PermissionDenied, "users.not_yours_to_set"),
        ] {
            let error = set(&node, &eve, "theme", dark(), source, id).await.unwrap_err();
            assert_eq!((error.code(), error.reason()), (code, reason), "{source:?} {id}");
            let error = clear(&node, &eve, "theme", source, id).await.unwrap_err();
            assert_eq!((error.code(), error.reason()), (code, reason), "{source:?} {id}");
        }
        let look = |user: &str, organization: &str| GetPreferencesRequest {
            user_id: user.into(), organization_id: organization.into(), ..Default::default()
        };
        for (user, organization) in [(&*ada, ""), ("", "org_2")] {
            assert_eq!(node.fails(&eve, look(user, organization)).await.code(), Code::NotFound);
        }
        let staff = node.user_with("usr_staff", &["users.preferences.set_all", "users.users.read_all"]);
        set(&node, &staff, "theme", dark(), USER, &ada).await.unwrap();
        let told = node.call(&staff, look(&ada, "org_1")).await.unwrap().preferences;
        assert_eq!(told[0].value.0, dark());
        let none = set(&node, &staff, "theme", dark(), ORGANIZATION, "org_9").await.unwrap_err();
        assert_eq!(none.code(), Code::NotFound);
    }

    async fn a_value_that_does_not_fit_is_refused_with_its_place(node: Node) {
        let ada = create(&node, "ada").await.id;
        let caller = node.user(&ada);
        for (key, schema, default, wrong, path) in [
            ("bool", json!({"type": "boolean"}), json!(true), json!("true"), "value"),
            ("whole", json!({"type": "integer", "minimum": 1, "maximum": 9}), json!(3), json!(1.5), "value"),
            ("whole", json!({"type": "integer", "minimum": 1, "maximum": 9}), json!(3), json!(10), "value"),
            ("number", json!({"type": "number", "minimum": 0.5}), json!(0.5), json!(0.25), "value"),
            ("theme", theme(), json!("dim"), json!("pink"), "value"),
            ("code", json!({"type": "string", "pattern": "^[a-z]{2}$", "maxLength": 2}), json!("sv"), json!("s1"), "value"),
            ("long", json!({"type": "string", "minLength": 2, "maxLength": 3}), json!("å∫c"), json!("å∫cd"), "value"),
            ("list", json!({"type": "array", "items": theme(), "maxItems": 2}), json!([]), json!(["dim", "pink"]), "value[1]"),
            ("list", json!({"type": "array", "items": theme(), "maxItems": 2}), json!([]), json!(["dim", "dim", "dim"]), "value"),
            ("set", json!({"type": "array", "items": theme(), "uniqueItems": true}), json!([]), json!(["dim", "dim"]), "value[1]"),
            ("list", json!({"type": "array", "items": {"type": "integer"}}), json!([1]), json!([1, null]), "value[1]"),
            ("list", json!({"type": "array", "items": {"type": "string"}}), json!([]), json!(vec!["x".repeat(1_000); 5]), "value"),
        ] {
            define(&node, key, schema, default.clone()).await.unwrap();
            set(&node, &caller, key, default, USER, "").await.unwrap();
            let error = set(&node, &caller, key, wrong.clone(), USER, "").await.unwrap_err();
            assert_eq!((error.code(), &*error.violations()[0].path), (Code::InvalidArgument, path), "{wrong}");
        }
        let error = set(&node, &caller, "none", json!(1), USER, "").await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::NotFound, "users.unknown_preference"));
    }

    async fn a_schema_that_says_what_is_not_understood_is_refused_with_its_place(node: Node) {
        for (schema, default, path) in [
            (json!({}), json!(1), "schema.type"),
            (json!({"type": "object"}), json!(1), "schema.type"),
            (json!({"type": "integer", "multipleOf": 2}), json!(1), "schema.multipleOf"),
            (json!({"type": "boolean", "enum": [true]}), json!(true), "schema.enum"),
            (json!({"type": "integer", "minimum": 3, "maximum": 2}), json!(1), "schema.maximum"),
            (json!({"type": "string", "maxLength": 5_000}), json!("a"), "schema.maxLength"),
            (json!({"type": "string", "minLength": -1}), json!("a"), "schema.minLength"),
            (json!({"type": "string", "pattern": "("}), json!("a"), "schema.pattern"),
            (json!({"type": "string", "pattern": "(a{999}){999}"}), json!("a"), "schema.pattern"),
            (json!({"type": "string", "enum": []}), json!("a"), "schema.enum"),
            (json!({"type": "string", "enum": ["a", 1]}), json!("a"), "schema.enum[1]"),
            (json!({"type": "string", "title": 1}), json!("a"), "schema.title"),
            (json!({"type": "array"}), json!([]), "schema.items"),
            (json!({"type": "array", "items": {"type": "array"}}), json!([]), "schema.items.type"),
            (json!({"type": "array", "items": {"type": "string", "pattern": "["}}), json!([]), "schema.items.pattern"),
            (json!({"type": "array", "items": theme(), "maxItems": 101}), json!([]), "schema.maxItems"),
            (json!({"type": "string", "description": "x".repeat(9_000)}), json!("a"), "schema"),
            (theme(), json!("pink"), "default"),
        ] {
            let error = define(&node, "key", schema.clone(), default).await.unwrap_err();
            assert_eq!((error.code(), &*error.violations()[0].path), (Code::InvalidArgument, path), "{schema}");
        }
        let list = ListPreferenceDefinitionsRequest::default();
        assert!(node.call(&node.admin(), list).await.unwrap().definitions.is_empty());
    }

    async fn a_value_that_fits_no_longer_is_told_and_counts_for_nothing(node: Node) {
        let (ada, bob) = (create(&node, "ada").await.id, create(&node, "bob").await.id);
        affiliate(&node, &ada, "org_1", true).await;
        define(&node, "theme", theme(), json!("light")).await.unwrap();
        let (caller, admin) = (node.user(&ada), node.admin());
        set(&node, &caller, "theme", json!("dim"), USER, "").await.unwrap();
        set(&node, &node.user(&bob), "theme", json!("dark"), USER, "").await.unwrap();
        set(&node, &caller, "theme", json!("dim"), ORGANIZATION, "org_1").await.unwrap();
        set(&node, &admin, "theme", json!("dark"), TENANT, "").await.unwrap();
        let narrow = json!({"type": "string", "enum": ["light", "dark"]});
        let told = define(&node, "theme", narrow, json!("light")).await.unwrap();
        let misfits: Vec<_> = told.misfits.iter().map(|it| (it.source.as_known().unwrap(), &*it.id)).collect();
        assert_eq!((misfits, told.cut), (vec![(ORGANIZATION, "org_1"), (USER, &*ada)], false));
        assert!(told.misfits.iter().all(|it| it.message.starts_with("value is none of") && !it.message.contains("dim")));
        let now = got(&node, &caller, "org_1").await.remove(0);
        assert_eq!((now.1, now.2), (json!("dark"), TENANT));
        define(&node, "theme", theme(), json!("light")).await.unwrap();
        let now = got(&node, &caller, "org_1").await.remove(0);
        assert_eq!((now.1, now.2), (json!("dim"), USER), "it fits again");
        let undefine = || UndefinePreferenceRequest { key: "theme".into() };
        node.call(&admin, undefine()).await.unwrap();
        assert!(got(&node, &caller, "").await.is_empty());
        assert_eq!(node.fails(&admin, undefine()).await.reason(), "users.unknown_preference");
    }

    async fn preferences_are_bounded(node: Node) {
        for nth in 0..200 {
            define(&node, &format!("p{nth}"), json!({"type": "boolean"}), json!(true)).await.unwrap();
        }
        let more = define(&node, "more", json!({"type": "boolean"}), json!(true)).await.unwrap_err();
        assert_eq!((more.code(), more.reason()), (Code::ResourceExhausted, "users.too_many_preferences"));
        define(&node, "p7", json!({"type": "integer"}), json!(7)).await.unwrap();
        assert_eq!(got(&node, &node.user("usr_any"), "").await.len(), 200);
    }
}
