//! The circuit breaker over real sockets: a store that fails is left alone but for one probe a second, and is asked again as
//! soon as it answers.

use crate::common::server::{ScriptedServer, answer, read_request};
use crate::common::{HandClock, LIMITS, Lines};
use grove_shared_cache::cache::{Parts, SharedCache};
use grove_shared_cache::config::{Capacity, Limits};
use grove_shared_cache::http::{Http, Trust};
use grove_shared_cache::observe::log::Level;
use grove_shared_cache::store::{Phase, Upstash};
use grove_shared_cache::testing::mutants::Mutation;
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
    cache: Arc<SharedCache>,
    clock: Arc<HandClock>,
    lines: Arc<Lines>,
}

fn open(store: &Store, redis_timeout: Duration) -> Opened {
    let (clock, lines) = (Arc::new(HandClock::default()), Arc::new(Lines::default()));
    let url: Url = store.server.url().parse().unwrap();
    let http = Http::new(&url, &Trust::new(None).unwrap(), clock.clone()).unwrap();
    let parts = Parts {
        id: "test".into(),
        prefix: "test".into(),
        link: Some(Arc::new(Upstash::new(http, url, "token".into()))),
        no_store: None,
        channel: None,
        clock: clock.clone(),
        limits: Limits {
            redis_timeout,
            ..LIMITS
        },
        mutation: Mutation::NONE,
    };
    let capacity = Capacity {
        max_entries: 10,
        max_bytes: 1 << 20,
    };
    let threshold = Some(Level::Info);
    let cache = SharedCache::new(parts, capacity, None, threshold, lines.clone());
    Opened {
        cache,
        clock,
        lines,
    }
}

fn healed(result: &str) -> Option<Vec<u8>> {
    let body = format!("{{\"result\":{result}}}");
    Some(answer("200 OK", "connection: close\r\n", body))
}

fn status(status: &str) -> Option<Vec<u8>> {
    Some(answer(status, "connection: close\r\n", "{}"))
}

async fn reached(state: impl Fn() -> bool) {
    while !state() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn phase(cache: &SharedCache) -> Phase {
    cache.context().breaker().unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_left_alone_until_it_answers_a_probe() {
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
            let error = cache.get("key").await.unwrap_err();
            // Also of those that were not sent.
            assert_eq!(error.fault.unwrap().class(), class);
        }
        assert_eq!(store.commands(), commands, "{class}");
        assert_eq!(phase(&cache), Phase::Open, "{class}");

        for probe in 1..=2 {
            clock.advance(SECOND);
            for _ in 0..10 {
                cache.get("key").await.unwrap_err();
            }
            let probed = || store.commands() == commands + probe && phase(&cache) == Phase::Open;
            reached(probed).await;
        }
        store.answers(healed("5"));
        // A machine that is busy may let the short deadline of one probe pass.
        while phase(&cache) != Phase::Closed {
            clock.advance(SECOND);
            let _ = cache.get("key").await;
            reached(|| phase(&cache) != Phase::HalfOpen).await;
        }
        assert_eq!(
            cache.context().breaker(),
            Some((Phase::Closed, 1)),
            "{class}"
        );
        let warnings = lines.at_least(Level::Warn);
        let told = warnings
            .iter()
            .filter(|line| line.starts_with("[Cache] Redis is asked once a second only"));
        assert_eq!(told.count(), 1, "{class}: {warnings:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_probe() {
    let store = Store::that_answers(status("401 Unauthorized")).await;
    let Opened { cache, clock, .. } = open(&store, LONG);
    cache.get("key").await.unwrap_err();
    store.answers(None);
    clock.advance(SECOND);
    cache.get("key").await.unwrap_err();
    // The probe has all of its long deadline before it.
    assert_eq!(phase(&cache), Phase::HalfOpen);
    reached(|| store.commands() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidation_is_sent_all_the_same_and_its_answer_closes_the_breaker() {
    let store = Store::that_answers(status("401 Unauthorized")).await;
    let Opened { cache, .. } = open(&store, LONG);
    cache.get("key").await.unwrap_err();
    let suspended = cache.get("key").await.unwrap_err();
    assert_eq!(store.commands(), 1);
    let said = &suspended.message;
    assert!(said.contains("not asked, because a moment ago"), "{said}");
    assert!(said.contains("check UPSTASH_REDIS_REST_TOKEN"), "{said}");
    assert!(!suspended.retryable());
    store.answers(healed(r#"["5","7","8",""]"#));
    let receipt = cache.invalidate(["docs:a".into()].into(), false).await;
    assert_eq!(receipt.unwrap().sequence.unwrap().number(), 8);
    assert_eq!(phase(&cache), Phase::Closed);
}
