//! Effects on paths of their own: told what came, to the byte, by whom the door let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Method as Verb, Request, Response};
use stoa_contract::v1::{HttpHeader, HttpRequest, HttpResponse};
use stoa_contract::{Check, Contract, Effect, Kind, Method, Permission, Raw, Shape};
use stoa_kit::{
    Authenticated, Authenticator, Caller, Ctx, Error, MAIN, Manners, Message, Methods, Micros,
    Request as Asks, Result, Service, Stream,
};
use stoa_node::Port;
use stoa_testkit::{Engine, Node, run};

use crate::faces::listen;
use crate::messages::Relay;

/// Makes of a message one of HTTP, under a name of its own.
macro_rules! http {
    ($($name:ident is $inner:ident),+) => {$(
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        struct $name($inner);

        stoa_testkit::wraps!($name);

        impl Message for $name {
            const NAME: &'static str = concat!("stoa.echo.v1.", stringify!($name));
            const SHAPE: &'static Shape = $inner::SHAPE;

            fn check(&self, _: &mut Check) {}
        }
    )+};
}

http!(Hook is HttpRequest, Mine is HttpRequest, Drip is HttpRequest, Answered is HttpResponse);

/// Makes a method of the message that asks for it.
macro_rules! method {
    ($name:ident, $permission:ident, $streams:literal) => {
        impl Asks for $name {
            type Reply = Answered;
            const METHOD: &'static Method = &Method {
                path: concat!("stoa.echo.v1.EchoService/", stringify!($name)),
                name: stringify!($name),
                kind: Kind::Effect,
                streams: $streams,
                permission: Permission::$permission,
                request: HttpRequest::SHAPE,
                reply: HttpResponse::SHAPE,
                ..*Relay::METHOD
            };
        }

        impl Effect for $name {}

        impl Raw for $name {
            fn of(http: HttpRequest) -> Self {
                Self(http)
            }

            fn answer(reply: Answered) -> HttpResponse {
                reply.0
            }
        }
    };
}

method!(Hook, Public, false);
method!(Mine, Authenticated, false);
method!(Drip, Public, true);

const CONTRACT: &Contract = &Contract {
    methods: &[Hook::METHOD, Mine::METHOD, Drip::METHOD],
    events: &[],
    ..*crate::messages::CONTRACT
};

type Says = fn(&HttpRequest) -> Result<HttpResponse>;

/// A service that answers what it is told to, and who it was that asked, and the how-manieth.
fn service(says: Says) -> Service {
    let times = Arc::new(AtomicI64::new(0));
    let mine = move |ctx: Ctx, Mine(http): Mine| {
        let time = times.fetch_add(1, SeqCst) + 1;
        async move {
            let mut answer = says(&http)?;
            answer.headers.push(header("x-who", &ctx.caller().subject));
            answer.headers.push(header("x-time", &time.to_string()));
            Ok(Answered(answer))
        }
    };
    let methods = Methods::new(CONTRACT)
        .effect(move |_, Hook(http): Hook| async move { Ok(Answered(says(&http)?)) })
        .effect(mine)
        .stream(|_, Drip(http): Drip| async move { drip(&http) });
    Service::new(methods)
        .raw::<Hook>("/hooks/echo", 8)
        .raw::<Mine>("/mine", 8)
        .raw::<Drip>("/drip", 0)
        .authenticates(Authenticator {
            tenant: |_| Some(MAIN),
            run: |_, token| {
                let caller = Caller::of(MAIN, &format!("user:{token}"), &[]);
                Ok(Some(Authenticated { caller, until: Micros(i64::MAX), due: None }))
            },
            principal: |_, _, _| Ok(None),
            prepare: |_, _| Ok(false),
        })
}

fn drip(http: &HttpRequest) -> Result<Stream<Answered>> {
    let piece = |text: &str, headers| {
        Ok(Answered(HttpResponse { status: 206, headers, body: text.into() }))
    };
    let mut pieces = vec![piece("one ", vec![header("x-drip", "1")]), piece("two", Vec::new())];
    if http.query == "broken" {
        pieces.push(Err(Error::internal("the pipe burst")));
    }
    Ok(futures::stream::iter(pieces).boxed())
}

fn header(name: &str, value: &str) -> HttpHeader {
    HttpHeader { name: name.to_owned(), value: value.to_owned() }
}

