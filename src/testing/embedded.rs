//! The store inside one process: what the protocol needs of Redis, for tests and the simulation. Keeps to the same contract as
//! the real one (`tests/store` runs over both).

use crate::clock::Clock;
use crate::error::Fault;
use crate::http::Deadline;
use crate::store::{Command, Link, Replies, Reply, Script};
use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A fault of the scripts, to show that it would be missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A fill is stored whatever was invalidated since.
    UnfencedFill,
    /// Only so many of a value's generations fence it.
    FencedByFirst(usize),
    /// A missing generation fits whoever saw it missing, whatever happened since.
    MissingGenerationsFit,
    /// An invalidation does not notice that the list of members was lost.
    UnnoticedLoss,
    /// A silent member is removed at once.
    ExpelledAtOnce,
    /// The sequence begins where it began before.
    RepeatedSeed,
}

#[derive(Clone)]
enum Item {
    Text(String),
    Hash(Hash),
    /// The four texts of each record, oldest first.
    Log(Vec<[String; 4]>),
}

#[derive(Clone)]
struct Value {
    item: Item,
    /// `None`: does not expire.
    expires_at: Option<Duration>,
}

type Values = HashMap<String, Value>;

#[derive(Clone)]
pub struct Embedded {
    clock: Arc<dyn Clock>,
    flaw: Option<Flaw>,
    /// How many records the log keeps.
    pub log_length: usize,
    /// Protects all values, so that each call is atomic. Never held across `.await`.
    values: Arc<Mutex<Values>>,
}

/// What Redis says of a value of another type.
fn wrong_type() -> Fault {
    Fault::Rejected {
        code: "WRONGTYPE".into(),
    }
}

impl Embedded {
    pub fn new(clock: Arc<dyn Clock>, flaw: Option<Flaw>) -> Self {
        Embedded {
            clock,
            flaw,
            log_length: 1000,
            values: Arc::default(),
        }
    }

    /// What is stored now, on its own from then on: a replica that has come this far.
    pub fn copy(&self) -> Self {
        Embedded {
            values: Arc::new(Mutex::new(self.lock().clone())),
            ..self.clone()
        }
    }

    /// Drops everything, as `FLUSHALL` does.
    pub fn flush(&self) {
        self.lock().clear();
    }

