//! Faces: what comes in by one passes what a call by RPC passes, and goes out as the face says it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use stoa_contract::Permission;
use stoa_kit::{Code, Error, Request as _, Result};
use stoa_node::{Asked, Body, Content, Face, Listen, Origins, Port, Proxies, Visit, status};
use stoa_testkit::{Engine, Node, run};

use tokio::sync::Notify;

use crate::echo;
use crate::messages::{Done, Say};

/// A method that is not for everybody.
static SECRET: stoa_contract::Method =
    stoa_contract::Method { permission: Permission::Authenticated, ..*Say::METHOD };

/// A face that speaks in lines: `PUT /lines/<subject>` says a number.
#[derive(Default)]
struct Lines {
    visits: AtomicU32,
    /// Where visits of `/lines/late` wait: told that one has come, and that it goes on.
    late: Arc<[Notify; 2]>,
}

impl Face for Lines {
    fn name(&self) -> &str {
        "lines"
    }

    fn prefixes(&self) -> Vec<String> {
        vec!["/lines".to_owned(), "/.well-known/lines".to_owned()]
    }

    fn asked(&self, head: &Parts) -> Result<Asked> {
        match (&head.method, head.uri.path()) {
            (_, "/lines/refused") => Err(Error::new(Code::Unimplemented, "request.method", "no")),
            (_, "/lines/secret") => Ok((&SECRET).into()),
            (&Method::PUT, _) => Ok(Asked { body_max: Some(4), ..Say::METHOD.into() }),
            _ => Ok(Asked { method: None, body_max: None }),
        }
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        self.visits.fetch_add(1, SeqCst);
        let late = Arc::clone(&self.late);
        Box::pin(async move {
            if visit.head.uri.path() == "/lines/late" {
                late[0].notify_one();
                late[1].notified().await;
            }
            match visit.head.uri.path() {
                "/lines/panic" => panic!("a face that is wrong"),
                "/lines/broken" => {
                    let pieces = [Ok(Bytes::from("half")), Err(Error::internal("the other half"))];
                    let pieces = Box::pin(futures::stream::iter(pieces));
                    Ok(Response::new(Content::Stream(pieces)))
                }
                path if visit.head.method == Method::PUT => {
                    let subject = path.strip_prefix("/lines/").unwrap_or_default();
                    let number = std::str::from_utf8(&visit.body).unwrap().parse().unwrap();
                    let say = Box::new(Say::new(subject, number));
                    let answer = visit.call(Say::METHOD, say).await?;
                    let headers = answer.headers();
                    let Body::Message(done) = answer.body else { panic!("it streams") };
                    let done: Box<Done> = done.into_any().downcast().unwrap();
                    let mut response = Response::new(format!("{:?}\n", done.about()).into());
                    *response.headers_mut() = headers;
                    *response.status_mut() = StatusCode::ACCEPTED;
                    Ok(response)
                }
                path => Ok(Response::new(format!("{path}, {}", visit.caller().subject).into())),
            }
        })
    }

    fn refuse(&self, _: &str, _: &str, error: &Error) -> Response<Content> {
        let mut response = Response::new(Content::from(format!("sorry: {}\n", error.reason())));
        *response.status_mut() = status(error);
        response
    }
}

/// How a port of tests is reached.
pub(crate) fn listen() -> Listen {
    Listen {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        receive_max: Duration::from_secs(30),
        names_tenants: false,
        proxies: Proxies::default(),
        origins: Origins::default(),
        connections_max: 16,
    }
}

/// What a port says: a status, headers, and a body that came whole.
async fn ask(
    port: &Arc<Port>, request: http::request::Builder, body: &'static str,
) -> (StatusCode, HeaderMap, Result<String>) {
    let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
    let answer = port.answer(peer, request.body(body.into()).unwrap()).await;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map(|body| String::from_utf8(body.to_bytes().into()).unwrap());
    (head.status, head.headers, body)
}

fn with_face(test: impl AsyncFnOnce(Node, Arc<Port>, Arc<Lines>)) {
    run(Engine::Sqlite, vec![echo::service()], |node| async move {
        let face = Arc::new(Lines::default());
        let port = Port::new(node.inner(), vec![Arc::clone(&face) as _], listen()).unwrap();
        test(node, port, face).await;
    });
}

