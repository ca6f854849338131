//! Several calls in one commit, whatever methods they are of.

use serde_json::{Value, json};
use stoa_kit::{Code, Error, Service};
use stoa_testkit::{Node, both};

use crate::echo::{self, BITTER, all_heard, all_said, system};
use crate::messages::{Poison, Say};

fn services() -> Vec<Service> {
    vec![echo::service()]
}

fn call(method: &str, subject: &str, number: i64) -> Value {
    let request = json!({"currency": subject, "amount": number.to_string()});
    json!({"method": method, "request": request})
}

async fn batch(node: &Node, calls: Value) -> Result<Vec<Value>, Error> {
    let reply = system(node, "Batch", json!({"calls": calls})).await?;
    Ok(reply["replies"].as_array().unwrap().clone())
}

async fn said(node: &Node) -> Vec<(String, i64)> {
    all_said(node.inner()).await
}

fn refusal(outcome: Result<Vec<Value>, Error>) -> (Code, String, String) {
    let error = outcome.unwrap_err();
    (error.code(), error.reason().to_owned(), error.message().to_owned())
}

both! {
    async fn calls_are_one_commit_and_see_one_another(node: Node) {
        let path = "stoa.echo.v1.EchoService/Say";
        let calls = json!([
            call("echo.Say", "a", 1), call(path, "b", 9_007_199_254_740_993),
            call("echo.Poison", "c", BITTER), {"method": "system.ListJobs"},
        ]);
        let replies = batch(&node, calls).await.unwrap();
        assert_eq!(replies[1], json!({"currency": "b", "amount": "9007199254740993"}));
        assert_eq!(replies.len(), 4);
        let commits = json!({"method": "stoa.system.v1.SystemService/Batch"});
        let commits = system(&node, "ListCommits", commits).await.unwrap();
        assert_eq!(commits["commits"].as_array().unwrap().len(), 1);
        assert_eq!(said(&node).await.len(), 2);
        let calls = json!([call("echo.Poison", "d", BITTER), call("echo.Taste", "d", 0)]);
        let (_, reason, message) = refusal(batch(&node, calls).await);
        assert_eq!(reason, "echo.bitter", "what stands before it is seen");
        assert!(message.starts_with("calls[1].request: "), "{message}");
    }
}

both! {
    async fn what_fails_undoes_all_and_says_which_it_is(node: Node) {
        node.call(&node.admin(), Say::new("before", 0)).await.unwrap();
        node.call(&node.admin(), Poison::new("x", BITTER)).await.unwrap();
        let calls = json!([call("echo.Say", "a", 1), call("echo.Taste", "x", 0)]);
        assert_eq!(refusal(batch(&node, calls).await).1, "echo.bitter");
        let misspelt = json!({"method": "echo.Say", "request": {"currencey": "a"}});
        let error = batch(&node, json!([call("echo.Say", "a", 1), misspelt])).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "calls[1].request.currencey");
        let unknown = json!([call("echo.Say", "a", 1), call("echo.Sing", "a", 1)]);
        assert_eq!(refusal(batch(&node, unknown).await).1, "node.no_such_method");
        let internal = json!([{"method": "system.KeepSetupCode"}]);
        assert_eq!(refusal(batch(&node, internal).await).1, "node.no_such_method");
        assert_eq!(said(&node).await, [("before".to_owned(), 0)]);
    }
}

both! {
    async fn what_a_commit_cannot_undo_or_must_not_keep_is_no_part_of_it(node: Node) {
        let nested = json!({"method": "system.Batch", "request": {"calls": []}});
        for alien in [call("echo.Relay", "a", 1), call("echo.Whisper", "a", 1), nested] {
            let outcome = batch(&node, json!([call("echo.Say", "a", 1), alien])).await;
            let (code, reason, _) = refusal(outcome);
            assert_eq!((code, &*reason), (Code::FailedPrecondition, "system.not_in_batch"));
        }
        assert!(said(&node).await.is_empty());
    }
}

both! {
    async fn a_guess_is_counted_wherever_it_stands(node: Node) {
        for calls in [
            json!([call("echo.Refuse", "guess", 1)]),
            json!([call("echo.Say", "a", 1), call("echo.Refuse", "guess", 2), call("echo.Say", "a", 3)]),
        ] {
            assert_eq!(refusal(batch(&node, calls).await).1, "echo.refused");
        }
        assert!(said(&node).await.is_empty(), "what stood before it is undone");
        let heard: Vec<_> = all_heard(node.inner()).await.into_iter().map(|(_, n)| n).collect();
        assert_eq!(heard, [1, 2], "what it leaves is not");
    }
}

both! {
    async fn numbers_that_json_would_lose_are_refused(node: Node) {
        for (amount, exact) in [
            ("9007199254740992", true), ("9007199254740993", false), ("1e3", true),
            ("18446744073709551617", false), ("-9007199254740993", false),
        ] {
            let text = format!(
                r#"{{"calls": [{{"method": "echo.Say", "request": {{"currency": "a", "amount": {amount}}}}}]}}"#
            );
            let outcome = system(&node, "Batch", serde_json::from_str(&text).unwrap()).await;
            assert_eq!(outcome.is_ok(), exact, "{amount}: {outcome:?}");
            if let Err(error) = outcome {
                let violation = &error.violations()[0];
                assert_eq!(violation.rule, "json.inexact_number");
                assert_eq!(violation.path, "calls[0].request[\"amount\"]");
            }
        }
    }
}
