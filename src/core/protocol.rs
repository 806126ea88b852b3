//! The protocol of the shared store, as pure functions: keys, generations, what counts as a hit, what a fill writes.
//! No I/O, no clock, no knowledge of what the value is.

use crate::core::marks::Marks as Marked;
use crate::core::signature::SIGNATURE;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The keys of one resource. All of them are made here, from the configured prefix alone.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The content, readable as it is.
    pub active: String,
    /// The version of the row behind it.
    pub version: String,
    /// What is needed to trust and to describe the content; JSON.
    pub config: String,
    /// The counter of invalidations.
    pub generation: String,
    /// There while one instance loads the value for all; expires by itself.
    pub loader: String,
    /// The channel on which invalidations are announced.
    pub events: String,
    /// The set of the ids of the instances that read.
    pub fleet: String,
    /// There while the set may not be whole; expires by itself.
    pub settling: String,
    /// What the keys of the instances begin with.
    instances: String,
}

impl Keys {
    pub fn under(prefix: &str) -> Self {
        Keys {
            active: format!("{prefix}:active"),
            version: format!("{prefix}:version"),
            config: format!("{prefix}:config"),
            generation: format!("{prefix}:generation"),
            loader: format!("{prefix}:loader"),
            events: format!("{prefix}:events"),
            fleet: format!("{prefix}:fleet"),
            settling: format!("{prefix}:settling"),
            instances: format!("{prefix}:instance"),
        }
    }

    /// Where an instance says how it stands; expires by itself.
    pub fn instance(&self, id: &str) -> String {
        format!("{}:{id}", self.instances)
    }
}

/// The store's counter of invalidations. Larger after each of them, but compared by equality only: a generation that was
/// evicted starts again at the wall clock, so that no value comes twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation(String);

impl Generation {
    pub fn new(text: impl Into<String>) -> Self {
        Generation(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For hints about order; 0 where it is no number.
    pub fn number(&self) -> u64 {
        self.0.parse().unwrap_or(0)
    }

    /// A JSON number where it is one that JavaScript holds exactly, the text otherwise.
    pub fn to_json(&self) -> Value {
        match self.0.parse::<u64>() {
            Ok(number) if number <= MAX_SAFE_INTEGER && number.to_string() == self.0 => {
                number.into()
            }
            _ => Value::from(self.0.as_str()),
        }
    }

    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Generation::new(text.as_str())),
            Value::Number(number) => Some(Generation::new(number.to_string())),
            _ => None,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value as the source gave it, and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub content: Arc<str>,
    /// The row's `updated_at`, as the source wrote it; empty where the source has none.
    pub version: String,
    /// The name of the source that it was loaded from.
    pub source: String,
    /// Wall-clock milliseconds at which it was loaded.
    pub loaded_at_ms: u64,
    /// What the resource wants to keep with the content. Never holds one of [`RESERVED`].
    pub attributes: Map<String, Value>,
}

/// The largest integer that JavaScript holds exactly.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The last millisecond that a JavaScript date can hold.
const MAX_DATE_MS: u64 = 8_640_000_000_000_000;

/// The names in `config` that are the protocol's own.
pub const RESERVED: [&str; 6] = [
    "generation",
    "version",
    "sha256",
    "source",
    "filledAt",
    SIGNATURE,
];

/// The content of the keys, as one MGET saw them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub active: Option<String>,
    pub config: Option<String>,
    pub generation: Option<Generation>,
    /// Whether the reader is listed as an instance.
    pub listed: bool,
}

/// What tells whether a stored entry is still the one that was read: a few bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub version: Option<String>,
    pub generation: Option<Generation>,
    /// Whether the reader is listed as an instance.
    pub listed: bool,
}

impl Marks {
    /// Whether the store still holds `entry` of `generation`.
    pub fn vouch_for(&self, entry: &Entry, generation: Option<&Generation>) -> bool {
        // Without a version two values look alike.
        !entry.version.is_empty()
            && generation.is_some()
            && self.generation.as_ref() == generation
            && self.version.as_deref() == Some(&entry.version)
    }
}

