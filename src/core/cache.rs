//! The cache: the only file that knows the order of the tiers.
//!
//! A read asks the store; on a miss or a fault the source; then the legacy source; then it takes the fallback. What the
//! source gave is filled into the store under the generation that was read before the source was asked, and nothing
//! else is ever stored. An invalidation opens a new generation, here (the epoch) and in the store.

use crate::core::clock::Clock;
use crate::core::error::{Error, Fault};
use crate::core::flight::Flights;
use crate::core::http::{CONTENT_CAP_BYTES, Deadline};
use crate::core::log::{Event, Logger, Narrator};
use crate::core::protocol::{Entry, Generation, MissReason, judge, record};
use crate::core::source::{LegacySource, Row, Source};
use crate::core::stats::Stats;
use crate::core::store::{Fill, KeyValue, Probe, Store};
use crate::core::told::{Subject, Told};
use serde_json::{Map, Value};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
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
    pub logger: Logger,
    pub ttl_seconds: u32,
    pub max_staleness: Duration,
    pub redis_timeout: Duration,
    pub source_timeout: Duration,
}

pub struct Cache {
    parts: Parts,
    pub stats: Stats,
    flights: Flights<Arc<Answer>>,
    /// Bumped by each invalidation of this instance, at the call and at the acknowledgement: a flight of an earlier epoch
    /// is not joined.
    epoch: AtomicU64,
    closed: AtomicBool,
    told: Told,
}

/// The state of a tier that does not answer.
const LOST: Option<&str> = Some("lost");

/// What the store said to a read.
enum Asked {
    Hit(Answer),
    /// With the fence for the fill.
    Miss(Generation),
    /// No store, or no answer: nothing can be filled.
    NoAnswer,
}

