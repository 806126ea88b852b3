//! A promise that is handed out again and again. One that is resolved, so that a hit copies nothing and takes nothing from
//! JavaScript's heap; or one that is not yet, so that a thousand reads which wait for one load cost the event loop no more than one.

use napi::Env;
use napi::bindgen_prelude::{JsValue, Object, ObjectRef, PromiseRaw};
use std::cell::RefCell;

/// Belongs to one environment, and is released there: dropped with a promise in it, that lives as long as its environment.
#[derive(Default)]
pub struct HeldPromise {
    /// With the number of what it resolves to: a value of the near cache, or a flight.
    held: RefCell<Option<(u64, ObjectRef<false>)>>,
}

impl HeldPromise {
    /// The number of what is held; 0 if nothing is.
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

    /// Holds this one instead.
    pub fn replace<V>(&self, env: &Env, number: u64, promise: &PromiseRaw<V>) -> napi::Result<()> {
        let reference = Object::from_raw(env.raw(), promise.raw()).create_ref()?;
        self.release(env)?;
        self.held.replace(Some((number, reference)));
        Ok(())
    }

    pub fn release(&self, env: &Env) -> napi::Result<()> {
        match self.held.take() {
            Some((_, promise)) => promise.unref(env),
            None => Ok(()),
        }
    }
}
