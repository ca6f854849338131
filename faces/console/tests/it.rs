//! The console: files for everybody, and sessions for pages of the node alone.

#![cfg(test)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_auth_v1::{ConfirmTotpRequest, SetPasswordRequest, StoreTotpRequest};
use stoa_console::Console;
use stoa_node::{Listen, Origins, Port, Proxies};
use stoa_testkit::{Engine, Node, run};
use stoa_users_v1::CreateUserRequest;

const PASSWORD: &str = "correct horse battery";
const HOME: &str = "localhost:8080";

/// A node, as a browser sees it.
struct Browser {
    port: Arc<Port>,
    node: Node,
}

struct Said {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Said {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The reason of a refusal, by the console or by RPC.
    fn reason(&self) -> String {
        let json = self.json();
        let details = json["details"].as_array().into_iter().flatten();
        let of_rpc = details.map(|detail| &detail["debug"]["reason"]).find(|it| it.is_string());
        of_rpc.unwrap_or(&json["reason"]).as_str().unwrap_or_default().to_owned()
    }

    /// The cookie that a browser sends from now on.
    fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

impl Browser {
    async fn send(&self, request: Builder, body: impl Into<Bytes>) -> Said {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let answer = self.port.answer(peer, request.body(body.into()).unwrap()).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Said { status: head.status, headers: head.headers, body }
    }

    async fn get(&self, path: &str) -> Said {
        self.send(Request::get(path), "").await
    }

    async fn sign_in(&self, request: Builder, password: &str) -> Said {
        let ada = json!({"login": "ada", "password": password}).to_string();
        self.send(request.header("content-type", "application/json"), ada).await
    }

