//! One load of an entry, tier by tier: the store, to confirm the value in memory or for all of it; on a miss or a fault the source;
//! then what stands in for the truth. What the source gave is filled into the store in the background, fenced by the generations
//! that were seen before the source was asked, and nothing else is ever stored.

use crate::cache::answer::{Answer as Delivered, Tier};
use crate::cache::context::Context;
use crate::cache::entry::{CachedEntry, Kind};
use crate::error::Fault;
use crate::http::{CONTENT_CAP_BYTES, Deadline};
use crate::near::{Answer, Joined, Origin, Terms};
use crate::protocol::{Age, Generation, MissReason, Sequence, Snapshot, Value, age, judge, record};
use crate::source::Source;
use crate::store::{Filling, Store};
use crate::testing::mutants::Mutant;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a claim to load a value for all instances lasts.
pub const CLAIM: Duration = Duration::from_secs(1);
/// How long an instance waits for another's load, at most; and never longer than half of the store's time.
const PATIENCE: Duration = Duration::from_millis(250);
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(10);
const LAST_LOOK_AFTER: Duration = Duration::from_millis(50);
/// How often the keys of a single entry are looked at under traffic, at least.
const LOOK_INTERVAL: Duration = Duration::from_secs(9);
/// How far the clocks of two instances may differ, and how long a fill may take: beyond a TTL and this, a signed value is a replay.
const SLACK: Duration = Duration::from_secs(60);

/// When a load began.
#[derive(Clone)]
pub struct Begun {
    pub at: Duration,
    pub tick: u64,
    /// Whether the source was asked: a receipt may not know of those that join it from then on without a lease.
    pub at_source: Arc<AtomicBool>,
}

/// How a load ended.
#[derive(Clone)]
pub enum Landed {
    /// The entry holds what this tier gave, or by now something newer. Of `Stale`, what it held all the time.
    Held(Tier),
    /// There was no value to be had.
    Fallback(Delivered),
}

/// Under what a value is stored: the generations and the sequence that were seen before the source was asked.
#[derive(Clone)]
pub struct Fence {
    pub generations: Vec<Generation>,
    pub sequence: Sequence,
}

impl Fence {
    fn of(snapshot: &Snapshot) -> Option<Self> {
        Some(Fence {
            generations: snapshot.fence()?,
            sequence: snapshot.sequence?,
        })
    }
}

/// Where a load begins.
pub enum Start {
    AtTheStore,
    /// To fill the store under this fence, whose load is claimed. The sender is dropped when that is done.
    AtTheSource(Fence, oneshot::Sender<()>),
}

/// What the store came to.
enum Asked {
    /// It is in the entry.
    Hit,
    /// The store has this one, which the source is to prove.
    Unproved(Box<Answer>, Option<Fence>),
    /// With the fence for the fill, unless nothing can be filled, and whether this instance has claimed the load.
    Miss { fence: Option<Fence>, claimed: bool },
    /// No store, or no answer, or an invalidation is owed.
    NoAnswer,
}

/// Why the source gave no value.
enum Lack {
    /// It was not configured, or did not answer because of this.
    NoAnswer(Option<Fault>),
    /// It answered that there is none, or one that is unusable: that is the truth, and what was good before is not.
    NoValue,
}

impl Context {
    /// Joins a load of this entry, or begins one. Inside a tokio runtime only.
    pub(super) fn load(self: &Arc<Self>, entry: &Arc<CachedEntry>) -> Joined<Landed> {
        let now = self.clock.monotonic();
        let joinable = |begun: &Begun| {
            let young = now.saturating_sub(begun.at) < self.limits.max_staleness;
            (young || self.mutation.is(Mutant::OldLoadsAreJoined))
                && (!begun.at_source.load(SeqCst)
                    || self.is_alone()
                    || self.watermark.is_leased(now))
                && self
                    .watermark
                    .is_joinable(begun.tick, entry.near.dependencies())
        };
        self.begin(entry, joinable, Start::AtTheStore)
    }

    /// Begins a load under this fence; resolves when it is stored, or could not be.
    pub(super) fn refill(
        self: &Arc<Self>,
        entry: &Arc<CachedEntry>,
        fence: Fence,
    ) -> oneshot::Receiver<()> {
        let (storing, stored) = oneshot::channel();
        drop(self.begin(entry, |_| false, Start::AtTheSource(fence, storing)));
        stored
    }

