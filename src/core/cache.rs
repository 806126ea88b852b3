//! The cache: the only file that knows the order of the tiers.
//!
//! A read takes the near value while its lease runs. Else it asks the store, to confirm the near value or for all of it; on a
//! miss or a fault the source; then it takes the last value known to be good, the legacy source, the fallback. What the
//! source gave is filled into the store under the generation that was read before the source was asked, and nothing else is
//! ever stored.

use crate::core::answer::{Answer, Tier};
use crate::core::clock::Clock;
use crate::core::config::Limits;
use crate::core::engine::{Common, Engine};
use crate::core::error::Fault;
use crate::core::fleet::Member;
use crate::core::flight::{Boarding, Flights, Landing};
use crate::core::http::{CONTENT_CAP_BYTES, Deadline};
use crate::core::journal::Journal;
use crate::core::log::{Logger, Narrator};
use crate::core::near::{Answered, AtHand, Departure, Held, Near, NearState, Origin};
use crate::core::protocol::{Entry, Generation, Marks, MissReason, record};
use crate::core::push::Channel;
use crate::core::rules::{Rule, Rules};
use crate::core::signature::Signer;
use crate::core::source::{LegacySource, Source};
use crate::core::stats::Stats;
use crate::core::store::{Fill, Probe, SharedStore, Shelf, Store};
use serde_json::{Map, Value};
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// What one kind of cached value has to say: how it is made from what the sources give.
pub trait Resource: Narrator {
    /// The entry in a row of the source, asked for at `asked_ms`, or why there is none in it.
    fn entry_of_row(
        &self,
        row: &Map<String, Value>,
        source: &str,
        asked_ms: u64,
    ) -> Result<Entry, String>;
    /// The entry in what the user's function gave, or why there is none in it.
    fn entry_of_legacy(&self, value: Value, now_ms: u64) -> Result<Entry, String>;
    /// What stands in when no tier has anything.
    fn fallback(&self, now_ms: u64) -> Entry;
    /// What people call the entry.
    fn title<'a>(&self, entry: &'a Entry) -> Option<&'a str>;
    /// Whether it can make something of an entry that was stored.
    fn knows(&self, _: &Entry) -> bool {
        true
    }
    /// Whether an entry is one that is stored for others.
    fn is_kept(&self, _: &Entry) -> bool {
        true
    }
}

/// What a cache is made of.
pub struct Parts {
    /// Tells this instance from all others.
    pub id: String,
    /// What metrics call the cache.
    pub name: String,
    pub resource: Arc<dyn Resource>,
    pub store: Option<Arc<dyn SharedStore>>,
    /// Why there is no store.
    pub no_store: Option<String>,
    /// Where the store's invalidations are announced; `None`: the leases alone tell.
    pub channel: Option<Arc<dyn Channel>>,
    pub source: Option<Arc<dyn Source>>,
    pub legacy: Option<Arc<dyn LegacySource>>,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    /// Signs what is stored, and is asked of what was; `None`: whoever may write to the store is trusted.
    pub signer: Option<Signer>,
    pub rules: Rules,
}

/// What makes one value of a cache different from another.
pub(super) struct Line {
    pub resource: Arc<dyn Resource>,
    pub source: Option<Arc<dyn Source>>,
    pub legacy: Option<Arc<dyn LegacySource>>,
    pub signer: Option<Arc<Signer>>,
    /// Until its stored value expires.
    pub ttl_seconds: u32,
    /// What a load of it may take.
    pub source_timeout: Duration,
    /// Its keys in the store of the engine.
    pub shelf: Option<Arc<dyn Shelf>>,
    /// Whether its age tells when it will be gone from the store, so that the store is not asked.
    pub expires_by_age: bool,
}

