//! Streams of requests: taken in as they are asked for, each message held to the rules, within
//! bounds of bytes and time; and what becomes of them when either side goes away.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use serde_json::{Value, json};
use stoa_contract::v1::{HttpRequest, HttpResponse};
use stoa_contract::{Check, Contract, Effect, Kind, Method, Permission, Raw, Shape, Total};
use stoa_kit::v1::Money;
use stoa_kit::{
    Authenticated, Authenticator, Caller, Error, MAIN, Message, Methods, Micros, Request as Asks,
    Requests, Result, Service,
};
use stoa_node::Port;
use stoa_testkit::{Engine, Node, run};
use tokio::sync::{Notify, mpsc};

mod bounds;
mod ends;
mod pace;
mod sockets;

use crate::faces::listen;
use crate::messages::{Done, Relay};

/// Makes messages of others.
macro_rules! messages {
    ($($name:ident is $inner:ident),+) => {$(
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        struct $name($inner);

        stoa_testkit::wraps!($name);

        impl Message for $name {
            const NAME: &'static str = concat!("stoa.echo.v1.", stringify!($name));
            const SHAPE: &'static Shape = $inner::SHAPE;

            fn check(&self, check: &mut Check) {
                self.rule(check);
            }
        }
    )+};
}

messages!(Add is Money, Talk is Money, Upload is HttpRequest, Taken is HttpResponse);

impl Add {
    fn rule(&self, check: &mut Check) {
        check.least(self.0.amount, 0);
    }
}

impl Talk {
    fn rule(&self, _: &mut Check) {}
}

impl Upload {
    fn rule(&self, _: &mut Check) {}
}

impl Taken {
    fn rule(&self, _: &mut Check) {}
}

/// Makes a method, which takes a stream, of the message that asks for it.
macro_rules! method {
    ($name:ident, $reply:ident, $permission:ident, $streams:literal, $total:expr) => {
        impl Asks for $name {
            type Reply = $reply;
            const METHOD: &'static Method = &Method {
                path: concat!("stoa.echo.v1.EchoService/", stringify!($name)),
                name: stringify!($name),
                kind: Kind::Effect,
                streams: $streams,
                takes_stream: Some($total),
                permission: Permission::$permission,
                request: <$name as Message>::SHAPE,
                reply: <$reply as Message>::SHAPE,
                ..*Relay::METHOD
            };
        }

        impl Effect for $name {}
    };
}

method!(Add, Done, Public, false, Total { bytes_max: 1 << 30, seconds_max: 90 });
method!(Talk, Done, Authenticated, true, Total { bytes_max: 1_000, seconds_max: 86_400 });
method!(Upload, Taken, Public, false, Total { bytes_max: 1 << 30, seconds_max: 3_600 });

impl Raw for Upload {
    fn of(http: HttpRequest) -> Self {
        Self(http)
    }

    fn answer(reply: Taken) -> HttpResponse {
        reply.0
    }
}

const CONTRACT: &Contract = &Contract {
    methods: &[Add::METHOD, Talk::METHOD, Upload::METHOD],
    events: &[],
    ..*crate::messages::CONTRACT
};

/// What the effects saw, and when they may go on.
#[derive(Default)]
struct Seen {
    added: AtomicI64,
    /// Whether `Add` waits before each message but the first.
    slow: AtomicBool,
    go_on: Notify,
    /// Runs that ended before they were done.
    given_up: AtomicI64,
}

/// A run of an effect: counts as given up unless it is done.
struct Running(Arc<Seen>, bool);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.given_up.fetch_add(i64::from(!self.1), SeqCst);
    }
}

async fn add(seen: Arc<Seen>, mut requests: Requests<Add>) -> Result<Done> {
    let (mut running, mut sum) = (Running(Arc::clone(&seen), false), 0);
    while let Some(Add(one)) = requests.next().await? {
        sum += one.amount;
        seen.added.fetch_add(1, SeqCst);
        if seen.slow.load(SeqCst) {
            seen.go_on.notified().await;
        }
    }
    running.1 = true;
    Ok(Done::new("", sum))
}

