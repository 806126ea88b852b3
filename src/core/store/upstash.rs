//! Upstash Redis over its REST protocol: one POST with a JSON array per command.
//!
//! Plain JSON answers, without `Upstash-Encoding: base64`: everything this package writes is UTF-8, and a stranger's bytes
//! that are not come back altered, fail the hash and count as a miss. Scripts go as EVAL with their text: they are a few
//! hundred bytes and run once per invalidation, so EVALSHA and its NOSCRIPT case would save nothing.

use crate::core::error::Fault;
use crate::core::fleet::{List, Roll, Standing};
use crate::core::http::{Deadline, Http, Reply};
use crate::core::protocol::{Announcement, Generation, Keys, Marks, Record, Snapshot};
use crate::core::stats::Counter;
use crate::core::store::shelves::{Filling, MINTED_FOR, Opened, Shelves};
use crate::core::store::sync::{Access, Sync};
use crate::core::store::{Fill, KeyValue, Probe, Register, Store};
use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const SYNC_TOKEN: &str = "upstash-sync-token";
const FILL: &str = include_str!("fill.lua");
const INVALIDATE: &str = include_str!("invalidate.lua");
const MINT_ALL: &str = include_str!("mint_all.lua");
const CLAIM_ALL: &str = include_str!("claim_all.lua");
const FILL_ALL: &str = include_str!("fill_all.lua");
const OPEN: &str = include_str!("open.lua");
const ENLIST: &str = include_str!("enlist.lua");
const MEMBERS: &str = include_str!("members.lua");
const STRIKE: &str = include_str!("strike.lua");

const VALUES_ASKED_FOR: &str = "an array of the values asked for";

pub struct Upstash {
    http: Http,
    url: Url,
    token: String,
    keys: Keys,
    /// Protects the sync token to send. Never held across `.await`.
    sync: Mutex<Sync>,
    /// Commands that were sent, and those inside scripts.
    commands: Counter,
}

/// What came of a command.
struct Exchanged {
    value: Value,
    /// The command's number.
    number: u64,
    /// The sync token that came with it.
    token: Option<HeaderValue>,
}

impl Upstash {
    pub fn new(http: Http, url: Url, token: String, keys: Keys) -> Self {
        Upstash {
            http,
            url,
            token,
            keys,
            sync: Mutex::default(),
            commands: Counter::default(),
        }
    }

    async fn command(
        &self,
        deadline: Deadline,
        access: Access,
        command: Value,
    ) -> Result<Value, Fault> {
        let exchanged = self.exchange(deadline, access, command).await?;
        Ok(exchanged.value)
    }

    async fn exchange(
        &self,
        deadline: Deadline,
        access: Access,
        command: Value,
    ) -> Result<Exchanged, Fault> {
        let body = command.to_string();
        self.commands.increment();
        let (number, sync_token) = self.sync().send();
        let reply = self
            .http
            .exchange(deadline, |client| {
                let request = client
                    .post(self.url.clone())
                    .bearer_auth(&self.token)
                    .header(CONTENT_TYPE, "application/json")
                    .body(body.clone());
                match &sync_token {
                    Some(token) => request.header(SYNC_TOKEN, token),
                    None => request,
                }
            })
            .await?;
        let token = reply.headers.get(SYNC_TOKEN);
        let token = token.filter(|token| !token.is_empty());
        if let Some(token) = token {
            self.sync().keep(token, number, access);
        }
        Ok(Exchanged {
            value: result(&reply)?,
            number,
            token: token.cloned(),
        })
    }

    /// The values of these keys at one moment.
    async fn values<const N: usize>(
        &self,
        deadline: Deadline,
        keys: [&str; N],
    ) -> Result<[Option<String>; N], Fault> {
        let mut command = vec!["MGET"];
        command.extend(keys);
        texts_of(&self.command(deadline, Access::Read, json!(command)).await?)
    }

    /// This command opened a generation.
    fn committed(&self, exchanged: &Exchanged, generation: &Generation) {
        if let Some(token) = &exchanged.token {
            self.sync().committed(token, exchanged.number, generation);
        }
    }

