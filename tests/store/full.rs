//! A Redis without memory to spare, which takes no write that needs any. With a Redis of its own for each test.

use crate::stack::Stack;
use crate::world::{SEED, World, deadline, rejected, sequence};

async fn fill_up(world: &World) {
    for (name, value) in [("maxmemory-policy", "noeviction"), ("maxmemory", "1")] {
        let set = world.tell(&["CONFIG", "SET", name, value]).await;
        set.unwrap();
    }
}

#[tokio::test]
async fn a_full_redis_confirms_and_is_looked_at_but_lists_nobody() {
    let stack = Stack::store(&[]);
    let world = World::on(&stack);
    world.seed().await;
    world.put("beside", "value").await;
    fill_up(&world).await;
    for listing in [Some(("a1", "line".to_owned())), None] {
        for look in [vec!["beside".to_owned()], vec![]] {
            let validated = world
                .store
                .validate(deadline(), listing.clone(), look.clone());
            let validated = validated.await.unwrap();
            assert_eq!(validated.sequence, Some(sequence(SEED)));
            assert!(!validated.listed);
            assert_eq!(validated.found.len(), look.len());
            assert!(
                validated
                    .found
                    .iter()
                    .all(|it| it.as_deref() == Some("value"))
            );
        }
    }
}

#[tokio::test]
async fn a_full_redis_is_invalidated_but_not_filled() {
    let stack = Stack::store(&[]);
    let world = World::on(&stack);
    world.seed().await;
    let entry = world.entry(&["r:a"]);
    let filling = world.filling(&entry, "value").await;
    assert!(world.fill(filling.clone()).await);
    fill_up(&world).await;
    let refused = world.store.fill(deadline(), filling).await;
    assert_eq!(refused, Err(rejected("OOM")));
    let mut invalidation = world.invalidation(&["r:a"]);
    invalidation.acknowledge = true;
    let record = world.commit(invalidation).await.record;
    assert_eq!(record.sequence, sequence(SEED + 1));
    assert_eq!(world.text(&entry.value).await, None);
    assert_eq!(world.store.log(deadline(), 10).await, Ok(vec![record]));
}

#[tokio::test]
async fn a_full_redis_without_a_sequence_has_none() {
    let stack = Stack::store(&[]);
    let world = World::on(&stack);
    fill_up(&world).await;
    assert_eq!(world.validate().await.sequence, None);
}
