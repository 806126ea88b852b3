//! A link to one Redis: commands go in, replies come out. What the commands are for is not its business.

use crate::error::Fault;
use crate::http::Deadline;
use async_trait::async_trait;

/// A script of this package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    Invalidate,
    Fill,
    Seed,
    Log,
    Expel,
    Settle,
}

impl Script {
    #[cfg(feature = "testing")]
    pub const ALL: [Script; 6] = [
        Script::Invalidate,
        Script::Fill,
        Script::Seed,
        Script::Log,
        Script::Expel,
        Script::Settle,
    ];

    /// In Lua. Its answer is a list that begins with how many commands it took.
    pub fn text(self) -> &'static str {
        match self {
            Script::Invalidate => concat!(
                include_str!("scripts/advance.lua"),
                include_str!("scripts/invalidate.lua")
            ),
            Script::Expel => concat!(
                include_str!("scripts/advance.lua"),
                include_str!("scripts/expel.lua")
            ),
            Script::Fill => include_str!("scripts/fill.lua"),
            Script::Seed => include_str!("scripts/seed.lua"),
            Script::Log => include_str!("scripts/log.lua"),
            Script::Settle => include_str!("scripts/settle.lua"),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Plain(Vec<String>),
    Run {
        script: Script,
        keys: Vec<String>,
        arguments: Vec<String>,
    },
}

impl Command {
    pub fn plain(words: &[&str]) -> Self {
        Command::Plain(words.iter().map(|&word| word.to_owned()).collect())
    }

    /// Whether it may change something, so that a replica must not answer it.
    pub fn writes(&self) -> bool {
        match self {
            Command::Plain(words) => !matches!(
                &*words[0],
                "GET" | "MGET" | "TTL" | "HGETALL" | "HMGET" | "PUBLISH"
            ),
            Command::Run { .. } => true,
        }
    }

    /// The words of a command that carries the script with it: a few hundred bytes, so that EVALSHA would save nothing.
    pub fn into_words(self) -> Vec<String> {
        match self {
            Command::Plain(words) => words,
            Command::Run {
                script,
                keys,
                arguments,
            } => {
                let mut words = vec![
                    "EVAL".to_owned(),
                    script.text().to_owned(),
                    keys.len().to_string(),
                ];
                words.extend(keys);
                words.extend(arguments);
                words
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Nil,
    Integer(i64),
    Text(String),
    List(Vec<Reply>),
}

impl Reply {
    /// A text, or a number as one; `None` where there is none.
    pub fn text(self) -> Result<Option<String>, Fault> {
        match self {
            Reply::Nil => Ok(None),
            Reply::Text(text) => Ok(Some(text)),
            Reply::Integer(number) => Ok(Some(number.to_string())),
            Reply::List(_) => Err(Fault::Malformed {
                expected: "a string",
            }),
        }
    }

    pub fn integer(self) -> Result<i64, Fault> {
        let number = self.text()?.and_then(|text| text.parse().ok());
        number.ok_or(Fault::Malformed {
            expected: "a number",
        })
    }

    /// A list of texts.
    pub fn texts(self) -> Result<Vec<Option<String>>, Fault> {
        match self {
            Reply::List(items) => items.into_iter().map(Reply::text).collect(),
            _ => Err(Fault::Malformed { expected: "a list" }),
        }
    }
}

/// What each of several commands came to.
pub type Replies = Vec<Result<Reply, Fault>>;

#[async_trait]
pub trait Link: Send + Sync {
    /// Has these commands done in this order, in one round trip, by the deadline; nobody else's are done between them. Fails as a whole
    /// if no answer came (they may have been done all the same), or if the store took none of them (`Rejected`).
    async fn send(&self, deadline: Deadline, commands: Vec<Command>) -> Result<Replies, Fault>;

    /// What another instance has to present to be answered no older state than this one was.
    fn sync_token(&self) -> Option<String> {
        None
    }

    /// Another instance was answered this token.
    fn present(&self, _token: &str) {}
}
