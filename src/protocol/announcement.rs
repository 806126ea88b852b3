//! What is said on the channel: this invalidation was made. Carries no value, and nothing depends on its arrival.

use crate::protocol::{LogRecord, Notes, Scope, Sequence};
use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub record: LogRecord,
    /// The store's sync token after the invalidation and its refill: a replica that is shown it answers nothing older.
    pub sync: Option<String>,
    /// The id of the instance that made the invalidation.
    pub from: String,
}

const VERSION: u64 = 2;

impl Announcement {
    /// One line of ASCII JSON.
    pub fn to_line(&self) -> String {
        let LogRecord {
            previous,
            sequence,
            scope,
            notes,
        } = &self.record;
        json!({
            "v": VERSION,
            "previous": previous.map(Sequence::number),
            "sequence": sequence.number(),
            "dependencies": scope.to_text(),
            "notes": notes.to_text(),
            "sync": self.sync,
            "from": self.from,
        })
        .to_string()
    }

    /// `None` for what this package did not say, or a later version of it did.
    pub fn parse(line: &str) -> Option<Self> {
        let said: Value = serde_json::from_str(line).ok()?;
        if said.get("v")?.as_u64()? != VERSION {
            return None;
        }
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let number = |name: &str| said.get(name).and_then(Value::as_u64);
        Some(Announcement {
            record: LogRecord {
                previous: number("previous").and_then(Sequence::new),
                sequence: number("sequence").and_then(Sequence::new)?,
                scope: Scope::parse(text("dependencies")?),
                notes: Notes::parse(text("notes").unwrap_or_default()),
            },
            sync: text("sync").map(str::to_owned),
            from: text("from").unwrap_or_default().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{entry_dependency, tag_dependency};

    #[test]
    fn an_announcement_is_one_line_of_ascii_and_read_as_it_was_written() {
        let names = [entry_dependency("docs", "é\n"), tag_dependency("a,b")];
        let announcement = Announcement {
            record: LogRecord {
                previous: Sequence::new(6),
                sequence: Sequence::new(7).unwrap(),
                scope: Scope::Of(names.into()),
                notes: Notes {
                    acknowledge: true,
                    ..Notes::default()
                },
            },
            sync: Some("token".into()),
            from: "a1".into(),
        };
        let line = announcement.to_line();
        assert!(line.is_ascii() && !line.contains('\n'), "{line}");
        assert_eq!(Announcement::parse(&line), Some(announcement));
    }

    #[test]
    fn what_this_package_did_not_say_is_no_announcement() {
        for line in [
            "",
            "ping",
            "{}",
            "[]",
            r#"{"v":1,"generation":5}"#,
            r#"{"v":2,"sequence":0,"dependencies":"*"}"#,
            r#"{"v":2,"sequence":"7","dependencies":"*"}"#,
            r#"{"v":2,"sequence":7}"#,
        ] {
            assert_eq!(Announcement::parse(line), None, "{line}");
        }
    }
}
