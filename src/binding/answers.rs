//! What JavaScript receives.

use crate::core::answer::{Answer, Receipt};
use crate::core::cache::{Cache, Examination};
use crate::core::collection::Collection;
use crate::core::engine::Engine;
use crate::core::fleet::{Confirmation, Member};
use crate::core::prompt::Behaviours;
use crate::core::protocol::{Generation, MAX_SAFE_INTEGER};
use crate::core::receipt::Proof;
use crate::core::stats::{Count, LastFault, Stats};
use napi::bindgen_prelude::{Either, FnArgs, Function, JsObjectValue, Null, Object, ToNapiValue};
use napi::{Env, JsString};
use napi_derive::napi;
use serde_json::Value;
use std::time::Duration;

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
    /// When it was loaded from there, in milliseconds since 1970; `SystemPromptDebug.fetchedAt` is the same in ISO 8601.
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
    /// Whether it went through the shared cache. False without one: then it reached this instance only.
    pub shared: bool,
    /// When the store acknowledged it, in milliseconds since 1970 by this instance's clock.
    pub committed_at: f64,
    /// With `wait: 'all'`, each instance that was listed, this one first; empty without.
    pub instances: Vec<InstanceReceipt>,
    /// With `wait: 'all'`, how many milliseconds after the commit it was proven that no instance serves the old prompt. Null if that was
    /// not waited for, not proven within `timeoutMs`, or there is no shared cache.
    #[napi(ts_type = "number | null")]
    pub proven_after_ms: OrNull<f64>,
}

/// How it is known that one instance does not serve the old prompt any more.
#[napi(object, object_from_js = false)]
pub struct InstanceReceipt {
    /// As `stats().instance` names it there.
    pub id: String,
    /// Milliseconds after the commit; null if it was not known within `timeoutMs`.
    #[napi(ts_type = "number | null")]
    pub confirmed_after_ms: OrNull<f64>,
    /// `ack`: it said so. `lease-expired`: it said nothing for as long as it may serve a prompt without asking (it is frozen, killed, cut
    /// off, or nobody reads there and no push tells it; with a signing key it acknowledges when it reads). `gone`: the same, and it is
    /// not listed any more. Null if it was not known in time.
    #[napi(ts_type = "'ack' | 'lease-expired' | 'gone' | null")]
    pub by: OrNull<String>,
}

