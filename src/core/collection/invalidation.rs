//! Invalidations of entries, resources and tags: made here, and heard of.
//!
//! One made here ends the epochs of the entries it is about at the call, opens their generations in one command, ends the epochs
//! again, and tells the other instances. One that failed is owed, and tried again until it went through.
//!
//! An announcement says which generation of the collection it opened and which was the one before. Who was told of that one has
//! only to drop what this one is about; who was not has missed something, and drops all leases.

use crate::core::answer::Receipt;
use crate::core::collection::Collection;
use crate::core::collection::ids::{
    entry_mark, entry_of_mark, generation_key, is_entry_mark, resource_mark, tag_mark,
};
use crate::core::collection::lines::Line;
use crate::core::engine;
use crate::core::error::{Error, Fault};
use crate::core::invalidation::{FIRST_RETRY_AFTER, LAST_RETRY_AFTER};
use crate::core::marks::Marks;
use crate::core::pending::Attempt;
use crate::core::protocol::{Announcement, Generation, Scope};
use crate::core::push::Listener;
use crate::core::rules::Rule;
use crate::core::store::Store;
use crate::core::store::shelves::{EntryKeys, Opened};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

/// How many marks share a command.
const MARKS_PER_COMMAND: usize = 1000;
/// How many generations that were missed are remembered.
const MOST_MISSED: usize = 16;
/// An announcement that names more is one of everything: a line that is too long is not read.
const MOST_NAMED_BYTES: usize = 32 << 10;

/// What a collection was told.
#[derive(Default)]
pub(super) struct Heard {
    /// The collection's generation up to which nothing older is served.
    acknowledged: Option<Generation>,
    /// Those that came before one that was told of, and have not come themselves: announcements overtake each other.
    missed: VecDeque<Generation>,
}

impl Heard {
    fn missed(&mut self, generation: Option<&Generation>) {
        self.missed.extend(generation.cloned());
        if self.missed.len() > MOST_MISSED {
            self.missed.pop_front();
        }
    }

    /// Whether it has been overtaken by a later one, at which all epochs ended.
    fn was_missed(&mut self, generation: &Generation) -> bool {
        let at = self.missed.iter().position(|missed| missed == generation);
        at.is_some_and(|at| self.missed.remove(at).is_some())
    }
}

/// What is to be invalidated. The names are those of resources.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    pub entries: Vec<(String, String)>,
    pub resources: Vec<String>,
    pub tags: Vec<String>,
}

impl Targets {
    pub fn marks(&self) -> Marks {
        let entries = self.entries.iter();
        let entries = entries.map(|(resource, id)| entry_mark(resource, id));
        let resources = self.resources.iter().map(|name| resource_mark(name));
        let tags = self.tags.iter().map(|tag| tag_mark(tag));
        entries.chain(resources).chain(tags).collect()
    }
}

impl Collection {
    /// Drops what has one of these marks everywhere. The epochs are ended before this returns. Fails if the shared store did not
    /// take it; then it is owed.
    pub fn invalidate(
        self: &Arc<Self>,
        marks: Marks,
    ) -> impl Future<Output = Result<Receipt, Error>> + Send + use<> {
        self.end(&marks);
        let collection = self.clone();
        async move {
            if collection.rack.is_none() {
                return Ok(collection.engine.went_through(None));
            }
            let invalidations = collection.engine.invalidations.clone();
            let work = |brought: Vec<Marks>| async move {
                let marks = brought.into_iter().flatten().collect();
                collection.invalidate_in_store(marks).await
            };
            let outcome = invalidations.join(marks, work).await;
            outcome.unwrap_or_else(|| Err(Error::internal()))
        }
    }

