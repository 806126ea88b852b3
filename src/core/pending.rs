//! Whether an invalidation is still owed to the store. Pure bookkeeping: each attempt has a number, and one that went
//! through makes up for every earlier one that did not.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct Pending {
    /// Never held across `.await`.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    begun: u64,
    /// The newest attempt that failed.
    failed: u64,
    /// The newest attempt that went through.
    acknowledged: u64,
    /// Whether somebody sees to it.
    settling: bool,
}

/// One attempt at an invalidation.
#[derive(Clone, Copy)]
pub struct Attempt(u64);

impl Pending {
    pub fn begin(&self) -> Attempt {
        let mut state = self.state();
        state.begun += 1;
        Attempt(state.begun)
    }

    pub fn acknowledge(&self, attempt: Attempt) {
        let mut state = self.state();
        state.acknowledged = state.acknowledged.max(attempt.0);
    }

    /// Whether the caller has to see to it: it is owed now, and nobody does yet.
    pub fn fail(&self, attempt: Attempt) -> bool {
        let mut state = self.state();
        state.failed = state.failed.max(attempt.0);
        let called = state.is_owed() && !state.settling;
        state.settling |= called;
        called
    }

    /// Until this is false again, the store may hold what the invalidation was to drop.
    pub fn is_owed(&self) -> bool {
        self.state().is_owed()
    }

    /// Whether who sees to it is done: the next failure calls somebody again.
    pub fn is_settled(&self) -> bool {
        let mut state = self.state();
        state.settling = state.is_owed();
        !state.settling
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves whole numbers behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_owed(&self) -> bool {
        self.failed > self.acknowledged
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

    #[test]
    fn somebody_is_called_again_after_it_was_settled() {
        let pending = Pending::default();
        assert!(pending.fail(pending.begin()));
        assert!(!pending.is_settled());
        pending.acknowledge(pending.begin());
        assert!(!pending.fail(Attempt(1)), "a later one went through");
        assert!(pending.is_settled());
        assert!(pending.fail(pending.begin()));
    }
}
