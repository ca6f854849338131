//! `/live` as a client reads it: by a WebSocket, or as server-sent events.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message, WebSocket, client};

use crate::http::Request;

/// How long a test waits for what has to be told.
const PATIENCE: Duration = Duration::from_secs(60);

/// How somebody watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Socket,
    Events,
}

/// A connection on which queries are watched.
pub(crate) enum Line {
    Socket(Box<WebSocket<TcpStream>>),
    Events(BufReader<TcpStream>),
}

impl Line {
    /// Watches some queries at a node, as `{"id": …, "method": …, "request": …, "etag": …}`; nothing
    /// if the node is not there.
    pub(crate) fn open(
        way: Way, address: SocketAddr, token: &str, watches: &[Value],
    ) -> Option<Self> {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let bearer = format!("Bearer {token}");
        if way == Way::Events {
            let body = json!({"watches": watches}).to_string();
            let request = Request::call(token, "live", "", &json!({})).to("/live").body(body);
            stream.write_all(&request.bytes(request.body.len())).ok()?;
            return Some(Self::Events(BufReader::new(stream)));
        }
        let url = format!("ws://{address}/live").parse().unwrap();
        let request = ClientRequestBuilder::new(url)
            .with_header("authorization", bearer)
            .with_sub_protocol("stoa.live.v1");
        let (mut socket, _) = client(request, stream).ok()?;
        for watch in watches {
            let mut said = watch.clone();
            said["type"] = "watch".into();
            socket.send(Message::text(said.to_string())).ok()?;
        }
        Some(Self::Socket(Box::new(socket)))
    }

    /// What is told next; nothing if the connection is lost.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let begin = Instant::now();
        loop {
            let told = match self {
                Self::Socket(socket) => match socket.read().ok()? {
                    Message::Text(text) => Some(text.as_str().to_owned()),
                    Message::Close(_) => return None,
                    _ => None,
                },
                Self::Events(lines) => {
                    let mut line = String::new();
                    if lines.read_line(&mut line).ok()? == 0 {
                        return None;
                    }
                    line.strip_prefix("data: ").map(str::to_owned)
                }
            };
            if let Some(told) = told {
                return Some(serde_json::from_str(&told).unwrap());
            }
            assert!(begin.elapsed() < PATIENCE, "there is nothing but a heart that beats");
        }
    }
}
