//! Providers that others wrote, as they come: a browser goes there and comes back with a session. They are
//! reached as a node reaches them, and have the time of day.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::Request;
use serde_json::{Value, json};
use stoa_http::{Client, Egress};
use stoa_kit::Result;
use stoa_kit::outbound::{Fetched, Hosts, Http, Outbound};
use stoa_kit::ports::Ports;
use stoa_testkit::{Engine, Node, run_with_ports};

use crate::erase::{ask, services};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools");

/// A provider with a browser: what it is told, and what it says.
struct Peer {
    process: Child,
    told: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Peer {
    fn start(mut command: Command) -> Self {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let told = process.stdin.take().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, told, said }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.told, "{line}").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // One that has ended already is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The next line that a provider says, while the node goes on.
async fn line(peer: Peer) -> (Peer, String) {
    let next = move || {
        let mut peer = peer;
        let line = peer.line();
        (peer, line)
    };
    tokio::task::spawn_blocking(next).await.unwrap()
}

/// Reaches this machine in the clear at whichever port the system gave, as where an administrator names it.
struct Nearby;

impl Http for Nearby {
    fn send(&self, outbound: Outbound) -> BoxFuture<'static, Result<Fetched>> {
        let port = outbound.request.uri().authority().unwrap().to_string();
        let egress = Egress {
            hosts: Hosts::parse([&*port]).unwrap(),
            networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            plain: Hosts::parse([&*port]).unwrap(),
            roots: String::new(),
        };
        Client::new(egress, stoa_http::system()).unwrap().send(outbound)
    }
}

fn ports() -> Ports {
    Ports::default().with::<dyn Http>(Arc::new(Nearby))
}

/// Asks as an administrator.
async fn admin(node: &Node, method: &str, request: Value) -> Value {
    ask(node, &node.admin(), method, request).await.unwrap()
}

/// Says where the node is.
async fn open(node: &Node, here: &str) {
    let value = json!(here).to_string();
    let set = json!({"service": "oidc", "name": "issuer", "value": value});
    admin(node, "system.UpdateSetting", set).await;
}

/// Runs a provider, and has so many people sign in with their accounts there; gives who they are here.
fn signs_in(command: Command, count: usize) -> Vec<String> {
    let mut subjects = Vec::new();
    let kept = &mut subjects;
    run_with_ports(Engine::Sqlite, services(), ports(), |node| async move {
        let server = node.serve().await;
        let here = format!("http://{}", server.address);
        open(&node, &here).await;
        let (peer, issuer) = line(Peer::start(command)).await;
        let (mut peer, now) = line(peer).await;
        let now = Duration::from_secs(now.parse().unwrap());
        node.pass(now.saturating_sub(Duration::from_micros(node.now().0.unsigned_abs())));
        let provider = json!({
            "displayName": "Elsewhere", "issuer": issuer, "clientId": "stoa",
            "clientSecret": "a secret + of 32 letters & more!", "trustsEmail": true,
            "createsAccounts": true,
        });
        let made = admin(&node, "oidc.CreateProvider", provider).await;
        let id = made["provider"]["id"].as_str().unwrap();
        peer.tell(&format!(
            "{here}/oauth2/callback/{id} {here}/oauth2/sign-in?provider={id}&return=/"
        ));
        for _ in 0..count {
            let (mut next, session) = line(peer).await;
            let found = admin(&node, "auth.IntrospectToken", json!({"token": session})).await;
            assert_eq!(found["active"], true, "{session}");
            assert_eq!(found["methods"], json!(["provider"]));
            let id = found["subject"].as_str().unwrap().strip_prefix("user:");
            let user = admin(&node, "users.GetUser", json!({"id": id})).await["user"].clone();
            let text = |name: &str| user[name].as_str().unwrap().to_owned();
            kept.push(format!("{} {} {}", text("handle"), text("email"), text("displayName")));
            // Longer than between two looks at the list of keys.
            node.pass(Duration::from_secs(11));
            next.tell("on");
            peer = next;
        }
        drop(peer);
        server.stop().await;
    });
    subjects
}

#[test]
fn people_sign_in_with_accounts_of_oidc_provider_also_when_its_keys_and_their_algorithm_change() {
    let mut command = Command::new("node");
    command.args([&format!("{HERE}/accounts.mjs"), TOOLS]);
    let ada = "ada ada@accounts.example Somebody ada";
    assert_eq!(signs_in(command, 3), [ada, ada, "bob bob@accounts.example Somebody bob"]);
}

