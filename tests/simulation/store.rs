//! Redis: one primary, a replica that lags behind it, and subscribers. Each instance has a client of its own, with the real
//! bookkeeping of sync tokens.

mod shelves;

use crate::network::{Chance, Wire, ms};
use async_trait::async_trait;
use grove_shared_cache::core::error::Fault;
use grove_shared_cache::core::fleet::{List, Roll, Standing};
use grove_shared_cache::core::http::Deadline;
use grove_shared_cache::core::protocol::{Announcement, Generation, Marks, Record, Snapshot};
use grove_shared_cache::core::push::{Channel, Subscription};
use grove_shared_cache::core::store::memory::Memory;
use grove_shared_cache::core::store::sync::{Access, Sync};
use grove_shared_cache::core::store::{Fill, KeyValue, Probe, Register, Store};
use reqwest::header::HeaderValue;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// Ways to build the store wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFlaw {
    /// A fill stamps the generation that is there, whatever its loader saw.
    UnfencedFill,
    /// Where there is no generation, that counts as one.
    UnmintedGeneration,
    /// Clients present no sync token.
    ForgottenSyncToken,
    /// A fill compares only so many of the generations that its entry depends on, and stamps the others as they are.
    FencedByFirst(usize),
    /// Where a resource or a tag has no generation, that counts as one.
    UnmintedMarks,
    /// Instances are taken to have acknowledged what the store has, whatever they say.
    AcknowledgedForThem,
}

/// The newest edit of each entry that an invalidation is about. A cache of one value has the entry 0 alone.
pub type News = BTreeMap<usize, u64>;
/// What becomes of news that somebody hears.
pub type Heard = Arc<dyn Fn(&News) + Send + std::marker::Sync>;
/// The news in an invalidation of these generations.
pub type Told = Arc<dyn Fn(&[String]) -> News + Send + std::marker::Sync>;

/// The state after one write.
struct Moment {
    at: Instant,
    position: u64,
    state: Memory,
}

pub struct Redis {
    primary: Memory,
    lag: Duration,
    pub flaw: Option<StoreFlaw>,
    chance: Arc<Chance>,
    /// What the replica has yet to catch up with, oldest first; the first is where it may be already.
    moments: Mutex<VecDeque<Moment>>,
    subscribers: Mutex<Vec<mpsc::UnboundedSender<String>>>,
    /// Per cent of announcements that get lost, and the milliseconds that one takes at most.
    pub push_lost: AtomicU64,
    pub push_ms: AtomicU64,
    /// Per cent of listings that are refused, beside what the wires do.
    pub listing_refused: AtomicU64,
    /// Commands that arrived.
    pub commands: AtomicU64,
    told: Mutex<Vec<Announced>>,
}

/// An invalidation, with the news of all that came before it.
struct Announced {
    generation: String,
    news: News,
}

const NONE: &str = "none";
/// No instance.
const NOBODY: &str = "";

