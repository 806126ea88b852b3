//! How far this instance has applied the log of invalidations, and the lease that follows from it.
//!
//! `applied` is the sequence up to which every invalidation has had its effect on the entries here. Once the primary has said
//! that its sequence is that one, every entry that was not superseded is as of the moment at which the primary was asked: one
//! lease for all. `applied` moves along the chain of records only; where that has a gap, all entries are superseded.
//!
//! Order on this instance is kept in *ticks*: each thing that is learnt of invalidations is one. An entry carries the tick up to
//! which its value is known to include all invalidations, and is superseded by a later one of anything it depends on.

use crate::near::dependencies::{Dependencies, Dependency};
use crate::near::nanoseconds;
use crate::protocol::{LogRecord, Notes, Scope, Sequence};
use crate::testing::mutants::{Mutant, Mutation};
use std::collections::VecDeque;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many invalidations are remembered, to tell how old an answer of a replica is.
const REMEMBERED: usize = 300;
/// How many invalidations may be ahead of the chain; where there are more, they count as one of everything.
const MOST_AHEAD: usize = 16;
/// When a renewal that has begun is due.
const NEVER: u64 = u64::MAX;

pub struct Watermark {
    /// Zero: there are no leases, every read asks.
    max_staleness: Duration,
    mutation: Mutation,
    /// When the primary was last asked and confirmed `applied`, in nanoseconds of the monotonic clock; 0: no lease.
    confirmed_at: AtomicU64,
    /// When a reader is to renew the lease.
    renew_at: AtomicU64,
    /// The last tick, so that a hit need not look further where nothing was invalidated since. Set after what it stands for.
    newest: AtomicU64,
    /// The tick of the last invalidation of everything.
    floor: AtomicU64,
    dependencies: Dependencies,
    /// Never held across `.await`.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tick: u64,
    applied: Option<Sequence>,
    /// The last things learnt, oldest first.
    learnt: VecDeque<Learnt>,
    /// What is known of beside the chain: invalidations that come after something that was not applied yet.
    ahead: Vec<Ahead>,
}

struct Ahead {
    sequence: Sequence,
    scope: Scope,
    /// When it was learnt first.
    tick: u64,
}

struct Learnt {
    tick: u64,
    /// Of the chain; `None`: learnt beside it.
    sequence: Option<Sequence>,
    scope: Scope,
}

/// A question to the primary on its way.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub sent_at: Duration,
    /// The last thing learnt before it was sent.
    pub tick: u64,
}

/// What an answer of the primary means.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is applied: a lease may count from when it was asked.
    Current,
    /// It was asked before something that was learnt meanwhile: ask again.
    Overtaken,
    /// There are invalidations to apply: ask for so many log records.
    Behind { count: u64 },
    /// The log cannot tell what happened: reset.
    Lost,
    /// The store has no counter: seed it, and reset.
    Missing,
}

/// What became of log records.
#[derive(Debug, PartialEq, Eq)]
pub enum CaughtUp {
    /// They chained up to the sequence; what they note.
    Applied(Vec<Notes>),
    /// They did not: reset.
    Gap,
}

/// What became of an announcement, or of an own invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It had been applied before.
    Known,
    /// `applied` moved to it.
    Applied,
    /// Another one came before it, which was not applied: `applied` did not move. What it names is superseded all the same.
    Unchained,
}

impl Watermark {
    pub fn new(max_staleness: Duration, mutation: Mutation) -> Self {
        Watermark {
            max_staleness,
            mutation,
            confirmed_at: AtomicU64::new(0),
            renew_at: AtomicU64::new(NEVER),
            newest: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            dependencies: Dependencies::default(),
            state: Mutex::default(),
        }
    }

    pub fn dependency(&self, name: &Arc<str>) -> Arc<Dependency> {
        self.dependencies.get(name)
    }

    /// The last thing learnt.
    pub fn tick(&self) -> u64 {
        self.state().tick
    }

    pub fn applied(&self) -> Option<Sequence> {
        self.state().applied
    }

