//! Settings of services, as whoever runs a node says and changes them.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Node, stoa};

fn of_auth(node: &Node, token: &str) -> Vec<(String, String, String)> {
    let reply = node.call(token, "system", "ListSettings", &json!({"service": "auth"})).ok();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or("").to_owned();
    let all = reply["settings"].as_array().unwrap().iter();
    all.map(|one| (text(one, "name"), text(one, "value"), text(one, "source"))).collect()
}

fn said(name: &str, value: &str, source: &str) -> (String, String, String) {
    (name.to_owned(), value.to_owned(), source.to_owned())
}

#[test]
fn what_is_set_beats_what_a_node_was_started_with() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("stoa.toml"), "[auth]\nsession_idle_days = 3\n").unwrap();
    let mut node = Node::start_under(
        &["env", "-C", directory.path().to_str().unwrap()],
        directory.path(),
        &[],
    );
    let token = node.set_up();
    let idle = said("session_idle_days", "3", "stoa.toml");
    let life = said("session_life_days", "90", "default");
    assert_eq!(of_auth(&node, &token)[..2], [idle.clone(), life]);
    let life = json!({"service": "auth", "name": "session_life_days", "value": "2"});
    node.call(&token, "system", "UpdateSetting", &life).ok();
    let settings = of_auth(&node, &token);
    assert_eq!(settings[0], idle);
    assert!(settings[1].1 == "2" && settings[1].2.starts_with("user:usr_"), "{settings:?}");
    assert_eq!(node.call("", "system", "ListSettings", &json!({})).status, 401);
}

#[test]
fn a_setting_that_cannot_hold_ends_the_start() {
    for (variable, value, reason) in [
        ("STOA_AUTH__SESSION_IDLE_DAYS", "0", "config.invalid"),
        ("STOA_AUTH__SESSION_IDLE", "3", "config.unknown"),
        ("STOA_NOBODY__SESSION_IDLE_DAYS", "3", "config.unknown"),
    ] {
        let directory = TempDir::new().unwrap();
        let data = directory.path().to_str().unwrap();
        let mut up = stoa(&["up", "--listen", "127.0.0.1:0", "--data", data]);
        let output = up.env(variable, value).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(reason), "{variable}: {text}");
    }
}
