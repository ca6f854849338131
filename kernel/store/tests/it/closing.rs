//! What is accepted, in which order it runs, and how a store ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoa_kit::Code;
use stoa_store::Header;

use crate::cell::{self, Cell, On};

crate::on_both!(
    closing_finishes_what_was_accepted,
    a_full_queue_sheds,
    what_is_late_does_not_run,
    callers_take_turns,
    a_healthy_store_says_so,
    work_is_counted,
);

fn closing_finishes_what_was_accepted(on: On) {
    let cell = on.cell();
    let gate = cell.hold();
    let all: Vec<_> = (0..50)
        .map(|one| {
            cell.submit(Cell::header(), move |tx| cell::put_account(tx, &one.to_string(), 1))
        })
        .collect();
    let closing = cell.store.close();
    gate.open(&cell);
    cell.block_on(closing);
    for one in all {
        cell.wait(one).unwrap();
    }
    let late = cell.commit(|tx| cell::put_account(tx, "late", 1)).unwrap_err();
    assert_eq!(late.reason(), "store.closed");
    let late = cell.view(|view| cell::balance(view, "0")).unwrap_err();
    assert_eq!(late.reason(), "store.closed");
    let cell = Cell::open(Arc::clone(&cell.home), |_| {});
    let count = cell.count("SELECT COUNT(*) FROM alpha_account");
    assert_eq!(count, 50);
}

fn a_full_queue_sheds(on: On) {
    let cell = on.cell_with(|options| (options.queue, options.pool) = (4, 1));
    let gate = cell.hold();
    let put = |one: usize| {
        cell.submit(Cell::header(), move |tx| cell::put_account(tx, &one.to_string(), 1))
    };
    // The fourth place is there for another tenant.
    let accepted: Vec<_> = (0..3).map(put).collect();
    let error = cell.wait(put(3)).unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, "store.queue_full"));
    assert!(error.retry_after().is_some());
    gate.open(&cell);
    for one in accepted {
        cell.wait(one).unwrap();
    }
    cell.wait(put(4)).unwrap();
}

fn what_is_late_does_not_run(on: On) {
    let cell = on.cell();
    let header = Header { deadline: Some(Duration::ZERO), ..Cell::header() };
    let error = cell.commit_as(header, |tx| cell::put_account(tx, "a", 1)).unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    let header = Header { deadline: Some(Duration::from_secs(3600)), ..Cell::header() };
    cell.commit_as(header, |tx| cell::put_account(tx, "a", 1)).unwrap();
}

fn callers_take_turns(on: On) {
    let cell = on.cell_with(|options| options.pool = 1);
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let gate = cell.hold();
    let submit = |caller: &'static str| {
        let order = Arc::clone(&order);
        let header = Header { caller: caller.into(), ..Cell::header() };
        cell.submit(header, move |_| {
            order.lock().unwrap().push(caller);
            Ok(())
        })
    };
    let mut all: Vec<_> = (0..20).map(|_| submit("greedy")).collect();
    all.push(submit("modest"));
    gate.open(&cell);
    for one in all {
        cell.wait(one).unwrap();
    }
    let order = order.lock().unwrap();
    assert!(order.iter().position(|caller| *caller == "modest").unwrap() <= 1, "{order:?}");
}

fn a_healthy_store_says_so(on: On) {
    let cell = on.cell();
    cell.store.health().unwrap();
    assert_eq!(cell.store.name(), on.name());
}

fn work_is_counted(on: On) {
    use std::sync::atomic::Ordering::Relaxed;
    let cell = on.cell();
    for one in 0..3 {
        cell.commit(move |tx| cell::put_account(tx, &one.to_string(), 1)).unwrap();
    }
    cell.view(|view| cell::balance(view, "0")).unwrap();
    let metrics = cell.store.metrics();
    assert_eq!(metrics.commits.load(Relaxed), 3);
    assert_eq!(metrics.batches.load(Relaxed), 3);
    assert_eq!(metrics.reads.load(Relaxed), 1);
    assert_eq!(metrics.queue.load(Relaxed), 0);
    assert!(metrics.batch_us.load(Relaxed) > 0);
}
