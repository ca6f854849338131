//! Anything in any order, with a process that ends at any step: pictures have the bytes that they were given,
//! and nothing else is left.

use std::collections::BTreeMap;

use bytes::Bytes;
use stoa_example_album::contract::{DeletePictureRequest, SwapPictureRequest};
use stoa_testkit::{Engine, objects, run_with_ports};

use crate::crashes::{LONG, is_sound};
use crate::frail::{Frail, POINTS};
use crate::{add, seen, services, upload};

/// How much is done.
const STEPS: u64 = 80;

/// Numbers that follow from a seed (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }
}

fn any_order(engine: Engine, seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let (frail, place) = (Frail::new(directory.path().to_owned()), directory.path());
    run_with_ports(engine, services(), frail.ports(), |mut node| async move {
        let mut dice = Dice(seed);
        let mut pictures: BTreeMap<String, Bytes> = BTreeMap::new();
        let mut uploads: Vec<(String, Bytes)> = Vec::new();
        for step in 0..STEPS {
            let ada = node.user("ada");
            let any = pictures.keys().nth(dice.below(pictures.len().max(1))).cloned();
            match (dice.below(8), any, uploads.pop()) {
                (0 | 1, _, last) => {
                    uploads.extend(last);
                    let bytes = Bytes::from(vec![step as u8; dice.below(150_000)]);
                    let point = POINTS[dice.below(POINTS.len())];
                    let work = upload(&node, "ada", bytes.clone());
                    match frail.kill_at(point, work).await {
                        Some(id) => uploads.push((id, bytes)),
                        None => node = node.crash(services()).await,
                    }
                }
                (2 | 3, _, Some((file, bytes))) => {
                    pictures.insert(add(&node, "ada", &file).await.unwrap().id, bytes);
                }
                (4, Some(id), Some((file, bytes))) => {
                    let swap = SwapPictureRequest { id: id.clone(), file };
                    node.call(&ada, swap).await.unwrap();
                    pictures.insert(id, bytes);
                }
                (5, Some(id), last) => {
                    uploads.extend(last);
                    node.call(&ada, DeletePictureRequest { id: id.clone() }).await.unwrap();
                    pictures.remove(&id);
                }
                (6, ..) => {
                    // What was uploaded and not named goes as well.
                    uploads.clear();
                    node.pass(LONG);
                    let point = POINTS[dice.below(POINTS.len())];
                    if frail.kill_at(point, node.settle()).await.is_none() {
                        node = node.crash(services()).await;
                    }
                }
                (_, Some(id), last) => {
                    uploads.extend(last);
                    assert_eq!(seen(&node, "ada", &id).await, pictures[&id]);
                }
                (.., last) => uploads.extend(last),
            }
            is_sound(&node, place).await;
        }
        node.advance(LONG).await;
        for (id, bytes) in &pictures {
            assert_eq!(seen(&node, "ada", id).await, bytes);
        }
        is_sound(&node, place).await;
        assert_eq!(objects(place).len(), pictures.len() + 1, "and the mark of the cell");
        node.inner().close().await;
    });
}

#[test]
fn in_any_order_sqlite() {
    (1..4).for_each(|seed| any_order(Engine::Sqlite, seed));
}

#[test]
fn in_any_order_postgres() {
    any_order(Engine::Postgres, 4);
}
