//! Questions that were right once, by way of faces: whatever is asked, it is answered or refused, never by
//! a fault, and what is wrong with a message is wrong for the same reason on all of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method as Verb, Request, Response, StatusCode, Uri,
};
use http_body_util::BodyExt;
use stoa_contract::{Contract, Format};
use stoa_kit::Service;
use stoa_node::Port;

use super::World;
use super::examples::Examples;
use super::faces::{Ask, Refusal, Speaker, ask, shown, with_names_as_tokens};
use crate::bench::{Bench, Setup};
use crate::fuzz::{self, Random};
use crate::web::listen;
use crate::{Engine, Node};

/// What is answered later than this is not answered at all, on any machine.
const HANGS: Duration = Duration::from_secs(60);
/// Different failures that are told of at once.
const TOLD_MAX: usize = 12;

/// How often each way was taken.
#[derive(Debug, Default, Clone)]
pub struct Tried {
    /// Requests, by the name of the face.
    pub requests: BTreeMap<String, usize>,
    /// Messages that were compared with what the first face makes of them.
    pub compared: usize,
    /// Those of them that it refuses.
    pub refused: usize,
}

impl Tried {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (name, count) in other.requests {
            *self.requests.entry(name).or_default() += count;
        }
        self.compared += other.compared;
        self.refused += other.refused;
        self
    }
}

/// Asks so many questions that were made of the examples of a service, by way of each face: as a message
/// that the first face is asked as well, and as bytes. Commands are dry runs, so that each finds what the
/// one before it found.
pub fn mutated_by_way_of(
    speakers: &[&dyn Speaker], contract: &'static Contract, services: fn() -> Vec<Service>,
    folder: &Path, (cases, seed): (usize, u64),
) -> Tried {
    let text = std::fs::read_to_string(folder.join("examples.yaml")).unwrap();
    let examples = &Examples::read(&text, contract);
    let name = contract.name.bytes().fold(seed, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    let services_of_node = with_names_as_tokens(services());
    let bench = Bench::new(Engine::Sqlite, &services());
    bench.run(services_of_node, Setup::in_turn(), |node| async move {
        let world = World::ready(&node, examples).await;
        let faces = speakers.iter().flat_map(|speaker| speaker.faces(&node)).collect();
        let port = Port::new(node.inner(), faces, listen()).unwrap();
        let right = shown(contract).map(|method| {
            let success = &examples.methods[method.name].success;
            ask(&world, method, &success.caller, &success.with, None)
        });
        let right: Vec<Ask> = right.collect();
        let (failures, tried) = (BTreeMap::new(), Tried::default());
        let mut trial = Trial { node, port, speakers, random: Random::new(name), failures, tried };
        for _ in 0..cases {
            let mut ask = trial.random.one(&right).clone();
            trial.bytes(&ask).await;
            ask.request = fuzz::message(&mut trial.random, &ask.request);
            trial.message(&ask).await;
        }
        let told: Vec<&String> = trial.failures.values().take(TOLD_MAX).collect();
        assert!(
            told.is_empty(),
            "{}: {} failures\n{}",
            contract.name,
            trial.failures.len(),
            told.iter().map(|told| told.as_str()).collect::<Vec<_>>().join("\n")
        );
        trial.tried
    })
}

struct Trial<'a> {
    node: Node,
    port: Arc<Port>,
    speakers: &'a [&'a dyn Speaker],
    random: Random,
    /// What went wrong, once for each way in which it does.
    failures: BTreeMap<String, String>,
    tried: Tried,
}

