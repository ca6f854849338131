//! How logs of others came to forks and gaps, each tried here.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use futures::future::join;
use stoa_audit::tree::{self, Hash};
use stoa_audit_v1::*;
use stoa_kit::{Micros, Result, Service, Tx};
use stoa_testkit::buffa::Message as _;
use stoa_testkit::{Background, Engine, Fault, Faults, both, run_with_faults, settled};

use crate::{commits, export, get, head, holds, recorded, verify};

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn two_writers_never_go_on_from_one_tail(node: Node) {
        let mut one = Background::new(node.inner()).await.unwrap();
        let mut other = Background::new(node.inner()).await.unwrap();
        for _ in 0..20 {
            commits(&node, 7).await;
            let (one, other) = join(one.step(), other.step()).await;
            one.and(other).unwrap();
        }
        node.settle().await;
        assert_eq!(holds(&node, None).await.size, recorded(&node).await.len() as i64);
    }
}

fn fails_to_write(engine: Engine) {
    let fails = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&fails);
    let faults =
        Faults::new(move |point| (told.load(SeqCst) && point == "commit").then_some(Fault::Fail));
    run_with_faults(engine, services(), faults, async |node| {
        commits(&node, 300).await;
        node.settle().await;
        let before = head(&node).await;
        commits(&node, 10).await;
        settled(node.inner()).await;
        let mut background = Background::new(node.inner()).await.unwrap();
        fails.store(true, SeqCst);
        for _ in 0..3 {
            background.step().await.unwrap_err();
            assert_eq!(head(&node).await, before, "nothing is signed that is not durable");
        }
        fails.store(false, SeqCst);
        while background.step().await.unwrap() {}
        node.settle().await;
        let verified = holds(&node, Some(&before)).await;
        assert_eq!(verified.size, recorded(&node).await.len() as i64);
    });
}

mod no_head_is_ahead_of_a_write_that_failed {
    use super::*;

    #[test]
    fn sqlite() {
        fails_to_write(Engine::Sqlite);
    }

    #[test]
    fn postgres() {
        fails_to_write(Engine::Postgres);
    }
}

both! {
    async fn no_part_of_a_time_is_cut_by_the_store(node: Node) {
        for nanos in [1, 999, 1_001, 999_999] {
            node.pass(std::time::Duration::from_nanos(nanos));
            commits(&node, 1).await;
        }
        node.settle().await;
        let next = node.crash(services()).await;
        let entries = export(&next, &next.admin(), 0).await;
        let times = entries
            .iter()
            .map(|entry| (entry.method.clone(), Micros::of(&entry.commit_time).0));
        assert_eq!(Vec::from_iter(times), recorded(&next).await[..entries.len()]);
        holds(&next, None).await;
    }
}

/// Takes an entry out of the database as who has all of it would, but for the keys: moves those behind it
/// up, makes the tree anew, and says that this is the head.
fn take_out(tx: &mut Tx, gone: i64, size: i64) -> Result<Hash> {
    const ENTRY: &str = "DELETE FROM audit_entry WHERE tenant = :tenant AND leaf_index = $1";
    const ABOUT: &str = "DELETE FROM audit_about WHERE tenant = :tenant AND leaf_index = $1";
    const READ: &str = "SELECT entry FROM audit_entry WHERE tenant = :tenant AND leaf_index = $1";
    const MOVE: &str = "UPDATE audit_entry SET leaf_index = $2, entry = $3 \
         WHERE tenant = :tenant AND leaf_index = $1";
    const MOVE_ABOUT: &str =
        "UPDATE audit_about SET leaf_index = $2 WHERE tenant = :tenant AND leaf_index = $1";
    const TILE: &str =
        "SELECT hashes FROM audit_tile WHERE tenant = :tenant AND level = 0 AND tile = 0";
    const TILES: &str =
        "UPDATE audit_tile SET hashes = $1 WHERE tenant = :tenant AND level = 0 AND tile = 0";
    const HEAD: &str = "UPDATE audit_head SET size = $1, root = $2 WHERE tenant = :tenant";
    for sql in [ENTRY, ABOUT] {
        tx.execute(sql, (gone,))?;
    }
    for place in gone + 1..size {
        let (kept,) = tx.row::<(Vec<u8>,)>(READ, (place,))?.unwrap();
        let mut entry = Entry::decode_from_slice(&kept).unwrap();
        entry.leaf_index -= 1;
        tx.execute(MOVE, (place, place - 1, entry.encode_to_vec().as_slice()))?;
        tx.execute(MOVE_ABOUT, (place, place - 1))?;
    }
    let (mut tile,) = tx.row::<(Vec<u8>,)>(TILE, ())?.unwrap();
    tile.drain(gone as usize * 32..(gone as usize + 1) * 32);
    let root = tree::over(tile.as_chunks().0);
    tx.execute(TILES, (tile.as_slice(),))?;
    tx.execute(HEAD, (size - 1, root.as_slice()))?;
    Ok(root)
}

