//! `CacheOptions`: the shape is checked here, the values in the core.

use crate::binding::errors::to_js;
use crate::binding::legacy::JsLegacySource;
use crate::binding::sinks::JsSink;
use crate::core::config::{
    COLLECTION_PREFIX, DEFAULT_MAX_BYTES, DEFAULT_MAX_ENTRIES, LEAST_BYTES, MAX_TIMEOUT_MS,
    MOST_BYTES, MOST_ENTRIES, Options, Settings, as_javascript_shows, is_whole, whole,
};
use crate::core::error::{Error, ErrorCode};
use crate::core::log::LogSink;
use crate::core::source::LegacySource;
use crate::core::wiring::Room;
use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, JsValue, Object, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use std::sync::Arc;
use std::time::Duration;

/// All optional. An option comes before its environment variable, key by key; variables are read from `process.env` at the
/// first use of the cache.
#[napi(object, object_to_js = false)]
// For the types in `index.d.ts` alone: `read` checks each field by itself, for errors that name it.
#[allow(dead_code)]
pub struct CacheOptions<'env> {
    /// URL of the Upstash Redis REST endpoint. `https`, or `http` on a loopback address. An empty string switches the shared
    /// cache off. Environment: `UPSTASH_REDIS_REST_URL`. Default: no shared cache.
    #[napi(ts_type = "string | undefined")]
    pub upstash_url: Option<String>,
    /// Token of the Upstash Redis REST endpoint. A URL without it switches the shared cache off, with one warning; an empty one counts as
    /// missing. Environment: `UPSTASH_REDIS_REST_TOKEN`.
    #[napi(ts_type = "string | undefined")]
    pub upstash_token: Option<String>,
    /// URL of the Supabase project, the source of truth. `https`, or `http` on a loopback address. Environment: `SUPABASE_URL`.
    /// Default: no Supabase; then `promptFile`, `legacySource` and the fallback prompt are left.
    #[napi(ts_type = "string | undefined")]
    pub supabase_url: Option<String>,
    /// Service role (secret) key of the Supabase project; needed with its URL. Environment: `SUPABASE_SERVICE_ROLE_KEY`.
    #[napi(ts_type = "string | undefined")]
    pub supabase_key: Option<String>,
    /// The prompt that is served when no tier has one; not empty. Never stored. Environment: `FALLBACK_SYSTEM_PROMPT`.
    /// Default: a one-line prompt of this package.
    #[napi(ts_type = "string | undefined")]
    pub fallback_prompt: Option<String>,
    /// Path of a file with one row as JSON (`{ id, title, updated_at, payload }`), from the working directory: the source where
    /// Supabase is not configured. Environment: `SYSTEM_PROMPT_FILE`.
    #[napi(ts_type = "string | undefined")]
    pub prompt_file: Option<String>,
    /// Asked when the source has no prompt or does not answer; null, undefined and an error mean that it has none either.
    /// Has the second half of `sourceTimeoutMs`; the source then has the first. What it gives is served, and
    /// never stored.
    #[napi(
        ts_type = "(() => string | LegacyPrompt | null | undefined | Promise<string | LegacyPrompt | null | undefined>) | undefined"
    )]
    pub legacy_source: Option<Unknown<'env>>,
    /// What the keys in the store begin with: 1 to 200 of the characters `A-Z a-z 0-9 : _ . -`. All instances that share a
    /// prompt need the same. Default: `grove:system-prompt`.
    #[napi(ts_type = "string | undefined")]
    pub key_prefix: Option<String>,
    /// Signs what is stored, so that who holds the Redis token alone cannot put a prompt of his own there, or an old one: a secret
    /// of at least 32 characters, the same for all instances. An instance that starts then asks the source first.
    /// Environment: `SYSTEM_PROMPT_SIGNING_KEY`. Default: nothing is signed.
    #[napi(ts_type = "string | undefined")]
    pub signing_key: Option<String>,
    /// A second key of at least 32 characters whose signatures are accepted, for the time in which the key is changed.
    /// Environment: `SYSTEM_PROMPT_SECOND_SIGNING_KEY`.
    #[napi(ts_type = "string | undefined")]
    pub second_signing_key: Option<String>,
    /// Seconds until a stored prompt expires, 1 to 31536000: how long a change made without an invalidation may stay unseen.
    /// 0 is refused: no prompt is kept for ever. Default: 300.
    #[napi(ts_type = "number | undefined")]
    pub ttl_seconds: Option<f64>,
    /// Milliseconds, 0 to 3600000: the bound of the guarantee. A prompt is served from memory for this long after it was
    /// asked for; an instance that no push reached may serve the old one for as long. The same for all instances. 0: every read asks, which
    /// costs a command each. Default: 1000.
    #[napi(ts_type = "number | undefined")]
    pub max_staleness_ms: Option<f64>,
    /// Milliseconds that a read gives the store, and that an invalidation has, 1 to 3600000: 0, "wait for ever", is refused.
    /// Default: 500.
    #[napi(ts_type = "number | undefined")]
    pub redis_timeout_ms: Option<f64>,
    /// Milliseconds that a read gives the source and `legacySource` together, 1 to 3600000: 0, "wait for ever", is
    /// refused. Default: 2000.
    #[napi(ts_type = "number | undefined")]
    pub source_timeout_ms: Option<f64>,
    /// Whether to hear of the invalidations of other instances at once, over a stream from the store. Without it they are
    /// seen within `maxStalenessMs`. Default: true.
    #[napi(ts_type = "boolean | undefined")]
    pub push: Option<bool>,
    /// The least level that is logged. `debug` has a line for each read. Default: `info`.
    #[napi(ts_type = "'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined")]
    pub log_level: Option<Unknown<'env>>,
    /// Receives each log line instead of the console, for your logger or tracer. What it throws is ignored. Default: the console.
    #[napi(
        ts_type = "((line: { level: 'debug' | 'info' | 'warn' | 'error'; message: string }) => void) | undefined"
    )]
    pub on_log: Option<Unknown<'env>>,
}

