//! What stands at the door: who comes from where, how much is kept of what they send, how long
//! what they asked for waits for them, and what they are told.

use std::io::{Read, Write};
use std::path::Path;

use futures::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};
use stoa_contract::{AnyMessage, Format, Message, decode, json as proto_json, validate};
use stoa_kit::Micros;
use stoa_ledger_v1::{CreateTransferRequest, Leg};
use stoa_users_v1::UpdateUserRequest;
use tempfile::TempDir;

use crate::h2::{H2, whole};
use crate::http::{Answer, Request, connect};
use crate::process::Node;

const WHO_AM_I: &str = "/stoa.auth.v1.AuthService/WhoAmI";
const SIGN_IN: &str = "/stoa.auth.v1.AuthService/SignIn";
const CREATE_ACCOUNT: &str = "/stoa.ledger.v1.LedgerService/CreateAccount";

fn start(directory: &Path, more: &[&str]) -> (Node, String) {
    let mut node = Node::start(directory, more);
    let token = node.set_up();
    (node, token)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What a request is refused with.
fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.reason())
}

/// A key of the caller's own with some permissions.
fn key(node: &Node, token: &str, permissions: &[&str]) -> Answer {
    let request = json!({"name": "key", "permissions": permissions});
    node.call(token, "auth", "CreateApiKey", &request)
}

fn key_token(node: &Node, token: &str, permissions: &[&str]) -> String {
    key(node, token, permissions).ok()["token"].as_str().unwrap().to_owned()
}

#[test]
fn who_sends_a_lot_is_not_sent_more() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &[]);
    let long = "\u{1}".repeat(500_000);
    let unknown = json!({ &long: 1 });
    let key = json!({"code": "a", "currency": "EUR", "metadata": { &long: "" }});
    let value = json!({"code": "a", "currency": "EUR", "kind": long});
    for request in [&unknown, &key, &value] {
        let answer = node.call(&token, "ledger", "CreateAccount", request);
        assert_eq!(refusal(&answer), (400, "request.invalid".to_owned()));
        assert!(answer.body.len() < 16 << 10, "{} bytes", answer.body.len());
    }
    let many: Vec<_> = (0..100).map(|_| json!({"debit": "", "credit": "", "amount": 0})).collect();
    let many = json!({"currency": "EUR", "legs": many});
    let answer = node.call(&token, "ledger", "CreateTransfer", &many);
    assert!(answer.body.len() < 16 << 10, "{} bytes", answer.body.len());

    // What gRPC puts into headers, a client takes no more than 8 KiB of.
    let message = json!({"code": "a", "currency": "EUR", "metadata": {"ä".repeat(4_000): ""}});
    let message = message.to_string().into_bytes();
    let frame = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat();
    let headers = runtime().block_on(async {
        let mut client = H2::connect(node.address, 65_535).await;
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/grpc+json"), ("authorization", &bearer)];
        whole(client.send(CREATE_ACCOUNT, &headers, frame, true).await.unwrap()).await.0
    });
    assert_eq!(headers["grpc-status"], "3", "{headers:?}");
    let size: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(size < 8 << 10, "{size} bytes");
}

#[test]
fn who_guesses_at_tokens_is_a_stranger_who_comes_too_often() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &["--anonymous-per-second", "4"]);
    let known = || node.call(&token, "auth", "WhoAmI", &json!({}));
    known().ok();
    let guess =
        |n: usize| node.call(&format!("stoa_s_main_{n:064x}"), "auth", "WhoAmI", &json!({}));
    let refused = (0..200).map(guess).find(|answer| answer.status != 401).expect("a limit");
    assert_eq!(refusal(&refused), (429, "node.rate".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Whoever is known already is none.
    known().ok();
}

#[test]
fn a_trusted_proxy_says_for_whom_it_asks_and_nobody_else_does() {
    for (trusted, counted_apart) in [("127.0.0.0/8", true), ("192.0.2.1", false)] {
        let directory = TempDir::new().unwrap();
        let flags = ["--anonymous-per-second", "2", "--trusted-proxies", trusted];
        let (node, _) = start(directory.path(), &flags);
        let ask = |client: &str| {
            let request = Request::call("", "auth", "GetSetup", &json!({}));
            request.with("x-forwarded-for", client).send(node.address)
        };
        let noisy = "198.51.100.1, 203.0.113.9";
        let refused = (0..200).map(|_| ask(noisy)).any(|answer| answer.status == 429);
        assert!(refused, "there is a limit");
        // A whole /64 belongs to one subscriber.
        let other = [ask("198.51.100.1"), ask("2001:db8::1"), ask("2001:db8::2")];
        let free = other.iter().filter(|answer| answer.status == 200).count();
        if counted_apart {
            assert_eq!(free, 3);
            let same = (0..200).map(|n| ask(&format!("2001:db8::{n:x}")));
            assert!(same.into_iter().any(|answer| answer.status == 429));
        } else {
            assert!(free < 3, "what strangers say of themselves is not believed");
        }
    }
}

#[test]
fn what_a_node_counts_and_offers_is_shown_at_home_or_by_permission() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &[]);
    let metrics = Request::call("", "auth", "", &json!({})).by("GET").to("/metrics").body("");
    let page = metrics.send(node.address);
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("stoa_commits_total") && text.contains("AuthService/SignIn"), "{text}");
    assert!(!text.contains("LedgerService"), "what nobody called has no series");
    assert!(text.len() < 16 << 10, "{} bytes", text.len());
    for header in ["x-forwarded-for", "forwarded", "via"] {
        let status = |token: &str| {
            let mut asked = metrics.clone().with(header, "203.0.113.9");
            if !token.is_empty() {
                asked = asked.with("authorization", &format!("Bearer {token}"));
            }
            asked.send(node.address).status
        };
        assert_eq!(status(""), 401);
        assert_eq!(status(&key_token(&node, &token, &["auth.roles.list"])), 403);
        assert_eq!(status(&key_token(&node, &token, &["system.metrics.read"])), 200);
        // Reflection is a stream: whether it is there shows before anything is said.
        let reflect = Request::call("", "auth", "", &json!({}))
            .to("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
            .with("content-type", "application/connect+json")
            .with(header, "203.0.113.9")
            .body("");
        let said = reflect.send(node.address).body;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("auth.required"), "{said}");
    }
}

