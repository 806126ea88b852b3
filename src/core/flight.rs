//! Single flight: callers that ask while a load is under way share it.
//!
//! A flight is joined only while it is younger than the allowed age and of the current epoch, so that nobody who asks
//! after an invalidation is given a load that began before it. It runs as a task of its own: a caller that goes away
//! does not take the others' load with it, and a load that panics ends its flight, not the process.

use futures_util::future::{BoxFuture, FutureExt, Shared};
use std::future::Future;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// `None` when the load panicked.
pub type Landing<T> = Shared<BoxFuture<'static, Option<T>>>;

struct Flight<T: Clone> {
    number: u64,
    begun: Duration,
    epoch: u64,
    /// Says when it is over even if nobody waits for it. Not a handle of its task, which would keep the room of the whole load.
    over: Arc<AtomicBool>,
    landing: Landing<T>,
}

pub struct Flights<T: Clone> {
    /// Protects the newest flight; never held across `.await`.
    newest: Mutex<Option<Flight<T>>>,
}

/// However a load ends, its flight is over then.
struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(true, Release);
    }
}

/// What a caller got hold of.
pub struct Boarding<T: Clone> {
    /// Counts flights, from 1: who joins one has its number.
    pub number: u64,
    pub landing: Landing<T>,
    /// Whether an earlier caller started the flight.
    pub joined: bool,
}

impl<T: Clone + Send + Sync + 'static> Default for Flights<T> {
    fn default() -> Self {
        Flights {
            newest: Mutex::new(None),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Joins the newest flight if it is still in the air, of this `epoch` and younger than `max_age` at `now`; starts
    /// one with `load` otherwise. Must be called inside a tokio runtime.
    pub fn board<F>(
        &self,
        now: Duration,
        epoch: u64,
        max_age: Duration,
        load: impl FnOnce() -> F,
    ) -> Boarding<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        // A panic under this lock leaves an older flight or none, both fit to go on with.
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = newest.as_ref()
            && flight.epoch == epoch
            && now.saturating_sub(flight.begun) < max_age
            && !flight.over.load(Acquire)
        {
            return Boarding {
                number: flight.number,
                landing: flight.landing.clone(),
                joined: true,
            };
        }
        let number = newest.as_ref().map_or(0, |flight| flight.number) + 1;
        let over = Arc::new(AtomicBool::new(false));
        let (load, ends) = (load(), Ends(over.clone()));
        let task = tokio::spawn(async move {
            let _ends = ends;
            load.await
        });
        let landing = async move { task.await.ok() }.boxed().shared();
        *newest = Some(Flight {
            number,
            begun: now,
            epoch,
            over,
            landing: landing.clone(),
        });
        Boarding {
            number,
            landing,
            joined: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test]
    async fn a_second_caller_joins_the_load_of_the_first() {
        let flights = Flights::default();
        let (land, landed) = oneshot::channel::<u32>();
        let first = flights.board(at(0), 0, SECOND, || async { landed.await.unwrap() });
        let second = flights.board(at(999), 0, SECOND, || async {
            unreachable!("a second load")
        });
        land.send(7).unwrap();
        assert_eq!((first.joined, second.joined), (false, true));
        assert_eq!((first.number, second.number), (1, 1));
        assert_eq!(
            (first.landing.await, second.landing.await),
            (Some(7), Some(7))
        );
    }

    #[tokio::test]
    async fn an_old_flight_is_not_joined() {
        let flights = Flights::default();
        let (_hold, held) = oneshot::channel::<u32>();
        let _first = flights.board(at(0), 0, SECOND, || async { held.await.unwrap_or(1) });
        let late = flights.board(at(1000), 0, SECOND, || async { 2 });
        assert!(!late.joined);
        assert_eq!(late.number, 2);
        assert_eq!(late.landing.await, Some(2));
    }

    #[tokio::test]
    async fn a_flight_of_an_earlier_epoch_is_not_joined() {
        let flights = Flights::default();
        let (_hold, held) = oneshot::channel::<u32>();
        let _first = flights.board(at(0), 0, SECOND, || async { held.await.unwrap_or(1) });
        let after = flights.board(at(0), 1, SECOND, || async { 2 });
        assert!(!after.joined);
        assert_eq!(after.landing.await, Some(2));
    }

    #[tokio::test]
    async fn a_landed_flight_is_not_joined() {
        let flights = Flights::default();
        flights
            .board(at(0), 0, SECOND, || async { 1 })
            .landing
            .await;
        let next = flights.board(at(0), 0, SECOND, || async { 2 });
        assert!(!next.joined);
        assert_eq!(next.landing.await, Some(2));
    }

    #[tokio::test]
    async fn a_landed_flight_that_nobody_waited_for_is_not_joined() {
        let flights = Flights::default();
        drop(flights.board(at(0), 0, SECOND, || async { 1 }));
        tokio::task::yield_now().await;
        let next = flights.board(at(0), 0, SECOND, || async { 2 });
        assert!(!next.joined);
        assert_eq!(next.landing.await, Some(2));
    }

    #[tokio::test]
    async fn a_load_that_panics_ends_its_flight_only() {
        let flights = Flights::<u32>::default();
        let lost = flights.board(at(0), 0, SECOND, || async { panic!("on purpose") });
        assert_eq!(lost.landing.await, None);
        let next = flights.board(at(0), 0, SECOND, || async { 2 });
        assert_eq!(next.landing.await, Some(2));
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_the_load_to_the_others() {
        let flights = Flights::default();
        let (land, landed) = oneshot::channel::<u32>();
        let first = flights.board(at(0), 0, SECOND, || async { landed.await.unwrap() });
        let second = flights.board(at(1), 0, SECOND, || async { unreachable!("a second load") });
        drop(first);
        land.send(3).unwrap();
        assert_eq!(second.landing.await, Some(3));
    }
}
