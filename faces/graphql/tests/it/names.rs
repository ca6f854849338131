//! What things are called, and what is said of them.

use serde_json::{Value, json};

use crate::{Introspection, with_graphql, with_schema_for};

const FIELDS: &str = r#"{
  __schema { queryType { fields { name } } mutationType { fields { name } }
    subscriptionType { fields { name } } }
  lending: __type(name: "LendingQuery") { fields(includeDeprecated: true) {
    name description isDeprecated args { name type { ...T } } type { ...T } } }
  book: __type(name: "LendingBook") { fields { name type { ...T } } }
  asked: __type(name: "LendingEchoRequest") { fields { name type { ...T } } }
  taken: __type(name: "LendingCrate_Input") { inputFields { name } }
  binding: __type(name: "LendingBinding") { enumValues { name description } }
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
    with_graphql(async |lending| {
        let schema = lending.ask(FIELDS).await.data();
        let roots = &schema["__schema"];
        assert_eq!(names(&roots["queryType"]["fields"]), ["system", "lending"]);
        let commands = names(&roots["mutationType"]["fields"]);
        let ours = commands.into_iter().filter(|name| name.starts_with("lending"));
        let expected = ["PutBook", "RenameAuthor", "ShutOut", "Forget"];
        let expected = expected.map(|name| format!("lending{name}"));
        assert_eq!(ours.collect::<Vec<_>>(), expected);
        let told = names(&roots["subscriptionType"]["fields"]);
        let told = told.into_iter().filter(|name| name.starts_with("lending"));
        assert_eq!(told.collect::<Vec<_>>(), ["lending", "lendingReadBooks"]);
        assert_eq!(
            types(&schema["lending"]),
            [
                "book: LendingBook",
                // `ListBooks` stands first, so it has the short name.
                "books: LendingListBooksResponse",
                "getBooks: LendingGetBooksResponse",
                "batchGetBooks: LendingBatchGetBooksResponse",
                "batchGetAuthors: LendingBatchGetAuthorsResponse",
                "shelf: LendingShelf",
                "batchGetShelves: LendingBatchGetShelvesResponse",
                "echo: LendingEchoResponse",
                "newest: LendingNewest",
            ]
        );
        let fields = schema["lending"]["fields"].as_array().unwrap();
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
    with_graphql(async |lending| {
        let schema = lending.ask(FIELDS).await.data();
        assert_eq!(
            types(&schema["book"]),
            [
                "id: String!",
                "title: String!",
                "authorId: String!",
                "helperIds: [String!]!",
                "shelf: String!",
                "sequelId: String!",
                "author: LendingAuthor",
                "helpers: [LendingAuthor]",
                "shelfShelf: LendingShelf",
                "sequel: LendingBook",
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
                "binding: LendingBinding!",
                "sinceTime: Timestamp",
                "wait: Duration",
                "price: Money",
                "tags: [String!]!",
                "bindings: [LendingBinding!]!",
                "note: String",
                "crates: JSON!",
                "anything: JSON",
                "boxed: Int64",
                "left: String",
                "right: Int64",
                "crate: LendingCrate",
                "nothing: Empty",
            ]
        );
        assert_eq!(names(&schema["taken"]["inputFields"]), ["count", "inner"]);
    });
}

#[test]
fn the_schema_is_for_those_who_signed_in() {
    with_graphql(async |lending| {
        let asked = "{ __schema { queryType { name } } }";
        let nobody = lending.ask_as("", asked, json!({})).await;
        assert_eq!(nobody.refusal().0, "graphql.introspection");
        assert_eq!(lending.ask(asked).await.data()["__schema"]["queryType"]["name"], "Query");
        let typename = lending.ask_as("", "{ __typename lending { __typename } }", json!({})).await;
        let names = json!({"__typename": "Query", "lending": {"__typename": "LendingQuery"}});
        assert_eq!(typename.data(), names, "what a type is called is no secret");
    });
}

#[test]
fn the_schema_is_for_everybody_or_nobody_where_the_setting_says_so() {
    let asked = "{ __schema { queryType { name } } lending { __typename } }";
    with_schema_for(Introspection::Off, async |lending| {
        assert_eq!(lending.ask(asked).await.refusal().0, "graphql.introspection");
        let kind = r#"{ __type(name: "Query") { name } }"#;
        assert_eq!(lending.ask(kind).await.refusal().0, "graphql.introspection");
    });
    with_schema_for(Introspection::Everybody, async |lending| {
        let said = lending.ask_as("", asked, json!({})).await.data();
        assert_eq!(said["__schema"]["queryType"]["name"], "Query");
    });
}
