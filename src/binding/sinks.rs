//! Where log lines go in JavaScript: the console, or the user's `onLog`.

use crate::core::log::{Level, LogSink};
use napi::bindgen_prelude::{FnArgs, Function, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};

type Line = FnArgs<(String, String)>;
/// Weak: a logger does not keep the process alive.
type Queue = ThreadsafeFunction<Line, Unknown<'static>, Line, Status, false, true>;

/// Looks the console up at each line, so that one that was replaced after the import is used. A line that cannot be
/// written (a closed pipe) must not take the server down.
const CONSOLE: &str = "(level, message) => { try { console[level](message) } catch {} }";
/// What the user's function throws, or rejects with, is its own affair and does not reach the server.
const GUARD: &str =
    "(onLog) => async (level, message) => { try { await onLog({ level, message }) } catch {} }";

pub struct JsSink(Queue);

impl JsSink {
    pub fn console(env: &Env) -> napi::Result<Self> {
        let write: Function<Line, Unknown<'static>> = env.run_script(CONSOLE)?;
        Self::queue(write)
    }

    pub fn guarded(env: &Env, on_log: Unknown) -> napi::Result<Self> {
        let guard: Function<Unknown, Function<Line, Unknown<'static>>> = env.run_script(GUARD)?;
        Self::queue(guard.call(on_log)?)
    }

    fn queue(write: Function<Line, Unknown<'static>>) -> napi::Result<Self> {
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
