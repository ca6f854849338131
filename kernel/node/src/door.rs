//! The door: what a request has to be before anybody looks at what it says.
//!
//! Its head tells what it asks for, in which encoding, and who sends it, and that is all it takes
//! to refuse most of what should not come in: a call of a method that is there, spoken as it is
//! spoken here, by somebody who may and does not come too often. Only then is its body taken, of
//! bounded size, in bounded time, out of a budget of bytes that all requests share. RPC and faces
//! come in by the same door. `docs/spec/requests.md` lists the reasons.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use connectrpc::{
    Chain, ConnectError, ConnectRpcService, Dispatcher, Limits, MethodDescriptor, MethodKind,
    Router,
};
use http::request::Parts;
use http::{HeaderMap, Request, Response, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use stoa_contract::Method;
use stoa_kit::{Caller, Request as _, Result, Stream, network_of};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Node;
use crate::auth::Visitor;
use crate::browser::{self, Origins};
use crate::budget::{Budget, Held, crowded};
use crate::contract::ListServicesRequest;
use crate::guest::Guest;
use crate::incoming::{Flow, Incoming, Measure, Terms};
use crate::outgoing::{Outgoing, Wire};
use crate::reflection::Reflection;
use crate::refusal::{not_text, refuse, too_large, too_slow, truncated};
use crate::rpc::{Table, header, late, refuse as told};
use crate::serve::Listen;
use crate::socket::Talking;
use crate::spoken;
use crate::whence::Proxies;

/// The largest request, of a caller and of a stranger.
const REQUEST_MAX: usize = 4 << 20;
pub(crate) const STRANGERS_REQUEST_MAX: usize = 64 << 10;
/// Bytes of requests that are on their way or being worked on, of all and of strangers.
const INCOMING: (usize, usize) = (64 << 20, 8 << 20);
/// Bytes of replies that are not sent yet, of all and of strangers.
const OUTGOING: (usize, usize) = (128 << 20, 32 << 20);
/// How much is read of a request that is refused: a client that reads its answer only once it has
/// sent everything would otherwise find a connection that was reset, and no answer.
pub(crate) const DISCARD_MAX: usize = 64 << 20;

/// Every method that can be called: those of the contracts, and those of RPC itself.
pub(crate) type Methods = Chain<Table, Chain<Router, Reflection>>;

/// A body on its way in.
pub(crate) trait Coming:
    Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static
{
}

impl<B> Coming for B where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static
{
}

/// Where calls come in.
pub(crate) struct Door {
    node: Arc<Node>,
    methods: Arc<Methods>,
    rpc: ConnectRpcService<Methods>,
    proxies: Proxies,
    pub(crate) origins: Origins,
    pub(crate) receive_max: Duration,
    names_tenants: bool,
    pub(crate) incoming: Arc<Budget>,
    pub(crate) outgoing: Arc<Budget>,
}

/// One end of a connection that requests come in by.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) peer: SocketAddr,
    pub(crate) wire: Arc<Wire>,
    /// What it becomes once HTTP is through with it.
    next: Arc<Mutex<Option<Talking>>>,
}

impl Line {
    pub(crate) fn new(peer: SocketAddr, node: &Node) -> Self {
        Self { peer, wire: Wire::new(node.world()), next: Arc::default() }
    }

    /// Says what it becomes.
    pub(crate) fn becomes(&self, talk: Option<Talking>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = talk;
    }

