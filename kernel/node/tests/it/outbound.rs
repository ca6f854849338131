//! HTTP to the outside: a service reaches what its manifest says, sends along what it should, and
//! goes on to where it is sent without taking there what is not meant for it.

use std::time::Duration;

use futures::future::BoxFuture;
use http::Method;
use stoa_contract::Contract;
use stoa_kit::outbound::{Fetch, Fetched, Outbound};
use stoa_kit::{Cause, Code, Ctx, Error, Methods, Request, Result, Root, Service, World};
use stoa_node::{Call, Logs, Parts, RootKey};
use stoa_store::{Options, Place};
use stoa_testkit::{Engine, Node, TestWorld, answer, run};

use crate::messages::{CONTRACT, Done, Relay};

type Body = fn(Ctx) -> BoxFuture<'static, Result<Fetched>>;

/// A service that fetches in its only method, and replies with the status.
fn service(body: Body) -> Service {
    const ONE: &Contract = &Contract { methods: &[Relay::METHOD], events: &[], ..*CONTRACT };
    Service::new(Methods::new(ONE).effect(move |ctx, _: Relay| {
        let fetched = body(ctx);
        async move { Ok(Done::new("", fetched.await?.status.as_u16().into())) }
    }))
}

fn shop(body: Body) -> Vec<Service> {
    vec![service(body).reaches(&["pay.example", "*.shop.example"])]
}

async fn fetch(node: &Node) -> Result<i64> {
    node.call(&node.admin(), Relay::new("", 0)).await.map(|done| done.about().1)
}

fn header<'a>(asked: &'a Outbound, name: &str) -> &'a str {
    asked.request.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn address(asked: &Outbound) -> String {
    asked.request.uri().to_string()
}

/// What a service that only looks at addresses comes to, whose web redirects as it is told.
fn looks(
    services: Vec<Service>, redirects: &'static [(&str, &str)],
) -> (Result<i64>, Vec<Outbound>) {
    let mut outcome = None;
    run(Engine::Sqlite, services, |node| {
        let outcome = &mut outcome;
        async move {
            node.web(|asked| {
                let to = redirects.iter().find(|(from, _)| *from == address(asked));
                Ok(to.map_or_else(
                    || answer(200, &[], ""),
                    |(_, to)| answer(307, &[("location", to)], ""),
                ))
            });
            *outcome = Some((fetch(&node).await, node.asked()));
        }
    });
    outcome.unwrap()
}

#[test]
fn a_service_reaches_the_hosts_that_it_names() {
    let pay: Body =
        |ctx| Box::pin(async move { ctx.fetch(Fetch::get("https://PAY.example/a?b")).await });
    let below: Body =
        |ctx| Box::pin(async move { ctx.fetch(Fetch::get("https://a.shop.example")).await });
    let other: Body = |ctx| {
        Box::pin(async move { ctx.fetch(Fetch::get("https://evil.example/secret?token=x")).await })
    };
    let (outcome, asked) = looks(shop(pay), &[]);
    assert_eq!(outcome.unwrap(), 200);
    assert_eq!((address(&asked[0]).as_str(), asked[0].given), ("https://pay.example/a?b", false));
    assert_eq!(looks(shop(below), &[]).0.unwrap(), 200);

    let (outcome, asked) = looks(shop(other), &[]);
    let error = outcome.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "http.refused_host"));
    assert_eq!(error.message(), "`echo` does not reach https://evil.example");
    assert!(asked.is_empty());

    // Where users name the hosts, the driver hears that it was them.
    let (outcome, asked) = looks(vec![service(other).reaches_given()], &[]);
    assert_eq!((outcome.unwrap(), asked[0].given), (200, true));
    let (outcome, asked) = looks(vec![service(pay).reaches_given().reaches(&["pay.example"])], &[]);
    assert_eq!((outcome.unwrap(), asked[0].given), (200, false));
}

#[test]
fn what_is_no_host_is_in_no_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let none: Body =
        |ctx| Box::pin(async move { ctx.fetch(Fetch::get("https://a.example")).await });
    for hosts in [&["*"][..], &["a.example", "https://b.example"], &["a example"]] {
        let world = TestWorld::new() as std::sync::Arc<dyn World>;
        let parts = Parts {
            settings: Vec::new(),
            root: RootKey::Given(Root::new([7; 32])),
            name: "test".into(),
            services: vec![service(none).reaches(hosts)],
            store: Options::at(Place::Directory(directory.path().to_owned())),
            configuration: Vec::new(),
            logs: Logs::new(&world),
            world,
            ports: node_ports(),
            log_kept: 1,
            commits_kept: Duration::ZERO,
            calls_per_second: 0,
            anonymous_per_second: 0,
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let error = runtime.block_on(stoa_node::Node::open(parts)).err().unwrap();
        assert_eq!(error.reason(), "node.catalogue", "{hosts:?}");
    }
}

