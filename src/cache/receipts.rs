//! How a receipt is got: asks the store how the members stand until all of them have acknowledged the invalidation, or their leases
//! are over. Calls for the same invalidation share one watch.

use crate::cache::answer::Receipt;
use crate::cache::context::Context;
use crate::error::Fault;
use crate::fleet::{By, Confirmation, Progress};
use crate::protocol::{Member, Sequence};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Between two looks; twice as long each time, up to the last, or to a tenth of what is left of the leases.
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(5);
const LAST_LOOK_AFTER: Duration = Duration::from_millis(100);

/// That an invalidation has come through the fleet, or how far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    pub confirmations: Vec<Confirmation>,
    /// Since the commit; `None`: it could not be proven in time, or there is no store that instances share.
    pub after: Option<Duration>,
}

/// The last watch, which calls may share.
#[derive(Default)]
pub struct Watches {
    /// Never held across `.await`.
    last: Mutex<Option<Weak<Watch>>>,
}

pub struct Watch {
    sequence: Sequence,
    /// How far it has come. Never held across `.await`.
    progress: Mutex<Progress>,
    proven: Notify,
}

impl Watch {
    fn progress(&self) -> Progress {
        // A panic under this lock leaves a whole value: it is replaced, and changed nowhere.
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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

impl Context {
    pub(super) async fn prove_everywhere(
        self: Arc<Self>,
        receipt: &Receipt,
        patience: Option<Duration>,
    ) -> Proof {
        let (Some(sequence), Some(_)) = (receipt.sequence, &self.store) else {
            let confirmed = Some((Duration::ZERO, By::Ack));
            let id = self.membership.id().to_owned();
            return Proof {
                confirmations: vec![Confirmation { id, confirmed }],
                after: None,
            };
        };
        let watch = self.watch(sequence, receipt);
        let proven = watch.proven();
        let elapsed = self.since(receipt.committed);
        match patience {
            Some(patience) => drop(timeout(patience.saturating_sub(elapsed), proven).await),
            None => proven.await,
        }
        let mut progress = watch.progress();
        // A lease that ends with the patience is over.
        progress.look(self.since(receipt.committed));
        Proof {
            confirmations: progress.confirmations(),
            after: progress.proven_after(),
        }
    }

    fn watch(self: &Arc<Self>, sequence: Sequence, receipt: &Receipt) -> Arc<Watch> {
        // A panic under this lock leaves a whole pointer.
        let mut last = self
            .watches
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = last.as_ref().and_then(Weak::upgrade)
            && watch.sequence == sequence
        {
            return watch;
        }
        let lease = self.limits.max_staleness;
        let progress = Progress::begin(sequence, self.membership.id(), lease, &receipt.roster);
        let watch = Arc::new(Watch {
            sequence,
            progress: Mutex::new(progress),
            proven: Notify::new(),
        });
        let weak = Arc::downgrade(&watch);
        *last = Some(weak.clone());
        tokio::spawn(self.clone().watch_fleet(weak, receipt.committed));
        watch
    }

    /// Looks until it is proven, or nobody waits for that any more.
    async fn watch_fleet(self: Arc<Self>, watch: Weak<Watch>, committed: Duration) {
        let mut pause = FIRST_LOOK_AFTER;
        let progress = loop {
            let Some(watch) = watch.upgrade() else {
                return;
            };
            let mut progress = watch.progress();
            let left = |progress: &Progress| {
                progress
                    .next_look()
                    .unwrap_or_default()
                    .saturating_sub(self.since(committed))
            };
            progress.look(self.since(committed));
            if progress.proven_after().is_none() {
                // However slow the store is, the leases end.
                let patience = left(&progress).min(self.limits.redis_timeout);
                let heard = timeout(patience, self.hear_fleet(&mut progress, committed));
                if let Ok(Err(fault)) = heard.await {
                    self.stats.last_store_fault.note(&fault);
                }
                progress.look(self.since(committed));
            }
            watch.show(&progress);
            if progress.proven_after().is_some() {
                break progress;
            }
            drop(watch);
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
        if let Err(fault) = self.clear_list(&progress).await {
            self.stats.last_store_fault.note(&fault);
        }
    }

    async fn hear_fleet(&self, progress: &mut Progress, committed: Duration) -> Result<(), Fault> {
        let awaited = progress.awaited();
        if let Some(store) = self.store.as_ref().filter(|_| !awaited.is_empty()) {
            let fields = store.fields(self.redis_deadline(), &awaited).await?;
            progress.hear(fields, self.since(committed), &self.watermark);
        }
        Ok(())
    }

    /// Takes silent members off the list, so that the next receipt does not wait for them, and lets a list that was new be whole.
    async fn clear_list(&self, progress: &Progress) -> Result<(), Fault> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        if let Some(unsettled) = progress.unsettled() {
            store.settle(self.redis_deadline(), unsettled).await?;
        }
        self.expel_all(progress.silent()).await
    }

    /// Takes members off the list by id, lease and field. Removed is only what was seen to be marked for as long as its leases last, whoever
    /// marked it.
    pub(super) async fn expel_all(
        &self,
        silent: Vec<(String, Duration, String)>,
    ) -> Result<(), Fault> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let mut marked = Vec::new();
        for (id, lease, field) in silent {
            let mark = if Member::parse(&field).is_some_and(|it| it.expelled) {
                Some(field)
            } else {
                let deadline = self.redis_deadline();
                store.expel(deadline, self.seed(), &id, &field).await?
            };
            marked.extend(mark.map(|field| (id, lease, field)));
        }
        if let Some(longest) = marked.iter().map(|(_, lease, _)| *lease).max() {
            sleep(longest + longest / 500).await;
            for (id, _, field) in marked {
                let deadline = self.redis_deadline();
                store.expel(deadline, self.seed(), &id, &field).await?;
            }
        }
        Ok(())
    }
}
