//! The store that all instances share: what the cache asks of it.

pub mod guarded;
pub mod memory;
pub mod shelves;
pub mod sync;
pub mod upstash;

use crate::core::error::Fault;
use crate::core::fleet::{List, Roll, Standing};
use crate::core::http::Deadline;
use crate::core::near::Held;
use crate::core::protocol::{Announcement, Generation, Marks, Record, Snapshot};
use async_trait::async_trait;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    Stored,
    /// An invalidation came between the read of the generation and the fill.
    Refused,
}

/// The store's view of its own health, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    pub latency: Duration,
    /// Seconds until the content expires; `None` where there is none.
    pub ttl_seconds: Option<u64>,
}

/// The keys of one resource in the shared store. Every call ends by its deadline, and is one command
/// unless it says otherwise.
#[async_trait]
pub trait Store: Send + Sync {
    /// All that is stored, at one moment, and whether the instance of this id is listed then.
    async fn read(&self, deadline: Deadline, reader: &str) -> Result<Snapshot, Fault>;

    /// Only what tells whether an entry that was read is still there.
    async fn marks(&self, deadline: Deadline, reader: &str) -> Result<Marks, Fault>;

    /// Until the value expires; `None` where there is none, or one without an expiry, which no fill has written.
    async fn remaining(&self, deadline: Deadline) -> Result<Option<Duration>, Fault>;

    /// Makes `now_ms` the generation where there is none; the generation that is there now. A second command where
    /// another instance was faster.
    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault>;

    /// Asks to load the value for all instances. False: another one does, and has not had `term` for it yet. Saves loads,
    /// and nothing depends on it.
    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault>;

    /// Gives up a claim.
    async fn release(&self, deadline: Deadline) -> Result<(), Fault>;

    /// Stores `record` for `ttl_seconds` if the generation is still, exactly, `fence`.
    async fn fill(
        &self,
        deadline: Deadline,
        fence: &Generation,
        record: &Record,
        ttl_seconds: u32,
    ) -> Result<Fill, Fault>;

    /// Opens a new generation, not before `now_ms`, drops what is stored, and claims to load for `term`.
    async fn invalidate(
        &self,
        deadline: Deadline,
        now_ms: u64,
        term: Duration,
    ) -> Result<Generation, Fault>;

    /// Tells all instances that listen. Nothing depends on its arrival.
    async fn publish(&self, deadline: Deadline, announcement: &Announcement) -> Result<(), Fault>;

    /// What another instance has to present to be answered no older state than this one was.
    fn sync_token(&self) -> Option<String>;

    /// From now on reads no state older than the announced one, where the store has replicas that lag.
    fn catch_up(&self, announcement: &Announcement);

    async fn probe(&self, deadline: Deadline) -> Result<Probe, Fault>;

    /// How many commands its owner is billed for: those that were sent, and those inside scripts.
    fn commands(&self) -> u64 {
        0
    }
}

/// The keys of one value in the shared store, as its cache sees them. The calls are those of [`Store`].
#[async_trait]
pub trait Shelf: Send + Sync {
    async fn read(&self, deadline: Deadline, reader: &str) -> Result<Snapshot, Fault>;
    /// For a reader that holds this.
    async fn marks(&self, deadline: Deadline, reader: &str, held: &Held) -> Result<Marks, Fault>;
    async fn remaining(&self, deadline: Deadline) -> Result<Option<Duration>, Fault>;
    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault>;
    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault>;
    async fn release(&self, deadline: Deadline) -> Result<(), Fault>;
    async fn fill(
        &self,
        deadline: Deadline,
        fence: &Generation,
        record: &Record,
        ttl_seconds: u32,
    ) -> Result<Fill, Fault>;
}

/// The list of the instances that read.
#[async_trait]
pub trait Register: Send + Sync {
    /// Lists an instance for as long as its standing says, and keeps that. Where there was no list, marks it for the time `settling` as
    /// one that may not be whole.
    async fn enlist(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
        settling: Duration,
    ) -> Result<(), Fault>;

    /// How an instance that is listed stands now; its time begins anew. False: it is not listed.
    async fn restate(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
    ) -> Result<bool, Fault>;

    /// The instances that are listed.
    async fn members(&self, deadline: Deadline) -> Result<List, Fault>;

    /// How these instances stand.
    async fn roll(&self, deadline: Deadline, ids: &[String]) -> Result<Roll, Fault>;

    /// Takes those of these instances off the list that say nothing any more.
    async fn strike(&self, deadline: Deadline, ids: &[String]) -> Result<(), Fault>;

    /// Takes an instance off the list, which says so itself. Two commands.
    async fn leave(&self, deadline: Deadline, id: &str) -> Result<(), Fault>;
}

/// A store as a cache needs it.
pub trait SharedStore: Store + KeyValue + Register {}
impl<T: Store + KeyValue + Register> SharedStore for T {}

/// Plain values under keys of the caller's choice, beside the resource's own.
#[async_trait]
pub trait KeyValue: Send + Sync {
    async fn get(&self, deadline: Deadline, key: &str) -> Result<Option<String>, Fault>;
    async fn set(
        &self,
        deadline: Deadline,
        key: &str,
        value: &str,
        ttl_seconds: u32,
    ) -> Result<(), Fault>;
    /// Whether there was something to delete.
    async fn del(&self, deadline: Deadline, key: &str) -> Result<bool, Fault>;
}