    fn sync(&self) -> MutexGuard<'_, Sync> {
        // A panic under this lock leaves a token that is whole all the same.
        self.sync.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script_keys(&self) -> [&str; 4] {
        [
            &self.keys.generation,
            &self.keys.active,
            &self.keys.version,
            &self.keys.config,
        ]
    }
}

#[async_trait]
impl Store for Upstash {
    async fn read(&self, deadline: Deadline, reader: &str) -> Result<Snapshot, Fault> {
        let Keys {
            active,
            version,
            config,
            generation,
            ..
        } = &self.keys;
        let instance = self.keys.instance(reader);
        let keys = [&**active, version, config, generation, &instance];
        let [active, _version, config, generation, standing] = self.values(deadline, keys).await?;
        Ok(Snapshot {
            active,
            config,
            generation: generation.map(Generation::new),
            listed: standing.is_some(),
        })
    }

    async fn marks(&self, deadline: Deadline, reader: &str) -> Result<Marks, Fault> {
        let instance = self.keys.instance(reader);
        let keys = [&*self.keys.version, &self.keys.generation, &instance];
        let [version, generation, standing] = self.values(deadline, keys).await?;
        Ok(Marks {
            version,
            generation: generation.map(Generation::new),
            listed: standing.is_some(),
        })
    }

    async fn remaining(&self, deadline: Deadline) -> Result<Option<Duration>, Fault> {
        let command = json!(["PTTL", self.keys.active]);
        let remaining = self.command(deadline, Access::Read, command).await?;
        match remaining.as_i64() {
            // -2: no such key. -1: no expiry, so a stranger wrote it, and what this package wrote is gone.
            Some(-2 | -1) => Ok(None),
            Some(ms) if ms >= 0 => Ok(Some(Duration::from_millis(ms.unsigned_abs()))),
            _ => Err(Fault::Malformed {
                expected: "a number of milliseconds",
            }),
        }
    }

    async fn claim(&self, deadline: Deadline, term: Duration) -> Result<bool, Fault> {
        self.claim_at(deadline, &self.keys.loader, term).await
    }

    async fn release(&self, deadline: Deadline) -> Result<(), Fault> {
        self.release_at(deadline, &self.keys.loader).await
    }

    async fn mint(&self, deadline: Deadline, now_ms: u64) -> Result<Generation, Fault> {
        let minted = now_ms.to_string();
        let set = self
            .command(
                deadline,
                Access::Write,
                json!(["SET", self.keys.generation, minted, "NX"]),
            )
            .await?;
        if !set.is_null() {
            return Ok(Generation::new(minted));
        }
        let current = self
            .command(deadline, Access::Read, json!(["GET", self.keys.generation]))
            .await?;
        text(&current)?
            .map(Generation::new)
            .ok_or(Fault::Malformed {
                expected: "a generation, after one was set",
            })
    }

    async fn fill(
        &self,
        deadline: Deadline,
        fence: &Generation,
        record: &Record,
        ttl_seconds: u32,
    ) -> Result<Fill, Fault> {
        let [generation, active, version, config] = self.script_keys();
        let command = json!([
            "EVAL",
            FILL,
            4,
            generation,
            active,
            version,
            config,
            fence.as_str(),
            &*record.content,
            record.version,
            record.config,
            ttl_seconds
        ]);
        match self
            .command(deadline, Access::Write, command)
            .await?
            .as_u64()
        {
            Some(1) => {
                self.commands.add(4);
                Ok(Fill::Stored)
            }
            Some(0) => {
                self.commands.add(1);
                Ok(Fill::Refused)
            }
            _ => Err(Fault::Malformed { expected: "0 or 1" }),
        }
    }

    async fn invalidate(
        &self,
        deadline: Deadline,
        now_ms: u64,
        term: Duration,
    ) -> Result<Generation, Fault> {
        let [generation, active, version, config] = self.script_keys();
        let command = json!([
            "EVAL",
            INVALIDATE,
            5,
            generation,
            active,
            version,
            config,
            self.keys.loader,
            now_ms.to_string(),
            term.as_millis() as u64,
        ]);
        let exchanged = self.exchange(deadline, Access::Write, command).await?;
        self.commands.add(4);
        let generation = opened(text(&exchanged.value)?)?;
        self.committed(&exchanged, &generation);
        Ok(generation)
    }

