//! How much a cache holds.

use crate::common::ScriptedSource;
use crate::world::{Instance, Special, World, is, text};
use grove_shared_cache::cache::Tier;
use grove_shared_cache::config::Capacity;

fn limited(max_entries: u64, max_bytes: u64) -> (World, Instance) {
    let world = World::of(ScriptedSource::of([]));
    let special = Special {
        capacity: Capacity {
            max_entries,
            max_bytes,
        },
        logs: false,
        ..Special::default()
    };
    let one = world.special("one", special);
    (world, one)
}

#[tokio::test(start_paused = true)]
async fn no_more_entries_are_held_than_allowed_and_what_is_read_again_stays() {
    let (_world, one) = limited(100, 64 << 20);
    for id in 0..1000 {
        one.get("hot").await;
        one.get(&id.to_string()).await;
    }
    let entries = &one.cache.entries;
    assert!(entries.count() <= 100);
    assert!(one.at_hand("hot").is_some());
    assert_eq!(entries.evictions() as usize, 1001 - entries.count());
    assert_eq!(entries.take_vacated().len() as u64, entries.evictions());
    assert!(entries.take_vacated().is_empty(), "each is told once");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_takes_no_more_bytes_than_allowed() {
    let max_bytes = 4 << 20;
    let (world, one) = limited(100_000, max_bytes);
    for id in 0..500 {
        let id = id.to_string();
        world.loader.set(&id, Ok(text(&"x".repeat(30_000))));
        one.get(&id).await;
        let bytes = one.cache.entries.bytes();
        assert!(bytes <= max_bytes, "{bytes} bytes");
    }
    let bytes = one.cache.entries.bytes();
    assert!(
        bytes >= max_bytes * 95 / 100 - 31_100,
        "{bytes} bytes: room is used"
    );
    let ids = (0..500).map(|id| id.to_string());
    let held = ids.filter(|id| one.at_hand(id).is_some()).count();
    assert!(held > 100 && held as u64 * 30_000 <= bytes, "{held} values");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_larger_than_all_room_is_served_and_not_held() {
    let (world, one) = limited(1000, 100_000);
    one.get("small").await;
    world.loader.set("large", Ok(text(&"x".repeat(200_000))));
    for _ in 0..2 {
        let (content, tier) = one.get("large").await;
        assert_eq!(content.len(), 200_000);
        assert!(matches!(tier, Tier::Source | Tier::Redis), "{tier:?}");
        assert_eq!(one.at_hand("large"), None);
    }
    assert!(one.cache.entries.bytes() <= 100_000);
    assert!(one.cache.find(&one.docs, "large").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_evicted_entry_that_somebody_keeps_is_invalidated_like_any_other() {
    let (world, one) = limited(4, 64 << 20);
    let mut entries = Vec::new();
    for id in 0..20 {
        let id = id.to_string();
        entries.push(one.entry(&id));
        one.get(&id).await;
    }
    let evicted = entries.iter().find(|entry| entry.is_evicted());
    let kept = evicted.expect("there is room for four");
    let (id, another) = (&*kept.id, &*entries[19].id);
    let read = async || {
        let answer = one.cache.fetch(kept).await;
        (answer.value.content.to_string(), answer.tier)
    };
    assert_eq!(read().await, is(id, Tier::Memory));
    one.invalidate_docs(&[another]).await.unwrap();
    assert_eq!(read().await, is(id, Tier::Memory));
    world.loader.set(id, Ok(text("new")));
    one.invalidate_docs(&[id]).await.unwrap();
    assert_eq!(read().await, is("new", Tier::Source));
}
