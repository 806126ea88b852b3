//! What several test files share: a clock that is moved by hand, a log that remembers, a source that follows a script.
// Each test file is a crate of its own and uses another part of this.
#![allow(dead_code)]
// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

pub mod server;
pub mod stack;

use async_trait::async_trait;
use grove_shared_cache::clock::Clock;
use grove_shared_cache::config::Limits;
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::Deadline;
use grove_shared_cache::observe::log::{Level, LogSink};
use grove_shared_cache::source::{Row, Source};
use serde_json::json;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;

pub const NOON_MS: u64 = 1_800_000_000_000;

/// The defaults.
pub const LIMITS: Limits = Limits {
    ttl_seconds: 300,
    max_staleness: Duration::from_secs(1),
    redis_timeout: Duration::from_millis(500),
    source_timeout: Duration::from_millis(2000),
};

/// Stands still until it is moved, but for a nanosecond at each look: no two moments are the same.
#[derive(Default)]
pub struct HandClock {
    elapsed_ms: AtomicU64,
    looks: AtomicU64,
}

impl HandClock {
    pub fn advance(&self, by: Duration) {
        self.elapsed_ms
            .fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn wall_ms(&self) -> u64 {
        NOON_MS + self.elapsed_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        let look = self.looks.fetch_add(1, Ordering::SeqCst);
        Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst)) + Duration::from_nanos(look)
    }
}

/// Remembers every line.
#[derive(Default)]
pub struct Lines(Mutex<Vec<(Level, String)>>);

impl LogSink for Lines {
    fn write(&self, level: Level, message: &str) {
        self.0.lock().unwrap().push((level, message.to_owned()));
    }
}

impl Lines {
    pub fn at_least(&self, least: Level) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines
            .iter()
            .filter(|(level, _)| *level >= least)
            .map(|(_, message)| message.clone())
            .collect()
    }

    pub fn take(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .drain(..)
            .map(|(_, message)| message)
            .collect()
    }
}

pub fn row(identity: &str, updated_at: &str) -> Row {
    let row = json!({
        "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "title": "Grove",
        "updated_at": updated_at,
        "payload": { "identity": identity }
    });
    row.as_object().unwrap().clone()
}

/// What [`row`] assembles to.
pub fn prompt(identity: &str) -> String {
    format!("## Identity\n{identity}")
}

/// One answer of a [`ScriptedSource`].
pub enum Scene {
    Row(Row),
    NoRow,
    Fault(Fault),
    /// Never answers.
    Hang,
    /// Answers with this row when the test says so.
    Held(Row, oneshot::Receiver<()>),
}

/// Plays its scenes one after the other, then repeats the last row it gave.
#[derive(Default)]
pub struct ScriptedSource {
    scenes: Mutex<VecDeque<Scene>>,
    last: Mutex<Option<Row>>,
    pub asked: AtomicUsize,
    pub begun: Notify,
}

impl ScriptedSource {
    pub fn of(scenes: impl IntoIterator<Item = Scene>) -> Arc<Self> {
        Arc::new(ScriptedSource {
            scenes: Mutex::new(scenes.into_iter().collect()),
            ..Self::default()
        })
    }

    pub fn then(&self, scene: Scene) {
        self.scenes.lock().unwrap().push_back(scene);
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Source for ScriptedSource {
    fn name(&self) -> &'static str {
        "supabase"
    }

    async fn load(&self, deadline: Deadline) -> Result<Option<Row>, Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let scene = self.scenes.lock().unwrap().pop_front();
        self.begun.notify_one();
        let row = match scene {
            None => return Ok(self.last.lock().unwrap().clone()),
            Some(Scene::NoRow) => return Ok(None),
            Some(Scene::Fault(fault)) => return Err(fault),
            Some(Scene::Hang) => {
                return match timeout_at(deadline.at(), std::future::pending()).await {
                    Ok(answer) => answer,
                    Err(_) => Err(deadline.fault()),
                };
            }
            Some(Scene::Row(row)) => row,
            Some(Scene::Held(row, released)) => {
                released.await.expect("the test releases what it holds");
                row
            }
        };
        *self.last.lock().unwrap() = Some(row.clone());
        Ok(Some(row))
    }
}

/// A source's scene that the test releases, and the release.
pub fn held(row: Row) -> (Scene, oneshot::Sender<()>) {
    let (release, released) = oneshot::channel();
    (Scene::Held(row, released), release)
}

/// Lets everything that can run, run, until `state` holds.
pub async fn until(state: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if state() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the state was not reached");
}
