//! Requests as a stranger sends them: each is refused with the code and the reason that
//! `docs/spec/requests.md` promises, and nothing is written.

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, Request, connect};
use crate::process::{Node, commits};

const REASONS: &str = include_str!("../../../docs/spec/requests.md");

/// A node with an administrator, and a request of theirs that would succeed.
struct Stage {
    directory: TempDir,
    node: Node,
    token: String,
}

impl Stage {
    fn new(more: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let mut node = Node::start(directory.path(), more);
        let token = node.set_up();
        Self { directory, node, token }
    }

    /// A request that would write, if it were not for what a test changes about it.
    fn good(&self) -> Request {
        let account = json!({"code": "cash", "currency": "EUR", "kind": "ACCOUNT_KIND_ASSET"});
        Request::call(&self.token, "ledger", "CreateAccount", &account)
    }

    fn transfer(&self, leg: Value) -> Request {
        let transfer = json!({"currency": "EUR", "legs": [leg]});
        Request::call(&self.token, "ledger", "CreateTransfer", &transfer)
    }

    /// Runs a test that must leave no trace, and shows that the node has taken no harm.
    fn unharmed(&self, test: impl FnOnce()) {
        let before = commits(self.directory.path());
        test();
        assert_eq!(commits(self.directory.path()), before, "something was written");
        let ready = Request::call("", "auth", "", &json!({})).by("GET").to("/ready");
        assert_eq!(ready.send(self.node.address).status, 200);
        self.good().send(self.node.address).ok();
        assert_eq!(commits(self.directory.path()), before + 1, "the good request is written");
    }

    /// Sends a request and looks at its refusal.
    fn refuses(&self, request: &Request, status: u16, reason: &str) -> Answer {
        let answer = request.send(self.node.address);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{text}");
        let line = REASONS.lines().find(|line| line.starts_with(&format!("| `{reason}` |")));
        let line = line.unwrap_or_else(|| panic!("{reason} is not documented"));
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        assert!(line.contains(&format!("| {code} | {status} |")), "{line}: {text}");
        answer
    }

    /// The same, where one field is at fault.
    fn blames(&self, request: &Request, violation: &str) {
        let answer = self.refuses(request, 400, "request.invalid");
        assert_eq!(answer.violations(), [violation]);
    }
}

#[test]
fn a_body_that_is_no_message_is_refused() {
    let stage = Stage::new(&[]);
    let good = stage.good();
    stage.unharmed(|| {
        let deep = format!("{{\"code\":{}", "[".repeat(1_000_000));
        let deep_metadata = format!("{{\"metadata\":{}", "{\"a\":".repeat(500_000));
        let cut = &good.body[..good.body.len() - 3];
        let latin = b"{\"code\":\"caf\xe9\",\"currency\":\"EUR\"}";
        for body in [deep.as_bytes(), deep_metadata.as_bytes(), cut, latin, b"<xml/>"] {
            stage.refuses(&good.clone().body(body), 400, "json.malformed");
        }
        let binary = good.clone().with("content-type", "application/proto");
        // Field 1 is text of five bytes, of which two are there; then two that are no UTF-8.
        for body in [b"\x0a\x05ab".as_slice(), b"\x0a\x02\xc3\x28"] {
            stage.refuses(&binary.clone().body(body), 400, "protobuf.malformed");
        }
    });
}