    fn begin(
        self: &Arc<Self>,
        entry: &Arc<CachedEntry>,
        joinable: impl FnOnce(&Begun) -> bool,
        start: Start,
    ) -> Joined<Landed> {
        let load = self.load_of(entry);
        entry
            .loads
            .join(joinable, load.begun.clone(), || load.run(start))
    }

    pub(super) fn load_of(self: &Arc<Self>, entry: &Arc<CachedEntry>) -> Load {
        Load {
            context: self.clone(),
            entry: entry.clone(),
            begun: Begun {
                at: self.clock.monotonic(),
                tick: self.watermark.tick(),
                at_source: Arc::default(),
            },
        }
    }

    /// What a caller of a load is given.
    pub(super) fn answer_of(
        self: &Arc<Self>,
        entry: &Arc<CachedEntry>,
        landed: Option<Landed>,
    ) -> Delivered {
        match landed {
            Some(Landed::Held(tier)) => match entry.near.held() {
                // Not the load's own answer, so that nobody is given an older one than another caller was.
                Some(held) => Delivered::of(held, tier),
                None => self.load_of(entry).fallback(None, None),
            },
            Some(Landed::Fallback(answer)) => answer,
            None => {
                entry.definition.state_log.panicked();
                self.load_of(entry).fallback(None, None)
            }
        }
    }
}

/// A load under way.
#[derive(Clone)]
pub(super) struct Load {
    pub context: Arc<Context>,
    pub entry: Arc<CachedEntry>,
    pub begun: Begun,
}

impl Load {
    async fn run(self, start: Start) -> Landed {
        self.context.listen();
        let landed = self.descend(start).await;
        if matches!(landed, Landed::Held(Tier::Source)) {
            self.entry.definition.stats.loaded.increment();
        }
        landed
    }

    async fn descend(&self, start: Start) -> Landed {
        let (fence, claimed, storing) = match start {
            Start::AtTheSource(fence, storing) => (Some(fence), true, Some(storing)),
            Start::AtTheStore => match self.ask_store().await {
                Asked::Hit => return Landed::Held(Tier::Redis),
                Asked::Unproved(answer, fence) => return self.prove(*answer, fence).await,
                Asked::Miss { fence, claimed } => (fence, claimed, None),
                Asked::NoAnswer => (None, false, None),
            },
        };
        self.begun.at_source.store(true, SeqCst);
        let deadline = Deadline::after(self.entry.definition.source_timeout);
        match self.ask_source(fence.as_ref()).await {
            Ok(value) if self.keeps(&value) => {
                if let Some(fence) = fence {
                    let load = self.clone();
                    tokio::spawn(async move {
                        load.fill(value, fence).await;
                        drop(storing);
                    });
                }
                Landed::Held(Tier::Source)
            }
            Ok(_) => {
                self.release_if(claimed);
                Landed::Held(Tier::Source)
            }
            Err(lack) => {
                self.release_if(claimed);
                self.stand_in(lack, deadline, fence).await
            }
        }
    }

    /// The store, unless an invalidation that concerns this entry is owed to it.
    fn trusted_store(&self) -> Option<&Store> {
        let store = self.context.store.as_ref()?;
        let owed = self.context.owed.concerns(self.entry.names());
        (!owed
            || self
                .context
                .mutation
                .is(Mutant::OwedInvalidationsAreForgotten))
        .then_some(store)
    }

    async fn ask_store(&self) -> Asked {
        let Some(store) = self.trusted_store() else {
            return Asked::NoAnswer;
        };
        let deadline = self.context.redis_deadline();
        let asked = timeout_at(deadline.at(), self.look_up(store, deadline)).await;
        match asked.unwrap_or_else(|_| Err(deadline.fault())) {
            Ok(asked) => {
                self.context.state_log.store_answered();
                self.entry.definition.state_log.store_answered();
                asked
            }
            Err(fault) => {
                self.entry.definition.stats.store_failed(&fault);
                self.entry.definition.state_log.store_lost(&fault);
                Asked::NoAnswer
            }
        }
    }

