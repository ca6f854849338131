//! The rows of the tree: its nodes, a tile of 256 in a row, and its head.
//!
//! A level of tiles stands for eight of the tree: what lies between is made of at most 256 hashes where it is
//! needed. So a proof reads a handful of rows, whatever the size of the tree, and an entry writes one.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use stoa_audit_v1::Reason;
use stoa_kit::{Code, Error, Micros, Reason as _, Result, Tx, View};

use crate::model::Head;
use crate::model::tree::{self, Hash};

/// Levels of the tree that one level of tiles stands for.
const LEVELS: u32 = 8;
/// Hashes in a full tile.
pub(crate) const WIDTH: u64 = 1 << LEVELS;
/// The bytes of a hash.
const BYTES: usize = 32;

/// The head of the tree; that of an empty one, where nothing was added yet.
pub(crate) fn head(view: &View) -> Result<Head> {
    const HEAD: &str = "SELECT size, root, time, signature, requests, told, told_time, kept_from, \
         look_from FROM audit_head WHERE tenant = :tenant";
    type Row = (i64, Vec<u8>, Micros, Vec<u8>, i64, i64, Micros, i64, i64);
    let Some(row) = view.row::<Row>(HEAD, ())? else { return Ok(Head::default()) };
    let (size, root, time, signature, requests, told, told_time, kept_from, look_from) = row;
    let size = size.unsigned_abs();
    let told = (told, told_time);
    Ok(Head { size, root, time, signature, requests, told, kept_from, look_from })
}

/// The head of a tree that has entries.
///
/// # Errors
/// `audit.empty`.
pub(crate) fn some_head(view: &View) -> Result<Head> {
    let head = head(view)?;
    if head.size == 0 {
        return Err(Reason::Empty.because("the tree has no entry yet"));
    }
    Ok(head)
}

/// The key that heads are signed with: it follows from the tenant's, and is in no row.
pub(crate) fn key(view: &View) -> Result<SigningKey> {
    let halves = [view.fingerprint("head", "low")?, view.fingerprint("head", "high")?];
    let mut seed = [0; 32];
    seed.copy_from_slice(&halves.concat());
    Ok(SigningKey::from_bytes(&seed))
}

/// The nodes of a tree.
pub(crate) struct Nodes<'a> {
    view: &'a View<'a>,
    /// Tiles that were read, by level and place.
    tiles: BTreeMap<(u32, u64), Vec<u8>>,
}

impl<'a> Nodes<'a> {
    pub(crate) fn new(view: &'a View<'a>) -> Self {
        Self { view, tiles: BTreeMap::new() }
    }

    /// The hash of a complete tree: of a level, the n-th.
    pub(crate) fn find(&mut self, level: u32, place: u64) -> Result<Hash> {
        let first = place << (level % LEVELS);
        let tile = self.tile(level / LEVELS, first / WIDTH)?;
        let from = (first % WIDTH) as usize * BYTES;
        let part = tile.get(from..from + (BYTES << (level % LEVELS)));
        part.map(|part| tree::over(&hashes(part))).ok_or_else(|| damaged("a node is not there"))
    }

    fn tile(&mut self, level: u32, tile: u64) -> Result<&[u8]> {
        if !self.tiles.contains_key(&(level, tile)) {
            self.tiles.insert((level, tile), read(self.view, level, tile)?);
        }
        Ok(self.tiles.get(&(level, tile)).map_or(&[], Vec::as_slice))
    }

    /// The hash over the leaves of a tree of a size.
    pub(crate) fn root(&mut self, size: u64) -> Result<Hash> {
        tree::root(0, size, &mut |level, place| self.find(level, place))
    }
}

