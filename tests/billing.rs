//! What a store counts for its owner is what a server has run. Alone in its file, and so alone with its server.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use common::stack::stack;
use grove_shared_cache::clock::SystemClock;
use grove_shared_cache::core::protocol::{Keys, Record};
use grove_shared_cache::core::store::shelves::{EntryKeys, Filling, Shelves};
use grove_shared_cache::core::store::upstash::Upstash;
use grove_shared_cache::core::store::{KeyValue, Store};
use grove_shared_cache::http::{Deadline, Http, Trust};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const NOW_MS: u64 = 1_800_000_000_000;
const KEPT: Duration = Duration::from_secs(5000);

fn client(url: &str) -> Http {
    let (trust, clock) = (Trust::new(None).unwrap(), Arc::new(SystemClock));
    Http::new(&url.parse().unwrap(), &trust, clock).unwrap()
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

/// How many commands the server has run but those that ask it for that.
async fn commands_run() -> u64 {
    let url = stack().variable("UPSTASH_REDIS_REST_URL");
    let token = stack().variable("UPSTASH_REDIS_REST_TOKEN");
    let command = json!(["INFO", "commandstats"]).to_string();
    let request = |client: &reqwest::Client| {
        let request = client.post(&url).bearer_auth(&token);
        request.body(command.clone())
    };
    let reply = client(&url).exchange(deadline(), request).await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.body).unwrap();
    let lines = reply["result"].as_str().unwrap().lines();
    // What the bridge asks on its own account is nobody's bill.
    let ours = lines.filter(|line| {
        let name = line.strip_prefix("cmdstat_").unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        ["mget", "eval", "get", "set", "del", "expire", "publish"].contains(&name)
    });
    let calls = ours.filter_map(|line| line.split("calls=").nth(1)?.split(',').next());
    calls.map(|calls| calls.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn as_many_commands_are_counted_as_are_run() {
    let url = stack().variable("UPSTASH_REDIS_REST_URL");
    let token = stack().variable("UPSTASH_REDIS_REST_TOKEN");
    let keys = Keys::under("billing");
    let store = Upstash::new(client(&url), url.parse().unwrap(), token, keys);
    let entry = EntryKeys::of("billing", "r:a");
    let generations = ["r:a", "r", "tag:x"].map(|mark| format!("billing:{mark}:generation"));
    let drops = [&entry.value, &entry.version, &entry.config].map(String::clone);
    let record = Record {
        content: "value".into(),
        version: "1".into(),
        config: "{}".into(),
    };
    let (before, counted_before) = (commands_run().await, store.commands());
    let agree = async |what: &str| {
        let (run, counted) = (commands_run().await, store.commands());
        assert_eq!(counted - counted_before, run - before, "after {what}");
    };
    store.values(deadline(), &generations).await.unwrap();
    agree("a look").await;
    store
        .set(deadline(), &generations[0], "5", 300)
        .await
        .unwrap();
    let minted = store.mint_all(deadline(), &generations, NOW_MS).await;
    agree("a mint").await;
    let minted = minted.unwrap();
    store
        .claim_at(deadline(), &entry.loader, KEPT)
        .await
        .unwrap();
    store.release_at(deadline(), &entry.loader).await.unwrap();
    agree("a claim").await;
    let fences: Vec<_> = generations.iter().cloned().zip(minted).collect();
    for what in ["a fill", "a fill that was refused"] {
        let filling = Filling {
            keys: entry.clone(),
            fences: fences.clone(),
            record: record.clone(),
            ttl_seconds: 300,
            kept: KEPT,
        };
        let other = Filling {
            keys: EntryKeys::of("billing", "r:b"),
            fences: fences[1..].to_vec(),
            ..filling.clone()
        };
        store.fill_at(deadline(), &filling).await.unwrap();
        agree(what).await;
        store.fill_all(deadline(), &[filling, other]).await.unwrap();
        agree(what).await;
        let loaders = ["billing:r:a:loader", "billing:r:b:loader"].map(str::to_owned);
        store.claim_all(deadline(), &loaders, KEPT).await.unwrap();
        agree("claims").await;
        let opening = store.open(deadline(), NOW_MS, &generations[..2], &drops, KEPT);
        opening.await.unwrap();
        agree("an invalidation").await;
    }
}
