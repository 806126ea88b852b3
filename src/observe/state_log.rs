//! Tells the log what is news. An outage is told when it begins and when it ends, a row that is no entry once for each
//! state of the row; repetitions go out at debug level. Counts nothing and decides nothing.

use crate::error::Fault;
use crate::observe::log::{Event, Logger};
use crate::observe::panics;
use crate::protocol::MissReason;
use crate::source::Row;
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What has a state that is told when it changes.
#[derive(Clone, Copy)]
enum Subject {
    /// Whether the store is lost.
    Store,
    /// Whether the push stream cannot be opened.
    Push,
    /// Whether fills fail, which they can while reads succeed (a full database, a token that may only read).
    Fill,
    /// Whether the source is lost.
    Source,
    /// What the source had: a row, no row, a row that is no entry.
    Row,
    /// Whether the store held what was not signed, or not lately. Told once: who plants it could do so at each hit.
    Signature,
    /// Why the legacy source gave nothing.
    Legacy,
    /// What stands in for the truth.
    StandIn,
}

impl Subject {
    const COUNT: usize = Subject::StandIn as usize + 1;
}

/// The state of something that does not answer.
const LOST: Option<&str> = Some("lost");

pub struct StateLog {
    logger: Logger,
    tells_memory_hits: bool,
    /// Protects the last state of each subject; `None` is the quiet one. Never held across `.await`.
    states: Mutex<[Option<String>; Subject::COUNT]>,
    /// Of many values, what was told of each subject. Never held across `.await`.
    damped: Option<Mutex<[Damped; Subject::COUNT]>>,
}

#[derive(Clone, Copy, Default)]
struct Damped {
    told_at: Option<Instant>,
    /// Whether its present state was.
    told: bool,
}

/// Of many values, a subject is told of once in so long: one may fail while others do not.
const DAMPED_FOR: Duration = Duration::from_secs(10);

impl StateLog {
    pub fn new(logger: Logger) -> Self {
        StateLog {
            tells_memory_hits: logger.tells(&Event::MemoryHit),
            logger,
            states: Mutex::default(),
            damped: None,
        }
    }

    /// For many values.
    pub fn of_many(logger: Logger) -> Self {
        StateLog {
            damped: Some(Mutex::default()),
            ..StateLog::new(logger)
        }
    }

    /// The store served the value: whatever stood in before is over.
    pub fn hit(&self) {
        self.quiet(&[Subject::Row, Subject::Legacy, Subject::StandIn]);
        self.logger.tell(Event::Hit);
    }

    /// Costs the hit path a comparison unless somebody wants its lines.
    pub fn memory_hit(&self) {
        if self.tells_memory_hits {
            self.logger.tell(Event::MemoryHit);
        }
    }

    pub fn miss(&self, reason: MissReason) {
        let refused = matches!(reason, MissReason::Unsigned | MissReason::Replayed);
        if refused && self.update(Subject::Signature, LOST) {
            self.logger.tell(Event::SignatureRefused { reason });
        }
        self.logger.tell(Event::Miss { reason });
    }

    pub fn store_answered(&self) {
        if self.update(Subject::Store, None) {
            self.logger.tell(Event::StoreBack);
        }
    }

    pub fn store_lost(&self, fault: &Fault) {
        if self.update(Subject::Store, LOST) {
            self.logger.tell(Event::StoreLost { fault });
        }
    }

    /// A load met a mistake in this package.
    pub fn panicked(&self) {
        let place = &panics::place();
        self.logger.tell(Event::Panicked { place });
    }

    /// Told each time: the breaker opens once in an outage.
    pub fn breaker_opened(&self, fault: &Fault) {
        self.store_lost(fault);
        self.logger.tell(Event::BreakerOpened { fault });
    }

    pub fn push_open(&self) {
        if self.update(Subject::Push, None) {
            self.logger.tell(Event::PushBack);
        }
    }

    pub fn push_lost(&self, fault: &Fault) {
        if self.update(Subject::Push, LOST) {
            self.logger.tell(Event::PushLost { fault });
        }
    }

    pub fn filled(&self) {
        self.quiet(&[Subject::Fill]);
    }

