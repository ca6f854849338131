//! Somebody is erased: what was personal about them lies nowhere before, and opens nowhere after, in
//! whichever service.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use stoa_contract::Format;
use stoa_kit::outbound::{Fetched, Http, Outbound};
use stoa_kit::ports::Ports;
use stoa_kit::{Caller, Error, Service};
use stoa_node::Body;
use stoa_testkit::{Engine, Node, run_with_ports};

/// What is personal about somebody, wherever it is told: none of it may lie on a disk as it is.
const CANARIES: [&str; 20] = [
    "canary.mail@example.com",
    "Canary Displayname",
    "sv-canaryl",
    "Canary/Zone_canary",
    "canary preference",
    "canary choice",
    "canary label",
    "canary key ring",
    "203.0.113.77",
    "canary-order",
    "canary-total",
    "canary payload",
    "canary number",
    "canary.guest@example.com",
    "canary subject",
    "canary.elsewhere@example.com",
    "canary user name",
    "canary schedule",
    "canary event",
    // As JSON writes it: what is on the disk is looked for by the service itself.
    "canaryresult",
];
const PASSWORD: &str = "correct horse battery";

/// An outside that is not there.
struct Nowhere;

impl Http for Nowhere {
    fn send(&self, _: Outbound) -> BoxFuture<'static, Result<Fetched, Error>> {
        Box::pin(async { Err(Error::unavailable("http.unreachable", "nothing is outside")) })
    }
}

pub(crate) fn services() -> Vec<Service> {
    stoa::Catalogue::standard().services(&[]).unwrap()
}

/// Calls `service.Method` from somewhere.
pub(crate) async fn ask(
    node: &Node, caller: &Caller, method: &str, request: Value,
) -> Result<Value, Error> {
    let (service, name) = method.split_once('.').unwrap();
    let title = service[..1].to_uppercase() + &service[1..];
    let path = format!("stoa.{service}.v1.{title}Service/{name}");
    let registry = node.inner().registry().clone();
    let bound = registry.method(&path).expect(method);
    let request = bound.decode_request(request.to_string().as_bytes(), Format::Json)?;
    let answer = node.dispatch(&path, caller, "203.0.113.77", None, request).await?;
    let Body::Message(reply) = answer.body else { panic!("{method} streams") };
    Ok(serde_json::from_slice(&reply.encode(Format::Json)?).unwrap())
}

/// Somebody whom every service knows something about.
async fn somebody(node: &Node) -> String {
    let ada = json!({
        "handle": "ada", "email": "canary.mail@example.com", "displayName": "Canary Displayname",
        "locale": "sv-canaryl", "timeZone": "Canary/Zone_canary",
        "preferences": {"notify.email": "true", "note": "canary preference"},
    });
    let admin = node.admin();
    let id = ask(node, &admin, "users.CreateUser", ada).await.unwrap()["user"]["id"].clone();
    let password = json!({"userId": id, "password": PASSWORD});
    ask(node, &admin, "auth.SetPassword", password).await.unwrap();
    let login = json!({
        "login": "canary.mail@example.com", "password": PASSWORD, "label": "canary label",
    });
    let signed_in = ask(node, &node.nobody(), "auth.SignIn", login).await.unwrap();
    let provider = json!({"displayName": "Elsewhere", "issuer": "https://accounts.example", "clientId": "stoa"});
    let provider = ask(node, &node.admin(), "oidc.CreateProvider", provider).await.unwrap();
    let identity = json!({
        "signIn": {"providerId": provider["provider"]["id"], "userId": id, "sessionId": signed_in["session"]["id"]},
        "subject": "canary subject", "email": "canary.elsewhere@example.com",
    });
    ask(node, &node.system(), "oidc.FinishSignIn", identity).await.unwrap();
    let adopted = json!({"userId": id, "userName": "canary user name"});
    ask(node, &node.admin(), "scim.AdoptPerson", adopted).await.unwrap();
    let totp = json!({"userId": id, "secret": "AAECAwQFBgcICQoLDA0ODxAREhM="});
    ask(node, &node.system(), "auth.StoreTotp", totp).await.unwrap();
    choose(node, &id).await;
    register(node, &id).await;
    tell(node, &id).await;
    id.as_str().unwrap().to_owned()
}

