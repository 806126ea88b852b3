//! Instances of the real collection over one Redis and one source.

use crate::history::{Event, Read};
use crate::network::{Chance, Process, SimClock, Weather, Wire, ms};
use crate::store::{Client, News, Redis, Stream};
use crate::world::{Build, MAX_STALENESS_MS, Quiet, REDIS_TIMEOUT_MS, SOURCE_TIMEOUT_MS, since};
use async_trait::async_trait;
use grove_shared_cache::core::answer::{Answer, Receipt, Tier};
use grove_shared_cache::core::breaker::Phase;
use grove_shared_cache::core::collection::ids::generation_key;
use grove_shared_cache::core::collection::invalidation::Targets;
use grove_shared_cache::core::collection::lines::Line;
use grove_shared_cache::core::collection::values::{Kind, Loaded, Loader};
use grove_shared_cache::core::collection::{Collection, CollectionParts, Resource, ResourceParts};
use grove_shared_cache::core::config::Limits;
use grove_shared_cache::core::error::Fault;
use grove_shared_cache::core::http::Deadline;
use grove_shared_cache::core::near::{AtHand, Held};
use grove_shared_cache::core::protocol::Keys;
use grove_shared_cache::core::rules::Rules;
use grove_shared_cache::core::store::memory::Memory;
use grove_shared_cache::core::store::shelves::EntryKeys;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

pub const RESOURCES: [&str; 2] = ["docs", "flags"];
const IDS: [&str; 6] = ["a", "b", "c:1", "d/é", "*", "f%"];
pub const TAGS: [&str; 3] = ["hub:1", "hub:2", "all"];
pub const ENTRIES: usize = RESOURCES.len() * IDS.len();

/// One entry of the source.
pub struct Place {
    pub resource: usize,
    pub id: &'static str,
    pub tags: Vec<String>,
}

impl Place {
    pub fn targets(&self) -> Targets {
        Targets {
            entries: vec![(RESOURCES[self.resource].into(), self.id.into())],
            ..Targets::default()
        }
    }

    /// The keys of all its generations.
    pub fn generations(&self) -> Vec<String> {
        let own = self.targets().marks();
        let others = Targets {
            resources: vec![RESOURCES[self.resource].into()],
            tags: self.tags.clone(),
            ..Targets::default()
        };
        let marks = own.into_iter().chain(others.marks());
        marks.map(|mark| generation_key("sim", &mark)).collect()
    }

    pub fn keys(&self) -> EntryKeys {
        let own = self.targets().marks();
        EntryKeys::of("sim", own.first().unwrap())
    }
}

/// Each entry's newest edit, and whether that took its value away.
pub struct Table {
    pub places: Vec<Place>,
    states: Mutex<Vec<(u64, Kind)>>,
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
                resource: number / IDS.len(),
                id: IDS[number % IDS.len()],
                tags,
            }
        };
        Table {
            places: (0..ENTRIES).map(place).collect(),
            states: Mutex::new(vec![(0, Kind::Text); ENTRIES]),
        }
    }

    fn number(&self, resource: usize, id: &str) -> usize {
        let mut places = self.places.iter();
        let place = places.position(|place| place.resource == resource && place.id == id);
        place.unwrap()
    }

    /// What is told by an invalidation of these generations.
    fn news(&self, keys: &[String]) -> News {
        let states = self.states.lock().unwrap();
        let concerned = |(_, place): &(usize, &Place)| {
            let mut generations = place.generations().into_iter();
            generations.any(|key| keys.contains(&key))
        };
        let concerned = self.places.iter().enumerate().filter(concerned);
        concerned
            .map(|(entry, _)| (entry, states[entry].0))
            .collect()
    }

    /// The same by what an admin names.
    pub fn news_of(&self, targets: &Targets) -> News {
        let marks = targets.marks();
        let keys: Vec<_> = marks.iter().map(|it| generation_key("sim", it)).collect();
        self.news(&keys)
    }
}

struct SimLoader {
    resource: usize,
    table: Arc<Table>,
    wire: Wire,
    lacked: Arc<dyn Fn(usize) + Send + Sync>,
}

#[async_trait]
impl Loader for SimLoader {
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
        let (edit, kind) = loaded?;
        Ok(Loaded {
            kind,
            content: edit.to_string(),
        })
    }
}

/// One run's circumstances.
#[derive(Debug)]
pub struct Circumstances {
    pub instances: usize,
    pub lag_ms: u64,
    pub push: bool,
    pub store: Weather,
    pub source: Weather,
    pub max_entries: u64,
    /// Per cent of reads that ask through the entry that their reader had, be it evicted.
    pub holds_on: u64,
    /// Whether instances begin one after the other.
    pub latecomers: bool,
    /// Per cent of edits that take the value away.
    pub removals: u64,
}

