//! What the kernel writes with a commit, and where the commit stands among the others.

use std::collections::BTreeSet;
use std::sync::mpsc;

use stoa_kit::tx::{Emitted, Enqueued, Gathered, JobOptions};
use stoa_kit::{Code, Micros, Result, View};
use stoa_store::Header;

use crate::cell::{self, Cell, Noted, On};

crate::on_both!(
    a_commit_is_recorded,
    events_are_appended_in_order,
    jobs_are_enqueued_once_a_dedupe_key,
    housekeeping_leaves_no_record,
    positions_grow,
    settled_never_passes_a_commit_in_flight,
    a_read_waits_for_no_position_it_has,
    a_position_ahead_is_refused,
    a_commit_is_told,
    a_failed_commit_is_not_told,
    leases_are_counted_in_time,
);

fn a_commit_is_recorded(on: On) {
    const RECORD: &str = "SELECT tenant, cause, caller, method, trace, tables, touched \
         FROM stoa_commit WHERE tenant = 'acme' AND position = $1";
    const LASTED: &str = "SELECT duration_us, time FROM stoa_commit";
    let cell = on.cell();
    let header = Header {
        tenant: "acme".into(),
        cause: "job:job_1".to_owned(),
        caller: "system".into(),
        trace: "00-ab-cd-01".to_owned(),
        ..Cell::header()
    };
    let done = cell
        .commit_as(header, |tx| {
            cell::put_account(tx, "a", 1)?;
            cell::put_account(tx, "b", 1)?;
            cell::add(tx, "nobody", 1)?;
            tx.touch("account", "a");
            tx.touch("account", "b");
            Ok(())
        })
        .unwrap();
    let text = str::to_owned;
    type Row = (String, String, String, String, String, String, String);
    let row = cell.kernel(move |view| view.row::<Row>(RECORD, (done.position,))).unwrap();
    let expected = (
        text("acme"),
        text("job:job_1"),
        text("system"),
        text(Cell::header().method),
        text("00-ab-cd-01"),
        text("alpha_account:2@e40c292c,e70c2de5"),
        text("account/a account/b"),
    );
    assert_eq!(row.unwrap(), expected);
    let (lasted, time) = cell.kernel(|view| view.row::<(i64, i64)>(LASTED, ())).unwrap().unwrap();
    assert!((0..10_000_000).contains(&lasted), "{lasted}");
    assert!(time > 1_700_000_000_000_000);
}

type EventRow = (i64, i64, String, String, String, Vec<u8>);

fn events(view: &View) -> Result<Vec<EventRow>> {
    const EVENTS: &str = "SELECT position, ordinal, topic, message, subject, payload \
         FROM stoa_event WHERE tenant = :tenant ORDER BY position, ordinal \
         /* whole: a test reads what it wrote */";
    view.rows(EVENTS, ())
}

fn events_are_appended_in_order(on: On) {
    use stoa_contract::buffa::Message as _;
    let cell = on.cell();
    let emit = |subjects: &'static [&'static str]| {
        cell.commit_as(Cell::header(), move |tx| {
            subjects.iter().for_each(|subject| tx.emit(&Noted::about(subject)));
            Ok(())
        })
        .unwrap()
        .position
    };
    let (first, second) = (emit(&["a", "b", "c"]), emit(&["d"]));
    let expected: Vec<EventRow> =
        [(first, 0, "a"), (first, 1, "b"), (first, 2, "c"), (second, 0, "d")]
            .into_iter()
            .map(|(position, ordinal, subject)| {
                let payload = Noted::about(subject).encode_to_vec();
                let (topic, message) = ("alpha.note".to_owned(), "stoa.alpha.v1.Noted".to_owned());
                (position, ordinal, topic, message, subject.to_owned(), payload)
            })
            .collect();
    assert_eq!(cell.kernel(events).unwrap(), expected);
}

fn job(id: &str, dedupe: Option<&str>) -> Enqueued {
    Enqueued {
        id: id.to_owned(),
        method: "stoa.alpha.v1.AlphaService/Work",
        request: vec![1, 2, 3],
        options: JobOptions {
            at: Some(Micros(77)),
            dedupe: dedupe.map(str::to_owned),
            priority: 5,
            lane: None,
            on_behalf: None,
        },
        behalf: "user:usr_1".to_owned(),
        credential: String::new(),
        depth: 0,
    }
}

