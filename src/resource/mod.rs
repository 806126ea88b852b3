//! Resources: kinds of cached values. How a value is made of what its source gives, what it is called, where it is stored.

mod keyed;
mod keys;
mod system_prompt;

pub use keyed::{KeyedValues, Kind, Loaded, Loader, OneOf};
pub use keys::{EntryKeys, StoreKeys};
#[cfg(feature = "testing")]
pub use system_prompt::DEFAULT_FALLBACK;
pub use system_prompt::{Behaviours, COLUMNS, SystemPrompt, TABLE, assemble, section_names};

use crate::observe::Formatter;
use crate::protocol::Value;
use crate::source::Row;

/// What a kind of value has to say.
pub trait Resource: Formatter {
    /// The value in a row of the source, asked for at `asked_ms`, or why there is none in it.
    fn value_of_row(&self, row: &Row, source: &str, asked_ms: u64) -> Result<Value, String>;
    /// The value in what the user's function gave, or why there is none in it.
    fn value_of_legacy(&self, given: serde_json::Value, now_ms: u64) -> Result<Value, String>;
    /// What stands in when no tier has anything.
    fn fallback(&self, now_ms: u64) -> Value;
    /// What people call the value.
    fn title<'a>(&self, value: &'a Value) -> Option<&'a str>;
    /// Whether it can make something of a value that was stored.
    fn knows(&self, _: &Value) -> bool {
        true
    }
    /// Whether a value is stored for others.
    fn is_kept(&self, _: &Value) -> bool {
        true
    }
}
