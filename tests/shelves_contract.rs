//! The contract of the entries of a collection, over the embedded store and over a real Redis.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use common::HandClock;
use common::stack::stack;
use grove_shared_cache::core::clock::SystemClock;
use grove_shared_cache::core::http::{Deadline, Http, Trust};
use grove_shared_cache::core::protocol::{Generation, Keys, Record};
use grove_shared_cache::core::store::memory::Memory;
use grove_shared_cache::core::store::shelves::{EntryKeys, Fence, Filling, Opened, Shelves};
use grove_shared_cache::core::store::upstash::Upstash;
use grove_shared_cache::core::store::{Fill, SharedStore};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const NOW_MS: u64 = 1_800_000_000_000;
const KEPT: Duration = Duration::from_secs(5000);
const TERM: Duration = Duration::from_secs(60);

fn fresh_prefix() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("shelves:{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

fn filling(entry: &EntryKeys, fences: &[Fence], content: &str) -> Filling {
    Filling {
        keys: entry.clone(),
        fences: fences.to_vec(),
        record: record(content),
        ttl_seconds: 300,
        kept: KEPT,
    }
}

fn client(url: &str) -> Http {
    let (trust, clock) = (Trust::new(None).unwrap(), Arc::new(SystemClock));
    Http::new(&url.parse().unwrap(), &trust, clock).unwrap()
}

fn upstash(prefix: &str) -> Arc<Upstash> {
    let url = stack().variable("UPSTASH_REDIS_REST_URL");
    let token = stack().variable("UPSTASH_REDIS_REST_TOKEN");
    let keys = Keys::under(prefix);
    let store = Upstash::new(client(&url), url.parse().unwrap(), token, keys);
    Arc::new(store)
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

fn record(content: &str) -> Record {
    Record {
        content: content.into(),
        version: "2026-01-01T00:00:00Z".into(),
        config: "{}".into(),
    }
}

/// An entry of two tags, and the keys of its generations.
fn entry(prefix: &str) -> (EntryKeys, Vec<String>) {
    let generations = ["r:a", "r", "tag:x", "tag:y"].map(|it| format!("{prefix}:{it}:generation"));
    (EntryKeys::of(prefix, "r:a"), generations.into())
}

fn fences(keys: &[String], generations: &[Generation]) -> Vec<Fence> {
    keys.iter()
        .cloned()
        .zip(generations.iter().cloned())
        .collect()
}

fn drops(keys: &EntryKeys) -> Vec<String> {
    vec![
        keys.value.clone(),
        keys.version.clone(),
        keys.config.clone(),
    ]
}

trait Both: Shelves + SharedStore {}
impl<T: Shelves + SharedStore> Both for T {}

macro_rules! contract {
    ($($situation:ident => |$store:ident, $prefix:ident| $body:block)*) => {
        $(async fn $situation($store: Arc<dyn Both>, $prefix: &str) $body)*

        mod embedded {
            use super::*;
            $(#[tokio::test] async fn $situation() {
                let prefix = fresh_prefix();
                let store = Memory::new(Arc::new(HandClock::default()), Keys::under(&prefix));
                super::$situation(Arc::new(store), &prefix).await;
            })*
        }

        mod real {
            use super::*;
            $(#[tokio::test] async fn $situation() {
                let prefix = fresh_prefix();
                super::$situation(upstash(&prefix), &prefix).await;
            })*
        }
    };
}

