//! One cache as JavaScript holds it: checked options at once, everything else at the first use. The class and the default
//! instance of an environment are both one of these.

use crate::binding::answers;
use crate::binding::errors::{promise, to_js};
use crate::binding::options::{self, Given, Refusal};
use crate::binding::sinks::JsSink;
use crate::core::answer::Answer;
use crate::core::cache::Cache;
use crate::core::error::{Error, ErrorCode};
use crate::core::log::LogSink;
use crate::core::wiring;
use napi::bindgen_prelude::{JsObjectValue, Object, PromiseRaw, within_runtime_if_available};
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
}

/// What belongs to one environment (the main thread, or a worker); freed with it.
struct PerEnvironment {
    default_instance: RefCell<Rc<Instance>>,
}

impl Instance {
    pub fn new(env: &Env, options: Unknown) -> napi::Result<Self> {
        match options::read(env, options) {
            Ok(given) => Ok(Self::of(given)),
            Err(Refusal::Mistake(error)) => Err(to_js(env, error)),
            Err(Refusal::Napi(error)) => Err(error),
        }
    }

    fn of(given: Given) -> Self {
        Instance {
            given,
            cache: OnceCell::new(),
            closed: Cell::new(false),
        }
    }

    /// The default instance of this environment, from the environment variables alone unless `configure` was called.
    pub fn default_of(env: &Env) -> napi::Result<Rc<Self>> {
        if let Some(data) = env.get_instance_data::<PerEnvironment>()? {
            return Ok(data.default_instance.borrow().clone());
        }
        let instance = Rc::new(Self::of(Given::default()));
        Self::set_default(env, instance.clone())?;
        Ok(instance)
    }

    pub fn set_default(env: &Env, instance: Rc<Self>) -> napi::Result<()> {
        match env.get_instance_data::<PerEnvironment>()? {
            Some(data) => {
                data.default_instance.replace(instance);
                Ok(())
            }
            None => {
                let default_instance = RefCell::new(instance);
                env.set_instance_data(PerEnvironment { default_instance }, (), |_| ())
            }
        }
    }

    pub fn cache(&self, env: &Env) -> Result<Arc<Cache>, Error> {
        if self.closed.get() {
            return Err(Error::closed());
        }
        self.cache.get_or_try_init(|| self.open(env)).cloned()
    }

    fn open(&self, env: &Env) -> Result<Arc<Cache>, Error> {
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
        let settings = self
            .given
            .options
            .resolve(|name| variables.get::<String>(name).ok().flatten())?;
        let sink: Arc<dyn LogSink> = match &self.given.on_log {
            Some(sink) => sink.clone(),
            None => Arc::new(JsSink::console(env).map_err(unusable)?),
        };
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
        let cache = self.cache(env);
        if let Some(answer) = at_hand(&cache) {
            return PromiseRaw::resolve(env, env.create_string(&*answer.entry.content)?);
        }
        promise(env, async move { Ok(cache?.ask().await) }, |env, answer| {
            env.create_string(&*answer.entry.content)
        })
    }

    pub fn fetch_config<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, answers::SystemPromptConfig>> {
        let cache = self.cache(env);
        if let Some(answer) = at_hand(&cache) {
            return PromiseRaw::resolve(env, answers::config(&answer));
        }
        promise(env, async move { Ok(cache?.ask().await) }, |_, answer| {
            Ok(answers::config(&answer))
        })
    }

    pub fn invalidate<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, answers::InvalidationReceipt>> {
        // Called here, not in the future: the epoch ends before the promise is handed out.
        let invalidation = self.cache(env).map(|cache| cache.invalidate());
        promise(env, async move { invalidation?.await }, |_, receipt| {
            Ok(answers::receipt(receipt))
        })
    }

    pub fn debug<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, answers::SystemPromptDebug>> {
        // A closed cache is opened again for this one look: debug never rejects.
        let cache = self.cache.get_or_try_init(|| self.open(env)).cloned();
        let examined = async move {
            let cache = cache?;
            let (answer, probe) = cache.examine().await;
            Ok((cache, answer, probe))
        };
        promise(env, examined, |env, (cache, answer, probe)| {
            answers::debug(env, &cache, &answer, probe)
        })
    }

    pub fn stats(&self, env: &Env) -> napi::Result<answers::CacheStats> {
        let cache = self.cache.get_or_try_init(|| self.open(env));
        cache
            .map(|cache| answers::stats(cache))
            .map_err(|error| to_js(env, error))
    }

    pub fn close(&self) {
        self.closed.set(true);
        if let Some(cache) = self.cache.get() {
            cache.close();
        }
    }
}

/// The near cache's answer, on this thread; the renewal that it may begin runs on the others.
fn at_hand(cache: &Result<Arc<Cache>, Error>) -> Option<Answer> {
    let cache = cache.as_ref().ok()?;
    within_runtime_if_available(|| cache.at_hand())
}
