//! A command that does not come back. Nothing can stop it: it is named, so that people can.

use std::sync::Arc;
use std::time::Duration;

use stoa_kit::Code;
use stoa_testkit::{Engine, Node, run};

use crate::echo::{self, Gate};
use crate::messages::{Say, Spin, Taste};

crate::on_both!(a_command_that_overstays_is_named_and_others_go_on);

fn a_command_that_overstays_is_named_and_others_go_on(engine: Engine) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        let nobody = node.nobody();
        let spinning = call(&node, Spin::default());
        gate.reached(1).await;
        node.call(&nobody, Taste::default()).await.unwrap();
        let said = call(&node, Say::new("it", 1));
        match node.engine() {
            // There is one writer, and it is kept: the node is not ready, and says by whom.
            Engine::Sqlite => {
                let error = unhealthy(&node).await;
                assert_eq!((error.code(), error.reason()), (Code::Unavailable, "store.overstay"));
                assert!(error.message().ends_with("stoa.echo.v1.EchoService/Spin"), "{error}");
            }
            // One of several is kept.
            Engine::Postgres => {
                node.call(&nobody, Say::new("it", 2)).await.unwrap();
                node.inner().health().unwrap();
            }
        }
        node.call(&nobody, Taste::default()).await.unwrap();
        gate.open(1);
        spinning.await.unwrap();
        said.await.unwrap();
        node.inner().health().unwrap();
    });
}

/// Calls beside the test.
fn call<R: stoa_kit::Request>(node: &Node, request: R) -> tokio::task::JoinHandle<()> {
    let node = node.clone();
    tokio::spawn(async move {
        node.call(&node.nobody(), request).await.unwrap();
    })
}

/// Waits until the node is not ready: why.
async fn unhealthy(node: &Node) -> stoa_kit::Error {
    for _ in 0..6_000 {
        match node.inner().health() {
            Ok(()) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => return error,
        }
    }
    panic!("nobody notices");
}
