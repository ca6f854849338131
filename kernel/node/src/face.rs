//! Faces: ways to call the services of a node other than RPC, on the same port.
//!
//! A face has prefixes of paths. It reads from the head of a request which method it will call; the
//! door lets in who may call that, and takes in the body ([`Door::visit`]); then the face calls, and
//! says what came of it in its own way.
//!
//! **Invariant:** what comes in by a face passes what a call by RPC passes: authentication, limits,
//! budgets, the deadline, and [`Node::call`].
//!
//! **Invariant:** a path has one answer: prefixes that lie within one another, or where RPC is, are
//! refused at the start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use stoa_contract::{AnyMessage, Kind, Method};
use stoa_kit::{Caller, Code, Error, Registry, Result, Stream, World};

use crate::call::Answer;
use crate::door::{Coming, Door, Line};
use crate::guest::Guest;
use crate::limit::Allowance;
use crate::outgoing::Outgoing;
use crate::rpc::{late, tell, told, trace};
use crate::socket::{self, Talk};
use crate::spoken::deadline;
use crate::unwound::unwound;
use crate::{Call, Conversation, Node};

/// The paths that the node answers itself.
const OWN: [&str; 3] = ["/health", "/ready", "/metrics"];
/// How often somebody to whom no event is told hears that the connection stands.
const BEAT: Duration = Duration::from_secs(10);

/// A way to call the services of a node.
pub trait Face: Send + Sync + 'static {
    /// What people call it, where two want the same path.
    fn name(&self) -> &str;

    /// The paths that it answers, each with all that lies below: `/v1/ledger`, or `/` for what
    /// nobody else answers. `/v1/ledger` is not `/v1/ledgers`.
    fn prefixes(&self) -> Vec<String>;

    /// What a request asks for, by its head.
    ///
    /// # Errors
    /// What the request is refused with, before anybody asks who sends it.
    fn asked(&self, head: &Parts) -> Result<Asked>;

    /// Whether a token that is not good is taken for none where everybody may ask, as by RPC: who signs
    /// in again with an old one in hand is not kept out by it. A face that does not is asked again
    /// without it.
    fn forgives(&self) -> bool {
        true
    }

    /// The header that holds the token of whoever asks for a path, where it is not `Authorization`.
    fn token_in(&self, path: &str) -> Option<&'static str> {
        let _ = path;
        None
    }

    /// Answers somebody who was let in.
    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>>;

    /// Says an error, the door's or its own, about a request for a path, which may belong to a
    /// trace, as this face does. [`status`](crate::status) is what HTTP calls it.
    fn refuse(&self, path: &str, trace: &str, error: &Error) -> Response<Content>;
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The method that will be called: the door lets in who may call it. None for what is for
    /// everybody.
    pub method: Option<&'static Method>,
    /// The largest body, where it is not the one of RPC.
    pub body_max: Option<usize>,
}

impl From<&'static Method> for Asked {
    fn from(method: &'static Method) -> Self {
        Self { method: Some(method), body_max: None }
    }
}

/// The body of an answer.
pub enum Content {
    /// It is there as a whole.
    Whole(Bytes),
    /// It comes in pieces. An error breaks the connection off, so that nobody takes what came so far
    /// for the whole.
    Stream(Stream<Bytes>),
    /// None: the connection becomes a WebSocket. [`Visit::upgrade`] makes it.
    Socket(Talk),
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self::Whole(bytes.into())
    }
}

impl Content {
    /// Server-sent events, of HTML, as they come, and between them now and then a comment: that the
    /// connection stands.
    pub fn events(events: Stream<Bytes>, world: &Arc<dyn World>) -> Self {
        let state = (events, Arc::clone(world));
        let pieces = futures::stream::unfold(state, |(mut events, world)| async move {
            let piece = tokio::select! {
                biased;
                event = events.next() => event?,
                () = world.sleep(BEAT) => Ok(Bytes::from_static(b":\n\n")),
            };
            Some((piece, (events, world)))
        });
        Self::Stream(pieces.boxed())
    }
}

/// A request that was let in.
pub struct Visit {
    /// Its head.
    pub head: Parts,
    /// Its body, as it came; empty where the method takes a stream.
    pub body: Bytes,
    /// Whether it comes from this machine, and from nobody behind it.
    pub local: bool,
    /// How long an answer may take that is no stream, where the head does not say.
    pub wait_max: Option<Duration>,
    /// Uptime at which whoever asks waits no longer, where the head says so.
    until: Option<Duration>,
    /// The body as it comes, where the method takes a stream.
    coming: Mutex<Option<Stream<Bytes>>>,
    pub(crate) guest: Guest,
    pub(crate) door: Arc<Door>,
}