/// The cache of one value.
pub struct Cache {
    pub(super) engine: Arc<Engine>,
    pub(super) line: Line,
    pub(super) journal: Arc<Journal>,
    pub stats: Arc<Stats>,
    pub(super) near: Near,
    flights: Flights<Landed>,
    /// Wakes the flights that wait for another instance's load: an announcement comes when that is done.
    pub(super) told: Notify,
}

impl Deref for Cache {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

/// What people are shown of a cache.
pub struct Examination {
    pub answer: Answer,
    pub probe: Option<Result<Probe, Fault>>,
    /// `None` where no store said.
    pub fleet: Option<Vec<Member>>,
}

/// A read under way.
pub struct Asking<F> {
    /// The number of its flight, from 1: reads of one flight are given the same.
    pub flight: u64,
    pub answer: F,
}

/// Where a flight begins.
pub(super) enum Start {
    AtTheStore,
    /// To fill the store under this generation, whose load is claimed. The sender is dropped when that is done.
    AtTheSource(Generation, oneshot::Sender<()>),
}

/// How a flight ended.
#[derive(Clone)]
pub(super) enum Landed {
    /// The near cache holds what this tier gave, or by now something newer. Of `Stale`, what it held all the time.
    Held(Tier),
    /// There was no value to be had.
    StandIn(Answer),
}

/// Why the source gave no entry.
pub(super) enum Lack {
    /// It was not configured, or did not answer because of this.
    NoAnswer(Option<Fault>),
    /// It answered that there is none, or one that is none: that is the truth, and what was good before is not.
    NoValue,
}

/// What the store said to a flight.
pub(super) enum Asked {
    /// It is in the near cache.
    Hit,
    /// It has this one, which the source is to prove.
    Unproved(Box<Answered>),
    /// With the fence for the fill, and whether this instance has claimed the load.
    Miss { fence: Generation, claimed: bool },
    /// No store, or no answer: nothing can be filled.
    NoAnswer,
}

impl Cache {
    /// A cache of one value alone.
    pub fn new(parts: Parts, logger: Logger) -> Arc<Self> {
        let journal = Arc::new(Journal::new(logger));
        Arc::new_cyclic(|cache: &Weak<Cache>| {
            let common = Common {
                id: parts.id,
                name: parts.name,
                no_store: parts.no_store,
                channel: parts.channel,
                clock: parts.clock,
                limits: parts.limits,
                rules: parts.rules,
            };
            let engine = Engine::new(common, parts.store, journal.clone(), cache.clone());
            let shelf = engine.store.clone();
            let line = Line {
                resource: parts.resource,
                source: parts.source,
                legacy: parts.legacy,
                signer: parts.signer.map(Arc::new),
                ttl_seconds: parts.limits.ttl_seconds,
                source_timeout: parts.limits.source_timeout,
                shelf: shelf.map(|store| store as Arc<dyn Shelf>),
                expires_by_age: false,
            };
            let stats = engine.stats.clone();
            Cache::of(engine, line, journal, stats)
        })
    }

