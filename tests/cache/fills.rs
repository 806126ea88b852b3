//! Loads and fills: what is joined, what is stored, and who loads for all.

use crate::common::{Scene, ScriptedSource, held, prompt, row, until};
use crate::store::prompt_key;
use crate::world::{T1, T2, World};
use grove_shared_cache::cache::Tier;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_load_begun_before_an_invalidation_is_not_stored() {
    let (load, release) = held(row("old", T1));
    let world = World::of(ScriptedSource::of([load, Scene::NoRow]));
    let one = world.instance("one");
    let slow = one.begin_read();
    world.source.begun.notified().await;
    one.invalidate().await.unwrap();
    release.send(()).unwrap();

    assert_eq!(
        *slow.await.unwrap().value.content,
        *prompt("old"),
        "who asked before is answered"
    );
    one.filled(1).await;
    assert_eq!(one.stats().fills_refused.get(), 1);
    assert_eq!(world.link.stored_prompt(), None);
    world.source.then(Scene::Row(row("new", T2)));
    assert_eq!(*one.read().await.value.content, *prompt("new"));
}

#[tokio::test(start_paused = true)]
async fn a_load_of_another_instance_is_fenced_as_well() {
    let (load, release) = held(row("old", T1));
    let world = World::of(ScriptedSource::of([load]));
    let [one, other] = ["one", "other"].map(|id| world.instance(id));
    let slow = other.begin_read();
    world.source.begun.notified().await;
    world.source.then(Scene::Row(row("new", T2)));
    one.invalidate().await.unwrap();
    assert_eq!(*one.read().await.value.content, *prompt("new"));
    one.filled(1).await;
    release.send(()).unwrap();
    slow.await.unwrap();
    until(|| other.stats().fills_refused.get() == 1).await;
    world.end_leases();
    assert_eq!(
        *one.read().await.value.content,
        *prompt("new"),
        "the old prompt is not back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_that_begins_after_an_invalidation_does_not_join_an_earlier_load() {
    let (load, release) = held(row("old", T1));
    let new = || Scene::Row(row("new", T2));
    let world = World::of(ScriptedSource::of([load, new(), new()]));
    let one = world.instance("one");
    let early = one.begin_read();
    world.source.begun.notified().await;
    one.invalidate().await.unwrap();
    assert_eq!(*one.read().await.value.content, *prompt("new"));
    release.send(()).unwrap();
    assert_eq!(
        *early.await.unwrap().value.content,
        *prompt("new"),
        "an older answer is not delivered after a newer one"
    );
}

#[tokio::test(start_paused = true)]
async fn a_load_begun_before_a_flush_is_not_stored() {
    let (load, release) = held(row("old", T1));
    let world = World::of(ScriptedSource::of([load]));
    let one = world.instance("one");
    let slow = one.begin_read();
    world.source.begun.notified().await;
    world.link.store.flush();
    release.send(()).unwrap();
    slow.await.unwrap();
    one.filled(1).await;
    assert_eq!(one.stats().fills_refused.get(), 1);
    assert_eq!(world.link.stored_prompt(), None);
    assert_eq!(world.link.generation(), None);
}

#[tokio::test(start_paused = true)]
async fn concurrent_reads_share_one_load() {
    let (load, release) = held(row("one", T1));
    let world = World::of(ScriptedSource::of([load]));
    let one = world.instance("one");
    let reads: Vec<_> = (0..50).map(|_| one.begin_read()).collect();
    until(|| one.stats().reads() == 50).await;
    release.send(()).unwrap();
    for read in reads {
        assert_eq!(*read.await.unwrap().value.content, *prompt("one"));
    }
    assert_eq!((world.source.asked(), one.stats().joined.get()), (1, 49));
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_leaves_the_new_value_in_the_store() {
    let scenes = [Scene::Row(row("old", T1)), Scene::Row(row("new", T2))];
    let world = World::of(ScriptedSource::of(scenes));
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    one.invalidate().await.unwrap();
    assert_eq!(world.link.stored_prompt(), Some(prompt("new")));
    let answer = world.instance("two").read().await;
    assert_eq!(
        (answer.tier, &*answer.value.content),
        (Tier::Redis, &*prompt("new"))
    );
    assert_eq!(world.source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_waits_for_a_source_that_hangs_for_a_moment_only() {
    let world = World::of(ScriptedSource::of([Scene::Hang]));
    let begun = Instant::now();
    world.instance("one").invalidate().await.unwrap();
    assert_eq!(begun.elapsed().as_millis(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_invalidations_costs_one_each_hundred_milliseconds() {
    let world = World::of(ScriptedSource::of([Scene::Row(row("one", T1))]));
    let one = world.instance("one");
    one.read().await;
    let begun = Instant::now();
    let mut calls = Vec::new();
    for _ in 0..500 {
        let cache = one.cache.clone();
        calls.push(tokio::spawn(
            cache.invalidate(["system-prompt".into()].into(), false),
        ));
        sleep(Duration::from_millis(2)).await;
    }
    let mut sequences = HashSet::new();
    for call in calls {
        sequences.insert(call.await.unwrap().unwrap().sequence);
    }
    let hundreds = begun.elapsed().as_millis() as usize / 100;
    let count = sequences.len();
    assert!(count <= hundreds + 1, "{count} in {hundreds}00 ms");
    // The last one loaded the value, and few before it.
    assert_eq!(&*one.read().await.value.content, prompt("one"));
    assert!(world.source.asked() <= 4, "{} loads", world.source.asked());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_finds_the_load_claimed_waits_for_it() {
    let (load, release) = held(row("one", T1));
    let world = World::of(ScriptedSource::of([load]));
    let [one, other] = ["one", "other"].map(|id| world.instance(id));
    let first = one.begin_read();
    world.source.begun.notified().await;
    let second = other.begin_read();
    until(|| other.stats().misses.get() == 1).await;
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().tier, Tier::Source);
    assert_eq!(second.await.unwrap().tier, Tier::Redis);
    assert_eq!(world.source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_comes_to_nothing_holds_a_read_up_for_a_moment_only() {
    let world = World::of(ScriptedSource::of([Scene::Row(row("one", T1))]));
    world.link.put(&prompt_key("loader"), Some("1"));
    let begun = Instant::now();
    assert_eq!(world.instance("one").read().await.tier, Tier::Source);
    let waited = begun.elapsed().as_millis();
    assert!((150..=250).contains(&waited), "{waited} ms");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_given_up_is_taken_over() {
    let scenes = [Scene::NoRow, Scene::Row(row("one", T1))];
    let world = World::of(ScriptedSource::of(scenes));
    let one = world.instance("one");
    assert_eq!(one.read().await.tier, Tier::Fallback);
    let begun = Instant::now();
    assert_eq!(one.read().await.tier, Tier::Source);
    assert!(begun.elapsed().as_millis() <= 10, "{:?}", begun.elapsed());
}
