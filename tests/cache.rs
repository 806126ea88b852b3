//! The order of the tiers, over the embedded store and a scripted source, with time held still.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use async_trait::async_trait;
use common::{HandClock, LIMITS, Lines, Scene, ScriptedSource, held, prompt, row, until};
use grove_shared_cache::core::answer::{Answer, Tier};
use grove_shared_cache::core::cache::{Cache, Parts};
use grove_shared_cache::core::clock::Clock;
use grove_shared_cache::core::config::Limits;
use grove_shared_cache::core::error::{ErrorCode, Fault};
use grove_shared_cache::core::fleet::{List, Roll, Standing};
use grove_shared_cache::core::http::Deadline;
use grove_shared_cache::core::log::{Level, Logger};
use grove_shared_cache::core::prompt::{DEFAULT_FALLBACK, SystemPrompt};
use grove_shared_cache::core::protocol::{Announcement, Generation, Keys, Marks, Record, Snapshot};
use grove_shared_cache::core::rules::Rules;
use grove_shared_cache::core::source::{LegacySource, Row, Source};
use grove_shared_cache::core::store::memory::Memory;
use grove_shared_cache::core::store::{Fill, KeyValue, Probe, Register, Store};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

const T1: &str = "2026-01-01T00:00:00+00:00";
const T2: &str = "2026-01-02T00:00:00+00:00";

/// A store that can be switched off, and everything a test looks at.
struct World {
    cache: Arc<Cache>,
    store: Memory,
    down: Arc<AtomicBool>,
    clock: Arc<HandClock>,
    lines: Arc<Lines>,
    source: Arc<ScriptedSource>,
}

fn world(source: Arc<ScriptedSource>) -> World {
    world_with(source, None)
}

fn world_with(source: Arc<ScriptedSource>, legacy: Option<Arc<dyn LegacySource>>) -> World {
    let clock = Arc::new(HandClock::default());
    let lines = Arc::new(Lines::default());
    let store = Memory::new(clock.clone(), Keys::under("test"));
    let down = Arc::new(AtomicBool::new(false));
    let cache = instance(&store, &down, &clock, &lines, source.clone(), legacy);
    World {
        cache,
        store,
        down,
        clock,
        lines,
        source,
    }
}

fn instance(
    store: &Memory,
    down: &Arc<AtomicBool>,
    clock: &Arc<HandClock>,
    lines: &Arc<Lines>,
    source: Arc<ScriptedSource>,
    legacy: Option<Arc<dyn LegacySource>>,
) -> Arc<Cache> {
    let resource = Arc::new(SystemPrompt::new(None));
    let logger = Logger::new(Some(Level::Debug), lines.clone(), resource.clone());
    let store = Switched {
        store: store.clone(),
        down: down.clone(),
    };
    let parts = Parts {
        id: "test".into(),
        name: "test".into(),
        no_store: None,
        resource,
        store: Some(Arc::new(store)),
        channel: None,
        source: Some(source),
        legacy,
        clock: clock.clone(),
        limits: LIMITS,
        signer: None,
        rules: Rules::ALL_KEPT,
    };
    Cache::new(parts, logger)
}

/// A second instance over the same store and source.
fn other_instance(world: &World) -> Arc<Cache> {
    instance(
        &world.store,
        &world.down,
        &world.clock,
        &world.lines,
        world.source.clone(),
        None,
    )
}

impl World {
    async fn read(&self) -> Answer {
        // A read that hangs is a failed test, not a hung one.
        let read = tokio::time::timeout(Duration::from_secs(10), self.cache.fetch());
        read.await.expect("a read ends")
    }

    async fn stored(&self) -> Snapshot {
        let snapshot = self.store.read(deadline(), "a test").await;
        snapshot.unwrap()
    }

    /// Until the fill that a read left behind is through, one way or the other.
    async fn filled(&self, count: u64) {
        until(|| self.cache.stats.fills.get() + self.cache.stats.fills_refused.get() == count)
            .await;
    }
}

impl World {
    /// A read that comes after the lease of the one before.
    async fn later_read(&self) -> Answer {
        self.clock.advance(LIMITS.max_staleness);
        self.read().await
    }
}

/// A read that goes on while the test does something else.
fn begin_read(cache: &Arc<Cache>) -> JoinHandle<Answer> {
    let cache = cache.clone();
    tokio::spawn(async move { cache.fetch().await })
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(1))
}

struct Switched {
    store: Memory,
    down: Arc<AtomicBool>,
}

