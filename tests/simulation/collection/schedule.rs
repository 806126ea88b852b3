//! What happens when to a collection, and how badly, as one seed has it.

use super::world::{Circumstances, ENTRIES, RESOURCES, TAGS, World, skew};
use crate::history::{Event, Violation, check};
use crate::network::{Chance, Weather, ms};
use crate::schedule::simulated;
use crate::world::{Build, MAX_STALENESS_MS, TIMEOUTS_MS};
use grove_shared_cache::core::collection::invalidation::Targets;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tokio::time::sleep;

const RUN_MS: u64 = 8000;
/// Longer than any read may take: store, source and what is left of a freeze.
const QUIET_MS: u64 = 6000;

pub struct Outcome {
    pub seed: u64,
    pub circumstances: String,
    /// By entry.
    pub histories: Vec<Vec<Event>>,
    /// Of the first entry that has one.
    pub violation: Option<(usize, Violation)>,
}

pub fn run(seed: u64, build: Build) -> Outcome {
    let chance = Chance::of(seed);
    let circumstances = circumstances(&chance);
    let (lag_ms, words) = (circumstances.lag_ms, format!("{circumstances:?}"));
    let histories = simulated(async || {
        let world = World::new(seed, build, circumstances);
        tokio::spawn(drive(world.clone(), lag_ms > 0));
        sleep(ms(RUN_MS + QUIET_MS)).await;
        world.histories()
    });
    // A lagging replica adds its lag, where no announcement brought the sync token.
    let bound = MAX_STALENESS_MS + lag_ms;
    let mut checked = histories.iter().enumerate();
    let violation = checked.find_map(|(entry, events)| {
        let violation = check(events, bound, TIMEOUTS_MS)?;
        Some((entry, violation))
    });
    Outcome {
        seed,
        circumstances: words,
        histories,
        violation,
    }
}

fn circumstances(chance: &Chance) -> Circumstances {
    let stormy = chance.percent(70);
    // Loads that grow old on their way back, and nobody who tells: only their age says that they are not to be joined.
    let dragging = chance.percent(20);
    let crowded = chance.percent(30);
    // Instances that come late, and are often not listed at once.
    let latecomers = chance.percent(15);
    let share = |of: u64| if stormy { chance.below(of) } else { 0 };
    Circumstances {
        instances: chance.between(2, 4) as usize,
        lag_ms: if chance.percent(25) {
            chance.between(50, 1500)
        } else {
            0
        },
        push: chance.percent(75) && !dragging,
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
        holds_on: if crowded { chance.below(60) } else { 0 },
        latecomers,
        removals: if chance.percent(40) { 20 } else { 0 },
    }
}

async fn drive(world: Arc<World>, lagging: bool) {
    let chance = world.chance.clone();
    let lost = chance.below(60) * chance.below(2);
    world.redis.push_lost.store(lost, SeqCst);
    world.redis.push_ms.store(chance.between(1, 200), SeqCst);
    let (instances, latecomers) = (world.count(), world.has_latecomers());
    if latecomers {
        world.redis.listing_refused.store(60, SeqCst);
    }
    // One that nobody reads from, but that admins may tell: it is not listed then.
    let unread = chance.below(5) as usize;
    // The fewer entries, the more happens to each of them.
    let popular = chance.between(2, ENTRIES as u64) as usize;
    for number in (0..instances).filter(|&number| number != unread) {
        for _ in 0..chance.between(1, 3) {
            let pause_ms = chance.between(10, 150);
            let late_ms = if latecomers { number as u64 * 1500 } else { 0 };
            let reading = reader(world.clone(), number, pause_ms, popular);
            tokio::spawn(async move {
                sleep(ms(late_ms)).await;
                reading.await;
            });
        }
    }
    for _ in 0..chance.between(1, 2) {
        tokio::spawn(admin(world.clone(), popular));
    }
    if chance.percent(12) {
        tokio::spawn(attrition(world.clone()));
    }
    tokio::spawn(trouble(world, lagging));
}

/// Redis is short of room, and has let the generations of tags and resources go.
async fn attrition(world: Arc<World>) {
    let chance = world.chance.clone();
    while world.now() < RUN_MS - 1000 {
        sleep(ms(chance.between(1, 150))).await;
        let place = &world.table.places[chance.below(ENTRIES as u64) as usize];
        let generations = place.generations();
        // Not its own, the first.
        let which = 1 + chance.below(generations.len() as u64 - 1) as usize;
        world.redis.evict(&generations[which]).await;
    }
}