    /// In commands of a bounded length; the receipt is that of the last.
    async fn invalidate_in_store(self: Arc<Self>, marks: Marks) -> Result<Receipt, Error> {
        let mut chunks = chunks_of(marks).into_iter();
        let mut last = None;
        while let Some(marks) = chunks.next() {
            let attempt = self.engine.pending.begin(marks);
            match self.open(&attempt).await {
                Ok(opened) => last = Some(self.spread(&attempt, opened).await),
                Err(fault) => {
                    self.fail(&attempt);
                    for marks in chunks.by_ref() {
                        let attempt = self.engine.pending.begin(marks);
                        self.fail(&attempt);
                    }
                    return Err(self.engine.not_taken(fault));
                }
            }
        }
        last.ok_or_else(Error::internal)
    }

    /// An attempt did not reach the store, or nobody knows.
    fn fail(self: &Arc<Self>, attempt: &Attempt) {
        if self.engine.pending.fail(attempt) {
            tokio::spawn(self.clone().settle());
        }
        // What the store confirmed since the call is not to be trusted either.
        self.end(&attempt.marks);
    }

    /// Tries what is owed until it went through, or the cache is closed.
    async fn settle(self: Arc<Self>) {
        let mut pause = FIRST_RETRY_AFTER;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY_AFTER);
            if self.engine.is_closed() {
                return;
            }
            let Some(marks) = self.engine.pending.unsettled() else {
                return;
            };
            for marks in chunks_of(marks) {
                let attempt = self.engine.pending.begin(marks);
                match self.open(&attempt).await {
                    Ok(opened) => drop(self.spread(&attempt, opened).await),
                    Err(_) => {
                        self.engine.pending.fail(&attempt);
                        break;
                    }
                }
            }
        }
    }

    async fn open(&self, attempt: &Attempt) -> Result<Opened, Fault> {
        let rack = self.rack.as_ref().ok_or(Fault::Unreachable)?;
        let is_entry = |mark: &&Arc<str>| is_entry_mark(mark);
        let (entries, groups): (Vec<_>, Vec<_>) = attempt.marks.iter().partition(is_entry);
        let key = |mark: &&Arc<str>| generation_key(&self.prefix, mark);
        let keys: Vec<_> = entries.iter().chain(&groups).map(key).collect();
        let drops: Vec<_> = entries
            .iter()
            .flat_map(|mark| {
                let keys = EntryKeys::of(&self.prefix, mark);
                [keys.value, keys.version, keys.config]
            })
            .collect();
        let (deadline, now_ms) = (
            self.engine.redis_deadline(),
            self.engine.parts.clock.wall_ms(),
        );
        let opened = rack
            .shelves
            .open(deadline, now_ms, &keys, &drops, self.kept())
            .await?;
        self.engine.pending.acknowledge(attempt);
        Ok(opened)
    }

    /// An invalidation went through: tells the others.
    async fn spread(self: &Arc<Self>, attempt: &Attempt, opened: Opened) -> Receipt {
        let Opened {
            generation,
            previous,
        } = &opened;
        let rule = Rule::OwnInvalidationEndsTheEpoch;
        self.heard(rule, &attempt.marks, generation, previous.as_ref());
        let receipt = self.engine.went_through(Some(opened.generation.clone()));
        let Some(store) = self.engine.store.as_deref() else {
            return receipt;
        };
        let named: usize = attempt.marks.iter().map(|mark| mark.len() + 3).sum();
        let announcement = Announcement {
            generation: opened.generation,
            sync: store.sync_token(),
            from: self.engine.id().to_owned(),
            scope: Some(Scope {
                previous: opened.previous,
                marks: (named <= MOST_NAMED_BYTES).then(|| attempt.marks.clone()),
            }),
        };
        let deadline = self.engine.redis_deadline();
        self.engine.announce(store, deadline, &announcement).await;
        receipt
    }

    /// What has one of these marks is not served any more without asking, nor is what is under way for it joined.
    fn end(&self, marks: &Marks) {
        if !self
            .engine
            .parts
            .rules
            .keep(Rule::OwnInvalidationEndsTheEpoch)
        {
            return;
        }
        self.each_of(marks, |line| line.cache.superseded());
    }

    fn each_of(&self, marks: &Marks, end: impl Fn(&Line)) {
        let resources = self.resources();
        let mut groups = BTreeSet::new();
        for mark in marks {
            let Some((name, id)) = entry_of_mark(mark) else {
                groups.insert(mark);
                continue;
            };
            let resource = resources.iter().find(|known| known.name == name);
            if let Some(line) = resource.and_then(|resource| self.line(resource, &id)) {
                end(&line);
            }
        }
        if groups.is_empty() {
            return;
        }
        for line in self.lines.all() {
            if line.marks[1..].iter().any(|mark| groups.contains(mark)) {
                end(&line);
            }
        }
    }

    /// This generation was opened, of these marks. `rule`: the one that says that their epochs end with it.
    fn heard(
        &self,
        rule: Rule,
        marks: &Marks,
        generation: &Generation,
        previous: Option<&Generation>,
    ) {
        let mut heard = self.heard_of();
        let rules = self.engine.parts.rules;
        let late = heard.was_missed(generation);
        let missed = heard.acknowledged.is_none() || heard.acknowledged.as_ref() != previous;
        if missed && !late && rules.keep(Rule::GapsEndAllEpochs) {
            heard.missed(previous);
            self.end_all();
        }
        if rules.keep(rule) {
            self.each_of(marks, |line| line.cache.superseded());
        }
        if late {
            return;
        }
        // Only now: who says so serves nothing older.
        heard.acknowledged = Some(generation.clone());
    }

    /// Any entry may be old.
    fn end_all(&self) {
        for line in self.lines.all() {
            line.cache.near.unlisted();
            line.cache.told.notify_waiters();
        }
    }

    /// It was told that any entry may have changed.
    fn supersede_all(&self) {
        for line in self.lines.all() {
            line.cache.superseded();
        }
    }

    fn heard_of(&self) -> MutexGuard<'_, Heard> {
        // A panic under this lock leaves whole values.
        self.heard_of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn chunks_of(marks: Marks) -> Vec<Marks> {
    let marks: Vec<_> = marks.into_iter().collect();
    let chunks = marks.chunks(MARKS_PER_COMMAND);
    let mut chunks: Vec<Marks> = chunks
        .map(|chunk| chunk.iter().cloned().collect())
        .collect();
    // An invalidation of nothing is one, too.
    if chunks.is_empty() {
        chunks.push(Marks::new());
    }
    chunks
}