    async fn look_up(&self, store: &Store, deadline: Deadline) -> Result<Asked, Fault> {
        let Some(keys) = &self.entry.keys else {
            return Ok(Asked::NoAnswer);
        };
        let watermark = &self.context.watermark;
        let mut seen = None;
        if !watermark.is_leased(self.context.clock.monotonic()) {
            // The first read of an instance asks for all of it in one round trip.
            let first = watermark.applied().is_none();
            let look = if first { keys.look() } else { Vec::new() };
            let joined = self.context.validate(look).await?;
            if first && joined.is_own {
                seen = Some((joined.validation.found.clone(), joined.validation.sent_at));
            }
        }
        if self.confirmed() {
            return Ok(Asked::Hit);
        }
        // Where the validation began the sequence, what was found beside it came too early.
        let (found, sent_at) = match seen.filter(|(found, _)| keys.saw_sequence(found)) {
            Some(seen) => seen,
            None => self.look(store, deadline).await?,
        };
        match self.take_in(found, sent_at).await? {
            Asked::Miss {
                fence: Some(fence), ..
            } => Ok(self.take_turn(store, deadline, fence).await),
            asked => Ok(asked),
        }
    }

    /// Whether what the entry holds may be served now, as the primary has confirmed.
    fn confirmed(&self) -> bool {
        let now = self.context.clock.monotonic();
        let current = self.entry.near.is_current(now, &self.context.watermark);
        let confirmed =
            current && self.is_covered(now) && !self.is_past_of_held() && !self.wants_proof();
        if confirmed {
            self.hit();
            if self.entry.near.take_refresh(now) {
                tokio::spawn(self.clone().refresh());
            }
        }
        confirmed
    }

    /// Whether every caller of this load may be given what is current: a lease runs, or the primary was asked since it began.
    fn is_covered(&self, now: Duration) -> bool {
        let watermark = &self.context.watermark;
        watermark.is_leased(now) || watermark.is_confirmed_since(self.begun.at)
    }

    async fn look(
        &self,
        store: &Store,
        deadline: Deadline,
    ) -> Result<(Vec<Option<String>>, Duration), Fault> {
        let keys = self
            .entry
            .keys
            .as_ref()
            .map(|keys| keys.look())
            .unwrap_or_default();
        let sent_at = self.context.clock.monotonic();
        let found = store.look(deadline, keys).await?;
        self.context
            .stats
            .store_latency
            .observe(self.context.since(sent_at));
        Ok((found, sent_at))
    }

    /// Takes in what the store has of this entry, if it may be served.
    async fn take_in(&self, found: Vec<Option<String>>, sent_at: Duration) -> Result<Asked, Fault> {
        let Some(keys) = &self.entry.keys else {
            return Ok(Asked::NoAnswer);
        };
        let snapshot = keys.snapshot(found);
        let fence = Fence::of(&snapshot);
        let reason = match self.judged(&snapshot) {
            Ok(value) => match self.tick_of(&snapshot).await? {
                Some(tick)
                    if !self
                        .context
                        .watermark
                        .is_invalidated_since(tick, self.entry.near.dependencies()) =>
                {
                    if self.trusted_store().is_none() {
                        // An invalidation is owed since it was asked.
                        return Ok(Asked::NoAnswer);
                    }
                    let answer = Answer {
                        terms: self.terms(&value, Origin::Store, sent_at, fence.is_some()),
                        value: Arc::new(value),
                        generation: fence
                            .as_ref()
                            .and_then(|it| CachedEntry::own(&it.generations)),
                        origin: Origin::Store,
                        sent_at,
                        tick,
                    };
                    if self.wants_proof() {
                        return Ok(Asked::Unproved(Box::new(answer), fence));
                    }
                    if !self.accept(answer) {
                        MissReason::Older
                    } else if self.is_deliverable().await? {
                        self.hit();
                        return Ok(Asked::Hit);
                    } else {
                        MissReason::Superseded
                    }
                }
                // A replica has not seen what was applied here, or nobody knows what it has seen.
                _ => MissReason::Superseded,
            },
            Err(reason) => reason,
        };
        self.miss(reason);
        Ok(Asked::Miss {
            fence,
            claimed: false,
        })
    }

