//! Tenants share a node and see nothing of one another.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use stoa_contract::Permission;
use stoa_kit::{Caller, Code, Error, MAIN, Request as _};
use stoa_node::{Background, Visitor};
use stoa_store::{Fault, Faults};
use stoa_testkit::{Engine, Node, both, run, run_with_faults};

use crate::chores::{self, Assign, hands};
use crate::echo;
use crate::messages::{Done, Enqueue, Say};

crate::on_both!(
    a_tenant_is_there_whole_or_not_at_all,
    tenants_take_turns_for_the_room_of_a_method,
    tenants_for_whom_nothing_is_to_be_done_are_not_looked_at,
);

fn services() -> Vec<stoa_kit::Service> {
    vec![echo::service()]
}

/// What was heard in a tenant: numbers in order, by subject.
async fn heard(node: &Node, tenant: &'static str) -> Vec<(String, i64)> {
    const HEARD: &str = "SELECT subject, number FROM echo_heard WHERE tenant = :tenant \
         ORDER BY subject, place /* whole: a test */";
    echo::rows_of(node.inner(), tenant, HEARD).await
}

fn a_tenant_is_there_whole_or_not_at_all(engine: Engine) {
    const TENANTS: &str = "SELECT tenant FROM stoa_tenant WHERE tenant <> 'main' ORDER BY tenant";
    const HOSTS: &str = "SELECT tenant FROM stoa_host ORDER BY tenant";
    const CURSORS: &str =
        "SELECT DISTINCT tenant FROM stoa_cursor WHERE tenant <> 'main' ORDER BY tenant";
    let left = Arc::new(AtomicI64::new(0));
    let counted = Arc::clone(&left);
    let faults = Faults::new(move |_| {
        let counted = counted.fetch_update(SeqCst, SeqCst, |left| (left > 0).then(|| left - 1));
        (counted == Ok(1)).then_some(Fault::Fail)
    });
    run_with_faults(engine, services(), faults, |node| async move {
        for point in 1.. {
            left.store(point, SeqCst);
            let name = format!("t{point}");
            let described = json!({"name": name, "hosts": [format!("{name}.example.com")]});
            let made = node.ask(&node.admin(), "CreateTenant", described).await;
            let reached = left.swap(0, SeqCst) == 0;
            let mut found = Vec::new();
            for sql in [TENANTS, HOSTS, CURSORS] {
                found.push(echo::rows_of::<(String,)>(node.inner(), "", sql).await);
            }
            assert!(found[0] == found[1] && found[0] == found[2], "{point}: {found:?}");
            assert!(made.is_err() || found[0].contains(&(name,)), "{point}");
            if !reached {
                assert!(point > 5, "a tenant is made in more steps than {point}");
                return;
            }
        }
    });
}

fn tenants_take_turns_for_the_room_of_a_method(engine: Engine) {
    let begun = Arc::new(Mutex::new(Vec::new()));
    let begins = Arc::clone(&begun);
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let hands = hands(move |words| {
        let mut begun = begins.lock().unwrap();
        begun.push(words);
        // The first two are at work together: none of them makes room for a third.
        let waits = (begun.len() <= 2).then(|| Arc::clone(&both));
        async move {
            if let Some(both) = waits {
                both.wait().await;
            }
            Ok(())
        }
    });
    run(engine, vec![chores::service(hands)], |node| async move {
        node.create_tenant("acme").await;
        // So many that a look at the oldest does not come to those behind them.
        for number in 0..300 {
            node.call(&node.nobody(), Assign::new(&format!("wash main{number}"))).await.unwrap();
        }
        node.pass(Duration::from_secs(1));
        let acme = Caller::anonymous("acme");
        node.call(&acme, Assign::new("wash acme")).await.unwrap();
        node.pass(Duration::from_secs(1));
        let mut background = Background::new(node.inner()).await.unwrap();
        background.step().await.unwrap();
        let begun = begun.lock().unwrap();
        assert_eq!(begun.len(), 301);
        assert!(begun[..2].contains(&"acme".to_owned()), "{:?}", &begun[..2]);
    });
}

