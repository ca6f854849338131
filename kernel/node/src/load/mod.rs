//! What the node did of late: calls by method, commits, and what it held, kept in its own memory
//! from its start on. Steps of ten seconds are kept for two hours and minutes for a day, in no more
//! than four mebibytes each; where that is too little for very many methods, the oldest go sooner.
//!
//! A call is counted by three additions, without a lock. A step is closed by the background once it is
//! over, or by the first look after the node was asleep: steps in which it did not run are not there.

mod histogram;
mod points;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use stoa_kit::Micros;

use histogram::{BUCKETS, bucket};
pub(crate) use points::{Calls, Whole};
use points::{Counted, Point, Ring};

const SECOND_US: i64 = 1_000_000;
/// Seconds of a step, fine and coarse, and how many of each are kept.
const FINE: (i64, usize) = (10, 720);
const COARSE: (i64, usize) = (60, 1_440);
/// Bytes that each of both may have.
const BYTES_MAX: usize = 4 << 20;
/// Points that one look is told at the most.
const TOLD_MAX: i64 = 720;

/// The load of a node.
pub(crate) struct Load {
    /// The methods, each at its place.
    paths: Box<[&'static str]>,
    /// What each of them counts; made when it is called first.
    live: Box<[OnceLock<Box<Live>>]>,
    kept: Mutex<Kept>,
}

/// What was counted since the last step was closed.
struct Live {
    errors: AtomicU64,
    total_us: AtomicU64,
    within: [AtomicU64; BUCKETS],
}

struct Kept {
    fine: Ring,
    coarse: Ring,
    /// The fine step that is open, and the most that was measured in it.
    open: Option<(i64, Whole)>,
    /// The counters as they were when it began.
    before: Whole,
}

/// A span of time, told in equal steps.
#[derive(Default)]
pub(crate) struct Told {
    /// Seconds of a step.
    pub(crate) step: i64,
    /// The oldest time that is known.
    pub(crate) since: Option<Micros>,
    /// The steps that are known, by when they began.
    pub(crate) steps: Vec<(Micros, Whole, Calls)>,
    /// Calls of the whole span, by method.
    pub(crate) methods: BTreeMap<&'static str, Calls>,
}

impl Load {
    /// Nothing yet, of some methods.
    pub(crate) fn new(paths: impl Iterator<Item = &'static str>) -> Self {
        let mut paths: Box<[_]> = paths.collect();
        paths.sort_unstable();
        let live = paths.iter().map(|_| OnceLock::new()).collect();
        Self { paths, live, kept: Mutex::new(Kept::new()) }
    }

    /// The place of a method.
    pub(crate) fn place(&self, path: &str) -> Option<usize> {
        self.paths.binary_search(&path).ok()
    }

    /// Counts a call.
    pub(crate) fn called(&self, place: usize, failed: bool, spent: Duration) {
        let Some(live) = self.live.get(place) else { return };
        let live = live.get_or_init(|| Box::new(Live::new()));
        let us = u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
        live.within[bucket(us)].fetch_add(1, Relaxed);
        live.total_us.fetch_add(us, Relaxed);
        live.errors.fetch_add(u64::from(failed), Relaxed);
    }

    /// Looks at the node: `seen` has its counters as they are since its start. Closes the step that
    /// is over, if one is.
    pub(crate) fn look(&self, now: Micros, seen: Whole) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let step = now.0.div_euclid(FINE.0 * SECOND_US);
        if let Some((open, most)) = kept.open.filter(|(open, _)| *open != step) {
            let whole = Whole {
                commits: seen.commits - kept.before.commits,
                batches: seen.batches - kept.before.batches,
                batch_us: seen.batch_us - kept.before.batch_us,
                retries: seen.retries - kept.before.retries,
                reads: seen.reads - kept.before.reads,
                ..most
            };
            kept.fine.push(Point::new(open, whole, self.drained()));
            kept.close_minute(open, step);
            (kept.open, kept.before) = (None, seen);
        }
        let (_, most) = kept.open.get_or_insert((step, Whole::default()));
        most.add(&Whole { commits: 0, batches: 0, batch_us: 0, retries: 0, reads: 0, ..seen });
    }

    /// What was counted since this was asked last.
    fn drained(&self) -> impl Iterator<Item = (usize, Counted)> {
        self.live.iter().enumerate().filter_map(|(place, live)| {
            let live = live.get()?;
            let within = live.within.iter().enumerate();
            let within = within.map(|(bucket, count)| (bucket, count.swap(0, Relaxed)));
            let within: Vec<_> = within.filter(|(_, count)| *count > 0).collect();
            let (errors, total_us) = (live.errors.swap(0, Relaxed), live.total_us.swap(0, Relaxed));
            (!within.is_empty()).then_some((place, Counted { errors, total_us, within }))
        })
    }

