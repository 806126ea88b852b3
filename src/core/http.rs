//! One HTTP client for store and source: TLS with bundled roots, one deadline over the whole exchange, no redirects, a
//! cap on the answer, one safe retry.

use crate::core::error::Fault;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{RequestBuilder, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The largest content that is served.
pub const CONTENT_CAP_BYTES: usize = 4 << 20;
/// The largest answer that is read: JSON escapes may double the content, and the row around it comes on top.
const ANSWER_CAP_BYTES: usize = 2 * CONTENT_CAP_BYTES + (64 << 10);
/// Shorter than the idle time after which common servers and load balancers close (Node: 5 s is the exception, and the
/// retry is for that).
const POOL_IDLE: Duration = Duration::from_secs(50);

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
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
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
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(POOL_IDLE)
            .user_agent(concat!("grove-shared-cache/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(|client| Http { client })
            .map_err(|_| Fault::Unreachable)
    }

    /// Sends what `request` builds and reads the whole answer, all before the deadline; past it the exchange is
    /// cancelled. Everything this package sends is idempotent, so a connection that broke before the first byte of an
    /// answer (a kept-alive one that the peer had closed) is tried once more.
    pub async fn exchange(
        &self,
        deadline: Deadline,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer, Fault> {
        let exchange = async {
            match self.attempt(&request).await {
                Err(Broken::BeforeAnswer) => self.attempt(&request).await,
                outcome => outcome,
            }
        };
        match timeout_at(deadline.at, exchange).await {
            Err(_) => Err(deadline.fault()),
            Ok(Err(Broken::BeforeAnswer)) => Err(Fault::Interrupted),
            Ok(Err(Broken::For(fault))) => Err(fault),
            Ok(Ok(answer)) => Ok(answer),
        }
    }

    async fn attempt(
        &self,
        request: &impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer, Broken> {
        let mut response = request(&self.client).send().await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                Broken::For(Fault::Unreachable)
            } else {
                Broken::BeforeAnswer
            }
        })?;
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            return Err(Broken::For(Fault::Redirected { status }));
        }
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
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

/// Why an attempt has no answer.
enum Broken {
    /// Not a byte of an answer arrived.
    BeforeAnswer,
    For(Fault),
}
