//! The N-API surface: what the package's JavaScript (`lib/`) calls. Converts and hands over: no policy, and no word that a
//! user reads. Values, errors and promises for users are made in JavaScript, of the realm that imported the package.

mod answers;
mod cache;
mod callbacks;
mod promise;
mod test_hooks;

use crate::error::Error;
use crate::observe::panics;
use crate::resource::{assemble, section_names};
use napi::bindgen_prelude::{Either3, JsValue, Null, Object};
use napi::{Env, Unknown, ValueType};
use napi_derive::napi;
use serde_json::{Map, Value};

/// Runs when an environment (the main thread, a worker) loads the addon.
#[napi(module_exports)]
pub fn prepare(_: Object, _: Env) -> napi::Result<()> {
    panics::note();
    Ok(())
}

/// The prompt of a payload's sections. Throws an error whose message is for the user.
#[napi(catch_unwind)]
pub fn assemble_prompt_content(env: &Env, payload: Unknown) -> napi::Result<String> {
    let refuse = |problem: &str| {
        let message = format!("could not assemble the prompt: {problem}");
        promise::thrown(&Error::argument_invalid(message))
    };
    if payload.get_type()? != ValueType::Object || payload.is_array()? {
        return Err(refuse("payload is not an object"));
    }
    let payload = Object::from_raw(env.raw(), payload.raw());
    let mut sections = Map::new();
    for name in section_names() {
        match payload.get::<Either3<String, Null, Unknown>>(name)? {
            Some(Either3::A(text)) => drop(sections.insert(name.to_owned(), Value::String(text))),
            None | Some(Either3::B(Null)) => {}
            Some(Either3::C(_)) => return Err(refuse(&format!("section {name} is not a string"))),
        }
    }
    assemble(&sections).map_err(|problem| refuse(&problem))
}
