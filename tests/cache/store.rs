//! The embedded store behind a link that can be cut, and that counts.

use async_trait::async_trait;
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::{CONTENT_CAP_BYTES, Deadline};
use grove_shared_cache::protocol::{Generation, Sequence};
use grove_shared_cache::push::{Channel, Subscription};
use grove_shared_cache::store::{Command, Link, Replies, Reply, Script};
use grove_shared_cache::testing::embedded::Embedded;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

pub const PREFIX: &str = "test";
/// The sequence of a store that a test begins with.
pub const FIRST_SEQUENCE: u64 = 1000;

/// A key of the prompt.
pub fn prompt_key(part: &str) -> String {
    format!("{PREFIX}:system-prompt:{part}")
}

pub struct TestLink {
    pub store: Embedded,
    pub down: AtomicBool,
    /// Whether fills and claims are refused, as by a token that may only read.
    pub refuses_fills: AtomicBool,
    /// An answer of more values than this is too large.
    pub most_values: AtomicUsize,
    /// What one exchange takes.
    pub latency: Mutex<Duration>,
    pub announcements: Arc<Announcements>,
    /// The commands so far, by their first word or their script.
    sent: Mutex<Vec<String>>,
}

impl TestLink {
    pub fn new(store: Embedded) -> Arc<Self> {
        let link = TestLink {
            store,
            down: AtomicBool::new(false),
            refuses_fills: AtomicBool::new(false),
            most_values: AtomicUsize::new(usize::MAX),
            latency: Mutex::default(),
            announcements: Arc::default(),
            sent: Mutex::default(),
        };
        let sequence = FIRST_SEQUENCE.to_string();
        link.put(&format!("{PREFIX}:sequence"), Some(&sequence));
        Arc::new(link)
    }

    pub fn is_down(&self, down: bool) {
        self.down.store(down, SeqCst);
    }

    /// How many commands of this name were sent.
    pub fn count(&self, name: &str) -> usize {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|sent| *sent == name).count()
    }

    pub fn commands(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    fn run(&self, words: &[&str]) -> Reply {
        let replies = self.store.run(vec![Command::plain(words)]);
        replies.into_iter().next().unwrap().unwrap()
    }

    /// What is stored at a key, past the link.
    pub fn get(&self, key: &str) -> Option<String> {
        self.run(&["GET", key]).text().unwrap()
    }

    pub fn put(&self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.run(&["SET", key, value, "EX", "1000000"]),
            None => self.run(&["DEL", key]),
        };
    }

    pub fn stored_prompt(&self) -> Option<String> {
        self.get(&prompt_key("active"))
    }

    pub fn generation(&self) -> Option<Generation> {
        self.get(&prompt_key("generation")).map(Generation::new)
    }

    pub fn sequence(&self) -> Option<Sequence> {
        Sequence::parse(&self.get(&format!("{PREFIX}:sequence"))?)
    }

    /// The ids of the members.
    pub fn members(&self) -> Vec<String> {
        let fields = self.run(&["HGETALL", &format!("{PREFIX}:members")]);
        let fields = fields.texts().unwrap().into_iter().flatten();
        fields.step_by(2).filter(|id| id != "~").collect()
    }

    fn answer(&self, command: Command) -> Result<Reply, Fault> {
        match &command {
            Command::Run {
                script: Script::Fill,
                ..
            } if self.refuses_fills.load(SeqCst) => return Err(Fault::QuotaExceeded),
            Command::Plain(words) => match words[0].as_str() {
                "SET" if self.refuses_fills.load(SeqCst) => return Err(Fault::QuotaExceeded),
                "PUBLISH" => self.announcements.say(&words[2]),
                "MGET" => {
                    let values = words.iter().filter(|word| word.ends_with(":value"));
                    if values.count() > self.most_values.load(SeqCst) {
                        let cap_bytes = CONTENT_CAP_BYTES;
                        return Err(Fault::TooLarge { cap_bytes });
                    }
                }
                _ => {}
            },
            Command::Run { .. } => {}
        }
        self.store.run(vec![command]).remove(0)
    }
}

fn name(command: &Command) -> String {
    match command {
        Command::Plain(words) => words[0].clone(),
        Command::Run { script, .. } => format!("{script:?}"),
    }
}

#[async_trait]
impl Link for TestLink {
    async fn send(&self, _: Deadline, commands: Vec<Command>) -> Result<Replies, Fault> {
        self.sent.lock().unwrap().extend(commands.iter().map(name));
        let latency = *self.latency.lock().unwrap();
        if !latency.is_zero() {
            sleep(latency).await;
        }
        if self.down.load(SeqCst) {
            return Err(Fault::Unreachable);
        }
        Ok(commands.into_iter().map(|it| self.answer(it)).collect())
    }
}

/// The channel that all instances listen to.
#[derive(Default)]
pub struct Announcements(Mutex<Vec<mpsc::UnboundedSender<String>>>);

impl Announcements {
    pub fn say(&self, line: &str) {
        for subscriber in self.0.lock().unwrap().iter() {
            let _ = subscriber.send(line.to_owned());
        }
    }
}

pub struct Subscribed(mpsc::UnboundedReceiver<String>);

/// One instance's end of it.
pub struct TestChannel(pub Arc<Announcements>);

#[async_trait]
impl Channel for TestChannel {
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Fault> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.0.lock().unwrap().push(sender);
        Ok(Box::new(Subscribed(receiver)))
    }
}

#[async_trait]
impl Subscription for Subscribed {
    async fn next(&mut self) -> Result<Option<String>, Fault> {
        match self.0.recv().await {
            Some(line) => Ok(Some(line)),
            None => Err(Fault::Interrupted),
        }
    }
}
