//! The cache: what a read and an invalidation go through, tier by tier.
//!
//! A read takes the value in memory while it is covered by a lease. Else a load ([`load`]) asks the store, and on a miss or a
//! fault the source; then the last known good value, the legacy source, the fallback. [`validation`] renews the lease,
//! [`invalidation`] makes invalidations and retries those that are [`owed`], [`announcements`] hears of others', [`refresh`]
//! looks for changes that nobody announced, and [`receipts`] waits for the fleet.

mod announcements;
mod answer;
mod coalescing;
mod context;
mod entry;
mod invalidation;
mod load;
mod owed;
mod receipts;
mod refresh;
mod report;
mod validation;

pub use answer::{Answer, Receipt, Tier};
pub use context::Parts;
pub use entry::CachedEntry;
pub use receipts::Proof;
pub use report::ms;

use crate::config::Capacity;
use crate::error::Error;
use crate::http::Deadline;
use crate::near::{EntryStore, HitValue};
use crate::observe::StateLog;
use crate::observe::log::{Event, LogSink, Logger, Threshold};
use crate::protocol::{Member, Signer, entry_dependency, resource_dependency, tag_dependency};
use crate::resource::{EntryKeys, KeyedValues, Loader, OneOf, Resource};
use crate::source::{LegacySource, Source};
use crate::store::Probe;
use context::Context;
use entry::{Definition, Kind};
use owed::Names;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// What a resource of many entries is made of.
pub struct ResourceParts {
    pub name: String,
    pub ttl_seconds: u32,
    /// What a load may take.
    pub source_timeout: Duration,
    pub loader: Arc<dyn Loader>,
}

/// What a resource of one entry is made of.
pub struct SingleParts {
    pub name: String,
    pub resource: Arc<dyn Resource>,
    pub source: Option<Arc<dyn Source>>,
    /// Why there is no source.
    pub no_source: Option<String>,
    pub legacy: Option<Arc<dyn LegacySource>>,
}

/// The entries of one name.
pub struct KeyedResource {
    definition: Arc<Definition>,
    loader: Arc<dyn Loader>,
}

impl KeyedResource {
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// Counts the resources of a cache, from 0.
    pub fn number(&self) -> u32 {
        self.definition.number
    }

}

/// A read under way.
pub struct Asking<F> {
    /// The number of its load, from 1: reads of one load are given the same.
    pub load: u64,
    pub answer: F,
}

/// A value at hand, and whether its reader has to see to it in the background ([`SharedCache::tend`]).
pub struct Found {
    pub value: HitValue,
    pub renew: bool,
    pub refresh: bool,
}

/// What people are shown of a cache.
pub struct Examination {
    /// `None` if no entry was asked for.
    pub answer: Option<Answer>,
    pub probe: Option<Result<Probe, crate::error::Fault>>,
    /// By id; `None` where no store said.
    pub fleet: Option<Vec<(String, Member)>>,
}

pub struct SharedCache {
    context: Arc<Context>,
    capacity: Capacity,
    pub entries: EntryStore<CachedEntry>,
    /// Changed when one is added.
    resources: RwLock<Vec<Arc<KeyedResource>>>,
    signing_keys: Option<(String, Option<String>)>,
    threshold: Threshold,
    sink: Arc<dyn LogSink>,
}

impl SharedCache {
    /// Connects to nothing; the first read does.
    pub fn new(
        parts: Parts,
        capacity: Capacity,
        signing_keys: Option<(String, Option<String>)>,
        threshold: Threshold,
        sink: Arc<dyn LogSink>,
    ) -> Arc<Self> {
        let signed = signing_keys.is_some();
        let words = Arc::new(KeyedValues::new("Cache", &parts.id));
        let logger = Logger::new(threshold, sink.clone(), words);
        if let Some(reason) = &parts.no_store {
            logger.tell(Event::StoreNotConfigured { reason });
        }
        Arc::new(SharedCache {
            context: Context::new(parts, signed, Arc::new(StateLog::new(logger))),
            capacity,
            entries: EntryStore::new(capacity.max_entries, capacity.max_bytes),
            resources: RwLock::default(),
            signing_keys,
            threshold,
            sink,
        })
    }

