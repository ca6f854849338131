//! Streams of requests: taken in as they are asked for, each message held to the rules, within
//! bounds of bytes and time; and what becomes of them when either side goes away.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use serde_json::{Value, json};
use stoa_contract::v1::{HttpRequest, HttpResponse};
use stoa_contract::{Check, Contract, Effect, Kind, Method, Permission, Raw, Shape};
use stoa_kit::v1::Money;
use stoa_kit::{
    Authenticated, Authenticator, Caller, Error, MAIN, Message, Methods, Micros, Request as Asks,
    Requests, Result, Service,
};
use stoa_node::Port;
use stoa_testkit::{Engine, Node, run};
use tokio::sync::{Notify, mpsc};

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
    ($name:ident, $reply:ident, $permission:ident, $streams:literal) => {
        impl Asks for $name {
            type Reply = $reply;
            const METHOD: &'static Method = &Method {
                path: concat!("stoa.echo.v1.EchoService/", stringify!($name)),
                name: stringify!($name),
                kind: Kind::Effect,
                streams: $streams,
                takes_stream: true,
                permission: Permission::$permission,
                request: <$name as Message>::SHAPE,
                reply: <$reply as Message>::SHAPE,
                ..*Relay::METHOD
            };
        }

        impl Effect for $name {}
    };
}

method!(Add, Done, Public, false);
method!(Talk, Done, Authenticated, true);
method!(Upload, Taken, Public, false);

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

/// Lets everything happen that can.
async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

fn with<F: Future<Output = ()>>(test: impl FnOnce(Node, Arc<Seen>) -> F) {
    let seen = Arc::<Seen>::default();
    run(Engine::Sqlite, vec![service(&seen)], |node| test(node, Arc::clone(&seen)));
}

#[test]
fn messages_arrive_however_they_are_cut() {
    with(|node, _| async move {
        let all: Vec<u8> = (1..=20).flat_map(|number| framed(&amount(number))).collect();
        for size in [1, 3, 7, 64, all.len()] {
            let (mut sender, answer) = begin(port(&node), request(ADD));
            all.chunks(size).for_each(|piece| sender.send(piece.to_vec()));
            sender.end();
            let said = whole(answer.await).await;
            assert_eq!(said[0], amount(210), "in pieces of {size}: {said:?}");
        }
        // Whoever has but one message asks with that.
        assert_eq!(
            node.call(&node.nobody(), Add(Money { amount: 7, ..Money::default() }))
                .await
                .unwrap()
                .about()
                .1,
            7
        );
    });
}

#[test]
fn who_works_slowly_is_sent_to_slowly() {
    with(|node, seen| async move {
        seen.slow.store(true, SeqCst);
        let (mut sender, answer) = begin(port(&node), request(ADD));
        let answer = tokio::spawn(async move { whole(answer.await).await });
        (1..=100).for_each(|number| sender.say(&amount(number)));
        sender.end();
        for worked in 1..=50 {
            settle().await;
            assert_eq!(seen.added.load(SeqCst), worked);
            let taken = sender.taken.load(SeqCst);
            assert!(taken <= worked + 3, "{taken} of a hundred were taken after {worked}");
            seen.go_on.notify_one();
        }
        seen.slow.store(false, SeqCst);
        settle().await;
        seen.go_on.notify_one();
        assert_eq!(answer.await.unwrap()[0], amount(5_050));
    });
}

#[test]
fn what_was_worked_on_leaves_its_room_to_what_comes() {
    with(|node, seen| async move {
        // Thirty-two times what a stranger may have on its way.
        let message = framed(&json!({"amount": "1", "currency": "x".repeat(60_000)}));
        let (mut sender, answer) = begin(port(&node), request(ADD));
        (0..1_100).for_each(|_| sender.send(message.clone()));
        sender.end();
        let said = whole(answer.await).await;
        assert_eq!(said[0], amount(1_100), "{said:?}");
        assert_eq!(seen.added.load(SeqCst), 1_100);
    });
}

