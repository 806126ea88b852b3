//! Coalescing: calls at nearly the same time share their work. It begins after the last of them, and once per interval at most.
//!
//! A single call begins its work at once. Calls within the interval after that wait for its end and then share one: a caller
//! never receives work that started before its call.

use futures_util::future::{BoxFuture, FutureExt, Shared};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

/// How long each may leave what it does not need itself to the next.
const LONGEST: Duration = Duration::from_secs(1);

/// `None` when the work panicked.
type Outcome<T> = Shared<BoxFuture<'static, Option<T>>>;

/// `I`: what each call brings for the work.
pub struct Coalescer<T: Clone, I = ()> {
    interval: Duration,
    /// A call has come that waits.
    queued: Notify,
    /// Never held across `.await`.
    state: Mutex<State<T, I>>,
}

struct State<T: Clone, I> {
    begun_at: Option<Instant>,
    /// Since when all that began had to wait: there may be a flood.
    crowded_since: Option<Instant>,
    next: Option<Next<T, I>>,
}

/// The work that has not begun.
struct Next<T: Clone, I> {
    outcome: Outcome<T>,
    brought: Vec<I>,
}

impl<T: Clone + Send + Sync + 'static, I: Send + 'static> Coalescer<T, I> {
    pub fn every(interval: Duration) -> Arc<Self> {
        let state = State {
            begun_at: None,
            crowded_since: None,
            next: None,
        };
        Arc::new(Coalescer {
            interval,
            queued: Notify::new(),
            state: Mutex::new(state),
        })
    }