impl Redis {
    pub fn new(
        primary: Memory,
        lag: Duration,
        flaw: Option<StoreFlaw>,
        chance: Arc<Chance>,
    ) -> Self {
        let first = Moment {
            at: Instant::now() - lag,
            position: 0,
            state: primary.copy(),
        };
        Redis {
            primary,
            lag,
            flaw,
            chance,
            moments: Mutex::new(VecDeque::from([first])),
            subscribers: Mutex::default(),
            push_lost: AtomicU64::new(0),
            push_ms: AtomicU64::new(5),
            listing_refused: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    /// Whether the prompt is stored.
    pub fn has_value(&self) -> bool {
        now(self.primary.read(at_once(), NOBODY)).active.is_some()
    }

    /// Notes that the primary was written; its position.
    fn written(&self) -> u64 {
        let mut moments = self.moments.lock().unwrap();
        let position = moments.back().map_or(0, |last| last.position) + 1;
        let lags = !self.lag.is_zero();
        if !lags {
            moments.clear();
        }
        moments.push_back(Moment {
            at: Instant::now(),
            position,
            state: if lags {
                self.primary.copy()
            } else {
                self.primary.clone()
            },
        });
        position
    }

    /// The replica as it is now, or once it has reached `position`.
    async fn replica(&self, position: u64) -> (Memory, u64) {
        if self.lag.is_zero() {
            return (self.primary.clone(), self.position());
        }
        let reached_at = {
            let moments = self.moments.lock().unwrap();
            let moment = moments.iter().find(|moment| moment.position >= position);
            moment.map(|moment| moment.at + self.lag)
        };
        if let Some(at) = reached_at {
            sleep_until(at).await;
        }
        let mut moments = self.moments.lock().unwrap();
        let now = Instant::now();
        while moments.len() > 1 && moments[1].at + self.lag <= now {
            moments.pop_front();
        }
        (moments[0].state.clone(), moments[0].position)
    }

    fn position(&self) -> u64 {
        self.moments
            .lock()
            .unwrap()
            .back()
            .map_or(0, |last| last.position)
    }

    pub fn flush(&self) {
        self.primary.flush();
        self.written();
    }

    pub async fn evict(&self, key: &str) {
        let _ = self.primary.del(Deadline::after(ms(1)), key).await;
        self.written();
    }

    /// Ends every stream, as a restart of a proxy does.
    pub fn hang_up(&self) {
        self.subscribers.lock().unwrap().clear();
    }

    fn publish(&self, line: &str) {
        let subscribers = self.subscribers.lock().unwrap().clone();
        for subscriber in subscribers {
            if self.chance.percent(self.push_lost.load(SeqCst)) {
                continue;
            }
            let delay = ms(self.chance.between(1, self.push_ms.load(SeqCst)));
            let line = line.to_owned();
            tokio::spawn(async move {
                sleep(delay).await;
                let _ = subscriber.send(line);
            });
        }
    }

    fn flawed(&self, flaw: StoreFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn as_it_seems(&self, mut standing: Standing) -> Standing {
        if self.flawed(StoreFlaw::AcknowledgedForThem) {
            standing.generation = now(self.primary.marks(at_once(), NOBODY)).generation;
        }
        standing
    }

    /// A generation was opened for the sake of this.
    fn opened(&self, generation: &Generation, news: News) {
        let mut told = self.told.lock().unwrap();
        let mut all = told.last().map_or_else(News::new, |last| last.news.clone());
        for (entry, edit) in news {
            let newest = all.entry(entry).or_default();
            *newest = edit.max(*newest);
        }
        told.push(Announced {
            generation: generation.to_string(),
            news: all,
        });
    }

    /// All that who has heard of this generation knows, or of all generations.
    fn news(&self, generation: Option<&Generation>) -> Option<News> {
        let told = self.told.lock().unwrap();
        let is_it =
            |it: &&Announced| generation.is_none_or(|wanted| wanted.as_str() == it.generation);
        let announced = told.iter().rev().find(is_it)?;
        Some(announced.news.clone())
    }
}

/// One instance's view of Redis.
pub struct Client {
    pub redis: Arc<Redis>,
    pub wire: Wire,
    pub sync: Arc<Mutex<Sync>>,
    pub told: Told,
}

/// What came of a write: the command's number, and where the primary is after it.
struct Written<T> {
    value: T,
    number: u64,
    position: u64,
}

impl Client {
    async fn read_with<T: Send + 'static>(
        &self,
        deadline: Deadline,
        read: impl FnOnce(Memory) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let (redis, (number, token)) = (self.redis.clone(), self.sync.lock().unwrap().send());
        let position = token
            .filter(|_| !redis.flawed(StoreFlaw::ForgottenSyncToken))
            .and_then(|token| token.to_str().ok()?.parse().ok())
            .unwrap_or(0);
        let served = async move {
            redis.commands.fetch_add(1, SeqCst);
            let (state, position) = redis.replica(position).await;
            (read(state), position)
        };
        let (value, position) = self.wire.call(deadline, served).await?;
        self.keep(position, number, Access::Read);
        Ok(value)
    }

    async fn write_with<T: Send + 'static>(
        &self,
        deadline: Deadline,
        write: impl FnOnce(&Redis) -> T + Send + 'static,
    ) -> Result<Written<T>, Fault> {
        let (redis, (number, _)) = (self.redis.clone(), self.sync.lock().unwrap().send());
        let served = async move {
            redis.commands.fetch_add(1, SeqCst);
            let value = write(&redis);
            (value, redis.written())
        };
        let (value, position) = self.wire.call(deadline, served).await?;
        self.keep(position, number, Access::Write);
        Ok(Written {
            value,
            number,
            position,
        })
    }

    fn keep(&self, position: u64, number: u64, access: Access) {
        self.sync
            .lock()
            .unwrap()
            .keep(&token(position), number, access);
    }

    fn committed<T>(&self, written: &Written<T>, generation: &Generation) {
        let mut sync = self.sync.lock().unwrap();
        sync.committed(&token(written.position), written.number, generation);
    }

    /// Where nothing counts as a generation, its absence is one.
    fn generation(&self, generation: Option<Generation>) -> Option<Generation> {
        let absent = self.redis.flawed(StoreFlaw::UnmintedGeneration);
        generation.or_else(|| absent.then(|| Generation::new(NONE)))
    }
}

fn token(position: u64) -> HeaderValue {
    HeaderValue::from_str(&position.to_string()).unwrap()
}

/// Runs what the embedded store does in no time.
fn now<T>(future: impl Future<Output = Result<T, Fault>>) -> T {
    futures_util::FutureExt::now_or_never(future)
        .expect("the embedded store never waits")
        .expect("the embedded store never fails")
}

fn at_once() -> Deadline {
    Deadline::after(ms(1))
}

#[async_trait]
impl Store for Client {
    async fn read(&self, deadline: Deadline, reader: &str) -> Result<Snapshot, Fault> {
        let reader = reader.to_owned();
        let read = move |state: Memory| now(state.read(at_once(), &reader));
        let mut snapshot = self.read_with(deadline, read).await?;
        snapshot.generation = self.generation(snapshot.generation);
        Ok(snapshot)
    }