impl Trial<'_> {
    /// Asks the same of all faces on which it can be asked.
    async fn message(&mut self, ask: &Ask) {
        let speakers = self.speakers;
        let wanted = self.heard(speakers[0], ask).await;
        self.tried.refused += usize::from(wanted.is_err());
        for speaker in &speakers[1..] {
            if !speaker.says(ask) {
                continue;
            }
            let found = self.heard(*speaker, ask).await;
            let is_foreign = found.as_ref().is_err_and(|refusal| speaker.is_foreign(refusal));
            if is_foreign && self.is_right(ask) {
                continue;
            }
            self.tried.compared += 1;
            // What was asked may have counted: then it is refused for another reason from now on.
            if found != wanted && found != self.heard(speakers[0], ask).await {
                let way = format!("{} {found:?} {wanted:?}", speaker.name());
                let told = format!(
                    "{}: {} as {:?} with {}\n  gives {found:?}\n  and   {wanted:?} by {}",
                    speaker.name(),
                    ask.method.path,
                    ask.token,
                    cut(&ask.request.to_string()),
                    speakers[0].name()
                );
                self.failures.entry(way).or_insert(told);
            }
        }
    }

    /// Whether nothing is wrong with a message as such: what its service has against it, if it has, is
    /// another matter.
    fn is_right(&self, ask: &Ask) -> bool {
        let bound = self.node.inner().registry().method(ask.method.path).unwrap();
        let message = bound.decode_request(ask.request.to_string().as_bytes(), Format::Json);
        message.and_then(|mut message| message.admit()).is_ok()
    }

    async fn heard(&mut self, speaker: &dyn Speaker, ask: &Ask) -> Result<(), Refusal> {
        let answer = self.send(speaker, speaker.request(ask)).await;
        speaker.heard(ask, answer).map(|_| ())
    }

    /// Asks by way of each face, and alters what is sent on its way.
    async fn bytes(&mut self, ask: &Ask) {
        for &speaker in self.speakers {
            if !speaker.says(ask) {
                continue;
            }
            let request = match speaker.name() {
                "Connect" if self.random.below(2) == 0 => self.in_binary(speaker.request(ask), ask),
                _ => speaker.request(ask),
            };
            let altered = altered(&mut self.random, request);
            self.send(speaker, altered).await;
        }
    }

    /// The same in protobuf's own encoding.
    fn in_binary(&self, mut request: Request<Bytes>, ask: &Ask) -> Request<Bytes> {
        let bound = self.node.inner().registry().method(ask.method.path).unwrap();
        let message = bound.decode_request(ask.request.to_string().as_bytes(), Format::Json);
        let binary = HeaderValue::from_static("application/proto");
        request.headers_mut().insert("content-type", binary);
        request.map(|_| message.unwrap().encode(Format::Binary).unwrap().into())
    }

    async fn send(
        &mut self, speaker: &dyn Speaker, mut request: Request<Bytes>,
    ) -> Response<Bytes> {
        let dry = HeaderName::from_static("stoa-dry-run");
        request.headers_mut().entry(dry).or_insert(HeaderValue::from_static("true"));
        *self.tried.requests.entry(speaker.name().to_owned()).or_default() += 1;
        let (told, is_odd) = (told(&request), is_compressed(&request));
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let answered = async { whole(self.port.answer(peer, request).await).await };
        let answer = tokio::time::timeout(HANGS, answered).await;
        let answer =
            answer.unwrap_or_else(|_| panic!("{} is not answered: {told}", speaker.name()));
        if let Some(fault) = fault(&answer).filter(|_| !is_odd) {
            let way = format!("{} {fault}", speaker.name());
            let told = format!("{}: {told}\n  gives {fault}", speaker.name());
            self.failures.entry(way).or_insert(told);
        }
        answer
    }
}

/// An answer as a whole, trailers among its headers; of events without end the first.
async fn whole(answer: Response<impl BodyExt<Data = Bytes> + Unpin>) -> Response<Bytes> {
    let (mut head, mut body) = answer.into_parts();
    let kind = head.headers.get("content-type").map(|kind| kind.as_bytes().to_vec());
    let endless = kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"));
    let mut text = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        match frame.into_data() {
            Ok(data) => text.extend_from_slice(&data),
            Err(frame) => head.headers.extend(frame.into_trailers().unwrap_or_default()),
        }
        if endless && text.ends_with(b"\n\n") {
            break;
        }
    }
    Response::from_parts(head, text.into())
}

