//! The web, as a test has it: what it answers, and what it was asked.

use std::sync::Mutex;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use stoa_kit::outbound::{Fetched, Http, Outbound, origin};
use stoa_kit::{Code, Error, Result};

type Answer = dyn Fn(&Outbound) -> Result<Fetched> + Send + Sync;

/// A web that answers what the test says.
#[derive(Default)]
pub(crate) struct Web {
    answer: Mutex<Option<Box<Answer>>>,
    asked: Mutex<Vec<Outbound>>,
}

impl Web {
    pub(crate) fn answer_with(&self, answer: Box<Answer>) {
        *self.answer.lock().unwrap() = Some(answer);
    }

    pub(crate) fn asked(&self) -> Vec<Outbound> {
        self.asked.lock().unwrap().clone()
    }
}

impl Http for Web {
    fn send(&self, outbound: Outbound) -> BoxFuture<'static, Result<Fetched>> {
        let answer = match &*self.answer.lock().unwrap() {
            Some(answer) => answer(&outbound),
            None => {
                let what = format!("the test says nothing of {}", origin(outbound.request.uri()));
                Err(Error::new(Code::FailedPrecondition, "http.unknown", what)
                    .help("Say with `node.web(..)` what the web answers."))
            }
        };
        self.asked.lock().unwrap().push(outbound);
        Box::pin(std::future::ready(answer))
    }
}

/// An answer of the web.
pub fn answer(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Fetched {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let status = StatusCode::from_u16(status).unwrap();
    Fetched { status, headers: map, body: body.into() }
}