fn jobs_are_enqueued_once_a_dedupe_key(on: On) {
    const JOBS: &str = "SELECT id, method, request, state, run_at, priority, position \
         FROM stoa_job WHERE tenant = :tenant ORDER BY id \
         /* whole: a test reads what it wrote */";
    let cell = on.cell();
    let jobs = [job("job_1", None), job("job_2", None), job("job_3", Some("x"))];
    let more = [job("job_4", Some("x")), job("job_5", Some("y"))];
    let enqueue = |jobs: &[Enqueued]| {
        let gathered = Gathered { jobs: jobs.to_vec(), ..Gathered::default() };
        cell.raw(Cell::header(), move |_| Ok(gathered.clone())).unwrap().position
    };
    let (first, second) = (enqueue(&jobs), enqueue(&more));
    type Row = (String, String, Vec<u8>, String, i64, i64, i64);
    let rows = cell.kernel(|view| view.rows::<Row>(JOBS, ())).unwrap();
    let places: Vec<_> = rows.iter().map(|row| (row.0.as_str(), row.6)).collect();
    assert_eq!(places, [("job_1", first), ("job_2", first), ("job_3", first), ("job_5", second)]);
    let method = "stoa.alpha.v1.AlphaService/Work".to_owned();
    let expected = ("job_1".to_owned(), method, vec![1, 2, 3], "ready".to_owned(), 77, 5, first);
    assert_eq!(rows[0], expected);
}

fn housekeeping_leaves_no_record(on: On) {
    const PUT: &str = "INSERT INTO stoa_secret (tenant, name, value) VALUES (:tenant, 'a', $1)";
    let cell = on.cell();
    cell.raw(Header { method: "", ..Cell::header() }, |session| {
        stoa_store::kernel::execute(session, "", PUT, (b"1".as_slice(),))?;
        Ok(Gathered::default())
    })
    .unwrap();
    assert_eq!(cell.count("SELECT COUNT(*) FROM stoa_secret"), 1);
    assert_eq!(cell.count("SELECT COUNT(*) FROM stoa_commit"), 0);
}

fn positions_grow(on: On) {
    const POSITIONS: &str = "SELECT position FROM stoa_commit ORDER BY position";
    let cell = on.cell();
    let put = |id: String| cell.submit(Cell::header(), move |tx| cell::put_account(tx, &id, 1));
    let mut last = 0;
    for round in 0..5 {
        let all: Vec<_> = (0..20).map(|one| put(format!("{round}-{one}"))).collect();
        let positions: BTreeSet<_> =
            all.into_iter().map(|one| cell.wait(one).unwrap().position).collect();
        assert_eq!(positions.len(), 20, "no position is given twice");
        assert!(*positions.first().unwrap() > last, "a later commit stands behind");
        last = *positions.last().unwrap();
    }
    let cell = Cell::open(reopened(cell), |_| {});
    let next = cell.commit_as(Cell::header(), |tx| cell::put_account(tx, "z", 1)).unwrap();
    assert!(next.position > last, "also after a restart");
    assert_eq!(cell.kernel(|view| view.rows::<(i64,)>(POSITIONS, ())).unwrap().len(), 101);
}

fn reopened(cell: Cell) -> std::sync::Arc<cell::Home> {
    cell.block_on(cell.store.close());
    std::sync::Arc::clone(&cell.home)
}

