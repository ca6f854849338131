//! Timers fire once, whoever else fails and however the clock is set; and those with nothing to do
//! write nothing.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde_json::json;
use stoa_contract::{Check, Contract, Kind, Method, Permission, Shape};
use stoa_kit::v1::Money;
use stoa_kit::{
    Caller, Error, MAIN, Message, Methods, Micros, Migration, Request, Result, Schedule, Service,
    Tx, View,
};
use stoa_node::Background;
use stoa_testkit::{Node, both};

use crate::echo::{rows, rows_of, system};

const CONTRACT: &Contract = &Contract {
    name: "plans",
    full_name: "stoa.plans.v1.PlansService",
    doc: "Does things at their time.",
    methods: &[Plan::METHOD, Do::METHOD, Fail::METHOD, Tick::METHOD],
    events: &[],
    descriptors: &[],
};

const TABLES: &[Migration] = &[Migration::expand(
    "0001_plans",
    "CREATE TABLE plans_plan (tenant TEXT NOT NULL, id TEXT NOT NULL, time BIGINT NOT NULL,
         PRIMARY KEY (tenant, id));
     CREATE INDEX plans_plan_time ON plans_plan (tenant, time);
     CREATE TABLE plans_done (tenant TEXT NOT NULL, id TEXT NOT NULL, what TEXT NOT NULL,
         PRIMARY KEY (tenant, id));",
)];

/// Plans that are done in one commit.
const CHUNK: i64 = 2;

macro_rules! message {
    ($name:ident) => {
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        struct $name(Money);

        stoa_testkit::wraps!($name);

        impl Message for $name {
            const NAME: &'static str = concat!("stoa.plans.v1.", stringify!($name));
            const SHAPE: &'static Shape = Money::SHAPE;

            fn check(&self, _: &mut Check) {}
        }

        impl Request for $name {
            type Reply = Money;
            const METHOD: &'static Method = &Method {
                path: concat!("stoa.plans.v1.PlansService/", stringify!($name)),
                service: "plans",
                name: stringify!($name),
                doc: "",
                kind: Kind::Command,
                streams: false,
                takes_stream: None,
                batch_gets: None,
                permission: Permission::Public,
                job: None,
                prompt: false,
                price: None,
                step_up: None,
                http: &[],
                request: Money::SHAPE,
                reply: Money::SHAPE,
            };
        }
    };
}

message!(Plan);
message!(Do);
message!(Fail);
message!(Tick);

fn done(tx: &mut Tx, what: &str) -> Result<()> {
    const DONE: &str = "INSERT INTO plans_done (tenant, id, what) VALUES (:tenant, $1, $2)";
    let id = tx.new_id("done");
    tx.insert(DONE, (id, what))
}

/// When a plan is to be done; of one whose time has come that is now.
fn next(view: &View) -> Result<Option<Micros>> {
    const NEXT: &str = "SELECT MIN(time) FROM plans_plan WHERE tenant = :tenant";
    let next = view.row::<(Option<i64>,)>(NEXT, ())?.and_then(|(time,)| time);
    Ok(next.map(|time| Micros(time).max(view.now())))
}

fn work(tx: &mut Tx, _: Do) -> Result<Money> {
    const WORK: &str = "DELETE FROM plans_plan WHERE tenant = :tenant AND id IN (SELECT id \
         FROM plans_plan WHERE tenant = :tenant AND time <= $1 ORDER BY time, id LIMIT $2)";
    let worked = tx.execute(WORK, (tx.now().0, CHUNK))?;
    for _ in 0..worked {
        done(tx, "plan")?;
    }
    tx.again(worked as i64 == CHUNK);
    Ok(Money::default())
}

fn services() -> Vec<Service> {
    const PLAN: &str = "INSERT INTO plans_plan (tenant, id, time) VALUES (:tenant, $1, $2)";
    let methods = Methods::new(CONTRACT)
        .command(|tx, Plan(in_ms)| {
            let id = tx.new_id("plan");
            let time = tx.after(Duration::from_millis(in_ms.amount.unsigned_abs()));
            tx.insert(PLAN, (id, time.0))?;
            Ok(Money::default())
        })
        .command(work)
        .command(|_, _: Fail| Err::<Money, _>(Error::unavailable("store.test", "not now")))
        .command(|tx, _: Tick| done(tx, "tick").map(|()| Money::default()));
    let service = Service::new(methods)
        .migrations(TABLES)
        .timer("a_fails", Schedule::Every(Duration::from_secs(3_600)), &Fail::default())
        .timer("b_ticks", Schedule::Every(Duration::from_secs(3_600)), &Tick::default())
        .due("c_plans", next, &Do::default());
    vec![service]
}

async fn plan(node: &Node, after: Duration) {
    let in_ms = i64::try_from(after.as_millis()).unwrap();
    let plan = Plan(Money { amount: in_ms, currency: String::new() });
    node.call(&node.nobody(), plan).await.unwrap();
}