impl Visit {
    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        self.guest.node()
    }

    /// Who sends it, to call on their behalf beyond this answer.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// Who sends it.
    pub fn caller(&self) -> &Caller {
        self.guest.caller()
    }

    /// The body as it comes, where the method takes a stream: for whoever asks first.
    pub fn coming(&self) -> Option<Stream<Bytes>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The W3C trace that the request belongs to; empty where there is none.
    pub fn trace(&self) -> String {
        trace(&self.head.headers)
    }

    /// How many more calls they may make, where they are limited.
    pub fn allowance(&self) -> Option<Allowance> {
        let Guest { caller, visitor, node } = &self.guest;
        node.limits.left(caller, &visitor.network, node.world().uptime())
    }

    /// Whether who sent the request may still call a method: they, or what they may, can have changed
    /// since they were let in.
    ///
    /// # Errors
    /// Those of [`Node::still_good`].
    pub async fn still_may(&self, method: &Method) -> Result<()> {
        self.guest.still_good(method).await
    }

    /// Calls a method for whoever sends the request, with the idempotency key, the trace, the
    /// deadline and the position that its head names. A stream that this gives looks again, before
    /// each message, whether they may still have it.
    ///
    /// # Errors
    /// Those of [`Node::call`], and `request.header`.
    pub async fn call(
        &self, method: &'static Method, request: Box<dyn AnyMessage>,
    ) -> Result<Answer> {
        let latest = self.wait_max.map(|wait| self.node().world().uptime() + wait);
        let call = self.guest.asks(method.path.to_owned(), &self.head.headers, request)?;
        self.guest.send(method, Call { deadline: self.until.or(latest), ..call }).await
    }

    /// The same for a method that takes a stream. Before each message of it there is such a look too.
    ///
    /// # Errors
    /// As [`Visit::call`].
    pub async fn converse(
        &self, method: &'static Method, requests: Stream<Box<dyn AnyMessage>>,
    ) -> Result<Answer> {
        let call = self.guest.asks(method.path.to_owned(), &self.head.headers, requests)?;
        self.guest.converse(method, Conversation { deadline: self.until, ..call }).await
    }
}

impl Answer {
    /// What is told beside the reply, as headers of HTTP: `stoa-position`, `idempotency-replayed`,
    /// `stoa-dry-run`.
    pub fn headers(&self) -> HeaderMap {
        let told = told(self).into_iter();
        told.filter_map(|(name, value)| {
            Some((http::HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
        })
        .collect()
    }
}

/// The faces of a node, by their prefixes.
#[derive(Clone, Default)]
pub(crate) struct Faces(Arc<BTreeMap<String, Arc<dyn Face>>>);

impl Faces {
    /// # Errors
    /// `node.mount` for a prefix that is none, or that collides with another one or with RPC.
    pub(crate) fn new(faces: Vec<Arc<dyn Face>>, registry: &Registry) -> Result<Self> {
        let mut mounted: BTreeMap<String, Arc<dyn Face>> = BTreeMap::new();
        for face in faces {
            for prefix in face.prefixes() {
                check(&prefix, face.name(), registry)?;
                let other = mounted.iter().find(|(other, _)| collide(other, &prefix));
                if let Some((other, owner)) = other {
                    let (name, owner) = (face.name(), owner.name());
                    let what = format!("`{prefix}` of {name} collides with `{other}` of {owner}");
                    return Err(mount(what));
                }
                mounted.insert(prefix, Arc::clone(&face));
            }
        }
        Ok(Self(Arc::new(mounted)))
    }

    /// The face that answers a path.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<dyn Face>> {
        let mut prefix = path;
        loop {
            if let Some(face) = self.0.get(prefix) {
                return Some(face);
            }
            match prefix.rfind('/')? {
                0 if is_call(path) => return None,
                0 => return self.0.get("/"),
                end => prefix = &prefix[..end],
            }
        }
    }
}

/// Whether a path is that of a call by RPC, `/stoa.ledger.v1.LedgerService/GetBalance`: whoever answers
/// what is left leaves those to it, also where there is no such method.
fn is_call(path: &str) -> bool {
    let service = path.trim_start_matches('/').split_once('/').map_or("", |(service, _)| service);
    service.trim_start_matches('.').contains('.')
}

/// Whether two prefixes have a path in common, other than as the one for all that is left.
fn collide(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
    };
    let all_that_is_left = one == "/" || other == "/";
    one == other || (!all_that_is_left && (within(one, other) || within(other, one)))
}

