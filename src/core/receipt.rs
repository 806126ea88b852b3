//! How a receipt is got: asks the store how the instances stand until all of them have acknowledged the change, or their
//! leases are over. Calls for the same generation share one look-out.

use crate::core::answer::Receipt;
use crate::core::engine::Engine;
use crate::core::error::Fault;
use crate::core::fleet::{By, Confirmation, Progress, Roll};
use crate::core::http::Deadline;
use crate::core::protocol::Generation;
use crate::core::store::Register;
use crate::core::store::guarded::Guarded;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Between two looks; twice as long each time, up to the last, or to a tenth of what is left of the leases.
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
    last: Mutex<Option<Weak<LookOut>>>,
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

impl Engine {
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
        if let Some(look_out) = last.as_ref().and_then(Weak::upgrade)
            && look_out.generation == generation
        {
            return look_out;
        }
        let limits = &self.parts.limits;
        let (lease, patience) = (limits.max_staleness, limits.redis_timeout);
        let progress = Progress::begin(generation.clone(), &self.parts.id, lease, patience);
        let look_out = Arc::new(LookOut {
            generation,
            progress: Mutex::new(progress),
            proven: Notify::new(),
        });
        let weak = Arc::downgrade(&look_out);
        *last = Some(weak.clone());
        tokio::spawn(self.clone().watch_fleet(store, weak, committed));
        look_out
    }

    /// Looks until it is proven, or nobody waits for that any more.
    async fn watch_fleet(
        self: Arc<Self>,
        store: Arc<Guarded>,
        look_out: Weak<LookOut>,
        committed: Duration,
    ) {
        let mut pause = FIRST_LOOK_AFTER;
        let progress = loop {
            let Some(look_out) = look_out.upgrade() else {
                return;
            };
            let mut progress = look_out.progress();
            let left = |progress: &Progress| {
                let until = progress.next_look().unwrap_or_default();
                until.saturating_sub(self.since(committed))
            };
            // However slow the store is, the leases end.
            let patience = left(&progress).min(self.parts.limits.redis_timeout);
            let heard = timeout(patience, self.hear_fleet(&store, &mut progress, committed));
            if let Ok(Err(fault)) = heard.await {
                self.stats.last_store_fault.note(&fault);
            }
            progress.look(self.since(committed));
            look_out.show(&progress);
            if progress.proven_after().is_some() {
                break progress;
            }
            drop(look_out);
            let left = left(&progress);
            sleep(pause.min(left).max(Duration::from_millis(1))).await;
            pause = (pause * 2).min(LAST_LOOK_AFTER.max(left / 10));
        };
        // Its own is no news.
        for confirmation in progress.confirmations().iter().skip(1) {
            if let Some((after, _)) = confirmation.confirmed {
                self.stats.propagation.observe(after);
            }
        }
        let gone = progress.gone();
        if !gone.is_empty()
            && let Err(fault) = store.strike(self.redis_deadline(), &gone).await
        {
            self.stats.last_store_fault.note(&fault);
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
        let awaited = progress.awaited();
        let roll = if awaited.is_empty() {
            Roll::default()
        } else {
            store.roll(deadline, &awaited).await?
        };
        progress.hear(&roll, self.since(committed));
        Ok(())
    }
}