pub use crate::protocol::MissReason;

/// Whether what the store holds may be served. Anything but a whole entry of the current generation is a miss.
pub fn judge(snapshot: &Snapshot) -> Result<Entry, MissReason> {
    let (content, config) = match (&snapshot.active, &snapshot.config) {
        (None, None) => return Err(MissReason::Empty),
        (Some(content), Some(config)) => (content, config),
        _ => return Err(MissReason::Foreign),
    };
    let Ok(Value::Object(mut config)) = serde_json::from_str(config) else {
        return Err(MissReason::Foreign);
    };
    let mut take = |name: &str| config.remove(name);
    let (generation, version, sha256, source, filled_at) = (
        take("generation"),
        take("version"),
        take("sha256"),
        take("source"),
        take("filledAt"),
    );
    let (
        Some(generation),
        Some(Value::String(version)),
        Some(Value::String(sha256)),
        Some(Value::String(source)),
        Some(loaded_at_ms),
    ) = (
        generation.as_ref().and_then(Generation::from_json),
        version,
        sha256,
        source,
        filled_at
            .as_ref()
            .and_then(Value::as_u64)
            .filter(|&ms| ms <= MAX_DATE_MS),
    )
    else {
        return Err(MissReason::Foreign);
    };
    config.remove(SIGNATURE);
    if sha256 != sha256_hex(content) {
        return Err(MissReason::Foreign);
    }
    if Some(&generation) != snapshot.generation.as_ref() {
        return Err(MissReason::Superseded);
    }
    Ok(Entry {
        content: content.as_str().into(),
        version,
        source,
        loaded_at_ms,
        attributes: config,
    })
}

/// What a fill writes, apart from the content itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub content: Arc<str>,
    pub version: String,
    pub config: String,
}

/// The record of an entry that was loaded under `generation`.
pub fn record(entry: &Entry, generation: &Generation) -> Record {
    let mut config = entry.attributes.clone();
    config.insert("generation".into(), generation.to_json());
    config.insert("version".into(), entry.version.as_str().into());
    config.insert("sha256".into(), sha256_hex(&entry.content).into());
    config.insert("source".into(), entry.source.as_str().into());
    config.insert("filledAt".into(), entry.loaded_at_ms.into());
    Record {
        content: entry.content.clone(),
        version: entry.version.clone(),
        config: Value::Object(config).to_string(),
    }
}

/// How one entry stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// The same value of the same version.
    Same,
    Newer,
    /// Older, or of the same version with another value, or without a version to compare by.
    NotNewer,
}

/// The age of `entry`, seen from `other`, by their versions: times as RFC 3339 writes them.
pub fn age(entry: &Entry, other: &Entry) -> Age {
    if entry.version == other.version && entry.content == other.content {
        return Age::Same;
    }
    let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    match (time(&entry.version), time(&other.version)) {
        (Some(version), Some(other)) if version > other => Age::Newer,
        _ => Age::NotNewer,
    }
}

/// What is said on the channel: this generation exists. Carries no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub generation: Generation,
    /// The store's sync token after the invalidation: who presents it is answered no older state.
    pub sync: Option<String>,
    /// The id of the instance that made the invalidation.
    pub from: String,
    /// What it is about, where there is more than one value.
    pub scope: Option<Scope>,
}

/// What an invalidation of a collection is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The collection's generation before: who was told of that has missed nothing.
    pub previous: Option<Generation>,
    /// `None`: everything.
    pub marks: Option<Marked>,
}

impl Announcement {
    /// One line of ASCII JSON.
    pub fn to_line(&self) -> String {
        let mut line = json!({
            "v": 1,
            "generation": self.generation.to_json(),
            "sync": self.sync,
            "from": self.from,
        });
        if let Some(scope) = &self.scope {
            let marks = scope
                .marks
                .iter()
                .flatten()
                .map(|mark| Value::from(&**mark));
            line["previous"] = scope.previous.as_ref().map(Generation::to_json).into();
            line["marks"] = scope
                .marks
                .is_some()
                .then(|| marks.collect::<Vec<_>>())
                .into();
        }
        line.to_string()
    }

