//! The store inside one process: what the protocol needs of Redis, for tests and the simulation. Keeps to the same
//! contract as the real one (`tests/store_contract.rs` runs over both).

use crate::core::clock::Clock;
use crate::core::error::Fault;
use crate::core::http::Deadline;
use crate::core::protocol::{Generation, Keys, Record, Snapshot, next_generation};
use crate::core::store::{Fill, KeyValue, Probe, Store};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

impl Memory {
    pub fn new(clock: Arc<dyn Clock>, keys: Keys) -> Self {
        Memory {
            clock,
            keys,
            values: Arc::default(),
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

    fn value(&self, text: &str, ttl_seconds: u32) -> Value {
        Value {
            text: text.to_owned(),
            expires_at: Some(self.clock.monotonic() + Duration::from_secs(ttl_seconds.into())),
        }
    }
}

fn lasting(generation: &Generation) -> Value {
    Value {
        text: generation.to_string(),
        expires_at: None,
    }
}

#[async_trait]
impl Store for Memory {
    async fn read(&self, _: Deadline) -> Result<Snapshot, Fault> {
        let values = self.lock();
        let text = |key: &str| values.get(key).map(|value| value.text.clone());
        Ok(Snapshot {
            active: text(&self.keys.active),
            config: text(&self.keys.config),
            generation: text(&self.keys.generation).map(Generation::new),
        })
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
            values.insert(key.clone(), self.value(text, ttl_seconds));
        }
        Ok(Fill::Stored)
    }

    async fn invalidate(&self, _: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        let mut values = self.lock();
        let current = values
            .get(&self.keys.generation)
            .map(|value| value.text.as_str());
        let generation = next_generation(current, now_ms);
        values.insert(self.keys.generation.clone(), lasting(&generation));
        for key in [&self.keys.active, &self.keys.version, &self.keys.config] {
            values.remove(key);
        }
        Ok(generation)
    }

    async fn probe(&self, _: Deadline) -> Result<Probe, Fault> {
        let now = self.clock.monotonic();
        let expires_at = self
            .lock()
            .get(&self.keys.active)
            .and_then(|value| value.expires_at);
        Ok(Probe {
            latency: Duration::ZERO,
            ttl_seconds: expires_at.map(|at| (at - now).as_secs()),
        })
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
        let value = self.value(value, ttl_seconds);
        self.lock().insert(key.to_owned(), value);
        Ok(())
    }

    async fn del(&self, _: Deadline, key: &str) -> Result<bool, Fault> {
        Ok(self.lock().remove(key).is_some())
    }
}
