//! The invalidation stream: one supervised task per instance that keeps it open and passes on what it says.
//!
//! Nothing depends on it: it makes changes visible in milliseconds, the lease makes them certain. There is no replay, so
//! each time it is opened counts as news. It is kept open only while somebody reads.

pub mod sse;
pub mod upstash;

use crate::error::Fault;
use async_trait::async_trait;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

/// Opening takes no longer, the confirmation of the subscription included.
const SETUP: Duration = Duration::from_secs(10);
/// A stream that said nothing for this long is opened anew: it may have lost its other end. With [`SETUP`], within a minute.
const SILENCE: Duration = Duration::from_secs(45);
/// The pause before it is opened again, less up to a half by chance; twice as long after each failure, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A stream that ended sooner counts as a failure, so that a server that ends each one is not asked ten times a second.
const STABLE: Duration = Duration::from_secs(10);

#[async_trait]
pub trait Channel: Send + Sync {
    /// Resolves when the subscription is confirmed: what is announced from then on arrives, or the stream ends.
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Fault>;
}

#[async_trait]
pub trait Subscription: Send {
    /// The next message; `None` is a sign of life without one.
    async fn next(&mut self) -> Result<Option<String>, Fault>;
}

/// Who hears what the stream says.
pub trait Listener: Send + Sync {
    fn connected(&self);
    fn message(self: Arc<Self>, message: &str);
    /// The stream ended; it is opened again.
    fn ended(&self);
    /// It could not be opened; it is tried again.
    fn failed(&self, fault: &Fault);
}

/// The running task. Dropping this ends it.
pub struct Supervised {
    task: AbortHandle,
    wanted: Arc<Notify>,
}

impl Supervised {
    /// Must be called inside a tokio runtime. `id` tells instances apart, so that they do not all come back at once.
    pub fn start(channel: Arc<dyn Channel>, listener: Weak<dyn Listener>, id: &str) -> Self {
        let wanted = Arc::new(Notify::new());
        let supervision = supervise(channel, listener, wanted.clone(), id.to_owned());
        Supervised {
            task: tokio::spawn(supervision).abort_handle(),
            wanted,
        }
    }

    /// Somebody reads. A stream that ended is opened again after this only.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn supervise(
    channel: Arc<dyn Channel>,
    listener: Weak<dyn Listener>,
    wanted: Arc<Notify>,
    id: String,
) {
    let mut failures = 0;
    loop {
        wanted.notified().await;
        let opened = timeout(SETUP, channel.subscribe()).await;
        let Some(heard) = listener.upgrade() else {
            return;
        };
        match opened.unwrap_or(Err(Fault::Timeout {
            after_ms: SETUP.as_millis() as u64,
        })) {
            Ok(subscription) => {
                heard.connected();
                drop(heard);
                let opened_at = Instant::now();
                listen(subscription, &listener).await;
                let stable = opened_at.elapsed() >= STABLE;
                failures = if stable { 0 } else { failures + 1 };
            }
            Err(fault) => {
                failures += 1;
                heard.failed(&fault);
            }
        }
        sleep(pause(failures, &id)).await;
    }
}

/// Until the stream ends or falls silent.
async fn listen(mut subscription: Box<dyn Subscription>, listener: &Weak<dyn Listener>) {
    while let Ok(Ok(message)) = timeout(SILENCE, subscription.next()).await {
        let Some(listener) = listener.upgrade() else {
            return;
        };
        if let Some(message) = message {
            listener.message(&message);
        }
    }
    if let Some(listener) = listener.upgrade() {
        listener.ended();
    }
}

/// Between half of the whole pause and all of it, as the id and the count have it.
fn pause(failures: u32, id: &str) -> Duration {
    let whole = (FIRST_PAUSE * 2_u32.pow(failures.saturating_sub(1).min(16))).min(LAST_PAUSE);
    let mut hasher = DefaultHasher::new();
    (failures, id).hash(&mut hasher);
    let share = (hasher.finish() % 1000) as f64 / 1000.0;
    whole.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_half_a_minute_and_differs_between_instances() {
        for failures in [0, 1] {
            let pause = pause(failures, "a");
            assert!(
                pause >= FIRST_PAUSE / 2 && pause <= FIRST_PAUSE,
                "{pause:?}"
            );
        }
        assert_ne!(pause(0, "a"), pause(0, "b"));
        for failures in [9, 10, 100, u32::MAX] {
            let pause = pause(failures, "a");
            assert!(pause >= LAST_PAUSE / 2 && pause <= LAST_PAUSE, "{pause:?}");
        }
        assert_ne!(pause(5, "a"), pause(5, "b"));
    }
}