    /// `None` for what this package did not say, or a later version of it did.
    pub fn parse(line: &str) -> Option<Self> {
        let Ok(Value::Object(mut said)) = serde_json::from_str(line) else {
            return None;
        };
        if said.get("v") != Some(&Value::from(1)) {
            return None;
        }
        let mut text = |name: &str| match said.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (sync, from) = (text("sync"), text("from").unwrap_or_default());
        let scope = said.remove("marks").map(|marks| Scope {
            previous: said
                .remove("previous")
                .as_ref()
                .and_then(Generation::from_json),
            marks: marks_of(marks),
        });
        Some(Announcement {
            generation: Generation::from_json(&said.remove("generation")?)?,
            sync,
            from,
            scope,
        })
    }
}

/// `None` for what is no list of names: then it may be about anything.
fn marks_of(value: Value) -> Option<Marked> {
    let Value::Array(names) = value else {
        return None;
    };
    let name = |name| match name {
        Value::String(name) => Some(name.into()),
        _ => None,
    };
    names.into_iter().map(name).collect()
}

/// The generation that an invalidation at `now_ms` sets where `current` is what the key holds.
/// The same rule as in `store/invalidate.lua`, for the embedded store.
pub fn next_generation(current: Option<&str>, now_ms: u64) -> Generation {
    let counted = current
        .and_then(|text| text.parse::<u64>().ok())
        .filter(|&number| number <= MAX_SAFE_INTEGER)
        .map_or(0, |number| number + 1);
    Generation::new(counted.max(now_ms).to_string())
}

