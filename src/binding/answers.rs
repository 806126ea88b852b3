//! What JavaScript receives.

use crate::core::answer::{Answer, Receipt};
use crate::core::cache::Cache;
use crate::core::error::Fault;
use crate::core::prompt::Behaviours;
use crate::core::protocol::{Generation, MAX_SAFE_INTEGER};
use crate::core::store::Probe;
use napi::bindgen_prelude::{Either, Function, JsObjectValue, Null, Object, ToNapiValue};
use napi::{Env, JsString};
use napi_derive::napi;
use serde_json::Value;

/// How many UTF-16 units of the prompt `contentPreview` shows.
const PREVIEW_UNITS: usize = 500;

/// A value, or null.
type OrNull<T> = Either<T, Null>;

fn or_null<T>(value: Option<T>) -> OrNull<T> {
    value.map_or(Either::B(Null), Either::A)
}

/// A generation as JavaScript compares it; null where it is no number (somebody else wrote the key).
fn number(generation: Option<&Generation>) -> OrNull<f64> {
    let number = generation.and_then(|generation| generation.as_str().parse::<u64>().ok());
    or_null(
        number
            .filter(|&number| number <= MAX_SAFE_INTEGER)
            .map(|number| number as f64),
    )
}

/// The active system prompt with everything that is known about it.
#[napi(object, object_from_js = false)]
pub struct SystemPromptConfig {
    /// The assembled prompt.
    pub content: String,
    /// Default: `architect`.
    pub response_mode: String,
    /// Default: `navigation`.
    pub closing_behavior: String,
    /// Default: true.
    pub use_breadcrumb_tags: bool,
    /// Default: true.
    pub use_topic_tags: bool,
    /// Default: true.
    pub use_navigation_blocks: bool,
    /// Where the prompt was loaded from first: `supabase`, `file`, `legacy` (or the name that `legacySource` gave), `fallback`.
    pub source: String,
    /// When it was loaded from there, in milliseconds since 1970.
    pub fetched_at: f64,
    /// The row's `updated_at`; null for a prompt that came from no row.
    #[napi(ts_type = "string | null")]
    pub version: OrNull<String>,
    /// The row's title; null for a prompt that has none.
    #[napi(ts_type = "string | null")]
    pub title: OrNull<String>,
    /// The store's generation that it was last known to be of; null where the store gave none for it.
    #[napi(ts_type = "number | null")]
    pub generation: OrNull<f64>,
    /// The tier that answered this read: `memory` is this process, under a lease; `redis` gave it or confirmed it; `stale` is
    /// the last known prompt while neither Redis nor the source answers; `fallback` stands for `legacySource` too.
    #[napi(ts_type = "'memory' | 'redis' | 'source' | 'stale' | 'fallback'")]
    pub tier: String,
}

/// Proof that an invalidation went through.
#[napi(object, object_from_js = false)]
pub struct InvalidationReceipt {
    /// The generation that the invalidation opened; null without a shared cache.
    #[napi(ts_type = "number | null")]
    pub generation: OrNull<f64>,
    /// Whether all instances see it. False without a shared cache: then it reached this instance only.
    pub shared: bool,
    /// When the store acknowledged it, in milliseconds since 1970 by this instance's clock.
    pub committed_at: f64,
}

/// The state of the shared cache.
#[napi(object, object_from_js = false)]
pub struct RedisStatus {
    /// Whether there is a shared cache: URL and token are set, and nothing about them or the signing key is wrong. The log says what.
    pub configured: bool,
    /// Whether it answered just now.
    pub reachable: bool,
    /// Milliseconds that the answer took; null without one.
    #[napi(ts_type = "number | null")]
    pub latency_ms: OrNull<f64>,
    /// Seconds until the stored prompt expires; null where none is stored.
    #[napi(ts_type = "number | null")]
    pub ttl_seconds: OrNull<f64>,
    /// The generation that this read saw; null if it saw none.
    #[napi(ts_type = "number | null")]
    pub generation: OrNull<f64>,
    /// Whether an invalidation made here did not reach Redis yet. It is tried again until it does; meanwhile this instance
    /// reads from the source.
    pub invalidation_pending: bool,
    /// Whether the push stream is open. It is opened by the first read; without it a change is seen when a lease ends.
    pub push_connected: bool,
    /// Whether what is stored there is signed, and only what is signed is served.
    pub signed: bool,
    /// The circuit breaker in front of it: `closed` while it answers, `open` after repeated faults: then it is asked once a
    /// second, and while that is under way it is `half-open`. Null if not configured.
    #[napi(ts_type = "'closed' | 'open' | 'half-open' | null")]
    pub breaker: OrNull<String>,
    /// Why it did not answer, in one word: `timeout`, `unreachable`, `interrupted`, `unauthorized`, `quota`, `redirected`,
    /// `status`, `rejected`, `too-large`, `malformed`. Null if it did, or is not configured.
    #[napi(ts_type = "string | null")]
    pub error: OrNull<String>,
}