#[test]
fn a_field_that_is_wrong_is_named_by_its_path() {
    let stage = Stage::new(&[]);
    let good = stage.good();
    let leg = |amount: Value| json!({"debit": "a", "credit": "b", "amount": amount});
    stage.unharmed(|| {
        let with = |text: &str| good.clone().body(text);
        stage.blames(&with(r#"{"cod":"cash"}"#), "cod json.unknown_field");
        stage.blames(&with(r#"{"code":7}"#), "code json.type");
        stage.blames(&with(r#"{"metadata":{"a":7}}"#), "metadata[\"a\"] json.type");
        stage.blames(&with(r#"{"code":"a","code":"b"}"#), "code json.repeated_field");
        stage.blames(&with("[]"), " json.type");
        stage.blames(
            &with(r#"{"currency":"EUR","kind":1,"metadata":{"a":"b\u0000"}}"#),
            "metadata[\"a\"] string.no_nul",
        );
        stage.blames(&stage.transfer(leg(json!("ten"))), "legs[0].amount json.type");
        stage.blames(&stage.transfer(leg(json!(1.5))), "legs[0].amount json.type");
        stage.blames(
            &stage.transfer(leg(json!("99999999999999999999"))),
            "legs[0].amount json.type",
        );
        stage.blames(&stage.transfer(leg(json!(0))), "legs[0].amount int64.gt");
        let mut misspelt = leg(json!(1));
        misspelt["amuont"] = json!(1);
        stage.blames(&stage.transfer(misspelt), "legs[0].amuont json.unknown_field");
    });
}

#[test]
fn a_method_is_called_as_it_is_declared_or_not_at_all() {
    let stage = Stage::new(&[]);
    let good = stage.good();
    let at = |path: &str| good.clone().to(path);
    stage.unharmed(|| {
        for path in [
            "/stoa.ledger.v1.LedgerService/DestroyAccount",
            "/stoa.ledger.v2.LedgerService/CreateAccount",
            "/stoa.ledger.v1.LedgerService/CreateAccount/",
            // There, and for services alone.
            "/stoa.auth.v1.AuthService/FindPassword",
        ] {
            stage.refuses(&at(path), 404, "node.no_such_method");
        }
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let answer = stage.refuses(&good.clone().by(method), 405, "request.method");
            assert_eq!(answer.header("allow"), Some("POST"));
        }
        let query = at("/stoa.auth.v1.AuthService/WhoAmI");
        let answer = stage.refuses(&query.clone().by("PUT"), 405, "request.method");
        assert_eq!(answer.header("allow"), Some("GET, POST"));
        stage.refuses(&query.clone().by("GET").body(""), 400, "request.query");
        let asked = query.to("/stoa.auth.v1.AuthService/WhoAmI?encoding=json&message=%7B%7D");
        asked.by("GET").body("").send(stage.node.address).ok();
    });
}

#[test]
fn an_encoding_that_is_not_spoken_is_refused() {
    let stage = Stage::new(&[]);
    let good = stage.good();
    stage.unharmed(|| {
        for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let request = good.clone().with("content-type", kind);
            let answer = stage.refuses(&request, 415, "request.content_type");
            assert!(answer.header("accept-post").unwrap().contains("application/json"));
        }
        let mut none = good.clone();
        none.headers.retain(|(name, _)| name != "content-type");
        stage.refuses(&none, 415, "request.content_type");
        // A little that would become a lot: nothing is unpacked.
        let bomb = good.clone().with("content-encoding", "gzip").body(bomb());
        stage.refuses(&bomb, 415, "request.compressed");
    });
}

/// 64 MiB of white space in a few bytes.
fn bomb() -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        packed.write_all(&[b' '; 1 << 20]).unwrap();
    }
    packed.finish().unwrap()
}

#[test]
fn a_header_that_cannot_be_read_is_not_passed_over() {
    let stage = Stage::new(&[]);
    let good = stage.good();
    stage.unharmed(|| {
        // Without its key the request would happen twice.
        for header in ["idempotency-key", "authorization", "stoa-position"] {
            stage.refuses(&good.clone().with(header, "schl\u{fc}ssel"), 400, "request.header");
        }
        for key in ["", "a b", &"x".repeat(256)] {
            let request = good.clone().with("idempotency-key", key);
            stage.refuses(&request, 400, "idempotency.malformed");
        }
        stage.blames(&good.clone().with("stoa-position", "7"), "position position");
        let late = good.clone().with("connect-timeout-ms", "0");
        stage.refuses(&late, 504, "request.deadline");
    });
}

#[test]
fn a_request_that_is_too_large_is_refused_before_it_is_kept() {
    let stage = Stage::new(&[]);
    let good = stage.good();
    stage.unharmed(|| {
        let large = format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "x".repeat(5 << 20));
        stage.refuses(&good.clone().body(large), 413, "request.too_large");
        // One that asks first is told so before it sends anything.
        let mut stream = connect(stage.node.address);
        let asks = good.clone().with("expect", "100-continue").body("");
        stream.write_all(&asks.bytes(1 << 40)).unwrap();
        assert_eq!(Answer::read(stream).unwrap().status, 413);
        // It is closed upon, and may be too busy sending to read why.
        let mut stream = connect(stage.node.address);
        let _ = stream.write_all(&good.clone().with("x", &"y".repeat(2 << 20)).bytes(0));
        assert!(Answer::read(stream).is_none_or(|answer| answer.status == 431));
    });
}

#[test]
fn a_request_that_breaks_off_has_not_happened() {
    let stage = Stage::new(&[]);
    let good = stage.good();
    stage.unharmed(|| {
        let bytes = good.bytes(good.body.len());
        for part in [1, 40, bytes.len() - good.body.len(), bytes.len() - 1] {
            let mut stream = connect(stage.node.address);
            stream.write_all(&bytes[..part]).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            // That the connection is closed ends the wait, whatever is said before.
            let _ = stream.read_to_end(&mut rest);
            assert!(!rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
        }
    });
}

#[test]
fn who_does_not_go_on_is_not_waited_for() {
    let stage = Stage::new(&["--receive-timeout-ms", "1000"]);
    let good = stage.good();
    stage.unharmed(|| {
        let bytes = good.bytes(good.body.len());
        let head = bytes.len() - good.body.len();
        // Nothing; what may become HTTP/2; half a head; a head; half a body. All at the same time.
        let begun = [b"".as_slice(), b"PRI * HT", &bytes[..40], &bytes[..head], &bytes[..head + 9]];
        let streams = begun.iter().cycle().take(100).map(|begun| {
            let mut stream = connect(stage.node.address);
            stream.write_all(begun).unwrap();
            (begun.len() >= head, stream)
        });
        let streams: Vec<_> = streams.collect();
        for (asked, stream) in streams {
            let answer = Answer::read(stream);
            assert_eq!(answer.is_some(), asked, "{answer:?}");
            if let Some(answer) = answer {
                assert_eq!((answer.status, &*answer.reason()), (408, "request.too_slow"));
            }
        }
    });
}
