//! The request path over real sockets, with servers that misbehave: every read ends in time with a value, and nothing
//! secret is in any message.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use common::server::{ScriptedServer, answer, read_request};
use common::{HandClock, Lines, prompt, row};
use grove_shared_cache::cache::{Answer, CachedEntry, Receipt, SharedCache, Tier};
use grove_shared_cache::config::{self, Capacity, Limits, Place, Settings};
use grove_shared_cache::error::Error;
use grove_shared_cache::http::{Deadline, Http, Trust};
use grove_shared_cache::observe::Stats;
use grove_shared_cache::observe::log::Level;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

const TOKEN: &str = "canary-token";
const KEY: &str = "canary-key";
const PROMPT: &str = "canary-prompt";
const REDIS_TIMEOUT_MS: u64 = 200;
const SOURCE_TIMEOUT_MS: u64 = 300;
/// What a loaded machine may add to a deadline.
const SLACK_MS: u64 = 1000;

/// The store's answer to an invalidation: how many commands that took, the sequence before, the sequence, notes.
const INVALIDATED: &str = "{\"result\":[\"5\",\"7\",\"8\",\"\"]}";

/// A cache with its prompt.
struct Prompt {
    cache: Arc<SharedCache>,
    entry: Arc<CachedEntry>,
}

impl Prompt {
    fn of(settings: Settings, lines: &Arc<Lines>) -> Self {
        let (cache, project) = config::build(settings, lines.clone()).unwrap();
        let entry = cache.add_single(project.system_prompt(None));
        Prompt { cache, entry }
    }

    async fn fetch(&self) -> Answer {
        self.cache.fetch(&self.entry).await
    }

    async fn invalidate(&self) -> Result<Receipt, Error> {
        let names = [config::SYSTEM_PROMPT.into()].into();
        self.cache.invalidate(names, false).await
    }

    fn stats(&self) -> &Stats {
        &self.entry.definition.stats
    }
}

fn at(url: &str, token: &str, reason: &str) -> Place {
    let (token, reason) = (token.to_owned(), reason.to_owned());
    match url.parse() {
        Ok(url) => Place::At { url, token },
        Err(_) => Place::Nowhere { reason },
    }
}

/// `""`: not configured. Every read asks, and nobody else talks to the scripted servers.
fn settings(store: &str, source: &str) -> Settings {
    Settings {
        store: at(store, TOKEN, "no store is set"),
        supabase: at(source, KEY, "no source is set"),
        prompt_file: None,
        fallback_prompt: None,
        key_prefix: "grove".into(),
        signing_keys: None,
        limits: Limits {
            ttl_seconds: 300,
            max_staleness: Duration::ZERO,
            redis_timeout: Duration::from_millis(REDIS_TIMEOUT_MS),
            source_timeout: Duration::from_millis(SOURCE_TIMEOUT_MS),
        },
        capacity: Capacity {
            max_entries: 10,
            max_bytes: 1 << 20,
        },
        push: false,
        threshold: Some(Level::Debug),
        extra_roots: None,
    }
}

fn open(store: &str, source: &str, lines: &Arc<Lines>) -> Prompt {
    Prompt::of(settings(store, source), lines)
}

/// A source with one active row.
async fn good_source() -> ScriptedServer {
    let rows = Value::Array(vec![Value::Object(row(
        PROMPT,
        "2026-01-01T00:00:00+00:00",
    ))]);
    ScriptedServer::answering(answer(
        "200 OK",
        "content-type: application/json\r\n",
        rows.to_string(),
    ))
    .await
}

/// Every way in which a server can fail to answer.
async fn misbehaving() -> Vec<(&'static str, ScriptedServer)> {
    let hang = ScriptedServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    });
    let drip = ScriptedServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        for byte in answer("200 OK", "", [b' '; 100]) {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let huge = ScriptedServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        // 50 MiB, if anybody reads on.
        for _ in 0..800 {
            if stream.write_all(chunk.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    let closes = ScriptedServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
    });
    let short = answer("200 OK", "", "[[[[");
    vec![
        ("hang", hang.await),
        ("slow drip", drip.await),
        ("huge body", huge.await),
        ("closed without an answer", closes.await),
        (
            "huge by announcement",
            ScriptedServer::answering(
                b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec(),
            )
            .await,
        ),
        (
            "reset in the body",
            ScriptedServer::answering(
                b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"result\":".to_vec(),
            )
            .await,
        ),
        (
            "no HTTP",
            ScriptedServer::answering(b"SSH-2.0-canary\r\n".to_vec()).await,
        ),
        (
            "empty body",
            ScriptedServer::answering(answer("200 OK", "", "")).await,
        ),
        ("truncated JSON", ScriptedServer::answering(short).await),
        (
            "JSON of another shape",
            ScriptedServer::answering(answer("200 OK", "", "{\"result\":{\"canary\":1}}")).await,
        ),
        (
            "HTML",
            ScriptedServer::answering(answer("502 Bad Gateway", "", "<html>canary</html>")).await,
        ),
        (
            "500",
            ScriptedServer::answering(answer("500 Internal Server Error", "", "canary")).await,
        ),
        (
            "401",
            ScriptedServer::answering(answer(
                "401 Unauthorized",
                "",
                "{\"error\":\"WRONGPASS canary\"}",
            ))
            .await,
        ),
        (
            "429",
            ScriptedServer::answering(answer("429 Too Many Requests", "retry-after: 60\r\n", "{}"))
                .await,
        ),
        (
            "error text",
            ScriptedServer::answering(answer("400 Bad Request", "", "{\"error\":\"ERR canary\"}"))
                .await,
        ),
        (
            "not gzip",
            ScriptedServer::answering(answer("200 OK", "content-encoding: gzip\r\n", "canary"))
                .await,
        ),
    ]
}

