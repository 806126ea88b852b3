//! Single flight: callers that ask while a load is under way share it.
//!
//! Whether a load may be joined is the caller's to say, by when it began. A load runs as a task of its own: a caller that goes
//! away does not take the others' load with it, and a load that panics ends by itself, not the process.

use futures_util::future::{BoxFuture, FutureExt, Shared};
use std::future::Future;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Mutex, PoisonError};

/// `None` when the load panicked.
pub type Landing<T> = Shared<BoxFuture<'static, Option<T>>>;

struct Load<T: Clone, B> {
    number: u64,
    begun: B,
    /// Says when it is over even if nobody waits for it. Not a handle of its task, which would keep the room of the whole load.
    over: Arc<AtomicBool>,
    landing: Landing<T>,
}

/// `B`: what is remembered of when a load began.
pub struct SingleFlight<T: Clone, B> {
    /// Protects the newest load; never held across `.await`.
    newest: Mutex<Option<Load<T, B>>>,
}

/// However a load ends, it is over then.
struct EndGuard(Arc<AtomicBool>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.store(true, Release);
    }
}

/// What a caller got hold of.
pub struct Joined<T: Clone> {
    /// Counts loads, from 1: who joins one has its number.
    pub number: u64,
    pub landing: Landing<T>,
    /// Whether an earlier caller started the load.
    pub joined: bool,
}

impl<T: Clone, B> Default for SingleFlight<T, B> {
    fn default() -> Self {
        SingleFlight {
            newest: Mutex::new(None),
        }
    }
}

impl<T: Clone + Send + Sync + 'static, B> SingleFlight<T, B> {
    /// Joins the newest load if it is still under way and `joinable`; else starts one. Inside a tokio runtime only.
    pub fn join<F>(
        &self,
        joinable: impl FnOnce(&B) -> bool,
        begun: B,
        load: impl FnOnce() -> F,
    ) -> Joined<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        // A panic under this lock leaves an older load or none, both fit to go on with.
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = newest.as_ref()
            && !load.over.load(Acquire)
            && joinable(&load.begun)
        {
            return Joined {
                number: load.number,
                landing: load.landing.clone(),
                joined: true,
            };
        }
        let number = newest.as_ref().map_or(0, |load| load.number) + 1;
        let over = Arc::new(AtomicBool::new(false));
        let (load, guard) = (load(), EndGuard(over.clone()));
        let task = tokio::spawn(async move {
            let _guard = guard;
            load.await
        });
        let landing = async move { task.await.ok() }.boxed().shared();
        *newest = Some(Load {
            number,
            begun,
            over,
            landing: landing.clone(),
        });
        Joined {
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

    #[tokio::test]
    async fn a_second_caller_joins_the_load_of_the_first() {
        let loads = SingleFlight::default();
        let (land, landed) = oneshot::channel::<u32>();
        let first = loads.join(|_| true, 0, || async { landed.await.unwrap() });
        let second = loads.join(|_| true, 0, || async { unreachable!("a second load") });
        assert!(second.joined && !first.joined && first.number == second.number);
        land.send(7).unwrap();
        assert_eq!(
            (first.landing.await, second.landing.await),
            (Some(7), Some(7))
        );
    }

    #[tokio::test]
    async fn a_load_that_may_not_be_joined_goes_on_beside_the_next() {
        let loads = SingleFlight::default();
        let (land, landed) = oneshot::channel::<u32>();
        let first = loads.join(|_| true, 1, || async { landed.await.unwrap() });
        let second = loads.join(|&begun| begun >= 2, 2, || async { 2 });
        assert_eq!(second.landing.await, Some(2));
        land.send(1).unwrap();
        assert_eq!(first.landing.await, Some(1));
    }

    #[tokio::test]
    async fn a_load_that_is_over_is_not_joined() {
        let loads = SingleFlight::default();
        assert_eq!(
            loads.join(|_| true, 0, || async { 1 }).landing.await,
            Some(1)
        );
        assert_eq!(
            loads.join(|_| true, 0, || async { 2 }).landing.await,
            Some(2)
        );
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_the_load_to_the_others() {
        let loads = SingleFlight::default();
        let (land, landed) = oneshot::channel::<u32>();
        drop(loads.join(|_| true, 0, || async { landed.await.unwrap() }));
        let other = loads.join(|_| true, 0, || async { unreachable!("a second load") });
        land.send(7).unwrap();
        assert_eq!(other.landing.await, Some(7));
    }

    #[tokio::test]
    async fn a_load_that_panics_is_over() {
        let loads = SingleFlight::<u32, ()>::default();
        let panicking = loads.join(|()| true, (), || async { panic!("on purpose") });
        assert_eq!(panicking.landing.await, None);
        assert_eq!(
            loads.join(|()| true, (), || async { 2 }).landing.await,
            Some(2)
        );
    }
}
