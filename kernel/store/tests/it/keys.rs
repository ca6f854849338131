//! Idempotency keys: one commit a key, whatever happens around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stoa_contract::{AnyMessage, Format};
use stoa_kit::Code;
use stoa_store::{Header, Keep};

use crate::cell::{self, Cell, On, refusal};

crate::on_both!(
    a_replay_gives_the_same_reply,
    a_key_with_another_request_is_refused,
    a_failed_key_is_free_again,
    a_reply_with_secrets_is_withheld,
    keys_are_the_tenants_own,
    many_duplicates_make_one_commit,
    duplicates_of_a_failure_are_tried_each,
);

fn a_replay_gives_the_same_reply(on: On) {
    let cell = on.cell();
    cell.commit(|tx| cell::put_account(tx, "a", 0)).unwrap();
    let add = || cell.commit_as(Cell::keyed(1, 1), |tx| cell::add(tx, "a", 5)).unwrap();
    let first = add();
    assert_eq!(first.value, Some(1));
    for _ in 0..3 {
        let again = add();
        assert_eq!(again.position, first.position);
        assert_eq!(again.value, None);
        assert_eq!(again.replayed, Some(cell::reply().encode(Format::Binary).unwrap()));
    }
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(5));
    assert_eq!(cell.count("SELECT COUNT(*) FROM stoa_commit"), 2);
}

fn a_key_with_another_request_is_refused(on: On) {
    let cell = on.cell();
    cell.commit_as(Cell::keyed(1, 1), |tx| cell::put_account(tx, "a", 1)).unwrap();
    let error = cell.commit_as(Cell::keyed(1, 2), |tx| cell::put_account(tx, "b", 1)).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(error.reason(), "idempotency.key_reused");
    assert_eq!(cell.view(|view| cell::balance(view, "b")).unwrap(), None);
}

fn a_failed_key_is_free_again(on: On) {
    let cell = on.cell();
    let fail = |tx: &mut stoa_kit::Tx| {
        cell::put_account(tx, "a", 1)?;
        Err::<(), _>(refusal("alpha.no"))
    };
    for _ in 0..2 {
        let error = cell.commit_as(Cell::keyed(1, 1), fail).unwrap_err();
        assert_eq!(error.reason(), "alpha.no");
    }
    // Free also for another request.
    let done = cell.commit_as(Cell::keyed(1, 2), |tx| cell::put_account(tx, "a", 2)).unwrap();
    assert_eq!(done.value, Some(1));
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(2));
}

fn a_reply_with_secrets_is_withheld(on: On) {
    let cell = on.cell();
    let mut header = Cell::keyed(1, 1);
    header.key.as_mut().unwrap().keep = Keep::Nothing;
    let put = |tx: &mut stoa_kit::Tx| cell::put_account(tx, "a", 1);
    let first = cell.commit_as(header.clone(), put).unwrap();
    let again = cell.commit_as(header, put).unwrap();
    assert!(!first.withheld && again.withheld && again.replayed.is_none());
    assert_eq!(again.position, first.position);
    const REPLY: &str = "SELECT reply FROM stoa_key";
    let kept = cell.kernel(|view| view.row::<(Vec<u8>,)>(REPLY, ())).unwrap().unwrap();
    assert_eq!(kept.0.len(), 1, "nothing of the reply is stored");
}

fn keys_are_the_tenants_own(on: On) {
    let cell = on.cell();
    for tenant in ["one", "two"] {
        let header = Header { tenant: tenant.into(), ..Cell::keyed(1, 1) };
        let done = cell.commit_as(header, |tx| cell::put_account(tx, "a", 1)).unwrap();
        assert_eq!(done.value, Some(1), "{tenant}");
    }
}

fn many_duplicates_make_one_commit(on: On) {
    let cell = on.cell();
    cell.commit(|tx| cell::put_account(tx, "a", 0)).unwrap();
    let all: Vec<_> =
        (0..200).map(|_| cell.submit(Cell::keyed(1, 1), |tx| cell::add(tx, "a", 1))).collect();
    let done: Vec<_> = all.into_iter().map(|one| cell.wait(one).unwrap()).collect();
    assert_eq!(done.iter().filter(|one| one.value.is_some()).count(), 1);
    assert_eq!(done.iter().filter(|one| one.replayed.is_some()).count(), 199);
    assert!(done.iter().all(|one| one.position == done[0].position));
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(1));
    assert_eq!(cell.count("SELECT COUNT(*) FROM stoa_key"), 1);
}

fn duplicates_of_a_failure_are_tried_each(on: On) {
    let cell = on.cell();
    let tried = Arc::new(AtomicU32::new(0));
    let all: Vec<_> = (0..40)
        .map(|_| {
            let tried = Arc::clone(&tried);
            cell.submit(Cell::keyed(1, 1), move |tx| {
                cell::put_account(tx, "a", 1)?;
                tried.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(refusal("alpha.no"))
            })
        })
        .collect();
    for one in all {
        assert_eq!(cell.wait(one).unwrap_err().reason(), "alpha.no");
    }
    assert!(tried.load(Ordering::Relaxed) >= 40);
    assert_eq!(cell.count("SELECT COUNT(*) FROM stoa_key"), 0);
}
