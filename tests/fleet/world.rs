//! A fleet: several instances of the real cache, one Redis, one source with the prompt and the entries of two resources, and a
//! history for each of them. All that happens follows from one integer.

use crate::history::{Event, Read};
use crate::network::{Chance, DRIFT_PPM, Process, SimClock, Weather, Wire, ms};
use crate::redis::{LinkFlaw, News, Redis, SimLink, Stream};
use async_trait::async_trait;
use grove_shared_cache::cache::{
    Answer, CachedEntry, KeyedResource, Parts, Receipt, ResourceParts, SharedCache, SingleParts,
    Tier,
};
use grove_shared_cache::config::{Capacity, Limits};
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::Deadline;
use grove_shared_cache::near::{Held, HitValue};
use grove_shared_cache::observe::log::{Level, LogSink};
use grove_shared_cache::protocol::{Scope, entry_dependency, resource_dependency, tag_dependency};
use grove_shared_cache::resource::{Kind, Loaded, Loader, SystemPrompt};
use grove_shared_cache::source::{Row, Source};
use grove_shared_cache::store::{Phase, SyncToken};
use grove_shared_cache::testing::embedded::{Embedded, Flaw};
use grove_shared_cache::testing::mutants::Mutation;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

pub const MAX_STALENESS_MS: u64 = 1000;
pub const REDIS_TIMEOUT_MS: u64 = 500;
pub const SOURCE_TIMEOUT_MS: u64 = 2000;
pub const TIMEOUTS_MS: u64 = REDIS_TIMEOUT_MS + SOURCE_TIMEOUT_MS;
/// Ends a few times in a run.
const TTL_SECONDS: u32 = 5;

pub const THE_PROMPT: usize = 0;
const PROMPT: &str = "system-prompt";
pub const RESOURCES: [&str; 2] = ["docs", "flags"];
const IDS: [&str; 6] = ["a", "b", "c:1", "d/é", "*", "f%"];
pub const TAGS: [&str; 3] = ["hub:1", "hub:2", "all"];
pub const ENTRIES: usize = 1 + RESOURCES.len() * IDS.len();

pub type Names = BTreeSet<Arc<str>>;

/// What the cache is built with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Build {
    pub mutation: Mutation,
    pub flaw: Option<Flaw>,
    pub link_flaw: Option<LinkFlaw>,
}

/// One run's circumstances.
#[derive(Clone, Debug)]
pub struct Circumstances {
    pub instances: usize,
    pub lag_ms: u64,
    pub push: bool,
    pub signed: bool,
    pub store: Weather,
    pub source: Weather,
    pub max_entries: u64,
    /// How many records the log keeps.
    pub log_length: usize,
    /// Per cent of reads that ask through the entry that their reader had, be it evicted.
    pub holds_on: u64,
    /// Per cent of edits that take a value away.
    pub removals: u64,
    pub ttl_seconds: u32,
}

impl Circumstances {
    pub const TTL_SECONDS: u32 = TTL_SECONDS;
}

/// One entry of the source.
pub struct Place {
    /// `None`: the prompt.
    pub resource: Option<usize>,
    pub id: &'static str,
    pub tags: Vec<String>,
}

impl Place {
    /// What it depends on, its own first.
    pub fn names(&self) -> Vec<Arc<str>> {
        let Some(resource) = self.resource else {
            return vec![PROMPT.into()];
        };
        let name = RESOURCES[resource];
        let mut names = vec![entry_dependency(name, self.id), resource_dependency(name)];
        names.extend(self.tags.iter().map(|tag| tag_dependency(tag)));
        names
    }
}

/// An entry's newest edit.
#[derive(Clone, Copy)]
struct State {
    edit: u64,
    /// In seconds; only the prompt has one.
    updated_at: u64,
    /// Whether it has a value.
    there: bool,
}

/// The source: the newest edit is the truth.
pub struct Table {
    pub places: Vec<Place>,
    states: Mutex<Vec<State>>,
}

