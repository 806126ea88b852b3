//! Resources of many entries: what is shared between them, and what is not.

use crate::common::{ScriptedSource, until};
use crate::world::{Instance, LEASE, World, docs, is, load_failed, text};
use grove_shared_cache::cache::Tier;
use grove_shared_cache::error::ErrorCode;
use grove_shared_cache::http::CONTENT_CAP_BYTES;
use grove_shared_cache::protocol::{resource_dependency, tag_dependency};
use grove_shared_cache::resource::{Kind, Loaded};
use std::sync::atomic::Ordering::SeqCst;

fn world() -> World {
    World::of(ScriptedSource::of([]))
}

#[tokio::test(start_paused = true)]
async fn reads_of_one_entry_share_a_load_and_others_do_not() {
    let world = world();
    let one = world.instance("one");
    world.loader.holds.store(true, SeqCst);
    let asked = ["a", "a", "b", "a"].map(|id| one.cache.ask(&one.entry(id)));
    assert_eq!(asked[0].load, asked[1].load);
    until(|| world.loader.asked() == 2).await;
    world.loader.let_go.notify_waiters();
    for (asked, id) in asked.into_iter().zip(["a", "a", "b", "a"]) {
        assert_eq!(&*asked.answer.await.value.content, id);
    }
    assert_eq!(world.loader.asked(), 2);
    assert_eq!(one.get("a").await, is("a", Tier::Memory));
}

#[tokio::test(start_paused = true)]
async fn that_there_is_none_is_held_for_a_lease_and_never_stored() {
    let world = world();
    let one = world.instance("one");
    world.loader.set("a", Ok(Loaded::NOTHING));
    let answer = one.ask("a").await;
    assert_eq!(answer.tier, Tier::Source);
    assert_eq!(Kind::of(&answer.value), Some(Kind::Nothing));
    assert!(one.at_hand("a").is_some(), "under a lease");
    world.clock.advance(LEASE * 9 / 10);
    assert_eq!(one.get("a").await.1, Tier::Memory);
    assert_eq!(world.loader.asked(), 1);
    world.clock.advance(LEASE);
    world.loader.set("a", Ok(text("now")));
    assert_eq!(one.get("a").await, is("now", Tier::Source));
    one.stored(1).await;
    assert_eq!(world.link.count("Fill"), 1);
}

