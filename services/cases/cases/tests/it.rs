//! Cases, through its contract.

#![cfg(test)]

use futures::future::join_all;
use serde_json::{Value, json};
use stoa_cases_v1::*;
use stoa_kit::{Caller, Code, Error, Service};
use stoa_schemas_v1::RegisterSchemaRequest;
use stoa_secrets_v1::UnwrapRequest;
use stoa_testkit::{Node, both};

/// Cases, and what it needs.
fn services() -> Vec<Service> {
    vec![stoa_cases::service(), stoa_schemas::service(), stoa_secrets::service()]
}

stoa_testkit::compliance!(stoa_cases::service, services);

fn ada(node: &Node) -> Caller {
    node.user_with("usr_ada", &["cases.*"])
}

/// What may be said with a note: how much, and about which number.
async fn schema(node: &Node) {
    let number = json!({
        "type": "string", "pattern": "^[0-9]{12}$",
        "x-secret": {"kind": "person_number", "purposes": ["credit.check"]},
    });
    let schema = json!({
        "type": "object",
        "properties": {"amount": {"type": "integer"}, "who": {"properties": {"number": number}}},
        "required": ["amount"],
        "additionalProperties": false,
    });
    let request = RegisterSchemaRequest { subject: "noted".into(), schema: schema.to_string() };
    node.call(&node.admin(), request).await.unwrap();
}

fn posting(case: &str, id: &str, data: Value) -> PostEventRequest {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/tests", "type": "noted", "subject": case, "data": data,
    });
    serde_json::from_value(event).unwrap()
}

async fn post(node: &Node, case: &str, id: &str, data: Value) -> Result<i64, Error> {
    Ok(node.call(&ada(node), posting(case, id, data)).await?.seq)
}

fn appending(case: &str, expected: i64, ids: &[&str]) -> AppendEventsRequest {
    let event =
        |id: &&str| json!({"id": id, "source": "/tests", "type": "noted", "data": {"amount": 1}});
    let events: Vec<Value> = ids.iter().map(event).collect();
    let request = json!({"caseId": case, "expectedSeq": expected, "events": events});
    serde_json::from_value(request).unwrap()
}

async fn append(node: &Node, case: &str, expected: i64, ids: &[&str]) -> Result<i64, Error> {
    Ok(node.call(&ada(node), appending(case, expected, ids)).await?.last_seq)
}

async fn events(node: &Node, case: &str) -> Vec<Event> {
    let list = ListEventsRequest { case_id: case.into(), ..Default::default() };
    node.call(&ada(node), list).await.unwrap().events
}

async fn ids(node: &Node, case: &str) -> Vec<(i64, String)> {
    events(node, case).await.into_iter().map(|event| (event.seq, event.id)).collect()
}

#[track_caller]
fn is(outcome: Result<i64, Error>, reason: &str) -> Error {
    let error = outcome.unwrap_err();
    assert_eq!(error.reason(), reason, "{error}");
    error
}