    /// What it has become, once.
    pub(crate) fn became(&self) -> Option<Talking> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a guest sent, and the room that it and its answer take.
pub(crate) struct Taken {
    pub(crate) body: Bytes,
    pub(crate) held: Held,
    pub(crate) unsent: Held,
}

impl Door {
    /// A door to some methods.
    pub(crate) fn new(node: &Arc<Node>, methods: Methods, listen: &Listen) -> Self {
        let methods = Arc::new(methods);
        let limits = Limits::default()
            .with_max_request_body_size(REQUEST_MAX)
            .with_max_message_size(REQUEST_MAX);
        Self {
            node: Arc::clone(node),
            rpc: ConnectRpcService::from_arc(Arc::clone(&methods)).with_limits(limits),
            methods,
            proxies: listen.proxies.clone(),
            origins: listen.origins.clone(),
            receive_max: listen.receive_max,
            names_tenants: listen.names_tenants,
            incoming: Budget::new(INCOMING.0, INCOMING.1),
            outgoing: Budget::new(OUTGOING.0, OUTGOING.1),
        }
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Answers a call by RPC.
    pub(crate) async fn call(
        &self, request: Request<impl Coming>, line: &Line,
    ) -> Response<Outgoing> {
        let (mut head, body) = request.into_parts();
        let text = browser::is_text(&mut head);
        let headers = encoding(&head.headers);
        let answer = match self.answer(head, body, line, text).await {
            Ok(answer) => answer,
            Err(refusal) => refusal
                .into_http_response(&headers)
                .map(|body| Outgoing::plain(body, text, &line.wire)),
        };
        if text { as_text(answer) } else { answer }
    }

    async fn answer(
        &self, mut head: Parts, mut body: impl Coming, line: &Line, text: bool,
    ) -> Result<Response<Outgoing>, ConnectError> {
        let method = self.methods.lookup(path(&head));
        let entered = match spoken::check(&head, method) {
            Ok(()) => {
                let entered = self.enter(&head, line, (self.wanted(&head, line), true)).await;
                entered.map_err(|error| told(&error, head.uri.path(), &head.headers))
            }
            Err(refusal) => Err(refusal),
        };
        let guest = match entered {
            Ok(guest) => guest,
            Err(refusal) => {
                // Who converses says no more before they are answered.
                if !method.is_some_and(|method| method.kind == MethodKind::BidiStreaming) {
                    self.discard(&head, &mut body).await;
                }
                return Err(refusal);
            }
        };
        let guest = Arc::new(guest);
        head.extensions.insert(Arc::clone(&guest));
        if let Some(method) = method.filter(takes_stream) {
            if text {
                return Err(spoken::wrong_content_type(true));
            }
            return self.converse(head, body, (&guest, line), method.kind).await;
        }
        let taken = self.take(&head, &mut body, &guest, None).await;
        let Taken { body, held, unsent } = taken.map_err(|error| refuse(&error))?;
        let body = match text {
            true => browser::decode(&body).ok_or_else(|| refuse(&not_text()))?.into(),
            false => body,
        };
        let query = self.turn(method.is_some_and(|method| method.idempotent), line).await;
        let query = query.map_err(|error| refuse(&error))?;
        let request = Request::from_parts(head, Full::new(body));
        let Ok(answer) = tower::Service::call(&mut self.rpc.clone(), request).await;
        let (answer, body) = answer.into_parts();
        // What was asked is not kept any longer than what it came to.
        drop(held);
        let body = Outgoing::reply(body, text, &line.wire, unsent, query);
        Ok(Response::from_parts(answer, body.map_err(|error| refuse(&error))?))
    }

    /// Answers a call that is not there as a whole before it begins.
    async fn converse(
        &self, mut head: Parts, body: impl Coming, (guest, line): (&Guest, &Line), kind: MethodKind,
    ) -> Result<Response<Outgoing>, ConnectError> {
        let is_conversation = kind == MethodKind::BidiStreaming;
        let largest = largest(&guest.caller);
        let (measure, terms) = (Measure::MESSAGES, (is_conversation, largest));
        let (body, flow) = self.incoming(&head, body, guest, measure, terms);
        head.extensions.insert(flow);
        let request = Request::from_parts(head, body);
        let Ok(answer) = tower::Service::call(&mut self.rpc.clone(), request).await;
        let (answer, body) = answer.into_parts();
        let unsent = self.outgoing.open(&guest.caller, &guest.visitor.network);
        let body = Outgoing::reply(body, false, &line.wire, unsent, None);
        Ok(Response::from_parts(answer, body.map_err(|error| refuse(&error))?))
    }

    /// A body that is taken in as it is asked for.
    pub(crate) fn incoming<B: Coming>(
        &self, head: &Parts, body: B, guest: &Guest, measure: Measure,
        (is_conversation, largest): (bool, usize),
    ) -> (Incoming<B>, Arc<Flow>) {
        let flow = Flow::new(self.incoming.open(&guest.caller, &guest.visitor.network), largest);
        // On HTTP/2 an answer comes beside what is sent.
        let answers_last = head.version < Version::HTTP_2 && !is_conversation;
        let terms = Terms { measure, patience: self.receive_max, is_conversation, answers_last };
        (Incoming::new(body, &flow, terms, self.node.world()), flow)
    }

    /// The method that somebody must be allowed to call who asks for what a head names; none where
    /// everybody may.
    fn wanted(&self, head: &Parts, line: &Line) -> Option<&'static Method> {
        match self.node.registry().method(path(head)) {
            Some(bound) => Some(bound.method),
            // Health is open to everybody. The catalogue, by reflection or by its own method, is one
            // thing, and open at home.
            None if path(head).starts_with("grpc.health.") || self.is_local(head, line) => None,
            None => Some(ListServicesRequest::METHOD),
        }
    }