/// Counts since the cache was made.
#[napi(object, object_from_js = false)]
pub struct CacheStats {
    /// Reads that began.
    pub reads: f64,
    /// Reads served from this process's memory, under a lease.
    pub memory_hits: f64,
    /// Reads that shared a load which another one had begun.
    pub joined: f64,
    /// Loads that the store answered with the prompt, or by confirming the one in memory.
    pub hits: f64,
    /// Loads for which the store had nothing usable.
    pub misses: f64,
    /// Misses because of something that this package did not write, or not whole.
    pub foreign: f64,
    /// Misses because of a prompt in the store whose signature was missing, wrong, or of a time that is over.
    pub signatures_refused: f64,
    /// Reads and writes of the prompt that the store did not answer, or was not asked for while its breaker is open.
    pub store_faults: f64,
    /// How often the store's breaker opened.
    pub breaker_opened: f64,
    /// Requests to the source.
    pub source_reads: f64,
    /// Requests that the source did not answer.
    pub source_faults: f64,
    /// Loads answered by the last known prompt, because neither Redis nor the source answered.
    pub stale: f64,
    /// Loads that `legacySource` or the fallback prompt answered.
    pub fallbacks: f64,
    /// Prompts written to the store.
    pub fills: f64,
    /// Prompts not written, because an invalidation came between.
    pub fills_refused: f64,
    /// Invalidations that went through; calls that came together count as one.
    pub invalidations: f64,
    /// Invalidations that did not reach the store.
    pub invalidations_failed: f64,
    /// Invalidations made here that the other instances could not be told of; they find out when their leases end.
    pub publishes_failed: f64,
    /// Announcements of invalidations that arrived.
    pub pushes: f64,
    /// How often the push stream was opened.
    pub push_connects: f64,
    /// Loads begun because the stored prompt was gone or about to expire.
    pub refreshes: f64,
}

/// Everything `GET /api/debug/system-prompt` shows.
#[napi(object, object_from_js = false)]
pub struct SystemPromptDebug {
    /// As in `SystemPromptConfig`.
    pub source: String,
    /// ISO 8601, in UTC.
    pub fetched_at: String,
    pub response_mode: String,
    pub closing_behavior: String,
    pub use_breadcrumb_tags: bool,
    pub use_topic_tags: bool,
    pub use_navigation_blocks: bool,
    /// As `String.length` counts.
    pub content_length: f64,
    /// The first 500 characters and an ellipsis.
    pub content_preview: String,
    pub full_content: String,
    #[napi(ts_type = "string | null")]
    pub version: OrNull<String>,
    #[napi(ts_type = "string | null")]
    pub title: OrNull<String>,
    #[napi(ts_type = "'memory' | 'redis' | 'source' | 'stale' | 'fallback'")]
    pub tier: String,
    pub redis: RedisStatus,
    pub counters: CacheStats,
}

/// What a read gives of an answer.
pub trait Form {
    type Value<'env>: ToNapiValue;
    fn of<'env>(env: &'env Env, answer: &Answer) -> napi::Result<Self::Value<'env>>;
}

/// The text.
pub struct Prompt;

impl Form for Prompt {
    type Value<'env> = JsString<'env>;

    fn of<'env>(env: &'env Env, answer: &Answer) -> napi::Result<JsString<'env>> {
        env.create_string(&*answer.entry.content)
    }
}

/// The config object, frozen because callers share it.
pub struct Config;

impl Form for Config {
    type Value<'env> = Object<'env>;

    fn of<'env>(env: &'env Env, answer: &Answer) -> napi::Result<Object<'env>> {
        let object: Function = env.get_global()?.get_named_property("Object")?;
        let freeze: Function<SystemPromptConfig, Object> = object.get_named_property("freeze")?;
        freeze.call(config_of(answer))
    }
}

