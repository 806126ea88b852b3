//! The entries of a collection in the simulated Redis.

use super::{Client, NONE, Redis, StoreFlaw, at_once, now, restamped};
use async_trait::async_trait;
use grove_shared_cache::core::error::Fault;
use grove_shared_cache::core::http::Deadline;
use grove_shared_cache::core::protocol::Generation;
use grove_shared_cache::core::store::memory::Memory;
use grove_shared_cache::core::store::shelves::{Filling, Opened, Shelves};
use grove_shared_cache::core::store::{Fill, KeyValue};
use std::time::Duration;

impl Redis {
    /// Whether the absence of the generation under this key counts as one.
    fn counts_absence(&self, key: &str) -> bool {
        // `sim:<resource>:<id>:generation` is an entry's own, `sim:tag:<tag>:generation` is not.
        let is_own = key.split(':').count() == 4 && !key.starts_with("sim:tag:");
        key.ends_with(":generation")
            && (self.flawed(StoreFlaw::UnmintedGeneration)
                || self.flawed(StoreFlaw::UnmintedMarks) && !is_own)
    }

    fn fill_at(&self, mut filling: Filling) -> Fill {
        let (fences, record) = (&mut filling.fences, &mut filling.record);
        let compared = match self.flaw {
            Some(StoreFlaw::UnfencedFill) => 0,
            Some(StoreFlaw::FencedByFirst(count)) => count,
            _ => fences.len(),
        };
        let mut made_up = Vec::new();
        for (number, (key, seen)) in fences.iter_mut().enumerate() {
            let current = now(self.primary.get(at_once(), key));
            match current {
                Some(current) if number >= compared => *seen = Generation::new(current),
                None if self.counts_absence(key) && seen.as_str() == NONE => {
                    // Stored under the absence of a generation.
                    let keys = std::slice::from_ref(&*key);
                    let minted = now(self.primary.mint_all(at_once(), keys, 1));
                    made_up.push(key.clone());
                    *seen = minted[0].clone();
                }
                _ => {}
            }
        }
        if compared < fences.len() {
            let parts: Vec<_> = fences.iter().map(|(_, seen)| seen.as_str()).collect();
            record.config = restamped(&record.config, &Generation::new(parts.join(",")));
        }
        let filled = now(self.primary.fill_at(at_once(), &filling));
        for key in made_up {
            now(self.primary.del(at_once(), &key));
        }
        filled
    }
}

#[async_trait]
impl Shelves for Client {
    async fn values(
        &self,
        deadline: Deadline,
        keys: &[String],
    ) -> Result<Vec<Option<String>>, Fault> {
        let wanted = keys.to_vec();
        let read = move |state: Memory| now(state.values(at_once(), &wanted));
        let mut found = self.read_with(deadline, read).await?;
        for (key, value) in keys.iter().zip(&mut found) {
            if value.is_none() && self.redis.counts_absence(key) {
                *value = Some(NONE.to_owned());
            }
        }
        Ok(found)
    }

    async fn mint_all(
        &self,
        deadline: Deadline,
        keys: &[String],
        now_ms: u64,
    ) -> Result<Vec<Generation>, Fault> {
        let keys = keys.to_vec();
        let write = move |redis: &Redis| now(redis.primary.mint_all(at_once(), &keys, now_ms));
        Ok(self.write_with(deadline, write).await?.value)
    }

    async fn claim_at(
        &self,
        deadline: Deadline,
        loader: &str,
        term: Duration,
    ) -> Result<bool, Fault> {
        let loader = loader.to_owned();
        let write = move |redis: &Redis| now(redis.primary.claim_at(at_once(), &loader, term));
        Ok(self.write_with(deadline, write).await?.value)
    }

    async fn release_at(&self, deadline: Deadline, loader: &str) -> Result<(), Fault> {
        let loader = loader.to_owned();
        let write = move |redis: &Redis| now(redis.primary.release_at(at_once(), &loader));
        self.write_with(deadline, write).await.map(drop)
    }

    async fn fill_at(&self, deadline: Deadline, filling: &Filling) -> Result<Fill, Fault> {
        let filling = filling.clone();
        let write = move |redis: &Redis| redis.fill_at(filling);
        Ok(self.write_with(deadline, write).await?.value)
    }

    async fn open(
        &self,
        deadline: Deadline,
        now_ms: u64,
        keys: &[String],
        drops: &[String],
        kept: Duration,
    ) -> Result<Opened, Fault> {
        let (keys, drops, told) = (keys.to_vec(), drops.to_vec(), self.told.clone());
        let write = move |redis: &Redis| {
            let opened = now(redis.primary.open(at_once(), now_ms, &keys, &drops, kept));
            redis.opened(&opened.generation, told(&keys));
            opened
        };
        let written = self.write_with(deadline, write).await?;
        self.committed(&written, &written.value.generation);
        Ok(written.value)
    }
}
