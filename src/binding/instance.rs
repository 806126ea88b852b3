//! One cache as JavaScript holds it: checked options at once, everything else at the first use. The class and the default
//! instance of an environment are both one of these.

use crate::binding::answers::{self, Config, Form, Prompt};
use crate::binding::errors::{promise, to_js};
use crate::binding::held::HeldPromise;
use crate::binding::options::{self, Given, Wait};
use crate::core::answer::{Answer, Tier};
use crate::core::cache::{Asking, Cache};
use crate::core::error::Error;
use crate::core::near::{AtHand, Held};
use crate::core::wiring;
use napi::bindgen_prelude::{Object, PromiseRaw, spawn, within_runtime_if_available};
use napi::{Env, JsString, Unknown};
use once_cell::unsync::OnceCell;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

pub struct Instance {
    given: Given,
    /// Made at the first use, when `process.env` is read.
    cache: OnceCell<Arc<Cache>>,
    closed: Cell<bool>,
    prompt: Promises,
    config: Promises,
}

/// What reads of one form are given.
#[derive(Default)]
struct Promises {
    /// Resolved, for hits.
    hit: HeldPromise,
    /// For those that join the last flight.
    flight: HeldPromise,
}

impl Promises {
    fn release(&self, env: &Env) -> napi::Result<()> {
        self.hit.release(env)?;
        self.flight.release(env)
    }
}

/// The instance behind the package's functions, one for each environment (the main thread, or a worker) and freed with it.
/// From the environment variables alone unless `configure` was called.
#[derive(Clone)]
pub struct DefaultInstance(Rc<RefCell<Rc<Instance>>>);

impl DefaultInstance {
    /// Makes that of this environment.
    pub fn set_up(env: &Env) -> napi::Result<Self> {
        let default = DefaultInstance(Rc::new(RefCell::new(Rc::new(Instance::of(
            Given::default(),
        )))));
        env.set_instance_data(default.clone(), (), |_| ())?;
        Ok(default)
    }

    /// That of this environment.
    pub fn of(env: &Env) -> napi::Result<&Self> {
        let missing = || napi::Error::from_reason("the addon was not loaded in this environment");
        env.get_instance_data::<Self>()?
            .map(|default| &*default)
            .ok_or_else(missing)
    }

    pub fn get(&self) -> Rc<Instance> {
        self.0.borrow().clone()
    }

    pub fn replace(&self, env: &Env, instance: Instance) -> napi::Result<()> {
        let replaced = self.0.replace(Rc::new(instance));
        if let Some(cache) = replaced.cache.get().cloned() {
            within_runtime_if_available(|| drop(spawn(async move { cache.leave().await })));
        }
        replaced.release(env)
    }
}

impl Instance {
    pub fn new(env: &Env, options: Unknown) -> napi::Result<Self> {
        let given = options::read(env, options).map_err(|refusal| refusal.into_js(env))?;
        Ok(Self::of(given))
    }

    /// The default instance of this environment.
    pub fn default_of(env: &Env) -> napi::Result<Rc<Self>> {
        Ok(DefaultInstance::of(env)?.get())
    }

    fn of(given: Given) -> Self {
        Instance {
            given,
            cache: OnceCell::new(),
            closed: Cell::new(false),
            prompt: Promises::default(),
            config: Promises::default(),
        }
    }

    pub fn cache(&self, env: &Env) -> Result<Arc<Cache>, Error> {
        if self.closed.get() {
            return Err(Error::closed());
        }
        self.cache.get_or_try_init(|| self.open(env)).cloned()
    }

    fn open(&self, env: &Env) -> Result<Arc<Cache>, Error> {
        let (settings, sink) = options::resolved(env, &self.given)?;
        let cache = wiring::wire(settings, self.given.legacy.clone(), sink)?;
        // `debug` and `stats` may open one that is closed.
        if self.closed.get() {
            cache.close();
        }
        Ok(cache)
    }