    /// Adds a resource of one entry, which is never evicted.
    pub fn add_single(&self, parts: SingleParts) -> Arc<CachedEntry> {
        let logger = Logger::new(self.threshold, self.sink.clone(), parts.resource.clone());
        if let Some(reason) = &parts.no_source {
            logger.tell(Event::SourceNotConfigured { reason });
        }
        let limits = self.context.limits;
        let definition = Arc::new(Definition {
            name: parts.name.clone(),
            number: u32::MAX,
            kind: Kind::Single,
            resource: parts.resource,
            legacy: parts.legacy,
            ttl: Duration::from_secs(limits.ttl_seconds.into()),
            source_timeout: limits.source_timeout,
            stats: Arc::default(),
            state_log: Arc::new(StateLog::new(logger)),
        });
        let entry = self.entry(
            definition,
            "".into(),
            vec![parts.name.as_str().into()],
            parts.source,
            0,
        );
        let entry = Arc::new(entry);
        self.context.refill_after_invalidation(entry.clone());
        entry
    }

    /// Adds a resource of many entries; `None` if there is one of this name.
    pub fn add(&self, parts: ResourceParts) -> Option<Arc<KeyedResource>> {
        // A panic under this lock leaves whole pointers.
        let mut resources = self
            .resources
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if resources.iter().any(|known| known.name() == parts.name) {
            return None;
        }
        let words = Arc::new(KeyedValues::new(&parts.name, self.id()));
        let logger = Logger::new(self.threshold, self.sink.clone(), words.clone());
        let definition = Definition {
            name: parts.name,
            number: resources.len() as u32,
            kind: Kind::Keyed,
            resource: words,
            legacy: None,
            ttl: Duration::from_secs(parts.ttl_seconds.into()),
            source_timeout: parts.source_timeout,
            stats: Arc::default(),
            state_log: Arc::new(StateLog::of_many(logger)),
        };
        let resource = Arc::new(KeyedResource {
            definition: Arc::new(definition),
            loader: parts.loader,
        });
        resources.push(resource.clone());
        Some(resource)
    }

