//! A fleet: several instances of the real cache, several admins, one Redis, one source, and a schedule of everything that
//! goes wrong. All of it follows from one integer.

use crate::history::{Event, Read};
use crate::network::{Chance, Process, SimClock, Weather, Wire, ms};
use crate::store::{Client, News, Redis, StoreFlaw, Stream};
use async_trait::async_trait;
use grove_shared_cache::core::answer::{Answer, Receipt, Tier};
use grove_shared_cache::core::cache::{Cache, Parts};
use grove_shared_cache::core::clock::Clock;
use grove_shared_cache::core::config::Limits;
use grove_shared_cache::core::error::Fault;
use grove_shared_cache::core::http::Deadline;
use grove_shared_cache::core::log::{Level, LogSink, Logger};
use grove_shared_cache::core::near::{AtHand, Held};
use grove_shared_cache::core::prompt::SystemPrompt;
use grove_shared_cache::core::protocol::Keys;
use grove_shared_cache::core::rules::Rules;
use grove_shared_cache::core::source::{Row, Source};
use grove_shared_cache::core::store::memory::Memory;
use serde_json::json;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub const MAX_STALENESS_MS: u64 = 1000;
pub const REDIS_TIMEOUT_MS: u64 = 500;
pub const SOURCE_TIMEOUT_MS: u64 = 2000;
pub const TIMEOUTS_MS: u64 = REDIS_TIMEOUT_MS + SOURCE_TIMEOUT_MS;
/// The only entry.
const THE_PROMPT: usize = 0;

/// The source's table: the newest edit is the truth.
pub struct Table {
    /// Number of the edit and its `updated_at` in seconds, or none between the two steps of an edit.
    active: Mutex<Option<(u64, u64)>>,
}

struct SimSource {
    table: Arc<Table>,
    wire: Wire,
    lacked: Box<dyn Fn() + Send + Sync>,
}

#[async_trait]
impl Source for SimSource {
    fn name(&self) -> &'static str {
        "supabase"
    }

    async fn load(&self, deadline: Deadline) -> Result<Option<Row>, Fault> {
        let table = self.table.clone();
        let served = async move { *table.active.lock().unwrap() };
        let loaded = self.wire.call(deadline, served).await;
        if !matches!(loaded, Ok(Some(_))) {
            (self.lacked)();
        }
        Ok(loaded?.map(|(edit, updated_at)| {
            let row = json!({
                "id": "row",
                "title": "Grove",
                "updated_at": format!("2026-01-01T{:02}:{:02}:{:02}+00:00", updated_at / 3600, updated_at / 60 % 60, updated_at % 60),
                "payload": { "identity": edit.to_string() }
            });
            row.as_object().unwrap().clone()
        }))
    }
}

pub struct Quiet;

impl LogSink for Quiet {
    fn write(&self, _: Level, _: &str) {}
}

/// What the cache is built with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Build {
    pub rules: Rules,
    pub flaw: Option<StoreFlaw>,
}

/// One run's circumstances.
#[derive(Debug)]
pub struct Circumstances {
    pub instances: usize,
    pub lag_ms: u64,
    pub push: bool,
    pub store: Weather,
    pub source: Weather,
}

pub struct World {
    pub origin: Instant,
    pub chance: Arc<Chance>,
    pub redis: Arc<Redis>,
    pub table: Arc<Table>,
    store_weather: Arc<Mutex<Weather>>,
    source_weather: Arc<Mutex<Weather>>,
    rules: Rules,
    push: bool,
    ttl_seconds: u32,
    events: Arc<Mutex<Vec<Event>>>,
    edits: AtomicU64,
    instances: Vec<Mutex<Instance>>,
}

/// One process, until it crashes.
#[derive(Clone)]
pub struct Instance {
    pub cache: Arc<Cache>,
    pub clock: Arc<SimClock>,
    pub process: Process,
    /// What its readers hold on to, as the addon does.
    kept: Arc<Mutex<Option<Held>>>,
    knows_of: Arc<AtomicU64>,
    life: u32,
}

