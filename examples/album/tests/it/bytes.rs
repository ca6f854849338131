//! What comes in and goes out, to the byte.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::future::join;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};
use stoa_example_album::contract::{AddPictureRequest, CopyPictureRequest};
use stoa_testkit::{Engine, both, objects, run, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{add, blobs, fetch, get, seen, services, states, upload, uploading};

/// More than three pieces, none like another.
fn long() -> Bytes {
    (0..200_000_u32).flat_map(|number| number.to_le_bytes()).take(200_001).collect()
}

fn of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

both! {
    async fn what_was_uploaded_is_had_by_whoever_has_the_path(node: Node) {
        for bytes in [Bytes::new(), Bytes::from_static(b"x"), long(), long().slice(..65_536)] {
            let picture = add(&node, "ada", &upload(&node, "ada", bytes.clone()).await).await.unwrap();
            assert_eq!(seen(&node, "ada", &picture.id).await, bytes);
        }
        assert_eq!(states(&node).await, ["kept"; 4]);
    }

    async fn a_part_is_had_as_well(node: Node) {
        let bytes = long();
        let picture = add(&node, "ada", &upload(&node, "ada", bytes.clone()).await).await.unwrap();
        let link = get(&node, "ada", &picture.id).await.unwrap().link;
        let asked = |range: &str| {
            let request = Request::get(&link).header("range", range).body(Bytes::new()).unwrap();
            node.http(request)
        };
        let last = bytes.len() - 1;
        for (range, from, to) in [
            ("bytes=0-0", 0, 0),
            ("bytes=65535-65536", 65_535, 65_536),
            ("bytes=65536-131071", 65_536, 131_071),
            ("bytes=70000-", 70_000, last),
            ("bytes=-1", last, last),
            ("bytes=0-999999999", 0, last),
        ] {
            let answer = asked(range).await;
            assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
            let said = format!("bytes {from}-{to}/{}", bytes.len());
            assert_eq!(of(answer.headers(), "content-range"), said);
            assert_eq!(of(answer.headers(), "content-length"), (to - from + 1).to_string());
            assert_eq!(*answer.body(), bytes.slice(from..=to), "{range}");
        }
        let answer = asked("bytes=200001-").await;
        assert_eq!(answer.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(of(answer.headers(), "content-range"), "bytes */200001");
    }

    async fn who_has_it_already_is_told_so(node: Node) {
        let picture = add(&node, "ada", &upload(&node, "ada", "x").await).await.unwrap();
        let link = get(&node, "ada", &picture.id).await.unwrap().link;
        let etag = of(fetch(&node, &link).await.headers(), "etag").to_owned();
        let ask = |verb: Method, name: &'static str, value: String| {
            let request = Request::builder().method(verb).uri(&link).header(name, value);
            node.http(request.body(Bytes::new()).unwrap())
        };
        let same = ask(Method::GET, "if-none-match", format!("\"0\", {etag}")).await;
        assert_eq!((same.status(), same.body().len()), (StatusCode::NOT_MODIFIED, 0));
        let other = ask(Method::GET, "if-none-match", "\"0\"".into()).await;
        assert_eq!((other.status(), &other.body()[..]), (StatusCode::OK, &b"x"[..]));
        let head = ask(Method::HEAD, "x-any", "1".into()).await;
        assert_eq!((of(head.headers(), "content-length"), head.body().len()), ("1", 0));
        let post = ask(Method::POST, "x-any", "1".into()).await;
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    async fn a_path_is_good_for_what_it_names_and_for_some_minutes(node: Node) {
        let one = add(&node, "ada", &upload(&node, "ada", "one").await).await.unwrap();
        let two = add(&node, "ada", &upload(&node, "ada", "two").await).await.unwrap();
        let link = get(&node, "ada", &one.id).await.unwrap().link;
        let (_, end) = link.split_once('?').unwrap();
        let later = link.replacen("until=", "until=9", 1);
        for path in [
            format!("/-/blobs/main/{}?{end}", two.file),
            link.replace("/main/", "/other/"),
            link[..link.len() - 1].to_owned(),
            format!("{link}0"),
            later,
            "/-/blobs".to_owned(),
        ] {
            assert_eq!(fetch(&node, &path).await.status(), StatusCode::FORBIDDEN, "{path}");
        }
        assert_eq!(get(&node, "ada", &one.id).await.unwrap().link, link, "browsers find it again");
        node.pass(Duration::from_secs(9 * 60));
        assert_eq!(fetch(&node, &link).await.status(), StatusCode::OK);
        node.pass(Duration::from_secs(7 * 60));
        assert_eq!(fetch(&node, &link).await.status(), StatusCode::FORBIDDEN);
        assert_eq!(seen(&node, "ada", &one.id).await, "one");
    }

    async fn what_has_another_digest_is_not_taken_in(node: Node) {
        let digest = |bytes: &str| format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(bytes)));
        let send = |digest: String| {
            let request = uploading("ada").header("content-digest", digest);
            node.http(request.body(Bytes::from_static(b"x")).unwrap())
        };
        for wrong in [digest("y"), "sha-256=:x:".to_owned(), "sha-512=:x:, sha-256=x".to_owned()] {
            let answer = send(wrong.clone()).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wrong}");
        }
        assert_eq!(blobs(&node).await, []);
        assert!(objects(node.objects()).len() <= 1, "nothing but the mark of the cell");
        assert_eq!(send(format!("md5=:x:, {}", digest("x"))).await.status(), StatusCode::CREATED);
    }

    async fn who_is_nobody_uploads_nothing(node: Node) {
        let request = Request::post("/-/uploads").body(Bytes::from_static(b"x")).unwrap();
        assert_eq!(node.http(request).await.status(), StatusCode::UNAUTHORIZED);
        let typeless = uploading("ada").header("content-type", "png").body(Bytes::new()).unwrap();
        // Of two headers the first counts.
        assert_eq!(node.http(typeless).await.status(), StatusCode::CREATED);
    }

    async fn a_tenant_has_no_more_than_it_may(node: Node) {
        let may = json!({"name": "main", "blobBytesMax": "100"});
        node.ask(&node.admin(), "UpdateTenant", may).await.unwrap();
        let picture = add(&node, "ada", &upload(&node, "ada", vec![7; 60]).await).await.unwrap();
        let send = |length: usize| node.http(uploading("ada").body(vec![7; length].into()).unwrap());
        assert_eq!(send(41).await.status(), StatusCode::TOO_MANY_REQUESTS);
        // Neither do two that come at once.
        let (one, two) = join(send(30), send(30)).await;
        let mut both = [one.status().as_u16(), two.status().as_u16()];
        both.sort_unstable();
        assert_eq!(both, [201, 429]);
        let shown = node.ask(&node.admin(), "GetTenant", json!({"name": "main"})).await.unwrap();
        assert_eq!(shown["tenant"]["blobBytes"], "90");
        let delete = stoa_example_album::contract::DeletePictureRequest { id: picture.id };
        node.call(&node.user("ada"), delete).await.unwrap();
        node.advance(Duration::from_secs(25 * 60 * 60)).await;
        assert_eq!(send(100).await.status(), StatusCode::CREATED);
    }

    async fn an_upload_that_breaks_off_leaves_nothing(node: Node) {
        let server = node.serve().await;
        let mut wire = TcpStream::connect(server.address).await.unwrap();
        let head = "POST /-/uploads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer main:ada\r\n\
                    content-length: 300000\r\n\r\n";
        wire.write_all(head.as_bytes()).await.unwrap();
        wire.write_all(&long()).await.unwrap();
        until(|| objects(node.objects()).len() == 2).await;
        assert_eq!(states(&node).await, ["coming"]);
        let half = add(&node, "ada", &blobs(&node).await[0].1).await.unwrap_err();
        assert_eq!(half.reason(), "blob.unknown", "what is not there as a whole is named by nobody");
        wire.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = wire.read_to_end(&mut answer).await;
        until(|| objects(node.objects()).len() == 1).await;
        server.stop().await;
    }

    async fn an_effect_uploads_and_reads_too(node: Node) {
        let picture = add(&node, "ada", &upload(&node, "ada", long()).await).await.unwrap();
        let copy = CopyPictureRequest { id: picture.id.clone() };
        let copy = node.call(&node.user("ada"), copy).await.unwrap().picture.into_option().unwrap();
        assert!(copy.file != picture.file);
        assert_eq!(seen(&node, "ada", &copy.id).await, long());
        assert_eq!(states(&node).await, ["kept"; 2]);
    }
}

