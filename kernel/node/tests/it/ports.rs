//! What drivers provide: a service has the ports that its manifest names, and no others.

use std::sync::Arc;

use stoa_contract::Contract;
use stoa_kit::ports::{Port, Ports};
use stoa_kit::{Code, Ctx, Methods, Request, Result, Root, Service, World};
use stoa_node::{Logs, Parts, RootKey};
use stoa_store::{Options, Place};
use stoa_testkit::{Engine, TestWorld, run_with_ports};

use crate::messages::{CONTRACT, Done, Relay};

/// A port that only this test knows.
trait Dice: Send + Sync {
    fn roll(&self) -> i64;
}

impl Port for dyn Dice {
    const NAME: &'static str = "dice";
    const PROVIDE: &'static str = "Buy some.";
}

struct Loaded;

impl Dice for Loaded {
    fn roll(&self) -> i64 {
        6
    }
}

fn loaded() -> Ports {
    Ports::default().with::<dyn Dice>(Arc::new(Loaded))
}

/// A service that rolls dice in its only method.
fn service<F: Future<Output = Result<i64>> + Send + 'static>(
    roll: impl Fn(Ctx) -> F + Send + Sync + 'static,
) -> Service {
    const ONE: &Contract = &Contract { methods: &[Relay::METHOD], events: &[], ..*CONTRACT };
    Service::new(Methods::new(ONE).effect(move |ctx, _: Relay| {
        let rolled = roll(ctx);
        async move { Ok(Done::new("", rolled.await?)) }
    }))
}

async fn must(ctx: Ctx) -> Result<i64> {
    Ok(ctx.port::<dyn Dice>()?.roll())
}

async fn may(ctx: Ctx) -> Result<i64> {
    Ok(ctx.port_if_any::<dyn Dice>()?.map_or(0, Dice::roll))
}

/// What rolling comes to, on a node with some ports.
fn rolls(service: Service, ports: Ports) -> Result<i64> {
    let mut rolled = None;
    run_with_ports(Engine::Sqlite, vec![service], ports, |node| {
        let rolled = &mut rolled;
        async move {
            let done = node.call(&node.admin(), Relay::new("", 0)).await;
            *rolled = Some(done.map(|done| done.about().1));
        }
    });
    rolled.unwrap()
}

#[test]
fn a_service_has_the_ports_that_it_names() {
    assert_eq!(rolls(service(must).uses::<dyn Dice>(), loaded()).unwrap(), 6);
    assert_eq!(rolls(service(may).may_use::<dyn Dice>(), loaded()).unwrap(), 6);
    for undeclared in [service(must), service(may)] {
        let error = rolls(undeclared, loaded()).unwrap_err();
        let cause = error.internal_cause().unwrap_or_default();
        assert_eq!(cause, "`echo` uses the port `dice` without declaring it");
    }
}

#[test]
fn what_a_service_can_do_without_may_be_absent() {
    assert_eq!(rolls(service(may).may_use::<dyn Dice>(), Ports::default()).unwrap(), 0);
    let error = rolls(service(must).may_use::<dyn Dice>(), Ports::default()).unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "node.no_port"));
    assert_eq!(error.next(), "Buy some.");
}

#[test]
fn a_node_does_not_start_without_what_a_service_cannot_do_without() {
    let directory = tempfile::tempdir().unwrap();
    let world: Arc<dyn World> = TestWorld::new();
    let parts = |ports| Parts {
        settings: Vec::new(),
        root: RootKey::Given(Root::new([7; 32])),
        name: "test".into(),
        services: vec![service(must).uses::<dyn Dice>()],
        store: Options::at(Place::Directory(directory.path().to_owned())),
        configuration: Vec::new(),
        logs: Logs::new(&world),
        world: Arc::clone(&world),
        ports,
        log_kept: 1,
        commits_kept: std::time::Duration::ZERO,
        calls_per_second: 0,
        anonymous_per_second: 0,
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let error = stoa_node::Node::open(parts(Ports::default())).await.err().unwrap();
        assert_eq!(error.reason(), "node.no_port");
        assert!(error.message().contains("`echo` uses the port `dice`"), "{error}");
        assert_eq!(error.next(), "Buy some.");
        stoa_node::Node::open(parts(loaded())).await.unwrap().close().await;
    });
}
