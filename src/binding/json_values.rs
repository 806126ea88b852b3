//! `cache.get / set / del`: JSON values under keys of the server's choice, written and read as `@upstash/redis` does.

use crate::binding::errors::{promise, to_js};
use crate::binding::instance::Instance;
use crate::core::config::{DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS, is_whole};
use crate::core::error::Error;
use napi::bindgen_prelude::{Either, Either3, Function, Null, PromiseRaw};
use napi::{Env, Unknown};
use napi_derive::napi;

/// Strings go as they are, everything else as JSON; what JSON has no text for gives `undefined`.
const ENCODE: &str = "(value) => typeof value === 'string' ? value : JSON.stringify(value)";
/// What is no JSON comes back as the string it is, and so does a number that JavaScript would change. What does not even begin
/// like JSON is not tried: an exception costs more than the whole read.
const DECODE: &str = r#"(text) => {
  if (!/^\s*["[{\-\dtfn]/.test(text)) return text
  try {
    const value = JSON.parse(text)
    return typeof value === 'number' && String(value) !== text ? text : value
  } catch {
    return text
  }
}"#;

const MAX_KEY_BYTES: usize = 32 << 10;

/// The value under `key`; null if there is none, or no shared cache. A string that is JSON comes back as what it
/// means: `'123'` as a number, as `@upstash/redis` does.
///
/// Throws `ARGUMENT_INVALID` if the key is not a string of 1 to 32768 bytes. Rejects with `STORE_UNAVAILABLE` if Redis
/// does not answer.
#[napi(catch_unwind, namespace = "cache", ts_return_type = "Promise<any>")]
pub fn get<'env>(
    env: &'env Env,
    #[napi(ts_arg_type = "string")] key: Either<String, Unknown>,
) -> napi::Result<PromiseRaw<'env, Either<Unknown<'env>, Null>>> {
    let key = key_of(env, key)?;
    let cache = Instance::default_of(env)?.cache(env);
    let read = async move { cache?.values.get(&key).await };
    promise(env, read, |env, text| match text {
        None => Ok(Either::B(Null)),
        Some(text) => {
            let decode: Function<String, Unknown> = env.run_script(DECODE)?;
            Ok(Either::A(decode.call(text)?))
        }
    })
}

/// Keeps `value` under `key` for `ttlSeconds` (1 to 31536000, default 300). Without a shared cache it is not kept.
///
/// Throws `ARGUMENT_INVALID` if the key is not a string of 1 to 32768 bytes, the value is one that JSON leaves out (a
/// function, a symbol, `undefined`), or the TTL is not a whole number in its range; and what `JSON.stringify` throws,
/// such as `TypeError` for a cycle. Rejects with `STORE_UNAVAILABLE` if Redis does not answer.
#[napi(
    catch_unwind,
    namespace = "cache",
    ts_args_type = "key: string, value: unknown, ttlSeconds?: number",
    ts_return_type = "Promise<void>"
)]
pub fn set<'env>(
    env: &'env Env,
    key: Either<String, Unknown>,
    value: Unknown,
    ttl_seconds: Either3<f64, (), Unknown>,
) -> napi::Result<PromiseRaw<'env, ()>> {
    let key = key_of(env, key)?;
    let encode: Function<Unknown, Option<String>> = env.run_script(ENCODE)?;
    let Some(text) = encode.call(value)? else {
        return Err(refuse(
            env,
            "the value is one that JSON has no text for; give a string, number, boolean, null, array or object",
        ));
    };
    let ttl_seconds = ttl_of(env, ttl_seconds)?;
    let cache = Instance::default_of(env)?.cache(env);
    let write = async move { cache?.values.set(&key, &text, ttl_seconds).await };
    promise(env, write, |_, ()| Ok(()))
}

/// Deletes the value under `key`; whether there was one.
///
/// Throws `ARGUMENT_INVALID` if the key is not a string of 1 to 32768 bytes. Rejects with `STORE_UNAVAILABLE` if Redis
/// does not answer.
#[napi(catch_unwind, namespace = "cache", ts_return_type = "Promise<boolean>")]
pub fn del<'env>(
    env: &'env Env,
    #[napi(ts_arg_type = "string")] key: Either<String, Unknown>,
) -> napi::Result<PromiseRaw<'env, bool>> {
    let key = key_of(env, key)?;
    let cache = Instance::default_of(env)?.cache(env);
    promise(
        env,
        async move { cache?.values.delete(&key).await },
        |_, deleted| Ok(deleted),
    )
}

fn key_of(env: &Env, key: Either<String, Unknown>) -> napi::Result<String> {
    match key {
        Either::A(key) if !key.is_empty() && key.len() <= MAX_KEY_BYTES => Ok(key),
        _ => Err(refuse(env, "the key must be a string of 1 to 32768 bytes")),
    }
}

fn ttl_of(env: &Env, ttl_seconds: Either3<f64, (), Unknown>) -> napi::Result<u32> {
    let seconds = match ttl_seconds {
        Either3::A(seconds) => seconds,
        Either3::B(()) => DEFAULT_TTL_SECONDS,
        Either3::C(_) => f64::NAN,
    };
    if is_whole(seconds, 1.0, MAX_TTL_SECONDS) {
        Ok(seconds as u32)
    } else {
        let rule = format!("ttlSeconds must be a whole number from 1 to {MAX_TTL_SECONDS}");
        Err(refuse(env, &rule))
    }
}

fn refuse(env: &Env, rule: &str) -> napi::Error {
    to_js(env, Error::argument_invalid(rule))
}