fn sha256_hex(content: &str) -> String {
    hex(&Sha256::digest(content.as_bytes()))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn entry(content: &str) -> Entry {
        Entry {
            content: content.into(),
            version: "2026-01-01T00:00:00+00:00".into(),
            source: "supabase".into(),
            loaded_at_ms: 1_767_225_600_000,
            attributes: json!({ "title": "Grove", "useTopicTags": false })
                .as_object()
                .unwrap()
                .clone(),
        }
    }

    fn stored(entry: &Entry, generation: &str) -> Snapshot {
        let generation = Generation::new(generation);
        let record = record(entry, &generation);
        Snapshot {
            active: Some(record.content.to_string()),
            config: Some(record.config),
            generation: Some(generation),
            listed: false,
        }
    }

    #[test]
    fn an_empty_store_is_a_miss() {
        assert_eq!(judge(&Snapshot::default()), Err(MissReason::Empty));
    }

    #[test]
    fn a_strangers_set_is_a_miss() {
        let snapshot = Snapshot {
            active: Some("injected".into()),
            ..stored(&entry("prompt"), "5")
        };
        assert_eq!(judge(&snapshot), Err(MissReason::Foreign));
    }

    #[test]
    fn a_half_expired_set_is_a_miss() {
        let whole = stored(&entry("prompt"), "5");
        let no_config = Snapshot {
            config: None,
            ..whole.clone()
        };
        let no_active = Snapshot {
            active: None,
            ..whole
        };
        assert_eq!(judge(&no_config), Err(MissReason::Foreign));
        assert_eq!(judge(&no_active), Err(MissReason::Foreign));
    }

    #[test]
    fn an_entry_of_another_generation_is_a_miss() {
        let whole = stored(&entry("prompt"), "5");
        for generation in [
            None,
            Some(Generation::new("6")),
            Some(Generation::new("05")),
        ] {
            let snapshot = Snapshot {
                generation,
                ..whole.clone()
            };
            assert_eq!(judge(&snapshot), Err(MissReason::Superseded));
        }
    }

    #[test]
    fn a_config_without_one_of_its_names_is_a_miss() {
        let whole = stored(&entry("prompt"), "5");
        for name in RESERVED.into_iter().filter(|&name| name != SIGNATURE) {
            let mut config: Map<String, Value> =
                serde_json::from_str(whole.config.as_deref().unwrap()).unwrap();
            config.remove(name).unwrap();
            let snapshot = Snapshot {
                config: Some(Value::Object(config).to_string()),
                ..whole.clone()
            };
            assert_eq!(judge(&snapshot), Err(MissReason::Foreign), "without {name}");
        }
    }

    #[test]
    fn a_date_that_javascript_cannot_hold_is_a_miss() {
        let mut entry = entry("prompt");
        entry.loaded_at_ms = MAX_DATE_MS + 1;
        assert_eq!(judge(&stored(&entry, "5")), Err(MissReason::Foreign));
    }

    #[test]
    fn a_generation_is_written_as_a_number_that_javascript_holds() {
        let config = |text: &str| -> Value {
            serde_json::from_str(&record(&entry("prompt"), &Generation::new(text)).config).unwrap()
        };
        assert_eq!(
            config("1767225600000")["generation"],
            json!(1_767_225_600_000_u64)
        );
        assert_eq!(
            config("9007199254740993")["generation"],
            json!("9007199254740993")
        );
        assert_eq!(config("007")["generation"], json!("007"));
    }

    #[test]
    fn the_next_generation_is_larger_whatever_the_clock_says() {
        assert_eq!(next_generation(Some("50"), 100).as_str(), "100");
        assert_eq!(next_generation(Some("100"), 100).as_str(), "101");
        assert_eq!(next_generation(Some("900"), 100).as_str(), "901");
        assert_eq!(next_generation(None, 100).as_str(), "100");
        assert_eq!(next_generation(Some("not a number"), 100).as_str(), "100");
    }

    #[test]
    fn versions_are_compared_as_times() {
        let of = |version: &str, content: &str| Entry {
            version: version.into(),
            ..entry(content)
        };
        let seen = |version: &str, content: &str| {
            age(
                &of(version, content),
                &of("2026-01-01T12:00:00.5+00:00", "held"),
            )
        };
        assert_eq!(seen("2026-01-01T12:00:00.5+00:00", "held"), Age::Same);
        assert_eq!(seen("2026-01-01T12:00:00.51+00:00", "held"), Age::Newer);
        assert_eq!(seen("2026-01-01T13:00:00.6+01:00", "new"), Age::Newer);
        assert_eq!(seen("2026-01-01T13:00:00.4+01:00", "new"), Age::NotNewer);
        assert_eq!(seen("2026-01-01T12:00:00+00:00", "new"), Age::NotNewer);
        assert_eq!(
            seen("2026-01-01T12:00:00.5+00:00", "other"),
            Age::NotNewer,
            "one version, two values"
        );
        assert_eq!(seen("", "new"), Age::NotNewer);
    }

    #[test]
    fn an_announcement_is_one_line_of_ascii_and_comes_back_as_it_was() {
        let announcement = Announcement {
            generation: Generation::new("1767225600000"),
            sync: Some("token,\u{1F333}".into()),
            from: "a1".into(),
            scope: None,
        };
        let line = announcement.to_line();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(Announcement::parse(&line), Some(announcement));
    }

    #[test]
    fn what_is_no_announcement_is_told_apart() {
        for line in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"v":1}"#,
            r#"{"v":2,"generation":5}"#,
            r#"{"v":1,"generation":[]}"#,
            r#"{"v":1,"generation":5"#,
        ] {
            assert_eq!(Announcement::parse(line), None, "{line}");
        }
        let bare = Announcement::parse(r#"{"v":1,"generation":5,"more":true}"#).unwrap();
        assert_eq!((bare.sync, bare.from), (None, String::new()));
    }

    proptest! {
        #[test]
        fn what_is_recorded_is_judged_a_hit_and_comes_back_as_it_was(content in ".*", generation in "[0-9]{1,17}|[a-z]{1,8}") {
            let entry = entry(&content);
            prop_assert_eq!(judge(&stored(&entry, &generation)), Ok(entry));
        }

        #[test]
        fn no_config_makes_judge_panic(active in ".*", config in ".*") {
            let snapshot = Snapshot { active: Some(active), config: Some(config), generation: Some(Generation::new("1")), listed: false };
            prop_assert!(judge(&snapshot).is_err());
        }
    }
}
