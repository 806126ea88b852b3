//! Whether an invalidation is still owed to the store. Pure bookkeeping: each attempt has a number, and one that went
//! through makes up for every earlier one that did not.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

#[derive(Default)]
pub struct Pending {
    begun: AtomicU64,
    /// The newest attempt that failed.
    failed: AtomicU64,
    /// The newest attempt that went through.
    acknowledged: AtomicU64,
}

/// One attempt at an invalidation.
#[derive(Clone, Copy)]
pub struct Attempt(u64);

impl Pending {
    pub fn begin(&self) -> Attempt {
        Attempt(self.begun.fetch_add(1, SeqCst) + 1)
    }

    pub fn acknowledge(&self, attempt: Attempt) {
        self.acknowledged.fetch_max(attempt.0, SeqCst);
    }

    /// Whether it is the first failure since all was well: then somebody has to see to it.
    pub fn fail(&self, attempt: Attempt) -> bool {
        let was_owed = self.is_owed();
        self.failed.fetch_max(attempt.0, SeqCst);
        !was_owed && self.is_owed()
    }

    /// Until this is false again, the store may hold what the invalidation was to drop.
    pub fn is_owed(&self) -> bool {
        self.failed.load(SeqCst) > self.acknowledged.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_attempt_is_owed_until_a_later_one_goes_through() {
        let pending = Pending::default();
        let (first, second) = (pending.begin(), pending.begin());
        assert!(!pending.is_owed());
        assert!(pending.fail(first));
        assert!(pending.is_owed());
        pending.acknowledge(second);
        assert!(!pending.is_owed());
    }

    #[test]
    fn an_earlier_acknowledgement_does_not_make_up_for_a_later_failure() {
        let pending = Pending::default();
        let (first, second) = (pending.begin(), pending.begin());
        assert!(pending.fail(second));
        pending.acknowledge(first);
        assert!(pending.is_owed());
        assert!(
            !pending.fail(pending.begin()),
            "somebody sees to it already"
        );
    }
}
