//! Instances of the cache over one store, one prompt source and one loader, with a clock that stands still until it is moved.

use crate::common::{HandClock, LIMITS, Lines, ScriptedSource, until};
use crate::store::{PREFIX, TestChannel, TestLink};
use async_trait::async_trait;
use grove_shared_cache::cache::{
    Answer, CachedEntry, Found, KeyedResource, Parts, Receipt, ResourceParts, SharedCache,
    SingleParts, Tier,
};
use grove_shared_cache::clock::Clock;
use grove_shared_cache::config::{Capacity, Limits, SYSTEM_PROMPT};
use grove_shared_cache::error::{Error, Fault};
use grove_shared_cache::http::Deadline;
use grove_shared_cache::near::HitValue;
use grove_shared_cache::observe::Stats;
use grove_shared_cache::observe::log::Level;
use grove_shared_cache::protocol::entry_dependency;
use grove_shared_cache::resource::{Kind, Loaded, Loader, SystemPrompt};
use grove_shared_cache::source::{LegacySource, Source};
use grove_shared_cache::testing::embedded::Embedded;
use grove_shared_cache::testing::mutants::Mutation;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub const T1: &str = "2026-01-01T00:00:00+00:00";
pub const T2: &str = "2026-01-02T00:00:00+00:00";
pub const LEASE: Duration = LIMITS.max_staleness;

pub type Names = BTreeSet<Arc<str>>;

/// What the instances share.
pub struct World {
    pub link: Arc<TestLink>,
    pub clock: Arc<HandClock>,
    pub lines: Arc<Lines>,
    pub source: Arc<ScriptedSource>,
    pub loader: Arc<TextLoader>,
}

/// How an instance differs from the others.
pub struct Special {
    pub source: Option<Arc<dyn Source>>,
    pub legacy: Option<Arc<dyn LegacySource>>,
    pub keys: Option<(String, Option<String>)>,
    pub limits: Limits,
    pub capacity: Capacity,
    /// Whether it listens for announcements.
    pub push: bool,
    /// `None`: the world's.
    pub clock: Option<Arc<dyn Clock>>,
    pub logs: bool,
}

impl Default for Special {
    fn default() -> Self {
        Special {
            source: None,
            legacy: None,
            keys: None,
            limits: LIMITS,
            capacity: Capacity {
                max_entries: 100_000,
                max_bytes: 256 << 20,
            },
            push: false,
            clock: None,
            logs: true,
        }
    }
}

impl World {
    pub fn of(source: Arc<ScriptedSource>) -> Self {
        let clock = Arc::new(HandClock::default());
        World::with_clock(source, clock.clone(), clock)
    }

    /// The store's clock is `of_store`.
    pub fn with_clock(
        source: Arc<ScriptedSource>,
        clock: Arc<HandClock>,
        of_store: Arc<dyn Clock>,
    ) -> Self {
        World {
            link: TestLink::new(Embedded::new(of_store, None)),
            clock,
            lines: Arc::default(),
            source,
            loader: Arc::default(),
        }
    }

    pub fn instance(&self, id: &str) -> Instance {
        self.special(id, Special::default())
    }

    /// One without a store.
    pub fn alone(&self, id: &str) -> Instance {
        self.over(id, Special::default(), None)
    }

    pub fn special(&self, id: &str, special: Special) -> Instance {
        self.over(id, special, Some(self.link.clone()))
    }

    fn over(&self, id: &str, special: Special, link: Option<Arc<TestLink>>) -> Instance {
        let channel = TestChannel(self.link.announcements.clone());
        let parts = Parts {
            id: id.to_owned(),
            prefix: PREFIX.to_owned(),
            link: link.map(|link| link as _),
            no_store: None,
            channel: special.push.then(|| Arc::new(channel) as _),
            clock: special.clock.unwrap_or_else(|| self.clock.clone()),
            limits: special.limits,
            mutation: Mutation::NONE,
        };
        let threshold = special.logs.then_some(Level::Debug);
        let lines = self.lines.clone();
        let cache = SharedCache::new(parts, special.capacity, special.keys, threshold, lines);
        let prompt = cache.add_single(SingleParts {
            name: SYSTEM_PROMPT.into(),
            resource: Arc::new(SystemPrompt::new(None)),
            source: Some(special.source.unwrap_or_else(|| self.source.clone())),
            no_source: None,
            legacy: special.legacy,
        });
        let docs = cache.add(ResourceParts {
            name: "docs".into(),
            ttl_seconds: special.limits.ttl_seconds,
            source_timeout: special.limits.source_timeout,
            loader: self.loader.clone(),
        });
        Instance {
            docs: docs.expect("it is the first of this name"),
            cache,
            prompt,
            places: AtomicU32::new(0),
        }
    }

    /// Every lease ends.
    pub fn end_leases(&self) {
        self.clock.advance(LEASE);
    }
}