    async fn publish(&self, deadline: Deadline, announcement: &Announcement) -> Result<(), Fault> {
        // It changes no key, so its sync token counts as a read's.
        let command = json!(["PUBLISH", self.keys.events, announcement.to_line()]);
        self.command(deadline, Access::Read, command)
            .await
            .map(drop)
    }

    fn sync_token(&self) -> Option<String> {
        self.sync().newest()
    }

    fn catch_up(&self, announcement: &Announcement) {
        self.sync().announced(announcement);
    }

    async fn probe(&self, deadline: Deadline) -> Result<Probe, Fault> {
        let begun = tokio::time::Instant::now();
        let ttl = self
            .command(deadline, Access::Read, json!(["TTL", self.keys.active]))
            .await?;
        let ttl = ttl.as_i64().ok_or(Fault::Malformed {
            expected: "a number of seconds",
        })?;
        Ok(Probe {
            latency: begun.elapsed(),
            // -2: no such key, -1: no expiry.
            ttl_seconds: u64::try_from(ttl).ok(),
        })
    }

    fn commands(&self) -> u64 {
        self.commands.get()
    }
}

#[async_trait]
impl Register for Upstash {
    async fn enlist(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
        settling: Duration,
    ) -> Result<(), Fault> {
        let command = json!([
            "EVAL",
            ENLIST,
            3,
            self.keys.fleet,
            self.keys.instance(id),
            self.keys.settling,
            id,
            standing.to_line(),
            standing.listed_for().as_secs(),
            // Redis refuses an expiry of zero.
            settling.as_millis().max(1) as u64,
        ]);
        let enlisted = self.command(deadline, Access::Write, command).await?;
        let inside = match enlisted.as_u64() {
            Some(1) => 3,
            Some(0) => 4,
            _ => return Err(Fault::Malformed { expected: "0 or 1" }),
        };
        self.commands.add(inside);
        Ok(())
    }

    async fn restate(
        &self,
        deadline: Deadline,
        id: &str,
        standing: &Standing,
    ) -> Result<bool, Fault> {
        let (key, line) = (self.keys.instance(id), standing.to_line());
        let seconds = standing.listed_for().as_secs();
        let command = json!(["SET", key, line, "EX", seconds, "XX"]);
        let set = self.command(deadline, Access::Write, command).await?;
        Ok(!set.is_null())
    }

    async fn members(&self, deadline: Deadline) -> Result<List, Fault> {
        let command = json!(["EVAL", MEMBERS, 2, self.keys.fleet, self.keys.settling]);
        let answer = self.command(deadline, Access::Read, command).await?;
        self.commands.add(2);
        let mut members = texts(&answer)?.into_iter().flatten();
        let settling = members.next().ok_or(Fault::Malformed {
            expected: "a list of instances",
        })?;
        Ok(List {
            settling: settling != "0",
            // A name that somebody else put there is nobody's.
            ids: members.filter(|id| is_id(id)).collect(),
        })
    }

    async fn roll(&self, deadline: Deadline, ids: &[String]) -> Result<Roll, Fault> {
        let mut command = vec!["MGET".to_owned()];
        command.push(self.keys.generation.clone());
        command.extend(ids.iter().map(|id| self.keys.instance(id)));
        let answer = self.command(deadline, Access::Read, json!(command)).await?;
        let mut values = texts(&answer)?.into_iter();
        let generation = values.next().flatten();
        let standings: Vec<_> = values
            .map(|value| value.as_deref().and_then(Standing::parse))
            .collect();
        if standings.len() != ids.len() {
            return Err(Fault::Malformed {
                expected: VALUES_ASKED_FOR,
            });
        }
        Ok(Roll {
            generation: generation.map(Generation::new),
            standings,
        })
    }

    async fn strike(&self, deadline: Deadline, ids: &[String]) -> Result<(), Fault> {
        let mut command = vec![json!("EVAL"), json!(STRIKE), json!(ids.len() + 1)];
        command.push(json!(self.keys.fleet));
        command.extend(ids.iter().map(|id| json!(self.keys.instance(id))));
        command.extend(ids.iter().map(|id| json!(id)));
        let command = self.command(deadline, Access::Write, json!(command));
        self.commands.add(command.await?.as_u64().unwrap_or(0));
        Ok(())
    }

