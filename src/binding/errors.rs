//! Core errors as JavaScript errors: `instanceof Error`, with `code`, `retryable` and `cause`.

use crate::core::error::{Error, Fault};
use futures_util::FutureExt;
use napi::bindgen_prelude::{JsObjectValue, JsValue, Object, PromiseRaw, ToNapiValue};
use napi::{Env, Status, Unknown};
use std::future::Future;
use std::panic::AssertUnwindSafe;

/// An error whose `code` is ours. Thrown or rejected with, JavaScript receives the very object that is built here.
pub fn to_js(env: &Env, error: Error) -> napi::Error {
    match build(env, &error) {
        Ok(object) => napi::Error::from(object),
        // The environment is going down; nobody will look at it.
        Err(failure) => failure,
    }
}

fn build<'env>(env: &'env Env, error: &Error) -> napi::Result<Unknown<'env>> {
    let mut object = plain(env, &error.message)?;
    object.set_named_property("code", error.code.as_str())?;
    object.set_named_property("retryable", error.retryable())?;
    if let Some(fault) = &error.fault {
        let (message, code) = match fault {
            // The words of the user's own function go back to who called it.
            Fault::LoadFailed { word, message } => (message.clone(), word.as_str()),
            fault => (fault.to_string(), fault.class()),
        };
        let mut cause = plain(env, &message)?;
        cause.set_named_property("code", code)?;
        object.set_named_property("cause", cause)?;
    }
    Ok(object.to_unknown())
}

fn plain<'env>(env: &'env Env, message: &str) -> napi::Result<Object<'env>> {
    env.create_error(napi::Error::new(Status::GenericFailure, message))
}

/// Runs `future` off the event loop and settles a promise with what `to_value` makes of it on the JavaScript thread. A panic
/// in it becomes a rejection.
pub fn promise<'env, T, V>(
    env: &'env Env,
    future: impl Future<Output = Result<T, Error>> + Send + 'static,
    to_value: impl FnOnce(&'env Env, T) -> napi::Result<V> + 'static,
) -> napi::Result<PromiseRaw<'env, V>>
where
    T: Send + 'static,
    V: ToNapiValue,
{
    let outcome = AssertUnwindSafe(future).catch_unwind();
    let outcome = async move { Ok(outcome.await.unwrap_or_else(|_| Err(Error::internal()))) };
    env.spawn_future_with_callback(outcome, move |env, outcome| match outcome {
        Ok(value) => std::panic::catch_unwind(AssertUnwindSafe(|| to_value(env, value)))
            .unwrap_or_else(|_| Err(to_js(env, Error::internal()))),
        Err(error) => Err(to_js(env, error)),
    })
}