/// How often something was done.
async fn count(node: &Node, what: &str) -> usize {
    const DONE: &str = "SELECT what FROM plans_done WHERE tenant = :tenant \
         /* whole: a test reads what it wrote */";
    let all = rows::<(String,)>(node.inner(), DONE).await;
    all.into_iter().filter(|(done,)| done == what).count()
}

/// Steps until nothing is left that can be done.
async fn step(background: &mut Background) {
    while background.step().await.unwrap_or(false) {}
}

fn commits(node: &Node) -> u64 {
    node.inner().store().metrics().commits.load(SeqCst)
}

both! {
    async fn what_is_due_is_done_in_chunks_that_follow_at_once(node: Node) {
        for seconds in 1..=7 {
            plan(&node, Duration::from_secs(seconds)).await;
        }
        let mut background = Background::new(node.inner()).await.unwrap();
        step(&mut background).await;
        assert_eq!(count(&node, "plan").await, 0);
        node.pass(Duration::from_secs(5));
        step(&mut background).await;
        assert_eq!(count(&node, "plan").await, 5, "three chunks");
        // A plan that is made later may be due earlier.
        plan(&node, Duration::from_millis(500)).await;
        node.pass(Duration::from_secs(1));
        step(&mut background).await;
        assert_eq!(count(&node, "plan").await, 7);
    }

    async fn where_nothing_is_due_nothing_is_written(node: Node) {
        plan(&node, Duration::from_secs(50 * 60)).await;
        let mut background = Background::new(node.inner()).await.unwrap();
        step(&mut background).await;
        let before = commits(&node);
        for _ in 0..45 {
            node.pass(Duration::from_secs(60));
            step(&mut background).await;
        }
        assert_eq!(commits(&node), before);
    }

    async fn every_tenant_has_its_timers(node: Node) {
        const DONE: &str = "SELECT what FROM plans_done WHERE tenant = :tenant ORDER BY what \
             /* whole: a test */";
        let mut background = Background::new(node.inner()).await.unwrap();
        node.create_tenant("acme").await;
        node.create_tenant("beta").await;
        node.ask(&node.admin(), "SuspendTenant", json!({"name": "beta"})).await.unwrap();
        let plan = Plan(Money { amount: 1_000, currency: String::new() });
        node.call(&Caller::anonymous("acme"), plan).await.unwrap();
        step(&mut background).await;
        node.pass(Duration::from_secs(3_601));
        for _ in 0..3 {
            // The timer that fails is not tried again, and keeps nobody from the next.
            let _ = background.step().await;
            node.pass(Duration::from_secs(2));
        }
        let done = async |tenant| rows_of::<(String,)>(node.inner(), tenant, DONE).await;
        assert_eq!(done("acme").await, ["plan", "tick"].map(|what| (what.to_owned(),)));
        assert_eq!(done(MAIN).await, [("tick".to_owned(),)]);
        assert_eq!(done("beta").await, []);
    }

    async fn of_two_nodes_one_does_what_is_due(node: Node) {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(Background::new(node.inner()).await.unwrap());
        }
        for _ in 0..3 {
            plan(&node, Duration::from_secs(1)).await;
        }
        node.pass(Duration::from_secs(2));
        let before = commits(&node);
        futures::future::join_all(nodes.iter_mut().map(step)).await;
        assert_eq!(count(&node, "plan").await, 3);
        assert_eq!(commits(&node) - before, 2, "two chunks, whoever did them");
    }

    async fn a_timer_that_cannot_fire_holds_up_no_other(node: Node) {
        let mut background = Background::new(node.inner()).await.unwrap();
        plan(&node, Duration::from_secs(60)).await;
        node.pass(Duration::from_secs(2 * 3_600));
        let error = background.step().await.unwrap_err();
        assert_eq!(error.reason(), "store.test");
        step(&mut background).await;
        assert_eq!((count(&node, "tick").await, count(&node, "plan").await), (1, 1));
    }

    async fn a_clock_that_is_set_back_delays_no_timer(node: Node) {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
        let mut background = Background::new(node.inner()).await.unwrap();
        node.pass(YEAR);
        step(&mut background).await;
        assert_eq!(count(&node, "tick").await, 1);
        node.set_back(YEAR);
        step(&mut background).await;
        plan(&node, Duration::from_secs(10)).await;
        node.pass(Duration::from_secs(3_601));
        step(&mut background).await;
        assert_eq!((count(&node, "tick").await, count(&node, "plan").await), (2, 1));
        // And over a restart.
        node.pass(YEAR);
        step(&mut background).await;
        assert_eq!(count(&node, "tick").await, 3);
        node.set_back(YEAR);
        let mut next = Background::new(node.inner()).await.unwrap();
        node.pass(Duration::from_secs(3_601));
        step(&mut next).await;
        assert_eq!(count(&node, "tick").await, 4);
        let timers = system(&node, "ListTimers", json!({})).await.unwrap();
        assert_eq!(timers["timers"][2]["schedule"], "when due", "{timers}");
    }
}
