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

use crate::routes::Routes;

/// REST, as a face of a node.
pub struct Rest {
    routes: Arc<Routes>,
}

impl Rest {
    /// REST for the services of a node.
    pub fn new(registry: &Registry) -> Self {
        Self { routes: Arc::new(Routes::new(registry)) }
    }
}

impl Face for Rest {
    fn name(&self) -> &str {
        "rest"
    }

    fn prefixes(&self) -> Vec<String> {
        vec!["/v1".to_owned()]
    }

    fn asked(&self, head: &Parts) -> Result<Asked> {
        let place = self.routes.at(head.uri.path())?;
        if head.method == Method::OPTIONS {
            return Ok(Asked { method: None, body_max: None });
        }
        let allowed = place.allow();
        let Some(found) = place.by(&head.method) else {
            let message = format!("this is not asked for by {}", head.method);
            return Err(Error::new(Code::Unimplemented, "request.method", message)
                .help(format!("Send one of: {allowed}.")));
        };
        request::check(&found, head)?;
        Ok(found.method.into())
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        let routes = Arc::clone(&self.routes);
        async move {
            let place = routes.at(visit.head.uri.path())?;
            if visit.head.method == Method::OPTIONS {
                return options(&place.allow());
            }
            let Some(found) = place.by(&visit.head.method) else {
                return Err(Error::internal("the method went away"));
            };
            let text = request::read(&found, &visit.head, &visit.body)?;
            let registry = Arc::clone(visit.node().registry());
            let bound = registry.method(found.method.path);
            let bound = bound.ok_or_else(|| Error::internal("a route to no method"))?;
            let request = bound.decode_request(&text, Format::Json)?;
            let answer = visit.call(found.method, request).await?;
            let mut response = match answer.body {
                Body::Stream(items) => stream::respond(&visit, items),
                Body::Message(_) => reply::respond(&found, &visit, answer)?,
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
            && let Ok(place) = self.routes.at(path)
            && let Ok(allowed) = HeaderValue::try_from(place.allow())
        {
            refusal.headers_mut().insert(header::ALLOW, allowed);
        }
        refusal
    }
}

fn options(allowed: &str) -> Result<Response<Content>> {
    let answer = Response::builder().status(StatusCode::NO_CONTENT).header(header::ALLOW, allowed);
    answer.body(Content::from("")).map_err(Error::internal)
}
