//! What stands in a path, a query and a body comes to the message that Connect reads as JSON.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use stoa_testkit::fuzz;

use crate::{Shelf, with_rest};

/// What a query says, and the same as JSON.
fn queries() -> Vec<(&'static str, Value)> {
    vec![
        ("", json!({})),
        ("small=5", json!({"small": 5})),
        ("large=9007199254740993", json!({"large": "9007199254740993"})),
        ("unsigned=18446744073709551615", json!({"unsigned": "18446744073709551615"})),
        ("real=-1.5e3", json!({"real": -1500})),
        ("real=NaN", json!({"real": "NaN"})),
        ("flag=true", json!({"flag": true})),
        ("flag=false", json!({"flag": false})),
        ("raw=AP-_", json!({"raw": "AP+/"})),
        ("raw=AP8%3D", json!({"raw": "AP8="})),
        ("binding=BINDING_CLOTH", json!({"binding": "BINDING_CLOTH"})),
        ("since_time=2026-01-02T03:04:05.006Z", json!({"sinceTime": "2026-01-02T03:04:05.006Z"})),
        ("sinceTime=2026-01-02T03:04:05%2B02:00", json!({"sinceTime": "2026-01-02T01:04:05Z"})),
        ("wait=1.500s", json!({"wait": "1.5s"})),
        ("read_mask=id,sinceTime", json!({"readMask": "id,sinceTime"})),
        (
            "price.amount=5&wait=0s&price.currency=EUR",
            json!({"price": {"amount": "5", "currency": "EUR"}, "wait": "0s"}),
        ),
        (
            "tags=a&tags=b%20c&tags=d+e&tags=%2B&tags=",
            json!({"tags": ["a", "b c", "d e", "+", ""]}),
        ),
        ("numbers=1&small=3&numbers=-2", json!({"numbers": [1, -2], "small": 3})),
        ("bindings=BINDING_CLOTH", json!({"bindings": ["BINDING_CLOTH"]})),
        ("flags=true&flags=false", json!({"flags": [true, false]})),
        ("note=", json!({"note": ""})),
        ("note=\"%22,%22id%22:%22b", json!({"note": "\"\",\"id\":\"b"})),
        ("range.within=x&range.firstPlace=3", json!({"range": {"within": "x", "firstPlace": 3}})),
        ("&&small=5&", json!({"small": 5})),
    ]
}

#[test]
fn a_query_says_every_type_of_field() {
    with_rest(async |_, shelf| {
        for (query, mut json) in queries() {
            let found =
                shelf.get(&format!("/v1/shelf/books/a?{}", query.replace('"', "%22"))).await;
            assert_eq!(found.status, 200, "{query}: {}", found.json());
            json["id"] = "a".into();
            let asked = shelf.connect("Find", &json.to_string()).await;
            assert_eq!(asked.status, 200, "{json}: {}", asked.json());
            assert_eq!(found.json(), asked.json(), "{query}");
        }
    });
}

#[test]
fn a_path_holds_values() {
    with_rest(async |_, shelf| {
        for (path, id) in [
            ("a", "a"),
            ("a%2Fb", "a/b"),
            ("a%3Ab", "a:b"),
            ("%C3%A4%20%25", "ä %"),
            ("..", ".."),
            ("%22%7D", "\"}"),
            ("a+b", "a+b"),
        ] {
            let said = shelf.get(&format!("/v1/shelf/books/{path}")).await;
            assert_eq!(said.json(), json!({"asked": {"id": id}}), "{path}");
        }
        for (path, within) in [
            ("rooms/1/shelves/2", "rooms/1/shelves/2"),
            ("rooms/1/shelves", "rooms/1/shelves"),
            ("rooms/1/shelves/2/3", "rooms/1/shelves/2/3"),
            ("rooms/a%2Fb/shelves/c%3Ad", "rooms/a%2Fb/shelves/c:d"),
        ] {
            let said = shelf.get(&format!("/v1/shelf/rooms/{path}:list?small=2")).await;
            let asked = json!({"asked": {"range": {"within": within}, "small": 2}});
            assert_eq!(said.json(), asked, "{path}");
        }
    });
}