impl Table {
    fn new(chance: &Chance) -> Self {
        let place = |number: usize| {
            let tags = TAGS[..2].iter().filter(|_| chance.percent(35));
            let mut tags: Vec<String> = tags.map(|&tag| tag.into()).collect();
            if tags.len() < 2 && chance.percent(25) {
                tags.push(TAGS[2].into());
            }
            Place {
                resource: Some(number / IDS.len()),
                id: IDS[number % IDS.len()],
                tags,
            }
        };
        let prompt = Place {
            resource: None,
            id: "",
            tags: Vec::new(),
        };
        let first = State {
            edit: 0,
            updated_at: 0,
            there: true,
        };
        Table {
            places: std::iter::once(prompt)
                .chain((0..ENTRIES - 1).map(place))
                .collect(),
            states: Mutex::new(vec![first; ENTRIES]),
        }
    }

    fn number(&self, resource: usize, id: &str) -> usize {
        let mut places = self.places.iter();
        places
            .position(|it| it.resource == Some(resource) && it.id == id)
            .unwrap()
    }

    /// The entries that a scope is about, with their newest edits.
    pub fn news_of(&self, scope: &Scope) -> News {
        let states = self.states.lock().unwrap();
        let concerned = |place: &Place| match scope {
            Scope::Everything => true,
            Scope::Of(names) => place.names().iter().any(|name| names.contains(name)),
        };
        let places = self
            .places
            .iter()
            .enumerate()
            .filter(|(_, place)| concerned(place));
        places
            .map(|(entry, _)| (entry, states[entry].edit))
            .collect()
    }
}

type Lacked = Arc<dyn Fn(usize) + Send + Sync>;

struct PromptSource {
    table: Arc<Table>,
    wire: Wire,
    lacked: Lacked,
}

#[async_trait]
impl Source for PromptSource {
    fn name(&self) -> &'static str {
        "supabase"
    }

    async fn load(&self, deadline: Deadline) -> Result<Option<Row>, Fault> {
        let table = self.table.clone();
        let served = async move { table.states.lock().unwrap()[THE_PROMPT] };
        let loaded = self.wire.call(deadline, served).await;
        if !matches!(loaded, Ok(State { there: true, .. })) {
            (self.lacked)(THE_PROMPT);
        }
        let State {
            edit,
            updated_at,
            there,
        } = loaded?;
        let row = json!({
            "id": "row",
            "title": "Grove",
            "updated_at": format!("2026-01-01T{:02}:{:02}:{:02}+00:00", updated_at / 3600, updated_at / 60 % 60, updated_at % 60),
            "payload": { "identity": edit.to_string() }
        });
        Ok(there.then(|| row.as_object().unwrap().clone()))
    }
}

struct KeyedLoader {
    resource: usize,
    table: Arc<Table>,
    wire: Wire,
    lacked: Lacked,
}

#[async_trait]
impl Loader for KeyedLoader {
    fn name(&self) -> &'static str {
        "loader"
    }

    async fn load(&self, id: &str, deadline: Deadline) -> Result<Loaded, Fault> {
        let (table, entry) = (self.table.clone(), self.table.number(self.resource, id));
        let served = async move { table.states.lock().unwrap()[entry] };
        let loaded = self.wire.call(deadline, served).await;
        if loaded.is_err() {
            (self.lacked)(entry);
        }
        let State { edit, there, .. } = loaded?;
        Ok(Loaded {
            kind: if there { Kind::Text } else { Kind::Nothing },
            content: edit.to_string(),
        })
    }
}

pub struct Quiet;

impl LogSink for Quiet {
    fn write(&self, _: Level, _: &str) {}
}

pub struct World {
    pub origin: Instant,
    pub chance: Arc<Chance>,
    pub redis: Arc<Redis>,
    pub table: Arc<Table>,
    pub circumstances: Circumstances,
    mutation: Mutation,
    store_weather: Arc<Mutex<Weather>>,
    source_weather: Arc<Mutex<Weather>>,
    /// By entry.
    events: Arc<Mutex<Vec<Vec<Event>>>>,
    instances: Vec<Mutex<Instance>>,
}

/// One process, until it crashes.
#[derive(Clone)]
pub struct Instance {
    pub cache: Arc<SharedCache>,
    pub clock: Arc<SimClock>,
    pub process: Process,
    pub prompt: Arc<CachedEntry>,
    resources: Vec<Arc<KeyedResource>>,
    readers: Arc<Mutex<Readers>>,
    /// When it last left Redis alone.
    apart_at: Arc<AtomicU64>,
    pub life: u32,
}

/// What the readers of an instance hold on to, as the addon does.
#[derive(Default)]
struct Readers {
    /// By place; that of the prompt is 0.
    kept: HashMap<u32, Held>,
    places: u32,
    free: Vec<u32>,
    /// The entry that was last asked, by its number, and how many of its name there were.
    entries: HashMap<usize, (u32, Arc<CachedEntry>)>,
}