/// One cache with a prompt and a resource of many entries.
pub struct Instance {
    pub cache: Arc<SharedCache>,
    pub prompt: Arc<CachedEntry>,
    pub docs: Arc<KeyedResource>,
    places: AtomicU32,
}

impl Instance {
    /// A read of the prompt.
    pub async fn read(&self) -> Answer {
        self.read_entry(&self.prompt).await
    }

    /// A read of the prompt that goes on while the test does something else.
    pub fn begin_read(&self) -> JoinHandle<Answer> {
        let (cache, prompt) = (self.cache.clone(), self.prompt.clone());
        tokio::spawn(async move { cache.fetch(&prompt).await })
    }

    async fn read_entry(&self, entry: &Arc<CachedEntry>) -> Answer {
        // A read that hangs is a failed test, not a hung one.
        let read = timeout(Duration::from_secs(60), self.cache.fetch(entry));
        read.await.expect("a read ends")
    }

    /// What the prompt counts.
    pub fn stats(&self) -> &Stats {
        &self.prompt.definition.stats
    }

    /// Until so many fills are through, one way or the other.
    pub async fn filled(&self, count: u64) {
        let stats = self.stats();
        until(|| stats.fills.get() + stats.fills_refused.get() >= count).await;
    }

    pub async fn invalidate(&self) -> Result<Receipt, Error> {
        self.cache
            .invalidate([SYSTEM_PROMPT.into()].into(), false)
            .await
    }

    /// The entry of this id in the near cache, entered if it is not there.
    pub fn entry(&self, id: &str) -> Arc<CachedEntry> {
        let known = self.cache.find(&self.docs, id);
        known.unwrap_or_else(|| {
            let place = self.places.fetch_add(1, SeqCst);
            let tags = [format!("tag of {id}"), "all".to_owned()];
            self.cache.enter(&self.docs, id, &tags, place)
        })
    }

    /// What may be served without asking.
    pub fn at_hand(&self, id: &str) -> Option<String> {
        let entry = self.cache.find(&self.docs, id)?;
        let Found { value, .. } = self.cache.hit(&entry, 0)?;
        let HitValue::Other(held) = value else {
            panic!("nobody has the number 0");
        };
        Some(held.value.content.to_string())
    }

    pub async fn ask(&self, id: &str) -> Answer {
        let answer = self.cache.ask(&self.entry(id)).answer;
        timeout(Duration::from_secs(60), answer)
            .await
            .expect("a read ends")
    }

    /// A read of one of many.
    pub async fn get(&self, id: &str) -> (String, Tier) {
        let answer = self.read_entry(&self.entry(id)).await;
        (answer.value.content.to_string(), answer.tier)
    }

    pub async fn invalidate_docs(&self, ids: &[&str]) -> Result<Receipt, Error> {
        self.cache.invalidate(docs(ids), false).await
    }

    /// Until so many entries were stored, or refused.
    pub async fn stored(&self, count: u64) {
        let stats = self.docs.stats();
        until(|| stats.fills.get() + stats.fills_refused.get() >= count).await;
    }
}

/// Until everything that can run has run, in a runtime of one thread.
pub async fn settled() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

pub fn docs(ids: &[&str]) -> Names {
    ids.iter().map(|id| entry_dependency("docs", id)).collect()
}

pub fn is(content: &str, tier: Tier) -> (String, Tier) {
    (content.to_owned(), tier)
}

pub fn text(content: &str) -> Loaded {
    Loaded {
        kind: Kind::Text,
        content: content.to_owned(),
    }
}

/// Gives each id the text that a test set, or its id.
#[derive(Default)]
pub struct TextLoader {
    values: Mutex<HashMap<String, Result<Loaded, Fault>>>,
    asked: AtomicUsize,
    /// What a load takes.
    pub latency: Mutex<Duration>,
    /// Whether answers wait until they are let go.
    pub holds: AtomicBool,
    pub let_go: Notify,
}

impl TextLoader {
    pub fn set(&self, id: &str, value: Result<Loaded, Fault>) {
        self.values.lock().unwrap().insert(id.to_owned(), value);
    }

    pub fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

#[async_trait]
impl Loader for TextLoader {
    fn name(&self) -> &'static str {
        "loader"
    }

    async fn load(&self, id: &str, _: Deadline) -> Result<Loaded, Fault> {
        let value = self.values.lock().unwrap().get(id).cloned();
        self.asked.fetch_add(1, SeqCst);
        let latency = *self.latency.lock().unwrap();
        if !latency.is_zero() {
            sleep(latency).await;
        }
        if self.holds.load(SeqCst) {
            self.let_go.notified().await;
        }
        value.unwrap_or_else(|| Ok(text(id)))
    }
}

pub fn load_failed() -> Fault {
    Fault::LoadFailed {
        word: "ECONNREFUSED".to_owned(),
        message: "no route".to_owned(),
    }
}
