//! The near cache of a collection: its entries by resource and id, bounded in number and in bytes.
//!
//! Which entry has to go is quick_cache's decision (Clock-PRO with S3-FIFO's ghosts): what was read once goes before what is
//! read again and again. One that went is never served again, whoever still holds it.

use crate::core::cache::Cache;
use crate::core::rules::Rule;
use crate::core::stats::Counter;
use quick_cache::unsync;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, OptionsBuilder, Weighter};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// What an entry counts beside its id, tags and value: its keys, its lease, its flights. With the handle and the promise that JavaScript
/// has of it, a small one was measured to take 2.4 KB of resident memory.
const OVERHEAD_BYTES: u64 = 1024;

/// Of how many reads the map hears between two changes, and one: it counts no further.
const COUNTED: u64 = 4;

/// One entry of a collection.
pub struct Line {
    pub cache: Arc<Cache>,
    pub resource: u32,
    pub id: Arc<str>,
    /// Its own mark, its resource's, those of its tags.
    pub marks: Box<[Arc<str>]>,
    /// Where readers keep what they made of it; nobody else's while it is here.
    pub place: u32,
    /// When it was last read, in nanoseconds of the monotonic clock.
    used_at: AtomicU64,
    /// How many entries had been added when the map last heard of a read, and how many reads it heard of since.
    told: AtomicU64,
    evicted: AtomicBool,
    /// As it is counted now.
    bytes: AtomicU64,
}

impl Line {
    pub fn new(
        cache: Arc<Cache>,
        resource: u32,
        id: Arc<str>,
        marks: Box<[Arc<str>]>,
        place: u32,
    ) -> Self {
        Line {
            cache,
            resource,
            id,
            marks,
            place,
            used_at: AtomicU64::new(0),
            told: AtomicU64::new(0),
            evicted: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
        }
    }

    pub fn used(&self, now: Duration) {
        self.used_at.store(nanoseconds(now), Relaxed);
    }

    /// Whether it was read within the last `period`.
    pub fn was_used(&self, now: Duration, period: Duration) -> bool {
        let used_at = Duration::from_nanos(self.used_at.load(Relaxed));
        now.saturating_sub(used_at) <= period
    }

    /// Whether it is in the near cache no more.
    pub fn is_evicted(&self) -> bool {
        self.evicted.load(Acquire)
    }

    /// It hears of no invalidation any more: who still has it is served nothing of it without asking, and joins nothing that
    /// another began.
    pub(super) fn leave_to_callers(&self) {
        if self.cache.rules().keep(Rule::EvictedLinesAreNotJoined) {
            self.cache.near.unlisted();
        }
    }

    fn bytes(&self) -> u64 {
        let tags: usize = self.marks.iter().map(|mark| mark.len()).sum();
        let value = self
            .cache
            .near
            .held()
            .map_or(0, |held| held.entry.content.len());
        OVERHEAD_BYTES + (self.id.len() + tags + value) as u64
    }
}

struct Key {
    resource: u32,
    id: Arc<str>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        Query(self.resource, &self.id).hash(hasher);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.resource == other.resource && self.id == other.id
    }
}

impl Eq for Key {}

#[derive(Hash)]
struct Query<'a>(u32, &'a str);

impl Equivalent<Key> for Query<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.resource && self.1 == &*key.id
    }
}

/// An entry with what it weighed when it was put here.
#[derive(Clone)]
struct Weighed {
    line: Arc<Line>,
    bytes: u64,
}

#[derive(Clone)]
struct Scales {
    /// Each entry counts at least this, so that there are never too many.
    least: u64,
}

impl Weighter<Key, Weighed> for Scales {
    fn weight(&self, _: &Key, weighed: &Weighed) -> u64 {
        weighed.bytes.max(self.least)
    }
}

#[derive(Clone)]
struct Exit;

impl Lifecycle<Key, Weighed> for Exit {
    type RequestState = Vec<Weighed>;

    fn on_evict(&self, leaving: &mut Vec<Weighed>, _: Key, weighed: Weighed) {
        leaving.push(weighed);
    }
}

type Map = unsync::Cache<Key, Weighed, Scales, DefaultHashBuilder, Exit>;

pub struct Lines {
    /// Never held across `.await`.
    map: RwLock<Map>,
    bytes: AtomicU64,
    /// How many entries were added.
    added: AtomicU64,
    pub max_entries: u64,
    pub max_bytes: u64,
    pub evictions: Counter,
    /// The entries that went. Never held across `.await`.
    vacated: Mutex<Vec<Arc<Line>>>,
}