    async fn leave(&self, deadline: Deadline, id: &str) -> Result<(), Fault> {
        let silence = json!(["DEL", self.keys.instance(id)]);
        self.command(deadline, Access::Write, silence).await?;
        self.strike(deadline, &[id.to_owned()]).await
    }
}

#[async_trait]
impl Shelves for Upstash {
    async fn values(
        &self,
        deadline: Deadline,
        keys: &[String],
    ) -> Result<Vec<Option<String>>, Fault> {
        let mut command = vec!["MGET"];
        command.extend(keys.iter().map(String::as_str));
        let answer = self.command(deadline, Access::Read, json!(command)).await?;
        let values = texts(&answer)?;
        if values.len() != keys.len() {
            return Err(Fault::Malformed {
                expected: VALUES_ASKED_FOR,
            });
        }
        Ok(values)
    }

    async fn mint_all(
        &self,
        deadline: Deadline,
        keys: &[String],
        now_ms: u64,
    ) -> Result<Vec<Generation>, Fault> {
        let kept_ms = MINTED_FOR.as_millis() as u64;
        let mut command = vec![json!("EVAL"), json!(MINT_ALL), json!(keys.len())];
        command.extend(keys.iter().map(|key| json!(key)));
        command.extend([json!(now_ms.to_string()), json!(kept_ms)]);
        let minted = self
            .command(deadline, Access::Write, json!(command))
            .await?;
        let mut minted = texts(&minted)?;
        let commands = minted.pop().flatten();
        self.commands
            .add(commands.and_then(|count| count.parse().ok()).unwrap_or(0));
        let generations: Option<Vec<_>> = minted
            .into_iter()
            .map(|text| text.map(Generation::new))
            .collect();
        generations
            .filter(|generations| generations.len() == keys.len())
            .ok_or(Fault::Malformed {
                expected: "generations, after they were set",
            })
    }

    async fn claim_at(
        &self,
        deadline: Deadline,
        loader: &str,
        term: Duration,
    ) -> Result<bool, Fault> {
        let command = json!(["SET", loader, "1", "PX", term.as_millis() as u64, "NX"]);
        let set = self.command(deadline, Access::Write, command).await?;
        Ok(!set.is_null())
    }

    async fn release_at(&self, deadline: Deadline, loader: &str) -> Result<(), Fault> {
        let command = json!(["DEL", loader]);
        self.command(deadline, Access::Write, command)
            .await
            .map(drop)
    }

    async fn claim_all(
        &self,
        deadline: Deadline,
        loaders: &[String],
        term: Duration,
    ) -> Result<Vec<bool>, Fault> {
        let mut command = vec![json!("EVAL"), json!(CLAIM_ALL), json!(loaders.len())];
        command.extend(loaders.iter().map(|loader| json!(loader)));
        command.push(json!(term.as_millis() as u64));
        let answer = self
            .command(deadline, Access::Write, json!(command))
            .await?;
        self.commands.add(loaders.len() as u64);
        flags(answer.as_array().map_or(&[], Vec::as_slice), loaders.len())
    }

    async fn fill_at(&self, deadline: Deadline, filling: &Filling) -> Result<Fill, Fault> {
        let filled = self
            .fill_all(deadline, std::slice::from_ref(filling))
            .await?;
        Ok(filled[0])
    }