/// The state of the shared cache.
#[napi(object, object_from_js = false)]
pub struct RedisStatus {
    /// Whether there is a shared cache: URL and token are set, and nothing about them or the signing key is wrong.
    pub configured: bool,
    /// Why there is none; null if there is.
    #[napi(ts_type = "string | null")]
    pub reason: OrNull<String>,
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

/// How one instance is, as far as it knows without asking.
#[napi(object, object_from_js = false)]
pub struct CacheState {
    /// The id of this instance, by which receipts and the fleet name it. A worker thread and a `SystemPromptCache` have their own.
    pub instance: String,
    /// Whether `close()` was called.
    pub closed: bool,
    /// The share of the reads that were served from memory, 0 to 1; null before the first one.
    #[napi(ts_type = "number | null")]
    pub hit_rate: OrNull<f64>,
    /// The prompt in memory.
    pub near: NearStatus,
    /// The stream of announcements.
    pub push: PushStatus,
    /// As `RedisStatus.breaker`.
    #[napi(ts_type = "'closed' | 'open' | 'half-open' | null")]
    pub breaker: OrNull<String>,
    /// As `RedisStatus.invalidationPending`.
    pub invalidation_pending: bool,
    /// What each tier failed with last, since the cache was made, in one word.
    pub last_errors: LastErrors,
}

/// The prompt in memory.
#[napi(object, object_from_js = false)]
pub struct NearStatus {
    /// Milliseconds since it was last asked for; null if there is none.
    #[napi(ts_type = "number | null")]
    pub age_ms: OrNull<f64>,
    /// Milliseconds for which it is served without asking; 0 if the lease is over, null if there is none, or it was ended by an
    /// invalidation, a push, or the push stream being opened.
    #[napi(ts_type = "number | null")]
    pub lease_left_ms: OrNull<f64>,
    /// The generation that it is of; null where Redis gave none for it.
    #[napi(ts_type = "number | null")]
    pub generation: OrNull<f64>,
}

/// The stream of announcements.
#[napi(object, object_from_js = false)]
pub struct PushStatus {
    /// Whether there is one: a shared cache, and the option `push`.
    pub enabled: bool,
    /// Whether it is open now.
    pub connected: bool,
    /// How often it was opened again.
    pub reconnects: f64,
    /// Milliseconds since it was opened or an announcement came; null if neither happened yet.
    #[napi(ts_type = "number | null")]
    pub last_event_ago_ms: OrNull<f64>,
}

/// What each tier failed with last.
#[napi(object, object_from_js = false)]
pub struct LastErrors {
    /// A word of `RedisStatus.error`; null if it has not failed yet.
    #[napi(ts_type = "string | null")]
    pub redis: OrNull<String>,
    /// The same of Supabase; of a `promptFile`, `unreadable` too; of the loader of a resource, `load-failed`.
    #[napi(ts_type = "string | null")]
    pub source: OrNull<String>,
    /// The same of opening the push stream.
    #[napi(ts_type = "string | null")]
    pub push: OrNull<String>,
}

/// One instance that has said how it stands within five minutes, or twice its lease.
#[napi(object, object_from_js = false)]
pub struct FleetInstance {
    /// As `stats().instance` names it there.
    pub id: String,
    /// The last generation that it has acknowledged: it serves nothing older. Null if it has met none yet.
    #[napi(ts_type = "number | null")]
    pub generation: OrNull<f64>,
    /// Its `maxStalenessMs`.
    pub lease_ms: f64,
    /// Whether it is the one that answers.
    #[napi(js_name = "self")]
    pub is_self: bool,
}

/// Counts since the cache was made.
#[napi(object, object_from_js = false)]
pub struct CacheCounters {
    /// Reads that began.
    pub reads: f64,
    /// Reads served from this process's memory, under a lease.
    pub memory_hits: f64,
    /// Reads that shared a load which another one had begun.
    pub joined: f64,
    /// Loads that the store answered with the prompt, or by confirming the one in memory.
    pub hits: f64,
    /// Loads that the source answered.
    pub loaded: f64,
    /// Looks into the store that found nothing usable; a load that waits for another instance's looks more than once.
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
    /// Commands sent to Redis, and those inside scripts: what its plan counts. The push stream is not among them.
    pub store_commands: f64,
}

/// What a read gave, and how Redis is.
#[napi(object, object_from_js = false)]
pub struct DebuggedPrompt {
    /// As in `SystemPromptConfig`.
    pub source: String,
    /// ISO 8601, in UTC; `SystemPromptConfig.fetchedAt` is the same in milliseconds.
    pub fetched_at: String,
    pub response_mode: String,
    pub closing_behavior: String,
    pub use_breadcrumb_tags: bool,
    pub use_topic_tags: bool,
    pub use_navigation_blocks: bool,
    /// As `String.length` counts.
    pub content_length: f64,
    /// The first 500 characters, and three dots whether or not there are more.
    pub content_preview: String,
    pub full_content: String,
    #[napi(ts_type = "string | null")]
    pub version: OrNull<String>,
    #[napi(ts_type = "string | null")]
    pub title: OrNull<String>,
    #[napi(ts_type = "'memory' | 'redis' | 'source' | 'stale' | 'fallback'")]
    pub tier: String,
    pub redis: RedisStatus,
    /// The instances that have read, or acknowledged a change, within five minutes (1000 at most); null without a shared cache, or if Redis did not say.
    #[napi(ts_type = "Array<FleetInstance> | null")]
    pub fleet: OrNull<Vec<FleetInstance>>,
    pub counters: CacheCounters,
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

/// With millisecond fractions, to three places.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub fn receipt(receipt: Receipt, proof: Option<Proof>) -> InvalidationReceipt {
    let proof = proof.unwrap_or_default();
    let instance = |confirmation: Confirmation| InstanceReceipt {
        id: confirmation.id,
        confirmed_after_ms: or_null(confirmation.confirmed.map(|(after, _)| ms(after))),
        by: or_null(confirmation.confirmed.map(|(_, by)| by.as_str().to_owned())),
    };
    InvalidationReceipt {
        instances: proof.confirmations.into_iter().map(instance).collect(),
        proven_after_ms: or_null(proof.after.map(ms)),
        shared: receipt.generation.is_some(),
        generation: number(receipt.generation.as_ref()),
        committed_at: receipt.committed_at_ms as f64,
    }
}

/// Puts the parts of an answer into one object.
fn merge<'env, A: ToNapiValue, B: ToNapiValue>(
    env: &'env Env,
    one: A,
    other: B,
) -> napi::Result<Object<'env>> {
    let object: Function = env.get_global()?.get_named_property("Object")?;
    let assign: Function<FnArgs<(A, B)>, Object> = object.get_named_property("assign")?;
    assign.call((one, other).into())
}

