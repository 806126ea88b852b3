//! The HTTP client under store and source: TLS with bundled roots, one deadline over the whole exchange, no redirects, a
//! cap on the answer and on requests under way, one retry.
//!
//! HTTP/2 where the server speaks it over TLS, else HTTP/1.1. Connections are not kept past a freeze or a deadline: the peer
//! may have vanished (a lost NAT entry, a machine that is gone), and an HTTP/2 connection would take every later request down
//! with it until the kernel gives up after minutes.

use crate::clock::Clock;
use crate::error::Fault;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{RequestBuilder, StatusCode, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// The largest content that is served.
pub const CONTENT_CAP_BYTES: usize = 4 << 20;
/// The largest answer that is read: JSON escapes may double the content, and the row around it comes on top.
const ANSWER_CAP_BYTES: usize = 2 * CONTENT_CAP_BYTES + (64 << 10);
/// How long an idle connection is kept. Servers close earlier or later; the retry is for those that close earlier.
const POOL_IDLE: Duration = Duration::from_secs(50);
/// How long a connection may be idle before the kernel asks whether the other end is still there, and how often it asks.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// The most requests that are under way to one server at a time; what comes beyond waits, within its deadline.
const MAX_UNDER_WAY: usize = 32;

/// A moment by which an exchange must be over, and how long that was from its start.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    budget: Duration,
}

impl Deadline {
    pub fn after(budget: Duration) -> Self {
        Deadline {
            at: Instant::now() + budget,
            budget,
        }
    }

    /// This one, or so long from now, whichever comes first.
    pub fn or_after(self, budget: Duration) -> Self {
        let sooner = Deadline::after(budget);
        if sooner.at < self.at { sooner } else { self }
    }

    pub fn fault(&self) -> Fault {
        Fault::Timeout {
            after_ms: self.budget.as_millis() as u64,
        }
    }

    pub fn at(&self) -> Instant {
        self.at
    }
}

/// A whole answer.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Whom to trust (the bundled roots and those of the environment), and what to speak. Made once for all clients of a cache.
#[derive(Clone)]
pub struct Trust(ClientConfig);

impl Trust {
    /// `extra_roots` is a PEM file of further certificate authorities (Node's `NODE_EXTRA_CA_CERTS`); one that cannot be
    /// read is left out, as Node does.
    pub fn new(extra_roots: Option<&Path>) -> Result<Self, Fault> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(path) = extra_roots
            && let Ok(certificates) = CertificateDer::pem_file_iter(path)
        {
            roots.add_parsable_certificates(certificates.flatten());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Fault::Unreachable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Trust(tls))
    }
}

/// A client for one server. Its clones share connections and the cap on requests.
#[derive(Clone)]
pub struct Http(Arc<Connections>);

struct Connections {
    maker: Maker,
    clock: Arc<dyn Clock>,
    /// Never held across `.await`.
    pool: Mutex<Pool>,
    /// Keeps no connection. For the second attempt: the pool may hold more than one that the peer has closed.
    fresh: reqwest::Client,
    /// Caps the requests under way.
    permits: Semaphore,
}

struct Pool {
    client: Arc<reqwest::Client>,
    used_at: Duration,
}

/// What makes the clients of one server.
struct Maker {
    trust: Trust,
    /// Whether requests go in the clear, to a loopback address. A proxy would take the token off this machine.
    plain: bool,
}

impl Maker {
    fn client(&self, idle_connections: usize) -> Result<reqwest::Client, Fault> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.trust.0.clone())
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(POOL_IDLE)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .pool_max_idle_per_host(idle_connections)
            .user_agent(concat!("grove-shared-cache/", env!("CARGO_PKG_VERSION")));
        if self.plain {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|_| Fault::Unreachable)
    }

    fn pool(&self, now: Duration) -> Result<Pool, Fault> {
        Ok(Pool {
            client: Arc::new(self.client(MAX_UNDER_WAY)?),
            used_at: now,
        })
    }
}

impl Http {
    /// For the server at `url`.
    pub fn new(url: &Url, trust: &Trust, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let maker = Maker {
            trust: trust.clone(),
            plain: url.scheme() == "http",
        };
        Ok(Http(Arc::new(Connections {
            pool: Mutex::new(maker.pool(clock.monotonic())?),
            fresh: maker.client(0)?,
            permits: Semaphore::new(MAX_UNDER_WAY),
            maker,
            clock,
        })))
    }

