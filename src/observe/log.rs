//! What happened, as values. The words for people are the resource's (a [`Formatter`]); where the lines go is
//! the sink's business (the console, or the user's `onLog`).

use crate::error::Fault;
use crate::protocol::MissReason;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// The least level that is written; `None` writes nothing.
pub type Threshold = Option<Level>;

/// The values of the option `logLevel`.
pub const THRESHOLDS: [(&str, Threshold); 5] = [
    ("debug", Some(Level::Debug)),
    ("info", Some(Level::Info)),
    ("warn", Some(Level::Warn)),
    ("error", Some(Level::Error)),
    ("silent", None),
];

/// Where log lines go. Called from any thread; must not block.
pub trait LogSink: Send + Sync {
    fn write(&self, level: Level, message: &str);
}

/// One thing that happened. `fresh` is false for the repetition of a state that was told before: those are told at
/// debug level only, so that an outage is two lines in the log and not one per read.
#[derive(Debug)]
pub enum Event<'a> {
    StoreNotConfigured {
        reason: &'a str,
    },
    SourceNotConfigured {
        reason: &'a str,
    },
    MemoryHit,
    Hit,
    Miss {
        reason: MissReason,
    },
    SignatureRefused {
        reason: MissReason,
    },
    Loaded {
        source: &'a str,
        title: Option<&'a str>,
        fresh: bool,
    },
    NoActiveRow {
        fresh: bool,
    },
    UnusableRow {
        id: &'a str,
        problem: &'a str,
        fresh: bool,
    },
    LegacyLoaded {
        fresh: bool,
    },
    LegacyFailed {
        problem: &'a str,
        fresh: bool,
    },
    Stale {
        fresh: bool,
    },
    Fallback {
        fresh: bool,
    },
    StoreLost {
        fault: &'a Fault,
    },
    BreakerOpened {
        fault: &'a Fault,
    },
    StoreBack,
    SourceLost {
        fault: &'a Fault,
    },
    SourceBack,
    PushLost {
        fault: &'a Fault,
    },
    PushBack,
    FillRefused,
    FillFailed {
        fault: &'a Fault,
    },
    Panicked {
        place: &'a str,
    },
    Invalidated {
        shared: bool,
    },
    InvalidationFailed {
        fault: &'a Fault,
    },
}

/// Turns events into lines, in the words of one resource.
pub trait Formatter: Send + Sync {
    fn level(&self, event: &Event) -> Level;
    fn line(&self, event: &Event) -> String;
}

pub struct Logger {
    threshold: Threshold,
    sink: Arc<dyn LogSink>,
    formatter: Arc<dyn Formatter>,
}

impl Logger {
    pub fn new(
        threshold: Threshold,
        sink: Arc<dyn LogSink>,
        formatter: Arc<dyn Formatter>,
    ) -> Self {
        Logger {
            threshold,
            sink,
            formatter,
        }
    }

    /// Formats nothing that is not written.
    pub fn tell(&self, event: Event) {
        if self.tells(&event) {
            let level = self.formatter.level(&event);
            self.sink.write(level, &self.formatter.line(&event));
        }
    }

    /// Whether this event is written.
    pub fn tells(&self, event: &Event) -> bool {
        let level = self.formatter.level(event);
        self.threshold.is_some_and(|least| level >= least)
    }
}
