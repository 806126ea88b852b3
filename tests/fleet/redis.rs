//! Redis: one primary, a replica that lags behind it, and subscribers. Each instance has a link of its own, with the real
//! bookkeeping of sync tokens.

use crate::network::{Chance, Wire, ms};
use async_trait::async_trait;
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::Deadline;
use grove_shared_cache::protocol::{Announcement, Scope, Sequence};
use grove_shared_cache::push::{Channel, Subscription};
use grove_shared_cache::store::{Command, Link, Replies, Reply, Script, SyncToken};
use grove_shared_cache::testing::embedded::Embedded;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// Ways to talk to the store wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFlaw {
    /// A replica says up to where everything is applied.
    ReplicasConfirm,
    /// No sync token is presented.
    ForgottenSyncToken,
}

/// The newest edit of each entry that an invalidation is about.
pub type News = BTreeMap<usize, u64>;
/// The news in an invalidation of this scope, as the source is now.
pub type NewsOf = Arc<dyn Fn(&Scope) -> News + Send + Sync>;
/// What becomes of news that an instance hears.
pub type Heard = Arc<dyn Fn(&News) + Send + Sync>;

/// The state after one write.
struct Moment {
    at: Instant,
    position: u64,
    state: Embedded,
}

pub struct Redis {
    pub primary: Embedded,
    lag: Duration,
    flaw: Option<LinkFlaw>,
    chance: Arc<Chance>,
    news_of: NewsOf,
    /// What the replica has yet to catch up with, oldest first; the first is where it may be already.
    moments: Mutex<VecDeque<Moment>>,
    subscribers: Mutex<Vec<mpsc::UnboundedSender<String>>>,
    /// Per cent of announcements that get lost, and the milliseconds that one takes at most.
    pub push_lost: AtomicU64,
    pub push_ms: AtomicU64,
    /// Per cent of requests that list an instance and never arrive, beside what the wires do.
    pub listing_lost: AtomicU64,
    /// Commands that arrived.
    pub commands: AtomicU64,
    /// What whoever hears of a sequence knows of.
    told: Mutex<HashMap<Sequence, News>>,
}

impl Redis {
    pub fn new(
        primary: Embedded,
        lag: Duration,
        flaw: Option<LinkFlaw>,
        chance: Arc<Chance>,
        news_of: NewsOf,
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
            news_of,
            moments: Mutex::new(VecDeque::from([first])),
            subscribers: Mutex::default(),
            push_lost: AtomicU64::new(0),
            push_ms: AtomicU64::new(5),
            listing_lost: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            told: Mutex::default(),
        }
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
    async fn replica(&self, position: u64) -> (Embedded, u64) {
        if self.lag.is_zero() {
            let moments = self.moments.lock().unwrap();
            return (
                self.primary.clone(),
                moments.back().map_or(0, |last| last.position),
            );
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

    pub fn flush(&self) {
        self.primary.flush();
        self.written();
    }

    pub fn evict(&self, key: &str) {
        self.primary.evict(key);
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

    /// Has commands done that came in, by whoever may do them.
    async fn serve(&self, commands: Vec<Command>, position: u64) -> (Replies, u64) {
        self.commands.fetch_add(commands.len() as u64, SeqCst);
        if let [Command::Plain(words)] = &commands[..]
            && words[0] == "PUBLISH"
        {
            self.publish(&words[2]);
            return (vec![Ok(Reply::Integer(1))], 0);
        }
        let is_validation =
            |command: &Command| matches!(command, Command::Plain(words) if words[0] == "INCRBY");
        let misled =
            self.flaw == Some(LinkFlaw::ReplicasConfirm) && commands.iter().all(is_validation);
        if misled || !commands.iter().any(Command::writes) {
            let (state, position) = self.replica(position).await;
            let state = if misled { state.copy() } else { state };
            return (state.run(commands), position);
        }
        let scopes: Vec<_> = commands.iter().map(scope_of).collect();
        let replies = self.primary.run(commands);
        for (scope, reply) in scopes.into_iter().zip(&replies) {
            if let (Some(scope), Ok(reply)) = (scope, reply) {
                self.told_of(&scope, reply.clone());
            }
        }
        (replies, self.written())
    }

    fn told_of(&self, scope: &Scope, reply: Reply) {
        let texts = reply.texts().unwrap();
        let sequence = Sequence::parse(texts[2].as_deref().unwrap()).unwrap();
        let news = (self.news_of)(scope);
        self.told.lock().unwrap().insert(sequence, news);
    }

    fn news(&self, sequence: Sequence) -> Option<News> {
        self.told.lock().unwrap().get(&sequence).cloned()
    }
}

fn scope_of(command: &Command) -> Option<Scope> {
    match command {
        Command::Run {
            script: Script::Invalidate,
            arguments,
            ..
        } => Some(Scope::parse(&arguments[1])),
        _ => None,
    }
}

/// One instance's link to Redis.
pub struct SimLink {
    pub redis: Arc<Redis>,
    pub wire: Wire,
    pub sync: Mutex<SyncToken>,
}

#[async_trait]
impl Link for SimLink {
    async fn send(&self, deadline: Deadline, commands: Vec<Command>) -> Result<Replies, Fault> {
        let lists =
            |command: &Command| matches!(command, Command::Plain(words) if words[0] == "HSET");
        let redis = self.redis.clone();
        if commands.iter().any(lists) && redis.chance.percent(redis.listing_lost.load(SeqCst)) {
            return Err(Fault::Unreachable);
        }
        let writes = commands.iter().any(Command::writes);
        let (number, token) = self.sync.lock().unwrap().send();
        let token = token.filter(|_| redis.flaw != Some(LinkFlaw::ForgottenSyncToken));
        let position = token.and_then(|token| token.parse().ok()).unwrap_or(0);
        let served = async move { redis.serve(commands, position).await };
        let (replies, position) = self.wire.call(deadline, served).await?;
        if position > 0 {
            self.sync
                .lock()
                .unwrap()
                .keep(&position.to_string(), number, writes);
        }
        Ok(replies)
    }

    fn sync_token(&self) -> Option<String> {
        self.sync.lock().unwrap().newest()
    }

    fn present(&self, token: &str) {
        self.sync.lock().unwrap().announced(token);
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
            let (sender, messages) = mpsc::unbounded_channel();
            redis.subscribers.lock().unwrap().push(sender);
            messages
        };
        let messages = self.wire.call(deadline, served).await?;
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
            && let Some(news) = self.redis.news(said.record.sequence)
        {
            (self.heard)(&news);
        }
        Ok(Some(message))
    }
}
