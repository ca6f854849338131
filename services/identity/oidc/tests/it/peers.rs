//! Providers that others wrote, as they come: a browser goes there and comes back with a session. They are
//! reached as a node reaches them, and have the time of day.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::json;
use stoa_http::{Client, Egress};
use stoa_kit::Result;
use stoa_kit::outbound::{Fetched, Hosts, Http, Outbound};
use stoa_kit::ports::Ports;
use stoa_oidc_v1::*;
use stoa_testkit::{Engine, Node, run_with_ports};
use stoa_users_v1::GetUserRequest;

use crate::elsewhere::whose;
use crate::world::*;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tools");

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

/// Runs a provider, and has so many people sign in with their accounts there; gives who they are here.
fn signs_in(command: Command, issuer_at: fn(&str) -> String, count: usize) -> Vec<String> {
    let mut subjects = Vec::new();
    let kept = &mut subjects;
    run_with_ports(Engine::Sqlite, crate::services(), ports(), |node| async move {
        let server = node.serve().await;
        let here = format!("http://{}", server.address);
        set(&node, "issuer", json!(here)).await;
        let (peer, issuer) = line(Peer::start(command)).await;
        let (mut peer, now) = line(peer).await;
        let now = Duration::from_secs(now.parse().unwrap());
        node.pass(now.saturating_sub(Duration::from_micros(node.now().0.unsigned_abs())));
        let provider = CreateProviderRequest {
            display_name: "Elsewhere".into(),
            issuer: issuer_at(&issuer),
            client_id: "stoa".into(),
            client_secret: "a secret + of 32 letters & more!".into(),
            trusts_email: true,
            creates_accounts: true,
            ..CreateProviderRequest::default()
        };
        let id = node.call(&node.admin(), provider).await.unwrap().provider.id.clone();
        peer.tell(&format!(
            "{here}/oauth2/callback/{id} {here}/oauth2/sign-in?provider={id}&return=/"
        ));
        for _ in 0..count {
            let (mut next, session) = line(peer).await;
            let found = whose(&node, &session).await;
            assert!(found.active, "{session}");
            assert_eq!(found.methods, ["provider"]);
            kept.push(user(&node, &found.subject).await);
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

async fn user(node: &Node, subject: &str) -> String {
    let id = subject.strip_prefix("user:").unwrap().to_owned();
    let user = node.call(&node.admin(), GetUserRequest { id }).await.unwrap().user;
    format!("{} {} {}", user.handle, user.email, user.display_name)
}

#[test]
fn people_sign_in_with_accounts_of_oidc_provider_also_when_its_keys_and_their_algorithm_change() {
    let mut command = Command::new("node");
    command.args([&format!("{HERE}/accounts.mjs"), TOOLS]);
    let here = signs_in(command, str::to_owned, 3);
    let ada = "ada ada@accounts.example Somebody ada";
    assert_eq!(here, [ada, ada, "bob bob@accounts.example Somebody bob"]);
}

#[test]
fn people_sign_in_with_accounts_of_oidc_provider_mock() {
    let mut command = Command::new(format!("{TOOLS}/venv/bin/python"));
    command.arg(format!("{HERE}/accounts.py"));
    let here = signs_in(command, str::to_owned, 2);
    let ada = "ada ada@accounts.example Ada Lovelace";
    assert_eq!(here, [ada, ada]);
}

#[test]
fn people_sign_in_with_accounts_of_a_provider_that_is_this_one() {
    run_with_ports(Engine::Sqlite, crate::services(), ports(), |node| async move {
        let server = node.serve().await;
        let here = format!("http://{}", server.address);
        set(&node, "issuer", json!(here)).await;
        let (ada, bob) = (person(&node, "ada").await, person(&node, "bob").await);
        // Ada's account here is linked with Bob's, as if it were elsewhere.
        let shop =
            app(&node, CreateClientRequest { redirect_uris: vec![BACK.into()], ..shop() }).await;
        let provider = CreateProviderRequest {
            display_name: "Here".into(),
            issuer: here.clone(),
            client_id: shop.client.id.clone(),
            client_secret: shop.secret.clone(),
            ..CreateProviderRequest::default()
        };
        let id = node.call(&node.admin(), provider).await.unwrap().provider.id.clone();
        let redirect = UpdateClientRequest {
            id: shop.client.id.clone(),
            redirect_uris: vec![format!("{here}/oauth2/callback/{id}")],
            ..UpdateClientRequest::default()
        };
        node.call(&node.admin(), redirect).await.unwrap();
        let caller = node.visit(&bob.session, None).await.unwrap();
        let link = LinkIdentityRequest { provider_id: id.clone(), ..Default::default() };
        let path = node.call(&caller, link).await.unwrap().path;
        let (host, port) = (server.address.to_string(), server.address.port());
        let go = async |session: &str, path: &str| {
            let cookie = format!("stoa_session_{port}={session}");
            send(&node, "GET", path, &[("host", &*host), ("cookie", &*cookie)], String::new()).await
        };
        for (first, path) in [(true, path), (false, format!("/oauth2/sign-in?provider={id}"))] {
            let sent = go(&bob.session, &path).await;
            let cookie = sent.header("set-cookie").split(';').next().unwrap().to_owned();
            let asks = sent.header("location").strip_prefix(&here).unwrap().to_owned();
            let mut back = go(&ada.session, &asks).await;
            if back.status == 200 {
                let fields = [("page", &*back.field("page")), ("decision", "allow")];
                let session = format!("stoa_session_{port}={}", ada.session);
                let headers = [("host", &*host), ("cookie", &*session)];
                back = send(&node, "POST", &back.action(), &headers, form(&fields)).await;
            }
            let back = back.header("location").strip_prefix(&here).unwrap().to_owned();
            let came =
                send(&node, "GET", &back, &[("host", &*host), ("cookie", &*cookie)], String::new())
                    .await;
            assert_eq!(came.status, 200, "{came:?}");
            let name = format!("stoa_session_{port}=");
            let session = came.header("set-cookie").strip_prefix(&name).map(str::to_owned);
            assert_eq!(session.is_none(), first, "{came:?}");
            if let Some(session) = session {
                let found = whose(&node, session.split(';').next().unwrap()).await;
                assert_eq!(found.subject, format!("user:{}", bob.id));
            }
        }
        server.stop().await;
    });
}
