//! What is stored of an entry, and what of it may be served.

use crate::protocol::signature::SIGNATURE;
use crate::protocol::{Generation, Sequence, Value};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

/// The last millisecond that a JavaScript date can hold.
const MAX_DATE_MS: u64 = 8_640_000_000_000_000;

/// What the store holds for an entry, as one MGET saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub content: Option<String>,
    pub config: Option<String>,
    /// In the order of the entry's dependencies; `None` where one is missing.
    pub generations: Vec<Option<Generation>>,
    /// `None` if the counter is missing.
    pub sequence: Option<Sequence>,
}

impl Snapshot {
    /// The generations that a fill is fenced by: a missing one is made of the sequence, if that is still the same then.
    pub fn fence(&self) -> Option<Vec<Generation>> {
        let sequence = self.sequence?;
        let generation =
            |found: &Option<Generation>| found.clone().unwrap_or(Generation::of(sequence));
        Some(self.generations.iter().map(generation).collect())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// Nothing is stored: never filled, invalidated or expired.
    Empty,
    /// One of the keys is missing, or its content was not written by this package.
    Foreign,
    /// It was filled under other generations, or before an invalidation that was applied here.
    Superseded,
    /// It is older than what this instance has delivered.
    Older,
    /// Its signature is missing or wrong.
    Unsigned,
    /// It is signed, but of a time that is over.
    Replayed,
}

impl MissReason {
    pub fn as_str(self) -> &'static str {
        match self {
            MissReason::Empty => "nothing stored",
            MissReason::Foreign => "not written by this package, or not whole",
            MissReason::Superseded => "superseded by an invalidation",
            MissReason::Older => "older than what was served",
            MissReason::Unsigned => "its signature is missing or wrong",
            MissReason::Replayed => "signed, but of a time that is over",
        }
    }
}

/// The stored value, if it is whole and of the present generations; anything else is a miss.
pub fn judge(snapshot: &Snapshot) -> Result<Value, MissReason> {
    let (content, config) = match (&snapshot.content, &snapshot.config) {
        (None, None) => return Err(MissReason::Empty),
        (Some(content), Some(config)) => (content, config),
        _ => return Err(MissReason::Foreign),
    };
    let Ok(Json::Object(mut config)) = serde_json::from_str(config) else {
        return Err(MissReason::Foreign);
    };
    let mut take = |name: &str| config.remove(name);
    let (generations, sequence, version, sha256, source, filled_at) = (
        take("generations"),
        take("sequence"),
        take("version"),
        take("sha256"),
        take("source"),
        take("filledAt"),
    );
    let (
        Some(Json::Array(generations)),
        Some(_),
        Some(Json::String(version)),
        Some(Json::String(sha256)),
        Some(Json::String(source)),
        Some(loaded_at_ms),
    ) = (
        generations,
        sequence,
        version,
        sha256,
        source,
        filled_at
            .as_ref()
            .and_then(Json::as_u64)
            .filter(|&ms| ms <= MAX_DATE_MS),
    )
    else {
        return Err(MissReason::Foreign);
    };
    config.remove(SIGNATURE);
    if sha256 != sha256_hex(content) {
        return Err(MissReason::Foreign);
    }
    let present = snapshot
        .generations
        .iter()
        .map(|it| it.as_ref().map(Generation::as_str));
    if !present.eq(generations.iter().map(Json::as_str))
        || generations.is_empty()
        || snapshot.generations.contains(&None)
    {
        return Err(MissReason::Superseded);
    }
    Ok(Value {
        content: content.as_str().into(),
        version,
        source,
        loaded_at_ms,
        attributes: config,
    })
}

/// What a fill writes.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    pub content: std::sync::Arc<str>,
    pub version: String,
    /// JSON; tells what the content is, and under which generations it was loaded.
    pub config: String,
}