#[test]
fn a_face_answers_below_its_prefixes_and_rpc_elsewhere() {
    with_face(async |_, port, _| {
        let put = Request::put("/lines/it");
        let (status, headers, body) = ask(&port, put, "7").await;
        assert_eq!((status, body.unwrap().as_str()), (StatusCode::ACCEPTED, "(\"it\", 7)\n"));
        assert!(headers.contains_key("stoa-position"), "{headers:?}");
        for (path, shown) in [
            ("/lines", "/lines, anonymous"),
            ("/lines/", "/lines/, anonymous"),
            ("/lines/a/b?c", "/lines/a/b, anonymous"),
            ("/.well-known/lines", "/.well-known/lines, anonymous"),
        ] {
            let (status, _, body) = ask(&port, Request::get(path), "").await;
            assert_eq!((status, body.unwrap().as_str()), (StatusCode::OK, shown));
        }
        for path in ["/linesman", "/.well-known", "/", "/LINES/it", "/%6cines"] {
            let (status, _, body) = ask(&port, Request::get(path), "").await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert!(body.unwrap().contains("node.no_such_method"), "{path}");
        }
        let rpc = Request::post("/stoa.echo.v1.EchoService/Say");
        let rpc = rpc.header("content-type", "application/json");
        let (status, _, body) = ask(&port, rpc, r#"{"currency":"it","amount":"8"}"#).await;
        assert_eq!(status, StatusCode::OK, "{body:?}");
        assert_eq!(ask(&port, Request::get("/health"), "").await.2.unwrap(), "ok\n");
    });
}

#[test]
fn the_door_stands_before_a_face() {
    with_face(async |_, port, face| {
        let put = || Request::put("/lines/it");
        for (request, body, status, said) in [
            (put(), "12345", 413, "sorry: request.too_large\n"),
            (put().header("authorization", "Basic x"), "1", 202, "(\"it\", 1)\n"),
            (Request::get("/lines/secret"), "", 401, "sorry: auth.required\n"),
            (Request::get("/lines/refused"), "", 405, "sorry: request.method\n"),
            (put().header("idempotency-key", "k"), "1", 400, "sorry: idempotency.anonymous\n"),
            (put().header("stoa-position", "x"), "1", 400, "sorry: request.invalid\n"),
        ] {
            let (found, _, body) = ask(&port, request, body).await;
            assert_eq!((found.as_u16(), body.unwrap().as_str()), (status, said));
        }
        assert_eq!(face.visits.load(SeqCst), 3, "who is refused by the head is not heard");
    });
}

#[test]
fn a_deadline_begins_when_the_request_comes() {
    with_face(async |node, port, face| {
        let put = Request::put("/lines/late").header("connect-timeout-ms", "1000");
        let meanwhile = async {
            face.late[0].notified().await;
            node.skip(Duration::from_secs(2));
            face.late[1].notify_one();
        };
        let ((status, _, body), ()) = futures::join!(ask(&port, put, "1"), meanwhile);
        assert_eq!((status.as_u16(), body.unwrap().as_str()), (504, "sorry: request.deadline\n"));
    });
}

#[test]
fn a_face_that_panics_answers_the_next_request() {
    with_face(async |_, port, _| {
        let (status, _, body) = ask(&port, Request::get("/lines/panic"), "").await;
        assert_eq!((status.as_u16(), body.unwrap().as_str()), (500, "sorry: internal\n"));
        assert_eq!(ask(&port, Request::get("/lines"), "").await.0, StatusCode::OK);
    });
}

#[test]
fn an_answer_that_breaks_off_does_not_pass_for_the_whole() {
    with_face(async |_, port, _| {
        let (status, _, body) = ask(&port, Request::get("/lines/broken"), "").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body.unwrap_err().reason(), "internal");
    });
}

/// A face that is nothing but a name and a prefix.
struct Sign(&'static str, &'static str);

impl Face for Sign {
    fn name(&self) -> &str {
        self.0
    }

    fn prefixes(&self) -> Vec<String> {
        vec![self.1.to_owned()]
    }

    fn asked(&self, _: &Parts) -> Result<Asked> {
        Ok(Asked { method: None, body_max: None })
    }

    fn answer(&self, _: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        std::future::ready(Ok(Response::new(self.0.into()))).boxed()
    }

    fn refuse(&self, _: &str, _: &str, error: &Error) -> Response<Content> {
        Response::new(error.to_string().into())
    }
}

#[test]
fn a_path_has_one_answer_or_the_node_does_not_serve() {
    run(Engine::Sqlite, vec![echo::service()], |node| async move {
        let port = |prefixes: &[&'static str]| {
            let faces = prefixes.iter().zip(["a", "b", "c"]);
            let faces = faces.map(|(prefix, name)| Arc::new(Sign(name, prefix)) as Arc<dyn Face>);
            Port::new(node.inner(), faces.collect(), listen())
        };
        for (prefixes, said) in [
            (&["/v1", "/v1"][..], "`/v1` of b collides with `/v1` of a"),
            (&["/v1", "/v1/ledger"], "`/v1/ledger` of b collides with `/v1` of a"),
            (&["/v1/ledger", "/v1"], "`/v1` of b collides with `/v1/ledger` of a"),
            (&["/", "/"], "`/` of b collides with `/` of a"),
            (&["/health"], "`/health` of a is the node's own"),
            (&["/metrics/more"], "`/metrics/more` of a is the node's own"),
            (&["/stoa.echo.v1.EchoService"], "is where RPC is"),
            (&["/stoa.echo.v1.EchoService/Say"], "is where RPC is"),
            (&["/grpc.health.v1.Health"], "is where RPC is"),
            (&["v1"], "`v1` of a is no prefix of a path"),
            (&["/v1/"], "`/v1/` of a is no prefix of a path"),
            (&["/v1/../x"], "is no prefix of a path"),
            (&["/a%20b"], "is no prefix of a path"),
            (&[""], "`` of a is no prefix of a path"),
        ] {
            let error = port(prefixes).err().unwrap();
            assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "node.mount"));
            assert!(error.message().contains(said), "{error}");
        }
        let port = port(&["/v1/ledger", "/v1/ledgers", "/"]).unwrap();
        for (path, name) in
            [("/v1/ledger/x", "a"), ("/v1/ledgers", "b"), ("/v1", "c"), ("/", "c"), ("/x/y", "c")]
        {
            assert_eq!(ask(&port, Request::get(path), "").await.2.unwrap(), name, "{path}");
        }
    });
}