impl Lines {
    pub fn new(max_entries: u64, max_bytes: u64) -> Self {
        let least = max_bytes.div_ceil(max_entries).max(1);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(max_entries as usize)
            .weight_capacity(max_bytes.max(least))
            .build();
        // All that it needs is set.
        let options = options.unwrap_or_else(|_| unreachable!("the capacities are given"));
        let map = Map::with_options(
            options,
            Scales { least },
            DefaultHashBuilder::default(),
            Exit,
        );
        Lines {
            map: RwLock::new(map),
            bytes: AtomicU64::new(0),
            added: AtomicU64::new(0),
            max_entries,
            max_bytes,
            evictions: Counter::default(),
            vacated: Mutex::default(),
        }
    }

    /// Somebody reads an entry. The map hears of it only where that can make a difference to who has to go: of a few reads, until
    /// another entry comes.
    pub fn touch(&self, line: &Line) {
        let (added, told) = (self.added.load(Relaxed), line.told.load(Relaxed));
        let counted = if told / COUNTED == added {
            told % COUNTED
        } else {
            0
        };
        if counted < COUNTED - 1 {
            line.told.store(added * COUNTED + counted + 1, Relaxed);
            self.shared().get(&Query(line.resource, &line.id));
        }
    }

    /// The entry, if it is here; this is no read.
    pub fn peek(&self, resource: u32, id: &str) -> Option<Arc<Line>> {
        let map = self.shared();
        map.peek(&Query(resource, id))
            .map(|weighed| weighed.line.clone())
    }

    /// Puts an entry here that is not; others may have to go.
    pub fn add(&self, line: Line) -> Arc<Line> {
        let line = Arc::new(line);
        let weighed = Weighed {
            bytes: line.bytes(),
            line: line.clone(),
        };
        line.bytes.store(weighed.bytes, Relaxed);
        let mut map = self.alone();
        self.bytes.fetch_add(weighed.bytes, Relaxed);
        self.added.fetch_add(1, Relaxed);
        let mut leaving = Vec::new();
        map.insert_with_lifecycle(key_of(&line), weighed, &mut leaving);
        self.see_off(&map, leaving);
        line
    }

    /// The value of an entry may be another: it may be too large by now, and others may have to go for it.
    pub fn weigh(&self, line: &Arc<Line>) {
        if line.bytes() == line.bytes.load(Relaxed) {
            return;
        }
        let mut map = self.alone();
        let query = Query(line.resource, &line.id);
        let bytes = line.bytes();
        let Some(before) = map
            .peek(&query)
            .filter(|weighed| Arc::ptr_eq(&weighed.line, line))
            .map(|weighed| weighed.bytes)
        else {
            return;
        };
        if before == bytes {
            return;
        }
        let weighed = Weighed {
            line: line.clone(),
            bytes,
        };
        line.bytes.store(bytes, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        let mut leaving = Vec::new();
        if let Err((_, refused)) =
            map.replace_with_lifecycle(key_of(line), weighed, true, &mut leaving)
        {
            leaving.push(refused);
        }
        self.see_off(&map, leaving);
    }

    /// What is no longer here, among what was taken out: who was weighed anew still is.
    fn see_off(&self, map: &Map, leaving: Vec<Weighed>) {
        for Weighed { line, bytes } in leaving {
            self.bytes.fetch_sub(bytes, Relaxed);
            let stays = map
                .peek(&Query(line.resource, &line.id))
                .is_some_and(|weighed| Arc::ptr_eq(&weighed.line, &line));
            if stays || line.evicted.swap(true, Release) {
                continue;
            }
            line.leave_to_callers();
            self.evictions.increment();
            self.vacated().push(line);
        }
    }

    /// All entries, at one moment.
    pub fn all(&self) -> Vec<Arc<Line>> {
        let map = self.shared();
        map.iter()
            .map(|(_, weighed)| weighed.line.clone())
            .collect()
    }

    pub fn count(&self) -> usize {
        self.shared().len()
    }

    /// What the entries take.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The entries that went; each is told once.
    pub fn take_vacated(&self) -> Vec<Arc<Line>> {
        std::mem::take(&mut *self.vacated())
    }

    fn vacated(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Line>>> {
        // A panic under this lock leaves whole pointers.
        self.vacated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> RwLockReadGuard<'_, Map> {
        // Nothing of ours panics under this lock.
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn alone(&self) -> RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enough for five centuries.
fn nanoseconds(time: Duration) -> u64 {
    time.as_secs() * 1_000_000_000 + u64::from(time.subsec_nanos())
}

fn key_of(line: &Line) -> Key {
    Key {
        resource: line.resource,
        id: line.id.clone(),
    }
}