impl Switched {
    fn up(&self) -> Result<&Memory, Fault> {
        if self.down.load(Ordering::SeqCst) {
            Err(Fault::Unreachable)
        } else {
            Ok(&self.store)
        }
    }
}

#[async_trait]
impl Store for Switched {
    async fn read(&self, deadline: Deadline, reader: &str) -> Result<Snapshot, Fault> {
        self.up()?.read(deadline, reader).await
    }
    async fn marks(&self, deadline: Deadline, reader: &str) -> Result<Marks, Fault> {
        self.up()?.marks(deadline, reader).await
    }
    async fn remaining(&self, deadline: Deadline) -> Result<Option<Duration>, Fault> {
        self.up()?.remaining(deadline).await
    }
    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault> {
        self.up()?.claim(deadline, term).await
    }
    async fn release(&self, deadline: Deadline) -> Result<(), Fault> {
        self.up()?.release(deadline).await
    }
    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        self.up()?.mint(deadline, now_ms).await
    }
    async fn fill(
        &self,
        deadline: Deadline,
        fence: &Generation,
        record: &Record,
        ttl: u32,
    ) -> Result<Fill, Fault> {
        self.up()?.fill(deadline, fence, record, ttl).await
    }
    async fn invalidate(
        &self,
        deadline: Deadline,
        now_ms: u64,
        term: Duration,
    ) -> Result<Generation, Fault> {
        self.up()?.invalidate(deadline, now_ms, term).await
    }
    async fn publish(&self, deadline: Deadline, said: &Announcement) -> Result<(), Fault> {
        self.up()?.publish(deadline, said).await
    }
    fn sync_token(&self) -> Option<String> {
        self.store.sync_token()
    }
    fn catch_up(&self, said: &Announcement) {
        self.store.catch_up(said);
    }
    async fn probe(&self, deadline: Deadline) -> Result<Probe, Fault> {
        self.up()?.probe(deadline).await
    }
}

#[async_trait]
impl Register for Switched {
    async fn enlist(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
        settling: Duration,
    ) -> Result<(), Fault> {
        self.up()?.enlist(deadline, id, standing, settling).await
    }
    async fn restate(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
    ) -> Result<bool, Fault> {
        self.up()?.restate(deadline, id, standing).await
    }
    async fn members(&self, deadline: Deadline) -> Result<List, Fault> {
        self.up()?.members(deadline).await
    }
    async fn roll(&self, deadline: Deadline, ids: &[String]) -> Result<Roll, Fault> {
        self.up()?.roll(deadline, ids).await
    }
    async fn strike(&self, deadline: Deadline, ids: &[String]) -> Result<(), Fault> {
        self.up()?.strike(deadline, ids).await
    }
    async fn leave(&self, deadline: Deadline, id: &str) -> Result<(), Fault> {
        self.up()?.leave(deadline, id).await
    }
}

#[async_trait]
impl KeyValue for Switched {
    async fn get(&self, deadline: Deadline, key: &str) -> Result<Option<String>, Fault> {
        self.up()?.get(deadline, key).await
    }
    async fn set(&self, deadline: Deadline, key: &str, value: &str, ttl: u32) -> Result<(), Fault> {
        self.up()?.set(deadline, key, value, ttl).await
    }
    async fn del(&self, deadline: Deadline, key: &str) -> Result<bool, Fault> {
        self.up()?.del(deadline, key).await
    }
}

/// A store whose database is full.
struct ReadOnly(Memory);

#[async_trait]
impl Store for ReadOnly {
    async fn read(&self, deadline: Deadline, reader: &str) -> Result<Snapshot, Fault> {
        self.0.read(deadline, reader).await
    }
    async fn marks(&self, deadline: Deadline, reader: &str) -> Result<Marks, Fault> {
        self.0.marks(deadline, reader).await
    }
    async fn remaining(&self, deadline: Deadline) -> Result<Option<Duration>, Fault> {
        self.0.remaining(deadline).await
    }
    async fn claim(&self, _: Deadline, _: Duration) -> Result<bool, Fault> {
        Err(Fault::QuotaExceeded)
    }
    async fn release(&self, _: Deadline) -> Result<(), Fault> {
        Err(Fault::QuotaExceeded)
    }
    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        self.0.mint(deadline, now_ms).await
    }
    async fn fill(&self, _: Deadline, _: &Generation, _: &Record, _: u32) -> Result<Fill, Fault> {
        Err(Fault::QuotaExceeded)
    }
    async fn invalidate(&self, _: Deadline, _: u64, _: Duration) -> Result<Generation, Fault> {
        Err(Fault::QuotaExceeded)
    }
    async fn publish(&self, _: Deadline, _: &Announcement) -> Result<(), Fault> {
        Err(Fault::QuotaExceeded)
    }
    fn sync_token(&self) -> Option<String> {
        None
    }
    fn catch_up(&self, _: &Announcement) {}
    async fn probe(&self, deadline: Deadline) -> Result<Probe, Fault> {
        self.0.probe(deadline).await
    }
}