impl Instance {
    async fn fetch(&self) -> Answer {
        let at_hand = {
            let mut kept = self.kept.lock().unwrap();
            let number = kept.as_ref().map_or(0, |held| held.number);
            self.cache.at_hand(number, Cache::renew).map(|value| {
                if let AtHand::Other(held) = value {
                    *kept = Some(*held);
                }
                kept.clone().unwrap()
            })
        };
        match at_hand {
            Some(held) => Answer::of(held, Tier::Memory),
            None => self.cache.ask().answer.await,
        }
    }
}

impl World {
    /// With a time to live that ends a few times in a run.
    pub fn new(seed: u64, build: Build, circumstances: &Circumstances) -> Arc<Self> {
        Self::with_ttl(seed, build, circumstances, 5)
    }

    pub fn with_ttl(
        seed: u64,
        build: Build,
        circumstances: &Circumstances,
        ttl_seconds: u32,
    ) -> Arc<Self> {
        let chance = Arc::new(Chance::of(seed ^ 0x5EED));
        let origin = Instant::now();
        let clock = SimClock {
            origin,
            skew_ms: AtomicI64::new(0),
        };
        let primary = Memory::new(Arc::new(clock), Keys::under("sim"));
        let lag = ms(circumstances.lag_ms);
        let redis = Redis::new(primary, lag, build.flaw, chance.clone());
        let mut world = World {
            origin,
            redis: Arc::new(redis),
            chance,
            table: Arc::new(Table {
                active: Mutex::new(Some((0, 0))),
            }),
            store_weather: Arc::new(Mutex::new(circumstances.store.clone())),
            source_weather: Arc::new(Mutex::new(circumstances.source.clone())),
            rules: build.rules,
            push: circumstances.push,
            ttl_seconds,
            events: Arc::default(),
            edits: AtomicU64::new(0),
            instances: Vec::new(),
        };
        for number in 0..circumstances.instances {
            let instance = world.start(number, 0);
            world.instances.push(Mutex::new(instance));
        }
        Arc::new(world)
    }

    fn start(&self, number: usize, life: u32) -> Instance {
        let process = Process::running();
        let wire = |weather: &Arc<Mutex<Weather>>| Wire {
            chance: self.chance.clone(),
            weather: weather.clone(),
            process: process.clone(),
        };
        let knows_of = Arc::new(AtomicU64::new(0));
        let clock = Arc::new(SimClock {
            origin: self.origin,
            skew_ms: AtomicI64::new(0),
        });
        let origin = self.origin;
        let events = self.events.clone();
        let lacked = move || {
            events.lock().unwrap().push(Event::Lacked {
                at: since(origin),
                instance: number,
            });
        };
        let events = self.events.clone();
        let stream = Stream {
            redis: self.redis.clone(),
            wire: wire(&self.store_weather),
            heard: Arc::new(move |news| {
                events.lock().unwrap().push(Event::Heard {
                    at: since(origin),
                    instance: number,
                    life,
                    edit: news[&THE_PROMPT],
                });
            }),
        };
        let resource = Arc::new(SystemPrompt::new(None));
        let parts = Parts {
            id: format!("{number}.{life}"),
            name: "test".into(),
            no_store: None,
            resource: resource.clone(),
            store: Some(Arc::new(Client {
                redis: self.redis.clone(),
                wire: wire(&self.store_weather),
                sync: Arc::default(),
                told: {
                    let knows_of = knows_of.clone();
                    Arc::new(move |_| News::from([(THE_PROMPT, knows_of.load(SeqCst))]))
                },
            })),
            channel: self.push.then(|| Arc::new(stream) as _),
            source: Some(Arc::new(SimSource {
                table: self.table.clone(),
                wire: wire(&self.source_weather),
                lacked: Box::new(lacked),
            })),
            legacy: None,
            clock: clock.clone(),
            limits: Limits {
                ttl_seconds: self.ttl_seconds,
                max_staleness: ms(MAX_STALENESS_MS),
                redis_timeout: ms(REDIS_TIMEOUT_MS),
                source_timeout: ms(SOURCE_TIMEOUT_MS),
            },
            signer: None,
            rules: self.rules,
        };
        Instance {
            cache: Cache::new(parts, Logger::new(None, Arc::new(Quiet), resource)),
            clock,
            process,
            kept: Arc::default(),
            knows_of,
            life,
        }
    }

