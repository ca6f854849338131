//! The list of commits: newest first, narrowed by what is asked for, and bounded in what it looks at.

use serde_json::{Value, json};
use stoa_kit::{Caller, MAIN, Service};
use stoa_node::Position;
use stoa_testkit::{Node, both};

use crate::echo::{self, system};
use crate::messages::{Say, Shrug};

fn services() -> Vec<Service> {
    vec![echo::service()]
}

const SAY: &str = "stoa.echo.v1.EchoService/Say";

async fn list(node: &Node, request: Value) -> (Vec<Value>, String) {
    let page = system(node, "ListCommits", request).await.unwrap();
    let commits = page["commits"].as_array().cloned().unwrap_or_default();
    (commits, page["nextPageToken"].as_str().unwrap_or_default().to_owned())
}

fn positions(commits: &[Value]) -> Vec<String> {
    commits.iter().map(|commit| commit["position"].as_str().unwrap().to_owned()).collect()
}

both! {
    async fn commits_are_listed_from_the_youngest_and_told_apart(node: Node) {
        let ada = Caller::of(MAIN, "user:usr_ada", &[]);
        for number in 0..3 {
            node.call(&ada, Say::new("it", number)).await.unwrap();
        }
        node.call(&node.admin(), Say::new("it", 3)).await.unwrap();
        let (hers, next) = list(&node, json!({"caller": "user:usr_ada", "method": SAY})).await;
        assert_eq!((hers.len(), next.as_str()), (3, ""));
        assert!(positions(&hers).is_sorted_by(|one, next| one > next), "{hers:?}");
        let story = system(&node, "GetCommit", json!({"position": hers[1]["position"]}));
        let story = story.await.unwrap()["commit"].clone();
        assert!(story["events"].is_array() && hers[1]["events"].is_null(), "a list is short");
        assert_eq!(story["touched"], hers[1]["touched"]);
        let trace = json!({"trace": story["trace"], "method": SAY});
        assert!(positions(&list(&node, trace).await.0).contains(&positions(&hers)[1]));
        let behind = json!({"position": hers[1]["position"], "caller": "user:usr_ada"});
        assert_eq!(positions(&list(&node, behind).await.0), positions(&hers)[..1]);
        // Page by page, and the whole.
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let request = json!({"method": SAY, "pageSize": 3, "pageToken": token});
            let (commits, next) = list(&node, request).await;
            seen.extend(positions(&commits));
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!(seen, positions(&list(&node, json!({"method": SAY})).await.0));
        assert_eq!(seen.len(), 4);
    }
}

both! {
    async fn a_page_looks_at_so_many_commits_and_the_next_goes_on_behind_them(node: Node) {
        // Of so many commits two touched what is looked for, the second and the last but one.
        for chunk in (0..12_000).step_by(1_000) {
            node.change("stoa", &node.admin(), move |tx| {
                for number in chunk..chunk + 1_000 {
                    let touched = matches!(number, 1 | 11_998).then_some("echo.word/it");
                    tx.insert(
                        "INSERT INTO stoa_commit (tenant, position, time, cause, caller, method, \
                         trace, tables, touched, duration_us) \
                         VALUES (:tenant, $1, 0, '', '', '', '', '', $2, 0)",
                        (1_000_000 + number, touched.unwrap_or("echo.word/its echo.words/it")),
                    )?;
                }
                Ok(())
            })
            .await
            .unwrap();
        }
        let (near, next) = list(&node, json!({"touched": "echo.word/it"})).await;
        assert_eq!(positions(&near), [Position(1_011_998).to_string()]);
        let behind = json!({"touched": "echo.word/it", "pageToken": next});
        let (far, end) = list(&node, behind).await;
        assert_eq!(positions(&far), [Position(1_000_001).to_string()]);
        assert_eq!(end, "");
        let (none, next) = list(&node, json!({"touched": "echo.word/i"})).await;
        assert!(none.is_empty() && !next.is_empty(), "there is more to look at");
    }
}

fn spans(story: &Value) -> Vec<(String, String, i64, i64, i64)> {
    let number = |value: &Value| value.as_str().map_or(0, |text| text.parse().unwrap());
    let spans = story["timeline"]["spans"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let span = |span: &Value| {
        let (depth, start) = (number(&span["depth"]), number(&span["startUs"]));
        (text(&span["kind"]), text(&span["name"]), depth, start, number(&span["durationUs"]))
    };
    spans.iter().map(span).collect()
}

both! {
    async fn a_commit_tells_how_it_went_and_what_it_caused(node: Node) {
        // It calls another method, and hears what it says itself.
        let answer = node.send(&node.admin(), "127.0.0.1", None, Shrug::new("it", 7)).await.unwrap().1;
        let position = Position(answer.position.unwrap()).to_string();
        let said = node.send(&node.admin(), "127.0.0.1", None, Say::new("it", 8)).await.unwrap().1;
        node.settle().await;
        let story = system(&node, "GetCommit", json!({"position": position})).await.unwrap();
        assert_eq!(story["timeline"]["node"], "test");
        let all = spans(&story);
        let (whole, parts) = all.split_first().unwrap();
        assert_eq!((whole.0.as_str(), whole.2, whole.3), ("request", 0, 0));
        let phases = ["checks", "queue", "turn", "command", "record", "batch", "disk"];
        let outer: Vec<_> = parts.iter().filter(|span| span.2 == 1).collect();
        assert_eq!(outer.iter().map(|span| span.0.as_str()).collect::<Vec<_>>(), phases);
        for two in outer.windows(2) {
            // Each begins where the one before ends; both are cut to microseconds.
            assert!((two[0].3 + two[0].4 - two[1].3).abs() <= 1, "{two:?}");
        }
        let last = outer.last().unwrap();
        assert!((last.3 + last.4 - whole.4).abs() <= 1, "{last:?} of {whole:?}");
        let call = parts.iter().position(|span| span.0 == "call").unwrap();
        assert_eq!((parts[call].1.as_str(), parts[call].2), ("stoa.echo.v1.EchoService/Taste", 2));
        let inner = &parts[call + 1];
        assert_eq!((inner.0.as_str(), inner.2), ("statement", 3));
        assert!(inner.1.contains("echo_poison") && !inner.1.contains("'it'"), "{}", inner.1);
        assert!(inner.3 >= parts[call].3 && inner.3 + inner.4 <= parts[call].3 + parts[call].4 + 1);
        // What it said was heard by a commit of its own, which names it as its cause.
        let position = Position(said.position.unwrap()).to_string();
        let story = system(&node, "GetCommit", json!({"position": position})).await.unwrap();
        let caused = story["caused"].as_array().unwrap();
        assert_eq!(caused.len(), 1, "{caused:?}");
        assert_eq!(caused[0]["cause"], format!("event:{position}.0"));
        // Another node, or this one started again, tells of the same commit without.
        let node = node.crash(services()).await;
        let story = system(&node, "GetCommit", json!({"position": position})).await.unwrap();
        assert!(story["timeline"].is_null() && story["caused"].is_array());
    }
}
