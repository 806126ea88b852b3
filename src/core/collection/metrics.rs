//! What a collection counts.
