//! What happens when, and how badly, as one seed has it.

use crate::history::{Event, Violation, check};
use crate::network::{Chance, Weather, ms};
use crate::world::{Build, Circumstances, MAX_STALENESS_MS, TIMEOUTS_MS, World, skew};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tokio::time::sleep;

const RUN_MS: u64 = 9000;
/// Longer than any read may take: store, source and what is left of a freeze.
const QUIET_MS: u64 = 6000;

pub struct Outcome {
    pub seed: u64,
    pub circumstances: Circumstances,
    pub history: Vec<Event>,
    pub violation: Option<Violation>,
}

impl Outcome {
    pub fn reads(&self) -> u64 {
        let reads = self
            .history
            .iter()
            .filter(|event| matches!(event, Event::Read(_)));
        reads.count() as u64
    }
}

pub fn run(seed: u64, build: Build) -> Outcome {
    let chance = Chance::of(seed);
    let circumstances = circumstances(&chance);
    let history = simulated(async || {
        let world = World::new(seed, build, &circumstances);
        tokio::spawn(drive(world.clone(), circumstances.lag_ms > 0));
        sleep(ms(RUN_MS + QUIET_MS)).await;
        world.history()
    });
    // A lagging replica adds its lag, where no announcement brought the sync token.
    let violation = check(
        &history,
        MAX_STALENESS_MS + circumstances.lag_ms,
        TIMEOUTS_MS,
    );
    Outcome {
        seed,
        circumstances,
        history,
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
    let share = |of: u64| if stormy { chance.below(of) } else { 0 };
    Circumstances {
        instances: chance.between(2, 4) as usize,
        lag_ms: if chance.percent(25) {
            chance.between(50, 1500)
        } else {
            0
        },
        push: chance.percent(70) && !dragging,
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
    }
}

async fn drive(world: Arc<World>, lagging: bool) {
    let chance = world.chance.clone();
    world
        .redis
        .push_lost
        .store(chance.below(60) * chance.below(2), SeqCst);
    world.redis.push_ms.store(chance.between(1, 200), SeqCst);
    let instances = world.count();
    // One that nobody reads from, but that admins may tell: it is not listed then.
    let unread = chance.below(5) as usize;
    for number in (0..instances).filter(|&number| number != unread) {
        for _ in 0..chance.between(1, 3) {
            tokio::spawn(reader(world.clone(), number, chance.between(5, 80)));
        }
    }
    for _ in 0..chance.between(1, 2) {
        tokio::spawn(admin(world.clone(), instances as u64));
    }
    tokio::spawn(trouble(world, instances as u64, lagging));
}

/// Reads from time to time, while its process runs; several reads may be under way.
async fn reader(world: Arc<World>, number: usize, pause_ms: u64) {
    while world.now() < RUN_MS {
        sleep(ms(world.chance.between(1, pause_ms))).await;
        if world.instance(number).process.runs() {
            let world = world.clone();
            tokio::spawn(async move { world.read(number).await });
        }
    }
}

/// Edits in bursts, and tells some instance.
async fn admin(world: Arc<World>, instances: u64) {
    let chance = world.chance.clone();
    sleep(ms(chance.between(1, 1000))).await;
    while world.now() < RUN_MS - 2000 {
        for _ in 0..chance.between(1, 3) {
            let between_steps = ms(chance.below(30) * chance.below(2));
            let edit = world.edit(between_steps, chance.percent(10)).await;
            let number = chance.below(instances) as usize;
            if world.instance(number).process.runs() {
                world.invalidate(number, edit).await;
            }
            sleep(ms(chance.between(1, 150))).await;
        }
        sleep(ms(chance.between(1, 2500))).await;
    }
}

/// Freezes, crashes, evictions, flushes, hang-ups and clocks that jump.
async fn trouble(world: Arc<World>, instances: u64, lagging: bool) {
    let chance = world.chance.clone();
    let pause_ms = chance.between(150, 3000);
    while world.now() < RUN_MS - 1000 {
        sleep(ms(chance.between(1, pause_ms))).await;
        let number = chance.below(instances) as usize;
        match chance.below(10) {
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
            5 => {
                let instance = format!("instance:{}", world.instance(number).cache.id());
                let keys = ["generation", "active", "version", "config", &instance];
                let key = keys[chance.below(5) as usize];
                world.note(format!("{key} evicted"));
                world.redis.evict(&format!("sim:{key}")).await;
            }
            6 | 7 => {
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
