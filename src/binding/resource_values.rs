//! What JavaScript receives of a resource.

use crate::core::answer::{Answer, Tier};
use crate::core::collection::values::Kind;
use napi::Env;
use napi::Unknown;
use napi::bindgen_prelude::{FnArgs, Function, JsObjectValue, JsValue, Null, Object, ToNapiValue};

/// JSON is shared by all who read it, so it is frozen; bytes cannot be, so each reader has his own.
const DECODE: &str = "(kind, text) => {
  const isObject = (value) => typeof value === 'object' && value !== null
  // Without recursion: it may be deeper than the stack.
  const freeze = (value) => {
    for (const found = [value].filter(isObject); found.length > 0; ) {
      const object = Object.freeze(found.pop())
      for (const inner of Object.values(object)) if (isObject(inner)) found.push(inner)
    }
    return value
  }
  return kind === 'bytes' ? Buffer.from(text, 'base64') : freeze(JSON.parse(text))
}";

/// The value in an answer.
pub fn value_of<'env>(env: &'env Env, answer: &Answer) -> napi::Result<Unknown<'env>> {
    let content = &*answer.entry.content;
    let decode = |kind: &str| {
        let decode: Function<FnArgs<(String, String)>, Unknown> = env.run_script(DECODE)?;
        decode.call((kind.to_owned(), content.to_owned()).into())
    };
    match Kind::of(&answer.entry) {
        Some(Kind::Text) => Ok(env.create_string(content)?.to_unknown()),
        Some(Kind::Json) => decode("json"),
        Some(Kind::Bytes) => decode("bytes"),
        Some(Kind::Nothing) | None => Null.into_unknown(env),
    }
}

/// Whether readers may share what was made of an answer: not bytes, nor what may be.
pub fn is_shared(answer: &Answer) -> bool {
    answer.tier != Tier::Fallback && Kind::of(&answer.entry) != Some(Kind::Bytes)
}

/// What a read gives: the value, or the value with what is known about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Value,
    Entry,
}

impl Form {
    pub fn of<'env>(
        self,
        env: &'env Env,
        answer: &Answer,
        value: Unknown<'env>,
    ) -> napi::Result<Unknown<'env>> {
        if self == Form::Value {
            return Ok(value);
        }
        let source = if answer.tier == Tier::Fallback {
            "fallback"
        } else {
            &answer.entry.source
        };
        let mut entry = Object::new(env)?;
        entry.set("value", value)?;
        entry.set("tier", answer.tier.as_str())?;
        entry.set("source", source)?;
        entry.set("fetchedAt", answer.entry.loaded_at_ms as f64)?;
        let generation = answer.generation.as_ref();
        match generation {
            Some(generation) => entry.set("generation", generation.as_str())?,
            None => entry.set("generation", Null)?,
        }
        entry.freeze()?;
        Ok(entry.to_unknown())
    }
}