/// Ports with an HTTP that is never asked.
fn node_ports() -> stoa_kit::ports::Ports {
    struct Never;
    impl stoa_kit::outbound::Http for Never {
        fn send(&self, _: Outbound) -> BoxFuture<'static, Result<Fetched>> {
            Box::pin(std::future::ready(Err(Error::internal("never"))))
        }
    }
    let never: std::sync::Arc<dyn stoa_kit::outbound::Http> = std::sync::Arc::new(Never);
    stoa_kit::ports::Ports::default().with(never)
}

#[test]
fn a_request_is_known_again_when_the_effect_runs_again() {
    let pays: Body = |ctx| {
        Box::pin(async move {
            let pay = || Fetch::post("https://pay.example/charges", "text/plain", "1");
            ctx.fetch(Fetch::get("https://pay.example/charges")).await?;
            ctx.fetch(pay()).await?;
            ctx.fetch(pay()).await?;
            ctx.fetch(pay().header("Idempotency-Key", "mine")).await?.success()
        })
    };
    run(Engine::Sqlite, shop(pays), |node| async move {
        node.web(|asked| match header(asked, "idempotency-key") {
            "mine" => Ok(answer(503, &[("retry-after", "7")], "")),
            _ => Ok(answer(200, &[], "")),
        });
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let call = |key: &str| Call {
            method: Relay::METHOD.path.to_owned(),
            caller: node.admin(),
            request: Box::new(Relay::new("", 0)),
            key: Some(key.to_owned()),
            fence: None,
            trace: trace.to_owned(),
            deadline: None,
            cause: Cause::Request,
            address: String::new(),
            position: None,
            dry_run: false,
        };
        for key in ["one", "one", "two"] {
            let error = node.inner().call(call(key)).await.err().unwrap();
            assert_eq!(
                (error.reason(), error.retry_after()),
                ("http.status", Some(Duration::from_secs(7)))
            );
        }
        let asked = node.asked();
        let keys: Vec<_> = asked.iter().map(|asked| header(asked, "idempotency-key")).collect();
        let (first, again, other) = (&keys[..4], &keys[4..8], &keys[8..]);
        assert_eq!(first, again);
        assert_eq!((first[0], first[3]), ("", "mine"), "a look needs no key");
        assert!(first[1].len() == 32 && first[1] != first[2], "{first:?}");
        assert!(other[1] != first[1] && other[2] != first[2], "{keys:?}");
        assert!(
            asked.iter().all(|asked| !asked.request.headers().values().any(|value| value == "one"))
        );
        let parents: Vec<_> = asked.iter().map(|asked| header(asked, "traceparent")).collect();
        assert!(parents.iter().all(|parent| parent.starts_with(&format!("00-{trace}-"))));
        assert_ne!(parents[0], parents[1], "each request is a span of its own");
        assert!(header(&asked[0], "user-agent").starts_with("stoa/"));

        // Without a key nothing is said that could be taken for one.
        fetch(&node).await.unwrap_err();
        let asked = node.asked();
        assert_eq!(header(&asked[asked.len() - 2], "idempotency-key"), "");
        assert_eq!(header(&asked[asked.len() - 2], "traceparent"), "");
    });
}

#[test]
fn a_redirect_is_followed_only_where_it_is_asked_for() {
    let plain: Body =
        |ctx| Box::pin(async move { ctx.fetch(Fetch::get("https://pay.example/a")).await });
    let follows: Body = |ctx| {
        Box::pin(async move {
            let look =
                Fetch::get("https://pay.example/a").bearer("secret").header("x-key", "secret");
            ctx.fetch(Fetch { redirects_max: 2, ..look.header("accept", "text/plain") }).await
        })
    };
    let (outcome, asked) = looks(shop(plain), &[("https://pay.example/a", "/b")]);
    assert_eq!((outcome.unwrap(), asked.len()), (307, 1));

    let (outcome, asked) =
        looks(shop(follows), &[("https://pay.example/a", "/b"), ("https://pay.example/b", "c#d")]);
    assert_eq!((outcome.unwrap(), address(&asked[2]).as_str()), (200, "https://pay.example/c"));
    assert_eq!(header(&asked[2], "authorization"), "Bearer secret");

    // Elsewhere nothing is shown that may be secret.
    let (outcome, asked) = looks(shop(follows), &[("https://pay.example/a", "//b.shop.example/b")]);
    assert_eq!((outcome.unwrap(), address(&asked[1]).as_str()), (200, "https://b.shop.example/b"));
    let mut names: Vec<_> =
        asked[1].request.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "user-agent"]);

    for (redirects, reason) in [
        (&[("https://pay.example/a", "/a")][..], "http.redirect"),
        (&[("https://pay.example/a", "http://pay.example/a")], "http.redirect"),
        (&[("https://pay.example/a", "https://evil.example/")], "http.refused_host"),
        (&[("https://pay.example/a", "https://127.0.0.1/")], "http.refused_host"),
        (&[("https://pay.example/a", "ftp://pay.example/")], "http.malformed"),
        (&[("https://pay.example/a", "https://x:y@pay.example/")], "http.malformed"),
    ] {
        let (outcome, _) = looks(shop(follows), redirects);
        let error = outcome.unwrap_err();
        assert_eq!(error.reason(), reason, "{redirects:?}");
        assert!(!error.message().contains("secret"), "{error}");
    }
}

