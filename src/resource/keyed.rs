//! What a resource's loader gives, and the entry that becomes of it: a text, JSON, bytes, or nothing.

use crate::error::Fault;
use crate::http::{CONTENT_CAP_BYTES, Deadline};
use crate::observe::Counter;
use crate::observe::log::{Event, Formatter, Level};
use crate::protocol::Value;
use crate::resource::Resource;
use crate::source::{Row, Source};
use async_trait::async_trait;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Json,
    /// As base64.
    Bytes,
    /// There is none.
    Nothing,
}

impl Kind {
    const ALL: [(Kind, &'static str); 4] = [
        (Kind::Text, "text"),
        (Kind::Json, "json"),
        (Kind::Bytes, "bytes"),
        (Kind::Nothing, "nothing"),
    ];

    fn as_str(self) -> &'static str {
        let known = Self::ALL.iter().find(|(kind, _)| *kind == self);
        known.map_or("nothing", |(_, word)| word)
    }

    /// Of an entry; `None` for one that no resource made.
    pub fn of(value: &Value) -> Option<Self> {
        let word = value.attributes.get(KIND)?.as_str()?;
        let known = Self::ALL.iter().find(|(_, known)| *known == word);
        known.map(|(kind, _)| *kind)
    }
}

/// The names in a row and in an entry's attributes.
const KIND: &str = "type";
const CONTENT: &str = "content";

/// What a loader gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub kind: Kind,
    pub content: String,
}

impl Loaded {
    pub const NOTHING: Loaded = Loaded {
        kind: Kind::Nothing,
        content: String::new(),
    };
}

/// Where a resource's values come from.
#[async_trait]
pub trait Loader: Send + Sync {
    /// The word for it in values and logs.
    fn name(&self) -> &'static str;
    async fn load(&self, id: &str, deadline: Deadline) -> Result<Loaded, Fault>;
}

/// A loader for one entry.
pub struct OneOf {
    pub loader: Arc<dyn Loader>,
    pub id: Arc<str>,
}

#[async_trait]
impl Source for OneOf {
    fn name(&self) -> &'static str {
        self.loader.name()
    }

    async fn load(&self, deadline: Deadline) -> Result<Option<Row>, Fault> {
        let loaded = self.loader.load(&self.id, deadline).await?;
        if loaded.content.len() > CONTENT_CAP_BYTES {
            // Not an answer that there is none.
            let cap_bytes = CONTENT_CAP_BYTES;
            return Err(Fault::TooLarge { cap_bytes });
        }
        Ok(Some(Map::from_iter([
            (KIND.into(), loaded.kind.as_str().into()),
            (CONTENT.into(), loaded.content.into()),
        ])))
    }
}

/// The entries of one resource, by what they are called and how they are told of.
pub struct KeyedValues {
    name: String,
    /// Tells the versions of this instance from those of others.
    instance: u64,
    made: Counter,
}

impl KeyedValues {
    pub fn new(name: &str, instance: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        instance.hash(&mut hasher);
        KeyedValues {
            name: name.to_owned(),
            instance: hasher.finish(),
            made: Counter::default(),
        }
    }

    /// Rows of all kinds have no version in common, so when a load began is the version of what it gave. Below the millisecond
    /// it tells two loads of the same moment apart.
    fn version(&self, began_ms: u64) -> String {
        self.made.increment();
        let mut hasher = DefaultHasher::new();
        (self.instance, self.made.get()).hash(&mut hasher);
        let nanoseconds =
            i128::from(began_ms) * 1_000_000 + i128::from(hasher.finish() % 1_000_000);
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
        at.and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_default()
    }

    fn value(
        &self,
        kind: Kind,
        content: &str,
        version: String,
        source: &str,
        began_ms: u64,
    ) -> Value {
        Value {
            content: content.into(),
            version,
            source: source.to_owned(),
            loaded_at_ms: began_ms,
            attributes: Map::from_iter([(KIND.into(), kind.as_str().into())]),
        }
    }
}

impl Resource for KeyedValues {
    fn value_of_row(&self, row: &Row, source: &str, began_ms: u64) -> Result<Value, String> {
        let text = |name| row.get(name).and_then(Json::as_str);
        let word = text(KIND).unwrap_or_default();
        let known = Kind::ALL.iter().find(|(_, known)| *known == word);
        let (kind, _) = known.ok_or("it is of no known type")?;
        let content = text(CONTENT).unwrap_or_default();
        Ok(self.value(*kind, content, self.version(began_ms), source, began_ms))
    }