    pub fn evict(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Has the commands done.
    pub fn run(&self, commands: Vec<Command>) -> Replies {
        let mut values = self.lock();
        commands
            .into_iter()
            .map(|command| self.run_one(&mut values, command))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Values> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        values.retain(|_, value| value.expires_at.is_none_or(|at| at > now));
        values
    }

    fn run_one(&self, values: &mut Values, command: Command) -> Result<Reply, Fault> {
        match command {
            Command::Plain(words) => self.plain(values, &words),
            Command::Run {
                script,
                keys,
                arguments,
            } => Ok(match script {
                Script::Invalidate => self.invalidate(values, &keys, &arguments),
                Script::Fill => self.fill(values, &keys, &arguments),
                Script::Seed => self.seed(values, &keys[0], &arguments[0]),
                Script::Log => log(values, &keys[0], &arguments[0]),
                Script::Expel => self.expel(values, &keys, &arguments),
                Script::Settle => settle(values, &keys[0], &arguments[0]),
            }),
        }
    }

    fn plain(&self, values: &mut Values, words: &[String]) -> Result<Reply, Fault> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["GET", key] => match values.get(key).map(|value| &value.item) {
                None => Ok(Reply::Nil),
                Some(Item::Text(text)) => Ok(Reply::Text(text.clone())),
                Some(_) => Err(wrong_type()),
            },
            ["MGET", ref keys @ ..] => {
                let found = keys
                    .iter()
                    .map(|key| text(values, key).map_or(Reply::Nil, Reply::Text));
                Ok(Reply::List(found.collect()))
            }
            ["INCRBY", key, by] => {
                let number = match values.get(key).map(|value| &value.item) {
                    None => Some(0),
                    Some(Item::Text(text)) => integer(text),
                    Some(_) => return Err(wrong_type()),
                };
                let number = number
                    .zip(integer(by))
                    .and_then(|(number, by)| number.checked_add(by));
                let number = number.ok_or(Fault::Rejected { code: "ERR".into() })?;
                self.put(values, key, number.to_string(), None);
                Ok(Reply::Integer(number))
            }
            ["SET", key, content, "EX", seconds] => {
                let seconds = seconds.parse().ok().filter(|&seconds| seconds > 0);
                let ttl = seconds.ok_or(Fault::Rejected { code: "ERR".into() })?;
                let ttl = Some(Duration::from_secs(ttl));
                self.put(values, key, content.to_owned(), ttl);
                Ok(Reply::Text("OK".into()))
            }
            ["SET", key, content, "PX", ms, "NX"] => {
                if values.contains_key(key) {
                    return Ok(Reply::Nil);
                }
                self.put(
                    values,
                    key,
                    content.to_owned(),
                    ms.parse().ok().map(Duration::from_millis),
                );
                Ok(Reply::Text("OK".into()))
            }
            ["DEL", ref keys @ ..] => {
                let count = keys
                    .iter()
                    .filter(|&&key| values.remove(key).is_some())
                    .count();
                Ok(Reply::Integer(count as i64))
            }
            ["TTL", key] => Ok(Reply::Integer(match values.get(key) {
                None => -2,
                // To the nearest second, as Redis does.
                Some(value) => value.expires_at.map_or(-1, |at| {
                    let left = at.saturating_sub(self.clock.monotonic());
                    (left + Duration::from_millis(500)).as_secs() as i64
                }),
            })),
            ["HSET", key, field, content] => {
                let known =
                    hash_to_write(values, key)?.insert(field.to_owned(), content.to_owned());
                Ok(Reply::Integer(i64::from(known.is_none())))
            }
            ["HDEL", key, field] => {
                hash(values, key)?;
                let known = remove_field(values, key, field);
                Ok(Reply::Integer(i64::from(known)))
            }
            ["HGETALL", key] => {
                let pairs = hash(values, key)?.into_iter().flatten();
                let fields = pairs.flat_map(|(field, content)| {
                    [field, content].map(|it| Reply::Text(it.clone()))
                });
                Ok(Reply::List(fields.collect()))
            }
            ["HMGET", key, ref fields @ ..] => {
                let hash = hash(values, key)?;
                let found = fields.iter().map(|&field| {
                    let content = hash.and_then(|it| it.get(field).cloned());
                    content.map_or(Reply::Nil, Reply::Text)
                });
                Ok(Reply::List(found.collect()))
            }
            // Whoever listens is told by the test.
            ["PUBLISH", ..] => Ok(Reply::Integer(0)),
            _ => Err(Fault::Rejected { code: "ERR".into() }),
        }
    }

    fn put(&self, values: &mut Values, key: &str, text: String, ttl: Option<Duration>) {
        let value = Value {
            item: Item::Text(text),
            expires_at: ttl.map(|ttl| self.clock.monotonic() + ttl),
        };
        values.insert(key.to_owned(), value);
    }

    fn keep(&self, values: &mut Values, key: &str, text: &str, seconds: &str) {
        let seconds = seconds.parse().ok().filter(|&seconds| seconds > 0);
        self.put(
            values,
            key,
            text.to_owned(),
            seconds.map(Duration::from_secs),
        );
    }

    fn advance(&self, values: &mut Values, key: &str, seed: &str) -> (String, String) {
        let number = text(values, key).and_then(|text| integer(&text));
        let (sequence, previous) = match number.filter(|number| (1..(1 << 53) - 1).contains(number))
        {
            Some(number) => ((number + 1).to_string(), number.to_string()),
            None => (self.seed_of(seed), String::new()),
        };
        self.put(values, key, sequence.clone(), None);
        (sequence, previous)
    }

    fn seed_of(&self, seed: &str) -> String {
        if self.flaw == Some(Flaw::RepeatedSeed) {
            "1".into()
        } else {
            seed.to_owned()
        }
    }

    fn seed(&self, values: &mut Values, key: &str, seed: &str) -> Reply {
        let is_sequence =
            |text: &String| integer(text).is_some_and(|number| (1..1 << 53).contains(&number));
        let sequence = match text(values, key).filter(is_sequence) {
            Some(found) => found,
            None if seed == "0" => seed.to_owned(),
            None => {
                let seed = self.seed_of(seed);
                self.put(values, key, seed.clone(), None);
                seed
            }
        };
        answer([sequence])
    }

    fn record(&self, values: &mut Values, key: &str, texts: [String; 4]) {
        let mut log = match values.remove(key).map(|value| value.item) {
            Some(Item::Log(log)) => log,
            _ => Vec::new(),
        };
        log.push(texts);
        let excess = log.len().saturating_sub(self.log_length);
        log.drain(..excess);
        let value = Value {
            item: Item::Log(log),
            expires_at: None,
        };
        values.insert(key.to_owned(), value);
    }

    fn invalidate(&self, values: &mut Values, keys: &[String], arguments: &[String]) -> Reply {
        let [seed, scope, notes, claimed_ms, count, kept @ ..] = arguments else {
            unreachable!("the script has five arguments and one for each generation");
        };
        for key in &keys[3..] {
            values.remove(key);
        }
        let (sequence, previous) = self.advance(values, &keys[0], seed);
        let generations = &keys[3..3 + count.parse::<usize>().unwrap_or(0)];
        for (key, seconds) in generations.iter().zip(kept) {
            self.keep(values, key, &sequence, seconds);
        }
        if claimed_ms != "0"
            && let Some(key) = keys.last()
        {
            self.put(
                values,
                key,
                "1".into(),
                claimed_ms.parse().ok().map(Duration::from_millis),
            );
        }
        let (mut notes, mut fields) = (notes.clone(), Vec::new());
        if notes == "ack" {
            if hash(values, &keys[2]).is_err() {
                values.remove(&keys[2]);
            }
            if let Ok(members) = hash_to_write(values, &keys[2]) {
                if !members.contains_key("~") && self.flaw != Some(Flaw::UnnoticedLoss) {
                    notes = "ack lost".into();
                    members.insert("~".into(), sequence.clone());
                }
                fields.extend(
                    members
                        .iter()
                        .flat_map(|(id, field)| [id.clone(), field.clone()]),
                );
                if self.flaw == Some(Flaw::UnnoticedLoss) && !members.contains_key("~") {
                    fields.extend(["~".to_owned(), "whole".to_owned()]);
                }
            }
        }
        let texts = [
            previous.clone(),
            sequence.clone(),
            scope.clone(),
            notes.clone(),
        ];
        self.record(values, &keys[1], texts);
        answer([previous, sequence, notes].into_iter().chain(fields))
    }

    fn fill(&self, values: &mut Values, keys: &[String], arguments: &[String]) -> Reply {
        let (mut keys_left, mut arguments_left) = (&keys[1..], arguments);
        let sequence = text(values, &keys[0]).filter(|text| text != "0");
        let mut stored = Vec::new();
        while !keys_left.is_empty() {
            let count: usize = arguments_left[0].parse().unwrap_or(0);
            let (own, rest) = keys_left.split_at(3 + count);
            let (given, rest_given) = arguments_left.split_at(5 + 2 * count);
            (keys_left, arguments_left) = (rest, rest_given);
            let mut fits = sequence.is_some();
            for (number, key) in own[3..].iter().enumerate() {
                let (seen, kept) = (&given[5 + 2 * number], &given[6 + 2 * number]);
                let generation = text(values, key).or_else(|| {
                    let minted = if self.flaw == Some(Flaw::MissingGenerationsFit) {
                        Some(seen)
                    } else {
                        sequence.as_ref()
                    };
                    let minted = minted.filter(|_| fits)?.clone();
                    self.keep(values, key, &minted, kept);
                    Some(minted)
                });
                let fenced = match self.flaw {
                    Some(Flaw::UnfencedFill) => false,
                    Some(Flaw::FencedByFirst(most)) => number < most,
                    _ => true,
                };
                fits &= !fenced || generation.as_ref() == Some(seen);
            }
            if fits {
                let config = self.stamped(values, &given[3], &own[3..]);
                for (key, content) in own.iter().zip([&given[1], &given[2], &config]) {
                    self.keep(values, key, content, &given[4]);
                }
            }
            stored.push(String::from(if fits { "1" } else { "0" }));
        }
        answer(stored)
    }

    /// A flawed fill stores its value as one of the present generations.
    fn stamped(&self, values: &Values, config: &str, generations: &[String]) -> String {
        let flawed = matches!(self.flaw, Some(Flaw::UnfencedFill | Flaw::FencedByFirst(_)));
        let Ok(mut parsed) = serde_json::from_str::<serde_json::Value>(config) else {
            return config.to_owned();
        };
        if !flawed {
            return config.to_owned();
        }
        let present = generations.iter().map(|key| text(values, key));
        parsed["generations"] = present.collect::<Vec<_>>().into();
        parsed.to_string()
    }

    fn expel(&self, values: &mut Values, keys: &[String], arguments: &[String]) -> Reply {
        let [seed, id, expected] = arguments else {
            unreachable!("the script has three arguments");
        };
        if field(values, &keys[2], id) != Some(expected) {
            return answer([String::new()]);
        }
        if expected.starts_with('-') || self.flaw == Some(Flaw::ExpelledAtOnce) {
            remove_field(values, &keys[2], id);
            if expected.starts_with('-') {
                return answer([String::new()]);
            }
        }
        let (sequence, previous) = self.advance(values, &keys[0], seed);
        let marked = format!("-{sequence} {expected}");
        if self.flaw != Some(Flaw::ExpelledAtOnce)
            && let Ok(members) = hash_to_write(values, &keys[2])
        {
            members.insert(id.clone(), marked.clone());
        }
        self.record(
            values,
            &keys[1],
            [previous, sequence, String::new(), format!("expelled={id}")],
        );
        answer([marked])
    }
}

