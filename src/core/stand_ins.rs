//! What is served when there is no truth to be had: the last value known to be good, the user's legacy source, the fallback.
//! Labelled as such, without a lease, never stored.

use crate::core::answer::{Answer, Tier};
use crate::core::cache::{Cache, Lack, Landed, within_cap};
use crate::core::error::Fault;
use crate::core::http::Deadline;
use crate::core::protocol::Generation;
use crate::core::rules::Rule;
use std::sync::Arc;
use tokio::time::timeout_at;

impl Cache {
    /// What stands in, by the deadline.
    pub(super) async fn stand_in(
        self: &Arc<Self>,
        lack: Lack,
        deadline: Deadline,
        generation: Option<Generation>,
    ) -> Landed {
        let was_not_answered = matches!(lack, Lack::NoAnswer(_));
        let fault = match lack {
            Lack::NoAnswer(fault) => fault,
            Lack::NoValue => None,
        };
        if was_not_answered && self.near.last_known_good().is_some() {
            self.stats.stale.increment();
            self.journal.stale();
            return Landed::Held(Tier::Stale);
        }
        let answer = self.last_resort(deadline, generation, fault).await;
        if let Some(fence) = &answer.generation
            && !self.parts.rules.keep(Rule::StandInsAreNotStored)
        {
            tokio::spawn(self.clone().fill(answer.entry.clone(), fence.clone()));
        }
        Landed::StandIn(answer)
    }

    async fn last_resort(
        &self,
        deadline: Deadline,
        generation: Option<Generation>,
        fault: Option<Fault>,
    ) -> Answer {
        let Some(legacy) = &self.line.legacy else {
            return self.fallback(generation, fault);
        };
        let now_ms = self.parts.clock.wall_ms();
        let made = match timeout_at(deadline.at(), legacy.load()).await {
            Ok(loaded) => loaded
                .and_then(|value| self.line.resource.entry_of_legacy(value, now_ms))
                .and_then(within_cap),
            Err(_) => Err("it did not settle in time".to_owned()),
        };
        match made {
            Ok(entry) => {
                self.stats.fallbacks.increment();
                self.journal.legacy_loaded();
                Answer {
                    entry: Arc::new(entry),
                    tier: Tier::Fallback,
                    generation,
                    fault,
                }
            }
            Err(problem) => {
                self.journal.legacy_failed(&problem);
                self.fallback(generation, fault)
            }
        }
    }

    pub(super) fn fallback(&self, generation: Option<Generation>, fault: Option<Fault>) -> Answer {
        self.stats.fallbacks.increment();
        self.journal.fallback();
        Answer {
            entry: Arc::new(self.line.resource.fallback(self.parts.clock.wall_ms())),
            tier: Tier::Fallback,
            generation,
            fault,
        }
    }
}
