//! What a cache is made with: the settings as JavaScript gives them, checked there by the one schema of options
//! (`lib/option-schema.cjs`), and how a cache is built of them.

mod build;

pub use build::{Project, SYSTEM_PROMPT, build};

use crate::observe::log::{THRESHOLDS, Threshold};
use reqwest::Url;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// Where a service is, or in one line why it is not used.
pub enum Place {
    At { url: Url, token: String },
    Nowhere { reason: String },
}

/// How long things may last.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Until a stored system prompt expires.
    pub ttl_seconds: u32,
    /// How long a lease lasts, and how long a load may be joined. Zero: every read asks.
    pub max_staleness: Duration,
    pub redis_timeout: Duration,
    pub source_timeout: Duration,
}

/// How much the near cache may hold.
#[derive(Clone, Copy)]
pub struct Capacity {
    pub max_entries: u64,
    pub max_bytes: u64,
}

/// Everything a cache needs to know.
pub struct Settings {
    pub store: Place,
    pub supabase: Place,
    pub prompt_file: Option<PathBuf>,
    pub fallback_prompt: Option<String>,
    pub key_prefix: String,
    /// The keys that sign what is stored, the one that does so first.
    pub signing_keys: Option<(String, Option<String>)>,
    pub limits: Limits,
    pub capacity: Capacity,
    /// Whether to listen for announcements.
    pub push: bool,
    pub threshold: Threshold,
    /// A file of further root certificates, in PEM.
    pub extra_roots: Option<PathBuf>,
}

impl Settings {
    /// The settings in this JSON. The error names the field that is not as `lib/settings.cjs` gives it.
    pub fn read(json: &str) -> Result<Self, String> {
        let fields: Map<String, Value> =
            serde_json::from_str(json).map_err(|_| "settings are no JSON object".to_owned())?;
        let fields = Fields(&fields);
        let level = fields.text("logLevel")?;
        let threshold = THRESHOLDS.iter().find(|(name, _)| *name == level);
        let millis = |name| fields.number(name).map(Duration::from_millis);
        Ok(Settings {
            store: fields.place("store")?,
            supabase: fields.place("supabase")?,
            prompt_file: fields.optional("promptFile").map(PathBuf::from),
            fallback_prompt: fields.optional("fallbackPrompt"),
            key_prefix: fields.text("keyPrefix")?,
            signing_keys: fields.signing_keys(),
            limits: Limits {
                ttl_seconds: fields.number("ttlSeconds")? as u32,
                max_staleness: millis("maxStalenessMs")?,
                redis_timeout: millis("redisTimeoutMs")?,
                source_timeout: millis("sourceTimeoutMs")?,
            },
            capacity: Capacity {
                max_entries: fields.number("maxEntries")?,
                max_bytes: fields.number("maxBytes")?,
            },
            push: fields.0.get("push").and_then(Value::as_bool) == Some(true),
            threshold: threshold.ok_or_else(|| missing("logLevel"))?.1,
            extra_roots: fields.optional("extraRoots").map(PathBuf::from),
        })
    }
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn optional(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn text(&self, name: &str) -> Result<String, String> {
        self.optional(name).ok_or_else(|| missing(name))
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        let number = self.0.get(name).and_then(Value::as_u64);
        number.ok_or_else(|| missing(name))
    }

    fn place(&self, name: &str) -> Result<Place, String> {
        let of = |field: &str| self.0.get(name)?.get(field)?.as_str();
        match (of("url").and_then(|url| url.parse().ok()), of("token")) {
            (Some(url), Some(token)) => Ok(Place::At {
                url,
                token: token.to_owned(),
            }),
            _ => Ok(Place::Nowhere {
                reason: of("reason").ok_or_else(|| missing(name))?.to_owned(),
            }),
        }
    }

    fn signing_keys(&self) -> Option<(String, Option<String>)> {
        let keys = self.0.get("signingKeys")?.as_array()?;
        let key = |index: usize| keys.get(index).and_then(Value::as_str).map(str::to_owned);
        Some((key(0)?, key(1)))
    }
}

fn missing(name: &str) -> String {
    format!("setting {name} is missing")
}
