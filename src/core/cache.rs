//! The cache: the only file that knows the order of the tiers.
//!
//! A read asks the store; on a miss or a fault the source; then the legacy source; then it takes the fallback. What the
//! source gave is filled into the store under the generation that was read before the source was asked, and nothing
//! else is ever stored. An invalidation opens a new generation, here (the epoch) and in the store.

use crate::core::clock::Clock;
use crate::core::config::Limits;
use crate::core::error::{Error, Fault};
use crate::core::flight::Flights;
use crate::core::http::{CONTENT_CAP_BYTES, Deadline};
use crate::core::journal::Journal;
use crate::core::log::{Logger, Narrator};
use crate::core::pending::{Attempt, Pending};
use crate::core::protocol::{Entry, Generation, MissReason, judge, record};
use crate::core::source::{LegacySource, Source};
use crate::core::stats::Stats;
use crate::core::store::{Fill, KeyValue, Probe, Store};
use crate::core::values::Values;
use serde_json::{Map, Value};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::timeout_at;

/// What one kind of cached value has to say: how it is made from what the sources give.
pub trait Resource: Narrator {
    /// The entry in a row of the source, or why there is none in it.
    fn entry_of_row(
        &self,
        row: &Map<String, Value>,
        source: &str,
        now_ms: u64,
    ) -> Result<Entry, String>;
    /// The entry in what the user's function gave, or why there is none in it.
    fn entry_of_legacy(&self, value: Value, now_ms: u64) -> Result<Entry, String>;
    /// What stands in when no tier has anything.
    fn fallback(&self, now_ms: u64) -> Entry;
    /// What people call the entry.
    fn title<'a>(&self, entry: &'a Entry) -> Option<&'a str>;
}

/// Which tier an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    Redis,
    Source,
    /// The legacy source or the fallback: not the truth, and never stored.
    Fallback,
}

impl Tier {
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Redis => "redis",
            Tier::Source => "source",
            Tier::Fallback => "fallback",
        }
    }
}

/// What a read delivers.
#[derive(Debug)]
pub struct Answer {
    pub entry: Entry,
    pub tier: Tier,
    /// The generation that the entry was read or filled under; `None` where no store was asked or none answered.
    pub generation: Option<Generation>,
}

/// Proof that an invalidation went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// `None` without a shared store.
    pub generation: Option<Generation>,
    /// Wall-clock milliseconds at which it was acknowledged.
    pub committed_at_ms: u64,
}

pub trait SharedStore: Store + KeyValue {}
impl<T: Store + KeyValue> SharedStore for T {}

/// What a cache is made of.
pub struct Parts {
    pub resource: Arc<dyn Resource>,
    pub store: Option<Arc<dyn SharedStore>>,
    pub source: Option<Arc<dyn Source>>,
    pub legacy: Option<Arc<dyn LegacySource>>,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
}

pub struct Cache {
    parts: Parts,
    journal: Journal,
    pub stats: Stats,
    pub values: Values,
    flights: Flights<Arc<Answer>>,
    /// Bumped by each invalidation of this instance, at the call and at the acknowledgement: a flight of an earlier epoch
    /// is not joined.
    epoch: AtomicU64,
    pending: Pending,
    closed: AtomicBool,
}

/// How soon an invalidation that failed is tried again; twice as long each time, up to the second.
const FIRST_RETRY_AFTER: Duration = Duration::from_millis(100);
const LAST_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the store said to a read.
enum Asked {
    Hit(Answer),
    /// With the fence for the fill.
    Miss(Generation),
    /// No store, or no answer: nothing can be filled.
    NoAnswer,
}

impl Cache {
    pub fn new(parts: Parts, logger: Logger) -> Arc<Self> {
        let store = parts.store.clone().map(|store| store as Arc<dyn KeyValue>);
        Arc::new(Cache {
            values: Values::new(store, parts.limits.redis_timeout),
            parts,
            stats: Stats::default(),
            flights: Flights::default(),
            epoch: AtomicU64::new(0),
            pending: Pending::default(),
            closed: AtomicBool::new(false),
            journal: Journal::new(logger),
        })
    }

