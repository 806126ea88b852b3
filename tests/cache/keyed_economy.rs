//! What many entries cost: commands of the store, loads from the source, and work on an invalidation.

use crate::common::{ScriptedSource, until};
use crate::world::{Instance, LEASE, Special, World, is, settled, text};
use allocation_counter::measure;
use grove_shared_cache::cache::Tier;
use grove_shared_cache::protocol::Scope;

fn quiet(push: bool) -> Special {
    Special {
        push,
        logs: false,
        ..Special::default()
    }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("id {number}")).collect()
}

/// Loads and stores these, many at a time.
async fn fill(instance: &Instance, ids: &[String]) {
    instance.ask(&ids[0]).await;
    for ids in ids.chunks(1000) {
        let asked = ids.iter().map(|id| instance.cache.ask(&instance.entry(id)));
        for asked in asked.collect::<Vec<_>>() {
            asked.answer.await;
        }
    }
    instance.stored(ids.len() as u64).await;
}

/// An instance that listens, and holds so many entries that are stored.
async fn hot(world: &World, ids: &[String]) -> Instance {
    let one = world.special("one", quiet(true));
    fill(&one, ids).await;
    until(|| one.cache.context().push().1).await;
    one
}

#[tokio::test(start_paused = true)]
async fn a_hit_asks_nobody() {
    let world = World::of(ScriptedSource::of([]));
    let ids = ids(100);
    let one = hot(&world, &ids).await;
    let commands = world.link.commands();
    for _ in 0..100 {
        for id in &ids {
            assert_eq!(one.get(id).await, is(id, Tier::Memory));
        }
    }
    settled().await;
    assert_eq!(world.link.commands(), commands);
    assert_eq!(world.loader.asked(), ids.len());
}

#[tokio::test(start_paused = true)]
async fn however_many_entries_are_hot_a_lease_costs_one_command_and_a_change_one_reload() {
    const LEASES: usize = 20;
    for count in [1, 1000, 10_000] {
        let world = World::of(ScriptedSource::of([]));
        let ids = ids(count);
        let one = hot(&world, &ids).await;
        let other = world.special("other", quiet(false));
        let (before, loads) = (one.cache.context().store_commands(), world.loader.asked());
        for lease in 0..LEASES {
            let changed = &ids[lease * 7 % count];
            let new = format!("{changed} in lease {lease}");
            world.loader.set(changed, Ok(text(&new)));
            let pushes = one.cache.context().stats.pushes.get();
            other.invalidate_docs(&[changed]).await.unwrap();
            until(|| one.cache.context().stats.pushes.get() > pushes).await;
            let fills = one.docs.stats().fills.get();
            assert_eq!(one.get(changed).await, is(&new, Tier::Source));
            one.stored(fills + 1).await;
            world.clock.advance(LEASE * 96 / 100);
            for id in &ids {
                assert_eq!(one.get(id).await.1, Tier::Memory);
            }
            settled().await;
        }
        let commands = one.cache.context().store_commands() - before;
        let most = LEASES * 13 / 10 + LEASES * 4;
        assert!(
            commands <= most as u64,
            "{commands} commands for {count} entries in {LEASES} leases"
        );
        assert_eq!(world.loader.asked() - loads, LEASES, "one reload for each");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_not_announced_costs_a_look_into_the_log() {
    const LEASES: usize = 20;
    let world = World::of(ScriptedSource::of([]));
    let ids = ids(1000);
    let one = world.special("one", quiet(false));
    fill(&one, &ids).await;
    let other = world.special("other", quiet(false));
    let (before, loads) = (one.cache.context().store_commands(), world.loader.asked());
    for lease in 0..LEASES {
        let changed = &ids[lease * 7];
        other.invalidate_docs(&[changed]).await.unwrap();
        world.end_leases();
        let fills = one.docs.stats().fills.get();
        assert_eq!(one.get(changed).await, is(changed, Tier::Source));
        one.stored(fills + 1).await;
        for id in &ids {
            assert_eq!(one.get(id).await.1, Tier::Memory);
        }
    }
    let commands = one.cache.context().store_commands() - before;
    assert!(
        commands <= (LEASES * 13 / 10 + LEASES * 4) as u64,
        "{commands} commands in {LEASES} leases"
    );
    assert_eq!(world.loader.asked() - loads, LEASES);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_does_not_walk_the_entries() {
    let mut costs = Vec::new();
    for count in [10, 10_000] {
        let world = World::of(ScriptedSource::of([]));
        let one = hot(&world, &ids(count)).await;
        let watermark = &one.cache.context().watermark;
        // What is remembered of it has its room.
        for _ in 0..1000 {
            watermark.supersede(Scope::parse("tag:none"));
        }
        let scope = Scope::parse("docs:*");
        costs.push(measure(|| watermark.supersede(scope)));
        assert_eq!(one.at_hand("id 3"), None);
    }
    assert_eq!(costs[0].bytes_total, costs[1].bytes_total);
    assert_eq!(costs[0].count_total, costs[1].count_total);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_loads_an_entry_once_per_expiry_and_not_all_at_once() {
    const ENTRIES: usize = 50;
    let world = World::of(ScriptedSource::of([]));
    let fleet = ["one", "two", "three", "four"].map(|id| world.special(id, quiet(false)));
    let ids = ids(ENTRIES);
    let (mut most, mut before) = (0, 0);
    // Two times to live, and a third that ends early.
    for _ in 0..800 {
        world.clock.advance(LEASE * 96 / 100);
        for instance in &fleet {
            for id in &ids {
                let (content, tier) = instance.get(id).await;
                assert_eq!(&content, id);
                let waits = tier == Tier::Source && before >= ENTRIES;
                assert!(!waits, "a reader waited for the source");
            }
            settled().await;
        }
        let asked = world.loader.asked();
        if before >= ENTRIES {
            most = most.max(asked - before);
        }
        before = asked;
    }
    // Each is loaded anew at 70 to 90 per cent of 300 seconds: at first, and then three times in 768 seconds.
    assert!(
        (ENTRIES * 3..=ENTRIES * 5).contains(&before),
        "{before} loads"
    );
    assert!(most <= ENTRIES / 3, "{most} at once");
}
