//! The circuit breaker over real sockets: a store that fails is left alone but for one probe a second, and is asked again as
//! soon as it answers.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use common::Lines;
use common::server::{ScriptedServer, answer, read_request};
use grove_shared_cache::core::breaker::Phase;
use grove_shared_cache::core::cache::Cache;
use grove_shared_cache::core::config::Options;
use grove_shared_cache::core::log::Level;
use grove_shared_cache::core::wiring;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

const REDIS_TIMEOUT_MS: u64 = 50;

/// A store that gives this answer (or none) until it is well.
struct Store {
    server: ScriptedServer,
    well: Arc<AtomicBool>,
}

impl Store {
    async fn that_answers(sick: Option<Vec<u8>>) -> Self {
        let well = Arc::new(AtomicBool::new(false));
        let state = well.clone();
        let server = ScriptedServer::start(move |_, mut stream| {
            let healed = answer("200 OK", "connection: close\r\n", "{\"result\":\"5\"}");
            let bytes = if state.load(Ordering::SeqCst) {
                Some(healed)
            } else {
                sick.clone()
            };
            async move {
                read_request(&mut stream).await;
                match bytes {
                    Some(bytes) => drop(stream.write_all(&bytes).await),
                    None => std::future::pending().await,
                }
            }
        })
        .await;
        Store { server, well }
    }

    /// A connection is a command, as each is closed after its answer.
    fn commands(&self) -> usize {
        self.server.connections.load(Ordering::SeqCst)
    }
}

fn open(store: &Store, lines: &Arc<Lines>) -> Arc<Cache> {
    let options = Options {
        upstash_url: Some(store.server.url()),
        upstash_token: Some("token".into()),
        redis_timeout_ms: Some(REDIS_TIMEOUT_MS as f64),
        push: Some(false),
        ..Options::default()
    };
    let settings = options.resolve(|_| None).unwrap();
    wiring::wire(settings, None, lines.clone()).unwrap()
}

fn phase(cache: &Cache) -> Phase {
    cache.breaker().unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_left_alone_until_it_answers_a_probe() {
    let status = |status: &str| Some(answer(status, "connection: close\r\n", "{}"));
    for (sick, class, commands) in [
        (status("503 Service Unavailable"), "status", 5),
        (status("401 Unauthorized"), "unauthorized", 1),
        (status("429 Too Many Requests"), "quota", 1),
        (status("302 Found"), "redirected", 1),
        (None, "timeout", 2),
    ] {
        let store = Store::that_answers(sick).await;
        let lines = Arc::new(Lines::default());
        let cache = open(&store, &lines);
        let begun = Instant::now();
        for _ in 0..50 {
            let error = cache.values.get("key").await.unwrap_err();
            // Also of those that were not sent.
            assert_eq!(error.fault.unwrap().class(), class);
        }
        if begun.elapsed() < Duration::from_millis(900) {
            assert_eq!(store.commands(), commands, "{class}");
            assert_eq!(phase(&cache), Phase::Open, "{class}");
        }

        store.well.store(true, Ordering::SeqCst);
        let healed = Instant::now();
        while cache.values.get("key").await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(
            healed.elapsed() < Duration::from_secs(2),
            "{class}: {:?}",
            healed.elapsed()
        );
        assert_eq!(cache.breaker(), Some((Phase::Closed, 1)), "{class}");
        let warnings = lines.at_least(Level::Warn);
        let told = warnings
            .iter()
            .filter(|line| line.contains("asked once a second"));
        assert_eq!(told.count(), 1, "{class}: {warnings:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidation_is_sent_all_the_same_and_its_answer_closes_the_breaker() {
    let sick = answer("401 Unauthorized", "connection: close\r\n", "{}");
    let store = Store::that_answers(Some(sick)).await;
    let cache = open(&store, &Arc::default());
    cache.values.get("key").await.unwrap_err();
    let suspended = cache.values.get("key").await.unwrap_err();
    assert_eq!(store.commands(), 1);
    assert!(
        suspended
            .message
            .contains("not asked, because a moment ago"),
        "{suspended}"
    );
    assert!(
        suspended.message.contains("check UPSTASH_REDIS_REST_TOKEN"),
        "{suspended}"
    );
    assert!(!suspended.retryable());
    store.well.store(true, Ordering::SeqCst);
    cache.invalidate().await.unwrap();
    assert_eq!(phase(&cache), Phase::Closed);
}
