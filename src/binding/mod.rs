//! The N-API surface: functions, class, options, answers, errors. Converts and checks shapes, and hands over to the core:
//! no I/O, no clock, no decision about caching.

mod answers;
mod errors;
mod functions;
mod held;
mod instance;
mod json_values;
mod legacy;
mod loader;
mod options;
mod readers;
mod rehearsals;
mod resource_values;
mod shared_cache;
mod sinks;
mod system_prompt_cache;
