//! Queries by way of Live: what is said first of each.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use stoa_contract::Kind;
use stoa_live::Live;
use stoa_node::Face;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker};

use super::{refusal, sent};

pub(super) struct LiveFace;

impl Speaker for LiveFace {
    fn name(&self) -> &str {
        "Live"
    }

    fn faces(&self, _: &Node) -> Vec<Arc<dyn Face>> {
        vec![Arc::new(Live)]
    }

    fn says(&self, ask: &Ask) -> bool {
        ask.method.kind == Kind::Query
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        let watch = json!({"id": "a", "method": ask.method.path, "request": ask.request});
        sent(ask, Request::post("/live"), json!({"watches": [watch]}).to_string())
    }

    fn heard(&self, _: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let text = std::str::from_utf8(answer.body()).unwrap();
        let first = text.split("\n\n").next().unwrap();
        let said = first.strip_prefix("data: ").unwrap_or(first);
        let mut said: Value = serde_json::from_str(said).unwrap();
        if said["type"] == "reply" {
            return Ok(said["reply"].take());
        }
        // What was refused before there was anything to tell is the error itself.
        let error = if said["type"] == "error" { &said["error"] } else { &said };
        let reason = error["reason"].as_str();
        Err(refusal(&error["code"], reason, error["violations"].as_array()))
    }
}