    /// The tick of a value that was read beside this sequence; `None` if it cannot be put in order.
    async fn tick_of(&self, snapshot: &Snapshot) -> Result<Option<u64>, Fault> {
        let Some(sequence) = snapshot.sequence else {
            return Ok(None);
        };
        if let Some(tick) = self.context.watermark.tick_of(sequence) {
            return Ok(Some(tick));
        }
        // Mostly it is ahead of what was applied here.
        self.context.validate(Vec::new()).await?;
        Ok(self.context.watermark.tick_of(sequence))
    }

    /// Whether what was just accepted may be given to everyone who joined this load.
    async fn is_deliverable(&self) -> Result<bool, Fault> {
        if self.context.mutation.is(Mutant::LateAnswersAreDelivered) {
            return Ok(true);
        }
        if !self.is_covered(self.context.clock.monotonic()) {
            self.context.validate(Vec::new()).await?;
        }
        let now = self.context.clock.monotonic();
        Ok(self.entry.near.is_current(now, &self.context.watermark) && self.is_covered(now))
    }

    async fn is_deliverable_by(&self, deadline: Deadline) -> bool {
        let deliverable = timeout_at(deadline.at(), self.is_deliverable()).await;
        matches!(deliverable, Ok(Ok(true)))
    }

    /// What the store has, if it is whole, of the present generations, and signed where it has to be.
    fn judged(&self, snapshot: &Snapshot) -> Result<Value, MissReason> {
        let value = judge(snapshot)?;
        if value.content.len() > CONTENT_CAP_BYTES || !self.entry.definition.resource.knows(&value)
        {
            return Err(MissReason::Foreign);
        }
        let Some(signer) = &self.entry.signer else {
            return Ok(value);
        };
        if !signer.vouches_for(snapshot) {
            return Err(MissReason::Unsigned);
        }
        if self.is_past(&value) {
            return Err(MissReason::Replayed);
        }
        Ok(value)
    }

    /// Whether the store may no longer have this value, if nobody keeps it there: a signature does not tell when.
    fn is_past(&self, value: &Value) -> bool {
        let kept_ms = (self.entry.definition.ttl + SLACK).as_millis() as u64;
        self.entry.signer.is_some() && self.context.clock.wall_ms() > value.loaded_at_ms + kept_ms
    }

    fn is_past_of_held(&self) -> bool {
        self.entry
            .near
            .held()
            .is_some_and(|held| self.is_past(&held.value))
    }

    /// Whether the source has to say so, too, before what the store has is served: whoever may write there may put back what was
    /// signed once.
    fn wants_proof(&self) -> bool {
        self.entry.signer.is_some() && !self.entry.near.is_proved(&self.context.watermark)
    }

    fn miss(&self, reason: MissReason) {
        let stats = &self.entry.definition.stats;
        stats.misses.increment();
        match reason {
            MissReason::Empty | MissReason::Superseded | MissReason::Older => {
                stats.absent.increment()
            }
            MissReason::Foreign => stats.foreign.increment(),
            MissReason::Unsigned | MissReason::Replayed => stats.signatures_refused.increment(),
        }
        self.entry.definition.state_log.miss(reason);
    }

    fn hit(&self) {
        self.entry.definition.stats.hits.increment();
        self.entry.definition.state_log.hit();
    }

    fn accept(&self, answer: Answer) -> bool {
        let now = self.context.clock.monotonic();
        if self.context.is_alone()
            && let Some(age) = self.entry.near.age(now)
        {
            let age = age.min(self.context.limits.max_staleness);
            self.context.stats.staleness.observe(age);
        }
        self.entry.near.accept(answer, now)
    }

    /// After a miss: claims the load, or waits for who has.
    async fn take_turn(&self, store: &Store, deadline: Deadline, mut fence: Fence) -> Asked {
        let Some(keys) = &self.entry.keys else {
            return Asked::NoAnswer;
        };
        let patience = deadline.or_after(PATIENCE.min(self.context.limits.redis_timeout / 2));
        let mut pause = FIRST_LOOK_AFTER;
        loop {
            match store.claim(deadline, &keys.claim, CLAIM).await {
                Ok(false) if Instant::now() + pause <= patience.at() => {}
                // A store that takes no claim takes no fill either, but the caller wants an answer.
                claim => {
                    let claimed = claim == Ok(true);
                    return Asked::Miss {
                        fence: Some(fence),
                        claimed,
                    };
                }
            }
            let _ = timeout(pause, self.context.told.notified()).await;
            pause = (pause * 2).min(LAST_LOOK_AFTER);
            let taken = match self.look(store, deadline).await {
                Ok((found, sent_at)) => self.take_in(found, sent_at).await,
                Err(fault) => Err(fault),
            };
            match taken {
                Ok(Asked::Miss {
                    fence: Some(seen), ..
                }) => fence = seen,
                Ok(asked) => return asked,
                Err(_) => {
                    let claimed = false;
                    return Asked::Miss {
                        fence: Some(fence),
                        claimed,
                    };
                }
            }
        }
    }

