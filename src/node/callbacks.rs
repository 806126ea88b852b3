//! Functions of JavaScript that the cache calls from its own threads: loaders, the legacy source, the log. All are weak: one that
//! waits to be called does not keep the process alive. `lib/` wraps the user's, so that none of them ever throws.

use crate::error::Fault;
use crate::http::Deadline;
use crate::observe::log::{Level, LogSink};
use crate::resource::{Kind, Loaded, Loader};
use crate::source::LegacySource;
use async_trait::async_trait;
use napi::Status;
use napi::bindgen_prelude::{FnArgs, Function, Promise, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

type IdAndTime = FnArgs<(String, f64)>;
/// Given an id and how many milliseconds it has. The promise, never rejected, is of one letter that says what it is, and its
/// text (`lib/encoding.cjs`).
pub struct JsLoader(ThreadsafeFunction<IdAndTime, Promise<String>, IdAndTime, Status, false, true>);

impl JsLoader {
    pub fn new(load: Function<IdAndTime, Promise<String>>) -> napi::Result<Self> {
        load.build_threadsafe_function::<IdAndTime>()
            .callee_handled::<false>()
            .weak::<true>()
            .build()
            .map(JsLoader)
    }
}

#[async_trait]
impl Loader for JsLoader {
    fn name(&self) -> &'static str {
        "load"
    }

    async fn load(&self, id: &str, deadline: Deadline) -> Result<Loaded, Fault> {
        let left = deadline.at().saturating_duration_since(Instant::now());
        let arguments = (id.to_owned(), left.as_millis() as f64).into();
        // The environment is going down, or the event loop is.
        let failed = |_| Fault::Interrupted;
        let loading = async {
            let promise = self.0.call_async_catch(arguments).await.map_err(failed)?;
            promise.await.map_err(failed)
        };
        match timeout_at(deadline.at(), loading).await {
            Ok(loaded) => read(loaded?),
            Err(_) => Err(deadline.fault()),
        }
    }
}

fn read(mut loaded: String) -> Result<Loaded, Fault> {
    let kind = match loaded.bytes().next() {
        Some(b's') => Kind::Text,
        Some(b'j') => Kind::Json,
        Some(b'b') => Kind::Bytes,
        Some(b'n') => return Ok(Loaded::NOTHING),
        Some(b'e') => {
            let error: Value = serde_json::from_str(&loaded[1..]).unwrap_or_default();
            let text = |name: &str| error[name].as_str().unwrap_or("an error").to_owned();
            return Err(Fault::LoadFailed {
                word: text("word"),
                message: text("message"),
            });
        }
        _ => {
            return Err(Fault::Malformed {
                expected: "a value of a loader",
            });
        }
    };
    loaded.remove(0);
    Ok(Loaded {
        kind,
        content: loaded,
    })
}

/// The promise is of JSON: `[value]`, or `[null, word]` where the user's function failed (`lib/legacy-source.cjs`).
pub struct JsLegacySource(ThreadsafeFunction<(), Promise<String>, (), Status, false, true>);

impl JsLegacySource {
    pub fn new(load: Function<(), Promise<String>>) -> napi::Result<Self> {
        load.build_threadsafe_function::<()>()
            .callee_handled::<false>()
            .weak::<true>()
            .build()
            .map(JsLegacySource)
    }
}

#[async_trait]
impl LegacySource for JsLegacySource {
    async fn load(&self) -> Result<Value, String> {
        // The environment is going down, or JSON of the value would not end.
        let failed = |_| "it could not be called".to_owned();
        let promise = self.0.call_async_catch(()).await.map_err(failed)?;
        let json = promise.await.map_err(failed)?;
        let outcome: Vec<Value> = serde_json::from_str(&json)
            .map_err(|_| "it gave a value that is no JSON".to_owned())?;
        match outcome.as_slice() {
            [_, Value::String(word)] => Err(format!("it failed with {word}")),
            _ => Ok(outcome.into_iter().next().unwrap_or_default()),
        }
    }
}

type Line = FnArgs<(String, String)>;

/// Given the level and the text of each line.
pub struct JsSink(ThreadsafeFunction<Line, Unknown<'static>, Line, Status, false, true>);

impl JsSink {
    pub fn new(write: Function<Line, Unknown<'static>>) -> napi::Result<Self> {
        write
            .build_threadsafe_function::<Line>()
            .callee_handled::<false>()
            .weak::<true>()
            .build()
            .map(JsSink)
    }
}

impl LogSink for JsSink {
    fn write(&self, level: Level, message: &str) {
        let line = (level.as_str().to_owned(), message.to_owned()).into();
        // Refused only while the environment goes down: then nobody reads the log.
        self.0.call(line, ThreadsafeFunctionCallMode::NonBlocking);
    }
}
