//! Pictures by the contract, and their bytes by HTTP: what a row holds is there, and nothing else is.

#![cfg(test)]

mod bytes;
mod crashes;
mod erased;
mod frail;
mod held;
mod model;

use ::bytes::Bytes;
use http::{Request, Response, StatusCode};
use sha2::{Digest, Sha256};
use stoa_example_album::contract::{
    AddPictureRequest, GetPictureRequest, GetPictureResponse, Picture,
};
use stoa_example_album::service;
use stoa_kit::{Authenticated, Authenticator, Caller, MAIN, Micros, Result, Service};
use stoa_testkit::Node;

/// The album, where everybody's token is their tenant and their name.
fn services() -> Vec<Service> {
    vec![service().authenticates(Authenticator {
        tenant: |token| token.split_once(':').map(|(tenant, _)| tenant),
        run: |_, token| {
            let (tenant, name) = token.split_once(':').unwrap();
            let caller = Caller::of(tenant, &format!("user:{name}"), &[]);
            Ok(Some(Authenticated { caller, until: Micros(i64::MAX), due: None }))
        },
        principal: |_, _, _| Ok(None),
        prepare: |_, _| Ok(false),
    })]
}

/// A request to upload something, as a user of the main tenant.
fn uploading(name: &str) -> http::request::Builder {
    let token = format!("Bearer {MAIN}:{name}");
    Request::post("/-/uploads").header("authorization", token).header("content-type", "image/png")
}

/// Uploads something: the blob's identifier.
async fn upload(node: &Node, name: &str, bytes: impl Into<Bytes>) -> String {
    let bytes = bytes.into();
    let answer = node.http(uploading(name).body(bytes.clone()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.body());
    let said: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(said["size"], bytes.len().to_string());
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(said["sha256"], hash);
    said["id"].as_str().unwrap().to_owned()
}

/// Adds a picture with bytes that were uploaded.
async fn add(node: &Node, name: &str, file: &str) -> Result<Picture> {
    let add = AddPictureRequest { file: file.to_owned(), ..AddPictureRequest::default() };
    let added = node.call(&node.user(name), add).await?;
    Ok(added.picture.into_option().unwrap())
}

async fn get(node: &Node, name: &str, id: &str) -> Result<GetPictureResponse> {
    node.call(&node.user(name), GetPictureRequest { id: id.to_owned() }).await
}

/// What is had under a path, by nobody in particular.
async fn fetch(node: &Node, path: &str) -> Response<Bytes> {
    node.http(Request::get(path).body(Bytes::new()).unwrap()).await
}

/// The bytes of a picture.
async fn seen(node: &Node, name: &str, id: &str) -> Bytes {
    let answer = fetch(node, &get(node, name, id).await.unwrap().link).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.into_body()
}

/// A blob as the kernel knows it: tenant, identifier, state, size.
type Row = (String, String, String, i64);

async fn blobs(node: &Node) -> Vec<Row> {
    node.rows("SELECT tenant, id, state, size FROM stoa_blob ORDER BY tenant, id").await
}

/// The states of all blobs, sorted.
async fn states(node: &Node) -> Vec<String> {
    let mut states: Vec<_> = blobs(node).await.into_iter().map(|row| row.2).collect();
    states.sort_unstable();
    states
}
