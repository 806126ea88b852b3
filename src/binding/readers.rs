//! The functions that a hit goes through, as closures in front of the generated ones.
//!
//! Of what a hit costs, the glue is the larger part: generated around a function that takes `Env` it costs three times the
//! hit itself, and around a method seven times, for finding and checking the object. A closure knows its instance. For the
//! class, a subclass in JavaScript keeps the closures of each object (`system_prompt_cache.js`).

use crate::binding::instance::{DefaultInstance, Instance};
use crate::binding::system_prompt_cache::SystemPromptCache;
use crate::core::panics;
use napi::bindgen_prelude::{
    ClassInstance, FnArgs, Function, JsObjectValue, JsValue, Object, PromiseRaw,
};
use napi::{Env, sys};
use napi_derive::napi;
use std::rc::Rc;

const PROMPT: &str = "fetchActiveSystemPrompt";
const CONFIG: &str = "fetchActiveSystemPromptConfig";
const CLASS: &str = "SystemPromptCache";
const SUBCLASS: &str = concat!("(", include_str!("system_prompt_cache.js"), "\n)");

/// The class as it is generated, and the function that gives the readers of one of its objects.
type SubclassParts<'env> = FnArgs<(Function<'env>, Function<'env, (), Object<'static>>)>;

/// Runs when an environment (the main thread, a worker) loads the addon.
#[napi(module_exports)]
pub fn put_readers_in_front(mut exports: Object, env: Env) -> napi::Result<()> {
    panics::note();
    let default = DefaultInstance::set_up(&env)?;
    add_readers(&env, &mut exports, move || default.get())?;

    let native: Function = exports.get_named_property(CLASS)?;
    let readers_of = env.create_function_from_closure("readersOf", |call| {
        let cache: ClassInstance<SystemPromptCache> = call.first_arg()?;
        let instance = cache.instance();
        let mut readers = Object::new(call.env)?;
        add_readers(call.env, &mut readers, move || instance.clone())?;
        Ok(Object::from_raw(call.env.raw(), readers.raw()))
    })?;
    let subclass: Function<SubclassParts, Function> = env.run_script(SUBCLASS)?;
    exports.set(CLASS, subclass.call((native, readers_of).into())?)
}

/// Adds the readers of what `instance` gives.
fn add_readers(
    env: &Env,
    object: &mut Object,
    instance: impl Fn() -> Rc<Instance> + Clone + 'static,
) -> napi::Result<()> {
    let of_prompt = instance.clone();
    let prompt = move |env: &Env| Ok(of_prompt().fetch_prompt(env)?.raw());
    let config = move |env: &Env| Ok(instance().fetch_config(env)?.raw());
    object.set(PROMPT, reader(env, PROMPT, prompt)?)?;
    object.set(CONFIG, reader(env, CONFIG, config)?)
}

/// A function that gives the promise that `read` does.
fn reader<'env>(
    env: &'env Env,
    name: &str,
    read: impl Fn(&Env) -> napi::Result<sys::napi_value> + 'static,
) -> napi::Result<Function<'env, (), PromiseRaw<'static, ()>>> {
    env.create_function_from_closure(name, move |call| {
        Ok(PromiseRaw::new(call.env.raw(), read(call.env)?))
    })
}
