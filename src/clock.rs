//! Time, behind a trait, so that tests and the simulation can hold it still.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub trait Clock: Send + Sync {
    /// Wall-clock milliseconds since 1970. For people and for seeding generations, never for measuring.
    fn wall_ms(&self) -> u64;
    /// Time since some fixed moment; never goes back, and goes on while the machine is suspended. For measuring.
    fn monotonic(&self) -> Duration;
}

#[derive(Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall_ms(&self) -> u64 {
        // A clock set before 1970 counts as 1970.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    }

    fn monotonic(&self) -> Duration {
        since_boot()
    }
}

/// std's `Instant` stands still while a Linux or macOS machine is suspended, and a lease must not.
#[cfg(unix)]
fn since_boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    use std::sync::OnceLock;
    static CLOCK: OnceLock<ClockId> = OnceLock::new();
    let time = clock_gettime(*CLOCK.get_or_init(counting_sleep));
    // Since boot, so never negative.
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(target_os = "linux")]
fn counting_sleep() -> rustix::time::ClockId {
    use rustix::time::{ClockId, DynamicClockId, clock_gettime_dynamic};
    // A sandbox may not have it.
    match clock_gettime_dynamic(DynamicClockId::Boottime) {
        Ok(_) => ClockId::Boottime,
        Err(_) => ClockId::Monotonic,
    }
}

/// On macOS this one counts the time asleep.
#[cfg(all(unix, not(target_os = "linux")))]
fn counting_sleep() -> rustix::time::ClockId {
    rustix::time::ClockId::Monotonic
}

#[cfg(not(unix))]
fn since_boot() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on() {
        let clock = SystemClock;
        let before = clock.monotonic();
        std::thread::sleep(Duration::from_millis(2));
        let elapsed = clock.monotonic() - before;
        assert!(elapsed >= Duration::from_millis(2), "{elapsed:?}");
        assert!(clock.wall_ms() > 1_767_225_600_000, "after 2026 began");
    }
}
