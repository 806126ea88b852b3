//! What a cache with a signing key believes of its store, which somebody else may write to.
//!
//! A signature tells who wrote a prompt and for which generation, and not whether it is still the one: what was true once can be
//! put back, with its generation. So an entry is believed only for a TTL after it was filled, an instance that was told of a
//! newer generation does not go back to an older one, and the first prompt of an instance's life is compared with the source.

use crate::core::cache::Cache;
use crate::core::http::CONTENT_CAP_BYTES;
use crate::core::near::Departure;
use crate::core::protocol::{Entry, Generation, MissReason, Snapshot, judge};
use std::time::Duration;

/// How far the clocks of two instances may differ, and how long a fill may take.
const SLACK: Duration = Duration::from_secs(60);

impl Cache {
    /// What the store has, if it may be served.
    pub(super) fn judged(&self, snapshot: &Snapshot) -> Result<Entry, MissReason> {
        let entry = judge(snapshot)?;
        if entry.content.len() > CONTENT_CAP_BYTES {
            return Err(MissReason::Foreign);
        }
        let Some(signer) = &self.parts.signer else {
            return Ok(entry);
        };
        if !signer.vouches_for(snapshot) {
            return Err(MissReason::Unsigned);
        }
        let generation = snapshot.generation.as_ref();
        if self.is_past(&entry) || generation.is_some_and(|seen| self.near.is_set_back(seen)) {
            return Err(MissReason::Replayed);
        }
        Ok(entry)
    }

    /// Whether the store may no longer have this entry, if nobody keeps it there.
    pub(super) fn is_past(&self, entry: &Entry) -> bool {
        let kept = (self.ttl() + SLACK).as_millis() as u64;
        self.parts.signer.is_some() && self.parts.clock.wall_ms() > entry.loaded_at_ms + kept
    }

    /// Whether the source has given the first value of this instance's life, in place of the store.
    pub(super) async fn proved(
        &self,
        departure: Departure,
        generation: Option<&Generation>,
    ) -> bool {
        self.parts.signer.is_some()
            && self.near.held().is_none()
            && self.ask_source(departure, generation).await.is_ok()
    }
}
