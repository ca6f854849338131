//! Watches: whatever a command changes of what a query says, whoever watches it is woken.
//!
//! Every query of the examples is asked before and after every command of the examples. Where its
//! reply is another one, what the query read before must meet what the commits in between told
//! that they wrote.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use stoa_contract::{Contract, Format, Kind};
use stoa_kit::session::{Reads, Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Cause, Result, Service};
use stoa_store::{Notice, kernel};
use tokio::sync::broadcast::Receiver;

use super::World;
use super::examples::{Examples, Success};
use crate::{Engine, run};

/// Checks every query of the examples against every command of them.
pub(super) fn check(
    engine: Engine, contract: &Contract, services: fn() -> Vec<Service>, examples: &Examples,
) {
    let of = |wanted: fn(Kind) -> bool| {
        let methods = contract.methods.iter().filter(move |method| wanted(method.kind));
        let examples = methods
            .filter_map(|method| Some((method.path, &examples.methods.get(method.name)?.success)));
        examples.collect::<Vec<_>>()
    };
    let (queries, commands) = (of(|kind| kind == Kind::Query), of(|kind| kind != Kind::Query));
    run(engine, services(), async |node| {
        let world = World::ready(&node, examples).await;
        let mut notices = node.inner().store().notices();
        let mut changed = 0;
        // Forwards and backwards: what one leaves, the next one meets.
        for (command, success) in commands.iter().chain(commands.iter().rev()) {
            let before = looks(&world, &queries).await;
            told(&mut notices);
            let _ = world.ask(command, &world.caller(&success.caller), &success.with, None).await;
            node.settle().await;
            let notices = told(&mut notices);
            let after = looks(&world, &queries).await;
            for ((query, _), (before, after)) in queries.iter().zip(before.iter().zip(&after)) {
                let (Some((said, reads)), Some((says, _))) = (before, after) else { continue };
                if said == says || reads.keys().any(|table| is_untold(table)) {
                    continue;
                }
                changed += 1;
                let mut written = notices.iter().flat_map(|notice| notice.tables.iter());
                let is_woken = written.any(|written| {
                    reads.get(&written.table).is_some_and(|read| read.meets(&written.rows))
                });
                assert!(
                    is_woken,
                    "{query} says {says:#} after {command}, and nobody was told: it read {reads:?}, \
                     and what was written was {notices:?}"
                );
            }
        }
        let watchable = !queries.is_empty() && !commands.is_empty();
        assert!(changed > 0 || !watchable, "no command changes what a query says");
    });
}

/// What a query says, and what it read for that; none where it fails.
type Look = Option<(Value, Reads)>;

async fn looks(world: &World, queries: &[(&'static str, &Success)]) -> Vec<Look> {
    let mut looks = Vec::new();
    for (path, success) in queries {
        looks.push(look(world, path, success).await.ok());
    }
    looks
}

async fn look(world: &World, path: &'static str, success: &Success) -> Result<(Value, Reads)> {
    let registry = Arc::clone(world.node.inner().registry());
    let text = serde_json::to_vec(&world.fill(&success.with)).unwrap();
    let caller = world.caller(&success.caller);
    let seen = Arc::new(Mutex::new(None));
    let seeing = Arc::clone(&seen);
    let read = move |session: &mut dyn Session, stamp: Stamp| {
        let bound = registry.method(path).expect("the method is bound");
        let request = bound.decode_request(&text, Format::Json)?;
        let (registry, caller, cause) = (&*registry, &caller, &Cause::Request);
        session.watch();
        let query = Run { registry, caller, cause, stamp, nested: false };
        let reply =
            query.query(session, bound.service, |view| bound.run_query(view, request.as_ref()))?;
        let reply = serde_json::from_slice(&reply.encode(Format::Json)?).unwrap();
        *seeing.lock().unwrap() = Some((masked(reply), session.reads()));
        Ok(())
    };
    world.node.inner().store().read(None, Box::new(read)).await?;
    let seen = seen.lock().unwrap().take();
    Ok(seen.expect("a look that succeeds has seen something"))
}

/// A reply without its times: that of the look itself is another one each time, and what is changed
/// shows elsewhere too.
fn masked(value: Value) -> Value {
    let is_time = |text: &str| text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    match value {
        Value::String(text) if is_time(&text) => Value::Null,
        Value::Array(items) => items.into_iter().map(masked).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, masked(value))).collect())
        }
        other => other,
    }
}

fn told(notices: &mut Receiver<Notice>) -> Vec<Notice> {
    std::iter::from_fn(|| notices.try_recv().ok()).collect()
}

/// Whether a query that reads a table cannot be watched.
fn is_untold(table: &str) -> bool {
    table.starts_with("stoa_") && !kernel::SEEN.contains(&table)
}