    async fn fill_all(&self, deadline: Deadline, fillings: &[Filling]) -> Result<Vec<Fill>, Fault> {
        let (mut keys, mut arguments) = (Vec::new(), Vec::new());
        for filling in fillings {
            let own = &filling.keys;
            let own = [&own.value, &own.version, &own.config, &own.loader];
            keys.extend(own.map(|key| json!(key)));
            keys.extend(filling.fences.iter().map(|(key, _)| json!(key)));
            let record = &filling.record;
            arguments.push(json!(filling.fences.len()));
            arguments
                .extend([&*record.content, &record.version, &record.config].map(|it| json!(it)));
            let own_kept = filling.own_kept().as_secs();
            let kept = filling.kept.as_secs();
            arguments.extend([filling.ttl_seconds.into(), own_kept, kept].map(|it| json!(it)));
            let generations = filling.fences.iter();
            arguments.extend(generations.map(|(_, generation)| json!(generation.as_str())));
        }
        let mut command = vec![json!("EVAL"), json!(FILL_ALL), json!(keys.len())];
        command.append(&mut keys);
        command.append(&mut arguments);
        let answer = self
            .command(deadline, Access::Write, json!(command))
            .await?;
        let malformed = Fault::Malformed {
            expected: "a 0 or 1 for each, and a count",
        };
        let (count, stored) = match answer.as_array().and_then(|answer| answer.split_last()) {
            Some((count, stored)) => (count, flags(stored, fillings.len())?),
            None => return Err(malformed),
        };
        self.commands.add(count.as_u64().unwrap_or_default());
        let fill = |stored| if stored { Fill::Stored } else { Fill::Refused };
        Ok(stored.into_iter().map(fill).collect())
    }

    async fn open(
        &self,
        deadline: Deadline,
        now_ms: u64,
        keys: &[String],
        drops: &[String],
        kept: Duration,
    ) -> Result<Opened, Fault> {
        let (marks, all) = (keys.len(), 1 + keys.len() + drops.len());
        let mut command = vec![json!("EVAL"), json!(OPEN), json!(all)];
        command.push(json!(self.keys.generation));
        command.extend(keys.iter().chain(drops).map(|key| json!(key)));
        command.extend([
            json!(now_ms.to_string()),
            json!(marks),
            json!(kept.as_secs()),
            json!(MINTED_FOR.as_secs()),
        ]);
        let exchanged = self
            .exchange(deadline, Access::Write, json!(command))
            .await?;
        let [generation, previous, commands] = texts_of(&exchanged.value)?;
        self.commands
            .add(commands.and_then(|count| count.parse().ok()).unwrap_or(0));
        let generation = opened(generation)?;
        self.committed(&exchanged, &generation);
        Ok(Opened {
            generation,
            previous: previous
                .filter(|text| !text.is_empty())
                .map(Generation::new),
        })
    }
}

#[async_trait]
impl KeyValue for Upstash {
    async fn get(&self, deadline: Deadline, key: &str) -> Result<Option<String>, Fault> {
        text(
            &self
                .command(deadline, Access::Read, json!(["GET", key]))
                .await?,
        )
    }

    async fn set(
        &self,
        deadline: Deadline,
        key: &str,
        value: &str,
        ttl_seconds: u32,
    ) -> Result<(), Fault> {
        self.command(
            deadline,
            Access::Write,
            json!(["SET", key, value, "EX", ttl_seconds]),
        )
        .await
        .map(drop)
    }

    async fn del(&self, deadline: Deadline, key: &str) -> Result<bool, Fault> {
        let deleted = self
            .command(deadline, Access::Write, json!(["DEL", key]))
            .await?;
        deleted
            .as_u64()
            .map(|count| count > 0)
            .ok_or(Fault::Malformed {
                expected: "a count",
            })
    }
}

/// The result of a command, out of the reply's envelope.
pub(crate) fn result(reply: &Reply) -> Result<Value, Fault> {
    match reply.status {
        200 | 400 => {}
        status => return Err(Fault::of_status(status)),
    }
    let Ok(Value::Object(mut envelope)) = serde_json::from_slice(&reply.body) else {
        return Err(match reply.status {
            200 => Fault::Malformed {
                expected: "a JSON object",
            },
            status => Fault::Status { status },
        });
    };
    if let Some(error) = envelope.get("error").filter(|error| !error.is_null()) {
        return Err(rejection(error.as_str().unwrap_or_default()));
    }
    match envelope.remove("result") {
        Some(result) if reply.status == 200 => Ok(result),
        Some(_) => Err(Fault::Status {
            status: reply.status,
        }),
        None => Err(Fault::Malformed {
            expected: "an object with a result",
        }),
    }
}

