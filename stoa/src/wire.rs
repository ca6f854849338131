//! A client that costs next to nothing: HTTP/1.1 by hand, one call at a time on a connection.
//!
//! The demo and the bench share two cores with the node that they load. What the client does not
//! spend, the node has: a request is copied into one buffer and sent with one write, and a reply
//! is read in place. Everybody else uses [`crate::client`].

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest reply: a page of a thousand rows stays well below it.
const REPLY_MAX: usize = 16 << 20;

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    out: Vec<u8>,
    reply: Vec<u8>,
    filled: usize,
}

/// The part of a request that stays the same: method, path, and who asks.
#[derive(Clone)]
pub(crate) struct Prefix(Vec<u8>);

/// A page of the node whose path ends anew with each request.
#[derive(Clone)]
pub(crate) struct Below {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Below {
    /// Below a path, in the name of a token's bearer.
    pub(crate) fn new(path: &str, token: &str) -> Self {
        let after = format!(" HTTP/1.1\r\nhost: stoa\r\nauthorization: Bearer {token}\r\n\r\n");
        Self { before: format!("GET {path}/").into_bytes(), after: after.into_bytes() }
    }
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Prefix {
    /// A call of a method as JSON, in the name of a token's bearer.
    pub(crate) fn call(path: &str, token: &str) -> Self {
        Self::post(path, token, "application/json")
    }

    /// A form, in the name of a token's bearer.
    pub(crate) fn form(path: &str, token: &str) -> Self {
        Self::post(path, token, "application/x-www-form-urlencoded")
    }

    fn post(path: &str, token: &str, kind: &str) -> Self {
        let who = if token.is_empty() {
            String::new()
        } else {
            format!("authorization: Bearer {token}\r\n")
        };
        let head = format!("POST {path} HTTP/1.1\r\nhost: stoa\r\ncontent-type: {kind}\r\n{who}");
        Self(head.into_bytes())
    }

    /// A page of the node that is no method.
    pub(crate) fn get(path: &str) -> Self {
        Self(format!("GET {path} HTTP/1.1\r\nhost: stoa\r\n").into_bytes())
    }
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, out: Vec::with_capacity(1024), reply: vec![0; 4096], filled: 0 })
    }

    /// Sends a request and reads its reply. After an error the connection is of no more use.
    pub(crate) async fn ask(
        &mut self, prefix: &Prefix, key: Option<&str>, body: &[u8],
    ) -> io::Result<Answer<'_>> {
        self.out.clear();
        self.out.extend_from_slice(&prefix.0);
        if let Some(key) = key {
            self.out.extend_from_slice(b"idempotency-key: ");
            self.out.extend_from_slice(key.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
        self.out.extend_from_slice(b"content-length: ");
        push_number(&mut self.out, body.len());
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(body);
        self.exchange().await
    }

    /// Asks for a page, whose path ends like this.
    pub(crate) async fn get(&mut self, below: &Below, end: &[u8]) -> io::Result<Answer<'_>> {
        self.out.clear();
        for part in [&below.before, end, &below.after] {
            self.out.extend_from_slice(part);
        }
        self.exchange().await
    }

    async fn exchange(&mut self) -> io::Result<Answer<'_>> {
        self.stream.write_all(&self.out).await?;
        self.filled = 0;
        let head = self.read_head().await?;
        let length = match content_length(&self.reply[..head]) {
            Some(length) => length,
            None => self.read_chunks(head).await?,
        };
        self.read_to(head + length).await?;
        let (start, body) = self.reply[..head + length].split_at(head);
        Ok(Answer { status: status(start)?, head: start, body })
    }

    /// Reads until the head is complete and gives its length.
    async fn read_head(&mut self) -> io::Result<usize> {
        let mut searched = 0;
        loop {
            let window = &self.reply[searched..self.filled];
            if let Some(end) = window.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(searched + end + 4);
            }
            searched = self.filled.saturating_sub(3);
            self.read_some(self.filled + 1).await?;
        }
    }

    /// Reads a body that comes in chunks, puts them together in place, and gives its length.
    async fn read_chunks(&mut self, head: usize) -> io::Result<usize> {
        let (mut from, mut to) = (head, head);
        loop {
            let digits = self.read_line(from).await?;
            let text = std::str::from_utf8(&self.reply[from..from + digits]).unwrap_or("");
            let size = usize::from_str_radix(text.trim(), 16)
                .map_err(|_| io::Error::other("the reply's chunks have no size"))?;
            from += digits + 2;
            self.read_to(from + size + 2).await?;
            if size == 0 {
                return Ok(to - head);
            }
            self.reply.copy_within(from..from + size, to);
            to += size;
            from += size + 2;
        }
    }

    /// Reads until a line that begins somewhere is complete and gives its length.
    async fn read_line(&mut self, start: usize) -> io::Result<usize> {
        loop {
            let window = self.reply.get(start..self.filled).unwrap_or_default();
            if let Some(end) = window.windows(2).position(|two| two == b"\r\n") {
                return Ok(end);
            }
            self.read_some(self.filled + 1).await?;
        }
    }

    async fn read_to(&mut self, length: usize) -> io::Result<()> {
        while self.filled < length {
            self.read_some(length).await?;
        }
        Ok(())
    }

    async fn read_some(&mut self, wanted: usize) -> io::Result<()> {
        if wanted > REPLY_MAX {
            return Err(io::Error::other("the reply is too large"));
        }
        if self.reply.len() < wanted {
            self.reply.resize(wanted.next_power_of_two(), 0);
        }
        let read = self.stream.read(&mut self.reply[self.filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled += read;
        Ok(())
    }
}

/// The value of a header, by its name in lower case.
pub(crate) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(head).ok()?;
    text.split("\r\n").skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Writes a number as decimal digits.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: usize) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

fn status(head: &[u8]) -> io::Result<u16> {
    let digits = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    let status = digits.and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| io::Error::other("the reply has no status"))
}

/// How long the body is; nothing where it comes in chunks.
fn content_length(head: &[u8]) -> Option<usize> {
    header(head, "content-length").and_then(|length| length.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_in_any_case() {
        let head = b"HTTP/1.1 503 Busy\r\nContent-Length: 12\r\nX: y\r\n\r\n";
        assert_eq!(status(head).unwrap(), 503);
        assert_eq!(content_length(head), Some(12));
        assert_eq!(header(head, "x"), Some("y"));
        assert_eq!(content_length(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 4_096, 1_000_000] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