    /// The store answered, and had every right to refuse.
    pub fn fill_refused(&self) {
        self.filled();
        self.logger.tell(Event::FillRefused);
    }

    pub fn fill_failed(&self, fault: &Fault) {
        if self.update(Subject::Fill, LOST) {
            self.logger.tell(Event::FillFailed { fault });
        }
    }

    pub fn source_answered(&self) {
        if self.update(Subject::Source, None) {
            self.logger.tell(Event::SourceBack);
        }
    }

    pub fn source_lost(&self, fault: &Fault) {
        if self.update(Subject::Source, LOST) {
            self.logger.tell(Event::SourceLost { fault });
        }
    }

    /// `missed`: the store answered and had nothing, so that even the same row is news.
    pub fn loaded(&self, source: &str, title: Option<&str>, row: &Row, missed: bool) {
        self.quiet(&[Subject::Legacy, Subject::StandIn]);
        let changed = self.update(Subject::Row, Some(&format!("{:x}", fingerprint(row))));
        let fresh = missed || changed;
        self.logger.tell(Event::Loaded {
            source,
            title,
            fresh,
        });
    }

    pub fn no_active_row(&self) {
        let fresh = self.update(Subject::Row, Some("none is active"));
        self.logger.tell(Event::NoActiveRow { fresh });
    }

    pub fn unusable_row(&self, row: &Row, problem: &str) {
        let state = format!("{:x} {problem}", fingerprint(row));
        let fresh = self.update(Subject::Row, Some(&state));
        let id = &row_id(row);
        self.logger.tell(Event::UnusableRow { id, problem, fresh });
    }

    pub fn legacy_loaded(&self) {
        self.quiet(&[Subject::Legacy]);
        let fresh = self.update(Subject::StandIn, Some("legacy"));
        self.logger.tell(Event::LegacyLoaded { fresh });
    }

    pub fn legacy_failed(&self, problem: &str) {
        let fresh = self.update(Subject::Legacy, Some(problem));
        self.logger.tell(Event::LegacyFailed { problem, fresh });
    }

    pub fn stale(&self) {
        let fresh = self.update(Subject::StandIn, Some("stale"));
        self.logger.tell(Event::Stale { fresh });
    }

    pub fn fallback(&self) {
        let fresh = self.update(Subject::StandIn, Some("fallback"));
        self.logger.tell(Event::Fallback { fresh });
    }

    pub fn invalidated(&self, shared: bool) {
        self.logger.tell(Event::Invalidated { shared });
    }

    pub fn invalidation_failed(&self, fault: &Fault) {
        self.logger.tell(Event::InvalidationFailed { fault });
    }

    /// Notes the state of a subject; whether it is another than before.
    fn update(&self, subject: Subject, state: Option<&str>) -> bool {
        let last = &mut self.states()[subject as usize];
        if last.as_deref() == state {
            return false;
        }
        *last = state.map(str::to_owned);
        self.is_told(subject, state.is_some())
    }

    /// Of many values: whether that something began or is over is told. That it is over is, if that it began was.
    fn is_told(&self, subject: Subject, begins: bool) -> bool {
        let Some(damped) = &self.damped else {
            return true;
        };
        // A panic under this lock leaves whole times behind.
        let mut damped = damped.lock().unwrap_or_else(PoisonError::into_inner);
        let (Damped { told_at, told }, now) = (&mut damped[subject as usize], Instant::now());
        if begins {
            *told = told_at.is_none_or(|at| now.duration_since(at) >= DAMPED_FOR);
            if *told {
                *told_at = Some(now);
            }
            return *told;
        }
        std::mem::take(told)
    }

    /// Forgets what was told about these.
    fn quiet(&self, subjects: &[Subject]) {
        let mut states = self.states();
        for &subject in subjects {
            states[subject as usize] = None;
        }
    }

    fn states(&self) -> MutexGuard<'_, [Option<String>; Subject::COUNT]> {
        // A panic under this lock leaves whole strings behind.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row_id(row: &Row) -> String {
    match row.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => "without an id".to_owned(),
    }
}

/// Tells one state of a row from another.
fn fingerprint(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}
