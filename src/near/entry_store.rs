//! The entries of all resources by number of the resource and id, bounded in number and in bytes.
//!
//! quick_cache decides which entry has to go (Clock-PRO with S3-FIFO's ghosts): an entry that was read once goes before one that
//! is read again and again.

use quick_cache::unsync;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, OptionsBuilder, Weighter};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Report at most three accesses per entry between insertions.
const COUNTED: u64 = 4;

/// What the store keeps with each entry.
#[derive(Default)]
pub struct Residence {
    /// How many entries had been added when the map last heard of a read, and how many reads it heard of since.
    told: AtomicU64,
    evicted: AtomicBool,
    /// As it is counted now.
    bytes: AtomicU64,
}

impl Residence {
    pub fn is_evicted(&self) -> bool {
        self.evicted.load(Acquire)
    }
}

/// An entry as the store sees it.
pub trait Cached {
    fn residence(&self) -> &Residence;
    /// The number of its resource.
    fn resource(&self) -> u32;
    fn id(&self) -> &Arc<str>;
    /// What it takes now.
    fn bytes(&self) -> u64;
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
struct Weighed<T> {
    entry: Arc<T>,
    bytes: u64,
}

impl<T> Clone for Weighed<T> {
    fn clone(&self) -> Self {
        Weighed {
            entry: self.entry.clone(),
            bytes: self.bytes,
        }
    }
}

#[derive(Clone)]
struct Scales {
    /// Each entry counts at least this, so that there are never too many.
    least: u64,
}

impl<T> Weighter<Key, Weighed<T>> for Scales {
    fn weight(&self, _: &Key, weighed: &Weighed<T>) -> u64 {
        weighed.bytes.max(self.least)
    }
}

/// Collects what has to go.
struct Exit<T>(std::marker::PhantomData<fn(T)>);

impl<T> Clone for Exit<T> {
    fn clone(&self) -> Self {
        Exit(self.0)
    }
}

impl<T> Lifecycle<Key, Weighed<T>> for Exit<T> {
    type RequestState = Vec<Weighed<T>>;

