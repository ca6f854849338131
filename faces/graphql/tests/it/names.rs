//! What things are called, and what is said of them.

use serde_json::{Value, json};

use crate::with_graphql;

const FIELDS: &str = r#"{
  __schema { queryType { fields { name } } mutationType { fields { name } }
    subscriptionType { fields { name } } }
  library: __type(name: "LibraryQuery") { fields(includeDeprecated: true) {
    name description isDeprecated args { name type { ...T } } type { ...T } } }
  book: __type(name: "LibraryBook") { fields { name type { ...T } } }
  asked: __type(name: "LibraryEchoRequest") { fields { name type { ...T } } }
  taken: __type(name: "LibraryCrate_Input") { inputFields { name } }
  binding: __type(name: "LibraryBinding") { enumValues { name description } }
}
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"#;

/// A type as GraphQL writes it.
fn written(kind: &Value) -> String {
    match kind["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", written(&kind["ofType"])),
        "LIST" => format!("[{}]", written(&kind["ofType"])),
        _ => kind["name"].as_str().unwrap().to_owned(),
    }
}

fn types(fields: &Value) -> Vec<String> {
    let fields = fields["fields"].as_array().unwrap().iter();
    let name = |field: &Value| field["name"].as_str().unwrap().to_owned();
    fields.map(|field| format!("{}: {}", name(field), written(&field["type"]))).collect()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect()
}

#[test]
fn methods_are_called_by_one_rule() {
    with_graphql(async |library| {
        let schema = library.ask(FIELDS).await.data();
        let roots = &schema["__schema"];
        assert_eq!(names(&roots["queryType"]["fields"]), ["system", "library"]);
        let commands = names(&roots["mutationType"]["fields"]);
        let ours = commands.into_iter().filter(|name| name.starts_with("library"));
        assert_eq!(ours.collect::<Vec<_>>(), ["libraryPutBook", "libraryForget"]);
        let streams = names(&roots["subscriptionType"]["fields"]);
        assert!(streams.contains(&"libraryReadBooks"), "{streams:?}");
        assert_eq!(
            types(&schema["library"]),
            [
                "book: LibraryBook",
                // `ListBooks` stands first, so it has the short name.
                "books: LibraryListBooksResponse",
                "getBooks: LibraryGetBooksResponse",
                "batchGetAuthors: LibraryBatchGetAuthorsResponse",
                "shelf: LibraryShelf",
                "echo: LibraryEchoResponse",
            ]
        );
        let fields = schema["library"]["fields"].as_array().unwrap();
        assert_eq!(fields[0]["description"], "Gets a book.\n\nFor everybody.");
        assert_eq!(written(&fields[0]["args"][0]["type"]), "String!", "no book without a name");
        assert_eq!(fields[2]["isDeprecated"], true);
        assert_eq!(
            schema["binding"]["enumValues"][1],
            json!({"name": "BINDING_CLOTH", "description": "In cloth."})
        );
    });
}

#[test]
fn nullability_tells_the_truth() {
    with_graphql(async |library| {
        let schema = library.ask(FIELDS).await.data();
        assert_eq!(
            types(&schema["book"]),
            [
                "id: String!",
                "title: String!",
                "authorId: String!",
                "helperIds: [String!]!",
                "shelf: String!",
                "sequelId: String!",
                "author: LibraryAuthor",
                "helpers: [LibraryAuthor]",
                "shelfShelf: LibraryShelf",
                "sequel: LibraryBook",
            ]
        );
        assert_eq!(
            types(&schema["asked"]),
            [
                "small: Int!",
                "large: Int64!",
                "unsigned: UInt64!",
                "word: UInt32!",
                "real: Float",
                "flag: Boolean!",
                "raw: Bytes!",
                "binding: LibraryBinding!",
                "sinceTime: Timestamp",
                "wait: Duration",
                "price: Money",
                "tags: [String!]!",
                "bindings: [LibraryBinding!]!",
                "note: String",
                "crates: JSON!",
                "anything: JSON",
                "boxed: Int64",
                "left: String",
                "right: Int64",
                "crate: LibraryCrate",
                "nothing: Empty",
            ]
        );
        assert_eq!(names(&schema["taken"]["inputFields"]), ["count", "inner"]);
    });
}

#[test]
fn the_schema_is_for_those_who_signed_in() {
    with_graphql(async |library| {
        let asked = "{ __schema { queryType { name } } }";
        let nobody = library.ask_as("", asked, json!({})).await;
        assert_eq!(nobody.refusal().0, "graphql.introspection");
        assert_eq!(library.ask(asked).await.data()["__schema"]["queryType"]["name"], "Query");
        let typename = library.ask_as("", "{ __typename library { __typename } }", json!({})).await;
        let names = json!({"__typename": "Query", "library": {"__typename": "LibraryQuery"}});
        assert_eq!(typename.data(), names, "what a type is called is no secret");
    });
}
