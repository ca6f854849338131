//! Who belongs to what decides who sees whom: `users` is told in the commit that says so.

use stoa_kit::Caller;
use stoa_organizations_v1::*;
use stoa_testkit::{Node, both};
use stoa_users_v1::{
    Audience, BatchGetUsersRequest, DefinePreferenceRequest, DropAffiliationsRequest,
    GetPreferencesRequest, PreferenceSource, SetPreferenceRequest, SetVisibilityRequest,
    UpdateUserRequest,
};

use super::{create, id, member, person, reason, remove, services};

/// Somebody who shows their name to those of their organizations.
async fn shown(node: &Node, handle: &str) -> Caller {
    let who = person(node, handle).await;
    let name = UpdateUserRequest {
        id: id(&who),
        display_name: format!("Called {handle}"),
        ..Default::default()
    };
    node.call(&node.admin(), name).await.unwrap();
    let near = Audience::Organizations.into();
    let show = SetVisibilityRequest { user_id: id(&who), display_name: near, ..Default::default() };
    node.call(&who, show).await.unwrap();
    who
}

async fn sees(node: &Node, who: &Caller, whom: &Caller) -> Vec<String> {
    let found = node.call(who, BatchGetUsersRequest { ids: vec![id(whom)] }).await.unwrap().users;
    found.into_iter().map(|user| user.display_name).collect()
}

both! {
    async fn who_leaves_is_near_to_nobody_there_from_the_next_call_on(node: Node) {
        let ada = shown(&node, "ada").await;
        let (one, other) = (create(&node, &ada).await, create(&node, &ada).await);
        let bob = member(&node, &ada, &one, "bob", Role::Member).await;
        let eve = member(&node, &ada, &other, "eve", Role::Member).await;
        for who in [&bob, &eve] {
            assert_eq!(sees(&node, who, &ada).await, ["Called ada"]);
        }
        assert!(sees(&node, &bob, &eve).await.is_empty(), "they share nothing, and she shows nothing");
        remove(&node, &bob, &one, &bob).await.unwrap();
        assert!(sees(&node, &bob, &ada).await.is_empty());
        node.call(&ada, DeleteOrganizationRequest { id: other }).await.unwrap();
        assert!(sees(&node, &eve, &ada).await.is_empty());
    }

    async fn members_from_before_are_told_of(node: Node) {
        let ada = shown(&node, "ada").await;
        let org = create(&node, &ada).await;
        let bob = member(&node, &ada, &org, "bob", Role::Member).await;
        // As it was before `users` asked.
        let forget = DropAffiliationsRequest { organization_id: org };
        node.call(&node.system(), forget).await.unwrap();
        node.change("organizations", &node.admin(), |tx| {
            tx.execute("UPDATE organizations_member SET told = $1 WHERE tenant = :tenant AND told = $2", (false, true))
        })
        .await
        .unwrap();
        assert!(sees(&node, &bob, &ada).await.is_empty());
        node.settle().await;
        assert_eq!(sees(&node, &bob, &ada).await, ["Called ada"]);
        let left = node.rows::<(bool,)>("SELECT told FROM organizations_member").await;
        assert!(left.iter().all(|(told,)| *told));
    }

    async fn who_administers_an_organization_sets_its_preferences(node: Node) {
        let ada = person(&node, "ada").await;
        let org = create(&node, &ada).await;
        let bob = member(&node, &ada, &org, "bob", Role::Member).await;
        let schema = stoa_kit::Struct([("type".to_owned(), "string".into())].into_iter().collect());
        let default = stoa_kit::contract::open::Value("".into());
        let define = DefinePreferenceRequest {
            key: "theme".into(), schema: schema.into(), default: default.into(),
        };
        node.call(&node.admin(), define).await.unwrap();
        let set = || SetPreferenceRequest {
            key: "theme".into(),
            value: stoa_kit::contract::open::Value("dark".into()).into(),
            source: PreferenceSource::Organization.into(),
            id: org.clone(),
        };
        assert_eq!(reason(node.call(&bob, set()).await), "users.not_yours_to_set");
        node.call(&ada, set()).await.unwrap();
        let role = SetMemberRoleRequest { organization_id: org.clone(), user_id: id(&bob), role: Role::Admin.into() };
        node.call(&ada, role).await.unwrap();
        node.call(&bob, set()).await.unwrap();
        let get = GetPreferencesRequest { organization_id: org.clone(), ..Default::default() };
        let got = node.call(&bob, get).await.unwrap().preferences;
        assert_eq!(got[0].source, PreferenceSource::Organization);
    }
}