/// The most memory that a node has had, in KiB.
fn peak(node: &Node) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn what_is_never_finished_is_not_kept() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &["--receive-timeout-ms", "2000"]);
    let before = peak(&node);
    let statuses = runtime().block_on(async {
        let mut client = H2::connect(node.address, 65_535).await;
        let mut replies = Vec::new();
        for (path, bearer) in
            [(SIGN_IN, String::new()), (CREATE_ACCOUNT, format!("Bearer {token}"))]
        {
            let mut headers = vec![("content-type", "application/json")];
            if !bearer.is_empty() {
                headers.push(("authorization", &bearer));
            }
            for _ in 0..64 {
                replies.push(client.send(path, &headers, vec![b' '; 1 << 20], false));
            }
        }
        let replies = join_all(replies).await;
        replies.into_iter().map(|reply| reply.unwrap().status().as_u16()).collect::<Vec<_>>()
    });
    let (strangers, callers) = statuses.split_at(64);
    assert!(strangers.iter().all(|status| [413, 429].contains(status)), "{strangers:?}");
    let count = |wanted| callers.iter().filter(|status| **status == wanted).count();
    assert!(count(408) > 0 && count(429) > 0, "{callers:?}");
    let grown = peak(&node) - before;
    assert!(grown < 64 << 10, "{grown} KiB");
}

#[test]
fn what_is_not_read_is_given_up_and_no_more_is_begun() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &["--receive-timeout-ms", "1000"]);
    runtime().block_on(async {
        let mut client = H2::connect(node.address, 0).await;
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", &bearer)];
        let list = "/stoa.system.v1.SystemService/ListServices";
        let ask = || client.send(list, &headers, b"{}".to_vec(), true);
        let replies: Vec<_> = std::iter::repeat_with(ask).take(100).collect();
        let begun = join_all(replies).await.into_iter().flatten();
        // Kept until the end: to drop a reply would be to say that it is not wanted.
        let begun: Vec<_> = begun.filter(|reply| reply.status() == 200).collect();
        assert_eq!(begun.len(), 32, "the others wait for their turn");
        client.closed().await;
    });
    node.call(&token, "auth", "WhoAmI", &json!({})).ok();
}

#[test]
fn connections_are_bounded() {
    let directory = TempDir::new().unwrap();
    let node = Node::start(directory.path(), &["--connections", "8"]);
    let open = || {
        let mut stream = connect(node.address);
        // One that is closed upon may not be writable any more.
        let _ = stream.write_all(b"GET /health HTTP/1.1\r\nhost: stoa\r\n\r\n");
        let answered = stream.read(&mut [0; 64]).is_ok_and(|read| read > 0);
        answered.then_some(stream)
    };
    let mut streams: Vec<_> = (0..8).map(|_| open().expect("there is room")).collect();
    assert!(open().is_none(), "a ninth is closed upon");
    streams.pop();
    assert!((0..1_000).any(|_| open().is_some()), "there is room again");
}

