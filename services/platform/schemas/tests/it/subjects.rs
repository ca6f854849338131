//! Subjects, their versions and their schemas: what is the same, and what comes again.

use futures::future::join_all;
use serde_json::json;
use stoa_kit::{Code, Error};
use stoa_schemas_v1::*;
use stoa_testkit::{Node, both};

use crate::{ada, register, services};

async fn delete(node: &Node, subject: &str, version: i32, permanent: bool) -> Result<i32, Error> {
    let request = DeleteVersionRequest { subject: subject.into(), version, permanent };
    Ok(node.call(&ada(node), request).await?.version)
}

async fn get(node: &Node, subject: &str, version: i32, deleted: bool) -> Result<i32, Error> {
    let request = GetVersionRequest { subject: subject.into(), version, deleted };
    Ok(node.call(&ada(node), request).await?.version.version)
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    outcome.unwrap_err().reason().to_owned()
}

both! {
    async fn one_text_has_one_identifier_also_in_a_race(node: Node) {
        let schema = json!({"type": "string"});
        let subjects = ["a", "a", "a", "a", "b", "c", "d", "e"];
        let racing = (0..32).map(|place| register(&node, subjects[place % 8], &schema));
        for outcome in join_all(racing).await {
            let version = outcome.unwrap();
            assert_eq!((&*version.schema_id, version.version), ("1", 1));
        }
        let other = register(&node, "a", &json!({"type": ["string", "null"]})).await.unwrap();
        assert_eq!((&*other.schema_id, other.version), ("2", 2));
        let again = register(&node, "a", &schema).await.unwrap();
        assert_eq!((&*again.schema_id, again.version), ("1", 1), "the one that is there");
        let list = ListVersionsRequest { schema_id: "1".into(), ..Default::default() };
        let pages = node.pages(&ada(&node), list).await.unwrap();
        assert_eq!(pages.into_iter().flat_map(|page| page.versions).count(), 5);
    }

    async fn texts_that_race_for_a_subject_have_numbers_without_a_gap(node: Node) {
        let texts: Vec<_> = (0..12).map(|place| json!({"title": place.to_string()})).collect();
        let outcomes = join_all(texts.iter().map(|text| register(&node, "s", text))).await;
        let all: Vec<Version> = outcomes.into_iter().map(Result::unwrap).collect();
        let mut numbers: Vec<i32> = all.iter().map(|one| one.version).collect();
        let mut ids: Vec<i32> = all.iter().map(|one| one.schema_id.parse().unwrap()).collect();
        numbers.sort_unstable();
        ids.sort_unstable();
        assert_eq!((numbers, ids), ((1..=12).collect(), (1..=12).collect()));
    }

    async fn a_version_is_deleted_twice_and_no_number_comes_again(node: Node) {
        let [one, two] = [json!({"title": "1"}), json!({"title": "2"})];
        register(&node, "s", &one).await.unwrap();
        register(&node, "s", &two).await.unwrap();
        assert_eq!(reason(delete(&node, "s", 2, true).await), "schemas.not_deleted");
        assert_eq!(delete(&node, "s", 0, false).await.unwrap(), 2, "the youngest");
        assert_eq!(reason(get(&node, "s", 2, false).await), "schemas.unknown_version");
        assert_eq!(get(&node, "s", 0, false).await.unwrap(), 1);
        assert_eq!(get(&node, "s", 2, true).await.unwrap(), 2);
        assert_eq!(reason(delete(&node, "s", 2, false).await), "schemas.already_deleted");
        let again = register(&node, "s", &two).await.unwrap();
        assert_eq!((again.version, &*again.schema_id), (3, "2"), "the same text, the next number");
        delete(&node, "s", 2, true).await.unwrap();
        assert_eq!(reason(get(&node, "s", 2, true).await), "schemas.unknown_version");
        let schema = GetSchemaRequest { id: "2".into() };
        node.call(&ada(&node), schema.clone()).await.unwrap();
        delete(&node, "s", 3, false).await.unwrap();
        node.call(&ada(&node), schema.clone()).await.unwrap();
        delete(&node, "s", 3, true).await.unwrap();
        let gone = node.call(&ada(&node), schema).await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound, "no version has it");
        let last = register(&node, "s", &two).await.unwrap();
        assert_eq!((last.version, &*last.schema_id), (4, "3"));
    }

    async fn a_subject_is_deleted_twice_and_comes_back(node: Node) {
        register(&node, "s", &json!({"title": "1"})).await.unwrap();
        register(&node, "s", &json!({"title": "2"})).await.unwrap();
        let subject = |permanent| DeleteSubjectRequest { subject: "s".into(), permanent };
        let ask = async |permanent| node.call(&ada(&node), subject(permanent)).await;
        assert_eq!(reason(ask(true).await), "schemas.not_deleted");
        assert_eq!(ask(false).await.unwrap().versions, [1, 2]);
        assert_eq!(reason(ask(false).await), "schemas.already_deleted");
        assert_eq!(reason(get(&node, "s", 0, false).await), "schemas.unknown_subject");
        let named = async |state: VersionState| {
            let list = ListSubjectsRequest { state: state.into(), ..Default::default() };
            node.call(&ada(&node), list).await.unwrap().subjects.len()
        };
        assert_eq!((named(VersionState::Active).await, named(VersionState::Deleted).await), (0, 1));
        let integer = json!({"type": "integer"});
        assert_eq!(register(&node, "s", &integer).await.unwrap().version, 3, "nothing is compared");
        assert_eq!(named(VersionState::Active).await, 1);
        ask(false).await.unwrap();
        assert_eq!(ask(true).await.unwrap().versions, [1, 2, 3]);
        assert_eq!(reason(ask(true).await), "schemas.unknown_subject");
        assert_eq!((named(VersionState::Active).await, named(VersionState::Deleted).await), (0, 0));
        assert_eq!(register(&node, "s", &integer).await.unwrap().version, 4);
    }
}
