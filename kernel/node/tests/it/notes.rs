//! A note that somebody writes into the log.

use serde_json::json;
use stoa_kit::{Code, Service};
use stoa_testkit::both;

use crate::echo::{self, system, told};

fn services() -> Vec<Service> {
    vec![echo::service()]
}

both! {
    async fn a_note_is_an_event_and_nothing_else(node: Node) {
        let note = json!({"subject": "release", "text": "42 goes out"});
        let (_, position) = told(&node, "Annotate", note.clone()).await.unwrap();
        let position = position.expect("a command has one");
        let story = system(&node, "GetCommit", json!({"position": position.to_string()}));
        let commit = &story.await.unwrap()["commit"];
        assert_eq!(commit["method"], "stoa.system.v1.SystemService/Annotate");
        assert_eq!(commit["events"][0]["topic"], "system.note");
        assert_eq!(commit["events"][0]["subject"], "release");
        assert_eq!(commit["events"].as_array().unwrap().len(), 1);
        assert!(commit["tables"].is_null(), "{commit}");
        let empty = system(&node, "Annotate", json!({"text": ""})).await.unwrap_err();
        assert_eq!(empty.code(), Code::InvalidArgument);
        assert_eq!(empty.violations()[0].path, "text");
    }
}
