//! The shared store: what the cache asks of Redis, as commands and scripts over a [`Link`], behind a circuit breaker.
//!
//! Every call ends by its deadline. Reads of many entries share commands ([`batching`]). Everything but invalidations, the
//! list of members' last words and looks for people goes through the breaker; what becomes of those tells the breaker, too.

mod batching;
mod breaker;
mod link;
mod sync_token;
mod upstash;

pub use breaker::Phase;
pub use link::{Command, Link, Replies, Reply, Script};
#[cfg(feature = "testing")]
pub use sync_token::SyncToken;
pub use upstash::Upstash;

use crate::clock::Clock;
use crate::error::Fault;
use crate::http::Deadline;
use crate::observe::Counter;
use crate::observe::StateLog;
use crate::protocol::{Generation, LogRecord, Notes, Roster, Scope, Sequence, StoredRecord};
use crate::resource::{EntryKeys, StoreKeys};
use async_trait::async_trait;
use batching::{Batcher, Bulk};
use breaker::{Breaker, Refused};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What the primary said to a validation.
pub struct Validated {
    /// `None`: there is no counter.
    pub sequence: Option<Sequence>,
    /// Whether the instance is listed now; false if that was not asked for, or refused.
    pub listed: bool,
    /// What was asked for beside it.
    pub found: Vec<Option<String>>,
}

/// A value on its way into the store.
#[derive(Clone, Debug)]
pub struct Filling {
    pub keys: Arc<EntryKeys>,
    /// The generations that it is stored under, in the order of the keys.
    pub fence: Vec<Generation>,
    pub record: StoredRecord,
    pub ttl_seconds: u32,
}

/// What an invalidation is to do in the store.
pub struct Invalidation {
    /// The keys of the generations, and for how many seconds each is kept (0: for ever).
    pub generations: Vec<(String, u64)>,
    /// The keys to drop.
    pub drops: Vec<String>,
    /// The key by which the next load is claimed, and for how long.
    pub claim: Option<(String, Duration)>,
    pub scope: Scope,
    /// Whether a receipt waits for the members.
    pub acknowledge: bool,
    /// Where the counter begins if there is none.
    pub seed: Sequence,
}

/// An invalidation that went through.
pub struct Committed {
    pub record: LogRecord,
    /// The members as they stood; empty if nobody waits for them.
    pub roster: Roster,
}

/// The store's view of its own health, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    pub latency: Duration,
    /// Seconds until the value at a key expires; `None` if there is none.
    pub ttl_seconds: Option<u64>,
}

pub struct Store {
    guard: Arc<Guard>,
    keys: StoreKeys,
    looks: Arc<Batcher<Look>>,
    claims: Arc<Batcher<Claim>>,
    fills: Arc<Batcher<Fill>>,
}

/// The link behind its breaker.
struct Guard {
    link: Arc<dyn Link>,
    breaker: Breaker,
    clock: Arc<dyn Clock>,
    state_log: Arc<StateLog>,
    /// What a probe may take.
    timeout: Duration,
    /// What its owner is billed for: commands that were sent, and those inside scripts.
    commands: Counter,
}

/// What a script said: how many commands it took, and the rest.
fn scripted(reply: Reply, commands: &Counter) -> Result<std::vec::IntoIter<Option<String>>, Fault> {
    let mut texts = reply.texts()?.into_iter();
    let count = texts.next().flatten().and_then(|text| text.parse().ok());
    commands.add(count.ok_or(Fault::Malformed {
        expected: "the answer of a script",
    })?);
    Ok(texts)
}

impl Guard {
    /// Sends commands if the breaker lets them through.
    async fn send(
        self: &Arc<Self>,
        deadline: Deadline,
        commands: Vec<Command>,
    ) -> Result<Replies, Fault> {
        match self.breaker.admit(self.clock.monotonic()) {
            Ok(()) => self.send_always(deadline, commands).await,
            Err(Refused { fault, probe }) => {
                if probe {
                    let guard = self.clone();
                    let deadline = Deadline::after(self.timeout);
                    let command = Command::plain(&["GET", "grove"]);
                    tokio::spawn(async move { guard.send_always(deadline, vec![command]).await });
                }
                Err(fault)
            }
        }
    }

