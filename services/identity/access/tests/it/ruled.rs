//! Relations, roles and rules against a judge that is slow and simple, over models, relations, rules and
//! questions that are drawn: Check, BatchCheck, Explain, ListObjects, ListUsers and Compare say the same.
//! `make fuzz` asks very many.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use stoa_access_v1::*;
use stoa_auth_v1::{CreateRoleRequest, GrantRoleRequest, RevokeRoleRequest};
use stoa_kit::Struct;
use stoa_testkit::{Node, both};
use stoa_users_v1::CreateUserRequest;

use super::drawn::{DOCS, Fact, GROUPS, MODEL, fact, naive};
use super::{model, relations, services};

/// Questions between two changes.
const AT_ONCE: usize = 12;
const RELATIONS: [&str; 6] = ["parent", "banned", "owner", "editor", "seen", "viewer"];
/// What is asked about: users, all of them, and members of groups.
const WHO: [&str; 7] =
    ["user:0", "user:1", "user:2", "user:*", "group:0#member", "group:1#member", "group:2#member"];
const ROLE: &str = "auditor";

/// Conditions, each with what it comes to of an hour, a network and a badge that may be missing.
type Said = (Option<f64>, Option<&'static str>, Option<bool>);
type Holds = fn(Said) -> Option<bool>;
const CONDITIONS: [(&str, Holds); 8] = [
    ("", |_| Some(true)),
    ("hour >= 8", |(hour, ..)| Some(hour? >= 8.0)),
    (r#"hour < 8 and network == "office""#, |(hour, network, _)| {
        if hour? >= 8.0 { Some(false) } else { Some(network? == "office") }
    }),
    (r#"network in ["vpn", "home"]"#, |(_, network, _)| Some(["vpn", "home"].contains(&network?))),
    ("has badge and badge == true", |(_, _, badge)| Some(badge == Some(true))),
    (
        "not (hour > 20) or badge != false",
        |(hour, _, badge)| {
            if hour? <= 20.0 { Some(true) } else { Some(badge?) }
        },
    ),
    (r#"network begins "of""#, |(_, network, _)| Some(network?.starts_with("of"))),
    ("hour == 7 or hour == 21", |(hour, ..)| Some(hour? == 7.0 || hour? == 21.0)),
];

/// A rule; for whom is a name, `role:…`, or `holder:…`.
#[derive(Debug, Clone)]
struct Drawn {
    allows: bool,
    priority: i32,
    whom: String,
    relation: &'static str,
    object: &'static str,
    condition: usize,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let whom = prop_oneof![
        3 => prop::sample::select(&WHO[..]).prop_map(str::to_owned),
        1 => Just(format!("role:{ROLE}")),
        1 => prop::sample::select(&RELATIONS[1..]).prop_map(|relation| format!("holder:{relation}")),
    ];
    (
        any::<bool>(),
        -1..=1_i32,
        whom,
        prop::sample::select(&["*", "viewer", "viewer", "editor", "owner", "banned"][..]),
        prop::sample::select(&["doc:0", "doc:1", "doc:2", "doc:*", "doc:1*"][..]),
        prop_oneof![2 => Just(0), 1 => 0..CONDITIONS.len()],
    )
        .prop_map(|(allows, priority, whom, relation, object, condition)| Drawn {
            allows,
            priority,
            whom,
            relation,
            object,
            condition,
        })
}

fn said() -> impl Strategy<Value = Said> {
    let maybe =
        |all: &'static [&'static str]| prop::option::weighted(0.9, prop::sample::select(all));
    (
        prop::option::weighted(0.9, prop::sample::select(&[7.0, 9.0, 21.0][..])),
        maybe(&["office", "vpn", "cafe"]),
        prop::option::of(any::<bool>()),
    )
}

/// Everything that is so.
struct World {
    facts: Vec<Fact>,
    rules: Vec<Drawn>,
    /// Who was granted the role.
    auditors: BTreeSet<&'static str>,
}

impl World {
    /// Whether somebody has a relation to an object; nothing where that cannot be said.
    fn says(&self, user: &str, relation: &str, object: &str, said: Said) -> Option<bool> {
        let holds = naive(&self.facts, user);
        let has = |object: &str, relation: &str| {
            holds.iter().any(|it| it.0 == object && it.1 == relation)
        };
        let known = self.facts.iter().any(|(on, _, whom)| *on == object || whom == object);
        let is_for = |whom: &str| match whom.split_once(':').unwrap() {
            ("role", _) => self.auditors.contains(user),
            ("holder", relation) => has(object, relation),
            ("group", _) => has(whom.strip_suffix("#member").unwrap(), "member"),
            (_, "*") => user.starts_with("user:"),
            _ => whom == user,
        };
        let is_about = |about: &str| match about.strip_suffix('*') {
            Some(begin) => object.starts_with(begin),
            None => object == about,
        };
        let said: Vec<(i32, bool, Option<bool>)> = self
            .rules
            .iter()
            .filter(|it| it.relation == "*" || it.relation == relation)
            .filter(|it| object.starts_with("doc:") && is_about(it.object) && is_for(&it.whom))
            .filter(|it| !it.allows || !it.object.ends_with('*') || known)
            .map(|it| (it.priority, it.allows, CONDITIONS[it.condition].1(said)))
            .collect();
        for priority in (-1..=1).rev() {
            for allows in [false, true] {
                let of = |wanted| said.contains(&(priority, allows, wanted));
                match (of(Some(true)), of(None)) {
                    (true, _) => return Some(allows),
                    (false, true) => return None,
                    (false, false) => {}
                }
            }
        }
        Some(has(object, relation))
    }
}

/// People as `users` knows them, in the order of their stand-ins `user:0` and so on.
struct Names(Vec<String>);

impl Names {
    fn real(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (nth, id) in self.0.iter().enumerate() {
            text = text.replace(&format!("user:{nth}"), &format!("user:{id}"));
        }
        text
    }

    fn rule(&self, nth: usize, drawn: &Drawn) -> AccessRule {
        let of = |kind: &str| drawn.whom.strip_prefix(kind).unwrap_or_default().to_owned();
        let (role, holder) = (of("role:"), of("holder:"));
        let is_user = role.is_empty() && holder.is_empty();
        AccessRule {
            name: format!("r{nth}"),
            effect: if drawn.allows { Effect::Allow } else { Effect::Deny }.into(),
            priority: drawn.priority,
            user: if is_user { self.real(&drawn.whom) } else { String::new() },
            role,
            holder,
            relation: drawn.relation.into(),
            object: drawn.object.into(),
            condition: CONDITIONS[drawn.condition].0.into(),
            ..AccessRule::default()
        }
    }
}

async fn people(node: &Node) -> Names {
    let mut names = Vec::new();
    for handle in ["ada", "bob", "eve"] {
        let email = format!("{handle}@example.com");
        let user = CreateUserRequest { handle: handle.into(), email, ..Default::default() };
        names.push(node.call(&node.admin(), user).await.unwrap().user.id.clone());
    }
    let permissions = vec!["audit.entries.search".to_owned()];
    let role = CreateRoleRequest { name: ROLE.into(), permissions, ..Default::default() };
    node.call(&node.admin(), role).await.unwrap();
    Names(names)
}

/// Makes the world what it is to be, from what it was.
async fn become_so(node: &Node, names: &Names, before: &World, world: &World) -> CompareRequest {
    let text = |it: &Fact| names.real(&format!("{}#{}@{}", it.0, it.1, it.2));
    let all = |facts: &[Fact]| {
        let texts: Vec<String> = facts.iter().map(text).collect();
        relations(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let kept = |it: &Relation| !all(&world.facts).contains(it);
    let change = CompareRequest {
        writes: all(&world.facts),
        deletes: all(&before.facts).into_iter().filter(kept).collect(),
        rule_writes: world.rules.iter().enumerate().map(|(nth, it)| names.rule(nth, it)).collect(),
        rule_deletes: (world.rules.len()..before.rules.len())
            .map(|nth| format!("r{nth}"))
            .collect(),
        ..CompareRequest::default()
    };
    for who in WHO[..3].iter().copied() {
        let (user_id, role) =
            (names.0[who[5..].parse::<usize>().unwrap()].clone(), ROLE.to_owned());
        match (before.auditors.contains(who), world.auditors.contains(who)) {
            (false, true) => {
                node.call(&node.admin(), GrantRoleRequest { user_id, role }).await.unwrap();
            }
            (true, false) => {
                node.call(&node.admin(), RevokeRoleRequest { user_id, role }).await.unwrap();
            }
            _ => {}
        }
    }
    change
}

async fn write(node: &Node, change: &CompareRequest) {
    let CompareRequest { writes, deletes, rule_writes, rule_deletes, .. } = change.clone();
    let request = WriteRelationsRequest { writes, deletes, ..WriteRelationsRequest::default() };
    node.call(&node.admin(), request).await.unwrap();
    let request = WriteRulesRequest { writes: rule_writes, deletes: rule_deletes };
    node.call(&node.admin(), request).await.unwrap();
}

/// A question, and all who have to agree on it.
struct Asked<'a> {
    node: &'a Node,
    names: &'a Names,
    world: &'a World,
    user: &'static str,
    relation: &'static str,
    object: &'static str,
    said: Said,
}

impl Asked<'_> {
    fn attributes(&self) -> Struct {
        let (hour, network, badge) = self.said;
        let mut all = json!({});
        for (name, value) in [
            ("hour", hour.map(Value::from)),
            ("network", network.map(Value::from)),
            ("badge", badge.map(Value::from)),
        ] {
            if let Some(value) = value {
                all[name] = value;
            }
        }
        serde_json::from_value(all).unwrap()
    }

    fn question(&self) -> CheckRequest {
        CheckRequest {
            user: self.names.real(self.user),
            relation: self.relation.into(),
            object: self.object.into(),
            attributes: self.attributes().into(),
            ..CheckRequest::default()
        }
    }

    /// What a judgement comes to, told with all that it rests on.
    fn says(&self, user: &str, object: &str) -> Option<bool> {
        self.world.says(user, self.relation, object, self.said)
    }

    fn told(&self) -> String {
        let Self { world, user, relation, object, said, .. } = self;
        format!(
            "{object}#{relation}@{user} {said:?}: {:?} {:?} {:?}",
            world.facts, world.rules, world.auditors
        )
    }

    async fn agree(&self) {
        let (node, admin, expected) =
            (self.node, self.node.admin(), self.says(self.user, self.object));
        let check = node.call(&admin, self.question()).await;
        let told = check.as_ref().map(|reply| reply.allowed).ok();
        assert_eq!(told, expected, "{}", self.told());
        let reason = check.err().map(|error| error.reason().to_owned()).unwrap_or_default();
        let batch = BatchCheckRequest { checks: vec![self.question()] };
        let decision = node.call(&admin, batch).await.unwrap().decisions.remove(0);
        assert_eq!(
            decision,
            Decision { allowed: expected == Some(true), reason: reason.clone() },
            "{}",
            self.told()
        );
        match node.call(&admin, ExplainRequest { check: self.question().into() }).await {
            Ok(why) => {
                assert_eq!(Some(why.allowed), expected, "{}", self.told());
                let decides = why.rules.last().filter(|it| it.outcome == RuleOutcome::Applies);
                assert_eq!(decides.map_or("", |it| &*it.name), why.rule, "{}", self.told());
                match decides {
                    Some(rule) => assert_eq!(rule.effect == Effect::Allow, why.allowed),
                    None => assert_eq!(why.steps[0].holds, why.allowed),
                }
            }
            Err(error) => {
                assert_eq!((error.reason(), expected), (&*reason, None), "{}", self.told())
            }
        }
        self.objects_agree().await;
        for of in ["user", "group#member"] {
            self.users_agree(of).await;
        }
    }

    async fn objects_agree(&self) {
        let of = self.object.split(':').next().unwrap();
        let list = ListObjectsRequest {
            user: self.names.real(self.user),
            relation: self.relation.into(),
            r#type: of.into(),
            attributes: self.attributes().into(),
            ..ListObjectsRequest::default()
        };
        let all = if of == "doc" { DOCS } else { GROUPS };
        let said = all.map(|object| self.says(self.user, object));
        match self.node.call(&self.node.admin(), list).await {
            Ok(reply) => {
                let each = all.into_iter().zip(said);
                let expected: Vec<&str> =
                    each.filter(|(_, said)| *said == Some(true)).map(|(it, _)| it).collect();
                assert_eq!(reply.objects, expected, "{}", self.told());
            }
            Err(error) => {
                assert_eq!(error.reason(), "access.attribute_missing");
                assert!(said.contains(&None), "{}", self.told());
            }
        }
    }

    async fn users_agree(&self, of: &str) {
        let list = ListUsersRequest {
            object: self.object.into(),
            relation: self.relation.into(),
            r#type: of.into(),
            attributes: self.attributes().into(),
            ..ListUsersRequest::default()
        };
        let all = WHO.into_iter().filter(|who| who.ends_with("#member") == of.ends_with("#member"));
        let said: Vec<_> = all.map(|who| (who, self.says(who, self.object))).collect();
        match self.node.call(&self.node.admin(), list).await {
            Ok(reply) => {
                let listed = |who: &str| reply.users.contains(&self.names.real(who));
                let everybody = of == "user" && listed("user:*");
                for (who, said) in said {
                    let allowed = said == Some(true);
                    assert!(allowed || !listed(who), "{who} {}", self.told());
                    assert!(!allowed || listed(who) || everybody, "{who} {}", self.told());
                }
            }
            Err(error) => {
                assert_eq!(error.reason(), "access.attribute_missing");
                assert!(said.iter().any(|(_, said)| said.is_none()), "{}", self.told());
            }
        }
    }
}

both! {
    async fn all_methods_answer_as_a_simple_judge_by_relations_roles_and_rules(node: Node) {
        model(&node, MODEL).await.unwrap();
        let names = people(&node).await;
        let mut runner = stoa_testkit::fuzz::runner();
        let worlds = (
            prop::collection::vec(fact(), 0..14),
            prop::collection::vec(drawn(), 0..7),
            prop::sample::subsequence(&WHO[..3], 0..=3),
        );
        let relation = prop_oneof![3 => Just("viewer"), 4 => prop::sample::select(&RELATIONS[1..])];
        let about = prop_oneof![
            8 => (relation, prop::sample::select(&DOCS[..])),
            1 => (Just("member"), prop::sample::select(&GROUPS[..])),
        ];
        let asked = (prop::sample::select(&WHO[..]), about, said());
        let mut world = World { facts: Vec::new(), rules: Vec::new(), auditors: BTreeSet::new() };
        for _ in 0..stoa_testkit::fuzz::cases(300).div_ceil(AT_ONCE) {
            let (facts, rules, auditors) = worlds.new_tree(&mut runner).unwrap().current();
            let next = World { facts, rules, auditors: auditors.into_iter().collect() };
            let mut draw = || asked.new_tree(&mut runner).unwrap().current();
            let all: Vec<_> = (0..AT_ONCE).map(|_| draw()).collect();
            let ask = |world| {
                let (node, names) = (&node, &names);
                all.iter().map(move |(user, (relation, object), said)| Asked {
                    node, names, world, user, relation, object, said: *said,
                })
            };
            let change = become_so(&node, &names, &world, &next).await;
            // Roles are granted already; what else there will be is told before, and then so.
            let as_is = World { auditors: next.auditors.clone(), ..world };
            let checks = ask(&as_is).map(|it| it.question()).collect();
            let change = CompareRequest { checks, ..change };
            let flips = node.call(&node.admin(), change.clone()).await.unwrap().flips;
            write(&node, &change).await;
            for (was, is) in ask(&as_is).zip(ask(&next)) {
                is.agree().await;
                let flip = flips.iter().find(|flip| flip.check == is.question().into());
                let told = |it: &Decision| it.reason.is_empty().then_some(it.allowed);
                let (before, after) = (was.says(was.user, was.object), is.says(is.user, is.object));
                match flip {
                    Some(flip) => assert_eq!((told(&flip.before), told(&flip.after)), (before, after), "{}", is.told()),
                    None => assert_eq!(before, after, "{}", is.told()),
                }
            }
            world = next;
        }
    }
}
