//! The keys of one entry, as its cache sees them: one generation, which is those of all its marks put together.

use crate::core::collection::gather::{Claim, Gather, Look, Mint, Write};
use crate::core::collection::ids::generation_key;
use crate::core::error::Fault;
use crate::core::http::Deadline;
use crate::core::near::Held;
use crate::core::protocol::{Generation, Marks, Record, Snapshot};
use crate::core::store::shelves::{EntryKeys, Filling, Shelves};
use crate::core::store::{Fill, Shelf};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// Between the generations of an entry. No generation holds it.
const BETWEEN: &str = ",";

/// What the slots of one collection share.
pub struct Rack {
    pub prefix: Arc<str>,
    /// The key by which the store says whether this instance is listed.
    pub instance: String,
    pub shelves: Arc<dyn Shelves>,
    /// Looks for what tells whether a value is still there: a few bytes.
    marks: Arc<Gather<Look<1000, 1>>>,
    /// Looks for values.
    values: Arc<Gather<Look<100, 4>>>,
    mints: Arc<Gather<Mint>>,
    claims: Arc<Gather<Claim>>,
    fills: Arc<Gather<Write>>,
}

impl Rack {
    pub fn new(
        prefix: Arc<str>,
        instance: String,
        shelves: Arc<dyn Shelves>,
        timeout: Duration,
    ) -> Self {
        Rack {
            prefix,
            instance,
            marks: Gather::new(Look(shelves.clone()), timeout),
            values: Gather::new(Look(shelves.clone()), timeout),
            mints: Gather::new(Mint(shelves.clone()), timeout),
            claims: Gather::new(Claim(shelves.clone()), timeout),
            fills: Gather::new(Write(shelves.clone()), timeout),
            shelves,
        }
    }
}

pub struct Slot {
    pub rack: Arc<Rack>,
    /// The entry's own first.
    pub marks: Box<[Arc<str>]>,
    /// For how long the store keeps the generations that others depend on, too.
    pub kept: Duration,
}

impl Slot {
    fn keys(&self) -> EntryKeys {
        EntryKeys::of(&self.rack.prefix, &self.marks[0])
    }

    fn generation_keys(&self) -> impl Iterator<Item = String> + '_ {
        let key = |mark: &Arc<str>| generation_key(&self.rack.prefix, mark);
        self.marks.iter().map(key)
    }

    /// The keys to look at for its marks, the version first.
    pub fn marks_keys(&self) -> Vec<String> {
        let mut keys = vec![self.keys().version];
        // Its own generation is left out: an invalidation that opens it drops the version, too.
        keys.extend(self.generation_keys().skip(1));
        keys
    }

    /// The marks, as was found under these keys, for a reader that holds this.
    pub fn marks_of(found: &[Option<String>], held: &Held, listed: bool) -> Marks {
        let own = held.generation.as_ref().map(|generation| {
            let own = generation.as_str().split(BETWEEN).next();
            own.unwrap_or_default().to_owned()
        });
        Marks {
            version: found[0].clone(),
            generation: together(std::iter::once(own).chain(found[1..].iter().cloned())),
            listed,
        }
    }
}

/// One generation of several, if all of them are there.
fn together(parts: impl Iterator<Item = Option<String>>) -> Option<Generation> {
    let parts: Vec<String> = parts.collect::<Option<_>>()?;
    Some(Generation::new(parts.join(BETWEEN)))
}

#[async_trait]
impl Shelf for Slot {
    async fn read(&self, deadline: Deadline, _: &str) -> Result<Snapshot, Fault> {
        let entry = self.keys();
        let mut keys = vec![entry.value, entry.config, self.rack.instance.clone()];
        keys.extend(self.generation_keys());
        let mut found = self.rack.values.ask(deadline, keys).await?;
        let generations = found.split_off(3);
        Ok(Snapshot {
            listed: found[2].is_some(),
            config: found[1].take(),
            active: found[0].take(),
            generation: together(generations.into_iter()),
        })
    }

    async fn marks(&self, deadline: Deadline, _: &str, held: &Held) -> Result<Marks, Fault> {
        let mut keys = self.marks_keys();
        keys.push(self.rack.instance.clone());
        let mut found = self.rack.marks.ask(deadline, keys).await?;
        let listed = found.pop().flatten().is_some();
        Ok(Self::marks_of(&found, held, listed))
    }

    /// Not asked for: when it was filled says when it will be gone.
    async fn remaining(&self, _: Deadline) -> Result<Option<Duration>, Fault> {
        Ok(None)
    }

    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        let keys = self.generation_keys().collect();
        let minted = self.rack.mints.ask(deadline, (keys, now_ms)).await?;
        let parts: Vec<&str> = minted.iter().map(Generation::as_str).collect();
        Ok(Generation::new(parts.join(BETWEEN)))
    }

    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault> {
        let loader = self.keys().loader;
        self.rack.claims.ask(deadline, (loader, term)).await
    }

    async fn release(&self, deadline: Deadline) -> Result<(), Fault> {
        let loader = self.keys().loader;
        self.rack.shelves.release_at(deadline, &loader).await
    }

    async fn fill(
        &self,
        deadline: Deadline,
        fence: &Generation,
        record: &Record,
        ttl_seconds: u32,
    ) -> Result<Fill, Fault> {
        let parts = fence.as_str().split(BETWEEN).map(Generation::new);
        let filling = Filling {
            keys: self.keys(),
            fences: self.generation_keys().zip(parts).collect(),
            record: record.clone(),
            ttl_seconds,
            kept: self.kept,
        };
        self.rack.fills.ask(deadline, filling).await
    }
}
