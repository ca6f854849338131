//! What time it is, whatever the clock of the machine says.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use stoa_kit::world::Real;
use stoa_kit::{Micros, Result, Tx, World};
use stoa_testkit::TestWorld;

use crate::cell::{self, Cell, Home, On};

crate::on_both!(
    a_clock_that_was_a_day_ahead_is_followed_back,
    a_read_is_not_behind_what_it_sees,
    no_commit_is_ahead_of_the_time_of_leases,
);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A cell that goes by the test's own clock, on either engine.
fn own(home: &Arc<Home>, world: &Arc<TestWorld>) -> Cell {
    let world = Arc::clone(world) as Arc<dyn World>;
    let by_the_node = |options: &mut stoa_store::Options| options.database_clock = false;
    Cell::open_in(world, Arc::clone(home), cell::services(), by_the_node).unwrap()
}

/// The time of a commit made now.
fn stamp(cell: &Cell) -> Micros {
    cell.commit(|tx| Ok(tx.now())).unwrap()
}

fn a_clock_that_was_a_day_ahead_is_followed_back(on: On) {
    let (home, world) = (Arc::new(on.home()), TestWorld::new());
    let is_right = |cell: &Cell| {
        let leases = cell.block_on(cell.store.lease_now()).unwrap();
        for time in [stamp(cell), cell.view(|view| Ok(view.now())).unwrap(), leases] {
            let off = time.since(world.now()).max(world.now().since(time));
            assert!(off < Duration::from_secs(1), "{time:?} is off by {off:?}");
        }
    };
    let cell = own(&home, &world);
    for _ in 0..2 {
        is_right(&cell);
        world.advance(DAY);
        is_right(&cell);
        world.set_back(DAY);
    }
    is_right(&cell);
    world.advance(DAY);
    is_right(&cell);
    cell.block_on(cell.store.close());
    world.set_back(DAY);
    // A store that is opened again finds a commit of tomorrow, and is no wiser for it.
    is_right(&own(&home, &world));
}

/// Keeps the time of its commit.
fn dated(tx: &mut Tx) -> Result<Micros> {
    const PUT: &str = "INSERT INTO alpha_value (tenant, id, whole) VALUES (:tenant, $1, $2)";
    let (id, now) = (tx.new_id("val"), tx.now());
    tx.execute(PUT, (id, now.0)).map(|_| now)
}

/// Also where the node's own clock is another than the database's, or was set back a little.
fn a_read_is_not_behind_what_it_sees(on: On) {
    const LAST: &str = "SELECT MAX(whole) FROM alpha_value WHERE tenant = :tenant \
         /* whole: a test reads what it wrote */";
    let world = TestWorld::new();
    let node = Arc::clone(&world) as Arc<dyn World>;
    let cell = Cell::open_in(node, Arc::new(on.home()), cell::services(), |_| {}).unwrap();
    for _ in 0..20 {
        cell.commit(dated).unwrap();
        world.set_back(Duration::from_millis(40));
        let (now, last) = cell
            .view(|view| {
                let last = view.row::<(i64,)>(LAST, ())?.unwrap().0;
                Ok((view.now(), Micros(last)))
            })
            .unwrap();
        assert!(now >= last, "{now:?} is before {last:?}");
    }
}

/// What a commit leaves to be done at once is due at once.
fn no_commit_is_ahead_of_the_time_of_leases(on: On) {
    let world = TestWorld::new();
    let node = Arc::clone(&world) as Arc<dyn World>;
    let cell = Cell::open_in(node, Arc::new(on.home()), cell::services(), |_| {}).unwrap();
    for _ in 0..5 {
        let stamp = stamp(&cell);
        world.set_back(Duration::from_millis(40));
        assert!(cell.block_on(cell.store.lease_now()).unwrap() >= stamp);
    }
}

#[test]
fn a_clock_set_back_a_little_is_waited_for() {
    let (home, world) = (Arc::new(On::Sqlite.home()), TestWorld::new());
    let cell = own(&home, &world);
    let mut last = stamp(&cell);
    for _ in 0..3 {
        world.set_back(Duration::from_millis(200));
        let next = stamp(&cell);
        assert!(next >= last, "{next:?} is before {last:?}");
        last = next;
    }
}

/// A node on a machine whose clock is months behind.
#[test]
fn nodes_that_share_a_database_go_by_its_clock() {
    const EXPIRES: &str = "SELECT COALESCE(MAX(expires), 0) FROM stoa_key WHERE tenant = :tenant";
    const TIME: &str = "SELECT COALESCE(MAX(time), 0) FROM stoa_commit WHERE tenant = :tenant \
         /* whole: a test reads what it wrote */";
    let world = TestWorld::new();
    let home = Arc::new(On::Postgres.home());
    let cell = Cell::open_in(world, home, cell::services(), |_| {}).unwrap();
    let (before, header) = (Real::new().now(), Cell::keyed(1, 1));
    let life = header.key.as_ref().unwrap().life;
    let stamp = cell.commit_as(header, |tx| Ok(tx.now())).unwrap().value.unwrap();
    let after = Real::new().now();
    // One machine, so one clock, read in two ways.
    let around = before.before(Duration::from_millis(1))..after.after(Duration::from_millis(1));
    assert!(around.contains(&stamp), "{stamp:?} is not in {around:?}");
    assert_eq!(cell.count(TIME), stamp.0);
    assert_eq!(cell.count(EXPIRES), stamp.after(life).0);
    assert!(cell.view(|view| Ok(view.now())).unwrap() >= stamp);
}

#[test]
fn a_node_whose_clock_is_off_is_not_ready() {
    let home = Arc::new(On::Postgres.home());
    let off = |by: Duration| {
        let world = TestWorld::new();
        world.advance(Real::new().now().since(world.now()).saturating_sub(by));
        Cell::open_in(world, Arc::clone(&home), cell::services(), |_| {}).unwrap()
    };
    // The follower compares the clocks before it tells of the first commit of another node.
    let (slow, fair) = (off(Duration::from_secs(120)), off(Duration::ZERO));
    let heard = [&slow, &fair].map(|cell| cell.store.notices());
    let other = Cell::open(Arc::clone(&home), |_| {});
    other.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
    for mut heard in heard {
        fair.block_on(heard.recv()).unwrap();
    }
    let error = slow.store.health().unwrap_err();
    assert_eq!(error.reason(), "store.clock");
    let ahead = slow.store.metrics().clock_ahead_us.load(Relaxed);
    assert!((-130_000_000..-119_000_000).contains(&ahead), "{ahead}");
    fair.store.health().unwrap();
}
