//! How much one document may ask for.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::with_graphql;

#[test]
fn what_is_too_much_is_refused_before_any_of_it_is_done() {
    with_graphql(async |lending| {
        let calls: String = (0..33).fold(String::new(), |mut text, nth| {
            let _ = write!(text, r#"c{nth}: lendingPutBook(title: "x") {{ place }} "#);
            text
        });
        let deep = format!("{}id{}", "sequel { ".repeat(14), " }".repeat(14));
        let doubled: String = (0..30).fold(String::new(), |mut text, nth| {
            let _ = write!(text, "fragment F{nth} on LendingBook {{ a{nth}: sequel {{ ...F{} }} b{nth}: sequel {{ ...F{} }} }} ", nth + 1, nth + 1);
            text
        });
        let doubled = format!(
            r#"{{ lending {{ book(id: "book1") {{ ...F0 }} }} }} {doubled} fragment F30 on LendingBook {{ id }}"#
        );
        let wide: String = (0..400).fold(String::new(), |mut text, nth| {
            let _ = write!(text, "t{nth}: title ");
            text
        });
        let wide = format!(
            r#"{{ lending {{ a: book(id: "book1") {{ ...W sequel {{ ...W }} }}
                b: book(id: "book1") {{ ...W sequel {{ ...W }} }} c: book(id: "book1") {{ ...W }} }} }}
                fragment W on LendingBook {{ {wide} }}"#
        );
        for (query, said) in [
            (wide, "2006 fields"),
            (format!("mutation {{ {calls} }}"), "33 calls"),
            (format!(r#"{{ lending {{ book(id: "book1") {{ {deep} }} }} }}"#), "17 levels deep"),
            (doubled, "levels deep"),
        ] {
            let refused = lending.ask(&query).await.json();
            assert_eq!(refused["data"], Value::Null);
            assert_eq!(
                refused["errors"][0]["extensions"]["reason"], "graphql.too_much",
                "{refused}"
            );
            let message = refused["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains(said), "{message}");
        }
        let put = lending.ask(r#"mutation { lendingPutBook(title: "x") { place } }"#).await.data();
        assert_eq!(put["lendingPutBook"]["place"], "1");
    });
}

#[test]
fn what_is_nested_without_end_is_refused() {
    with_graphql(async |lending| {
        for query in [
            "{".repeat(60_000),
            format!("{{ lending {{ echo(anything: {}) {{ __typename }} }} }}", "[".repeat(60_000)),
            format!("{{ {} }}", "__typename ".repeat(30_000)),
            r"{ lending { ...A } } fragment A on LendingQuery { ...B } fragment B on LendingQuery { ...A }".to_owned(),
            r#"{ lending { book(id: "book1") { ...A } } } fragment A on LendingBook { sequel { ...A } }"#.to_owned(),
        ] {
            let reason = lending.ask(&query).await.refusal().0;
            assert_eq!(reason, "graphql.invalid");
        }
    });
}

#[test]
fn a_response_is_bounded() {
    with_graphql(async |lending| {
        let fields: String = (0..300).fold(String::new(), |mut text, nth| {
            let _ = write!(text, "t{nth}: title ");
            text
        });
        let query = format!("{{ lending {{ books(pageSize: 1000) {{ books {{ {fields} }} }} }} }}");
        let said = lending.ask(&query).await.json();
        assert_eq!(said["data"], json!({"lending": {"books": null}}));
        assert_eq!(said["errors"][0]["extensions"]["reason"], "graphql.too_much");
    });
}
