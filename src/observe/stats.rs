//! Counters of one cache: numbers for people. Who sees one counted sees what was done before it was.

use crate::error::Fault;
use crate::observe::histogram::Histogram;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counts up from 0 for as long as the cache lives.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn increment(&self) {
        self.0.fetch_add(1, Release);
    }

    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Release);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Acquire)
    }
}

/// What the last fault was, in one word.
#[derive(Default)]
pub struct LastFault(Mutex<Option<&'static str>>);

impl LastFault {
    pub fn note(&self, fault: &Fault) {
        // A panic under this lock leaves a whole word.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.class());
    }

    pub fn get(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Looks into the store that found nothing usable.
    pub misses: Counter,
    /// Misses because there was nothing, or nothing that is still true.
    pub absent: Counter,
    /// Misses because of a value that this package did not write, or not whole.
    pub foreign: Counter,
    /// Misses because of a value whose signature was missing, wrong, or of a time that is over.
    pub signatures_refused: Counter,
    /// Looks into the store, and fills, that it did not answer, or was not asked for while its breaker is open.
    pub store_faults: Counter,
    /// Flights that the source answered.
    pub loaded: Counter,
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
    pub last_store_fault: LastFault,
    pub last_source_fault: LastFault,
    pub last_push_fault: LastFault,
    /// When the push stream last said something, on the cache's monotonic clock in nanoseconds; 0: not yet.
    last_push: AtomicU64,
    /// How long the store took to answer a read.
    pub store_latency: Histogram,
    /// How long the source took to answer.
    pub source_latency: Histogram,
    /// For how long a value had been served without asking, each time that it was asked for again.
    pub staleness: Histogram,
    /// From the commit of an invalidation made here until an instance had confirmed it, for receipts of all.
    pub propagation: Histogram,
}

/// Reads one number of some counts.
pub type Count = fn(&Stats) -> u64;

impl Stats {
    /// Reads that began.
    pub fn reads(&self) -> u64 {
        self.memory_hits.get() + self.asked.get()
    }

    /// The store did not answer something that a read or a fill asked of it.
    pub fn store_failed(&self, fault: &Fault) {
        self.store_faults.increment();
        self.last_store_fault.note(fault);
    }

    /// The push stream was opened, or said something.
    pub fn pushed(&self, now: Duration) {
        self.last_push.store(now.as_nanos() as u64, Release);
    }

    /// When that was.
    pub fn last_push(&self) -> Option<Duration> {
        let at = self.last_push.load(Acquire);
        (at > 0).then(|| Duration::from_nanos(at))
    }
}
