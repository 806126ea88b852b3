//! What the cache gives its callers.

use crate::core::error::Fault;
use crate::core::near::Held;
use crate::core::protocol::{Entry, Generation};
use std::sync::Arc;
use std::time::Duration;

/// Which tier an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The near cache, under a lease.
    Memory,
    /// The store gave it, or confirmed what the near cache holds.
    Redis,
    Source,
    /// The last value known to be good, while neither store nor source answers.
    Stale,
    /// The legacy source or the fallback: not the truth, and never stored.
    Fallback,
}

impl Tier {
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Memory => "memory",
            Tier::Redis => "redis",
            Tier::Source => "source",
            Tier::Stale => "stale",
            Tier::Fallback => "fallback",
        }
    }
}

/// What a read delivers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub entry: Arc<Entry>,
    pub tier: Tier,
    /// The generation that the entry was read or filled under; `None` where no store was asked or none answered.
    pub generation: Option<Generation>,
    /// Of a stand-in, why the source did not answer; `None` if it did, and had nothing.
    pub fault: Option<Fault>,
}

impl Answer {
    pub fn of(held: Held, tier: Tier) -> Self {
        Answer {
            entry: held.entry,
            tier,
            generation: held.generation,
            fault: None,
        }
    }
}

/// Proof that an invalidation went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// `None` without a shared store.
    pub generation: Option<Generation>,
    /// Wall-clock milliseconds at which it was acknowledged.
    pub committed_at_ms: u64,
    /// The same moment on the cache's monotonic clock.
    pub committed: Duration,
}
