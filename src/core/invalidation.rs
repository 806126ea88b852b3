//! Invalidations: made here, and heard of.
//!
//! One made here ends the epoch at the call, opens a generation in the store, ends the epoch again, loads the new value and
//! stores it, and then tells the other instances, who find it there: no reader of theirs waits for the source. One that
//! failed is owed ([`crate::core::pending`]) and tried again until it went through.

use crate::core::answer::Receipt;
use crate::core::cache::Cache;
use crate::core::engine::Entries;
use crate::core::error::{Error, Fault};
use crate::core::http::Deadline;
use crate::core::marks::Marks;
use crate::core::pending::Attempt;
use crate::core::protocol::{Announcement, Generation};
use crate::core::push::Listener;
use crate::core::refresh::CLAIM;
use crate::core::store::Store;
use crate::core::store::guarded::Guarded;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout_at;

/// How soon an invalidation that failed is tried again; twice as long each time, up to the second.
pub(super) const FIRST_RETRY_AFTER: Duration = Duration::from_millis(100);
pub(super) const LAST_RETRY_AFTER: Duration = Duration::from_secs(1);
/// From the beginning of one invalidation to that of the next: a flood of calls costs the store one command each time.
pub const INTERVAL: Duration = Duration::from_millis(100);
/// How long one that had to wait looks out for the next, which spares it the rest.
const LOOKOUT: Duration = Duration::from_millis(50);
/// How long the other instances are not told while the new value is being loaded for them.
const HEAD_START: Duration = Duration::from_millis(200);

impl Cache {
    /// Drops the value everywhere. The epoch is ended before this returns, so that no read that begins after the call
    /// joins an older flight. Calls that come together share one that begins after them. Fails if the shared store did
    /// not take it; then it is owed.
    pub fn invalidate(
        self: &Arc<Self>,
    ) -> impl Future<Output = Result<Receipt, Error>> + Send + use<> {
        self.near.invalidated(None);
        let cache = self.clone();
        async move {
            let Some(store) = cache.store.clone() else {
                return Ok(cache.went_through(None));
            };
            let invalidations = cache.invalidations.clone();
            let invalidation = move |_| cache.invalidate_in(store);
            let outcome = invalidations.join(Marks::new(), invalidation).await;
            outcome.unwrap_or_else(|| Err(Error::internal()))
        }
    }

    async fn invalidate_in(self: Arc<Self>, store: Arc<Guarded>) -> Result<Receipt, Error> {
        let limits = &self.parts.limits;
        let deadline = Deadline::after(limits.redis_timeout + limits.source_timeout);
        let attempt = self.pending.begin(the_value());
        match self.open_generation(&store, &attempt).await {
            Ok(generation) => Ok(self.spread(&store, deadline, generation).await),
            Err(fault) => {
                if self.pending.fail(&attempt) {
                    tokio::spawn(self.clone().settle());
                }
                // What the store confirmed since the call is not to be trusted either.
                self.near.invalidated(None);
                Err(self.not_taken(fault))
            }
        }
    }

    /// Tries an invalidation that is owed until one went through, or the cache is closed.
    async fn settle(self: Arc<Self>) {
        let Some(store) = &self.store else {
            return;
        };
        let mut pause = FIRST_RETRY_AFTER;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY_AFTER);
            if self.pending.unsettled().is_none() || self.is_closed() {
                return;
            }
            let attempt = self.pending.begin(the_value());
            match self.open_generation(store, &attempt).await {
                Ok(generation) => {
                    let deadline = Deadline::after(LAST_RETRY_AFTER);
                    drop(self.spread(store, deadline, generation).await);
                }
                Err(_) => drop(self.pending.fail(&attempt)),
            }
        }
    }

    async fn open_generation(
        &self,
        store: &Guarded,
        attempt: &Attempt,
    ) -> Result<Generation, Fault> {
        let now_ms = self.parts.clock.wall_ms();
        let generation = store
            .invalidate(self.redis_deadline(), now_ms, CLAIM)
            .await?;
        self.pending.acknowledge(attempt);
        Ok(generation)
    }

    /// An invalidation went through: puts the new value in the store, then tells the others, all of it by the deadline.
    async fn spread(
        self: &Arc<Self>,
        store: &Guarded,
        deadline: Deadline,
        generation: Generation,
    ) -> Receipt {
        let receipt = self.went_through(Some(&generation));
        if self.invalidations.is_followed(LOOKOUT).await {
            // The next one drops what would be loaded now, and tells the others anyway.
            return receipt;
        }
        if self.line.source.is_some() {
            // Late or failed, the others load it themselves.
            let head_start = deadline.or_after(HEAD_START);
            let _ = timeout_at(head_start.at(), self.refill(generation.clone())).await;
        } else {
            tokio::spawn(self.clone().release());
        }
        let announcement = Announcement {
            generation,
            // By now of the fill, so that a replica that lags waits for the new value too.
            sync: store.sync_token(),
            from: self.parts.id.clone(),
            scope: None,
        };
        let deadline = deadline.or_after(self.parts.limits.redis_timeout);
        self.announce(store, deadline, &announcement).await;
        receipt
    }

    fn went_through(self: &Arc<Self>, generation: Option<&Generation>) -> Receipt {
        self.near.invalidated(generation);
        self.engine.went_through(generation.cloned())
    }
}

/// Of a cache of one value there is but one generation to open.
fn the_value() -> Marks {
    Marks::from(["".into()])
}

impl Entries for Cache {
    fn acknowledged(&self) -> Option<Generation> {
        self.near.acknowledged()
    }

    fn unlisted(&self) {
        self.near.unlisted();
    }
}

impl Listener for Cache {
    fn connected(&self) {
        self.near.push_connected();
        self.stream_opened();
    }

    fn message(self: Arc<Self>, message: &str) {
        let announcement = Announcement::parse(message);
        // First the token, so that no read of the new epoch goes out without it.
        if let (Some(announcement), Some(store)) = (&announcement, &self.store) {
            store.catch_up(announcement);
        }
        let generation = announcement.as_ref().and_then(|said| self.known_by(said));
        self.near.announced(generation);
        self.engine.acknowledge();
        self.told.notify_waiters();
        self.stream_spoke();
    }

    fn ended(&self) {
        self.near.push_ended();
    }

    fn failed(&self, fault: &Fault) {
        self.stream_failed(fault);
    }
}