/// What is wrong with an answer whatever was asked: that it says that the fault is ours.
fn fault(answer: &Response<Bytes>) -> Option<String> {
    let text = String::from_utf8_lossy(answer.body());
    let is_late = answer.status() == StatusCode::GATEWAY_TIMEOUT;
    let by_status = answer.status().is_server_error() && !is_late;
    // Unknown, internal, and data that was lost.
    let of_grpc = |status: &str| matches!(status.trim(), "2" | "13" | "15");
    let header = |headers: &HeaderMap| {
        let status = headers.get("grpc-status").and_then(|status| status.to_str().ok());
        status.is_some_and(of_grpc)
    };
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("grpc-status:"));
    let wrong = by_status
        || header(answer.headers())
        || lines.any(of_grpc)
        || text.contains("\"reason\":\"internal\"")
        || text.contains("\"code\":\"internal\"");
    wrong.then(|| format!("{} {}", answer.status(), cut(&text)))
}

/// Whether a message of gRPC says that it is compressed, while nobody said how: gRPC wants to be told that
/// this is `internal`, whoever is at fault (its `compression.md`).
fn is_compressed(request: &Request<Bytes>) -> bool {
    let kind = request.headers().get("content-type").map(|kind| kind.as_bytes());
    let is_grpc = kind.is_some_and(|kind| kind.starts_with(b"application/grpc"));
    is_grpc && request.body().first().is_some_and(|flags| flags & 1 == 1)
}

/// A request with something about it that is otherwise: its body, or else its head.
fn altered(random: &mut Random, request: Request<Bytes>) -> Request<Bytes> {
    let (mut head, body) = request.into_parts();
    let mut body = body.to_vec();
    match random.below(8) {
        0 | 1 => {
            let mut uri = head.uri.to_string().into_bytes();
            fuzz::bytes(random, &mut uri);
            head.uri = Uri::try_from(uri.as_slice()).unwrap_or(head.uri);
        }
        2 => {
            let names: Vec<HeaderName> = head.headers.keys().cloned().collect();
            let name = random.one(&names);
            let mut value = head.headers[name].as_bytes().to_vec();
            fuzz::bytes(random, &mut value);
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                head.headers.insert(name, value);
            }
        }
        3 => {
            let verbs = [Verb::GET, Verb::HEAD, Verb::POST, Verb::PUT, Verb::PATCH, Verb::DELETE];
            head.method = random.one(&verbs).clone();
        }
        _ if body.is_empty() => {
            let mut uri = head.uri.to_string().into_bytes();
            fuzz::bytes(random, &mut uri);
            head.uri = Uri::try_from(uri.as_slice()).unwrap_or(head.uri);
        }
        _ => fuzz::bytes(random, &mut body),
    }
    Request::from_parts(head, body.into())
}

fn told(request: &Request<Bytes>) -> String {
    let (verb, uri) = (request.method(), cut(&request.uri().to_string()));
    let body = cut(&request.body().escape_ascii().to_string());
    format!("{verb} {uri} {:?}\n  {body}", request.headers())
}

fn cut(text: &str) -> String {
    let short: String = text.chars().take(600).collect();
    if short.len() < text.len() { short + "…" } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_wherever_it_is_told() {
        let answer = |status: u16, header: &'static str, body: &'static str| {
            let answer = Response::builder().status(status).header("grpc-status", header);
            fault(&answer.body(Bytes::from(body)).unwrap()).is_some()
        };
        assert!(answer(500, "0", "") && answer(503, "0", "") && answer(200, "13", ""));
        assert!(answer(200, "0", "..grpc-message: x\r\ngrpc-status: 13\r\n"));
        assert!(answer(200, "0", r#"{"error":{"data":{"reason":"internal"}}}"#));
        assert!(!answer(200, "3", r#"{"code":"invalid_argument"}"#) && !answer(504, "4", ""));
    }

    #[test]
    fn what_is_altered_is_another_and_follows_from_the_seed() {
        let message = serde_json::json!({"a": {"b": [1, "x"]}, "c_d": "text"});
        let made = |seed| {
            let mut random = Random::new(seed);
            (0..200).map(|_| fuzz::message(&mut random, &message)).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert!(made(1).iter().filter(|made| **made != message).count() > 150);
        assert!(made(1).iter().any(|made| made["cD"] == "text"), "in its other spelling");
    }
}