fn text(values: &Values, key: &str) -> Option<String> {
    match values.get(key).map(|value| &value.item) {
        Some(Item::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A number as Redis reads one: no sign but a minus, no zeros before it.
fn integer(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

type Hash = BTreeMap<String, String>;

/// The hash at this key; `None` if there is nothing.
fn hash<'a>(values: &'a Values, key: &str) -> Result<Option<&'a Hash>, Fault> {
    match values.get(key).map(|value| &value.item) {
        None => Ok(None),
        Some(Item::Hash(hash)) => Ok(Some(hash)),
        Some(_) => Err(wrong_type()),
    }
}

fn field<'a>(values: &'a Values, key: &str, field: &str) -> Option<&'a String> {
    hash(values, key).ok().flatten()?.get(field)
}

/// The hash at this key, which something is put into.
fn hash_to_write<'a>(values: &'a mut Values, key: &str) -> Result<&'a mut Hash, Fault> {
    let value = values.entry(key.to_owned()).or_insert_with(|| Value {
        item: Item::Hash(BTreeMap::new()),
        expires_at: None,
    });
    match &mut value.item {
        Item::Hash(hash) => Ok(hash),
        _ => Err(wrong_type()),
    }
}

/// Whether it was there. A hash without fields is no key.
fn remove_field(values: &mut Values, key: &str, field: &str) -> bool {
    let Some(Item::Hash(hash)) = values.get_mut(key).map(|value| &mut value.item) else {
        return false;
    };
    let was_there = hash.remove(field).is_some();
    if hash.is_empty() {
        values.remove(key);
    }
    was_there
}

fn log(values: &Values, key: &str, count: &str) -> Reply {
    let Some(Item::Log(log)) = values.get(key).map(|value| &value.item) else {
        return answer([]);
    };
    let count = count.parse().unwrap_or(0);
    answer(log.iter().rev().take(count).flatten().cloned())
}

fn settle(values: &mut Values, key: &str, expected: &str) -> Reply {
    if field(values, key, "~").map(String::as_str) == Some(expected)
        && let Ok(members) = hash_to_write(values, key)
    {
        members.insert("~".into(), "whole".into());
    }
    answer([])
}

/// The answer of a script. Commands inside are not counted here.
fn answer(texts: impl IntoIterator<Item = String>) -> Reply {
    let texts = texts.into_iter().map(Reply::Text);
    Reply::List(
        std::iter::once(Reply::Text("0".into()))
            .chain(texts)
            .collect(),
    )
}

#[async_trait]
impl Link for Embedded {
    async fn send(&self, _: Deadline, commands: Vec<Command>) -> Result<Replies, Fault> {
        Ok(self.run(commands))
    }
}
