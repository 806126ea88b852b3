//! Plain values of the shared store, under keys of the server's choice, beside the resource's own.

use crate::core::error::Error;
use crate::core::http::Deadline;
use crate::core::store::KeyValue;
use std::sync::Arc;
use std::time::Duration;

pub struct Values {
    store: Option<Arc<dyn KeyValue>>,
    redis_timeout: Duration,
}

impl Values {
    pub fn new(store: Option<Arc<dyn KeyValue>>, redis_timeout: Duration) -> Self {
        Values {
            store,
            redis_timeout,
        }
    }

    /// `None` where there is no such value, or no store.
    pub async fn get(&self, key: &str) -> Result<Option<String>, Error> {
        let Some(store) = &self.store else {
            return Ok(None);
        };
        let value = store.get(self.deadline(), key).await;
        value.map_err(|fault| Error::store_unavailable("read from the shared cache", fault))
    }

    /// Without a store it is not kept, as if it had expired at once.
    pub async fn set(&self, key: &str, value: &str, ttl_seconds: u32) -> Result<(), Error> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let set = store.set(self.deadline(), key, value, ttl_seconds).await;
        set.map_err(|fault| Error::store_unavailable("write to the shared cache", fault))
    }

    /// Whether there was something to delete.
    pub async fn delete(&self, key: &str) -> Result<bool, Error> {
        let Some(store) = &self.store else {
            return Ok(false);
        };
        let deleted = store.del(self.deadline(), key).await;
        deleted.map_err(|fault| Error::store_unavailable("delete from the shared cache", fault))
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.redis_timeout)
    }
}
