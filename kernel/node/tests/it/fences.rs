//! Fences: what is done under a lock is not done once the lock is somebody else's. In these tests a
//! lock is a subject, which is lost when it is bitter.

use std::sync::Arc;

use bytes::Bytes;
use http::Request as Http;
use stoa_kit::{Cause, Request, Result, Service};
use stoa_node::{Answer, Call};
use stoa_testkit::{Engine, Node, run};

use crate::echo::{self, BITTER, Gate, all_said, taste_it};
use crate::messages::{Poison, Relay, Say};

crate::on_both!(
    a_command_happens_while_its_fence_holds,
    an_effect_commits_nothing_more_once_its_fence_is_lost,
    a_fence_that_nobody_checks_is_refused,
);

/// The service, which knows of its locks.
fn fencing(gate: Arc<Gate>) -> Service {
    echo::deaf(gate).fences(taste_it)
}

/// Calls under a lock.
async fn under<R: Request>(node: &Node, request: R, key: Option<&str>) -> Result<Answer> {
    let call = Call {
        method: R::METHOD.path.to_owned(),
        caller: node.admin(),
        request: Box::new(request),
        key: key.map(str::to_owned),
        fence: Some("echo:lock".to_owned()),
        trace: String::new(),
        deadline: None,
        cause: Cause::Request,
        address: "127.0.0.1".to_owned(),
        position: None,
        dry_run: false,
    };
    node.inner().call(call).await
}

async fn lose(node: &Node) {
    node.call(&node.admin(), Poison::new("lock", BITTER)).await.unwrap();
}

fn reason(outcome: Result<Answer>) -> String {
    outcome.map(|_| ()).unwrap_err().reason().to_owned()
}

fn a_command_happens_while_its_fence_holds(engine: Engine) {
    run(engine, vec![fencing(Gate::new(i64::MAX))], |node| async move {
        under(&node, Say::new("it", 1), None).await.unwrap();
        under(&node, Say::new("it", 2), Some("k")).await.unwrap();
        under(&node, Relay::new("other", 0), Some("e")).await.unwrap();
        lose(&node).await;
        assert_eq!(reason(under(&node, Say::new("it", 3), None).await), "echo.bitter");
        assert_eq!(reason(under(&node, Say::new("it", 4), Some("other")).await), "echo.bitter");
        // What happened while the lock was held is told again.
        assert!(under(&node, Say::new("it", 2), Some("k")).await.unwrap().replayed);
        assert!(under(&node, Relay::new("other", 0), Some("e")).await.unwrap().replayed);
        node.call(&node.admin(), Say::new("it", 5)).await.unwrap();
        let mut said = all_said(node.inner()).await;
        said.retain(|(about, _)| about == "it");
        let said: Vec<_> = said.into_iter().map(|(_, number)| number).collect();
        assert_eq!(said, [1, 2, 5]);
    });
}

fn an_effect_commits_nothing_more_once_its_fence_is_lost(engine: Engine) {
    for key in [None, Some("k")] {
        let gate = Gate::new(0);
        run(engine, vec![fencing(Arc::clone(&gate))], |node| async move {
            let there = node.clone();
            let relay = tokio::spawn(async move { under(&there, Relay::new("it", 0), key).await });
            gate.reached(1).await;
            lose(&node).await;
            gate.open(1);
            assert_eq!(reason(relay.await.unwrap()), "echo.bitter");
            assert_eq!(all_said(node.inner()).await.len(), 1, "what it did while it held");
            // It does not begin, either.
            assert_eq!(reason(under(&node, Relay::new("it", 0), None).await), "echo.bitter");
            assert_eq!(all_said(node.inner()).await.len(), 1);
        });
    }
}

fn a_fence_that_nobody_checks_is_refused(engine: Engine) {
    let say = || {
        let say = Http::post("/stoa.echo.v1.EchoService/Say").header("stoa-fence", "echo:lock");
        let body = Bytes::from_static(br#"{"currency": "it", "amount": "1"}"#);
        say.header("content-type", "application/json").body(body).unwrap()
    };
    run(engine, vec![echo::service()], |node| async move {
        let refused = node.http(say()).await;
        let body = String::from_utf8_lossy(refused.body());
        assert_eq!(refused.status().as_u16(), 400, "{body}");
        assert!(body.contains("request.fence"), "{body}");
        assert!(all_said(node.inner()).await.is_empty());
    });
    run(engine, vec![fencing(Gate::new(i64::MAX))], |node| async move {
        assert_eq!(node.http(say()).await.status().as_u16(), 200);
        lose(&node).await;
        assert_ne!(node.http(say()).await.status().as_u16(), 200);
        assert_eq!(all_said(node.inner()).await.len(), 1);
    });
}
