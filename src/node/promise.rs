//! How results and errors cross to JavaScript: as JSON, of which it makes its own objects.

use crate::error::{Error, Fault};
use futures_util::FutureExt;
use napi::Env;
use napi::bindgen_prelude::{PromiseRaw, ToNapiValue};
use serde_json::{Value, json};
use std::future::Future;
use std::panic::AssertUnwindSafe;

/// `{ code, message, retryable, cause? }`.
pub fn error_json(error: &Error) -> Value {
    let cause = error.fault.as_ref().map(|fault| match fault {
        // The words of the user's own function go back to who called it.
        Fault::LoadFailed { word, message } => json!({ "code": word, "message": message }),
        fault => json!({ "code": fault.class(), "message": fault.to_string() }),
    });
    json!({
        "code": error.code.as_str(),
        "message": error.message,
        "retryable": error.retryable(),
        "cause": cause,
    })
}

/// An error for `lib/native.cjs`, which makes the user's of it.
pub fn thrown(error: &Error) -> napi::Error {
    napi::Error::from_reason(error_json(error).to_string())
}

/// Runs `future` off the event loop. The promise always resolves: to JSON, `{ value }` or `{ error }`.
pub fn settled(
    env: &Env,
    future: impl Future<Output = Result<Value, Error>> + Send + 'static,
) -> napi::Result<PromiseRaw<'_, String>> {
    let outcome = caught(future);
    let json = async move {
        Ok(match outcome.await.and_then(|outcome| outcome) {
            Ok(value) => json!({ "value": value }).to_string(),
            Err(error) => json!({ "error": error_json(&error) }).to_string(),
        })
    };
    env.spawn_future_with_callback(json, |_, json| Ok(json))
}

/// The same, with a value of N-API that is made on the thread of JavaScript.
pub fn delivered<'env, T, V>(
    env: &'env Env,
    future: impl Future<Output = T> + Send + 'static,
    to_value: impl FnOnce(&'env Env, Result<T, Error>) -> napi::Result<V> + 'static,
) -> napi::Result<PromiseRaw<'env, V>>
where
    T: Send + 'static,
    V: ToNapiValue,
{
    let outcome = caught(future);
    env.spawn_future_with_callback(async move { Ok(outcome.await) }, to_value)
}

/// A panic in `future` becomes an error.
async fn caught<T>(future: impl Future<Output = T> + Send + 'static) -> Result<T, Error> {
    let outcome = AssertUnwindSafe(future).catch_unwind().await;
    outcome.map_err(|_| Error::internal())
}
