//! Rules: which one decides, what they may ask, and what becomes of a question that lacks it.

use stoa_access_v1::*;
use stoa_auth_v1::{CreateRoleRequest, GrantRoleRequest, RevokeRoleRequest};
use stoa_kit::{Code, Result, Struct};
use stoa_testkit::{Node, both};
use stoa_users_v1::CreateUserRequest;

use super::{GROUPS, check, model, question, relations, services, write};

/// A rule about `guest` of a group, for somebody.
pub(super) fn rule(
    name: &str, effect: Effect, priority: i32, user: &str, object: &str,
) -> AccessRule {
    AccessRule {
        name: name.into(),
        effect: effect.into(),
        priority,
        user: user.into(),
        relation: "guest".into(),
        object: object.into(),
        ..AccessRule::default()
    }
}

pub(super) async fn put(node: &Node, writes: &[AccessRule], deletes: &[&str]) -> Result<()> {
    let deletes = deletes.iter().map(|name| (*name).to_owned()).collect();
    let request = WriteRulesRequest { writes: writes.to_vec(), deletes };
    node.call(&node.admin(), request).await.map(drop)
}

/// A question with attributes.
fn asked(user: &str, attributes: &str) -> CheckRequest {
    let attributes: Struct = serde_json::from_str(attributes).unwrap();
    CheckRequest { attributes: attributes.into(), ..question("group:a", "guest", user) }
}

async fn is_guest(node: &Node, user: &str) -> bool {
    check(node, "group:a", "guest", user).await.unwrap()
}

const ALLOW: Effect = Effect::Allow;
const DENY: Effect = Effect::Deny;

