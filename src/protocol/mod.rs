//! What instances agree on, as pure functions and values: the sequence and its log, generations, stored records,
//! announcements, members, signatures. No I/O, no clock, and no knowledge of what the cached values mean.

mod announcement;
mod dependency;
mod member;
mod record;
mod sequence;
mod signature;
mod value;

pub use announcement::Announcement;
pub use dependency::{
    Scope, entry_dependency, resource_dependency,
    tag_dependency,
};
pub use member::{Member, Roster};
pub use record::{MissReason, Snapshot, StoredRecord, judge, record};
pub use sequence::{Generation, LogRecord, Notes, Sequence};
pub use signature::Signer;
#[cfg(feature = "testing")]
pub use value::RESERVED_ATTRIBUTES;
pub use value::{Age, Value, age};
