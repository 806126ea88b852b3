//! A store behind its circuit breaker. Everything that reads and fills goes through the breaker; an invalidation and a look for
//! people are always sent, and what becomes of them tells the breaker too.

use crate::core::breaker::{Breaker, Phase, Refused};
use crate::core::clock::Clock;
use crate::core::error::Fault;
use crate::core::fleet::{List, Roll, Standing};
use crate::core::http::Deadline;
use crate::core::journal::Journal;
use crate::core::near::Held;
use crate::core::protocol::{Announcement, Generation, Marks, Record, Snapshot};
use crate::core::store::shelves::{Filling, Opened, Shelves};
use crate::core::store::sync::Access::{self, Read, Write};
use crate::core::store::{Fill, KeyValue, Probe, Register, SharedStore, Shelf, Store};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

pub struct Guarded {
    store: Arc<dyn SharedStore>,
    watch: Arc<Watch>,
}

/// The entries of a collection in the same store, behind the same breaker.
pub struct GuardedShelves {
    shelves: Arc<dyn Shelves>,
    watch: Arc<Watch>,
}

/// The breaker, and what it needs to hear of each command.
struct Watch {
    breaker: Breaker,
    clock: Arc<dyn Clock>,
    journal: Arc<Journal>,
    /// What is asked whether the store is there again, and how long that may take.
    store: Arc<dyn SharedStore>,
    timeout: Duration,
}

impl Guarded {
    pub fn new(
        store: Arc<dyn SharedStore>,
        timeout: Duration,
        clock: Arc<dyn Clock>,
        journal: Arc<Journal>,
    ) -> Self {
        let watch = Watch {
            breaker: Breaker::default(),
            clock,
            journal,
            store: store.clone(),
            timeout,
        };
        Guarded {
            store,
            watch: Arc::new(watch),
        }
    }

    pub fn around(&self, shelves: Arc<dyn Shelves>) -> GuardedShelves {
        GuardedShelves {
            shelves,
            watch: self.watch.clone(),
        }
    }

    pub fn phase(&self) -> Phase {
        self.watch.breaker.phase()
    }

    /// How often the breaker opened.
    pub fn opened(&self) -> u64 {
        self.watch.breaker.opened.get()
    }

    async fn admit<T>(
        &self,
        access: Access,
        command: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.watch.admit(access, command).await
    }
}

impl Watch {
    /// Sends the command if the breaker lets it through.
    async fn admit<T>(
        self: &Arc<Self>,
        access: Access,
        command: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        match self.breaker.admit(self.clock.monotonic()) {
            Ok(()) => self.over(access, command).await,
            Err(Refused { fault, probe }) => {
                if probe {
                    self.probe_beside();
                }
                Err(fault)
            }
        }
    }

    /// Asks the store something while nobody waits for it.
    fn probe_beside(self: &Arc<Self>) {
        let watch = self.clone();
        let deadline = Deadline::after(self.timeout);
        tokio::spawn(async move { drop(watch.over(Read, watch.store.probe(deadline)).await) });
    }

    /// Sends the command, and tells the breaker how it went.
    async fn over<T>(
        &self,
        access: Access,
        command: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let sent_at = self.clock.monotonic();
        let outcome = command.await;
        match &outcome {
            // Whoever rejects a command, or says more than is listened to, is there; the next one may be another.
            Ok(_) | Err(Fault::Rejected { .. } | Fault::TooLarge { .. }) => self.breaker.answered(),
            Err(fault) => {
                if self
                    .breaker
                    .failed(fault, access, sent_at, self.clock.monotonic())
                {
                    self.journal.breaker_opened(fault);
                }
            }
        }
        outcome
    }
}

#[async_trait]
impl Store for Guarded {
    async fn read(&self, deadline: Deadline, reader: &str) -> Result<Snapshot, Fault> {
        self.admit(Read, self.store.read(deadline, reader)).await
    }

    async fn marks(&self, deadline: Deadline, reader: &str) -> Result<Marks, Fault> {
        self.admit(Read, self.store.marks(deadline, reader)).await
    }

    async fn remaining(&self, deadline: Deadline) -> Result<Option<Duration>, Fault> {
        self.admit(Read, self.store.remaining(deadline)).await
    }

    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        self.admit(Write, self.store.mint(deadline, now_ms)).await
    }

    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault> {
        self.admit(Write, self.store.claim(deadline, term)).await
    }

    async fn release(&self, deadline: Deadline) -> Result<(), Fault> {
        self.admit(Write, self.store.release(deadline)).await
    }

    async fn fill(
        &self,
        deadline: Deadline,
        fence: &Generation,
        record: &Record,
        ttl_seconds: u32,
    ) -> Result<Fill, Fault> {
        let fill = self.store.fill(deadline, fence, record, ttl_seconds);
        self.admit(Write, fill).await
    }

    async fn invalidate(
        &self,
        deadline: Deadline,
        now_ms: u64,
        term: Duration,
    ) -> Result<Generation, Fault> {
        let invalidation = self.store.invalidate(deadline, now_ms, term);
        self.watch.over(Write, invalidation).await
    }

    async fn publish(&self, deadline: Deadline, announcement: &Announcement) -> Result<(), Fault> {
        self.admit(Write, self.store.publish(deadline, announcement))
            .await
    }

    fn sync_token(&self) -> Option<String> {
        self.store.sync_token()
    }

    fn catch_up(&self, announcement: &Announcement) {
        self.store.catch_up(announcement);
    }

    async fn probe(&self, deadline: Deadline) -> Result<Probe, Fault> {
        self.watch.over(Read, self.store.probe(deadline)).await
    }

    fn commands(&self) -> u64 {
        self.store.commands()
    }
}

