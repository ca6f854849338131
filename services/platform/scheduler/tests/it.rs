//! Scheduler, through its contract.

#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stoa_kit::{Authenticator, Caller, Code, Error, MAIN, Micros, Result, Service, View};
use stoa_scheduler_v1::{
    CreateScheduleRequest, DeleteScheduleRequest, GetScheduleRequest, ListOccurrencesRequest,
    Misfire, Occurrence, OccurrenceEnded, OccurrenceState, Overlap, PauseScheduleRequest,
    ResumeScheduleRequest, Schedule, ScheduleState, TriggerScheduleRequest,
};
use stoa_testkit::{Node, both};

/// Scheduler, in a node where everybody who is known may write notes, and who is called `gone` is known no
/// more.
fn services() -> Vec<Service> {
    vec![stoa_scheduler::service().authenticates(Authenticator {
        tenant: |_| Some(MAIN),
        run: |_, _| Ok(None),
        principal,
        prepare: |_, _| Ok(false),
    })]
}

fn principal(view: &View, subject: &str, credential: &str) -> Result<Option<Caller>> {
    if subject == "user:usr_away" {
        return Err(Error::unavailable("test.away", "nobody answers"));
    }
    let permissions: &[&str] = if credential.is_empty() { &MAY } else { &["scheduler.*"] };
    let caller = Caller::of(&view.caller().tenant, subject, permissions);
    Ok((subject != "user:usr_gone").then_some(caller))
}

/// What whoever is known may.
const MAY: [&str; 2] = ["scheduler.*", "system.events.annotate"];

stoa_testkit::compliance!(stoa_scheduler::service, services);

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn ada(node: &Node) -> Caller {
    node.user_with("usr_ada", &MAY)
}

/// A schedule that writes a note, in the form that JSON has.
fn noting(text: &str) -> Value {
    json!({"name": text, "method": "system.Annotate", "request": {"subject": "it", "text": text}})
}

fn request(mut base: Value, more: Value) -> CreateScheduleRequest {
    base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(base).unwrap()
}

async fn try_create(node: &Node, base: Value, more: Value) -> Result<Schedule> {
    let reply = node.call(&ada(node), request(base, more)).await?;
    Ok(reply.schedule.into_option().unwrap())
}

async fn create(node: &Node, base: Value, more: Value) -> Schedule {
    try_create(node, base, more).await.unwrap()
}

async fn get(node: &Node, id: &str) -> Schedule {
    let reply = node.call(&ada(node), GetScheduleRequest { id: id.into() }).await.unwrap();
    reply.schedule.into_option().unwrap()
}

/// What is known of a schedule's times, the oldest first.
async fn occurrences(node: &Node, id: &str) -> Vec<Occurrence> {
    let list = ListOccurrencesRequest { schedule_id: id.into(), ..Default::default() };
    let pages = node.pages(&ada(node), list).await.unwrap();
    let mut all: Vec<_> = pages.into_iter().flat_map(|page| page.occurrences).collect();
    all.reverse();
    all
}

fn became(occurrences: &[Occurrence]) -> Vec<(OccurrenceState, &str)> {
    let told = |one: &Occurrence| one.state.as_known().unwrap();
    occurrences.iter().map(|one| (told(one), one.reason.as_str())).collect()
}

/// How many notes were written.
async fn notes(node: &Node) -> usize {
    let commits = json!({"method": "stoa.system.v1.SystemService/Annotate", "pageSize": 1000});
    let commits = node.ask(&node.admin(), "ListCommits", commits).await.unwrap();
    commits["commits"].as_array().map_or(0, Vec::len)
}

fn wrong(outcome: Result<Schedule>) -> (Code, String, Vec<String>) {
    let error: Error = outcome.unwrap_err();
    let paths = error.violations().iter().map(|one| one.path.clone()).collect();
    (error.code(), error.reason().to_owned(), paths)
}

const SUCCEEDED: (OccurrenceState, &str) = (OccurrenceState::Succeeded, "");