impl Instance {
    /// Whether it leaves Redis alone, or did so within a lease.
    fn is_apart(&self, now: u64) -> bool {
        let breaker = self.cache.context().breaker();
        if breaker.is_some_and(|(phase, _)| phase != Phase::Closed) {
            self.apart_at.store(now, SeqCst);
        }
        let apart_at = self.apart_at.load(SeqCst);
        apart_at > 0 && now <= apart_at + MAX_STALENESS_MS + 2
    }

    /// A read of one entry, and which one of its name that was.
    async fn fetch(&self, entry: usize, place: &Place, holds_on: bool) -> (u32, Answer) {
        let asking = {
            let mut readers = self.readers.lock().unwrap();
            let readers = &mut *readers;
            let (line, found) = self.entry(readers, entry, place, holds_on);
            // Its place may be another's by now.
            let evicted = found.is_evicted();
            let kept = readers.kept.get(&found.place).filter(|_| !evicted);
            let known = kept.map_or(0, |held| held.number);
            if let Some(hit) = self.cache.hit(&found, known) {
                self.cache.tend(&found, hit.renew, hit.refresh);
                let held = match hit.value {
                    HitValue::Other(held) => *held,
                    HitValue::Known => readers.kept[&found.place].clone(),
                };
                if !evicted {
                    readers.kept.insert(found.place, held.clone());
                }
                return (line, Answer::of(held, Tier::Memory));
            }
            (line, self.cache.ask(&found))
        };
        (asking.0, asking.1.answer.await)
    }

    fn entry(
        &self,
        readers: &mut Readers,
        entry: usize,
        place: &Place,
        holds_on: bool,
    ) -> (u32, Arc<CachedEntry>) {
        let Some(resource) = place.resource else {
            return (0, self.prompt.clone());
        };
        let resource = &self.resources[resource];
        let known = readers.entries.get(&entry).cloned();
        if let Some(known) = &known
            && (holds_on || !known.1.is_evicted())
        {
            return known.clone();
        }
        for vacated in self.cache.entries.take_vacated() {
            readers.kept.remove(&vacated.place);
            readers.free.push(vacated.place);
        }
        let at = readers.free.pop().unwrap_or_else(|| {
            readers.places += 1;
            readers.places
        });
        let found = self.cache.enter(resource, place.id, &place.tags, at);
        let next = (known.map_or(0, |(line, _)| line) + 1, found);
        readers.entries.insert(entry, next.clone());
        next
    }
}