/// Writers commit all the time, and one of them dawdles. Whatever `settled` says at any moment:
/// no commit may appear at or below it later.
fn settled_never_passes_a_commit_in_flight(on: On) {
    const BELOW: &str = "SELECT COUNT(*) FROM stoa_commit WHERE position <= $1";
    let cell = on.cell();
    let (begun, wait_begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let dawdler = cell.submit(Cell::header(), move |tx| {
        cell::put_account(tx, "dawdler", 1)?;
        let _ = (begun.send(()), released.recv());
        Ok(())
    });
    wait_begun.recv().unwrap();
    let below = |position: i64| {
        cell.kernel(move |view| view.row::<(i64,)>(BELOW, (position,))).unwrap().unwrap().0
    };
    let mut seen = Vec::new();
    let mut release = Some(release);
    let mut writers = Vec::new();
    for round in 0..60 {
        let put = move |tx: &mut stoa_kit::Tx| cell::put_account(tx, &format!("w{round}"), 1);
        writers.push(cell.submit(Cell::header(), put));
        let settled = cell.block_on(cell.store.settled()).unwrap();
        seen.push((settled, below(settled)));
        if round == 40 {
            release.take();
        }
    }
    let dawdled = cell.wait(dawdler).unwrap().position;
    for writer in writers {
        cell.wait(writer).unwrap();
    }
    for (settled, count) in &seen {
        assert_eq!(below(*settled), *count, "a commit appeared at or below {settled}");
    }
    assert!(seen.iter().take(40).all(|(settled, _)| *settled < dawdled));
    // In the end everything is settled. Other tests may have commits in flight on this server.
    while below(cell.block_on(cell.store.settled()).unwrap()) < 61 {}
}

fn a_read_waits_for_no_position_it_has(on: On) {
    let cell = on.cell();
    for round in 0..20 {
        let id = format!("a{round}");
        let put = id.clone();
        let done = cell.commit_as(Cell::header(), move |tx| cell::put_account(tx, &put, 1));
        let position = Some(done.unwrap().position);
        let seen = cell
            .view_as(("alpha", "main"), position, move |view| cell::balance(view, &id))
            .unwrap();
        assert_eq!(seen, Some(1));
    }
}

fn a_position_ahead_is_refused(on: On) {
    let cell = on.cell();
    let done = cell.commit_as(Cell::header(), |tx| cell::put_account(tx, "a", 1)).unwrap();
    let ahead = Some(done.position + 1_000_000);
    let error =
        cell.view_as(("alpha", "main"), ahead, |view| cell::balance(view, "a")).unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "position.unknown"));
}

fn a_commit_is_told(on: On) {
    let cell = on.cell();
    let mut notices = cell.store.notices();
    let done = cell
        .commit_as(Cell::header(), |tx| {
            tx.emit(&Noted::about("a"));
            cell::put_account(tx, "a", 1)
        })
        .unwrap();
    let notice = cell.block_on(notices.recv()).unwrap();
    assert!(notice.position >= done.position);
    assert_eq!(cell::written(&notice), ["alpha_account"]);
    assert!(notice.events == ["main".into()] && !notice.jobs);
    let jobs = vec![job("job_1", None)];
    let gathered = Gathered { jobs, ..Gathered::default() };
    cell.raw(Cell::header(), move |_| Ok(gathered.clone())).unwrap();
    let notice = cell.block_on(notices.recv()).unwrap();
    assert!(notice.tables.is_empty() && notice.events.is_empty() && notice.jobs);
}

fn a_failed_commit_is_not_told(on: On) {
    let cell = on.cell();
    let mut notices = cell.store.notices();
    cell.commit(|tx| {
        cell::put_account(tx, "a", 1)?;
        Err::<(), _>(cell::refusal("alpha.no"))
    })
    .unwrap_err();
    let event = Emitted {
        topic: "alpha.note",
        message: "stoa.alpha.v1.Noted",
        subject: "s".to_owned(),
        payload: vec![],
        depth: 0,
    };
    let gathered = Gathered { events: vec![event], ..Gathered::default() };
    cell.raw(Cell::header(), move |_| Ok(gathered.clone())).unwrap();
    loop {
        let notice = cell.block_on(notices.recv()).unwrap();
        assert!(notice.tables.is_empty(), "{notice:?}");
        if !notice.events.is_empty() {
            break;
        }
    }
}

fn leases_are_counted_in_time(on: On) {
    let cell = on.cell();
    let first = cell.block_on(cell.store.lease_now()).unwrap();
    let second = cell.block_on(cell.store.lease_now()).unwrap();
    assert!(first.0 > 1_700_000_000_000_000 && second >= first);
}
