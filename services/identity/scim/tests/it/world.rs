//! A directory with its key.

use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use stoa_auth_v1::{CreateApiKeyRequest, CreateServiceAccountRequest};
use stoa_organizations_v1::CreateOrganizationRequest;
use stoa_testkit::Node;
use stoa_users_v1::CreateUserRequest;

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(crate) const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The key of a directory, and an organization that its groups are teams of.
pub(crate) async fn directory(node: &Node) -> String {
    let owner = CreateUserRequest {
        handle: "owner".into(),
        email: "owner@example.com".into(),
        ..CreateUserRequest::default()
    };
    let owner = node.call(&node.admin(), owner).await.unwrap().user.id.clone();
    let owner = node.user_with(&owner, &["organizations.organizations.create"]);
    let create = CreateOrganizationRequest { display_name: "Works".into() };
    let organization = node.call(&owner, create).await.unwrap().organization.id.clone();
    let set = json!({"service": "scim", "name": "organization_id", "value": json!(organization).to_string()});
    node.ask(&node.admin(), "UpdateSetting", set).await.unwrap();
    key(node, "directory", &["scim.resources.provision"]).await
}

pub(crate) async fn key(node: &Node, name: &str, permissions: &[&str]) -> String {
    let account = CreateServiceAccountRequest { name: name.into(), ..Default::default() };
    let account = node.call(&node.admin(), account).await.unwrap().service_account.id.clone();
    let key = CreateApiKeyRequest {
        name: name.into(),
        service_account_id: account,
        permissions: permissions.iter().map(|one| (*one).to_owned()).collect(),
        ..Default::default()
    };
    node.call(&node.admin(), key).await.unwrap().token
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json
    }

    #[track_caller]
    pub(crate) fn fails(self, status: u16, kind: &str) {
        assert_eq!(
            (self.status.as_u16(), &self.json["status"]),
            (status, &json!(status.to_string())),
            "{self:?}"
        );
        assert_eq!(self.json["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
        let said = self.json.get("scimType").and_then(Value::as_str).unwrap_or_default();
        assert_eq!(said, kind, "{self:?}");
    }
}

pub(crate) async fn send(
    node: &Node, key: &str, verb: &str, path: &str, headers: &[(&str, &str)], body: Value,
) -> Answer {
    let mut request = Request::builder().method(verb).uri(format!("/scim/v2{path}"));
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    if !body.is_empty() {
        request = request.header("content-type", "application/scim+json");
    }
    let (head, body) = node.http(request.body(body.into()).unwrap()).await.into_parts();
    let json = serde_json::from_slice(&body).unwrap_or_default();
    Answer { status: head.status, headers: head.headers, json }
}

pub(crate) async fn get(node: &Node, key: &str, path: &str) -> Answer {
    send(node, key, "GET", path, &[], Value::Null).await
}

pub(crate) async fn post(node: &Node, key: &str, path: &str, body: Value) -> Answer {
    send(node, key, "POST", path, &[], body).await
}

/// Changes something by what changes.
pub(crate) async fn patch(node: &Node, key: &str, path: &str, operations: Value) -> Answer {
    let body = json!({"schemas": [PATCH], "Operations": operations});
    send(node, key, "PATCH", path, &[], body).await
}

/// A person whom the directory makes.
pub(crate) async fn person(node: &Node, key: &str, name: &str) -> Value {
    let body = json!({
        "schemas": [USER],
        "userName": format!("{name}@example.com"),
        "externalId": format!("e-{name}"),
        "displayName": name,
        "active": true,
    });
    post(node, key, "/Users", body).await.is(201)
}

pub(crate) fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}
