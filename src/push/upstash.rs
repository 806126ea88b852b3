//! The stream of an Upstash channel: `POST /subscribe/<channel>`, answered by server-sent events.

use crate::error::Fault;
use crate::http::{Http, Incoming};
use crate::push::sse::Lines;
use crate::push::{Channel, Subscription};
use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE};
use std::collections::VecDeque;

pub struct UpstashChannel {
    http: Http,
    url: Url,
    token: String,
    name: String,
}

impl UpstashChannel {
    /// `base` is the database's URL, `name` the channel.
    pub fn new(http: Http, base: &Url, token: String, name: String) -> Self {
        let mut url = base.clone();
        let path = base.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{path}/subscribe/{name}"));
        UpstashChannel {
            http,
            url,
            token,
            name,
        }
    }
}

#[async_trait]
impl Channel for UpstashChannel {
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Fault> {
        let request = |client: &reqwest::Client| {
            client
                .post(self.url.clone())
                .bearer_auth(&self.token)
                .header(ACCEPT, "text/event-stream")
                // A compressed stream may sit in somebody's buffer.
                .header(ACCEPT_ENCODING, "identity")
                .header(CACHE_CONTROL, "no-cache")
                .header(CONTENT_TYPE, "application/json")
                .body("[]")
        };
        let mut stream = Stream {
            incoming: self.http.open(request).await?,
            lines: Lines::default(),
            events: VecDeque::new(),
            name: self.name.clone(),
        };
        loop {
            match stream.event().await? {
                Some(Event::Subscribed) => return Ok(Box::new(stream)),
                Some(Event::Message(_)) | None => {}
            }
        }
    }
}

struct Stream {
    incoming: Incoming,
    lines: Lines,
    events: VecDeque<String>,
    name: String,
}

pub(crate) enum Event {
    Subscribed,
    Message(String),
}

impl Stream {
    /// The next event of this channel; `None` for anything else that arrived.
    async fn event(&mut self) -> Result<Option<Event>, Fault> {
        if self.events.is_empty() {
            let chunk = self.incoming.chunk().await?;
            self.events.extend(self.lines.feed(&chunk));
        }
        let event = self.events.pop_front();
        Ok(event.and_then(|event| read(&event, &self.name)))
    }
}

/// `subscribe,<channel>,<count>` or `message,<channel>,<payload>`; the payload may hold commas.
pub(crate) fn read(event: &str, channel: &str) -> Option<Event> {
    let mut parts = event.splitn(3, ',');
    match (parts.next()?, parts.next()?, parts.next()?) {
        (_, name, _) if name != channel => None,
        ("subscribe", ..) => Some(Event::Subscribed),
        ("message", _, payload) => Some(Event::Message(payload.to_owned())),
        _ => None,
    }
}

#[async_trait]
impl Subscription for Stream {
    async fn next(&mut self) -> Result<Option<String>, Fault> {
        Ok(match self.event().await? {
            Some(Event::Message(payload)) => Some(payload),
            Some(Event::Subscribed) | None => None,
        })
    }
}
