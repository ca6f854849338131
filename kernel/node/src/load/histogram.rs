//! How long calls took, in buckets that grow with what they hold: eight to each doubling, so that a
//! quantile is told to a sixteenth. Counts of many steps and nodes add up, which quantiles do not.

/// Buckets to each doubling, as a power of two.
const PRECISION: u32 = 3;
const FINE: usize = 1 << PRECISION;
/// The longest time that is told apart, in microseconds, as a power of two: a bit over a minute.
const DOUBLINGS: u32 = 26;
/// How many buckets there are.
pub(crate) const BUCKETS: usize = ((DOUBLINGS - PRECISION + 1) as usize) * FINE;

/// The bucket of a time in microseconds. Below eight each has its own.
pub(crate) fn bucket(us: u64) -> usize {
    let us = us.min((1 << DOUBLINGS) - 1);
    if us < FINE as u64 {
        return us as usize;
    }
    let doubling = us.ilog2() - PRECISION;
    (doubling as usize) * FINE + (us >> doubling) as usize
}

/// Where a bucket begins, in microseconds.
fn begin(bucket: usize) -> u64 {
    let doubling = (bucket / FINE).saturating_sub(1);
    ((bucket - doubling * FINE) as u64) << doubling
}

/// Calls by how long they took.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0 }
    }
}

impl Histogram {
    /// Adds calls to a bucket.
    pub(crate) fn add(&mut self, bucket: usize, count: u64) {
        if let Some(counted) = self.counts.get_mut(bucket) {
            *counted += count;
            self.count += count;
        }
    }

    /// The buckets that hold any, ascending.
    pub(crate) fn filled(&self) -> Vec<(usize, u64)> {
        let all = self.counts.iter().copied().enumerate();
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// How many calls it holds.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The microseconds within which so many of a thousand calls ended; 0 where there were none.
    /// Within a bucket calls are taken to be spread evenly.
    pub(crate) fn quantile(&self, per_mille: u64) -> i64 {
        let wanted = (self.count * per_mille).div_ceil(1000).max(1);
        let mut before = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            if before + count >= wanted {
                let (low, high) = (begin(bucket), begin(bucket + 1));
                return (low + (high - low) * (wanted - before) / count) as i64;
            }
            before += count;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_the_bucket_that_begins_before_it() {
        let longest = (1 << DOUBLINGS) - 1;
        for us in (0..4_096).chain((12..DOUBLINGS).flat_map(|n| [(1 << n) - 1, 1 << n])) {
            let at = bucket(us);
            assert!(begin(at) <= us && us < begin(at + 1), "{us} in {at}");
            assert!(
                begin(at + 1) - begin(at) <= (us / FINE as u64).max(1),
                "{us} is told too roughly"
            );
        }
        assert_eq!((bucket(longest), bucket(u64::MAX)), (BUCKETS - 1, BUCKETS - 1));
    }

    #[test]
    fn quantiles_of_what_was_added_up_are_those_of_all() {
        let mut all = Histogram::default();
        assert_eq!(all.quantile(500), 0);
        for us in 1..=1_000 {
            all.add(bucket(us * 100), 1);
        }
        for (per_mille, exact) in [(500, 50_000), (900, 90_000), (990, 99_000)] {
            let off = (all.quantile(per_mille) - exact).abs();
            assert!(off < exact / 16, "{per_mille} of 1000: {}", all.quantile(per_mille));
        }
    }
}
