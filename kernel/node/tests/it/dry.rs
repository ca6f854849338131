//! Dry runs: what a command would write is told, and nothing of it is.

use std::collections::BTreeMap;

use stoa_kit::{Cause, Code, Request, Result, Service};
use stoa_node::{Answer, Call, DryRun};
use stoa_testkit::{Node, both};

use crate::echo;
use crate::messages::{Enqueue, Poison, Refuse, Relay, Say, Shrug, Taste};

fn services() -> Vec<Service> {
    vec![echo::service()]
}

/// Calls under a key, or does so dry.
async fn call<R: Request>(node: &Node, dry_run: bool, request: R) -> Result<Answer> {
    let call = Call {
        method: R::METHOD.path.to_owned(),
        caller: node.user("usr_1"),
        request: Box::new(request),
        key: Some("once".to_owned()),
        fence: None,
        trace: String::new(),
        deadline: None,
        cause: Cause::Request,
        address: String::new(),
        position: None,
        dry_run,
    };
    node.inner().call(call).await
}

/// What a dry run tells.
async fn dry<R: Request>(node: &Node, request: R) -> Result<DryRun> {
    let answer = call(node, true, request).await?;
    assert_eq!((answer.position, answer.replayed), (None, false));
    Ok(answer.dry_run.expect("it says what it would write"))
}

fn counted(name: &str) -> BTreeMap<String, u64> {
    [(name.to_owned(), 1)].into()
}

both! {
    async fn nothing_of_a_dry_run_remains(node: Node) {
        call(&node, false, Say::new("before", 1)).await.unwrap();
        node.settle().await;
        let before = node.kept().await;
        let said = dry(&node, Say::new("it", 1)).await.unwrap();
        assert_eq!(said, DryRun { events: counted("echo.said"), ..Default::default() });
        let enqueued = dry(&node, Enqueue::new(echo::ECHOED, 1)).await.unwrap();
        let job = counted("stoa.echo.v1.EchoService/Work");
        assert_eq!(enqueued, DryRun { jobs: job, ..Default::default() });
        let wrote = dry(&node, Shrug::new("it", 1)).await.unwrap();
        assert_eq!(wrote, DryRun { rows: counted("echo_heard"), ..Default::default() });
        node.settle().await;
        assert!(node.kept().await == before, "no row, event, job, record or key");

        // The key was claimed by nobody: what comes under it now happens.
        let done = call(&node, false, Shrug::new("it", 1)).await.unwrap();
        assert!(done.position.is_some() && !done.replayed);
        assert!(node.kept().await != before, "and would have been seen");
    }

    async fn a_guess_counts_although_it_is_dry(node: Node) {
        let before = node.kept().await;
        let refused = dry(&node, Refuse::new("a", 7)).await.unwrap_err();
        assert_eq!(refused.reason(), "echo.refused");
        assert!(node.kept().await != before, "what is remembered of it is");
    }

    async fn a_dry_run_is_refused_as_the_call_would_be(node: Node) {
        call(&node, false, Poison::new("it", echo::BITTER)).await.unwrap();
        let twice = dry(&node, Shrug::new("it", 1)).await;
        let real = call(&node, false, Shrug::new("it", 1)).await;
        let reason = |error: stoa_kit::Error| error.reason().to_owned();
        assert_eq!(twice.map_err(reason).err(), real.map(|_| ()).map_err(reason).err());
        let effect = dry(&node, Relay::new("it", 0)).await.unwrap_err();
        assert_eq!((effect.code(), effect.reason()), (Code::InvalidArgument, "request.dry_run"));
        let query = call(&node, true, Taste::new("sweet", 0)).await.unwrap();
        assert_eq!(query.dry_run, None, "a query writes nothing anyway");
    }
}