/// What `legacySource` may give instead of a string. Behaviour fields that are missing take their defaults.
#[napi(object, object_to_js = false)]
// For the types in `index.d.ts` alone: the core reads it from JSON.
#[allow(dead_code)]
pub struct LegacyPrompt {
    /// The prompt; not empty, up to 4 MiB.
    pub content: String,
    /// What `SystemPromptConfig.source` shows. Default: `legacy`.
    pub source: Option<String>,
    pub response_mode: Option<String>,
    pub closing_behavior: Option<String>,
    pub use_breadcrumb_tags: Option<bool>,
    pub use_topic_tags: Option<bool>,
    pub use_navigation_blocks: Option<bool>,
}

/// How many bytes of a string that is wrong are shown.
const LONGEST_SHOWN: usize = 40;

/// What `invalidateSystemPrompt()` waits for.
#[napi(object, object_to_js = false)]
// For the types in `index.d.ts` alone.
#[allow(dead_code)]
pub struct InvalidateOptions {
    /// `commit`: until Redis took it, and the other instances have been told. `all`: until no instance can serve the old prompt any
    /// more, which the receipt then proves. Default: `commit`.
    #[napi(ts_type = "'commit' | 'all' | undefined")]
    pub wait: Option<String>,
    /// Milliseconds after the commit, 1 to 3600000: the longest that `wait: 'all'` waits for the instances, and refused without it. What is
    /// not confirmed by then is null in the receipt, and its list may be short: look at `provenAfterMs`. Default: until it is proven,
    /// which takes the longest `maxStalenessMs` of the instances at most.
    #[napi(ts_type = "number | undefined")]
    pub timeout_ms: Option<f64>,
}

/// The same, read.
pub enum Wait {
    Commit,
    All { patience: Option<Duration> },
}

