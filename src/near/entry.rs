//! One entry: the last value that this instance delivered, up to which tick it includes all invalidations, and how long it may be
//! served without asking. A hit reads it without a lock.
//!
//! The value and what covers it are separate: an invalidation ends the cover and leaves the value, so that an older answer that
//! comes late is known to be older.

use crate::near::dependencies::Dependency;
use crate::near::{Watermark, nanoseconds};
use crate::protocol::{Age, Generation, Value, age};
use crate::testing::mutants::{Mutant, Mutation};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The number of no value.
const NONE: u64 = 0;
/// When a refresh that has begun is due.
const NEVER: u64 = u64::MAX;

/// The last value delivered.
#[derive(Clone)]
pub struct Held {
    /// Counts the values of this entry, from 1: another value or generation has another number.
    pub number: u64,
    pub value: Arc<Value>,
    /// The entry's own generation that it was read or filled under; `None` if no store was asked.
    pub generation: Option<Generation>,
    /// When it was first delivered.
    pub since: Duration,
}

/// Who gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Store,
    Source,
}

/// For how long a value may be served, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Until when it needs no lease of the watermark: it came from the source. Zero for what came from the store.
    pub loaded_until: Duration,
    /// When a reader is to look for a newer one in the background.
    pub refresh_at: Duration,
    /// When it is over, whatever is confirmed: changes that nobody announced are seen then.
    pub expires_at: Duration,
}

/// An answer on its way in.
pub struct Answer {
    pub value: Arc<Value>,
    pub generation: Option<Generation>,
    pub origin: Origin,
    /// When its request was sent.
    pub sent_at: Duration,
    /// The tick up to which it includes all invalidations.
    pub tick: u64,
    pub terms: Terms,
}

/// A value that may be served without asking, and what its reader has to see to in the background.
pub struct Hit {
    pub value: HitValue,
    /// Whether to renew the lease: one reader of each lease is told to.
    pub renew: bool,
    /// Whether to refresh the value: one reader is told to, once it is due.
    pub refresh: bool,
}

pub enum HitValue {
    /// The one that the reader has.
    Known,
    /// Boxed, because a hit would pay for the room of it.
    Other(Box<Held>),
}

/// In this order, so that what a hit reads is together.
#[repr(C)]
pub struct Entry {
    /// Of the value that the next four are of; 0 while they are changed.
    number: AtomicU64,
    tick: AtomicU64,
    loaded_until: AtomicU64,
    expires_at: AtomicU64,
    refresh_at: AtomicU64,
    /// Its own first.
    dependencies: Box<[Arc<Dependency>]>,
    mutation: Mutation,
    /// Never held across `.await`.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// When the last answer that was accepted had been asked for.
    asked_at: Duration,
    /// The tick at which the source last gave the value.
    proved_at: Option<u64>,
}

impl Entry {
    pub fn new(dependencies: Box<[Arc<Dependency>]>, mutation: Mutation) -> Self {
        Entry {
            dependencies,
            mutation,
            number: AtomicU64::new(NONE),
            tick: AtomicU64::new(0),
            loaded_until: AtomicU64::new(0),
            expires_at: AtomicU64::new(0),
            refresh_at: AtomicU64::new(NEVER),
            state: Mutex::default(),
        }
    }

    pub fn dependencies(&self) -> &[Arc<Dependency>] {
        &self.dependencies
    }

    pub fn held(&self) -> Option<Held> {
        self.state().held.clone()
    }

    /// The value, if it may be served at `now` without asking, for a reader that has the one of this number (0: none). Takes no
    /// lock if the reader has the right one.
    pub fn hit(&self, known: u64, now: Duration, watermark: &Watermark) -> Option<Hit> {
        let at = nanoseconds(now);
        let value = if self.is_covered(known, at, watermark) {
            HitValue::Known
        } else {
            let held = self.held()?;
            if !self.is_covered(held.number, at, watermark) {
                return None;
            }
            HitValue::Other(Box::new(held))
        };
        Some(Hit {
            value,
            renew: watermark.take_renewal(now),
            refresh: self.take_refresh(now),
        })
    }

    fn is_covered(&self, number: u64, at: u64, watermark: &Watermark) -> bool {
        // Looked at twice, as what is between may be another value's: who sees that also sees that the number was taken away.
        let is_of_number = || number != NONE && self.number.load(Acquire) == number;
        is_of_number()
            && (watermark.leased_until() > at || self.loaded_until.load(Acquire) > at)
            && self.expires_at.load(Acquire) > at
            && !self.is_superseded(watermark)
            && is_of_number()
    }