pub fn debug<'env>(
    env: &'env Env,
    cache: &Cache,
    examination: Examination,
) -> napi::Result<Object<'env>> {
    let config = config_of(&examination.answer);
    let units: Vec<u16> = config.content.encode_utf16().collect();
    let preview = String::from_utf16_lossy(&units[..units.len().min(PREVIEW_UNITS)]);
    let iso: Function<f64, String> = env.run_script("(ms) => new Date(ms).toISOString()")?;
    let fleet = |members: &Vec<Member>| members.iter().map(fleet_instance).collect();
    let prompt = DebuggedPrompt {
        redis: redis(cache, &examination),
        fleet: or_null(examination.fleet.as_ref().map(fleet)),
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
        counters: counters(cache),
    };
    merge(env, prompt, state(cache))
}

fn fleet_instance(member: &Member) -> FleetInstance {
    FleetInstance {
        id: member.id.clone(),
        generation: number(member.standing.generation.as_ref()),
        lease_ms: ms(member.standing.lease),
        is_self: member.is_self,
    }
}

fn redis(cache: &Cache, examination: &Examination) -> RedisStatus {
    let (probe, fault) = match &examination.probe {
        Some(Ok(probe)) => (Some(probe), None),
        Some(Err(fault)) => (None, Some(fault)),
        None => (None, None),
    };
    RedisStatus {
        configured: examination.probe.is_some(),
        reason: or_null(cache.no_store().map(str::to_owned)),
        reachable: probe.is_some(),
        latency_ms: or_null(probe.map(|probe| ms(probe.latency))),
        ttl_seconds: or_null(
            probe
                .and_then(|probe| probe.ttl_seconds)
                .map(|seconds| seconds as f64),
        ),
        generation: number(examination.answer.generation.as_ref()),
        invalidation_pending: cache.invalidation_pending(),
        push_connected: cache.push_connected(),
        signed: cache.is_signed(),
        breaker: breaker(cache.engine()),
        error: or_null(fault.map(|fault| fault.class().to_owned())),
    }
}

fn breaker(engine: &Engine) -> OrNull<String> {
    or_null(engine.breaker().map(|(phase, _)| phase.as_str().to_owned()))
}

pub fn stats<'env>(env: &'env Env, cache: &Cache) -> napi::Result<Object<'env>> {
    merge(env, counters(cache), state(cache))
}

fn state(cache: &Cache) -> CacheState {
    let (stats, near) = (&cache.stats, cache.near());
    CacheState {
        instance: cache.id().to_owned(),
        closed: cache.is_closed(),
        hit_rate: hit_rate(&[stats]),
        near: NearStatus {
            age_ms: or_null(near.age.map(ms)),
            lease_left_ms: or_null(near.lease_left.map(ms)),
            generation: number(near.generation.as_ref()),
        },
        push: push(cache.engine(), cache.push_connected()),
        breaker: breaker(cache.engine()),
        invalidation_pending: cache.invalidation_pending(),
        last_errors: last_errors(stats, &[stats]),
    }
}

fn push(engine: &Engine, connected: bool) -> PushStatus {
    let (enabled, last) = engine.push();
    PushStatus {
        enabled,
        connected,
        reconnects: engine.stats.push_connects.get().saturating_sub(1) as f64,
        last_event_ago_ms: or_null(last.map(ms)),
    }
}

/// `all`: of the values.
fn last_errors(shared: &Stats, all: &[&Stats]) -> LastErrors {
    let word = |fault: &LastFault| fault.get().map(str::to_owned);
    let first = |fault: fn(&Stats) -> &LastFault| all.iter().find_map(|stats| word(fault(stats)));
    LastErrors {
        redis: or_null(word(&shared.last_store_fault).or_else(|| first(|it| &it.last_store_fault))),
        source: or_null(first(|stats| &stats.last_source_fault)),
        push: or_null(word(&shared.last_push_fault)),
    }
}

fn hit_rate(all: &[&Stats]) -> OrNull<f64> {
    let reads = sum(all, Stats::reads);
    let hits = sum(all, |stats| stats.memory_hits.get());
    or_null((reads > 0).then(|| hits as f64 / reads as f64))
}

fn sum(all: &[&Stats], count: Count) -> u64 {
    all.iter().map(|stats| count(stats)).sum()
}

fn counters(cache: &Cache) -> CacheCounters {
    counters_of(cache.engine(), &[&cache.stats])
}