    fn value_of_legacy(&self, _: Json, _: u64) -> Result<Value, String> {
        Err("a resource has none".to_owned())
    }

    fn fallback(&self, now_ms: u64) -> Value {
        self.value(Kind::Nothing, "", String::new(), "fallback", now_ms)
    }

    fn title<'a>(&self, _: &'a Value) -> Option<&'a str> {
        None
    }

    fn knows(&self, value: &Value) -> bool {
        match Kind::of(value) {
            Some(Kind::Json) => serde_json::from_str::<&RawValue>(&value.content).is_ok(),
            kind => matches!(kind, Some(Kind::Text | Kind::Bytes)),
        }
    }

    fn is_kept(&self, value: &Value) -> bool {
        Kind::of(value) != Some(Kind::Nothing)
    }
}

impl Formatter for KeyedValues {
    /// What happens to one of many entries is told at debug level; what happens to their store or source, as for the prompt.
    fn level(&self, event: &Event) -> Level {
        match event {
            Event::StoreBack | Event::SourceBack | Event::PushBack | Event::Invalidated { .. } => {
                Level::Info
            }
            Event::Stale { fresh } | Event::Fallback { fresh } if *fresh => Level::Warn,
            Event::UnusableRow { fresh, .. } if *fresh => Level::Warn,
            Event::StoreNotConfigured { .. }
            | Event::SourceNotConfigured { .. }
            | Event::SignatureRefused { .. }
            | Event::StoreLost { .. }
            | Event::BreakerOpened { .. }
            | Event::SourceLost { .. }
            | Event::PushLost { .. }
            | Event::FillFailed { .. } => Level::Warn,
            Event::InvalidationFailed { .. } | Event::Panicked { .. } => Level::Error,
            _ => Level::Debug,
        }
    }

    fn line(&self, event: &Event) -> String {
        let said = match event {
            Event::StoreNotConfigured { reason } => format!(
                "No shared cache: {reason}. Each instance asks the source, and an invalidation reaches this instance only"
            ),
            Event::SourceNotConfigured { reason } => format!("No source: {reason}"),
            Event::MemoryHit => "Cache hit (memory)".into(),
            Event::Hit => "Cache hit (Redis)".into(),
            Event::Miss { reason } => format!("Cache miss (Redis): {}", reason.as_str()),
            Event::SignatureRefused { reason } => format!(
                "A value in Redis is not served: {}. Either somebody else writes there, or the signing key is not the same everywhere",
                reason.as_str()
            ),
            Event::Loaded { source, .. } => format!("Loaded from {source}"),
            Event::NoActiveRow { .. } => "There is no value".into(),
            Event::UnusableRow { problem, .. } => format!("What was loaded is no value: {problem}"),
            Event::LegacyLoaded { .. } => "Loaded from the legacy source".into(),
            Event::LegacyFailed { problem, .. } => format!("The legacy source failed: {problem}"),
            Event::Stale { .. } => {
                "Neither Redis nor the source answers; serving the last known value".into()
            }
            Event::Fallback { .. } => {
                "Neither Redis nor the source answers, and no value is known".into()
            }
            Event::StoreLost { fault } => {
                format!("Redis unavailable ({fault}); reading from the source")
            }
            Event::BreakerOpened { fault } => {
                format!("Redis is asked once a second only, until it answers ({fault})")
            }
            Event::StoreBack => "Redis answers again".into(),
            Event::SourceLost { fault } => format!("Loading failed ({fault})"),
            Event::SourceBack => "Loading succeeds again".into(),
            Event::PushLost { fault } => {
                format!("Push stream unavailable ({fault}); changes are seen when a lease ends")
            }
            Event::PushBack => "Push stream open again".into(),
            Event::FillRefused => "Not stored: an invalidation came between".into(),
            Event::FillFailed { fault } => format!("Not stored: {fault}"),
            Event::Invalidated { shared: true } => "Invalidated (Redis)".into(),
            Event::Invalidated { shared: false } => {
                "Invalidated (this instance only: no shared cache)".into()
            }
            Event::Panicked { place } => {
                format!("A mistake in grove-shared-cache, at {place}; please report it")
            }
            Event::InvalidationFailed { fault } => {
                format!("Invalidation failed: {fault}; trying again until it went through")
            }
        };
        format!("[{}] {said}", self.name)
    }
}
