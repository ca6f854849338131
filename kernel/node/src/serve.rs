//! One port: RPC, faces, health, metrics.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use connectrpc::{Chain, ConnectRpcBody, Router};
use connectrpc_health::HealthService;
use futures::future::{self, BoxFuture};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use stoa_kit::{Caller, Code, Error, MAIN, Result, network_of};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::browser::Origins;
use crate::budget::{Budget, Held};
use crate::door::{Coming, Door, Line, Methods};
use crate::face::{Face, Faces};
use crate::health::Health;
use crate::outgoing::Outgoing;
use crate::reflection::Reflection;
use crate::rpc::Table;
use crate::streams::{self, Streams};
use crate::whence::Proxies;
use crate::{Background, Node, raw};

/// How long what runs may take to finish once the node is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Requests at a time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 200;
/// The largest head of a request, and what is read of a body before somebody takes it.
const BUFFER_MAX: usize = 64 << 10;

/// How a node is reached.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Where it listens.
    pub address: SocketAddr,
    /// How long a client may take to begin a request, to send its headers, and then its body, and
    /// how long it may let a reply stand.
    pub receive_max: Duration,
    /// Who is believed to ask for others.
    pub proxies: Proxies,
    /// Whether everybody who has no credential may name a tenant, and not only who asks from this
    /// machine.
    pub names_tenants: bool,
    /// Pages of which origins may call.
    pub origins: Origins,
    /// Connections at a time. One network has a quarter of them, unless it is this machine or a
    /// proxy that is trusted.
    pub connections_max: usize,
}

/// A node that is listening.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    node: Arc<Node>,
    done: BoxFuture<'static, ()>,
}

impl Server {
    /// Stops: no new work, what runs finishes, the store closes.
    pub async fn stop(self) {
        self.node.stopping.send_replace(true);
        self.done.await;
    }
}

/// Serves a node on an address, with some faces beside RPC, and runs its background.
///
/// # Errors
/// `node.listen` where the address is taken or not ours, `node.mount` for faces that collide.
pub async fn serve(node: Arc<Node>, faces: Vec<Arc<dyn Face>>, listen: Listen) -> Result<Server> {
    let listener = node.world().listen(listen.address)?;
    listener.set_nonblocking(true).map_err(Error::internal)?;
    let listener = TcpListener::from_std(listener).map_err(Error::internal)?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let stopped = node.stopping.subscribe();
    let port = Port::new(&node, faces, listen)?;
    let background = Background::new(&node).await?.run(stopped.clone());
    let workers: Vec<_> = background.into_iter().map(spawn).collect();
    let accepting = spawn(accept(listener, port, stopped));
    let served = Arc::clone(&node);
    let done = Box::pin(async move {
        // A task that panicked is as finished as one that ended.
        let _ = accepting.await;
        for worker in workers {
            let _ = worker.await;
        }
        node.close().await;
    });
    Ok(Server { address, node: served, done })
}

#[allow(clippy::disallowed_methods, reason = "the node's own loops")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(work)
}

/// What can be called: the contracts of the services, health and reflection.
fn methods(node: &Arc<Node>) -> Methods {
    let health = Arc::new(HealthService::new(Health(Arc::clone(node))));
    let health = connectrpc_health::HealthExt::register(health, Router::new());
    Chain(Table(Arc::clone(node)), Chain(health, Reflection::new(node.registry())))
}

/// What answers the requests of all connections.
pub struct Port {
    door: Arc<Door>,
    faces: Faces,
    streams: Arc<dyn Face>,
    node: Arc<Node>,
    listen: Listen,
}

impl Port {
    /// A node, as it answers on its port.
    ///
    /// # Errors
    /// `node.mount` for faces that collide.
    pub fn new(node: &Arc<Node>, faces: Vec<Arc<dyn Face>>, listen: Listen) -> Result<Arc<Self>> {
        let faces = [faces, raw::faces(node.registry())].concat();
        let faces = Faces::new(faces, node.registry())?;
        let door = Arc::new(Door::new(node, methods(node), &listen));
        let streams = Arc::new(Streams(Arc::clone(node.registry())));
        Ok(Arc::new(Self { door, faces, streams, node: Arc::clone(node), listen }))
    }

    /// Answers one request, as the only one of a connection.
    pub async fn answer(
        self: &Arc<Self>, peer: SocketAddr, request: Request<Bytes>,
    ) -> Response<impl Body<Data = Bytes, Error = Error> + use<>> {
        self.answer_as_it_comes(peer, request.map(Full::new)).await
    }

    /// The same for a request whose body is not there as a whole.
    pub async fn answer_as_it_comes<B>(
        self: &Arc<Self>, peer: SocketAddr, request: Request<B>,
    ) -> Response<impl Body<Data = Bytes, Error = Error> + use<B>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
    {
        let line = Line::new(peer, &self.node);
        let Ok(answer) = route(Arc::clone(self), line, request).await;
        answer
    }

    /// Serves one connection until it ends, also as the WebSocket that it may become.
    pub async fn serve(self: &Arc<Self>, peer: SocketAddr, wire: impl Wired) {
        let (builder, graceful) = (builder(self.listen.receive_max), GracefulShutdown::new());
        connection(wire, peer, Arc::clone(self), &builder, &graceful).await;
    }
}

/// What bytes come in and go out by.
pub trait Wired: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wired for T {}

