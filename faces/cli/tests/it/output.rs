//! Replies, for people and for programs.

use serde_json::{Value, json};
use stoa_cli::Format;

use crate::{asked, method, written};

fn errands() -> Value {
    json!({
        "errands": [
            {
                "id": "err_1", "pace": "PACE_AT_ONCE", "currency": "EUR", "cost": "350",
                "price": {"amount": "1000", "currency": "JPY"}, "tags": ["a", "b"],
                "doneTime": "2026-11-29T12:00:00.250Z", "note": "one\u{1b}[2J\ntwo",
            },
            {"id": "err_22", "currency": "USD"},
        ],
        "nextPageToken": "more",
        "total": 7,
    })
}

#[test]
fn a_list_is_a_table() {
    let table = written("list-errands", Format::Table, Some(120), &errands());
    assert_eq!(
        table,
        "ID      PACE     CURRENCY      COST     PRICE  DONE TIME             NOTE\n\
         err_1   at-once  EUR       3.50 EUR  1000 JPY  2026-11-29T12:00:00Z  one [2J two\n\
         err_22           USD       0.00 USD\n\
         \n\
         total  7\n"
    );
    let narrow = written("list-errands", Format::Table, Some(30), &errands());
    assert!(narrow.starts_with("ID      PACE     CURRENCY\n"), "{narrow}");
    assert!(narrow.contains("… 4 more columns: -o wide\n"), "{narrow}");
    let wide = written("list-errands", Format::Wide, Some(30), &errands());
    assert!(wide.contains("TAGS") && wide.contains("a, b"), "{wide}");
    let bought = json!({"errands": [{"purchases": [{"what": "bread"}, {"what": "salt"}]}]});
    let bought = written("list-errands", Format::Wide, None, &bought);
    assert!(bought.ends_with("  PURCHASES\n   0          2\n"), "lists are counted: {bought}");
    let none = written("list-errands", Format::Table, Some(80), &json!({}));
    assert_eq!(none, "none\n");
}

#[test]
fn one_thing_is_told_field_by_field() {
    let reply = json!({"errand": {
        "id": "err_1", "pace": "PACE_SLOW", "currency": "EUR", "cost": "350",
        "purchases": [{"what": "bread", "cost": "350"}],
    }});
    assert_eq!(
        written("run-errand", Format::Table, Some(80), &reply),
        "id         err_1\n\
         pace       slow\n\
         currency   EUR\n\
         cost       3.50 EUR\n\
         purchases\n  WHAT       COST\n  bread  3.50 EUR\n"
    );
}

#[test]
fn programs_are_given_what_the_contract_says() {
    let json = written("list-errands", Format::Json, Some(20), &errands());
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), errands());
    let yaml = written("list-errands", Format::Yaml, None, &errands());
    assert_eq!(serde_yaml_ng::from_str::<Value>(&yaml).unwrap(), errands());
    let line = written("follow-errands", Format::Json, None, &json!({"id": "err_1"}));
    assert_eq!(line, "{\"id\":\"err_1\"}\n", "one of a stream is a line");
}

#[test]
fn pages_are_put_together() {
    let method = method("list-errands");
    let mut all = errands();
    assert_eq!(method.next_page(&all).as_deref(), Some("more"));
    method.append(&mut all, json!({"errands": [{"id": "err_3"}], "nextPageToken": "", "total": 8}));
    assert_eq!(method.next_page(&all), None);
    assert_eq!((all["errands"].as_array().unwrap().len(), &all["total"]), (3, &json!(8)));
    let mut asked = asked(&["errand", "list-errands"]).unwrap();
    asked.widen();
    assert_eq!(asked.page("more"), json!({"pageSize": 1000, "pageToken": "more"}));
}
