//! What only PostgreSQL has: connections that break, other nodes, conflicts.

use std::process::Command;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use stoa_kit::world::Real;
use stoa_kit::{Code, Tx, World};
use stoa_store::{Faults, Place};
use stoa_testkit::postgres::{Cluster, Database};

use crate::cell::{self, Cell, Home, On};

/// Breaks every connection that a store has to a database.
const DISCONNECT: &str = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name = 'stoa'";

fn disconnect(home: &Home) {
    home.execute(DISCONNECT);
}

#[test]
fn a_command_that_lost_its_connection_runs_again() {
    let cell = On::Postgres.cell();
    let runs: Arc<Mutex<Vec<(i64, String)>>> = Arc::default();
    let (seen, home) = (Arc::clone(&runs), Arc::clone(&cell.home));
    cell.commit(move |tx| {
        let id = tx.new_id("acc");
        cell::put_account(tx, &id, 1)?;
        let first = seen.lock().unwrap().is_empty();
        seen.lock().unwrap().push((tx.now().0, id));
        if first {
            disconnect(&home);
        }
        cell::put_account(tx, "other", 1)
    })
    .unwrap();
    let runs = runs.lock().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0], runs[1], "a run after a lost connection is handed the same stamp");
    assert_eq!(cell.count("SELECT COUNT(*) FROM alpha_account"), 2);
    cell.store.health().unwrap();
}

#[test]
fn a_connection_lost_with_the_commit_under_way_is_told_and_never_doubled() {
    let home = Arc::new(On::Postgres.home());
    let armed = Arc::new(AtomicBool::new(false));
    let (trigger, behind) = (Arc::clone(&armed), Arc::clone(&home));
    let cell = Cell::open(home, |options| {
        options.faults = Faults::new(move |point| {
            if point == "commit" && trigger.swap(false, SeqCst) {
                disconnect(&behind);
            }
            None
        });
    });
    cell.commit(|tx| cell::put_account(tx, "a", 0)).unwrap();
    let add = |tx: &mut Tx| cell::add(tx, "a", 1);
    for round in 1..=8 {
        armed.store(true, SeqCst);
        if let Err(error) = cell.commit_as(Cell::keyed(round, 1), add) {
            assert_eq!(error.code(), Code::Unavailable, "{error:?}");
        }
        assert!(!armed.load(SeqCst));
        cell.commit_as(Cell::keyed(round, 1), add).unwrap();
        let balance = cell.view(|view| cell::balance(view, "a")).unwrap();
        assert_eq!(balance, Some(i64::from(round)));
    }
}

#[test]
fn a_query_that_lost_its_connection_runs_again() {
    let cell = On::Postgres.cell();
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
    let (home, runs) = (Arc::clone(&cell.home), Arc::new(AtomicU32::new(0)));
    let seen = cell.view(move |view| {
        cell::balance(view, "a")?;
        if runs.fetch_add(1, Relaxed) == 0 {
            disconnect(&home);
        }
        cell::balance(view, "a")
    });
    assert_eq!(seen.unwrap(), Some(1));
}

#[test]
fn a_database_that_is_gone_is_unavailable_until_it_is_back() {
    let mut cluster = Cluster::start().unwrap();
    let database: Database = cluster.database().unwrap();
    let cell = Cell::open(Arc::new(Home::Database(database)), |_| {});
    for id in ["a", "b"] {
        cell.commit(move |tx| cell::put_account(tx, id, 1)).unwrap();
        cluster.kill();
        let error = cell.commit(|tx| cell::put_account(tx, "gone", 1)).unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error:?}");
        let error = cell.view(|view| cell::balance(view, "a")).unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error:?}");
        while cell.store.health().is_ok() {
            std::thread::yield_now();
        }
        cluster.resume().unwrap();
        while cell.store.health().is_err() {
            std::thread::yield_now();
        }
        while let Err(error) = cell.commit(|tx| cell::add(tx, "a", 1)) {
            assert_eq!(error.code(), Code::Unavailable, "{error:?}");
        }
    }
    assert_eq!(cell.count("SELECT COUNT(*) FROM alpha_account"), 2);
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(3));
}

