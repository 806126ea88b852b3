//! Everything that can go wrong, in two layers.
//!
//! A [`Fault`] is what one request to the store or the source ran into. It is counted, logged on a change of state and
//! answered by the next tier; a caller of `fetch` never sees one. An [`Error`] is what a caller does see: a mistake in
//! the options, an invalidation that did not reach the store, a closed cache.
//!
//! Neither ever holds text that came from outside (a URL, a token, an answer's body), so neither can leak one.

use crate::observe::panics;
use std::fmt;

/// What one request to the store or the source ran into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The deadline passed before the whole answer was there.
    Timeout { after_ms: u64 },
    /// No connection: refused, no such host, TLS not accepted.
    Unreachable,
    /// The connection broke before the whole answer was there.
    Interrupted,
    /// 401 or 403.
    Unauthorized { status: u16 },
    /// 429, or the store's own words for a used-up plan.
    QuotaExceeded,
    /// A redirect. Following one would hand the token to another host.
    Redirected { status: u16 },
    /// Any other status that is not the one asked for.
    Status { status: u16 },
    /// The store answered a command with an error; `code` is its first word (`ERR`, `WRONGTYPE`).
    Rejected { code: String },
    /// The answer is larger than the cap.
    TooLarge { cap_bytes: usize },
    /// The answer is not what the protocol says; `expected` names what would have been right.
    Malformed { expected: &'static str },
    /// It was not asked: the circuit breaker is open because of this.
    Suspended { because: Box<Fault> },
    /// A file could not be read.
    Unreadable { kind: std::io::ErrorKind },
    /// The user's own function failed: with this `code` or name, and these words for its caller alone.
    LoadFailed { word: String, message: String },
}

impl Fault {
    /// What an HTTP status that is not the one asked for stands for.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Fault::Unauthorized { status },
            429 => Fault::QuotaExceeded,
            status => Fault::Status { status },
        }
    }

    /// One word for counters, debug answers and dashboards.
    pub fn class(&self) -> &'static str {
        match self {
            Fault::Timeout { .. } => "timeout",
            Fault::Unreachable => "unreachable",
            Fault::Interrupted => "interrupted",
            Fault::Unauthorized { .. } => "unauthorized",
            Fault::QuotaExceeded => "quota",
            Fault::Redirected { .. } => "redirected",
            Fault::Status { .. } => "status",
            Fault::Rejected { .. } => "rejected",
            Fault::TooLarge { .. } => "too-large",
            Fault::Malformed { .. } => "malformed",
            Fault::Suspended { because } => because.class(),
            Fault::Unreadable { .. } => "unreadable",
            Fault::LoadFailed { .. } => "load-failed",
        }
    }

    /// What it was when the store was last asked.
    fn asked(&self) -> &Fault {
        match self {
            Fault::Suspended { because } => because,
            fault => fault,
        }
    }

    /// Whether it may pass by itself.
    pub fn passes(&self) -> bool {
        !matches!(
            self.asked(),
            Fault::Unauthorized { .. }
                | Fault::QuotaExceeded
                | Fault::Redirected { .. }
                | Fault::Rejected { .. }
        )
    }

    /// What somebody should do about the store.
    fn advice(&self) -> &'static str {
        match self.asked() {
            Fault::Unauthorized { .. } => "check UPSTASH_REDIS_REST_TOKEN",
            Fault::QuotaExceeded => "check the plan of the database",
            Fault::Redirected { .. } => "check UPSTASH_REDIS_REST_URL",
            Fault::Rejected { .. } => "check what the token may do and what the key holds",
            _ => "try again when Redis answers",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Timeout { after_ms } => write!(f, "no answer within {after_ms} ms"),
            Fault::Unreachable => write!(f, "no connection"),
            Fault::Interrupted => write!(f, "the connection broke off"),
            Fault::Unauthorized { status } => write!(f, "not authorised, status {status}"),
            Fault::QuotaExceeded => write!(f, "a limit of the plan is used up"),
            Fault::Redirected { status } => {
                write!(f, "refused to follow a redirect, status {status}")
            }
            Fault::Status { status } => write!(f, "status {status}"),
            Fault::Rejected { code } => write!(f, "the command was rejected with {code}"),
            Fault::TooLarge { cap_bytes } => {
                write!(f, "the answer is larger than {cap_bytes} bytes")
            }
            Fault::Malformed { expected } => write!(f, "what came is not {expected}"),
            Fault::Suspended { because } => {
                write!(f, "not asked, because a moment ago: {because}")
            }
            Fault::Unreadable { kind } => write!(f, "the file cannot be read: {kind}"),
            Fault::LoadFailed { word, .. } => write!(f, "load failed with {word}"),
        }
    }
}

/// The word of a loader that was not configured: the code of an option that is wrong.
pub const CONFIG_INVALID: &str = "CONFIG_INVALID";

/// The codes that a JavaScript caller meets as `error.code`, but for `CLOSED`, which `lib/core.cjs` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// An option has a value it cannot have.
    ConfigInvalid,
    /// An argument of a call has a value it cannot have.
    ArgumentInvalid,
    /// The shared store did not take the command.
    StoreUnavailable,
    /// There is no value to be had: neither the store nor the resource's loader gave one, and no fallback was given.
    LoadFailed,
    /// A mistake in this package.
    Internal,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::ConfigInvalid => "CONFIG_INVALID",
            ErrorCode::ArgumentInvalid => "ARGUMENT_INVALID",
            ErrorCode::StoreUnavailable => "STORE_UNAVAILABLE",
            ErrorCode::LoadFailed => "LOAD_FAILED",
            ErrorCode::Internal => "INTERNAL",
        }
    }
}

/// What a caller sees. The message says what was tried and what to do next.
#[derive(Clone, Debug)]
pub struct Error {
    pub code: ErrorCode,
    pub message: String,
    /// The fault behind it; becomes `error.cause`.
    pub fault: Option<Fault>,
}

impl Error {
    pub fn argument_invalid(message: impl Into<String>) -> Self {
        Error {
            code: ErrorCode::ArgumentInvalid,
            message: message.into(),
            fault: None,
        }
    }

    /// Whether the same call may succeed later without a change to the program, its options or the store.
    pub fn retryable(&self) -> bool {
        match &self.fault {
            // What a loader asked for is wrong, or not there.
            Some(Fault::Status { status: 400..=499 }) if self.code == ErrorCode::LoadFailed => {
                false
            }
            Some(Fault::LoadFailed { word, .. }) => word != CONFIG_INVALID,
            fault => fault.as_ref().is_some_and(Fault::passes),
        }
    }

    /// `tried` continues "could not": "invalidate the shared cache".
    pub fn store_unavailable(tried: &str, fault: Fault) -> Self {
        Error {
            code: ErrorCode::StoreUnavailable,
            message: format!("could not {tried}: {fault}; {}", fault.advice()),
            fault: Some(fault),
        }
    }

    /// A resource has no value for an id: its loader failed with this, or gave none in time.
    pub fn load_failed(resource: &str, fault: Option<Fault>) -> Self {
        let why = fault
            .as_ref()
            .map_or_else(String::new, |fault| format!(": {fault}"));
        Error {
            code: ErrorCode::LoadFailed,
            message: format!(
                "could not load a value of {resource}{why}; no earlier one is known, and no fallback stands in"
            ),
            fault,
        }
    }

    /// A call panicked.
    pub fn internal() -> Self {
        Error {
            code: ErrorCode::Internal,
            message: format!(
                "the call met a mistake in grove-shared-cache, at {}; please report it",
                panics::place()
            ),
            fault: None,
        }
    }

}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
