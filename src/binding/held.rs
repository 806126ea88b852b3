//! A resolved promise that is handed out again and again: what a hit gives costs no copy and no allocation.

use napi::Env;
use napi::bindgen_prelude::{JsValue, Object, ObjectRef, PromiseRaw, ToNapiValue};
use std::cell::RefCell;

/// Belongs to one environment, and is released there: dropped with a promise in it, that lives as long as its environment.
#[derive(Default)]
pub struct HeldPromise {
    /// With the number of the near cache's value that it resolves to.
    held: RefCell<Option<(u64, ObjectRef<false>)>>,
}

impl HeldPromise {
    /// The number of the value that is held; 0 if none is.
    pub fn number(&self) -> u64 {
        self.held.borrow().as_ref().map_or(0, |(number, _)| *number)
    }

    pub fn get<'env, V>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, V>> {
        let held = self.held.borrow();
        let (_, promise) = held
            .as_ref()
            .ok_or_else(|| napi::Error::from_reason("no promise is held"))?;
        let promise = promise.get_value(env)?;
        Ok(PromiseRaw::new(env.raw(), promise.raw()))
    }

    /// Holds a promise of this value instead.
    pub fn replace<'env, V: ToNapiValue>(
        &self,
        env: &'env Env,
        number: u64,
        value: V,
    ) -> napi::Result<PromiseRaw<'env, V>> {
        let promise = PromiseRaw::resolve(env, value)?;
        let reference = Object::from_raw(env.raw(), promise.raw()).create_ref()?;
        self.release(env)?;
        self.held.replace(Some((number, reference)));
        Ok(promise)
    }

    pub fn release(&self, env: &Env) -> napi::Result<()> {
        match self.held.take() {
            Some((_, promise)) => promise.unref(env),
            None => Ok(()),
        }
    }
}