/// Of a store that holds one value alone.
#[async_trait]
impl Shelf for Guarded {
    async fn read(&self, deadline: Deadline, reader: &str) -> Result<Snapshot, Fault> {
        Store::read(self, deadline, reader).await
    }

    async fn marks(&self, deadline: Deadline, reader: &str, _: &Held) -> Result<Marks, Fault> {
        Store::marks(self, deadline, reader).await
    }

    async fn remaining(&self, deadline: Deadline) -> Result<Option<Duration>, Fault> {
        Store::remaining(self, deadline).await
    }

    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        Store::mint(self, deadline, now_ms).await
    }

    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault> {
        Store::claim(self, deadline, term).await
    }

    async fn release(&self, deadline: Deadline) -> Result<(), Fault> {
        Store::release(self, deadline).await
    }

    async fn fill(
        &self,
        deadline: Deadline,
        fence: &Generation,
        record: &Record,
        ttl_seconds: u32,
    ) -> Result<Fill, Fault> {
        Store::fill(self, deadline, fence, record, ttl_seconds).await
    }
}

#[async_trait]
impl Register for Guarded {
    async fn enlist(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
        settling: Duration,
    ) -> Result<(), Fault> {
        let enlisting = self.store.enlist(deadline, id, standing, settling);
        self.admit(Write, enlisting).await
    }

    async fn restate(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
    ) -> Result<bool, Fault> {
        let restating = self.store.restate(deadline, id, standing);
        self.admit(Write, restating).await
    }

    async fn members(&self, deadline: Deadline) -> Result<List, Fault> {
        self.admit(Read, self.store.members(deadline)).await
    }

    async fn roll(&self, deadline: Deadline, ids: &[String]) -> Result<Roll, Fault> {
        self.admit(Read, self.store.roll(deadline, ids)).await
    }

    async fn strike(&self, deadline: Deadline, ids: &[String]) -> Result<(), Fault> {
        self.admit(Write, self.store.strike(deadline, ids)).await
    }

    async fn leave(&self, deadline: Deadline, id: &str) -> Result<(), Fault> {
        self.admit(Write, self.store.leave(deadline, id)).await
    }
}

#[async_trait]
impl KeyValue for Guarded {
    async fn get(&self, deadline: Deadline, key: &str) -> Result<Option<String>, Fault> {
        self.admit(Read, self.store.get(deadline, key)).await
    }

    async fn set(
        &self,
        deadline: Deadline,
        key: &str,
        value: &str,
        ttl_seconds: u32,
    ) -> Result<(), Fault> {
        let set = self.store.set(deadline, key, value, ttl_seconds);
        self.admit(Write, set).await
    }

    async fn del(&self, deadline: Deadline, key: &str) -> Result<bool, Fault> {
        self.admit(Write, self.store.del(deadline, key)).await
    }
}

#[async_trait]
impl Shelves for GuardedShelves {
    async fn values(
        &self,
        deadline: Deadline,
        keys: &[String],
    ) -> Result<Vec<Option<String>>, Fault> {
        let values = self.shelves.values(deadline, keys);
        self.watch.admit(Read, values).await
    }

    async fn mint_all(
        &self,
        deadline: Deadline,
        keys: &[String],
        now_ms: u64,
    ) -> Result<Vec<Generation>, Fault> {
        let minting = self.shelves.mint_all(deadline, keys, now_ms);
        self.watch.admit(Write, minting).await
    }

    async fn claim_at(
        &self,
        deadline: Deadline,
        loader: &str,
        term: Duration,
    ) -> Result<bool, Fault> {
        let claim = self.shelves.claim_at(deadline, loader, term);
        self.watch.admit(Write, claim).await
    }

    async fn release_at(&self, deadline: Deadline, loader: &str) -> Result<(), Fault> {
        let release = self.shelves.release_at(deadline, loader);
        self.watch.admit(Write, release).await
    }

    async fn claim_all(
        &self,
        deadline: Deadline,
        loaders: &[String],
        term: Duration,
    ) -> Result<Vec<bool>, Fault> {
        let claims = self.shelves.claim_all(deadline, loaders, term);
        self.watch.admit(Write, claims).await
    }

    async fn fill_at(&self, deadline: Deadline, filling: &Filling) -> Result<Fill, Fault> {
        let fill = self.shelves.fill_at(deadline, filling);
        self.watch.admit(Write, fill).await
    }

    async fn fill_all(&self, deadline: Deadline, fillings: &[Filling]) -> Result<Vec<Fill>, Fault> {
        let fills = self.shelves.fill_all(deadline, fillings);
        self.watch.admit(Write, fills).await
    }

    async fn open(
        &self,
        deadline: Deadline,
        now_ms: u64,
        keys: &[String],
        drops: &[String],
        kept: Duration,
    ) -> Result<Opened, Fault> {
        let opening = self.shelves.open(deadline, now_ms, keys, drops, kept);
        self.watch.over(Write, opening).await
    }
}