    /// Sends commands, and tells the breaker how it went.
    async fn send_always(
        &self,
        deadline: Deadline,
        commands: Vec<Command>,
    ) -> Result<Replies, Fault> {
        let (sent_at, count) = (self.clock.monotonic(), commands.len());
        let writes = commands.iter().all(Command::writes);
        self.commands.add(count as u64);
        let outcome = self
            .link
            .send(deadline, commands)
            .await
            .and_then(|replies| {
                let expected = "a reply for each command";
                (replies.len() == count)
                    .then_some(replies)
                    .ok_or(Fault::Malformed { expected })
            });
        let fault = match &outcome {
            Ok(replies) => replies.iter().find_map(|reply| reply.as_ref().err()),
            Err(fault) => Some(fault),
        };
        match fault {
            // A server that rejects a command, or says more than is listened to, is there; the next command may be another.
            None | Some(Fault::Rejected { .. } | Fault::TooLarge { .. }) => self.breaker.answered(),
            Some(fault) => {
                if self
                    .breaker
                    .failed(fault, writes, sent_at, self.clock.monotonic())
                {
                    self.state_log.breaker_opened(fault);
                }
            }
        }
        outcome
    }

    async fn one(self: &Arc<Self>, deadline: Deadline, command: Command) -> Result<Reply, Fault> {
        only(self.send(deadline, vec![command]).await?)
    }
}

fn only(replies: Replies) -> Result<Reply, Fault> {
    let missing = Fault::Malformed {
        expected: "a reply",
    };
    replies.into_iter().next().ok_or(missing)?
}

impl Store {
    pub fn new(
        link: Arc<dyn Link>,
        keys: StoreKeys,
        timeout: Duration,
        clock: Arc<dyn Clock>,
        state_log: Arc<StateLog>,
    ) -> Self {
        let guard = Arc::new(Guard {
            link,
            breaker: Breaker::default(),
            clock,
            state_log,
            timeout,
            commands: Counter::default(),
        });
        Store {
            looks: Batcher::new(Look(guard.clone()), timeout),
            claims: Batcher::new(Claim(guard.clone()), timeout),
            fills: Batcher::new(Fill(guard.clone(), keys.sequence.clone()), timeout),
            guard,
            keys,
        }
    }

    pub fn phase(&self) -> Phase {
        self.guard.breaker.phase()
    }

    /// How often the breaker opened.
    pub fn opened(&self) -> u64 {
        self.guard.breaker.opened.get()
    }

    /// How many commands its owner is billed for.
    pub fn commands(&self) -> u64 {
        self.guard.commands.get()
    }

    pub fn sync_token(&self) -> Option<String> {
        self.guard.link.sync_token()
    }

    pub fn present(&self, token: &str) {
        self.guard.link.present(token);
    }

    /// Asks the primary for the sequence, after listing an instance, and before a look at some keys, if these are given.
    pub async fn validate(
        &self,
        deadline: Deadline,
        listing: Option<(&str, String)>,
        look: Vec<String>,
    ) -> Result<Validated, Fault> {
        let lists = listing.is_some();
        let mut commands = Vec::new();
        if let Some((id, line)) = listing {
            commands.push(Command::plain(&["HSET", &self.keys.members, id, &line]));
        }
        // A write, so that no replica answers it, nor a primary that was cut off from those that it must write to.
        commands.push(Command::plain(&["INCRBY", &self.keys.sequence, "0"]));
        if !look.is_empty() {
            let mut words = vec!["MGET".to_owned()];
            words.extend_from_slice(&look);
            commands.push(Command::Plain(words));
        }
        let mut replies = match self.guard.send(deadline, commands).await {
            Ok(replies) => replies.into_iter(),
            // A transaction is discarded as a whole where one of its commands would need memory.
            Err(Fault::Rejected { code }) if code == "EXECABORT" || code == "OOM" => {
                return self.validate_full(deadline, look).await;
            }
            Err(fault) => return Err(fault),
        };
        let listed = lists && matches!(replies.next(), Some(Ok(_)));
        let sequence = match replies.next() {
            Some(Ok(reply)) => Some(reply.integer()?),
            // It holds something that is no counter: as good as none.
            Some(Err(Fault::Rejected { code })) if code == "ERR" || code == "WRONGTYPE" => None,
            Some(Err(Fault::Rejected { code })) if code == "OOM" => {
                return self.validate_full(deadline, look).await;
            }
            Some(Err(fault)) => return Err(fault),
            None => None,
        };
        let found = match replies.next() {
            Some(reply) => reply?.texts()?,
            None => Vec::new(),
        };
        Ok(Validated {
            sequence: sequence.and_then(|number| Sequence::new(u64::try_from(number).ok()?)),
            listed,
            found,
        })
    }

