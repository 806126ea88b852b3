//! `CacheOptions`: the shape is checked here, the values in the core.

use crate::binding::legacy::JsLegacySource;
use crate::binding::sinks::JsSink;
use crate::core::config::Options;
use crate::core::error::Error;
use crate::core::log::LogSink;
use crate::core::source::LegacySource;
use napi::bindgen_prelude::{FromNapiValue, JsValue, Object, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use std::sync::Arc;

/// All optional. An option comes before its environment variable, key by key; variables are read from `process.env` at the
/// first use of the cache.
#[napi(object, object_to_js = false)]
pub struct CacheOptions<'env> {
    /// URL of the Upstash Redis REST endpoint. `https`, or `http` on a loopback address. An empty string switches the shared
    /// cache off. Environment: `UPSTASH_REDIS_REST_URL`. Default: no shared cache.
    #[napi(ts_type = "string")]
    pub upstash_url: Option<Unknown<'env>>,
    /// Token of the Upstash Redis REST endpoint. Environment: `UPSTASH_REDIS_REST_TOKEN`.
    #[napi(ts_type = "string")]
    pub upstash_token: Option<Unknown<'env>>,
    /// URL of the Supabase project, the source of truth. Environment: `SUPABASE_URL`.
    #[napi(ts_type = "string")]
    pub supabase_url: Option<Unknown<'env>>,
    /// Service role (secret) key of the Supabase project. Environment: `SUPABASE_SERVICE_ROLE_KEY`.
    #[napi(ts_type = "string")]
    pub supabase_key: Option<Unknown<'env>>,
    /// The prompt that is served when no tier has one. Never stored. Environment: `FALLBACK_SYSTEM_PROMPT`.
    /// Default: a one-line prompt of this package.
    #[napi(ts_type = "string")]
    pub fallback_prompt: Option<Unknown<'env>>,
    /// Path of a file with one row as JSON (`{ id, title, updated_at, payload }`): the source where Supabase is not
    /// configured. Environment: `SYSTEM_PROMPT_FILE`.
    #[napi(ts_type = "string")]
    pub prompt_file: Option<Unknown<'env>>,
    /// Asked when the source has no prompt or does not answer. Gives the prompt, or an object with `content` and, if you
    /// like, `source` and the behaviour fields. Has the second half of `sourceTimeoutMs`; the source then has the first.
    /// What it gives is served, and never stored.
    #[napi(
        ts_type = "() => Promise<string | { content: string; [field: string]: unknown } | null | undefined>"
    )]
    pub legacy_source: Option<Unknown<'env>>,
    /// What the keys in the store begin with: 1 to 200 of the characters `A-Z a-z 0-9 : _ . -`. All instances that share a
    /// prompt need the same. Default: `grove:system-prompt`.
    #[napi(ts_type = "string")]
    pub key_prefix: Option<Unknown<'env>>,
    /// Seconds until a stored prompt expires, 1 to 31536000: how long a change made without an invalidation may stay unseen.
    /// Default: 300.
    #[napi(ts_type = "number")]
    pub ttl_seconds: Option<Unknown<'env>>,
    /// Milliseconds, 0 to 3600000: reads that begin within this time of each other may share one load. 0: none do.
    /// Default: 1000.
    #[napi(ts_type = "number")]
    pub max_staleness_ms: Option<Unknown<'env>>,
    /// Milliseconds that a read gives the store, and that an invalidation has, 1 to 3600000. Default: 500.
    #[napi(ts_type = "number")]
    pub redis_timeout_ms: Option<Unknown<'env>>,
    /// Milliseconds that a read gives the source and `legacySource` together, 1 to 3600000. Default: 2000.
    #[napi(ts_type = "number")]
    pub source_timeout_ms: Option<Unknown<'env>>,
    /// Whether to listen for the invalidations of other instances. Accepted, and without effect in this version.
    /// Default: true.
    #[napi(ts_type = "boolean")]
    pub push: Option<Unknown<'env>>,
    /// The least level that is logged. `debug` has a line for each read. Default: `info`.
    #[napi(ts_type = "'debug' | 'info' | 'warn' | 'error' | 'silent'")]
    pub log_level: Option<Unknown<'env>>,
    /// Receives each log line instead of the console. What it throws is ignored.
    #[napi(
        ts_type = "(line: { level: 'debug' | 'info' | 'warn' | 'error'; message: string }) => void"
    )]
    pub on_log: Option<Unknown<'env>>,
}

const NAMES: [&str; 15] = [
    "upstashUrl",
    "upstashToken",
    "supabaseUrl",
    "supabaseKey",
    "fallbackPrompt",
    "promptFile",
    "legacySource",
    "keyPrefix",
    "ttlSeconds",
    "maxStalenessMs",
    "redisTimeoutMs",
    "sourceTimeoutMs",
    "push",
    "logLevel",
    "onLog",
];

