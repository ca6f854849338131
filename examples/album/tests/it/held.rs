//! Who holds what: a row, from one commit to another.

use std::time::Duration;

use futures::future::{join, join_all};
use http::StatusCode;
use serde_json::json;
use stoa_example_album::contract::{
    AddPictureRequest, BatchGetPicturesRequest, DeletePictureRequest, GetPictureRequest,
    SwapPictureRequest,
};
use stoa_kit::{Caller, Result};
use stoa_testkit::{Engine, Node, both, objects, run};

use crate::{add, fetch, get, seen, services, states, upload};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn refused<T>(outcome: Result<T>) -> String {
    outcome.map(drop).unwrap_err().reason().to_owned()
}

async fn swap(node: &Node, id: &str, file: &str) -> Result<()> {
    let swap = SwapPictureRequest { id: id.to_owned(), file: file.to_owned() };
    node.call(&node.user("ada"), swap).await.map(drop)
}

async fn delete(node: &Node, id: &str) {
    let delete = DeletePictureRequest { id: id.to_owned() };
    node.call(&node.user("ada"), delete).await.unwrap();
}

both! {
    async fn an_upload_is_named_once_and_by_whoever_uploaded_it(node: Node) {
        let file = upload(&node, "ada", "x").await;
        assert_eq!(refused(add(&node, "bob", &file).await), "blob.unknown");
        assert_eq!(refused(add(&node, "ada", "blob_0").await), "blob.unknown");
        node.create_tenant("acme").await;
        let elsewhere = Caller::of("acme", "user:ada", &[]);
        let theirs = AddPictureRequest { file: file.clone(), ..AddPictureRequest::default() };
        assert_eq!(refused(node.call(&elsewhere, theirs).await), "blob.unknown");
        let picture = add(&node, "ada", &file).await.unwrap();
        assert_eq!(refused(add(&node, "ada", &file).await), "blob.unknown");
        // A row that goes on naming what it holds holds it.
        swap(&node, &picture.id, &file).await.unwrap();
        assert_eq!(states(&node).await, ["kept"]);
        let none: Vec<(String,)> = node.rows("SELECT id FROM album_picture WHERE tenant = 'acme'").await;
        assert_eq!(none, []);
    }

    async fn of_two_who_name_an_upload_one_holds_it(node: Node) {
        for _ in 0..8 {
            let file = upload(&node, "ada", "x").await;
            let outcomes = join_all((0..4).map(|_| add(&node, "ada", &file))).await;
            let held = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(held, 1, "{outcomes:?}");
            let lost = outcomes.into_iter().filter_map(Result::err);
            lost.for_each(|error| assert_eq!(error.reason(), "blob.unknown"));
        }
    }

    async fn what_a_row_lets_go_of_goes(node: Node) {
        let files = [upload(&node, "ada", "one").await, upload(&node, "ada", "two").await];
        let picture = add(&node, "ada", &files[0]).await.unwrap();
        let link = get(&node, "ada", &picture.id).await.unwrap().link;
        swap(&node, &picture.id, &files[1]).await.unwrap();
        assert_eq!(seen(&node, "ada", &picture.id).await, "two");
        assert_eq!(fetch(&node, &link).await.status(), StatusCode::NOT_FOUND, "from that commit on");
        assert_eq!(refused(swap(&node, &picture.id, &files[0]).await), "blob.unknown");
        node.advance(DAY - Duration::from_secs(60)).await;
        assert_eq!(objects(node.objects()).len(), 3, "a copy that is being made has it still");
        node.advance(Duration::from_secs(180)).await;
        assert_eq!((states(&node).await, objects(node.objects()).len()), (vec!["kept".into()], 2));
        delete(&node, &picture.id).await;
        node.advance(DAY + Duration::from_secs(120)).await;
        assert_eq!((states(&node).await.len(), objects(node.objects()).len()), (0, 1));
    }

    async fn what_nobody_named_goes_after_a_day(node: Node) {
        let file = upload(&node, "ada", "x").await;
        node.advance(DAY + Duration::from_secs(120)).await;
        assert_eq!((states(&node).await.len(), objects(node.objects()).len()), (0, 1));
        assert_eq!(refused(add(&node, "ada", &file).await), "blob.unknown");
    }

    async fn who_names_what_is_swept_has_it_or_is_refused(node: Node) {
        for _ in 0..6 {
            let file = upload(&node, "ada", "x").await;
            node.pass(DAY + Duration::from_secs(120));
            let (added, ()) = join(add(&node, "ada", &file), node.settle()).await;
            match added {
                Ok(picture) => {
                    assert_eq!(seen(&node, "ada", &picture.id).await, "x");
                    delete(&node, &picture.id).await;
                }
                Err(error) => assert_eq!(error.reason(), "blob.unknown"),
            }
        }
    }

    async fn a_command_that_fails_holds_nothing(node: Node) {
        let file = upload(&node, "ada", "x").await;
        let both = AddPictureRequest { file: file.clone(), frame: "blob_0".into(), title: "".into() };
        assert_eq!(refused(node.call(&node.user("ada"), both).await), "blob.unknown");
        // One upload is not the picture and its frame at once.
        let twice = AddPictureRequest { file: file.clone(), frame: file.clone(), title: "".into() };
        assert_eq!(refused(node.call(&node.user("ada"), twice).await), "blob.unknown");
        assert_eq!(states(&node).await, ["staged"]);
        add(&node, "ada", &file).await.unwrap();
    }

    async fn a_row_that_is_not_seen_has_no_path(node: Node) {
        let picture = add(&node, "ada", &upload(&node, "ada", "x").await).await.unwrap();
        let get = GetPictureRequest { id: picture.id.clone() };
        assert_eq!(refused(node.call(&node.user("bob"), get).await), "resource.not_found");
        for (name, seen) in [("ada", 1), ("bob", 0)] {
            let all = BatchGetPicturesRequest { ids: vec![picture.id.clone()] };
            let all = node.call(&node.user(name), all).await.unwrap();
            assert_eq!(all.pictures.len(), seen, "{name}");
        }
    }

    async fn a_tenant_that_is_suspended_gives_nothing(node: Node) {
        node.create_tenant("acme").await;
        let ada = Caller::of("acme", "user:ada", &[]);
        let request = http::Request::post("/-/uploads").header("authorization", "Bearer acme:ada");
        let answer = node.http(request.body("x".into()).unwrap()).await;
        let said: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        let file = said["id"].as_str().unwrap().to_owned();
        let add = AddPictureRequest { file, ..AddPictureRequest::default() };
        let id = node.call(&ada, add).await.unwrap().picture.into_option().unwrap().id;
        let link = node.call(&ada, GetPictureRequest { id }).await.unwrap().link;
        // Whoever asks says no tenant: the path does.
        assert_eq!(fetch(&node, &link).await.status(), StatusCode::OK);
        node.ask(&node.admin(), "SuspendTenant", json!({"name": "acme"})).await.unwrap();
        assert_ne!(fetch(&node, &link).await.status(), StatusCode::OK);
    }
}

#[test]
fn two_nodes_clear_away_no_more_than_one() {
    run(Engine::Postgres, services(), |node| async move {
        let other = node.beside("other", services()).await;
        for _ in 0..5 {
            upload(&node, "ada", "x").await;
        }
        let kept = add(&node, "ada", &upload(&other, "ada", "yy").await).await.unwrap();
        for one in [&node, &other] {
            one.pass(DAY + Duration::from_secs(120));
        }
        join(node.settle(), other.settle()).await;
        assert_eq!(states(&node).await, ["kept"]);
        let used: Vec<(i64,)> = node.rows("SELECT blob_bytes FROM stoa_usage").await;
        assert_eq!(used, [(2,)]);
        assert_eq!(seen(&other, "ada", &kept.id).await, "yy");
        other.inner().close().await;
    });
}
