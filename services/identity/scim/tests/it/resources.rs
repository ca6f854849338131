//! What a directory makes, finds and ends.

use serde_json::{Value, json};
use stoa_auth_v1::{IntrospectTokenRequest, SetPasswordRequest, SignInRequest};
use stoa_kit::Service;
use stoa_organizations_v1::{ListMembersRequest, ListTeamMembersRequest};
use stoa_scim_v1::AdoptPersonRequest;
use stoa_testkit::both;
use stoa_users_v1::{CreateUserRequest, GetUserRequest, SetAdministratorRequest, UserState};

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn a_person_is_an_account_and_what_is_said_of_them_besides(node: Node) {
        let key = directory(&node).await;
        let body = json!({
            "schemas": [USER],
            "userName": "Ada@example.com",
            "externalId": "701984",
            "name": {"givenName": "Ada", "familyName": "Lovelace"},
            "emails": [{"value": "ada@work.example", "type": "work", "PRIMARY": true}, {"value": "a@home.example"}],
            "title": "Countess",
            "favouriteColour": "green",
        });
        let made = post(&node, &key, "/Users", body).await;
        let version = made.header("etag").to_owned();
        assert_eq!(made.header("content-type"), "application/scim+json");
        let made = made.is(201);
        let path = format!("/Users/{}", id(&made));
        assert_eq!(made["meta"]["location"], format!("/scim/v2{path}"));
        assert_eq!((&made["active"], &made["title"]), (&json!(true), &json!("Countess")));
        assert_eq!(made["emails"][0]["primary"], true);
        assert_eq!(made.get("favouriteColour"), None);
        let user = node.call(&node.admin(), GetUserRequest { id: id(&made) }).await.unwrap().user;
        assert_eq!((&*user.email, &*user.display_name, &*user.handle), ("ada@work.example", "Ada Lovelace", "Ada"));
        assert_eq!(get(&node, &key, &path).await.is(200), made);
        let same = send(&node, &key, "GET", &path, &[("if-none-match", &*version)], Value::Null).await;
        assert_eq!(same.status, 304);

        let replaced = json!({"schemas": [USER], "userName": "ada@example.com", "displayName": "A. L.",
            "emails": [{"value": "ada@work.example"}]});
        let put = send(&node, &key, "PUT", &path, &[("if-match", &*version)], replaced.clone()).await.is(200);
        assert_eq!((put.get("title"), &put["displayName"]), (None, &json!("A. L.")));
        send(&node, &key, "PUT", &path, &[("if-match", &*version)], replaced).await.fails(412, "");
        send(&node, &key, "DELETE", &path, &[("if-match", &*version)], Value::Null).await.fails(412, "");
        let user = node.call(&node.admin(), GetUserRequest { id: id(&made) }).await.unwrap().user;
        assert_eq!(user.display_name, "A. L.");

        assert_eq!(send(&node, &key, "DELETE", &path, &[], Value::Null).await.status, 204);
        get(&node, &key, &path).await.fails(404, "");
        let user = node.call(&node.admin(), GetUserRequest { id: id(&made) }).await.unwrap().user;
        assert_eq!(user.state, UserState::Disabled);
        let secrets = ["Countess", "a@home.example", "701984"].map(str::as_bytes);
        assert_eq!(node.first_on_disk(secrets.into_iter()).await, None);
    }
}

both! {
    async fn who_is_not_active_has_no_session_from_that_commit_on(node: Node) {
        let key = directory(&node).await;
        let ada = person(&node, &key, "ada").await;
        let password = "correct horse battery".to_owned();
        let set = SetPasswordRequest { user_id: id(&ada), password: password.clone() };
        node.call(&node.admin(), set).await.unwrap();
        let sign_in = SignInRequest { login: "ada@example.com".into(), password, ..Default::default() };
        let token = node.call(&node.nobody(), sign_in.clone()).await.unwrap().token;
        let active = async || {
            let ask = IntrospectTokenRequest { token: token.clone() };
            node.call(&node.admin(), ask).await.unwrap().active
        };
        assert!(active().await);
        let path = format!("/Users/{}", id(&ada));
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        assert_eq!(patch(&node, &key, &path, off).await.is(200)["active"], false);
        assert!(!active().await);
        assert_eq!(node.fails(&node.nobody(), sign_in.clone()).await.reason(), "auth.user_disabled");
        let on = json!([{"op": "replace", "path": "active", "value": true}]);
        patch(&node, &key, &path, on).await.is(200);
        // It does not come back with its user.
        assert!(!active().await);
        node.call(&node.nobody(), sign_in).await.unwrap();
    }
}

