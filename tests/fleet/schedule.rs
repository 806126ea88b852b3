//! What happens when, and how badly, as one seed has it.

use crate::history::{Event, Violation, check};
use crate::network::{Chance, Weather, ms};
use crate::world::{
    Build, Circumstances, ENTRIES, MAX_STALENESS_MS, Names, RESOURCES, TAGS, THE_PROMPT,
    TIMEOUTS_MS, World,
};
use grove_shared_cache::protocol::{Scope, resource_dependency, tag_dependency};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tokio::time::sleep;

const RUN_MS: u64 = 8000;
/// Longer than any read may take: store, source and what is left of a freeze.
const QUIET_MS: u64 = 6000;
/// With clocks that go a little too slow, and times in whole milliseconds.
const BOUND_MS: u64 = MAX_STALENESS_MS + MAX_STALENESS_MS / 1000 + 1;

pub struct Outcome {
    pub seed: u64,
    pub circumstances: Circumstances,
    /// By entry.
    pub histories: Vec<Vec<Event>>,
    /// Of the first entry that has one.
    pub violation: Option<(usize, Violation)>,
}

impl Outcome {
    pub fn count(&self, counts: fn(&Event) -> bool) -> u64 {
        self.histories
            .iter()
            .flatten()
            .filter(|event| counts(event))
            .count() as u64
    }
}

pub fn run(seed: u64, build: Build) -> Outcome {
    let chance = Chance::of(seed);
    let circumstances = circumstances(&chance);
    let histories = simulated(async || {
        let world = World::new(seed, build, circumstances.clone());
        tokio::spawn(drive(world.clone()));
        sleep(ms(RUN_MS + QUIET_MS)).await;
        world.histories()
    });
    let mut checked = histories.iter().enumerate();
    let violation =
        checked.find_map(|(entry, events)| Some((entry, check(events, BOUND_MS, TIMEOUTS_MS)?)));
    Outcome {
        seed,
        circumstances,
        histories,
        violation,
    }
}

/// Time passes as soon as there is nothing to do.
pub fn simulated<T>(run: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(run())
}

fn circumstances(chance: &Chance) -> Circumstances {
    let stormy = chance.percent(70);
    // Loads that grow old on their way back, and nobody who tells: only their age says that they are not to be joined.
    let dragging = chance.percent(25);
    let crowded = chance.percent(25);
    let share = |of: u64| if stormy { chance.below(of) } else { 0 };
    Circumstances {
        instances: chance.between(2, 4) as usize,
        lag_ms: if chance.percent(30) {
            chance.between(50, 1500)
        } else {
            0
        },
        push: chance.percent(70) && !dragging,
        signed: chance.percent(10),
        store: Weather {
            least_ms: 1,
            usual_ms: chance.between(1, 10),
            late: share(25),
            late_ms: chance.between(50, 900),
            lost: share(6),
            refused: share(6),
        },
        source: Weather {
            least_ms: 1,
            usual_ms: chance.between(10, 60),
            late: if dragging { 50 } else { share(50) },
            late_ms: if dragging {
                1900
            } else {
                chance.between(100, 1500)
            },
            lost: share(5),
            refused: share(15),
        },
        max_entries: if crowded {
            chance.between(2, ENTRIES as u64)
        } else {
            1000
        },
        log_length: if chance.percent(25) {
            chance.between(1, 5) as usize
        } else {
            50
        },
        holds_on: if crowded { chance.below(60) } else { 0 },
        removals: if chance.percent(40) { 20 } else { 0 },
        ttl_seconds: Circumstances::TTL_SECONDS,
    }
}

/// Which entries are read and edited: the fewer, the more happens to each of them.
#[derive(Clone)]
struct Popular(Arc<Vec<usize>>);

impl Popular {
    fn of(chance: &Chance) -> Self {
        let all = match chance.below(3) {
            // One entry: the prompt.
            0 => vec![THE_PROMPT],
            // A few, of different resources.
            1 => (0..chance.between(2, 4))
                .map(|number| number as usize * 5 % ENTRIES)
                .collect(),
            _ => (0..ENTRIES).collect(),
        };
        Popular(Arc::new(all))
    }

    fn one(&self, chance: &Chance) -> usize {
        self.0[chance.below(self.0.len() as u64) as usize]
    }
}

async fn drive(world: Arc<World>) {
    let chance = world.chance.clone();
    let lost = chance.below(60) * chance.below(2);
    world.redis.push_lost.store(lost, SeqCst);
    world.redis.push_ms.store(chance.between(1, 200), SeqCst);
    let instances = world.count();
    // Instances that come late, and are often not listed at once.
    let latecomers = chance.percent(15);
    if latecomers {
        world.redis.listing_lost.store(60, SeqCst);
    }
    // One that nobody reads from, but that admins may tell: it is not listed then.
    let unread = chance.below(5) as usize;
    let popular = Popular::of(&chance);
    for number in (0..instances).filter(|&number| number != unread) {
        for _ in 0..chance.between(1, 3) {
            let pause_ms = chance.between(5, 120);
            let late_ms = if latecomers { number as u64 * 1500 } else { 0 };
            let reading = reader(world.clone(), number, pause_ms, popular.clone());
            tokio::spawn(async move {
                sleep(ms(late_ms)).await;
                reading.await;
            });
        }
    }
    for _ in 0..chance.between(1, 2) {
        tokio::spawn(admin(world.clone(), popular.clone()));
    }
    if chance.percent(12) {
        tokio::spawn(attrition(world.clone()));
    }
    tokio::spawn(trouble(world));
}

