//! Whoever is erased takes their pictures along.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use stoa_example_album::contract::AddPictureRequest;
use stoa_testkit::{both, objects};

use crate::{add, fetch, get, services, states, upload};

const CANARY: &[u8] = b"canary of somebody";

both! {
    async fn nobody_reads_what_is_about_somebody_who_is_erased(node: Node) {
        let (file, frame) = (upload(&node, "ada", CANARY).await, upload(&node, "ada", "frame").await);
        upload(&node, "ada", CANARY).await;
        let picture = AddPictureRequest { file, frame, title: "".into() };
        let picture = node.call(&node.user("ada"), picture).await.unwrap().picture;
        let id = picture.into_option().unwrap().id;
        let theirs = add(&node, "bob", &upload(&node, "bob", CANARY).await).await.unwrap();
        let lies = || node.first_on_disk([CANARY].into_iter());
        assert_eq!(lies().await, None, "no bytes lie anywhere as they are");
        let before = get(&node, "ada", &id).await.unwrap();
        assert_eq!(fetch(&node, &before.link).await.body(), CANARY);
        node.ask(&node.admin(), "EraseSubject", json!({"subject": "ada"})).await.unwrap();
        assert_eq!(fetch(&node, &before.link).await.status(), StatusCode::NOT_FOUND);
        let after = get(&node, "ada", &id).await.unwrap();
        assert_eq!((after.link.as_str(), after.picture.file.as_str()), ("", ""));
        assert_eq!(fetch(&node, &after.frame_link).await.body(), "frame", "is about nobody");
        assert_eq!(states(&node).await, ["going", "going", "kept", "kept"]);
        node.advance(Duration::from_secs(25 * 60 * 60)).await;
        assert_eq!(objects(node.objects()).len(), 3);
        let bobs = get(&node, "bob", &theirs.id).await.unwrap();
        assert_eq!(fetch(&node, &bobs.link).await.body(), CANARY);
        // What comes late is kept without its bytes.
        let late = add(&node, "ada", &upload(&node, "ada", CANARY).await).await.unwrap();
        assert_eq!(get(&node, "ada", &late.id).await.unwrap().link, "");
    }
}

#[test]
fn who_names_blobs_says_what_goes_with_a_person() {
    let mut service = stoa_example_album::service();
    service.check().unwrap();
    service.erase = None;
    let error = service.check().unwrap_err();
    assert_eq!(error.reason(), "node.catalogue");
    assert!(error.message().starts_with("album_picture.frame names blobs"), "{error}");
}
