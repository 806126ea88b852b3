//! The cache itself, without Node: builds and tests with `--no-default-features`, and never names N-API.

#![forbid(unsafe_code)]

pub mod answer;
pub mod batches;
pub mod breaker;
pub mod cache;
pub mod clock;
pub mod collection;
pub mod config;
pub mod distrust;
pub mod engine;
pub mod error;
pub mod fleet;
pub mod flight;
#[doc(hidden)]
pub mod fuzzing;
pub mod histogram;
pub mod http;
pub mod invalidation;
pub mod journal;
pub mod lease;
pub mod log;
pub mod marks;
pub mod metrics;
pub mod near;
pub mod panics;
pub mod pending;
pub mod prompt;
pub mod protocol;
pub mod push;
pub mod receipt;
pub mod refresh;
pub mod registration;
pub mod rules;
pub mod signature;
pub mod source;
pub mod stand_ins;
pub mod stats;
pub mod store;
pub mod values;
pub mod wiring;