async fn accept(listener: TcpListener, port: Arc<Port>, mut stopped: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let connections = Budget::new(port.listen.connections_max, port.listen.connections_max);
    let builder = builder(port.listen.receive_max);
    // Whoever is connected listens to this, so that the last one to go is noticed.
    let open = watch::Sender::new(());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let Ok((socket, peer)) = accepted else {
            // Out of descriptors: wait for some to come back.
            port.node.world().sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Some(held) = admit(&connections, &port, peer) else {
            tracing::debug!(%peer, "a connection too many");
            continue;
        };
        // Small replies must not wait for acknowledgements; a socket that is gone does not mind.
        let _ = socket.set_nodelay(true);
        let connection = connection(socket, peer, Arc::clone(&port), &builder, &graceful);
        let place = (held, open.subscribe());
        spawn(async move {
            connection.await;
            drop(place);
        });
    }
    let late = port.node.world().sleep(DRAIN_MAX);
    tokio::select! {
        ((), ()) = future::join(graceful.shutdown(), open.closed()) => {}
        () = late => tracing::warn!("connections were still open after the time to drain"),
    }
}

/// HTTP/1.1 and HTTP/2, with bounds on what a connection keeps before anybody looks at it.
fn builder(receive_max: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(receive_max)
        .max_buf_size(BUFFER_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .max_concurrent_streams(STREAMS_MAX)
        .max_send_buf_size(BUFFER_MAX);
    builder
}

/// Takes a connection's place among all.
fn admit(connections: &Arc<Budget>, port: &Port, peer: SocketAddr) -> Option<Held> {
    let (address, network) = (peer.ip(), network_of(peer.ip()));
    let speaks_for_many =
        address.to_canonical().is_loopback() || port.listen.proxies.trusts(address);
    let mut held = match speaks_for_many {
        true => connections.open_for_many(&network),
        false => connections.open(&Caller::anonymous(MAIN), &network),
    };
    held.take(1).ok().map(|()| held)
}

fn connection(
    wire: impl Wired, peer: SocketAddr, port: Arc<Port>, builder: &Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    let (node, patience) = (Arc::clone(&port.node), port.listen.receive_max);
    let asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&asked);
    let line = Line::new(peer, &node);
    let requests = line.clone();
    let service = hyper::service::service_fn(move |request| {
        asks.store(true, Relaxed);
        route(Arc::clone(&port), requests.clone(), request)
    });
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(wire), service).into_owned();
    let watched = graceful.watch(serving);
    async move {
        let mut watched = pin!(watched);
        node.metrics.connections.fetch_add(1, Relaxed);
        let ended = loop {
            // What is spoken shows only in the first bytes; until they come, nobody else is
            // counting. Nor is anybody while a client does not read.
            tokio::select! {
                ended = &mut watched => break ended,
                () = node.world().sleep(patience) => {}
            }
            if !asked.load(Relaxed) || line.wire.is_stuck(patience) {
                break Ok(());
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
        if let Some(talk) = line.became() {
            talk.await;
        }
        node.metrics.connections.fetch_sub(1, Relaxed);
    }
}

async fn route(
    port: Arc<Port>, line: Line, request: Request<impl Coming>,
) -> Result<Response<Outgoing>, Infallible> {
    let origins = &port.listen.origins;
    if let Some(headers) = origins.preflight(request.method(), request.headers()) {
        return Ok(text(StatusCode::NO_CONTENT, String::new(), headers, &line));
    }
    let revealed = origins.reveal(request.headers());
    let plain = |(status, body)| text(status, body, HeaderMap::new(), &line);
    let mut reply = match request.uri().path() {
        "/health" => plain((StatusCode::OK, "ok\n".to_owned())),
        "/ready" => plain(match port.node.health() {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        }),
        "/metrics" => plain(metrics(&port, &line, &request.into_parts().0).await),
        path => match port.faces.at(path) {
            Some(face) => port.door.visit(face, request, &line).await,
            None if streams::is_asked(port.node.registry(), path, request.headers()) => {
                port.door.visit(&port.streams, request, &line).await
            }
            None => port.door.call(request, &line).await,
        },
    };
    for (name, value) in &revealed {
        // A face may have said already what its answer varies with.
        reply.headers_mut().append(name, value.clone());
    }
    Ok(reply)
}

/// What the node counts, for this machine and for whoever was granted to see it.
async fn metrics(port: &Port, line: &Line, head: &Parts) -> (StatusCode, String) {
    const PERMISSION: &str = "system.metrics.read";
    if !port.door.is_local(head, line) {
        let refused = |status, error: Error| (status, format!("{error}\n"));
        let caller = match port.door.visitor(head, line) {
            Ok(visitor) => port.node.identify(&visitor, false).await,
            Err(error) => Err(error),
        };
        match caller {
            // What is counted is that of all tenants.
            Ok(caller) if caller.is_main() && caller.may(PERMISSION) => {}
            Ok(caller) if !caller.is_anonymous() => {
                let message = format!("this needs the permission `{PERMISSION}`");
                let error = Error::new(Code::PermissionDenied, "auth.permission_denied", message);
                return refused(StatusCode::FORBIDDEN, error);
            }
            Ok(_) => {
                let error =
                    Error::new(Code::Unauthenticated, "auth.required", "nobody is signed in");
                return refused(StatusCode::UNAUTHORIZED, error);
            }
            Err(error) if error.code() == Code::ResourceExhausted => {
                return refused(StatusCode::TOO_MANY_REQUESTS, error);
            }
            Err(error) if error.code() == Code::Unauthenticated => {
                return refused(StatusCode::UNAUTHORIZED, error);
            }
            Err(error) => return refused(StatusCode::SERVICE_UNAVAILABLE, error),
        }
    }
    match port.node.metrics_text().await {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

fn text(status: StatusCode, body: String, headers: HeaderMap, line: &Line) -> Response<Outgoing> {
    let body = ConnectRpcBody::Full(Full::new(Bytes::from(body)));
    let mut response = Response::new(Outgoing::plain(body, false, &line.wire));
    *response.status_mut() = status;
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().extend(headers);
    response
}
