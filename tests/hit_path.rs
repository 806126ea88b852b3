//! What a hit may cost: counts that no machine changes.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use allocation_counter::measure;
use common::{HandClock, LIMITS, Lines, Scene, ScriptedSource, row};
use grove_shared_cache::core::cache::{Cache, Parts};
use grove_shared_cache::core::near::AtHand;
use grove_shared_cache::core::rules::Rules;
use grove_shared_cache::observe::log::{Level, Logger};
use grove_shared_cache::resource::SystemPrompt;
use std::sync::Arc;

const HITS: usize = 1000;

/// A cache that has just loaded a prompt of so many bytes.
async fn hot_cache(bytes: usize) -> Arc<Cache> {
    let row = row(&"x".repeat(bytes), "2026-01-01T00:00:00+00:00");
    let resource = Arc::new(SystemPrompt::new(None));
    let parts = Parts {
        id: "test".into(),
        name: "test".into(),
        no_store: None,
        resource: resource.clone(),
        store: None,
        channel: None,
        source: Some(ScriptedSource::of([Scene::Row(row)])),
        legacy: None,
        clock: Arc::new(HandClock::default()),
        limits: LIMITS,
        signer: None,
        rules: Rules::ALL_KEPT,
    };
    let logger = Logger::new(Some(Level::Info), Arc::new(Lines::default()), resource);
    let cache = Cache::new(parts, logger);
    cache.fetch().await;
    cache
}

#[tokio::test]
async fn a_hit_on_the_value_that_the_reader_has_allocates_nothing() {
    let cache = hot_cache(15_000).await;
    let Some(AtHand::Other(held)) = cache.at_hand(0, Cache::renew) else {
        panic!("there is a value");
    };
    let mut hits = 0;
    let cost = measure(|| {
        for _ in 0..HITS {
            let at_hand = cache.at_hand(held.number, Cache::renew);
            hits += usize::from(matches!(at_hand, Some(AtHand::Known)));
        }
    });
    assert_eq!(hits, HITS);
    assert_eq!(cost.count_total, 0);
}

#[tokio::test]
async fn a_reader_that_has_another_value_is_given_it_without_a_copy_of_its_text() {
    let cache = hot_cache((4 << 20) - 100).await;
    let mut given = None;
    let cost = measure(|| given = cache.at_hand(0, Cache::renew));
    assert!(matches!(given, Some(AtHand::Other(_))));
    assert!(cost.bytes_total < 1024, "{} bytes", cost.bytes_total);
}
