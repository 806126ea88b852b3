//! What the guarantee costs, in calm weather: commands of the store and reads of the source.

use crate::network::{Weather, ms};
use crate::schedule::simulated;
use crate::world::{Build, Circumstances, World};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tokio::time::sleep;

const FLEET: usize = 16;

/// Loopback, and a source of 20 to 80 ms.
fn calm(instances: usize) -> Circumstances {
    let weather = |least_ms, usual_ms| Weather {
        least_ms,
        usual_ms,
        late: 0,
        late_ms: usual_ms,
        lost: 0,
        refused: 0,
    };
    Circumstances {
        instances,
        lag_ms: 0,
        push: true,
        store: weather(1, 2),
        source: weather(10, 40),
    }
}

fn source_reads(world: &World) -> u64 {
    let instances = (0..world.count()).map(|number| world.instance(number));
    instances
        .map(|instance| instance.cache.stats.source_reads.get())
        .sum()
}

/// Every instance reads every few milliseconds, for as long as the world turns.
fn traffic(world: &Arc<World>, every_ms: u64) {
    for number in 0..world.count() {
        let world = world.clone();
        tokio::spawn(async move {
            loop {
                sleep(ms(world.chance.between(1, every_ms))).await;
                world.read(number).await;
            }
        });
    }
}

#[test]
fn a_fleet_asks_the_source_at_most_twice_per_invalidation() {
    simulated(async || {
        let world = World::new(1, Build::default(), &calm(FLEET));
        traffic(&world, 10);
        sleep(ms(3000)).await;
        let (mut most, mut total) = (0, 0);
        for round in 0..50 {
            let before = source_reads(&world);
            let edit = world.edit(ms(0), false).await;
            world.invalidate(round % FLEET, edit).await;
            sleep(ms(1500)).await;
            let reads = source_reads(&world) - before;
            most = most.max(reads);
            total += reads;
        }
        eprintln!(
            "source reads per invalidation at {FLEET} instances: {:.2}, at most {most}",
            total as f64 / 50.0
        );
        assert!(most <= 2, "{most} reads");
    });
}

#[test]
fn a_fleet_asks_the_source_at_most_twice_per_expiry_and_no_reader_waits_for_it() {
    simulated(async || {
        let world = World::new(2, Build::default(), &calm(FLEET));
        traffic(&world, 10);
        sleep(ms(3000)).await;
        let before = source_reads(&world);
        // The time to live of a simulated value is 5 seconds.
        sleep(ms(200_000)).await;
        let reads = source_reads(&world) - before;
        eprintln!("source reads in 40 times to live at {FLEET} instances: {reads}");
        assert!((40..=80).contains(&reads), "{reads} reads");
        let waited = world
            .history()
            .iter()
            .filter(|event| event.waited_for_the_source(3000))
            .count();
        assert_eq!(waited, 0, "readers waited for the source");
    });
}

#[test]
fn an_instance_costs_at_most_1_2_commands_per_second_at_any_read_rate_and_none_when_idle() {
    for every_ms in [1, 100] {
        simulated(async || {
            let circumstances = Circumstances {
                instances: 4,
                ..calm(4)
            };
            let world = World::with_ttl(3, Build::default(), &circumstances, 300);
            let reading = tokio::spawn({
                let world = world.clone();
                async move {
                    let until = world.now() + 65_000;
                    while world.now() < until {
                        sleep(ms(every_ms)).await;
                        for number in 0..world.count() {
                            world.read(number).await;
                        }
                    }
                }
            });
            sleep(ms(5000)).await;
            let before = world.redis.commands.load(SeqCst);
            sleep(ms(60_000)).await;
            let commands = world.redis.commands.load(SeqCst) - before;
            let rate = commands as f64 / 60.0 / 4.0;
            eprintln!("a read every {every_ms} ms: {rate:.2} commands per second and instance");
            assert!((0.9..=1.2).contains(&rate), "{rate} per second");
            reading.await.unwrap();
            // The stream that is open is opened once more after it fell silent.
            sleep(ms(60_000)).await;
            let before = world.redis.commands.load(SeqCst);
            sleep(ms(600_000)).await;
            let idle = world.redis.commands.load(SeqCst) - before;
            assert_eq!(idle, 0, "nobody reads");
        });
    }
}

#[test]
fn a_key_that_a_stranger_deleted_is_back_within_ten_seconds() {
    simulated(async || {
        let world = World::with_ttl(4, Build::default(), &calm(2), 300);
        traffic(&world, 10);
        sleep(ms(30_000)).await;
        world.redis.evict("sim:active").await;
        assert!(!world.redis.has_value());
        sleep(ms(10_000)).await;
        assert!(world.redis.has_value(), "it was noticed, and loaded anew");
    });
}
