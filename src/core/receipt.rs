//! How a receipt is got: asks the store how the instances stand until all of them have acknowledged the change, or their
//! leases are over. Calls for the same generation share one look-out.

use crate::core::answer::Receipt;
use crate::core::cache::Cache;
use crate::core::error::Fault;
use crate::core::fleet::{By, Confirmation, Progress};
use crate::core::http::Deadline;
use crate::core::protocol::Generation;
use crate::core::store::Register;
use crate::core::store::guarded::Guarded;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Between two looks; twice as long each time, up to the last.
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(5);
const LAST_LOOK_AFTER: Duration = Duration::from_millis(100);

/// That a change has come through the fleet, or how far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    pub confirmations: Vec<Confirmation>,
    /// Since the commit; `None`: it could not be proven in time, or there is no store that instances share.
    pub after: Option<Duration>,
}

/// The last look-out, which calls may share.
#[derive(Default)]
pub struct LookOuts {
    /// Never held across `.await`.
    last: Mutex<Option<Arc<LookOut>>>,
}

struct LookOut {
    generation: Generation,
    /// How far it has come. Never held across `.await`.
    progress: Mutex<Progress>,
    proven: Notify,
}

impl LookOut {
    fn progress(&self) -> Progress {
        // A panic under this lock leaves a whole value: it is replaced, and changed nowhere.
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.clone()
    }

    fn show(&self, progress: &Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress.clone();
        if progress.proven_after().is_some() {
            self.proven.notify_waiters();
        }
    }

    async fn proven(&self) {
        let mut proven = pin!(self.proven.notified());
        // From now on nothing is missed.
        proven.as_mut().enable();
        if self.progress().proven_after().is_none() {
            proven.await;
        }
    }
}

impl Cache {
    /// Waits until no instance can serve anything older than this receipt's generation, or for `patience` after the commit.
    pub async fn prove_everywhere(
        self: &Arc<Self>,
        receipt: &Receipt,
        patience: Option<Duration>,
    ) -> Proof {
        let (Some(generation), Some(store)) = (&receipt.generation, &self.store) else {
            let confirmed = Some((Duration::ZERO, By::Ack));
            let id = self.parts.id.clone();
            return Proof {
                confirmations: vec![Confirmation { id, confirmed }],
                after: None,
            };
        };
        let look_out = self.look_out(store.clone(), generation.clone(), receipt.committed);
        let proven = look_out.proven();
        let elapsed = self.since(receipt.committed);
        match patience {
            Some(patience) => drop(timeout(patience.saturating_sub(elapsed), proven).await),
            None => proven.await,
        }
        let mut progress = look_out.progress();
        // A lease that ends with the patience is over.
        progress.look(self.since(receipt.committed));
        Proof {
            confirmations: progress.confirmations(),
            after: progress.proven_after(),
        }
    }

    fn look_out(
        self: &Arc<Self>,
        store: Arc<Guarded>,
        generation: Generation,
        committed: Duration,
    ) -> Arc<LookOut> {
        // A panic under this lock leaves a whole pointer.
        let mut last = self
            .look_outs
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(look_out) = &*last
            && look_out.generation == generation
        {
            return look_out.clone();
        }
        let lease = self.parts.limits.max_staleness;
        let progress = Progress::begin(generation.clone(), &self.parts.id, lease);
        let look_out = Arc::new(LookOut {
            generation,
            progress: Mutex::new(progress),
            proven: Notify::new(),
        });
        *last = Some(look_out.clone());
        let watching = self.clone().watch_fleet(store, look_out.clone(), committed);
        tokio::spawn(watching);
        look_out
    }

    async fn watch_fleet(
        self: Arc<Self>,
        store: Arc<Guarded>,
        look_out: Arc<LookOut>,
        committed: Duration,
    ) {
        let mut progress = look_out.progress();
        let mut pause = FIRST_LOOK_AFTER;
        loop {
            let left = |progress: &Progress| {
                let elapsed = self.since(committed);
                progress
                    .next_look()
                    .unwrap_or_default()
                    .saturating_sub(elapsed)
            };
            // However slow the store is, the leases end.
            let patience = left(&progress).min(self.parts.limits.redis_timeout);
            let heard = timeout(patience, self.hear_fleet(&store, &mut progress, committed));
            if let Ok(Err(fault)) = heard.await {
                self.stats.store_failed(&fault);
            }
            progress.look(self.since(committed));
            look_out.show(&progress);
            if progress.proven_after().is_some() {
                break;
            }
            sleep(pause.min(left(&progress)).max(Duration::from_millis(1))).await;
            pause = (pause * 2).min(LAST_LOOK_AFTER);
        }
        for confirmation in progress.confirmations() {
            if let Some((after, _)) = confirmation.confirmed {
                self.stats.propagation.observe(after);
            }
        }
        let gone = progress.gone();
        if !gone.is_empty()
            && let Err(fault) = store.strike(self.redis_deadline(), &gone).await
        {
            self.stats.store_failed(&fault);
        }
    }

    async fn hear_fleet(
        &self,
        store: &Guarded,
        progress: &mut Progress,
        committed: Duration,
    ) -> Result<(), Fault> {
        let deadline = Deadline::after(self.parts.limits.redis_timeout);
        if !progress.is_listed() {
            let list = store.members(deadline).await?;
            let listed = self.registration.is_listed(self.parts.clock.monotonic());
            progress.list(list, listed);
        }
        let roll = store.roll(deadline, &progress.awaited()).await?;
        let now = self.since(committed);
        progress.hear(&roll, now);
        Ok(())
    }
}
