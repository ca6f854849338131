//! REST: every method of every contract, where its `google.api.http` says.
//!
//! A request becomes the JSON of the method's message: fields from the path and the query are put
//! before those of the body, and the whole is read by the same strict decoder that reads Connect's.
//! So what is wrong with a request is wrong for the same reason, at the same path, on both.
//!
//! **Invariant:** no service is named here. A contract that is in the catalogue has its paths.
//!
//! **Invariant:** one request, one method. A colon in the last segment of a path begins a verb; a
//! value that holds one is sent as `%3A`, as one that holds a slash sends `%2F`.

#![forbid(unsafe_code)]

mod encoding;
mod mask;
mod openapi;
mod problem;
mod reply;
mod request;
mod routes;
mod stream;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use stoa_contract::{Code, Format};
use stoa_kit::{Error, Registry, Result};
use stoa_node::{Asked, Body, Content, Face, Visit};

use crate::openapi::Documents;
use crate::routes::{Place, Routes};

/// REST, as a face of a node.
pub struct Rest {
    routes: Arc<Routes>,
    documents: Arc<Documents>,
}

impl Rest {
    /// REST for the services of a node.
    pub fn new(registry: &Registry) -> Self {
        Self {
            routes: Arc::new(Routes::new(registry)),
            documents: Arc::new(Documents::new(registry)),
        }
    }
}

impl Face for Rest {
    fn name(&self) -> &str {
        "rest"
    }

    fn prefixes(&self) -> Vec<String> {
        vec!["/v1".to_owned(), openapi::PATH.to_owned()]
    }

    fn asked(&self, head: &Parts) -> Result<Asked> {
        const EVERYBODY: Asked = Asked { method: None, body_max: None };
        let path = head.uri.path();
        if path == openapi::PATH {
            return match head.method {
                Method::GET | Method::HEAD | Method::OPTIONS => Ok(EVERYBODY),
                _ => Err(wrong_method(&head.method, openapi::ALLOW)),
            };
        }
        let place = self.routes.at(path)?;
        if head.method == Method::OPTIONS {
            return Ok(EVERYBODY);
        }
        let allowed = place.allow();
        let found = place.by(&head.method).ok_or_else(|| wrong_method(&head.method, &allowed))?;
        request::check(&found, head)?;
        Ok(found.method.into())
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        let (routes, documents) = (Arc::clone(&self.routes), Arc::clone(&self.documents));
        async move {
            let path = visit.head.uri.path();
            let is_document = path == openapi::PATH;
            let mut response = match visit.head.method {
                Method::OPTIONS if is_document => options(openapi::ALLOW)?,
                Method::OPTIONS => options(&routes.at(path)?.allow())?,
                _ if is_document => {
                    let query = visit.head.uri.query().unwrap_or_default();
                    documents.respond(visit.node().registry(), visit.caller(), query)?
                }
                _ => call(routes.at(path)?, &visit).await?,
            };
            response.headers_mut().extend(reply::allowance(&visit));
            encoding::compress(&visit.head.headers, &mut response);
            Ok(response)
        }
        .boxed()
    }

    fn refuse(&self, path: &str, trace: &str, error: &Error) -> Response<Content> {
        let mut refusal = problem::respond(trace, error);
        if error.reason() == "request.method"
            && let Ok(allowed) = match path {
                openapi::PATH => Ok(openapi::ALLOW.to_owned()),
                _ => self.routes.at(path).map(|place| place.allow()),
            }
            && let Ok(allowed) = HeaderValue::try_from(allowed)
        {
            refusal.headers_mut().insert(header::ALLOW, allowed);
        }
        refusal
    }
}

async fn call(place: Place, visit: &Visit) -> Result<Response<Content>> {
    let found = place.by(&visit.head.method);
    let found = found.ok_or_else(|| Error::internal("the method went away"))?;
    let text = request::read(&found, &visit.head, &visit.body)?;
    let bound = visit.node().registry().method(found.method.path);
    let bound = bound.ok_or_else(|| Error::internal("a route to no method"))?;
    let request = bound.decode_request(&text, Format::Json)?;
    let answer = visit.call(found.method, request).await?;
    match answer.body {
        Body::Stream(items) => Ok(stream::respond(visit, items)),
        Body::Message(_) => reply::respond(&found, visit, answer),
    }
}

fn wrong_method(method: &Method, allowed: &str) -> Error {
    let message = format!("this is not asked for by {method}");
    Error::new(Code::Unimplemented, "request.method", message)
        .help(format!("Send one of: {allowed}."))
}

fn options(allowed: &str) -> Result<Response<Content>> {
    let answer = Response::builder().status(StatusCode::NO_CONTENT).header(header::ALLOW, allowed);
    answer.body(Content::from("")).map_err(Error::internal)
}
