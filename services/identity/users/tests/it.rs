//! Users, through their contract.

#![cfg(test)]

#[path = "it/preferences.rs"]
mod preferences;
#[path = "it/visibility.rs"]
mod visibility;

use std::time::Duration;

use futures::future::join_all;
use stoa_kit::{Caller, Code, Error, Result, Service};
use stoa_testkit::{Node, both};
use stoa_users_v1::{
    BatchGetUsersRequest, CreateUserRequest, DisableUserRequest, EnableUserRequest, GetUserRequest,
    ListUsersRequest, LookupUserRequest, LookupUserRequestBy, SetAdministratorRequest,
    UpdateUserRequest, User, UserState,
};

fn services() -> Vec<Service> {
    vec![stoa_users::service()]
}

stoa_testkit::compliance!(stoa_users::service, services);

async fn try_create(node: &Node, handle: &str, email: &str) -> Result<User> {
    let request = CreateUserRequest {
        handle: handle.into(),
        email: email.into(),
        ..CreateUserRequest::default()
    };
    Ok(node.call(&node.admin(), request).await?.user.into_option().unwrap())
}

async fn create(node: &Node, handle: &str) -> User {
    try_create(node, handle, &format!("{handle}@example.com")).await.unwrap()
}

async fn get(node: &Node, caller: &Caller, id: &str) -> Result<User> {
    let reply = node.call(caller, GetUserRequest { id: id.into() }).await?;
    Ok(reply.user.into_option().unwrap())
}

async fn lookup(node: &Node, login: &str) -> Option<String> {
    let by = Some(LookupUserRequestBy::Login(login.into()));
    let reply = node.call(&node.system(), LookupUserRequest { by }).await.unwrap();
    reply.user.into_option().map(|user| user.id)
}

fn mask(paths: &[&str]) -> buffa_types::google::protobuf::FieldMask {
    buffa_types::google::protobuf::FieldMask {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        ..Default::default()
    }
}

fn reason(error: &Error) -> (Code, &str) {
    (error.code(), error.reason())
}

both! {
    async fn a_handle_belongs_to_one_of_two_hundred_who_want_it(node: Node) {
        let attempts = (0..200).map(|n| {
            let handle = if n % 2 == 0 { "ada" } else { "ADA" };
            let (node, email) = (node.clone(), format!("ada{n}@example.com"));
            async move { try_create(&node, handle, &email).await }
        });
        let outcomes = join_all(attempts).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert_eq!(reason(error), (Code::AlreadyExists, "users.handle_taken"));
        }
        let all = node.call(&node.admin(), ListUsersRequest::default()).await.unwrap();
        assert_eq!(all.users.len(), 1, "the others left nothing behind");
    }
}

both! {
    async fn an_address_is_unique_whatever_its_case(node: Node) {
        let ada = try_create(&node, "ada", "Ada@Example.com").await.unwrap();
        assert_eq!(ada.email, "Ada@Example.com", "it is shown as it was written");
        let error = try_create(&node, "other", "aDA@exaMPle.com").await.unwrap_err();
        assert_eq!(reason(&error), (Code::AlreadyExists, "users.email_taken"));
        assert!(!error.to_string().to_lowercase().contains("ada@"), "{error}");
        create(&node, "other").await;
        assert_eq!(lookup(&node, " ADA ").await, Some(ada.id.clone()));
        assert_eq!(lookup(&node, "ada@example.COM").await, Some(ada.id));
        assert_eq!(lookup(&node, "nobody").await, None);
    }
}

both! {
    async fn a_name_that_was_given_back_can_be_taken(node: Node) {
        let (ada, grace) = (create(&node, "ada").await, create(&node, "grace").await);
        let rename = |id: &str, handle: &str| UpdateUserRequest {
            id: id.into(),
            handle: handle.into(),
            ..UpdateUserRequest::default()
        };
        let error = node.call(&node.admin(), rename(&ada.id, "Grace")).await.unwrap_err();
        assert_eq!(error.reason(), "users.handle_taken");
        node.call(&node.admin(), rename(&ada.id, "ADA")).await.unwrap();
        node.call(&node.admin(), rename(&ada.id, "countess")).await.unwrap();
        node.call(&node.admin(), rename(&grace.id, "ada")).await.unwrap();
        assert_eq!(lookup(&node, "ada").await, Some(grace.id));
        assert_eq!(lookup(&node, "countess").await, Some(ada.id));
        assert_eq!(lookup(&node, "grace").await, None);
    }
}