/// A preference of theirs.
async fn choose(node: &Node, id: &Value) {
    let note = json!({"key": "note", "schema": {"type": "string"}, "default": ""});
    ask(node, &node.admin(), "users.DefinePreference", note).await.unwrap();
    let chosen = json!({"key": "note", "value": "canary choice"});
    ask(node, &node.user(id.as_str().unwrap()), "users.SetPreference", chosen).await.unwrap();
}

/// A passkey of theirs, that some device made.
async fn register(node: &Node, id: &Value) {
    let challenge = json!({
        "challenge": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=", "userId": id,
        "purpose": "CHALLENGE_PURPOSE_REGISTRATION",
    });
    ask(node, &node.system(), "auth.StoreChallenge", challenge).await.unwrap();
    let client_data = "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiQWdJQ0FnSUNBZ0lDQWdJQ0FnSUNBZ0lDQWdJ\
        Q0FnSUNBZ0lDQWdJQ0FnSSIsIm9yaWdpbiI6Imh0dHA6Ly9sb2NhbGhvc3Q6ODA4MCIsImNyb3NzT3JpZ2luIjpm\
        YWxzZX0";
    let attestation = "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YViYSZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2NdAAAA\
        AAAAAAAAAAAAAAAAAAAAAAAAFBYWFhYWFhYWFhYWFhYWFhYWFhYWpQECAyYgASFYIPKQEp7o3hrmVpabSMHjg-k8\
        1FfyRpHO2kfNTGeAxDKSIlggu5jA4beLxV9wPW3ncjiYdVUpv2yJUY4JDaHTDJ07S0s";
    let passkey = json!({
        "id": "FhYWFhYWFhYWFhYWFhYWFhYWFhY", "rawId": "FhYWFhYWFhYWFhYWFhYWFhYWFhY", "type": "public-key",
        "response": {"clientDataJSON": client_data, "attestationObject": attestation},
    });
    let request = json!({"passkey": passkey.to_string(), "label": "canary key ring"});
    let owner = node.user(id.as_str().unwrap());
    ask(node, &owner, "auth.FinishPasskeyRegistration", request).await.unwrap();
}

async fn tell(node: &Node, id: &Value) {
    let data = json!({"order_id": "canary-order", "total": "canary-total"});
    let told = json!({"userId": id, "template": "orders.placed", "data": data});
    ask(node, &node.system(), "notify.Notify", told).await.unwrap();
    let token = json!({"purpose": "users.invite", "subject": id, "payload": "canary payload"});
    ask(node, &node.admin(), "tokens.IssueToken", token).await.unwrap();
    let number = json!({
        "kind": "person_number", "value": "canary number", "subject": id, "purposes": ["tests"],
    });
    // Of somebody who was erased nothing is kept, and whoever tells it is told so.
    match ask(node, &node.admin(), "secrets.Wrap", number).await {
        Ok(wrapped) => {
            let id = &wrapped["reference"]["id"];
            let look = json!({"id": id, "purpose": "tests", "reason": "canary number"});
            ask(node, &node.admin(), "secrets.Unwrap", look).await.unwrap();
        }
        Err(error) => assert_eq!(error.reason(), "secrets.subject_erased"),
    }
    let host = node.user_with(id.as_str().unwrap(), &["organizations.organizations.create"]);
    let engines = json!({"displayName": "Engines"});
    let engines = ask(node, &host, "organizations.CreateOrganization", engines).await.unwrap();
    let guest = json!({
        "organizationId": engines["organization"]["id"], "email": "canary.guest@example.com",
    });
    ask(node, &host, "organizations.InviteMember", guest).await.unwrap();
    let planner = node.user_with(id.as_str().unwrap(), &["scheduler.schedules.create"]);
    let schedule = json!({
        "name": node.now().0.to_string(), "every": "86400s", "method": "users.GetUser",
        "request": {"id": "canary schedule"},
    });
    ask(node, &planner, "scheduler.CreateSchedule", schedule).await.unwrap();
    let holder = node.user_with(id.as_str().unwrap(), &["idempotence.*"]);
    let key = json!({"scope": "told", "key": node.now().0.to_string(), "fingerprint": "aGFzaA=="});
    let claimed = ask(node, &holder, "idempotence.ClaimKey", key.clone()).await.unwrap();
    let mut done = json!({"fence": claimed["first"]["fence"], "result": "canaryresult"});
    done["scope"] = key["scope"].clone();
    done["key"] = key["key"].clone();
    ask(node, &holder, "idempotence.CompleteClaim", done).await.unwrap();
    let schema = json!({"subject": "canary.noted", "schema": "{\"type\": \"object\"}"});
    ask(node, &node.admin(), "schemas.RegisterSchema", schema).await.unwrap();
    let event = json!({
        "specversion": "1.0", "source": "/tests", "id": node.now().0.to_string(), "type": "canary.noted",
        "subject": "canary-case", "person": id, "data": {"note": "canary event"},
    });
    ask(node, &node.admin(), "cases.PostEvent", event).await.unwrap();
    node.settle().await;
}

