//! One port: RPC, health, metrics.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use connectrpc::{Chain, ConnectRpcService, Limits, PeerAddr, Router};
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
use tower::Service as _;

use crate::rpc::Table;
use crate::{Background, Node};

/// The largest request.
const REQUEST_MAX: usize = 4 << 20;
/// How long a client may take to send its headers.
const HEADERS_MAX: Duration = Duration::from_secs(10);
/// How long what runs may take to finish once the node is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(20);

type Rpc = ConnectRpcService<Chain<Table, Router>>;
type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A node that is listening.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    done: BoxFuture<'static, ()>,
}

impl Server {
    /// Stops: no new work, what runs finishes, the store closes.
    pub async fn stop(self) {
        // Nobody listening means that everything has stopped.
        let _ = self.stop.send(true);
        self.done.await;
    }
}

/// Serves a node on an address, and runs its background.
///
/// # Errors
/// `node.listen` where the address is taken or not ours.
pub async fn serve(node: Arc<Node>, address: SocketAddr) -> Result<Server> {
    let listener = node.world().listen(address)?;
    listener.set_nonblocking(true).map_err(Error::internal)?;
    let listener = TcpListener::from_std(listener).map_err(Error::internal)?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let (stop, stopped) = watch::channel(false);
    let health = Arc::new(StaticChecker::new());
    let rpc = rpc(&node, Arc::clone(&health), address)?;
    let background = Background::new(&node).await?.run(stopped.clone());
    let workers: Vec<_> = background.into_iter().map(spawn).collect();
    let accepting = spawn(accept(listener, rpc, Arc::clone(&node), health, stopped));
    let done = Box::pin(async move {
        // A task that panicked is as finished as one that ended.
        let _ = accepting.await;
        for worker in workers {
            let _ = worker.await;
        }
        node.close().await;
    });
    Ok(Server { address, stop, done })
}

#[allow(clippy::disallowed_methods, reason = "the node's own loops")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(work)
}

fn rpc(node: &Arc<Node>, health: Arc<StaticChecker>, address: SocketAddr) -> Result<Rpc> {
    let _ = health.register("");
    let contracts = node.registry().services().iter().filter_map(|service| service.contract);
    let mut reflector: Option<Reflector> = None;
    for contract in contracts.clone() {
        let _ = health.register(contract.full_name);
        match &mut reflector {
            None => {
                let first = Reflector::from_descriptor_set_bytes(contract.descriptors);
                reflector = Some(first.map_err(Error::internal)?);
            }
            Some(reflector) => {
                reflector.add_descriptor_set_bytes(contract.descriptors).map_err(Error::internal)?
            }
        }
    }
    let mut router = Router::new();
    router =
        connectrpc_health::HealthExt::register(Arc::new(HealthService::from_arc(health)), router);
    // Off loopback the catalogue of a node is nobody's business who has not signed in.
    if let Some(reflector) = reflector.filter(|_| address.ip().is_loopback()) {
        let names: Vec<_> = contracts.map(|contract| contract.full_name).collect();
        router = connectrpc_reflection::install(router, reflector.with_services(names));
    }
    let limits = Limits::default()
        .with_max_request_body_size(REQUEST_MAX)
        .with_max_message_size(REQUEST_MAX);
    Ok(ConnectRpcService::new(Chain(Table(Arc::clone(node)), router)).with_limits(limits))
}

async fn accept(
    listener: TcpListener,
    rpc: Rpc,
    node: Arc<Node>,
    health: Arc<StaticChecker>,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_MAX);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let Ok((socket, peer)) = accepted else {
            // Out of descriptors: wait for some to come back.
            node.world().sleep(Duration::from_millis(20)).await;
            continue;
        };
        let connection =
            connection(socket, peer, rpc.clone(), Arc::clone(&node), &builder, &graceful);
        spawn(connection);
    }
    health.shutdown();
    let late = node.world().sleep(DRAIN_MAX);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = late => tracing::warn!("connections were still open after the time to drain"),
    }
}

fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    rpc: Rpc,
    node: Arc<Node>,
    builder: &Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    // Small replies must not wait for acknowledgements; a socket that is gone does not mind.
    let _ = socket.set_nodelay(true);
    let counted = Arc::clone(&node);
    let service = hyper::service::service_fn(move |request| {
        route(rpc.clone(), Arc::clone(&node), peer, request)
    });
    let serving = builder.serve_connection(TokioIo::new(socket), service).into_owned();
    let watched = graceful.watch(serving);
    async move {
        counted.metrics.connections.fetch_add(1, Relaxed);
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection ended");
        }
        counted.metrics.connections.fetch_sub(1, Relaxed);
    }
}

async fn route(
    mut rpc: Rpc,
    node: Arc<Node>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
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
            let response = rpc.call(request).await?;
            return Ok(response.map(BodyExt::boxed_unsync));
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