#[test]
fn a_key_reaches_what_its_scope_names_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &[]);
    let narrow = key_token(&node, &token, &["auth.roles.list"]);
    node.call(&narrow, "auth", "ListRoles", &json!({})).ok();
    let services = node.call(&token, "system", "ListServices", &json!({})).ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut open = 0;
    for service in services["services"].as_array().unwrap() {
        for method in service["methods"].as_array().unwrap() {
            if method["permission"] != "authenticated" {
                continue;
            }
            open += 1;
            let (service, name) = (text(&service["name"]), text(&method["name"]));
            let call = Request::call(&narrow, &service, &name, &json!({}));
            if name == "UploadBlob" {
                // What takes bytes is asked where they go, and refuses in words.
                let answer = call.to("/-/uploads").send(node.address);
                let reason = b"auth.permission_denied: ";
                assert!(answer.status == 403 && answer.body.starts_with(reason), "{answer:?}");
                continue;
            }
            let answer = call.send(node.address);
            assert_eq!(refusal(&answer), (403, "auth.permission_denied".to_owned()), "{method}");
        }
    }
    assert!(open > 20, "{services}");
    for scope in ["auth.who_am_i", "auth.*", "*"] {
        let key = key_token(&node, &token, &[scope]);
        node.call(&key, "auth", "WhoAmI", &json!({})).ok();
    }

    // Whoever may do nothing in particular makes keys for what is open to them, and no more.
    let user = json!({"handle": "grace", "email": "grace@example.com"});
    let user = node.call(&token, "users", "CreateUser", &user).ok();
    let password = json!({"user_id": user["user"]["id"], "password": "correct horse battery"});
    node.call(&token, "auth", "SetPassword", &password).ok();
    let grace = node.sign_in("grace", "correct horse battery");
    let shop = key_token(&node, &grace, &["orders.list_orders"]);
    node.call(&shop, "orders", "ListOrders", &json!({})).ok();
    assert_eq!(node.call(&shop, "auth", "CreateApiKey", &json!({"name": "x"})).status, 403);
    for wanted in ["ledger.accounts.create", "orders.*", "auth.find_password"] {
        assert_eq!(key(&node, &grace, &[wanted]).reason(), "auth.escalation", "{wanted}");
    }
}

#[test]
fn a_stream_ends_when_its_bearer_may_not_have_it_any_more() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &[]);
    let made = key(&node, &token, &["system.events.follow"]).ok();
    let follow = json!({"heartbeat_seconds": 300}).to_string().into_bytes();
    let frame = [&[0][..], &u32::try_from(follow.len()).unwrap().to_be_bytes(), &follow].concat();
    let follow =
        Request::call(made["token"].as_str().unwrap(), "system", "FollowEvents", &json!({}))
            .with("content-type", "application/connect+json")
            .body(frame);
    let stream = follow.open(node.address);
    // It has begun to answer.
    stream.peek(&mut [0]).unwrap();
    node.call(&token, "auth", "RevokeApiKey", &json!({"id": made["apiKey"]["id"]})).ok();
    let account = json!({"code": "secret", "currency": "EUR", "kind": "ACCOUNT_KIND_ASSET"});
    node.call(&token, "ledger", "CreateAccount", &account).ok();
    let told = Answer::read(stream).unwrap().body;
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("auth.token_invalid"), "{told}");
    assert!(!told.contains("ledger."), "{told}");
}

#[test]
fn a_rule_of_an_inner_method_is_told_as_one() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &[]);
    let product = json!({"title": "Tea", "variants": [
        {"sku": "TEA", "prices": [{"amount": 1, "currency": "EUR"}]}]});
    node.call(&token, "catalog", "CreateProduct", &product).ok();
    let lines = json!({"lines": [{"sku": "TEA", "quantity": 10}]});
    node.call(&token, "inventory", "Receive", &lines).ok();
    let import = json!({"customer_id": "usr_1", "sku": "TEA", "quantity": 1,
        "amount": {"amount": "2000000000000000000", "currency": "EUR"},
        "effective_time": "2026-01-01T00:00:00Z"});
    let answer = node.call(&token, "orders", "ImportOrder", &import);
    assert_eq!(refusal(&answer), (400, "request.inner".to_owned()), "{}", answer.json());
    assert!(answer.violations().is_empty(), "no field of this request is at fault");
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("ledger.CreateTransfer") && message.contains("legs[0].amount"));
}

#[test]
fn pages_of_other_origins_call_if_they_are_named() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &["--cors-origins", "https://shop.example"]);
    let ask =
        |origin: &str| Request::call(&token, "auth", "WhoAmI", &json!({})).with("origin", origin);
    let preflight = |origin: &str| {
        let asks = ask(origin).by("OPTIONS").body("").with("access-control-request-method", "POST");
        asks.with("access-control-request-headers", "authorization").send(node.address)
    };
    let allowed = preflight("https://shop.example");
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://shop.example"));
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(preflight("https://evil.example").status, 405);
    let answer = ask("https://shop.example").send(node.address);
    answer.ok();
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(
        ask("https://evil.example").send(node.address).header("access-control-allow-origin"),
        None
    );
}

