//! What REST refuses: for the same reason, at the same path, as Connect.

use http::Request;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use stoa_testkit::fuzz;

use crate::{Said, Shelf, with_rest};

/// The reason of Connect's refusal, and the paths that it names.
fn by_connect(said: &Said) -> (String, Vec<String>) {
    let error = said.json();
    let parts = || error["details"].as_array().into_iter().flatten().map(|part| &part["debug"]);
    let reason = parts().find_map(|debug| debug["reason"].as_str());
    let reason = reason.unwrap_or_else(|| panic!("{error}")).to_owned();
    let violations = parts().filter_map(|debug| debug["violations"].as_array()).flatten();
    (reason, violations.map(|violation| violation["path"].as_str().unwrap().to_owned()).collect())
}

#[test]
fn what_a_query_says_wrongly_is_refused_with_its_path() {
    with_rest(async |_, shelf| {
        for (query, json) in [
            ("smal=5", json!({"smal": "5"})),
            ("small=x", json!({"small": "x"})),
            ("small=", json!({"small": ""})),
            ("small=1&small=2", Value::Null),
            ("small=2147483648", json!({"small": "2147483648"})),
            ("large=1.5", json!({"large": "1.5"})),
            ("flag=yes", json!({"flag": "yes"})),
            ("flags=true&flags=1", json!({"flags": [true, "1"]})),
            ("binding=SILK", json!({"binding": "SILK"})),
            ("raw=%21", json!({"raw": "!"})),
            ("since_time=today", json!({"sinceTime": "today"})),
            ("wait=1", json!({"wait": "1"})),
            ("price=5", json!({"price": "5"})),
            ("price.amont=5", json!({"price": {"amont": "5"}})),
            ("range.within.x=5", json!({"range": {"within.x": "5"}})),
            ("nothing.at.all=5", json!({"nothing.at.all": "5"})),
            ("=5", json!({"": "5"})),
            ("small=2000", json!({"small": 2000})),
            ("id=b", Value::Null),
        ] {
            let found = shelf.get(&format!("/v1/shelf/books/a?{query}")).await;
            let (status, reason, paths) = found.refusal();
            assert_eq!(
                (status, reason.as_str(), paths.len()),
                (400, "request.invalid", 1),
                "{query}"
            );
            if !json.is_null() {
                let asked = shelf.connect("Find", &json.to_string()).await;
                assert_eq!(by_connect(&asked), (reason, paths), "{query}");
            }
        }
        let problem = shelf.get("/v1/shelf/books/a?smal=5").await.json();
        assert_eq!(problem["violations"][0]["rule"], "json.unknown_field");
        let message = problem["violations"][0]["message"].as_str().unwrap();
        assert!(message.contains("did you mean `small`?"), "{message}");
    });
}

#[test]
fn what_a_body_says_wrongly_is_refused_as_on_connect() {
    with_rest(async |_, shelf| {
        for body in [
            "{",
            "[]",
            "[1]",
            "\"x\"",
            "5",
            "null",
            "{}{}",
            "{,}",
            "{\"book\":{}},\"id\":\"b\"}",
            "{\"bok\":{}}",
            "{\"book\":5}",
            "{\"book\":{\"pages\":\"x\"}}",
            "{\"others\":{\"a\":{\"x\":1}}}",
            "{\"book\":{},\"book\":{}}",
            "\u{feff}{}",
        ] {
            let posted = shelf.json("POST", "/v1/shelf/books/a:put", body).await.refusal();
            let asked = by_connect(&shelf.connect("Put", body).await);
            assert_eq!((posted.1, posted.2), asked, "{body}");
            assert_eq!(posted.0, 400);
        }
        let twice = shelf.json("POST", "/v1/shelf/books/a:put", "{\"id\": \"a\"}").await.refusal();
        assert_eq!(twice, (400, "request.invalid".to_owned(), vec!["id".to_owned()]));
        let injected = "{}, \"id\": \"b\"";
        let put = shelf.json("PUT", "/v1/shelf/books/a", injected).await.refusal();
        assert_eq!((put.0, put.1.as_str()), (400, "json.malformed"));
        let misplaced =
            shelf.json("POST", "/v1/shelf/books/a:put?book.title=x", "").await.refusal();
        assert_eq!(misplaced, (400, "request.invalid".to_owned(), vec!["book".to_owned()]));
        let unknown = shelf.json("POST", "/v1/shelf/books/a:put?x=1", "{}").await.refusal();
        assert_eq!(unknown, (400, "request.invalid".to_owned(), vec!["x".to_owned()]));
    });
}

