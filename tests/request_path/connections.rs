//! The connections to a server: which are kept, how many there are, and what goes over them.

use crate::common::server::{ScriptedServer, answer, read_request};
use crate::common::{HandClock, Lines};
use crate::{INVALIDATED, Prompt, open, settings};
use grove_shared_cache::http::{Deadline, Http, Trust};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

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
    let cache = open(&store.url(), "", &Arc::new(Lines::default()));
    for _ in 0..5 {
        cache.invalidate().await.unwrap();
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
    let mut settings = settings(&store.url(), "");
    settings.limits.redis_timeout = Duration::from_secs(1);
    let cache = Prompt::of(settings, &Arc::new(Lines::default()));
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
    let Prompt { cache, .. } = open(&store.url(), "", &Arc::new(Lines::default()));
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
    let cache = open(&store.url(), "", &lines);
    cache.invalidate().await.unwrap();
    cache.invalidate().await.unwrap();
    assert_eq!(received.recv().await.unwrap(), None);
    assert_eq!(received.recv().await.unwrap().as_deref(), Some("token-0"));
}