fn tenants_for_whom_nothing_is_to_be_done_are_not_looked_at(engine: Engine) {
    run(engine, services(), |node| async move {
        let reads = async || {
            node.settle().await;
            let before = node.inner().store().metrics().reads.load(SeqCst);
            for _ in 0..5 {
                node.advance(Duration::from_secs(10)).await;
            }
            node.inner().store().metrics().reads.load(SeqCst) - before
        };
        node.advance(Duration::from_secs(200)).await;
        let alone = reads().await;
        for number in 0..40 {
            let name = format!("t{number}");
            node.create_tenant(&name).await;
            let caller = Caller::of(&name, "user:usr_1", &[]);
            node.call(&caller, Say::new("it", 1)).await.unwrap();
        }
        node.settle().await;
        node.advance(Duration::from_secs(200)).await;
        let among_many = reads().await;
        assert!(among_many <= alone, "{among_many} reads are more than {alone}");
    });
}

/// Somebody of another tenant who may everything there.
fn admin_of(tenant: &str) -> Caller {
    Caller::of(tenant, "user:usr_admin", &["*"])
}

fn refused<T>(outcome: Result<T, Error>) -> (Code, String) {
    let error = outcome.err().expect("it is refused");
    (error.code(), error.reason().to_owned())
}

fn names(listed: &Value) -> Vec<&str> {
    let tenants = listed["tenants"].as_array().unwrap();
    tenants.iter().map(|tenant| tenant["name"].as_str().unwrap()).collect()
}

/// A method for everybody.
static PUBLIC: stoa_contract::Method =
    stoa_contract::Method { permission: Permission::Public, ..*Say::METHOD };

async fn identify(node: &Node, host: &str, header: Option<&str>) -> Result<String, Error> {
    let visitor = Visitor {
        host: host.to_owned(),
        tenant: header.map(Into::into),
        names_tenants: true,
        ..Visitor::default()
    };
    node.inner().identify(&visitor, true).await.map(|caller| caller.tenant.to_string())
}

