//! What all entries of one cache share: the store behind its breaker, the stream of announcements, the list of instances, what
//! is owed. An engine drives one value ([`crate::core::cache`]) or a collection of them ([`crate::core::collection`]).

use crate::core::answer::Receipt;
use crate::core::batches::Batches;
use crate::core::breaker::Phase;
use crate::core::clock::Clock;
use crate::core::config::Limits;
use crate::core::error::{Error, Fault};
use crate::core::http::Deadline;
use crate::core::invalidation::INTERVAL;
use crate::core::journal::Journal;
use crate::core::marks::Marks;
use crate::core::pending::Pending;
use crate::core::protocol::{Announcement, Generation};
use crate::core::push::{Channel, Listener, Supervised};
use crate::core::receipt::LookOuts;
use crate::core::registration::Registration;
use crate::core::rules::{Rule, Rules};
use crate::core::stats::Stats;
use crate::core::store::guarded::Guarded;
use crate::core::store::{KeyValue, SharedStore, Store};
use crate::core::values::Values;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// What an engine is made of.
pub struct Common {
    /// Tells this instance from all others.
    pub id: String,
    /// What metrics call the cache.
    pub name: String,
    /// Why there is no store.
    pub no_store: Option<String>,
    /// Where the store's invalidations are announced; `None`: the leases alone tell.
    pub channel: Option<Arc<dyn Channel>>,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    pub rules: Rules,
}

/// What an engine drives, as far as it concerns all of it.
pub trait Entries: Listener {
    /// The generation before which nothing is served any more.
    fn acknowledged(&self) -> Option<Generation>;
    /// The store does not list this instance: who comes later does not join what is under way.
    fn unlisted(&self);
}

pub struct Engine {
    pub(super) parts: Common,
    pub(super) store: Option<Arc<Guarded>>,
    pub(super) journal: Arc<Journal>,
    pub stats: Arc<Stats>,
    pub values: Values,
    pub(super) invalidations: Arc<Batches<Result<Receipt, Error>, Marks>>,
    pub(super) pending: Pending,
    pub(super) registration: Registration,
    pub(super) look_outs: LookOuts,
    entries: Weak<dyn Entries>,
    /// Started by the first load.
    push: OnceLock<Supervised>,
    closed: AtomicBool,
    /// Whether the stream of announcements is open, as far as a collection says.
    pub(super) push_open: AtomicBool,
}

impl Engine {
    pub fn new(
        parts: Common,
        store: Option<Arc<dyn SharedStore>>,
        journal: Arc<Journal>,
        entries: Weak<dyn Entries>,
    ) -> Arc<Self> {
        let guarded = |store| {
            let (clock, timeout) = (parts.clock.clone(), parts.limits.redis_timeout);
            Arc::new(Guarded::new(store, timeout, clock, journal.clone()))
        };
        let store = store.map(guarded);
        let values = store.clone().map(|store| store as Arc<dyn KeyValue>);
        Arc::new(Engine {
            values: Values::new(values, parts.limits.redis_timeout),
            store,
            stats: Arc::default(),
            invalidations: Batches::every(INTERVAL),
            pending: Pending::default(),
            registration: Registration::default(),
            look_outs: LookOuts::default(),
            push: OnceLock::new(),
            closed: AtomicBool::new(false),
            push_open: AtomicBool::new(false),
            entries,
            journal,
            parts,
        })
    }

    /// What it drives; `None` while that is going away.
    pub(super) fn entries(&self) -> Option<Arc<dyn Entries>> {
        self.entries.upgrade()
    }

    /// Tells this instance from all others.
    pub fn id(&self) -> &str {
        &self.parts.id
    }

    /// Why there is no store that instances share; `None` if there is.
    pub fn no_store(&self) -> Option<&str> {
        self.parts.no_store.as_deref()
    }

    /// What a load may take, where a resource says nothing else.
    pub fn source_timeout(&self) -> Duration {
        self.parts.limits.source_timeout
    }

    /// How long ago a moment of the monotonic clock is.
    pub(super) fn since(&self, moment: Duration) -> Duration {
        self.parts.clock.monotonic().saturating_sub(moment)
    }

