//! HTTP/1.1 by hand: what a client library would never send is what a stranger sends first.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long a node may take to answer, on a machine that has other things to do.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A request, in the parts that a test wants to get wrong.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A call of a method in JSON, in the name of a token's bearer, or of nobody.
    pub(crate) fn call(token: &str, service: &str, method: &str, body: &Value) -> Self {
        let name = service[..1].to_uppercase() + &service[1..];
        let mut request = Self {
            method: "POST".to_owned(),
            path: format!("/stoa.{service}.v1.{name}Service/{method}"),
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        }
        .with("content-type", "application/json");
        if !token.is_empty() {
            request = request.with("authorization", &format!("Bearer {token}"));
        }
        request
    }

    /// The same with a header of another value.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it on a connection of its own.
    pub(crate) fn send(&self, address: SocketAddr) -> Answer {
        let mut stream = connect(address);
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\nconnection: close\r\n\r\n", self.body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // A node that has heard enough answers and closes: then not all of it can be written.
        let _ = stream.write_all(&self.body);
        Answer::read(stream).expect("an answer")
    }
}

impl Answer {
    /// Reads an answer; nothing if the node closed without one.
    pub(crate) fn read(stream: TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            Some(line.trim_end().to_owned())
        };
        let status = line()?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        while let Some((name, value)) = line()?.split_once(':') {
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Self { status, headers, body: Vec::new() };
        match answer.header("content-length") {
            Some(length) => {
                answer.body.resize(length.parse().ok()?, 0);
                reader.read_exact(&mut answer.body).ok()?;
            }
            None => answer.body = chunks(&mut reader)?,
        }
        Some(answer)
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The reply of a call that succeeded.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }
}

/// A connection that gives up on a node that never answers.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
    stream
}

fn chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = u64::from_str_radix(size.trim(), 16).ok()?;
        reader.by_ref().take(size).read_to_end(&mut body).ok()?;
        reader.read_line(&mut String::new()).ok()?;
        if size == 0 {
            return Some(body);
        }
    }
}