    /// Serves what the source has in place of what the store has; that one if the source does not answer.
    async fn prove(&self, answer: Answer, fence: Option<Fence>) -> Landed {
        let deadline = Deadline::after(self.entry.definition.source_timeout);
        let stored = answer.value.clone();
        match self.ask_source(fence.as_ref()).await {
            Ok(value) => {
                if let Some(fence) = fence
                    && self.keeps(&value)
                    && age(&value, &stored) != Age::Same
                {
                    let load = self.clone();
                    tokio::spawn(async move { load.fill(value, fence).await });
                }
                Landed::Held(Tier::Source)
            }
            Err(Lack::NoAnswer(_))
                if self.accept(answer) && self.is_deliverable_by(deadline).await =>
            {
                self.hit();
                Landed::Held(Tier::Redis)
            }
            Err(lack) => self.stand_in(lack, deadline, fence).await,
        }
    }

    /// The value of the source, once it is in the entry.
    async fn ask_source(&self, fence: Option<&Fence>) -> Result<Arc<Value>, Lack> {
        let source = self.entry.source.as_deref().ok_or(Lack::NoAnswer(None))?;
        // Half of the time where a legacy source waits, so that a source that hangs leaves the other half to it.
        let share = if self.entry.definition.legacy.is_some() {
            2
        } else {
            1
        };
        let deadline = Deadline::after(self.entry.definition.source_timeout / share);
        loop {
            // Before it is asked: it has seen the changes behind all invalidations that were learnt of until then.
            let (tick, sent_at) = (
                self.context.watermark.tick(),
                self.context.clock.monotonic(),
            );
            let value = Arc::new(self.load_row(source, deadline, fence.is_some()).await?);
            let answer = Answer {
                terms: self.terms(&value, Origin::Source, sent_at, fence.is_some()),
                value: value.clone(),
                generation: fence.and_then(|it| CachedEntry::own(&it.generations)),
                origin: Origin::Source,
                sent_at,
                tick,
            };
            if self.accept(answer) {
                return Ok(value);
            }
            // Something newer was delivered while this was under way, so it is asked again; until the deadline.
        }
    }

    /// For how long a value may be served. `shared`: the store answers. What is not stored for others, as that there is no value, is
    /// believed for a lease.
    fn terms(&self, value: &Value, origin: Origin, sent_at: Duration, shared: bool) -> Terms {
        let (definition, now) = (&self.entry.definition, self.context.clock.monotonic());
        let (ttl, kept) = (definition.ttl, self.keeps(value));
        let age_ms = self
            .context
            .clock
            .wall_ms()
            .saturating_sub(value.loaded_at_ms);
        let age = match origin {
            Origin::Source => now.saturating_sub(sent_at),
            // By the clocks of two instances, which may differ.
            Origin::Store => Duration::from_millis(age_ms).min(ttl - ttl / 10),
        };
        let lease = self.context.limits.max_staleness;
        let believed_until = sent_at + lease;
        let loaded_until = match origin {
            Origin::Source if self.context.is_alone() => believed_until,
            Origin::Source | Origin::Store => Duration::ZERO,
        };
        let refresh_at = if shared && kept {
            // Not at the same time for all that were loaded together, nor on all instances.
            let due = now
                + ttl
                    .mul_f64(self.share())
                    .saturating_sub(age)
                    .max(CLAIM.min(ttl / 10));
            match definition.kind {
                Kind::Single => due.min(now + LOOK_INTERVAL.min(ttl / 10)),
                Kind::Keyed => due,
            }
        } else {
            let margin = (now.saturating_sub(sent_at) * 2).clamp(lease / 20, lease / 2);
            believed_until.saturating_sub(margin)
        };
        Terms {
            loaded_until,
            refresh_at,
            expires_at: if kept {
                now + ttl.saturating_sub(age)
            } else {
                believed_until
            },
        }
    }