    pub fn fetch_prompt<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, JsString<'env>>> {
        self.fetch::<Prompt>(env, &self.prompt)
    }

    pub fn fetch_config<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, Object<'env>>> {
        self.fetch::<Config>(env, &self.config)
    }

    /// The promise that is held where the near cache says so, else one of what the cache gives.
    fn fetch<'env, F: Form>(
        &self,
        env: &'env Env,
        promises: &Promises,
    ) -> napi::Result<PromiseRaw<'env, F::Value<'env>>> {
        if let Some(cache) = self.cache.get()
            && !self.closed.get()
            && let Some(value) = cache.at_hand(promises.hit.number(), renew)
        {
            return match value {
                AtHand::Known => promises.hit.get(env),
                AtHand::Other(held) => hold::<F>(env, promises, *held),
            };
        }
        ask::<F>(env, &promises.flight, self.cache(env))
    }

    pub fn invalidate<'env>(
        &self,
        env: &'env Env,
        options: Unknown,
    ) -> napi::Result<PromiseRaw<'env, answers::InvalidationReceipt>> {
        let wait = options::read_wait(env, options).map_err(|refusal| refusal.into_js(env))?;
        // Called here, not in the future: the epoch ends before the promise is handed out.
        let invalidation = self.cache(env).map(|cache| (cache.invalidate(), cache));
        let proven = async move {
            let (invalidation, cache) = invalidation?;
            let receipt = invalidation.await?;
            let proof = match wait {
                Wait::Commit => None,
                Wait::All { patience } => {
                    Some(cache.engine().prove_everywhere(&receipt, patience).await)
                }
            };
            Ok((receipt, proof))
        };
        promise(env, proven, |_, (receipt, proof)| {
            Ok(answers::receipt(receipt, proof))
        })
    }

    pub fn debug<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Object<'env>>> {
        // A closed cache is opened again for this one look: debug never rejects.
        let cache = self.cache.get_or_try_init(|| self.open(env)).cloned();
        let examined = async move {
            let cache = cache?;
            let examination = cache.examine().await;
            Ok((cache, examination))
        };
        promise(env, examined, |env, (cache, examination)| {
            answers::debug(env, &cache, examination)
        })
    }

    pub fn stats<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let cache = self.opened(env)?;
        answers::stats(env, &cache)
    }

    pub fn metrics(&self, env: &Env) -> napi::Result<String> {
        Ok(self.opened(env)?.metrics())
    }

    fn opened(&self, env: &Env) -> napi::Result<Arc<Cache>> {
        let cache = self.cache.get_or_try_init(|| self.open(env));
        cache.cloned().map_err(|error| to_js(env, error))
    }

    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        self.closed.set(true);
        let cache = self.cache.get().cloned();
        if let Some(cache) = &cache {
            cache.close();
        }
        self.release(env)?;
        let left = async move {
            if let Some(cache) = cache {
                cache.leave().await;
            }
            Ok(())
        };
        promise(env, left, |_, ()| Ok(()))
    }

    /// Lets go of what it holds in JavaScript.
    pub fn release(&self, env: &Env) -> napi::Result<()> {
        self.prompt.release(env)?;
        self.config.release(env)
    }
}

// What few reads do is kept out of line: the room that it takes on the stack would cost every hit.

#[inline(never)]
fn renew(cache: &Arc<Cache>) {
    within_runtime_if_available(|| cache.renew());
}

#[inline(never)]
fn hold<'env, F: Form>(
    env: &'env Env,
    promises: &Promises,
    value: Held,
) -> napi::Result<PromiseRaw<'env, F::Value<'env>>> {
    let number = value.number;
    let value = F::of(env, &Answer::of(value, Tier::Memory))?;
    let promise = PromiseRaw::resolve(env, value)?;
    promises.hit.replace(env, number, &promise)?;
    // Who hits needs it no more.
    promises.flight.release(env)?;
    Ok(promise)
}

#[inline(never)]
fn ask<'env, F: Form>(
    env: &'env Env,
    held: &HeldPromise,
    cache: Result<Arc<Cache>, Error>,
) -> napi::Result<PromiseRaw<'env, F::Value<'env>>> {
    let cache = match cache {
        Ok(cache) => cache,
        Err(error) => return PromiseRaw::reject(env, to_js(env, error)),
    };
    let Asking { flight, answer } = within_runtime_if_available(|| cache.ask());
    if flight == held.number() {
        return held.get(env);
    }
    let answer = async move { Ok(answer.await) };
    let promise = promise(env, answer, |env, answer| F::of(env, &answer))?;
    held.replace(env, flight, &promise)?;
    Ok(promise)
}