/// An entry: most often one of the popular ones, which are spread over the resources.
fn some_entry(chance: &Chance, popular: usize) -> usize {
    if chance.percent(90) {
        let number = chance.below(popular as u64) as usize;
        number * 7 % ENTRIES
    } else {
        chance.below(ENTRIES as u64) as usize
    }
}

/// Reads from time to time, while its process runs; several reads may be under way.
async fn reader(world: Arc<World>, number: usize, pause_ms: u64, popular: usize) {
    let chance = world.chance.clone();
    while world.now() < RUN_MS {
        sleep(ms(chance.between(1, pause_ms))).await;
        for _ in 0..chance.between(1, 2) {
            if world.instance(number).process.runs() {
                let (world, entry) = (world.clone(), some_entry(&chance, popular));
                tokio::spawn(async move { world.read(number, entry).await });
            }
        }
    }
}

/// Edits one entry, all of a tag or a resource, or some of each, and tells some instance.
async fn admin(world: Arc<World>, popular: usize) {
    let chance = world.chance.clone();
    sleep(ms(chance.between(1, 1000))).await;
    while world.now() < RUN_MS - 2000 {
        for _ in 0..chance.between(1, 3) {
            let targets = some_targets(&world, &chance, popular);
            world.edit(world.table.news_of(&targets).into_keys());
            let number = chance.below(world.count() as u64) as usize;
            if world.instance(number).process.runs() {
                let waits = chance.percent(70);
                let world = world.clone();
                let told = tokio::spawn(async move { world.invalidate(number, targets).await });
                // Who does not wait may share one with the next.
                if waits {
                    told.await.unwrap();
                }
            }
            sleep(ms(chance.between(1, 150))).await;
        }
        sleep(ms(chance.between(1, 1500))).await;
    }
}

fn some_targets(world: &World, chance: &Chance, popular: usize) -> Targets {
    let entry = || world.table.places[some_entry(chance, popular)].targets();
    let tag = || TAGS[chance.below(TAGS.len() as u64) as usize].to_owned();
    let resource = || RESOURCES[chance.below(RESOURCES.len() as u64) as usize].to_owned();
    match chance.below(10) {
        0..=4 => entry(),
        5 | 6 => Targets {
            tags: vec![tag()],
            ..Targets::default()
        },
        7 | 8 => Targets {
            resources: vec![resource()],
            ..Targets::default()
        },
        _ => Targets {
            tags: vec![tag()],
            ..entry()
        },
    }
}

/// Freezes, crashes, evictions, flushes, hang-ups and clocks that jump.
async fn trouble(world: Arc<World>, lagging: bool) {
    let chance = world.chance.clone();
    let pause_ms = chance.between(150, 3000);
    while world.now() < RUN_MS - 1000 {
        sleep(ms(chance.between(1, pause_ms))).await;
        let number = chance.below(world.count() as u64) as usize;
        match chance.below(12) {
            0 | 1 => {
                let process = world.instance(number).process;
                let freeze_ms = chance.between(10, 2500);
                world.note(format!("instance {number} frozen for {freeze_ms} ms"));
                process.freeze();
                tokio::spawn(async move {
                    sleep(ms(freeze_ms)).await;
                    process.thaw();
                });
            }
            2 => world.crash(number),
            3 | 4 => {
                world.note("flushed".into());
                world.redis.flush();
            }
            5..=7 => {
                let key = some_key(&world, &chance, number);
                world.note(format!("{key} evicted"));
                world.redis.evict(&key).await;
            }
            8 | 9 => {
                world.note("streams hung up".into());
                world.redis.hang_up();
            }
            // Not with a replica that lags: after an eviction the generation starts again at the wall clock, and announcements
            // are put in order by it (see `store/sync.rs`).
            _ if lagging => {}
            _ => skew(
                &world.instance(number),
                chance.below(20_000) as i64 - 10_000,
            ),
        }
    }
}

fn some_key(world: &World, chance: &Chance, number: usize) -> String {
    let place = &world.table.places[chance.below(ENTRIES as u64) as usize];
    let generations = place.generations();
    let entry = place.keys();
    let which = chance.below(generations.len() as u64) as usize;
    match chance.below(8) {
        0..=2 => generations[which].clone(),
        3 => entry.value,
        4 => entry.version,
        5 => entry.config,
        6 => "sim:generation".into(),
        _ => instance_key(world, number),
    }
}

fn instance_key(world: &World, number: usize) -> String {
    let instance = world.instance(number);
    format!("sim:instance:{}", instance.collection.engine().id())
}