    /// The outcome of work that begins after this was called: the caller's, or that of one who called before and waits. It is
    /// given what all of them brought. Inside a tokio runtime only.
    pub fn join<F>(
        self: &Arc<Self>,
        brought: I,
        work: impl FnOnce(Vec<I>) -> F + Send + 'static,
    ) -> Outcome<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut state = self.state();
        if let Some(next) = &mut state.next {
            next.brought.push(brought);
            return next.outcome.clone();
        }
        let now = Instant::now();
        let at = state
            .begun_at
            .map_or(now, |begun_at| now.max(begun_at + self.interval));
        let coalescer = self.clone();
        // A task of its own: a caller that goes away does not take the others' work with it.
        let task = tokio::spawn(async move {
            sleep_until(at).await;
            let brought = coalescer.begin(at > now);
            work(brought).await
        });
        let outcome = async move { task.await.ok() }.boxed().shared();
        state.next = Some(Next {
            outcome: outcome.clone(),
            brought: vec![brought],
        });
        self.queued.notify_waiters();
        outcome
    }

    /// Whether work waits to begin, which will make up for what is left undone now. In a crowd, gives it `patience` to come;
    /// says no once a second, so that nothing is left undone for as long as the crowd lasts.
    pub async fn is_followed(&self, patience: Duration) -> bool {
        let mut queued = pin!(self.queued.notified());
        // From now on nothing is missed.
        queued.as_mut().enable();
        let (followed, crowded) = {
            let mut state = self.state();
            let now = Instant::now();
            if let Some(since) = &mut state.crowded_since
                && now.duration_since(*since) >= LONGEST
            {
                *since = now;
                return false;
            }
            (state.next.is_some(), state.crowded_since.is_some())
        };
        followed || crowded && timeout(patience, queued).await.is_ok()
    }

    fn begin(&self, crowded: bool) -> Vec<I> {
        let mut state = self.state();
        let now = Instant::now();
        state.begun_at = Some(now);
        state.crowded_since = crowded.then(|| state.crowded_since.unwrap_or(now));
        let next = state.next.take();
        next.map_or_else(Vec::new, |next| next.brought)
    }

    fn state(&self) -> MutexGuard<'_, State<T, I>> {
        // A panic under this lock leaves a state that is whole: every field is set by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const INTERVAL: Duration = Duration::from_millis(100);

    /// Work that tells the how manieth it was to begin.
    #[derive(Clone, Default)]
    struct Counted(Arc<AtomicUsize>);

    impl Counted {
        fn work(&self) -> impl FnOnce(Vec<()>) -> BoxFuture<'static, usize> + Send + 'static {
            let begun = self.0.clone();
            move |_| async move { begun.fetch_add(1, Ordering::SeqCst) + 1 }.boxed()
        }

        fn begun(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_alone_begins_at_once() {
        let (coalescer, counted, begun) = (
            Coalescer::every(INTERVAL),
            Counted::default(),
            Instant::now(),
        );
        assert_eq!(coalescer.join((), counted.work()).await, Some(1));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(!coalescer.is_followed(INTERVAL).await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_within_the_interval_share_one_that_begins_after_it() {
        let (coalescer, counted, begun) = (
            Coalescer::every(INTERVAL),
            Counted::default(),
            Instant::now(),
        );
        coalescer.join((), counted.work()).await;
        let later: Vec<_> = (0..50)
            .map(|_| coalescer.join((), counted.work()))
            .collect();
        assert!(coalescer.is_followed(Duration::ZERO).await);
        for outcome in later {
            assert_eq!(outcome.await, Some(2));
        }
        assert_eq!(begun.elapsed(), INTERVAL);
        assert_eq!(counted.begun(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_work_is_given_what_all_who_share_it_brought() {
        let coalescer = Coalescer::every(INTERVAL);
        let joined = |number| coalescer.join(number, |brought: Vec<u32>| async move { brought });
        let outcomes = [joined(1), joined(2)];
        for outcome in outcomes {
            assert_eq!(outcome.await, Some(vec![1, 2]));
        }
        assert_eq!(joined(3).await, Some(vec![3]));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_given_what_had_begun_before_the_call() {
        let coalescer = Coalescer::every(INTERVAL);
        let (land, landed) = tokio::sync::oneshot::channel::<()>();
        let early = coalescer.join((), |_| async { landed.await.map_or(0, |()| 1) });
        tokio::task::yield_now().await;
        let late = coalescer.join((), |_| async { 2 });
        assert_eq!(late.await, Some(2));
        land.send(()).unwrap();
        assert_eq!(early.await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_begins_one_per_interval() {
        let (coalescer, counted) = (Coalescer::every(INTERVAL), Counted::default());
        for _ in 0..1000 {
            drop(coalescer.join((), counted.work()));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let begun = counted.begun();
        assert!((10..=11).contains(&begun), "{begun} in a second");
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_crowd_nothing_is_left_undone_for_longer_than_a_second() {
        let (coalescer, done) = (Coalescer::every(INTERVAL), Counted::default());
        for _ in 0..3000 {
            let (own, done) = (coalescer.clone(), done.work());
            drop(coalescer.join((), move |_| async move {
                if own.is_followed(INTERVAL / 2).await {
                    0
                } else {
                    done(Vec::new()).await
                }
            }));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The first one found no crowd.
        let done = done.begun();
        assert!((3..=4).contains(&done), "{done} in three seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn what_had_to_wait_looks_out_for_the_next() {
        let (coalescer, counted) = (Coalescer::every(INTERVAL), Counted::default());
        coalescer.join((), counted.work()).await;
        coalescer.join((), counted.work()).await;
        let looking = coalescer.clone();
        let looking = tokio::spawn(async move { looking.is_followed(INTERVAL).await });
        tokio::task::yield_now().await;
        drop(coalescer.join((), counted.work()));
        assert!(looking.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_is_an_end_and_the_next_begins() {
        let coalescer = Coalescer::<usize>::every(INTERVAL);
        assert_eq!(
            coalescer.join((), |_| async { panic!("on purpose") }).await,
            None
        );
        assert_eq!(coalescer.join((), |_| async { 2 }).await, Some(2));
    }
}