#[async_trait]
impl Register for ReadOnly {
    async fn enlist(&self, _: Deadline, _: &str, _: &Standing, _: Duration) -> Result<(), Fault> {
        Err(Fault::QuotaExceeded)
    }
    async fn restate(&self, _: Deadline, _: &str, _: &Standing) -> Result<bool, Fault> {
        Err(Fault::QuotaExceeded)
    }
    async fn members(&self, deadline: Deadline) -> Result<List, Fault> {
        self.0.members(deadline).await
    }
    async fn roll(&self, deadline: Deadline, ids: &[String]) -> Result<Roll, Fault> {
        self.0.roll(deadline, ids).await
    }
    async fn strike(&self, _: Deadline, _: &[String]) -> Result<(), Fault> {
        Err(Fault::QuotaExceeded)
    }
    async fn leave(&self, _: Deadline, _: &str) -> Result<(), Fault> {
        Err(Fault::QuotaExceeded)
    }
}

#[async_trait]
impl KeyValue for ReadOnly {
    async fn get(&self, deadline: Deadline, key: &str) -> Result<Option<String>, Fault> {
        self.0.get(deadline, key).await
    }
    async fn set(&self, _: Deadline, _: &str, _: &str, _: u32) -> Result<(), Fault> {
        Err(Fault::QuotaExceeded)
    }
    async fn del(&self, _: Deadline, _: &str) -> Result<bool, Fault> {
        Err(Fault::QuotaExceeded)
    }
}

struct Legacy(Option<Value>);

