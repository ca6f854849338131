//! Who sees whom: of somebody else there is what they show, wherever it is asked for.

use stoa_kit::{Caller, Code};
use stoa_testkit::{Node, both};
use stoa_users_v1::*;

use super::{get, services, try_create};

const NOBODY: Audience = Audience::Nobody;
const NEAR: Audience = Audience::Organizations;
const ALL: Audience = Audience::Everybody;

async fn person(node: &Node, handle: &str) -> String {
    let user = try_create(node, handle, &format!("{handle}@example.com")).await.unwrap();
    let update = UpdateUserRequest {
        id: user.id.clone(),
        display_name: format!("Called {handle}"),
        locale: "sv".into(),
        time_zone: "Europe/Stockholm".into(),
        ..Default::default()
    };
    node.call(&node.admin(), update).await.unwrap();
    user.id
}

async fn show(
    node: &Node, caller: &Caller, id: &str, handle: Audience, name: Audience, email: Audience,
) {
    let request = SetVisibilityRequest {
        user_id: id.into(),
        handle: handle.into(),
        display_name: name.into(),
        email: email.into(),
        ..Default::default()
    };
    node.call(caller, request).await.unwrap();
}

async fn belongs(node: &Node, user: &str, organization: &str, member: bool) {
    let (user_id, organization_id) = (user.into(), organization.into());
    let request = SetAffiliationRequest { user_id, organization_id, member, administrator: false };
    node.call(&node.system(), request).await.unwrap();
}

async fn listed(node: &Node, caller: &Caller, prefix: &str) -> Vec<String> {
    let request = ListUsersRequest { handle_prefix: prefix.into(), ..Default::default() };
    let users = node.call(caller, request).await.unwrap().users;
    users.into_iter().map(|user| user.handle).collect()
}

/// What somebody sees of another, which is the same however it is asked for.
async fn seen(node: &Node, caller: &Caller, id: &str) -> Option<User> {
    let one = get(node, caller, id).await;
    let several =
        node.call(caller, BatchGetUsersRequest { ids: vec![id.into()] }).await.unwrap().users;
    let list = node.call(caller, ListUsersRequest::default()).await.unwrap().users;
    let list: Vec<&User> = list.iter().filter(|user| user.id == id).collect();
    match &one {
        Ok(user) => {
            assert_eq!(std::slice::from_ref(user), several);
            assert_eq!(
                list.len(),
                usize::from(!user.handle.is_empty()),
                "by handles those are found who show theirs"
            );
            assert!(list.iter().all(|found| *found == user));
        }
        Err(error) => {
            assert_eq!(error.code(), Code::NotFound);
            assert!(several.is_empty() && list.is_empty());
        }
    }
    one.ok()
}