    /// Whether anything that the value depends on was invalidated. Where it was not, the value is of the newest tick from then on:
    /// hits look no further until something else is invalidated.
    fn is_superseded(&self, watermark: &Watermark) -> bool {
        let (newest, tick) = (watermark.newest(), self.tick.load(Acquire));
        if newest <= tick {
            return false;
        }
        if self.is_past(tick, watermark) {
            return true;
        }
        // Fails if another value came meanwhile; one of the same tick is as new.
        let _ = self.tick.compare_exchange(tick, newest, Release, Relaxed);
        false
    }

    fn is_past(&self, tick: u64, watermark: &Watermark) -> bool {
        watermark.floor() > tick || self.is_invalidated_since(tick)
    }

    fn is_invalidated_since(&self, tick: u64) -> bool {
        self.dependencies
            .iter()
            .any(|it| it.invalidated_at() > tick)
    }

    /// Whether this reader is to look for a newer value: one reader is, once it is due.
    pub fn take_refresh(&self, now: Duration) -> bool {
        let refresh_at = self.refresh_at.load(Relaxed);
        nanoseconds(now) >= refresh_at
            && self
                .refresh_at
                .compare_exchange(refresh_at, NEVER, Relaxed, Relaxed)
                .is_ok()
    }

    /// Whether nothing is known that makes the value held an old one, and it has not expired: under a lease it may be served.
    pub fn is_current(&self, now: Duration, watermark: &Watermark) -> bool {
        self.held().is_some()
            && self.expires_at.load(Acquire) > nanoseconds(now)
            && !self.is_past(self.tick.load(Acquire), watermark)
    }

    /// The value, unless it is known to have changed. In place of the truth, where that cannot be had.
    pub fn last_known_good(&self) -> Option<Held> {
        self.held()
            .filter(|_| !self.is_invalidated_since(self.tick.load(Acquire)))
    }