#[test]
fn a_command_that_lost_a_conflict_runs_again_with_its_stamp() {
    let cell = On::Postgres.cell();
    cell.commit(|tx| cell::put_account(tx, "a", 0)).unwrap();
    let (read, wait_read) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let runs: Arc<Mutex<Vec<(i64, String)>>> = Arc::default();
    let seen = Arc::clone(&runs);
    let slow = cell.submit(Cell::header(), move |tx| {
        seen.lock().unwrap().push((tx.now().0, tx.new_id("x")));
        let before = cell::balance(tx, "a")?.unwrap();
        // The other one commits while this one has read and not written.
        let _ = (read.send(()), wait_go.recv());
        tx.execute(
            "UPDATE alpha_account SET balance = $1 WHERE tenant = :tenant \
         /* whole: a test writes what it wrote */",
            (before + 10,),
        )
    });
    wait_read.recv().unwrap();
    cell.commit(|tx| cell::add(tx, "a", 1)).unwrap();
    drop(go);
    cell.wait(slow).unwrap();
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(11));
    let runs = runs.lock().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0], runs[1]);
    assert_eq!(cell.store.metrics().retries.load(Relaxed), 1);
}

/// A conflict inside of an attempt is no outcome of it: the command starts over.
#[test]
fn an_attempt_does_not_catch_a_conflict() {
    let cell = On::Postgres.cell();
    cell.commit(|tx| cell::put_account(tx, "a", 0)).unwrap();
    let (read, wait_read) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let slow = cell.submit(Cell::header(), move |tx| {
        cell::balance(tx, "a")?;
        let _ = (read.send(()), wait_go.recv());
        match tx.attempt(|tx| cell::add(tx, "a", 10)) {
            Ok(rows) => Ok(rows),
            Err(_) => cell::put_account(tx, "caught", 1),
        }
    });
    wait_read.recv().unwrap();
    cell.commit(|tx| cell::add(tx, "a", 1)).unwrap();
    drop(go);
    cell.wait(slow).unwrap();
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(11));
    assert_eq!(cell.view(|view| cell::balance(view, "caught")).unwrap(), None);
}

#[test]
fn positions_go_on_behind_rows_that_another_server_wrote() {
    let home = Arc::new(On::Postgres.home());
    let cell = Cell::open(Arc::clone(&home), |_| {});
    let old = cell.commit_as(Cell::header(), |tx| cell::put_account(tx, "a", 1)).unwrap();
    cell.block_on(cell.store.close());
    // What a dump of a server that has done a great deal looks like in one that has not.
    let ahead = 1_000_000_000_000;
    home.execute(&format!("UPDATE stoa_commit SET position = position + {ahead}"));
    for _ in 0..2 {
        let cell = Cell::open(Arc::clone(&home), |_| {});
        let settled = cell.block_on(cell.store.settled()).unwrap();
        assert!(settled >= old.position + ahead, "what was restored is settled");
        let new = cell.commit_as(Cell::header(), |tx| cell::add(tx, "a", 1)).unwrap();
        assert!(new.position > old.position + ahead);
        assert!(new.position < old.position + ahead + 1_000_000, "raised once, not twice");
        let seen =
            cell.view_as(("alpha", "main"), Some(new.position), |view| cell::balance(view, "a"));
        assert!(seen.unwrap() >= Some(2));
        cell.block_on(cell.store.close());
    }
}

#[test]
fn a_node_hears_of_another_ones_commits() {
    let home = Arc::new(On::Postgres.home());
    let one = Cell::open(Arc::clone(&home), |_| {});
    let two = Cell::open(Arc::clone(&home), |_| {});
    let mut heard = two.store.notices();
    for round in 0..3 {
        let done = one
            .commit_as(Cell::header(), move |tx| {
                cell::put_account(tx, &format!("{round}"), 1)?;
                tx.execute(
                    "INSERT INTO alpha_entry (tenant, id, account, amount) \
                     VALUES (:tenant, $1, 'a', 1)",
                    (round.to_string(),),
                )
            })
            .unwrap();
        let notice = two.block_on(heard.recv()).unwrap();
        assert_eq!(notice.position, done.position);
        assert_eq!(cell::written(&notice), ["alpha_account", "alpha_entry"]);
        assert!(notice.events == ["main".into()] && notice.jobs);
    }
}

