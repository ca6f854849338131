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

    /// The same with another body.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same by another method.
    pub(crate) fn by(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    /// The same for another path.
    pub(crate) fn to(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// Its bytes, with a length that may not be that of the body.
    pub(crate) fn bytes(&self, length: usize) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            head += "host: stoa\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {length}\r\nconnection: close\r\n\r\n");
        [head.as_bytes(), &self.body].concat()
    }

    /// Sends it on a connection of its own.
    pub(crate) fn send(&self, address: SocketAddr) -> Answer {
        Answer::read(self.open(address)).expect("an answer")
    }

    /// Sends it on a connection of its own, and leaves the answer there to be read.
    pub(crate) fn open(&self, address: SocketAddr) -> TcpStream {
        let mut stream = connect(address);
        stream.write_all(&self.bytes(self.body.len())).unwrap();
        stream
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
            _ if matches!(status, 204 | 304) => {}
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

    /// The reason of a refusal; nothing where none was given.
    pub(crate) fn reason(&self) -> String {
        self.detail("reason").as_str().unwrap_or("").to_owned()
    }

    /// The fields at fault, as `path rule`.
    pub(crate) fn violations(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let all = self.detail("violations");
        let all = all.as_array().into_iter().flatten();
        all.map(|one| format!("{} {}", text(&one["path"]), text(&one["rule"]))).collect()
    }

    /// A part of the details of a refusal.
    fn detail(&self, name: &str) -> Value {
        let body = self.json();
        let details = body["details"].as_array().into_iter().flatten();
        details.map(|one| &one["debug"][name]).find(|it| !it.is_null()).cloned().unwrap_or_default()
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
