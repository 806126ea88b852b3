//! Sweeps: one command asks whether all entries that were read lately are still there, and renews their leases together. A
//! thousand hot entries cost no more than one.

use crate::core::collection::Collection;
use crate::core::collection::ids::generation_key;
use crate::core::collection::lines::Line;
use crate::core::collection::slot::Slot;
use crate::core::http::Deadline;
use crate::core::near::{Departure, Held};
use crate::core::store::shelves::EntryKeys;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Release},
};
use std::time::Duration;

/// How many entries share a command.
const MARKS_PER_COMMAND: usize = 1000;
/// An entry that was read within this, or ten leases, is taken along: it costs a key in a command that is sent anyway.
const LATELY: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Sweeps {
    under_way: AtomicBool,
    /// When the last one began, in milliseconds of the monotonic clock.
    last: AtomicU64,
}

/// An entry on its way through a sweep.
struct Swept {
    line: Arc<Line>,
    held: Held,
    departure: Departure,
}

impl Collection {
    /// Renews the leases of what was read lately, unless that is under way. Inside a tokio runtime only.
    pub fn sweep(self: &Arc<Self>) {
        if self.sweeps.under_way.swap(true, Acquire) {
            return;
        }
        let collection = self.clone();
        tokio::spawn(async move {
            // However it ends, another may begin.
            let _over = Over(&collection.sweeps.under_way);
            let now = collection.engine.parts.clock.monotonic();
            collection
                .sweeps
                .last
                .store(now.as_millis() as u64, Release);
            collection.renew(now).await;
        });
    }

    /// An entry had no lease: others that were read with it may have none either.
    pub(super) fn sweep_if_overdue(self: &Arc<Self>) {
        let last = Duration::from_millis(self.sweeps.last.load(Acquire));
        let lease = self.engine.parts.limits.max_staleness;
        if !lease.is_zero() && self.engine.since(last) >= lease / 4 {
            self.sweep();
        }
    }

    async fn renew(self: &Arc<Self>, now: Duration) {
        let lease = self.engine.parts.limits.max_staleness;
        let deadline = self.engine.redis_deadline();
        // Hits are served by sweeps alone, so these do what loads do besides.
        self.engine.listen();
        self.engine.acknowledge();
        if self.engine.register(deadline).await.is_err() || self.engine.trusted_store().is_none() {
            return self.load_all(now);
        }
        let due = |line: Arc<Line>| {
            if !line.was_used(now, LATELY.max(lease * 10)) {
                return None;
            }
            let departure = line.cache.departure();
            let held = line.cache.confirmable(now + lease / 2)?;
            Some(Swept {
                line,
                held,
                departure,
            })
        };
        let mut due: Vec<Swept> = self.lines.all().into_iter().filter_map(due).collect();
        let mut chunks = Vec::new();
        while !due.is_empty() {
            let rest = due.split_off(due.len().min(MARKS_PER_COMMAND));
            chunks.push(std::mem::replace(&mut due, rest));
        }
        join_all(
            chunks
                .into_iter()
                .map(|chunk| self.renew_all(deadline, chunk)),
        )
        .await;
    }

    /// Where no store confirms anything, loads what is about to be asked for.
    fn load_all(self: &Arc<Self>, now: Duration) {
        let lease = self.engine.parts.limits.max_staleness;
        for line in self.lines.all() {
            if line.was_used(now, lease)
                && line
                    .cache
                    .near
                    .last_known_good_until(now + lease / 2)
                    .is_some()
            {
                let cache = line.cache.clone();
                self.beside(line, async move { drop(cache.landing().await) });
            }
        }
    }

    /// Does something with an entry that nobody waits for, which may give it another value.
    fn beside(self: &Arc<Self>, line: Arc<Line>, work: impl Future<Output = ()> + Send + 'static) {
        let collection = self.clone();
        tokio::spawn(async move {
            work.await;
            collection.lines.weigh(&line);
        });
    }

    /// Renews the leases of so many entries as one command tells of.
    async fn renew_all(self: &Arc<Self>, deadline: Deadline, entries: Vec<Swept>) {
        let Some(rack) = &self.rack else {
            return;
        };
        let mut places = HashMap::new();
        let mut keys = vec![rack.instance.clone()];
        for swept in &entries {
            let marks = &swept.line.marks;
            keys.push(EntryKeys::of(&self.prefix, &marks[0]).version);
            for mark in &marks[1..] {
                places.entry(mark.clone()).or_insert(0);
            }
        }
        for (mark, place) in &mut places {
            *place = keys.len();
            keys.push(generation_key(&self.prefix, mark));
        }
        let sent_at = self.engine.parts.clock.monotonic();
        let found = match rack.shelves.values(deadline, &keys).await {
            Ok(found) => found,
            Err(fault) => {
                self.engine.stats.store_failed(&fault);
                return self.load_all(sent_at);
            }
        };
        let listed = found[0].is_some();
        self.engine.sighted(listed, sent_at);
        for (number, swept) in entries.into_iter().enumerate() {
            let marks = &swept.line.marks[1..];
            let version = found[1 + number].clone();
            let generations = marks.iter().map(|mark| found[places[mark]].clone());
            let found: Vec<_> = std::iter::once(version).chain(generations).collect();
            let marks = Slot::marks_of(&found, &swept.held, listed);
            let cache = swept.line.cache.clone();
            if cache.confirmed(swept.held, &marks, sent_at, swept.departure) {
                if cache.check_is_due() {
                    self.beside(swept.line, cache.refresh());
                }
            } else if swept
                .line
                .was_used(sent_at, self.engine.parts.limits.max_staleness)
            {
                // It changed, and somebody is about to ask for it. This is no read, or it would keep itself alive.
                self.beside(swept.line, async move { drop(cache.landing().await) });
            }
        }
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(false, Release);
    }
}
