//! Invalidations that did not reach the store.

use crate::common::{Scene, ScriptedSource, held, prompt, row};
use crate::world::{Instance, T1, T2, World, docs, settled};
use grove_shared_cache::cache::Tier;
use grove_shared_cache::error::{ErrorCode, Fault};
use grove_shared_cache::observe::log::Level;
use grove_shared_cache::protocol::tag_dependency;
use std::time::Duration;
use tokio::time::sleep;

fn pending(instance: &Instance) -> bool {
    instance.cache.context().invalidation_pending()
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_does_not_reach_the_store_fails() {
    let world = World::of(ScriptedSource::of([]));
    let one = world.instance("one");
    world.link.is_down(true);
    let error = one.invalidate().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::StoreUnavailable);
    assert!(error.retryable());
    assert_eq!(error.fault, Some(Fault::Unreachable));
    assert_eq!(one.cache.context().stats.invalidations_failed.get(), 1);
    one.cache.close();
}

/// A cache whose store holds the old prompt, whose source holds the new one, and whose invalidation failed. Time must be paused,
/// so that the retry waits until the test does.
async fn one_that_owes() -> (World, Instance) {
    let scenes = [Scene::Row(row("old", T1)), Scene::Row(row("new", T2))];
    let world = World::of(ScriptedSource::of(scenes));
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    world.link.is_down(true);
    one.invalidate().await.unwrap_err();
    world.link.is_down(false);
    (world, one)
}

#[tokio::test(start_paused = true)]
async fn while_an_invalidation_is_owed_the_store_is_neither_read_nor_filled() {
    let (world, one) = one_that_owes().await;
    assert!(pending(&one));
    let answer = one.read().await;
    assert_eq!(
        (answer.tier, &*answer.value.content),
        (Tier::Source, &*prompt("new"))
    );
    assert_eq!(
        world.link.stored_prompt(),
        Some(prompt("old")),
        "it was not filled"
    );
}

#[tokio::test(start_paused = true)]
async fn while_an_invalidation_is_owed_the_source_is_asked_once_a_lease_and_not_by_each_hit() {
    let (world, one) = one_that_owes().await;
    assert_eq!(one.read().await.tier, Tier::Source);
    let asked = world.source.asked();
    for _ in 0..10 {
        assert_eq!(one.read().await.tier, Tier::Memory);
        settled().await;
    }
    assert_eq!(world.source.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_is_owed_goes_through_by_itself() {
    let (world, one) = one_that_owes().await;
    // Time is paused, so this takes none.
    sleep(Duration::from_secs(1)).await;
    assert!(!pending(&one));
    assert_eq!(world.link.stored_prompt(), Some(prompt("new")));
    assert_eq!(*one.read().await.value.content, *prompt("new"));
    one.filled(2).await;
    world.end_leases();
    assert_eq!(one.read().await.tier, Tier::Redis);
    assert_eq!(
        world.lines.at_least(Level::Error),
        ["[Cache] Invalidation failed: no connection; trying again until it went through"]
    );
    assert_eq!(
        world.lines.at_least(Level::Info).last().unwrap(),
        "[SystemPrompt] Loaded from Supabase: \"Grove\""
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_is_owed_is_tried_again_at_least_every_second() {
    let (world, one) = one_that_owes().await;
    world.link.is_down(true);
    sleep(Duration::from_secs(60)).await;
    world.link.is_down(false);
    assert!(pending(&one));
    sleep(Duration::from_millis(1001)).await;
    assert!(!pending(&one));
}

#[tokio::test(start_paused = true)]
async fn a_later_invalidation_makes_up_for_one_that_failed() {
    let (_world, one) = one_that_owes().await;
    one.invalidate().await.unwrap();
    assert!(!pending(&one));
}

#[tokio::test(start_paused = true)]
async fn a_closed_cache_gives_up_what_it_owes() {
    let (_world, one) = one_that_owes().await;
    one.cache.close();
    sleep(Duration::from_secs(10)).await;
    assert!(pending(&one));
    assert_eq!(one.cache.context().stats.invalidations.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_load_under_way_is_not_stored_while_an_invalidation_is_owed() {
    let (load, release) = held(row("old", T1));
    let world = World::of(ScriptedSource::of([load]));
    let one = world.instance("one");
    let slow = one.begin_read();
    world.source.begun.notified().await;
    world.link.is_down(true);
    one.invalidate().await.unwrap_err();
    world.link.is_down(false);
    release.send(()).unwrap();
    slow.await.unwrap();
    settled().await;
    assert_eq!(world.link.stored_prompt(), None);
    assert_eq!(one.stats().fills.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_is_made_up_for_name_by_name() {
    let world = World::of(ScriptedSource::of([]));
    let one = world.instance("one");
    for id in ["a", "b", "c"] {
        one.ask(id).await;
    }
    one.stored(3).await;
    world.link.is_down(true);
    for id in ["a", "b"] {
        let owed = one.invalidate_docs(&[id]).await;
        assert!(owed.unwrap_err().retryable());
    }
    assert!(pending(&one));
    assert_eq!(
        one.get("a").await.1,
        Tier::Source,
        "nothing of the store is believed"
    );
    world.link.is_down(false);
    let tag = [tag_dependency("tag of c")].into();
    let receipt = one.cache.invalidate(tag, false).await;
    assert!(receipt.unwrap().sequence.is_some());
    assert!(pending(&one), "that was about another");
    sleep(Duration::from_secs(3)).await;
    assert!(!pending(&one));
    let found =
        ["a", "b", "c"].map(|id| world.link.get(&format!("test:docs:{id}:value")).is_some());
    assert_eq!(
        found,
        [false, false, true],
        "a tag's values stay, and are of another generation"
    );
    assert_eq!(one.get("c").await.1, Tier::Source);
}

#[tokio::test(start_paused = true)]
async fn without_a_store_an_invalidation_reaches_its_own_instance() {
    let world = World::of(ScriptedSource::of([]));
    let one = world.alone("one");
    assert_eq!(one.get("a").await.1, Tier::Source);
    assert!(one.at_hand("a").is_some(), "under a lease of its own");
    let receipt = one.cache.invalidate(docs(&["a"]), false).await.unwrap();
    assert_eq!(receipt.sequence, None);
    assert_eq!(one.at_hand("a"), None);
}