/// All that is kept about somebody, by table; they are given the same of themselves.
async fn export(node: &Node, subject: &str) -> Vec<(String, Vec<String>)> {
    let tables = ask(node, &node.admin(), "system.ListPersonalTables", json!({})).await.unwrap();
    let mut all = Vec::new();
    for table in tables["tables"].as_array().unwrap() {
        let name = table["name"].as_str().unwrap();
        let request = json!({"subject": subject, "table": name});
        let reply = ask(node, &node.admin(), "system.ExportSubject", request).await.unwrap();
        let own = json!({"table": name});
        let own = ask(node, &node.user(subject), "system.ExportSelf", own).await.unwrap();
        assert_eq!(own["rows"], reply["rows"], "{name}");
        let rows = reply["rows"].as_array().into_iter().flatten();
        let rows = rows.map(|row| row.as_str().unwrap().to_owned()).collect();
        all.push((name.to_owned(), rows));
    }
    all
}

fn story(engine: Engine) {
    // Without a mail server, mail is kept.
    let ports = Ports::default().with::<dyn Http>(Arc::new(Nowhere));
    run_with_ports(engine, services(), ports, |node| async move {
        let other = json!({"handle": "bob", "email": "bob@example.com"});
        let bob = ask(&node, &node.admin(), "users.CreateUser", other).await.unwrap();
        let id = somebody(&node).await;
        let on_disk = || node.first_on_disk(CANARIES.iter().map(|text| text.as_bytes()));
        assert_eq!(on_disk().await.map(String::from_utf8), None);
        let before = export(&node, &id).await;
        let empty = before.iter().find(|(_, rows)| rows.is_empty());
        assert_eq!(empty, None, "tell something that this table keeps about people");
        let text = format!("{before:?}");
        let missing = CANARIES.iter().find(|canary| !text.contains(**canary));
        assert_eq!(missing, None, "{text}");

        // A session that was opened a while ago neither takes them along nor erases them, nor does a key.
        let stale = Caller { proof: None, ..node.user(&id) };
        for (method, request) in
            [("ExportSelf", json!({"table": "users_user"})), ("EraseSelf", json!({}))]
        {
            let error = ask(&node, &stale, &format!("system.{method}"), request).await.unwrap_err();
            assert_eq!(error.reason(), "auth.step_up_required", "{method}");
        }
        ask(&node, &node.user(&id), "system.EraseSelf", json!({})).await.unwrap();
        ask(&node, &node.admin(), "system.EraseSubject", json!({"subject": id})).await.unwrap();
        tell(&node, &json!(id)).await;
        let after = format!("{:?}", export(&node, &id).await);
        let left = CANARIES.iter().find(|canary| after.contains(**canary));
        assert_eq!(left, None, "{after}");
        assert!(after.contains("orders.placed"), "they were told, and nobody knows what: {after}");
        assert_eq!(on_disk().await.map(String::from_utf8), None);
        let login = json!({"login": "ada", "password": PASSWORD});
        let error = ask(&node, &node.nobody(), "auth.SignIn", login).await.unwrap_err();
        assert_eq!(error.reason(), "auth.wrong_credentials");
        let get = json!({"id": bob["user"]["id"]});
        let bob = ask(&node, &node.admin(), "users.GetUser", get).await.unwrap();
        assert_eq!(bob["user"]["email"], "bob@example.com", "others stay who they are");
    });
}

mod nothing_personal_lies_on_a_disk_and_what_was_sealed_ends_with_its_key {
    use super::*;

    #[test]
    fn sqlite() {
        story(Engine::Sqlite);
    }

    #[test]
    fn postgres() {
        story(Engine::Postgres);
    }
}