/// The hashes of a tile, one behind the other; none where there is no such tile.
pub(crate) fn read(view: &View, level: u32, tile: u64) -> Result<Vec<u8>> {
    const TILE: &str =
        "SELECT hashes FROM audit_tile WHERE tenant = :tenant AND level = $1 AND tile = $2";
    let row = view.row::<(Vec<u8>,)>(TILE, (i64::from(level), tile as i64))?;
    Ok(row.map(|(hashes,)| hashes).unwrap_or_default())
}

pub(crate) fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks().0.to_vec()
}

/// Adds leaves behind those of a head, and signs the head of all of them.
///
/// # Errors
/// `audit.damaged` where the nodes that it goes on from are not those that were signed, and
/// `background.overtaken` where somebody else went on from them.
pub(crate) fn append(tx: &mut Tx, head: Head, leaves: &[Hash]) -> Result<()> {
    const TILE: &str = "INSERT INTO audit_tile (tenant, level, tile, hashes) \
         VALUES (:tenant, $1, $2, $3) \
         ON CONFLICT (tenant, level, tile) DO UPDATE SET hashes = excluded.hashes";
    let (key, tenant, before) = (key(tx)?, tx.caller().tenant.clone(), head.size);
    if before > 0
        && (Nodes::new(tx).root(before)?[..] != head.root || !head.is_signed(&tenant, &key))
    {
        return Err(damaged("the end of the tree is not what was signed"));
    }
    let mut open = BTreeMap::<u32, (u64, Vec<u8>)>::new();
    let mut full = Vec::new();
    for (place, leaf) in (before..).zip(leaves) {
        let (mut level, mut place, mut hash) = (0, place, *leaf);
        loop {
            let tile = match open.remove(&level) {
                Some((_, bytes)) => bytes,
                None if place % WIDTH == 0 => Vec::new(),
                None => read(tx, level, place / WIDTH)?,
            };
            let bytes = [tile.as_slice(), &hash].concat();
            if (bytes.len() / BYTES) as u64 != place % WIDTH + 1 {
                return Err(damaged("a tile is too long or too short"));
            }
            if (place + 1) % WIDTH != 0 {
                open.insert(level, (place / WIDTH, bytes));
                break;
            }
            hash = tree::over(&hashes(&bytes));
            full.push((level, place / WIDTH, bytes));
            (level, place) = (level + 1, place / WIDTH);
        }
    }
    let open = open.into_iter().map(|(level, (tile, bytes))| (level, tile, bytes));
    for (level, tile, bytes) in full.into_iter().chain(open) {
        tx.execute(TILE, (i64::from(level), tile as i64, bytes.as_slice()))?;
    }
    let size = before + leaves.len() as u64;
    let root = Nodes::new(tx).root(size)?.to_vec();
    let head = Head { size, root, time: tx.now(), ..head }.signed(&tenant, &key);
    keep(tx, before, &head)
}

/// Keeps a head in the place of one of a size.
fn keep(tx: &mut Tx, before: u64, head: &Head) -> Result<()> {
    const BEGIN: &str = "INSERT INTO audit_head \
         (tenant, size, root, time, signature, requests, told, told_time, kept_from, look_from) \
         VALUES (:tenant, $1, $2, $3, $4, $5, 0, 0, 0, 0) ON CONFLICT (tenant) DO NOTHING";
    const MOVE: &str = "UPDATE audit_head SET size = $1, root = $2, time = $3, signature = $4, \
         requests = $5 WHERE tenant = :tenant AND size = $6";
    let Head { size, root, time, signature, requests, .. } = head;
    let row = (*size as i64, root.as_slice(), *time, signature.as_slice(), *requests);
    let kept = match before {
        0 => tx.execute(BEGIN, row)?,
        _ => tx.execute(MOVE, (row.0, row.1, row.2, row.3, row.4, before as i64))?,
    };
    match kept {
        1 => Ok(()),
        _ => Err(Error::new(Code::Aborted, "background.overtaken", "the tree has grown meanwhile")),
    }
}

pub(crate) fn damaged(what: &'static str) -> Error {
    Reason::Damaged.because(what)
}