/// Options of the right shape, with the functions among them ready to be called from any thread.
#[derive(Default)]
pub struct Given {
    pub options: Options,
    pub legacy: Option<Arc<dyn LegacySource>>,
    pub on_log: Option<Arc<dyn LogSink>>,
}

/// Why options were not taken: a mistake in them, or an environment that is going down.
pub enum Refusal {
    Mistake(Error),
    Napi(napi::Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Mistake(error)
    }
}

impl From<napi::Error> for Refusal {
    fn from(error: napi::Error) -> Self {
        Refusal::Napi(error)
    }
}

/// Reads and checks what a program gave as options; `undefined` is the same as nothing.
pub fn read(env: &Env, options: Unknown) -> Result<Given, Refusal> {
    match options.get_type()? {
        ValueType::Undefined => return Ok(Given::default()),
        ValueType::Object if !options.is_array()? => {}
        ValueType::Object => return Err(Error::options_invalid("an array").into()),
        other => {
            return Err(Error::options_invalid(&article(other)).into());
        }
    }
    let object = Object::from_raw(env.raw(), options.raw());
    for name in Object::keys(&object)? {
        if !NAMES.contains(&name.as_str()) {
            let rule = format!("must be one of {}", NAMES.join(", "));
            return Err(Error::config_invalid(&name, "not known", &rule).into());
        }
    }
    // Safety of the call: both handles are alive for this call, which is on the environment's own thread.
    let given = unsafe { CacheOptions::from_napi_value(env.raw(), options.raw()) }?;
    let options = Options {
        upstash_url: text("upstashUrl", given.upstash_url)?,
        upstash_token: text("upstashToken", given.upstash_token)?,
        supabase_url: text("supabaseUrl", given.supabase_url)?,
        supabase_key: text("supabaseKey", given.supabase_key)?,
        fallback_prompt: text("fallbackPrompt", given.fallback_prompt)?,
        prompt_file: text("promptFile", given.prompt_file)?,
        key_prefix: text("keyPrefix", given.key_prefix)?,
        ttl_seconds: typed("ttlSeconds", given.ttl_seconds, ValueType::Number)?,
        max_staleness_ms: typed("maxStalenessMs", given.max_staleness_ms, ValueType::Number)?,
        redis_timeout_ms: typed("redisTimeoutMs", given.redis_timeout_ms, ValueType::Number)?,
        source_timeout_ms: typed(
            "sourceTimeoutMs",
            given.source_timeout_ms,
            ValueType::Number,
        )?,
        push: typed("push", given.push, ValueType::Boolean)?,
        log_level: text("logLevel", given.log_level)?,
    };
    options.validate()?;
    let mut functions = Given {
        options,
        ..Given::default()
    };
    if let Some(function) = of_type("legacySource", given.legacy_source, ValueType::Function)? {
        functions.legacy = Some(Arc::new(JsLegacySource::new(env, function)?));
    }
    if let Some(function) = of_type("onLog", given.on_log, ValueType::Function)? {
        functions.on_log = Some(Arc::new(JsSink::guarded(env, function)?));
    }
    Ok(functions)
}

fn text(option: &str, value: Option<Unknown>) -> Result<Option<String>, Refusal> {
    typed(option, value, ValueType::String)
}

fn typed<T: FromNapiValue>(
    option: &str,
    value: Option<Unknown>,
    expected: ValueType,
) -> Result<Option<T>, Refusal> {
    match of_type(option, value, expected)? {
        // Safety of the call: the value is alive for this call, and its type was checked.
        Some(value) => Ok(Some(unsafe {
            T::from_napi_value(value.value().env, value.raw())
        }?)),
        None => Ok(None),
    }
}

/// The value if it is of this type; only its type, never the value, is in the error.
pub fn of_type<'env>(
    option: &str,
    value: Option<Unknown<'env>>,
    expected: ValueType,
) -> Result<Option<Unknown<'env>>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    match value.get_type()? {
        ValueType::Undefined => Ok(None),
        found if found == expected => Ok(Some(value)),
        found => {
            let rule = format!(
                "must be {}; leave it out for the default",
                article(expected)
            );
            Err(Error::config_invalid(option, &article(found), &rule).into())
        }
    }
}

fn article(value_type: ValueType) -> String {
    match value_type {
        ValueType::Null => "null".into(),
        ValueType::Undefined => "undefined".into(),
        ValueType::Object => "an object".into(),
        other => format!("a {}", other.to_string().to_lowercase()),
    }
}