#[test]
fn what_is_sent_goes_to_one_origin() {
    let sends: Body = |ctx| {
        Box::pin(async move {
            let post = Fetch::post("https://pay.example/a", "text/plain", "secret");
            ctx.fetch(Fetch { redirects_max: 3, ..post }).await
        })
    };
    run(Engine::Sqlite, shop(sends), |node| async move {
        for (status, to, expected) in [
            (307, "/b", Ok((Method::POST, "secret"))),
            (308, "https://pay.example:443/b", Ok((Method::POST, "secret"))),
            (302, "/b", Ok((Method::GET, ""))),
            (303, "https://b.shop.example/b", Ok((Method::GET, ""))),
            (307, "https://b.shop.example/b", Err("http.redirect")),
            (308, "https://pay.example:8443/b", Err("http.redirect")),
        ] {
            node.web(move |asked| match asked.request.uri().path() {
                "/a" => Ok(answer(status, &[("location", to)], "")),
                _ => Ok(answer(200, &[], "")),
            });
            let outcome = fetch(&node).await;
            let last = node.asked().pop().unwrap().request;
            match expected {
                Ok((method, body)) => {
                    assert_eq!(outcome.unwrap(), 200, "{status} {to}");
                    assert_eq!((last.method(), &last.body()[..]), (&method, body.as_bytes()));
                    assert_eq!(last.headers().contains_key("content-type"), !body.is_empty());
                }
                Err(reason) => assert_eq!(outcome.unwrap_err().reason(), reason, "{status} {to}"),
            }
        }
    });
}

#[test]
fn what_is_no_request_is_not_sent() {
    macro_rules! fetches {
        ($($fetch:expr),+ $(,)?) => {
            [$((|ctx| Box::pin(async move { ctx.fetch($fetch).await })) as Body),+]
        };
    }
    for body in fetches![
        Fetch::get("pay.example"),
        Fetch::get("/path"),
        Fetch::get("file:///etc/passwd"),
        Fetch::get("gopher://pay.example/"),
        Fetch::get("https://user:secret@pay.example/"),
        Fetch::get("https:///"),
        Fetch::get(format!("https://pay.example/{}", "a".repeat(9_000))),
        Fetch::get("https://pay.example/").header("Host", "evil.example"),
        Fetch::get("https://pay.example/").header("content-length", "1"),
        Fetch::get("https://pay.example/").header("transfer-encoding", "chunked"),
        Fetch::get("https://pay.example/").header("x", "a\r\nhost: evil.example"),
        Fetch::get("https://pay.example/").header("a b", "c"),
    ] {
        let (outcome, asked) = looks(shop(body), &[]);
        let error = outcome.unwrap_err();
        assert_eq!((error.reason(), asked.len()), ("http.malformed", 0));
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    // However an address of the network is written, it is known as one.
    for body in fetches![
        Fetch::get("https://0x7f.1/"),
        Fetch::get("https://2130706433/"),
        Fetch::get("https://0177.0.0.1/"),
        Fetch::get("https://127.1/"),
        Fetch::get("https://\u{ff11}27.0.0.1/"),
    ] {
        let (_, asked) = looks(vec![service(body).reaches_given()], &[]);
        assert_eq!(address(&asked[0]), "https://127.0.0.1/");
    }
}

#[test]
fn what_requests_come_to_is_counted() {
    let looks: Body =
        |ctx| Box::pin(async move { ctx.fetch(Fetch::get("https://pay.example/")).await });
    run(Engine::Sqlite, shop(looks), |node| async move {
        node.web(|_| Ok(answer(404, &[], "")));
        fetch(&node).await.unwrap();
        node.web(|_| Err(Error::unavailable("http.unreachable", "nobody is there")));
        fetch(&node).await.unwrap_err();
        let port = stoa_node::Port::new(node.inner(), Vec::new(), crate::faces::listen()).unwrap();
        let request = http::Request::get("/metrics").body("".into()).unwrap();
        let page = port.answer(([127, 0, 0, 1], 1).into(), request).await.into_body();
        let page = http_body_util::BodyExt::collect(page).await.unwrap().to_bytes();
        let page = String::from_utf8(page.into()).unwrap();
        for outcome in ["4xx", "http.unreachable"] {
            let line = format!("stoa_fetches_total{{service=\"echo\",outcome=\"{outcome}\"}} 1\n");
            assert!(page.contains(&line), "{page}");
        }
    });
}
