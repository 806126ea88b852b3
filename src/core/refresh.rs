//! Who loads the value for all: one instance at a time, so that the fleet does not fall on the source together.
//!
//! An instance that misses claims the load in the store. Who finds it claimed looks again for a while, and then loads all the
//! same: a claim saves loads, and no promise depends on it. The value is loaded anew before it expires, and when somebody
//! deleted it, by whoever of the instances with traffic finds that first.

use crate::core::cache::{Asked, Cache};
use crate::core::http::Deadline;
use crate::core::near::Departure;
use crate::core::protocol::Generation;
use crate::core::store::Shelf;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a claim lasts.
pub const CLAIM: Duration = Duration::from_secs(1);
/// How long an instance waits for another's load, at most; and never longer than half of the store's time.
const PATIENCE: Duration = Duration::from_millis(250);
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(10);
const LAST_LOOK_AFTER: Duration = Duration::from_millis(50);
/// How often an instance with traffic asks for how long the store still has the value, at least.
const CHECK_INTERVAL: Duration = Duration::from_secs(9);

impl Cache {
    /// After a miss: claims the load, or waits for who has. A miss again if the source is to be asked.
    pub(super) async fn take_turn(
        &self,
        shelf: &dyn Shelf,
        deadline: Deadline,
        departure: Departure,
        mut fence: Generation,
    ) -> Asked {
        let patience = deadline.or_after(PATIENCE.min(self.parts.limits.redis_timeout / 2));
        let mut pause = FIRST_LOOK_AFTER;
        loop {
            match shelf.claim(deadline, CLAIM).await {
                Ok(false) if Instant::now() + pause <= patience.at() => {}
                // A store that takes no claim takes no fill either, but the caller wants an answer.
                claim => {
                    let claimed = claim == Ok(true);
                    return Asked::Miss { fence, claimed };
                }
            }
            let _ = timeout(pause, self.told.notified()).await;
            pause = (pause * 2).min(LAST_LOOK_AFTER);
            match self.read_store(shelf, deadline, departure).await {
                Ok(Asked::Miss { fence: seen, .. }) => fence = seen,
                Ok(asked) => return asked,
                Err(_) => {
                    let claimed = false;
                    return Asked::Miss { fence, claimed };
                }
            }
        }
    }

    /// Whether it is time to see how long the store still has the value.
    pub(super) fn check_is_due(&self) -> bool {
        if self.line.expires_by_age {
            return self.is_ageing() && self.near.check_is_due(self.parts.clock.monotonic(), CLAIM);
        }
        let interval = CHECK_INTERVAL.min(self.ttl() / 10);
        self.near
            .check_is_due(self.parts.clock.monotonic(), interval)
    }

    /// Loads the value anew if the store has lost it or soon will.
    pub(super) async fn refresh(self: Arc<Self>) {
        let Some(shelf) = self.trusted_shelf() else {
            return;
        };
        let Some(fence) = self.near.held().and_then(|held| held.generation) else {
            return;
        };
        if !self.line.expires_by_age {
            match shelf.remaining(self.redis_deadline()).await {
                Ok(Some(left)) if left > self.ttl() / 5 => return,
                Ok(_) => {}
                Err(fault) => return self.stats.store_failed(&fault),
            }
        }
        if shelf.claim(self.redis_deadline(), CLAIM).await != Ok(true) {
            return;
        }
        self.stats.refreshes.increment();
        // Not a flight that readers could join: they have a value, and the source may be slow.
        match self.ask_source(self.departure(), Some(&fence)).await {
            Ok(entry) if self.keeps(&entry) => {
                self.clone().fill(entry, fence).await;
            }
            Ok(_) | Err(_) => self.clone().release().await,
        }
    }

    /// Whether the value will soon be gone from the store, by when it was loaded: not at the same time for all that were loaded together.
    fn is_ageing(&self) -> bool {
        let Some(held) = self.near.held() else {
            return false;
        };
        let age_ms = self
            .parts
            .clock
            .wall_ms()
            .saturating_sub(held.entry.loaded_at_ms);
        let mut hasher = DefaultHasher::new();
        (&held.entry.version, &self.parts.id).hash(&mut hasher);
        let share = 0.7 + (hasher.finish() % 100) as f64 / 500.0;
        Duration::from_millis(age_ms) >= self.ttl().mul_f64(share)
    }

    pub(super) fn ttl(&self) -> Duration {
        Duration::from_secs(self.line.ttl_seconds.into())
    }
}
