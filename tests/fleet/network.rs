//! Chance, time and the wires: everything that may go wrong between an instance and what it talks to.

use grove_shared_cache::clock::Clock;
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::Deadline;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

pub const NOON_MS: u64 = 1_800_000_000_000;

pub fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// SplitMix64: all chance of a run comes from its seed.
pub struct Chance(AtomicU64);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Chance(AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    pub fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, `limit`.
    pub fn below(&self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub fn between(&self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub fn percent(&self, share: u64) -> bool {
        self.below(100) < share
    }
}

/// How bad the wires of a run are.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Milliseconds that a message mostly takes, at least and at most.
    pub least_ms: u64,
    pub usual_ms: u64,
    /// Per cent of messages that take up to `late_ms` longer.
    pub late: u64,
    pub late_ms: u64,
    /// Per cent of requests that never arrive, and of answers that do not.
    pub lost: u64,
    /// Per cent of requests that are refused at once.
    pub refused: u64,
}

/// One instance's clocks. The monotonic one begins anywhere and goes a little too fast or too slow; the wall clock is set by
/// somebody else. Both may have stood still while the process was frozen.
pub struct SimClock {
    pub origin: Instant,
    /// What it showed at the origin.
    pub begins_at: Duration,
    /// Parts per million that it goes too fast.
    pub drift_ppm: i64,
    pub stood_us: AtomicU64,
    /// Since when it stands still; negative: it goes.
    pub stands_since_us: AtomicI64,
    pub skew_ms: AtomicI64,
}

/// The most that a clock drifts.
pub const DRIFT_PPM: i64 = 500;

impl SimClock {
    pub fn exact(origin: Instant) -> Self {
        SimClock {
            origin,
            begins_at: Duration::ZERO,
            drift_ppm: 0,
            stood_us: AtomicU64::new(0),
            stands_since_us: AtomicI64::new(-1),
            skew_ms: AtomicI64::new(0),
        }
    }

    pub fn stand(&self) {
        let elapsed = self.origin.elapsed().as_micros() as i64;
        self.stands_since_us.store(elapsed, SeqCst);
    }

    /// It goes on from where it stood.
    pub fn go_on(&self) {
        let since = self.stands_since_us.swap(-1, SeqCst);
        let stood = self.origin.elapsed().as_micros() as i64 - since;
        // In its own microseconds.
        let stood = stood + stood * self.drift_ppm / 1_000_000;
        self.stood_us.fetch_add(stood as u64, SeqCst);
    }

    fn elapsed_us(&self) -> i64 {
        let mut elapsed = self.origin.elapsed().as_micros() as i64;
        let stands_since = self.stands_since_us.load(SeqCst);
        if stands_since >= 0 {
            elapsed = elapsed.min(stands_since);
        }
        elapsed + elapsed * self.drift_ppm / 1_000_000 - self.stood_us.load(SeqCst) as i64
    }
}

impl Clock for SimClock {
    fn wall_ms(&self) -> u64 {
        (NOON_MS as i64 + self.elapsed_us() / 1000 + self.skew_ms.load(SeqCst)) as u64
    }

    fn monotonic(&self) -> Duration {
        self.begins_at + Duration::from_micros(self.elapsed_us() as u64)
    }
}

/// Whether a process runs. One that does not neither sends nor hears; what is on the wire goes on.
#[derive(Clone)]
pub struct Process(Arc<Running>);

struct Running {
    runs: AtomicBool,
    /// Wakes who waits for it in the order in which they came: a channel of tokio's would leave that to chance of its own.
    thawed: Notify,
    crashed: AtomicBool,
    frozen_at: Mutex<Option<Instant>>,
    frozen_ms: AtomicU64,
}

impl Process {
    pub fn running() -> Self {
        Process(Arc::new(Running {
            runs: AtomicBool::new(true),
            thawed: Notify::new(),
            crashed: AtomicBool::new(false),
            frozen_at: Mutex::new(None),
            frozen_ms: AtomicU64::new(0),
        }))
    }

    pub fn freeze(&self) {
        self.0
            .frozen_at
            .lock()
            .unwrap()
            .get_or_insert(Instant::now());
        self.0.runs.store(false, SeqCst);
    }

    pub fn thaw(&self) {
        if self.0.crashed.load(SeqCst) {
            return;
        }
        if let Some(frozen_at) = self.0.frozen_at.lock().unwrap().take() {
            let frozen_ms = frozen_at.elapsed().as_millis() as u64;
            self.0.frozen_ms.fetch_add(frozen_ms, SeqCst);
        }
        self.0.runs.store(true, SeqCst);
        self.0.thawed.notify_waiters();
    }

    /// It does not run again.
    pub fn crash(&self) {
        self.0.crashed.store(true, SeqCst);
        self.0.runs.store(false, SeqCst);
    }

    pub fn runs(&self) -> bool {
        self.0.runs.load(SeqCst)
    }

    /// For how long it was frozen in all, up to the last thaw.
    pub fn frozen_ms(&self) -> u64 {
        self.0.frozen_ms.load(SeqCst)
    }

    /// Until the process runs; for ever, if it crashed.
    pub async fn turn(&self) {
        while !self.runs() {
            self.0.thawed.notified().await;
        }
    }
}

/// The way from one process to one server.
#[derive(Clone)]
pub struct Wire {
    pub chance: Arc<Chance>,
    pub weather: Arc<Mutex<Weather>>,
    pub process: Process,
}

enum Fate {
    Refused,
    RequestLost,
    AnswerLost,
    Through,
}

impl Wire {
    fn delay(&self) -> Duration {
        let weather = self.weather.lock().unwrap().clone();
        if self.chance.percent(weather.late) {
            ms(weather.usual_ms + self.chance.below(weather.late_ms))
        } else {
            ms(self.chance.between(weather.least_ms, weather.usual_ms))
        }
    }

    fn fate(&self) -> Fate {
        let weather = self.weather.lock().unwrap().clone();
        let roll = self.chance.below(100);
        if roll < weather.refused {
            Fate::Refused
        } else if roll < weather.refused + weather.lost {
            Fate::RequestLost
        } else if roll < weather.refused + 2 * weather.lost {
            Fate::AnswerLost
        } else {
            Fate::Through
        }
    }

    /// Has `serve` done at the other end, some time. A request that was sent arrives even if its sender gives up.
    pub async fn call<T: Send + 'static>(
        &self,
        deadline: Deadline,
        serve: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Fault> {
        self.process.turn().await;
        let (there, back, fate) = (self.delay(), self.delay(), self.fate());
        let (answer, answered) = oneshot::channel();
        match fate {
            Fate::Refused => return Err(Fault::Unreachable),
            Fate::RequestLost => drop(answer),
            Fate::AnswerLost | Fate::Through => {
                let arrives = matches!(fate, Fate::Through);
                tokio::spawn(async move {
                    sleep(there).await;
                    let served = serve.await;
                    sleep(back).await;
                    if arrives {
                        let _ = answer.send(served);
                    }
                });
            }
        }
        let outcome = timeout_at(deadline.at(), async {
            match answered.await {
                Ok(served) => served,
                Err(_) => std::future::pending().await,
            }
        });
        let outcome = outcome.await.map_err(|_| deadline.fault());
        self.process.turn().await;
        outcome
    }
}
