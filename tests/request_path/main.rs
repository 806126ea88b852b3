//! The request path over real sockets, with servers that misbehave: every read ends in time with a value, and nothing
//! secret is in any message.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod connections;
mod misbehaving;

use common::server::{ScriptedServer, answer};
use common::{Lines, prompt, row};
use grove_shared_cache::cache::{Answer, CachedEntry, Receipt, SharedCache, Tier};
use grove_shared_cache::config::{self, Capacity, Limits, Place, Settings};
use grove_shared_cache::error::Error;
use grove_shared_cache::observe::Stats;
use grove_shared_cache::observe::log::Level;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const TOKEN: &str = "canary-token";
const KEY: &str = "canary-key";
const PROMPT: &str = "canary-prompt";
/// For a server that answers, on a machine that is busy.
const LONG: Duration = Duration::from_secs(20);
/// For one that does not.
const SHORT: Duration = Duration::from_millis(200);

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
        // A read that hangs is a failed test, not a hung one.
        let read = timeout(2 * LONG, self.cache.fetch(&self.entry));
        read.await.expect("a read ends")
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
            redis_timeout: LONG,
            source_timeout: LONG,
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

fn assert_silent(lines: &Lines, situation: &str) {
    for line in lines.at_least(Level::Debug) {
        assert!(!line.contains("canary"), "{situation}: {line}");
        assert!(!line.contains("127.0.0.1"), "{situation}: {line}");
    }
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