#[tokio::test(start_paused = true)]
async fn when_a_load_fails_its_fault_is_told_to_the_caller() {
    let world = world();
    let one = world.instance("one");
    world.loader.set("a", Err(load_failed()));
    let answer = one.ask("a").await;
    assert_eq!(
        (answer.tier, answer.fault),
        (Tier::Fallback, Some(load_failed()))
    );
    world.loader.set("a", Ok(text("one")));
    assert_eq!(one.get("a").await, is("one", Tier::Source));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_has_lost_is_not_known_to_have_changed_and_stands_in() {
    let world = world();
    let one = world.instance("one");
    assert_eq!(one.get("a").await, is("a", Tier::Source));
    one.stored(1).await;
    world.loader.set("a", Err(load_failed()));
    world.link.store.flush();
    world.end_leases();
    assert_eq!(one.get("a").await, is("a", Tier::Stale));
    one.invalidate_docs(&["a"]).await.unwrap();
    assert_eq!(one.get("a").await.1, Tier::Fallback);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_silent_too_the_last_known_value_is_served_as_stale() {
    let world = world();
    let one = world.instance("one");
    assert_eq!(one.get("a").await, is("a", Tier::Source));
    one.stored(1).await;
    world.link.is_down(true);
    world.loader.set("a", Err(load_failed()));
    world.end_leases();
    assert_eq!(one.get("a").await, is("a", Tier::Stale));
    assert_eq!(one.get("a").await, is("a", Tier::Stale), "without a lease");
    let owed = one.invalidate_docs(&["a"]).await;
    assert_eq!(owed.unwrap_err().code, ErrorCode::StoreUnavailable);
    let answer = one.ask("a").await;
    assert_eq!(
        (answer.tier, answer.fault),
        (Tier::Fallback, Some(load_failed()))
    );
    one.cache.close();
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_too_large_is_a_fault_and_not_nothing() {
    let world = world();
    let content = "x".repeat(CONTENT_CAP_BYTES + 1);
    world.loader.set("a", Ok(text(&content)));
    let answer = world.instance("one").ask("a").await;
    assert_eq!(answer.tier, Tier::Fallback);
    assert_eq!(answer.fault.unwrap().class(), "too-large");
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_is_of_what_it_names_and_of_nothing_else() {
    let world = world();
    let one = world.instance("one");
    let ids = ["a", "b", "c:%é"];
    for id in ids {
        one.ask(id).await;
    }
    one.stored(3).await;
    let at_hand = || ids.map(|id| one.at_hand(id).is_some());
    one.invalidate_docs(&["x"]).await.unwrap();
    assert_eq!(at_hand(), [true; 3]);
    let tag = [tag_dependency("tag of c:%é")].into();
    one.cache.invalidate(tag, false).await.unwrap();
    assert_eq!(at_hand(), [true, true, false]);
    one.invalidate_docs(&["a"]).await.unwrap();
    assert_eq!(at_hand(), [false, true, false]);
    assert_eq!(one.get("a").await, is("a", Tier::Source));
    let resource = [resource_dependency("docs")].into();
    one.cache.invalidate(resource, false).await.unwrap();
    assert_eq!(at_hand(), [false; 3]);
}

#[tokio::test(start_paused = true)]
async fn invalidations_that_come_together_share_a_command() {
    let world = world();
    let one = world.instance("one");
    one.invalidate_docs(&["x"]).await.unwrap();
    let all: Vec<_> = (0..50)
        .map(|number| one.cache.invalidate(docs(&[&number.to_string()]), false))
        .map(tokio::spawn)
        .collect();
    let mut sequences = Vec::new();
    for invalidation in all {
        sequences.push(invalidation.await.unwrap().unwrap().sequence);
    }
    sequences.dedup();
    assert_eq!(sequences.len(), 1);
    assert_eq!(world.link.count("Invalidate"), 2);
}

#[tokio::test(start_paused = true)]
async fn many_names_go_in_commands_of_a_thousand() {
    let world = world();
    let ids: Vec<_> = (0..2001).map(|number| format!("id {number}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let receipt = world.instance("one").invalidate_docs(&ids).await.unwrap();
    assert!(receipt.sequence.is_some());
    assert_eq!(world.link.count("Invalidate"), 3);
}

/// An instance whose reads find the values of sixty entries in the store.
async fn joins(world: &World, id: &str) -> Instance {
    let instance = world.instance(id);
    // So that it is listed and under a lease, and the looks go out together.
    instance.ask("0").await;
    instance
}

#[tokio::test(start_paused = true)]
async fn looks_that_come_together_share_a_command_and_part_where_the_answer_is_too_large() {
    let world = world();
    let one = world.instance("one");
    let ids: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    for id in &ids {
        one.ask(id).await;
    }
    one.stored(60).await;
    let two = joins(&world, "two").await;
    let looks = world.link.count("MGET");
    let asked = ids[1..].iter().map(|id| two.cache.ask(&two.entry(id)));
    for asked in asked.collect::<Vec<_>>() {
        assert_eq!(asked.answer.await.tier, Tier::Redis);
    }
    let looks = world.link.count("MGET") - looks;
    assert!(looks <= 6, "{looks} for 59");

    let three = joins(&world, "three").await;
    world.link.most_values.store(1, SeqCst);
    let asked = ids[1..].iter().map(|id| three.cache.ask(&three.entry(id)));
    for asked in asked.collect::<Vec<_>>() {
        assert_eq!(asked.answer.await.tier, Tier::Redis);
    }
    let breaker = three.cache.context().breaker();
    assert_eq!(breaker.unwrap().1, 0, "the store was there");
    // One that is too large by itself is loaded.
    let four = joins(&world, "four").await;
    world.link.most_values.store(0, SeqCst);
    let before = world.loader.asked();
    assert_eq!(four.ask("9").await.tier, Tier::Source);
    assert_eq!(world.loader.asked(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn ids_that_look_alike_are_apart() {
    let world = world();
    let one = world.instance("one");
    let ids = [
        "a:b",
        "a%3Ab",
        "a/b",
        "ä",
        "A",
        "a",
        "a:value",
        "*",
        &"x".repeat(512),
    ];
    for id in ids {
        assert_eq!(one.get(id).await, is(id, Tier::Source));
    }
    one.stored(ids.len() as u64).await;
    let other = world.instance("two");
    for id in ids {
        assert_eq!(other.get(id).await, is(id, Tier::Redis));
    }
    one.invalidate_docs(&["a:b"]).await.unwrap();
    let kept = world.link.get("test:docs:a%253Ab:value");
    assert_eq!(kept.as_deref(), Some("a%3Ab"));
}