#[test]
fn grpc_web_is_spoken_as_text() {
    use base64::Engine as _;
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &[]);
    let ask = |token: &str, body: &str| {
        let request = Request::call(token, "auth", "WhoAmI", &json!({})).body(body);
        let answer = request.with("content-type", "application/grpc-web-text").send(node.address);
        assert_eq!(answer.header("content-type"), Some("application/grpc-web-text+proto"));
        let groups = answer
            .body
            .chunks(4)
            .map(|group| base64::engine::general_purpose::STANDARD.decode(group).expect("base64"));
        String::from_utf8_lossy(&groups.flatten().collect::<Vec<u8>>()).into_owned()
    };
    let told = ask(&token, "AAAAAAA=");
    assert!(told.contains("user:usr_") && told.contains("grpc-status: 0"), "{told}");
    assert!(ask("", "AAAAAAA=").contains("grpc-status: 16"));
    assert!(ask(&token, "AAAA!AA=").contains("grpc-status: 3"));
}

#[test]
fn health_is_told_of_the_node_and_of_each_service() {
    let directory = TempDir::new().unwrap();
    let node = Node::start(directory.path(), &[]);
    let ask = |service: &str| {
        let request = Request::call("", "auth", "", &json!({"service": service}));
        request.to("/grpc.health.v1.Health/Check").send(node.address)
    };
    for service in ["", "stoa.ledger.v1.LedgerService"] {
        assert_eq!(ask(service).ok()["status"], "SERVING");
    }
    assert_eq!(refusal(&ask("stoa.none")), (404, "node.no_such_service".to_owned()));
}

#[test]
fn a_time_that_json_cannot_say_is_refused_in_binary_too() {
    let directory = TempDir::new().unwrap();
    let (node, token) = start(directory.path(), &[]);
    let mut transfer = transfer();
    transfer.expire_time.get_or_insert_default().seconds = 253_402_300_800;
    let answer = Request::call(&token, "ledger", "CreateTransfer", &json!({}))
        .with("content-type", "application/proto")
        .body(AnyMessage::encode(&transfer, Format::Binary).unwrap())
        .send(node.address);
    assert_eq!(answer.violations(), ["expire_time json.range"]);
    let who = Request::call(&token, "auth", "WhoAmI", &json!({})).to(WHO_AM_I);
    who.send(node.address).ok();
}

fn transfer() -> CreateTransferRequest {
    let leg = Leg { debit: "a".into(), credit: "b".into(), amount: 1 };
    CreateTransferRequest { currency: "EUR".into(), legs: vec![leg], ..Default::default() }
}

/// What binary takes and the rules let pass, JSON says and reads back.
fn sayable<M: Message + PartialEq>(message: &M) {
    let bytes = AnyMessage::encode(message, Format::Binary).unwrap();
    let read = decode::<M>(&bytes, Format::Binary).unwrap();
    if validate(&read).is_ok() {
        let text = proto_json::encode(&read).unwrap();
        assert!(
            proto_json::decode::<M>(&text).unwrap() == read,
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
}

/// Numbers around those at which something ends.
fn around(ends: &'static [i64]) -> impl Strategy<Value = i64> {
    (prop::sample::select(ends), -2..=2_i64).prop_map(|(end, by)| end.saturating_add(by))
}

proptest! {
    #[test]
    fn what_binary_takes_json_can_say(
        seconds in around(&[i64::MIN, -62_135_596_800, 0, 253_402_300_799, i64::MAX]),
        nanos in around(&[i32::MIN as i64, 0, 999_999_999]),
        paths in prop::collection::vec("[a-zA-Z_.,0-9]{0,6}|email|display_name", 0..3),
        words in prop::collection::hash_map(".{0,3}", ".{0,3}", 0..3),
    ) {
        let mut transfer = transfer();
        let time = transfer.expire_time.get_or_insert_default();
        (time.seconds, time.nanos) = (seconds, nanos as i32);
        transfer.metadata = words.into_iter().collect();
        sayable(&transfer);
        let mut update = UpdateUserRequest { id: "usr_1".into(), ..Default::default() };
        update.update_mask.get_or_insert_default().paths = paths;
        sayable(&update);
    }
}

#[test]
fn rules_let_pass_what_can_be_said() {
    let mut update = UpdateUserRequest { id: "usr_1".into(), ..Default::default() };
    update.update_mask.get_or_insert_default().paths = vec!["display_name".into()];
    validate(&update).unwrap();
    let mut transfer = transfer();
    transfer.expire_time = Micros(1_767_225_600_000_001).timestamp();
    validate(&transfer).unwrap();
}
