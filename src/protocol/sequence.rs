//! The store's one counter of invalidations, and the log of the last ones.
//!
//! The counter can be lost (flush, eviction) and begins anew at a seed then. Numbers of different incarnations are never
//! ordered, only compared for equality: the order of invalidations is their order in the chain of log records.

use crate::protocol::Scope;
use std::fmt;

/// The largest integer that JavaScript and Lua hold exactly.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A value of the counter: how many invalidations there were, from some seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sequence(u64);

impl Sequence {
    /// `None` for 0, which stands for a missing counter, and for what no script of this package wrote.
    pub fn new(number: u64) -> Option<Self> {
        (1..=MAX_SAFE_INTEGER)
            .contains(&number)
            .then_some(Sequence(number))
    }

    pub fn parse(text: &str) -> Option<Self> {
        // `parse` takes a sign and leading zeros, too.
        text.parse()
            .ok()
            .and_then(Sequence::new)
            .filter(|sequence| sequence.to_string() == text)
    }

    /// Where a counter begins: the wall clock in milliseconds, and three digits that tell apart what several instances begin
    /// in the same millisecond.
    pub fn seed(wall_ms: u64, nonce: u64) -> Self {
        let most = MAX_SAFE_INTEGER / 1000 - 1;
        Sequence(wall_ms.clamp(1, most) * 1000 + nonce % 1000)
    }

    pub fn number(self) -> u64 {
        self.0
    }

    /// How many log records to ask for after this one to reach `later`, if both are of one incarnation. A hint: whether the
    /// records chain decides.
    pub fn distance_to(self, later: Sequence) -> Option<u64> {
        later.0.checked_sub(self.0).filter(|&count| count > 0)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Of a dependency: the sequence of its last invalidation, or at which its generation was last missing. A stored value is
/// valid under the generations that were seen before its source was asked, and under no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation(String);

impl Generation {
    /// As it was found in the store, whoever wrote it there.
    pub fn new(text: impl Into<String>) -> Self {
        Generation(text.into())
    }

    pub fn of(sequence: Sequence) -> Self {
        Generation(sequence.to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As JavaScript compares it; `None` where something else wrote the key.
    pub fn number(&self) -> Option<u64> {
        Sequence::parse(&self.0).map(Sequence::number)
    }
}

/// What the log says of one invalidation beside what it was of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Whether a receipt waits for the members to acknowledge it.
    pub acknowledge: bool,
    /// Whether the list of members was found lost: every member registers anew.
    pub members_lost: bool,
    /// The member that was taken off the list.
    pub expelled: Option<String>,
}

const ACKNOWLEDGE: &str = "ack";
const MEMBERS_LOST: &str = "lost";
const EXPELLED: &str = "expelled=";

impl Notes {
    /// Words with spaces between. The scripts of the store write the same.
    pub fn to_text(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.acknowledge.then(|| ACKNOWLEDGE.to_owned()));
        words.extend(self.members_lost.then(|| MEMBERS_LOST.to_owned()));
        words.extend(self.expelled.as_ref().map(|id| format!("{EXPELLED}{id}")));
        words.join(" ")
    }

    pub fn parse(text: &str) -> Self {
        let mut notes = Notes::default();
        for word in text.split(' ') {
            match word.strip_prefix(EXPELLED) {
                Some(id) => notes.expelled = Some(id.to_owned()),
                None => {
                    notes.acknowledge |= word == ACKNOWLEDGE;
                    notes.members_lost |= word == MEMBERS_LOST;
                }
            }
        }
        notes
    }
}

/// One invalidation, as the log keeps it and as it is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// The sequence before; `None` if the counter was missing. Records chain where this is the sequence of the one before.
    pub previous: Option<Sequence>,
    pub sequence: Sequence,
    pub scope: Scope,
    pub notes: Notes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_that_lua_holds_are_sequences() {
        assert_eq!(Sequence::parse("7"), Sequence::new(7));
        for text in [
            "",
            "0",
            "-1",
            "+7",
            "07",
            "1.5",
            "9007199254740992",
            "seven",
        ] {
            assert_eq!(Sequence::parse(text), None, "{text}");
        }
    }

    #[test]
    fn seeds_of_one_moment_differ_and_any_clock_gives_one() {
        assert_ne!(Sequence::seed(5, 1), Sequence::seed(5, 2));
        for wall_ms in [0, u64::MAX] {
            let seed = Sequence::seed(wall_ms, u64::MAX);
            assert_eq!(Sequence::new(seed.number()), Some(seed));
        }
    }

    #[test]
    fn notes_are_read_as_they_were_written() {
        let notes = Notes {
            acknowledge: true,
            members_lost: true,
            expelled: Some("a1".into()),
        };
        assert_eq!(notes.to_text(), "ack lost expelled=a1");
        for notes in [notes, Notes::default()] {
            assert_eq!(Notes::parse(&notes.to_text()), notes);
        }
    }
}
