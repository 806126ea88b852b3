//! The lease: which value may be served without asking, and until when. A hit reads it without a lock.
//!
//! Values have numbers, from 1. Writers are put in order by the near cache's lock; a reader may run beside one, and is given
//! a lease that was valid at a moment of its look, or none.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;

/// The number of no value.
const NOBODY: u64 = 0;
/// When a renewal that has begun is due.
const NEVER: u64 = u64::MAX;

/// Times are nanoseconds of the cache's monotonic clock.
#[derive(Default)]
pub struct Lease {
    holder: AtomicU64,
    until: AtomicU64,
    renew_at: AtomicU64,
}

impl Lease {
    /// Whether the value of this number may be served at `now`.
    pub fn covers(&self, number: u64, now: Duration) -> bool {
        let holds = || number != NOBODY && self.holder.load(Acquire) == number;
        // Looked at twice, as the time between may be that of another value: who sees its time also sees that it was taken
        // from this one before (`grant`).
        holds() && nanoseconds(now) < self.until.load(Acquire) && holds()
    }

    /// Whether this reader is to renew the lease: one reader is, once it is due.
    pub fn take_renewal(&self, now: Duration) -> bool {
        let renew_at = self.renew_at.load(Relaxed);
        nanoseconds(now) >= renew_at
            && self
                .renew_at
                .compare_exchange(renew_at, NEVER, Relaxed, Relaxed)
                .is_ok()
    }

    /// Leases the value of this number; whatever had a lease has none.
    pub fn grant(&self, number: u64, until: Duration, renew_at: Duration) {
        if self.holder.load(Relaxed) != number {
            self.end();
        }
        self.until.store(nanoseconds(until), Release);
        self.renew_at.store(nanoseconds(renew_at), Relaxed);
        self.holder.store(number, Release);
    }

    pub fn end(&self) {
        self.holder.store(NOBODY, Release);
    }

    /// When the lease of this value ends, if it has one.
    pub fn until(&self, number: u64) -> Option<Duration> {
        let held = number != NOBODY && self.holder.load(Acquire) == number;
        held.then(|| Duration::from_nanos(self.until.load(Acquire)))
    }
}

/// Enough for five centuries.
fn nanoseconds(time: Duration) -> u64 {
    time.as_secs() * 1_000_000_000 + u64::from(time.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_lease_covers_its_own_value_until_it_ends() {
        let lease = Lease::default();
        assert!(!lease.covers(0, at(0)), "there is no value of number 0");
        lease.grant(1, at(1000), at(900));
        assert!(lease.covers(1, at(999)));
        assert!(!lease.covers(1, at(1000)));
        assert!(!lease.covers(2, at(1)));
        assert_eq!(lease.until(1), Some(at(1000)));
        lease.end();
        assert!(!lease.covers(1, at(1)));
        assert_eq!(lease.until(1), None);
    }

    #[test]
    fn one_reader_of_a_lease_renews_it() {
        let lease = Lease::default();
        lease.grant(1, at(1000), at(900));
        let renewals = |ms| (0..3).filter(|_| lease.take_renewal(at(ms))).count();
        assert_eq!((renewals(899), renewals(900), renewals(999)), (0, 1, 0));
        lease.grant(1, at(1900), at(1800));
        assert_eq!((renewals(1799), renewals(1800)), (0, 1));
    }

    /// Odd numbers have leases that are over, even ones have leases that run.
    #[test]
    fn a_reader_beside_a_writer_is_never_given_the_lease_of_another_value() {
        const NOW: Duration = Duration::from_secs(10);
        let lease = Lease::default();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 0;
                while !done.load(Acquire) {
                    number += 1;
                    let until = if number % 2 == 0 { 2 * NOW } else { NOW };
                    lease.grant(number, until, until);
                }
            });
            while lease.holder.load(Acquire) == NOBODY {
                std::thread::yield_now();
            }
            let mut found = None;
            for _ in 0..5_000_000 {
                let number = lease.holder.load(Acquire);
                let overdue = number + 1 - number % 2;
                found = found.or(lease.covers(overdue, NOW).then_some(overdue));
            }
            done.store(true, Release);
            assert_eq!(found, None, "its lease was over");
        });
    }
}