    /// Lets in whoever sends a request, by its head, if they may call a method; with a bad token as if
    /// with none, where that is forgiven and the method is for everybody.
    pub(crate) async fn enter(
        &self, head: &Parts, line: &Line, (wanted, forgives): (Option<&'static Method>, bool),
    ) -> Result<Guest> {
        let entering = async {
            let visitor = self.visitor(head, line)?;
            let guest = Guest::of(&self.node, visitor, wanted, forgives).await?;
            self.outgoing.open(&guest.caller, &guest.visitor.network).take(0)?;
            Ok(guest)
        };
        tokio::select! {
            biased;
            entered = entering => entered,
            late = late(&self.node, spoken::deadline(&head.headers)) => Err(late),
        }
    }

    /// Who sends a request, as far as its head tells.
    pub(crate) fn visitor(&self, head: &Parts, line: &Line) -> Result<Visitor> {
        let cookie = || Some(format!("Bearer {}", browser::session(head)?));
        let authorization = match header(&head.headers, "authorization")? {
            Some(said) => Some(Arc::from(said)),
            None => cookie().map(Arc::from),
        };
        let client = self.proxies.client(line.peer.ip(), &head.headers);
        Ok(Visitor {
            authorization,
            network: network_of(client),
            host: host(head),
            tenant: header(&head.headers, "stoa-tenant")?.map(Arc::from),
            names_tenants: self.names_tenants || self.is_local(head, line),
        })
    }

    /// Whether a request comes from this machine, and from nobody behind it.
    pub(crate) fn is_local(&self, head: &Parts, line: &Line) -> bool {
        self.proxies.is_local(line.peer.ip(), &head.headers)
    }

    /// Takes in what a guest sends, up to `most` bytes if that is not what it is for all.
    pub(crate) async fn take(
        &self, head: &Parts, body: &mut impl Coming, guest: &Guest, most: Option<usize>,
    ) -> Result<Taken> {
        let (caller, network) = (&guest.caller, &guest.visitor.network);
        let mut held = self.incoming.open(caller, network);
        let most = most.unwrap_or_else(|| largest(caller));
        match self.receive(body, &mut held, most).await {
            Ok(body) => Ok(Taken { body, held, unsent: self.outgoing.open(caller, network) }),
            Err(refusal) => {
                // What was refused is not kept, and leaves its room to what is still coming:
                // otherwise requests that come at the same pace refuse one another, all of them.
                drop(held);
                self.discard(head, body).await;
                Err(refusal)
            }
        }
    }

    /// The same for who takes it in piece by piece.
    pub(crate) fn in_pieces(
        &self, head: &Parts, body: impl Coming, guest: &Guest, most: Option<usize>,
    ) -> (Stream<Bytes>, Held) {
        let most = most.unwrap_or_else(|| largest(&guest.caller));
        let measure = Measure::Bytes { left: most };
        let (body, flow) = self.incoming(head, body, guest, measure, (false, most));
        (flow.bytes(body), self.outgoing.open(&guest.caller, &guest.visitor.network))
    }

    async fn receive(&self, body: &mut impl Coming, held: &mut Held, most: usize) -> Result<Bytes> {
        if body.size_hint().lower() > most as u64 {
            return Err(too_large(most));
        }
        let whole = async {
            let mut whole = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|_| truncated())?.into_data() else { continue };
                if whole.len() + data.len() > most {
                    return Err(too_large(most));
                }
                held.take(data.len())?;
                if whole.is_empty() && body.is_end_stream() {
                    return Ok(data);
                }
                // A copy, for a piece of few bytes may keep a buffer of many.
                whole.extend_from_slice(&data);
            }
            Ok(whole.into())
        };
        tokio::select! {
            biased;
            whole = whole => whole,
            () = self.node.world().sleep(self.receive_max) => Err(too_slow()),
        }
    }

