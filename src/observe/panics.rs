//! Panics: mistakes in this package. They end the call that met them and nothing else, and print nothing, as the process and
//! its output are the user's; where the last one was is kept for the log and for the error of the call.

use std::sync::{Mutex, PoisonError};

/// Never held while anything else runs.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Notes panics in place of printing them. For the addon, whose panics are its own: it shares no std with the process.
pub fn note() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| short(at.file(), at.line()));
        // The message is left out: it may hold anything.
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
}

/// Where the last one was: `core/near.rs:120`.
pub fn place() -> String {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.clone().unwrap_or_else(|| "an unknown place".into())
}

/// Without the folders of the machine that it was built on.
fn short(file: &str, line: u32) -> String {
    let parts: Vec<&str> = file.rsplit(['/', '\\']).take(2).collect();
    let file = parts.into_iter().rev().collect::<Vec<_>>().join("/");
    format!("{file}:{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_folders_of_a_machine() {
        assert_eq!(
            short("/home/somebody/x/src/core/near.rs", 7),
            "core/near.rs:7"
        );
        assert_eq!(short("lib.rs", 1), "lib.rs:1");
    }
}
