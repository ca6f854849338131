//! Clients that others wrote, as they come.

use std::process::Command;

use serde_json::json;
use stoa_oidc_v1::{ClientType, CreateClientRequest};
use stoa_testkit::{Engine, Node};

use crate::world::*;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tools");
const LOCAL: &str = "http://127.0.0.1:9/signed-in";

/// What a client is told on its command line: the provider, its clock, a session, and applications.
async fn arguments(node: &Node, issuer: &str, algorithm: CreateClientRequest) -> Vec<String> {
    set(node, "issuer", json!(issuer)).await;
    set(node, "registration_open", json!(true)).await;
    let ada = person(node, "ada").await;
    let shop = CreateClientRequest {
        redirect_uris: vec![LOCAL.into()],
        post_logout_redirect_uris: vec!["http://127.0.0.1:9/bye".into()],
        ..algorithm
    };
    let television = CreateClientRequest {
        r#type: ClientType::Public.into(),
        redirect_uris: Vec::new(),
        grant_types: vec!["urn:ietf:params:oauth:grant-type:device_code".into()],
        ..crate::world::shop()
    };
    let robot = CreateClientRequest {
        redirect_uris: Vec::new(),
        grant_types: vec!["client_credentials".into()],
        scopes: vec!["reports.read".into()],
        ..crate::world::shop()
    };
    let (shop, television, robot) =
        (app(node, shop).await, app(node, television).await, app(node, robot).await);
    let now = (node.now().0 / 1_000_000).to_string();
    let all = [
        issuer.to_owned(),
        now,
        ada.session,
        shop.client.id,
        shop.secret,
        television.client.id,
        robot.client.id,
        robot.secret,
    ];
    all.into()
}

/// Runs a client to its end.
fn passes(program: &str, script: &[&str], request: CreateClientRequest) {
    let mut client = Command::new(program);
    client.args(script);
    stoa_testkit::run(Engine::Sqlite, crate::services(), |node| async move {
        let server = node.serve().await;
        let issuer = format!("http://{}", server.address);
        client.args(arguments(&node, &issuer, request).await);
        let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "ok\n");
        server.stop().await;
    });
}

#[test]
fn openid_client_passes_every_flow() {
    passes("node", &[&format!("{HERE}/openid.mjs"), TOOLS], shop());
}

#[test]
fn authlib_passes_every_flow() {
    // With RS256, which it takes where nobody says anything else.
    let request = CreateClientRequest { id_token_algorithm: Default::default(), ..shop() };
    passes(&format!("{TOOLS}/venv/bin/python"), &[&format!("{HERE}/openid.py")], request);
}