    async fn marks(&self, deadline: Deadline, reader: &str) -> Result<Marks, Fault> {
        let reader = reader.to_owned();
        let read = move |state: Memory| now(state.marks(at_once(), &reader));
        let mut marks = self.read_with(deadline, read).await?;
        marks.generation = self.generation(marks.generation);
        Ok(marks)
    }

    async fn remaining(&self, deadline: Deadline) -> Result<Option<Duration>, Fault> {
        let read = |state: Memory| now(state.remaining(at_once()));
        self.read_with(deadline, read).await
    }

    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        let write = move |redis: &Redis| now(redis.primary.mint(at_once(), now_ms));
        Ok(self.write_with(deadline, write).await?.value)
    }

    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault> {
        let write = move |redis: &Redis| now(redis.primary.claim(at_once(), term));
        Ok(self.write_with(deadline, write).await?.value)
    }

    async fn release(&self, deadline: Deadline) -> Result<(), Fault> {
        let write = move |redis: &Redis| now(redis.primary.release(at_once()));
        self.write_with(deadline, write).await.map(drop)
    }

    async fn fill(
        &self,
        deadline: Deadline,
        fence: &Generation,
        record: &Record,
        ttl_seconds: u32,
    ) -> Result<Fill, Fault> {
        let (mut fence, mut record) = (fence.clone(), record.clone());
        let write = move |redis: &Redis| {
            let current = now(redis.primary.marks(at_once(), NOBODY)).generation;
            if redis.flawed(StoreFlaw::UnfencedFill) {
                fence = current.clone().unwrap_or(fence);
                record.config = restamped(&record.config, &fence);
            }
            if redis.flawed(StoreFlaw::UnmintedGeneration)
                && current.is_none()
                && fence.as_str() == NONE
            {
                // Stored under the absence of a generation.
                let minted = now(redis.primary.mint(at_once(), 1));
                let filled = now(redis.primary.fill(at_once(), &minted, &record, ttl_seconds));
                let generation = "sim:generation";
                now(redis.primary.del(at_once(), generation));
                return filled;
            }
            now(redis.primary.fill(at_once(), &fence, &record, ttl_seconds))
        };
        Ok(self.write_with(deadline, write).await?.value)
    }

    async fn invalidate(
        &self,
        deadline: Deadline,
        now_ms: u64,
        term: Duration,
    ) -> Result<Generation, Fault> {
        let news = (self.told)(&[]);
        let write = move |redis: &Redis| {
            let generation = now(redis.primary.invalidate(at_once(), now_ms, term));
            redis.opened(&generation, news);
            generation
        };
        let written = self.write_with(deadline, write).await?;
        self.committed(&written, &written.value);
        Ok(written.value)
    }

    async fn publish(&self, deadline: Deadline, announcement: &Announcement) -> Result<(), Fault> {
        let (redis, line) = (self.redis.clone(), announcement.to_line());
        let served = async move {
            redis.commands.fetch_add(1, SeqCst);
            redis.publish(&line);
        };
        self.wire.call(deadline, served).await
    }

    fn sync_token(&self) -> Option<String> {
        self.sync.lock().unwrap().newest()
    }

    fn catch_up(&self, announcement: &Announcement) {
        self.sync.lock().unwrap().announced(announcement);
    }

    async fn probe(&self, _: Deadline) -> Result<Probe, Fault> {
        Err(Fault::Unreachable)
    }
}

