//! Effects under an idempotency key: whichever commit's acknowledgement is lost, an effect that is
//! sent again with its key has happened once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use stoa_contract::{Contract, Kind};
use stoa_kit::session::{Origin, Session, Sql};
use stoa_kit::value::Value as Column;
use stoa_kit::{MAIN, Service};
use stoa_store::{Fault, Faults};

use super::World;
use super::examples::{Examples, Success};
use crate::{Engine, Node, run_with_faults};

/// Longer than the claim of an effect holds.
const CLAIM: Duration = Duration::from_secs(61);

/// Checks every effect that the examples call.
pub(super) fn check(
    engine: Engine, contract: &Contract, services: fn() -> Vec<Service>, examples: &Examples,
) {
    for method in contract.methods.iter().filter(|method| method.kind == Kind::Effect) {
        let Some(of) = examples.methods.get(method.name) else { continue };
        let example = (method.path, &of.success);
        let calm = attempt(engine, services, examples, example, 0).rows;
        for commit in 1.. {
            let done = attempt(engine, services, examples, example, commit);
            assert_eq!(done.rows, calm, "{} without word of commit {commit}", method.name);
            if !done.lost {
                assert!(commit > 2, "{} makes no commit of its own", method.name);
                break;
            }
        }
    }
}

/// What two calls with one key left.
struct Done {
    /// Rows by table.
    rows: Vec<(String, i64)>,
    /// Whether an acknowledgement was lost.
    lost: bool,
}

/// Calls an effect with a key, loses the acknowledgement of one of its commits, and calls again
/// when the claim of one who died would have run out.
fn attempt(
    engine: Engine, services: fn() -> Vec<Service>, examples: &Examples,
    (path, success): (&str, &Success), commit: i64,
) -> Done {
    let left = Arc::new(AtomicI64::new(0));
    let counted = Arc::clone(&left);
    let faults = Faults::new(move |point| {
        let counts = |left: i64| (left > 0 && point == "committed").then(|| left - 1);
        (counted.fetch_update(SeqCst, SeqCst, counts) == Ok(1)).then_some(Fault::Fail)
    });
    let mut done = Done { rows: Vec::new(), lost: false };
    run_with_faults(engine, services(), faults, async |node| {
        let world = World::ready(&node, examples).await;
        // By an administrator what nobody in particular may call: strangers have no keys.
        let caller = match world.caller(&success.caller) {
            nobody if nobody.is_anonymous() => node.admin(),
            caller => caller,
        };
        let send = || world.ask(path, &caller, &success.with, Some("a-key"));
        left.store(commit, SeqCst);
        let first = send().await;
        done.lost = commit > 0 && left.swap(0, SeqCst) == 0;
        node.pass(CLAIM);
        match send().await {
            Ok(_) => {}
            Err(error) if error.reason() == "idempotency.withheld" => {}
            Err(error) => panic!("{first:?}, then {error:?}"),
        }
        done.rows = count(&node, services()).await;
    });
    done
}

/// How many rows each table of these services has.
async fn count(node: &Node, services: Vec<Service>) -> Vec<(String, i64)> {
    let migrations = services.iter().flat_map(|service| service.migrations);
    let tables: Vec<String> = migrations
        .flat_map(|migration| migration.sql.split("CREATE TABLE ").skip(1))
        .filter_map(|text| text.split_whitespace().next().map(str::to_owned))
        .collect();
    let (send, receive) = std::sync::mpsc::channel();
    let read = move |session: &mut dyn Session, _| {
        let origin = Origin { service: 0, tenant: MAIN, writes: false };
        for table in &tables {
            let sql = format!(
                "SELECT COUNT(*) FROM {table} WHERE tenant = :tenant /* whole: it counts them */"
            );
            session.run(origin, Sql::Made(&sql), &[], &mut |row| {
                if let Column::Int(rows) = row.value(0)? {
                    let _ = send.send((table.clone(), rows));
                }
                Ok(true)
            })?;
        }
        Ok(())
    };
    node.inner().store().read(None, Box::new(read)).await.unwrap();
    receive.try_iter().collect()
}
