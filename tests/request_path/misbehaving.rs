//! Servers that misbehave, as store, as source, and as both.

use crate::common::server::{ScriptedServer, answer, read_request};
use crate::common::{Lines, prompt};
use crate::{LONG, PROMPT, Prompt, SHORT, assert_silent, good_source, open, settings};
use grove_shared_cache::cache::Tier;
use grove_shared_cache::observe::log::Level;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// What is waited for such a server: a whole answer, or one that does not come.
fn patience(situation: &str) -> Duration {
    let never_ends = matches!(situation, "hang" | "slow drip");
    if never_ends { SHORT } else { LONG }
}

/// Every way in which a server can fail to answer.
async fn misbehaving() -> Vec<(&'static str, ScriptedServer)> {
    let hang = ScriptedServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    });
    let drip = ScriptedServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        for byte in answer("200 OK", "", [b' '; 1000]) {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_store_answers_the_source_is_served_in_time() {
    let source = good_source().await;
    for (situation, store) in misbehaving().await {
        let lines = Arc::new(Lines::default());
        let mut settings = settings(&store.url(), &source.url());
        settings.limits.redis_timeout = patience(situation);
        let cache = Prompt::of(settings, &lines);
        let answer = cache.fetch().await;
        assert_eq!(
            (answer.tier, &*answer.value.content),
            (Tier::Source, &*prompt(PROMPT)),
            "{situation}"
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
        let mut settings = settings(&server.url(), &server.url());
        settings.limits.redis_timeout = patience(situation);
        settings.limits.source_timeout = patience(situation);
        let cache = Prompt::of(settings, &lines);
        let answer = cache.fetch().await;
        assert_eq!(answer.tier, Tier::Fallback, "{situation}");
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
