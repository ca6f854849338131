//! Requests as a stranger sends them: each is refused with a reason, and nothing is written.

use serde_json::json;
use tempfile::TempDir;

use crate::process::Node;

#[test]
fn an_unknown_field_is_refused_by_its_name() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    assert_eq!(node.call("", "auth", "WhoAmI", &json!({})).status, 401);
    let answer = node.call(&token, "auth", "WhoAmI", &json!({"nmae": 1}));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["details"][1]["debug"]["violations"][0]["path"], "nmae");
    node.call(&token, "auth", "WhoAmI", &json!({})).ok();
}
