//! What a hit may cost: counts that no machine changes.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use allocation_counter::measure;
use common::{HandClock, LIMITS, Lines, Scene, ScriptedSource, row};
use grove_shared_cache::cache::{CachedEntry, Found, Parts, SharedCache, SingleParts};
use grove_shared_cache::config::{Capacity, SYSTEM_PROMPT};
use grove_shared_cache::near::HitValue;
use grove_shared_cache::observe::log::Level;
use grove_shared_cache::resource::SystemPrompt;
use grove_shared_cache::testing::mutants::Mutation;
use std::sync::Arc;

const HITS: usize = 1000;

struct Hot {
    cache: Arc<SharedCache>,
    entry: Arc<CachedEntry>,
}

impl Hot {
    /// A cache that has just loaded a prompt of so many bytes.
    async fn of(bytes: usize) -> Self {
        let parts = Parts {
            id: "test".into(),
            prefix: "test".into(),
            link: None,
            no_store: None,
            channel: None,
            clock: Arc::new(HandClock::default()),
            limits: LIMITS,
            mutation: Mutation::NONE,
        };
        let capacity = Capacity {
            max_entries: 1,
            max_bytes: 1 << 20,
        };
        let sink = Arc::new(Lines::default());
        let cache = SharedCache::new(parts, capacity, None, Some(Level::Info), sink);
        let row = row(&"x".repeat(bytes), "2026-01-01T00:00:00+00:00");
        let entry = cache.add_single(SingleParts {
            name: SYSTEM_PROMPT.into(),
            resource: Arc::new(SystemPrompt::new(None)),
            source: Some(ScriptedSource::of([Scene::Row(row)])),
            no_source: None,
            legacy: None,
        });
        cache.fetch(&entry).await;
        Hot { cache, entry }
    }

    fn hit(&self, known: u64) -> Option<HitValue> {
        let Found { value, .. } = self.cache.hit(&self.entry, known)?;
        Some(value)
    }
}

#[tokio::test]
async fn a_hit_on_the_value_that_the_reader_has_allocates_nothing() {
    let hot = Hot::of(15_000).await;
    let Some(HitValue::Other(held)) = hot.hit(0) else {
        panic!("there is a value");
    };
    let mut hits = 0;
    let cost = measure(|| {
        for _ in 0..HITS {
            hits += usize::from(matches!(hot.hit(held.number), Some(HitValue::Known)));
        }
    });
    assert_eq!(hits, HITS);
    assert_eq!(cost.count_total, 0);
}

#[tokio::test]
async fn a_reader_that_has_another_value_is_given_it_without_a_copy_of_its_text() {
    let hot = Hot::of((4 << 20) - 100).await;
    let mut given = None;
    let cost = measure(|| given = hot.hit(0));
    assert!(matches!(given, Some(HitValue::Other(_))));
    assert!(cost.bytes_total < 1024, "{} bytes", cost.bytes_total);
}
