//! The list of members: the instances that may hold a lease, as the store keeps it in one hash.
//!
//! A member's field says how long its leases last and what it has applied. One field more says whether the list is whole:
//! it is lost with the list, so that the next receipt finds out.

use crate::protocol::Sequence;
use serde_json::{Value, json};
use std::time::Duration;

/// How many members a receipt asks; where more are listed, it waits for the longest lease instead.
const MOST_MEMBERS: usize = 1000;
/// The longest lease that an instance may have: the most that `maxStalenessMs` may be.
const LONGEST_LEASE: Duration = Duration::from_secs(3600);
const MOST_ID_BYTES: usize = 64;
/// What a member's field begins with once it was expelled; the sequence of that follows, up to a space.
const EXPELLED: char = '-';

/// How an instance stands, by its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The sequence up to which it has applied every invalidation; `None` if it has met none yet.
    pub applied: Option<Sequence>,
    /// How long its leases last.
    pub lease: Duration,
    /// When it said so, by its own wall clock in milliseconds. For people, and for clearing away the dead.
    pub said_at_ms: u64,
    /// Whether it was taken off the list, and is kept on it until its last lease is over.
    pub expelled: bool,
}

impl Member {
    /// One line of JSON.
    pub fn to_line(&self) -> String {
        json!({
            "applied": self.applied.map(Sequence::number),
            "leaseMs": self.lease.as_millis() as u64,
            "at": self.said_at_ms,
        })
        .to_string()
    }

    /// `None` for what no instance of this package wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (expelled, line) = match text.strip_prefix(EXPELLED) {
            Some(rest) => (true, rest.split_once(' ')?.1),
            None => (false, text),
        };
        let said: Value = serde_json::from_str(line).ok()?;
        let number = |name: &str| said.get(name).and_then(Value::as_u64);
        let lease = Duration::from_millis(number("leaseMs")?);
        Some(Member {
            applied: number("applied").and_then(Sequence::new),
            lease: Some(lease).filter(|lease| *lease <= LONGEST_LEASE)?,
            said_at_ms: number("at")?,
            expelled,
        })
    }
}

/// The list, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// By id, with the field as it is stored.
    pub members: Vec<(String, Member, String)>,
    /// Whether there may be members that the list has lost, or that were left out: what the list holds in place of "whole".
    pub unsettled: Option<String>,
}

/// The field that tells whether the list is whole, and what it holds then. The scripts of the store have the same.
const SETTLED: &str = "~";
const WHOLE: &str = "whole";

impl Roster {
    /// From the fields of the hash, names and values in turn. What is no member is left out.
    pub fn of(fields: &[String]) -> Self {
        let mut roster = Roster {
            members: Vec::new(),
            unsettled: Some(String::new()),
        };
        for pair in fields.chunks_exact(2) {
            let (id, text) = (&pair[0], &pair[1]);
            if id == SETTLED {
                roster.unsettled = (text != WHOLE).then(|| text.clone());
            } else if is_member_id(id)
                && let Some(member) = Member::parse(text)
            {
                roster.members.push((id.clone(), member, text.clone()));
            }
        }
        if roster.members.len() > MOST_MEMBERS {
            roster.members.truncate(MOST_MEMBERS);
            roster.unsettled.get_or_insert_default();
        }
        roster
    }
}

fn is_member_id(id: &str) -> bool {
    (1..=MOST_ID_BYTES).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        Member {
            applied: Sequence::new(7),
            lease: Duration::from_millis(1000),
            said_at_ms: 5,
            expelled: false,
        }
    }

    #[test]
    fn a_member_is_read_as_it_was_written_and_as_expelled_where_it_was() {
        let line = member().to_line();
        assert_eq!(Member::parse(&line), Some(member()));
        let expelled = Member {
            expelled: true,
            ..member()
        };
        assert_eq!(Member::parse(&format!("-9 {line}")), Some(expelled));
    }

    #[test]
    fn what_no_instance_wrote_is_no_member() {
        for text in [
            "",
            "-",
            "- {}",
            "{}",
            "1",
            r#"{"leaseMs":-1,"at":1}"#,
            r#"{"leaseMs":9000000000,"at":1}"#,
        ] {
            assert_eq!(Member::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_list_is_whole_only_if_it_says_so() {
        let fields = |fields: &[&str]| fields.iter().map(|it| it.to_string()).collect::<Vec<_>>();
        let line = member().to_line();
        let lost = Roster::of(&fields(&["a1", &line, "a b", &line, "a2", "foreign"]));
        assert_eq!(lost.members.len(), 1);
        assert_eq!(lost.unsettled.as_deref(), Some(""));
        assert_eq!(
            Roster::of(&fields(&["~", "7"])).unsettled.as_deref(),
            Some("7")
        );
        assert_eq!(Roster::of(&fields(&["~", "whole"])).unsettled, None);
        let many: Vec<String> = (0..=MOST_MEMBERS)
            .flat_map(|id| [id.to_string(), line.clone()])
            .collect();
        let many = Roster::of(&[many, fields(&["~", "whole"])].concat());
        assert_eq!(
            (many.members.len(), many.unsettled.is_some()),
            (MOST_MEMBERS, true)
        );
    }
}
