//! What a cache with a signing key believes of its store, which somebody else may write to.
//!
//! A signature tells who wrote a prompt and for which generation, and not whether it is still the one: what was true once can be
//! put back, with its generation, and a generation can be made up before its time. So an entry is believed only for a TTL
//! after it was filled, and the first prompt of an instance's life, and the first after it was told of a change, are the
//! source's where that answers.

use crate::core::answer::Tier;
use crate::core::cache::{Cache, Lack, Landed};
use crate::core::http::{CONTENT_CAP_BYTES, Deadline};
use crate::core::near::{Answered, Departure};
use crate::core::protocol::{
    Age, Announcement, Entry, Generation, MissReason, Snapshot, age, judge,
};
use std::sync::Arc;
use std::time::Duration;

/// How far the clocks of two instances may differ, and how long a fill may take.
const SLACK: Duration = Duration::from_secs(60);

impl Cache {
    /// What the store has, if it may be served.
    pub(super) fn judged(&self, snapshot: &Snapshot) -> Result<Entry, MissReason> {
        let entry = judge(snapshot)?;
        if entry.content.len() > CONTENT_CAP_BYTES || !self.line.resource.knows(&entry) {
            return Err(MissReason::Foreign);
        }
        let Some(signer) = &self.line.signer else {
            return Ok(entry);
        };
        if !signer.vouches_for(snapshot) {
            return Err(MissReason::Unsigned);
        }
        if self.is_past(&entry) {
            return Err(MissReason::Replayed);
        }
        Ok(entry)
    }

    /// Whether the store may no longer have this entry, if nobody keeps it there.
    pub(super) fn is_past(&self, entry: &Entry) -> bool {
        let kept = (self.ttl() + SLACK).as_millis() as u64;
        self.line.signer.is_some() && self.parts.clock.wall_ms() > entry.loaded_at_ms + kept
    }

    /// Whether the source has to say so, too, before what the store has is served.
    pub(super) fn wants_proof(&self) -> bool {
        self.line.signer.is_some() && !self.near.is_proved()
    }

    /// Serves what the source has in place of what the store has; that one if the source does not answer.
    pub(super) async fn prove(
        self: &Arc<Self>,
        answered: Answered,
        departure: Departure,
    ) -> Landed {
        let deadline = Deadline::after(self.line.source_timeout);
        let (stored, fence) = (answered.entry.clone(), answered.generation.clone());
        match self.ask_source(departure, fence.as_ref()).await {
            Ok(entry) => {
                if let Some(fence) = fence
                    && self.keeps(&entry)
                    && age(&entry, &stored) != Age::Same
                {
                    tokio::spawn(self.clone().fill(entry, fence));
                }
                Landed::Held(Tier::Source)
            }
            Err(Lack::NoAnswer(_)) if self.hit(answered) => Landed::Held(Tier::Redis),
            Err(lack) => self.stand_in(lack, deadline, fence).await,
        }
    }

    /// The generation of an announcement, by which one that was heard before is known. Somebody may announce a generation
    /// before it is there, so that the real announcement is taken for known: then only this instance's own are.
    pub(super) fn known_by<'a>(&self, said: &'a Announcement) -> Option<&'a Generation> {
        let believed = self.line.signer.is_none() || said.from == self.parts.id;
        believed.then_some(&said.generation)
    }
}
