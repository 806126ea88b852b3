//! Puts a cache of the system prompt together from settings.

use crate::core::cache::{Cache, Parts};
use crate::core::clock::{Clock, SystemClock};
use crate::core::config::{Place, Settings};
use crate::core::error::{Error, ErrorCode};
use crate::core::http::{Http, Trust};
use crate::core::log::{Event, LogSink, Logger};
use crate::core::prompt::{COLUMNS, SystemPrompt, TABLE};
use crate::core::protocol::Keys;
use crate::core::push::Channel;
use crate::core::push::upstash::UpstashChannel;
use crate::core::rules::Rules;
use crate::core::signature::Signer;
use crate::core::source::file::RowFile;
use crate::core::source::supabase::Supabase;
use crate::core::source::{LegacySource, Source};
use crate::core::store::SharedStore;
use crate::core::store::upstash::Upstash;
use reqwest::Url;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

/// Says once what is not configured; connects to nothing.
pub fn wire(
    settings: Settings,
    legacy: Option<Arc<dyn LegacySource>>,
    sink: Arc<dyn LogSink>,
) -> Result<Arc<Cache>, Error> {
    let resource = Arc::new(SystemPrompt::new(settings.fallback_prompt));
    let logger = Logger::new(settings.threshold, sink, resource.clone());
    let unusable = |fault| Error {
        code: ErrorCode::ConfigInvalid,
        message: "no HTTP client could be made; check HTTPS_PROXY".into(),
        fault: Some(fault),
    };
    let trust = Trust::new(settings.extra_roots.as_deref()).map_err(unusable)?;
    let clock = Arc::new(SystemClock);
    let client_for = |url: &Url| Http::new(url, &trust, clock.clone()).map_err(unusable);
    let signer = settings
        .signing_keys
        .map(|(key, second)| Signer::new(&settings.key_prefix, &key, second.as_deref()));
    let mut channel: Option<Arc<dyn Channel>> = None;
    let mut no_store = None;
    let store: Option<Arc<dyn SharedStore>> = match settings.store {
        Place::At { url, token } => {
            let (http, keys) = (client_for(&url)?, Keys::under(&settings.key_prefix));
            if settings.push {
                let (http, token, name) = (http.clone(), token.clone(), keys.events.clone());
                channel = Some(Arc::new(UpstashChannel::new(http, &url, token, name)));
            }
            Some(Arc::new(Upstash::new(http, url, token, keys)))
        }
        Place::Nowhere { reason } => {
            logger.tell(Event::StoreNotConfigured { reason: &reason });
            no_store = Some(reason.to_string());
            None
        }
    };
    let source: Option<Arc<dyn Source>> = match (settings.supabase, settings.prompt_file) {
        (Place::At { url, token }, _) => {
            let http = client_for(&url)?;
            Some(Arc::new(Supabase::new(http, &url, token, TABLE, COLUMNS)))
        }
        (Place::Nowhere { .. }, Some(path)) => Some(Arc::new(RowFile::new(path))),
        (Place::Nowhere { reason }, None) => {
            logger.tell(Event::SourceNotConfigured { reason: &reason });
            None
        }
    };
    let parts = Parts {
        id: fresh_id(),
        name: settings.key_prefix,
        no_store,
        resource,
        store,
        channel,
        source,
        legacy,
        clock,
        limits: settings.limits,
        signer,
        rules: Rules::ALL_KEPT,
    };
    Ok(Cache::new(parts, logger))
}

/// Tells this instance from all others; std seeds its hashers from the system's randomness.
fn fresh_id() -> String {
    let mut hasher = RandomState::new().build_hasher();
    SystemClock.wall_ms().hash(&mut hasher);
    std::process::id().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
