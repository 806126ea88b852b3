//! The supervisor of the push stream, with channels that follow a script and time that passes at once.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use async_trait::async_trait;
use grove_shared_cache::error::Fault;
use grove_shared_cache::push::{Channel, Listener, Subscription, Supervised};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// What a stream does after it was opened.
#[derive(Clone, Copy)]
enum Habit {
    /// Says what the test sends, and nothing else.
    Silent,
    /// Gives a sign of life every ten seconds.
    Alive,
    EndsAtOnce,
    /// Cannot be opened.
    Refused,
    /// Opening it never ends.
    Hangs,
}

#[derive(Clone)]
struct Script {
    habit: Habit,
    opened: Arc<Mutex<Vec<Instant>>>,
    messages: Arc<Mutex<Vec<mpsc::UnboundedSender<String>>>>,
}

struct Stream {
    habit: Habit,
    messages: mpsc::UnboundedReceiver<String>,
}

#[async_trait]
impl Channel for Script {
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Fault> {
        self.opened.lock().unwrap().push(Instant::now());
        match self.habit {
            Habit::Refused => return Err(Fault::Status { status: 404 }),
            Habit::Hangs => std::future::pending().await,
            Habit::Silent | Habit::Alive | Habit::EndsAtOnce => {}
        }
        let (sender, messages) = mpsc::unbounded_channel();
        self.messages.lock().unwrap().push(sender);
        Ok(Box::new(Stream {
            habit: self.habit,
            messages,
        }))
    }
}

#[async_trait]
impl Subscription for Stream {
    async fn next(&mut self) -> Result<Option<String>, Fault> {
        match self.habit {
            Habit::EndsAtOnce => Err(Fault::Interrupted),
            Habit::Alive => {
                sleep(Duration::from_secs(10)).await;
                Ok(None)
            }
            _ => match self.messages.recv().await {
                Some(message) => Ok(Some(message)),
                None => Err(Fault::Interrupted),
            },
        }
    }
}

#[derive(Default)]
struct Ear {
    connected: AtomicUsize,
    ended: AtomicUsize,
    failed: AtomicUsize,
    heard: Mutex<Vec<String>>,
}

impl Listener for Ear {
    fn connected(&self) {
        self.connected.fetch_add(1, SeqCst);
    }
    fn message(self: Arc<Self>, message: &str) {
        self.heard.lock().unwrap().push(message.to_owned());
    }
    fn ended(&self) {
        self.ended.fetch_add(1, SeqCst);
    }
    fn failed(&self, _: &Fault) {
        self.failed.fetch_add(1, SeqCst);
    }
}

struct Fixture {
    script: Script,
    ear: Arc<Ear>,
    push: Supervised,
}

impl Fixture {
    fn of(habit: Habit) -> Self {
        let script = Script {
            habit,
            opened: Arc::default(),
            messages: Arc::default(),
        };
        let ear = Arc::new(Ear::default());
        let listener = Arc::downgrade(&ear);
        let push = Supervised::start(Arc::new(script.clone()), listener, "test");
        Fixture { script, ear, push }
    }

    /// Somebody reads every second for so long.
    async fn read_for(&self, seconds: u64) {
        for _ in 0..seconds {
            self.push.want();
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn opened(&self) -> usize {
        self.script.opened.lock().unwrap().len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fell_silent_is_opened_anew_within_a_minute() {
    let fixture = Fixture::of(Habit::Silent);
    fixture.read_for(60).await;
    assert_eq!(fixture.opened(), 2);
    assert_eq!(fixture.ear.connected.load(SeqCst), 2);
    assert_eq!(fixture.ear.ended.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_shows_signs_of_life_is_left_open() {
    let fixture = Fixture::of(Habit::Alive);
    fixture.read_for(600).await;
    assert_eq!(fixture.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_readers_no_stream_is_opened_again() {
    let fixture = Fixture::of(Habit::EndsAtOnce);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(fixture.opened(), 0, "nobody has read yet");
    fixture.read_for(1).await;
    let opened = fixture.opened();
    assert!(opened > 0);
    sleep(Duration::from_secs(600)).await;
    assert!(fixture.opened() <= opened + 1, "one read is one stream");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_or_refuses_every_stream_is_asked_less_and_less() {
    for habit in [Habit::EndsAtOnce, Habit::Refused, Habit::Hangs] {
        let fixture = Fixture::of(habit);
        fixture.read_for(600).await;
        let opened = fixture.script.opened.lock().unwrap().clone();
        assert!((15..=60).contains(&opened.len()), "{} times", opened.len());
        let pauses: Vec<_> = opened.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // Hanging takes ten seconds of its own before it fails.
        assert!(pauses[0] < Duration::from_secs(12), "{pauses:?}");
        let last = *pauses.last().unwrap();
        assert!(last >= Duration::from_secs(15), "{pauses:?}");
        assert!(last <= Duration::from_secs(42), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_arrives_in_order() {
    let fixture = Fixture::of(Habit::Silent);
    fixture.read_for(1).await;
    let sender = fixture.script.messages.lock().unwrap()[0].clone();
    for message in ["one", "two"] {
        sender.send(message.into()).unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*fixture.ear.heard.lock().unwrap(), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_owner() {
    let fixture = Fixture::of(Habit::Silent);
    fixture.read_for(1).await;
    let sender = fixture.script.messages.lock().unwrap()[0].clone();
    drop(fixture.push);
    sleep(Duration::from_secs(1)).await;
    assert!(sender.is_closed(), "the subscription is gone");
}