/// Says what came: the verb, the path, the query, the headers, and the body again.
fn tells(http: &HttpRequest) -> Result<HttpResponse> {
    let headers: Vec<_> =
        http.headers.iter().map(|header| format!("{}={}", header.name, header.value)).collect();
    let came = format!("{} {} {} {}", http.method, http.path, http.query, headers.join(" "));
    let headers = vec![header("x-came", &came)];
    Ok(HttpResponse { status: 0, headers, body: http.body.clone() })
}

async fn ask(node: &Node, request: http::request::Builder, body: &'static [u8]) -> Response<Bytes> {
    node.http(request.body(Bytes::from_static(body)).unwrap()).await
}

fn of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn what_comes_arrives_to_the_byte() {
    run(Engine::Sqlite, vec![service(tells)], |node| async move {
        let verb = Verb::from_bytes(b"PURGE").unwrap();
        let request = Request::builder().method(verb).uri("/hooks/echo/a%2Fb//c?x=%20&y");
        let request = request.header("X-Signature", "v1=ab").header("x-signature", "v2=cd");
        let request = request.header("traceparent", "00-x").header("idempotency-key", "k");
        let answer = ask(&node, request, b"\x00\xff\r\n").await;
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, &b"\x00\xff\r\n"[..]));
        let came = of(answer.headers(), "x-came");
        assert_eq!(came, "PURGE /hooks/echo/a%2Fb//c x=%20&y x-signature=v1=ab x-signature=v2=cd");
        for path in ["/hooks", "/hooks/echoes", "/Hooks/echo"] {
            assert_eq!(ask(&node, Request::get(path), b"").await.status().as_u16(), 404, "{path}");
        }
    });
}

#[test]
fn who_speaks_as_elsewhere_is_known_and_refused_as_elsewhere() {
    let manners = Manners {
        token: Some("x-their-token"),
        refuse: |error| HttpResponse {
            status: 418,
            headers: vec![header("x-reason", error.reason())],
            body: Vec::new(),
        },
    };
    let theirs = service(tells).raw_as::<Mine>("/theirs", 8, manners);
    run(Engine::Sqlite, vec![theirs], |node| async move {
        let sent = || Request::get("/theirs/a").header("x-their-token", "ada");
        let answer = ask(&node, sent(), b"").await;
        assert_eq!((answer.status().as_u16(), of(answer.headers(), "x-who")), (200, "user:ada"));
        // The token is the door's.
        assert_eq!(of(answer.headers(), "x-came"), "GET /theirs/a  ");
        let both = sent().header("authorization", "Bearer eve");
        assert_eq!(of(ask(&node, both, b"").await.headers(), "x-who"), "user:eve");
        let refused = ask(&node, Request::get("/theirs"), b"").await;
        assert_eq!(refused.status().as_u16(), 418);
        assert_eq!(of(refused.headers(), "x-reason"), "auth.required");
        let elsewhere = Request::get("/mine").header("x-their-token", "ada");
        assert_eq!(ask(&node, elsewhere, b"").await.status().as_u16(), 401);
    });
}

#[test]
fn an_answer_is_what_the_service_says() {
    let redirects: Says = |_| {
        let headers = vec![
            header("Location", "https://elsewhere.example/"),
            header("set-cookie", "a=1"),
            header("set-cookie", "b=2"),
            header("content-type", "text/x-own"),
        ];
        Ok(HttpResponse { status: 302, headers, body: b"over there".to_vec() })
    };
    run(Engine::Sqlite, vec![service(redirects)], |node| async move {
        let answer = ask(&node, Request::get("/hooks/echo"), b"").await;
        let headers = answer.headers();
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (302, &b"over there"[..]));
        assert_eq!(of(headers, "location"), "https://elsewhere.example/");
        assert_eq!(of(headers, "content-type"), "text/x-own");
        let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
    });
    // What no answer can be is a fault of the service, and a panic as well.
    macro_rules! wrong {
        ($($says:expr),+) => { [$($says as Says),+] };
    }
    for says in wrong![
        |_| Ok(HttpResponse { status: 99, ..HttpResponse::default() }),
        |_| Ok(HttpResponse { status: 101, ..HttpResponse::default() }),
        |_| Ok(HttpResponse { headers: vec![header("x", "a\r\nb: c")], ..HttpResponse::default() }),
        |_| Ok(HttpResponse {
            headers: vec![header("content-length", "7")],
            ..HttpResponse::default()
        }),
        |_| Ok(HttpResponse { headers: vec![header("a b", "c")], ..HttpResponse::default() }),
        |http| panic!("{} explodes", http.path)
    ] {
        run(Engine::Sqlite, vec![service(says)], |node| async move {
            let answer = ask(&node, Request::get("/hooks/echo"), b"").await;
            assert_eq!(answer.status().as_u16(), 500);
            assert!(answer.body().starts_with(b"internal: "), "{:?}", answer.body());
        });
    }
}

