//! Invalidations: what they drop and make, and whom they ask. What they log is in [`crate::sequence`].

use crate::world::{SEED, deadline, sequence};
use std::time::Duration;

const LINE: &str = r#"{"applied":7,"leaseMs":1000,"at":5}"#;

contract! {
    an_invalidation_drops_the_value_and_makes_a_generation => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a", "r:*"]);
        assert!(world.fill(world.filling(&entry, "value").await).await);
        let committed = world.invalidate(&["r:a"]).await;
        assert_eq!(committed.record.sequence, sequence(SEED + 1));
        let found = world.store.look(deadline(), entry.look()).await.unwrap();
        let (next, before) = (Some((SEED + 1).to_string()), Some(SEED.to_string()));
        assert_eq!(found, [None, None, next.clone(), next, before]);
        assert_eq!(world.text(&entry.version).await, None);
        assert!((86_600..=86_700).contains(&world.ttl(&entry.generations[0].0).await));
    }

    one_of_many_entries_drops_them_all => |world| {
        world.seed().await;
        let names: Vec<String> = (0..400).map(|id| format!("r:{id}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let entries = [world.entry(&[names[0]]), world.entry(&[names[399]])];
        for entry in &entries {
            assert!(world.fill(world.filling(entry, "value").await).await);
        }
        world.invalidate(&names).await;
        for entry in &entries {
            assert_eq!(world.text(&entry.value).await, None);
            assert_eq!(world.text(&entry.generations[0].0).await, Some((SEED + 1).to_string()));
        }
    }

    one_of_a_resource_or_a_tag_drops_nothing_and_makes_its_generation => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a", "r:*", "tag:x"]);
        assert!(world.fill(world.filling(&entry, "value").await).await);
        world.invalidate(&["r:*"]).await;
        world.invalidate(&["tag:x"]).await;
        let found = world.store.look(deadline(), entry.look()).await.unwrap();
        assert_eq!(found[0], Some("value".into()));
        let generations = [SEED, SEED + 1, SEED + 2].map(|it| Some(it.to_string()));
        assert_eq!(found[3..], generations);
        assert_eq!(world.ttl(&entry.generations[1].0).await, -1, "that of a resource is kept for ever");
        assert!(world.ttl(&entry.generations[2].0).await > 86_400);
    }

    what_is_no_text_is_dropped_and_replaced => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a"]);
        world.put_hash(&entry.value).await;
        world.put_hash(&entry.generations[0].0).await;
        world.invalidate(&["r:a"]).await;
        assert_eq!(world.ttl(&entry.value).await, -2);
        assert_eq!(world.text(&entry.generations[0].0).await, Some((SEED + 1).to_string()));
    }

    one_that_loads_the_new_value_claims_that => |world| {
        let entry = world.entry(&["system-prompt"]);
        let term = Duration::from_secs(60);
        let mut invalidation = world.invalidation(&["system-prompt"]);
        invalidation.drops.retain(|key| *key != entry.claim);
        invalidation.claim = Some((entry.claim.clone(), term));
        world.commit(invalidation).await;
        assert_eq!(world.store.claim(deadline(), &entry.claim, term).await, Ok(false));
        assert!((1..=60).contains(&world.ttl(&entry.claim).await));
        world.invalidate(&["system-prompt"]).await;
        assert_eq!(world.store.claim(deadline(), &entry.claim, term).await, Ok(true), "dropped");
    }

    the_members_are_told_of_only_where_that_is_asked => |world| {
        world.store.list(deadline(), "a1", LINE).await.unwrap();
        assert!(world.invalidate(&["r:a"]).await.roster.members.is_empty());
        let mut asked = world.invalidation(&["r:a"]);
        asked.acknowledge = true;
        let first = world.commit(asked).await;
        assert!(first.record.notes.acknowledge && first.record.notes.members_lost);
        assert_eq!(first.roster.unsettled, Some(first.record.sequence.to_string()));
        assert_eq!(first.roster.members.len(), 1);
        assert_eq!((&*first.roster.members[0].0, &*first.roster.members[0].2), ("a1", LINE));
        let mut asked = world.invalidation(&["r:a"]);
        asked.acknowledge = true;
        let second = world.commit(asked).await;
        assert!(!second.record.notes.members_lost, "it was noticed before");
        assert_eq!(second.roster.unsettled, first.roster.unsettled);
        world.store.settle(deadline(), &first.record.sequence.to_string()).await.unwrap();
        let mut asked = world.invalidation(&["r:a"]);
        asked.acknowledge = true;
        assert_eq!(world.commit(asked).await.roster.unsettled, None);
    }

    what_is_no_list_of_members_is_replaced => |world| {
        world.put(&world.keys.members, "canary").await;
        let mut asked = world.invalidation(&["r:a"]);
        asked.acknowledge = true;
        let committed = world.commit(asked).await;
        assert!(committed.record.notes.members_lost);
        assert!(committed.roster.members.is_empty());
        let roster = world.store.roster(deadline()).await.unwrap();
        assert_eq!(roster.unsettled, Some(committed.record.sequence.to_string()));
    }

    none_of_nothing_moves_the_sequence => |world| {
        world.seed().await;
        let committed = world.invalidate(&[]).await;
        assert_eq!(committed.record.sequence, sequence(SEED + 1));
        assert_eq!(world.validate().await.sequence, Some(sequence(SEED + 1)));
    }
}