fn service(seen: &Arc<Seen>) -> Service {
    let (adding, talking) = (Arc::clone(seen), Arc::clone(seen));
    let methods = Methods::new(CONTRACT)
        .gather(move |_, requests| add(Arc::clone(&adding), requests))
        .converse(move |_, requests: Requests<Talk>| {
            let running = Running(Arc::clone(&talking), false);
            async move {
                let steps = futures::stream::unfold(Some((requests, running)), |state| async {
                    let (mut requests, mut running) = state?;
                    match requests.next().await {
                        Ok(Some(Talk(said))) => {
                            running.0.added.fetch_add(1, SeqCst);
                            Some((Ok(Done::new("", 2 * said.amount)), Some((requests, running))))
                        }
                        Ok(None) => {
                            running.1 = true;
                            None
                        }
                        Err(error) => Some((Err(error), None)),
                    }
                });
                Ok(steps.boxed())
            }
        })
        .gather(|_, mut requests: Requests<Upload>| async move {
            let Some(Upload(head)) = requests.next().await? else {
                return Err(Error::internal("nothing came"));
            };
            let mut body = format!("{} {}:", head.method, head.body.len());
            while let Some(Upload(piece)) = requests.next().await? {
                body += &format!(" {}", piece.body.len());
            }
            Ok(Taken(HttpResponse { status: 201, body: body.into(), ..Default::default() }))
        });
    Service::new(methods).raw::<Upload>("/upload", 100_000).authenticates(Authenticator {
        tenant: |_| Some(MAIN),
        // A token says until when it is good.
        run: |view, token| {
            let (caller, until) =
                (Caller::of(MAIN, "user:ada", &[]), Micros(token.parse().unwrap_or(i64::MAX)));
            Ok((view.now() < until).then_some(Authenticated { caller, until, due: None }))
        },
        principal: |_, _, _| Ok(None),
        prepare: |_, _| Ok(false),
    })
}

/// A body that a test sends piece by piece, and which counts what was taken of it.
struct Sending(mpsc::UnboundedReceiver<Piece>, Arc<AtomicI64>);

type Piece = std::result::Result<Bytes, std::io::Error>;

impl Body for Sending {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>, context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, std::io::Error>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| {
            self.1.fetch_add(i64::from(piece.is_some()), SeqCst);
            piece.map(|piece| piece.map(Frame::data))
        })
    }
}

/// A call that is under way.
struct Sender {
    pieces: Option<mpsc::UnboundedSender<Piece>>,
    taken: Arc<AtomicI64>,
}

impl Sender {
    fn send(&self, piece: impl Into<Bytes>) {
        // Whoever does not listen any more has said why.
        let _ = self.pieces.as_ref().unwrap().send(Ok(piece.into()));
    }

    fn say(&self, message: &Value) {
        self.send(framed(message));
    }

    fn end(&mut self) {
        self.pieces = None;
    }

    fn break_off(&mut self) {
        let _ = self.pieces.take().unwrap().send(Err(std::io::Error::other("gone")));
    }
}

/// A message as it stands in a stream.
fn framed(message: &Value) -> Vec<u8> {
    let text = message.to_string();
    let length = u32::try_from(text.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], text.as_bytes()].concat()
}

fn amount(amount: i64) -> Value {
    json!({"amount": amount.to_string()})
}

fn request(path: &str) -> http::request::Builder {
    Request::post(path)
        .header("content-type", "application/connect+json")
        .version(http::Version::HTTP_2)
}

fn port(node: &Node) -> Arc<Port> {
    Port::new(node.inner(), Vec::new(), listen()).unwrap()
}

const ADD: &str = "/stoa.echo.v1.EchoService/Add";
const TALK: &str = "/stoa.echo.v1.EchoService/Talk";

/// Begins a call.
fn begin(
    port: Arc<Port>, head: http::request::Builder,
) -> (Sender, impl Future<Output = Response<impl Body<Data = Bytes, Error = Error> + Unpin>> + use<>)
{
    let (pieces, receive) = mpsc::unbounded_channel();
    let taken = Arc::<AtomicI64>::default();
    let request = head.body(Sending(receive, Arc::clone(&taken))).unwrap();
    let answer = async move { port.answer_as_it_comes(([192, 0, 2, 1], 1).into(), request).await };
    (Sender { pieces: Some(pieces), taken }, answer)
}

/// The messages of an answer, the last of which is the end of the stream.
fn messages(mut body: &[u8]) -> VecDeque<Value> {
    let mut found = VecDeque::new();
    while let [_, a, b, c, d, rest @ ..] = body {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        found.push_back(serde_json::from_slice(&rest[..length]).unwrap());
        body = &rest[length..];
    }
    found
}

async fn whole(answer: Response<impl Body<Data = Bytes, Error = Error>>) -> VecDeque<Value> {
    messages(&answer.into_body().collect().await.unwrap().to_bytes())
}

/// What a stream was ended with.
async fn refusal(answer: Response<impl Body<Data = Bytes, Error = Error>>) -> Value {
    let mut said = whole(answer).await;
    let end = said.pop_back().unwrap();
    assert!(end["error"].is_object(), "{end}");
    end["error"].clone()
}

fn reason(refusal: &Value) -> &str {
    refusal["details"][0]["debug"]["reason"].as_str().unwrap_or("none")
}

fn with<F: Future<Output = ()>>(test: impl FnOnce(Node, Arc<Seen>) -> F) {
    let seen = Arc::<Seen>::default();
    run(Engine::Sqlite, vec![service(&seen)], |node| test(node, Arc::clone(&seen)));
}