#[test]
fn a_message_that_breaks_a_rule_ends_the_stream() {
    with(|node, seen| async move {
        for (wrong, expected) in [
            (json!({"amount": "-1"}), "request.invalid"),
            (json!({"amout": "1"}), "request.invalid"),
            (json!([]), "json.malformed"),
        ] {
            seen.added.store(0, SeqCst);
            let (mut sender, answer) = begin(port(&node), request(ADD));
            [&amount(1), &wrong, &amount(3)].into_iter().for_each(|message| sender.say(message));
            sender.end();
            let refusal = refusal(answer.await).await;
            assert!([expected, "request.invalid"].contains(&reason(&refusal)), "{refusal}");
            assert_eq!(seen.added.load(SeqCst), 1, "{refusal}");
        }
        let (mut sender, answer) = begin(
            port(&node),
            request(ADD).header("authorization", "Bearer x").header("idempotency-key", "k"),
        );
        sender.end();
        assert_eq!(reason(&refusal(answer.await).await), "idempotency.stream");
        // Text of gRPC-Web has an end, and so no stream is asked for by it.
        seen.added.store(0, SeqCst);
        let mut text = request(ADD);
        let content_type = "application/grpc-web-text".parse().unwrap();
        text.headers_mut().unwrap().insert("content-type", content_type);
        let (mut sender, answer) = begin(port(&node), text);
        sender.say(&amount(1));
        sender.end();
        drop(answer.await);
        assert_eq!(seen.added.load(SeqCst), 0);
    });
}

#[test]
fn a_message_is_no_larger_than_a_request() {
    with(|node, seen| async move {
        // What stands before it says so, and none of it is waited for.
        let (sender, answer) = begin(port(&node), request(ADD));
        sender.say(&amount(1));
        sender.send([&[0_u8][..], &65_537_u32.to_be_bytes()].concat());
        let refusal = refusal(answer.await).await;
        assert_eq!(reason(&refusal), "request.too_large", "{refusal}");
        assert_eq!(seen.added.load(SeqCst), 1);
        // Who is known may send more.
        let known = request(ADD).header("authorization", "Bearer x");
        let (mut sender, answer) = begin(port(&node), known);
        sender.say(&json!({"amount": "1", "currency": "x".repeat(65_537)}));
        sender.end();
        assert_eq!(whole(answer.await).await[0], amount(1));
    });
}

#[test]
fn a_message_that_began_and_the_next_one_must_come() {
    with(|node, seen| async move {
        for begun in [&b""[..], b"\0", &framed(&amount(2))[..9]] {
            let (sender, answer) = begin(port(&node), request(ADD));
            let answer = tokio::spawn(async move { refusal(answer.await).await });
            sender.say(&amount(1));
            settle().await;
            // However it trickles.
            sender.send(begun.to_vec());
            node.skip(Duration::from_secs(20));
            settle().await;
            sender.send(begun.iter().take(0).copied().collect::<Vec<_>>());
            settle().await;
            assert!(!answer.is_finished());
            node.skip(Duration::from_secs(11));
            let refusal = answer.await.unwrap();
            assert_eq!(reason(&refusal), "request.too_slow", "{refusal}");
        }
        assert_eq!(seen.given_up.load(SeqCst), 3);
    });
}

#[test]
fn a_conversation_may_be_silent_but_not_in_a_word() {
    with(|node, seen| async move {
        let talk = request(TALK).header("authorization", "Bearer x");
        let (sender, answer) = begin(port(&node), talk);
        let mut body = answer.await.into_body();
        for number in 1..=3 {
            node.skip(Duration::from_secs(3_600));
            sender.say(&amount(number));
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(messages(frame.data_ref().unwrap())[0], amount(2 * number));
        }
        sender.send(&b"\0\0"[..]);
        let rest = tokio::spawn(async move { body.collect().await.unwrap().to_bytes() });
        settle().await;
        node.skip(Duration::from_secs(31));
        let end = messages(&rest.await.unwrap()).pop_back().unwrap();
        assert_eq!(reason(&end["error"]), "request.too_slow", "{end}");
        assert_eq!(seen.given_up.load(SeqCst), 1);
    });
}

