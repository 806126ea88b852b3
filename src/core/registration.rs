//! Whether the store lists this instance, so that receipts wait for it. An instance that is not listed is listed before it asks;
//! until it is, it holds no lease, and later readers do not join its flights: what a receipt does not know of serves nothing
//! without asking.
//!
//! Two exceptions, for the sake of the source: where the store refuses the listing (a token that may only read), and while
//! its breaker is open.

use crate::core::breaker::Phase;
use crate::core::cache::Cache;
use crate::core::error::Fault;
use crate::core::fleet::{Member, Standing};
use crate::core::http::Deadline;
use crate::core::protocol::Generation;
use crate::core::rules::Rule;
use crate::core::store::Register;
use crate::core::store::guarded::Guarded;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often an instance with traffic is listed anew.
const RENEWAL: Duration = Duration::from_secs(60);

/// Times are the clock's monotonic ones.
#[derive(Default)]
pub struct Registration {
    /// Never held across `.await`.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Zero: not at all.
    listed_until: Duration,
    /// When it is to be listed anew, or refused again.
    renew_at: Duration,
    refused: bool,
    /// The generation that the store was last told of, or is being told of.
    told: Option<Generation>,
}

impl Registration {
    /// Until when a lease may run.
    fn lease_end(&self) -> Duration {
        let state = self.state();
        if state.refused {
            Duration::MAX
        } else {
            state.listed_until
        }
    }

    /// Whether the store lists this instance, by its own count.
    pub fn is_listed(&self, now: Duration) -> bool {
        now < self.state().listed_until
    }

    /// It is not listed, as the store said. Whether that is news.
    fn lost(&self) -> bool {
        let listed_until = &mut self.state().listed_until;
        std::mem::take(listed_until) > Duration::ZERO
    }

    /// True for one caller per renewal.
    fn take_renewal(&self, now: Duration) -> bool {
        let mut state = self.state();
        let due = now >= state.renew_at;
        if due {
            state.renew_at = now + RENEWAL;
        }
        due
    }

    /// Whether the store is to be told of this generation, which it is from now on.
    fn take_news(&self, generation: Option<&Generation>, now: Duration) -> bool {
        let mut state = self.state();
        let news = now < state.listed_until && state.told.as_ref() != generation;
        if news {
            state.told = generation.cloned();
        }
        news
    }

    fn enlisted(&self, sent_at: Duration, standing: Standing) {
        self.restated(sent_at, standing);
        let mut state = self.state();
        state.renew_at = sent_at + RENEWAL;
        state.refused = false;
    }

    fn restated(&self, sent_at: Duration, standing: Standing) {
        let mut state = self.state();
        state.listed_until = sent_at + standing.listed_for();
        state.told = standing.generation;
    }