both! {
    async fn no_account_is_taken_over_and_none_is_seen_that_the_directory_did_not_make(node: Node) {
        let key = directory(&node).await;
        let root = CreateUserRequest { handle: "root".into(), email: "root@example.com".into(), ..Default::default() };
        let root = node.call(&node.admin(), root).await.unwrap().user.id.clone();
        let admin = SetAdministratorRequest { id: root.clone(), administrator: true };
        node.call(&node.system(), admin).await.unwrap();
        let body = |name: &str| json!({"schemas": [USER], "userName": name, "emails": [{"value": "root@example.com"}]});
        post(&node, &key, "/Users", body("root")).await.fails(409, "uniqueness");
        let ada = person(&node, &key, "ada").await;
        let path = format!("/Users/{}", id(&ada));
        send(&node, &key, "PUT", &path, &[], body("ada@example.com")).await.fails(409, "uniqueness");
        post(&node, &key, "/Users", json!({"schemas": [USER], "userName": "ADA@example.com"})).await.fails(409, "uniqueness");
        for (verb, body) in [("GET", Value::Null), ("PUT", body("x")), ("DELETE", Value::Null)] {
            send(&node, &key, verb, &format!("/Users/{root}"), &[], body).await.fails(404, "");
        }
        assert_eq!(get(&node, &key, "/Users").await.is(200)["totalResults"], 1);
        // Until an administrator gives it to the directory.
        let adopt = AdoptPersonRequest { user_id: root.clone(), user_name: "root".into() };
        node.call(&node.admin(), adopt.clone()).await.unwrap();
        assert_eq!(node.fails(&node.admin(), adopt).await.reason(), "scim.uniqueness");
        let found = get(&node, &key, "/Users?filter=userName%20eq%20%22root%22").await.is(200);
        assert_eq!(found["Resources"][0]["emails"][0]["value"], "root@example.com");
        // The last administrator stays, whoever asks.
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        patch(&node, &key, &format!("/Users/{root}"), off).await.fails(403, "");
        // Nor does a directory come to an administrator's account by another address for it.
        let mut moved = body("root");
        moved["emails"][0]["value"] = json!("mallory@example.com");
        send(&node, &key, "PUT", &format!("/Users/{root}"), &[], moved).await.fails(403, "");
        // Nor is anybody let in who has no key for this.
        let other = crate::world::key(&node, "other", &["users.users.create"]).await;
        assert_eq!(get(&node, "", "/Users").await.status, 401);
        assert_eq!(get(&node, "stoa_k_main_0", "/Users").await.status, 401);
        get(&node, &other, "/Users").await.fails(403, "");
    }
}

both! {
    async fn people_are_found_by_filters_in_pages_and_in_order(node: Node) {
        let key = directory(&node).await;
        for name in ["cleo", "ada", "bob"] {
            person(&node, &key, name).await;
        }
        let names = async |query: &str| {
            let found = get(&node, &key, &format!("/Users?{query}")).await.is(200);
            let names = found["Resources"].as_array().unwrap().iter();
            let mut names: Vec<String> = names.map(|one| one["displayName"].as_str().unwrap().to_owned()).collect();
            if !query.contains("sortBy") {
                names.sort();
            }
            (found["totalResults"].as_i64().unwrap(), names.join(" "))
        };
        for (filter, expected) in [
            ("userName eq \"ADA@example.com\"", "ada"),
            ("userName Eq \"ad\"", ""),
            ("externalId eq \"e-bob\"", "bob"),
            ("externalId eq \"E-bob\"", ""),
            ("displayName sw \"c\" or displayName co \"o\"", "bob cleo"),
            ("not (displayName eq \"ada\") and active eq true", "bob cleo"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:displayName ew \"a\"", "ada"),
            ("title pr", ""),
            ("displayName gt \"ada\" and displayName le \"bob\"", "bob"),
            ("meta.resourceType eq \"User\" and (displayName eq \"ada\")", "ada"),
        ] {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
            assert_eq!(names(&query).await.1, expected, "{filter}");
        }
        // Pages are of one order, and together all there is.
        let mut pages = Vec::new();
        for start in 1..=3 {
            pages.push(names(&format!("startIndex={start}&count=1")).await.1);
        }
        pages.sort();
        assert_eq!(pages, ["ada", "bob", "cleo"]);
        assert_eq!(names("count=0").await, (3, String::new()));
        assert_eq!(names("startIndex=-4&count=3").await, (3, "ada bob cleo".into()));
        assert_eq!(names("sortBy=displayName").await.1, "ada bob cleo");
        assert_eq!(names("sortBy=userName&sortOrder=descending&count=2").await, (3, "cleo bob".into()));
        let cut = get(&node, &key, "/Users?attributes=userName,name.givenName").await.is(200);
        let first = cut["Resources"][0].as_object().unwrap();
        assert_eq!(first.keys().collect::<Vec<_>>(), ["id", "schemas", "userName"]);
        let cut = get(&node, &key, "/Users?excludedAttributes=userName,meta").await.is(200);
        assert_eq!((cut["Resources"][0].get("userName"), cut["Resources"][0].get("meta")), (None, None));
        for filter in ["userName", "userName eq", "colour eq \"red\"", "userName eq \"a", "userName zz \"a\"",
            "(userName eq \"a\"", "userName eq \"a\" userName", "emails[colour eq \"x\"]", "name.colour pr", "\"a\" eq userName"] {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
            get(&node, &key, &format!("/Users?{query}")).await.fails(400, "invalidFilter");
        }
        get(&node, &key, "/Users?count=many").await.fails(400, "invalidValue");
        let deep = format!("/Users?filter={}", "not%20(".repeat(40));
        get(&node, &key, &deep).await.fails(400, "invalidFilter");
    }
}