both! {
    async fn nobody_comes_to_an_account_by_another_address_for_it(node: Node) {
        let (ada, grace) = (create(&node, "ada").await, create(&node, "grace").await);
        let moved = |id: &str| UpdateUserRequest {
            id: id.into(),
            email: "mallory@example.com".into(),
            ..UpdateUserRequest::default()
        };
        let found = Caller { proof: None, ..node.user(&ada.id) };
        let helpdesk = |proof| Caller { proof, ..node.user_with("usr_help", &["users.users.*"]) };
        let fresh = node.admin().proof;
        for caller in [found.clone(), helpdesk(None)] {
            let error = node.call(&caller, moved(&ada.id)).await.unwrap_err();
            assert_eq!(reason(&error), (Code::PermissionDenied, "auth.step_up_required"));
        }
        let other_case = UpdateUserRequest { email: "ADA@example.com".into(), ..moved(&ada.id) };
        node.call(&found, other_case).await.unwrap();
        let administers = SetAdministratorRequest { id: grace.id.clone(), administrator: true };
        node.call(&node.system(), administers).await.unwrap();
        for caller in [helpdesk(fresh.clone()), node.account_with("svc_sync", &["users.users.*"])] {
            let error = node.call(&caller, moved(&grace.id)).await.unwrap_err();
            assert_eq!(reason(&error), (Code::PermissionDenied, "users.not_yours"));
        }
        node.advance(Duration::from_secs(11 * 60)).await;
        let error = node.call(&helpdesk(fresh), moved(&ada.id)).await.unwrap_err();
        assert_eq!(error.reason(), "auth.step_up_required", "the proof is old by now");
        node.call(&node.user(&ada.id), moved(&ada.id)).await.unwrap();
        assert_eq!(lookup(&node, "ada@example.com").await, None);
        let back = UpdateUserRequest { email: "ada@example.com".into(), ..moved(&ada.id) };
        node.call(&node.account_with("svc_sync", &["users.users.*"]), back).await.unwrap();
    }
}

both! {
    async fn pages_neither_repeat_nor_skip_while_users_come_and_go(node: Node) {
        for n in 0..30 {
            create(&node, &format!("user{n:02}")).await;
        }
        let (mut seen, mut token, mut round) = (Vec::new(), String::new(), 0);
        loop {
            let request = ListUsersRequest {
                page_size: 4,
                page_token: token,
                handle_prefix: "USER".into(),
                ..ListUsersRequest::default()
            };
            let page = node.call(&node.admin(), request).await.unwrap();
            assert!(page.users.len() <= 4);
            seen.extend(page.users.into_iter().map(|user| user.handle));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
            // One before the page, which must not push anybody into the next one, and one that
            // does not match.
            create(&node, &format!("user00before{round}")).await;
            create(&node, &format!("other{round}")).await;
            round += 1;
        }
        let before: Vec<_> = seen.iter().filter(|handle| handle.len() == 6).cloned().collect();
        let expected: Vec<_> = (0..30).map(|n| format!("user{n:02}")).collect();
        assert_eq!(before, expected);
        assert_eq!(before.len(), seen.len(), "whoever sorts before a page shown is not shown late");
    }
}

both! {
    async fn a_list_is_filtered_by_state_and_by_the_start_of_the_handle(node: Node) {
        let (ada, _) = (create(&node, "ada").await, create(&node, "ada-2").await);
        create(&node, "adb").await;
        node.call(&node.admin(), DisableUserRequest { id: ada.id }).await.unwrap();
        for (state, prefix, expected) in [
            (UserState::Unspecified, "", &["ada", "ada-2", "adb"][..]),
            (UserState::Unspecified, "ADA", &["ada", "ada-2"]),
            (UserState::Disabled, "", &["ada"]),
            (UserState::Active, "ada", &["ada-2"]),
            (UserState::Unspecified, "b", &[]),
        ] {
            let request = ListUsersRequest {
                state: state.into(),
                handle_prefix: prefix.into(),
                ..ListUsersRequest::default()
            };
            let users = node.call(&node.admin(), request).await.unwrap().users;
            let handles: Vec<_> = users.iter().map(|user| user.handle.as_str()).collect();
            assert_eq!(handles, expected, "{state:?} {prefix}");
        }
    }
}

