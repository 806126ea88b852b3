//! The store inside one process: what the protocol needs of Redis, for tests and the simulation. Keeps to the same
//! contract as the real one (`tests/store_contract.rs` runs over both).

use crate::core::clock::Clock;
use crate::core::error::Fault;
use crate::core::fleet::{List, Roll, Standing};
use crate::core::http::Deadline;
use crate::core::protocol::{
    Announcement, Generation, Keys, Marks, Record, Snapshot, next_generation,
};
use crate::core::store::shelves::{Fence, Filling, MINTED_FOR, Opened, Shelves};
use crate::core::store::{Fill, KeyValue, Probe, Register, Store};
use async_trait::async_trait;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Clone)]
struct Value {
    text: String,
    /// `None`: does not expire.
    expires_at: Option<Duration>,
}

#[derive(Clone)]
pub struct Memory {
    clock: Arc<dyn Clock>,
    keys: Keys,
    /// Protects all values, so that each call is atomic as a Redis command is. Never held across `.await`.
    values: Arc<Mutex<HashMap<String, Value>>>,
}

/// What stands between the ids of the list.
const BETWEEN: &str = " ";

impl Memory {
    pub fn new(clock: Arc<dyn Clock>, keys: Keys) -> Self {
        Memory {
            clock,
            keys,
            values: Arc::default(),
        }
    }

    /// What is stored now, on its own from then on: a replica that has come this far.
    pub fn copy(&self) -> Self {
        Memory {
            values: Arc::new(Mutex::new(self.lock().clone())),
            ..self.clone()
        }
    }

    /// Drops everything, as `FLUSHALL` does.
    pub fn flush(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Value>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        values.retain(|_, value| value.expires_at.is_none_or(|at| at > now));
        values
    }