    fn refused(&self, now: Duration) {
        let mut state = self.state();
        state.refused = true;
        state.renew_at = now + RENEWAL;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves a state that is whole: every field is set by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// Sees to it that the store lists this instance before it is asked for something that may be leased.
    pub(super) async fn register(
        self: &Arc<Self>,
        store: &Guarded,
        deadline: Deadline,
    ) -> Result<(), Fault> {
        let now = self.parts.clock.monotonic();
        if self.is_closed() {
            return Ok(());
        }
        let leases_may_run = now < self.registration.lease_end();
        if leases_may_run {
            if self.registration.take_renewal(now) {
                self.enlist_beside();
            }
            return Ok(());
        }
        let enlisted = self.enlist(store, deadline).await;
        if enlisted.is_err() {
            self.is_not_listed();
        }
        enlisted
    }

    /// The store said whether it lists this instance.
    pub(super) fn sighted(&self, listed: bool) {
        if !listed && self.registration.lost() {
            self.is_not_listed();
        }
    }

    /// A flight that is joined is as good as a lease.
    fn is_not_listed(&self) {
        if self.needs_a_listing() {
            self.near.unlisted();
        }
    }

    /// Not while the store is left alone: the source is not asked more often for it.
    fn needs_a_listing(&self) -> bool {
        let asked = self
            .breaker()
            .is_some_and(|(phase, _)| phase == Phase::Closed);
        asked && self.parts.rules.keep(Rule::LeaseNeedsAListing)
    }

    async fn enlist(&self, store: &Guarded, deadline: Deadline) -> Result<(), Fault> {
        let sent_at = self.parts.clock.monotonic();
        let standing = self.standing();
        let enlisting = store.enlist(deadline, &self.parts.id, &standing, self.settling());
        match enlisting.await {
            Ok(()) => {
                self.registration.enlisted(sent_at, standing);
                Ok(())
            }
            // What it may read is read all the same.
            Err(fault) if !fault.passes() => {
                self.registration.refused(sent_at);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// Lists this instance anew, with how it stands now, while nobody waits for it.
    fn enlist_beside(self: &Arc<Self>) {
        let cache = self.clone();
        tokio::spawn(async move {
            if let Some(store) = &cache.store {
                let enlisted = cache.enlist(store, cache.redis_deadline()).await;
                if let Err(fault) = enlisted {
                    cache.stats.store_failed(&fault);
                }
            }
        });
    }

    /// For how long an instance may hold a lease after the store has lost its listing: a flight that saw it a moment before
    /// asks the store and the source, and then has a lease.
    fn settling(&self) -> Duration {
        let limits = &self.parts.limits;
        limits.redis_timeout + limits.source_timeout + limits.max_staleness
    }

    fn standing(&self) -> Standing {
        Standing {
            generation: self.near.acknowledged(),
            lease: self.parts.limits.max_staleness,
        }
    }

    /// Until when a value may be leased.
    pub(super) fn lease_end(&self) -> Duration {
        if self.needs_a_listing() {
            self.registration.lease_end()
        } else {
            Duration::MAX
        }
    }

    /// Tells the store which generation this instance has acknowledged, if it does not know yet.
    pub(super) fn acknowledge(self: &Arc<Self>) {
        let now = self.parts.clock.monotonic();
        let generation = self.near.acknowledged();
        if self.is_closed() || !self.registration.take_news(generation.as_ref(), now) {
            return;
        }
        let cache = self.clone();
        tokio::spawn(async move {
            let Some(store) = &cache.store else {
                return;
            };
            let (sent_at, standing) = (cache.parts.clock.monotonic(), cache.standing());
            let restating = store.restate(cache.redis_deadline(), &cache.parts.id, &standing);
            match restating.await {
                Ok(true) => cache.registration.restated(sent_at, standing),
                Ok(false) => cache.sighted(false),
                Err(fault) => cache.stats.store_failed(&fault),
            }
        });
    }

    /// Takes this instance off the list. Nothing is sent where it is not on it.
    pub async fn leave(&self) {
        let now = self.parts.clock.monotonic();
        let Some(store) = self.store.as_ref() else {
            return;
        };
        if self.registration.is_listed(now) {
            self.registration.lost();
            if let Err(fault) = store.leave(self.redis_deadline(), &self.parts.id).await {
                self.stats.store_failed(&fault);
            }
        }
    }

    /// The instances that are listed and say how they stand; `None` where no store says.
    pub async fn fleet(&self) -> Option<Vec<Member>> {
        let store = self.store.as_ref()?;
        let deadline = self.redis_deadline();
        let ids = store.members(deadline).await.ok()?.ids;
        let roll = store.roll(deadline, &ids).await.ok()?;
        let member = |(id, standing): (String, Option<Standing>)| {
            Some(Member {
                is_self: id == self.parts.id,
                id,
                standing: standing?,
            })
        };
        let mut members: Vec<_> = ids
            .into_iter()
            .zip(roll.standings)
            .filter_map(member)
            .collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        Some(members)
    }
}