both! {
    async fn somebody_else_looks_like_nobody(node: Node) {
        let (ada, grace) = (create(&node, "ada").await, create(&node, "grace").await);
        let caller = node.user(&ada.id);
        assert_eq!(get(&node, &caller, &ada.id).await.unwrap(), ada);
        let theirs = get(&node, &caller, &grace.id).await.unwrap_err();
        let nobodys = get(&node, &caller, "usr_none").await.unwrap_err();
        assert_eq!(reason(&theirs), reason(&nobodys));
        assert_eq!(theirs.message().replace(&grace.id, "usr_none"), nobodys.message());
        let all = node.call(&caller, ListUsersRequest::default()).await.unwrap();
        assert_eq!(all.users, std::slice::from_ref(&ada));
        let ids = vec![grace.id.clone(), ada.id.clone()];
        let found = node.call(&caller, BatchGetUsersRequest { ids }).await.unwrap();
        assert_eq!(found.users, std::slice::from_ref(&ada));
        let update = UpdateUserRequest {
            id: grace.id.clone(),
            display_name: "Mallory".into(),
            ..UpdateUserRequest::default()
        };
        let error = node.call(&caller, update.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        let staff = node.user_with(&ada.id, &["users.users.read_all"]);
        let error = node.call(&staff, update.clone()).await.unwrap_err();
        assert_eq!(reason(&error), (Code::PermissionDenied, "users.not_yours"));
        let staff = node.user_with(&ada.id, &["users.users.*"]);
        node.call(&staff, update).await.unwrap();
        let account = node.account_with("svc_1", &[]);
        assert_eq!(get(&node, &account, &ada.id).await.unwrap_err().code(), Code::NotFound);
        assert!(node.call(&account, ListUsersRequest::default()).await.unwrap().users.is_empty());
    }
}

both! {
    async fn a_change_names_its_fields_and_what_it_was_made_from(node: Node) {
        let ada = create(&node, "ada").await;
        let caller = node.user(&ada.id);
        let update = UpdateUserRequest {
            id: ada.id.clone(),
            display_name: "Ada".into(),
            locale: "en-GB".into(),
            preferences: [("theme".to_owned(), "dark".to_owned())].into(),
            etag: ada.etag.clone(),
            ..UpdateUserRequest::default()
        };
        let changed = node.call(&caller, update.clone()).await.unwrap().user.into_option().unwrap();
        assert_eq!((&*changed.display_name, &*changed.locale), ("Ada", "en-GB"));
        assert_eq!((&changed.handle, &changed.email), (&ada.handle, &ada.email));
        assert_eq!(changed.preferences["theme"], "dark");
        assert_ne!(changed.etag, ada.etag);

        let error = node.call(&caller, update.clone()).await.unwrap_err();
        assert_eq!(reason(&error), (Code::Aborted, "request.etag"));

        let masked = UpdateUserRequest {
            display_name: "not named".into(),
            locale: String::new(),
            etag: String::new(),
            update_mask: mask(&["locale", "preferences"]).into(),
            preferences: Default::default(),
            ..update.clone()
        };
        let changed = node.call(&caller, masked).await.unwrap().user.into_option().unwrap();
        assert_eq!((&*changed.display_name, &*changed.locale), ("Ada", ""));
        assert!(changed.preferences.is_empty());

        let empty = UpdateUserRequest {
            update_mask: mask(&["email"]).into(),
            etag: String::new(),
            ..update.clone()
        };
        let error = node.call(&caller, empty).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "email");
        let many = (0..65).map(|n| (format!("key{n}"), String::new())).collect();
        let error = node.call(&caller, UpdateUserRequest { preferences: many, ..update }).await;
        assert_eq!(error.unwrap_err().violations()[0].path, "preferences");
    }
}

both! {
    async fn one_administrator_stays_active(node: Node) {
        let (ada, bob) = (create(&node, "ada").await.id, create(&node, "bob").await.id);
        let set = async |id: &str, administrator: bool| {
            let request = SetAdministratorRequest { id: id.into(), administrator };
            node.call(&node.system(), request).await
        };
        let disable = async |id: &str| {
            node.call(&node.admin(), DisableUserRequest { id: id.into() }).await
        };
        let last = (Code::FailedPrecondition, "users.last_administrator");
        set(&ada, true).await.unwrap();
        assert_eq!(reason(&disable(&ada).await.unwrap_err()), last);
        assert_eq!(reason(&set(&ada, false).await.unwrap_err()), last);
        set(&bob, true).await.unwrap();
        disable(&bob).await.unwrap();
        assert_eq!(reason(&disable(&ada).await.unwrap_err()), last, "the other one is disabled");
        assert_eq!(reason(&set(&ada, false).await.unwrap_err()), last);
        node.call(&node.admin(), EnableUserRequest { id: bob.clone() }).await.unwrap();
        let (one, other) = futures::join!(disable(&ada), disable(&bob));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        let refused = one.err().or(other.err()).unwrap();
        assert_eq!(reason(&refused), last);
    }
}

both! {
    async fn a_user_is_disabled_and_enabled_by_others(node: Node) {
        let ada = create(&node, "ada").await;
        let disable = DisableUserRequest { id: ada.id.clone() };
        let own = node.user_with(&ada.id, &["*"]);
        let error = node.call(&own, disable.clone()).await.unwrap_err();
        assert_eq!(reason(&error), (Code::FailedPrecondition, "users.own_account"));
        let once = node.call(&node.admin(), disable.clone()).await.unwrap().user;
        let again = node.call(&node.admin(), disable).await.unwrap().user;
        assert_eq!(once, again, "disabling a disabled user changes nothing");
        assert_eq!(once.state, UserState::Disabled);
        assert_ne!(once.etag, ada.etag);
        let enable = EnableUserRequest { id: ada.id.clone() };
        let back = node.call(&node.admin(), enable).await.unwrap().user;
        assert_eq!(back.state, UserState::Active);
        let none = DisableUserRequest { id: "usr_none".into() };
        assert_eq!(node.call(&node.admin(), none).await.unwrap_err().code(), Code::NotFound);
    }
}