pub struct World {
    pub origin: Instant,
    pub chance: Arc<Chance>,
    pub redis: Arc<Redis>,
    pub table: Arc<Table>,
    circumstances: Arc<Circumstances>,
    store_weather: Arc<Mutex<Weather>>,
    source_weather: Arc<Mutex<Weather>>,
    rules: Rules,
    /// By entry.
    events: Arc<Mutex<Vec<Vec<Event>>>>,
    instances: Vec<Mutex<Instance>>,
}

/// One process, until it crashes.
#[derive(Clone)]
pub struct Instance {
    pub collection: Arc<Collection>,
    pub clock: Arc<SimClock>,
    pub process: Process,
    resources: Vec<Arc<Resource>>,
    readers: Arc<Mutex<Readers>>,
    life: u32,
}

/// What the readers of an instance hold on to, as the addon does.
#[derive(Default)]
struct Readers {
    /// By place.
    kept: HashMap<u32, Held>,
    places: u32,
    free: Vec<u32>,
    /// The entry that was last asked, by its number.
    lines: HashMap<usize, (u32, Arc<Line>)>,
}

impl Instance {
    /// A read of one entry, and which one of its name that was.
    async fn fetch(&self, entry: usize, place: &Place, holds_on: bool) -> (u32, Answer) {
        let resource = &self.resources[place.resource];
        let asking = {
            let mut readers = self.readers.lock().unwrap();
            let readers = &mut *readers;
            let kept = &readers.kept;
            let at_hand = self.collection.line(resource, place.id).and_then(|line| {
                let number = kept.get(&line.place).map_or(0, |held: &Held| held.number);
                let found = self.collection.at_hand(&line, number)?;
                Some((line.place, found))
            });
            if let Some((at, found)) = at_hand {
                if let AtHand::Other(held) = found.value {
                    readers.kept.insert(at, *held);
                }
                if found.renew {
                    self.collection.sweep();
                }
                let held = readers.kept[&at].clone();
                return (readers.lines[&entry].0, Answer::of(held, Tier::Memory));
            }
            let (number, line) = self.line(readers, entry, place, holds_on);
            (number, self.collection.ask(&line))
        };
        (asking.0, asking.1.answer.await)
    }

    fn line(
        &self,
        readers: &mut Readers,
        entry: usize,
        place: &Place,
        holds_on: bool,
    ) -> (u32, Arc<Line>) {
        let resource = &self.resources[place.resource];
        let known = readers.lines.get(&entry).cloned();
        if let Some(known) = &known
            && holds_on
        {
            return known.clone();
        }
        if let Some(line) = self.collection.line(resource, place.id) {
            return (known.unwrap().0, line);
        }
        for vacated in self.collection.lines.take_vacated() {
            readers.kept.remove(&vacated.place);
            readers.free.push(vacated.place);
        }
        let at = readers.free.pop().unwrap_or_else(|| {
            readers.places += 1;
            readers.places
        });
        let line = self.collection.enter(resource, place.id, &place.tags, at);
        let next = (known.map_or(0, |(number, _)| number) + 1, line);
        readers.lines.insert(entry, next.clone());
        next
    }
}

