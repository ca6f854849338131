//! What happened, step by step, in bounded memory: a ring of points, each of which holds the methods
//! that were called in it, packed as numbers of seven bits a byte. A method that a dozen buckets describe
//! takes some forty bytes.

use std::collections::VecDeque;

use super::histogram::Histogram;

/// What is looked at once in a step, of the node as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) commits: u64,
    pub(crate) batches: u64,
    pub(crate) batch_us: u64,
    pub(crate) retries: u64,
    pub(crate) reads: u64,
    /// The most that was seen.
    pub(crate) queue: u64,
    pub(crate) wal_bytes: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) connections: u64,
}

impl Whole {
    /// Adds what was counted in another step, and keeps the most of what was measured.
    pub(crate) fn add(&mut self, other: &Self) {
        self.commits += other.commits;
        self.batches += other.batches;
        self.batch_us += other.batch_us;
        self.retries += other.retries;
        self.reads += other.reads;
        self.queue = self.queue.max(other.queue);
        self.wal_bytes = self.wal_bytes.max(other.wal_bytes);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.connections = self.connections.max(other.connections);
    }
}

/// Calls of one method in one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) errors: u64,
    pub(crate) total_us: u64,
    /// How many were in which bucket, ascending.
    pub(crate) within: Vec<(usize, u64)>,
}

/// Calls of several steps, or methods.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    pub(crate) errors: u64,
    pub(crate) total_us: u64,
    pub(crate) within: Histogram,
}

impl Calls {
    pub(crate) fn add(&mut self, counted: &Counted) {
        self.errors += counted.errors;
        self.total_us += counted.total_us;
        for (bucket, count) in &counted.within {
            self.within.add(*bucket, *count);
        }
    }

    /// The same, to be packed.
    pub(crate) fn counted(&self) -> Counted {
        let Self { errors, total_us, within } = self;
        Counted { errors: *errors, total_us: *total_us, within: within.filled() }
    }
}

/// A step.
#[derive(Debug)]
pub(crate) struct Point {
    /// Which one, counted from 1970.
    pub(crate) step: i64,
    pub(crate) whole: Whole,
    methods: Box<[u8]>,
}

impl Point {
    /// What was called in a step, by the place that a method has.
    pub(crate) fn new(
        step: i64, whole: Whole, methods: impl IntoIterator<Item = (usize, Counted)>,
    ) -> Self {
        let mut packed = Vec::new();
        for (place, Counted { errors, total_us, within }) in methods {
            let head = [place as u64, errors, total_us, within.len() as u64];
            head.into_iter().for_each(|number| put(&mut packed, number));
            let mut before = 0;
            for (bucket, count) in within {
                put(&mut packed, (bucket - before) as u64);
                put(&mut packed, count);
                before = bucket;
            }
        }
        Self { step, whole, methods: packed.into() }
    }

    /// The same again.
    pub(crate) fn methods(&self) -> impl Iterator<Item = (usize, Counted)> {
        let mut left = &*self.methods;
        std::iter::from_fn(move || {
            let place = take(&mut left)? as usize;
            let (errors, total_us) = (take(&mut left)?, take(&mut left)?);
            let mut bucket = 0;
            let within = (0..take(&mut left)?).map_while(|_| {
                bucket += take(&mut left)? as usize;
                Some((bucket, take(&mut left)?))
            });
            let within = within.collect();
            Some((place, Counted { errors, total_us, within }))
        })
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.methods.len()
    }
}

/// Writes a number, seven bits a byte, the lowest first; the last byte is below 128.
fn put(packed: &mut Vec<u8>, mut number: u64) {
    while number >= 128 {
        packed.push(number as u8 | 128);
        number >>= 7;
    }
    packed.push(number as u8);
}

/// Reads one.
fn take(left: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = left.split_first()?;
        *left = rest;
        number |= u64::from(byte & 127) << shift;
        if *byte < 128 {
            break;
        }
    }
    Some(number)
}

/// The last points, as many as there may be, and no more bytes than they may have.
pub(crate) struct Ring {
    points: VecDeque<Point>,
    points_max: usize,
    bytes: usize,
    bytes_max: usize,
}

impl Ring {
    pub(crate) fn new(points_max: usize, bytes_max: usize) -> Self {
        Self { points: VecDeque::new(), points_max, bytes: 0, bytes_max }
    }

    /// Adds a point; the oldest go where there is no room. Where the clock was set back, what it
    /// says now comes before what was, and points of both go by their own time.
    pub(crate) fn push(&mut self, point: Point) {
        self.bytes += point.bytes();
        self.points.push_back(point);
        while self.points.len() > self.points_max || self.bytes > self.bytes_max {
            let Some(oldest) = self.points.pop_front() else { return };
            self.bytes -= oldest.bytes();
        }
    }

    /// Points from one step on and before another one.
    pub(crate) fn between(&self, from: i64, to: i64) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(move |point| (from..to).contains(&point.step))
    }

    /// The oldest step that is known.
    pub(crate) fn first(&self) -> Option<i64> {
        self.points.front().map(|point| point.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_told_again() {
        let methods = || {
            let within = vec![(0, 1), (7, 128), (90, 20_000)];
            let busy = Counted { errors: 2, total_us: u64::MAX, within };
            [(300, busy), (301, Counted { errors: 0, total_us: 9, within: vec![(3, 5)] })]
        };
        let point = Point::new(1, Whole::default(), methods());
        assert_eq!(point.methods().collect::<Vec<_>>(), methods());
    }

    #[test]
    fn the_oldest_go_for_their_number_and_for_their_bytes() {
        let point =
            |step, bytes| Point { step, whole: Whole::default(), methods: vec![0; bytes].into() };
        let size = point(0, 100).bytes();
        let mut ring = Ring::new(3, 3 * size);
        (0..5).for_each(|step| ring.push(point(step, 100)));
        let steps = |ring: &Ring| ring.between(0, 9).map(|point| point.step).collect::<Vec<_>>();
        assert_eq!((steps(&ring), ring.first()), (vec![2, 3, 4], Some(2)));
        ring.push(point(5, 101));
        assert_eq!(steps(&ring), [4, 5]);
        ring.push(point(6, 4 * size));
        assert_eq!((steps(&ring), ring.bytes), (vec![], 0));
    }
}