    /// One value of many.
    pub(super) fn of(
        engine: Arc<Engine>,
        line: Line,
        journal: Arc<Journal>,
        stats: Arc<Stats>,
    ) -> Self {
        Cache {
            near: Near::new(engine.parts.limits.max_staleness, engine.parts.rules),
            flights: Flights::default(),
            told: Notify::new(),
            engine,
            line,
            journal,
            stats,
        }
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(super) fn rules(&self) -> Rules {
        self.parts.rules
    }

    /// Whether an entry is one that is stored for others.
    pub(super) fn keeps(&self, entry: &Entry) -> bool {
        self.line.resource.is_kept(entry) || !self.parts.rules.keep(Rule::NothingIsNotStored)
    }

    /// The value, always, within the two timeouts.
    pub async fn fetch(self: &Arc<Self>) -> Answer {
        match self.at_hand(0, Cache::renew) {
            Some(AtHand::Other(held)) => Answer::of(*held, Tier::Memory),
            // Nobody has the number 0.
            Some(AtHand::Known) | None => self.ask().answer.await,
        }
    }

    /// The value, if it may be served without asking, for a reader that has the one of this number (0: none). Waits for
    /// nobody: the price of a read that hits. One reader of each lease has to `renew` it.
    pub fn at_hand(
        self: &Arc<Self>,
        number: u64,
        renew: impl FnOnce(&Arc<Self>),
    ) -> Option<AtHand> {
        self.at_hand_at(self.parts.clock.monotonic(), number, renew)
    }

    /// The same at a moment that the caller has just read from the clock.
    pub(super) fn at_hand_at(
        self: &Arc<Self>,
        now: Duration,
        number: u64,
        renew: impl FnOnce(&Arc<Self>),
    ) -> Option<AtHand> {
        let leased = self.near.leased(number, now)?;
        self.stats.memory_hits.increment();
        self.journal.memory_hit();
        if leased.renew {
            renew(self);
        }
        Some(leased.value)
    }

    /// Renews the lease in the background. Inside a tokio runtime only.
    pub fn renew(self: &Arc<Self>) {
        drop(self.board());
    }

    /// The same, until it has come.
    pub(super) fn landing(self: &Arc<Self>) -> Landing<Landed> {
        self.board().landing
    }

    /// The value from further away: joins a flight or begins one. Inside a tokio runtime only.
    pub fn ask(self: &Arc<Self>) -> Asking<impl Future<Output = Answer> + use<>> {
        self.stats.asked.increment();
        let boarding = self.board();
        if boarding.joined {
            self.stats.joined.increment();
        }
        let cache = self.clone();
        Asking {
            flight: boarding.number,
            answer: async move { cache.answer_of(boarding.landing.await) },
        }
    }

    fn answer_of(&self, landed: Option<Landed>) -> Answer {
        match landed {
            Some(Landed::Held(tier)) => match self.near.held() {
                // Not the flight's own answer, so that nobody is given an older one than another caller was.
                Some(held) => Answer::of(held, tier),
                None => self.fallback(None, None),
            },
            Some(Landed::StandIn(answer)) => answer,
            None => {
                self.journal.panicked();
                self.fallback(None, None)
            }
        }
    }

    fn board(self: &Arc<Self>) -> Boarding<Landed> {
        let max_age = if self.parts.rules.keep(Rule::OldFlightsAreNotJoined) {
            self.parts.limits.max_staleness
        } else {
            Duration::MAX
        };
        self.take_off(max_age, Start::AtTheStore)
    }

    /// Begins a load under this generation; resolves when it is stored, or could not be.
    pub(super) fn refill(self: &Arc<Self>, fence: Generation) -> oneshot::Receiver<()> {
        let (storing, stored) = oneshot::channel();
        // Not joined, so always begun; what nobody waits for lands all the same.
        drop(self.take_off(Duration::ZERO, Start::AtTheSource(fence, storing)));
        stored
    }

    fn take_off(self: &Arc<Self>, max_age: Duration, start: Start) -> Boarding<Landed> {
        let departure = self.departure();
        self.flights
            .board(departure.at, departure.epoch, max_age, || {
                self.clone().load(departure, start)
            })
    }

    pub(super) fn departure(&self) -> Departure {
        Departure {
            epoch: self.near.epoch(),
            at: self.parts.clock.monotonic(),
        }
    }

    /// What a read gives, how the store is (`None` without one), and who is listed; for people.
    pub async fn examine(self: &Arc<Self>) -> Examination {
        let limits = &self.parts.limits;
        let deadline = Deadline::after(limits.redis_timeout + limits.source_timeout);
        let probe = async {
            let store = self.store.as_ref()?;
            Some(store.probe(self.redis_deadline()).await)
        };
        // After the read, so that this instance is listed.
        let (answer, probe) = tokio::join!(self.fetch(), probe);
        Examination {
            answer,
            probe,
            fleet: self.fleet(deadline.or_after(limits.redis_timeout)).await,
        }
    }

    /// What the near cache holds, for people.
    pub fn near(&self) -> NearState {
        self.near.state_at(self.parts.clock.monotonic())
    }

    /// Whether what is stored is signed.
    pub fn is_signed(&self) -> bool {
        self.line.signer.is_some()
    }

    /// Whether the stream of announcements is open.
    pub fn push_connected(&self) -> bool {
        self.near.is_push_connected()
    }

    /// A flight that is joined is as good as a lease: without a listing it is for those alone who have called.
    pub(super) fn keep_to_callers(&self) {
        if self.parts.clock.monotonic() >= self.lease_end() {
            self.near.unlisted();
        }
    }

    async fn load(self: Arc<Self>, departure: Departure, start: Start) -> Landed {
        self.listen();
        let landed = self.clone().descend(departure, start).await;
        if matches!(landed, Landed::Held(Tier::Source)) {
            self.stats.loaded.increment();
        }
        self.engine.acknowledge();
        landed
    }

    /// One flight, tier by tier.
    async fn descend(self: Arc<Self>, departure: Departure, start: Start) -> Landed {
        let (fence, claimed, storing) = match start {
            Start::AtTheSource(fence, storing) => (Some(fence), true, Some(storing)),
            Start::AtTheStore => match self.ask_store(departure).await {
                Asked::Hit => return Landed::Held(Tier::Redis),
                Asked::Unproved(answered) => return self.prove(*answered, departure).await,
                Asked::Miss { fence, claimed } => (Some(fence), claimed, None),
                Asked::NoAnswer => (None, false, None),
            },
        };
        self.keep_to_callers();
        let deadline = Deadline::after(self.line.source_timeout);
        match self.ask_source(departure, fence.as_ref()).await {
            Ok(entry) if !self.keeps(&entry) => {
                if claimed {
                    tokio::spawn(self.clone().release());
                }
                Landed::Held(Tier::Source)
            }
            Ok(entry) => {
                if let Some(fence) = fence {
                    let fill = self.clone().fill(entry, fence);
                    tokio::spawn(async move {
                        fill.await;
                        drop(storing);
                    });
                }
                Landed::Held(Tier::Source)
            }
            Err(lack) => {
                if claimed {
                    tokio::spawn(self.clone().release());
                }
                self.stand_in(lack, deadline, fence).await
            }
        }
    }

    async fn ask_store(self: &Arc<Self>, departure: Departure) -> Asked {
        let Some(shelf) = self.line.shelf.as_deref() else {
            return Asked::NoAnswer;
        };
        match self.look_up(shelf, departure).await {
            // An invalidation is owed.
            Ok(Asked::NoAnswer) => Asked::NoAnswer,
            Ok(asked) => {
                self.journal.store_answered();
                asked
            }
            Err(fault) => {
                self.stats.store_failed(&fault);
                self.journal.store_lost(&fault);
                Asked::NoAnswer
            }
        }
    }

    async fn look_up(
        self: &Arc<Self>,
        shelf: &dyn Shelf,
        departure: Departure,
    ) -> Result<Asked, Fault> {
        let deadline = self.redis_deadline();
        self.engine.register(deadline).await?;
        if self.trusted_store().is_none() {
            return Ok(Asked::NoAnswer);
        }
        let asked = if self.confirm(shelf, deadline, departure).await? {
            Asked::Hit
        } else {
            self.read_store(shelf, deadline, departure).await?
        };
        match asked {
            Asked::Hit if self.check_is_due() => {
                tokio::spawn(self.clone().refresh());
                Ok(Asked::Hit)
            }
            Asked::Miss { fence, .. } => {
                Ok(self.take_turn(shelf, deadline, departure, fence).await)
            }
            asked => Ok(asked),
        }
    }

    /// The keys of this value, unless the store is not to be trusted now.
    pub(super) fn trusted_shelf(&self) -> Option<&dyn Shelf> {
        self.trusted_store()?;
        self.line.shelf.as_deref()
    }

    /// Whether the store still has what the near cache holds. Not asked where that is known to have changed.
    async fn confirm(
        &self,
        shelf: &dyn Shelf,
        deadline: Deadline,
        departure: Departure,
    ) -> Result<bool, Fault> {
        let Some(held) = self.confirmable(Duration::MAX) else {
            return Ok(false);
        };
        let sent_at = self.parts.clock.monotonic();
        let marks = shelf.marks(deadline, &self.parts.id, &held).await?;
        self.stats.store_latency.observe(self.since(sent_at));
        self.sighted(marks.listed, sent_at);
        Ok(self.confirmed(held, &marks, sent_at, departure))
    }

    /// What may be confirmed, unless it has a lease that runs beyond `until`.
    pub(super) fn confirmable(&self, until: Duration) -> Option<Held> {
        let held = self.near.last_known_good_until(until)?;
        let confirmable = held.generation.is_some() && !self.is_past(&held.entry);
        confirmable.then_some(held)
    }

    /// Whether the store still has what was held when it was asked for these marks.
    pub(super) fn confirmed(
        &self,
        held: Held,
        marks: &Marks,
        sent_at: Duration,
        departure: Departure,
    ) -> bool {
        self.near.saw(marks.generation.as_ref(), sent_at);
        if !marks.vouch_for(&held.entry, held.generation.as_ref()) {
            return false;
        }
        self.hit(Answered {
            entry: held.entry,
            generation: held.generation,
            origin: Origin::Store,
            sent_at,
            departure,
            lease_end: self.lease_end(),
        })
    }

    /// It is known to have changed.
    pub(super) fn superseded(&self) {
        self.near.superseded();
        self.told.notify_waiters();
    }

    /// Reads all that the store has.
    pub(super) async fn read_store(
        &self,
        shelf: &dyn Shelf,
        deadline: Deadline,
        departure: Departure,
    ) -> Result<Asked, Fault> {
        let sent_at = self.parts.clock.monotonic();
        let snapshot = shelf.read(deadline, &self.parts.id).await?;
        self.stats.store_latency.observe(self.since(sent_at));
        self.sighted(snapshot.listed, sent_at);
        self.near.saw(snapshot.generation.as_ref(), sent_at);
        let reason = match self.judged(&snapshot) {
            Ok(entry) => {
                let answered = Answered {
                    entry: Arc::new(entry),
                    generation: snapshot.generation.clone(),
                    origin: Origin::Store,
                    sent_at,
                    departure,
                    lease_end: self.lease_end(),
                };
                if self.wants_proof() {
                    return Ok(Asked::Unproved(Box::new(answered)));
                }
                if self.hit(answered) {
                    return Ok(Asked::Hit);
                }
                MissReason::Older
            }
            Err(reason) => reason,
        };
        self.stats.misses.increment();
        match reason {
            MissReason::Empty | MissReason::Superseded | MissReason::Older => {
                self.stats.absent.increment();
            }
            MissReason::Foreign => self.stats.foreign.increment(),
            MissReason::Unsigned | MissReason::Replayed => {
                self.stats.signatures_refused.increment()
            }
        }
        self.journal.miss(reason);
        let fence = match snapshot.generation {
            Some(generation) => generation,
            None => shelf.mint(deadline, self.parts.clock.wall_ms()).await?,
        };
        Ok(Asked::Miss {
            fence,
            claimed: false,
        })
    }

    /// The store served or confirmed a value; false if it is older than the one held.
    pub(super) fn hit(&self, answered: Answered) -> bool {
        let accepted = self.accept(answered);
        if accepted {
            self.stats.hits.increment();
            self.journal.hit();
        }
        accepted
    }

    fn accept(&self, answered: Answered) -> bool {
        let now = self.parts.clock.monotonic();
        if let Some(age) = self.near.age(now) {
            let lease = self.parts.limits.max_staleness;
            self.stats.staleness.observe(age.min(lease));
        }
        self.near.accept(answered, now)
    }

    /// The entry of the active row, once it is in the near cache.
    pub(super) async fn ask_source(
        &self,
        departure: Departure,
        fence: Option<&Generation>,
    ) -> Result<Arc<Entry>, Lack> {
        let source = self.line.source.as_deref().ok_or(Lack::NoAnswer(None))?;
        // Half of the time where a legacy source waits, so that a source that hangs leaves the other half to it.
        let budget = self.line.source_timeout / if self.line.legacy.is_some() { 2 } else { 1 };
        let deadline = Deadline::after(budget);
        loop {
            let sent_at = self.parts.clock.monotonic();
            let missed = fence.is_some();
            let entry = Arc::new(self.load_row(source, deadline, missed).await?);
            let answered = Answered {
                entry: entry.clone(),
                generation: fence.cloned(),
                origin: Origin::Source,
                sent_at,
                departure,
                lease_end: self.lease_end(),
            };
            if self.accept(answered) {
                return Ok(entry);
            }
            // Something newer was delivered while this was under way, so it is asked again; until the deadline.
        }
    }

    /// The entry in the active row. `missed`: the store answered and had none.
    async fn load_row(
        &self,
        source: &dyn Source,
        deadline: Deadline,
        missed: bool,
    ) -> Result<Entry, Lack> {
        self.stats.source_reads.increment();
        let (sent_at, asked_ms) = (self.parts.clock.monotonic(), self.parts.clock.wall_ms());
        let row = match source.load(deadline).await {
            Ok(row) => {
                self.stats.source_latency.observe(self.since(sent_at));
                row
            }
            Err(fault) => {
                self.stats.source_faults.increment();
                self.stats.last_source_fault.note(&fault);
                self.journal.source_lost(&fault);
                return Err(Lack::NoAnswer(Some(fault)));
            }
        };
        self.journal.source_answered();
        let Some(row) = row else {
            self.journal.no_active_row();
            return Err(Lack::NoValue);
        };
        let resource = &self.line.resource;
        let made = resource
            .entry_of_row(&row, source.name(), asked_ms)
            .and_then(within_cap);
        match &made {
            Ok(entry) => {
                self.journal
                    .loaded(source.name(), resource.title(entry), &row, missed);
            }
            Err(problem) => self.journal.unusable_row(&row, problem),
        }
        made.map_err(|_| Lack::NoValue)
    }

    /// Lets another instance try, where this one could not load what it had claimed.
    pub(super) async fn release(self: Arc<Self>) {
        if let Some(shelf) = self.trusted_shelf()
            && let Err(fault) = shelf.release(self.redis_deadline()).await
        {
            self.stats.store_failed(&fault);
        }
    }

    pub(super) async fn fill(self: Arc<Self>, entry: Arc<Entry>, fence: Generation) {
        let Some(shelf) = self.trusted_shelf() else {
            return;
        };
        let record = record(&entry, &fence);
        let record = match &self.line.signer {
            Some(signer) => signer.sign(record),
            None => record,
        };
        let ttl_seconds = self.line.ttl_seconds;
        match shelf
            .fill(self.redis_deadline(), &fence, &record, ttl_seconds)
            .await
        {
            Ok(Fill::Stored) => {
                self.stats.fills.increment();
                self.journal.filled();
            }
            Ok(Fill::Refused) => {
                self.stats.fills_refused.increment();
                self.journal.fill_refused();
            }
            Err(fault) => {
                self.stats.store_failed(&fault);
                self.journal.fill_failed(&fault);
                self.release().await;
            }
        }
    }
}

pub(super) fn within_cap(entry: Entry) -> Result<Entry, String> {
    if entry.content.len() <= CONTENT_CAP_BYTES {
        Ok(entry)
    } else {
        Err(format!("it is larger than {CONTENT_CAP_BYTES} bytes"))
    }
}
