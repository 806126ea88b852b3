//! Invalidations that are made here. One makes new generations and drops the values in the store by one script, loads what the
//! resource wants loaded, and then tells the other instances. One that failed is owed and tried again until it went through.

use crate::cache::answer::Receipt;
use crate::cache::context::Context;
use crate::cache::load::{CLAIM, Fence};
use crate::cache::owed::{Attempt, Names};
use crate::error::{Error, Fault};
use crate::http::Deadline;
use crate::protocol::{Announcement, Generation, Scope};
use crate::store::{Committed, Invalidation, Store};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout_at};

/// How soon an invalidation that failed is tried again; twice as long each time, up to the second.
const FIRST_RETRY_AFTER: Duration = Duration::from_millis(100);
const LAST_RETRY_AFTER: Duration = Duration::from_secs(1);
/// From the beginning of one invalidation to that of the next: a flood of calls costs the store one command each time.
pub const INTERVAL: Duration = Duration::from_millis(100);
/// How long one that had to wait looks out for the next, which spares it the rest.
const LOOKOUT: Duration = Duration::from_millis(50);
/// How long the other instances are not told while the new value is loaded for them.
const HEAD_START: Duration = Duration::from_millis(200);
/// How many dependencies share a command.
const NAMES_PER_COMMAND: usize = 1000;
/// As long as values may live: for how long the generations are kept of what this instance does not know.
const LONGEST_TTL_SECONDS: u32 = 7 * 24 * 3600;

/// One call.
#[derive(Clone)]
pub struct Call {
    names: Names,
    acknowledge: bool,
}

impl Context {
    pub(super) fn invalidate(
        self: Arc<Self>,
        names: Names,
        acknowledge: bool,
    ) -> impl Future<Output = Result<Receipt, Error>> + Send + use<> {
        if self.store.is_none() {
            self.watermark.supersede(Scope::Of(names.clone()));
        }
        async move {
            if self.store.is_none() {
                return Ok(self.went_through(&names, None));
            }
            let invalidations = self.invalidations.clone();
            let work = |calls: Vec<Call>| async move {
                let acknowledge = calls.iter().any(|call| call.acknowledge);
                let names = calls.into_iter().flat_map(|call| call.names).collect();
                self.invalidate_in_store(names, acknowledge).await
            };
            let outcome = invalidations.join(Call { names, acknowledge }, work).await;
            outcome.unwrap_or_else(|| Err(Error::internal()))
        }
    }

    /// In commands of a bounded length; the receipt is that of the last.
    async fn invalidate_in_store(
        self: Arc<Self>,
        names: Names,
        acknowledge: bool,
    ) -> Result<Receipt, Error> {
        let limits = &self.limits;
        let deadline = Deadline::after(limits.redis_timeout + limits.source_timeout);
        let mut chunks = chunks_of(names).into_iter();
        let mut last = None;
        while let Some(names) = chunks.next() {
            let attempt = self.owed.begin(names);
            match self.commit(&attempt, acknowledge).await {
                Ok(committed) => last = Some(self.spread(&attempt, deadline, committed).await),
                Err(fault) => {
                    self.fail(&attempt);
                    for names in chunks.by_ref() {
                        let attempt = self.owed.begin(names);
                        self.fail(&attempt);
                    }
                    self.stats.invalidations_failed.increment();
                    self.stats.last_store_fault.note(&fault);
                    self.state_log.invalidation_failed(&fault);
                    return Err(Error::store_unavailable(
                        "invalidate the shared cache",
                        fault,
                    ));
                }
            }
        }
        last.ok_or_else(Error::internal)
    }

    /// An attempt did not reach the store, or nobody knows. What the store says of these is not believed until one did.
    fn fail(self: &Arc<Self>, attempt: &Attempt) {
        let first = self.owed.fail(attempt);
        self.watermark.supersede(Scope::Of(attempt.names.clone()));
        if first {
            tokio::spawn(self.clone().settle());
        }
    }

