//! What a node did of late, as its own contract tells it.

use std::time::Duration;

use serde_json::json;
use stoa_kit::{Caller, Code, MAIN, Service};
use stoa_testkit::both;

use crate::echo;
use crate::messages::{Say, Taste};

fn services() -> Vec<Service> {
    vec![echo::service()]
}

const SAY: &str = "stoa.echo.v1.EchoService/Say";
const TEN: Duration = Duration::from_secs(10);

fn number(value: &serde_json::Value) -> i64 {
    value.as_str().map_or(0, |text| text.parse().unwrap())
}

both! {
    async fn calls_are_told_by_method_once_their_step_is_over(node: Node) {
        let admin = node.admin();
        node.settle().await;
        for place in 0..3 {
            node.call(&admin, Say::new("it", place)).await.unwrap();
        }
        node.call(&node.user("usr_ada"), Taste::new("it", 0)).await.unwrap();
        let missing = json!({"position": "p999"});
        node.ask(&admin, "GetCommit", missing).await.unwrap_err();
        let open = node.ask(&admin, "GetLoad", json!({})).await.unwrap();
        assert_eq!((&open["node"], &open["points"]), (&json!("test"), &json!(null)));
        node.advance(TEN).await;
        // What is done from here on belongs to the next step.
        node.call(&admin, Say::new("it", 3)).await.unwrap();
        node.advance(TEN).await;
        let load = node.ask(&admin, "GetLoad", json!({})).await.unwrap();
        let points = load["points"].as_array().unwrap();
        assert_eq!((load["stepSeconds"].as_str(), points.len()), (Some("10"), 2));
        let of = |path: &str| {
            let mut methods = load["methods"].as_array().unwrap().iter();
            methods.find(|one| one["method"] == path).cloned().unwrap_or_default()
        };
        let said = of(SAY);
        assert_eq!((number(&said["calls"]), number(&said["errors"])), (4, 0));
        assert!(number(&said["p50Us"]) <= number(&said["p99Us"]) && number(&said["p99Us"]) > 0);
        assert!(number(&said["totalUs"]) >= number(&said["p50Us"]));
        assert_eq!(number(&of("stoa.system.v1.SystemService/GetCommit")["errors"]), 1);
        assert!(number(&points[0]["commits"]) >= 3 && number(&points[0]["memoryBytes"]) > 1 << 20);
        // The points of one method, beside the sums of all.
        let only = node.ask(&admin, "GetLoad", json!({"method": SAY})).await.unwrap();
        let calls: Vec<_> = only["points"].as_array().unwrap().iter().collect();
        assert_eq!(calls.iter().map(|one| number(&one["calls"])).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(only["methods"], load["methods"]);
        let span = json!({"startTime": points[1]["time"], "endTime": points[1]["time"]});
        let late = node.ask(&admin, "GetLoad", span).await.unwrap();
        assert_eq!(late["points"].as_array().unwrap()[..], points[1..]);
    }
}

both! {
    async fn what_the_cell_does_is_for_the_main_tenants_administrators(node: Node) {
        node.create_tenant("acme").await;
        let theirs = Caller::of("acme", "user:usr_adm", &["*"]);
        for method in ["GetLoad", "GetNode"] {
            let refused = node.ask(&theirs, method, json!({})).await.unwrap_err();
            assert_eq!(refused.reason(), "system.not_main");
        }
        let known = node.ask(&node.admin(), "GetNode", json!({})).await.unwrap()["node"].clone();
        assert_eq!((&known["name"], &known["others"]), (&json!("test"), &json!(null)));
        let ada = Caller::of(MAIN, "user:usr_ada", &["system.jobs.*"]);
        let refused = node.ask(&ada, "GetLoad", json!({})).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
}