both! {
    async fn of_somebody_else_there_is_what_they_show_and_nothing_besides(node: Node) {
        let (ada, bob, eve) = (person(&node, "ada").await, person(&node, "bob").await, person(&node, "eve").await);
        belongs(&node, &ada, "org_1", true).await;
        belongs(&node, &bob, "org_1", true).await;
        belongs(&node, &eve, "org_2", true).await;
        let (near, far, account) = (node.user(&bob), node.user(&eve), node.account_with("svc_1", &[]));
        for caller in [&near, &far, &account] {
            assert_eq!(seen(&node, caller, &ada).await, None, "at first nobody does");
        }
        show(&node, &node.user(&ada), &ada, ALL, NEAR, NOBODY).await;
        let only_handle = User { id: ada.clone(), handle: "ada".into(), ..User::default() };
        for caller in [&far, &account] {
            assert_eq!(seen(&node, caller, &ada).await.as_ref(), Some(&only_handle));
        }
        let with_name = User { display_name: "Called ada".into(), ..only_handle };
        assert_eq!(seen(&node, &near, &ada).await, Some(with_name));
        // From the next call on.
        belongs(&node, &bob, "org_1", false).await;
        assert_eq!(seen(&node, &near, &ada).await.unwrap().display_name, "");
        show(&node, &node.user(&ada), &ada, NOBODY, Audience::Unspecified, NOBODY).await;
        assert_eq!(seen(&node, &near, &ada).await, None);
        belongs(&node, &bob, "org_1", true).await;
        let only_name = User { id: ada.clone(), display_name: "Called ada".into(), ..User::default() };
        assert_eq!(seen(&node, &near, &ada).await, Some(only_name), "what was not named stays");
        // Whoever may see everybody, and each themselves, see all; who is not signed in sees nothing.
        for caller in [node.admin(), node.user(&ada)] {
            let all = get(&node, &caller, &ada).await.unwrap();
            assert_eq!((&*all.email, &*all.locale, all.state), ("ada@example.com", "sv", UserState::Active.into()));
        }
        assert_eq!(get(&node, &node.nobody(), &ada).await.unwrap_err().code(), Code::Unauthenticated);
    }

    async fn a_list_tells_nothing_of_handles_that_are_not_shown(node: Node) {
        let (ada, bob, eve) = (person(&node, "ada").await, person(&node, "bob").await, person(&node, "eve").await);
        let (caller, admin) = (node.user(&eve), node.admin());
        belongs(&node, &bob, "org_1", true).await;
        belongs(&node, &eve, "org_1", true).await;
        show(&node, &admin, &ada, NOBODY, ALL, ALL).await;
        show(&node, &admin, &bob, NEAR, NOBODY, NOBODY).await;
        assert_eq!(listed(&node, &caller, "").await, ["bob", "eve"]);
        assert!(listed(&node, &caller, "ad").await.is_empty());
        assert_eq!(listed(&node, &caller, "bo").await, ["bob"]);
        show(&node, &admin, &ada, ALL, NOBODY, NOBODY).await;
        assert_eq!(listed(&node, &caller, "").await, ["ada", "bob", "eve"]);
        // Each once, on pages of one, and not by what is never shown.
        let (mut handles, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListUsersRequest { page_size: 1, page_token, ..Default::default() };
            let page = node.call(&caller, request).await.unwrap();
            handles.extend(page.users.into_iter().map(|user| user.handle));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(handles, ["ada", "bob", "eve"]);
        let active = ListUsersRequest { state: UserState::Active.into(), ..Default::default() };
        let active = node.call(&caller, active).await.unwrap().users;
        assert_eq!(active.iter().map(|user| &*user.id).collect::<Vec<_>>(), [&*eve]);
        node.call(&node.system(), DropAffiliationsRequest { organization_id: "org_1".into() }).await.unwrap();
        assert_eq!(listed(&node, &caller, "").await, ["ada", "eve"]);
    }

    async fn nobody_shows_somebody_else(node: Node) {
        let (ada, eve) = (person(&node, "ada").await, person(&node, "eve").await);
        let request = || SetVisibilityRequest { user_id: ada.clone(), email: ALL.into(), ..Default::default() };
        let look = || GetVisibilityRequest { user_id: ada.clone() };
        let eve = node.user(&eve);
        assert_eq!(node.fails(&eve, request()).await.code(), Code::NotFound);
        assert_eq!(node.fails(&eve, look()).await.code(), Code::NotFound);
        let staff = node.user_with("usr_staff", &["users.users.read_all"]);
        assert_eq!(node.fails(&staff, request()).await.reason(), "users.not_yours");
        let said = node.call(&staff, look()).await.unwrap().visibility;
        assert_eq!((said.handle, said.email), (NOBODY.into(), NOBODY.into()));
        // To see a part of somebody is no way to change them, nor to see the rest.
        show(&node, &node.user(&ada), &ada, ALL, ALL, ALL).await;
        assert_eq!(node.fails(&eve, request()).await.code(), Code::NotFound);
        let rename = UpdateUserRequest { id: ada.clone(), display_name: "Mallory".into(), ..Default::default() };
        assert_eq!(node.fails(&eve, rename).await.code(), Code::NotFound);
        let preferences = GetPreferencesRequest { user_id: ada.clone(), ..Default::default() };
        assert_eq!(node.fails(&eve, preferences).await.code(), Code::NotFound);
    }
}