    /// The last thing learnt, for hits: takes no lock.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Acquire)
    }

    /// The tick of the last invalidation of everything.
    pub(super) fn floor(&self) -> u64 {
        self.floor.load(Acquire)
    }

    /// Whether what the lease covers may be served at `now`. Takes no lock.
    pub fn is_leased(&self, now: Duration) -> bool {
        self.leased_until() > nanoseconds(now)
    }

    /// In nanoseconds; 0: not at all.
    pub(super) fn leased_until(&self) -> u64 {
        match self.confirmed_at.load(Acquire) {
            0 => 0,
            confirmed_at => confirmed_at.saturating_add(nanoseconds(self.max_staleness)),
        }
    }

    /// Whether the primary confirmed `applied` by a question of then or later.
    pub fn is_confirmed_since(&self, moment: Duration) -> bool {
        let confirmed_at = self.confirmed_at.load(Acquire);
        confirmed_at > 0 && confirmed_at >= nanoseconds(moment)
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

    /// The next reader is to renew the lease, however long it lasts.
    pub fn renew_soon(&self) {
        self.renew_at.store(0, Relaxed);
    }

    /// A question is about to be sent to the primary.
    pub fn request(&self, now: Duration) -> Request {
        Request {
            sent_at: now,
            tick: self.tick(),
        }
    }

    /// What it means that the primary answered with this sequence.
    pub fn judge(&self, request: Request, answer: Option<Sequence>) -> Verdict {
        let mut state = self.state();
        let Some(sequence) = answer else {
            let confirms = self.mutation.is(Mutant::MissingSequenceConfirms);
            return if confirms && state.applied.is_some() {
                Verdict::Current
            } else {
                Verdict::Missing
            };
        };
        if state.applied == Some(sequence) {
            return Verdict::Current;
        }
        let Some(applied) = state
            .applied
            .filter(|_| state.position_of(sequence).is_none())
        else {
            // The first one; or known, and not the last: somebody moved on meanwhile, or the store went back to it.
            return if state.tick > request.tick {
                Verdict::Overtaken
            } else {
                Verdict::Lost
            };
        };
        if self.mutation.is(Mutant::GapsAreSkipped) {
            self.learn(&mut state, Some(sequence), Scope::Of(Default::default()));
            return Verdict::Current;
        }
        match applied.distance_to(sequence) {
            Some(count) => Verdict::Behind { count },
            None => Verdict::Lost,
        }
    }

    /// The log's last records, oldest first, as the primary had them after it answered with `sequence`. A lease may count from
    /// that answer if they chain that far.
    pub fn catch_up(&self, records: &[LogRecord], sequence: Sequence) -> CaughtUp {
        let mut state = self.state();
        let mut notes = Vec::new();
        for record in records {
            if state.applied.is_some() && record.previous == state.applied {
                self.apply(&mut state, record);
                notes.push(record.notes.clone());
            }
        }
        if state.position_of(sequence).is_some() {
            CaughtUp::Applied(notes)
        } else {
            CaughtUp::Gap
        }
    }

    /// How long ago the primary last confirmed `applied`; `None` without a lease since.
    pub fn confirmed_ago(&self, now: Duration) -> Option<Duration> {
        let confirmed_at = self.confirmed_at.load(Acquire);
        (confirmed_at > 0).then(|| now.saturating_sub(Duration::from_nanos(confirmed_at)))
    }

    /// A lease counts from this question, which the primary answered with a sequence up to which everything is applied.
    pub fn confirm(&self, request: Request, now: Duration) {
        let mut state = self.state();
        // What was announced before is in the chain by now, or is not true.
        state.ahead.retain(|ahead| ahead.tick > request.tick);
        let from = if self.mutation.is(Mutant::LeasesCountFromTheAnswer) {
            now
        } else {
            request.sent_at
        };
        let confirmed_at = nanoseconds(from).max(1);
        if confirmed_at <= self.confirmed_at.load(Relaxed) {
            return;
        }
        // Early enough for the next answer to be there before the lease ends; late enough for about one command per lease.
        let round_trip = now.saturating_sub(request.sent_at);
        let margin = (round_trip * 2).clamp(self.max_staleness / 20, self.max_staleness / 2);
        let renew_at = nanoseconds((from + self.max_staleness).saturating_sub(margin));
        self.confirmed_at.store(confirmed_at, Release);
        self.renew_at.store(renew_at, Relaxed);
    }

    /// Nobody knows what happened before this sequence, with which the primary answered: every entry is superseded, and every load
    /// under way. False if something was learnt since it was asked, which may have come later: ask again.
    pub fn reset(&self, sequence: Sequence, request: Request) -> bool {
        let mut state = self.state();
        if state.tick > request.tick {
            return false;
        }
        state.learnt.clear();
        state.ahead.clear();
        if self.mutation.is(Mutant::ResetKeepsEntries) {
            self.learn(&mut state, Some(sequence), Scope::Of(Default::default()));
            return true;
        }
        self.end_lease();
        self.learn(&mut state, Some(sequence), Scope::Everything);
        true
    }

    /// An invalidation was announced, or an own one acknowledged.
    pub fn observe(&self, record: &LogRecord) -> Observed {
        let mut state = self.state();
        if state.position_of(record.sequence).is_some() {
            return Observed::Known;
        }
        let chained = state.applied.is_some() && record.previous == state.applied;
        if chained || self.mutation.is(Mutant::WatermarkMovesAnywhere) {
            self.apply(&mut state, record);
            return Observed::Applied;
        }
        self.learn(&mut state, None, record.scope.clone());
        if state.ahead.iter().all(|it| it.sequence != record.sequence) {
            let (sequence, tick) = (record.sequence, state.tick);
            let full = state.ahead.len() >= MOST_AHEAD;
            let scope = if full {
                Scope::Everything
            } else {
                record.scope.clone()
            };
            if full {
                state.ahead.clear();
            }
            state.ahead.push(Ahead {
                sequence,
                scope,
                tick,
            });
        }
        Observed::Unchained
    }

    /// An invalidation is known of that the store may not have: an own one that was not acknowledged.
    pub fn supersede(&self, scope: Scope) {
        let mut state = self.state();
        self.learn(&mut state, None, scope);
    }

    /// Ends the lease. Entries and loads under way stay as they are.
    pub fn end_lease(&self) {
        self.confirmed_at.store(0, Release);
    }

    /// The tick up to which a value that was read beside this sequence includes all invalidations; `None` if the sequence is
    /// not remembered: it is ahead of what was applied here, or too old.
    pub fn tick_of(&self, sequence: Sequence) -> Option<u64> {
        let state = self.state();
        let at = state.position_of(sequence)?;
        if self.mutation.is(Mutant::EntriesAreOfTheLastTick) {
            return Some(state.tick);
        }
        Some(state.learnt[at].tick)
    }

    /// Whether one of these was invalidated after this tick.
    pub fn is_invalidated_since(&self, tick: u64, dependencies: &[Arc<Dependency>]) -> bool {
        let state = self.state();
        let later = state
            .learnt
            .iter()
            .rev()
            .take_while(|learnt| learnt.tick > tick);
        later.into_iter().any(|learnt| match &learnt.scope {
            Scope::Everything => true,
            Scope::Of(names) => dependencies.iter().any(|it| names.contains(it.name())),
        })
    }

    /// Whether a load that began at this tick may be joined by who asks for something that depends on these.
    pub fn is_joinable(&self, begun_at: u64, dependencies: &[Arc<Dependency>]) -> bool {
        if self.mutation.is(Mutant::SupersededLoadsAreJoined) {
            return true;
        }
        begun_at >= self.floor()
            && dependencies
                .iter()
                .all(|it| it.invalidated_at() <= begun_at)
    }

    /// Whether an instance that has applied `other` has applied `sequence`, as far as it is remembered here.
    pub fn is_at_or_after(&self, other: Sequence, sequence: Sequence) -> bool {
        let state = self.state();
        match (state.position_of(other), state.position_of(sequence)) {
            (Some(other), Some(sequence)) => other >= sequence,
            _ => false,
        }
    }

    fn apply(&self, state: &mut State, record: &LogRecord) {
        let scope = if self.mutation.is(Mutant::AppliedRecordsKeepEntries) {
            Scope::Of(Default::default())
        } else {
            record.scope.clone()
        };
        self.learn(state, Some(record.sequence), scope);
        // What is ahead comes after it.
        state
            .ahead
            .retain(|ahead| ahead.sequence != record.sequence);
        let ahead: Vec<Scope> = state
            .ahead
            .iter()
            .map(|ahead| ahead.scope.clone())
            .collect();
        for scope in ahead {
            self.learn(state, None, scope);
        }
    }

    fn learn(&self, state: &mut State, sequence: Option<Sequence>, scope: Scope) {
        state.tick += 1;
        match &scope {
            Scope::Everything => self.floor.store(state.tick, Release),
            scope => self.dependencies.invalidate(scope, state.tick),
        }
        self.newest.store(state.tick, Release);
        if sequence.is_some() {
            state.applied = sequence;
        }
        state.learnt.push_back(Learnt {
            tick: state.tick,
            sequence,
            scope,
        });
        if state.learnt.len() > REMEMBERED {
            state.learnt.pop_front();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves a state that is whole: every field is set by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where a sequence is among the things learnt.
    fn position_of(&self, sequence: Sequence) -> Option<usize> {
        self.learnt
            .iter()
            .rposition(|it| it.sequence == Some(sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::entry_dependency;

    const LEASE: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sequence(number: u64) -> Sequence {
        Sequence::new(number).unwrap()
    }

    fn docs(id: &str) -> Scope {
        Scope::Of([entry_dependency("docs", id)].into())
    }

    fn record(previous: u64, number: u64, scope: Scope) -> LogRecord {
        LogRecord {
            previous: Sequence::new(previous),
            sequence: sequence(number),
            scope,
            notes: Notes::default(),
        }
    }

    /// At sequence 5, without a lease.
    fn watermark() -> Watermark {
        let watermark = Watermark::new(LEASE, Mutation::NONE);
        watermark.reset(sequence(5), watermark.request(at(0)));
        watermark
    }

    fn judge(watermark: &Watermark, number: u64, sent_ms: u64, now_ms: u64) -> Verdict {
        let request = watermark.request(at(sent_ms));
        let verdict = watermark.judge(request, Sequence::new(number));
        if verdict == Verdict::Current {
            watermark.confirm(request, at(now_ms));
        }
        verdict
    }

    #[test]
    fn a_lease_counts_from_when_the_primary_was_asked() {
        let watermark = watermark();
        assert!(!watermark.is_leased(at(1)));
        assert_eq!(judge(&watermark, 5, 10, 400), Verdict::Current);
        assert!(watermark.is_leased(at(1009)));
        assert!(!watermark.is_leased(at(1010)));
        assert_eq!(judge(&watermark, 5, 5, 500), Verdict::Current);
        assert!(
            watermark.is_leased(at(1009)),
            "an earlier question shortens nothing"
        );
    }

    #[test]
    fn one_reader_of_a_lease_renews_it_and_earlier_where_the_store_is_slow() {
        let quick = watermark();
        judge(&quick, 5, 0, 1);
        let renewals =
            |watermark: &Watermark, ms| (0..3).filter(|_| watermark.take_renewal(at(ms))).count();
        assert_eq!(
            (
                renewals(&quick, 949),
                renewals(&quick, 950),
                renewals(&quick, 999)
            ),
            (0, 1, 0)
        );
        let slow = watermark();
        judge(&slow, 5, 0, 200);
        assert_eq!((renewals(&slow, 599), renewals(&slow, 600)), (0, 1));
    }

    #[test]
    fn records_that_chain_are_applied_and_confirm() {
        let watermark = watermark();
        assert_eq!(judge(&watermark, 7, 10, 11), Verdict::Behind { count: 2 });
        let request = watermark.request(at(10));
        let records = [
            record(4, 5, docs("x")),
            record(5, 6, docs("a")),
            record(6, 7, docs("b")),
        ];
        let caught_up = watermark.catch_up(&records, sequence(7));
        assert_eq!(caught_up, CaughtUp::Applied(vec![Notes::default(); 2]));
        assert_eq!(watermark.applied(), Some(sequence(7)));
        watermark.confirm(request, at(12));
        assert!(watermark.is_leased(at(1009)));
        let a = [watermark.dependency(&entry_dependency("docs", "a"))];
        let [old, new] = [5, 6].map(|number| watermark.tick_of(sequence(number)).unwrap());
        assert!(watermark.is_invalidated_since(old, &a));
        assert!(!watermark.is_invalidated_since(new, &a));
    }

    #[test]
    fn records_with_a_gap_confirm_nothing() {
        let watermark = watermark();
        for records in [
            vec![],
            vec![record(6, 7, docs("b"))],
            vec![record(5, 6, docs("a"))],
        ] {
            let caught_up = watermark.catch_up(&records, sequence(7));
            assert_eq!(caught_up, CaughtUp::Gap);
        }
    }

    #[test]
    fn an_answer_that_was_overtaken_is_asked_for_again_and_one_that_went_back_is_lost() {
        let watermark = watermark();
        let request = watermark.request(at(10));
        assert_eq!(
            watermark.observe(&record(5, 6, docs("a"))),
            Observed::Applied
        );
        assert_eq!(
            watermark.judge(request, Sequence::new(5)),
            Verdict::Overtaken
        );
        assert_eq!(judge(&watermark, 5, 13, 14), Verdict::Lost, "a failover");
        assert_eq!(judge(&watermark, 4, 13, 14), Verdict::Lost);
        assert_eq!(judge(&watermark, 0, 13, 14), Verdict::Missing);
        assert!(!watermark.is_leased(at(14)));
    }

    #[test]
    fn an_announcement_moves_the_watermark_along_the_chain_only() {
        let watermark = watermark();
        assert_eq!(
            watermark.observe(&record(6, 7, docs("b"))),
            Observed::Unchained
        );
        assert_eq!(watermark.applied(), Some(sequence(5)));
        assert_eq!(
            watermark.observe(&record(5, 6, docs("a"))),
            Observed::Applied
        );
        assert_eq!(watermark.observe(&record(5, 6, docs("a"))), Observed::Known);
        assert_eq!(
            watermark.observe(&record(6, 7, docs("b"))),
            Observed::Applied
        );
        assert_eq!(watermark.applied(), Some(sequence(7)));
    }

    #[test]
    fn what_is_ahead_of_the_chain_supersedes_what_is_read_before_it() {
        let watermark = watermark();
        let b = [watermark.dependency(&entry_dependency("docs", "b"))];
        watermark.observe(&record(6, 7, docs("b")));
        watermark.observe(&record(5, 6, docs("a")));
        let read_beside_6 = watermark.tick_of(sequence(6)).unwrap();
        assert!(watermark.is_invalidated_since(read_beside_6, &b));
        watermark.observe(&record(6, 7, docs("b")));
        let read_beside_7 = watermark.tick_of(sequence(7)).unwrap();
        assert!(!watermark.is_invalidated_since(read_beside_7, &b));
    }

    #[test]
    fn what_was_announced_and_is_not_true_is_forgotten_once_the_primary_was_asked() {
        let watermark = watermark();
        let b = [watermark.dependency(&entry_dependency("docs", "b"))];
        watermark.observe(&record(98, 99, docs("b")));
        judge(&watermark, 5, 10, 11);
        watermark.observe(&record(5, 6, docs("a")));
        let tick = watermark.tick_of(sequence(6)).unwrap();
        assert!(!watermark.is_invalidated_since(tick, &b));
    }

    #[test]
    fn a_reset_to_what_was_answered_before_something_was_learnt_is_none() {
        let watermark = Watermark::new(LEASE, Mutation::NONE);
        let request = watermark.request(at(1));
        watermark.observe(&record(6, 7, docs("b")));
        assert_eq!(
            watermark.judge(request, Sequence::new(6)),
            Verdict::Overtaken
        );
        assert!(!watermark.reset(sequence(6), request));
        assert_eq!(watermark.applied(), None);
    }

    #[test]
    fn before_the_first_validation_nothing_chains() {
        let watermark = Watermark::new(LEASE, Mutation::NONE);
        assert_eq!(judge(&watermark, 5, 1, 2), Verdict::Lost);
        let unseeded = LogRecord {
            previous: None,
            ..record(0, 9, docs("a"))
        };
        assert_eq!(watermark.observe(&unseeded), Observed::Unchained);
    }

    #[test]
    fn a_reset_ends_the_lease_and_supersedes_everything() {
        let watermark = watermark();
        judge(&watermark, 5, 10, 11);
        let begun_at = watermark.tick();
        let dependencies = [watermark.dependency(&entry_dependency("docs", "a"))];
        watermark.reset(sequence(3), watermark.request(at(11)));
        assert!(!watermark.is_leased(at(12)));
        assert!(watermark.floor() > begun_at);
        assert!(!watermark.is_joinable(begun_at, &dependencies));
        assert_eq!(
            watermark.tick_of(sequence(5)),
            None,
            "of another incarnation"
        );
        assert_eq!(watermark.tick_of(sequence(3)), Some(watermark.floor()));
    }

    #[test]
    fn loads_of_before_an_invalidation_are_not_joined() {
        let watermark = watermark();
        let [a, b] = ["a", "b"].map(|id| [watermark.dependency(&entry_dependency("docs", id))]);
        let begun_at = watermark.tick();
        watermark.supersede(docs("a"));
        assert!(!watermark.is_joinable(begun_at, &a));
        assert!(watermark.is_joinable(begun_at, &b));
    }

    #[test]
    fn what_was_forgotten_is_of_no_known_order() {
        let watermark = watermark();
        for number in 5..5 + REMEMBERED as u64 {
            watermark.observe(&record(number, number + 1, docs("a")));
        }
        assert_eq!(watermark.tick_of(sequence(5)), None);
        let last = sequence(5 + REMEMBERED as u64);
        assert!(watermark.is_at_or_after(last, sequence(6)));
        assert!(!watermark.is_at_or_after(sequence(6), last));
        assert!(!watermark.is_at_or_after(last, sequence(5)));
    }
}
