//! A process ends at each step of what becomes of a blob: what a row holds is whole, and everything else
//! goes.

use std::path::Path;
use std::time::Duration;

use stoa_example_album::contract::DeletePictureRequest;
use stoa_kit::ring::Pieces;
use stoa_testkit::{Engine, Node, objects, run_with_ports};

use crate::frail::{Frail, POINTS, Point};
use crate::{add, blobs, seen, services, states, upload};

/// Longer than anything is kept that no row holds.
pub(crate) const LONG: Duration = Duration::from_secs(25 * 60 * 60);

/// What every moment shows: no object without a row, no row that is told of without its object, a row of
/// the service for what is kept, and a count that is right.
pub(crate) async fn is_sound(node: &Node, place: &Path) {
    let known = blobs(node).await;
    let there = objects(place);
    for path in there.keys().filter(|path| !path.ends_with("cell")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(known.iter().any(|(_, id, ..)| id == name), "{name} is known to nobody");
    }
    for (_, id, state, size) in known.iter().filter(|row| ["staged", "kept"].contains(&&*row.2)) {
        let object = there.iter().find(|(path, _)| path.ends_with(id));
        let (_, bytes) = object.unwrap_or_else(|| panic!("{id} is {state}, and not there"));
        assert_eq!(bytes.len() as u64, Pieces::sealed(u64::try_from(*size).unwrap()).unwrap());
    }
    let kept = known.iter().filter(|row| row.2 == "kept").count();
    let held: Vec<(i64,)> = node.rows("SELECT COUNT(*) FROM album_picture").await;
    assert_eq!(held, [(kept as i64,)]);
    let used: Vec<(i64,)> = node.rows("SELECT blob_bytes FROM stoa_usage").await;
    let sum: i64 = known.iter().map(|row| row.3).sum();
    assert_eq!(used.first().map_or(0, |(bytes,)| *bytes), sum);
}

fn each_step(engine: Engine) {
    let directory = tempfile::tempdir().unwrap();
    let (frail, place) = (Frail::new(directory.path().to_owned()), directory.path());
    run_with_ports(engine, services(), frail.ports(), |mut node| async move {
        for point in POINTS {
            let stays = add(&node, "ada", &upload(&node, "ada", "stays").await).await.unwrap();
            let goes = add(&node, "ada", &upload(&node, "ada", "goes").await).await.unwrap();
            let killed = match point {
                Point::Put | Point::Half | Point::Written => {
                    let work = upload(&node, "ada", vec![7; 100_000]);
                    frail.kill_at(point, work).await.is_none()
                }
                Point::Delete | Point::Deleted => {
                    let delete = DeletePictureRequest { id: goes.id };
                    node.call(&node.user("ada"), delete).await.unwrap();
                    node.pass(LONG);
                    frail.kill_at(point, node.settle()).await.is_none()
                }
            };
            assert!(killed, "{point:?} was never come to");
            node = node.crash(services()).await;
            is_sound(&node, place).await;
            assert_eq!(seen(&node, "ada", &stays.id).await, "stays");
            node.advance(LONG).await;
            is_sound(&node, place).await;
            assert!(states(&node).await.iter().all(|state| state == "kept"), "{point:?}");
        }
        node.inner().close().await;
    });
}

#[test]
fn what_a_process_left_that_ended_at_any_step_goes_sqlite() {
    each_step(Engine::Sqlite);
}

#[test]
fn what_a_process_left_that_ended_at_any_step_goes_postgres() {
    each_step(Engine::Postgres);
}