impl engine::Entries for Collection {
    fn acknowledged(&self) -> Option<Generation> {
        self.heard_of().acknowledged.clone()
    }

    fn unlisted(&self) {
        self.end_all();
    }
}

impl Listener for Collection {
    fn connected(&self) {
        if self.engine.parts.rules.keep(Rule::ReconnectEndsTheEpoch) {
            self.end_all();
        }
        self.engine.push_open.store(true, Ordering::SeqCst);
        self.engine.stream_opened();
    }

    fn message(self: Arc<Self>, message: &str) {
        let announcement = Announcement::parse(message);
        // First the token, so that no read of the new epoch goes out without it.
        if let (Some(announcement), Some(store)) = (&announcement, &self.engine.store) {
            store.catch_up(announcement);
        }
        match announcement {
            // It was heard of when it went through.
            Some(said) if said.from == self.engine.id() => {}
            Some(Announcement {
                generation,
                scope:
                    Some(Scope {
                        previous,
                        marks: Some(marks),
                    }),
                ..
            }) => {
                let rule = Rule::PushEndsTheEpoch;
                self.heard(rule, &marks, &generation, previous.as_ref());
            }
            Some(Announcement { generation, .. }) => {
                let mut heard = self.heard_of();
                self.supersede_all();
                heard.acknowledged = Some(generation);
            }
            None => self.supersede_all(),
        }
        self.engine.acknowledge();
        self.engine.stream_spoke();
    }

    fn ended(&self) {
        self.engine.push_open.store(false, Ordering::SeqCst);
    }

    fn failed(&self, fault: &Fault) {
        self.engine.stream_failed(fault);
    }
}
