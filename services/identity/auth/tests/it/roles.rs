//! Roles, and who has them.

use stoa_auth_v1::{
    CreateRoleRequest, DeleteRoleRequest, GrantRoleRequest, ListRoleGrantsRequest,
    ListRolesRequest, PrepareSetupRequest, RevokeRoleRequest, SetUpRequest, UpdateRoleRequest,
};
use stoa_kit::{Caller, Code, Service};
use stoa_testkit::{Node, both};
use stoa_users_v1::{DisableUserRequest, EnableUserRequest};

use crate::{PASSWORD, bearer, create, fails, grant, person, sign_in, texts};

fn services() -> Vec<Service> {
    crate::services()
}

fn update(name: &str, permissions: &[&str]) -> UpdateRoleRequest {
    UpdateRoleRequest {
        name: name.into(),
        permissions: texts(permissions),
        ..UpdateRoleRequest::default()
    }
}

fn named(role: &str, user: &str) -> GrantRoleRequest {
    GrantRoleRequest { role: role.into(), user_id: user.into() }
}

fn taken(role: &str, user: &str) -> RevokeRoleRequest {
    RevokeRoleRequest { role: role.into(), user_id: user.into() }
}

/// The first administrator, signed in.
async fn administrator(node: &Node) -> Caller {
    let code_hash = blake3::hash(b"code").as_bytes().to_vec();
    node.call(&node.system(), PrepareSetupRequest { code_hash }).await.unwrap();
    let request = SetUpRequest {
        code: "code".into(),
        handle: "root".into(),
        email: "root@example.com".into(),
        password: PASSWORD.into(),
        ..SetUpRequest::default()
    };
    node.call(&node.nobody(), request).await.unwrap();
    let token = sign_in(node, "root", PASSWORD).await.unwrap().token;
    bearer(node, &token).await.unwrap()
}

both! {
    async fn a_role_grants_by_wildcards_and_from_the_next_call_on(node: Node) {
        let ada = person(&node, "ada").await;
        let token = sign_in(&node, "ada", PASSWORD).await.unwrap().token;
        let may = async |permission: &str| bearer(&node, &token).await.unwrap().may(permission);
        assert!(!may("orders.carts.list").await);
        grant(&node, &ada, "lister", &["*.carts.list", "catalog.*"]).await;
        assert!(may("orders.carts.list").await && may("catalog.products.create").await);
        assert!(!may("orders.carts.create").await && !may("orders.orders.list").await);
        assert!(!may("catalog").await);
        node.call(&node.admin(), update("lister", &["orders.carts.create"])).await.unwrap();
        assert!(may("orders.carts.create").await && !may("orders.carts.list").await);
        node.call(&node.admin(), taken("lister", &ada)).await.unwrap();
        assert!(!may("orders.carts.create").await);
        node.call(&node.admin(), named("lister", &ada)).await.unwrap();
        node.call(&node.admin(), named("lister", &ada)).await.unwrap();
        assert!(may("orders.carts.create").await);
        node.call(&node.admin(), DeleteRoleRequest { name: "lister".into() }).await.unwrap();
        assert!(!may("orders.carts.create").await);
        let left = node.call(&node.admin(), ListRoleGrantsRequest::default()).await.unwrap();
        assert!(left.role_grants.is_empty(), "a role that is gone is nobody's");
    }
}

both! {
    async fn nobody_hands_out_or_takes_what_they_do_not_have(node: Node) {
        let (ada, eve) = (create(&node, "ada").await, create(&node, "eve").await);
        grant(&node, &ada, "seller", &["orders.*"]).await;
        let caller = node.user_with(&eve, &["auth.roles.*", "orders.*.list"]);
        let new = |permissions: &[&str]| CreateRoleRequest {
            name: "mine".into(),
            description: String::new(),
            permissions: texts(permissions),
        };
        for wanted in [&["*"][..], &["orders.*"], &["*.*.list"], &["auth.*"]] {
            let outcome = node.call(&caller, new(wanted)).await;
            fails(outcome, Code::PermissionDenied, "auth.escalation");
        }
        node.call(&caller, new(&["orders.carts.list", "auth.roles.grant"])).await.unwrap();
        let escalations = [
            node.call(&caller, named("seller", &eve)).await.err(),
            node.call(&caller, taken("seller", &ada)).await.err(),
            node.call(&caller, update("seller", &["orders.carts.list"])).await.err(),
            node.call(&caller, update("mine", &["orders.*"])).await.err(),
            node.call(&caller, DeleteRoleRequest { name: "seller".into() }).await.err(),
        ];
        for error in escalations {
            assert_eq!(error.unwrap().reason(), "auth.escalation");
        }
        node.call(&caller, named("mine", &eve)).await.unwrap();
        node.call(&caller, update("mine", &["orders.carts.list"])).await.unwrap();
    }
}