    /// Of its time to live, after which a value is loaded anew: 0.7 to 0.9.
    pub(super) fn share(&self) -> f64 {
        let mut hasher = DefaultHasher::new();
        (
            &self.entry.definition.name,
            &self.entry.id,
            self.context.membership.id(),
        )
            .hash(&mut hasher);
        0.7 + (hasher.finish() % 100) as f64 / 500.0
    }

    /// `missed`: the store answered and had none.
    async fn load_row(
        &self,
        source: &dyn Source,
        deadline: Deadline,
        missed: bool,
    ) -> Result<Value, Lack> {
        let (stats, state_log) = (
            &self.entry.definition.stats,
            &self.entry.definition.state_log,
        );
        stats.source_reads.increment();
        let (sent_at, asked_ms) = (self.context.clock.monotonic(), self.context.clock.wall_ms());
        let row = match source.load(deadline).await {
            Ok(row) => {
                stats.source_latency.observe(self.context.since(sent_at));
                row
            }
            Err(fault) => {
                stats.source_faults.increment();
                stats.last_source_fault.note(&fault);
                state_log.source_lost(&fault);
                return Err(Lack::NoAnswer(Some(fault)));
            }
        };
        state_log.source_answered();
        let Some(row) = row else {
            state_log.no_active_row();
            return Err(Lack::NoValue);
        };
        let resource = &self.entry.definition.resource;
        let made = resource
            .value_of_row(&row, source.name(), asked_ms)
            .and_then(within_cap);
        match &made {
            Ok(value) => state_log.loaded(source.name(), resource.title(value), &row, missed),
            Err(problem) => state_log.unusable_row(&row, problem),
        }
        made.map_err(|_| Lack::NoValue)
    }

    /// Whether a value is stored for others.
    fn keeps(&self, value: &Value) -> bool {
        self.entry.definition.resource.is_kept(value)
            || self.context.mutation.is(Mutant::NothingIsStored)
    }

    /// Lets another instance try, if this one could not load what it had claimed.
    fn release_if(&self, claimed: bool) {
        if !claimed {
            return;
        }
        let load = self.clone();
        self.context.beside(async move {
            match (load.trusted_store(), &load.entry.keys) {
                (Some(store), Some(keys)) => {
                    store
                        .release(load.context.redis_deadline(), &keys.claim)
                        .await
                }
                _ => Ok(()),
            }
        });
    }

    /// Stores a value, unless something that it depends on was invalidated since.
    pub(super) async fn fill(&self, value: Arc<Value>, fence: Fence) {
        let (Some(store), Some(keys)) = (self.trusted_store(), &self.entry.keys) else {
            return;
        };
        let record = record(&value, &fence.generations, fence.sequence);
        let filling = Filling {
            keys: keys.clone(),
            fence: fence.generations,
            record: match &self.entry.signer {
                Some(signer) => signer.sign(record),
                None => record,
            },
            ttl_seconds: self.entry.definition.ttl.as_secs() as u32,
        };
        let (stats, state_log) = (
            &self.entry.definition.stats,
            &self.entry.definition.state_log,
        );
        match store.fill(self.context.redis_deadline(), filling).await {
            Ok(true) => {
                stats.fills.increment();
                state_log.filled();
            }
            Ok(false) => {
                stats.fills_refused.increment();
                state_log.fill_refused();
            }
            Err(fault) => {
                stats.store_failed(&fault);
                state_log.fill_failed(&fault);
                self.release_if(true);
            }
        }
    }

    /// What stands in for the truth, by the deadline: labelled as such, without a lease, never stored.
    async fn stand_in(&self, lack: Lack, deadline: Deadline, fence: Option<Fence>) -> Landed {
        let definition = &self.entry.definition;
        let not_answered = matches!(lack, Lack::NoAnswer(_));
        let fault = match lack {
            Lack::NoAnswer(fault) => fault,
            Lack::NoValue => None,
        };
        if not_answered && self.entry.near.last_known_good().is_some() {
            definition.stats.stale.increment();
            definition.state_log.stale();
            return Landed::Held(Tier::Stale);
        }
        let answer = self.last_resort(deadline, fence.as_ref(), fault).await;
        if let Some(fence) = fence
            && self.context.mutation.is(Mutant::StandInsAreStored)
        {
            let (load, value) = (self.clone(), answer.value.clone());
            tokio::spawn(async move { load.fill(value, fence).await });
        }
        Landed::Fallback(answer)
    }

