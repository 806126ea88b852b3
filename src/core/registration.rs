//! Whether the store lists this instance, so that receipts wait for it. An instance that is not listed is listed before it asks;
//! until it is, it holds no lease, and later readers do not join its flights: what a receipt does not know of serves nothing
//! without asking. It counts as listed for a while only after the store has shown that it is: the list may be lost at any time.
//!
//! Two exceptions, for the sake of the source: where the store refuses the listing (a token that may only read), and while
//! its breaker is open.

use crate::core::breaker::Phase;
use crate::core::engine::Engine;
use crate::core::error::Fault;
use crate::core::fleet::{MOST_INSTANCES, Member, Standing};
use crate::core::http::Deadline;
use crate::core::protocol::Generation;
use crate::core::rules::Rule;
use crate::core::store::Register;
use crate::core::store::guarded::Guarded;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often an instance with traffic is listed anew.
const RENEWAL: Duration = Duration::from_secs(60);
/// How soon one that was refused is listed after all.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// Times are the clock's monotonic ones.
#[derive(Default)]
pub struct Registration {
    /// Never held across `.await`.
    state: Mutex<State>,
    /// Held by the one who has this instance listed.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Zero: not at all.
    listed_until: Duration,
    /// When what last showed that it is listed was asked for.
    seen_at: Duration,
    /// When it is to be listed anew, or refused again.
    renew_at: Duration,
    refused: bool,
    /// The generation that the store was last told of, or is being told of.
    told: Option<Generation>,
    /// Whether what had died on the list was looked for.
    swept: bool,
    /// It is not to be listed any more.
    left: bool,
}

impl Registration {
    /// Until when a lease may run, and who joins a flight: a list that is lost settles for so long.
    fn lease_end(&self, settling: Duration) -> Duration {
        let state = self.state();
        if state.refused && !state.left {
            Duration::MAX
        } else {
            state.listed_until.min(state.seen_at + settling)
        }
    }

    /// Whether it is to be listed before anything is asked.
    fn is_due(&self, now: Duration) -> bool {
        let state = self.state();
        !state.left && !state.refused && now >= state.listed_until
    }

    fn has_left(&self) -> bool {
        self.state().left
    }

    /// The store showed that it is listed.
    fn seen(&self, sent_at: Duration) {
        let mut state = self.state();
        state.seen_at = state.seen_at.max(sent_at);
    }

    /// True once.
    fn take_sweep(&self) -> bool {
        !std::mem::replace(&mut self.state().swept, true)
    }

    /// It is not to be listed any more. Whether it was.
    fn leave(&self, now: Duration) -> bool {
        let mut state = self.state();
        state.left = true;
        now < std::mem::take(&mut state.listed_until)
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
        let due = now >= state.renew_at && !state.left;
        if due {
            state.renew_at = now + RENEWAL;
        }
        due
    }

    /// Whether the store is to be told of this generation, which it is from now on.
    fn take_news(&self, generation: Option<&Generation>, now: Duration) -> bool {
        let mut state = self.state();
        let news = now < state.listed_until && state.told.as_ref() != generation && !state.left;
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
        state.seen_at = state.seen_at.max(sent_at);
        state.told = standing.generation;
    }

    /// The store could not be told.
    fn untold(&self) {
        self.state().told = None;
    }

    fn refused(&self, now: Duration) {
        let mut state = self.state();
        state.refused = true;
        state.renew_at = now + REFUSED_FOR;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves a state that is whole: every field is set by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Sees to it that the store lists this instance before it is asked for something that may be leased.
    pub(super) async fn register(self: &Arc<Self>, deadline: Deadline) -> Result<(), Fault> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let now = self.parts.clock.monotonic();
        if self.registration.is_due(now) {
            // One for all who come together.
            let _turn = self.registration.turn.lock().await;
            if self.registration.is_due(now) {
                return self.enlist(store, deadline).await;
            }
        }
        if self.registration.take_renewal(now) {
            self.enlist_beside();
        }
        Ok(())
    }

    /// The store said whether it lists this instance.
    pub(super) fn sighted(&self, listed: bool, sent_at: Duration) {
        if listed {
            self.registration.seen(sent_at);
        } else if self.registration.lost() && self.parts.clock.monotonic() >= self.lease_end() {
            self.unlisted();
        }
    }

    /// Not while the store is left alone: the source is not asked more often for it.
    fn needs_a_listing(&self) -> bool {
        let asked = self
            .breaker()
            .is_some_and(|(phase, _)| phase == Phase::Closed);
        asked && self.parts.rules.keep(Rule::LeaseNeedsAListing)
    }

