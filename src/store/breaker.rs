//! The circuit breaker in front of the store: after repeated faults it is asked once a second, until it answers.
//!
//! Pure: no I/O, and the time is what the caller says it is. Closed, everything goes through. What will not pass by itself (a
//! wrong token, a used-up plan, a redirect) opens it at once, the rest after some faults in a row; faults of commands that
//! were under way together count as one, so that a blip does not open it. Open, no command is sent but a probe each second, beside
//! what is refused, so that no reader waits for it; any answer closes it. A probe that never reports back keeps nothing waiting: the
//! next one is due a second later.

use crate::error::Fault;
use crate::observe::Counter;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// From one probe to the next. A store that is well again is noticed within this and the time of a command.
const REST: Duration = Duration::from_secs(1);
/// How many deadlines in a row may pass; each costs a reader the store's whole time.
const TIMEOUTS: u32 = 2;
/// How many other faults in a row, which cost little.
const FAULTS: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Closed,
    Open,
    /// A probe is under way.
    HalfOpen,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Closed => "closed",
            Phase::Open => "open",
            Phase::HalfOpen => "half-open",
        }
    }
}

/// A command that is not sent.
#[derive(Debug)]
pub struct Refused {
    pub fault: Fault,
    /// Whether a probe is to be sent now, beside it.
    pub probe: bool,
}

#[derive(Default)]
pub struct Breaker {
    /// Never held across `.await`.
    state: Mutex<State>,
    /// How often it opened.
    pub opened: Counter,
}

#[derive(Default)]
struct State {
    timeouts: u32,
    faults: u32,
    /// When the last fault was counted: commands sent before that add nothing to it.
    counted_at: Duration,
    open: Option<Open>,
}

struct Open {
    because: Fault,
    /// When it was last asked.
    asked_at: Duration,
    probing: bool,
}

impl Breaker {
    /// Whether a command may be sent at `now`; if not, why.
    pub fn admit(&self, now: Duration) -> Result<(), Refused> {
        let mut state = self.state();
        let Some(open) = &mut state.open else {
            return Ok(());
        };
        let probe = now.saturating_sub(open.asked_at) >= REST;
        if probe {
            open.asked_at = now;
            open.probing = true;
        }
        let because = Box::new(open.because.clone());
        let fault = Fault::Suspended { because };
        Err(Refused { fault, probe })
    }

    /// The store answered, be it that it rejected a command.
    pub fn answered(&self) {
        *self.state() = State::default();
    }

    /// A command that was sent at `sent_at` had no answer. Whether that opened the breaker.
    pub fn failed(&self, fault: &Fault, writes: bool, sent_at: Duration, now: Duration) -> bool {
        let mut state = self.state();
        if let Some(open) = &mut state.open {
            open.because = fault.clone();
            open.probing = false;
            return false;
        }
        if sent_at >= state.counted_at {
            state.counted_at = now;
            match fault {
                Fault::Timeout { .. } => state.timeouts += 1,
                _ => state.faults += 1,
            }
        }
        // That a write is refused may be about writing alone: a full database can still be read.
        let of_all = matches!(fault, Fault::Unauthorized { .. } | Fault::Redirected { .. });
        let lasts = of_all || !writes && !fault.passes();
        if !lasts && state.timeouts < TIMEOUTS && state.faults < FAULTS {
            return false;
        }
        state.open = Some(Open {
            because: fault.clone(),
            asked_at: now,
            probing: false,
        });
        self.opened.increment();
        true
    }

    pub fn phase(&self) -> Phase {
        match &self.state().open {
            None => Phase::Closed,
            Some(open) if open.probing => Phase::HalfOpen,
            Some(_) => Phase::Open,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves a state that is whole: every field is set by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Fault = Fault::Timeout { after_ms: 500 };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A command that is sent and fails at once.
    fn fail(breaker: &Breaker, fault: &Fault, ms: u64) -> bool {
        breaker.failed(fault, false, at(ms), at(ms))
    }

    #[test]
    fn faults_in_a_row_open_it_and_an_answer_between_them_does_not() {
        for (fault, allowed) in [(TIMEOUT, 2), (Fault::Unreachable, 5)] {
            let breaker = Breaker::default();
            for ms in 1..allowed {
                assert!(!fail(&breaker, &fault, ms), "{fault}");
            }
            breaker.answered();
            for ms in 1..allowed {
                assert!(!fail(&breaker, &fault, 100 + ms), "{fault}");
            }
            assert!(breaker.admit(at(200)).is_ok());
            assert!(fail(&breaker, &fault, 200), "{fault}");
            assert!(breaker.admit(at(201)).is_err());
        }
    }

    #[test]
    fn commands_that_were_under_way_together_count_as_one() {
        let breaker = Breaker::default();
        for ms in 0..50 {
            assert!(!breaker.failed(&TIMEOUT, false, at(ms), at(500 + ms)));
        }
        assert_eq!(breaker.phase(), Phase::Closed);
        assert!(breaker.failed(&TIMEOUT, false, at(500), at(1000)));
    }

    #[test]
    fn what_does_not_pass_by_itself_opens_it_at_once() {
        for fault in [
            Fault::Unauthorized { status: 401 },
            Fault::QuotaExceeded,
            Fault::Redirected { status: 302 },
        ] {
            let breaker = Breaker::default();
            assert!(fail(&breaker, &fault, 0), "{fault}");
            let refused = breaker.admit(at(1)).unwrap_err();
            assert_eq!(refused.fault.class(), fault.class());
            assert!(!refused.fault.passes() && !refused.probe);
        }
    }

    #[test]
    fn a_write_that_is_refused_does_not_keep_reads_away() {
        let breaker = Breaker::default();
        for ms in 0..10 {
            assert!(!breaker.failed(&Fault::QuotaExceeded, true, at(ms), at(ms)));
            assert!(breaker.admit(at(ms)).is_ok());
            breaker.answered();
        }
    }

    #[test]
    fn one_probe_a_second_is_due_until_one_is_answered() {
        let breaker = Breaker::default();
        let due_at = |ms| breaker.admit(at(ms)).unwrap_err().probe;
        fail(&breaker, &Fault::QuotaExceeded, 0);
        for second in 1..4 {
            let due = second * 1000;
            assert!(!due_at(due - 1));
            assert!(due_at(due));
            assert!(!due_at(due), "one probe only");
            assert_eq!(breaker.phase(), Phase::HalfOpen);
            assert!(!breaker.failed(&TIMEOUT, false, at(due), at(due + 500)));
            assert_eq!(breaker.phase(), Phase::Open);
        }
        assert!(due_at(4000));
        breaker.answered();
        assert_eq!((breaker.phase(), breaker.opened.get()), (Phase::Closed, 1));
        assert!(breaker.admit(at(4001)).is_ok());
    }

    #[test]
    fn a_probe_that_never_reports_back_does_not_keep_it_half_open() {
        let breaker = Breaker::default();
        fail(&breaker, &Fault::QuotaExceeded, 0);
        let due_at = |ms| breaker.admit(at(ms)).unwrap_err().probe;
        assert!(due_at(1000));
        assert!(!due_at(1999));
        assert!(due_at(2000));
    }
}
