//! The source of truth: what the cache asks of it.

pub mod file;
pub mod rows;
pub mod supabase;

use crate::error::Fault;
use crate::http::Deadline;
use async_trait::async_trait;
use serde_json::{Map, Value};

/// A row as the source gave it.
pub type Row = Map<String, Value>;

#[async_trait]
pub trait Source: Send + Sync {
    /// The word for it in values and logs.
    fn name(&self) -> &'static str;

    /// The active row; `None` where there is none, which is an answer and not a fault.
    async fn load(&self, deadline: Deadline) -> Result<Option<Row>, Fault>;
}

/// The user's own function, asked when the source has nothing. What it gave, or why it gave nothing.
#[async_trait]
pub trait LegacySource: Send + Sync {
    async fn load(&self) -> Result<Value, String>;
}