    fn unlisted(&self) {
        if let Some(entries) = self.entries() {
            entries.unlisted();
        }
    }

    fn acknowledged(&self) -> Option<Generation> {
        self.entries()?.acknowledged()
    }

    async fn enlist(self: &Arc<Self>, store: &Guarded, deadline: Deadline) -> Result<(), Fault> {
        let sent_at = self.parts.clock.monotonic();
        let standing = self.standing();
        let enlisting = store.enlist(deadline, &self.parts.id, &standing, self.settling());
        match enlisting.await {
            Ok(()) => {
                self.registration.enlisted(sent_at, standing);
                if self.registration.has_left() {
                    // It left meanwhile, and whatever came last counts.
                    return store.leave(deadline, &self.parts.id).await;
                }
                if self.registration.take_sweep() {
                    self.sweep_beside();
                }
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

    /// Lists this instance anew, with how it stands now.
    fn enlist_beside(self: &Arc<Self>) {
        self.beside(
            |engine, store| async move { engine.enlist(&store, engine.redis_deadline()).await },
        );
    }

    /// Does something with the store while nobody waits for it.
    fn beside<F>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>, Arc<Guarded>) -> F)
    where
        F: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let Some(store) = self.store.clone() else {
            return;
        };
        let (engine, work) = (self.clone(), work(self.clone(), store));
        tokio::spawn(async move {
            if let Err(fault) = work.await {
                engine.stats.last_store_fault.note(&fault);
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
            generation: self.acknowledged(),
            lease: self.parts.limits.max_staleness,
        }
    }

    /// Until when a value may be leased.
    pub(super) fn lease_end(&self) -> Duration {
        if self.needs_a_listing() {
            self.registration.lease_end(self.settling())
        } else {
            Duration::MAX
        }
    }

    /// Tells the store which generation this instance has acknowledged, if it does not know yet.
    pub(super) fn acknowledge(self: &Arc<Self>) {
        let now = self.parts.clock.monotonic();
        let generation = self.acknowledged();
        if !self.registration.take_news(generation.as_ref(), now) {
            return;
        }
        self.beside(|engine, store| async move {
            let (sent_at, standing) = (engine.parts.clock.monotonic(), engine.standing());
            let restating = store.restate(engine.redis_deadline(), &engine.parts.id, &standing);
            match restating.await {
                Ok(true) => engine.registration.restated(sent_at, standing),
                Ok(false) => engine.sighted(false, sent_at),
                Err(fault) => {
                    engine.registration.untold();
                    return Err(fault);
                }
            }
            Ok(())
        });
    }

    /// Takes those off the list that died without a word: once, when this instance came to it.
    fn sweep_beside(self: &Arc<Self>) {
        self.beside(|engine, store| async move {
            let listed = roll_call(&store, engine.redis_deadline()).await?;
            let died = listed
                .into_iter()
                .filter(|(_, standing)| standing.is_none());
            let ids: Vec<String> = died.map(|(id, _)| id).collect();
            if ids.is_empty() {
                return Ok(());
            }
            store.strike(engine.redis_deadline(), &ids).await
        });
    }

    /// Takes this instance off the list, for good. Nothing is sent where it is not on it.
    pub async fn leave(&self) {
        let was_listed = self.registration.leave(self.parts.clock.monotonic());
        // Receipts do not wait for it any more.
        self.unlisted();
        if let Some(store) = self.store.as_ref().filter(|_| was_listed)
            && let Err(fault) = store.leave(self.redis_deadline(), &self.parts.id).await
        {
            self.stats.last_store_fault.note(&fault);
        }
    }

    /// The instances that are listed and say how they stand; `None` where no store says.
    pub async fn fleet(&self, deadline: Deadline) -> Option<Vec<Member>> {
        let listed = roll_call(self.store.as_ref()?, deadline).await.ok()?;
        let member = |(id, standing): (String, Option<Standing>)| {
            Some(Member {
                is_self: id == self.parts.id,
                id,
                standing: standing?,
            })
        };
        let mut members: Vec<_> = listed.into_iter().filter_map(member).collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        Some(members)
    }
}

/// Who is listed, and how each of them stands.
async fn roll_call(
    store: &Guarded,
    deadline: Deadline,
) -> Result<Vec<(String, Option<Standing>)>, Fault> {
    let mut ids = store.members(deadline).await?.ids;
    ids.truncate(MOST_INSTANCES);
    let standings = store.roll(deadline, &ids).await?.standings;
    Ok(ids.into_iter().zip(standings).collect())
}
