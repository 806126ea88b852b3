//! What the prompt costs a fleet under traffic, in calm weather: commands of the store and reads of the source. Time is tokio's, and
//! passes at once.

use crate::common::{HandClock, LIMITS, NOON_MS, row};
use crate::store::prompt_key;
use crate::world::{Instance, Special, World};
use async_trait::async_trait;
use grove_shared_cache::cache::Tier;
use grove_shared_cache::clock::Clock;
use grove_shared_cache::config::Limits;
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::Deadline;
use grove_shared_cache::source::{Row, Source};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tokio::time::{Instant, sleep};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

struct TokioClock(Instant);

impl Clock for TokioClock {
    fn wall_ms(&self) -> u64 {
        NOON_MS + self.0.elapsed().as_millis() as u64
    }

    fn monotonic(&self) -> Duration {
        ms(1) + self.0.elapsed()
    }
}

/// A table whose row an admin changes. It takes 10 to 50 ms to answer.
#[derive(Default)]
struct Table {
    version: AtomicU64,
    asked: AtomicU64,
}

#[async_trait]
impl Source for Table {
    fn name(&self) -> &'static str {
        "supabase"
    }

    async fn load(&self, _: Deadline) -> Result<Option<Row>, Fault> {
        let version = self.version.load(SeqCst);
        let asked = self.asked.fetch_add(1, SeqCst);
        sleep(ms(10 + asked * 7 % 40)).await;
        let updated_at = format!("2026-01-01T00:00:{version:02}+00:00");
        Ok(Some(row(&version.to_string(), &updated_at)))
    }
}

struct Fleet {
    world: World,
    table: Arc<Table>,
    instances: Arc<Vec<Instance>>,
    /// Reads that the source answered.
    waited: Arc<AtomicU64>,
}

impl Fleet {
    fn of(count: usize, ttl_seconds: u32) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(Instant::now()));
        let by_hand = Arc::new(HandClock::default());
        let world = World::with_clock(Arc::default(), by_hand, clock.clone());
        *world.link.latency.lock().unwrap() = ms(1);
        let table = Arc::new(Table::default());
        let instance = |number: usize| {
            let special = Special {
                source: Some(table.clone()),
                clock: Some(clock.clone()),
                limits: Limits {
                    ttl_seconds,
                    ..LIMITS
                },
                push: true,
                logs: false,
                ..Special::default()
            };
            world.special(&format!("i{number}"), special)
        };
        Fleet {
            instances: Arc::new((0..count).map(instance).collect()),
            world,
            table,
            waited: Arc::default(),
        }
    }

    /// Every instance reads every few milliseconds, for so long.
    fn traffic(&self, every_ms: u64, for_ms: u64) {
        for number in 0..self.instances.len() {
            let (instances, waited) = (self.instances.clone(), self.waited.clone());
            tokio::spawn(async move {
                let begun = Instant::now();
                sleep(ms(number as u64)).await;
                while begun.elapsed() < ms(for_ms) {
                    let answer = instances[number].read().await;
                    waited.fetch_add((answer.tier == Tier::Source).into(), SeqCst);
                    sleep(ms(every_ms)).await;
                }
            });
        }
    }

    fn asked(&self) -> u64 {
        self.table.asked.load(SeqCst)
    }

    fn commands(&self) -> u64 {
        let of = |instance: &Instance| instance.cache.context().store_commands();
        self.instances.iter().map(of).sum()
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_asks_the_source_at_most_twice_per_invalidation() {
    let fleet = Fleet::of(8, 300);
    fleet.traffic(5, 60_000);
    sleep(ms(3000)).await;
    for round in 1..=20 {
        let before = fleet.asked();
        fleet.table.version.store(round, SeqCst);
        fleet.instances[round as usize % 8]
            .invalidate()
            .await
            .unwrap();
        sleep(ms(1500)).await;
        let reads = fleet.asked() - before;
        assert!((1..=2).contains(&reads), "{reads} reads");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_asks_the_source_at_most_twice_per_expiry_and_no_reader_waits_for_it() {
    let fleet = Fleet::of(8, 5);
    fleet.traffic(10, 110_000);
    sleep(ms(3000)).await;
    let (before, waited) = (fleet.asked(), fleet.waited.load(SeqCst));
    sleep(ms(100_000)).await;
    let reads = fleet.asked() - before;
    assert!(
        (20..=40).contains(&reads),
        "{reads} reads in 20 times to live"
    );
    assert_eq!(fleet.waited.load(SeqCst), waited, "readers waited");
}

#[tokio::test(start_paused = true)]
async fn an_instance_costs_at_most_1_3_commands_a_second_at_any_read_rate_and_none_when_idle() {
    for every_ms in [1, 100] {
        let fleet = Fleet::of(2, 300);
        fleet.traffic(every_ms, 66_000);
        sleep(ms(5000)).await;
        let before = fleet.commands();
        sleep(ms(60_000)).await;
        let rate = (fleet.commands() - before) as f64 / 60.0 / 2.0;
        assert!((0.9..=1.3).contains(&rate), "{rate} a second");
        sleep(ms(60_000)).await;
        let before = fleet.commands();
        sleep(ms(600_000)).await;
        assert_eq!(fleet.commands(), before, "nobody reads");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_stranger_deleted_is_back_within_ten_seconds() {
    let fleet = Fleet::of(2, 300);
    fleet.traffic(10, 45_000);
    sleep(ms(30_000)).await;
    let link = &fleet.world.link;
    link.put(&prompt_key("active"), None);
    sleep(ms(10_000)).await;
    assert!(
        link.stored_prompt().is_some(),
        "it was noticed, and loaded anew"
    );
}
