//! Many values on one engine: the entries of an application's resources, each a [`Cache`] of its own with the same guarantee.
//!
//! What an entry depends on has marks: itself, its resource, its tags. Each mark has a generation in the store, and an entry is
//! fenced by all of its own. An invalidation opens those of its marks, and the collection's, which counts all of them: by that one the
//! instances know whether they were told of everything, and receipts whether an instance has acknowledged.

mod gather;
pub mod ids;
pub mod invalidation;
pub mod lines;
mod slot;
mod sweep;
pub mod values;

use crate::core::cache::{Asking, Cache, Line as Parts};
use crate::core::clock::Clock;
use crate::core::collection::ids::{entry_mark, resource_mark, tag_mark};
use crate::core::collection::invalidation::Heard;
use crate::core::collection::lines::{Line, Lines};
use crate::core::collection::slot::{Rack, Slot};
use crate::core::collection::sweep::Sweeps;
use crate::core::collection::values::{Entries, Loader, OneOf};
use crate::core::config::Limits;
use crate::core::engine::{Common, Engine};
use crate::core::journal::Journal;
use crate::core::log::{Event, LogSink, Logger, Threshold};
use crate::core::near::AtHand;
use crate::core::protocol::Keys;
use crate::core::push::Channel;
use crate::core::rules::Rules;
use crate::core::signature::Signer;
use crate::core::stats::Stats;
use crate::core::store::shelves::Shelves;
use crate::core::store::{SharedStore, Shelf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

/// For how much longer than any value the store keeps the generations that several depend on.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// What a collection is made of.
pub struct CollectionParts {
    /// Tells this instance from all others.
    pub id: String,
    /// What all keys begin with.
    pub prefix: String,
    pub store: Option<(Arc<dyn SharedStore>, Arc<dyn Shelves>)>,
    /// Why there is no store.
    pub no_store: Option<String>,
    pub channel: Option<Arc<dyn Channel>>,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    /// The keys that sign what is stored, the one that does so first.
    pub signing_keys: Option<(String, Option<String>)>,
    pub max_entries: u64,
    pub max_bytes: u64,
    pub threshold: Threshold,
    pub sink: Arc<dyn LogSink>,
    pub rules: Rules,
}

/// What a resource is made of.
pub struct ResourceParts {
    pub name: String,
    pub ttl_seconds: u32,
    pub source_timeout: Duration,
    pub loader: Arc<dyn Loader>,
}

/// The entries of one name.
pub struct Resource {
    pub name: String,
    /// Its number in the collection.
    pub number: u32,
    pub stats: Arc<Stats>,
    ttl_seconds: u32,
    source_timeout: Duration,
    loader: Arc<dyn Loader>,
    entries: Arc<Entries>,
    journal: Arc<Journal>,
    mark: Arc<str>,
}

pub struct Collection {
    engine: Arc<Engine>,
    prefix: Arc<str>,
    rack: Option<Arc<Rack>>,
    pub lines: Lines,
    /// Changed when one is added.
    resources: RwLock<Vec<Arc<Resource>>>,
    signing_keys: Option<(String, Option<String>)>,
    sweeps: Sweeps,
    /// Never held across `.await`.
    heard_of: Mutex<Heard>,
    threshold: Threshold,
    sink: Arc<dyn LogSink>,
}

impl Collection {
    pub fn new(parts: CollectionParts) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Collection>| {
            let words = Arc::new(Entries::new(&parts.prefix, &parts.id));
            let logger = Logger::new(parts.threshold, parts.sink.clone(), words);
            if let Some(reason) = &parts.no_store {
                logger.tell(Event::StoreNotConfigured { reason });
            }
            let prefix: Arc<str> = parts.prefix.as_str().into();
            let common = Common {
                id: parts.id,
                name: parts.prefix,
                no_store: parts.no_store,
                channel: parts.channel,
                clock: parts.clock,
                limits: parts.limits,
                rules: parts.rules,
            };
            let (store, shelves) = parts.store.unzip();
            let journal = Arc::new(Journal::new(logger));
            let engine = Engine::new(common, store, journal, this.clone());
            let rack = shelves.zip(engine.store.as_ref()).map(|(shelves, store)| {
                let shelves: Arc<dyn Shelves> = Arc::new(store.around(shelves));
                let instance = Keys::under(&prefix).instance(engine.id());
                Arc::new(Rack::new(
                    prefix.clone(),
                    instance,
                    shelves,
                    parts.limits.redis_timeout,
                ))
            });
            Collection {
                engine,
                prefix,
                rack,
                lines: Lines::new(parts.max_entries, parts.max_bytes),
                resources: RwLock::default(),
                signing_keys: parts.signing_keys,
                sweeps: Sweeps::default(),
                heard_of: Mutex::default(),
                threshold: parts.threshold,
                sink: parts.sink,
            }
        })
    }

    /// Whether the stream of announcements is open.
    pub fn push_connected(&self) -> bool {
        self.engine.push_open.load(Ordering::SeqCst)
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Adds a resource; `None` if there is one of this name.
    pub fn add(&self, parts: ResourceParts) -> Option<Arc<Resource>> {
        // A panic under this lock leaves whole pointers.
        let mut resources = self
            .resources
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if resources.iter().any(|known| known.name == parts.name) {
            return None;
        }
        let entries = Arc::new(Entries::new(&parts.name, self.engine.id()));
        let logger = Logger::new(self.threshold, self.sink.clone(), entries.clone());
        let resource = Arc::new(Resource {
            number: resources.len() as u32,
            stats: Arc::default(),
            ttl_seconds: parts.ttl_seconds,
            source_timeout: parts.source_timeout,
            loader: parts.loader,
            entries,
            journal: Arc::new(Journal::of_many(logger)),
            mark: resource_mark(&parts.name),
            name: parts.name,
        });
        resources.push(resource.clone());
        Some(resource)
    }

    pub fn resources(&self) -> Vec<Arc<Resource>> {
        self.resources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The value of an entry, if it may be served without asking, for a reader that has the one of this number (0: none). Waits for
    /// nobody. One reader of each lease has to `sweep`.
    pub fn at_hand(&self, line: &Line, number: u64) -> Option<Found> {
        if line.is_evicted() {
            return None;
        }
        let now = self.engine.parts.clock.monotonic();
        let mut renew = false;
        let value = line.cache.at_hand_at(now, number, |_| renew = true)?;
        line.used(now);
        self.lines.touch(line);
        Some(Found { value, renew })
    }

    /// The entry, if it is in the near cache.
    pub fn line(&self, resource: &Resource, id: &str) -> Option<Arc<Line>> {
        self.lines.peek(resource.number, id)
    }

    /// Begins an entry, which is not there.
    pub fn enter(&self, resource: &Resource, id: &str, tags: &[String], place: u32) -> Arc<Line> {
        let own = entry_mark(&resource.name, id);
        let mut marks = vec![own, resource.mark.clone()];
        marks.extend(tags.iter().map(|tag| tag_mark(tag)));
        let marks: Box<[Arc<str>]> = marks.into();
        let id: Arc<str> = id.into();
        let slot = self.rack.as_ref().map(|rack| {
            let slot = Slot {
                rack: rack.clone(),
                marks: marks.clone(),
                kept: self.kept(),
            };
            Arc::new(slot) as Arc<dyn Shelf>
        });
        let signer = self.signing_keys.as_ref().map(|(key, second)| {
            let scope = format!("{}:{}", self.prefix, marks[0]);
            Arc::new(Signer::new(&scope, key, second.as_deref()))
        });
        let parts = Parts {
            resource: resource.entries.clone(),
            source: Some(Arc::new(OneOf {
                loader: resource.loader.clone(),
                id: id.clone(),
            })),
            legacy: None,
            signer,
            ttl_seconds: resource.ttl_seconds,
            source_timeout: resource.source_timeout,
            shelf: slot,
            expires_by_age: true,
        };
        let (journal, stats) = (resource.journal.clone(), resource.stats.clone());
        let cache = Cache::of(self.engine.clone(), parts, journal, stats);
        self.lines.add(Line::new(
            Arc::new(cache),
            resource.number,
            id,
            marks,
            place,
        ))
    }

    /// The value of an entry from further away. Inside a tokio runtime only.
    pub fn ask(
        self: &Arc<Self>,
        line: &Arc<Line>,
    ) -> Asking<impl Future<Output = crate::core::answer::Answer> + use<>> {
        line.used(self.engine.parts.clock.monotonic());
        self.sweep_if_overdue();
        if line.is_evicted() {
            line.leave_to_callers();
        }
        let (collection, line) = (self.clone(), line.clone());
        let asking = line.cache.ask();
        Asking {
            flight: asking.flight,
            answer: async move {
                let answer = asking.answer.await;
                collection.lines.weigh(&line);
                answer
            },
        }
    }

    /// For how long the generations of what is stored are kept.
    fn kept(&self) -> Duration {
        let longest = self.resources().iter().map(|it| it.ttl_seconds).max();
        KEPT + Duration::from_secs(longest.unwrap_or_default().into())
    }
}

/// A value at hand.
pub struct Found {
    pub value: AtHand,
    /// Whether this reader has to `sweep`.
    pub renew: bool,
}