    /// A validation of a full Redis: it takes no write, but runs a script that writes nothing.
    async fn validate_full(
        &self,
        deadline: Deadline,
        look: Vec<String>,
    ) -> Result<Validated, Fault> {
        let sequence = self.seed(deadline, None).await?;
        let found = if look.is_empty() {
            Vec::new()
        } else {
            self.look(deadline, look).await?
        };
        Ok(Validated {
            sequence,
            listed: false,
            found,
        })
    }

    /// Begins the sequence where there is none; the one that is there now. Without a seed it begins nothing.
    pub async fn seed(
        &self,
        deadline: Deadline,
        seed: impl Into<Option<Sequence>>,
    ) -> Result<Option<Sequence>, Fault> {
        let seed = seed
            .into()
            .map_or_else(|| "0".to_owned(), |seed: Sequence| seed.to_string());
        let mut said = self
            .run(
                deadline,
                Script::Seed,
                vec![self.keys.sequence.clone()],
                vec![seed],
            )
            .await?;
        Ok(said.next().flatten().as_deref().and_then(Sequence::parse))
    }

    /// The last records of the log, oldest first.
    pub async fn log(&self, deadline: Deadline, count: u64) -> Result<Vec<LogRecord>, Fault> {
        let said = self
            .run(
                deadline,
                Script::Log,
                vec![self.keys.log.clone()],
                vec![count.to_string()],
            )
            .await?;
        let texts: Vec<String> = said.map(Option::unwrap_or_default).collect();
        let record = |texts: &[String]| {
            Some(LogRecord {
                previous: Sequence::parse(&texts[0]),
                sequence: Sequence::parse(&texts[1])?,
                scope: Scope::parse(&texts[2]),
                notes: Notes::parse(&texts[3]),
            })
        };
        Ok(texts.chunks_exact(4).rev().filter_map(record).collect())
    }

    /// What is under these keys. Others' looks of the same time share the command.
    pub async fn look(
        &self,
        deadline: Deadline,
        keys: Vec<String>,
    ) -> Result<Vec<Option<String>>, Fault> {
        self.looks.ask(deadline, keys).await
    }

    /// Asks to load a value for all instances, by the key of its claim. False: another one does, and has not had `term` for it
    /// yet. Saves loads, and nothing depends on it.
    pub async fn claim(
        &self,
        deadline: Deadline,
        key: &str,
        term: Duration,
    ) -> Result<bool, Fault> {
        self.claims.ask(deadline, (key.to_owned(), term)).await
    }

    /// Gives up a claim.
    pub async fn release(&self, deadline: Deadline, key: &str) -> Result<(), Fault> {
        self.guard
            .one(deadline, Command::plain(&["DEL", key]))
            .await
            .map(drop)
    }

    /// Stores a value if nothing that it depends on was invalidated since its source was asked. Whether it was stored.
    pub async fn fill(&self, deadline: Deadline, filling: Filling) -> Result<bool, Fault> {
        self.fills.ask(deadline, filling).await
    }

    pub async fn invalidate(
        &self,
        deadline: Deadline,
        invalidation: Invalidation,
    ) -> Result<Committed, Fault> {
        let keys = &self.keys;
        let mut all = vec![
            keys.sequence.clone(),
            keys.log.clone(),
            keys.members.clone(),
        ];
        all.extend(invalidation.generations.iter().map(|(key, _)| key.clone()));
        all.extend(invalidation.drops);
        let claimed_ms = invalidation
            .claim
            .as_ref()
            .map_or(0, |(_, term)| term.as_millis());
        all.extend(invalidation.claim.map(|(key, _)| key));
        let asked = Notes {
            acknowledge: invalidation.acknowledge,
            ..Notes::default()
        };
        let mut arguments = vec![
            invalidation.seed.to_string(),
            invalidation.scope.to_text(),
            asked.to_text(),
            claimed_ms.to_string(),
            invalidation.generations.len().to_string(),
        ];
        arguments.extend(
            invalidation
                .generations
                .iter()
                .map(|(_, seconds)| seconds.to_string()),
        );
        let command = Command::Run {
            script: Script::Invalidate,
            keys: all,
            arguments,
        };
        let replies = self.guard.send_always(deadline, vec![command]).await?;
        let mut said = scripted(only(replies)?, &self.guard.commands)?;
        let mut next = || said.next().flatten().unwrap_or_default();
        let (previous, sequence, notes) = (next(), next(), next());
        let record = LogRecord {
            previous: Sequence::parse(&previous),
            sequence: Sequence::parse(&sequence).ok_or(Fault::Malformed {
                expected: "a sequence",
            })?,
            scope: invalidation.scope,
            notes: Notes::parse(&notes),
        };
        let fields: Vec<String> = said.map(Option::unwrap_or_default).collect();
        Ok(Committed {
            record,
            roster: Roster::of(&fields),
        })
    }

