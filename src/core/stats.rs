//! Counters of one cache: numbers for people. Who sees one counted sees what was done before it was.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

/// Counts up from 0 for as long as the cache lives.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn increment(&self) {
        self.0.fetch_add(1, Release);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Acquire)
    }
}

#[derive(Default)]
pub struct Stats {
    /// Reads served by the near cache.
    pub memory_hits: Counter,
    /// Reads that it could not serve.
    pub asked: Counter,
    /// Reads that joined a flight which another read had started.
    pub joined: Counter,
    /// Flights that the store answered with the value, or by confirming what the near cache holds.
    pub hits: Counter,
    /// Flights for which the store had nothing usable.
    pub misses: Counter,
    /// Misses because of a value that this package did not write, or not whole.
    pub foreign: Counter,
    /// Misses because of a value whose signature was missing, wrong, or of a time that is over.
    pub signatures_refused: Counter,
    /// Looks into the store, and fills, that it did not answer, or was not asked for while its breaker is open.
    pub store_faults: Counter,
    /// Requests to the source.
    pub source_reads: Counter,
    /// Requests to the source that gave no answer.
    pub source_faults: Counter,
    /// Flights answered by the last value known to be good, because neither store nor source answered.
    pub stale: Counter,
    /// Flights answered by the legacy source or the fallback prompt.
    pub fallbacks: Counter,
    /// Values written to the store.
    pub fills: Counter,
    /// Values not written, because an invalidation came between.
    pub fills_refused: Counter,
    /// Invalidations that went through.
    pub invalidations: Counter,
    /// Invalidations that did not reach the store.
    pub invalidations_failed: Counter,
    /// Announcements of an invalidation made here that the store did not take.
    pub publishes_failed: Counter,
    /// Announcements that arrived.
    pub pushes: Counter,
    /// How often the push stream was opened.
    pub push_connects: Counter,
    /// Loads begun because the stored value was gone or about to expire.
    pub refreshes: Counter,
}

impl Stats {
    /// Reads that began.
    pub fn reads(&self) -> u64 {
        self.memory_hits.get() + self.asked.get()
    }
}