const NAMES: [&str; 17] = [
    "upstashUrl",
    "upstashToken",
    "supabaseUrl",
    "supabaseKey",
    "fallbackPrompt",
    "promptFile",
    "legacySource",
    "keyPrefix",
    "signingKey",
    "secondSigningKey",
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

impl Refusal {
    /// As JavaScript is thrown it.
    pub fn into_js(self, env: &Env) -> napi::Error {
        match self {
            Refusal::Mistake(error) => to_js(env, error),
            Refusal::Napi(error) => error,
        }
    }
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

/// The names of `CacheOptions` that a collection has too, and its own.
const COLLECTION_NAMES: [&str; 15] = [
    "upstashUrl",
    "upstashToken",
    "supabaseUrl",
    "supabaseKey",
    "keyPrefix",
    "signingKey",
    "secondSigningKey",
    "maxStalenessMs",
    "redisTimeoutMs",
    "sourceTimeoutMs",
    "push",
    "logLevel",
    "onLog",
    "maxEntries",
    "maxBytes",
];

/// Reads and checks what a program gave as options; `undefined` is the same as nothing.
pub fn read(env: &Env, options: Unknown) -> Result<Given, Refusal> {
    match Fields::of(env, options, &NAMES)? {
        Some(given) => given.cache(env),
        None => Ok(Given::default()),
    }
}

/// The same of a collection.
pub fn read_collection(env: &Env, options: Unknown) -> Result<(Given, Room), Refusal> {
    let given = Fields::of(env, options, &COLLECTION_NAMES)?;
    let count = |option: &str, default: f64, least: f64, most: f64| {
        let number = match &given {
            Some(given) => given.number(option)?,
            None => None,
        };
        Ok::<_, Refusal>(whole(option, number, default, least, most)? as u64)
    };
    let room = Room {
        max_entries: count("maxEntries", DEFAULT_MAX_ENTRIES, 1.0, MOST_ENTRIES)?,
        max_bytes: count("maxBytes", DEFAULT_MAX_BYTES, LEAST_BYTES, MOST_BYTES)?,
    };
    let mut given = match given {
        Some(given) => given.cache(env)?,
        None => Given::default(),
    };
    let prefix = &mut given.options.key_prefix;
    prefix.get_or_insert_with(|| COLLECTION_PREFIX.to_owned());
    Ok((given, room))
}

impl Fields<'_> {
    /// Of a name that is not allowed here there is nothing to be found.
    fn cache(&self, env: &Env) -> Result<Given, Refusal> {
        let given = self;
        let options = Options {
            upstash_url: given.text("upstashUrl")?,
            upstash_token: given.text("upstashToken")?,
            supabase_url: given.text("supabaseUrl")?,
            supabase_key: given.text("supabaseKey")?,
            signing_key: given.text("signingKey")?,
            second_signing_key: given.text("secondSigningKey")?,
            fallback_prompt: given.text("fallbackPrompt")?,
            prompt_file: given.text("promptFile")?,
            key_prefix: given.text("keyPrefix")?,
            ttl_seconds: given.number("ttlSeconds")?,
            max_staleness_ms: given.number("maxStalenessMs")?,
            redis_timeout_ms: given.number("redisTimeoutMs")?,
            source_timeout_ms: given.number("sourceTimeoutMs")?,
            push: given.typed("push", ValueType::Boolean)?,
            log_level: given.text("logLevel")?,
        };
        options.validate()?;
        let mut functions = Given {
            options,
            ..Given::default()
        };
        if let Some(function) = given.typed("legacySource", ValueType::Function)? {
            functions.legacy = Some(Arc::new(JsLegacySource::new(env, function)?));
        }
        if let Some(function) = given.typed("onLog", ValueType::Function)? {
            functions.on_log = Some(Arc::new(JsSink::guarded(env, function)?));
        }
        Ok(functions)
    }
}

/// The settings that follow from options and `process.env`, as it is now, and where log lines go.
pub fn resolved(env: &Env, given: &Given) -> Result<(Settings, Arc<dyn LogSink>), Error> {
    let unusable = |error: napi::Error| Error {
        code: ErrorCode::ConfigInvalid,
        message: format!(
            "process.env or console cannot be used here: {}",
            error.reason
        ),
        fault: None,
    };
    let variables = || {
        env.get_global()?
            .get_named_property::<Object>("process")?
            .get_named_property::<Object>("env")
    };
    let variables = variables().map_err(unusable)?;
    let variable = |name: &str| variables.get::<String>(name).ok().flatten();
    let settings = given.options.resolve(variable)?;
    let sink: Arc<dyn LogSink> = match &given.on_log {
        Some(sink) => sink.clone(),
        None => Arc::new(JsSink::console(env).map_err(unusable)?),
    };
    Ok((settings, sink))
}

/// The options of one call.
pub fn read_wait(env: &Env, options: Unknown) -> Result<Wait, Refusal> {
    let read = || {
        let Some(given) = Fields::of(env, options, &["wait", "timeoutMs"])? else {
            return Ok(Wait::Commit);
        };
        let (wait, timeout_ms) = (given.text("wait")?, given.number("timeoutMs")?);
        let refuse = |option: &str, found: &str, rule: &str| {
            Err(Error::config_invalid(option, found, rule).into())
        };
        if let Some(ms) = timeout_ms
            && !is_whole(ms, 1.0, MAX_TIMEOUT_MS)
        {
            let rule = format!("must be a whole number from 1 to {MAX_TIMEOUT_MS}");
            return refuse("timeoutMs", &as_javascript_shows(ms), &rule);
        }
        match wait.as_deref() {
            Some("all") => Ok(Wait::All {
                patience: timeout_ms.map(|ms| Duration::from_millis(ms as u64)),
            }),
            Some("commit") | None if timeout_ms.is_some() => {
                refuse("timeoutMs", "given", "must come with wait: 'all'")
            }
            Some("commit") | None => Ok(Wait::Commit),
            Some(other) => {
                let short = other.len() <= LONGEST_SHOWN;
                let found = if short {
                    format!("{other:?}")
                } else {
                    "a longer string".into()
                };
                refuse("wait", &found, "must be 'commit' or 'all'")
            }
        }
    };
    read().map_err(|refusal| match refusal {
        Refusal::Mistake(error) => Refusal::Mistake(Error::argument_invalid(error.message)),
        napi => napi,
    })
}

/// The fields of an object of options, each checked as it is read.
pub struct Fields<'env>(Object<'env>);

