//! Every method of a node, by way of faces, as those who may not call it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use stoa_contract::{Method, Permission};
use stoa_kit::{Registry, Service};
use stoa_node::Port;

use super::faces::{Ask, Refusal, Speaker, all_but, with_names_as_tokens};
use crate::Engine;
use crate::bench::{Bench, Setup};
use crate::web::listen;

/// Asks every method that is not for everybody, streams and the node's own included: as nobody, as a
/// second user, and as somebody who has every permission but the one it takes. Each is refused, with the
/// same code for the same reason on each face, whatever else is wrong with what they ask. Gives how many were, by the name of the face.
pub fn denied_by_way_of(
    speakers: &[&dyn Speaker], services: fn() -> Vec<Service>,
) -> Vec<(String, usize)> {
    let bench = Bench::new(Engine::Sqlite, &services());
    bench.run(with_names_as_tokens(services()), Setup::in_turn(), |node| async move {
        let asks = questions(node.inner().registry());
        let before = node.last().await;
        let mut counts = Vec::new();
        let mut wanted: Vec<Option<Refusal>> = vec![None; asks.len()];
        for speaker in speakers {
            let port = Port::new(node.inner(), speaker.faces(&node), listen()).unwrap();
            let mut count = 0;
            for (ask, wanted) in asks.iter().zip(&mut wanted) {
                if !speaker.says(ask) {
                    continue;
                }
                let answer = send(&port, speaker.request(ask)).await;
                let refusal = speaker.heard(ask, answer).expect_err(ask.method.path);
                let what = format!("{}: {} as {:?}", speaker.name(), ask.method.path, ask.token);
                assert_eq!(Some(refusal.code.as_str()), ask.denied, "{what}");
                assert_eq!(wanted.get_or_insert_with(|| refusal.clone()), &refusal, "{what}");
                count += 1;
            }
            counts.push((speaker.name().to_owned(), count));
        }
        assert_eq!(node.last().await, before, "something was written");
        counts
    })
}

async fn send(port: &Arc<Port>, request: Request<Bytes>) -> Response<Bytes> {
    let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
    let (mut head, body) = port.answer(peer, request).await.into_parts();
    let body = body.collect().await.unwrap();
    head.headers.extend(body.trailers().cloned().unwrap_or_default());
    Response::from_parts(head, body.to_bytes())
}

fn questions(registry: &Registry) -> Vec<Ask> {
    let mut asks = Vec::new();
    for service in registry.services() {
        let examples: Value = serde_yaml_ng::from_str(service.examples).unwrap_or_default();
        let methods = service.contract.into_iter().flat_map(|contract| contract.methods);
        // What takes a stream is asked by several messages, and what takes HTTP as it comes by that.
        let asked = |method: &&&Method| method.takes_stream.is_none() && !method.is_raw();
        for &method in methods.filter(asked) {
            let with = &examples["methods"][method.name]["success"]["with"];
            let mut request = with.as_object().map_or_else(|| least(method), |_| filled(with));
            request["nonsense"] = json!("x");
            let mut ask = |token: Option<&str>, code| {
                let (token, request) = (token.map(str::to_owned), request.clone());
                asks.push(Ask { method, token, request, key: None, denied: Some(code) });
            };
            match method.permission {
                Permission::Public | Permission::Internal => {}
                Permission::Authenticated => ask(None, "unauthenticated"),
                Permission::Named(permission) => {
                    ask(None, "unauthenticated");
                    ask(Some("user:usr_stranger"), "permission_denied");
                    ask(Some(&all_but(permission, registry)), "permission_denied");
                }
            }
        }
    }
    asks
}

/// An example without what earlier steps kept: who may not call learns of nothing.
fn filled(with: &Value) -> Value {
    match with {
        Value::String(text) if text.contains("${") => json!("1"),
        Value::Array(items) => items.iter().map(filled).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), filled(value))).collect()
        }
        other => other.clone(),
    }
}

/// As little as a path can do with.
fn least(method: &Method) -> Value {
    let variables = method.http.iter().take(1).flat_map(|binding| binding.variables);
    let fields = variables.map(|variable| (variable.field.to_owned(), json!("x")));
    fields.collect::<Map<_, _>>().into()
}
