//! HTTP/2 as a client speaks it that leaves requests unfinished and replies unread.

use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{HeaderMap, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

type Frames = Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>>;

/// A connection that gives a node so many bytes of room for each reply.
pub(crate) struct H2 {
    sender: SendRequest<StreamBody<Frames>>,
    driver: JoinHandle<hyper::Result<()>>,
}

impl H2 {
    pub(crate) async fn connect(address: SocketAddr, window: u32) -> Self {
        let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window);
        let (sender, driver) = builder.handshake(socket).await.unwrap();
        Self { sender, driver: tokio::spawn(driver) }
    }

    /// Sends a request, whose body may never end.
    pub(crate) fn send(
        &mut self, path: &str, headers: &[(&str, &str)], body: Vec<u8>, ends: bool,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
        let mut request = hyper::Request::post(format!("http://stoa{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let first = futures::stream::iter([Ok(Frame::data(Bytes::from(body)))]);
        let frames: Frames = match ends {
            true => Box::pin(first),
            false => Box::pin(first.chain(futures::stream::pending())),
        };
        self.sender.send_request(request.body(StreamBody::new(frames)).unwrap())
    }

    /// Waits until the node has closed the connection.
    pub(crate) async fn closed(self) {
        // How it ended is not asked.
        let _ = self.driver.await;
    }
}

/// The whole of a reply: its body, and all its headers with those at the end.
pub(crate) async fn whole(reply: Response<Incoming>) -> (HeaderMap, Bytes) {
    let (head, body) = reply.into_parts();
    let body = body.collect().await.unwrap();
    let mut headers = head.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    (headers, body.to_bytes())
}