#[async_trait]
impl Register for Client {
    async fn enlist(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
        settling: Duration,
    ) -> Result<(), Fault> {
        let refused = self.redis.listing_refused.load(SeqCst);
        if refused > 0 && self.redis.chance.percent(refused) {
            return Err(Fault::Unreachable);
        }
        let (id, standing) = (id.to_owned(), standing.clone());
        let write = move |redis: &Redis| {
            let standing = redis.as_it_seems(standing);
            now(redis.primary.enlist(at_once(), &id, &standing, settling))
        };
        self.write_with(deadline, write).await.map(drop)
    }

    async fn restate(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
    ) -> Result<bool, Fault> {
        let (id, standing) = (id.to_owned(), standing.clone());
        let write = move |redis: &Redis| {
            let standing = redis.as_it_seems(standing);
            now(redis.primary.restate(at_once(), &id, &standing))
        };
        Ok(self.write_with(deadline, write).await?.value)
    }

    async fn members(&self, deadline: Deadline) -> Result<List, Fault> {
        let read = |state: Memory| now(state.members(at_once()));
        self.read_with(deadline, read).await
    }

    async fn roll(&self, deadline: Deadline, ids: &[String]) -> Result<Roll, Fault> {
        let ids = ids.to_vec();
        let read = move |state: Memory| now(state.roll(at_once(), &ids));
        self.read_with(deadline, read).await
    }

    async fn strike(&self, deadline: Deadline, ids: &[String]) -> Result<(), Fault> {
        let ids = ids.to_vec();
        let write = move |redis: &Redis| now(redis.primary.strike(at_once(), &ids));
        self.write_with(deadline, write).await.map(drop)
    }

    async fn leave(&self, deadline: Deadline, id: &str) -> Result<(), Fault> {
        let id = id.to_owned();
        let write = move |redis: &Redis| now(redis.primary.leave(at_once(), &id));
        self.write_with(deadline, write).await.map(drop)
    }
}

/// A fill's config as if its loader had seen this generation.
fn restamped(config: &str, generation: &Generation) -> String {
    let mut config: Value = serde_json::from_str(config).unwrap();
    config["generation"] = generation.as_str().into();
    if let Ok(number) = generation.as_str().parse::<u64>() {
        config["generation"] = number.into();
    }
    config.to_string()
}

/// The simulated servers keep nothing but the prompt there.
#[async_trait]
impl KeyValue for Client {
    async fn get(&self, _: Deadline, _: &str) -> Result<Option<String>, Fault> {
        Err(Fault::Unreachable)
    }
    async fn set(&self, _: Deadline, _: &str, _: &str, _: u32) -> Result<(), Fault> {
        Err(Fault::Unreachable)
    }
    async fn del(&self, _: Deadline, _: &str) -> Result<bool, Fault> {
        Err(Fault::Unreachable)
    }
}

/// The push stream of one instance.
pub struct Stream {
    pub redis: Arc<Redis>,
    pub wire: Wire,
    pub heard: Heard,
}

struct Listening {
    messages: mpsc::UnboundedReceiver<String>,
    redis: Arc<Redis>,
    wire: Wire,
    heard: Heard,
}

#[async_trait]
impl Channel for Stream {
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Fault> {
        let (redis, deadline) = (self.redis.clone(), Deadline::after(ms(5000)));
        let served = async move {
            redis.commands.fetch_add(1, SeqCst);
            let (sender, messages) = mpsc::unbounded_channel();
            redis.subscribers.lock().unwrap().push(sender);
            (messages, redis.news(None))
        };
        let (messages, newest) = self.wire.call(deadline, served).await?;
        // What was announced before is not repeated, so opening the stream has to tell; without a token, a replica that
        // lags may answer all the same.
        if let Some(news) = newest.filter(|_| self.redis.lag.is_zero()) {
            (self.heard)(&news);
        }
        Ok(Box::new(Listening {
            messages,
            redis: self.redis.clone(),
            wire: self.wire.clone(),
            heard: self.heard.clone(),
        }))
    }
}

#[async_trait]
impl Subscription for Listening {
    async fn next(&mut self) -> Result<Option<String>, Fault> {
        let message = self.messages.recv().await;
        self.wire.process.turn().await;
        let message = message.ok_or(Fault::Interrupted)?;
        if let Some(said) = Announcement::parse(&message)
            && let Some(news) = self.redis.news(Some(&said.generation))
        {
            (self.heard)(&news);
        }
        Ok(Some(message))
    }
}
