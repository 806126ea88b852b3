//! An entry with all that its loads need to know of it: what it is, where it is stored, who loads it.

use crate::cache::load::{Begun, Landed};
use crate::near::{Cached, Dependency, Entry, Residence, SingleFlight};
use crate::observe::StateLog;
use crate::observe::Stats;
use crate::protocol::{Generation, Signer};
use crate::resource::{EntryKeys, Resource};
use crate::source::{LegacySource, Source};
use crate::testing::mutants::Mutation;
use std::sync::Arc;
use std::time::Duration;

/// What an entry counts beside its id, tags and value: its keys, its cover, its loads. With the handle and the promise that
/// JavaScript has of it, a small one was measured to take 2.4 KB of resident memory.
const OVERHEAD_BYTES: u64 = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One entry, whose keys other programs may write, too: they are looked at from time to time.
    Single,
    Keyed,
}

/// What the entries of one resource share.
pub struct Definition {
    pub name: String,
    pub number: u32,
    pub kind: Kind,
    pub resource: Arc<dyn Resource>,
    pub legacy: Option<Arc<dyn LegacySource>>,
    /// Until a stored value expires.
    pub ttl: Duration,
    /// What a load may take.
    pub source_timeout: Duration,
    pub stats: Arc<Stats>,
    pub state_log: Arc<StateLog>,
}

/// In this order, so that what a hit reads is together.
#[repr(C)]
pub struct CachedEntry {
    pub definition: Arc<Definition>,
    pub near: Entry,
    residence: Residence,
    pub id: Arc<str>,
    /// Where readers keep what they made of it; nobody else's while it is in the near cache.
    pub place: u32,
    pub(super) keys: Option<Arc<EntryKeys>>,
    pub(super) source: Option<Arc<dyn Source>>,
    pub(super) signer: Option<Signer>,
    pub(super) loads: SingleFlight<Landed, Begun>,
}

impl CachedEntry {
    #[expect(clippy::too_many_arguments, reason = "each is a field")]
    pub(super) fn new(
        definition: Arc<Definition>,
        id: Arc<str>,
        dependencies: Box<[Arc<Dependency>]>,
        keys: Option<Arc<EntryKeys>>,
        source: Option<Arc<dyn Source>>,
        signer: Option<Signer>,
        place: u32,
        mutation: Mutation,
    ) -> Self {
        CachedEntry {
            near: Entry::new(dependencies, mutation),
            definition,
            id,
            place,
            keys,
            source,
            signer,
            loads: SingleFlight::default(),
            residence: Residence::default(),
        }
    }

    pub fn is_evicted(&self) -> bool {
        self.residence.is_evicted()
    }

    /// Whether it is one of many.
    pub fn is_keyed(&self) -> bool {
        self.definition.kind == Kind::Keyed
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.near.dependencies().iter().map(|it| it.name())
    }

    /// Its own generation, of those of all its dependencies.
    pub(super) fn own(generations: &[Generation]) -> Option<Generation> {
        generations.first().cloned()
    }
}

impl Cached for CachedEntry {
    fn residence(&self) -> &Residence {
        &self.residence
    }

    fn resource(&self) -> u32 {
        self.definition.number
    }

    fn id(&self) -> &Arc<str> {
        &self.id
    }

    fn bytes(&self) -> u64 {
        let names: usize = self.names().map(|name| name.len()).sum();
        let value = self.near.held().map_or(0, |held| held.value.content.len());
        OVERHEAD_BYTES + (self.id.len() + names + value) as u64
    }
}
