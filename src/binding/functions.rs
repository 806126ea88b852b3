//! The functions of the package: the default instance's methods, and assembly.

use crate::binding::answers::InvalidationReceipt;
use crate::binding::errors::to_js;
use crate::binding::instance::{DefaultInstance, Instance};
use crate::core::error::Error;
use crate::core::prompt;
use napi::bindgen_prelude::{Either3, JsValue, Null, Object, PromiseRaw};
use napi::{Env, JsString, Unknown, ValueType};
use napi_derive::napi;
use serde_json::{Map, Value};

/// The active system prompt, always: from memory while its lease runs, else from Redis, the source, the last known prompt,
/// `legacySource`, the fallback prompt, in this order. Ends within `redisTimeoutMs` + `sourceTimeoutMs`.
///
/// Rejects only with `CLOSED`, after `close()`.
#[napi(catch_unwind, ts_return_type = "Promise<string>")]
pub fn fetch_active_system_prompt(env: &Env) -> napi::Result<PromiseRaw<'_, JsString<'_>>> {
    Instance::default_of(env)?.fetch_prompt(env)
}

/// The active system prompt with its behaviour fields, its version and the tier it came from. The object is frozen: hits share
/// it. Copy it to change it.
///
/// Rejects only with `CLOSED`, after `close()`.
#[napi(catch_unwind, ts_return_type = "Promise<Readonly<SystemPromptConfig>>")]
pub fn fetch_active_system_prompt_config(env: &Env) -> napi::Result<PromiseRaw<'_, Object<'_>>> {
    Instance::default_of(env)?.fetch_config(env)
}

/// Drops the prompt everywhere: a read that begins more than `maxStalenessMs` after it resolved is not given the old one, on
/// any instance. Call it after the row was changed. It loads the new prompt for all, which it waits for up to 200 ms. Calls that
/// come within 100 ms of another wait until these are over, and share one; each is given one that began after it.
///
/// With `{ wait: 'all' }` it resolves when no instance can serve the old prompt any more (but as `stale`, where it is cut off from Redis and
/// source both), and the receipt says how that is known of each: within milliseconds of those that are awake, and after
/// `maxStalenessMs` of those that are frozen or killed. What a receipt cannot speak for: docs/ARCHITECTURE.md, "A receipt".
///
/// Throws `ARGUMENT_INVALID` if the options are not an object with these names (so do not pass it as a callback that is given
/// something). Rejects with `STORE_UNAVAILABLE` if Redis did not take it within `redisTimeoutMs`. It is then tried again in the
/// background, within a second of each other, until it went through or `close()` is called; meanwhile this instance reads
/// from the source, and the other instances may serve the old prompt. Rejects with `CLOSED` after `close()`.
#[napi(catch_unwind, ts_args_type = "options?: InvalidateOptions")]
pub fn invalidate_system_prompt<'env>(
    env: &'env Env,
    options: Unknown,
) -> napi::Result<PromiseRaw<'env, InvalidationReceipt>> {
    Instance::default_of(env)?.invalidate(env, options)
}

/// What a read gives now, how this instance and Redis are, and which instances there are: for `GET /api/debug/system-prompt`. Holds
/// the whole prompt, no URL and no token. Never rejects; ends within `redisTimeoutMs` + `sourceTimeoutMs`.
#[napi(catch_unwind, ts_return_type = "Promise<SystemPromptDebug>")]
pub fn debug_system_prompt(env: &Env) -> napi::Result<PromiseRaw<'_, Object<'_>>> {
    Instance::default_of(env)?.debug(env)
}

/// Counts and state of the default instance, without asking anybody.
#[napi(catch_unwind, ts_return_type = "CacheStats")]
pub fn stats(env: &Env) -> napi::Result<Object<'_>> {
    Instance::default_of(env)?.stats(env)
}

/// The same for Prometheus, with latencies, staleness and propagation as histograms: text format 0.0.4, to be served as
/// `text/plain; version=0.0.4; charset=utf-8`. Asks nobody.
#[napi(catch_unwind)]
pub fn metrics(env: &Env) -> napi::Result<String> {
    Instance::default_of(env)?.metrics(env)
}

/// Replaces the default instance by one with these options; calls that are under way end with the old one.
///
/// Throws `CONFIG_INVALID` if an option is wrong, and changes nothing then.
#[napi(catch_unwind)]
pub fn configure(
    env: &Env,
    #[napi(ts_arg_type = "CacheOptions")] options: Unknown,
) -> napi::Result<()> {
    let instance = Instance::new(env, options)?;
    DefaultInstance::of(env)?.replace(env, instance)
}

/// Closes the default instance: later calls reject with `CLOSED`, until `configure()` makes a new one. Calls that are under
/// way end as they would have; an invalidation that failed is not tried again. May be called again. Resolves when Redis does not
/// list the instance any more, or did not answer within `redisTimeoutMs`. Without it, a process ends too, and for five minutes
/// and the one after them receipts wait a lease for it.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn close(env: &Env) -> napi::Result<PromiseRaw<'_, ()>> {
    Instance::default_of(env)?.close(env)
}

/// Joins the sections of a prompt's payload: `identity`, `voiceGuidelines`, `structureRules`,
/// `knowledgeInstructions`, `boundaries`, each as `## Identity` (`## Voice Guidelines` and so on), a line break and the text,
/// a blank line between them. What is missing, null or empty is left out, and so is every other field.
///
/// Throws `ARGUMENT_INVALID` if the payload is not an object or a section is not a string.
#[napi(catch_unwind)]
pub fn assemble_prompt_content(
    env: &Env,
    #[napi(ts_arg_type = "object")] payload: Unknown,
) -> napi::Result<String> {
    let refuse = |problem: &str| {
        let message = format!("could not assemble the prompt: {problem}");
        to_js(env, Error::argument_invalid(message))
    };
    if payload.get_type()? != ValueType::Object || payload.is_array()? {
        return Err(refuse("payload is not an object"));
    }
    let payload = Object::from_raw(env.raw(), payload.raw());
    let mut sections = Map::new();
    for name in prompt::section_names() {
        match payload.get::<Either3<String, Null, Unknown>>(name)? {
            Some(Either3::A(text)) => drop(sections.insert(name.to_owned(), Value::String(text))),
            None | Some(Either3::B(Null)) => {}
            Some(Either3::C(_)) => return Err(refuse(&format!("section {name} is not a string"))),
        }
    }
    prompt::assemble(&sections).map_err(|problem| refuse(&problem))
}
