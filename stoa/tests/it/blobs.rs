//! Where the bytes of a database lie: beside it, in its backup, and not among another's.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Request;
use crate::process::{Node, stoa};

/// Uploads something: the file that it lies in, below this directory.
fn upload(node: &Node, token: &str, below: &Path) -> PathBuf {
    let call = Request::call(token, "system", "UploadBlob", &Value::Null).to("/-/uploads");
    let answer = call.body("bytes").send(node.address);
    assert_eq!(answer.status, 201, "{answer:?}");
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    let id = said["id"].as_str().unwrap();
    below.join("main").join(&id[id.len() - 2..]).join(id)
}

/// What a start of a node on other blobs is refused with.
fn refused(data: &Path, blobs: &Path) -> String {
    let (data, blobs) = (data.to_str().unwrap(), blobs.to_str().unwrap());
    let up = ["up", "--listen", "127.0.0.1:0", "--data", data, "--blobs", blobs];
    let ended = stoa(&up).output().unwrap();
    assert!(!ended.status.success());
    String::from_utf8(ended.stderr).unwrap()
}

#[test]
fn a_backup_has_the_bytes_of_its_rows_and_no_start_is_without() {
    let (data, place) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut node = Node::start(data.path(), &[]);
    let token = node.set_up();
    let file = upload(&node, &token, &data.path().join("blobs"));
    let to = place.path().join("sunday");
    let backup = ["backup", to.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    let done = stoa(&backup).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.trim_end().ends_with("holds 1 blobs"), "{said}");
    let copied = to.join(file.strip_prefix(data.path()).unwrap());
    assert_eq!(std::fs::read(&copied).unwrap(), std::fs::read(&file).unwrap());
    drop(node);

    // Neither an empty directory nor that of another cell.
    let other = TempDir::new().unwrap();
    let mut stranger = Node::start(other.path(), &[]);
    let strangers = stranger.set_up();
    upload(&stranger, &strangers, &other.path().join("blobs"));
    drop(stranger);
    for blobs in [place.path().join("nothing"), other.path().join("blobs")] {
        let error = refused(data.path(), &blobs);
        assert!(error.contains("[blobs.elsewhere]"), "{error}");
    }

    let key = data.path().join("root.key");
    let copy = Node::start(&to, &["--root-key", key.to_str().unwrap()]);
    copy.call(&token, "system", "GetTenant", &json!({"name": "main"})).ok();

    // A backup that lacks some of them is none.
    std::fs::remove_file(&file).unwrap();
    let late = place.path().join("monday");
    let backup = ["backup", late.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    let error = String::from_utf8(stoa(&backup).output().unwrap().stderr).unwrap();
    assert!(error.contains("[backup.blobs]") && !late.join("stoa.db").exists(), "{error}");
}
