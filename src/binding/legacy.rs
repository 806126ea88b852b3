//! The user's `legacySource` function as a source of the core.

use crate::core::source::LegacySource;
use async_trait::async_trait;
use napi::bindgen_prelude::{Function, Promise, Unknown};
use napi::threadsafe_function::ThreadsafeFunction;
use napi::{Env, Status};
use serde_json::Value;

/// Whatever the function does (returns, throws, rejects, gives a thenable), this gives a promise of JSON: `[value]`, or
/// `[null, word]` where it failed. `undefined` becomes null, and half a surrogate pair, which JSON in UTF-8 cannot hold,
/// becomes U+FFFD. Of the user's error only its `code` or `name` is passed on: its text may hold anything.
const AS_JSON: &str = "(legacySource) => {
  const wordOf = (error) => {
    try {
      return String(error?.code ?? error?.name ?? typeof error)
    } catch {
      return ''
    }
  }
  const wellFormed = (_, value) => typeof value === 'string' ? value.toWellFormed() : value
  return async () => {
    try {
      return JSON.stringify([await legacySource()], wellFormed)
    } catch (error) {
      const word = wordOf(error)
      return JSON.stringify([null, /^[\\w.-]{1,60}$/.test(word) ? word : 'an error'])
    }
  }
}";

/// Weak: a function that waits to be asked does not keep the process alive.
type Ask = ThreadsafeFunction<(), Promise<String>, (), Status, false, true>;

pub struct JsLegacySource(Ask);

impl JsLegacySource {
    pub fn new(env: &Env, function: Unknown) -> napi::Result<Self> {
        let wrap: Function<Unknown, Function<(), Promise<String>>> = env.run_script(AS_JSON)?;
        wrap.call(function)?
            .build_threadsafe_function::<()>()
            .callee_handled::<false>()
            .weak::<true>()
            .build()
            .map(JsLegacySource)
    }
}

#[async_trait]
impl LegacySource for JsLegacySource {
    async fn load(&self) -> Result<Value, String> {
        // The environment is going down, or JSON of the value would not end.
        let failed = |_| "it could not be called".to_owned();
        let promise = self.0.call_async_catch(()).await.map_err(failed)?;
        let json = promise.await.map_err(failed)?;
        let outcome: Vec<Value> = serde_json::from_str(&json)
            .map_err(|_| "it gave a value that is no JSON".to_owned())?;
        match outcome.as_slice() {
            [_, Value::String(word)] => Err(format!("it failed with {word}")),
            _ => Ok(outcome.into_iter().next().unwrap_or_default()),
        }
    }
}
