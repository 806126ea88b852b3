//! What people learn of a cache: counters, metrics, log lines. Decides nothing.

pub mod histogram;
pub mod log;
pub mod metrics;
pub mod panics;
mod state_log;
mod stats;

pub use log::Formatter;
pub use state_log::StateLog;
pub use stats::{Count, Counter, LastFault, Stats};