both! {
    async fn a_tenant_is_made_shown_and_changed_by_who_runs_the_cell(node: Node) {
        node.create_tenant("acme").await;
        let described = json!({"name": "beta", "hosts": ["beta.example.com"], "jobsMax": 7});
        let made = node.ask(&node.admin(), "CreateTenant", described.clone()).await.unwrap();
        assert_eq!(made["tenant"]["state"], "TENANT_STATE_ACTIVE");
        let again = node.ask(&node.admin(), "CreateTenant", described).await;
        assert_eq!(refused(again), (Code::AlreadyExists, "system.tenant_exists".to_owned()));

        let listed = node.ask(&node.admin(), "ListTenants", json!({})).await.unwrap();
        assert_eq!(names(&listed), ["acme", "beta", MAIN]);
        let first = node.ask(&node.admin(), "ListTenants", json!({"pageSize": 2})).await.unwrap();
        let rest = json!({"pageSize": 2, "pageToken": first["nextPageToken"]});
        let rest = node.ask(&node.admin(), "ListTenants", rest).await.unwrap();
        assert_eq!(names(&rest), [MAIN]);

        let change = json!({"name": "acme", "displayName": "Acme", "hosts": ["acme.example.com"]});
        let changed = node.ask(&node.admin(), "UpdateTenant", change).await.unwrap();
        assert_eq!(changed["tenant"]["hosts"], json!(["acme.example.com"]));
        let taken = json!({"name": "acme", "hosts": ["beta.example.com"]});
        let taken = node.ask(&node.admin(), "UpdateTenant", taken).await;
        assert_eq!(refused(taken), (Code::AlreadyExists, "system.host_taken".to_owned()));
        let cleared = json!({"name": "beta", "updateMask": "hosts,jobsMax"});
        let cleared = node.ask(&node.admin(), "UpdateTenant", cleared).await.unwrap();
        assert_eq!(cleared["tenant"].get("jobsMax"), None, "{cleared}");
    }

    async fn administrators_of_a_tenant_see_it_and_no_other(node: Node) {
        node.create_tenant("acme").await;
        node.create_tenant("beta").await;
        let acme = admin_of("acme");
        let listed = node.ask(&acme, "ListTenants", json!({})).await.unwrap();
        assert_eq!(names(&listed), ["acme"]);
        node.ask(&acme, "GetTenant", json!({"name": "acme"})).await.unwrap();
        for other in ["beta", MAIN] {
            let found = node.ask(&acme, "GetTenant", json!({"name": other})).await;
            assert_eq!(refused(found), (Code::NotFound, "resource.not_found".to_owned()));
        }
        for (method, request) in [
            ("CreateTenant", json!({"name": "gamma"})),
            ("UpdateTenant", json!({"name": "acme", "jobsMax": 1})),
            ("SuspendTenant", json!({"name": "beta"})),
            ("ResumeTenant", json!({"name": "acme"})),
            ("RenewSetupCode", json!({"name": "beta"})),
        ] {
            let outcome = node.ask(&acme, method, request).await;
            let wanted = (Code::PermissionDenied, "system.not_main".to_owned());
            assert_eq!(refused(outcome), wanted, "{method}");
        }
        let suspended = node.ask(&node.admin(), "SuspendTenant", json!({"name": MAIN})).await;
        assert_eq!(refused(suspended), (Code::FailedPrecondition, "system.main_tenant".to_owned()));
    }

    async fn a_tenant_that_is_suspended_is_refused_until_it_is_resumed(node: Node) {
        node.create_tenant("acme").await;
        let caller = Caller::of("acme", "user:usr_1", &[]);
        node.call(&caller, Say::new("it", 1)).await.unwrap();
        node.ask(&node.admin(), "SuspendTenant", json!({"name": "acme"})).await.unwrap();
        let stopped = (Code::FailedPrecondition, "tenant.suspended".to_owned());
        assert_eq!(refused(node.call(&caller, Say::new("it", 2)).await), stopped);
        assert_eq!(refused(identify(&node, "", Some("acme")).await), stopped);
        node.call(&node.nobody(), Say::new("it", 1)).await.unwrap();
        node.ask(&node.admin(), "ResumeTenant", json!({"name": "acme"})).await.unwrap();
        node.call(&caller, Say::new("it", 3)).await.unwrap();
        let gone = Caller::of("gone", "user:usr_1", &[]);
        let unknown = (Code::NotFound, "tenant.unknown".to_owned());
        assert_eq!(refused(node.call(&gone, Say::new("it", 1)).await), unknown);
    }

    async fn a_host_or_a_header_means_a_tenant_and_never_two(node: Node) {
        node.create_tenant("acme").await;
        node.create_tenant("beta").await;
        let hosts = json!({"name": "acme", "hosts": ["acme.example.com"]});
        node.ask(&node.admin(), "UpdateTenant", hosts).await.unwrap();
        for (host, header, wanted) in [
            ("", None, Ok(MAIN)),
            ("else.example.com", None, Ok(MAIN)),
            ("acme.example.com", None, Ok("acme")),
            ("acme.example.com", Some("acme"), Ok("acme")),
            ("else.example.com", Some("beta"), Ok("beta")),
            ("acme.example.com", Some("beta"), Err("tenant.mismatch")),
            ("", Some("gamma"), Err("tenant.unknown")),
        ] {
            let found = identify(&node, host, header).await;
            let found = found.as_deref().map_err(|error| error.reason());
            assert_eq!(found, wanted, "{host} {header:?}");
        }
        // Whether there is such a tenant is told to those who are heard.
        for tenant in ["beta", "gamma"] {
            let visitor = Visitor { tenant: Some(tenant.into()), ..Visitor::default() };
            let unheard = node.inner().identify(&visitor, true).await;
            assert_eq!(refused(unheard), (Code::PermissionDenied, "tenant.header".to_owned()));
        }
    }

    async fn a_public_stream_ends_with_the_tenant_that_it_was_opened_in(node: Node) {
        node.create_tenant("beta").await;
        let visitor = Visitor {
            authorization: Some("Bearer stoa_s_main_unknown".into()),
            tenant: Some("beta".into()),
            names_tenants: true,
            ..Visitor::default()
        };
        let caller = node.inner().identify(&visitor, true).await.unwrap();
        assert_eq!((&*caller.tenant, caller.is_anonymous()), ("beta", true));
        let still = async || node.inner().still_good(&visitor, &caller, &PUBLIC).await;
        still().await.unwrap();
        node.ask(&node.admin(), "SuspendTenant", json!({"name": "beta"})).await.unwrap();
        assert_eq!(refused(still().await), (Code::FailedPrecondition, "tenant.suspended".to_owned()));
    }

    async fn what_a_tenant_may_use_is_its_own(node: Node) {
        node.create_tenant("acme").await;
        let limits = json!({"name": "acme", "commitsPerSecond": 3, "jobsMax": 2});
        node.ask(&node.admin(), "UpdateTenant", limits).await.unwrap();
        let callers = ["usr_1", "usr_2"].map(|id| Caller::of("acme", &format!("user:{id}"), &[]));
        // All at once: what they may is counted when they come, however long each takes.
        let calls = (0..8).map(|turn| node.call(&callers[turn % 2], Say::new("it", 1)));
        let outcomes = join_all(calls).await;
        let refused: Vec<Error> = outcomes.into_iter().filter_map(Result::err).collect();
        assert!(!refused.is_empty(), "three may in a second");
        for error in refused {
            assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, "tenant.rate"));
            assert!(error.retry_after().is_some());
        }
        node.call(&node.user("usr_1"), Say::new("it", 1)).await.unwrap();

        node.ask(&node.admin(), "UpdateTenant", json!({"name": "acme", "updateMask":
            "commitsPerSecond"})).await.unwrap();
        for _ in 0..2 {
            node.skip(Duration::from_secs(2));
            let _: Done = node.call(&callers[0], Enqueue::new("it", 1)).await.unwrap();
        }
        node.skip(Duration::from_secs(2));
        let error = node.fails(&callers[0], Enqueue::new("it", 1)).await;
        assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, "tenant.jobs"));
        node.call(&callers[0], Say::new("it", 1)).await.unwrap();
        node.call(&node.user("usr_1"), Enqueue::new("it", 1)).await.unwrap();
    }

    async fn what_happens_without_a_caller_happens_where_it_belongs(node: Node) {
        node.create_tenant("acme").await;
        let acme = Caller::of("acme", "user:usr_1", &["system.jobs.read"]);
        for number in 1..=2 {
            node.call(&acme, Say::new("it", number)).await.unwrap();
        }
        node.call(&node.nobody(), Say::new("it", 7)).await.unwrap();
        let _: Done = node.call(&acme, Enqueue::new("work", 1)).await.unwrap();
        node.advance(Duration::from_secs(1)).await;
        let it = |number| ("it".to_owned(), number);
        let job = ("job work".to_owned(), 1);
        assert_eq!(heard(&node, "acme").await, [it(1), it(2), job]);
        assert_eq!(heard(&node, MAIN).await, [it(7)]);
        let jobs = node.ask(&acme, "ListJobs", json!({})).await.unwrap();
        assert_eq!(jobs["jobs"][0]["state"], "done", "{jobs}");
        let jobs = node.ask(&node.admin(), "ListJobs", json!({})).await.unwrap();
        assert_eq!(jobs.get("jobs"), None, "{jobs}");
    }

    async fn the_work_of_a_suspended_tenant_waits_and_goes_on(node: Node) {
        node.create_tenant("acme").await;
        let acme = Caller::of("acme", "user:usr_1", &[]);
        node.call(&acme, Say::new("it", 1)).await.unwrap();
        let _: Done = node.call(&acme, Enqueue::new("work", 1)).await.unwrap();
        node.ask(&node.admin(), "SuspendTenant", json!({"name": "acme"})).await.unwrap();
        node.advance(Duration::from_secs(3_600)).await;
        node.call(&node.nobody(), Say::new("it", 7)).await.unwrap();
        node.settle().await;
        assert_eq!(heard(&node, "acme").await, []);
        assert_eq!(heard(&node, MAIN).await, [("it".to_owned(), 7)]);
        // Also by the background of another node, which begins meanwhile.
        let mut other = Background::new(node.inner()).await.unwrap();
        while other.step().await.unwrap() {}
        assert_eq!(heard(&node, "acme").await, []);
        node.ask(&node.admin(), "ResumeTenant", json!({"name": "acme"})).await.unwrap();
        node.advance(Duration::from_secs(1)).await;
        let all = [("it".to_owned(), 1), ("job work".to_owned(), 1)];
        assert_eq!(heard(&node, "acme").await, all);
    }
}
