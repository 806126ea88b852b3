//! What all entries of a cache share: the store, the watermark, the membership, the stream, what is owed.

use crate::cache::announcements::Announcements;
use crate::cache::answer::Receipt;
use crate::cache::coalescing::Coalescer;
use crate::cache::entry::CachedEntry;
use crate::cache::invalidation::{Call, INTERVAL};
use crate::cache::owed::Owed;
use crate::cache::receipts::Watches;
use crate::cache::validation::Validation;
use crate::clock::Clock;
use crate::config::Limits;
use crate::error::{Error, Fault};
use crate::fleet::Membership;
use crate::http::Deadline;
use crate::near::{SingleFlight, Watermark};
use crate::observe::StateLog;
use crate::observe::Stats;
use crate::protocol::{Member, Sequence};
use crate::push::{Channel, Listener, Supervised};
use crate::resource::StoreKeys;
use crate::store::{Link, Phase, Store};
use crate::testing::mutants::Mutation;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What a cache is made of.
pub struct Parts {
    /// Tells this instance from all others: letters and digits.
    pub id: String,
    /// What all keys begin with.
    pub prefix: String,
    pub link: Option<Arc<dyn Link>>,
    /// Why there is no store.
    pub no_store: Option<String>,
    /// Where the store's invalidations are announced; `None`: the leases alone tell.
    pub channel: Option<Arc<dyn Channel>>,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    pub mutation: Mutation,
}

pub struct Context {
    pub(super) store: Option<Store>,
    pub(super) keys: StoreKeys,
    pub watermark: Watermark,
    pub(super) membership: Membership,
    pub(super) validations: SingleFlight<Result<Arc<Validation>, Fault>, Duration>,
    pub(super) owed: Owed,
    pub(super) invalidations: Arc<Coalescer<Result<Receipt, Error>, Call>>,
    pub(super) watches: Watches,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    pub(super) mutation: Mutation,
    /// Whether what is stored is signed: then announcements are hints only.
    pub(super) signed: bool,
    pub(super) state_log: Arc<StateLog>,
    pub stats: Arc<Stats>,
    /// Why there is no store that instances share; `None` if there is.
    pub no_store: Option<String>,
    /// Wakes loads that wait for another instance's: an announcement comes when that is done.
    pub(super) told: Notify,
    channel: Option<Arc<dyn Channel>>,
    /// Started by the first load.
    push: OnceLock<(Supervised, Arc<Announcements>)>,
    pub(super) push_open: AtomicBool,
    closed: AtomicBool,
    seeds: AtomicU64,
    /// The entries that an invalidation loads anew at once. Never held across `.await`.
    refilled: Mutex<Vec<Arc<CachedEntry>>>,
}

impl Context {
    pub(super) fn new(parts: Parts, signed: bool, state_log: Arc<StateLog>) -> Arc<Self> {
        let (limits, mutation) = (parts.limits, parts.mutation);
        let keys = StoreKeys::under(&parts.prefix);
        let store = parts.link.map(|link| {
            let (clock, state_log) = (parts.clock.clone(), state_log.clone());
            Store::new(link, keys.clone(), limits.redis_timeout, clock, state_log)
        });
        Arc::new(Context {
            store,
            keys,
            watermark: Watermark::new(limits.max_staleness, mutation),
            membership: Membership::new(parts.id, limits.max_staleness, mutation),
            validations: SingleFlight::default(),
            owed: Owed::default(),
            invalidations: Coalescer::every(INTERVAL),
            watches: Watches::default(),
            clock: parts.clock,
            limits,
            mutation,
            signed,
            state_log,
            stats: Arc::default(),
            no_store: parts.no_store,
            told: Notify::new(),
            channel: parts.channel,
            push: OnceLock::new(),
            push_open: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            seeds: AtomicU64::new(0),
            refilled: Mutex::default(),
        })
    }

    pub(super) fn refill_after_invalidation(&self, entry: Arc<CachedEntry>) {
        // A panic under this lock leaves whole pointers.
        self.refilled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(entry);
    }