impl<'env> Fields<'env> {
    /// `None` for no options.
    pub fn of(env: &Env, options: Unknown<'env>, names: &[&str]) -> Result<Option<Self>, Refusal> {
        match options.get_type()? {
            ValueType::Undefined => return Ok(None),
            ValueType::Object if !options.is_array()? => {}
            ValueType::Object => return Err(Error::options_invalid("an array").into()),
            other => return Err(Error::options_invalid(&article(other)).into()),
        }
        let object = Object::from_raw(env.raw(), options.raw());
        for name in Object::keys(&object)? {
            if !names.contains(&name.as_str()) {
                let rule = format!("must be one of {}", names.join(", "));
                return Err(Error::config_invalid(&name, "not known", &rule).into());
            }
        }
        Ok(Some(Fields(object)))
    }

    pub fn text(&self, option: &str) -> Result<Option<String>, Refusal> {
        self.typed(option, ValueType::String)
    }

    pub fn number(&self, option: &str) -> Result<Option<f64>, Refusal> {
        self.typed(option, ValueType::Number)
    }

    /// Only the type of what was given, never the value, is in the error.
    pub fn typed<T: FromNapiValue>(
        &self,
        option: &str,
        expected: ValueType,
    ) -> Result<Option<T>, Refusal> {
        match self.0.get::<Unknown>(option)? {
            None => Ok(None),
            Some(value) => match value.get_type()? {
                ValueType::Undefined => Ok(None),
                found if found == expected => Ok(self.0.get(option)?),
                found => {
                    let rule = format!(
                        "must be {}; leave it out for the default",
                        article(expected)
                    );
                    Err(Error::config_invalid(option, &article(found), &rule).into())
                }
            },
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
