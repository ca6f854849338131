//! Tenants share a node and see nothing of one another.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_kit::{Caller, Code, Error, MAIN};
use stoa_node::Visitor;
use stoa_testkit::{Node, both};

use crate::echo;
use crate::messages::{Done, Enqueue, Say};

fn services() -> Vec<stoa_kit::Service> {
    vec![echo::service()]
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
        let visitor = Visitor { tenant: Some("beta".into()), ..Visitor::default() };
        let unheard = node.inner().identify(&visitor, true).await;
        assert_eq!(refused(unheard), (Code::PermissionDenied, "tenant.header".to_owned()));
    }

    async fn what_a_tenant_may_use_is_its_own(node: Node) {
        node.create_tenant("acme").await;
        let limits = json!({"name": "acme", "commitsPerSecond": 3, "jobsMax": 2});
        node.ask(&node.admin(), "UpdateTenant", limits).await.unwrap();
        let callers = ["usr_1", "usr_2"].map(|id| Caller::of("acme", &format!("user:{id}"), &[]));
        for turn in 0..3 {
            node.call(&callers[turn % 2], Say::new("it", 1)).await.unwrap();
        }
        let error = node.fails(&callers[1], Say::new("it", 1)).await;
        assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, "tenant.rate"));
        assert!(error.retry_after().is_some());
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
}