    pub fn now(&self) -> u64 {
        since(self.origin)
    }

    pub fn record(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    pub fn note(&self, text: String) {
        let at = self.now();
        self.record(Event::Note { at, text });
    }

    pub fn history(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.instances.len()
    }

    pub fn instance(&self, number: usize) -> Instance {
        self.instances[number].lock().unwrap().clone()
    }

    /// One read, into the history.
    pub async fn read(&self, number: usize) {
        let instance = self.instance(number);
        let begun = self.now();
        self.record(Event::Begun {
            at: begun,
            instance: number,
            life: instance.life,
        });
        let frozen_before = instance.process.frozen_ms();
        let answer = instance.fetch().await;
        instance.process.turn().await;
        let frozen = instance.process.frozen_ms() - frozen_before;
        let edit = answer.entry.content.strip_prefix("## Identity\n");
        self.record(Event::Read(Read {
            begun,
            ended: self.now(),
            frozen,
            instance: number,
            life: instance.life,
            line: 0,
            edit: edit.map(|edit| edit.parse().unwrap()),
            version: None,
            nothing: false,
            apart: false,
            tier: answer.tier.as_str(),
        }));
    }

    /// Changes the row, in the console's two steps. `earlier`: with an `updated_at` that went back.
    pub async fn edit(&self, between_steps: Duration, earlier: bool) -> u64 {
        if !between_steps.is_zero() {
            *self.table.active.lock().unwrap() = None;
            sleep(between_steps).await;
        }
        let edit = self.edits.fetch_add(1, SeqCst) + 1;
        let updated_at = if earlier {
            edit.saturating_sub(2)
        } else {
            edit
        };
        *self.table.active.lock().unwrap() = Some((edit, updated_at));
        let at = self.now();
        self.record(Event::Edited {
            at,
            edit,
            updated_at,
        });
        edit
    }

    /// Tells an instance of an edit, as the admin's console does.
    pub async fn invalidate(self: &Arc<Self>, number: usize, edit: u64) {
        let instance = self.instance(number);
        instance.knows_of.fetch_max(edit, SeqCst);
        let outcome = instance.cache.invalidate().await;
        instance.process.turn().await;
        let at = self.now();
        match outcome {
            Ok(receipt) => {
                self.record(Event::Invalidated { at, edit });
                tokio::spawn(self.clone().prove(instance.clone(), receipt, edit));
            }
            Err(_) => self.note(format!("instance {number} owes an invalidation")),
        }
        // If it failed the instance keeps off the store, so it is fresh all the same.
        self.record(Event::Heard {
            at,
            instance: number,
            life: instance.life,
            edit,
        });
    }

    /// Waits for the receipt of all instances.
    async fn prove(self: Arc<Self>, instance: Instance, receipt: Receipt, edit: u64) {
        let begun = self.now();
        let frozen_before = instance.process.frozen_ms();
        let proof = instance
            .cache
            .engine()
            .prove_everywhere(&receipt, None)
            .await;
        instance.process.turn().await;
        self.record(Event::Proven {
            at: self.now(),
            begun,
            frozen: instance.process.frozen_ms() - frozen_before,
            edit,
            proof,
        });
    }

    /// Ends a process where it stands and starts another in its place.
    pub fn crash(&self, number: usize) {
        let mut instance = self.instances[number].lock().unwrap();
        instance.process.crash();
        self.record(Event::Crashed {
            at: self.now(),
            instance: number,
            life: instance.life,
        });
        let next = self.start(number, instance.life + 1);
        // What the old one has under way waits for its turn for ever; only its requests on the wire go on.
        instance.cache.close();
        *instance = next;
        self.note(format!("instance {number} crashed and was started again"));
    }
}

pub fn since(origin: Instant) -> u64 {
    origin.elapsed().as_millis() as u64
}

/// Sets an instance's wall clock forward or back.
pub fn skew(instance: &Instance, by_ms: i64) {
    instance.clock.skew_ms.fetch_add(by_ms, SeqCst);
    debug_assert!(instance.clock.wall_ms() > 0);
}
