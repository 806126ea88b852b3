//! Plain values, probes, announcements, and keys that are evicted.

use crate::world::{SEED, deadline, rejected};
use grove_shared_cache::protocol::Generation;

contract! {
    a_plain_value_is_kept_until_it_is_deleted => |world| {
        let key = &format!("{}:plain", world.keys.prefix);
        assert_eq!(world.store.get(deadline(), key).await, Ok(None));
        world.store.set(deadline(), key, "Grüße\n\"\u{1F333}\"", 300).await.unwrap();
        assert_eq!(world.store.get(deadline(), key).await, Ok(Some("Grüße\n\"\u{1F333}\"".into())));
        world.store.set(deadline(), key, "", 300).await.unwrap();
        assert_eq!(world.store.get(deadline(), key).await, Ok(Some(String::new())));
        assert_eq!(world.store.del(deadline(), key).await, Ok(true));
        assert_eq!(world.store.del(deadline(), key).await, Ok(false));
        assert_eq!(world.store.set(deadline(), key, "x", 0).await, Err(rejected("ERR")));
        world.put_hash(key).await;
        assert_eq!(world.store.get(deadline(), key).await, Err(rejected("WRONGTYPE")));
        assert_eq!(world.store.del(deadline(), key).await, Ok(true));
    }

    a_probe_tells_for_how_long_there_is_a_value => |world| {
        let key = &format!("{}:plain", world.keys.prefix);
        assert_eq!(world.store.probe(deadline(), key).await.unwrap().ttl_seconds, None);
        world.store.set(deadline(), key, "x", 300).await.unwrap();
        let left = world.store.probe(deadline(), key).await.unwrap().ttl_seconds.unwrap();
        assert!((290..=300).contains(&left), "{left}");
        world.put_hash(key).await;
        assert_eq!(world.store.probe(deadline(), key).await.unwrap().ttl_seconds, None);
    }

    an_announcement_needs_no_listener => |world| {
        world.store.publish(deadline(), r#"{"v":2}"#).await.unwrap();
    }

    each_key_of_an_entry_may_be_evicted_alone => |world| {
        world.seed().await;
        let entry = world.entry(&["r:a", "tag:x"]);
        for (place, key) in entry.look().iter().enumerate() {
            world.invalidate(&["r:a"]).await;
            assert!(world.fill(world.filling(&entry, "value").await).await);
            world.tell(&["DEL", key]).await.unwrap();
            let found = world.store.look(deadline(), entry.look()).await.unwrap();
            for (other, text) in found.iter().enumerate() {
                assert_eq!(text.is_none(), other == place, "{key}");
            }
            let snapshot = entry.snapshot(found);
            match place {
                2 => {
                    assert_eq!(snapshot.fence(), None, "no fill without a sequence");
                    world.seed().await;
                }
                3.. => {
                    let minted = Generation::of(snapshot.sequence.unwrap());
                    assert_eq!(snapshot.fence().unwrap()[place - 3], minted);
                }
                _ => assert_eq!(snapshot.fence().unwrap().len(), 2),
            }
        }
        assert!(world.validate().await.sequence.unwrap().number() >= SEED);
    }
}
