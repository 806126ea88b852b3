//! The near cache: the entries of this instance, how far it has applied the log of invalidations, and the one lease that covers
//! all entries. Pure: no I/O, and the time is what the caller says it is.

mod dependencies;
mod entry;
mod entry_store;
mod single_flight;
mod watermark;

pub use dependencies::Dependency;
pub use entry::{Answer, Entry, Held, HitValue, Origin, Terms};
pub use entry_store::{Cached, EntryStore, Residence};
pub use single_flight::{Joined, SingleFlight};
pub use watermark::{CaughtUp, Observed, Request, Verdict, Watermark};

use std::time::Duration;

/// Enough for five centuries.
fn nanoseconds(time: Duration) -> u64 {
    time.as_secs() * 1_000_000_000 + u64::from(time.subsec_nanos())
}