    /// The value, always, within the two timeouts.
    pub async fn fetch(self: &Arc<Self>) -> Arc<Answer> {
        self.stats.reads.increment();
        let boarding = self.flights.board(
            self.parts.clock.monotonic(),
            self.epoch.load(Ordering::SeqCst),
            self.parts.limits.max_staleness,
            || {
                let cache = self.clone();
                async move { Arc::new(cache.load().await) }
            },
        );
        if boarding.joined {
            self.stats.joined.increment();
        }
        match boarding.landing.await {
            Some(answer) => answer,
            None => Arc::new(self.fallback(None)),
        }
    }

    /// Drops the value everywhere. The epoch is bumped before this returns, so that no read that begins after the call
    /// joins an older flight. Fails if the shared store did not take it; then it is owed, see [`Pending`].
    pub fn invalidate(
        self: &Arc<Self>,
    ) -> impl Future<Output = Result<Receipt, Error>> + Send + use<> {
        self.bump_epoch();
        let cache = self.clone();
        async move {
            let Some(store) = &cache.parts.store else {
                return Ok(cache.invalidated(None));
            };
            let attempt = cache.pending.begin();
            match cache.invalidate_store(store.as_ref(), attempt).await {
                Ok(generation) => Ok(cache.invalidated(Some(generation))),
                Err(fault) => {
                    if cache.pending.fail(attempt) {
                        tokio::spawn(cache.clone().settle());
                    }
                    cache.stats.invalidations_failed.increment();
                    cache.journal.invalidation_failed(&fault);
                    Err(Error::store_unavailable(
                        "invalidate the shared cache",
                        fault,
                    ))
                }
            }
        }
    }

