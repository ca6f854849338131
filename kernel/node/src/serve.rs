//! One port: RPC, health, metrics.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use connectrpc::{Chain, ConnectRpcBody, PeerAddr, Router};
use connectrpc_health::{HealthService, StaticChecker};
use connectrpc_reflection::Reflector;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use stoa_kit::{Error, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::door::{Door, Methods};
use crate::rpc::Table;
use crate::{Background, Node};

/// How long what runs may take to finish once the node is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(20);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How a node is reached.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// Where it listens.
    pub address: SocketAddr,
    /// How long a client may take to begin a request, to send its headers, and then its body.
    pub receive_max: Duration,
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

/// Serves a node on an address, and runs its background.
///
/// # Errors
/// `node.listen` where the address is taken or not ours.
pub async fn serve(node: Arc<Node>, listen: Listen) -> Result<Server> {
    let listener = node.world().listen(listen.address)?;
    listener.set_nonblocking(true).map_err(Error::internal)?;
    let listener = TcpListener::from_std(listener).map_err(Error::internal)?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let stopped = node.stopping.subscribe();
    let health = Arc::new(StaticChecker::new());
    let methods = methods(&node, Arc::clone(&health), address)?;
    let port = Port {
        door: Door::new(methods, node.world(), listen.receive_max),
        node: Arc::clone(&node),
        receive_max: listen.receive_max,
    };
    let background = Background::new(&node).await?.run(stopped.clone());
    let workers: Vec<_> = background.into_iter().map(spawn).collect();
    let accepting = spawn(accept(listener, port, health, stopped));
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
fn methods(node: &Arc<Node>, health: Arc<StaticChecker>, address: SocketAddr) -> Result<Methods> {
    let _ = health.register("");
    let contracts = node.registry().services().iter().filter_map(|service| service.contract);
    let reflector = Reflector::from_descriptor_set_bytes(stoa_contract::IMPORTS);
    let mut reflector = reflector.map_err(Error::internal)?;
    for contract in contracts.clone() {
        let _ = health.register(contract.full_name);
        reflector.add_descriptor_set_bytes(contract.descriptors).map_err(Error::internal)?;
    }
    let mut router = Router::new();
    router =
        connectrpc_health::HealthExt::register(Arc::new(HealthService::from_arc(health)), router);
    // Off loopback the catalogue of a node is nobody's business who has not signed in.
    if address.ip().is_loopback() {
        let names: Vec<_> = contracts.map(|contract| contract.full_name).collect();
        router = connectrpc_reflection::install(router, reflector.with_services(names));
    }
    Ok(Chain(Table(Arc::clone(node)), router))
}

/// What every connection needs.
#[derive(Clone)]
struct Port {
    door: Door,
    node: Arc<Node>,
    receive_max: Duration,
}

async fn accept(
    listener: TcpListener,
    port: Port,
    health: Arc<StaticChecker>,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(port.receive_max);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
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
        spawn(connection(socket, peer, port.clone(), &builder, &graceful));
    }
    health.shutdown();
    let late = port.node.world().sleep(DRAIN_MAX);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = late => tracing::warn!("connections were still open after the time to drain"),
    }
}

fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    port: Port,
    builder: &Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    // Small replies must not wait for acknowledgements; a socket that is gone does not mind.
    let _ = socket.set_nodelay(true);
    let (node, receive_max) = (Arc::clone(&port.node), port.receive_max);
    let asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&asked);
    let service = hyper::service::service_fn(move |request| {
        asks.store(true, Relaxed);
        route(port.clone(), peer, request)
    });
    let serving = builder.serve_connection(TokioIo::new(socket), service).into_owned();
    let watched = graceful.watch(serving);
    async move {
        let mut watched = pin!(watched);
        node.metrics.connections.fetch_add(1, Relaxed);
        // What is spoken shows only in the first bytes; until they come, nobody else is counting.
        let silent = node.world().sleep(receive_max);
        let ended = tokio::select! {
            ended = &mut watched => Some(ended),
            () = silent => None,
        };
        let ended = match ended {
            None if asked.load(Relaxed) => watched.await,
            None => Ok(()),
            Some(ended) => ended,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
        node.metrics.connections.fetch_sub(1, Relaxed);
    }
}

async fn route(
    mut port: Port,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let node = &port.node;
    let reply = match request.uri().path() {
        "/health" => text(StatusCode::OK, "ok\n".to_owned()),
        "/ready" => match node.health() {
            Ok(()) => text(StatusCode::OK, "ready\n".to_owned()),
            Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        },
        "/metrics" => match node.metrics_text().await {
            Ok(body) => text(StatusCode::OK, body),
            Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        },
        _ => {
            request.extensions_mut().insert(PeerAddr(peer));
            let response = port.door.call(request).await;
            return Ok(response.map(|body| match body {
                // Of a known length, so that it goes out in one piece.
                ConnectRpcBody::Full(whole) => whole.boxed_unsync(),
                parts => parts.boxed_unsync(),
            }));
        }
    };
    Ok(reply)
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *response.status_mut() = status;
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
