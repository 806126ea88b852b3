//! The whole cache over the embedded store, with scripted sources: what each tier answers, and what each answer costs. What a fleet
//! promises under faults and bad timing is in `tests/fleet`.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod attacks;
mod breaker;
#[path = "../common/mod.rs"]
mod common;
mod economy;
mod fills;
mod keyed;
mod keyed_economy;
mod leases;
mod near_cache;
mod owed;
mod signing;
mod stand_ins;
mod store;
mod tiers;
mod world;