fn config_of(answer: &Answer) -> SystemPromptConfig {
    let entry = &answer.entry;
    let behaviours = Behaviours::read(&entry.attributes);
    SystemPromptConfig {
        content: entry.content.to_string(),
        response_mode: behaviours.response_mode,
        closing_behavior: behaviours.closing_behavior,
        use_breadcrumb_tags: behaviours.use_breadcrumb_tags,
        use_topic_tags: behaviours.use_topic_tags,
        use_navigation_blocks: behaviours.use_navigation_blocks,
        source: entry.source.clone(),
        fetched_at: entry.loaded_at_ms as f64,
        version: or_null(Some(entry.version.clone()).filter(|version| !version.is_empty())),
        title: or_null(
            entry
                .attributes
                .get("title")
                .and_then(Value::as_str)
                .map(str::to_owned),
        ),
        generation: number(answer.generation.as_ref()),
        tier: answer.tier.as_str().to_owned(),
    }
}

pub fn receipt(receipt: Receipt) -> InvalidationReceipt {
    InvalidationReceipt {
        shared: receipt.generation.is_some(),
        generation: number(receipt.generation.as_ref()),
        committed_at: receipt.committed_at_ms as f64,
    }
}

pub fn debug(
    env: &Env,
    cache: &Cache,
    answer: &Answer,
    probe: Option<Result<Probe, Fault>>,
) -> napi::Result<SystemPromptDebug> {
    let config = config_of(answer);
    let units: Vec<u16> = config.content.encode_utf16().collect();
    let preview = String::from_utf16_lossy(&units[..units.len().min(PREVIEW_UNITS)]);
    let iso: Function<f64, String> = env.run_script("(ms) => new Date(ms).toISOString()")?;
    Ok(SystemPromptDebug {
        source: config.source,
        fetched_at: iso.call(config.fetched_at)?,
        response_mode: config.response_mode,
        closing_behavior: config.closing_behavior,
        use_breadcrumb_tags: config.use_breadcrumb_tags,
        use_topic_tags: config.use_topic_tags,
        use_navigation_blocks: config.use_navigation_blocks,
        content_length: units.len() as f64,
        content_preview: format!("{preview}..."),
        full_content: config.content,
        version: config.version,
        title: config.title,
        tier: config.tier,
        redis: redis(cache, answer, probe),
        counters: stats(cache),
    })
}

fn redis(cache: &Cache, answer: &Answer, probe: Option<Result<Probe, Fault>>) -> RedisStatus {
    let configured = probe.is_some();
    let (probe, fault) = match probe {
        Some(Ok(probe)) => (Some(probe), None),
        Some(Err(fault)) => (None, Some(fault)),
        None => (None, None),
    };
    RedisStatus {
        configured,
        reachable: probe.is_some(),
        latency_ms: or_null(probe.map(|probe| probe.latency.as_secs_f64() * 1000.0)),
        ttl_seconds: or_null(
            probe
                .and_then(|probe| probe.ttl_seconds)
                .map(|seconds| seconds as f64),
        ),
        generation: number(answer.generation.as_ref()),
        invalidation_pending: cache.invalidation_pending(),
        push_connected: cache.push_connected(),
        signed: cache.is_signed(),
        breaker: or_null(cache.breaker().map(|(phase, _)| phase.as_str().to_owned())),
        error: or_null(fault.map(|fault| fault.class().to_owned())),
    }
}

pub fn stats(cache: &Cache) -> CacheStats {
    let stats = &cache.stats;
    CacheStats {
        reads: stats.reads() as f64,
        memory_hits: stats.memory_hits.get() as f64,
        joined: stats.joined.get() as f64,
        hits: stats.hits.get() as f64,
        misses: stats.misses.get() as f64,
        foreign: stats.foreign.get() as f64,
        signatures_refused: stats.signatures_refused.get() as f64,
        store_faults: stats.store_faults.get() as f64,
        breaker_opened: cache.breaker().map_or(0, |(_, opened)| opened) as f64,
        source_reads: stats.source_reads.get() as f64,
        source_faults: stats.source_faults.get() as f64,
        stale: stats.stale.get() as f64,
        fallbacks: stats.fallbacks.get() as f64,
        fills: stats.fills.get() as f64,
        fills_refused: stats.fills_refused.get() as f64,
        invalidations: stats.invalidations.get() as f64,
        invalidations_failed: stats.invalidations_failed.get() as f64,
        publishes_failed: stats.publishes_failed.get() as f64,
        pushes: stats.pushes.get() as f64,
        push_connects: stats.push_connects.get() as f64,
        refreshes: stats.refreshes.get() as f64,
    }
}
