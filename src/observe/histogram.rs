//! Counts durations by size, for metrics. The bounds are the same for all: from what a loopback takes to a deadline.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds in milliseconds; what is longer counts in a bucket of its own.
pub const BOUNDS_MS: [u64; 13] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/// How many durations fell between two bounds, and their sum.
#[derive(Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    microseconds: AtomicU64,
}

impl Histogram {
    pub fn observe(&self, duration: Duration) {
        let bucket = BOUNDS_MS.partition_point(|&ms| Duration::from_millis(ms) < duration);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.microseconds
            .fetch_add(duration.as_micros() as u64, Relaxed);
    }

    /// How many were no longer than each bound, and how many there were in all.
    pub fn cumulated(&self) -> [u64; BOUNDS_MS.len() + 1] {
        let mut count = 0;
        std::array::from_fn(|bucket| {
            count += self.buckets[bucket].load(Relaxed);
            count
        })
    }

    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.microseconds.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_holds_it_and_in_all_after() {
        let histogram = Histogram::default();
        for micros in [0, 1000, 1001, 9_999_000, 60_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let counts = histogram.cumulated();
        assert_eq!(counts[..3], [2, 3, 3]);
        assert_eq!(counts[11..], [3, 4, 5]);
        assert_eq!(histogram.sum(), Duration::from_micros(70_001_001));
    }
}