    /// What is known from one time to another: of all methods, or in its steps of one.
    pub(crate) fn told(&self, from: Micros, to: Micros, only: &str) -> Told {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = to.0.saturating_sub(from.0).div_euclid(SECOND_US).max(1);
        let fine = kept.fine.first().map(|step| step * FINE.0 * SECOND_US);
        let coarse = kept.coarse.first().map(|step| step * COARSE.0 * SECOND_US);
        // While nothing of them is lost, the fine steps know all that the coarse ones do.
        let whole = coarse.is_none_or(|first| fine < Some(first + COARSE.0 * SECOND_US));
        let is_fine = seconds < FINE.0 * TOLD_MAX && (whole || fine <= Some(from.0));
        let (ring, unit) = if is_fine { (&kept.fine, FINE.0) } else { (&kept.coarse, COARSE.0) };
        let step = unit * (seconds / unit / TOLD_MAX + 1);
        let since = fine.into_iter().chain(coarse).min().map(Micros);
        let mut told = Told { step, since, ..Told::default() };
        let at = |time: Micros| time.0.div_euclid(unit * SECOND_US);
        for point in ring.between(at(from), at(to).saturating_add(1)) {
            let time = Micros((point.step * unit).div_euclid(step) * step * SECOND_US);
            if told.steps.last().is_none_or(|(last, ..)| *last != time) {
                told.steps.push((time, Whole::default(), Calls::default()));
            }
            let Some((_, whole, all)) = told.steps.last_mut() else { continue };
            whole.add(&point.whole);
            for (place, counted) in point.methods() {
                let path = self.paths.get(place).copied().unwrap_or_default();
                if only.is_empty() || only == path {
                    all.add(&counted);
                }
                told.methods.entry(path).or_default().add(&counted);
            }
        }
        told
    }
}

impl Live {
    fn new() -> Self {
        let (errors, total_us) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { errors, total_us, within: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Kept {
    fn new() -> Self {
        let (fine, coarse) = (Ring::new(FINE.1, BYTES_MAX), Ring::new(COARSE.1, BYTES_MAX));
        Self { fine, coarse, open: None, before: Whole::default() }
    }

    /// Makes a minute of its steps, once the next step is in another one.
    fn close_minute(&mut self, last: i64, next: i64) {
        let steps = COARSE.0 / FINE.0;
        let minute = last.div_euclid(steps);
        if next.div_euclid(steps) == minute {
            return;
        }
        let (mut whole, mut methods) = (Whole::default(), BTreeMap::<usize, Calls>::new());
        for point in self.fine.between(minute * steps, (minute + 1) * steps) {
            whole.add(&point.whole);
            for (place, counted) in point.methods() {
                methods.entry(place).or_default().add(&counted);
            }
        }
        let methods = methods.into_iter().map(|(place, calls)| (place, calls.counted()));
        self.coarse.push(Point::new(minute, whole, methods));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> Micros {
        Micros(1_767_225_600_000_000 + seconds * SECOND_US)
    }

    /// A node that was called once a second and made two commits, from the beginning on.
    fn busy(load: &Load, seconds: std::ops::Range<i64>) {
        for second in seconds {
            let commits = 2 * second as u64;
            let queue = u64::from(second == 5) * 7;
            load.look(at(second), Whole { commits, queue, ..Whole::default() });
            load.called(0, second % 10 == 0, Duration::from_millis(2));
        }
    }

    fn load() -> Load {
        Load::new(["a/B", "a/A"].into_iter())
    }

    #[test]
    fn a_step_is_told_once_it_is_over() {
        let load = load();
        busy(&load, 0..25);
        assert_eq!(
            (load.place("a/A"), load.place("a/B"), load.place("a")),
            (Some(0), Some(1), None)
        );
        let told = load.told(at(0), at(30), "");
        assert_eq!((told.step, told.since, told.steps.len()), (10, Some(at(0)), 2));
        let (time, whole, calls) = &told.steps[1];
        assert_eq!((*time, whole.commits, whole.queue), (at(10), 20, 0));
        assert_eq!((calls.within.count(), calls.errors, calls.total_us), (10, 1, 20_000));
        assert_eq!(told.steps[0].1.queue, 7, "the most that was seen");
        assert_eq!(told.methods.keys().collect::<Vec<_>>(), [&"a/A"]);
        let other = load.told(at(0), at(30), "a/B");
        assert_eq!((other.steps[1].2.within.count(), other.methods["a/A"].errors), (0, 2));
    }

    #[test]
    fn what_is_longer_ago_is_told_in_minutes_and_a_gap_is_a_gap() {
        let load = load();
        busy(&load, 0..3 * HOUR);
        busy(&load, 4 * HOUR..4 * HOUR + 70);
        let now = at(4 * HOUR + 70);
        let far = load.told(at(0), at(2 * HOUR), "");
        assert_eq!((far.step, far.steps.len(), far.since), (60, 121, Some(at(0))));
        let (_, whole, calls) = &far.steps[0];
        assert_eq!((whole.commits, calls.within.count(), whole.queue), (120, 60, 7));
        // The step that was open when the node went to sleep is the last before the gap.
        let hours = load.told(at(2 * HOUR), now, "");
        let times: Vec<i64> = hours.steps.iter().map(|(time, ..)| time.0).collect();
        assert!(times.contains(&at(3 * HOUR - 60).0) && times.contains(&at(4 * HOUR).0));
        assert!(!times.iter().any(|time| (at(3 * HOUR).0..at(4 * HOUR).0).contains(time)));
        let near = load.told(at(4 * HOUR), now, "");
        assert_eq!((near.step, near.steps.len()), (10, 6));
        let year = load.told(Micros(0), now, "");
        assert!(year.steps.len() <= TOLD_MAX as usize && year.step > 60);
        let all: u64 = year.steps.iter().map(|(.., calls)| calls.within.count()).sum();
        assert_eq!(all, 3 * 3_600 + 60, "all but the minute that is open");
    }
}