impl Cache {
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Cache {
            parts,
            stats: Stats::default(),
            flights: Flights::default(),
            epoch: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            told: Told::default(),
        })
    }

    /// The value, always, within the two timeouts; the only error is a closed cache.
    pub async fn fetch(self: &Arc<Self>) -> Result<Arc<Answer>, Error> {
        self.open()?;
        let epoch = self.epoch.load(Ordering::SeqCst);
        let boarding = self.flights.board(
            self.parts.clock.monotonic(),
            epoch,
            self.parts.max_staleness,
            || {
                let cache = self.clone();
                async move { Arc::new(cache.load().await) }
            },
        );
        self.stats.reads.increment();
        if boarding.joined {
            self.stats.joined.increment();
        }
        Ok(match boarding.landing.await {
            Some(answer) => answer,
            None => Arc::new(self.fallback()),
        })
    }

    /// Drops the value everywhere. The epoch is bumped before this returns, so that no read that begins after the call
    /// joins an older flight. Fails if the shared store did not take it.
    pub fn invalidate(
        self: &Arc<Self>,
    ) -> impl Future<Output = Result<Receipt, Error>> + Send + use<> {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        let cache = self.clone();
        async move {
            cache.open()?;
            let mut generation = None;
            if let Some(store) = &cache.parts.store {
                let deadline = cache.redis_deadline();
                let outcome = store
                    .invalidate(deadline, cache.parts.clock.wall_ms())
                    .await;
                match outcome {
                    Ok(opened) => generation = Some(opened),
                    Err(fault) => {
                        cache.stats.invalidations_failed.increment();
                        cache.tell(Event::InvalidationFailed { fault: &fault });
                        return Err(Error::store_unavailable(
                            "invalidate the shared cache",
                            fault,
                        ));
                    }
                }
            }
            cache.epoch.fetch_add(1, Ordering::SeqCst);
            cache.stats.invalidations.increment();
            cache.tell(Event::Invalidated {
                shared: generation.is_some(),
            });
            Ok(Receipt {
                generation,
                committed_at_ms: cache.parts.clock.wall_ms(),
            })
        }
    }

    /// What a read gives, and how the store is (`None` without one); for people. Never fails: a closed cache shows its fallback.
    pub async fn examine(self: &Arc<Self>) -> (Arc<Answer>, Option<Result<Probe, Fault>>) {
        let probe = async {
            let store = self.parts.store.as_ref()?;
            Some(store.probe(self.redis_deadline()).await)
        };
        let (answer, probe) = tokio::join!(self.fetch(), probe);
        (answer.unwrap_or_else(|_| Arc::new(self.fallback())), probe)
    }

    /// A plain value of the shared store, beside the resource's own; `None` where there is none, or no store.
    pub async fn get_value(&self, key: &str) -> Result<Option<String>, Error> {
        let Some(store) = self.open_store()? else {
            return Ok(None);
        };
        let value = store.get(self.redis_deadline(), key).await;
        value.map_err(|fault| Error::store_unavailable("read from the shared cache", fault))
    }

    /// Without a store it is not kept, as if it had expired at once.
    pub async fn set_value(&self, key: &str, value: &str, ttl_seconds: u32) -> Result<(), Error> {
        let Some(store) = self.open_store()? else {
            return Ok(());
        };
        let set = store
            .set(self.redis_deadline(), key, value, ttl_seconds)
            .await;
        set.map_err(|fault| Error::store_unavailable("write to the shared cache", fault))
    }

    /// Whether there was something to delete.
    pub async fn delete_value(&self, key: &str) -> Result<bool, Error> {
        let Some(store) = self.open_store()? else {
            return Ok(false);
        };
        let deleted = store.del(self.redis_deadline(), key).await;
        deleted.map_err(|fault| Error::store_unavailable("delete from the shared cache", fault))
    }

    /// Later calls fail with `CLOSED`; those under way end as they would have.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn open_store(&self) -> Result<Option<&dyn SharedStore>, Error> {
        self.open().map(|()| self.parts.store.as_deref())
    }

    fn redis_deadline(&self) -> Deadline {
        Deadline::after(self.parts.redis_timeout)
    }

    fn open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) {
            Err(Error::closed())
        } else {
            Ok(())
        }
    }

    /// One flight, tier by tier.
    async fn load(self: Arc<Self>) -> Answer {
        let fence = match self.ask_store().await {
            Asked::Hit(answer) => return answer,
            Asked::Miss(fence) => Some(fence),
            Asked::NoAnswer => None,
        };
        let deadline = Deadline::after(self.parts.source_timeout);
        let Some(entry) = self.ask_source(fence.is_some()).await else {
            return self.last_resort(deadline).await;
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
        let Some(store) = &self.parts.store else {
            return Asked::NoAnswer;
        };
        let deadline = self.redis_deadline();
        let asked = async {
            let snapshot = store.read(deadline).await?;
            match judge(&snapshot) {
                Ok(entry) => {
                    self.stats.hits.increment();
                    self.told.is_news(Subject::StandIn, None);
                    self.tell(Event::Hit);
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
                    self.tell(Event::Miss { reason });
                    Ok(Asked::Miss(match snapshot.generation {
                        Some(generation) => generation,
                        None => store.mint(deadline, self.parts.clock.wall_ms()).await?,
                    }))
                }
            }
        };
        match asked.await {
            Ok(asked) => {
                if self.told.is_news(Subject::Store, None) {
                    self.tell(Event::StoreBack);
                }
                asked
            }
            Err(fault) => {
                self.stats.store_faults.increment();
                if self.told.is_news(Subject::Store, LOST) {
                    self.tell(Event::StoreLost { fault: &fault });
                }
                Asked::NoAnswer
            }
        }
    }

    /// The entry of the active row. `missed`: the store answered and had none, so that this load is news.
    async fn ask_source(&self, missed: bool) -> Option<Entry> {
        let source = self.parts.source.as_ref()?;
        // Half of the time where a legacy source waits, so that a source that hangs leaves the other half to it.
        let budget = self.parts.source_timeout / if self.parts.legacy.is_some() { 2 } else { 1 };
        self.stats.source_reads.increment();
        let row = match source.load(Deadline::after(budget)).await {
            Ok(row) => row,
            Err(fault) => {
                self.stats.source_faults.increment();
                if self.told.is_news(Subject::Source, LOST) {
                    self.tell(Event::SourceLost { fault: &fault });
                }
                return None;
            }
        };
        if self.told.is_news(Subject::Source, None) {
            self.tell(Event::SourceBack);
        }
        let Some(row) = row else {
            let fresh = self.told.is_news(Subject::Row, Some("none is active"));
            self.tell(Event::NoActiveRow { fresh });
            return None;
        };
        let resource = &self.parts.resource;
        let made = resource.entry_of_row(&row, source.name(), self.parts.clock.wall_ms());
        let entry = match made {
            Ok(entry) if entry.content.len() <= CONTENT_CAP_BYTES => entry,
            made => {
                let id = row_id(&row);
                let problem = made
                    .err()
                    .unwrap_or_else(|| format!("it is larger than {CONTENT_CAP_BYTES} bytes"));
                let said = format!("row {id} {:x}: {problem}", fingerprint(&row));
                let fresh = self.told.is_news(Subject::Row, Some(&said));
                self.tell(Event::UnusableRow {
                    id: &id,
                    problem: &problem,
                    fresh,
                });
                return None;
            }
        };
        self.told.is_news(Subject::StandIn, None);
        let changed = self
            .told
            .is_news(Subject::Row, Some(&format!("version {}", entry.version)));
        self.tell(Event::Loaded {
            source: source.name(),
            title: resource.title(&entry),
            fresh: missed || changed,
        });
        Some(entry)
    }

    /// What stands in for the truth. Labelled as such, never stored.
    async fn last_resort(&self, deadline: Deadline) -> Answer {
        if let Some(legacy) = &self.parts.legacy {
            let now_ms = self.parts.clock.wall_ms();
            let made = match timeout_at(deadline.at(), legacy.load()).await {
                Ok(loaded) => {
                    loaded.and_then(|value| self.parts.resource.entry_of_legacy(value, now_ms))
                }
                Err(_) => Err("it did not settle in time".to_owned()),
            };
            match made {
                Ok(entry) => {
                    self.stats.fallbacks.increment();
                    let fresh = self.told.is_news(Subject::StandIn, Some("legacy"));
                    self.tell(Event::LegacyLoaded { fresh });
                    return Answer {
                        entry,
                        tier: Tier::Fallback,
                        generation: None,
                    };
                }
                Err(problem) => {
                    let fresh = self.told.is_news(Subject::Legacy, Some(&problem));
                    self.tell(Event::LegacyFailed {
                        problem: &problem,
                        fresh,
                    });
                }
            }
        }
        self.fallback()
    }

    fn fallback(&self) -> Answer {
        self.stats.fallbacks.increment();
        let fresh = self.told.is_news(Subject::StandIn, Some("fallback"));
        self.tell(Event::Fallback { fresh });
        Answer {
            entry: self.parts.resource.fallback(self.parts.clock.wall_ms()),
            tier: Tier::Fallback,
            generation: None,
        }
    }

    async fn fill(self: Arc<Self>, entry: Entry, fence: Generation) {
        let Some(store) = &self.parts.store else {
            return;
        };
        let record = record(&entry, &fence);
        let deadline = self.redis_deadline();
        match store
            .fill(deadline, &fence, &record, self.parts.ttl_seconds)
            .await
        {
            Ok(Fill::Stored) => self.stats.fills.increment(),
            Ok(Fill::Refused) => {
                self.stats.fills_refused.increment();
                self.tell(Event::FillRefused);
            }
            Err(fault) => {
                self.stats.store_faults.increment();
                if self.told.is_news(Subject::Store, LOST) {
                    self.tell(Event::FillFailed { fault: &fault });
                }
            }
        }
    }

    fn tell(&self, event: Event) {
        self.parts.logger.tell(event);
    }
}

fn row_id(row: &Row) -> String {
    match row.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => "without an id".to_owned(),
    }
}

/// Tells one state of a row from another, so that a row that is wrong in a new way is told again.
fn fingerprint(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}
