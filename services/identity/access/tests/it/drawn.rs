//! Against a judge that is slow and simple: it knows for every user, relation and object whether it
//! holds, and looks again until nothing changes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use stoa_access_v1::*;
use stoa_testkit::both;

use super::{check, model, relations, services};

/// Every kind of rule; what is taken away rests on nothing that it could give.
pub(super) const MODEL: &str = "
    model
      schema 1.1
    type user
    type group
      relations
        define member: [user, user:*, group#member]
    type doc
      relations
        define parent: [doc]
        define banned: [user, group#member]
        define owner: [user, group#member]
        define editor: owner or editor from parent
        define seen: [user, user:*] and editor
        define viewer: ([user, group#member] or editor or viewer from parent) but not banned
    ";
const USERS: [&str; 3] = ["user:0", "user:1", "user:2"];
pub(super) const GROUPS: [&str; 3] = ["group:0", "group:1", "group:2"];
pub(super) const DOCS: [&str; 3] = ["doc:0", "doc:1", "doc:2"];

pub(super) type Fact = (&'static str, &'static str, String);

pub(super) fn fact() -> impl Strategy<Value = Fact> {
    let one = || prop::sample::select(&USERS[..]).prop_map(str::to_owned);
    let group = || prop::sample::select(&GROUPS[..]);
    let members = move || group().prop_map(|group| format!("{group}#member"));
    let doc = || prop::sample::select(&DOCS[..]);
    let either = move || prop_oneof![one(), members()];
    let wide = move || prop_oneof![4 => one(), 1 => Just("user:*".to_owned())];
    prop_oneof![
        3 => (group(), Just("member"), prop_oneof![wide(), members()]),
        2 => (doc(), Just("parent"), doc().prop_map(str::to_owned)),
        1 => (doc(), Just("banned"), either()),
        2 => (doc(), Just("owner"), either()),
        1 => (doc(), Just("seen"), wide()),
        2 => (doc(), Just("viewer"), either()),
    ]
}

/// Everything that follows, of one user, or of those who are members of a group.
pub(super) fn naive(facts: &[Fact], user: &str) -> BTreeSet<(String, &'static str)> {
    let itself = user.strip_suffix("#member").map(|group| (group.to_owned(), "member"));
    let mut holds = BTreeSet::<(String, &'static str)>::from_iter(itself);
    loop {
        let before = holds.len();
        let has = |object: &str, relation: &'static str, holds: &BTreeSet<_>| {
            holds.contains(&(object.to_owned(), relation))
        };
        let written = |object: &str, relation: &str, holds: &BTreeSet<(String, &'static str)>| {
            facts.iter().any(|(on, by, whom)| {
                let whom_holds = match whom.strip_suffix("#member") {
                    Some(group) => holds.contains(&(group.to_owned(), "member")),
                    None => whom == user || (whom == "user:*" && user.starts_with("user:")),
                };
                (*on, *by) == (object, relation) && whom_holds
            })
        };
        let parents = |object: &str| {
            let of: Vec<String> = facts
                .iter()
                .filter(|(on, by, _)| (*on, *by) == (object, "parent"))
                .map(|(_, _, whom)| whom.clone())
                .collect();
            of
        };
        for group in GROUPS {
            if written(group, "member", &holds) {
                holds.insert((group.to_owned(), "member"));
            }
        }
        for doc in DOCS {
            let above = parents(doc);
            let from =
                |relation, holds: &BTreeSet<_>| above.iter().any(|it| has(it, relation, holds));
            let mut found = Vec::new();
            if written(doc, "banned", &holds) {
                found.push("banned");
            }
            if written(doc, "owner", &holds) {
                found.push("owner");
            }
            if has(doc, "owner", &holds) || from("editor", &holds) {
                found.push("editor");
            }
            if written(doc, "seen", &holds) && has(doc, "editor", &holds) {
                found.push("seen");
            }
            holds.extend(found.into_iter().map(|relation| (doc.to_owned(), relation)));
        }
        if holds.len() > before {
            continue;
        }
        // What takes away is known by now.
        for doc in DOCS {
            let above = parents(doc);
            let given = written(doc, "viewer", &holds)
                || has(doc, "editor", &holds)
                || above.iter().any(|it| has(it, "viewer", &holds));
            if given && !has(doc, "banned", &holds) {
                holds.insert((doc.to_owned(), "viewer"));
            }
        }
        if holds.len() == before {
            return holds;
        }
    }
}

both! {
    async fn whatever_is_written_is_decided_as_by_a_simple_judge(node: Node) {
        model(&node, MODEL).await.unwrap();
        let (cases, mut there) = (stoa_testkit::fuzz::cases(30), Vec::<Fact>::new());
        let mut runner = stoa_testkit::fuzz::runner();
        let facts = prop::collection::vec(fact(), 0..14);
        for _ in 0..cases {
            let facts = facts.new_tree(&mut runner).unwrap().current();
            let text = |it: &Fact| format!("{}#{}@{}", it.0, it.1, it.2);
            let (writes, deletes): (Vec<_>, Vec<_>) =
                (facts.iter().map(text).collect(), there.iter().map(text).collect());
            let refs = |all: &[String]| relations(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let request = WriteRelationsRequest {
                writes: refs(&writes), deletes: refs(&deletes), ..WriteRelationsRequest::default()
            };
            node.call(&node.admin(), request).await.unwrap();
            for user in USERS {
                let holds = naive(&facts, user);
                for (of, relations, objects) in [
                    ("group", &["member"][..], GROUPS),
                    ("doc", &["parent", "banned", "owner", "editor", "seen", "viewer"][..], DOCS),
                ] {
                    for relation in relations {
                        let expected: Vec<&str> = objects
                            .into_iter()
                            .filter(|object| holds.iter().any(|it| it.0 == *object && it.1 == *relation))
                            .collect();
                        let request = ListObjectsRequest {
                            user: user.into(),
                            relation: (*relation).into(),
                            r#type: of.into(),
                            ..Default::default()
                        };
                        let listed = node.call(&node.admin(), request).await.unwrap().objects;
                        assert_eq!(listed, expected, "{of}#{relation}@{user}: {writes:?}");
                        for object in objects {
                            let allowed = check(&node, object, relation, user).await.unwrap();
                            assert_eq!(
                                allowed,
                                expected.contains(&object),
                                "{object}#{relation}@{user}: {writes:?}"
                            );
                        }
                    }
                }
            }
            there = facts;
        }
    }
}
