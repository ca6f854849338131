//! Access, through its contract.

#![cfg(test)]

#[path = "it/drawn.rs"]
mod drawn;
#[path = "it/fga.rs"]
mod fga;
#[path = "it/giving.rs"]
mod giving;
#[path = "it/ruled.rs"]
mod ruled;
#[path = "it/rules.rs"]
mod rules;
#[path = "it/vectors.rs"]
mod vectors;

use stoa_access_v1::*;
use stoa_kit::{Code, Result, Service};
use stoa_testkit::{Node, both};

fn services() -> Vec<Service> {
    vec![
        stoa_access::service(),
        stoa_auth::service(),
        stoa_notify::service(),
        stoa_tokens::service(),
        stoa_users::service(),
    ]
}

stoa_testkit::compliance!(stoa_access::service, services);

async fn model(node: &Node, text: &str) -> Result<String> {
    let written = node.call(&node.admin(), WriteModelRequest { definition: text.into() }).await?;
    Ok(written.model.id.clone())
}

/// Relations from `document:plan#viewer@user:ada`.
fn relations(all: &[&str]) -> Vec<Relation> {
    let read = |text: &&str| {
        let (place, user) = text.split_once('@').unwrap();
        let (object, relation) = place.split_once('#').unwrap();
        relation_of(object, relation, user)
    };
    all.iter().map(read).collect()
}

fn relation_of(object: &str, relation: &str, user: &str) -> Relation {
    let (object, relation, user) = (object.into(), relation.into(), user.into());
    Relation { object, relation, user, ..Relation::default() }
}

async fn write(node: &Node, writes: &[&str], deletes: &[&str]) -> Result<WriteRelationsResponse> {
    let (writes, deletes) = (relations(writes), relations(deletes));
    let request = WriteRelationsRequest { writes, deletes, ..WriteRelationsRequest::default() };
    node.call(&node.admin(), request).await
}

fn question(object: &str, relation: &str, user: &str) -> CheckRequest {
    let (object, relation, user) = (object.into(), relation.into(), user.into());
    CheckRequest { object, relation, user, ..CheckRequest::default() }
}

async fn check(node: &Node, object: &str, relation: &str, user: &str) -> Result<bool> {
    Ok(node.call(&node.admin(), question(object, relation, user)).await?.allowed)
}