    /// Reads on, up to a bound, what nobody wants, unless it is sent only when asked for.
    pub(crate) async fn discard(&self, head: &Parts, body: &mut impl Coming) {
        if head.headers.contains_key(header::EXPECT) {
            return;
        }
        let rest = async {
            let mut left = DISCARD_MAX;
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(less) => left = less,
                    None => return,
                }
            }
        };
        tokio::select! {
            biased;
            () = rest => {}
            () = self.node.world().sleep(self.receive_max) => {}
        }
    }

    /// Waits, for a query, until a connection has read enough of what it asked for before.
    pub(crate) async fn turn(
        &self, is_query: bool, line: &Line,
    ) -> Result<Option<OwnedSemaphorePermit>> {
        let queries: &Arc<Semaphore> = &line.wire.queries;
        if !is_query {
            return Ok(None);
        }
        if let Ok(permit) = Arc::clone(queries).try_acquire_owned() {
            return Ok(Some(permit));
        }
        tokio::select! {
            biased;
            Ok(permit) = Arc::clone(queries).acquire_owned() => Ok(Some(permit)),
            () = self.node.world().sleep(self.receive_max) => Err(crowded()),
        }
    }
}

fn takes_stream(method: &MethodDescriptor) -> bool {
    matches!(method.kind, MethodKind::ClientStreaming | MethodKind::BidiStreaming)
}

/// The largest request of a caller, or the largest message of a stream of theirs.
pub(crate) fn largest(caller: &Caller) -> usize {
    if caller.is_anonymous() { STRANGERS_REQUEST_MAX } else { REQUEST_MAX }
}

/// Of the head of a request, how an error is to be said: all of it would be a copy a call.
fn encoding(headers: &HeaderMap) -> HeaderMap {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.map(|value| (header::CONTENT_TYPE, value.clone())).into_iter().collect()
}

/// An answer to whoever speaks text.
fn as_text(mut answer: Response<Outgoing>) -> Response<Outgoing> {
    answer.headers_mut().insert(header::CONTENT_TYPE, browser::TEXT_ANSWER);
    answer
}

/// The host that a request is sent to, without a port.
fn host(head: &Parts) -> String {
    let authority = browser::authority(head);
    authority.map(|authority| authority.host().to_ascii_lowercase()).unwrap_or_default()
}

fn path(head: &Parts) -> &str {
    let path = head.uri.path();
    path.strip_prefix('/').unwrap_or(path)
}