#[test]
fn who_goes_away_takes_the_effect_along() {
    with(|node, seen| async move {
        // The body breaks off: what came is not the whole.
        let (mut sender, answer) = begin(port(&node), request(ADD));
        sender.say(&amount(1));
        sender.break_off();
        assert_eq!(reason(&refusal(answer.await).await), "request.truncated");
        assert_eq!((seen.added.load(SeqCst), seen.given_up.load(SeqCst)), (1, 1));
        // Half a message, and an end.
        let (mut sender, answer) = begin(port(&node), request(ADD));
        sender.send(framed(&amount(1))[..9].to_vec());
        sender.end();
        refusal(answer.await).await;
        assert_eq!((seen.added.load(SeqCst), seen.given_up.load(SeqCst)), (1, 2));
        // The call is dropped while the effect waits.
        let (sender, answer) = begin(port(&node), request(ADD));
        let waiting = tokio::spawn(answer);
        sender.say(&amount(1));
        settle().await;
        waiting.abort();
        settle().await;
        assert_eq!((seen.added.load(SeqCst), seen.given_up.load(SeqCst)), (2, 3));
        // Nobody reads the answer of a conversation any more.
        let talk = request(TALK).header("authorization", "Bearer x");
        let (_sender, answer) = begin(port(&node), talk);
        drop(answer.await);
        settle().await;
        assert_eq!(seen.given_up.load(SeqCst), 4);
    });
}

#[test]
fn who_may_not_any_more_says_nothing_more() {
    with(|node, seen| async move {
        let refused = begin(port(&node), request(TALK)).1.await;
        assert_eq!(reason(&refusal(refused).await), "auth.required");
        let until = node.now().after(Duration::from_secs(60)).0;
        let talk = request(TALK).header("authorization", format!("Bearer {until}"));
        let (sender, answer) = begin(port(&node), talk);
        let mut body = answer.await.into_body();
        sender.say(&amount(1));
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(messages(frame.data_ref().unwrap())[0], amount(2));
        node.pass(Duration::from_secs(61));
        sender.say(&amount(2));
        let rest = messages(&body.collect().await.unwrap().to_bytes());
        assert_eq!(reason(&rest[0]["error"]), "auth.token_invalid", "{rest:?}");
        assert_eq!(seen.added.load(SeqCst), 1, "what was said then is not heard");
    });
}

#[test]
fn raw_http_is_taken_in_piece_by_piece() {
    with(|node, _| async move {
        let (mut sender, answer) = begin(port(&node), Request::put("/upload/x"));
        let answer = tokio::spawn(answer);
        for size in [60_000, 40_000] {
            sender.send(vec![0; size]);
            settle().await;
        }
        sender.end();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"PUT 0: 60000 40000");

        let (sender, answer) =
            begin(port(&node), Request::put("/upload/x").version(http::Version::HTTP_2));
        sender.send(vec![0; 60_000]);
        sender.send(vec![0; 40_001]);
        assert_eq!(answer.await.status().as_u16(), 413);

        let (sender, answer) =
            begin(port(&node), Request::put("/upload/x").version(http::Version::HTTP_2));
        let answer = tokio::spawn(answer);
        sender.send(vec![0; 10]);
        settle().await;
        node.skip(Duration::from_secs(31));
        assert_eq!(answer.await.unwrap().status().as_u16(), 408);
    });
}

#[test]
fn a_stream_is_no_way_around_the_rate() {
    let seen = Arc::<Seen>::default();
    stoa_testkit::run_at_most(Engine::Sqlite, vec![service(&seen)], 20, |node| async move {
        let (mut sender, answer) = begin(port(&node), request(ADD));
        let answer = tokio::spawn(async move { whole(answer.await).await });
        (0..30).for_each(|_| sender.say(&amount(1)));
        sender.end();
        let begun = std::time::Instant::now();
        assert_eq!(answer.await.unwrap()[0], amount(30));
        // Twenty at once, the first of which came with the call.
        assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_conversation_ends_with_the_node() {
    with(|node, seen| async move {
        let server =
            stoa_node::serve(Arc::clone(node.inner()), Vec::new(), listen()).await.unwrap();
        let talk = request(TALK).header("authorization", "Bearer x");
        let (sender, answer) = begin(port(&node), talk);
        let mut body = answer.await.into_body();
        sender.say(&amount(1));
        body.frame().await.unwrap().unwrap();
        let stopping = tokio::spawn(server.stop());
        let rest = messages(&body.collect().await.unwrap().to_bytes());
        assert_eq!(reason(&rest[0]["error"]), "node.stopping", "{rest:?}");
        assert_eq!(seen.given_up.load(SeqCst), 1);
        stopping.await.unwrap();
    });
}
