//! HTTP in tests: the web, what it answers and what it was asked, and the node's own port.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use stoa_kit::outbound::{Fetched, Http, Outbound, origin};
use stoa_kit::{Code, Error, Result};
use stoa_node::{Listen, Origins, Port, Proxies, Server};
use tokio::io::DuplexStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};

use crate::Node;

impl Node {
    /// Says what the web answers from now on. Until then it is not there.
    pub fn web(&self, answer: impl Fn(&Outbound) -> Result<Fetched> + Send + Sync + 'static) {
        self.web.answer_with(Box::new(answer));
    }

    /// What the web was asked so far, oldest first.
    pub fn asked(&self) -> Vec<Outbound> {
        self.web.asked()
    }

    /// Serves it on a port of this machine, for clients that others wrote.
    pub async fn serve(&self) -> Server {
        stoa_node::serve(Arc::clone(self.inner()), Vec::new(), listen()).await.unwrap()
    }

    /// What the node answers on its port to a request from somewhere else.
    pub async fn http(&self, request: Request<Bytes>) -> Response<Bytes> {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let port = Port::new(self.inner(), Vec::new(), listen()).unwrap();
        let (head, body) = port.answer(peer, request).await.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }
}

/// Opens a WebSocket on a port, from somewhere else, as a request asks for it.
///
/// # Errors
/// What the port answers instead.
pub async fn open_socket(
    port: &Arc<Port>, request: Request<()>,
) -> std::result::Result<WebSocketStream<DuplexStream>, Box<Response<Option<Vec<u8>>>>> {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let port = Arc::clone(port);
    tokio::spawn(async move { port.serve(SocketAddr::from(([192, 0, 2, 1], 4711)), theirs).await });
    match client_async(request, ours).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => Err(answer),
        Err(error) => panic!("{error}"),
    }
}

/// A port, as tests have it.
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

type Answer = dyn Fn(&Outbound) -> Result<Fetched> + Send + Sync;

/// A web that answers what the test says.
#[derive(Default)]
pub(crate) struct Web {
    answer: Mutex<Option<Box<Answer>>>,
    asked: Mutex<Vec<Outbound>>,
}

impl Web {
    pub(crate) fn answer_with(&self, answer: Box<Answer>) {
        *self.answer.lock().unwrap() = Some(answer);
    }

    pub(crate) fn asked(&self) -> Vec<Outbound> {
        self.asked.lock().unwrap().clone()
    }
}

impl Http for Web {
    fn send(&self, outbound: Outbound) -> BoxFuture<'static, Result<Fetched>> {
        let answer = match &*self.answer.lock().unwrap() {
            Some(answer) => answer(&outbound),
            None => {
                let what = format!("the test says nothing of {}", origin(outbound.request.uri()));
                Err(Error::new(Code::FailedPrecondition, "http.unknown", what)
                    .help("Say with `node.web(..)` what the web answers."))
            }
        };
        self.asked.lock().unwrap().push(outbound);
        Box::pin(std::future::ready(answer))
    }
}

/// An answer of the web.
pub fn answer(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Fetched {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let status = StatusCode::from_u16(status).unwrap();
    Fetched { status, headers: map, body: body.into() }
}
