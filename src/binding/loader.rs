//! A resource's `load` function as a loader of the core.

use crate::core::collection::values::{Kind, Loaded, Loader};
use crate::core::error::Fault;
use crate::core::http::Deadline;
use async_trait::async_trait;
use napi::Status;
use napi::bindgen_prelude::{FnArgs, Function, Promise};
use napi::threadsafe_function::ThreadsafeFunction;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

type Arguments = FnArgs<(String, f64)>;
/// Weak: a function that waits to be asked does not keep the process alive.
type Load = ThreadsafeFunction<Arguments, Promise<String>, Arguments, Status, false, true>;

/// The function is given an id and how many milliseconds it has, and gives a promise that is never rejected: of one letter that
/// says what it is, and its text (`lib/loader.cjs`).
pub struct JsLoader(Load);

impl JsLoader {
    pub fn new(load: Function<Arguments, Promise<String>>) -> napi::Result<Self> {
        load.build_threadsafe_function::<Arguments>()
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

fn read(loaded: String) -> Result<Loaded, Fault> {
    let unknown = Fault::Malformed {
        expected: "a value of a loader",
    };
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
        _ => return Err(unknown),
    };
    let mut content = loaded;
    content.remove(0);
    Ok(Loaded { kind, content })
}