    async fn last_resort(
        &self,
        deadline: Deadline,
        fence: Option<&Fence>,
        fault: Option<Fault>,
    ) -> Delivered {
        let definition = &self.entry.definition;
        let Some(legacy) = &definition.legacy else {
            return self.fallback(fence, fault);
        };
        let now_ms = self.context.clock.wall_ms();
        let made = match timeout_at(deadline.at(), legacy.load()).await {
            Ok(loaded) => loaded
                .and_then(|given| definition.resource.value_of_legacy(given, now_ms))
                .and_then(within_cap),
            Err(_) => Err("it did not settle in time".to_owned()),
        };
        match made {
            Ok(value) => {
                definition.stats.fallbacks.increment();
                definition.state_log.legacy_loaded();
                Delivered {
                    value: Arc::new(value),
                    tier: Tier::Fallback,
                    generation: fence.and_then(|it| CachedEntry::own(&it.generations)),
                    fault,
                }
            }
            Err(problem) => {
                definition.state_log.legacy_failed(&problem);
                self.fallback(fence, fault)
            }
        }
    }

    fn fallback(&self, fence: Option<&Fence>, fault: Option<Fault>) -> Delivered {
        let definition = &self.entry.definition;
        definition.stats.fallbacks.increment();
        definition.state_log.fallback();
        Delivered {
            value: Arc::new(definition.resource.fallback(self.context.clock.wall_ms())),
            tier: Tier::Fallback,
            generation: fence.and_then(|it| CachedEntry::own(&it.generations)),
            fault,
        }
    }

    /// Looks for a newer value in the background, and loads one for all if the store has lost its own or soon will.
    pub(super) async fn refresh(self) {
        let (Some(store), Some(keys)) = (self.trusted_store(), self.entry.keys.clone()) else {
            // The source is all there is.
            drop(self.context.load(&self.entry));
            return;
        };
        let deadline = self.context.redis_deadline();
        let looked = match self.look(store, deadline).await {
            Ok((found, sent_at)) => {
                let fence = Fence::of(&keys.snapshot(found.clone()));
                self.take_in(found, sent_at)
                    .await
                    .map(|asked| (asked, fence))
            }
            Err(fault) => Err(fault),
        };
        let (asked, fence) = match looked {
            Ok(looked) => looked,
            Err(fault) => {
                self.entry.definition.stats.store_failed(&fault);
                drop(self.context.load(&self.entry));
                return;
            }
        };
        if matches!(asked, Asked::Hit) && !self.is_ageing() {
            return;
        }
        self.entry
            .near
            .put_off_refresh(self.context.clock.monotonic() + CLAIM);
        let Some(fence) = fence else {
            return;
        };
        if store.claim(deadline, &keys.claim, CLAIM).await != Ok(true) {
            return;
        }
        self.entry.definition.stats.refreshes.increment();
        // Not a load that readers could join: they have a value, and the source may be slow.
        match self.ask_source(Some(&fence)).await {
            Ok(value) if self.keeps(&value) => self.fill(value, fence).await,
            Ok(_) | Err(_) => self.release_if(true),
        }
    }

    /// Whether the value will soon be gone from the store, by when it was loaded.
    fn is_ageing(&self) -> bool {
        let Some(held) = self.entry.near.held() else {
            return false;
        };
        let age_ms = self
            .context
            .clock
            .wall_ms()
            .saturating_sub(held.value.loaded_at_ms);
        Duration::from_millis(age_ms) >= self.entry.definition.ttl.mul_f64(self.share())
    }
}

pub(crate) fn within_cap(value: Value) -> Result<Value, String> {
    if value.content.len() <= CONTENT_CAP_BYTES {
        Ok(value)
    } else {
        Err(format!("it is larger than {CONTENT_CAP_BYTES} bytes"))
    }
}