    pub fn resources(&self) -> Vec<Arc<KeyedResource>> {
        self.resources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The entry, if it is in the near cache.
    #[cfg(feature = "testing")]
    pub fn find(&self, resource: &KeyedResource, id: &str) -> Option<Arc<CachedEntry>> {
        self.entries.peek(resource.number(), id)
    }

    /// Begins an entry, which is not there. `place`: where its readers keep what they made of it.
    pub fn enter(
        &self,
        resource: &KeyedResource,
        id: &str,
        tags: &[String],
        place: u32,
    ) -> Arc<CachedEntry> {
        let name = resource.name();
        let mut names = vec![entry_dependency(name, id), resource_dependency(name)];
        names.extend(tags.iter().map(|tag| tag_dependency(tag)));
        let id: Arc<str> = id.into();
        let source = OneOf {
            loader: resource.loader.clone(),
            id: id.clone(),
        };
        self.entries.add(self.entry(
            resource.definition.clone(),
            id,
            names,
            Some(Arc::new(source)),
            place,
        ))
    }

    fn entry(
        &self,
        definition: Arc<Definition>,
        id: Arc<str>,
        names: Vec<Arc<str>>,
        source: Option<Arc<dyn Source>>,
        place: u32,
    ) -> CachedEntry {
        let context = &self.context;
        let ttl_seconds = definition.ttl.as_secs() as u32;
        let signer = self.signing_keys.as_ref().map(|(key, second)| {
            let scope = format!("{}:{}", context.keys.prefix, names[0]);
            Signer::new(&scope, key, second.as_deref())
        });
        let keys = EntryKeys::new(&context.keys, &names, ttl_seconds).map(Arc::new);
        let dependencies = names
            .iter()
            .map(|name| context.watermark.dependency(name))
            .collect();
        CachedEntry::new(
            definition,
            id,
            dependencies,
            keys,
            source,
            signer,
            place,
            context.mutation,
        )
    }

    /// The value of an entry, if it may be served without asking, for a reader that has the one of this number (0: none). Waits
    /// for nobody: the price of a read that hits.
    pub fn hit(&self, entry: &CachedEntry, known: u64) -> Option<Found> {
        let hit = entry.near.hit(
            known,
            self.context.clock.monotonic(),
            &self.context.watermark,
        )?;
        entry.definition.stats.memory_hits.increment();
        entry.definition.state_log.memory_hit();
        if entry.definition.kind == Kind::Keyed {
            self.entries.touch(entry);
        }
        Some(Found {
            value: hit.value,
            renew: hit.renew,
            refresh: hit.refresh,
        })
    }

    /// Sees to what a hit said, in the background. Inside a tokio runtime only.
    pub fn tend(self: &Arc<Self>, entry: &Arc<CachedEntry>, renew: bool, refresh: bool) {
        self.context.tend(entry, renew, refresh);
    }

    /// The value from further away: joins a load or begins one. Inside a tokio runtime only.
    pub fn ask(
        self: &Arc<Self>,
        entry: &Arc<CachedEntry>,
    ) -> Asking<impl Future<Output = Answer> + use<>> {
        let stats = &entry.definition.stats;
        stats.asked.increment();
        let joined = self.context.load(entry);
        if joined.joined {
            stats.joined.increment();
        }
        let (cache, entry) = (self.clone(), entry.clone());
        Asking {
            load: joined.number,
            answer: async move {
                let answer = cache.context.answer_of(&entry, joined.landing.await);
                if entry.definition.kind == Kind::Keyed {
                    cache.entries.weigh(&entry);
                }
                answer
            },
        }
    }

    /// A read: the value at hand, or from further away.
    pub async fn fetch(self: &Arc<Self>, entry: &Arc<CachedEntry>) -> Answer {
        if let Some(Found {
            value,
            renew,
            refresh,
        }) = self.hit(entry, 0)
        {
            self.tend(entry, renew, refresh);
            if let HitValue::Other(held) = value {
                return Answer::of(*held, Tier::Memory);
            }
        }
        self.ask(entry).answer.await
    }

    /// Drops what depends on one of these everywhere. Calls that come together share one that begins after them. Fails if the
    /// shared store did not take it; then it is owed. With `acknowledge`, a receipt may wait for the fleet.
    pub fn invalidate(
        self: &Arc<Self>,
        names: Names,
        acknowledge: bool,
    ) -> impl Future<Output = Result<Receipt, Error>> + Send + use<> {
        self.context.clone().invalidate(names, acknowledge)
    }

    /// Waits until no instance can serve anything older than this receipt's invalidation, or for `patience` after the commit.
    pub async fn prove_everywhere(&self, receipt: &Receipt, patience: Option<Duration>) -> Proof {
        self.context
            .clone()
            .prove_everywhere(receipt, patience)
            .await
    }

    /// What a read of this entry gives, how the store is, and which instances there are; for people.
    pub async fn examine(self: &Arc<Self>, entry: Option<&Arc<CachedEntry>>) -> Examination {
        let limits = &self.context.limits;
        let deadline = Deadline::after(limits.redis_timeout + limits.source_timeout);
        let probe = async {
            let store = self.context.store.as_ref()?;
            let keys = entry.and_then(|entry| entry.keys.as_ref());
            let key = keys.map_or(&self.context.keys.sequence, |keys| &keys.value);
            Some(store.probe(self.context.redis_deadline(), key).await)
        };
        // After the read, so that this instance is listed.
        let read = async { Some(self.fetch(entry?).await) };
        let (answer, probe) = tokio::join!(read, probe);
        Examination {
            answer,
            probe,
            fleet: self
                .context
                .fleet(deadline.or_after(limits.redis_timeout))
                .await,
        }
    }

    /// A value that is not a resource's, as it is in the store; `None` where there is no such value, or no store.
    pub async fn get(&self, key: &str) -> Result<Option<String>, Error> {
        let Some(store) = &self.context.store else {
            return Ok(None);
        };
        let value = store.get(self.context.redis_deadline(), key).await;
        value.map_err(|fault| Error::store_unavailable("read from the shared cache", fault))
    }

    /// Without a store it is not kept, as if it had expired at once.
    pub async fn set(&self, key: &str, value: &str, ttl_seconds: u32) -> Result<(), Error> {
        let Some(store) = &self.context.store else {
            return Ok(());
        };
        let deadline = self.context.redis_deadline();
        let set = store.set(deadline, key, value, ttl_seconds).await;
        set.map_err(|fault| Error::store_unavailable("write to the shared cache", fault))
    }

    /// Whether there was something to delete.
    pub async fn del(&self, key: &str) -> Result<bool, Error> {
        let Some(store) = &self.context.store else {
            return Ok(false);
        };
        let deleted = store.del(self.context.redis_deadline(), key).await;
        deleted.map_err(|fault| Error::store_unavailable("delete from the shared cache", fault))
    }

    /// Tells this instance from all others.
    pub fn id(&self) -> &str {
        self.context.membership.id()
    }

    /// Whether what is stored is signed.
    pub fn is_signed(&self) -> bool {
        self.signing_keys.is_some()
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Gives up an invalidation that is owed, and the push stream. Everything else ends as it would have.
    pub fn close(&self) {
        self.context.close();
    }

    /// Takes this instance off the list, for good.
    pub async fn leave(&self) {
        self.context.leave().await;
    }
}