#[test]
fn nothing_in_a_blob_is_run() {
    run(Engine::Sqlite, services(), |node| async move {
        for (media_type, told, shown) in [
            ("image/png", "image/png", "inline"),
            ("Text/Plain; charset=x", "text/plain; charset=utf-8", "inline"),
            ("text/html", "text/html", "attachment"),
            ("image/svg+xml", "image/svg+xml", "attachment"),
            ("application/pdf", "application/pdf", "attachment"),
        ] {
            let request = Request::put("/-/uploads").header("authorization", "Bearer main:ada");
            let request = request.header("content-type", media_type).body("<script>".into());
            let answer = node.http(request.unwrap()).await;
            let said: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
            let picture = add(&node, "ada", said["id"].as_str().unwrap()).await.unwrap();
            let link = get(&node, "ada", &picture.id).await.unwrap().link;
            let answer = fetch(&node, &link).await;
            let headers = answer.headers();
            assert_eq!(of(headers, "content-type"), told);
            assert_eq!(of(headers, "content-disposition"), shown, "{media_type}");
            assert_eq!(of(headers, "x-content-type-options"), "nosniff");
            assert_eq!(of(headers, "content-security-policy"), "default-src 'none'; sandbox");
        }
    });
}

#[test]
fn what_was_changed_on_the_disk_is_not_handed_out() {
    run(Engine::Sqlite, services(), |node| async move {
        let frame = upload(&node, "ada", "frame").await;
        let file = upload(&node, "ada", long()).await;
        let picture = AddPictureRequest { file: file.clone(), frame, title: String::new() };
        let picture = node.call(&node.user("ada"), picture).await.unwrap().picture;
        let shown = get(&node, "ada", &picture.into_option().unwrap().id).await.unwrap();
        assert_eq!(fetch(&node, &shown.frame_link).await.body(), "frame");
        let kept = objects(node.objects());
        let (path, bytes) = kept.iter().find(|(path, _)| path.ends_with(&file)).unwrap();
        let mut forged = bytes.clone();
        forged[100_000] ^= 1;
        std::fs::write(node.objects().join(path), &forged).unwrap();
        let part = |range: &str| {
            let request = Request::get(&shown.link).header("range", range);
            node.http(request.body(Bytes::new()).unwrap())
        };
        assert_eq!(*part("bytes=0-9").await.body(), long().slice(..10), "what is whole is had");
        std::fs::remove_file(node.objects().join(path)).unwrap();
        assert_eq!(part("bytes=0-9").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    });
}