both! {
    async fn sixty_four_writers_of_a_case_leave_no_gap(node: Node) {
        schema(&node).await;
        let names: Vec<String> = (0..64).map(|place| place.to_string()).collect();
        let posts = names.iter().map(|name| post(&node, "c", name, json!({"amount": 1})));
        let mut all: Vec<i64> = join_all(posts).await.into_iter().map(Result::unwrap).collect();
        all.sort_unstable();
        assert_eq!(all, (1..=64).collect::<Vec<_>>());
        let list = ListEventsRequest { case_id: "c".into(), limit: 100, ..Default::default() };
        let listed = node.call(&ada(&node), list).await.unwrap();
        assert_eq!(listed.events.iter().map(|event| event.seq).collect::<Vec<_>>(), all);
        assert_eq!(listed.last_seq, 64);
    }

    async fn of_writers_who_expect_the_same_one_wins_and_others_are_told_how_far_it_is(node: Node) {
        schema(&node).await;
        append(&node, "c", 0, &["first"]).await.unwrap();
        let names: Vec<String> = (0..64).map(|place| format!("racer-{place}")).collect();
        let racing = names.iter().map(|name| {
            let node = &node;
            async move { append(node, "c", 1, &[name.as_str()]).await }
        });
        let outcomes = join_all(racing).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(won.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2]);
        for outcome in lost {
            let error = is(outcome, "cases.sequence_conflict");
            assert_eq!(error.code(), Code::Aborted);
            assert!(error.message().contains("the last sequence of `c` is 2"), "{error}");
        }
        assert_eq!(ids(&node, "c").await.len(), 2);
    }

    async fn what_is_sent_again_gets_its_first_reply_however_far_the_case_is(node: Node) {
        schema(&node).await;
        assert_eq!(append(&node, "c", 0, &["a", "b"]).await.unwrap(), 2);
        assert_eq!(append(&node, "c", 2, &["c"]).await.unwrap(), 3);
        assert_eq!(append(&node, "c", 0, &["a", "b"]).await.unwrap(), 2, "what held then is expected");
        let all = ids(&node, "c").await;
        is(append(&node, "c", 3, &["b", "d"]).await, "cases.half_known");
        is(append(&node, "c", 3, &["d", "a"]).await, "cases.half_known");
        is(append(&node, "c", 1, &["b", "c"]).await, "cases.half_known");
        is(append(&node, "c", 3, &["c", "d"]).await, "cases.half_known");
        is(append(&node, "c", 0, &["b", "a"]).await, "cases.half_known");
        is(append(&node, "c", 0, &["a"]).await, "cases.half_known");
        is(append(&node, "c", 3, &["e", "e"]).await, "cases.event_id_taken");
        is(post(&node, "other", "a", json!({"amount": 1})).await, "cases.event_id_taken");
        is(post(&node, "c", "c", json!({"amount": 2})).await, "cases.event_id_taken");
        assert_eq!(post(&node, "c", "c", json!({"amount": 1})).await.unwrap(), 3);
        assert_eq!(ids(&node, "c").await, all, "nothing was written");
    }

    async fn what_is_not_valid_is_refused_and_noted_without_what_it_says(node: Node) {
        schema(&node).await;
        let data = json!({"amount": "canary", "who": {"number": "canary number"}});
        for attempts in 1..=2 {
            let error = is(post(&node, "c", "bad", data.clone()).await, "request.invalid");
            let found: Vec<_> = error.violations().iter().map(|one| (&*one.path, &*one.rule)).collect();
            assert_eq!(found, [
                ("data/amount", "/properties/amount/type"),
                ("data/who/number", "/properties/who/properties/number/pattern"),
            ]);
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
            let list = ListRejectedRequest { case_id: "c".into(), ..Default::default() };
            let rejected = node.call(&ada(&node), list).await.unwrap().rejected;
            let [one] = &rejected[..] else { panic!("{rejected:?}") };
            assert_eq!((one.attempts, one.violations.len(), &*one.event_id), (attempts, 2, "bad"));
            assert!(!format!("{one:?}").contains("canary"), "{one:?}");
        }
        let get = GetCaseRequest { id: "c".into() };
        assert_eq!(node.call(&ada(&node), get).await.unwrap_err().code(), Code::NotFound);
        let mut some = appending("c", 0, &["good", "bad"]);
        some.events[1].data = posting("c", "bad", json!({})).data;
        let error = node.call(&ada(&node), some).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "events[1].data/amount");
        assert_eq!(post(&node, "c", "good", json!({"amount": 1})).await.unwrap(), 1, "a batch is a whole");
        assert_eq!(post(&node, "c", "bad", json!({"amount": 1})).await.unwrap(), 2, "it was corrected");
    }

    async fn what_is_secret_is_a_reference_wherever_it_is_kept(node: Node) {
        schema(&node).await;
        let data = json!({"amount": 1, "who": {"number": "191212121212"}});
        post(&node, "c", "e", data.clone()).await.unwrap();
        assert_eq!(post(&node, "c", "e", data.clone()).await.unwrap(), 1, "the same again");
        let other = json!({"amount": 1, "who": {"number": "191212121220"}});
        is(post(&node, "c", "e", other).await, "cases.event_id_taken");
        let [event] = &events(&node, "c").await[..] else { panic!() };
        let shown = serde_json::to_value(event).unwrap();
        let reference = shown["data"]["who"]["number"].as_str().unwrap().to_owned();
        assert!(reference.starts_with("ref_"), "{shown}");
        let unwrap = UnwrapRequest { id: reference, purpose: "credit.check".into(), reason: "test".into() };
        let opened = node.call(&node.admin(), unwrap).await.unwrap();
        assert_eq!(opened.value, "191212121212");
        assert_eq!(opened.reference.subject, "c", "whom the case is about");
        node.settle().await;
        let found = node.first_on_disk([&b"191212121212"[..]].into_iter()).await;
        assert_eq!(found.map(String::from_utf8), None);
    }

    async fn a_case_is_about_whom_its_first_event_names(node: Node) {
        schema(&node).await;
        let about = |id: &str, person: &str| PostEventRequest {
            person: person.into(),
            ..posting("c", id, json!({"amount": 1}))
        };
        node.call(&ada(&node), about("1", "usr_eve")).await.unwrap();
        node.call(&ada(&node), about("2", "")).await.unwrap();
        let error = node.call(&ada(&node), about("3", "usr_bob")).await.unwrap_err();
        assert_eq!(error.reason(), "cases.other_person");
        post(&node, "d", "4", json!({"amount": 1})).await.unwrap();
        let list = ListCasesRequest { person: "usr_eve".into(), ..Default::default() };
        let cases = node.call(&ada(&node), list).await.unwrap().cases;
        assert_eq!(cases.iter().map(|case| (&*case.id, case.last_seq)).collect::<Vec<_>>(), [("c", 2)]);
    }

    async fn each_event_is_told_on_the_bus_without_what_it_says(node: Node) {
        schema(&node).await;
        append(&node, "c", 0, &["a", "b"]).await.unwrap();
        append(&node, "c", 0, &["a", "b"]).await.unwrap();
        let told = node.events::<EventAppended>().await;
        let named: Vec<_> = told.iter().map(|one| (&*one.case_id, one.seq, &*one.id)).collect();
        assert_eq!(named, [("c", 1, "a"), ("c", 2, "b")]);
        assert_eq!((&*told[0].r#type, &*told[0].schema_id, &*told[0].source), ("noted", "1", "/tests"));
    }

    async fn of_whoever_is_erased_the_events_stay_in_their_order_and_say_nothing(node: Node) {
        schema(&node).await;
        let about = |id: &str, data: Value| PostEventRequest {
            person: "usr_eve".into(),
            ..posting("c", id, data)
        };
        let data = json!({"amount": 7, "who": {"number": "191212121212"}});
        node.call(&ada(&node), about("1", data)).await.unwrap();
        node.call(&ada(&node), about("2", json!({"amount": 8}))).await.unwrap();
        node.ask(&node.admin(), "EraseSubject", json!({"subject": "usr_eve"})).await.unwrap();
        let kept = events(&node, "c").await;
        assert_eq!(kept.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
        assert!(kept.iter().all(|event| event.data.0.is_empty()), "{kept:?}");
        // Nothing is left that a guess could be compared with.
        let guess = about("2", json!({"amount": 9}));
        assert_eq!(node.call(&ada(&node), guess).await.unwrap().seq, 2);
        assert_eq!(post(&node, "c", "3", json!({"amount": 1})).await.unwrap(), 3);
        assert!(events(&node, "c").await[2].data.0.is_empty(), "of nobody nothing is kept");
    }

    async fn events_are_paged_by_their_sequences(node: Node) {
        schema(&node).await;
        let names: Vec<String> = (0..40).map(|place| place.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        append(&node, "c", 0, &names).await.unwrap();
        let (mut after, mut all) = (0, Vec::new());
        loop {
            let list = ListEventsRequest { case_id: "c".into(), after_seq: after, limit: 17 };
            let page = node.call(&ada(&node), list).await.unwrap();
            let Some(last) = page.events.last() else { break };
            after = last.seq;
            all.extend(page.events.into_iter().map(|event| event.seq));
        }
        assert_eq!(all, (1..=40).collect::<Vec<_>>());
    }
}