both! {
    async fn a_gap_is_not_relinked(node: Node) {
        commits(&node, 100).await;
        node.settle().await;
        let held = head(&node).await;
        let size = held.size;
        let take_out = move |tx: &mut Tx| take_out(tx, 17, size);
        let root = node.change("audit", &node.admin(), take_out).await.unwrap();
        let forged = verify(&node, Some(&held)).await;
        assert_eq!(forged.root_hash, root, "it fits together");
        let problems: Vec<_> = forged.faults.iter().map(|fault| fault.problem).collect();
        assert_eq!(problems, [Problem::Head, Problem::HeldHead]);
        // Nothing is signed that goes on from it.
        settled(node.inner()).await;
        let mut background = Background::new(node.inner()).await.unwrap();
        assert_eq!(background.step().await.unwrap_err().reason(), "audit.damaged");
        assert_eq!(head(&node).await.size, size - 1);
    }
}

/// Changes one bit of what is kept of an entry: in one of its columns, or in whom it is found by.
fn change_a_bit(tx: &mut Tx, leaf_index: i64) -> Result<()> {
    const ROW: &str = "SELECT time, method, entry FROM audit_entry \
         WHERE tenant = :tenant AND leaf_index = $1";
    const CHANGE: &str = "UPDATE audit_entry SET time = $2, method = $3, entry = $4 \
         WHERE tenant = :tenant AND leaf_index = $1";
    const RENAME: &str = "UPDATE audit_about SET subject = $2 \
         WHERE tenant = :tenant AND subject = $3 AND leaf_index = $1";
    let row = tx.row::<(i64, String, Vec<u8>)>(ROW, (leaf_index,))?;
    let (mut time, mut method, mut entry) = row.unwrap();
    let at = leaf_index as usize / 8;
    // A text stays one.
    let text = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        let length = bytes.len();
        bytes[at % length] ^= 1 << (at % 5);
        String::from_utf8(bytes).unwrap()
    };
    match leaf_index % 8 {
        0 => time ^= 1 << (at % 50),
        1 => method = text(&method),
        2 => {
            let entry = Entry::decode_from_slice(&entry).unwrap();
            let (_, subject) = entry.touched[0].value.split_once('/').unwrap();
            tx.execute(RENAME, (leaf_index, text(subject), subject))?;
        }
        _ => {
            // Each byte of an entry has its turn, and every bit of them.
            let bit = (leaf_index as usize * 13) % (entry.len() * 8);
            entry[bit / 8] ^= 1 << (bit % 8);
        }
    }
    tx.execute(CHANGE, (leaf_index, time, method, entry.as_slice()))?;
    Ok(())
}

both! {
    async fn every_bit_that_is_changed_in_a_thousand_rows_is_found(node: Node) {
        commits(&node, 1_000).await;
        node.settle().await;
        holds(&node, None).await;
        for from in (0..1_000).step_by(100) {
            let places = from..from + 100;
            let change = move |tx: &mut Tx| places.clone().try_for_each(|at| change_a_bit(tx, at));
            node.change("audit", &node.admin(), change).await.unwrap();
        }
        let verified = verify(&node, None).await;
        let found: Vec<i64> = verified.faults.iter().map(|fault| fault.leaf_index).collect();
        assert_eq!(found, Vec::from_iter(0..1_000));
        assert!(verified.faults.iter().all(|fault| fault.problem == Problem::Entry));
    }
}

both! {
    async fn what_is_missing_is_found_wherever_it_was(node: Node) {
        const GONE: [&str; 4] = [
            "DELETE FROM audit_entry WHERE tenant = :tenant AND leaf_index = 300",
            "DELETE FROM audit_about WHERE tenant = :tenant AND leaf_index = 301",
            "DELETE FROM audit_tile WHERE tenant = :tenant AND level = 1 AND tile = 0",
            "UPDATE audit_tile SET hashes = substr(hashes, 1, 32) WHERE tenant = :tenant \
             AND level = 0 AND tile = 1",
        ];
        const PROBLEMS: [Problem; 4] = [Problem::Gap, Problem::Entry, Problem::Node, Problem::Node];
        commits(&node, 600).await;
        node.settle().await;
        get(&node, 300).await;
        for (sql, problem) in GONE.into_iter().zip(PROBLEMS) {
            node.change("audit", &node.admin(), move |tx| tx.execute(sql, ())).await.unwrap();
            let faults = verify(&node, None).await.faults;
            assert!(faults.iter().any(|fault| fault.problem == problem), "{sql}: {faults:?}");
        }
    }
}