impl World {
    pub fn new(seed: u64, build: Build, circumstances: Circumstances) -> Arc<Self> {
        let chance = Arc::new(Chance::of(seed ^ 0x5EED));
        let origin = Instant::now();
        let mut primary = Embedded::new(Arc::new(SimClock::exact(origin)), build.flaw);
        primary.log_length = circumstances.log_length;
        let table = Arc::new(Table::new(&chance));
        let news_of = {
            let table = table.clone();
            Arc::new(move |scope: &Scope| table.news_of(scope))
        };
        let lag = ms(circumstances.lag_ms);
        let redis = Redis::new(primary, lag, build.link_flaw, chance.clone(), news_of);
        let mut world = World {
            origin,
            redis: Arc::new(redis),
            table,
            chance,
            store_weather: Arc::new(Mutex::new(circumstances.store.clone())),
            source_weather: Arc::new(Mutex::new(circumstances.source.clone())),
            mutation: build.mutation,
            events: Arc::new(Mutex::new(vec![Vec::new(); ENTRIES])),
            instances: Vec::new(),
            circumstances,
        };
        for number in 0..world.circumstances.instances {
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
        let clock = Arc::new(SimClock {
            origin: self.origin,
            begins_at: Duration::from_secs(self.chance.below(1_000_000)),
            drift_ppm: self.chance.below(2 * DRIFT_PPM as u64 + 1) as i64 - DRIFT_PPM,
            stood_us: AtomicU64::new(0),
            stands_since_us: AtomicI64::new(-1),
            skew_ms: AtomicI64::new(0),
        });
        let (origin, events) = (self.origin, self.events.clone());
        let link = SimLink {
            redis: self.redis.clone(),
            wire: wire(&self.store_weather),
            sync: Mutex::new(SyncToken::default()),
        };
        let stream = Stream {
            redis: self.redis.clone(),
            wire: wire(&self.store_weather),
            heard: {
                let events = events.clone();
                Arc::new(move |news| heard(&events, since(origin), (number, life), news))
            },
        };
        let lacked: Lacked = Arc::new(move |entry: usize| {
            let (at, instance) = (since(origin), number);
            events.lock().unwrap()[entry].push(Event::Lacked { at, instance });
        });
        let parts = Parts {
            id: format!("{number}.{life}"),
            prefix: "sim".into(),
            link: Some(Arc::new(link)),
            no_store: None,
            channel: self.circumstances.push.then(|| Arc::new(stream) as _),
            clock: clock.clone(),
            limits: Limits {
                ttl_seconds: self.circumstances.ttl_seconds,
                max_staleness: ms(MAX_STALENESS_MS),
                redis_timeout: ms(REDIS_TIMEOUT_MS),
                source_timeout: ms(SOURCE_TIMEOUT_MS),
            },
            mutation: self.mutation,
        };
        let capacity = Capacity {
            max_entries: self.circumstances.max_entries,
            max_bytes: 64 << 20,
        };
        let key = self
            .circumstances
            .signed
            .then(|| ("0123456789abcdef0123456789abcdef".to_owned(), None));
        let cache = SharedCache::new(parts, capacity, key, None, Arc::new(Quiet));
        let prompt = cache.add_single(SingleParts {
            name: PROMPT.into(),
            resource: Arc::new(SystemPrompt::new(None)),
            source: Some(Arc::new(PromptSource {
                table: self.table.clone(),
                wire: wire(&self.source_weather),
                lacked: lacked.clone(),
            })),
            no_source: None,
            legacy: None,
        });
        let resource = |(resource, name): (usize, &&str)| {
            let loader = KeyedLoader {
                resource,
                table: self.table.clone(),
                wire: wire(&self.source_weather),
                lacked: lacked.clone(),
            };
            let parts = ResourceParts {
                name: (*name).into(),
                ttl_seconds: self.circumstances.ttl_seconds,
                source_timeout: ms(SOURCE_TIMEOUT_MS),
                loader: Arc::new(loader),
            };
            cache.add(parts).unwrap()
        };
        Instance {
            resources: RESOURCES.iter().enumerate().map(resource).collect(),
            cache,
            clock,
            process,
            prompt,
            readers: Arc::default(),
            apart_at: Arc::default(),
            life,
        }
    }

    pub fn now(&self) -> u64 {
        since(self.origin)
    }

    fn record(&self, entry: usize, event: Event) {
        self.events.lock().unwrap()[entry].push(event);
    }

    fn record_all(&self, event: impl Fn() -> Event) {
        for events in self.events.lock().unwrap().iter_mut() {
            events.push(event());
        }
    }

    pub fn note(&self, text: String) {
        let at = self.now();
        self.record_all(|| Event::Note {
            at,
            text: text.clone(),
        });
    }

    pub fn histories(&self) -> Vec<Vec<Event>> {
        self.events.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.instances.len()
    }

    pub fn instance(&self, number: usize) -> Instance {
        self.instances[number].lock().unwrap().clone()
    }

    /// One read, into the history.
    pub async fn read(&self, number: usize, entry: usize) {
        let instance = self.instance(number);
        let (begun, life) = (self.now(), instance.life);
        self.record(
            entry,
            Event::Begun {
                at: begun,
                instance: number,
                life,
            },
        );
        let frozen_before = instance.process.frozen_ms();
        let apart = instance.is_apart(begun);
        let holds_on = self.chance.percent(self.circumstances.holds_on);
        let (line, answer) = instance
            .fetch(entry, &self.table.places[entry], holds_on)
            .await;
        instance.process.turn().await;
        instance.is_apart(self.now());
        let fallback = answer.tier == Tier::Fallback;
        let content = answer.value.content.trim_start_matches("## Identity\n");
        // The prompt's order is told by `updated_at`, which the checker knows.
        let version = OffsetDateTime::parse(&answer.value.version, &Rfc3339)
            .ok()
            .filter(|_| entry != THE_PROMPT);
        let read = Read {
            begun,
            ended: self.now(),
            frozen: instance.process.frozen_ms() - frozen_before,
            instance: number,
            life,
            line,
            edit: content.parse().ok().filter(|_| !fallback),
            version: version.map(OffsetDateTime::unix_timestamp_nanos),
            apart,
            nothing: Kind::of(&answer.value) == Some(Kind::Nothing),
            tier: answer.tier.as_str(),
        };
        self.record(entry, Event::Read(read));
    }

    /// Changes entries. The prompt in the console's two steps, sometimes with an `updated_at` that went back.
    pub async fn edit(&self, entries: &[usize], between_steps: Duration, earlier: bool) {
        if entries.contains(&THE_PROMPT) && !between_steps.is_zero() {
            self.table.states.lock().unwrap()[THE_PROMPT].there = false;
            sleep(between_steps).await;
        }
        let at = self.now();
        let mut states = self.table.states.lock().unwrap();
        for &entry in entries {
            let state = &mut states[entry];
            state.edit += 1;
            state.updated_at = if earlier {
                state.edit.saturating_sub(2)
            } else {
                state.edit
            };
            state.there = entry == THE_PROMPT || !self.chance.percent(self.circumstances.removals);
            let updated_at = if entry == THE_PROMPT {
                state.updated_at
            } else {
                state.edit
            };
            let edited = Event::Edited {
                at,
                edit: state.edit,
                updated_at,
            };
            self.record(entry, edited);
        }
    }

    /// Tells an instance of what was changed, as an admin's console does.
    pub async fn invalidate(self: &Arc<Self>, number: usize, names: Names, proves: bool) {
        let instance = self.instance(number);
        let news = self.table.news_of(&Scope::Of(names.clone()));
        let outcome = instance.cache.invalidate(names, proves).await;
        instance.process.turn().await;
        let at = self.now();
        match outcome {
            Ok(receipt) => {
                for (&entry, &edit) in &news {
                    self.record(entry, Event::Invalidated { at, edit });
                }
                if proves {
                    tokio::spawn(self.clone().prove(instance.clone(), receipt, news.clone()));
                }
            }
            Err(_) => self.note(format!("instance {number} owes an invalidation")),
        }
        // If it failed the instance keeps off the store, so it is fresh all the same.
        heard(&self.events, at, (number, instance.life), &news);
    }

    /// Waits for the receipt of all instances.
    async fn prove(self: Arc<Self>, instance: Instance, receipt: Receipt, news: News) {
        let begun = self.now();
        let frozen_before = instance.process.frozen_ms();
        let proof = instance.cache.prove_everywhere(&receipt, None).await;
        instance.process.turn().await;
        let frozen = instance.process.frozen_ms() - frozen_before;
        for (entry, edit) in news {
            let proven = Event::Proven {
                at: self.now(),
                begun,
                frozen,
                edit,
                proof: proof.clone(),
            };
            self.record(entry, proven);
        }
    }

    /// Stops a process for a while; with `stands`, its clocks too.
    pub fn freeze(self: &Arc<Self>, number: usize, freeze_ms: u64, stands: bool) {
        let instance = self.instance(number);
        if !instance.process.runs() {
            return;
        }
        self.note(format!(
            "instance {number} frozen for {freeze_ms} ms{}",
            if stands { ", and its clocks" } else { "" }
        ));
        instance.process.freeze();
        if stands {
            instance.clock.stand();
        }
        let world = self.clone();
        tokio::spawn(async move {
            sleep(ms(freeze_ms)).await;
            if stands {
                instance.clock.go_on();
                let at = world.now();
                // A lease of before, and one more that begins with a question of before.
                let until = at + MAX_STALENESS_MS + 2;
                let life = instance.life;
                world.record_all(|| Event::Stood {
                    at,
                    instance: number,
                    life,
                    until,
                });
            }
            instance.process.thaw();
        });
    }

    /// Ends a process where it stands and starts another in its place.
    pub fn crash(&self, number: usize) {
        let mut instance = self.instances[number].lock().unwrap();
        instance.process.crash();
        let (at, life) = (self.now(), instance.life);
        self.record_all(|| Event::Crashed {
            at,
            instance: number,
            life,
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

fn heard(events: &Mutex<Vec<Vec<Event>>>, at: u64, place: (usize, u32), news: &News) {
    let (instance, life) = place;
    let mut events = events.lock().unwrap();
    for (&entry, &edit) in news {
        events[entry].push(Event::Heard {
            at,
            instance,
            life,
            edit,
        });
    }
}