    /// How long ago the value was asked for; `None` without one.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        let state = self.state();
        state.held.as_ref()?;
        Some(now.saturating_sub(state.asked_at))
    }

    /// For how long the value is served without asking; zero if that is over, `None` if it is superseded or there is none.
    pub fn left(&self, now: Duration, watermark: &Watermark) -> Option<Duration> {
        let leased = watermark
            .leased_until()
            .max(self.loaded_until.load(Acquire));
        let until = leased.min(self.expires_at.load(Acquire));
        let current = self.held().is_some()
            && leased > 0
            && !self.is_past(self.tick.load(Acquire), watermark);
        current.then(|| Duration::from_nanos(until).saturating_sub(now))
    }

    /// Whether the source gave the value, and nothing was invalidated since.
    pub fn is_proved(&self, watermark: &Watermark) -> bool {
        let proved_at = self.state().proved_at;
        proved_at.is_some_and(|tick| !self.is_past(tick, watermark))
    }

    /// The next look for a newer value is due then.
    pub fn put_off_refresh(&self, refresh_at: Duration) {
        self.refresh_at.store(nanoseconds(refresh_at), Relaxed);
    }

    /// Takes an answer in, or refuses it because the value held may be newer. What is refused of the store counts as a miss;
    /// what is refused of the source is to be asked for again.
    pub fn accept(&self, answer: Answer, now: Duration) -> bool {
        let mut state = self.state();
        let age = match &state.held {
            Some(held) => age(&answer.value, &held.value),
            None => Age::Newer,
        };
        let in_order = match (age, &state.held) {
            (Age::Same, _) | (_, None) => true,
            // Another value counts only if it was asked for after the one held was delivered: of two requests under way
            // nobody knows which is older. The store may have answered from a replica that lags, the source is the truth.
            (age, Some(held)) => {
                answer.sent_at > held.since
                    && (age == Age::Newer || answer.origin == Origin::Source)
            }
        };
        if !in_order && !self.mutation.is(Mutant::OlderAnswersAreAccepted) {
            return false;
        }
        state.asked_at = state.asked_at.max(answer.sent_at);
        if answer.origin == Origin::Source {
            state.proved_at = state.proved_at.max(Some(answer.tick));
        }
        let (mut number, mut since) = (1, now);
        if let Some(held) = &state.held {
            let same = age == Age::Same && held.generation == answer.generation;
            number = held.number + u64::from(!same);
            if age == Age::Same {
                since = held.since;
            }
        }
        let unchanged = state
            .held
            .as_ref()
            .is_some_and(|held| held.number == number);
        if !unchanged {
            self.number.store(NONE, Release);
        }
        // The same value is covered by whatever covers it longest.
        let store = |cell: &AtomicU64, new: u64| {
            let new = if age == Age::Same {
                new.max(cell.load(Relaxed))
            } else {
                new
            };
            cell.store(new, Release);
        };
        store(&self.tick, answer.tick);
        store(&self.loaded_until, nanoseconds(answer.terms.loaded_until));
        store(&self.expires_at, nanoseconds(answer.terms.expires_at));
        self.refresh_at
            .store(nanoseconds(answer.terms.refresh_at), Relaxed);
        state.held = Some(Held {
            number,
            value: answer.value,
            generation: answer.generation,
            since,
        });
        self.number.store(number, Release);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves a state that is whole: every field is set by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Scope, Sequence, entry_dependency};
    use std::sync::atomic::AtomicBool;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn docs(id: &str) -> Scope {
        Scope::Of([entry_dependency("docs", id)].into())
    }

    /// Confirmed at one millisecond, for a second.
    fn watermark() -> Watermark {
        let watermark = Watermark::new(at(1000), Mutation::NONE);
        let sequence = Sequence::new(5).unwrap();
        watermark.reset(sequence, watermark.request(at(0)));
        let request = watermark.request(at(1));
        watermark.confirm(request, at(2));
        watermark
    }

    fn entry(watermark: &Watermark) -> Entry {
        let own = watermark.dependency(&entry_dependency("docs", "a"));
        Entry::new([own].into(), Mutation::NONE)
    }

    fn answer(origin: Origin, second: u32, content: &str, sent_ms: u64, tick: u64) -> Answer {
        let value = Value {
            content: content.into(),
            version: format!("2026-01-01T00:00:{second:02}+00:00"),
            source: "supabase".into(),
            loaded_at_ms: 0,
            attributes: Default::default(),
        };
        Answer {
            value: Arc::new(value),
            generation: Some(Generation::new("1")),
            origin,
            sent_at: at(sent_ms),
            tick,
            terms: Terms {
                loaded_until: Duration::ZERO,
                refresh_at: at(250_000),
                expires_at: at(300_000),
            },
        }
    }

    fn is_hit(entry: &Entry, watermark: &Watermark, ms: u64) -> bool {
        entry.hit(0, at(ms), watermark).is_some()
    }

    #[test]
    fn a_value_is_served_while_the_watermark_is_leased() {
        let watermark = watermark();
        let entry = entry(&watermark);
        entry.accept(answer(Origin::Store, 1, "one", 1, watermark.tick()), at(2));
        assert!(is_hit(&entry, &watermark, 1000));
        assert!(!is_hit(&entry, &watermark, 1001));
    }

    #[test]
    fn what_came_from_the_source_needs_no_store_for_a_while() {
        let watermark = Watermark::new(at(1000), Mutation::NONE);
        let entry = entry(&watermark);
        let mut loaded = answer(Origin::Source, 1, "one", 1, watermark.tick());
        loaded.terms.loaded_until = at(1001);
        entry.accept(loaded, at(20));
        assert!(is_hit(&entry, &watermark, 1000));
        assert!(!is_hit(&entry, &watermark, 1001));
        watermark.reset(Sequence::new(5).unwrap(), watermark.request(at(30)));
        assert!(
            !is_hit(&entry, &watermark, 500),
            "the first validation ends it"
        );
    }

    #[test]
    fn an_expired_value_is_not_served_whatever_is_confirmed() {
        let watermark = watermark();
        let entry = entry(&watermark);
        let mut short = answer(Origin::Store, 1, "one", 1, watermark.tick());
        short.terms.expires_at = at(500);
        entry.accept(short, at(2));
        assert!(is_hit(&entry, &watermark, 499));
        assert!(!is_hit(&entry, &watermark, 500));
    }

    #[test]
    fn an_invalidation_of_a_dependency_supersedes_and_another_does_not() {
        let watermark = watermark();
        let entry = entry(&watermark);
        entry.accept(answer(Origin::Store, 1, "one", 1, watermark.tick()), at(2));
        watermark.supersede(docs("b"));
        assert!(is_hit(&entry, &watermark, 3));
        watermark.supersede(docs("a"));
        assert!(!is_hit(&entry, &watermark, 3));
        assert!(entry.last_known_good().is_none());
        entry.accept(answer(Origin::Source, 2, "two", 4, watermark.tick()), at(5));
        assert!(is_hit(&entry, &watermark, 6));
        watermark.supersede(Scope::Everything);
        assert!(!is_hit(&entry, &watermark, 6));
        assert!(
            entry.last_known_good().is_some(),
            "nobody said that it changed"
        );
    }

    #[test]
    fn an_answer_of_before_an_invalidation_is_taken_and_not_served() {
        let watermark = watermark();
        let entry = entry(&watermark);
        let under_way = answer(Origin::Source, 1, "one", 1, watermark.tick());
        watermark.supersede(docs("a"));
        assert!(entry.accept(under_way, at(5)));
        assert!(!is_hit(&entry, &watermark, 6));
    }

    #[test]
    fn a_reader_that_has_the_value_takes_no_lock() {
        let watermark = watermark();
        let entry = entry(&watermark);
        entry.accept(answer(Origin::Store, 1, "one", 0, watermark.tick()), at(1));
        std::thread::scope(|scope| {
            let (look, looked) = std::sync::mpsc::channel();
            let locked = entry.state();
            let (entry, watermark) = (&entry, &watermark);
            scope.spawn(move || look.send(entry.hit(1, at(2), watermark).is_some()));
            assert_eq!(looked.recv_timeout(Duration::from_secs(10)), Ok(true));
            drop(locked);
        });
    }

    #[test]
    fn a_value_keeps_its_number_until_it_is_another_or_of_another_generation() {
        let watermark = watermark();
        let entry = entry(&watermark);
        let number = |second, content, generation, sent_ms| {
            let mut answer = answer(Origin::Source, second, content, sent_ms, watermark.tick());
            answer.generation = Some(Generation::new(generation));
            assert!(entry.accept(answer, at(sent_ms + 1)));
            entry.held().unwrap().number
        };
        assert_eq!(number(1, "one", "1", 0), 1);
        assert_eq!(number(1, "one", "1", 10), 1);
        assert_eq!(number(1, "one", "2", 20), 2);
        assert_eq!(number(2, "two", "2", 30), 3);
    }

    #[test]
    fn an_older_value_of_the_store_is_refused() {
        let watermark = watermark();
        let entry = entry(&watermark);
        entry.accept(answer(Origin::Store, 2, "two", 0, 1), at(1));
        assert!(!entry.accept(answer(Origin::Store, 1, "one", 5, 1), at(6)));
        assert!(!entry.accept(answer(Origin::Store, 2, "other", 5, 1), at(6)));
        assert_eq!(&*entry.held().unwrap().value.content, "two");
    }

    #[test]
    fn another_value_of_the_source_counts_if_it_was_asked_for_later() {
        let watermark = watermark();
        let entry = entry(&watermark);
        entry.accept(answer(Origin::Source, 2, "two", 5, 1), at(10));
        assert!(!entry.accept(answer(Origin::Source, 1, "one", 10, 1), at(20)));
        assert!(!entry.accept(answer(Origin::Store, 3, "three", 10, 1), at(20)));
        assert!(entry.accept(answer(Origin::Source, 1, "one", 11, 1), at(20)));
    }

    #[test]
    fn one_reader_refreshes_a_value_that_is_due() {
        let watermark = watermark();
        let entry = entry(&watermark);
        let mut due = answer(Origin::Store, 1, "one", 1, watermark.tick());
        due.terms.refresh_at = at(500);
        entry.accept(due, at(2));
        let refreshes = |ms| {
            (0..3)
                .filter(|_| entry.hit(1, at(ms), &watermark).unwrap().refresh)
                .count()
        };
        assert_eq!((refreshes(499), refreshes(500), refreshes(900)), (0, 1, 0));
    }

    /// Even numbers are covered, odd ones are superseded.
    #[test]
    fn a_reader_beside_a_writer_is_never_given_the_cover_of_another_value() {
        let watermark = watermark();
        let entry = entry(&watermark);
        watermark.supersede(docs("a"));
        let tick = watermark.tick();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut count = 0;
                while !done.load(Acquire) {
                    count += 1;
                    let content = count.to_string();
                    let tick = tick - count % 2;
                    let answer = answer(Origin::Source, 1, &content, count, tick);
                    entry.accept(answer, at(count));
                }
            });
            while entry.number.load(Acquire) == NONE {
                std::thread::yield_now();
            }
            let mut found = None;
            for _ in 0..3_000_000 {
                let number = entry.number.load(Acquire);
                let past = number + 1 - number % 2;
                found = found.or(entry.is_covered(past, 5, &watermark).then_some(past));
            }
            done.store(true, Release);
            assert_eq!(found, None, "it was superseded");
        });
    }
}