    fn on_evict(&self, leaving: &mut Vec<Weighed<T>>, _: Key, weighed: Weighed<T>) {
        leaving.push(weighed);
    }
}

type Map<T> = unsync::Cache<Key, Weighed<T>, Scales, DefaultHashBuilder, Exit<T>>;

pub struct EntryStore<T> {
    /// Never held across `.await`.
    map: RwLock<Map<T>>,
    bytes: AtomicU64,
    /// How many entries were added.
    added: AtomicU64,
    evictions: AtomicU64,
    /// The entries that went, and were not taken yet. Never held across `.await`.
    vacated: Mutex<Vec<Arc<T>>>,
}

impl<T: Cached> EntryStore<T> {
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
            Exit(std::marker::PhantomData),
        );
        EntryStore {
            map: RwLock::new(map),
            bytes: AtomicU64::new(0),
            added: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            vacated: Mutex::default(),
        }
    }

    /// An entry is read. The map hears of it only where that can make a difference to what has to go: of a few reads, until
    /// another entry comes.
    pub fn touch(&self, entry: &T) {
        let told_cell = &entry.residence().told;
        let (added, told) = (self.added.load(Relaxed), told_cell.load(Relaxed));
        let counted = if told / COUNTED == added {
            told % COUNTED
        } else {
            0
        };
        if counted < COUNTED - 1 {
            told_cell.store(added * COUNTED + counted + 1, Relaxed);
            self.shared().get(&Query(entry.resource(), entry.id()));
        }
    }

    /// The entry, if it is here; this is no read.
    #[cfg(any(test, feature = "testing"))]
    pub fn peek(&self, resource: u32, id: &str) -> Option<Arc<T>> {
        let map = self.shared();
        map.peek(&Query(resource, id))
            .map(|weighed| weighed.entry.clone())
    }

    /// Puts an entry here that is not; others may have to go.
    pub fn add(&self, entry: T) -> Arc<T> {
        let entry = Arc::new(entry);
        let weighed = Weighed {
            bytes: entry.bytes(),
            entry: entry.clone(),
        };
        entry.residence().bytes.store(weighed.bytes, Relaxed);
        let mut map = self.alone();
        self.bytes.fetch_add(weighed.bytes, Relaxed);
        self.added.fetch_add(1, Relaxed);
        let mut leaving = Vec::new();
        map.insert_with_lifecycle(key_of(&*entry), weighed, &mut leaving);
        self.release(&map, leaving);
        entry
    }

    /// The value of an entry may be another: it may be too large by now, and others may have to go for it.
    pub fn weigh(&self, entry: &Arc<T>) {
        let counted = &entry.residence().bytes;
        if entry.bytes() == counted.load(Relaxed) {
            return;
        }
        let mut map = self.alone();
        let bytes = entry.bytes();
        let Some(before) = map
            .peek(&Query(entry.resource(), entry.id()))
            .filter(|weighed| Arc::ptr_eq(&weighed.entry, entry))
            .map(|weighed| weighed.bytes)
        else {
            return;
        };
        if before == bytes {
            return;
        }
        let weighed = Weighed {
            entry: entry.clone(),
            bytes,
        };
        counted.store(bytes, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        let mut leaving = Vec::new();
        let replaced = map.replace_with_lifecycle(key_of(&**entry), weighed, true, &mut leaving);
        if let Err((_, refused)) = replaced {
            leaving.push(refused);
        }
        self.release(&map, leaving);
    }

    /// What is no longer here, among what was taken out: what was weighed anew still is.
    fn release(&self, map: &Map<T>, leaving: Vec<Weighed<T>>) {
        for Weighed { entry, bytes } in leaving {
            self.bytes.fetch_sub(bytes, Relaxed);
            let stays = map
                .peek(&Query(entry.resource(), entry.id()))
                .is_some_and(|weighed| Arc::ptr_eq(&weighed.entry, &entry));
            if stays || entry.residence().evicted.swap(true, Release) {
                continue;
            }
            self.evictions.fetch_add(1, Relaxed);
            self.vacated().push(entry);
        }
    }

    pub fn count(&self) -> usize {
        self.shared().len()
    }

    /// What the entries take.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// How many entries had to go.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Relaxed)
    }

    /// The entries that went; each is told once.
    pub fn take_vacated(&self) -> Vec<Arc<T>> {
        std::mem::take(&mut *self.vacated())
    }

    fn vacated(&self) -> MutexGuard<'_, Vec<Arc<T>>> {
        // A panic under this lock leaves whole pointers.
        self.vacated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> RwLockReadGuard<'_, Map<T>> {
        // Nothing of ours panics under this lock.
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn alone(&self) -> RwLockWriteGuard<'_, Map<T>> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of<T: Cached>(entry: &T) -> Key {
    Key {
        resource: entry.resource(),
        id: entry.id().clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sized {
        id: Arc<str>,
        bytes: AtomicU64,
        residence: Residence,
    }

    impl Cached for Sized {
        fn residence(&self) -> &Residence {
            &self.residence
        }
        fn resource(&self) -> u32 {
            0
        }
        fn id(&self) -> &Arc<str> {
            &self.id
        }
        fn bytes(&self) -> u64 {
            self.bytes.load(Relaxed)
        }
    }

    fn sized(id: u64, bytes: u64) -> Sized {
        Sized {
            id: id.to_string().into(),
            bytes: AtomicU64::new(bytes),
            residence: Residence::default(),
        }
    }

    #[test]
    fn there_are_never_too_many_and_each_that_goes_is_told_once() {
        let store = EntryStore::new(10, 1000);
        let entries: Vec<_> = (0..50).map(|id| store.add(sized(id, 1))).collect();
        assert!(store.count() <= 10);
        let vacated = store.take_vacated();
        assert_eq!(vacated.len() + store.count(), 50);
        assert_eq!(store.evictions(), vacated.len() as u64);
        let evicted = entries.iter().filter(|it| it.residence.is_evicted());
        assert_eq!(evicted.count(), vacated.len());
        assert!(store.take_vacated().is_empty());
    }

    #[test]
    fn an_entry_that_grows_drives_others_out_and_one_that_is_too_large_goes() {
        let store = EntryStore::new(100, 1000);
        for id in 0..10 {
            store.add(sized(id, 100));
        }
        let entry = store.peek(0, "9").unwrap();
        for _ in 0..3 {
            store.touch(&entry);
        }
        entry.bytes.store(400, Relaxed);
        store.weigh(&entry);
        assert!(store.bytes() <= 1000, "{}", store.bytes());
        assert!(!entry.residence.is_evicted());
        entry.bytes.store(5000, Relaxed);
        store.weigh(&entry);
        assert!(entry.residence.is_evicted());
        assert!(store.bytes() <= 1000);
    }
}