    /// Tries an invalidation that is owed until one went through, or the cache is closed.
    async fn settle(self: Arc<Self>) {
        let Some(store) = &self.parts.store else {
            return;
        };
        let mut pause = FIRST_RETRY_AFTER;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY_AFTER);
            if !self.pending.is_owed() || self.closed.load(Ordering::SeqCst) {
                return;
            }
            let attempt = self.pending.begin();
            match self.invalidate_store(store.as_ref(), attempt).await {
                Ok(generation) => drop(self.invalidated(Some(generation))),
                Err(_) => drop(self.pending.fail(attempt)),
            }
        }
    }

    async fn invalidate_store(
        &self,
        store: &dyn SharedStore,
        attempt: Attempt,
    ) -> Result<Generation, Fault> {
        let now_ms = self.parts.clock.wall_ms();
        let generation = store.invalidate(self.redis_deadline(), now_ms).await?;
        self.pending.acknowledge(attempt);
        Ok(generation)
    }

    /// An invalidation went through.
    fn invalidated(&self, generation: Option<Generation>) -> Receipt {
        self.bump_epoch();
        self.stats.invalidations.increment();
        self.journal.invalidated(generation.is_some());
        Receipt {
            generation,
            committed_at_ms: self.parts.clock.wall_ms(),
        }
    }

    /// What a read gives, and how the store is (`None` without one); for people.
    pub async fn examine(self: &Arc<Self>) -> (Arc<Answer>, Option<Result<Probe, Fault>>) {
        let probe = async {
            let store = self.parts.store.as_ref()?;
            Some(store.probe(self.redis_deadline()).await)
        };
        tokio::join!(self.fetch(), probe)
    }

    /// Whether an invalidation did not reach the store yet: until it has, the store is neither read nor filled.
    pub fn invalidation_pending(&self) -> bool {
        self.pending.is_owed()
    }

    /// Gives up an invalidation that is owed. Everything else ends as it would have.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn bump_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn redis_deadline(&self) -> Deadline {
        Deadline::after(self.parts.limits.redis_timeout)
    }

    /// One flight, tier by tier.
    async fn load(self: Arc<Self>) -> Answer {
        let fence = match self.ask_store().await {
            Asked::Hit(answer) => return answer,
            Asked::Miss(fence) => Some(fence),
            Asked::NoAnswer => None,
        };
        let deadline = Deadline::after(self.parts.limits.source_timeout);
        let Some(entry) = self.ask_source(fence.is_some()).await else {
            return self.last_resort(deadline, fence).await;
        };
        if let Some(fence) = &fence {
            tokio::spawn(self.clone().fill(entry.clone(), fence.clone()));
        }
        Answer {
            entry,
            tier: Tier::Source,
            generation: fence,
        }
    }

    async fn ask_store(&self) -> Asked {
        let Some(store) = self.trusted_store() else {
            return Asked::NoAnswer;
        };
        match self.look_up(store).await {
            Ok(asked) => {
                self.journal.store_answered();
                asked
            }
            Err(fault) => {
                self.stats.store_faults.increment();
                self.journal.store_lost(&fault);
                Asked::NoAnswer
            }
        }
    }

    /// The store, unless an invalidation is owed to it: it may not have seen that the fence is down.
    fn trusted_store(&self) -> Option<&dyn SharedStore> {
        let store = self.parts.store.as_deref()?;
        (!self.pending.is_owed()).then_some(store)
    }

    async fn look_up(&self, store: &dyn SharedStore) -> Result<Asked, Fault> {
        let deadline = self.redis_deadline();
        let snapshot = store.read(deadline).await?;
        match judge(&snapshot) {
            Ok(entry) => {
                self.stats.hits.increment();
                self.journal.hit();
                Ok(Asked::Hit(Answer {
                    entry,
                    tier: Tier::Redis,
                    generation: snapshot.generation,
                }))
            }
            Err(reason) => {
                self.stats.misses.increment();
                if reason == MissReason::Foreign {
                    self.stats.foreign.increment();
                }
                self.journal.miss(reason);
                Ok(Asked::Miss(match snapshot.generation {
                    Some(generation) => generation,
                    None => store.mint(deadline, self.parts.clock.wall_ms()).await?,
                }))
            }
        }
    }

    /// The entry of the active row. `missed`: the store answered and had none.
    async fn ask_source(&self, missed: bool) -> Option<Entry> {
        let source = self.parts.source.as_ref()?;
        // Half of the time where a legacy source waits, so that a source that hangs leaves the other half to it.
        let budget =
            self.parts.limits.source_timeout / if self.parts.legacy.is_some() { 2 } else { 1 };
        self.stats.source_reads.increment();
        let row = match source.load(Deadline::after(budget)).await {
            Ok(row) => row,
            Err(fault) => {
                self.stats.source_faults.increment();
                self.journal.source_lost(&fault);
                return None;
            }
        };
        self.journal.source_answered();
        let Some(row) = row else {
            self.journal.no_active_row();
            return None;
        };
        let resource = &self.parts.resource;
        let now_ms = self.parts.clock.wall_ms();
        let made = resource
            .entry_of_row(&row, source.name(), now_ms)
            .and_then(within_cap);
        match &made {
            Ok(entry) => {
                self.journal
                    .loaded(source.name(), resource.title(entry), &row, missed);
            }
            Err(problem) => self.journal.unusable_row(&row, problem),
        }
        made.ok()
    }

    /// What stands in for the truth. Labelled as such, never stored.
    async fn last_resort(&self, deadline: Deadline, generation: Option<Generation>) -> Answer {
        let Some(legacy) = &self.parts.legacy else {
            return self.fallback(generation);
        };
        let now_ms = self.parts.clock.wall_ms();
        let made = match timeout_at(deadline.at(), legacy.load()).await {
            Ok(loaded) => loaded
                .and_then(|value| self.parts.resource.entry_of_legacy(value, now_ms))
                .and_then(within_cap),
            Err(_) => Err("it did not settle in time".to_owned()),
        };
        match made {
            Ok(entry) => {
                self.stats.fallbacks.increment();
                self.journal.legacy_loaded();
                Answer {
                    entry,
                    tier: Tier::Fallback,
                    generation,
                }
            }
            Err(problem) => {
                self.journal.legacy_failed(&problem);
                self.fallback(generation)
            }
        }
    }

    fn fallback(&self, generation: Option<Generation>) -> Answer {
        self.stats.fallbacks.increment();
        self.journal.fallback();
        Answer {
            entry: self.parts.resource.fallback(self.parts.clock.wall_ms()),
            tier: Tier::Fallback,
            generation,
        }
    }

    async fn fill(self: Arc<Self>, entry: Entry, fence: Generation) {
        let Some(store) = self.trusted_store() else {
            return;
        };
        let record = record(&entry, &fence);
        let ttl_seconds = self.parts.limits.ttl_seconds;
        match store
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
                self.stats.store_faults.increment();
                self.journal.fill_failed(&fault);
            }
        }
    }
}

fn within_cap(entry: Entry) -> Result<Entry, String> {
    if entry.content.len() <= CONTENT_CAP_BYTES {
        Ok(entry)
    } else {
        Err(format!("it is larger than {CONTENT_CAP_BYTES} bytes"))
    }
}
