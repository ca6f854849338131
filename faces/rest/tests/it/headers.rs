//! What stands beside a request and beside a reply.

use std::io::Read;

use http::{Method, Request};
use serde_json::json;

use crate::with_rest;

#[test]
fn keys_and_positions_pass_through() {
    with_rest(async |_, shelf| {
        let put = |key: &str| {
            Request::post("/v1/shelf/books/a:put")
                .header("content-type", "application/json")
                .header("authorization", "Bearer user:usr_ada")
                .header("idempotency-key", key)
        };
        let first = shelf.send(put("k"), r#"{"book": {"title": "Emma"}}"#).await;
        assert_eq!(first.status, 200, "{}", first.json());
        assert!(!first.headers.contains_key("idempotency-replayed"));
        let again = shelf.send(put("k"), r#"{"book": {"title": "Emma"}}"#).await;
        assert_eq!(again.json(), first.json());
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.headers["stoa-position"], first.headers["stoa-position"]);
        let other = shelf.send(put("k"), r#"{"book": {"title": "Evelina"}}"#).await.refusal();
        assert_eq!((other.0, other.1.as_str()), (400, "idempotency.key_reused"));
        let at =
            |position: &str| Request::get("/v1/shelf/books/a").header("stoa-position", position);
        let position = first.headers["stoa-position"].to_str().unwrap();
        assert_eq!(shelf.send(at(position), "").await.status, 200);
        assert_eq!(shelf.send(at("x"), "").await.refusal().1, "request.invalid");
    });
}

#[test]
fn an_etag_saves_sending_the_same_again() {
    with_rest(async |_, shelf| {
        let change = |etag: &str| {
            Request::patch("/v1/shelf/books/a")
                .header("content-type", "application/json")
                .header("if-match", etag)
        };
        let said = shelf.send(change("\"e1\""), r#"{"title": "Emma"}"#).await;
        let asked = json!({"id": "a", "title": "Emma", "updateMask": "title", "etag": "e1"});
        assert_eq!(said.json(), json!({"asked": asked}));
        assert_eq!(said.headers["etag"], "\"e1\"");
        let said = shelf.send(change("*"), r#"{"title": "Emma"}"#).await;
        assert_eq!(said.json()["asked"]["etag"], json!(null));
        let twice = shelf.send(change("\"e1\""), r#"{"etag": "e2"}"#).await.refusal();
        assert_eq!(twice, (400, "request.invalid".to_owned(), vec!["etag".to_owned()]));
        for wrong in ["e1", "W/\"e1\"", "\"e1\", \"e2\"", "\"\"", ""] {
            let refusal = shelf.send(change(wrong), "{}").await.refusal();
            assert_eq!((refusal.0, refusal.1.as_str()), (400, "request.header"), "{wrong}");
        }
    });
}

#[test]
fn head_and_options_tell_what_there_is() {
    with_rest(async |_, shelf| {
        let path = "/v1/shelf/books/a";
        let options = Request::builder().method(Method::OPTIONS);
        let said = shelf.send(options.uri(path), "").await;
        assert_eq!((said.status.as_u16(), said.body.len()), (204, 0));
        assert_eq!(said.headers["allow"], "GET, HEAD, OPTIONS, PATCH, PUT");
        let head = shelf.send(Request::head(path), "").await;
        assert_eq!(
            (head.status.as_u16(), head.headers["content-type"].to_str().unwrap()),
            (200, "application/json")
        );
    });
}

#[test]
fn a_long_reply_is_compressed_as_its_reader_wants() {
    with_rest(async |_, shelf| {
        let long = format!("/v1/shelf/books/a?note={}", "long".repeat(1_000));
        let plain = shelf.get(&long).await;
        assert_eq!(plain.headers["vary"], "accept-encoding");
        for (accepted, encoding) in [
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("gzip, br", Some("br")),
            ("GZIP;q=0.5, br;q=0.1", Some("gzip")),
            ("zstd;q=0, *", Some("br")),
            ("deflate", None),
            ("gzip;q=0", None),
            ("gzip;q=x", None),
            ("identity", None),
        ] {
            let said =
                shelf.send(Request::get(&long).header("accept-encoding", accepted), "").await;
            let name = said.headers.get("content-encoding").map(|name| name.to_str().unwrap());
            assert_eq!(name, encoding, "{accepted}");
            let mut text = Vec::new();
            match encoding {
                Some("zstd") => text = zstd::bulk::decompress(&said.body, 1 << 20).unwrap(),
                Some("br") => {
                    brotli::BrotliDecompress(&mut &said.body[..], &mut text).unwrap();
                }
                Some(_) => {
                    flate2::read::GzDecoder::new(&said.body[..]).read_to_end(&mut text).unwrap();
                }
                None => text = said.body.to_vec(),
            }
            assert_eq!(text, plain.body);
        }
        let short = Request::get("/v1/shelf/books/a").header("accept-encoding", "gzip");
        assert!(!shelf.send(short, "").await.headers.contains_key("content-encoding"));
    });
}