fn assert_silent(lines: &Lines, situation: &str) {
    for line in lines.at_least(Level::Debug) {
        assert!(!line.contains("canary"), "{situation}: {line}");
        assert!(!line.contains("127.0.0.1"), "{situation}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_store_answers_the_source_is_served_in_time() {
    let source = good_source().await;
    for (situation, store) in misbehaving().await {
        let lines = Arc::new(Lines::default());
        let cache = open(&store.url(), &source.url(), &lines);
        let begun = Instant::now();
        let answer = cache.fetch().await;
        let took = begun.elapsed();
        assert_eq!(
            (answer.tier, &*answer.value.content),
            (Tier::Source, &*prompt(PROMPT)),
            "{situation}"
        );
        assert!(
            took < Duration::from_millis(REDIS_TIMEOUT_MS + SOURCE_TIMEOUT_MS + SLACK_MS),
            "{situation}: {took:?}"
        );
        assert_eq!(cache.stats().store_faults.get(), 1, "{situation}");
        let error = cache.invalidate().await.unwrap_err();
        assert!(
            !error.to_string().contains("canary"),
            "{situation}: {error}"
        );
        if situation.starts_with("huge") {
            let told = lines.at_least(Level::Warn).join("\n");
            assert!(told.contains("larger than"), "{situation}: {told}");
        }
        assert_silent(&lines, situation);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_store_and_source_answer_the_fallback_is_served_in_time() {
    for (situation, server) in misbehaving().await {
        let lines = Arc::new(Lines::default());
        let cache = open(&server.url(), &server.url(), &lines);
        let begun = Instant::now();
        let answer = cache.fetch().await;
        let took = begun.elapsed();
        assert_eq!(answer.tier, Tier::Fallback, "{situation}");
        assert!(
            took < Duration::from_millis(REDIS_TIMEOUT_MS + SOURCE_TIMEOUT_MS + SLACK_MS),
            "{situation}: {took:?}"
        );
        assert_eq!(cache.stats().source_faults.get(), 1, "{situation}");
        assert_silent(&lines, situation);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_refused_and_the_token_stays_here() {
    let elsewhere =
        ScriptedServer::answering(answer("200 OK", "", "{\"result\":[null,null,null,null]}")).await;
    let headers = format!("location: {}/canary\r\n", elsewhere.url());
    let source = good_source().await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let store = ScriptedServer::answering(answer(status, &headers, "")).await;
        let lines = Arc::new(Lines::default());
        let cache = open(&store.url(), &source.url(), &lines);
        assert_eq!(cache.fetch().await.tier, Tier::Source);
        assert_eq!(
            elsewhere.connections.load(Ordering::SeqCst),
            0,
            "nobody went there"
        );
        assert_silent(&lines, status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_that_the_peer_closed_is_tried_once_more() {
    let opened = answer("200 OK", "", INVALIDATED);
    // Each connection answers one command, and closes as the next one arrives, after it was read.
    let store = ScriptedServer::start(move |_, mut stream| {
        let bytes = opened.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(&bytes).await.unwrap();
            read_request(&mut stream).await;
        }
    })
    .await;
    let prompt = open(&store.url(), "", &Arc::new(Lines::default()));
    for _ in 0..5 {
        assert_eq!(prompt.cache.get("key").await.unwrap().as_deref(), Some("5"));
    }
    assert!(store.connections.load(Ordering::SeqCst) > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_whose_peer_vanished_costs_one_command() {
    let nothing_stored = answer("200 OK", "", "{\"result\":null}");
    // The first connection answers once and never again, but stays open; the others are well.
    let store = ScriptedServer::start(move |number, mut stream| {
        let bytes = nothing_stored.clone();
        async move {
            loop {
                if read_request(&mut stream).await.is_empty() {
                    return;
                }
                stream.write_all(&bytes).await.unwrap();
                if number == 0 {
                    std::future::pending::<()>().await;
                }
            }
        }
    })
    .await;
    let cache = open(&store.url(), "", &Arc::new(Lines::default()));
    let mut lost = 0;
    for _ in 0..20 {
        lost += usize::from(cache.cache.get("key").await.is_err());
    }
    assert_eq!(lost, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_kept_but_not_past_a_freeze() {
    let server = ScriptedServer::start(|number, mut stream| async move {
        let bytes = answer("200 OK", "", number.to_string());
        while !read_request(&mut stream).await.is_empty() {
            let _ = stream.write_all(&bytes).await;
        }
    })
    .await;
    let (url, trust) = (server.url().parse().unwrap(), Trust::new(None).unwrap());
    let clock = Arc::new(HandClock::default());
    let http = Http::new(&url, &trust, clock.clone()).unwrap();
    let mut used = HashSet::new();
    // Whether an exchange after such a pause goes over a connection that was there.
    let mut kept_over = async |pause: u64| {
        clock.advance(Duration::from_secs(pause));
        let deadline = Deadline::after(Duration::from_secs(5));
        let reply = http.exchange(deadline, |client| client.get(url.clone()));
        !used.insert(reply.await.unwrap().body)
    };
    for freeze in [60, 3600] {
        let mut kept = 0;
        // Not all of them: one that comes before the last has given its connection back opens another.
        for _ in 0..50 {
            kept += usize::from(kept_over(40).await);
        }
        assert!(kept > 0);
        assert!(!kept_over(freeze).await, "{freeze} s");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_opens_a_bounded_number_of_sockets() {
    let (live, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (live.clone(), most.clone());
    let store = ScriptedServer::start(move |_, mut stream| {
        let (live, most) = counts.clone();
        async move {
            most.fetch_max(live.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            while !read_request(&mut stream).await.is_empty() {
                let bytes = answer("200 OK", "", "{\"result\":null}");
                let _ = stream.write_all(&bytes).await;
            }
            live.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let mut settings = settings(&store.url(), "");
    settings.limits.redis_timeout = Duration::from_secs(20);
    let Prompt { cache, .. } = Prompt::of(settings, &Arc::new(Lines::default()));
    let reads = (0..500).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get("key").await.unwrap() })
    });
    for read in reads.collect::<Vec<_>>() {
        assert_eq!(read.await.unwrap(), None);
    }
    // A client that finds a free connection while it opens one keeps both, so it can be some more than are in use.
    let most = most.load(Ordering::SeqCst);
    assert!(most <= 100, "{most} sockets");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sync_token_of_an_answer_is_sent_with_the_next_command() {
    let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
    let store = ScriptedServer::start(move |number, mut stream| {
        let sent = sent.clone();
        async move {
            let request = read_request(&mut stream).await;
            let token = request
                .lines()
                .find_map(|line| line.strip_prefix("upstash-sync-token: "))
                .map(str::to_owned);
            sent.send(token).unwrap();
            let headers = format!("connection: close\r\nUpstash-Sync-Token: token-{number}\r\n");
            let bytes = answer("200 OK", &headers, INVALIDATED);
            let _ = stream.write_all(&bytes).await;
        }
    })
    .await;
    let lines = Arc::new(Lines::default());
    let prompt = open(&store.url(), "", &lines);
    for _ in 0..2 {
        prompt.cache.get("key").await.unwrap();
    }
    assert_eq!(received.recv().await.unwrap(), None);
    assert_eq!(received.recv().await.unwrap().as_deref(), Some("token-0"));
}

#[tokio::test]
async fn not_configured_is_told_once_and_every_read_is_answered() {
    let lines = Arc::new(Lines::default());
    let cache = open("", "", &lines);
    for _ in 0..3 {
        assert_eq!(cache.fetch().await.tier, Tier::Fallback);
    }
    let receipt = cache.invalidate().await.unwrap();
    assert_eq!(receipt.sequence, None);
    let lines = lines.at_least(Level::Info);
    let told = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        told("[Cache] No shared cache: no store is set."),
        1,
        "{lines:?}"
    );
    assert_eq!(
        told("[SystemPrompt] No source: no source is set"),
        1,
        "{lines:?}"
    );
    assert_eq!(
        lines.last().unwrap(),
        "[Cache] System prompt invalidated (this instance only: no shared cache)"
    );
}

#[tokio::test]
async fn a_file_is_the_source_where_supabase_is_not_configured() {
    let folder = std::env::temp_dir().join(format!("grove-shared-cache-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("prompt.json");
    let settings = Settings {
        prompt_file: Some(path.clone()),
        ..settings("", "")
    };
    let cache = Prompt::of(settings, &Arc::new(Lines::default()));

    assert_eq!(
        cache.fetch().await.tier,
        Tier::Fallback,
        "there is no file yet"
    );
    for (text, tier) in [
        ("{", Tier::Fallback),
        (
            "\u{feff}{\"payload\":{\"identity\":\"of Windows\"}}",
            Tier::Source,
        ),
        ("[]", Tier::Stale),
        (r#"{"payload":{"identity":"filed"}}"#, Tier::Source),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(cache.fetch().await.tier, tier, "{text}");
    }
    let answer = cache.fetch().await;
    assert_eq!(
        (&*answer.value.content, answer.value.source.as_str()),
        (&*prompt("filed"), "file")
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
