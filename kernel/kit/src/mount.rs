//! Effects that take HTTP as it comes: signed bodies, forms, redirects, and what others call an API.

use stoa_contract::v1::{HttpRequest, HttpResponse};
use stoa_contract::{AnyMessage, Method, Raw};

use crate::{Error, Result};

/// How clients that were written for somebody else's API send what they are known by, and read a refusal.
#[derive(Clone, Copy)]
pub struct Manners {
    /// The header that holds a token of Stoa's, in lower case, where it is not `authorization`.
    pub token: Option<&'static str>,
    /// What is answered to whoever the door does not let in.
    pub refuse: fn(&Error) -> HttpResponse,
}

/// An effect on a path of its own.
#[derive(Clone, Copy)]
pub struct Mount {
    /// The path that it answers, with all that lies below.
    pub prefix: &'static str,
    /// The method.
    pub method: &'static Method,
    /// The largest body, in bytes.
    pub body_max: usize,
    /// How its callers speak, where it is not as elsewhere.
    pub manners: Option<Manners>,
    request: fn(HttpRequest) -> Box<dyn AnyMessage>,
    answer: fn(Box<dyn AnyMessage>) -> Result<HttpResponse>,
}

impl Mount {
    pub(crate) fn of<R: Raw>(prefix: &'static str, body_max: usize) -> Self {
        Self {
            prefix,
            method: R::METHOD,
            body_max,
            manners: None,
            request: |http| Box::new(R::of(http)),
            answer: |reply| {
                let reply = reply.into_any().downcast::<R::Reply>();
                let other = || Error::internal(format!("{} gave another message", R::METHOD.path));
                reply.map(|reply| R::answer(*reply)).map_err(|_| other())
            },
        }
    }

    /// What the method is asked, of what came.
    pub fn request(&self, http: HttpRequest) -> Box<dyn AnyMessage> {
        (self.request)(http)
    }

    /// What is answered, of a reply.
    ///
    /// # Errors
    /// `internal` for the reply of another method.
    pub fn answer(&self, reply: Box<dyn AnyMessage>) -> Result<HttpResponse> {
        (self.answer)(reply)
    }
}
