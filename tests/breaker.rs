//! The circuit breaker over real sockets: a store that fails is left alone but for one probe a second, and is asked again as
//! soon as it answers.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use common::server::{ScriptedServer, answer, read_request};
use common::{HandClock, LIMITS, Lines};
use grove_shared_cache::core::breaker::Phase;
use grove_shared_cache::core::cache::{Cache, Parts};
use grove_shared_cache::core::config::Limits;
use grove_shared_cache::core::http::{Http, Trust};
use grove_shared_cache::core::log::{Level, Logger};
use grove_shared_cache::core::prompt::SystemPrompt;
use grove_shared_cache::core::protocol::Keys;
use grove_shared_cache::core::rules::Rules;
use grove_shared_cache::core::store::upstash::Upstash;
use reqwest::Url;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// For a store that never answers.
const SHORT: Duration = Duration::from_millis(50);
/// For one that does, on a machine that is busy.
const LONG: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// A store that gives this answer, or none, to all that is asked.
struct Store {
    server: ScriptedServer,
    answer: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Store {
    async fn that_answers(answer: Option<Vec<u8>>) -> Self {
        let answer = Arc::new(Mutex::new(answer));
        let current = answer.clone();
        let server = ScriptedServer::start(move |_, mut stream| {
            let bytes = current.lock().unwrap().clone();
            async move {
                read_request(&mut stream).await;
                match bytes {
                    Some(bytes) => drop(stream.write_all(&bytes).await),
                    None => std::future::pending().await,
                }
            }
        })
        .await;
        Store { server, answer }
    }

    fn answers(&self, answer: Option<Vec<u8>>) {
        *self.answer.lock().unwrap() = answer;
    }

    /// A connection is a command, as each is closed after its answer.
    fn commands(&self) -> usize {
        self.server.connections.load(Ordering::SeqCst)
    }
}

/// Its clock stands still: no probe is due before the test says so.
struct Opened {
    cache: Arc<Cache>,
    clock: Arc<HandClock>,
    lines: Arc<Lines>,
}

fn open(store: &Store, redis_timeout: Duration) -> Opened {
    let (clock, lines) = (Arc::new(HandClock::default()), Arc::new(Lines::default()));
    let url: Url = store.server.url().parse().unwrap();
    let http = Http::new(&url, &Trust::new(None).unwrap(), clock.clone()).unwrap();
    let upstash = Upstash::new(http, url, "token".into(), Keys::under("test"));
    let resource = Arc::new(SystemPrompt::new(None));
    let logger = Logger::new(Some(Level::Info), lines.clone(), resource.clone());
    let parts = Parts {
        id: "test".into(),
        name: "test".into(),
        no_store: None,
        resource,
        store: Some(Arc::new(upstash)),
        channel: None,
        source: None,
        legacy: None,
        clock: clock.clone(),
        limits: Limits {
            redis_timeout,
            ..LIMITS
        },
        signer: None,
        rules: Rules::ALL_KEPT,
    };
    let cache = Cache::new(parts, logger);
    Opened {
        cache,
        clock,
        lines,
    }
}

/// An answer that is one to each command.
fn healed() -> Option<Vec<u8>> {
    Some(answer("200 OK", "connection: close\r\n", "{\"result\":5}"))
}

async fn reached(state: impl Fn() -> bool) {
    while !state() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
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
        let timeout = if sick.is_none() { SHORT } else { LONG };
        let store = Store::that_answers(sick).await;
        let Opened {
            cache,
            clock,
            lines,
        } = open(&store, timeout);
        for _ in 0..50 {
            let error = cache.values.get("key").await.unwrap_err();
            // Also of those that were not sent.
            assert_eq!(error.fault.unwrap().class(), class);
        }
        assert_eq!(store.commands(), commands, "{class}");
        assert_eq!(phase(&cache), Phase::Open, "{class}");

        for probe in 1..=2 {
            clock.advance(SECOND);
            for _ in 0..10 {
                cache.values.get("key").await.unwrap_err();
            }
            let probed = || store.commands() == commands + probe && phase(&cache) == Phase::Open;
            reached(probed).await;
        }
        store.answers(healed());
        // A machine that is busy may let the short deadline of one probe pass.
        while phase(&cache) != Phase::Closed {
            clock.advance(SECOND);
            let _ = cache.values.get("key").await;
            reached(|| phase(&cache) != Phase::HalfOpen).await;
        }
        cache.values.get("key").await.unwrap();
        assert_eq!(cache.breaker(), Some((Phase::Closed, 1)), "{class}");
        let warnings = lines.at_least(Level::Warn);
        let told = warnings
            .iter()
            .filter(|line| line.contains("asked once a second"));
        assert_eq!(told.count(), 1, "{class}: {warnings:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_probe() {
    let sick = answer("401 Unauthorized", "connection: close\r\n", "{}");
    let store = Store::that_answers(Some(sick)).await;
    let Opened { cache, clock, .. } = open(&store, LONG);
    cache.values.get("key").await.unwrap_err();
    store.answers(None);
    clock.advance(SECOND);
    cache.values.get("key").await.unwrap_err();
    // The probe has all of its long deadline before it.
    assert_eq!(phase(&cache), Phase::HalfOpen);
    reached(|| store.commands() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidation_is_sent_all_the_same_and_its_answer_closes_the_breaker() {
    let sick = answer("401 Unauthorized", "connection: close\r\n", "{}");
    let store = Store::that_answers(Some(sick)).await;
    let Opened { cache, .. } = open(&store, LONG);
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
    store.answers(healed());
    cache.invalidate().await.unwrap();
    assert_eq!(phase(&cache), Phase::Closed);
}
