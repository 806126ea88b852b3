//! What an invalidation is about: entries, whole resources, groups of entries. Each of them has a generation of its own in the
//! store, and an entry depends on several: its own, its resource's, those of its tags.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The names of some generations. None for a cache of one value, whose only generation every invalidation opens.
pub type Marks = BTreeSet<Arc<str>>;
