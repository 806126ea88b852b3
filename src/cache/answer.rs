//! What the cache gives its callers.

use crate::error::Fault;
use crate::near::Held;
use crate::protocol::{Generation, Roster, Sequence, Value};
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
    /// The last known good value, while neither store nor source answers.
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
    pub value: Arc<Value>,
    pub tier: Tier,
    /// The generation that the value was read or filled under; `None` if no store was asked or none answered.
    pub generation: Option<Generation>,
    /// Of a fallback, why the source did not answer; `None` if it did, and had nothing.
    pub fault: Option<Fault>,
}

impl Answer {
    pub fn of(held: Held, tier: Tier) -> Self {
        Answer {
            value: held.value,
            tier,
            generation: held.generation,
            fault: None,
        }
    }
}

/// Proof that an invalidation went through.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// `None` without a shared store.
    pub sequence: Option<Sequence>,
    /// Wall-clock milliseconds at which it was acknowledged.
    pub committed_at_ms: u64,
    /// The same moment on the monotonic clock.
    pub committed: Duration,
    /// The members as they stood, if the fleet was to acknowledge it.
    pub roster: Arc<Roster>,
}