contract! {
    values_come_in_the_order_of_their_keys_and_what_is_missing_is_none => |store, prefix| {
        let keys = ["a", "b", "c"].map(|name| format!("{prefix}:{name}"));
        store.set(deadline(), &keys[2], "three \u{1F333}", 300).await.unwrap();
        store.set(deadline(), &keys[0], "", 300).await.unwrap();
        let wanted = [keys[0].clone(), keys[1].clone(), keys[2].clone(), keys[0].clone()];
        let found = store.values(deadline(), &wanted).await.unwrap();
        assert_eq!(found, [Some("".into()), None, Some("three \u{1F333}".into()), Some("".into())]);
    }

    only_missing_generations_are_minted => |store, prefix| {
        let (_, keys) = entry(prefix);
        store.set(deadline(), &keys[1], "7", 300).await.unwrap();
        let minted = store.mint_all(deadline(), &keys, NOW_MS).await.unwrap();
        let texts: Vec<_> = minted.iter().map(Generation::as_str).collect();
        let now = NOW_MS.to_string();
        assert_eq!(texts, [&now, "7", &now, &now]);
        assert_eq!(store.mint_all(deadline(), &keys, NOW_MS + 1).await.unwrap(), minted);
    }

    a_load_is_claimed_by_its_key => |store, prefix| {
        let (keys, _) = entry(prefix);
        assert_eq!(store.claim_at(deadline(), &keys.loader, TERM).await, Ok(true));
        assert_eq!(store.claim_at(deadline(), &keys.loader, TERM).await, Ok(false));
        assert_eq!(store.claim_at(deadline(), &format!("{prefix}:other:loader"), TERM).await, Ok(true));
        store.release_at(deadline(), &keys.loader).await.unwrap();
        assert_eq!(store.claim_at(deadline(), &keys.loader, TERM).await, Ok(true));
    }

    a_fill_is_stored_under_all_its_generations => |store, prefix| {
        let (entry, keys) = entry(prefix);
        let minted = store.mint_all(deadline(), &keys, NOW_MS).await.unwrap();
        let filled = store.fill_at(deadline(), &filling(&entry, &fences(&keys, &minted), "value")).await;
        assert_eq!(filled, Ok(Fill::Stored));
        let found = store.values(deadline(), &drops(&entry)).await.unwrap();
        assert_eq!(found, ["value", "2026-01-01T00:00:00Z", "{}"].map(|it| Some(it.to_owned())));
    }

    a_fill_is_refused_if_any_of_its_generations_is_another_or_gone => |store, prefix| {
        let (entry, keys) = entry(prefix);
        for number in 0..keys.len() {
            for opened in [true, false] {
                let minted = store.mint_all(deadline(), &keys, NOW_MS).await.unwrap();
                if opened {
                    store.open(deadline(), NOW_MS, &keys[number..=number], &[], KEPT).await.unwrap();
                } else {
                    store.del(deadline(), &keys[number]).await.unwrap();
                }
                let filled = store.fill_at(deadline(), &filling(&entry, &fences(&keys, &minted), "late")).await;
                assert_eq!(filled, Ok(Fill::Refused), "{number} {opened}");
            }
        }
        assert_eq!(store.values(deadline(), &drops(&entry)).await.unwrap(), [None, None, None]);
    }

    of_several_fills_each_is_refused_by_itself => |store, prefix| {
        let (one, keys) = entry(prefix);
        let other = EntryKeys::of(prefix, "r:b");
        let minted = store.mint_all(deadline(), &keys, NOW_MS).await.unwrap();
        let all = fences(&keys, &minted);
        store.open(deadline(), NOW_MS, &keys[..1], &[], KEPT).await.unwrap();
        let fillings = [filling(&one, &all, "late"), filling(&other, &all[1..], "value")];
        let filled = store.fill_all(deadline(), &fillings).await;
        assert_eq!(filled, Ok(vec![Fill::Refused, Fill::Stored]));
        let stored = store.values(deadline(), &[one.value, other.value]).await.unwrap();
        assert_eq!(stored, [None, Some("value".to_owned())]);
    }

    of_several_claims_each_is_given_once => |store, prefix| {
        let loaders = ["a", "b", "c"].map(|id| format!("{prefix}:r:{id}:loader"));
        assert_eq!(store.claim_all(deadline(), &loaders[..1], TERM).await, Ok(vec![true]));
        assert_eq!(store.claim_all(deadline(), &loaders, TERM).await, Ok(vec![false, true, true]));
    }

    an_invalidation_opens_each_generation_and_the_collections_and_drops_what_it_names => |store, prefix| {
        let (entry, keys) = entry(prefix);
        let minted = store.mint_all(deadline(), &keys, NOW_MS).await.unwrap();
        store.fill_at(deadline(), &filling(&entry, &fences(&keys, &minted), "value")).await.unwrap();
        store.set(deadline(), &format!("{prefix}:r:b:value"), "another", 300).await.unwrap();

        let first = store.open(deadline(), NOW_MS, &keys[..2], &drops(&entry), KEPT).await.unwrap();
        let generation = |number: u64| Generation::new(number.to_string());
        assert_eq!(first, Opened { generation: generation(NOW_MS), previous: None });
        assert_eq!(store.values(deadline(), &drops(&entry)).await.unwrap(), [None, None, None]);
        assert_eq!(store.get(deadline(), &format!("{prefix}:r:b:value")).await.unwrap().as_deref(), Some("another"));
        let now = store.mint_all(deadline(), &keys, 1).await.unwrap();
        assert_eq!(now, [1, 1, 0, 0].map(|more| generation(NOW_MS + more)), "larger in the same millisecond, and no other");

        let second = store.open(deadline(), NOW_MS + 10, &[], &[], KEPT).await.unwrap();
        assert_eq!(second, Opened { generation: generation(NOW_MS + 10), previous: Some(generation(NOW_MS)) });
        let third = store.open(deadline(), 5, &[], &[], KEPT).await.unwrap();
        assert_eq!(third, Opened { generation: generation(NOW_MS + 11), previous: Some(generation(NOW_MS + 10)) });
        assert_eq!(store.get(deadline(), &Keys::under(prefix).generation).await.unwrap(), Some((NOW_MS + 11).to_string()));
    }

    what_is_no_number_counts_as_no_generation => |store, prefix| {
        let (_, keys) = entry(prefix);
        store.set(deadline(), &keys[0], "no number", 300).await.unwrap();
        store.set(deadline(), &keys[1], "9007199254740993", 300).await.unwrap();
        store.open(deadline(), NOW_MS, &keys[..2], &[], KEPT).await.unwrap();
        let now = store.mint_all(deadline(), &keys[..2], 1).await.unwrap();
        assert_eq!(now, [(); 2].map(|()| Generation::new(NOW_MS.to_string())));
    }
}

