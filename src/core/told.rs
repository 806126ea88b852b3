//! What the log was told last about each subject, so that an outage is told when it begins and when it ends, and not once
//! for each read in between.

use std::sync::{Mutex, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Whether the store is lost.
    Store,
    /// Whether the source is lost.
    Source,
    /// What the source had: a version, no row, a row that is no entry.
    Row,
    /// Why the legacy source gave nothing.
    Legacy,
    /// What stands in for the truth.
    StandIn,
}

#[derive(Default)]
pub struct Told {
    /// Protects the last state of each subject; `None` is the quiet one. Never held across `.await`.
    states: Mutex<[Option<String>; 5]>,
}

impl Told {
    /// Remembers the state of a subject; whether it is another than before.
    pub fn is_news(&self, subject: Subject, state: Option<&str>) -> bool {
        // A panic under this lock leaves whole strings behind.
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let last = &mut states[subject as usize];
        if last.as_deref() == state {
            return false;
        }
        *last = state.map(str::to_owned);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_news_once_and_each_subject_has_its_own() {
        let told = Told::default();
        assert!(!told.is_news(Subject::Store, None), "all is quiet at first");
        assert!(told.is_news(Subject::Store, Some("lost")));
        assert!(!told.is_news(Subject::Store, Some("lost")));
        assert!(told.is_news(Subject::StandIn, Some("lost")));
        assert!(told.is_news(Subject::Store, None));
        assert!(!told.is_news(Subject::Store, None));
    }
}
