//! Puts caches together from settings.

use crate::core::cache::{Cache, Parts};
use crate::core::clock::{Clock, SystemClock};
use crate::core::collection::values::Loader;
use crate::core::collection::{Collection, CollectionParts};
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
use crate::core::source::rows::{Rows, SupabaseRows, Unconfigured};
use crate::core::source::supabase::Supabase;
use crate::core::source::{LegacySource, Source};
use crate::core::store::SharedStore;
use crate::core::store::upstash::Upstash;
use reqwest::Url;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::path::Path;
use std::sync::Arc;

/// Makes the HTTP clients of one cache.
struct Clients {
    trust: Trust,
    clock: Arc<dyn Clock>,
}

impl Clients {
    fn new(extra_roots: Option<&Path>) -> Result<Self, Error> {
        Ok(Clients {
            trust: Trust::new(extra_roots).map_err(unusable)?,
            clock: Arc::new(SystemClock),
        })
    }

    fn client_for(&self, url: &Url) -> Result<Http, Error> {
        Http::new(url, &self.trust, self.clock.clone()).map_err(unusable)
    }
}

fn unusable(fault: crate::core::error::Fault) -> Error {
    Error {
        code: ErrorCode::ConfigInvalid,
        message: "no HTTP client could be made; check HTTPS_PROXY".into(),
        fault: Some(fault),
    }
}

/// The store of a cache, and the stream of what is announced there; or why there is none.
struct Shared {
    store: Option<Arc<Upstash>>,
    channel: Option<Arc<dyn Channel>>,
    no_store: Option<String>,
}

impl Shared {
    fn at(place: Place, clients: &Clients, prefix: &str, push: bool) -> Result<Self, Error> {
        let (url, token) = match place {
            Place::At { url, token } => (url, token),
            Place::Nowhere { reason } => {
                return Ok(Shared {
                    store: None,
                    channel: None,
                    no_store: Some(reason),
                });
            }
        };
        let (http, keys) = (clients.client_for(&url)?, Keys::under(prefix));
        let channel = push.then(|| {
            let (http, token, name) = (http.clone(), token.clone(), keys.events.clone());
            Arc::new(UpstashChannel::new(http, &url, token, name)) as Arc<dyn Channel>
        });
        Ok(Shared {
            store: Some(Arc::new(Upstash::new(http, url, token, keys))),
            channel,
            no_store: None,
        })
    }
}

/// A cache of the system prompt. Says once what is not configured; connects to nothing.
pub fn wire(
    settings: Settings,
    legacy: Option<Arc<dyn LegacySource>>,
    sink: Arc<dyn LogSink>,
) -> Result<Arc<Cache>, Error> {
    let resource = Arc::new(SystemPrompt::new(settings.fallback_prompt));
    let logger = Logger::new(settings.threshold, sink, resource.clone());
    let clients = Clients::new(settings.extra_roots.as_deref())?;
    let signer = settings
        .signing_keys
        .map(|(key, second)| Signer::new(&settings.key_prefix, &key, second.as_deref()));
    let shared = Shared::at(
        settings.store,
        &clients,
        &settings.key_prefix,
        settings.push,
    )?;
    if let Some(reason) = &shared.no_store {
        logger.tell(Event::StoreNotConfigured { reason });
    }
    let source: Option<Arc<dyn Source>> = match (settings.supabase, settings.prompt_file) {
        (Place::At { url, token }, _) => {
            let http = clients.client_for(&url)?;
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
        no_store: shared.no_store,
        resource,
        store: shared.store.map(|store| store as Arc<dyn SharedStore>),
        channel: shared.channel,
        source,
        legacy,
        clock: clients.clock,
        limits: settings.limits,
        signer,
        rules: Rules::ALL_KEPT,
    };
    Ok(Cache::new(parts, logger))
}

/// How much the near cache of a collection may hold.
#[derive(Clone, Copy)]
pub struct Room {
    pub max_entries: u64,
    pub max_bytes: u64,
}

/// Where the loaders of a collection find Supabase.
pub struct Project(Result<(Http, Url, String), String>);

impl Project {
    pub fn loader(&self, rows: Rows) -> Arc<dyn Loader> {
        match &self.0 {
            Ok((http, url, key)) => {
                let (http, key) = (http.clone(), key.clone());
                Arc::new(SupabaseRows::new(http, url, key, rows))
            }
            Err(reason) => Arc::new(Unconfigured {
                reason: reason.clone(),
            }),
        }
    }
}

/// A collection without resources yet. Says once what is not configured; connects to nothing.
pub fn wire_collection(
    settings: Settings,
    room: Room,
    sink: Arc<dyn LogSink>,
) -> Result<(Arc<Collection>, Project), Error> {
    let clients = Clients::new(settings.extra_roots.as_deref())?;
    let shared = Shared::at(
        settings.store,
        &clients,
        &settings.key_prefix,
        settings.push,
    )?;
    let project = Project(match settings.supabase {
        Place::At { url, token } => Ok((clients.client_for(&url)?, url, token)),
        Place::Nowhere { reason } => Err(reason),
    });
    let collection = Collection::new(CollectionParts {
        id: fresh_id(),
        prefix: settings.key_prefix,
        store: shared.store.map(|store| (store.clone() as _, store as _)),
        no_store: shared.no_store,
        channel: shared.channel,
        clock: clients.clock,
        limits: settings.limits,
        signing_keys: settings.signing_keys,
        max_entries: room.max_entries,
        max_bytes: room.max_bytes,
        threshold: settings.threshold,
        sink,
        rules: Rules::ALL_KEPT,
    });
    Ok((collection, project))
}

/// Tells this instance from all others; std seeds its hashers from the system's randomness.
fn fresh_id() -> String {
    let mut hasher = RandomState::new().build_hasher();
    SystemClock.wall_ms().hash(&mut hasher);
    std::process::id().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