    /// Tries what is owed until it went through, or the cache is closed.
    async fn settle(self: Arc<Self>) {
        let mut pause = FIRST_RETRY_AFTER;
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY_AFTER);
            if self.is_closed() {
                return;
            }
            let Some(names) = self.owed.unsettled() else {
                return;
            };
            for names in chunks_of(names) {
                let attempt = self.owed.begin(names);
                match self.commit(&attempt, false).await {
                    Ok(committed) => drop(
                        self.spread(&attempt, Deadline::after(LAST_RETRY_AFTER), committed)
                            .await,
                    ),
                    Err(_) => {
                        self.owed.fail(&attempt);
                        break;
                    }
                }
            }
        }
    }

    fn store(&self) -> Result<&Store, Fault> {
        self.store.as_ref().ok_or(Fault::Unreachable)
    }

    async fn commit(
        self: &Arc<Self>,
        attempt: &Attempt,
        acknowledge: bool,
    ) -> Result<Committed, Fault> {
        let names = &attempt.names;
        let refills = self
            .refilled()
            .into_iter()
            .find(|entry| entry.names().any(|it| names.contains(it)));
        let claim = refills.and_then(|entry| {
            let keys = entry.keys.as_ref()?;
            Some((keys.claim.clone(), CLAIM)).filter(|_| entry.source.is_some())
        });
        let keys = &self.keys;
        let mut drops: Vec<String> = names
            .iter()
            .filter_map(|name| keys.of_entry(name))
            .flatten()
            .collect();
        if let Some((claimed, _)) = &claim {
            drops.retain(|key| key != claimed);
        }
        let invalidation = Invalidation {
            generations: names
                .iter()
                .map(|name| keys.generation(name, LONGEST_TTL_SECONDS))
                .collect(),
            drops,
            claim,
            scope: Scope::bounded(names),
            acknowledge,
            seed: self.seed(),
        };
        let committed = self
            .store()?
            .invalidate(self.redis_deadline(), invalidation)
            .await?;
        self.owed.acknowledge(attempt);
        let record = &committed.record;
        // Others may have come before it: the next validation finds out which.
        self.watermark.observe(record);
        self.membership.note(&record.notes, self.watermark.tick());
        Ok(committed)
    }

    /// An invalidation went through: loads the new value for all where that is wanted, then tells the others, by the deadline.
    async fn spread(
        self: &Arc<Self>,
        attempt: &Attempt,
        deadline: Deadline,
        committed: Committed,
    ) -> Receipt {
        let Committed { record, roster } = committed;
        let receipt = Receipt {
            roster: Arc::new(roster),
            ..self.went_through(&attempt.names, Some(&record))
        };
        if self.invalidations.is_followed(LOOKOUT).await {
            // The next one drops what would be loaded now, and tells the others anyway: they find this one in the log.
            return receipt;
        }
        let head_start = deadline.or_after(HEAD_START);
        for entry in self.refilled() {
            let Some(own) = entry
                .names()
                .next()
                .filter(|it| attempt.names.contains(*it))
            else {
                continue;
            };
            if entry.source.is_none() || entry.keys.is_none() || self.owed.concerns([own]) {
                continue;
            }
            let fence = Fence {
                generations: vec![Generation::of(record.sequence)],
                sequence: record.sequence,
            };
            // Late or failed, the others load it themselves.
            let _ = timeout_at(head_start.at(), self.refill(&entry, fence)).await;
        }
        let Ok(store) = self.store() else {
            return receipt;
        };
        let announcement = Announcement {
            record,
            // By now of the fill, so that a replica that lags waits for the new value, too.
            sync: store.sync_token(),
            from: self.membership.id().to_owned(),
        };
        let deadline = deadline.or_after(self.limits.redis_timeout);
        if let Err(fault) = store.publish(deadline, &announcement.to_line()).await {
            // Their leases make up for it.
            self.stats.publishes_failed.increment();
            self.stats.last_store_fault.note(&fault);
        }
        receipt
    }

    fn went_through(&self, names: &Names, record: Option<&crate::protocol::LogRecord>) -> Receipt {
        self.stats.invalidations.increment();
        let mut others = names.len();
        for single in self.refilled() {
            if names.contains(single.definition.name.as_str()) {
                others -= 1;
                single.definition.state_log.invalidated(record.is_some());
            }
        }
        if others > 0 {
            self.state_log.invalidated(record.is_some());
        }
        Receipt {
            sequence: record.map(|record| record.sequence),
            committed_at_ms: self.clock.wall_ms(),
            committed: self.clock.monotonic(),
            roster: Arc::default(),
        }
    }
}

fn chunks_of(names: Names) -> Vec<Names> {
    let names: Vec<_> = names.into_iter().collect();
    let chunks = names.chunks(NAMES_PER_COMMAND);
    let mut chunks: Vec<Names> = chunks
        .map(|chunk| chunk.iter().cloned().collect())
        .collect();
    // An invalidation of nothing is one, too.
    if chunks.is_empty() {
        chunks.push(Names::new());
    }
    chunks
}
