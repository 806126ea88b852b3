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
    MAX_ID_BYTES, Scope, broken_name_rule, encoded, entry_dependency, is_id, resource_dependency,
    tag_dependency,
};
pub use member::{MOST_MEMBERS, Member, Roster};
pub use record::{MissReason, Snapshot, StoredRecord, judge, record};
pub use sequence::{Generation, LogRecord, MAX_SAFE_INTEGER, Notes, Sequence};
pub use signature::Signer;
pub use value::{Age, RESERVED_ATTRIBUTES, Value, age};