/// The record of a value whose source was asked after `fence` and `sequence` were seen.
pub fn record(value: &Value, fence: &[Generation], sequence: Sequence) -> StoredRecord {
    let mut config: Map<String, Json> = value.attributes.clone();
    let generations: Vec<&str> = fence.iter().map(Generation::as_str).collect();
    config.insert("generations".into(), generations.into());
    config.insert("sequence".into(), sequence.number().into());
    config.insert("version".into(), value.version.as_str().into());
    config.insert("sha256".into(), sha256_hex(&value.content).into());
    config.insert("source".into(), value.source.as_str().into());
    config.insert("filledAt".into(), value.loaded_at_ms.into());
    StoredRecord {
        content: value.content.clone(),
        version: value.version.clone(),
        config: Json::Object(config).to_string(),
    }
}

fn sha256_hex(content: &str) -> String {
    hex(&Sha256::digest(content.as_bytes()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::protocol::value::tests::value;
    use proptest::prelude::*;

    pub fn sequence(number: u64) -> Sequence {
        Sequence::new(number).unwrap()
    }

    pub fn stored(value: &Value, generations: &[&str]) -> Snapshot {
        let fence: Vec<_> = generations.iter().map(|&it| Generation::new(it)).collect();
        let record = record(value, &fence, sequence(9));
        Snapshot {
            content: Some(record.content.to_string()),
            config: Some(record.config),
            generations: fence.into_iter().map(Some).collect(),
            sequence: Some(sequence(9)),
        }
    }

    #[test]
    fn what_was_stored_is_read_as_it_was_under_the_same_generations() {
        let whole = stored(&value("prompt", 1), &["5", "7"]);
        assert_eq!(judge(&whole), Ok(value("prompt", 1)));
        for other in [
            [Some("5"), None],
            [Some("5"), Some("8")],
            [Some("05"), Some("7")],
            [Some("7"), Some("5")],
        ] {
            let snapshot = Snapshot {
                generations: other.iter().map(|it| it.map(Generation::new)).collect(),
                ..whole.clone()
            };
            assert_eq!(judge(&snapshot), Err(MissReason::Superseded), "{other:?}");
        }
    }

    #[test]
    fn a_value_whose_generations_are_lost_is_never_valid() {
        let mut none = stored(&value("prompt", 1), &["5"]);
        none.generations = vec![None];
        let mut config: Json = serde_json::from_str(none.config.as_deref().unwrap()).unwrap();
        for generations in [Json::Array(vec![]), serde_json::json!([null])] {
            config["generations"] = generations;
            none.config = Some(config.to_string());
            assert_eq!(judge(&none), Err(MissReason::Superseded));
        }
    }

    #[test]
    fn what_is_not_whole_or_not_ours_is_a_miss() {
        let whole = stored(&value("prompt", 1), &["5"]);
        assert_eq!(judge(&Snapshot::default()), Err(MissReason::Empty));
        let foreign = [
            Snapshot {
                content: Some("injected".into()),
                ..whole.clone()
            },
            Snapshot {
                content: None,
                ..whole.clone()
            },
            Snapshot {
                config: None,
                ..whole.clone()
            },
            Snapshot {
                config: Some("{}".into()),
                ..whole.clone()
            },
            Snapshot {
                config: Some("[".into()),
                ..whole.clone()
            },
        ];
        for snapshot in foreign {
            assert_eq!(judge(&snapshot), Err(MissReason::Foreign), "{snapshot:?}");
        }
    }

    #[test]
    fn a_fence_is_what_was_seen_and_the_sequence_where_nothing_was() {
        let snapshot = Snapshot {
            generations: vec![Some(Generation::new("5")), None],
            sequence: Some(sequence(9)),
            ..Snapshot::default()
        };
        assert_eq!(
            snapshot.fence(),
            Some(vec![Generation::new("5"), Generation::new("9")])
        );
        let lost = Snapshot {
            sequence: None,
            ..snapshot
        };
        assert_eq!(lost.fence(), None);
    }

    proptest! {
        #[test]
        fn every_text_comes_back_as_it_was(content in any::<String>(), title in any::<String>()) {
            let mut value = value(&content, 1);
            value.attributes.insert("title".into(), title.into());
            prop_assert_eq!(judge(&stored(&value, &["5"])), Ok(value));
        }

        #[test]
        fn no_config_makes_it_panic(config in any::<String>()) {
            let snapshot = Snapshot { config: Some(config), ..stored(&value("prompt", 1), &["5"]) };
            prop_assert!(judge(&snapshot).is_err());
        }
    }
}