fn check(prefix: &str, name: &str, registry: &Registry) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
    let segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(good);
    let rest = prefix.strip_prefix('/');
    if !rest.is_some_and(|rest| rest.is_empty() || rest.split('/').all(segment)) {
        return Err(mount(format!("`{prefix}` of {name} is no prefix of a path")));
    }
    if OWN.iter().any(|own| collide(own, prefix)) {
        return Err(mount(format!("`{prefix}` of {name} is the node's own")));
    }
    let first = prefix[1..].split('/').next().unwrap_or_default();
    let mut contracts = registry.services().iter().filter_map(|service| service.contract);
    if first.starts_with("grpc.") || contracts.any(|contract| contract.full_name == first) {
        return Err(mount(format!("`{prefix}` of {name} is where RPC is")));
    }
    Ok(())
}

fn mount(message: String) -> Error {
    Error::new(Code::FailedPrecondition, "node.mount", message).help(
        "Mount it elsewhere, below a path of its own that begins with `/` and does not end with it.",
    )
}

/// Takes a token from the header where clients of a face send it, and puts it where all others do.
fn authorize(headers: &mut HeaderMap, name: &'static str) {
    let Some(token) = headers.remove(name) else { return };
    if let Ok(said) = HeaderValue::from_bytes(&[b"Bearer ", token.as_bytes()].concat()) {
        headers.entry(header::AUTHORIZATION).or_insert(said);
    }
}

impl Door {
    /// Answers a request to a face.
    pub(crate) async fn visit(
        self: &Arc<Self>, face: &Arc<dyn Face>, request: Request<impl Coming>, line: &Line,
    ) -> Response<Outgoing> {
        let (mut head, body) = request.into_parts();
        if let Some(name) = face.token_in(head.uri.path()) {
            authorize(&mut head.headers, name);
        }
        let (path, trace) = (head.uri.path().to_owned(), trace(&head.headers));
        let left = deadline(&head.headers);
        let until = left.map(|left| self.node().world().uptime() + left);
        let answered = tokio::select! {
            biased;
            answered = self.admit(face, head, body, (line, until)) => answered,
            late = late(self.node(), left) => Err(late),
        };
        answered.unwrap_or_else(|error| {
            tell(&error, &path, &trace);
            let mut refusal = face.refuse(&path, &trace, &error);
            socket::tell_how(&error, &mut refusal);
            refusal.map(|content| Outgoing::plain(content, false, &line.wire))
        })
    }

    async fn admit(
        self: &Arc<Self>, face: &Arc<dyn Face>, head: Parts, mut body: impl Coming,
        (line, until): (&Line, Option<Duration>),
    ) -> Result<Response<Outgoing>> {
        let entered = match face.asked(&head) {
            Ok(asked) => {
                let wanted = (asked.method, face.forgives());
                self.enter(&head, line, wanted).await.map(|guest| (asked, guest))
            }
            Err(error) => Err(error),
        };
        let (asked, guest) = match entered {
            Ok(entered) => entered,
            Err(error) => {
                self.discard(&head, &mut body).await;
                return Err(error);
            }
        };
        let is_query = asked.method.is_some_and(|method| method.kind == Kind::Query);
        let (body, coming, held, unsent) = match asked.method {
            Some(method) if method.takes_stream.is_some() => {
                let (coming, unsent) = self.in_pieces(&head, body, &guest, asked.body_max);
                (Bytes::new(), Some(coming), None, unsent)
            }
            _ => {
                let taken = self.take(&head, &mut body, &guest, asked.body_max).await?;
                (taken.body, None, Some(taken.held), taken.unsent)
            }
        };
        let query = self.turn(is_query, line).await?;
        let (coming, door) = (Mutex::new(coming), Arc::clone(self));
        let local = self.is_local(&head, line);
        let visit = Visit { head, body, local, wait_max: None, until, coming, guest, door };
        let mut answer = unwound(face.answer(visit)).await?;
        if let Content::Socket(talk) = answer.body_mut() {
            line.becomes(talk.take());
        }
        // What was asked is not kept any longer than what it came to.
        drop(held);
        let (answer, content) = answer.into_parts();
        let content = Outgoing::reply(content, false, &line.wire, unsent, query)?;
        Ok(Response::from_parts(answer, content))
    }
}