/// `all`: of the values.
fn counters_of(engine: &Engine, all: &[&Stats]) -> CacheCounters {
    let shared = &engine.stats;
    let of = |count: Count| sum(all, count) as f64;
    CacheCounters {
        loaded: of(|stats| stats.loaded.get()),
        store_commands: engine.store_commands() as f64,
        reads: of(Stats::reads),
        memory_hits: of(|stats| stats.memory_hits.get()),
        joined: of(|stats| stats.joined.get()),
        hits: of(|stats| stats.hits.get()),
        misses: of(|stats| stats.misses.get()),
        foreign: of(|stats| stats.foreign.get()),
        signatures_refused: of(|stats| stats.signatures_refused.get()),
        store_faults: sum(&with_shared(shared, all), |stats| stats.store_faults.get()) as f64,
        breaker_opened: engine.breaker().map_or(0, |(_, opened)| opened) as f64,
        source_reads: of(|stats| stats.source_reads.get()),
        source_faults: of(|stats| stats.source_faults.get()),
        stale: of(|stats| stats.stale.get()),
        fallbacks: of(|stats| stats.fallbacks.get()),
        fills: of(|stats| stats.fills.get()),
        fills_refused: of(|stats| stats.fills_refused.get()),
        invalidations: shared.invalidations.get() as f64,
        invalidations_failed: shared.invalidations_failed.get() as f64,
        publishes_failed: shared.publishes_failed.get() as f64,
        pushes: shared.pushes.get() as f64,
        push_connects: shared.push_connects.get() as f64,
        refreshes: of(|stats| stats.refreshes.get()),
    }
}

/// All of which each counts something of its own; where there is but one, it is that of the value.
fn with_shared<'a>(shared: &'a Stats, all: &[&'a Stats]) -> Vec<&'a Stats> {
    let mut each = all.to_vec();
    if !all.iter().any(|stats| std::ptr::eq(*stats, shared)) {
        each.push(shared);
    }
    each
}

/// What one resource counts, by the names of `CacheCounters`.
const RESOURCE_COUNTERS: [(&str, Count); 16] = [
    ("reads", Stats::reads),
    ("memoryHits", |stats| stats.memory_hits.get()),
    ("joined", |stats| stats.joined.get()),
    ("hits", |stats| stats.hits.get()),
    ("loaded", |stats| stats.loaded.get()),
    ("misses", |stats| stats.misses.get()),
    ("foreign", |stats| stats.foreign.get()),
    ("signaturesRefused", |stats| stats.signatures_refused.get()),
    ("storeFaults", |stats| stats.store_faults.get()),
    ("sourceReads", |stats| stats.source_reads.get()),
    ("sourceFaults", |stats| stats.source_faults.get()),
    ("stale", |stats| stats.stale.get()),
    ("fallbacks", |stats| stats.fallbacks.get()),
    ("fills", |stats| stats.fills.get()),
    ("fillsRefused", |stats| stats.fills_refused.get()),
    ("refreshes", |stats| stats.refreshes.get()),
];

/// What a cache of resources tells of itself: `SharedCacheStats`.
pub fn collection_stats<'env>(
    env: &'env Env,
    collection: &Collection,
) -> napi::Result<Object<'env>> {
    let (engine, lines) = (collection.engine(), &collection.lines);
    let resources = collection.resources();
    let all: Vec<&Stats> = resources.iter().map(|it| &*it.stats).collect();
    let mut near = Object::new(env)?;
    near.set("entries", lines.count() as f64)?;
    near.set("bytes", lines.bytes() as f64)?;
    near.set("maxEntries", lines.max_entries as f64)?;
    near.set("maxBytes", lines.max_bytes as f64)?;
    near.set("evictions", lines.evictions.get() as f64)?;
    let mut each = Object::new(env)?;
    for resource in &resources {
        let mut counts = Object::new(env)?;
        for (name, count) in RESOURCE_COUNTERS {
            counts.set(name, count(&resource.stats) as f64)?;
        }
        each.set(&resource.name, counts)?;
    }
    let mut state = Object::new(env)?;
    state.set("instance", engine.id())?;
    state.set("closed", engine.is_closed())?;
    state.set("hitRate", hit_rate(&all))?;
    state.set("near", near)?;
    state.set("push", push(engine, collection.push_connected()))?;
    state.set("breaker", breaker(engine))?;
    state.set("invalidationPending", engine.invalidation_pending())?;
    state.set("lastErrors", last_errors(&engine.stats, &all))?;
    state.set("resources", each)?;
    merge(env, counters_of(engine, &all), state)
}