    /// Tells all instances that listen.
    pub async fn publish(&self, deadline: Deadline, line: &str) -> Result<(), Fault> {
        let command = Command::plain(&["PUBLISH", &self.keys.events, line]);
        self.guard.one(deadline, command).await.map(drop)
    }

    /// An instance says how it stands.
    pub async fn list(&self, deadline: Deadline, id: &str, line: &str) -> Result<(), Fault> {
        let command = Command::plain(&["HSET", &self.keys.members, id, line]);
        self.guard.one(deadline, command).await.map(drop)
    }

    /// The list of members.
    pub async fn roster(&self, deadline: Deadline) -> Result<Roster, Fault> {
        let command = Command::plain(&["HGETALL", &self.keys.members]);
        let fields = self.guard.one(deadline, command).await?.texts()?;
        let fields: Vec<String> = fields.into_iter().map(Option::unwrap_or_default).collect();
        Ok(Roster::of(&fields))
    }

    /// The fields of these members, in their order; `None` for one that is not listed any more.
    pub async fn fields(
        &self,
        deadline: Deadline,
        ids: &[String],
    ) -> Result<Vec<Option<String>>, Fault> {
        let mut words = vec!["HMGET".to_owned(), self.keys.members.clone()];
        words.extend_from_slice(ids);
        let fields = self
            .guard
            .one(deadline, Command::Plain(words))
            .await?
            .texts()?;
        let expected = "a field for each member";
        (fields.len() == ids.len())
            .then_some(fields)
            .ok_or(Fault::Malformed { expected })
    }

    /// Takes an instance off the list that says so itself.
    pub async fn leave(&self, deadline: Deadline, id: &str) -> Result<(), Fault> {
        let command = Command::plain(&["HDEL", &self.keys.members, id]);
        self.guard.one(deadline, command).await.map(drop)
    }

    /// Takes the next step to remove a member whose field is still this one. The field as it is marked now, after the first step.
    pub async fn expel(
        &self,
        deadline: Deadline,
        seed: Sequence,
        id: &str,
        field: &str,
    ) -> Result<Option<String>, Fault> {
        let keys = [&self.keys.sequence, &self.keys.log, &self.keys.members].map(String::clone);
        let arguments = vec![seed.to_string(), id.to_owned(), field.to_owned()];
        let mut said = self
            .run(deadline, Script::Expel, keys.into(), arguments)
            .await?;
        Ok(said.next().flatten().filter(|marked| !marked.is_empty()))
    }

    /// The list says that it is whole, if it still says this.
    pub async fn settle(&self, deadline: Deadline, unsettled: &str) -> Result<(), Fault> {
        let keys = vec![self.keys.members.clone()];
        self.run(deadline, Script::Settle, keys, vec![unsettled.to_owned()])
            .await
            .map(drop)
    }

    /// Asks for how long it still has a value, breaker or not.
    pub async fn probe(&self, deadline: Deadline, key: &str) -> Result<Probe, Fault> {
        let sent_at = self.guard.clock.monotonic();
        let command = Command::plain(&["TTL", key]);
        let ttl = only(self.guard.send_always(deadline, vec![command]).await?)?.integer()?;
        Ok(Probe {
            latency: self.guard.clock.monotonic().saturating_sub(sent_at),
            // -2: no such key, -1: no expiry.
            ttl_seconds: u64::try_from(ttl).ok(),
        })
    }

    /// A plain value under a key of the caller's choice.
    pub async fn get(&self, deadline: Deadline, key: &str) -> Result<Option<String>, Fault> {
        self.guard
            .one(deadline, Command::plain(&["GET", key]))
            .await?
            .text()
    }

    pub async fn set(
        &self,
        deadline: Deadline,
        key: &str,
        value: &str,
        ttl_seconds: u32,
    ) -> Result<(), Fault> {
        let command = Command::plain(&["SET", key, value, "EX", &ttl_seconds.to_string()]);
        self.guard.one(deadline, command).await.map(drop)
    }

