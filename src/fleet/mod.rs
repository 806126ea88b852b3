//! The fleet: whether this instance is listed as a member, and how a receipt follows from what the members say.
//!
//! An instance is listed before it holds a lease. So an invalidation has come through the fleet as soon as each member has either
//! said so, or been silent for as long as its leases last.

mod membership;
mod receipt;

pub use membership::Membership;
pub use receipt::{By, Confirmation, Progress};