/// What the store answers to a command that no store of ours sends.
async fn raw(command: Value) -> Value {
    let url = stack().variable("UPSTASH_REDIS_REST_URL");
    let token = stack().variable("UPSTASH_REDIS_REST_TOKEN");
    let http = client(&url);
    let request = |client: &reqwest::Client| {
        let request = client.post(&url).bearer_auth(&token);
        request.body(command.to_string())
    };
    let reply = http.exchange(deadline(), request).await.unwrap();
    let mut reply: Value = serde_json::from_slice(&reply.body).unwrap();
    reply["result"].take()
}

async fn ttl(key: &str) -> i64 {
    raw(json!(["TTL", key])).await.as_i64().unwrap()
}

#[tokio::test]
async fn what_is_stored_expires_as_it_was_said() {
    let prefix = fresh_prefix();
    let (store, (entry, keys)) = (upstash(&prefix), entry(&prefix));
    let minted = store.mint_all(deadline(), &keys, NOW_MS).await.unwrap();
    for key in &keys {
        assert!(
            (590..=600).contains(&ttl(key).await),
            "nothing is stored under it yet"
        );
    }
    let fences = fences(&keys, &minted);
    let filling = filling(&entry, &fences, "value");
    store.fill_at(deadline(), &filling).await.unwrap();
    let (own, shared) = keys.split_at(1);
    assert!(
        (890..=900).contains(&ttl(&own[0]).await),
        "a little longer than the value"
    );
    for key in shared {
        assert!((4990..=5000).contains(&ttl(key).await), "{key}");
    }
    assert_eq!(ttl(&entry.loader).await, -2, "the claim is given up");
    for key in drops(&entry) {
        assert!((290..=300).contains(&ttl(&key).await), "{key}");
    }
    let drops = drops(&entry);
    let opening = store.open(deadline(), NOW_MS, &keys[..2], &drops, KEPT * 2);
    opening.await.unwrap();
    assert!((590..=600).contains(&ttl(&keys[0]).await));
    assert!((9990..=10_000).contains(&ttl(&keys[1]).await));
    assert_eq!(ttl(&Keys::under(&prefix).generation).await, -1);
    store
        .claim_at(deadline(), &entry.loader, TERM)
        .await
        .unwrap();
    assert!((50..=60).contains(&ttl(&entry.loader).await));
}

#[tokio::test]
async fn keys_of_another_type_are_missing_and_healed() {
    let prefix = fresh_prefix();
    let (store, (entry, keys)) = (upstash(&prefix), entry(&prefix));
    let generation = Keys::under(&prefix).generation;
    for key in keys.iter().chain([&entry.value, &generation]) {
        raw(json!(["RPUSH", key, "x"])).await;
    }
    assert_eq!(
        store.values(deadline(), &keys).await.unwrap(),
        [None, None, None, None]
    );
    let minted = store.mint_all(deadline(), &keys[..1], NOW_MS).await;
    assert_eq!(minted, Ok(vec![Generation::new(NOW_MS.to_string())]));
    raw(json!(["DEL", keys[0]])).await;
    raw(json!(["RPUSH", keys[0], "x"])).await;
    let opened = store
        .open(deadline(), NOW_MS, &keys, &drops(&entry), KEPT)
        .await;
    let now = Generation::new(NOW_MS.to_string());
    assert_eq!(
        opened,
        Ok(Opened {
            generation: now.clone(),
            previous: None
        })
    );
    let minted = store.mint_all(deadline(), &keys, 1).await.unwrap();
    assert_eq!(minted, vec![now; 4]);
    let fences = fences(&keys, &minted);
    let filled = store
        .fill_at(deadline(), &filling(&entry, &fences, "value"))
        .await;
    assert_eq!(filled, Ok(Fill::Stored));
}
