//! References: one question a level, and as whoever asks.

use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value, json};

use crate::lending::{AUTHORS, SHELVES};
use crate::with_graphql;

#[test]
fn a_level_is_one_question() {
    with_graphql(async |lending| {
        let query = "{ lending { books(pageSize: 60) { books {
            author { name } helpers { id } shelfShelf { room } } } } }";
        let said = lending.ask(query).await.data();
        let books = said["lending"]["books"]["books"].as_array().unwrap();
        assert_eq!(books.len(), 60);
        // Seven authors, of whom a batch takes four; two shelves.
        assert_eq!((AUTHORS.load(SeqCst), SHELVES.load(SeqCst)), (2, 1));
        assert_eq!(
            books[2],
            json!({
                "author": {"name": "AUTHOR2"}, "helpers": [{"id": "author0"}, {"id": "author1"}],
                "shelfShelf": {"room": 4},
            })
        );
        assert_eq!(books[13]["author"], Value::Null, "whom nobody knows");
        assert_eq!(books[1]["shelfShelf"], Value::Null, "what is not there, or somebody else's");
    });
}

#[test]
fn a_level_leads_to_the_next_one() {
    with_graphql(async |lending| {
        let query = r#"{ lending { book(id: "book1") { sequel { id author { firstBook { id
            sequel { id } author { name } } } } } } }"#;
        let said = lending.ask(query).await.json();
        let expected = json!({"lending": {"book": {"sequel": {"id": "book2", "author": {
            "firstBook": {"id": "book99", "sequel": null, "author": {"name": "AUTHOR1"}}}}}}});
        assert_eq!(said, json!({"data": expected}));
        assert_eq!(AUTHORS.load(SeqCst), 2, "one a level");
    });
}

#[test]
fn a_reference_is_followed_as_whoever_asks() {
    with_graphql(async |lending| {
        let query = "{ lending { books(pageSize: 2) { books { id author { name } } } } }";
        let said = lending.ask_as("", query, json!({})).await.json();
        let books = json!([{"id": "book0", "author": null}, {"id": "book1", "author": null}]);
        assert_eq!(said["data"]["lending"]["books"]["books"], books);
        assert_eq!(said["errors"].as_array().unwrap().len(), 2);
        assert_eq!(said["errors"][1]["path"], json!(["lending", "books", "books", 1, "author"]));
        assert_eq!(said["errors"][1]["extensions"]["reason"], "auth.required");
        assert_eq!(AUTHORS.load(SeqCst), 0);
    });
}