/// Of the store's words only the class is kept: the rest may quote keys and values.
fn rejection(error: &str) -> Fault {
    // Upstash's texts for a used-up plan, for example `ERR max requests limit exceeded. Limit: 500000, Usage: 500000.`
    if error.starts_with("ERR max") && error.contains("limit exceeded")
        || error.contains("quota exceeded")
    {
        return Fault::QuotaExceeded;
    }
    let code = error.split_whitespace().next().unwrap_or_default();
    let known =
        !code.is_empty() && code.len() <= 16 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    Fault::Rejected {
        code: if known { code } else { "an error" }.to_owned(),
    }
}

/// So many ones and zeros.
fn flags(answer: &[Value], count: usize) -> Result<Vec<bool>, Fault> {
    let flag = |value: &Value| match value.as_u64() {
        Some(1) => Some(true),
        Some(0) => Some(false),
        _ => None,
    };
    let flags: Option<Vec<_>> = answer.iter().map(flag).collect();
    flags
        .filter(|flags| flags.len() == count)
        .ok_or(Fault::Malformed {
            expected: "a 0 or 1 for each",
        })
}

/// The generation that a script gave back.
fn opened(text: Option<String>) -> Result<Generation, Fault> {
    text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .map(Generation::new)
        .ok_or(Fault::Malformed {
            expected: "a generation",
        })
}

/// The texts of an array of exactly so many.
pub(crate) fn texts_of<const N: usize>(values: &Value) -> Result<[Option<String>; N], Fault> {
    texts(values)?.try_into().map_err(|_| Fault::Malformed {
        expected: VALUES_ASKED_FOR,
    })
}

fn texts(values: &Value) -> Result<Vec<Option<String>>, Fault> {
    let values = values.as_array().ok_or(Fault::Malformed {
        expected: VALUES_ASKED_FOR,
    })?;
    values.iter().map(text).collect()
}

/// Whether it may be the id of an instance.
fn is_id(id: &str) -> bool {
    id.len() <= 64 && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn text(value: &Value) -> Result<Option<String>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        // Some servers give a counter back as a number.
        Value::Number(number) => Ok(Some(number.to_string())),
        _ => Err(Fault::Malformed {
            expected: "a string",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderMap;

    fn answer(status: u16, body: &str) -> Reply {
        Reply {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    #[test]
    fn an_answer_is_a_result_or_a_fault_of_one_class() {
        assert_eq!(result(&answer(200, r#"{"result":null}"#)), Ok(Value::Null));
        assert_eq!(
            result(&answer(200, r#"{"result":1,"error":null}"#)),
            Ok(json!(1))
        );
        assert_eq!(
            result(&answer(200, r#"{"result":[1,"2"]}"#)),
            Ok(json!([1, "2"]))
        );
        for (status, body, class) in [
            (
                401,
                r#"{"error":"WRONGPASS invalid or missing auth token"}"#,
                "unauthorized",
            ),
            (403, "", "unauthorized"),
            (429, "slow down", "quota"),
            (
                400,
                r#"{"error":"ERR max requests limit exceeded. Limit: 500000, Usage: 500000."}"#,
                "quota",
            ),
            (
                400,
                r#"{"error":"ERR DB capacity quota exceeded"}"#,
                "quota",
            ),
            (
                200,
                r#"{"error":"ERR max daily request limit exceeded. Limit: 10000, Usage: 10001."}"#,
                "quota",
            ),
            (
                400,
                r#"{"error":"WRONGTYPE Operation against a key"}"#,
                "rejected",
            ),
            (400, "<html>", "status"),
            (400, r#"{"result":1}"#, "status"),
            (502, "<html>Bad Gateway</html>", "status"),
            (204, "", "status"),
            (200, "<html>", "malformed"),
            (200, "", "malformed"),
            (200, r#"{"resul"#, "malformed"),
            (200, "[]", "malformed"),
            (200, "{}", "malformed"),
            (200, r#"{"error":null}"#, "malformed"),
        ] {
            let fault = result(&answer(status, body)).expect_err(body);
            assert_eq!(fault.class(), class, "{status} {body}");
        }
    }

    #[test]
    fn of_the_stores_words_only_the_code_is_kept() {
        let message = rejection("WRONGTYPE canary").to_string()
            + &rejection("canary").to_string()
            + &rejection("").to_string();
        assert!(
            message.contains("WRONGTYPE") && !message.contains("canary"),
            "{message}"
        );
    }
}
