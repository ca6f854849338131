//! gRPC by hand: HTTP/2, one call at a time on a connection, as cheap for the client as [`crate::wire`].
//!
//! What is the same in each call stands in the table of the connection from the first call on (RFC 7541),
//! as clients do it. A reply with a message is a success: of what else there is, only the bytes are told.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Frames (RFC 9113, 6), and their flags.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// The length of what comes before each frame.
const HEAD: usize = 9;
/// The most that one frame has, unless somebody says otherwise.
const FRAME_MAX: usize = 16 << 10;
/// More than is read in a run: windows are never opened again.
const WINDOW: u32 = 1 << 30;

/// One connection.
pub(crate) struct Grpc {
    stream: TcpStream,
    out: Vec<u8>,
    read: Vec<u8>,
    /// The part of it that was not looked at yet.
    left: std::ops::Range<usize>,
    /// The stream of the next call.
    next: u32,
}

/// What is the same in each call.
#[derive(Clone)]
pub(crate) struct Head(Vec<u8>);

impl Head {
    /// A method, in the name of a token's bearer.
    pub(crate) fn call(path: &str, token: &str) -> Self {
        let mut head = vec![0x83, 0x86];
        // Of the static table: `:path`, `:authority`, `content-type`, `authorization`.
        for (name, value) in
            [(4, path), (1, "stoa"), (31, "application/grpc"), (23, &format!("Bearer {token}"))]
        {
            head.push(0x40 | name);
            push_text(&mut head, value.as_bytes());
        }
        head.push(0x40);
        push_text(&mut head, b"te");
        push_text(&mut head, b"trailers");
        Self(head)
    }

    /// The same from the second call on: what was put into the table last is 62.
    const AGAIN: [u8; 7] = [0x83, 0x86, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62];
}

impl Grpc {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // No table, no push, and a window for each stream.
        let mut settings = Vec::new();
        for (name, value) in [(1_u16, 0_u32), (2, 0), (4, WINDOW)] {
            settings.extend_from_slice(&name.to_be_bytes());
            settings.extend_from_slice(&value.to_be_bytes());
        }
        push_frame(&mut out, (SETTINGS, 0, 0), &[&settings]);
        push_frame(&mut out, (WINDOW_UPDATE, 0, 0), &[&WINDOW.to_be_bytes()]);
        stream.write_all(&out).await?;
        Ok(Self { stream, out, read: vec![0; 2 * FRAME_MAX], left: 0..0, next: 1 })
    }

    /// Sends a message and reads what it is answered with; none is a refusal, whose trailers are given as
    /// an error. After an error the connection is of no more use.
    pub(crate) async fn ask(
        &mut self, head: &Head, key: Option<&str>, message: &[u8],
    ) -> io::Result<Result<usize, String>> {
        let id = self.next;
        self.next += 2;
        let mut block = if id == 1 { head.0.clone() } else { Head::AGAIN.to_vec() };
        if let Some(key) = key {
            block.push(0);
            push_text(&mut block, b"idempotency-key");
            push_text(&mut block, key.as_bytes());
        }
        self.out.clear();
        push_frame(&mut self.out, (HEADERS, END_HEADERS, id), &[&block]);
        let length = (message.len() as u32).to_be_bytes();
        push_frame(&mut self.out, (DATA, END_STREAM, id), &[&[0], &length, message]);
        self.stream.write_all(&self.out).await?;
        let mut received = 0;
        loop {
            let (kind, flags, stream, payload) = self.frame().await?;
            match kind {
                DATA if stream == id => received += payload.len(),
                HEADERS if stream == id && flags & END_STREAM != 0 => {
                    let trailers = String::from_utf8_lossy(&self.read[payload]).into_owned();
                    return Ok(if received > 0 { Ok(received) } else { Err(trailers) });
                }
                SETTINGS | PING if flags & ACK == 0 => {
                    let echo = if kind == PING { self.read[payload].to_vec() } else { Vec::new() };
                    self.out.clear();
                    push_frame(&mut self.out, (kind, ACK, 0), &[&echo]);
                    self.stream.write_all(&self.out).await?;
                }
                RST_STREAM | GOAWAY => return Err(io::Error::other("the stream was reset")),
                _ => {}
            }
        }
    }

    /// The next frame: kind, flags, stream, and where its payload is.
    async fn frame(&mut self) -> io::Result<(u8, u8, u32, std::ops::Range<usize>)> {
        self.fill(HEAD).await?;
        let at = self.left.start;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
        let length = number(&self.read[at..at + 3]) as usize;
        self.fill(HEAD + length).await?;
        let at = self.left.start;
        let head = &self.read[at..at + HEAD];
        let (kind, flags, stream) = (head[3], head[4], number(&head[5..]));
        self.left.start += HEAD + length;
        Ok((kind, flags, stream, at + HEAD..at + HEAD + length))
    }

    /// Reads until as much is there.
    async fn fill(&mut self, wanted: usize) -> io::Result<()> {
        if wanted > HEAD + FRAME_MAX {
            return Err(io::Error::other("a frame is too large"));
        }
        if self.left.start + wanted > self.read.len() {
            self.read.copy_within(self.left.clone(), 0);
            self.left = 0..self.left.len();
        }
        while self.left.len() < wanted {
            let read = self.stream.read(&mut self.read[self.left.end..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.left.end += read;
        }
        Ok(())
    }
}

fn push_frame(out: &mut Vec<u8>, (kind, flags, stream): (u8, u8, u32), payload: &[&[u8]]) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    payload.iter().for_each(|part| out.extend_from_slice(part));
}

/// A text that is not compressed, its length before it (RFC 7541, 5.1 and 5.2).
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        length @ 0..127 => out.push(length as u8),
        length => {
            out.push(127);
            push_varint(out, length - 127);
        }
    }
    out.extend_from_slice(text);
}

/// A number of as many bytes as it takes, in groups of seven bits.
fn push_varint(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field of a message that is a text, or another message.
pub(crate) fn push_field(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push((number << 3) | 2);
    push_varint(out, value.len());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_have_the_length_they_need() {
        let mut out = Vec::new();
        push_varint(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
        let mut out = Vec::new();
        push_text(&mut out, &[b'x'; 200]);
        assert_eq!((&out[..2], out.len()), (&[127, 73][..], 202));
        let mut out = Vec::new();
        push_field(&mut out, 2, b"ab");
        assert_eq!(out, [0x12, 2, b'a', b'b']);
    }
}