impl World {
    pub fn new(seed: u64, build: Build, circumstances: Circumstances) -> Arc<Self> {
        let chance = Arc::new(Chance::of(seed ^ 0xC0FFEE));
        let origin = Instant::now();
        let clock = SimClock {
            origin,
            skew_ms: AtomicI64::new(0),
        };
        let primary = Memory::new(Arc::new(clock), Keys::under("sim"));
        let redis = Redis::new(
            primary,
            ms(circumstances.lag_ms),
            build.flaw,
            chance.clone(),
        );
        let mut world = World {
            origin,
            redis: Arc::new(redis),
            table: Arc::new(Table::new(&chance)),
            chance,
            store_weather: Arc::new(Mutex::new(circumstances.store.clone())),
            source_weather: Arc::new(Mutex::new(circumstances.source.clone())),
            rules: build.rules,
            events: Arc::new(Mutex::new(vec![Vec::new(); ENTRIES])),
            instances: Vec::new(),
            circumstances: Arc::new(circumstances),
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
            skew_ms: AtomicI64::new(0),
        });
        let (origin, events, table) = (self.origin, self.events.clone(), self.table.clone());
        let client = Arc::new(Client {
            redis: self.redis.clone(),
            wire: wire(&self.store_weather),
            sync: Arc::default(),
            told: Arc::new(move |keys| table.news(keys)),
        });
        let stream = Stream {
            redis: self.redis.clone(),
            wire: wire(&self.store_weather),
            heard: {
                let events = events.clone();
                Arc::new(move |news| heard(&events, since(origin), (number, life), news))
            },
        };
        let lacked = Arc::new(move |entry: usize| {
            let (at, instance) = (since(origin), number);
            events.lock().unwrap()[entry].push(Event::Lacked { at, instance });
        });
        let parts = CollectionParts {
            id: format!("{number}.{life}"),
            prefix: "sim".into(),
            store: Some((client.clone(), client)),
            no_store: None,
            channel: self.circumstances.push.then(|| Arc::new(stream) as _),
            clock: clock.clone(),
            limits: Limits {
                ttl_seconds: TTL_SECONDS,
                max_staleness: ms(MAX_STALENESS_MS),
                redis_timeout: ms(REDIS_TIMEOUT_MS),
                source_timeout: ms(SOURCE_TIMEOUT_MS),
            },
            signing_keys: None,
            max_entries: self.circumstances.max_entries,
            max_bytes: 64 << 20,
            threshold: None,
            sink: Arc::new(Quiet),
            rules: self.rules,
        };
        let collection = Collection::new(parts);
        let resource = |(resource, name): (usize, &&str)| {
            let loader = SimLoader {
                resource,
                table: self.table.clone(),
                wire: wire(&self.source_weather),
                lacked: lacked.clone(),
            };
            let parts = ResourceParts {
                name: (*name).into(),
                ttl_seconds: TTL_SECONDS,
                source_timeout: ms(SOURCE_TIMEOUT_MS),
                loader: Arc::new(loader),
            };
            collection.add(parts).unwrap()
        };
        Instance {
            resources: RESOURCES.iter().enumerate().map(resource).collect(),
            collection,
            clock,
            process,
            readers: Arc::default(),
            life,
        }
    }

    pub fn now(&self) -> u64 {
        since(self.origin)
    }

    fn record(&self, entry: usize, event: Event) {
        self.events.lock().unwrap()[entry].push(event);
    }

    pub fn note(&self, text: String) {
        let at = self.now();
        for events in self.events.lock().unwrap().iter_mut() {
            let text = text.clone();
            events.push(Event::Note { at, text });
        }
    }

    pub fn histories(&self) -> Vec<Vec<Event>> {
        self.events.lock().unwrap().clone()
    }

    pub fn has_latecomers(&self) -> bool {
        self.circumstances.latecomers
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
        let breaker = instance.collection.engine().breaker();
        let holds_on = self.chance.percent(self.circumstances.holds_on);
        let place = &self.table.places[entry];
        let (line, answer) = instance.fetch(entry, place, holds_on).await;
        instance.process.turn().await;
        let stands_in = answer.tier == Tier::Fallback;
        let version = OffsetDateTime::parse(&answer.entry.version, &Rfc3339);
        let read = Read {
            begun,
            ended: self.now(),
            frozen: instance.process.frozen_ms() - frozen_before,
            instance: number,
            life,
            line,
            edit: answer.entry.content.parse().ok().filter(|_| !stands_in),
            version: version.ok().map(OffsetDateTime::unix_timestamp_nanos),
            apart: breaker.is_some_and(|(phase, _)| phase != Phase::Closed),
            nothing: Kind::of(&answer.entry) == Some(Kind::Nothing),
            tier: answer.tier.as_str(),
        };
        self.record(entry, Event::Read(read));
    }

    /// Changes entries at one moment.
    pub fn edit(&self, entries: impl Iterator<Item = usize>) {
        let at = self.now();
        let mut states = self.table.states.lock().unwrap();
        for entry in entries {
            let (edit, kind) = &mut states[entry];
            *edit += 1;
            let removed = self.chance.percent(self.circumstances.removals);
            *kind = if removed { Kind::Nothing } else { Kind::Text };
            let edited = Event::Edited {
                at,
                edit: *edit,
                updated_at: *edit,
            };
            self.record(entry, edited);
        }
    }

    /// Tells an instance of what was changed, as an admin's console does.
    pub async fn invalidate(self: &Arc<Self>, number: usize, targets: Targets) {
        let instance = self.instance(number);
        let news = self.table.news_of(&targets);
        let outcome = instance.collection.invalidate(targets.marks()).await;
        instance.process.turn().await;
        let at = self.now();
        match outcome {
            Ok(receipt) => {
                for (&entry, &edit) in &news {
                    self.record(entry, Event::Invalidated { at, edit });
                }
                tokio::spawn(self.clone().prove(instance.clone(), receipt, news.clone()));
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
        let engine = instance.collection.engine();
        let proof = engine.prove_everywhere(&receipt, None).await;
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

    /// Ends a process where it stands and starts another in its place.
    pub fn crash(&self, number: usize) {
        let mut instance = self.instances[number].lock().unwrap();
        instance.process.crash();
        for entry in 0..ENTRIES {
            let crashed = Event::Crashed {
                at: self.now(),
                instance: number,
                life: instance.life,
            };
            self.record(entry, crashed);
        }
        let next = self.start(number, instance.life + 1);
        // What the old one has under way waits for its turn for ever; only its requests on the wire go on.
        instance.collection.engine().close();
        *instance = next;
        self.note(format!("instance {number} crashed and was started again"));
    }
}

/// Ends a few times in a run.
const TTL_SECONDS: u32 = 5;

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

/// Sets an instance's wall clock forward or back.
pub fn skew(instance: &Instance, by_ms: i64) {
    instance.clock.skew_ms.fetch_add(by_ms, SeqCst);
}
