//! The near cache: the last value that this instance delivered, and how long it may be served without asking.
//!
//! Pure: no I/O, and the time is what the caller says it is. The value and its lease are separate: an invalidation ends the
//! lease and leaves the value, so that an older answer that comes late is known to be older.
//!
//! The *epoch* counts what may have made the value old: invalidations made here, announcements, reconnects of the push
//! stream. A flight remembers the epoch it began in; if that has passed, its answer gets no lease.

use crate::core::lease::Lease;
use crate::core::protocol::{Age, Entry, Generation, age};
use crate::core::rules::{Rule, Rules};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The last value delivered.
#[derive(Clone)]
pub struct Held {
    /// Counts what was held so far, from 1: another value or generation has another number.
    pub number: u64,
    pub entry: Arc<Entry>,
    /// The generation that it was read or filled under; `None` if no store was asked.
    pub generation: Option<Generation>,
    /// When it was first delivered.
    since: Duration,
}

/// Who gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Store,
    Source,
}

/// An answer on its way in. Times are the clock's monotonic ones.
pub struct Answered {
    pub entry: Arc<Entry>,
    pub generation: Option<Generation>,
    pub origin: Origin,
    /// When its request was sent.
    pub sent_at: Duration,
    pub departure: Departure,
    /// Beyond this it is not leased.
    pub lease_end: Duration,
}

/// The circumstances in which a flight began.
#[derive(Clone, Copy)]
pub struct Departure {
    pub epoch: u64,
    pub at: Duration,
}

/// A value that may be served without asking.
pub struct Leased {
    pub value: AtHand,
    /// Whether this read is to renew the lease in the background: one read per lease is.
    pub renew: bool,
}

pub enum AtHand {
    /// The one that the reader has.
    Known,
    /// Boxed, because a hit would pay for the room of it.
    Other(Box<Held>),
}

/// What there is, for people.
pub struct NearState {
    /// Since the value was last asked for; `None` without one.
    pub age: Option<Duration>,
    /// Zero where it is over; `None` where it was ended.
    pub lease_left: Option<Duration>,
    pub generation: Option<Generation>,
}

/// What an answer's lease would be.
struct Terms {
    until: Duration,
    renew_at: Duration,
}

#[derive(Default)]
struct State {
    epoch: u64,
    held: Option<Held>,
    /// Whether the value held is known to be superseded: no standing in for the truth then.
    superseded: bool,
    /// The last generation that ended the epoch, so that its announcement does not end another.
    heard_of: Option<Generation>,
    /// Whether it was told of a change since the source last gave the value.
    told: bool,
    /// Nothing older than of this generation is served any more.
    acknowledged: Option<Generation>,
    /// When the last answer that was accepted had been asked for.
    asked_at: Duration,
    /// When the store was last asked how long it still has the value.
    checked_at: Duration,
    push_connected: bool,
}

pub struct Near {
    /// Zero: there are no leases, every read asks.
    max_staleness: Duration,
    rules: Rules,
    /// Read without the lock, changed under it only.
    lease: Lease,
    /// Never held across `.await`.
    state: Mutex<State>,
}

impl Near {
    pub fn new(max_staleness: Duration, rules: Rules) -> Self {
        Near {
            max_staleness,
            rules,
            lease: Lease::default(),
            state: Mutex::default(),
        }
    }

    pub fn epoch(&self) -> u64 {
        self.state().epoch
    }

    pub fn held(&self) -> Option<Held> {
        self.state().held.clone()
    }

    /// The value, unless it is known to be superseded.
    pub fn last_known_good(&self) -> Option<Held> {
        let state = self.state();
        state.held.clone().filter(|_| !state.superseded)
    }

    /// The value, unless it is known to be superseded, or has a lease that runs beyond `until`.
    pub fn last_known_good_until(&self, until: Duration) -> Option<Held> {
        let held = self.last_known_good()?;
        let runs_beyond = self.lease.until(held.number).is_some_and(|end| end > until);
        (!runs_beyond).then_some(held)
    }

    /// The number of the value; 0 without one.
    pub fn number(&self) -> u64 {
        self.state().held.as_ref().map_or(0, |held| held.number)
    }