    /// The client that keeps connections. After a pause in which the peer may have closed or lost them all, one that has
    /// none: the pool's own clock stands still while the machine is suspended.
    fn pooled(&self) -> Result<Arc<reqwest::Client>, Fault> {
        let now = self.0.clock.monotonic();
        let mut pool = self.pool();
        if now.saturating_sub(pool.used_at) > POOL_IDLE {
            *pool = self.0.maker.pool(now)?;
        }
        pool.used_at = now;
        Ok(pool.client.clone())
    }

    /// Keeps no connection of this client any more; what is under way on them goes on.
    fn give_up(&self, client: &Arc<reqwest::Client>) {
        let mut pool = self.pool();
        if Arc::ptr_eq(&pool.client, client)
            && let Ok(empty) = self.0.maker.pool(pool.used_at)
        {
            *pool = empty;
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // A panic under this lock leaves a whole client.
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what `request` builds on a connection of its own, and leaves the body to be read. Without a deadline: that is
    /// the caller's.
    pub async fn open(
        &self,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Incoming, Fault> {
        match send(request(&self.0.fresh)).await {
            Ok(response) if response.status() == StatusCode::OK => Ok(Incoming(response)),
            Ok(response) => Err(Fault::of_status(response.status().as_u16())),
            Err(Broken::BeforeHead) => Err(Fault::Interrupted),
            Err(Broken::For(fault)) => Err(fault),
        }
    }

    /// Sends what `request` builds and reads the whole answer, all before the deadline; past it the exchange is
    /// cancelled. A connection that broke before the head of an answer was there (mostly a kept-alive one that the peer
    /// had closed) is tried once more, so only send what may arrive twice.
    pub async fn exchange(
        &self,
        deadline: Deadline,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Reply, Fault> {
        let pooled = self.pooled()?;
        let exchange = async {
            // Never closed, so there is always a permit to wait for.
            let _permit = self.0.permits.acquire().await.ok();
            match attempt(request(&pooled)).await {
                Err(Broken::BeforeHead) => attempt(request(&self.0.fresh)).await,
                outcome => outcome,
            }
        };
        match timeout_at(deadline.at, exchange).await {
            Err(_) => {
                self.give_up(&pooled);
                Err(deadline.fault())
            }
            Ok(Err(Broken::BeforeHead)) => Err(Fault::Interrupted),
            Ok(Err(Broken::For(fault))) => Err(fault),
            Ok(Ok(reply)) => Ok(reply),
        }
    }
}

/// The body of an answer that goes on for as long as both ends want.
pub struct Incoming(reqwest::Response);

impl Incoming {
    /// What arrived next; a fault when the stream has ended, one way or the other.
    pub async fn chunk(&mut self) -> Result<Vec<u8>, Fault> {
        match self.0.chunk().await {
            Ok(Some(chunk)) => Ok(chunk.into()),
            Ok(None) | Err(_) => Err(Fault::Interrupted),
        }
    }
}

/// Why an attempt has no answer.
enum Broken {
    /// The connection broke before the head of an answer was there.
    BeforeHead,
    For(Fault),
}

/// Sends a request; the head of its answer, unless that is a redirect.
async fn send(request: RequestBuilder) -> Result<reqwest::Response, Broken> {
    let response = request.send().await.map_err(|error| {
        if error.is_connect() || error.is_builder() {
            Broken::For(Fault::Unreachable)
        } else {
            Broken::BeforeHead
        }
    })?;
    let status = response.status().as_u16();
    if (300..400).contains(&status) {
        return Err(Broken::For(Fault::Redirected { status }));
    }
    Ok(response)
}

async fn attempt(request: RequestBuilder) -> Result<Reply, Broken> {
    let mut response = send(request).await?;
    let status = response.status().as_u16();
    let too_large = Broken::For(Fault::TooLarge {
        cap_bytes: ANSWER_CAP_BYTES,
    });
    let announced = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > ANSWER_CAP_BYTES) {
        return Err(too_large);
    }
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::with_capacity(announced.unwrap_or(0));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_CAP_BYTES => {
                return Err(too_large);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => return Err(Broken::For(Fault::Interrupted)),
        }
    }
    Ok(Reply {
        status,
        headers,
        body,
    })
}