#[test]
fn the_door_lets_in_who_may_call_the_method() {
    run(Engine::Sqlite, vec![service(tells)], |node| async move {
        let refused = ask(&node, Request::post("/mine"), b"").await;
        assert_eq!(
            (refused.status().as_u16(), of(refused.headers(), "www-authenticate")),
            (401, "Bearer")
        );
        assert!(refused.body().starts_with(b"auth.required: "), "{:?}", refused.body());

        let mine = || Request::post("/mine").header("authorization", "Bearer ada");
        let answer = ask(&node, mine(), b"").await;
        assert_eq!(of(answer.headers(), "x-who"), "user:ada");
        assert!(
            !of(answer.headers(), "x-came").contains("ada"),
            "who was let in by a token keeps it"
        );
        let large = ask(&node, mine(), b"123456789").await;
        assert_eq!(large.status().as_u16(), 413, "{:?}", large.body());

        // Whoever signs what they send brings a scheme of their own.
        let signed = Request::post("/hooks/echo").header("authorization", "AWS4-HMAC-SHA256 x");
        let answer = ask(&node, signed, b"").await;
        assert!(of(answer.headers(), "x-came").ends_with("authorization=AWS4-HMAC-SHA256 x"));
        let unread = http::HeaderValue::from_bytes(b"\xff").unwrap();
        let answer = ask(&node, Request::post("/hooks/echo").header("x", unread), b"").await;
        assert_eq!(answer.status().as_u16(), 400);
        assert!(answer.body().starts_with(b"request.header: "), "{:?}", answer.body());
    });
}

#[test]
fn a_key_of_a_known_caller_holds() {
    run(Engine::Sqlite, vec![service(tells)], |node| async move {
        let mine = |who: &str, key: &str| {
            let request = Request::put("/mine").header("authorization", format!("Bearer {who}"));
            request.header("idempotency-key", key.to_owned())
        };
        let time = async |who, key, body| {
            let answer = ask(&node, mine(who, key), body).await;
            let headers = answer.headers();
            (of(headers, "x-time").to_owned(), of(headers, "idempotency-replayed").to_owned())
        };
        let is = |time: &str, replayed: &str| (time.to_owned(), replayed.to_owned());
        assert_eq!(time("ada", "k", b"1").await, is("1", ""));
        assert_eq!(time("ada", "k", b"1").await, is("1", "true"));
        assert_eq!(time("bob", "k", b"1").await, is("2", ""));
        let reused = ask(&node, mine("ada", "k"), b"2").await;
        assert!(reused.body().starts_with(b"idempotency.key_reused: "), "{:?}", reused.body());
    });
}

#[test]
fn a_stream_is_answered_in_pieces() {
    run(Engine::Sqlite, vec![service(tells)], |node| async move {
        let answer = ask(&node, Request::get("/drip"), b"").await;
        assert_eq!((answer.status().as_u16(), of(answer.headers(), "x-drip")), (206, "1"));
        assert_eq!(&answer.body()[..], b"one two");
        let port = port(&node).unwrap();
        let broken = Request::get("/drip?broken").body(Bytes::new()).unwrap();
        let peer = ([192, 0, 2, 1], 1).into();
        let body = port.answer(peer, broken).await.into_body();
        let error = http_body_util::BodyExt::collect(body).await.err().unwrap();
        assert_eq!(error.internal_cause(), Some("the pipe burst"));
    });
}

fn port(node: &Node) -> Result<Arc<Port>> {
    Port::new(node.inner(), Vec::new(), listen())
}

#[test]
fn what_collides_is_not_served() {
    for (prefix, said) in [
        ("/mine", "`/mine` of echo collides with `/mine` of echo"),
        ("/mine/more", "`/mine/more` of echo collides with `/mine` of echo"),
        ("/ready", "`/ready` of echo is the node's own"),
        ("/stoa.echo.v1.EchoService/Hook", "is where RPC is"),
        ("mine", "is no prefix of a path"),
    ] {
        run(Engine::Sqlite, vec![service(tells).raw::<Hook>(prefix, 1)], |node| async move {
            let error = port(&node).err().unwrap();
            assert_eq!(error.reason(), "node.mount");
            assert!(error.message().contains(said), "{error}");
        });
    }
}