const GROUPS: &str = "
    model
      schema 1.1
    type user
    type group
      relations
        define member: [user, user:*, group#member]
        define blocked: [user, group#member]
        define guest: member but not blocked
    ";

both! {
    async fn nothing_is_allowed_that_does_not_follow(node: Node) {
        let error = check(&node, "group:a", "member", "user:ada").await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "access.no_model"));
        model(&node, GROUPS).await.unwrap();
        assert!(!check(&node, "group:a", "member", "user:ada").await.unwrap());
        write(&node, &["group:a#member@user:ada"], &[]).await.unwrap();
        assert!(check(&node, "group:a", "member", "user:ada").await.unwrap());
        for (object, relation, user, reason) in [
            ("group:a", "owner", "user:ada", "access.unknown_relation"),
            ("team:a", "member", "user:ada", "access.unknown_type"),
            ("group:a", "member", "robot:ada", "access.unknown_type"),
            ("group:a", "member", "group:b#owner", "access.unknown_relation"),
            ("group:a", "member", "ada", "request.invalid"),
            ("a", "member", "user:ada", "request.invalid"),
        ] {
            let error = check(&node, object, relation, user).await.unwrap_err();
            assert_eq!(error.reason(), reason, "{object}#{relation}@{user}");
        }
    }

    async fn a_relation_that_is_taken_away_counts_no_more_from_the_next_call_on(node: Node) {
        model(&node, GROUPS).await.unwrap();
        let chain = ["group:a#member@group:b#member", "group:b#member@user:ada"];
        assert_eq!(write(&node, &chain, &[]).await.unwrap().written, 2);
        assert_eq!(write(&node, &chain, &[]).await.unwrap().written, 0, "they are there");
        assert!(check(&node, "group:a", "member", "user:ada").await.unwrap());
        assert_eq!(write(&node, &[], &chain[1..]).await.unwrap().deleted, 1);
        assert!(!check(&node, "group:a", "member", "user:ada").await.unwrap());
        assert_eq!(node.events::<RelationsChanged>().await.len(), 3);
    }

    async fn of_many_changes_all_are_made_or_none(node: Node) {
        model(&node, GROUPS).await.unwrap();
        let writes = ["group:a#member@user:ada", "group:a#guest@user:ada"];
        let error = write(&node, &writes, &[]).await.unwrap_err();
        assert_eq!(error.reason(), "access.not_assignable");
        assert!(!check(&node, "group:a", "member", "user:ada").await.unwrap());
    }

    async fn what_leads_in_a_circle_is_never_a_yes_and_takes_nothing_away(node: Node) {
        model(&node, GROUPS).await.unwrap();
        let circle = [
            "group:a#member@group:b#member",
            "group:b#member@group:a#member",
            "group:a#blocked@group:b#member",
            "group:c#member@user:ada",
            "group:c#blocked@group:a#member",
        ];
        write(&node, &circle, &[]).await.unwrap();
        assert!(!check(&node, "group:a", "member", "user:ada").await.unwrap());
        assert!(check(&node, "group:c", "guest", "user:ada").await.unwrap(), "nobody is blocked");
        write(&node, &["group:b#member@user:ada"], &[]).await.unwrap();
        assert!(check(&node, "group:a", "member", "user:ada").await.unwrap());
        assert!(!check(&node, "group:c", "guest", "user:ada").await.unwrap());
    }

    async fn what_takes_too_long_is_an_error_and_no_answer(node: Node) {
        model(&node, GROUPS).await.unwrap();
        let step = |n: usize| format!("group:{n}#member@group:{}#member", n + 1);
        let chain: Vec<String> = (0..25).map(step).chain(["group:25#member@user:ada".into()]).collect();
        let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
        write(&node, &chain, &[]).await.unwrap();
        let error = check(&node, "group:0", "member", "user:ada").await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, "access.too_deep"));
        assert!(check(&node, "group:1", "member", "user:ada").await.unwrap());
        // Of a list there is no part either.
        let list = ListObjectsRequest {
            user: "user:ada".into(),
            relation: "member".into(),
            r#type: "group".into(),
            page_size: 1_000,
            ..ListObjectsRequest::default()
        };
        assert_eq!(node.fails(&node.admin(), list.clone()).await.reason(), "access.too_deep");
        write(&node, &[], &chain[..1]).await.unwrap();
        assert_eq!(node.call(&node.admin(), list).await.unwrap().objects.len(), 25);
    }

    async fn why_is_the_same_as_whether(node: Node) {
        model(&node, GROUPS).await.unwrap();
        let all = ["group:a#member@group:b#member", "group:b#member@user:*", "group:a#blocked@user:eve"];
        write(&node, &all, &[]).await.unwrap();
        for (user, allowed) in [("user:ada", true), ("user:eve", false)] {
            let check = question("group:a", "guest", user);
            let why = ExplainRequest { check: check.clone().into() };
            let why = node.call(&node.admin(), why).await.unwrap();
            assert_eq!((why.allowed, why.steps[0].holds), (allowed, allowed));
            assert_eq!(node.call(&node.admin(), check).await.unwrap().allowed, allowed);
            let told: Vec<_> = why
                .steps
                .iter()
                .map(|it| (it.rule.as_known().unwrap(), &*it.object, &*it.user, it.holds, it.parent))
                .collect();
            let expected = [
                (Rule::Unless, "group:a", "", allowed, -1),
                (Rule::SameAs, "group:a", "", true, 0),
                (Rule::Written, "group:a", "group:b#member", true, 1),
                (Rule::Written, "group:b", "user:*", true, 2),
                (Rule::SameAs, "group:a", "", !allowed, 0),
                (Rule::Written, "group:a", if allowed { "" } else { user }, !allowed, 4),
            ];
            assert_eq!(told, expected);
        }
    }

    async fn a_model_that_says_what_cannot_be_is_refused_with_its_line(node: Node) {
        let of = |define: &str| format!("model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define {define}\n");
        for (define, says) in [
            ("a: [robot]", "no type `robot`"),
            ("a: b", "no relation `b`"),
            ("a: a", "nobody can have it"),
            ("a: [user] or b from c", "`c` is not a relation"),
            ("a: [user] or a and a", "line 6: `and`"),
            ("a: ([user] or a", "not closed"),
            ("a: [user with soon]", "conditions"),
            ("a: [user] but a", "`but not`"),
            ("a [user]", "line 6: no `:`"),
            ("a: [user#b]", "`user` has no relation `b`"),
        ] {
            let error = model(&node, &of(define)).await.unwrap_err();
            assert_eq!(error.reason(), "access.model_invalid");
            assert!(error.message().contains(says), "{define}: {}", error.message());
        }
        assert_eq!(model(&node, "type user\ntype user").await.unwrap_err().reason(), "access.model_invalid");
        let nested = format!("a: {}[user]{}", "(".repeat(400), ")".repeat(400));
        assert!(model(&node, &of(&nested)).await.unwrap_err().message().contains("nested"));
    }
}

both! {
    async fn what_a_change_would_come_to_is_told_and_nothing_is_changed(node: Node) {
        model(&node, GROUPS).await.unwrap();
        write(&node, &["group:a#member@user:ada", "group:a#member@group:b#member"], &[]).await.unwrap();
        let ask = |user: &str| question("group:a", "guest", user);
        let checks = vec![ask("user:ada"), ask("user:bob"), ask("user:eve")];
        let compare = |writes: &[&str], deletes: &[&str], definition: &str| CompareRequest {
            definition: definition.into(),
            writes: relations(writes),
            deletes: relations(deletes),
            checks: checks.clone(),
            ..CompareRequest::default()
        };
        let blocks = GROUPS.replace("member but not blocked", "member but not member");
        for (request, flipped) in [
            (compare(&["group:b#member@user:bob"], &[], ""), vec![("user:bob", true)]),
            (compare(&[], &["group:a#member@user:ada"], ""), vec![("user:ada", false)]),
            (compare(&["group:a#blocked@user:ada"], &[], ""), vec![("user:ada", false)]),
            (compare(&["group:a#member@user:ada"], &[], ""), vec![]),
            (compare(&[], &[], &blocks), vec![("user:ada", false)]),
        ] {
            let told = node.call(&node.admin(), request).await.unwrap().flips;
            let told: Vec<_> = told.iter().map(|flip| (&*flip.check.user, flip.after.allowed)).collect();
            assert_eq!(told, flipped);
        }
        let request = compare(&["group:a#guest@user:eve"], &[], "");
        assert_eq!(node.fails(&node.admin(), request).await.reason(), "access.not_assignable");
        assert!(check(&node, "group:a", "guest", "user:ada").await.unwrap());
    }
}
