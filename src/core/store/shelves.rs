//! The store of a collection: many entries, each of which depends on several generations.

use crate::core::error::Fault;
use crate::core::http::Deadline;
use crate::core::protocol::{Generation, Record};
use crate::core::store::Fill;
use async_trait::async_trait;
use std::time::Duration;

/// The keys of one entry.
#[derive(Clone, Debug)]
pub struct EntryKeys {
    pub value: String,
    pub version: String,
    pub config: String,
    pub loader: String,
}

impl EntryKeys {
    /// Of an entry by its mark.
    pub fn of(prefix: &str, mark: &str) -> Self {
        EntryKeys {
            value: format!("{prefix}:{mark}:value"),
            version: format!("{prefix}:{mark}:version"),
            config: format!("{prefix}:{mark}:config"),
            loader: format!("{prefix}:{mark}:loader"),
        }
    }
}

/// A generation by its key.
pub type Fence = (String, Generation);

/// A value on its way into the store.
#[derive(Clone, Debug)]
pub struct Filling {
    pub keys: EntryKeys,
    pub fences: Vec<Fence>,
    pub record: Record,
    pub ttl_seconds: u32,
    /// For how long the generations that others depend on, too, are kept from now.
    pub kept: Duration,
}

impl Filling {
    /// For how long the first generation, the entry's own, is kept from now: a little longer than the value.
    pub fn own_kept(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds.into()) + MINTED_FOR
    }
}

/// What an invalidation opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The collection's generation: counts all invalidations, whatever they were about.
    pub generation: Generation,
    /// The one before.
    pub previous: Option<Generation>,
}

/// For how long the store remembers a generation under which nothing was stored yet. Shorter is safe: who comes later is given another.
pub const MINTED_FOR: Duration = Duration::from_secs(600);

/// Every call ends by its deadline, and is one command unless it says otherwise.
#[async_trait]
pub trait Shelves: Send + Sync {
    /// What is under these keys, at one moment.
    async fn values(
        &self,
        deadline: Deadline,
        keys: &[String],
    ) -> Result<Vec<Option<String>>, Fault>;

    /// Makes `now_ms` the generation of each of these keys that has none, for [`MINTED_FOR`]; those that are there now.
    async fn mint_all(
        &self,
        deadline: Deadline,
        keys: &[String],
        now_ms: u64,
    ) -> Result<Vec<Generation>, Fault>;

    /// Asks to load a value for all instances, by the key of its loader; see `Store::claim`.
    async fn claim_at(
        &self,
        deadline: Deadline,
        loader: &str,
        term: Duration,
    ) -> Result<bool, Fault>;

    /// The same of several.
    async fn claim_all(
        &self,
        deadline: Deadline,
        loaders: &[String],
        term: Duration,
    ) -> Result<Vec<bool>, Fault> {
        let mut claimed = Vec::new();
        for loader in loaders {
            claimed.push(self.claim_at(deadline, loader, term).await?);
        }
        Ok(claimed)
    }

    /// Gives up a claim.
    async fn release_at(&self, deadline: Deadline, loader: &str) -> Result<(), Fault>;

    /// Stores a value if all generations that it depends on are still, exactly, those of its fences; gives up the claim to load it.
    async fn fill_at(&self, deadline: Deadline, filling: &Filling) -> Result<Fill, Fault>;

    /// The same of several, each by itself.
    async fn fill_all(&self, deadline: Deadline, fillings: &[Filling]) -> Result<Vec<Fill>, Fault> {
        let mut filled = Vec::new();
        for filling in fillings {
            filled.push(self.fill_at(deadline, filling).await?);
        }
        Ok(filled)
    }

    /// Opens a new generation, not before `now_ms`, of the collection and at each of these keys, and drops what is under `drops`: three
    /// keys for each entry. The keys of entries come first, and their generations are kept for [`MINTED_FOR`], as nothing is stored
    /// under them; the others for `kept`.
    async fn open(
        &self,
        deadline: Deadline,
        now_ms: u64,
        keys: &[String],
        drops: &[String],
        kept: Duration,
    ) -> Result<Opened, Fault>;
}
