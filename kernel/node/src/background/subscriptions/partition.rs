//! What waits where: the memory between the log and the handlers. It can be lost at any time,
//! and is read again from the cursors on.

use std::collections::VecDeque;
use std::sync::Arc;

use stoa_kit::Micros;

use super::PATIENCE;
use super::cursors::{Row, TO_FILL};
use super::router::Reaction;

/// A place in the log: the position of a commit, and an event's place among those of it.
pub(super) type Place = (i64, i64);

/// Events that may wait in a partition before the log is not read on for it. A page more is.
const WAITING_MAX: usize = 1_024;
/// Events handled in one commit at the most.
const BATCH_MAX: usize = 64;

/// A subscription, as far as it has come.
pub(super) struct Subscription {
    pub(super) reaction: Arc<Reaction>,
    pub(super) partitions: Vec<Partition>,
    pub(super) generation: i64,
    /// The page that is filled next, before any event is delivered.
    pub(super) page: Option<String>,
    /// How far the partitions of each earlier generation came: what they handled is handled.
    earlier: Vec<Vec<Place>>,
}

/// One partition of a subscription.
pub(super) struct Partition {
    pub(super) reaction: Arc<Reaction>,
    pub(super) generation: i64,
    pub(super) number: i64,
    /// Everything of this partition up to here is handled.
    pub(super) cursor: Place,
    /// Everything of this partition up to here is handled, or waits.
    pub(super) read: Place,
    /// How often the first event that waits was tried alone.
    pub(super) attempts: u32,
    waiting: VecDeque<Place>,
    batch: usize,
    is_live: bool,
    is_open: bool,
    holder: String,
    /// What waits for another node, and since when.
    waits: Option<(Place, Micros)>,
}

/// The cursor of a partition that had nothing to do, and where it belongs.
pub(super) struct Idle {
    pub(super) name: String,
    pub(super) generation: i64,
    pub(super) number: i64,
    pub(super) from: Place,
    pub(super) to: Place,
}

impl Subscription {
    pub(super) fn new(reaction: Reaction) -> Self {
        let reaction = Arc::new(reaction);
        let (partitions, earlier) = (Vec::new(), Vec::new());
        Self { reaction, partitions, generation: 0, page: None, earlier }
    }

    /// Takes over what the store says about it. Which partitions there are, it says too: so all
    /// nodes agree, whatever their manifests say.
    pub(super) fn follow(&mut self, mut rows: Vec<Row>) {
        let generation = rows.last().map_or(0, |row| row.generation);
        let current = rows.split_off(rows.partition_point(|row| row.generation < generation));
        let page = current.first().filter(|row| row.state.is_empty());
        self.page = page.and_then(|row| row.fill.strip_prefix(TO_FILL)).map(str::to_owned);
        if generation != self.generation || current.len() != self.partitions.len() {
            let partition = |row: &Row| Partition::new(&self.reaction, row);
            self.partitions = current.iter().map(partition).collect();
            self.generation = generation;
        }
        for (partition, row) in self.partitions.iter_mut().zip(current) {
            partition.follow(row);
        }
        let generations = rows.chunk_by(|one, next| one.generation == next.generation);
        self.earlier = generations.map(|all| all.iter().map(|row| row.cursor).collect()).collect();
    }

    /// A page begins behind a place.
    pub(super) fn open(&mut self, from: Place) {
        for partition in &mut self.partitions {
            partition.is_open = partition.has_room() && partition.read >= from;
        }
    }

    /// Lets an event of the page wait, unless it is handled.
    pub(super) fn offer(&mut self, place: Place, subject: &str) {
        let number = partition_of(subject, self.partitions.len());
        let Some(partition) = self.partitions.get_mut(number) else { return };
        let handled = |places: &Vec<Place>| {
            places.get(partition_of(subject, places.len())).is_some_and(|cursor| place <= *cursor)
        };
        if partition.is_open && place > partition.read && !self.earlier.iter().any(handled) {
            partition.waiting.push_back(place);
        }
    }

    /// The page ends at a place.
    pub(super) fn close(&mut self, end: Place) {
        for partition in self.partitions.iter_mut().filter(|one| one.is_open) {
            partition.read = partition.read.max(end);
        }
    }
}

impl Partition {
    fn new(reaction: &Arc<Reaction>, row: &Row) -> Self {
        Self {
            reaction: Arc::clone(reaction),
            generation: row.generation,
            number: row.partition,
            cursor: row.cursor,
            read: row.cursor,
            attempts: 0,
            waiting: VecDeque::new(),
            batch: BATCH_MAX,
            is_live: false,
            is_open: false,
            holder: String::new(),
            waits: None,
        }
    }

    fn follow(&mut self, row: Row) {
        self.is_live = row.state.is_empty() && row.fill.is_empty();
        self.holder = row.holder;
        if !self.is_live || row.cursor < self.cursor {
            self.waiting.clear();
            self.read = row.cursor;
        }
        self.cursor = row.cursor;
        self.read = self.read.max(self.cursor);
        while self.waiting.front().is_some_and(|place| *place <= self.cursor) {
            self.waiting.pop_front();
            self.attempts = 0;
        }
    }

    /// Whether it may have something to do although no further event comes.
    pub(super) fn waits(&self) -> bool {
        !self.is_live || !self.waiting.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.is_live && self.waiting.len() < WAITING_MAX
    }

    /// Whether something waits that is another node's to handle.
    pub(super) fn waits_for_another(&self, name: &str) -> bool {
        !self.waiting.is_empty() && !self.holder.is_empty() && self.holder != name
    }

    /// Whether this node is to handle what waits, if anything does.
    pub(super) fn is_ours(&mut self, name: &str, now: Micros) -> bool {
        let Some(first) = self.waiting.front().copied() else { return false };
        if !self.waits_for_another(name) {
            return true;
        }
        match self.waits {
            Some((place, since)) if place == first && since <= now => now.since(since) >= PATIENCE,
            _ => {
                self.waits = Some((first, now));
                false
            }
        }
    }

    /// What is to be handled in the next commit.
    pub(super) fn next(&self) -> Vec<Place> {
        self.waiting.iter().take(self.batch).copied().collect()
    }

    /// Some events were handled, or put aside; the next may be more.
    pub(super) fn handled(&mut self, count: usize, to: Place) {
        self.waiting.drain(..count.min(self.waiting.len()));
        self.cursor = to;
        self.attempts = 0;
        self.batch = (self.batch * 2).min(BATCH_MAX);
    }

    /// One of several events failed: it is looked for in half of them.
    pub(super) fn halve(&mut self, count: usize) {
        self.batch = (count / 2).max(1);
    }

    /// Where the cursor belongs if nothing waits; none if it is there.
    pub(super) fn idle(&self, seen: Place) -> Option<Idle> {
        let to = self.read.min(seen);
        (self.is_live && self.waiting.is_empty() && self.cursor < to).then(|| Idle {
            name: self.reaction.name.clone(),
            generation: self.generation,
            number: self.number,
            from: self.cursor,
            to,
        })
    }

    /// Commits between the first event that waits and the end of the log.
    pub(super) fn lag(&self, settled: i64) -> i64 {
        self.waiting.front().map_or(0, |(position, _)| (settled - position + 1).max(0))
    }
}

/// The partition of a subject among so many: the same on every node and in every version.
pub(crate) fn partition_of(subject: &str, partitions: usize) -> usize {
    let hash = blake3::hash(subject.as_bytes());
    let bytes = &hash.as_bytes()[..4];
    bytes.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)) % partitions.max(1)
}