/// Its backend stops, as a machine does that is frozen: the other end never closes.
#[test]
fn a_look_that_hangs_is_given_up() {
    const FOLLOWER: &str = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'stoa' \
         AND datname = current_database() AND query LIKE 'SELECT pg_current_snapshot()%'";
    let cluster = Cluster::start().unwrap();
    let home = Arc::new(Home::Database(cluster.database().unwrap()));
    let cell = Cell::open(Arc::clone(&home), |_| {});
    let world = Real::new();
    let Home::Database(database) = &*home else { panic!("no database") };
    let looks = |after: Duration| {
        while cell.store.fresh_since() <= after || cell.store.health().is_err() {
            std::thread::yield_now();
        }
    };
    looks(cell.store.fresh_since());
    let pid = database.text(FOLLOWER).unwrap();
    let signal =
        |name: &str| Command::new("kill").args([name, pid.as_str()]).status().unwrap().success();
    assert!(signal("-STOP"));
    let (stopped, fresh) = (world.uptime(), cell.store.fresh_since());
    while cell.store.health().is_ok() {
        std::thread::yield_now();
    }
    let noticed = world.uptime() - stopped;
    assert!(noticed < Duration::from_secs(2), "{noticed:?}");
    // A new connection finds out what was missed, while the old one is still stopped.
    looks(fresh + Duration::from_millis(500));
    assert!(signal("-CONT"));
}

#[test]
fn a_key_sent_to_two_nodes_makes_one_commit() {
    let home = Arc::new(On::Postgres.home());
    let cells = [Cell::open(Arc::clone(&home), |_| {}), Cell::open(Arc::clone(&home), |_| {})];
    cells[0].commit(|tx| cell::put_account(tx, "a", 0)).unwrap();
    for key in 0..20 {
        let both = [&cells[0], &cells[1]]
            .map(|cell| cell.submit(Cell::keyed(key, 1), |tx| cell::add(tx, "a", 1)));
        let [one, two] = both;
        let (one, two) = (cells[0].wait(one).unwrap(), cells[1].wait(two).unwrap());
        assert_eq!(one.position, two.position);
        assert!(one.value.is_some() != two.value.is_some());
    }
    assert_eq!(cells[1].view(|view| cell::balance(view, "a")).unwrap(), Some(20));
}

#[test]
fn nodes_that_start_at_once_migrate_once() {
    let home = Arc::new(On::Postgres.home());
    std::thread::scope(|scope| {
        let starts: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Cell::open(Arc::clone(&home), |_| {}))).collect();
        for start in starts {
            let cell = start.join().unwrap();
            cell.commit(|tx| tx.attempt(|tx| cell::put_account(tx, "a", 1)).or(Ok(0))).unwrap();
        }
    });
}

/// What the options of an address make of an attempt to open it.
fn refusal(url: String) -> stoa_kit::Error {
    let home = Home::Borrowed(Place::Url(url));
    Cell::try_open(Arc::new(home), cell::services(), |_| {}).err().unwrap()
}

#[test]
fn an_address_that_will_not_do_is_refused_without_its_password() {
    let error = refusal("postgresql://stoa:hush@localhost:port/stoa".to_owned());
    assert_eq!(error.reason(), "store.url");
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    let error = refusal("postgresql://stoa:hush@%2Fnowhere/stoa".to_owned());
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "store.gone"));
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[test]
fn a_column_of_another_type_says_what_to_write() {
    let cell = On::Postgres.cell();
    let error = cell
        .view(|view| view.row::<(i64,)>("SELECT length('abc') AS size WHERE :tenant <> ''", ()))
        .unwrap_err();
    let cause = error.internal_cause().unwrap();
    assert!(cause.contains("column `size` is int4: cast it to BIGINT"), "{cause}");
}

/// A role of a server that may have so many connections: the URL of its database.
fn with_room(cluster: &Cluster, connections: u32) -> (Database, String) {
    let database = cluster.database().unwrap();
    let role = format!(
        "CREATE ROLE few LOGIN CONNECTION LIMIT {connections}; GRANT ALL ON SCHEMA public TO few"
    );
    database.execute(&role).unwrap();
    let url = database.url().replace("postgres@", "few@");
    assert!(url.contains("few@"), "{url}");
    (database, url)
}

/// Puts accounts by many callers at once.
fn put(cell: &Cell, ids: std::ops::Range<usize>) {
    let put = |id: usize| {
        cell.submit(Cell::header(), move |tx| cell::put_account(tx, &format!("a{id}"), 1))
    };
    let waiting: Vec<_> = ids.map(put).collect();
    for waits in waiting {
        cell.wait(waits).unwrap();
    }
}

