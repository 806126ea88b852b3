//! The order of the tiers: memory, store, source; and what the log says of it.

use crate::common::{LIMITS, Scene, ScriptedSource, prompt, row, until};
use crate::world::{LEASE, Special, T1, T2, World};
use grove_shared_cache::cache::Tier;
use grove_shared_cache::config::Limits;
use grove_shared_cache::error::Fault;
use grove_shared_cache::observe::log::Level;
use grove_shared_cache::protocol::Generation;
use serde_json::json;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

fn one_row() -> World {
    World::of(ScriptedSource::of([Scene::Row(row("one", T1))]))
}

#[tokio::test(start_paused = true)]
async fn what_the_source_gave_is_stored_and_the_next_read_is_a_hit() {
    let world = one_row();
    let one = world.instance("one");
    let first = one.read().await;
    one.filled(1).await;
    let second = world.instance("two").read().await;
    assert_eq!((first.tier, second.tier), (Tier::Source, Tier::Redis));
    assert_eq!(*second.value.content, *prompt("one"));
    assert_eq!(
        second.value, first.value,
        "the store gives back all that the source gave"
    );
    assert_eq!(second.generation, first.generation);
    assert_eq!(world.source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_without_a_sequence_is_given_one_by_the_first_read() {
    let world = one_row();
    world.link.store.flush();
    let one = world.instance("one");
    assert_eq!(one.read().await.tier, Tier::Source);
    assert!(world.link.sequence().is_some());
    // There was no sequence for a fill to be fenced by; a hit before the lease ends sees to it.
    world.clock.advance(LEASE * 96 / 100);
    assert_eq!(one.read().await.tier, Tier::Memory);
    one.filled(1).await;
    assert_eq!(world.instance("two").read().await.tier, Tier::Redis);
}

#[tokio::test(start_paused = true)]
async fn a_read_tells_its_hit_at_debug_level_only() {
    let world = one_row();
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    world.lines.take();
    one.read().await;
    world.end_leases();
    one.read().await;
    assert_eq!(world.lines.at_least(Level::Info), [""; 0]);
    assert_eq!(
        world.lines.at_least(Level::Debug),
        [
            "[SystemPrompt] Cache hit (memory)",
            "[SystemPrompt] Cache hit (Redis)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_loaded_again() {
    let scenes = [Scene::Row(row("one", T1)), Scene::Row(row("two", T2))];
    let world = World::of(ScriptedSource::of(scenes));
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(*one.read().await.value.content, *prompt("two"));
}

#[tokio::test(start_paused = true)]
async fn without_the_store_the_source_is_read_and_the_outage_is_told_once() {
    let world = one_row();
    let one = world.instance("one");
    world.link.is_down(true);
    for _ in 0..3 {
        let answer = one.read().await;
        assert_eq!(
            (answer.tier, answer.generation.is_none()),
            (Tier::Source, true)
        );
        world.end_leases();
    }
    world.link.is_down(false);
    one.read().await;
    assert_eq!(
        world.lines.at_least(Level::Info),
        [
            "[SystemPrompt] Redis unavailable (no connection); reading from the source",
            "[SystemPrompt] Loaded from Supabase: \"Grove\"",
            "[SystemPrompt] Redis answers again",
            "[SystemPrompt] Loaded from Supabase: \"Grove\"",
        ]
    );
    assert_eq!(one.stats().store_faults.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_no_prompt_is_told_once_by_its_id_and_not_stored() {
    let mut broken = row("one", T1);
    broken.insert("payload".into(), json!({ "identity": ["secret"] }));
    let world = World::of(ScriptedSource::of([Scene::Row(broken)]));
    let one = world.instance("one");
    for _ in 0..3 {
        assert_eq!(one.read().await.tier, Tier::Fallback);
    }
    assert_eq!(world.link.stored_prompt(), None);
    assert_eq!(
        world.lines.at_least(Level::Info),
        [
            "[SystemPrompt] Row 7c9e6679-7425-40de-944b-e07fc1f90ae7 is no prompt: section identity is not a string",
            "[SystemPrompt] Using fallback prompt",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_prompt_over_the_cap_is_no_prompt() {
    let large = Scene::Row(row(&"x".repeat(4 << 20), T1));
    let world = World::of(ScriptedSource::of([large]));
    assert_eq!(world.instance("one").read().await.tier, Tier::Fallback);
    let told = world.lines.at_least(Level::Warn);
    assert!(
        told[0].ends_with("it is larger than 4194304 bytes"),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_that_comes_back_is_told_again() {
    let world = World::of(ScriptedSource::of([Scene::NoRow, Scene::NoRow]));
    let one = world.instance("one");
    let no_row = ["[SystemPrompt] No row is active"];
    one.read().await;
    assert_eq!(world.lines.at_least(Level::Warn), no_row);

    let source = ScriptedSource::of([Scene::Row(row("one", T1))]);
    let other = Special {
        source: Some(source),
        ..Special::default()
    };
    let other = world.special("other", other);
    other.read().await;
    other.filled(1).await;
    assert_eq!(one.read().await.tier, Tier::Redis);
    world.lines.take();

    world.link.store.flush();
    world.end_leases();
    one.read().await;
    let warned = world.lines.at_least(Level::Warn);
    assert_eq!(warned, no_row, "it had ended in between");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_can_be_read_and_not_filled_is_told_once() {
    let world = one_row();
    world.link.refuses_fills.store(true, SeqCst);
    let asks_always = Special {
        limits: Limits {
            max_staleness: Duration::ZERO,
            ..LIMITS
        },
        ..Special::default()
    };
    let one = world.special("one", asks_always);
    for reads in 1..=3 {
        let answer = one.read().await;
        assert_eq!(*answer.value.content, *prompt("one"));
        if answer.tier == Tier::Source {
            until(|| one.stats().store_faults.get() == reads).await;
        }
    }
    assert_eq!(
        world.lines.at_least(Level::Warn),
        ["[SystemPrompt] Not stored: a limit of the plan is used up"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_fallback_names_the_generation_that_the_store_gave() {
    let world = World::of(ScriptedSource::of([Scene::NoRow]));
    let one = world.instance("one");
    let receipt = one.invalidate().await.unwrap();
    let generation = receipt.sequence.map(Generation::of);
    assert_eq!(one.read().await.generation, generation);
}

#[tokio::test(start_paused = true)]
async fn the_last_fault_is_known_by_its_class() {
    let world = World::of(ScriptedSource::of([Scene::Fault(Fault::QuotaExceeded)]));
    let one = world.instance("one");
    one.read().await;
    assert_eq!(one.stats().last_source_fault.get(), Some("quota"));
}
