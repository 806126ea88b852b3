//! What is served under a lease, and what a lease needs.

use crate::common::{Scene, ScriptedSource, prompt, row, until};
use crate::world::{LEASE, T1, World, settled};
use grove_shared_cache::cache::Tier;
use grove_shared_cache::store::Phase;
use std::time::Duration;

fn one_row() -> World {
    World::of(ScriptedSource::of([Scene::Row(row("one", T1))]))
}

#[tokio::test(start_paused = true)]
async fn under_a_lease_nobody_is_asked() {
    let world = one_row();
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    world.link.is_down(true);
    world.clock.advance(Duration::from_millis(999));
    let answer = one.read().await;
    assert_eq!(
        (answer.tier, &*answer.value.content),
        (Tier::Memory, &*prompt("one"))
    );
    assert_eq!(one.stats().memory_hits.get(), 1);
    assert_eq!(world.source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_by_a_read_that_does_not_wait_for_it() {
    let world = one_row();
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    world.clock.advance(LEASE * 96 / 100);
    for _ in 0..10 {
        assert_eq!(one.read().await.tier, Tier::Memory);
    }
    until(|| world.link.count("INCRBY") == 2).await;
    settled().await;
    world.clock.advance(LEASE * 9 / 10);
    assert_eq!(one.read().await.tier, Tier::Memory);
    assert_eq!(world.source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_does_not_answer_for_has_no_lease_until_the_breaker_opens() {
    let world = one_row();
    let one = world.instance("one");
    world.link.is_down(true);
    for faults in 1..=5 {
        assert_eq!(one.read().await.tier, Tier::Source, "after {faults}");
    }
    assert_eq!(one.cache.context().breaker(), Some((Phase::Open, 1)));
    let commands = world.link.commands();
    let answer = one.read().await;
    assert_eq!(
        (answer.tier, &*answer.value.content),
        (Tier::Memory, &*prompt("one")),
        "the store is left alone"
    );
    assert_eq!(world.link.commands(), commands);
    world.end_leases();
    assert_eq!(one.read().await.tier, Tier::Source, "for a lease");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_the_store_lost_is_listed_again_before_it_has_a_lease() {
    let world = one_row();
    let one = world.instance("one");
    one.read().await;
    one.filled(1).await;
    assert_eq!(world.link.members(), ["one"]);
    world.link.store.flush();
    assert_eq!(one.read().await.tier, Tier::Memory, "the lease goes on");
    world.end_leases();
    assert_eq!(one.read().await.tier, Tier::Source);
    assert_eq!(world.link.members(), ["one"]);
    assert_eq!(one.read().await.tier, Tier::Memory);
    one.cache.close();
    one.cache.leave().await;
    assert_eq!(world.link.members(), [""; 0]);
    assert_ne!(
        one.read().await.tier,
        Tier::Memory,
        "no receipt waits for it"
    );
}