both! {
    async fn a_group_is_a_team_whose_members_the_directory_made(node: Node) {
        let key = directory(&node).await;
        let (ada, bob) = (person(&node, &key, "ada").await, person(&node, &key, "bob").await);
        let member = |one: &Value| json!({"value": one["id"]});
        let body = json!({"schemas": [GROUP], "displayName": "Engines", "externalId": "g-1", "members": [member(&ada)]});
        let made = post(&node, &key, "/Groups", body).await.is(201);
        let path = format!("/Groups/{}", id(&made));
        assert_eq!(made["members"][0]["value"], ada["id"]);
        let team = async || {
            let list = ListTeamMembersRequest { team_id: id(&made), ..Default::default() };
            let all = node.call(&node.admin(), list).await.unwrap().members;
            all.into_iter().map(|one| one.user_id).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(team().await, [id(&ada)].into());
        let add = json!([{"op": "Add", "path": "members", "value": [member(&bob)]}]);
        patch(&node, &key, &path, add.clone()).await.is(200);
        patch(&node, &key, &path, add).await.is(200);
        assert_eq!(team().await, [id(&ada), id(&bob)].into());
        let remove = json!([{"op": "Remove", "path": format!("members[value eq \"{}\"]", id(&ada))}]);
        patch(&node, &key, &path, remove).await.is(200);
        assert_eq!(team().await, [id(&bob)].into());
        let remove = json!([{"op": "Remove", "path": "members", "value": [member(&bob)]}]);
        assert_eq!(patch(&node, &key, &path, remove).await.is(200).get("members"), None);
        let stranger = json!([{"op": "add", "path": "members", "value": [{"value": "usr_none"}]},
            {"op": "replace", "path": "displayName", "value": "Looms"}]);
        patch(&node, &key, &path, stranger).await.fails(400, "invalidValue");
        assert_eq!(get(&node, &key, &path).await.is(200)["displayName"], "Engines");
        // They stay in the organization, and may nothing more.
        let found = node.call(&node.admin(), ListMembersRequest {
            organization_id: organization(&node).await, ..Default::default()
        }).await.unwrap().members;
        assert_eq!(found.len(), 3);
        assert_eq!(send(&node, &key, "DELETE", &path, &[], Value::Null).await.status, 204);
        get(&node, &key, &path).await.fails(404, "");
    }
}

async fn organization(node: &stoa_testkit::Node) -> String {
    let all = stoa_organizations_v1::ListOrganizationsRequest::default();
    node.call(&node.admin(), all).await.unwrap().organizations[0].id.clone()
}

both! {
    async fn what_is_no_request_is_refused_in_the_words_of_scim(node: Node) {
        let key = directory(&node).await;
        for path in ["/Users/usr_none", "/Things", "/Users/a/b", "/Schemas/none", "/ResourceTypes/None", ""] {
            get(&node, &key, path).await.fails(404, "");
        }
        for (verb, path) in [("POST", "/Schemas"), ("DELETE", "/ServiceProviderConfig"), ("PUT", "/Users"), ("POST", "/Users/x")] {
            send(&node, &key, verb, path, &[], json!({})).await.fails(405, "");
        }
        for path in ["/Bulk", "/Me", "/.search"] {
            post(&node, &key, path, json!({})).await.fails(501, "");
        }
        post(&node, &key, "/Users", json!([])).await.fails(400, "invalidSyntax");
        post(&node, &key, "/Users", json!({"userName": 7, "emails": []})).await.fails(400, "invalidValue");
        post(&node, &key, "/Users", json!({"emails": [{"value": "a@example.com"}]})).await.fails(400, "invalidValue");
        post(&node, &key, "/Users", json!({"userName": "no address"})).await.fails(400, "invalidValue");
        post(&node, &key, "/Users", json!({"userName": "ada", "emails": [{"value": "nonsense"}]})).await.fails(400, "invalidValue");
        let config = get(&node, &key, "/ServiceProviderConfig").await.is(200);
        assert_eq!(config["patch"]["supported"], true);
    }
}
