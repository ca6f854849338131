//! Documents that were made from good ones: whatever they ask, they are answered or refused with a
//! reason, and nothing breaks.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use stoa_testkit::fuzz;

use crate::with_graphql;

const GOOD: [&str; 6] = [
    r#"query Q($id: String! = "book1", $no: Boolean = false) { lending { book(id: $id) { ...B sequel @skip(if: $no) { id } } } } fragment B on LendingBook { id title author { name } helpers { id } }"#,
    r#"{ lending { echo(small: 1, large: "2", tags: ["a", "b"], price: {amount: "1", currency: "EUR"}, crate: {count: 1, inner: {count: 2}}) { asked { small large tags price { amount } crate { inner { count } } } } } }"#,
    r#"mutation { a: lendingPutBook(title: "x") { place } b: lendingPutBook(title: """y""") { title } }"#,
    "{ lending { books(pageSize: 3) { books { shelfShelf { room } author { firstBook { title } } } nextPageToken } } }",
    "{ __schema { types { name fields { name type { name kind ofType { name } } } } } __type(name: \"Money\") { name } }",
    "subscription { lendingReadBooks(count: 1) { book { id } } }",
];

/// What mutations put in: words of the language and of the schema, and what is none.
const WORDS: [&str; 24] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "!",
    "$id",
    "...",
    "... on Query",
    "@skip(if: true)",
    "id",
    "book",
    "lending",
    "query",
    "fragment B on LendingBook",
    "null",
    "-1",
    "1e400",
    "\"\\u0000\"",
    "\"\"\"",
    "\u{feff}#",
    "é",
];

#[derive(Debug, Clone)]
enum Edit {
    Cut(usize, usize),
    Put(usize, usize),
    Copy(usize, usize, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        (any::<usize>(), 0..6_usize).prop_map(|(at, length)| Edit::Cut(at, length)),
        (any::<usize>(), 0..WORDS.len()).prop_map(|(at, word)| Edit::Put(at, word)),
        (any::<usize>(), any::<usize>(), 0..40_usize)
            .prop_map(|(from, to, length)| Edit::Copy(from, to, length)),
    ];
    prop::collection::vec(edit, 0..3)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for edit in edits {
        let size = letters.len() + 1;
        match *edit {
            Edit::Cut(at, length) => {
                let at = at % size;
                letters.drain(at..(at + length).min(size - 1));
            }
            Edit::Put(at, word) => {
                let word = WORDS[word].chars();
                letters.splice(at % size..at % size, word);
            }
            Edit::Copy(from, to, length) => {
                let from = from % size;
                let piece = letters[from..(from + length).min(size - 1)].to_vec();
                letters.splice(to % size..to % size, piece);
            }
        }
    }
    letters.into_iter().collect()
}

#[test]
fn whatever_is_asked_is_answered_or_refused() {
    let cases = fuzz::cases(400);
    with_graphql(async |lending| {
        let mut runner = fuzz::runner();
        let strategy = (0..GOOD.len(), edits(), any::<bool>());
        let (mut answered, mut refused) = (0, 0);
        for _ in 0..cases {
            let (good, edits, known) = strategy.new_tree(&mut runner).unwrap().current();
            let document = edited(GOOD[good], &edits);
            let token = if known { "user:usr_ada" } else { "" };
            let said = lending.ask_as(token, &document, json!({"id": "book2"})).await;
            assert!(said.status.as_u16() < 500, "{document}");
            let answer = said.json();
            let errors = answer["errors"].as_array().cloned().unwrap_or_default();
            for error in &errors {
                let reason = error["extensions"]["reason"].as_str();
                assert!(reason.is_some_and(|reason| reason != "internal"), "{document}\n{error}");
            }
            match answer.get("data") {
                None | Some(Value::Null) => refused += usize::from(!errors.is_empty()),
                Some(_) => answered += 1,
            }
        }
        assert_eq!(answered + refused, cases, "each of them is one or the other");
        assert!(answered > cases / 10 && refused > cases / 3, "{answered} and {refused}");
    });
}
