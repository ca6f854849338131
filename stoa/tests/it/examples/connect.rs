//! Examples by way of Connect, with JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use stoa_node::Face;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker};

use super::grpc::{framed, frames};
use super::{refusal, sent};

pub(super) struct Connect;

impl Speaker for Connect {
    fn name(&self) -> &str {
        "Connect"
    }

    fn faces(&self, _: &Node) -> Vec<Arc<dyn Face>> {
        Vec::new()
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        let request = Request::post(format!("/{}", ask.method.path));
        match ask.method.streams {
            true => framed(ask, "application/connect+json"),
            false => sent(ask, request, ask.request.to_string()),
        }
    }

    fn heard(&self, ask: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let (head, body) = answer.into_parts();
        let body: Value = if ask.method.streams {
            // How it ended says the last frame.
            let (_, last) = frames(body).pop().expect("a stream ends");
            serde_json::from_slice::<Value>(&last).unwrap()["error"].take()
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        if head.status.is_success() && !ask.method.streams {
            return Ok(body);
        }
        let details = || body["details"].as_array().into_iter().flatten().map(|it| &it["debug"]);
        let reason = details().find_map(|debug| debug["reason"].as_str());
        let violations = details().find_map(|debug| debug["violations"].as_array());
        Err(refusal(&body["code"], reason, violations))
    }
}