both! {
    async fn a_method_is_called_at_its_times_in_the_name_of_who_said_so(node: Node) {
        let schedule = create(&node, noting("beat"), json!({"every": "60s"})).await;
        node.advance(MINUTE).await;
        node.advance(MINUTE).await;
        assert_eq!(became(&occurrences(&node, &schedule.id).await), [SUCCEEDED; 2]);
        assert_eq!(notes(&node).await, 2);
        let commits = json!({"method": "stoa.system.v1.SystemService/Annotate"});
        let commits = node.ask(&node.admin(), "ListCommits", commits).await.unwrap();
        assert_eq!(commits["commits"][0]["caller"], "user:usr_ada");
        assert_eq!(node.events::<OccurrenceEnded>().await.len(), 2);
        let pause = PauseScheduleRequest { id: schedule.id.clone() };
        node.call(&ada(&node), pause).await.unwrap();
        node.advance(5 * MINUTE).await;
        assert_eq!(notes(&node).await, 2, "its times pass");
        node.call(&ada(&node), TriggerScheduleRequest { id: schedule.id.clone() }).await.unwrap();
        node.settle().await;
        assert_eq!(notes(&node).await, 3, "but it can be called for");
        let resume = ResumeScheduleRequest { id: schedule.id.clone() };
        node.call(&ada(&node), resume).await.unwrap();
        node.advance(MINUTE).await;
        assert_eq!(notes(&node).await, 4);
        node.call(&ada(&node), DeleteScheduleRequest { id: schedule.id }).await.unwrap();
        node.advance(5 * MINUTE).await;
        assert_eq!(notes(&node).await, 4);
    }
}

both! {
    async fn a_single_time_comes_once_and_one_in_the_past_is_now(node: Node) {
        let at = async |text: &str, time: Micros| {
            let request = CreateScheduleRequest { at: time.timestamp(), ..request(noting(text), json!({})) };
            node.call(&ada(&node), request).await.unwrap().schedule.into_option().unwrap()
        };
        let later = at("later", node.now().after(DAY)).await;
        let past = at("past", node.now().before(DAY)).await;
        node.advance(MINUTE).await;
        assert_eq!(became(&occurrences(&node, &past.id).await), [SUCCEEDED]);
        assert_eq!(get(&node, &past.id).await.state, ScheduleState::Ended);
        assert_eq!(get(&node, &later.id).await.state, ScheduleState::Active);
        node.advance(DAY).await;
        node.advance(DAY).await;
        assert_eq!(notes(&node).await, 2);
        let resume = ResumeScheduleRequest { id: later.id };
        let error = node.call(&ada(&node), resume).await.unwrap_err();
        assert_eq!(error.reason(), "scheduler.ended");
    }
}

both! {
    async fn what_was_missed_is_made_up_for_as_the_schedule_says(node: Node) {
        let every = |misfire: Misfire| {
            let more = json!({"every": "60s", "misfire": serde_json::to_value(misfire).unwrap()});
            (noting(&format!("{misfire:?}")), more)
        };
        let mut made = Vec::new();
        for misfire in [Misfire::Once, Misfire::Skip, Misfire::All] {
            let (base, more) = every(misfire);
            made.push(create(&node, base, more).await.id);
        }
        // Nothing runs for five minutes and a half, then the clock goes on.
        node.pass(5 * MINUTE + MINUTE / 2);
        node.settle().await;
        let missed = (OccurrenceState::Skipped, "scheduler.missed");
        assert_eq!(became(&occurrences(&node, &made[0]).await), [SUCCEEDED]);
        assert_eq!(became(&occurrences(&node, &made[1]).await), [missed]);
        assert_eq!(became(&occurrences(&node, &made[2]).await), [SUCCEEDED; 5]);
        node.advance(MINUTE / 2).await;
        assert_eq!(became(&occurrences(&node, &made[0]).await).len(), 2, "and on, in its beat");
        assert_eq!(became(&occurrences(&node, &made[2]).await).len(), 6);
    }
}

both! {
    async fn a_clock_that_is_set_back_fires_nothing_again(node: Node) {
        let daily = json!({"cron": "30 2 * * *", "timeZone": "Europe/Stockholm"});
        let schedule = create(&node, noting("daily"), daily).await;
        node.advance(DAY).await;
        let before = occurrences(&node, &schedule.id).await;
        assert_eq!(before.len(), 1);
        let next = Micros::of(&get(&node, &schedule.id).await.next_time);
        assert!(next > Micros::of(&before[0].planned_time));
        node.set_back(DAY / 2);
        node.advance(DAY / 4).await;
        assert_eq!(occurrences(&node, &schedule.id).await, before);
        node.advance(DAY / 4 + DAY).await;
        assert_eq!(occurrences(&node, &schedule.id).await.len(), 2);
    }
}