    pub(super) fn refilled(&self) -> Vec<Arc<CachedEntry>> {
        self.refilled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How long ago a moment of the monotonic clock is.
    pub(super) fn since(&self, moment: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(moment)
    }

    pub(super) fn redis_deadline(&self) -> Deadline {
        Deadline::after(self.limits.redis_timeout)
    }

    /// Where the counter begins if it is missing. No two are the same.
    pub(super) fn seed(&self) -> Sequence {
        let mut hasher = DefaultHasher::new();
        let count = self.seeds.fetch_add(1, Ordering::Relaxed);
        (self.membership.id(), count).hash(&mut hasher);
        Sequence::seed(self.clock.wall_ms(), hasher.finish())
    }

    /// Does something with the store in the background.
    pub(super) fn beside<F>(self: &Arc<Self>, work: F)
    where
        F: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let context = self.clone();
        tokio::spawn(async move {
            if let Err(fault) = work.await {
                context.stats.last_store_fault.note(&fault);
            }
        });
    }

    /// Tells the store up to where this instance has applied the log.
    pub(super) fn acknowledge(self: &Arc<Self>) {
        let context = self.clone();
        self.beside(async move {
            let Some(store) = &context.store else {
                return Ok(());
            };
            let line = context
                .membership
                .line(context.watermark.applied(), context.clock.wall_ms());
            store
                .list(context.redis_deadline(), context.membership.id(), &line)
                .await?;
            context.unlist_if_left(store).await
        });
    }

    /// After a listing that was under way when this instance left: it may have come after the end.
    pub(super) async fn unlist_if_left(&self, store: &Store) -> Result<(), Fault> {
        if !self.membership.has_left() {
            return Ok(());
        }
        let deadline = self.redis_deadline();
        store.leave(deadline, self.membership.id()).await
    }

    /// A read keeps the stream open, so that the next change is heard of at once.
    pub(super) fn listen(self: &Arc<Self>) {
        let Some(channel) = self.channel.as_ref().filter(|_| !self.is_closed()) else {
            return;
        };
        let (push, _) = self.push.get_or_init(|| {
            let announcements = Arc::new(Announcements(Arc::downgrade(self)));
            let listener: Arc<dyn Listener> = announcements.clone();
            let listener = Arc::downgrade(&listener);
            (
                Supervised::start(channel.clone(), listener, self.membership.id()),
                announcements,
            )
        });
        push.want();
        // Closed since: it was not there to be stopped yet.
        if self.is_closed() {
            self.stop_listening();
        }
    }

    fn stop_listening(&self) {
        if let Some((push, _)) = self.push.get() {
            push.stop();
            self.push_open.store(false, Ordering::SeqCst);
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.stop_listening();
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) async fn leave(&self) {
        let may_be_listed = self.membership.leave();
        // Nothing is served by a lease that no receipt waits for.
        self.watermark.end_lease();
        if let Some(store) = self.store.as_ref().filter(|_| may_be_listed)
            && let Err(fault) = store
                .leave(self.redis_deadline(), self.membership.id())
                .await
        {
            self.stats.last_store_fault.note(&fault);
        }
    }

    /// Whether there is a stream of announcements, whether it is open, and how long ago it last said something.
    pub fn push(&self) -> (bool, bool, Option<Duration>) {
        let last = self.stats.last_push().map(|at| self.since(at));
        (
            self.channel.is_some(),
            self.push_open.load(Ordering::SeqCst),
            last,
        )
    }

    /// How many commands the store's owner is billed for.
    pub fn store_commands(&self) -> u64 {
        self.store.as_ref().map_or(0, Store::commands)
    }

    /// How the store's breaker is, and how often it opened; `None` without a store.
    pub fn breaker(&self) -> Option<(Phase, u64)> {
        self.store
            .as_ref()
            .map(|store| (store.phase(), store.opened()))
    }

    /// Whether there is no store that could tell of changes, or it is left alone: then what the source gives is held for a lease of its
    /// own, so that the source is not asked more often for it, and receipts cannot speak for this instance.
    pub(super) fn is_alone(&self) -> bool {
        self.breaker()
            .is_none_or(|(phase, _)| phase != Phase::Closed)
    }

    /// Whether an invalidation did not reach the store yet.
    pub fn invalidation_pending(&self) -> bool {
        self.owed.is_owed()
    }

    /// The members that are listed and were not expelled, by id; `None` where no store says.
    pub(super) async fn fleet(&self, deadline: Deadline) -> Option<Vec<(String, Member)>> {
        let roster = self.store.as_ref()?.roster(deadline).await.ok()?;
        let mut members: Vec<_> = roster
            .members
            .into_iter()
            .map(|(id, member, _)| (id, member))
            .collect();
        members.retain(|(_, member)| !member.expelled);
        // Its own field may be of a minute ago: of itself it knows better.
        for (_, own) in members.iter_mut().filter(|(id, _)| id == self.membership.id()) {
            own.applied = self.watermark.applied();
        }
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        Some(members)
    }
}
