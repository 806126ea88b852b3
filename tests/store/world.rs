//! A store under test, with a way to it for strangers, and keys that no other test uses.

use crate::stack::Stack;
use grove_shared_cache::clock::{Clock, SystemClock};
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::{Deadline, Http, Trust};
use grove_shared_cache::observe::StateLog;
use grove_shared_cache::observe::log::{Level, LogSink, Logger};
use grove_shared_cache::protocol::{Generation, Scope, Sequence, StoredRecord};
use grove_shared_cache::resource::{EntryKeys, KeyedValues, StoreKeys};
use grove_shared_cache::store::Upstash;
use grove_shared_cache::store::{
    Command, Committed, Filling, Invalidation, Link, Reply, Store, Validated,
};
use grove_shared_cache::testing::embedded::Embedded;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub const SEED: u64 = 1_800_000_000_000_000;
const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Quiet;

impl LogSink for Quiet {
    fn write(&self, _: Level, _: &str) {}
}

pub fn deadline() -> Deadline {
    Deadline::after(TIMEOUT)
}

pub fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

pub fn rejected(code: &str) -> Fault {
    Fault::Rejected { code: code.into() }
}

pub struct World {
    pub store: Store,
    pub link: Arc<dyn Link>,
    pub keys: StoreKeys,
}

impl World {
    pub fn embedded() -> Self {
        Self::over(Arc::new(Embedded::new(Arc::new(SystemClock), None)))
    }

    pub fn redis() -> Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        Self::on(STACK.get_or_init(|| Stack::store(&[])))
    }

    pub fn without_redis() -> Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        Self::on(STACK.get_or_init(|| Stack::store(&["--embedded"])))
    }

    pub fn on(stack: &Stack) -> Self {
        let url = stack.variable("UPSTASH_REDIS_REST_URL");
        Self::at(&url, stack.variable("UPSTASH_REDIS_REST_TOKEN"))
    }

    pub fn at(url: &str, token: String) -> Self {
        let (url, clock) = (url.parse().unwrap(), Arc::new(SystemClock));
        let http = Http::new(&url, &Trust::new(None).unwrap(), clock).unwrap();
        Self::over(Arc::new(Upstash::new(http, url, token)))
    }

    fn over(link: Arc<dyn Link>) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("contract-{}", NEXT.fetch_add(1, Ordering::SeqCst));
        let keys = StoreKeys::under(&prefix);
        let words = Arc::new(KeyedValues::new(&prefix, "test"));
        let logger = Logger::new(None, Arc::new(Quiet), words);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let journal = Arc::new(StateLog::new(logger));
        World {
            store: Store::new(link.clone(), keys.clone(), TIMEOUT, clock, journal),
            link,
            keys,
        }
    }

    /// A stranger's command.
    pub async fn tell(&self, words: &[&str]) -> Result<Reply, Fault> {
        let replies = self.link.send(deadline(), vec![Command::plain(words)]);
        replies.await?.remove(0)
    }

    /// Puts a text there, in the place of whatever was.
    pub async fn put(&self, key: &str, text: &str) {
        self.tell(&["SET", key, text, "EX", "300"]).await.unwrap();
    }

    /// Puts something there that is no text.
    pub async fn put_hash(&self, key: &str) {
        self.tell(&["DEL", key]).await.unwrap();
        self.tell(&["HSET", key, "field", "text"]).await.unwrap();
    }

    pub async fn ttl(&self, key: &str) -> i64 {
        self.tell(&["TTL", key]).await.unwrap().integer().unwrap()
    }

    /// The text at a key; `None` for nothing and for anything else.
    pub async fn text(&self, key: &str) -> Option<String> {
        self.store
            .look(deadline(), vec![key.to_owned()])
            .await
            .unwrap()
            .remove(0)
    }

    pub fn entry(&self, dependencies: &[&str]) -> Arc<EntryKeys> {
        let names: Vec<Arc<str>> = dependencies.iter().map(|&name| name.into()).collect();
        Arc::new(EntryKeys::new(&self.keys, &names, 300).unwrap())
    }

    /// A fill under the generations that are seen now.
    pub async fn filling(&self, entry: &Arc<EntryKeys>, content: &str) -> Filling {
        let found = self.store.look(deadline(), entry.look()).await.unwrap();
        let fence = entry.snapshot(found).fence().unwrap();
        filling(entry, fence, content)
    }

    pub async fn fill(&self, filling: Filling) -> bool {
        self.store.fill(deadline(), filling).await.unwrap()
    }

    /// An invalidation of these dependencies, and what it drops.
    pub fn invalidation(&self, names: &[&str]) -> Invalidation {
        let generation = |name: &&str| self.keys.generation(name, 300);
        Invalidation {
            generations: names.iter().map(generation).collect(),
            drops: names
                .iter()
                .filter_map(|name| self.keys.of_entry(name))
                .flatten()
                .collect(),
            claim: None,
            scope: Scope::Of(names.iter().map(|&name| name.into()).collect()),
            acknowledge: false,
            seed: sequence(SEED),
        }
    }

    pub async fn commit(&self, invalidation: Invalidation) -> Committed {
        let committed = self.store.invalidate(deadline(), invalidation);
        committed.await.unwrap()
    }

    pub async fn invalidate(&self, names: &[&str]) -> Committed {
        self.commit(self.invalidation(names)).await
    }

    pub async fn validate(&self) -> Validated {
        self.store
            .validate(deadline(), None, Vec::new())
            .await
            .unwrap()
    }

    pub async fn seed(&self) {
        let seeded = self.store.seed(deadline(), sequence(SEED)).await;
        assert_eq!(seeded, Ok(Some(sequence(SEED))));
    }
}

pub fn filling(entry: &Arc<EntryKeys>, fence: Vec<Generation>, content: &str) -> Filling {
    Filling {
        keys: entry.clone(),
        fence,
        record: StoredRecord {
            content: content.into(),
            version: "1".into(),
            config: r#"{"a":"Grüße"}"#.into(),
        },
        ttl_seconds: 300,
    }
}