#[test]
fn a_node_makes_do_with_the_connections_that_there_are() {
    let cluster = Cluster::start().unwrap();
    let (database, url) = with_room(&cluster, 8);
    let cell = Cell::open(Arc::new(Home::at(On::Postgres, &url)), |_| {});
    put(&cell, 0..60);
    assert_eq!(cell.count("SELECT COUNT(*) FROM alpha_account"), 60);
    // What others took since the start is not there either: who has no connection leaves the work
    // to those who have.
    database.execute(DISCONNECT).unwrap();
    database.execute("ALTER ROLE few CONNECTION LIMIT 3").unwrap();
    while let Err(error) = cell.commit(|tx| cell::put_account(tx, "again", 1)) {
        assert_eq!(error.code(), Code::Unavailable, "{error:?}");
    }
    put(&cell, 60..120);
}

#[test]
fn a_node_that_cannot_have_the_connections_it_needs_does_not_start() {
    let cluster = Cluster::start().unwrap();
    let (_database, url) = with_room(&cluster, 3);
    let home = Arc::new(Home::at(On::Postgres, &url));
    let error = Cell::try_open(home, cell::services(), |_| {}).err().unwrap();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "store.no_room"));
    assert!(error.message().contains("needs 4"), "{error:?}");
}

#[test]
fn a_standby_is_passed_over_for_the_next_server() {
    let (mut standby, primary) = (Cluster::start().unwrap(), Cluster::start().unwrap());
    standby.stand_by().unwrap();
    let [first, second] = [&standby, &primary].map(|cluster| cluster.sockets());
    let url = |hosts: &[&std::path::Path]| {
        let hosts = hosts.iter().map(|host| host.to_str().unwrap().replace('/', "%2F"));
        format!("postgresql://postgres@{}/postgres", hosts.collect::<Vec<_>>().join(","))
    };
    let gone = std::path::Path::new("/nowhere");
    let home = Home::at(On::Postgres, &url(&[gone, &first, &second]));
    let cell = Cell::open(Arc::new(home), |_| {});
    put(&cell, 0..3);
    assert_eq!(cell.count("SELECT COUNT(*) FROM alpha_account"), 3);
    let home = Arc::new(Home::at(On::Postgres, &url(&[&first])));
    let error = Cell::try_open(home, cell::services(), |_| {}).err().unwrap();
    assert_eq!((error.reason(), error.message()), ("store.gone", "the database is a standby"));
}

#[test]
fn a_server_far_away_is_spoken_to_over_tls_by_the_name_in_its_certificate() {
    let made = rcgen::generate_simple_self_signed(["db.example.com".to_owned()]).unwrap();
    let mut cluster = Cluster::start().unwrap();
    let pem = made.cert.pem();
    let port = cluster.encrypt(&pem, &made.signing_key.serialize_pem()).unwrap();
    let directory = tempfile::TempDir::new().unwrap();
    let authorities = directory.path().join("ca.pem");
    std::fs::write(&authorities, pem).unwrap();
    let authorities = authorities.to_str().unwrap().replace('/', "%2F");
    let open = |host: &str, more: &str| {
        let url = format!("postgresql://postgres@{host}:{port}/postgres?hostaddr=127.0.0.1{more}");
        let home = Arc::new(Home::at(On::Postgres, &url));
        Cell::try_open(home, cell::services(), |_| {})
    };
    let refused = |host: &str, more: &str| {
        let error = open(host, more).err().unwrap();
        assert_eq!(error.reason(), "store.gone", "{error:?}");
        error.internal_cause().unwrap().to_owned()
    };
    let trusted = format!("&sslrootcert={authorities}&sslmode=require");
    let cell = open("db.example.com", &trusted).unwrap();
    put(&cell, 0..2);
    let encrypted = "SELECT bool_and(ssl)::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE application_name = 'stoa'";
    assert_eq!(cluster.database().unwrap().text(encrypted).unwrap(), "true");
    assert!(refused("db.example.com", "&sslmode=require").contains("UnknownIssuer"));
    let other = refused("other.example.com", &trusted.replace("require", "verify-full"));
    assert!(other.contains("NotValidForName") || other.contains("not valid for name"), "{other}");
    // The server takes nothing else, and nothing else is tried unless it is asked for.
    assert!(refused("db.example.com", "&sslmode=disable").contains("no encryption"));
    let error = open("db.example.com", "&sslmode=prefer").err().unwrap();
    assert_eq!(error.reason(), "store.url", "{error:?}");
    let error = open("db.example.com", "&sslrootcert=%2Fnowhere").err().unwrap();
    assert_eq!(error.reason(), "store.url");
}