    /// Asks who calls, by RPC.
    async fn who(&self, headers: &[(&str, &str)]) -> Said {
        let request = Request::post("/stoa.auth.v1.AuthService/WhoAmI");
        let request = request.header("content-type", "application/json");
        let add = |request: Builder, (name, value): &(&str, &str)| request.header(*name, *value);
        self.send(headers.iter().fold(request, add), "{}").await
    }
}

/// A request of the console's page.
fn session(method: &str, host: &str) -> Builder {
    let request = Request::builder().method(method).uri("/-/session");
    request.header("host", host).header("stoa-credential", "cookie")
}

/// Runs a test on a port with the console, where somebody can sign in.
fn with_console(test: impl AsyncFnOnce(Browser)) {
    let services = vec![
        stoa_auth::service(),
        stoa_notify::service(),
        stoa_tokens::service(),
        stoa_users::service(),
    ];
    run(Engine::Sqlite, services, |node| async move {
        person(&node).await;
        let console = Arc::new(Console::new(node.inner().registry()));
        let listen = Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            receive_max: Duration::from_secs(30),
            names_tenants: false,
            proxies: Proxies::default(),
            origins: Origins::parse("https://shop.example").unwrap(),
            connections_max: 16,
        };
        let port = Port::new(node.inner(), vec![console], listen).unwrap();
        test(Browser { port, node: node.clone() }).await;
    });
}

async fn person(node: &Node) {
    let (handle, email) = ("ada".to_owned(), "ada@example.com".to_owned());
    let request = CreateUserRequest { handle, email, ..CreateUserRequest::default() };
    let user_id = node.call(&node.admin(), request).await.unwrap().user.id.clone();
    let request = SetPasswordRequest { user_id, password: PASSWORD.to_owned() };
    node.call(&node.admin(), request).await.unwrap();
}

#[test]
fn a_password_sets_no_cookie_where_a_second_factor_is_asked_for() {
    with_console(async |browser| {
        let node = &browser.node;
        let signed_in = browser.sign_in(session("POST", HOME), PASSWORD).await;
        let (_, token) = signed_in.cookie().split_once('=').map(owned).unwrap();
        let caller = node.inner().authenticate(&token).await.unwrap();
        let user_id = caller.user().unwrap().to_owned();
        let totp = StoreTotpRequest { user_id, secret: (0..20).collect() };
        node.call(&node.system(), totp).await.unwrap();
        // What a program shows of that secret as 2026 begins, and what half a minute later.
        let confirm = ConfirmTotpRequest { code: "909278".into() };
        node.call(&caller, confirm).await.unwrap();
        let asked = browser.sign_in(session("POST", HOME), PASSWORD).await;
        assert_eq!((asked.status, asked.header("set-cookie")), (StatusCode::OK, ""));
        let proof = json!({"ticket": asked.json()["ticket"], "code": "858029"}).to_string();
        let request = session("POST", HOME).header("content-type", "application/json");
        let signed_in = browser.send(request, proof).await;
        assert_eq!(signed_in.status, StatusCode::NO_CONTENT);
        assert!(signed_in.cookie().starts_with("stoa_session_8080=stoa_s_"));
        // What sets another password by a link is not asked for here: it would clear the cookie.
        let link = json!({"secret": "stoa_l_main_0", "newPassword": "another horse"}).to_string();
        let request = session("POST", HOME).header("content-type", "application/json");
        assert_eq!(browser.send(request, link).await.status, StatusCode::BAD_REQUEST);
        // What a passkey signed is as long as this at the most, and is not taken for anything else.
        let passkey = json!({"passkey": "x".repeat(16_384), "label": "console"}).to_string();
        let request = session("POST", HOME).header("content-type", "application/json");
        let refused = browser.send(request, passkey).await;
        assert_eq!(refused.reason(), "auth.passkey_refused");
        assert_eq!(refused.header("set-cookie"), "");
    });
}

fn owned((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[test]
fn whoever_signs_in_calls_with_a_cookie_that_no_script_reads() {
    with_console(async |browser| {
        let signed_in = browser.sign_in(session("POST", HOME), PASSWORD).await;
        assert_eq!((signed_in.status, signed_in.body.len()), (StatusCode::NO_CONTENT, 0));
        let said = signed_in.header("set-cookie");
        for word in
            ["stoa_session_8080=stoa_s_", "; HttpOnly", "; SameSite=Strict", "; Path=/; Max-Age="]
        {
            assert!(said.contains(word), "{said}");
        }
        assert!(!said.contains("Secure"), "{said}");
        let cookie = signed_in.cookie();
        let ours = [("cookie", &*cookie), ("stoa-credential", "cookie"), ("host", HOME)];
        let me = browser.who(&ours).await.json();
        assert!(me["subject"].as_str().unwrap().starts_with("user:usr_"), "{me}");
        let look = || session("GET", HOME).header("cookie", &cookie);
        assert_eq!(browser.send(look(), "").await.json()["subject"], me["subject"]);

        let ended = browser.send(session("DELETE", HOME).header("cookie", &cookie), "").await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT);
        assert!(ended.header("set-cookie").starts_with("stoa_session_8080=; Path=/; Max-Age=0;"));
        assert_eq!(browser.who(&ours).await.reason(), "auth.token_invalid");
        assert_eq!(browser.send(look(), "").await.json()["subject"], "");
    });
}

#[test]
fn pages_of_other_sites_have_no_use_of_the_cookie() {
    with_console(async |browser| {
        let cookie = browser.sign_in(session("POST", HOME), PASSWORD).await.cookie();
        let said = ("stoa-credential", "cookie");
        for theirs in [
            // A form or an image of another page: it cannot say a header of its own.
            vec![],
            vec![("origin", "https://shop.example")],
            // What a browser says of a page that could.
            vec![said, ("sec-fetch-site", "cross-site")],
            vec![said, ("sec-fetch-site", "same-site")],
        ] {
            let theirs = [vec![("cookie", &*cookie), ("host", HOME)], theirs].concat();
            assert_eq!(browser.who(&theirs).await.reason(), "auth.required", "{theirs:?}");
        }
        // Nor may a page that is let in say it.
        let asks = Request::options("/stoa.auth.v1.AuthService/WhoAmI");
        let asks = asks.header("origin", "https://shop.example");
        let may = browser.send(asks.header("access-control-request-method", "POST"), "").await;
        assert!(!may.header("access-control-allow-headers").contains("stoa-credential"));
        assert_eq!(may.header("access-control-allow-credentials"), "");

        // Nor does anybody sign somebody in from elsewhere.
        let theirs = Request::post("/-/session").header("host", HOME);
        let refused = browser.sign_in(theirs, PASSWORD).await;
        assert_eq!((refused.status.as_u16(), &*refused.reason()), (405, "request.method"));
        let theirs = session("POST", HOME).header("sec-fetch-site", "cross-site");
        assert_eq!(browser.sign_in(theirs, PASSWORD).await.header("set-cookie"), "");
    });
}

#[test]
fn nodes_of_one_host_do_not_take_each_others_sessions() {
    with_console(async |browser| {
        let here = browser.sign_in(session("POST", HOME), PASSWORD).await.cookie();
        let there = browser.sign_in(session("POST", "localhost:8081"), PASSWORD).await.cookie();
        let name = |cookie: &str| cookie.split('=').next().unwrap().to_owned();
        assert_ne!(name(&here), name(&there));
        // A browser sends both to both.
        let both = format!("{here}; {there}");
        let said = [("cookie", &*both), ("stoa-credential", "cookie"), ("host", HOME)];
        assert!(browser.who(&said).await.json()["subject"].is_string());
        let close = session("DELETE", HOME).header("cookie", &both);
        assert_eq!(browser.send(close, "").await.status, StatusCode::NO_CONTENT);
        let there = [said[1], ("cookie", &*both), ("host", "localhost:8081")];
        assert!(browser.who(&there).await.json()["subject"].is_string());
        assert_eq!(browser.who(&said).await.reason(), "auth.token_invalid");
    });
}

#[test]
fn on_its_way_to_another_machine_the_cookie_is_sent_under_tls() {
    with_console(async |browser| {
        for (host, is_secure) in [
            ("stoa.example", true),
            ("192.0.2.1:8080", true),
            ("localhost.example", true),
            ("127.0.0.1:8080", false),
            ("[::1]:8080", false),
        ] {
            let signed_in = browser.sign_in(session("POST", host), PASSWORD).await;
            let said = signed_in.header("set-cookie");
            assert_eq!(said.ends_with("; Secure"), is_secure, "{host}: {said}");
        }
    });
}

#[test]
fn who_cannot_sign_in_is_told_why() {
    with_console(async |browser| {
        let wrong = browser.sign_in(session("POST", HOME), "another password").await;
        assert_eq!((wrong.status.as_u16(), &*wrong.reason()), (401, "auth.wrong_credentials"));
        assert_eq!(wrong.header("set-cookie"), "");
        assert_ne!(wrong.json()["next"], "");
        let long = browser.sign_in(session("POST", HOME), &"x".repeat(21_000)).await;
        assert_eq!(long.reason(), "request.too_large");
    });
}

#[test]
fn descriptors_are_for_whoever_is_signed_in() {
    with_console(async |browser| {
        assert_eq!(browser.get("/-/descriptors").await.reason(), "auth.required");
        let cookie = browser.sign_in(session("POST", HOME), PASSWORD).await.cookie();
        let ask = |encoding| {
            let ask = Request::get("/-/descriptors").header("stoa-credential", "cookie");
            let ask = ask.header("host", HOME);
            ask.header("cookie", &cookie).header("accept-encoding", encoding)
        };
        let said = browser.send(ask("identity, gzip;q=0"), "").await;
        let packed = browser.send(ask("gzip, br"), "").await;
        assert_eq!(
            (said.header("content-encoding"), packed.header("content-encoding")),
            ("", "gzip")
        );
        assert!(packed.body.len() * 2 < said.body.len());
        assert_eq!(said.header("content-type"), "application/protobuf");
        assert_eq!(said.header("etag"), stoa_console::etag(&said.body));
        let again = ask("gzip").header("if-none-match", packed.header("etag"));
        let again = browser.send(again, "").await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        let has = |text: &str| said.body.windows(text.len()).any(|part| part == text.as_bytes());
        for name in ["AuthService", "UsersService", "SystemService", "buf/validate/validate.proto"]
        {
            assert!(has(name), "{name}");
        }
    });
}

#[test]
fn every_page_is_the_first_one_and_nothing_comes_from_elsewhere() {
    with_console(async |browser| {
        let home = browser.get("/").await;
        assert_eq!(home.status, StatusCode::OK);
        assert_eq!(home.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(home.header("cache-control"), "no-cache");
        let policy = home.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        for path in ["/explore", "/data/ledger/accounts", "/operate/jobs?open=x", "/-/parts"] {
            assert_eq!(browser.get(path).await.body, home.body, "{path}");
        }
        for path in ["/assets/none.js", "/favicon.ico", "/-/none"] {
            assert!(browser.get(path).await.status.is_client_error(), "{path}");
        }
        let posted = browser.send(Request::post("/explore"), "").await;
        assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
    });
}

#[test]
fn calls_by_rpc_are_left_to_rpc() {
    with_console(async |browser| {
        assert_eq!(browser.who(&[]).await.reason(), "auth.required");
        let unknown = Request::post("/stoa.nothing.v1.NothingService/Ask");
        let unknown = browser.send(unknown.header("content-type", "application/json"), "{}").await;
        assert_eq!(unknown.json()["code"], "unimplemented");
    });
}