    /// Whether there was something to delete.
    pub async fn del(&self, deadline: Deadline, key: &str) -> Result<bool, Fault> {
        let deleted = self
            .guard
            .one(deadline, Command::plain(&["DEL", key]))
            .await?;
        Ok(deleted.integer()? > 0)
    }

    async fn run(
        &self,
        deadline: Deadline,
        script: Script,
        keys: Vec<String>,
        arguments: Vec<String>,
    ) -> Result<std::vec::IntoIter<Option<String>>, Fault> {
        let command = Command::Run {
            script,
            keys,
            arguments,
        };
        scripted(
            self.guard.one(deadline, command).await?,
            &self.guard.commands,
        )
    }
}

/// Looks for what is under some keys.
struct Look(Arc<Guard>);

#[async_trait]
impl Bulk for Look {
    type Ask = Vec<String>;
    type Answer = Vec<Option<String>>;
    const ROOM: usize = 100;

    fn size(_: &Vec<String>) -> usize {
        1
    }

    async fn send(
        &self,
        deadline: Deadline,
        asks: &[Vec<String>],
    ) -> Result<Vec<Self::Answer>, Fault> {
        let mut places = HashMap::new();
        let mut words = vec!["MGET".to_owned()];
        for key in asks.iter().flatten() {
            places.entry(key).or_insert_with(|| {
                words.push(key.clone());
                words.len() - 2
            });
        }
        let count = words.len() - 1;
        let found = self.0.one(deadline, Command::Plain(words)).await?.texts()?;
        if found.len() != count {
            return Err(Fault::Malformed {
                expected: "a value for each key",
            });
        }
        let of = |ask: &Vec<String>| ask.iter().map(|key| found[places[key]].clone()).collect();
        Ok(asks.iter().map(of).collect())
    }
}

/// Claims to load values.
struct Claim(Arc<Guard>);

#[async_trait]
impl Bulk for Claim {
    /// A key, and for how long.
    type Ask = (String, Duration);
    type Answer = bool;
    const ROOM: usize = 1000;

    fn size(_: &Self::Ask) -> usize {
        1
    }

    async fn send(&self, deadline: Deadline, asks: &[Self::Ask]) -> Result<Vec<bool>, Fault> {
        let command = |(key, term): &Self::Ask| {
            let ms = term.as_millis().max(1).to_string();
            Command::plain(&["SET", key, "1", "PX", &ms, "NX"])
        };
        let replies = self
            .0
            .send(deadline, asks.iter().map(command).collect())
            .await?;
        replies
            .into_iter()
            .map(|reply| Ok(reply? != Reply::Nil))
            .collect()
    }
}

/// Writes loaded values; knows the key of the sequence.
struct Fill(Arc<Guard>, String);

#[async_trait]
impl Bulk for Fill {
    type Ask = Filling;
    type Answer = bool;
    /// Bytes.
    const ROOM: usize = 512 << 10;

    fn size(filling: &Filling) -> usize {
        filling.record.content.len() + 1024
    }

    async fn send(&self, deadline: Deadline, asks: &[Filling]) -> Result<Vec<bool>, Fault> {
        let (mut keys, mut arguments) = (vec![self.1.clone()], Vec::new());
        for filling in asks {
            let (own, record) = (&filling.keys, &filling.record);
            keys.extend([&own.value, &own.version, &own.config].map(String::clone));
            keys.extend(own.generations.iter().map(|(key, _)| key.clone()));
            arguments.push(filling.fence.len().to_string());
            arguments
                .extend([&*record.content, &record.version, &record.config].map(str::to_owned));
            arguments.push(filling.ttl_seconds.to_string());
            for ((_, kept), generation) in own.generations.iter().zip(&filling.fence) {
                arguments.extend([generation.as_str().to_owned(), kept.to_string()]);
            }
        }
        let command = Command::Run {
            script: Script::Fill,
            keys,
            arguments,
        };
        let stored = scripted(self.0.one(deadline, command).await?, &self.0.commands)?;
        let stored: Vec<bool> = stored.map(|text| text.as_deref() == Some("1")).collect();
        let expected = "a 0 or 1 for each value";
        (stored.len() == asks.len())
            .then_some(stored)
            .ok_or(Fault::Malformed { expected })
    }
}
