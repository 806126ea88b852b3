//! Looks, claims and fills.

use crate::world::{SEED, deadline, filling, sequence};
use grove_shared_cache::protocol::Generation;
use std::time::Duration;

const TERM: Duration = Duration::from_secs(60);

contract! {
    a_look_tells_what_is_under_each_key => |world| {
        world.put("contract-look", "Grüße \u{1F333}").await;
        let twice = ["contract-look", &world.keys.log, "contract-look"].map(str::to_owned);
        let found = world.store.look(deadline(), twice.to_vec()).await.unwrap();
        assert_eq!(found, [Some("Grüße \u{1F333}".into()), None, Some("Grüße \u{1F333}".into())]);
        let (one, other) = tokio::join!(
            world.store.look(deadline(), twice[1..].to_vec()),
            world.store.look(deadline(), twice[..1].to_vec()),
        );
        assert_eq!((one.unwrap().len(), other.unwrap().len()), (2, 1));
    }

    a_load_is_claimed_by_one_until_it_is_given_up => |world| {
        let claim = &world.entry(&["r:a"]).claim;
        assert_eq!(world.store.claim(deadline(), claim, TERM).await, Ok(true));
        assert_eq!(world.store.claim(deadline(), claim, TERM).await, Ok(false));
        assert!((1..=60).contains(&world.ttl(claim).await));
        world.store.release(deadline(), claim).await.unwrap();
        assert_eq!(world.store.claim(deadline(), claim, TERM).await, Ok(true));
    }

    claims_that_are_made_together_are_answered_each => |world| {
        let keys: Vec<_> = ["r:a", "r:b", "r:c"].map(|name| world.entry(&[name]).claim.clone()).into();
        assert_eq!(world.store.claim(deadline(), &keys[1], TERM).await, Ok(true));
        let claim = |key| world.store.claim(deadline(), key, TERM);
        let (a, b, c, again) = tokio::join!(claim(&keys[0]), claim(&keys[1]), claim(&keys[2]), claim(&keys[0]));
        assert_eq!((a, b, c, again), (Ok(true), Ok(false), Ok(true), Ok(false)));
    }

    a_fill_is_read_back_whole => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a", "r:*", "tag:x"]);
        assert!(world.fill(world.filling(&entry, "Grüße \u{1F333}").await).await);
        let found = world.store.look(deadline(), entry.look()).await.unwrap();
        let minted = Some(SEED.to_string());
        let expected = [Some("Grüße \u{1F333}".into()), Some(r#"{"a":"Grüße"}"#.into()), minted.clone()];
        assert_eq!(found[..3], expected);
        assert!(found[3..].iter().all(|it| *it == minted), "missing generations are of the sequence");
        assert_eq!(world.text(&entry.version).await, Some("1".into()));
        for key in [&entry.value, &entry.version, &entry.config] {
            assert!((290..=300).contains(&world.ttl(key).await));
        }
        let kept = [&entry.generations[0], &entry.generations[2]].map(|(key, _)| key);
        for key in kept {
            assert!((86_600..=86_700).contains(&world.ttl(key).await));
        }
        assert_eq!(world.ttl(&entry.generations[1].0).await, -1, "that of a resource is kept for ever");
    }

    a_fill_replaces_what_is_no_text => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a"]);
        for key in [&entry.value, &entry.version, &entry.config, &entry.generations[0].0] {
            world.put_hash(key).await;
        }
        assert!(world.fill(world.filling(&entry, "value").await).await);
        assert_eq!(world.text(&entry.value).await, Some("value".into()));
        assert_eq!(world.text(&entry.generations[0].0).await, Some(SEED.to_string()));
    }

    a_fill_from_before_an_invalidation_is_refused => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a", "r:*", "tag:x"]);
        for name in ["r:a", "r:*", "tag:x"] {
            let late = world.filling(&entry, "late").await;
            world.invalidate(&[name]).await;
            assert!(!world.fill(late).await, "after one of {name}");
            assert_ne!(world.text(&entry.value).await, Some("late".into()));
            assert!(world.fill(world.filling(&entry, "value").await).await);
        }
    }

    a_missing_generation_fits_only_at_the_sequence_at_which_it_was_missing => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a", "tag:x"]);
        let late = world.filling(&entry, "late").await;
        world.invalidate(&["r:other"]).await;
        assert!(!world.fill(late).await);
        assert_eq!(world.text(&entry.value).await, None);
        assert!(world.fill(world.filling(&entry, "value").await).await);
    }

    a_generation_that_was_evicted_refuses_what_it_fenced => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a", "tag:x"]);
        world.invalidate(&["r:a", "tag:x"]).await;
        for (key, _) in &entry.generations {
            let seen = world.filling(&entry, "value").await;
            world.invalidate(&["r:other"]).await;
            world.tell(&["DEL", key]).await.unwrap();
            assert!(!world.fill(seen).await, "{key}");
        }
    }

    generations_that_are_not_ours_fence_as_well => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a"]);
        let key = &entry.generations[0].0;
        for foreign in ["canary", "", "0", "5 "] {
            world.put(key, foreign).await;
            assert!(world.fill(world.filling(&entry, "value").await).await, "{foreign:?}");
            let fence = vec![Generation::of(sequence(SEED))];
            assert!(!world.fill(filling(&entry, fence, "other")).await, "{foreign:?}");
            assert_eq!(world.text(&entry.value).await, Some("value".into()));
            let committed = world.invalidate(&["r:a"]).await;
            assert_eq!(world.text(key).await, Some(committed.record.sequence.to_string()));
        }
    }

    without_a_sequence_nothing_is_filled => |world| {
        let entry = world.entry(&["r:a"]);
        let fence = || vec![Generation::of(sequence(SEED))];
        assert!(!world.fill(filling(&entry, fence(), "value")).await);
        world.tell(&["INCRBY", &world.keys.sequence, "0"]).await.unwrap();
        assert!(!world.fill(filling(&entry, fence(), "value")).await);
        world.put_hash(&world.keys.sequence).await;
        assert!(!world.fill(filling(&entry, fence(), "value")).await);
        assert_eq!(world.text(&entry.value).await, None);
        assert_eq!(world.text(&entry.generations[0].0).await, None, "and none is made");
    }

    fills_that_are_made_together_are_judged_each => |world| {
        world.seed().await;
        let entries = ["r:a", "r:b", "r:c"].map(|name| world.entry(&[name, "tag:x"]));
        let first = world.filling(&entries[0], "a").await;
        let second = world.filling(&entries[1], "b").await;
        world.invalidate(&["r:b"]).await;
        let third = world.filling(&entries[2], "c").await;
        let (a, b, c) = tokio::join!(world.fill(third), world.fill(second), world.fill(first));
        assert_eq!((a, b, c), (true, false, false), "the sequence went on, and their tag was missing");
        let texts = [&entries[0], &entries[1], &entries[2]].map(|entry| entry.value.clone());
        let found = world.store.look(deadline(), texts.into()).await.unwrap();
        assert_eq!(found, [None, None, Some("c".into())]);
    }
}
