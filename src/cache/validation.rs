//! Validation: asks the primary for the sequence, applies what is missing of the log, and renews the one lease. One command,
//! however many entries there are.

use crate::cache::context::Context;
use crate::error::Fault;
use crate::near::{CaughtUp, Request, Verdict};
use crate::protocol::{Member, Sequence};
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;

/// How many records of the log are asked for at most: it keeps about as many.
const LOG_LENGTH: u64 = 1000;
/// More than were known of a moment ago: invalidations go on meanwhile.
const MARGIN: u64 = 8;
/// How often one validation asks, where answers are overtaken or the list of members is lost in between.
const TRIES: usize = 5;
/// How long a member that says nothing is kept on the list; nobody waits for it after the first receipt.
const SILENT_MS: u64 = 600_000;

/// What a validation brought beside the lease.
#[derive(Debug)]
pub struct Validation {
    /// What its starter wanted to know of the store, and when that was asked for.
    pub found: Vec<Option<String>>,
    pub sent_at: Duration,
}

/// Whether and how a validation was joined.
pub struct Joined {
    pub validation: Arc<Validation>,
    /// Whether what was found is what this caller looked for.
    pub is_own: bool,
}

impl Context {
    /// Renews the lease: joins a validation under way, or begins one, which also looks at these keys.
    pub(super) async fn validate(self: &Arc<Self>, look: Vec<String>) -> Result<Joined, Fault> {
        let now = self.clock.monotonic();
        let joinable = |&begun: &Duration| now.saturating_sub(begun) < self.limits.max_staleness;
        let context = self.clone();
        let joined = self.validations.join(joinable, now, || async move {
            context.run_validation(look).await.map(Arc::new)
        });
        let is_own = !joined.joined;
        match joined.landing.await {
            Some(outcome) => outcome.map(|validation| Joined { validation, is_own }),
            None => Err(Fault::Interrupted),
        }
    }

    async fn run_validation(self: Arc<Self>, mut look: Vec<String>) -> Result<Validation, Fault> {
        let Some(store) = &self.store else {
            return Err(Fault::Unreachable);
        };
        let deadline = self.redis_deadline();
        let mut first: Option<Validation> = None;
        for _ in 0..TRIES {
            let request = self.watermark.request(self.clock.monotonic());
            let was_member = self.membership.is_member();
            let applied = self.watermark.applied();
            let line = self
                .membership
                .listing(applied, request.sent_at, self.clock.wall_ms());
            let lists = line.is_some();
            let listing = line.map(|line| (self.membership.id(), line));
            let validated = store
                .validate(deadline, listing, std::mem::take(&mut look))
                .await?;
            self.stats
                .store_latency
                .observe(self.since(request.sent_at));
            first.get_or_insert(Validation {
                found: validated.found,
                sent_at: request.sent_at,
            });
            let listed = validated.listed;
            if listed {
                self.membership.listed(request);
                self.unlist_if_left(store).await?;
            }
            let sequence = validated.sequence;
            match (self.watermark.judge(request, sequence), sequence) {
                (Verdict::Overtaken, _) => continue,
                (Verdict::Behind { count }, Some(sequence)) => {
                    let caught_up = self.catch_up(store, sequence, count, request, listed);
                    if !caught_up.await? {
                        continue;
                    }
                }
                (Verdict::Lost, Some(sequence)) if !self.reset(sequence, request, listed) => {
                    continue;
                }
                (Verdict::Missing, _) => {
                    let request = self.watermark.request(self.clock.monotonic());
                    let seeded = store.seed(deadline, self.seed()).await?;
                    self.reset(seeded.ok_or(Fault::Interrupted)?, request, false);
                    // It is asked again: the seed may be somebody else's, who has gone on since.
                    continue;
                }
                _ => {}
            }
            if self.membership.may_lease() {
                let now = self.clock.monotonic();
                if let Some(age) = self.watermark.confirmed_ago(now) {
                    // Nothing is served for longer than a lease.
                    self.stats.staleness.observe(age.min(self.limits.max_staleness));
                }
                self.watermark.confirm(request, now);
                if listed && was_member {
                    self.sweep_once();
                }
                break;
            }
            if lists && !listed {
                // Refused: whoever asks is answered, and there is no lease.
                break;
            }
        }
        first.ok_or(Fault::Interrupted)
    }

    /// Whether everything up to this sequence is applied, or superseded; else the primary is to be asked again.
    async fn catch_up(
        self: &Arc<Self>,
        store: &Store,
        sequence: Sequence,
        count: u64,
        request: Request,
        listed: bool,
    ) -> Result<bool, Fault> {
        if count <= LOG_LENGTH {
            let records = store.log(self.redis_deadline(), count + MARGIN).await?;
            if let CaughtUp::Applied(notes) = self.watermark.catch_up(&records, sequence) {
                let tick = self.watermark.tick();
                let mut asked = false;
                for notes in &notes {
                    asked |= self.membership.note(notes, tick);
                }
                if asked {
                    self.acknowledge();
                }
                self.told.notify_waiters();
                return Ok(true);
            }
        }
        Ok(self.reset(sequence, request, listed))
    }

    /// What happened before is not known: any entry may be old, and this instance may not be listed any more, unless the same request
    /// listed it.
    fn reset(self: &Arc<Self>, sequence: Sequence, request: Request, listed: bool) -> bool {
        let is_first = self.watermark.applied().is_none();
        if !self.watermark.reset(sequence, request) {
            return false;
        }
        if !listed {
            self.membership.lost(self.watermark.tick());
        } else if !is_first {
            self.membership.listed(request);
            // It listed itself with what it had applied before.
            self.acknowledge();
        }
        self.told.notify_waiters();
        true
    }

    /// Takes those off the list that died without a word, once in the life of this instance.
    fn sweep_once(self: &Arc<Self>) {
        if !self.membership.take_sweep() {
            return;
        }
        let context = self.clone();
        self.beside(async move {
            let Some(store) = &context.store else {
                return Ok(());
            };
            let roster = store.roster(context.redis_deadline()).await?;
            let now_ms = context.clock.wall_ms();
            let is_silent = |member: &Member| {
                let silent_ms = now_ms.saturating_sub(member.said_at_ms);
                silent_ms > SILENT_MS + member.lease.as_millis() as u64
            };
            let silent = roster
                .members
                .into_iter()
                .filter(|(_, it, _)| is_silent(it));
            let silent = silent.map(|(id, member, field)| (id, member.lease, field));
            context.expel_all(silent.collect()).await
        });
    }
}
