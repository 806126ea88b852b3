//! What stands in where the source has no prompt, or does not answer.

use crate::common::{Scene, ScriptedSource, prompt, row};
use crate::world::{Special, T1, World};
use async_trait::async_trait;
use grove_shared_cache::cache::Tier;
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::Deadline;
use grove_shared_cache::observe::log::Level;
use grove_shared_cache::resource::DEFAULT_FALLBACK;
use grove_shared_cache::source::{LegacySource, Row, Source};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;

fn fault() -> Scene {
    Scene::Fault(Fault::Status { status: 503 })
}

/// Gives a value, or never settles.
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

fn with_legacy(value: Option<Value>) -> Special {
    Special {
        legacy: Some(Arc::new(Legacy(value))),
        ..Special::default()
    }
}

#[tokio::test(start_paused = true)]
async fn no_active_row_gives_the_fallback_which_is_never_stored() {
    let scenes = [Scene::NoRow, Scene::Row(row("one", T1))];
    let world = World::of(ScriptedSource::of(scenes));
    let one = world.instance("one");
    let answer = one.read().await;
    assert_eq!(
        (answer.tier, &*answer.value.content),
        (Tier::Fallback, DEFAULT_FALLBACK)
    );
    assert_eq!(world.link.stored_prompt(), None);
    assert_eq!(
        *one.read().await.value.content,
        *prompt("one"),
        "the next read looks again"
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_source_the_legacy_source_stands_in_and_is_never_stored() {
    let world = World::of(ScriptedSource::of([fault()]));
    let legacy = json!({ "content": "legacy prompt", "source": "gcs-legacy" });
    let answer = world.special("one", with_legacy(Some(legacy))).read().await;
    assert_eq!(
        (answer.tier, &*answer.value.content),
        (Tier::Fallback, "legacy prompt")
    );
    assert_eq!(answer.value.source, "gcs-legacy");
    assert_eq!(world.link.stored_prompt(), None);
}

#[tokio::test(start_paused = true)]
async fn a_legacy_value_that_is_no_prompt_gives_the_fallback() {
    let world = World::of(ScriptedSource::of([Scene::NoRow]));
    let one = world.special("one", with_legacy(Some(json!(5))));
    assert_eq!(&*one.read().await.value.content, DEFAULT_FALLBACK);
    let warned = world.lines.at_least(Level::Warn);
    assert!(
        warned
            .iter()
            .any(|line| line.contains("legacySource gave no prompt")),
        "{warned:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_and_a_legacy_source_that_hang_end_with_the_source_timeout() {
    let world = World::of(ScriptedSource::of([Scene::Hang]));
    let begun = Instant::now();
    let answer = world.special("one", with_legacy(None)).read().await;
    assert_eq!(answer.tier, Tier::Fallback);
    assert_eq!(begun.elapsed().as_millis(), 2000);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_leaves_half_of_the_time_to_the_legacy_source() {
    let world = World::of(ScriptedSource::of([Scene::Hang]));
    let begun = Instant::now();
    let one = world.special("one", with_legacy(Some(json!("legacy"))));
    assert_eq!(&*one.read().await.value.content, "legacy");
    assert_eq!(begun.elapsed().as_millis(), 1000);
}

#[tokio::test(start_paused = true)]
async fn the_last_known_value_stands_in_when_neither_store_nor_source_answers() {
    let scenes = [Scene::Row(row("one", T1)), fault(), fault(), fault()];
    let world = World::of(ScriptedSource::of(scenes));
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    world.link.is_down(true);
    for _ in 0..2 {
        world.end_leases();
        let answer = one.read().await;
        assert_eq!(
            (answer.tier, &*answer.value.content),
            (Tier::Stale, &*prompt("one"))
        );
    }
    one.invalidate().await.unwrap_err();
    assert_eq!(
        one.read().await.tier,
        Tier::Fallback,
        "it is known to be superseded"
    );
    assert_eq!(
        world.lines.at_least(Level::Warn)[2],
        "[SystemPrompt] Neither Redis nor the source answers; serving the last known prompt"
    );
    one.cache.close();
}

#[tokio::test(start_paused = true)]
async fn a_value_that_another_instance_invalidated_does_not_stand_in() {
    let scenes = [Scene::Row(row("old", T1)), Scene::NoRow, fault()];
    let world = World::of(ScriptedSource::of(scenes));
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    world.instance("other").invalidate().await.unwrap();
    world.end_leases();
    assert_eq!(one.read().await.tier, Tier::Fallback);
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

#[tokio::test(start_paused = true)]
async fn a_load_that_panics_is_answered_by_the_fallback_and_told() {
    let world = World::of(ScriptedSource::of([]));
    let broken = Special {
        source: Some(Arc::new(Broken)),
        ..Special::default()
    };
    let answer = world.special("one", broken).read().await;
    assert_eq!(answer.tier, Tier::Fallback);
    assert_eq!(&*answer.value.content, DEFAULT_FALLBACK);
    let told = world.lines.at_least(Level::Error);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("A mistake in grove-shared-cache"),
        "{told:?}"
    );
}
