//! Which invalidations are still owed to the store. Pure bookkeeping: each attempt has a number, and one that went through makes
//! up for every earlier one of the same dependencies that did not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names of dependencies.
pub type Names = BTreeSet<Arc<str>>;

#[derive(Default)]
pub struct Owed {
    /// Never held across `.await`.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    begun: u64,
    /// The attempts whose outcome is not known.
    under_way: BTreeSet<u64>,
    /// Of the names that are owed, and of those for which an attempt under way may still fail.
    newest: BTreeMap<Arc<str>, Newest>,
    /// How many names are owed.
    owed: usize,
    /// How many there were when the rest was last forgotten.
    kept: usize,
    /// Whether somebody sees to it.
    settling: bool,
}

#[derive(Default)]
struct Newest {
    /// The newest attempt that failed.
    failed: u64,
    /// The newest attempt that went through.
    acknowledged: u64,
}

/// One attempt at an invalidation.
pub struct Attempt {
    number: u64,
    pub names: Names,
}

impl Owed {
    pub fn begin(&self, names: Names) -> Attempt {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.under_way.insert(number);
        Attempt { number, names }
    }

    pub fn acknowledge(&self, attempt: &Attempt) {
        let mut state = self.state();
        state.landed(attempt, |newest| &mut newest.acknowledged);
    }

    /// Whether the caller has to see to it: it is owed now, and nobody does yet.
    pub fn fail(&self, attempt: &Attempt) -> bool {
        let mut state = self.state();
        state.landed(attempt, |newest| &mut newest.failed);
        let first = state.is_owed() && !state.settling;
        state.settling |= first;
        first
    }

    /// Whether an invalidation of one of these is owed: until it went through, the store may hold what it was to drop.
    pub fn concerns<'a>(&self, names: impl IntoIterator<Item = &'a Arc<str>>) -> bool {
        let state = self.state();
        let is_owed = |name| state.newest.get(name).is_some_and(Newest::is_owed);
        state.is_owed() && names.into_iter().any(is_owed)
    }

    /// Whether any invalidation is owed.
    pub fn is_owed(&self) -> bool {
        self.state().is_owed()
    }

    /// What is owed, or `None` where who sees to it is done: the next failure calls somebody again.
    pub fn unsettled(&self) -> Option<Names> {
        let mut state = self.state();
        state.settling = state.is_owed();
        let owed = state.newest.iter().filter(|(_, newest)| newest.is_owed());
        let owed = owed.map(|(name, _)| name.clone()).collect();
        state.settling.then_some(owed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves whole numbers behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_owed(&self) -> bool {
        self.owed > 0
    }

    /// An attempt has ended as `outcome` says.
    fn landed(&mut self, attempt: &Attempt, outcome: fn(&mut Newest) -> &mut u64) {
        for name in &attempt.names {
            let newest = self.newest.entry(name.clone()).or_default();
            let was_owed = newest.is_owed();
            let number = outcome(newest);
            *number = (*number).max(attempt.number);
            match (was_owed, newest.is_owed()) {
                (false, true) => self.owed += 1,
                (true, false) => self.owed -= 1,
                _ => {}
            }
        }
        self.under_way.remove(&attempt.number);
        // Only what began before an acknowledgement could fail after it. Forgotten when it has doubled, so that it costs little.
        if self.newest.len() > 2 * self.kept || self.under_way.is_empty() {
            let oldest = self.under_way.first().copied().unwrap_or(u64::MAX);
            self.newest
                .retain(|_, newest| newest.is_owed() || newest.acknowledged > oldest);
            self.kept = self.newest.len();
        }
    }
}

impl Newest {
    fn is_owed(&self) -> bool {
        self.failed > self.acknowledged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(owed: &Owed, names: &[&str]) -> Attempt {
        owed.begin(names.iter().map(|&name| name.into()).collect())
    }

    #[test]
    fn a_failed_attempt_is_owed_until_a_later_one_goes_through() {
        let owed = Owed::default();
        let [first, second] = [(); 2].map(|()| begin(&owed, &["a"]));
        assert!(!owed.is_owed());
        assert!(owed.fail(&first));
        assert!(owed.is_owed());
        owed.acknowledge(&second);
        assert!(!owed.is_owed());
    }

    #[test]
    fn an_earlier_acknowledgement_does_not_make_up_for_a_later_failure() {
        let owed = Owed::default();
        let [first, second] = [(); 2].map(|()| begin(&owed, &["a"]));
        assert!(owed.fail(&second));
        owed.acknowledge(&first);
        assert!(owed.is_owed());
        let third = begin(&owed, &["a"]);
        assert!(!owed.fail(&third), "somebody sees to it already");
    }

    #[test]
    fn a_late_failure_of_an_earlier_attempt_is_made_up_for() {
        let owed = Owed::default();
        let [first, second] = [(); 2].map(|()| begin(&owed, &["a"]));
        owed.acknowledge(&second);
        assert!(!owed.fail(&first));
        assert!(!owed.is_owed());
    }

    #[test]
    fn one_name_does_not_make_up_for_another() {
        let owed = Owed::default();
        let [first, second] = [["a", "b"], ["b", "c"]].map(|names| begin(&owed, &names));
        assert!(owed.fail(&first));
        owed.acknowledge(&second);
        let owed = owed.unsettled().unwrap();
        assert_eq!(owed.iter().map(|name| &**name).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn what_nobody_can_fail_at_any_more_is_forgotten_while_attempts_overlap() {
        let owed = Owed::default();
        let mut last = begin(&owed, &["first"]);
        for number in 0..1000 {
            let next = begin(&owed, &[&number.to_string()]);
            owed.acknowledge(&last);
            last = next;
        }
        assert!(owed.state().newest.len() < 10);
    }

    #[test]
    fn somebody_is_called_again_after_it_was_settled() {
        let owed = Owed::default();
        assert!(owed.fail(&begin(&owed, &["a"])));
        assert!(owed.unsettled().is_some());
        owed.acknowledge(&begin(&owed, &["a"]));
        assert!(owed.unsettled().is_none());
        assert!(owed.fail(&begin(&owed, &["a"])));
    }
}
