//! Batching: what many readers ask of the store at nearly the same time shares commands. The first goes out at once; what comes
//! while a few commands are under way waits for the next.

use crate::error::Fault;
use crate::http::Deadline;
use async_trait::async_trait;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

/// What one command does for many who ask.
#[async_trait]
pub trait Bulk: Send + Sync + 'static {
    type Ask: Clone + Send + Sync;
    type Answer: Send;

    /// What one command takes, in all.
    const ROOM: usize;

    /// How many commands are under way at most: the fewer, the more share one.
    const AT_ONCE: usize = 4;

    /// What this one takes of it.
    fn size(ask: &Self::Ask) -> usize;

    /// The answers, in the order of those who ask.
    async fn send(
        &self,
        deadline: Deadline,
        asks: &[Self::Ask],
    ) -> Result<Vec<Self::Answer>, Fault>;
}

struct Waiting<B: Bulk> {
    ask: B::Ask,
    answer: oneshot::Sender<Result<B::Answer, Fault>>,
}

struct State<B: Bulk> {
    waiting: Vec<Waiting<B>>,
    under_way: usize,
}

pub struct Batcher<B: Bulk> {
    bulk: B,
    /// What a command may take. Not what is left to its callers: that may be little because they waited here, and the breaker
    /// would count it against the store.
    timeout: Duration,
    /// Never held across `.await`.
    state: Mutex<State<B>>,
}

impl<B: Bulk> Batcher<B> {
    pub fn new(bulk: B, timeout: Duration) -> Arc<Self> {
        let state = State {
            waiting: Vec::new(),
            under_way: 0,
        };
        Arc::new(Batcher {
            bulk,
            timeout,
            state: Mutex::new(state),
        })
    }

    /// The answer of a command that is sent after this call, by the deadline. Inside a tokio runtime only.
    pub async fn ask(
        self: &Arc<Self>,
        deadline: Deadline,
        ask: B::Ask,
    ) -> Result<B::Answer, Fault> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.state();
            state.waiting.push(Waiting { ask, answer });
            if state.under_way < B::AT_ONCE {
                state.under_way += 1;
                tokio::spawn(self.clone().work());
            }
        }
        match timeout_at(deadline.at(), answered).await {
            Ok(answered) => answered.unwrap_or(Err(Fault::Interrupted)),
            Err(_) => Err(deadline.fault()),
        }
    }

    async fn work(self: Arc<Self>) {
        // Yields once so that concurrent callers can join.
        tokio::task::yield_now().await;
        while let Some(waiting) = self.next() {
            self.send(waiting).await;
        }
    }

    fn next(&self) -> Option<Vec<Waiting<B>>> {
        let mut state = self.state();
        // A caller that gave up needs no answer.
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
        let mut taken = 0;
        let fits = |waiting: &&Waiting<B>| {
            let first = taken == 0;
            taken += B::size(&waiting.ask);
            first || taken <= B::ROOM
        };
        let count = state.waiting.iter().take_while(fits).count();
        if count == 0 {
            state.under_way -= 1;
            return None;
        }
        Some(state.waiting.drain(..count).collect())
    }

    async fn send(&self, mut waiting: Vec<Waiting<B>>) {
        let deadline = Deadline::after(self.timeout);
        let asks: Vec<_> = waiting.iter().map(|waiting| waiting.ask.clone()).collect();
        match self.bulk.send(deadline, &asks).await {
            Ok(answers) => {
                for (waiting, answer) in waiting.into_iter().zip(answers) {
                    let _ = waiting.answer.send(Ok(answer));
                }
            }
            // Together they are; each by itself may not be.
            Err(Fault::TooLarge { .. }) if waiting.len() > 1 => {
                let rest = waiting.split_off(waiting.len() / 2);
                Box::pin(self.send(waiting)).await;
                Box::pin(self.send(rest)).await;
            }
            Err(fault) => {
                for waiting in waiting {
                    let _ = waiting.answer.send(Err(fault.clone()));
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<B>> {
        // A panic under this lock leaves a whole list.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
