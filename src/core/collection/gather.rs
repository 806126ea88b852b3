//! What many readers ask of the store at nearly the same time, put together. The first goes out at once; what comes while a few
//! commands are under way waits for the next.

use crate::core::error::Fault;
use crate::core::http::Deadline;
use crate::core::protocol::Generation;
use crate::core::store::Fill;
use crate::core::store::shelves::{Filling, Shelves};
use async_trait::async_trait;
use std::collections::{BTreeSet, HashMap};
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

pub struct Gather<B: Bulk> {
    bulk: B,
    /// What a command may take. Not what is left to those who wait for it: that may be little because they waited here, and the store
    /// would be blamed for it.
    timeout: Duration,
    /// Never held across `.await`.
    state: Mutex<State<B>>,
}

impl<B: Bulk> Gather<B> {
    pub fn new(bulk: B, timeout: Duration) -> Arc<Self> {
        let state = State {
            waiting: Vec::new(),
            under_way: 0,
        };
        Arc::new(Gather {
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
        // Lets those in that come in the same breath.
        tokio::task::yield_now().await;
        while let Some(waiting) = self.next() {
            self.send(waiting).await;
        }
    }

    fn next(&self) -> Option<Vec<Waiting<B>>> {
        let mut state = self.state();
        // Who waits no more needs no answer.
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
        // A panic under this lock leaves who waits whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for what is under some keys. `ROOM` looks share a command, and so many are under way `AT_ONCE`.
pub struct Look<const ROOM: usize, const AT_ONCE: usize>(pub Arc<dyn Shelves>);

#[async_trait]
impl<const ROOM: usize, const AT_ONCE: usize> Bulk for Look<ROOM, AT_ONCE> {
    type Ask = Vec<String>;
    type Answer = Vec<Option<String>>;
    const ROOM: usize = ROOM;
    const AT_ONCE: usize = AT_ONCE;

    fn size(_: &Vec<String>) -> usize {
        1
    }

    async fn send(
        &self,
        deadline: Deadline,
        asks: &[Vec<String>],
    ) -> Result<Vec<Vec<Option<String>>>, Fault> {
        let mut places = HashMap::new();
        let mut keys = Vec::new();
        for key in asks.iter().flatten() {
            places.entry(key).or_insert_with(|| {
                keys.push(key.clone());
                keys.len() - 1
            });
        }
        let found = self.0.values(deadline, &keys).await?;
        let of = |ask: &Vec<String>| ask.iter().map(|key| found[places[key]].clone()).collect();
        Ok(asks.iter().map(of).collect())
    }
}

/// Makes generations at some keys, where there are none.
pub struct Mint(pub Arc<dyn Shelves>);

#[async_trait]
impl Bulk for Mint {
    type Ask = (Vec<String>, u64);
    type Answer = Vec<Generation>;
    const ROOM: usize = 4000;

    fn size((keys, _): &Self::Ask) -> usize {
        keys.len()
    }

    async fn send(
        &self,
        deadline: Deadline,
        asks: &[Self::Ask],
    ) -> Result<Vec<Vec<Generation>>, Fault> {
        // Many depend on the same ones.
        let keys: BTreeSet<&String> = asks.iter().flat_map(|(keys, _)| keys).collect();
        let keys: Vec<String> = keys.into_iter().cloned().collect();
        let now_ms = asks.iter().map(|(_, now_ms)| *now_ms).max();
        let minted = self
            .0
            .mint_all(deadline, &keys, now_ms.unwrap_or_default())
            .await?;
        let minted: HashMap<_, _> = keys.iter().zip(minted).collect();
        let of = |(keys, _): &Self::Ask| keys.iter().map(|key| minted[key].clone()).collect();
        Ok(asks.iter().map(of).collect())
    }
}

/// Claims to load values.
pub struct Claim(pub Arc<dyn Shelves>);

#[async_trait]
impl Bulk for Claim {
    /// The key of a loader, and for how long.
    type Ask = (String, Duration);
    type Answer = bool;
    const ROOM: usize = 1000;

    fn size(_: &Self::Ask) -> usize {
        1
    }

    async fn send(&self, deadline: Deadline, asks: &[Self::Ask]) -> Result<Vec<bool>, Fault> {
        let loaders: Vec<_> = asks.iter().map(|(loader, _)| loader.clone()).collect();
        let term = asks.iter().map(|(_, term)| *term).max();
        self.0
            .claim_all(deadline, &loaders, term.unwrap_or_default())
            .await
    }
}

/// Writes loaded values.
pub struct Write(pub Arc<dyn Shelves>);

#[async_trait]
impl Bulk for Write {
    type Ask = Filling;
    type Answer = Fill;
    /// Bytes.
    const ROOM: usize = 512 << 10;

    fn size(filling: &Filling) -> usize {
        filling.record.content.len() + 1024
    }

    async fn send(&self, deadline: Deadline, asks: &[Filling]) -> Result<Vec<Fill>, Fault> {
        self.0.fill_all(deadline, asks).await
    }
}
