//! Looks into the store, put together: reads that ask at nearly the same time share a command. The first goes out at once; what
//! comes while a few are under way waits for the next.

use crate::core::error::Fault;
use crate::core::http::Deadline;
use crate::core::store::shelves::Shelves;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

/// How many commands are under way at most.
const MOST_UNDER_WAY: usize = 4;

type Values = Vec<Option<String>>;

struct Look {
    keys: Vec<String>,
    deadline: Deadline,
    answer: oneshot::Sender<Result<Values, Fault>>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Look>,
    under_way: usize,
}

pub struct Looks {
    shelves: Arc<dyn Shelves>,
    /// How many looks share a command at most: the larger what they find, the fewer.
    most: usize,
    /// Never held across `.await`.
    state: Mutex<State>,
}

impl Looks {
    pub fn new(shelves: Arc<dyn Shelves>, most: usize) -> Arc<Self> {
        Arc::new(Looks {
            shelves,
            most,
            state: Mutex::default(),
        })
    }

    /// What is under these keys, as a command that is sent after this call says. Inside a tokio runtime only.
    pub async fn values(
        self: &Arc<Self>,
        deadline: Deadline,
        keys: Vec<String>,
    ) -> Result<Values, Fault> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.state();
            state.waiting.push(Look {
                keys,
                deadline,
                answer,
            });
            if state.under_way < MOST_UNDER_WAY {
                state.under_way += 1;
                tokio::spawn(self.clone().look());
            }
        }
        match timeout_at(deadline.at(), answered).await {
            Ok(answered) => answered.unwrap_or(Err(Fault::Interrupted)),
            Err(_) => Err(deadline.fault()),
        }
    }

    async fn look(self: Arc<Self>) {
        // Lets those in that come in the same breath.
        tokio::task::yield_now().await;
        while let Some(looks) = self.next() {
            self.ask(looks).await;
        }
    }

    fn next(&self) -> Option<Vec<Look>> {
        let mut state = self.state();
        // Who waits no more needs no answer.
        state.waiting.retain(|look| !look.answer.is_closed());
        if state.waiting.is_empty() {
            state.under_way -= 1;
            return None;
        }
        let count = state.waiting.len().min(self.most);
        Some(state.waiting.drain(..count).collect())
    }

    async fn ask(&self, looks: Vec<Look>) {
        let mut places = HashMap::new();
        let mut keys = Vec::new();
        for key in looks.iter().flat_map(|look| &look.keys) {
            places.entry(key.clone()).or_insert_with(|| {
                keys.push(key.clone());
                keys.len() - 1
            });
        }
        let deadlines = looks.iter().map(|look| look.deadline);
        let Some(deadline) = deadlines.max_by_key(Deadline::at) else {
            return;
        };
        match self.shelves.values(deadline, &keys).await {
            Ok(values) => {
                for look in looks {
                    let found = look.keys.iter().map(|key| values[places[key]].clone());
                    let _ = look.answer.send(Ok(found.collect()));
                }
            }
            // Together they are; each by itself may not be.
            Err(Fault::TooLarge { .. }) if looks.len() > 1 => {
                let mut looks = looks;
                let rest = looks.split_off(looks.len() / 2);
                Box::pin(self.ask(looks)).await;
                Box::pin(self.ask(rest)).await;
            }
            Err(fault) => {
                for look in looks {
                    let _ = look.answer.send(Err(fault.clone()));
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves whole looks behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