#[async_trait]
impl LegacySource for Legacy {
    async fn load(&self) -> Result<Value, String> {
        match &self.0 {
            Some(value) => Ok(value.clone()),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn what_the_source_gave_is_stored_and_the_next_read_is_a_hit() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    let first = world.read().await;
    world.filled(1).await;
    let second = other_instance(&world).fetch().await;
    assert_eq!((first.tier, second.tier), (Tier::Source, Tier::Redis));
    assert_eq!(*second.entry.content, *prompt("one"));
    assert_eq!(
        second.entry, first.entry,
        "the store gives back all that the source gave"
    );
    assert_eq!(second.generation, first.generation);
    assert_eq!(world.source.asked(), 1);
}

#[tokio::test]
async fn a_load_begun_before_an_invalidation_is_not_stored() {
    let (load, release) = held(row("old", T1));
    let world = world(ScriptedSource::of([load, Scene::NoRow]));
    let slow = begin_read(&world.cache);
    world.source.begun.notified().await;
    world.cache.invalidate().await.unwrap();
    release.send(()).unwrap();

    assert_eq!(
        *slow.await.unwrap().entry.content,
        *prompt("old"),
        "who asked before is answered"
    );
    world.filled(1).await;
    assert_eq!(world.cache.stats.fills_refused.get(), 1);
    assert_eq!(world.stored().await.active, None);
    world.source.then(Scene::Row(row("new", T2)));
    assert_eq!(*world.read().await.entry.content, *prompt("new"));
}

#[tokio::test]
async fn a_load_of_another_instance_is_fenced_as_well() {
    let (load, release) = held(row("old", T1));
    let world = world(ScriptedSource::of([load]));
    let other = other_instance(&world);
    let slow = begin_read(&other);
    world.source.begun.notified().await;
    world.source.then(Scene::Row(row("new", T2)));
    world.cache.invalidate().await.unwrap();
    assert_eq!(*world.read().await.entry.content, *prompt("new"));
    world.filled(1).await;
    release.send(()).unwrap();
    slow.await.unwrap();
    until(|| other.stats.fills_refused.get() == 1).await;
    assert_eq!(
        *world.later_read().await.entry.content,
        *prompt("new"),
        "the old prompt is not back"
    );
}

#[tokio::test]
async fn a_read_that_begins_after_an_invalidation_does_not_join_an_earlier_load() {
    let (load, release) = held(row("old", T1));
    let new = || Scene::Row(row("new", T2));
    let world = world(ScriptedSource::of([load, new(), new()]));
    let early = begin_read(&world.cache);
    world.source.begun.notified().await;
    // Not awaited: the epoch ends with the call.
    let invalidation = world.cache.invalidate();
    assert_eq!(*world.read().await.entry.content, *prompt("new"));
    invalidation.await.unwrap();
    world.clock.advance(Duration::from_millis(1));
    world.source.then(Scene::Row(row("new", T2)));
    release.send(()).unwrap();
    assert_eq!(
        *early.await.unwrap().entry.content,
        *prompt("new"),
        "an older answer is not delivered after a newer one"
    );
}

#[tokio::test]
async fn a_load_begun_before_a_flush_is_not_stored() {
    let (load, release) = held(row("old", T1));
    let world = world(ScriptedSource::of([load]));
    let slow = begin_read(&world.cache);
    world.source.begun.notified().await;
    world.store.flush();
    release.send(()).unwrap();
    slow.await.unwrap();
    world.filled(1).await;
    assert_eq!(world.cache.stats.fills_refused.get(), 1);
    assert_eq!(world.stored().await, Snapshot::default());
}

#[tokio::test]
async fn concurrent_reads_share_one_load() {
    let (load, release) = held(row("one", T1));
    let world = world(ScriptedSource::of([load]));
    let reads: Vec<_> = (0..50).map(|_| begin_read(&world.cache)).collect();
    until(|| world.cache.stats.reads() == 50).await;
    release.send(()).unwrap();
    for read in reads {
        assert_eq!(*read.await.unwrap().entry.content, *prompt("one"));
    }
    assert_eq!(
        (world.source.asked(), world.cache.stats.joined.get()),
        (1, 49)
    );
}

#[tokio::test]
async fn no_active_row_gives_the_fallback_which_is_never_stored() {
    let world = world(ScriptedSource::of([
        Scene::NoRow,
        Scene::Row(row("one", T1)),
    ]));
    let answer = world.read().await;
    assert_eq!(
        (answer.tier, &*answer.entry.content),
        (Tier::Fallback, DEFAULT_FALLBACK)
    );
    assert_eq!(world.stored().await.active, None);
    assert_eq!(
        *world.read().await.entry.content,
        *prompt("one"),
        "the next read looks again"
    );
}

#[tokio::test]
async fn a_row_that_is_no_prompt_is_told_once_by_its_id_and_not_stored() {
    let mut broken = row("one", T1);
    broken.insert("payload".into(), json!({ "identity": ["secret"] }));
    let world = world(ScriptedSource::of([Scene::Row(broken)]));
    for _ in 0..3 {
        assert_eq!(world.read().await.tier, Tier::Fallback);
    }
    assert_eq!(world.stored().await.active, None);
    assert_eq!(
        world.lines.at_least(Level::Info),
        [
            "[SystemPrompt] Row 7c9e6679-7425-40de-944b-e07fc1f90ae7 is no prompt: section identity is not a string",
            "[SystemPrompt] Using fallback prompt",
        ]
    );
}

#[tokio::test]
async fn a_prompt_over_the_cap_is_no_prompt() {
    let world = world(ScriptedSource::of([Scene::Row(row(
        &"x".repeat(4 << 20),
        T1,
    ))]));
    assert_eq!(world.read().await.tier, Tier::Fallback);
    let told = world.lines.at_least(Level::Warn);
    assert!(
        told[0].ends_with("it is larger than 4194304 bytes"),
        "{told:?}"
    );
}

#[tokio::test]
async fn without_the_store_the_source_is_read_and_the_outage_is_told_once() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    world.down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let answer = world.later_read().await;
        assert_eq!(
            (answer.tier, answer.generation.is_none()),
            (Tier::Source, true)
        );
    }
    world.down.store(false, Ordering::SeqCst);
    world.later_read().await;
    assert_eq!(
        world.lines.at_least(Level::Info),
        [
            "[SystemPrompt] Redis unavailable (no connection); reading from the source",
            "[SystemPrompt] Loaded from Supabase: \"Grove\"",
            "[SystemPrompt] Redis answers again",
            "[SystemPrompt] Loaded from Supabase: \"Grove\"",
        ]
    );
    assert_eq!(world.cache.stats.store_faults.get(), 3);
}

