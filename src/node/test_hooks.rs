//! Panics on demand, for the tests of what becomes of them. In a release build this file is empty.
#![cfg(debug_assertions)]

use crate::node::promise::settled;
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

#[napi(js_name = "__panicInCall", catch_unwind)]
pub fn panic_in_call() {
    panic!("canary");
}

#[napi(js_name = "__panicInFuture")]
pub fn panic_in_future(env: &Env) -> napi::Result<PromiseRaw<'_, String>> {
    settled(env, async { panic!("canary") })
}
