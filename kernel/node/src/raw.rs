//! Raw HTTP: the face of effects that a manifest mounts on paths of their own. They are told what
//! came, to the byte, and say what goes out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use stoa_contract::AnyMessage;
use stoa_contract::v1::{HttpHeader, HttpRequest, HttpResponse};
use stoa_kit::{Code, Error, Mount, Registry, Result, Service, Stream};

use crate::call::Body;
use crate::face::{Asked, Content, Face, Visit};
use crate::refusal::status;

/// How long an answer may take that is no stream.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What the door and the connection have used.
const USED: [HeaderName; 12] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    KEY,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("stoa-fence"),
    HeaderName::from_static("stoa-position"),
    HeaderName::from_static("traceparent"),
];

/// The mounts of one service.
struct Raw {
    registry: Arc<Registry>,
    service: usize,
}

/// A face for each service that mounts something.
pub(crate) fn faces(registry: &Arc<Registry>) -> Vec<Arc<dyn Face>> {
    let services = registry.services().iter().enumerate();
    let mounting = services.filter(|(_, service)| !service.mounts.is_empty());
    let face = |(service, _)| Arc::new(Raw { registry: Arc::clone(registry), service }) as _;
    mounting.map(face).collect()
}

impl Raw {
    fn service(&self) -> &Service {
        &self.registry.services()[self.service]
    }

    fn at(&self, path: &str) -> Option<&Mount> {
        let mounts = &self.service().mounts;
        let below = |mount: &&Mount| {
            let rest = path.strip_prefix(mount.prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        mounts.iter().find(below).or_else(|| mounts.iter().find(|mount| mount.prefix == "/"))
    }
}

impl Face for Raw {
    fn name(&self) -> &str {
        self.service().name
    }

    fn prefixes(&self) -> Vec<String> {
        self.service().mounts.iter().map(|mount| mount.prefix.to_owned()).collect()
    }

    fn asked(&self, head: &Parts) -> Result<Asked> {
        let mount = self.at(head.uri.path()).ok_or_else(nothing)?;
        Ok(Asked { method: Some(mount.method), body_max: Some(mount.body_max) })
    }

    fn token_in(&self, path: &str) -> Option<&'static str> {
        self.at(path)?.manners?.token
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        let face = Self { registry: Arc::clone(&self.registry), service: self.service };
        Box::pin(async move {
            let mount = face.at(visit.head.uri.path()).ok_or_else(nothing)?;
            call(mount, visit).await
        })
    }

    fn refuse(&self, path: &str, _: &str, error: &Error) -> Response<Content> {
        let manners = self.at(path).and_then(|mount| mount.manners);
        if let Some(Ok((said, body))) = manners.map(|by| response((by.refuse)(error), false)) {
            return said.map(|_| body.into());
        }
        let text = format!("{error}\n{}\n", error.next());
        let mut response = Response::new(Content::from(text));
        *response.status_mut() = status(error);
        let headers = response.headers_mut();
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, text);
        if error.code() == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = error.retry_after() {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

fn nothing() -> Error {
    Error::not_found("path", "of this name")
}

async fn call(mount: &Mount, mut visit: Visit) -> Result<Response<Content>> {
    let stranger = visit.caller().is_anonymous();
    let request = mount.request(request(&visit, stranger)?);
    if stranger {
        // Two strangers must not share replies, and who signs what they send need not sign in.
        visit.head.headers.remove(KEY);
    }
    let answer = match visit.coming() {
        Some(coming) => visit.converse(mount.method, pieces(mount, request, coming)).await?,
        None => {
            visit.wait_max = Some(ANSWER_MAX);
            visit.call(mount.method, request).await?
        }
    };
    let told = answer.headers();
    let message = match answer.body {
        Body::Message(message) => message,
        Body::Stream(mut items) => {
            let first = items.next().await.ok_or_else(|| Error::internal("an empty stream"))??;
            let (mut response, begin) = response(mount.answer(first)?, true)?;
            let (mount, begin) = (*mount, futures::stream::iter([Ok(begin.into())]));
            let rest = items.map(move |item| Ok(mount.answer(item?)?.body.into()));
            *response.body_mut() = Content::Stream(begin.chain(rest).boxed());
            return Ok(response);
        }
    };
    let (mut response, body) = response(mount.answer(message)?, false)?;
    *response.body_mut() = body.into();
    response.headers_mut().extend(told);
    Ok(response)
}

/// The head of what came as the first message, and as each that follows the next piece of its body.
fn pieces(
    mount: &Mount, head: Box<dyn AnyMessage>, coming: Stream<Bytes>,
) -> Stream<Box<dyn AnyMessage>> {
    let mount = *mount;
    let piece = move |body: Bytes| {
        mount.request(HttpRequest { body: body.to_vec(), ..HttpRequest::default() })
    };
    let rest = coming.map(move |body| body.map(piece));
    futures::stream::iter([Ok(head)]).chain(rest).boxed()
}

/// What came, as a message. A token that opened the door is nobody else's business.
fn request(visit: &Visit, stranger: bool) -> Result<HttpRequest> {
    let Parts { method, uri, headers, .. } = &visit.head;
    let theirs =
        |name: &HeaderName| !USED.contains(name) && (stranger || *name != header::AUTHORIZATION);
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| {
            let what = format!("the header `{name}` is not UTF-8");
            Error::new(Code::InvalidArgument, "request.header", what)
                .help("Send headers as UTF-8, and nothing but ASCII if that is possible.")
        })?;
        Ok(HttpHeader { name: name.as_str().to_owned(), value: value.to_owned() })
    };
    let headers = headers.iter().filter(|(name, _)| theirs(name)).map(header);
    Ok(HttpRequest {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect::<Result<_>>()?,
        body: visit.body.to_vec(),
    })
}

/// The head of an answer, and its body. Of one that comes in pieces, whoever makes them knows how long it
/// is.
fn response(said: HttpResponse, in_pieces: bool) -> Result<(Response<Content>, Vec<u8>)> {
    let wrong = |what: String| Error::internal(format!("an answer {what}"));
    let mut headers = HeaderMap::new();
    for HttpHeader { name, value } in said.headers {
        let may = |name: &HeaderName| {
            !USED.contains(name) || (in_pieces && *name == header::CONTENT_LENGTH)
        };
        let known = HeaderName::try_from(&name).ok().filter(may);
        let (Some(known), Ok(value)) = (known, HeaderValue::try_from(value)) else {
            return Err(wrong(format!("has a header `{name}` that it cannot have")));
        };
        headers.append(known, value);
    }
    let status = u16::try_from(said.status).ok();
    let status = match status {
        Some(0) => Some(StatusCode::OK),
        Some(status @ 200..=599) => StatusCode::from_u16(status).ok(),
        _ => None,
    };
    let mut response = Response::new(Content::from(""));
    *response.status_mut() = status.ok_or_else(|| wrong(format!("has status {}", said.status)))?;
    *response.headers_mut() = headers;
    Ok((response, said.body))
}
