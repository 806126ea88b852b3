//! The functions that a hit goes through, as closures in front of the generated ones.
//!
//! Of what a hit costs, the glue is the larger part: generated around a function that takes `Env` it costs three times the
//! hit itself, and around a method seven times, for finding and checking the object. A closure knows its instance. For the
//! class, a subclass in JavaScript keeps the closures of each object (`system_prompt_cache.js`).

use crate::binding::instance::{DefaultInstance, Instance};
use crate::binding::system_prompt_cache::SystemPromptCache;
use napi::bindgen_prelude::{
    ClassInstance, FnArgs, Function, JsObjectValue, JsValue, Object, PromiseRaw,
};
use napi::{Env, sys};
use napi_derive::napi;

const CLASS: &str = include_str!("system_prompt_cache.js");

/// Settles with whatever the instance makes of it.
type Reader<'env> = Function<'env, (), PromiseRaw<'static, ()>>;

/// Runs when an environment (the main thread, a worker) loads the addon.
#[napi(module_exports)]
pub fn put_readers_in_front(mut exports: Object, env: Env) -> napi::Result<()> {
    let env = &env;
    let default = DefaultInstance::set_up(env)?;
    let name = "fetchActiveSystemPrompt";
    let prompt = {
        let default = default.clone();
        move |env: &Env| Ok(default.get().fetch_prompt(env)?.raw())
    };
    exports.set(name, reader(env, name, prompt)?)?;
    let name = "fetchActiveSystemPromptConfig";
    let config = move |env: &Env| Ok(default.get().fetch_config(env)?.raw());
    exports.set(name, reader(env, name, config)?)?;

    let name = "SystemPromptCache";
    let native: Function = exports.get_named_property(name)?;
    let readers_of =
        env.create_function_from_closure("readersOf", |call| -> napi::Result<Object<'static>> {
            let cache: ClassInstance<SystemPromptCache> = call.first_arg()?;
            let readers = readers_of(call.env, &cache.instance())?;
            Ok(Object::from_raw(call.env.raw(), readers.raw()))
        })?;
    let class: Function<FnArgs<(Function, Function<(), Object<'static>>)>, Function> =
        env.run_script(CLASS)?;
    exports.set(name, class.call((native, readers_of).into())?)
}

/// The functions of one object of the class.
fn readers_of<'env>(
    env: &'env Env,
    instance: &std::rc::Rc<Instance>,
) -> napi::Result<Object<'env>> {
    let mut readers = Object::new(env)?;
    let own = instance.clone();
    let prompt = move |env: &Env| Ok(own.fetch_prompt(env)?.raw());
    readers.set("prompt", reader(env, "fetchActiveSystemPrompt", prompt)?)?;
    let own = instance.clone();
    let config = move |env: &Env| Ok(own.fetch_config(env)?.raw());
    readers.set(
        "config",
        reader(env, "fetchActiveSystemPromptConfig", config)?,
    )?;
    Ok(readers)
}

fn reader<'env>(
    env: &'env Env,
    name: &str,
    read: impl Fn(&Env) -> napi::Result<sys::napi_value> + 'static,
) -> napi::Result<Reader<'env>> {
    env.create_function_from_closure(name, move |call| {
        Ok(PromiseRaw::new(call.env.raw(), read(call.env)?))
    })
}