    fn value(&self, text: &str, ttl: Duration) -> Value {
        Value {
            text: text.to_owned(),
            expires_at: Some(self.clock.monotonic() + ttl),
        }
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

fn lasting(generation: &Generation) -> Value {
    Value {
        text: generation.to_string(),
        expires_at: None,
    }
}

#[async_trait]
impl Store for Memory {
    async fn read(&self, _: Deadline, reader: &str) -> Result<Snapshot, Fault> {
        let values = self.lock();
        let text = |key: &str| values.get(key).map(|value| value.text.clone());
        Ok(Snapshot {
            active: text(&self.keys.active),
            config: text(&self.keys.config),
            generation: text(&self.keys.generation).map(Generation::new),
            listed: text(&self.keys.instance(reader)).is_some(),
        })
    }

    async fn marks(&self, _: Deadline, reader: &str) -> Result<Marks, Fault> {
        let values = self.lock();
        let text = |key: &str| values.get(key).map(|value| value.text.clone());
        Ok(Marks {
            version: text(&self.keys.version),
            generation: text(&self.keys.generation).map(Generation::new),
            listed: text(&self.keys.instance(reader)).is_some(),
        })
    }

    async fn remaining(&self, _: Deadline) -> Result<Option<Duration>, Fault> {
        let now = self.clock.monotonic();
        let values = self.lock();
        let value = values.get(&self.keys.active);
        Ok(value
            .and_then(|value| value.expires_at)
            .map(|at| at.saturating_sub(now)))
    }

    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault> {
        self.claim_at(deadline, &self.keys.loader, term).await
    }

    async fn release(&self, deadline: Deadline) -> Result<(), Fault> {
        self.release_at(deadline, &self.keys.loader).await
    }

    async fn mint(&self, _: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        let mut values = self.lock();
        let value = values
            .entry(self.keys.generation.clone())
            .or_insert_with(|| lasting(&Generation::new(now_ms.to_string())));
        Ok(Generation::new(value.text.as_str()))
    }

    async fn fill(
        &self,
        _: Deadline,
        fence: &Generation,
        record: &Record,
        ttl_seconds: u32,
    ) -> Result<Fill, Fault> {
        let mut values = self.lock();
        if values
            .get(&self.keys.generation)
            .map(|value| value.text.as_str())
            != Some(fence.as_str())
        {
            return Ok(Fill::Refused);
        }
        for (key, text) in [
            (&self.keys.active, &*record.content),
            (&self.keys.version, &record.version),
            (&self.keys.config, &record.config),
        ] {
            values.insert(key.clone(), self.value(text, seconds(ttl_seconds)));
        }
        Ok(Fill::Stored)
    }

    async fn invalidate(
        &self,
        _: Deadline,
        now_ms: u64,
        term: Duration,
    ) -> Result<Generation, Fault> {
        let mut values = self.lock();
        let current = values
            .get(&self.keys.generation)
            .map(|value| value.text.as_str());
        let generation = next_generation(current, now_ms);
        values.insert(self.keys.generation.clone(), lasting(&generation));
        for key in [&self.keys.active, &self.keys.version, &self.keys.config] {
            values.remove(key);
        }
        values.insert(self.keys.loader.clone(), self.value("1", term));
        Ok(generation)
    }

    /// Nobody listens inside one process.
    async fn publish(&self, _: Deadline, _: &Announcement) -> Result<(), Fault> {
        Ok(())
    }

    /// There is no replica.
    fn sync_token(&self) -> Option<String> {
        None
    }

    fn catch_up(&self, _: &Announcement) {}

    async fn probe(&self, deadline: Deadline) -> Result<Probe, Fault> {
        let remaining = self.remaining(deadline).await?;
        Ok(Probe {
            latency: Duration::ZERO,
            ttl_seconds: remaining.map(|left| left.as_secs()),
        })
    }
}

#[async_trait]
impl Register for Memory {
    async fn enlist(
        &self,
        _: Deadline,
        id: &str,
        standing: &Standing,
        settling: Duration,
    ) -> Result<(), Fault> {
        let mut values = self.lock();
        let mut ids = listed(values.get(&self.keys.fleet));
        if ids.is_empty() {
            let settling = self.value("1", settling);
            values.insert(self.keys.settling.clone(), settling);
        }
        ids.insert(id.to_owned());
        values.insert(self.keys.fleet.clone(), list(ids));
        let said = self.value(&standing.to_line(), standing.listed_for());
        values.insert(self.keys.instance(id), said);
        Ok(())
    }

    async fn restate(&self, _: Deadline, id: &str, standing: &Standing) -> Result<bool, Fault> {
        let mut values = self.lock();
        let key = self.keys.instance(id);
        let listed = values.contains_key(&key);
        if listed {
            values.insert(key, self.value(&standing.to_line(), standing.listed_for()));
        }
        Ok(listed)
    }

    async fn members(&self, _: Deadline) -> Result<List, Fault> {
        let values = self.lock();
        let ids = listed(values.get(&self.keys.fleet));
        Ok(List {
            ids: ids.into_iter().collect(),
            settling: values.contains_key(&self.keys.settling),
        })
    }

    async fn roll(&self, _: Deadline, ids: &[String]) -> Result<Roll, Fault> {
        let values = self.lock();
        let text = |key: &str| values.get(key).map(|value| value.text.clone());
        let standing = |id: &String| Standing::parse(&text(&self.keys.instance(id))?);
        Ok(Roll {
            generation: text(&self.keys.generation).map(Generation::new),
            standings: ids.iter().map(standing).collect(),
        })
    }

    async fn strike(&self, _: Deadline, ids: &[String]) -> Result<(), Fault> {
        let mut values = self.lock();
        let mut left = listed(values.get(&self.keys.fleet));
        left.retain(|id| !ids.contains(id) || values.contains_key(&self.keys.instance(id)));
        if left.is_empty() {
            values.remove(&self.keys.fleet);
        } else {
            values.insert(self.keys.fleet.clone(), list(left));
        }
        Ok(())
    }

    async fn leave(&self, deadline: Deadline, id: &str) -> Result<(), Fault> {
        self.lock().remove(&self.keys.instance(id));
        self.strike(deadline, &[id.to_owned()]).await
    }
}

fn listed(value: Option<&Value>) -> BTreeSet<String> {
    let ids = value.iter().flat_map(|value| value.text.split(BETWEEN));
    ids.map(str::to_owned).collect()
}

fn list(ids: BTreeSet<String>) -> Value {
    let ids: Vec<String> = ids.into_iter().collect();
    Value {
        text: ids.join(BETWEEN),
        expires_at: None,
    }
}

#[async_trait]
impl Shelves for Memory {
    async fn values(&self, _: Deadline, keys: &[String]) -> Result<Vec<Option<String>>, Fault> {
        let values = self.lock();
        let text = |key| values.get(key).map(|value: &Value| value.text.clone());
        Ok(keys.iter().map(text).collect())
    }

    async fn mint_all(
        &self,
        _: Deadline,
        keys: &[String],
        now_ms: u64,
    ) -> Result<Vec<Generation>, Fault> {
        let mut values = self.lock();
        let mint = |key: &String| {
            let minted = || self.value(&now_ms.to_string(), MINTED_FOR);
            let value = values.entry(key.clone()).or_insert_with(minted);
            Generation::new(value.text.as_str())
        };
        Ok(keys.iter().map(mint).collect())
    }

    async fn claim_at(&self, _: Deadline, loader: &str, term: Duration) -> Result<bool, Fault> {
        let mut values = self.lock();
        let free = !values.contains_key(loader);
        if free {
            values.insert(loader.to_owned(), self.value("1", term));
        }
        Ok(free)
    }

    async fn release_at(&self, _: Deadline, loader: &str) -> Result<(), Fault> {
        self.lock().remove(loader);
        Ok(())
    }

    async fn fill_at(&self, _: Deadline, filling: &Filling) -> Result<Fill, Fault> {
        let mut values = self.lock();
        values.remove(&filling.keys.loader);
        let holds = |(key, generation): &Fence| {
            values.get(key).map(|value| value.text.as_str()) == Some(generation.as_str())
        };
        if !filling.fences.iter().all(holds) {
            return Ok(Fill::Refused);
        }
        let (keys, record) = (&filling.keys, &filling.record);
        let ttl = seconds(filling.ttl_seconds);
        for (key, text) in [
            (&keys.value, &*record.content),
            (&keys.version, &record.version),
            (&keys.config, &record.config),
        ] {
            values.insert(key.clone(), self.value(text, ttl));
        }
        for (number, (key, generation)) in filling.fences.iter().enumerate() {
            let kept = if number == 0 {
                filling.own_kept()
            } else {
                filling.kept
            };
            values.insert(key.clone(), self.value(generation.as_str(), kept));
        }
        Ok(Fill::Stored)
    }

    async fn open(
        &self,
        _: Deadline,
        now_ms: u64,
        keys: &[String],
        drops: &[String],
        kept: Duration,
    ) -> Result<Opened, Fault> {
        let mut values = self.lock();
        let next =
            |value: Option<&Value>| next_generation(value.map(|value| value.text.as_str()), now_ms);
        for (number, key) in keys.iter().enumerate() {
            let generation = next(values.get(key));
            let is_entry = number < drops.len() / 3;
            let kept = if is_entry { MINTED_FOR } else { kept };
            values.insert(key.clone(), self.value(generation.as_str(), kept));
        }
        for key in drops {
            values.remove(key);
        }
        let previous = values.get(&self.keys.generation);
        let opened = Opened {
            generation: next(previous),
            previous: previous.map(|value| Generation::new(value.text.as_str())),
        };
        values.insert(self.keys.generation.clone(), lasting(&opened.generation));
        Ok(opened)
    }
}

#[async_trait]
impl KeyValue for Memory {
    async fn get(&self, _: Deadline, key: &str) -> Result<Option<String>, Fault> {
        Ok(self.lock().get(key).map(|value| value.text.clone()))
    }

    async fn set(
        &self,
        _: Deadline,
        key: &str,
        value: &str,
        ttl_seconds: u32,
    ) -> Result<(), Fault> {
        let value = self.value(value, seconds(ttl_seconds));
        self.lock().insert(key.to_owned(), value);
        Ok(())
    }

    async fn del(&self, _: Deadline, key: &str) -> Result<bool, Fault> {
        Ok(self.lock().remove(key).is_some())
    }
}