    /// The value, if its lease still runs at `now`, for a reader that has the value of this number (0: none). Takes no lock
    /// where it has the right one.
    pub fn leased(&self, number: u64, now: Duration) -> Option<Leased> {
        let value = if self.lease.covers(number, now) {
            AtHand::Known
        } else {
            let state = self.state();
            let held = state.held.as_ref()?;
            let extended = state.push_connected
                && self.lease.until(held.number).is_some()
                && !self.rules.keep(Rule::PushExtendsNoLease);
            if !extended && !self.lease.covers(held.number, now) {
                return None;
            }
            AtHand::Other(Box::new(held.clone()))
        };
        let renew = self.lease.take_renewal(now);
        Some(Leased { value, renew })
    }

    /// Takes an answer in, or refuses it because the value held may be newer. What is refused of the store counts as a miss;
    /// what is refused of the source is to be asked for again.
    pub fn accept(&self, answered: Answered, now: Duration) -> bool {
        let mut state = self.state();
        let age = match &state.held {
            Some(held) => age(&answered.entry, &held.entry),
            None => Age::Newer,
        };
        let in_order = match (age, &state.held) {
            (Age::Same, _) | (_, None) => true,
            // Another value counts only if it was asked for after the one held was delivered: of two requests under way
            // nobody knows which is older. The store may have answered from a replica that lags, the source is the truth.
            (age, Some(held)) => {
                answered.sent_at > held.since
                    && (age == Age::Newer || answered.origin == Origin::Source)
            }
        };
        if !in_order && self.rules.keep(Rule::OlderAnswersAreNotAccepted) {
            return false;
        }
        let current = answered.departure.epoch == state.epoch;
        if current {
            state.superseded = false;
            if answered.origin == Origin::Source {
                state.told = false;
            }
        }
        // What is told meanwhile is newer.
        if answered.generation.is_some() && (current || state.acknowledged.is_none()) {
            state.acknowledged = answered.generation.clone();
        }
        state.asked_at = state.asked_at.max(answered.sent_at);
        let terms = self.terms(&answered, now).filter(|_| current);
        let mut number = 1;
        let mut since = now;
        if let Some(held) = &state.held {
            number = held.number;
            if age == Age::Same {
                // A flight of before has nothing to add, and of two answers that overtake each other the later request has
                // the longer lease.
                let running = self.lease.until(number).filter(|&until| until > now);
                if !current || running > terms.as_ref().map(|terms| terms.until) {
                    return true;
                }
                since = held.since;
            }
            if !held.is(&answered) {
                number += 1;
            }
        } else {
            // It has just been read, or is about to be stored.
            state.checked_at = now;
        }
        state.held = Some(Held {
            number,
            entry: answered.entry,
            generation: answered.generation,
            since,
        });
        match terms {
            Some(terms) => self.lease.grant(number, terms.until, terms.renew_at),
            None => self.lease.end(),
        }
        true
    }

    fn terms(&self, answered: &Answered, now: Duration) -> Option<Terms> {
        let from = if self.rules.keep(Rule::LeaseFromSendTime) {
            answered.sent_at
        } else {
            now
        };
        let until = (from + self.max_staleness).min(answered.lease_end);
        // Early enough for the next answer to be there before the lease ends; late enough for about one command per lease.
        let flight = now.saturating_sub(answered.departure.at);
        let margin = (flight * 2).clamp(self.max_staleness / 20, self.max_staleness / 2);
        (until > now).then_some(Terms {
            until,
            renew_at: until.saturating_sub(margin),
        })
    }

    /// An invalidation was made here: called when it begins, and with the generation when the store has taken it.
    pub fn invalidated(&self, generation: Option<&Generation>) {
        let mut state = self.state();
        state.superseded = true;
        state.told = true;
        state.heard_of = generation.cloned().or(state.heard_of.take());
        if generation.is_some() {
            state.acknowledged = generation.cloned();
        }
        if self.rules.keep(Rule::OwnInvalidationEndsTheEpoch) {
            self.end_epoch(&mut state);
        }
    }

