//! Examples by way of Connect, with JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use stoa_node::Face;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker};

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
        sent(ask, request, ask.request.to_string())
    }

    fn heard(&self, _: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        if answer.status().is_success() {
            return Ok(body);
        }
        let details = || body["details"].as_array().into_iter().flatten().map(|it| &it["debug"]);
        let reason = details().find_map(|debug| debug["reason"].as_str());
        let violations = details().find_map(|debug| debug["violations"].as_array());
        Err(refusal(&body["code"], reason, violations))
    }
}