both! {
    async fn a_schedule_does_nothing_that_its_owner_may_not(node: Node) {
        let strange = json!({"name": "x", "every": "60s", "method": "system.CreateTenant", "request": {}});
        assert_eq!(wrong(try_create(&node, strange, json!({})).await).1, "auth.permission_denied");
        let unknown = json!({"name": "x", "every": "60s", "method": "system.Sing", "request": {}});
        assert_eq!(wrong(try_create(&node, unknown, json!({})).await).1, "node.no_such_method");
        let stream = json!({"name": "x", "every": "60s", "method": "system.FollowEvents"});
        let refused = node.call(&node.admin(), request(stream, json!({}))).await.unwrap_err();
        assert_eq!(refused.reason(), "node.not_later");
        let misspelt = json!({"name": "x", "every": "60s", "method": "system.Annotate", "request": {"txt": "x"}});
        let (code, _, paths) = wrong(try_create(&node, misspelt, json!({})).await);
        assert_eq!((code, paths), (Code::InvalidArgument, vec!["request.txt".to_owned()]));
        let may = |id: &str| node.user_with(id, &MAY);
        let key = may("usr_key");
        let scope = Some(Arc::clone(&key.permissions));
        let key = Caller { scope, credential: "key_1".into(), ..key };
        for (caller, reason) in
            [(may("usr_gone"), "job.principal"), (key, "auth.permission_denied")]
        {
            let beat = request(noting("beat"), json!({"every": "60s"}));
            let id = node.call(&caller, beat).await.unwrap().schedule.id.clone();
            node.advance(MINUTE).await;
            node.advance(5 * MINUTE).await;
            let list = ListOccurrencesRequest { schedule_id: id.clone(), ..Default::default() };
            let all = node.call(&caller, list).await.unwrap().occurrences;
            assert_eq!(became(&all), [(OccurrenceState::Failed, reason)]);
            let schedule = node.call(&caller, GetScheduleRequest { id }).await.unwrap().schedule;
            assert_eq!(schedule.state, ScheduleState::Paused);
            assert_eq!(schedule.pause_reason, reason);
        }
        assert_eq!(notes(&node).await, 0);
    }
}

both! {
    async fn when_is_said_in_one_way_that_comes(node: Node) {
        for (more, path) in [
            (json!({}), "cron"),
            (json!({"cron": "* * * * *", "every": "60s"}), "cron"),
            (json!({"cron": "61 * * * *"}), "cron"),
            (json!({"cron": "0 0 31 2 *"}), "cron"),
            (json!({"cron": "* * * * *", "timeZone": "Mars/Olympus"}), "time_zone"),
            (json!({"every": "60s", "timeZone": "UTC"}), "time_zone"),
            (json!({"every": "0.5s"}), "every"),
        ] {
            let (code, reason, paths) = wrong(try_create(&node, noting("x"), more.clone()).await);
            assert_eq!((code, &*reason), (Code::InvalidArgument, "request.invalid"), "{more}");
            assert_eq!(paths, [path], "{more}");
        }
        create(&node, noting("x"), json!({"every": "60s"})).await;
        let taken = try_create(&node, noting("x"), json!({"every": "60s"})).await;
        assert_eq!(wrong(taken).1, "scheduler.name_taken");
    }
}

both! {
    async fn a_time_that_comes_too_early_waits_or_is_skipped(node: Node) {
        let away = node.user_with("usr_away", &MAY);
        for (overlap, second) in [
            (Overlap::Skip, (OccurrenceState::Skipped, "scheduler.overlap")),
            (Overlap::Buffer, (OccurrenceState::Waiting, "")),
            (Overlap::Allow, (OccurrenceState::Waiting, "")),
        ] {
            let more = json!({"every": "60s", "overlap": serde_json::to_value(overlap).unwrap()});
            let beat = request(noting(&format!("{overlap:?}")), more);
            let id = node.call(&away, beat).await.unwrap().schedule.id.clone();
            // The call of the first time is tried again until it is given up.
            node.advance(MINUTE).await;
            node.advance(MINUTE).await;
            let list = ListOccurrencesRequest { schedule_id: id.clone(), ..Default::default() };
            let all = node.call(&away, list.clone()).await.unwrap().occurrences;
            assert_eq!(became(&all), [second, (OccurrenceState::Waiting, "")], "{overlap:?}");
            node.call(&away, PauseScheduleRequest { id: id.clone() }).await.unwrap();
            for _ in 0..20 {
                node.advance(MINUTE).await;
            }
            let all = node.call(&away, list).await.unwrap().occurrences;
            assert_eq!(became(&all[1..]), [(OccurrenceState::Failed, "test.away")]);
        }
    }
}
