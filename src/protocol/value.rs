//! A value as a source gave it, and how old one value is beside another.

use serde_json::Map;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A value, and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub content: Arc<str>,
    /// A time as RFC 3339 writes it: the row's `updated_at`, or when the load began; empty where the source has none.
    pub version: String,
    /// The name of the source that it was loaded from.
    pub source: String,
    /// Wall-clock milliseconds at which it was loaded.
    pub loaded_at_ms: u64,
    /// What the resource wants to keep with the content. None of the names below.
    pub attributes: Map<String, serde_json::Value>,
}

/// The names in a stored `config` that are the protocol's own.
#[cfg(feature = "testing")]
pub const RESERVED_ATTRIBUTES: [&str; 7] = [
    "generations",
    "sequence",
    "version",
    "sha256",
    "source",
    "filledAt",
    "signature",
];

/// How one value stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// The same content of the same version.
    Same,
    Newer,
    /// Older, or of the same version with another content, or without a version to compare by.
    NotNewer,
}

/// The age of `value`, seen from `other`, by their versions.
pub fn age(value: &Value, other: &Value) -> Age {
    if value.version == other.version && value.content == other.content {
        return Age::Same;
    }
    let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    match (time(&value.version), time(&other.version)) {
        (Some(version), Some(other)) if version > other => Age::Newer,
        _ => Age::NotNewer,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    pub fn value(content: &str, second: u32) -> Value {
        Value {
            content: content.into(),
            version: format!("2026-01-01T00:00:{second:02}+00:00"),
            source: "supabase".into(),
            loaded_at_ms: 1_767_225_600_000,
            attributes: json!({ "title": "Grove", "useTopicTags": false })
                .as_object()
                .unwrap()
                .clone(),
        }
    }

    #[test]
    fn age_goes_by_versions_as_times() {
        let other = value("one", 1);
        assert_eq!(age(&other, &other), Age::Same);
        assert_eq!(age(&value("two", 2), &other), Age::Newer);
        assert_eq!(age(&value("one", 2), &other), Age::Newer);
        assert_eq!(age(&value("two", 0), &other), Age::NotNewer);
        assert_eq!(age(&value("two", 1), &other), Age::NotNewer);
        let zoned = Value {
            version: "2026-01-01T01:00:01+01:00".into(),
            ..value("two", 0)
        };
        assert_eq!(age(&zoned, &other), Age::NotNewer, "the same moment");
        let without = Value {
            version: String::new(),
            ..value("two", 0)
        };
        assert_eq!(age(&without, &other), Age::NotNewer);
    }
}
