//! The cases of OpenFGA (`assets/tests/consolidated_1_1_tests.yaml`, Apache-2.0), which are read where
//! they are at hand.

use std::path::Path;

use serde::Deserialize;
use stoa_access_v1::*;
use stoa_kit::{Caller, Result};
use stoa_testkit::{Node, both};

use super::{relation_of, services};

#[derive(Deserialize)]
struct All {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stage {
    model: String,
    #[serde(default)]
    tuples: Vec<Tuple>,
    #[serde(default)]
    check_assertions: Vec<Checked>,
    #[serde(default)]
    list_objects_assertions: Vec<Listed>,
    #[serde(default)]
    list_users_assertions: Vec<Listed>,
}

#[derive(Deserialize, Clone)]
struct Tuple {
    object: String,
    relation: String,
    user: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    tuple: Tuple,
    #[serde(default)]
    contextual_tuples: Vec<Tuple>,
    #[serde(default)]
    expectation: bool,
    error_code: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    request: Asked,
    #[serde(default)]
    contextual_tuples: Vec<Tuple>,
    expectation: Option<Vec<String>>,
    error_code: Option<u32>,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    user: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    object: String,
    relation: String,
    #[serde(default)]
    filters: Vec<String>,
}

fn written(tuples: &[Tuple]) -> Vec<Relation> {
    let read = |tuple: &Tuple| relation_of(&tuple.object, &tuple.relation, &tuple.user);
    tuples.iter().map(read).collect()
}

/// What their numbers of errors are called here.
fn reasons(code: u32) -> &'static [&'static str] {
    match code {
        2000 => &["request.invalid", "access.unknown_type", "access.unknown_relation"],
        2002 => &["access.too_deep", "access.too_many"],
        2021 => &["access.unknown_type"],
        2022 => &["access.unknown_relation", "access.unknown_type"],
        2027 => &[
            "access.not_assignable",
            "access.unknown_type",
            "access.unknown_relation",
            "request.invalid",
        ],
        other => panic!("{other}"),
    }
}

/// Whether an answer is what was expected; what is wrong with it otherwise.
fn judged<T: PartialEq + std::fmt::Debug>(
    answer: Result<T>, expected: T, code: Option<u32>,
) -> Option<String> {
    match (answer, code) {
        (Ok(answer), None) if answer == expected => None,
        (Err(error), Some(code)) if reasons(code).contains(&error.reason()) => None,
        (answer, code) => Some(format!("{answer:?}, not {expected:?} {code:?}")),
    }
}

async fn run(node: &Node, caller: &Caller, stage: &Stage) -> Vec<String> {
    let mut wrong = Vec::new();
    let model = WriteModelRequest { definition: stage.model.clone() };
    if let Err(error) = node.call(caller, model).await {
        return vec![format!("model: {error:?}")];
    }
    for some in stage.tuples.chunks(100) {
        let writes = WriteRelationsRequest { writes: written(some), ..Default::default() };
        if let Err(error) = node.call(caller, writes).await {
            return vec![format!("relations: {error:?}")];
        }
    }
    for it in &stage.check_assertions {
        let Tuple { object, relation, user } = it.tuple.clone();
        let context = written(&it.contextual_tuples);
        let request = CheckRequest { object, relation, user, context, ..Default::default() };
        let answer = node.call(caller, request).await.map(|it| it.allowed);
        let said = judged(answer, it.expectation, it.error_code);
        let Tuple { object, relation, user } = &it.tuple;
        wrong.extend(said.map(|said| format!("check {object}#{relation}@{user}: {said}")));
    }
    for it in &stage.list_objects_assertions {
        let Asked { user, r#type, relation, .. } = &it.request;
        let request = ListObjectsRequest {
            user: user.clone(),
            relation: relation.clone(),
            r#type: r#type.clone(),
            context: written(&it.contextual_tuples),
            page_size: 1_000,
            ..Default::default()
        };
        let answer = node.call(caller, request).await.map(|it| it.objects);
        let said = judged(answer, sorted(&it.expectation), it.error_code);
        wrong.extend(said.map(|said| format!("objects {}#{relation}@{user}: {said}", r#type)));
    }
    for it in &stage.list_users_assertions {
        let Asked { object, relation, filters, .. } = &it.request;
        let request = ListUsersRequest {
            object: object.clone(),
            relation: relation.clone(),
            r#type: filters[0].clone(),
            context: written(&it.contextual_tuples),
            page_size: 1_000,
            ..Default::default()
        };
        let answer = node.call(caller, request).await.map(|it| it.users);
        let said = judged(answer, sorted(&it.expectation), it.error_code);
        wrong.extend(said.map(|said| format!("users {object}#{relation}@{filters:?}: {said}")));
    }
    wrong
}

fn sorted(names: &Option<Vec<String>>) -> Vec<String> {
    let mut names = names.clone().unwrap_or_default();
    names.sort();
    names
}

/// The text of the cases, if they are at hand.
#[allow(clippy::disallowed_methods, reason = "cases of others are a file beside the project")]
fn cases() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let file = root.join("../shared/data/vectors/openfga/consolidated_1_1_tests.yaml");
    std::fs::read_to_string(file).ok()
}

both! {
    async fn the_cases_of_openfga_hold(node: Node) {
        let Some(text) = cases() else {
            return println!("the cases are not at hand, and were not run");
        };
        let all: All = serde_yaml_ng::from_str(&text).unwrap();
        let (mut wrong, mut asserted, mut left_out) = (Vec::new(), 0, Vec::new());
        for (number, case) in all.tests.iter().enumerate() {
            if case.stages.iter().any(|stage| stage.model.contains("condition ")) {
                left_out.push(case.name.clone());
                continue;
            }
            let tenant = format!("t{number}");
            node.create_tenant(&tenant).await;
            let caller = Caller { tenant: tenant.into(), ..node.admin() };
            for (n, stage) in case.stages.iter().enumerate() {
                asserted += stage.check_assertions.len()
                    + stage.list_objects_assertions.len()
                    + stage.list_users_assertions.len();
                let said = run(&node, &caller, stage).await;
                wrong.extend(said.into_iter().map(|said| format!("{} {n} {said}", case.name)));
            }
        }
        println!("{} cases, {asserted} assertions, left out: {left_out:?}", all.tests.len());
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}