#[tokio::test]
async fn without_the_source_the_legacy_source_stands_in_and_is_never_stored() {
    let legacy = Arc::new(Legacy(Some(
        json!({ "content": "legacy prompt", "source": "gcs-legacy" }),
    )));
    let world = world_with(
        ScriptedSource::of([Scene::Fault(Fault::Status { status: 503 })]),
        Some(legacy),
    );
    let answer = world.read().await;
    assert_eq!(
        (answer.tier, &*answer.entry.content),
        (Tier::Fallback, "legacy prompt")
    );
    assert_eq!(answer.entry.source, "gcs-legacy");
    assert_eq!(world.stored().await.active, None);
}

#[tokio::test]
async fn a_legacy_value_that_is_no_prompt_gives_the_fallback() {
    let world = world_with(
        ScriptedSource::of([Scene::NoRow]),
        Some(Arc::new(Legacy(Some(json!(5))))),
    );
    let answer = world.read().await;
    assert_eq!(&*answer.entry.content, DEFAULT_FALLBACK);
    assert!(
        world
            .lines
            .at_least(Level::Warn)
            .iter()
            .any(|line| line.contains("legacySource gave no prompt"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_and_a_legacy_source_that_hang_end_with_the_source_timeout() {
    let world = world_with(
        ScriptedSource::of([Scene::Hang]),
        Some(Arc::new(Legacy(None))),
    );
    let begun = tokio::time::Instant::now();
    let answer = world.read().await;
    assert_eq!(answer.tier, Tier::Fallback);
    assert_eq!(begun.elapsed().as_millis(), 2000);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_leaves_half_of_the_time_to_the_legacy_source() {
    let world = world_with(
        ScriptedSource::of([Scene::Hang]),
        Some(Arc::new(Legacy(Some(json!("legacy"))))),
    );
    let begun = tokio::time::Instant::now();
    assert_eq!(&*world.read().await.entry.content, "legacy");
    assert_eq!(begun.elapsed().as_millis(), 1000);
}

#[tokio::test]
async fn an_invalidation_that_does_not_reach_the_store_fails() {
    let world = world(ScriptedSource::of([]));
    world.down.store(true, Ordering::SeqCst);
    let error = world.cache.invalidate().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::StoreUnavailable);
    assert!(error.retryable());
    assert_eq!(error.fault, Some(Fault::Unreachable));
    assert_eq!(world.cache.stats.invalidations_failed.get(), 1);
}

/// A cache whose store holds the old prompt, whose source holds the new one, and whose invalidation failed. Time must
/// be paused, so that the retry waits until the test does.
async fn world_that_owes_an_invalidation() -> World {
    let scenes = [Scene::Row(row("old", T1)), Scene::Row(row("new", T2))];
    let world = world(ScriptedSource::of(scenes));
    world.read().await;
    world.filled(1).await;
    world.down.store(true, Ordering::SeqCst);
    world.cache.invalidate().await.unwrap_err();
    world.down.store(false, Ordering::SeqCst);
    world
}

#[tokio::test(start_paused = true)]
async fn while_an_invalidation_is_owed_the_store_is_neither_read_nor_filled() {
    let world = world_that_owes_an_invalidation().await;
    assert!(world.cache.invalidation_pending());
    let answer = world.read().await;
    assert_eq!(
        (answer.tier, &*answer.entry.content),
        (Tier::Source, &*prompt("new"))
    );
    assert_eq!(
        world.stored().await.active,
        Some(prompt("old")),
        "it was not filled"
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_is_owed_goes_through_by_itself() {
    let world = world_that_owes_an_invalidation().await;
    // Time is paused, so this takes none.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!world.cache.invalidation_pending());
    assert_eq!(world.stored().await.active, Some(prompt("new")));
    assert_eq!(*world.read().await.entry.content, *prompt("new"));
    world.filled(2).await;
    assert_eq!(world.later_read().await.tier, Tier::Redis);
    assert_eq!(
        world.lines.at_least(Level::Error),
        [
            "[Cache] System prompt invalidation failed: no connection; trying again until it went through"
        ]
    );
    assert_eq!(
        world.lines.at_least(Level::Info).last().unwrap(),
        "[SystemPrompt] Loaded from Supabase: \"Grove\""
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_is_owed_is_tried_again_at_least_every_second() {
    let world = world_that_owes_an_invalidation().await;
    world.down.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.down.store(false, Ordering::SeqCst);
    assert!(world.cache.invalidation_pending());
    tokio::time::sleep(Duration::from_millis(1001)).await;
    assert!(!world.cache.invalidation_pending());
}

#[tokio::test(start_paused = true)]
async fn a_later_invalidation_makes_up_for_one_that_failed() {
    let world = world_that_owes_an_invalidation().await;
    world.cache.invalidate().await.unwrap();
    assert!(!world.cache.invalidation_pending());
}

#[tokio::test(start_paused = true)]
async fn a_closed_cache_gives_up_what_it_owes() {
    let world = world_that_owes_an_invalidation().await;
    world.cache.close();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(world.cache.invalidation_pending());
    assert_eq!(world.cache.stats.invalidations.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_load_under_way_is_not_stored_while_an_invalidation_is_owed() {
    let (load, release) = held(row("old", T1));
    let world = world(ScriptedSource::of([load]));
    let slow = begin_read(&world.cache);
    world.source.begun.notified().await;
    world.down.store(true, Ordering::SeqCst);
    world.cache.invalidate().await.unwrap_err();
    world.down.store(false, Ordering::SeqCst);
    release.send(()).unwrap();
    slow.await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.stored().await.active, None);
    assert_eq!(world.cache.stats.fills.get(), 0);
}

#[tokio::test]
async fn an_invalidation_opens_a_larger_generation_even_if_the_clock_went_back() {
    let world = world(ScriptedSource::of([]));
    let ahead = Generation::new((world.clock.wall_ms() + 60_000).to_string());
    world
        .store
        .invalidate(
            deadline(),
            world.clock.wall_ms() + 60_000,
            Duration::from_secs(1),
        )
        .await
        .unwrap();
    let receipt = world.cache.invalidate().await.unwrap();
    let number = |generation: &Generation| generation.as_str().parse::<u64>().unwrap();
    assert_eq!(number(&receipt.generation.unwrap()), number(&ahead) + 1);
}

#[tokio::test]
async fn a_state_that_comes_back_is_told_again() {
    let world = world(ScriptedSource::of([Scene::NoRow, Scene::NoRow]));
    let told = || {
        let lines = world.lines.take();
        lines
            .iter()
            .filter(|line| line.contains("No row is active"))
            .count()
    };
    world.read().await;
    assert_eq!(told(), 1);

    let source = ScriptedSource::of([Scene::Row(row("one", T1))]);
    let other = instance(
        &world.store,
        &world.down,
        &world.clock,
        &world.lines,
        source,
        None,
    );
    other.fetch().await;
    until(|| other.stats.fills.get() == 1).await;
    assert_eq!(world.read().await.tier, Tier::Redis);
    world.lines.take();

    world.store.flush();
    world.later_read().await;
    let warned = world.lines.at_least(Level::Warn);
    assert_eq!(
        warned,
        ["[SystemPrompt] No row is active"],
        "it had ended in between"
    );
}

#[tokio::test]
async fn a_store_that_can_be_read_and_not_filled_is_told_once() {
    let clock = Arc::new(HandClock::default());
    let lines = Arc::new(Lines::default());
    let resource = Arc::new(SystemPrompt::new(None));
    let parts = Parts {
        id: "test".into(),
        name: "test".into(),
        no_store: None,
        channel: None,
        signer: None,
        rules: Rules::ALL_KEPT,
        resource: resource.clone(),
        store: Some(Arc::new(ReadOnly(Memory::new(
            clock.clone(),
            Keys::under("test"),
        )))),
        source: Some(ScriptedSource::of([Scene::Row(row("one", T1))])),
        legacy: None,
        clock,
        limits: Limits {
            max_staleness: Duration::ZERO,
            ..LIMITS
        },
    };
    let cache = Cache::new(
        parts,
        Logger::new(Some(Level::Warn), lines.clone(), resource),
    );
    for reads in 1..=3 {
        cache.fetch().await;
        // The fill, and giving up the claim.
        until(|| cache.stats.store_faults.get() == 2 * reads).await;
    }
    assert_eq!(
        lines.take(),
        ["[SystemPrompt] Not stored: a limit of the plan is used up"]
    );
}

#[tokio::test]
async fn a_fallback_names_the_generation_that_the_store_gave() {
    let world = world(ScriptedSource::of([Scene::NoRow]));
    let receipt = world.cache.invalidate().await.unwrap();
    assert_eq!(world.read().await.generation, receipt.generation);
}

#[tokio::test]
async fn a_read_tells_its_hit_at_debug_level_only() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    world.read().await;
    world.filled(1).await;
    world.lines.take();
    world.read().await;
    world.later_read().await;
    assert_eq!(world.lines.at_least(Level::Info), [""; 0]);
    assert_eq!(
        world.lines.at_least(Level::Debug),
        [
            "[SystemPrompt] Cache hit (memory)",
            "[SystemPrompt] Cache hit (Redis)"
        ]
    );
}

#[tokio::test]
async fn an_expired_value_is_loaded_again() {
    let world = world(ScriptedSource::of([
        Scene::Row(row("one", T1)),
        Scene::Row(row("two", T2)),
    ]));
    world.read().await;
    world.filled(1).await;
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(*world.read().await.entry.content, *prompt("two"));
}

#[tokio::test]
async fn under_a_lease_nobody_is_asked() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    world.read().await;
    world.down.store(true, Ordering::SeqCst);
    world.clock.advance(Duration::from_millis(999));
    let answer = world.read().await;
    assert_eq!(
        (answer.tier, &*answer.entry.content),
        (Tier::Memory, &*prompt("one"))
    );
    assert_eq!(world.cache.stats.memory_hits.get(), 1);
    assert_eq!(world.source.asked(), 1);
}

#[tokio::test]
async fn a_lease_is_renewed_by_a_read_that_does_not_wait_for_it() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    world.read().await;
    world.filled(1).await;
    world.clock.advance(Duration::from_millis(960));
    for _ in 0..10 {
        assert_eq!(world.read().await.tier, Tier::Memory);
    }
    until(|| world.cache.stats.hits.get() == 1).await;
    world.clock.advance(Duration::from_millis(900));
    assert_eq!(world.read().await.tier, Tier::Memory);
    assert_eq!(world.source.asked(), 1);
}

#[tokio::test]
async fn without_a_store_what_the_source_gave_is_leased() {
    let world = world(ScriptedSource::of([
        Scene::Row(row("one", T1)),
        Scene::Row(row("two", T2)),
    ]));
    world.read().await;
    world.down.store(true, Ordering::SeqCst);
    let second = world.later_read().await;
    assert_eq!(
        (&*second.entry.content, second.tier),
        (&*prompt("two"), Tier::Source)
    );
    assert_eq!(world.read().await.tier, Tier::Memory);
}

#[tokio::test]
async fn what_the_store_does_not_list_has_no_lease_until_the_breaker_opens() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    world.down.store(true, Ordering::SeqCst);
    for faults in 1..=5 {
        assert_eq!(world.read().await.tier, Tier::Source, "after {faults}");
    }
    world.read().await;
    assert_eq!(
        world.read().await.tier,
        Tier::Memory,
        "the store is left alone"
    );
}

#[tokio::test]
async fn an_instance_that_the_store_lost_is_listed_again_before_it_has_a_lease() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    world.read().await;
    world.filled(1).await;
    let listed = async || world.store.members(deadline()).await.unwrap().ids;
    assert_eq!(listed().await, [world.cache.id()]);
    world.store.flush();
    world.later_read().await;
    assert_eq!(listed().await, [""; 0], "it has just noticed");
    world.filled(2).await;
    assert_eq!(world.read().await.tier, Tier::Redis, "and had no lease");
    assert_eq!(listed().await, [world.cache.id()]);
    assert_eq!(world.read().await.tier, Tier::Memory);
    world.cache.close();
    world.cache.leave().await;
    assert_eq!(listed().await, [""; 0]);
}

#[tokio::test]
async fn an_invalidation_leaves_the_new_value_in_the_store() {
    let world = world(ScriptedSource::of([
        Scene::Row(row("old", T1)),
        Scene::Row(row("new", T2)),
    ]));
    world.read().await;
    world.filled(1).await;
    world.cache.invalidate().await.unwrap();
    assert_eq!(world.stored().await.active, Some(prompt("new")));
    let answer = other_instance(&world).fetch().await;
    assert_eq!(
        (answer.tier, &*answer.entry.content),
        (Tier::Redis, &*prompt("new"))
    );
    assert_eq!(world.source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_waits_for_a_source_that_hangs_for_a_moment_only() {
    let world = world(ScriptedSource::of([Scene::Hang]));
    let begun = tokio::time::Instant::now();
    world.cache.invalidate().await.unwrap();
    assert_eq!(begun.elapsed().as_millis(), 200);
}

#[tokio::test]
async fn the_last_known_value_stands_in_when_neither_store_nor_source_answers() {
    let fault = || Scene::Fault(Fault::Status { status: 503 });
    let world = world(ScriptedSource::of([
        Scene::Row(row("one", T1)),
        fault(),
        fault(),
        fault(),
    ]));
    world.read().await;
    world.down.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let answer = world.later_read().await;
        assert_eq!(
            (answer.tier, &*answer.entry.content),
            (Tier::Stale, &*prompt("one"))
        );
    }
    world.cache.invalidate().await.unwrap_err();
    assert_eq!(
        world.read().await.tier,
        Tier::Fallback,
        "it is known to be superseded"
    );
    assert_eq!(
        world.lines.at_least(Level::Warn)[2],
        "[SystemPrompt] Neither Redis nor the source answers; serving the last known prompt"
    );
}

#[tokio::test]
async fn a_value_of_an_earlier_generation_does_not_stand_in() {
    let world = world(ScriptedSource::of([
        Scene::Row(row("old", T1)),
        Scene::NoRow,
        Scene::Fault(Fault::Status { status: 503 }),
    ]));
    world.read().await;
    world.filled(1).await;
    other_instance(&world).invalidate().await.unwrap();
    assert_eq!(world.later_read().await.tier, Tier::Fallback);
}

/// A source with a mistake in it.
struct Broken;

#[async_trait]
impl Source for Broken {
    fn name(&self) -> &'static str {
        "supabase"
    }
    async fn load(&self, _: Deadline) -> Result<Option<Row>, Fault> {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_load_that_panics_is_answered_by_the_fallback_and_told() {
    let world = world(ScriptedSource::of([]));
    let parts = Parts {
        id: "test".into(),
        name: "test".into(),
        no_store: None,
        resource: Arc::new(SystemPrompt::new(None)),
        store: Some(Arc::new(world.store.clone())),
        channel: None,
        source: Some(Arc::new(Broken)),
        legacy: None,
        clock: world.clock.clone(),
        limits: LIMITS,
        signer: None,
        rules: Rules::ALL_KEPT,
    };
    let narrator = Arc::new(SystemPrompt::new(None));
    let logger = Logger::new(Some(Level::Error), world.lines.clone(), narrator);
    let answer = Cache::new(parts, logger).fetch().await;
    assert_eq!(answer.tier, Tier::Fallback);
    assert_eq!(&*answer.entry.content, DEFAULT_FALLBACK);
    let told = world.lines.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("A mistake in grove-shared-cache"),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_invalidations_costs_one_each_hundred_milliseconds() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    world.read().await;
    let begun = tokio::time::Instant::now();
    let mut calls = Vec::new();
    for _ in 0..500 {
        calls.push(tokio::spawn(world.cache.invalidate()));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut generations = HashSet::new();
    for call in calls {
        let receipt = call.await.unwrap().unwrap();
        generations.insert(receipt.generation.unwrap().to_string());
    }
    let hundreds = begun.elapsed().as_millis() as usize / 100;
    assert!(
        generations.len() <= hundreds + 1,
        "{} in {hundreds}00 ms",
        generations.len()
    );
    // The last one loaded the value, and few before it.
    assert_eq!(&*world.read().await.entry.content, prompt("one"));
    assert!(world.source.asked() <= 4, "{} loads", world.source.asked());
}

#[tokio::test]
async fn an_instance_that_finds_the_load_claimed_waits_for_it() {
    let (load, release) = held(row("one", T1));
    let world = world(ScriptedSource::of([load]));
    let first = begin_read(&world.cache);
    world.source.begun.notified().await;
    let other = other_instance(&world);
    let second = begin_read(&other);
    until(|| other.stats.misses.get() == 1).await;
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().tier, Tier::Source);
    assert_eq!(second.await.unwrap().tier, Tier::Redis);
    assert_eq!(world.source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_comes_to_nothing_holds_a_read_up_for_a_moment_only() {
    let world = world(ScriptedSource::of([Scene::Row(row("one", T1))]));
    let claimed = world.store.claim(deadline(), Duration::from_secs(60)).await;
    assert_eq!(claimed, Ok(true));
    let begun = tokio::time::Instant::now();
    assert_eq!(world.read().await.tier, Tier::Source);
    let waited = begun.elapsed().as_millis();
    assert!((150..=250).contains(&waited), "{waited} ms");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_given_up_is_taken_over() {
    let world = world(ScriptedSource::of([
        Scene::NoRow,
        Scene::Row(row("one", T1)),
    ]));
    assert_eq!(world.read().await.tier, Tier::Fallback);
    let begun = tokio::time::Instant::now();
    assert_eq!(world.read().await.tier, Tier::Source);
    assert!(begun.elapsed().as_millis() <= 10, "{:?}", begun.elapsed());
}