both! {
    async fn one_administrator_always_stays(node: Node) {
        let root = administrator(&node).await;
        let first = root.user().unwrap().to_owned();
        let outcome = node.call(&root, taken("administrator", &first)).await;
        fails(outcome, Code::FailedPrecondition, "users.last_administrator");
        assert!(node.call(&root, ListRolesRequest::default()).await.unwrap().roles[0].built_in);
        let outcome = node.call(&root, update("administrator", &["orders.*"])).await;
        fails(outcome, Code::FailedPrecondition, "auth.role_built_in");
        let outcome = node.call(&root, DeleteRoleRequest { name: "administrator".into() }).await;
        fails(outcome, Code::FailedPrecondition, "auth.role_built_in");
        let second = create(&node, "second").await;
        node.call(&root, named("administrator", &second)).await.unwrap();
        node.call(&root, DisableUserRequest { id: second.clone() }).await.unwrap();
        for outcome in [
            node.call(&root, taken("administrator", &first)).await.err(),
            node.call(&node.admin(), DisableUserRequest { id: first.clone() }).await.err(),
        ] {
            assert_eq!(outcome.unwrap().reason(), "users.last_administrator", "one who is active");
        }
        node.call(&root, EnableUserRequest { id: second.clone() }).await.unwrap();
        node.call(&root, taken("administrator", &first)).await.unwrap();
        let outcome = node.call(&node.admin(), taken("administrator", &second)).await;
        fails(outcome, Code::FailedPrecondition, "users.last_administrator");
    }
}

both! {
    async fn of_two_administrators_who_depose_each_other_one_stays(node: Node) {
        let root = administrator(&node).await;
        let (first, second) = (root.user().unwrap().to_owned(), create(&node, "second").await);
        node.call(&root, named("administrator", &second)).await.unwrap();
        let (admin, one, other) = (node.admin(), taken("administrator", &first), taken("administrator", &second));
        let (one, other) = futures::join!(node.call(&admin, one), node.call(&admin, other));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    }
}

both! {
    async fn a_role_is_named_once_and_changed_as_it_was_read(node: Node) {
        grant(&node, &create(&node, "ada").await, "seller", &["orders.*"]).await;
        let again = CreateRoleRequest {
            name: "seller".into(),
            description: String::new(),
            permissions: texts(&["orders.*"]),
        };
        let outcome = node.call(&node.admin(), again.clone()).await;
        fails(outcome, Code::AlreadyExists, "auth.role_exists");
        let reserved = CreateRoleRequest { name: "administrator".into(), ..again };
        let outcome = node.call(&node.admin(), reserved).await;
        fails(outcome, Code::FailedPrecondition, "auth.role_built_in");
        let etag = node.call(&node.admin(), ListRolesRequest::default()).await.unwrap().roles[0].etag.clone();
        let change = UpdateRoleRequest { etag, ..update("seller", &["orders.carts.*"]) };
        let changed = node.call(&node.admin(), change.clone()).await.unwrap();
        assert_eq!(changed.role.permissions, ["orders.carts.*"]);
        let outcome = node.call(&node.admin(), change).await;
        fails(outcome, Code::Aborted, "request.etag");
        let outcome = node.call(&node.admin(), named("none", "usr_1")).await;
        fails(outcome, Code::NotFound, "resource.not_found");
        let outcome = node.call(&node.admin(), named("seller", "usr_none")).await;
        fails(outcome, Code::NotFound, "resource.not_found");
    }
}

both! {
    async fn a_user_sees_their_own_roles_only(node: Node) {
        let (ada, eve) = (create(&node, "ada").await, create(&node, "eve").await);
        grant(&node, &ada, "a", &["orders.*"]).await;
        grant(&node, &ada, "b", &["orders.*"]).await;
        grant(&node, &eve, "c", &["orders.*"]).await;
        node.call(&node.admin(), named("a", &eve)).await.unwrap();
        let ask = async |caller: &Caller, user: &str, role: &str| {
            let request = ListRoleGrantsRequest {
                user_id: user.into(),
                role: role.into(),
                page_size: 1,
                ..ListRoleGrantsRequest::default()
            };
            let pages = node.pages(caller, request).await.unwrap();
            let grants = pages.into_iter().flat_map(|page| page.role_grants);
            grants.map(|grant| (grant.user_id, grant.role)).collect::<Vec<_>>()
        };
        let own = |user: &str, roles: &[&str]| -> Vec<(String, String)> {
            roles.iter().map(|role| (user.to_owned(), (*role).to_owned())).collect()
        };
        let caller = node.user(&ada);
        assert_eq!(ask(&caller, "", "").await, own(&ada, &["a", "b"]));
        assert_eq!(ask(&caller, &ada, "b").await, own(&ada, &["b"]));
        assert!(ask(&caller, &eve, "").await.is_empty());
        let admin = node.admin();
        assert_eq!(ask(&admin, &eve, "").await, own(&eve, &["a", "c"]));
        let mut both = [own(&ada, &["a"]), own(&eve, &["a"])].concat();
        both.sort();
        assert_eq!(ask(&admin, "", "a").await, both);
        assert_eq!(ask(&admin, "", "").await.len(), 4);
    }
}