#[test]
fn a_body_is_the_whole_or_one_field() {
    with_rest(async |_, shelf| {
        let book = json!({"title": "Emma", "pages": "474"});
        for body in [
            r#"{"book": {"title": "Emma", "pages": 474}, "others": {"a:b": {"pages": 1}}}"#,
            r#" {"others":{"a:b":{"pages":"1"}},"book":{"title":"Emma","pages":"474"}} "#,
        ] {
            let said = shelf.json("POST", "/v1/shelf/books/a:put", body).await;
            let others = json!({"a:b": {"pages": "1"}});
            assert_eq!(said.json(), json!({"id": "a", "book": book, "others": others}));
        }
        for body in ["", "  ", "{}", "{ }"] {
            let said = shelf.json("POST", "/v1/shelf/books/a:put", body).await;
            assert_eq!(said.json(), json!({"id": "a"}), "{body:?}");
        }
        let said = shelf.json("PUT", "/v1/shelf/books/a", r#"{"title": "Emma", "pages": 474}"#);
        assert_eq!(said.await.json(), book, "the reply is its part");
        assert_eq!(shelf.json("PUT", "/v1/shelf/books/a", "").await.json(), json!({}));
    });
}

#[test]
fn a_patch_changes_what_it_sends() {
    with_rest(async |_, shelf| {
        for (path, body, mask) in [
            ("books/a", r#"{"title": "", "pageCount": 3}"#, Some("pageCount,title")),
            ("books/a", r#"{"page_count": null}"#, Some("pageCount")),
            ("books/a", r#"{"title": "x", "etag": "e"}"#, Some("title")),
            ("books/a", r#"{"title": "x", "updateMask": "pageCount"}"#, Some("pageCount")),
            ("books/a", r#"{"etag": "e"}"#, None),
            ("books/a", "{}", None),
            ("books/a", "", None),
            ("whole/a", r#"{"title": "x", "binding": "BINDING_CLOTH"}"#, Some("binding,title")),
            ("whole/a?update_mask=pages", r#"{"title": "x"}"#, Some("pages")),
        ] {
            let said = shelf.json("PATCH", &format!("/v1/shelf/{path}"), body).await;
            assert_eq!(said.status, 200, "{}", said.json());
            let asked = &said.json()["asked"];
            assert_eq!(asked["id"], "a");
            assert_eq!(asked["updateMask"].as_str(), mask, "{path} {body}");
        }
    });
}

/// A request with some fields, as JSON and as a query.
fn requests() -> impl Strategy<Value = (Value, String)> {
    let text = || "[a-zA-Z0-9äß\"\\\\/:?&=+%#{}, .-]{0,12}";
    let field = prop_oneof![
        any::<i32>().prop_map(|n| ("small", json!(n % 1000))),
        any::<i64>().prop_map(|n| ("large", json!(n.to_string()))),
        any::<u64>().prop_map(|n| ("unsigned", json!(n.to_string()))),
        // Halves: the JSON decoder reads a number of many digits less exactly than a text.
        any::<i32>().prop_map(|n| ("real", json!(f64::from(n) / 2.0))),
        any::<bool>().prop_map(|is| ("flag", json!(is))),
        text().prop_map(|text| ("note", json!(text))),
        proptest::collection::vec(text(), 1..4).prop_map(|texts| ("tags", json!(texts))),
        proptest::collection::vec(any::<bool>(), 1..4).prop_map(|all| ("flags", json!(all))),
        text().prop_map(|text| ("range.within", json!(text))),
        any::<u32>().prop_map(|n| ("range.first_place", json!(n))),
    ];
    proptest::collection::btree_map("[a-z]", field, 0..6).prop_map(|fields| {
        let (mut json, mut query) = (json!({"id": "a"}), Vec::new());
        let fields: std::collections::BTreeMap<_, _> = fields.into_values().collect();
        for (name, value) in fields {
            let at = format!("/{}", name.replace('.', "/"));
            let (parent, last) = at.rsplit_once('/').unwrap();
            if json.pointer(parent).is_none() {
                json[parent.trim_start_matches('/')] = json!({});
            }
            json.pointer_mut(parent).unwrap()[last] = value.clone();
            let all = value.as_array().cloned().unwrap_or_else(|| vec![value]);
            for value in all {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
                query.push(format!("{name}={}", bytes.collect::<String>()));
            }
        }
        (json, query.join("&"))
    })
}

#[test]
fn a_query_and_json_come_to_the_same() {
    async fn same(shelf: &Shelf, json: &Value, query: &str) {
        let found = shelf.get(&format!("/v1/shelf/books/a?{query}")).await;
        let asked = shelf.connect("Find", &json.to_string()).await;
        assert_eq!(found.status, 200, "{query}: {}", found.json());
        assert_eq!(found.json(), asked.json(), "{query}");
    }
    with_rest(async |_, shelf| {
        let mut runner = fuzz::runner();
        for _ in 0..fuzz::cases(200) {
            let (json, query) = requests().new_tree(&mut runner).unwrap().current();
            same(&shelf, &json, &query).await;
        }
    });
}