both! {
    async fn the_highest_priority_decides_and_on_a_tie_denial(node: Node) {
        model(&node, GROUPS).await.unwrap();
        write(&node, &["group:a#member@user:ada", "group:b#member@user:bob"], &[]).await.unwrap();
        put(&node, &[rule("one", ALLOW, 1, "user:*", "group:a")], &[]).await.unwrap();
        assert!(is_guest(&node, "user:eve").await);
        put(&node, &[rule("two", DENY, 1, "user:eve", "group:*")], &[]).await.unwrap();
        assert!(!is_guest(&node, "user:eve").await, "a tie");
        put(&node, &[rule("three", ALLOW, 2, "user:eve", "group:a*")], &[]).await.unwrap();
        assert!(is_guest(&node, "user:eve").await, "a higher one");
        put(&node, &[rule("four", DENY, 3, "group:b#member", "group:*")], &[]).await.unwrap();
        assert!(!is_guest(&node, "user:bob").await, "for whoever is a member");
        assert!(is_guest(&node, "user:eve").await);
        put(&node, &[], &["one", "two", "three", "four", "none"]).await.unwrap();
        for (user, allowed) in [("user:ada", true), ("user:eve", false)] {
            assert_eq!(is_guest(&node, user).await, allowed, "relations decide again");
        }
    }

    async fn a_rule_that_does_not_apply_changes_nothing(node: Node) {
        model(&node, GROUPS).await.unwrap();
        write(&node, &["group:a#member@user:ada"], &[]).await.unwrap();
        let never = AccessRule { condition: "false == true".into(), ..rule("never", DENY, 1000, "user:*", "group:*") };
        let other = AccessRule { relation: "member".into(), ..rule("other", DENY, 1000, "user:ada", "group:a") };
        let holders = AccessRule { user: String::new(), holder: "blocked".into(), ..rule("held", DENY, 1000, "", "group:a") };
        let all = [never, other, holders, rule("else", ALLOW, 1000, "user:eve", "group:b"), rule("far", ALLOW, 9, "user:eve", "group:*")];
        put(&node, &all, &[]).await.unwrap();
        assert!(is_guest(&node, "user:ada").await);
        // Only one that is exact says something of what nothing names.
        assert!(check(&node, "group:b", "guest", "user:eve").await.unwrap());
        assert!(!check(&node, "group:c", "guest", "user:eve").await.unwrap());
        assert!(is_guest(&node, "user:eve").await);
        let why = ExplainRequest { check: question("group:a", "guest", "user:ada").into() };
        let why = node.call(&node.admin(), why).await.unwrap();
        assert!(why.allowed && why.rule.is_empty());
        let told: Vec<_> = why.rules.iter().map(|it| (&*it.name, it.outcome.as_known().unwrap())).collect();
        assert_eq!(told, [
            ("held", RuleOutcome::OtherUser),
            ("never", RuleOutcome::ConditionFalse),
            ("else", RuleOutcome::OtherObject),
            ("far", RuleOutcome::OtherUser),
        ]);
    }

    async fn a_question_that_lacks_what_a_rule_asks_is_not_answered(node: Node) {
        model(&node, GROUPS).await.unwrap();
        write(&node, &["group:a#member@user:ada"], &[]).await.unwrap();
        let condition = r#"hour < 8 or not (network in ["office", "vpn"]) and has network"#;
        let night = AccessRule { condition: condition.into(), ..rule("night", DENY, 5, "user:*", "group:*") };
        put(&node, &[night], &[]).await.unwrap();
        for (attributes, allowed) in [
            (r#"{"hour": 9, "network": "vpn"}"#, Some(true)),
            (r#"{"hour": 9, "network": "cafe"}"#, Some(false)),
            (r#"{"hour": 7}"#, Some(false)),
            (r#"{"hour": 7.5, "network": 3}"#, Some(false)),
            (r#"{"hour": 9}"#, None),
            (r#"{"hour": "9", "network": "vpn"}"#, None),
            (r#"{"hour": 9, "network": ["vpn"]}"#, None),
            ("{}", None),
        ] {
            match (node.call(&node.admin(), asked("user:ada", attributes)).await, allowed) {
                (Ok(reply), Some(allowed)) => assert_eq!(reply.allowed, allowed, "{attributes}"),
                (Err(error), None) => {
                    assert_eq!((error.code(), error.reason()), (Code::InvalidArgument, "access.attribute_missing"));
                }
                (other, _) => panic!("{attributes}: {other:?}"),
            }
        }
        // Whom it does not concern is not asked, nor is anybody whom a higher one decides about.
        put(&node, &[rule("first", ALLOW, 6, "user:ada", "group:a")], &[]).await.unwrap();
        assert!(is_guest(&node, "user:ada").await);
        let many: String = (0..65).map(|n| format!(r#""a{n}": 1,"#)).collect();
        for (wrong, at) in [
            (r#"{"Hour": 1}"#.to_owned(), "attributes"),
            (r#"{"hour": {"of": 1}}"#.to_owned(), "attributes.hour"),
            (r#"{"hour": null}"#.to_owned(), "attributes.hour"),
            (r#"{"hour": [1, "a"]}"#.to_owned(), "attributes.hour"),
            (format!("{{{}}}", many.trim_end_matches(',')), "attributes"),
        ] {
            let error = node.fails(&node.admin(), asked("user:ada", &wrong)).await;
            assert_eq!(error.violations()[0].path, at, "{wrong}");
        }
    }

    async fn a_condition_that_cannot_be_is_refused_with_its_place(node: Node) {
        model(&node, GROUPS).await.unwrap();
        let deep = format!("{}has a{}", "(".repeat(17), ")".repeat(17));
        for (condition, says) in [
            ("hour >", "at 7: an attribute"),
            ("hour >= 8 hour", "at 11: `and`"),
            ("(hour >= 8", "at 11: `)`"),
            ("hour = 8", "at 6: no word"),
            (r#"hour < "8""#, "a number is expected"),
            (r#"hour == 8 or hour == "late""#, "would be a number and a text"),
            ("not", "at 4: "),
            ("hour in []", "at 10: a list"),
            ("hour in [1, true]", "at 13: a list"),
            (r#"name begins "a"#, "not closed"),
            ("has 3", "`has`"),
            ("and == 1", "an attribute"),
            ("hour == 1e9", "at 9: no word"),
            ("hour == [1]", "`in`"),
            (&*deep, "too deep"),
        ] {
            let wrong = AccessRule { condition: condition.into(), ..rule("one", ALLOW, 0, "user:ada", "group:a") };
            let error = put(&node, &[wrong], &[]).await.unwrap_err();
            assert_eq!(error.reason(), "access.condition_invalid", "{condition}");
            assert!(error.message().contains(says), "{condition}: {}", error.message());
        }
        let both = AccessRule { holder: "member".into(), ..rule("one", ALLOW, 0, "user:ada", "group:a") };
        let none = rule("one", ALLOW, 0, "", "group:a");
        for wrong in [both, none] {
            assert_eq!(put(&node, &[wrong], &[]).await.unwrap_err().violations()[0].path, "user");
        }
        let relation = AccessRule { relation: "owner".into(), ..rule("one", ALLOW, 0, "user:ada", "group:a") };
        let of = rule("one", ALLOW, 0, "user:ada", "team:a");
        let whose = rule("one", ALLOW, 0, "group:a#owner", "group:a");
        for (wrong, reason) in [
            (relation, "access.unknown_relation"), (of, "access.unknown_type"), (whose, "access.unknown_relation"),
        ] {
            assert_eq!(put(&node, &[wrong], &[]).await.unwrap_err().reason(), reason);
        }
        let kept = node.call(&node.admin(), ListRulesRequest::default()).await.unwrap().rules;
        assert!(kept.is_empty());
    }

    async fn a_role_counts_until_it_is_taken_away(node: Node) {
        model(&node, GROUPS).await.unwrap();
        write(&node, &["group:a#member@group:b#member"], &[]).await.unwrap();
        let email = "ada@example.com".to_owned();
        let ada = CreateUserRequest { handle: "ada".into(), email, ..Default::default() };
        let ada = node.call(&node.admin(), ada).await.unwrap().user.id.clone();
        let role = || "auditor".to_owned();
        let permissions = vec!["audit.entries.search".to_owned()];
        let create = CreateRoleRequest { name: role(), permissions, ..Default::default() };
        node.call(&node.admin(), create).await.unwrap();
        let for_role = AccessRule { role: role(), ..rule("audit", ALLOW, 0, "", "group:*") };
        put(&node, &[for_role], &[]).await.unwrap();
        let user = format!("user:{ada}");
        let list = || ListUsersRequest {
            object: "group:a".into(), relation: "guest".into(), r#type: "user".into(), ..Default::default()
        };
        for round in 0..2 {
            assert!(!is_guest(&node, &user).await, "{round}");
            let grant = GrantRoleRequest { user_id: ada.clone(), role: role() };
            node.call(&node.admin(), grant).await.unwrap();
            assert!(is_guest(&node, &user).await, "{round}");
            assert_eq!(node.call(&node.admin(), list()).await.unwrap().users, std::slice::from_ref(&user));
            let revoke = RevokeRoleRequest { user_id: ada.clone(), role: role() };
            node.call(&node.admin(), revoke).await.unwrap();
        }
        assert!(node.call(&node.admin(), list()).await.unwrap().users.is_empty());
        assert!(!is_guest(&node, &format!("user:{}", "x".repeat(200))).await);
    }

    async fn what_rules_would_change_is_told_and_nothing_is_changed(node: Node) {
        model(&node, GROUPS).await.unwrap();
        write(&node, &["group:a#member@user:ada", "group:b#member@user:ada"], &[]).await.unwrap();
        put(&node, &[rule("eve", ALLOW, 0, "user:eve", "group:a")], &[]).await.unwrap();
        let list = || ListObjectsRequest {
            user: "user:ada".into(), relation: "guest".into(), r#type: "group".into(), ..Default::default()
        };
        let users = || ListUsersRequest {
            object: "group:a".into(), relation: "guest".into(), r#type: "user".into(), ..Default::default()
        };
        let change = CompareRequest {
            rule_writes: vec![rule("out", DENY, 5, "group:b#member", "group:a")],
            rule_deletes: vec!["eve".into()],
            writes: relations(&["group:c#member@user:ada"]),
            checks: vec![question("group:a", "guest", "user:eve"), question("group:b", "guest", "user:ada")],
            objects: list().into(),
            users: users().into(),
            ..CompareRequest::default()
        };
        let told = node.call(&node.admin(), change).await.unwrap();
        let told: Vec<_> = told.flips.iter()
            .map(|flip| (&*flip.check.object, &*flip.check.user, flip.before.allowed, flip.after.allowed))
            .collect();
        assert_eq!(told, [
            ("group:a", "user:eve", true, false),
            ("group:a", "user:ada", true, false),
            ("group:c", "user:ada", false, true),
            ("group:a", "user:ada", true, false),
            ("group:a", "user:eve", true, false),
        ]);
        assert_eq!(node.call(&node.admin(), list()).await.unwrap().objects, ["group:a", "group:b"]);
        assert_eq!(node.call(&node.admin(), users()).await.unwrap().users, ["user:ada", "user:eve"]);
    }

    async fn rules_about_a_type_are_bounded(node: Node) {
        model(&node, GROUPS).await.unwrap();
        for chunk in 0..5 {
            let name = |n: usize| format!("r{}", chunk * 100 + n);
            let all: Vec<_> = (0..100).map(|n| rule(&name(n), DENY, 0, "user:eve", "group:a")).collect();
            put(&node, &all, &[]).await.unwrap();
        }
        let more = rule("more", DENY, 0, "user:eve", "group:a");
        let error = put(&node, std::slice::from_ref(&more), &[]).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, "access.too_many_rules"));
        put(&node, &[rule("r7", ALLOW, 0, "user:eve", "group:a")], &[]).await.unwrap();
        put(&node, &[more], &["r8"]).await.unwrap();
    }
}