    pub(super) fn redis_deadline(&self) -> Deadline {
        Deadline::after(self.parts.limits.redis_timeout)
    }

    /// The store, unless an invalidation is owed to it: it may not have seen that the fence is down.
    pub(super) fn trusted_store(&self) -> Option<&Guarded> {
        let store = self.store.as_deref()?;
        let owed = self.pending.is_owed() && self.parts.rules.keep(Rule::PendingKeepsOffTheStore);
        (!owed).then_some(store)
    }

    /// Whether there is a stream of announcements, and how long ago it last said something.
    pub fn push(&self) -> (bool, Option<Duration>) {
        let last = self.stats.last_push();
        (self.parts.channel.is_some(), last.map(|at| self.since(at)))
    }

    /// How many commands were sent to the store.
    pub fn store_commands(&self) -> u64 {
        self.store.as_ref().map_or(0, |store| store.commands())
    }

    /// How the store's breaker is, and how often it opened; `None` without a store.
    pub fn breaker(&self) -> Option<(Phase, u64)> {
        let store = self.store.as_ref()?;
        Some((store.phase(), store.opened()))
    }

    /// Whether an invalidation did not reach the store yet: until it has, the store is neither read nor filled.
    pub fn invalidation_pending(&self) -> bool {
        self.pending.is_owed()
    }

    /// An invalidation went through, and its generation is acknowledged here.
    pub(super) fn went_through(self: &Arc<Self>, generation: Option<Generation>) -> Receipt {
        self.acknowledge();
        self.stats.invalidations.increment();
        self.journal.invalidated(generation.is_some());
        Receipt {
            generation,
            committed_at_ms: self.parts.clock.wall_ms(),
            committed: self.parts.clock.monotonic(),
        }
    }

    /// The store did not take an invalidation; what its caller is told.
    pub(super) fn not_taken(&self, fault: Fault) -> Error {
        self.stats.invalidations_failed.increment();
        self.stats.last_store_fault.note(&fault);
        self.journal.invalidation_failed(&fault);
        Error::store_unavailable("invalidate the shared cache", fault)
    }

    /// Tells the other instances.
    pub(super) async fn announce(
        &self,
        store: &Guarded,
        deadline: Deadline,
        announcement: &Announcement,
    ) {
        if let Err(fault) = store.publish(deadline, announcement).await {
            // Their leases make up for it.
            self.stats.publishes_failed.increment();
            self.stats.last_store_fault.note(&fault);
        }
    }

    /// The stream was opened. Counted when that has had its effect, so that who sees the count sees that too.
    pub(super) fn stream_opened(&self) {
        self.stats.push_connects.increment();
        self.stats.pushed(self.parts.clock.monotonic());
        self.journal.push_open();
    }

    /// The stream said something, which has had its effect.
    pub(super) fn stream_spoke(&self) {
        self.stats.pushes.increment();
        self.stats.pushed(self.parts.clock.monotonic());
    }

    /// The stream could not be opened.
    pub(super) fn stream_failed(&self, fault: &Fault) {
        self.stats.last_push_fault.note(fault);
        self.journal.push_lost(fault);
    }

    /// Gives up an invalidation that is owed, and the push stream. Everything else ends as it would have.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.stop_listening();
    }

    fn stop_listening(&self) {
        if let Some(push) = self.push.get() {
            push.stop();
            if let Some(entries) = self.entries() {
                entries.ended();
            }
        }
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Somebody reads: keeps the push stream open, so that the next change is heard of at once.
    pub(super) fn listen(&self) {
        let Some(channel) = self.parts.channel.as_ref().filter(|_| !self.is_closed()) else {
            return;
        };
        let push = self.push.get_or_init(|| {
            let listener: Weak<dyn Listener> = self.entries.clone();
            Supervised::start(channel.clone(), listener, &self.parts.id)
        });
        push.want();
        // Closed since: it was not there to be stopped yet.
        if self.is_closed() {
            self.stop_listening();
        }
    }
}