#[test]
fn what_is_asked_for_in_no_way_of_ours_is_refused_by_its_head() {
    with_rest(async |_, shelf| {
        for (method, path, status, reason) in [
            ("GET", "/v1", 404, "node.no_such_method"),
            ("GET", "/v1/", 404, "node.no_such_method"),
            ("GET", "/v1/shelf", 404, "node.no_such_method"),
            ("GET", "/v1/shelf/books/", 404, "node.no_such_method"),
            ("GET", "/v1/shelf/books/a/", 404, "node.no_such_method"),
            ("GET", "/v1/shelf/books/a:b", 404, "node.no_such_method"),
            ("GET", "/v1/shelf/books/a:", 404, "node.no_such_method"),
            ("GET", "/v1/nothing/books", 404, "node.no_such_method"),
            ("GET", "/v1/shelf/books/%FF", 400, "request.path"),
            ("GET", "/v1/shelf/books/a?note=%FF", 400, "request.query"),
            ("DELETE", "/v1/shelf/books/a", 405, "request.method"),
            ("POST", "/v1/shelf/books/a", 405, "request.method"),
        ] {
            let said = shelf.send(Request::builder().method(method).uri(path), "").await;
            let (found, why, _) = said.refusal();
            assert_eq!((found, why.as_str()), (status, reason), "{method} {path}");
            assert_eq!(said.headers["content-type"], "application/problem+json");
            let allowed = (status == 405).then_some("GET, HEAD, OPTIONS, PATCH, PUT");
            let allow = said.headers.get("allow").map(|allow| allow.to_str().unwrap());
            assert_eq!(allow, allowed);
        }
        let post = || Request::post("/v1/shelf/books/a:put");
        for (request, status, reason) in [
            (post().header("content-type", "text/plain"), 415, "request.content_type"),
            (post().header("content-encoding", "gzip"), 415, "request.compressed"),
            (post(), 401, "auth.required"),
            (post().header("authorization", "Basic x"), 401, "auth.malformed"),
        ] {
            let said = shelf.send(request, "").await;
            assert_eq!((said.refusal().0, said.refusal().1.as_str()), (status, reason));
            let scheme = said.headers.get("www-authenticate").map(|scheme| scheme.as_bytes());
            assert_eq!(scheme, (status == 401).then_some(&b"Bearer"[..]));
        }
        let body = shelf.send(Request::get("/v1/shelf/books/a"), "{}").await.refusal();
        assert_eq!((body.0, body.1.as_str()), (400, "request.body"));
    });
}

#[test]
fn a_problem_is_as_rfc_9457_says() {
    with_rest(async |_, shelf| {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let request = Request::get("/v1/shelf/books/a?small=2000");
        let request = request.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
        assert_eq!(
            shelf.send(request, "").await.json(),
            json!({
                "type": "urn:stoa:reason:request.invalid",
                "title": "invalid",
                "status": 400,
                "detail": "small: must be at most 1000",
                "code": "invalid_argument",
                "reason": "request.invalid",
                "violations": [
                    {"path": "small", "rule": "int32.lte", "message": "must be at most 1000"}
                ],
                "next": "Correct the fields named in `violations` and send the request again.",
                "trace": trace,
            })
        );
    });
}

/// Whatever is sent, the fault is never ours, and a refusal says what it is.
async fn holds(shelf: &Shelf, method: &str, path: &str, body: &str) {
    let said = shelf.json(method, path, body).await;
    assert!(said.status.as_u16() < 500, "{method} {path} {body}: {}", said.json());
    if !said.status.is_success() {
        let (status, reason, _) = said.refusal();
        assert!(status >= 400 && !reason.is_empty(), "{method} {path} {body}");
    }
}

fn text(pattern: &str) -> impl Strategy<Value = String> + use<> {
    proptest::string::string_regex(pattern).unwrap()
}

#[test]
fn nonsense_is_never_our_fault() {
    let part = "[a-z%./:{}*?&=\\[\\]\"0-9]{0,10}";
    let path = prop_oneof![
        text(&format!("/v1/shelf/books/{part}")),
        text(&format!("/v1/shelf/{part}/{part}")),
        text(&format!("/v1/{part}")),
        text(&format!(
            "/v1/shelf/books/a\\?(small|tags|price|range|price\\.amount|raw)={part}&{part}"
        )),
    ];
    let body = prop_oneof![
        "[{}\\[\\]\",:a-z0-9 ]{0,16}",
        "\\{\"(book|id|others|title|updateMask)\":[{}\\[\\]\",:a-z0-9 ]{0,12}\\}",
    ];
    let requests = ("(GET|POST|PUT|PATCH|DELETE|OPTIONS)", path, body);
    with_rest(async |_, shelf| {
        let mut runner = fuzz::runner();
        for _ in 0..fuzz::cases(1_000) {
            let (method, path, body) = requests.new_tree(&mut runner).unwrap().current();
            if path.parse::<http::Uri>().is_err() {
                continue;
            }
            holds(&shelf, &method, &path, if method == "GET" { "" } else { &body }).await;
        }
    });
}

#[test]
fn names_without_end_have_an_end() {
    with_rest(async |_, shelf| {
        let deep = "range.".repeat(9_000);
        let long = "x".repeat(50_000);
        let many = "tags=&".repeat(10_000);
        for query in [format!("{deep}=1"), format!("{long}=1"), format!("a.{long}.b=1")] {
            let (status, reason, _) =
                shelf.get(&format!("/v1/shelf/books/a?{query}")).await.refusal();
            assert_eq!((status, reason.as_str()), (400, "request.invalid"));
        }
        assert_eq!(shelf.get(&format!("/v1/shelf/books/a?{many}")).await.status, 200);
    });
}
