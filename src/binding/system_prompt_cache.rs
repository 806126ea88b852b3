//! The class, for explicit instances: tests, tenants, several prompts in one process.

use crate::binding::answers::InvalidationReceipt;
use crate::binding::instance::Instance;
use napi::bindgen_prelude::{Object, ObjectFinalize, PromiseRaw};
use napi::{Env, JsString, Unknown};
use napi_derive::napi;
use std::rc::Rc;

/// A cache of its own, independent of the default instance. The methods are those of the package's functions.
#[napi(custom_finalize)]
pub struct SystemPromptCache {
    instance: Rc<Instance>,
}

impl SystemPromptCache {
    pub fn instance(&self) -> Rc<Instance> {
        self.instance.clone()
    }
}

impl ObjectFinalize for SystemPromptCache {
    fn finalize(self, env: Env) -> napi::Result<()> {
        self.instance.release(&env)
    }
}

#[napi]
impl SystemPromptCache {
    /// Connects to nothing; the first read does. Throws `CONFIG_INVALID` if an option is wrong.
    #[napi(catch_unwind, constructor, ts_args_type = "options?: CacheOptions")]
    pub fn new(env: &Env, options: Unknown) -> napi::Result<Self> {
        let instance = Rc::new(Instance::new(env, options)?);
        Ok(SystemPromptCache { instance })
    }

    /// As `fetchActiveSystemPrompt()`.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn fetch_active_system_prompt<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, JsString<'env>>> {
        self.instance.fetch_prompt(env)
    }

    /// As `fetchActiveSystemPromptConfig()`.
    #[napi(catch_unwind, ts_return_type = "Promise<Readonly<SystemPromptConfig>>")]
    pub fn fetch_active_system_prompt_config<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, Object<'env>>> {
        self.instance.fetch_config(env)
    }

    /// As `invalidateSystemPrompt()`.
    #[napi(catch_unwind, ts_args_type = "options?: InvalidateOptions")]
    pub fn invalidate_system_prompt<'env>(
        &self,
        env: &'env Env,
        options: Unknown,
    ) -> napi::Result<PromiseRaw<'env, InvalidationReceipt>> {
        self.instance.invalidate(env, options)
    }

    /// As `debugSystemPrompt()`.
    #[napi(catch_unwind, ts_return_type = "Promise<SystemPromptDebug>")]
    pub fn debug_system_prompt<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, Object<'env>>> {
        self.instance.debug(env)
    }

    /// As `stats()`.
    #[napi(catch_unwind, ts_return_type = "CacheStats")]
    pub fn stats<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.instance.stats(env)
    }

    /// As `metrics()`.
    #[napi(catch_unwind)]
    pub fn metrics(&self, env: &Env) -> napi::Result<String> {
        self.instance.metrics(env)
    }

    /// As `close()`; only a new instance comes after it.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        self.instance.close(env)
    }
}