    /// A generation was announced; `None` if the announcement cannot be read. Whether it is news.
    pub fn announced(&self, generation: Option<&Generation>) -> bool {
        let mut state = self.state();
        let held = state
            .held
            .as_ref()
            .and_then(|held| held.generation.as_ref());
        if generation.is_some() && (generation == held || generation == state.heard_of.as_ref()) {
            return false;
        }
        state.superseded = true;
        state.told = true;
        state.heard_of = generation.cloned();
        if generation.is_some() {
            state.acknowledged = generation.cloned();
        }
        if self.rules.keep(Rule::PushEndsTheEpoch) {
            self.end_epoch(&mut state);
        }
        true
    }

    /// It is known to have changed.
    pub fn superseded(&self) {
        let mut state = self.state();
        state.superseded = true;
        state.told = true;
        self.end_epoch(&mut state);
    }

    /// The store's generation, as the answer to a request had it: the value held is superseded if it is of another.
    pub fn saw(&self, generation: Option<&Generation>, sent_at: Duration) {
        let mut state = self.state();
        if let Some(held) = &state.held
            && sent_at > held.since
            && held.generation.as_ref() != generation
        {
            state.superseded = true;
        }
    }

    /// How long ago the value was asked for; `None` without one.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        let state = self.state();
        state.held.as_ref()?;
        Some(now.saturating_sub(state.asked_at))
    }

    pub fn state_at(&self, now: Duration) -> NearState {
        let held = self.held();
        let until = held.as_ref().and_then(|held| self.lease.until(held.number));
        NearState {
            age: self.age(now),
            lease_left: until.map(|until| until.saturating_sub(now)),
            generation: held.and_then(|held| held.generation),
        }
    }

    /// The generation before which nothing is served any more.
    pub fn acknowledged(&self) -> Option<Generation> {
        self.state().acknowledged.clone()
    }

    /// Whether there is a value, and nothing was told of a change since the source last gave it.
    pub fn is_proved(&self) -> bool {
        let state = self.state();
        state.held.is_some() && !state.told
    }

    /// The push stream was opened: announcements may have been missed.
    pub fn push_connected(&self) {
        let mut state = self.state();
        state.push_connected = true;
        if self.rules.keep(Rule::ReconnectEndsTheEpoch) {
            self.end_epoch(&mut state);
        }
    }

    /// The store does not list this instance: who comes later does not join what is under way.
    pub fn unlisted(&self) {
        self.end_epoch(&mut self.state());
    }

    pub fn push_ended(&self) {
        self.state().push_connected = false;
    }

    /// Whether the push stream is open.
    pub fn is_push_connected(&self) -> bool {
        self.state().push_connected
    }

    /// Whether it is time to ask the store how long it still has the value; true once per `interval`.
    pub fn check_is_due(&self, now: Duration, interval: Duration) -> bool {
        let mut state = self.state();
        let due = now.saturating_sub(state.checked_at) >= interval;
        if due {
            state.checked_at = now;
        }
        due
    }

    fn end_epoch(&self, state: &mut State) {
        state.epoch += 1;
        self.lease.end();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves a state that is whole: every field is set by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether this is what was answered, so that it keeps its number.
    fn is(&self, answered: &Answered) -> bool {
        let same_entry = Arc::ptr_eq(&self.entry, &answered.entry) || self.entry == answered.entry;
        same_entry && self.generation == answered.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Map;

    const LEASE: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn near() -> Near {
        Near::new(LEASE, Rules::ALL_KEPT)
    }

    fn entry(second: u32, content: &str) -> Arc<Entry> {
        Arc::new(Entry {
            content: content.into(),
            version: format!("2026-01-01T00:00:{second:02}+00:00"),
            source: "supabase".into(),
            loaded_at_ms: 0,
            attributes: Map::new(),
        })
    }

    fn answer(near: &Near, origin: Origin, second: u32, content: &str, sent_ms: u64) -> Answered {
        Answered {
            entry: entry(second, content),
            generation: Some(Generation::new("1")),
            origin,
            sent_at: at(sent_ms),
            departure: departure(near, sent_ms),
            lease_end: Duration::MAX,
        }
    }

    fn departure(near: &Near, ms: u64) -> Departure {
        Departure {
            epoch: near.epoch(),
            at: at(ms),
        }
    }

    fn content(near: &Near) -> String {
        near.held().unwrap().entry.content.to_string()
    }

    #[test]
    fn a_lease_counts_from_when_its_request_was_sent() {
        let near = near();
        assert!(near.accept(answer(&near, Origin::Store, 1, "one", 0), at(400)));
        assert!(near.leased(0, at(999)).is_some());
        assert!(near.leased(0, at(1000)).is_none());
    }

    #[test]
    fn a_reader_that_has_the_value_takes_no_lock() {
        let near = near();
        near.accept(answer(&near, Origin::Store, 1, "one", 0), at(1));
        let number = near.held().unwrap().number;
        std::thread::scope(|scope| {
            let (look, looked) = std::sync::mpsc::channel();
            let locked = near.state();
            let near = &near;
            scope.spawn(move || look.send(near.leased(number, at(2)).is_some()));
            assert_eq!(looked.recv_timeout(Duration::from_secs(10)), Ok(true));
            drop(locked);
        });
    }

    #[test]
    fn a_value_keeps_its_number_until_it_is_another_or_of_another_generation() {
        let near = near();
        let number = |second, content, generation, sent_ms| {
            let mut answered = answer(&near, Origin::Source, second, content, sent_ms);
            answered.generation = Some(Generation::new(generation));
            assert!(near.accept(answered, at(sent_ms + 1)));
            near.held().unwrap().number
        };
        assert_eq!(number(1, "one", "1", 0), 1);
        assert_eq!(number(1, "one", "1", 10), 1, "the lease was renewed");
        assert_eq!(number(1, "one", "2", 20), 2);
        assert_eq!(number(2, "two", "2", 30), 3);
        assert!(matches!(
            near.leased(3, at(32)).unwrap().value,
            AtHand::Known
        ));
        let AtHand::Other(other) = near.leased(2, at(32)).unwrap().value else {
            panic!("the reader has another");
        };
        assert_eq!((other.number, &*other.entry.content), (3, "two"));
    }

    #[test]
    fn an_answer_that_took_longer_than_a_lease_gets_none() {
        let near = near();
        assert!(near.accept(answer(&near, Origin::Store, 1, "one", 0), at(1000)));
        assert!(near.leased(0, at(1000)).is_none());
    }

    #[test]
    fn one_read_per_lease_renews_it_and_earlier_where_the_store_is_slow() {
        let renews = |near: &Near, ms: u64| near.leased(0, at(ms)).unwrap().renew;
        let quick = near();
        quick.accept(answer(&quick, Origin::Store, 1, "one", 0), at(1));
        assert!(!renews(&quick, 949));
        assert!(renews(&quick, 950));
        assert!(!renews(&quick, 951), "it has been begun");
        let slow = near();
        slow.accept(answer(&slow, Origin::Store, 1, "one", 0), at(200));
        assert!(!renews(&slow, 599));
        assert!(renews(&slow, 600));
        // A store that hung for half a second before the source was asked.
        let hung = near();
        let mut answered = answer(&hung, Origin::Source, 1, "one", 500);
        answered.departure.at = at(0);
        hung.accept(answered, at(550));
        assert!(!renews(&hung, 999));
        assert!(renews(&hung, 1000));
    }

    #[test]
    fn whatever_may_have_made_the_value_old_ends_its_lease() {
        let news: [fn(&Near); 4] = [
            |near| near.invalidated(None),
            |near| assert!(near.announced(Some(&Generation::new("2")))),
            |near| assert!(near.announced(None)),
            |near| near.push_connected(),
        ];
        for hear in news {
            let near = near();
            let under_way = answer(&near, Origin::Source, 1, "one", 5);
            near.accept(answer(&near, Origin::Source, 1, "one", 0), at(1));
            hear(&near);
            assert!(near.leased(0, at(2)).is_none());
            assert!(near.accept(under_way, at(10)), "its callers are answered");
            assert!(
                near.leased(0, at(11)).is_none(),
                "a flight of before gets none"
            );
            near.accept(answer(&near, Origin::Source, 1, "one", 12), at(13));
            assert!(near.leased(0, at(14)).is_some());
        }
    }

    #[test]
    fn an_announcement_of_what_is_known_is_no_news() {
        let near = near();
        near.accept(answer(&near, Origin::Store, 1, "one", 0), at(1));
        assert!(!near.announced(Some(&Generation::new("1"))), "it is held");
        near.invalidated(Some(&Generation::new("2")));
        assert!(
            !near.announced(Some(&Generation::new("2"))),
            "it was made here"
        );
        assert!(near.announced(Some(&Generation::new("3"))));
        assert!(
            !near.announced(Some(&Generation::new("3"))),
            "it came twice"
        );
    }

    #[test]
    fn an_older_value_of_the_store_is_refused() {
        let near = near();
        near.accept(answer(&near, Origin::Store, 2, "two", 0), at(1));
        assert!(!near.accept(answer(&near, Origin::Store, 1, "one", 5), at(6)));
        assert!(!near.accept(answer(&near, Origin::Store, 2, "other", 5), at(6)));
        assert_eq!(content(&near), "two");
    }

    #[test]
    fn an_older_value_of_the_source_counts_if_it_was_asked_later() {
        let near = near();
        near.accept(answer(&near, Origin::Source, 2, "two", 0), at(10));
        assert!(!near.accept(answer(&near, Origin::Source, 1, "one", 10), at(20)));
        assert!(near.accept(answer(&near, Origin::Source, 1, "one", 11), at(20)));
        assert_eq!(content(&near), "one");
    }

    #[test]
    fn of_two_requests_under_way_the_later_to_land_is_asked_again() {
        let near = near();
        near.accept(answer(&near, Origin::Source, 1, "one", 5), at(10));
        assert!(!near.accept(answer(&near, Origin::Source, 2, "two", 0), at(20)));
        assert!(!near.accept(answer(&near, Origin::Store, 2, "two", 0), at(20)));
        assert!(near.accept(answer(&near, Origin::Store, 2, "two", 11), at(20)));
    }

    #[test]
    fn an_earlier_request_that_lands_later_does_not_shorten_the_lease() {
        let near = near();
        let early = answer(&near, Origin::Store, 1, "one", 0);
        near.accept(answer(&near, Origin::Store, 1, "one", 500), at(501));
        near.accept(early, at(600));
        assert!(near.leased(0, at(1499)).is_some());
    }

    #[test]
    fn an_answer_that_comes_after_the_lease_brings_its_generation() {
        let near = near();
        near.accept(answer(&near, Origin::Store, 1, "one", 0), at(1));
        let mut slow = answer(&near, Origin::Store, 1, "one", 1500);
        slow.generation = Some(Generation::new("2"));
        assert!(near.accept(slow, at(2600)));
        assert_eq!(near.held().unwrap().generation, Some(Generation::new("2")));
    }

    #[test]
    fn a_superseded_value_is_not_known_good() {
        let near = near();
        near.accept(answer(&near, Origin::Source, 1, "one", 0), at(1));
        near.push_connected();
        assert!(near.last_known_good().is_some());
        near.announced(Some(&Generation::new("9")));
        assert!(near.last_known_good().is_none());
        near.accept(answer(&near, Origin::Source, 1, "one", 2), at(3));
        assert!(near.last_known_good().is_some(), "it was confirmed");
    }

    #[test]
    fn a_value_of_another_generation_than_the_stores_is_superseded() {
        let near = near();
        near.accept(answer(&near, Origin::Store, 1, "one", 0), at(1));
        let saw = |generation: Option<&Generation>, sent_ms: u64| {
            near.saw(generation, at(sent_ms));
        };
        saw(Some(&Generation::new("1")), 2);
        assert!(near.last_known_good().is_some());
        for other in [Some(Generation::new("2")), None] {
            near.accept(answer(&near, Origin::Store, 1, "one", 0), at(1));
            saw(other.as_ref(), 1);
            assert!(
                near.last_known_good().is_some(),
                "asked before it was delivered"
            );
            saw(other.as_ref(), 2);
            assert!(near.last_known_good().is_none());
        }
    }

    #[test]
    fn without_leases_every_read_asks() {
        let near = Near::new(Duration::ZERO, Rules::ALL_KEPT);
        assert!(near.accept(answer(&near, Origin::Store, 1, "one", 5), at(5)));
        assert!(near.leased(0, at(5)).is_none());
    }
}