#[test]
fn people_sign_in_with_accounts_of_oidc_provider_mock() {
    let mut command = Command::new(format!("{TOOLS}/venv/bin/python"));
    command.arg(format!("{HERE}/accounts.py"));
    let ada = "ada ada@accounts.example Ada Lovelace";
    assert_eq!(signs_in(command, 2), [ada, ada]);
}

/// Somebody who is signed in: who they are, and the token and the identifier of their session.
async fn person(node: &Node, handle: &str) -> (String, String, String) {
    let user = json!({"handle": handle, "email": format!("{handle}@example.com")});
    let id = admin(node, "users.CreateUser", user).await["user"]["id"].as_str().unwrap().to_owned();
    let password = "correct horse battery";
    admin(node, "auth.SetPassword", json!({"userId": id, "password": password})).await;
    let login = json!({"login": handle, "password": password});
    let opened = ask(node, &node.nobody(), "auth.SignIn", login).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (id, text(&opened["token"]), text(&opened["session"]["id"]))
}

/// Follows an address with a cookie; gives where it leads, or else the page, and the cookie that is set.
async fn go(node: &Node, host: &str, cookie: &str, path: &str) -> (String, String) {
    let request = Request::builder().uri(path).header("host", host).header("cookie", cookie);
    let (head, body) = node.http(request.body(Bytes::new()).unwrap()).await.into_parts();
    let text = |name: &str| {
        head.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let set = text("set-cookie").split(';').next().unwrap().to_owned();
    match head.status.as_u16() {
        303 => (text("location"), set),
        200 => (String::from_utf8(body.to_vec()).unwrap(), set),
        status => panic!("{status} {}", String::from_utf8_lossy(&body)),
    }
}

#[test]
fn people_sign_in_with_accounts_of_a_provider_that_is_this_one() {
    run_with_ports(Engine::Sqlite, services(), ports(), |node| async move {
        let server = node.serve().await;
        let (host, here) = (server.address.to_string(), format!("http://{}", server.address));
        open(&node, &here).await;
        let ((_, ada, _), (bob_id, bob, bob_session)) =
            (person(&node, "ada").await, person(&node, "bob").await);
        // Ada's account here is linked with Bob's, as if it were elsewhere.
        let client =
            json!({"name": "Here", "redirectUris": ["https://here.example/"], "firstParty": true});
        let made = admin(&node, "oidc.CreateClient", client).await;
        let provider = json!({
            "displayName": "Here", "issuer": here, "clientId": made["client"]["id"],
            "clientSecret": made["secret"],
        });
        let provider = admin(&node, "oidc.CreateProvider", provider).await;
        let id = provider["provider"]["id"].as_str().unwrap();
        let update = json!({
            "id": made["client"]["id"], "redirectUris": [format!("{here}/oauth2/callback/{id}")],
        });
        admin(&node, "oidc.UpdateClient", update).await;
        let link = json!({"providerId": id});
        let caller = node.visit(&bob, None).await.unwrap();
        assert_eq!(*caller.credential, *bob_session);
        let link = ask(&node, &caller, "oidc.LinkIdentity", link).await.unwrap();
        let port = server.address.port();
        let as_of = |session: &str| format!("stoa_session_{port}={session}");
        let own = |address: &str| address.strip_prefix(&here).unwrap().to_owned();
        let first = link["path"].as_str().unwrap().to_owned();
        for path in [first, format!("/oauth2/sign-in?provider={id}")] {
            let links = path.contains("link=");
            let (asks, browser) = go(&node, &host, &as_of(&bob), &path).await;
            let (back, _) = go(&node, &host, &as_of(&ada), &own(&asks)).await;
            let (_, session) = go(&node, &host, &browser, &own(&back)).await;
            let session = session.strip_prefix(&as_of("")).map(str::to_owned);
            assert_eq!(session.is_none(), links);
            if let Some(token) = session {
                let found = admin(&node, "auth.IntrospectToken", json!({"token": token})).await;
                assert_eq!(found["subject"], format!("user:{bob_id}"));
            }
        }
        server.stop().await;
    });
}