/// Redis is short of room, and lets one kind of keys go all the time.
async fn attrition(world: Arc<World>) {
    let chance = world.chance.clone();
    let shared = ["sim:sequence", "sim:log", "sim:members"][chance.below(3) as usize];
    let of_entries = chance.percent(60);
    while world.now() < RUN_MS - 1000 {
        sleep(ms(chance.between(1, 300))).await;
        if of_entries {
            let place = &world.table.places[chance.below(ENTRIES as u64) as usize];
            let names = place.names();
            let name = &names[chance.below(names.len() as u64) as usize];
            world.redis.evict(&format!("sim:{name}:generation"));
        } else {
            world.redis.evict(shared);
        }
    }
}

/// Reads from time to time, while its process runs; several reads may be under way.
async fn reader(world: Arc<World>, number: usize, pause_ms: u64, popular: Popular) {
    let chance = world.chance.clone();
    while world.now() < RUN_MS {
        sleep(ms(chance.between(1, pause_ms))).await;
        for _ in 0..chance.between(1, 2) {
            if world.instance(number).process.runs() {
                let (world, entry) = (world.clone(), popular.one(&chance));
                tokio::spawn(async move { world.read(number, entry).await });
            }
        }
    }
}

/// Edits one entry, all of a tag or a resource, or some of each, and tells some instance.
async fn admin(world: Arc<World>, popular: Popular) {
    let chance = world.chance.clone();
    let proves = chance.below(101);
    sleep(ms(chance.between(1, 1000))).await;
    while world.now() < RUN_MS - 2000 {
        for _ in 0..chance.between(1, 3) {
            let names = some_names(&world, &chance, &popular);
            let entries: Vec<usize> = world
                .table
                .news_of(&Scope::Of(names.clone()))
                .into_keys()
                .collect();
            let between_steps = ms(chance.below(30) * chance.below(2));
            world
                .edit(&entries, between_steps, chance.percent(10))
                .await;
            let number = chance.below(world.count() as u64) as usize;
            if world.instance(number).process.runs() {
                let (waits, proves) = (chance.percent(70), chance.percent(proves));
                let world = world.clone();
                let told =
                    tokio::spawn(async move { world.invalidate(number, names, proves).await });
                // Whoever does not wait may share one with the next.
                if waits {
                    told.await.unwrap();
                }
            }
            sleep(ms(chance.between(1, 150))).await;
        }
        sleep(ms(chance.between(1, 2000))).await;
    }
}

fn some_names(world: &World, chance: &Chance, popular: &Popular) -> Names {
    let own = world.table.places[popular.one(chance)].names()[0].clone();
    let tag = tag_dependency(TAGS[chance.below(TAGS.len() as u64) as usize]);
    let resource = resource_dependency(RESOURCES[chance.below(RESOURCES.len() as u64) as usize]);
    let kind = if popular.0.len() == 1 {
        0
    } else {
        chance.below(10)
    };
    match kind {
        0..=4 => [own].into(),
        5 | 6 => [tag].into(),
        7 | 8 => [resource].into(),
        _ => [own, tag].into(),
    }
}

/// Freezes, crashes, evictions, flushes, hang-ups and clocks that jump.
async fn trouble(world: Arc<World>) {
    let chance = world.chance.clone();
    let pause_ms = chance.between(150, 3000);
    while world.now() < RUN_MS - 1000 {
        sleep(ms(chance.between(1, pause_ms))).await;
        let number = chance.below(world.count() as u64) as usize;
        match chance.below(12) {
            0 | 1 => world.freeze(number, chance.between(10, 2500), chance.percent(15)),
            2 => world.crash(number),
            3 => {
                world.note("flushed".into());
                world.redis.flush();
            }
            4..=7 => {
                let key = some_key(&world, &chance);
                world.note(format!("{key} evicted"));
                world.redis.evict(&key);
            }
            8 | 9 => {
                world.note("streams hung up".into());
                world.redis.hang_up();
            }
            _ => {
                let by_ms = chance.below(20_000) as i64 - 10_000;
                world.note(format!("instance {number}: wall clock set by {by_ms} ms"));
                world
                    .instance(number)
                    .clock
                    .skew_ms
                    .fetch_add(by_ms, SeqCst);
            }
        }
    }
}

fn some_key(world: &World, chance: &Chance) -> String {
    let place = &world.table.places[chance.below(ENTRIES as u64) as usize];
    let names = place.names();
    let value = if place.resource.is_none() {
        "active"
    } else {
        "value"
    };
    match chance.below(9) {
        0 | 1 => format!(
            "sim:{}:generation",
            names[chance.below(names.len() as u64) as usize]
        ),
        2 => format!("sim:{}:{value}", names[0]),
        3 => format!("sim:{}:version", names[0]),
        4 => format!("sim:{}:config", names[0]),
        5 => "sim:sequence".into(),
        6 => "sim:log".into(),
        _ => "sim:members".into(),
    }
}
