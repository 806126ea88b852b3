//! Builds a cache of its settings. Connects to nothing.

use crate::cache::{Parts, SharedCache, SingleParts};
use crate::clock::{Clock, SystemClock};
use crate::config::{Place, Settings};
use crate::error::{Error, ErrorCode, Fault};
use crate::http::{Http, Trust};
use crate::observe::log::LogSink;
use crate::push::Channel;
use crate::push::upstash::UpstashChannel;
use crate::resource::{COLUMNS, Loader, StoreKeys, SystemPrompt, TABLE};
use crate::source::file::RowFile;
use crate::source::rows::{Rows, SupabaseRows, Unconfigured};
use crate::source::supabase::Supabase;
use crate::source::{LegacySource, Source};
use crate::store::{Link, Upstash};
use crate::testing::mutants::Mutation;
use reqwest::Url;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

/// The resource of the system prompt: part of its keys and of its metrics.
pub const SYSTEM_PROMPT: &str = "system-prompt";

/// Where a cache's sources are.
pub struct Project {
    /// Or why it is not used.
    supabase: Result<(Http, Url, String), String>,
    prompt_file: Option<PathBuf>,
    fallback_prompt: Option<String>,
}

impl Project {
    /// What loads the values of a resource from Supabase.
    pub fn loader(&self, rows: Rows) -> Arc<dyn Loader> {
        match &self.supabase {
            Ok((http, url, key)) => {
                let (http, key) = (http.clone(), key.clone());
                Arc::new(SupabaseRows::new(http, url, key, rows))
            }
            Err(reason) => Arc::new(Unconfigured {
                reason: reason.clone(),
            }),
        }
    }

    /// The system prompt as a resource of one entry.
    pub fn system_prompt(&self, legacy: Option<Arc<dyn LegacySource>>) -> SingleParts {
        let (source, no_source): (Option<Arc<dyn Source>>, _) =
            match (&self.supabase, &self.prompt_file) {
                (Ok((http, url, key)), _) => {
                    let (http, key) = (http.clone(), key.clone());
                    let supabase = Supabase::new(http, url, key, TABLE, COLUMNS);
                    (Some(Arc::new(supabase)), None)
                }
                (Err(_), Some(path)) => (Some(Arc::new(RowFile::new(path.clone()))), None),
                (Err(reason), None) => (None, Some(reason.clone())),
            };
        SingleParts {
            name: SYSTEM_PROMPT.to_owned(),
            resource: Arc::new(SystemPrompt::new(self.fallback_prompt.clone())),
            source,
            no_source,
            legacy,
        }
    }
}

/// A cache without resources yet. Says once if there is no store.
pub fn build(
    settings: Settings,
    sink: Arc<dyn LogSink>,
) -> Result<(Arc<SharedCache>, Project), Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let trust = Trust::new(settings.extra_roots.as_deref()).map_err(unusable)?;
    let client_for = |url: &Url| Http::new(url, &trust, clock.clone()).map_err(unusable);
    let (mut link, mut channel, mut no_store) = (None, None, None);
    match settings.store {
        Place::At { url, token } => {
            let http = client_for(&url)?;
            if settings.push {
                let name = StoreKeys::under(&settings.key_prefix).events;
                let events = UpstashChannel::new(http.clone(), &url, token.clone(), name);
                channel = Some(Arc::new(events) as Arc<dyn Channel>);
            }
            link = Some(Arc::new(Upstash::new(http, url, token)) as Arc<dyn Link>);
        }
        Place::Nowhere { reason } => no_store = Some(reason),
    }
    let project = Project {
        supabase: match settings.supabase {
            Place::At { url, token } => Ok((client_for(&url)?, url, token)),
            Place::Nowhere { reason } => Err(reason),
        },
        prompt_file: settings.prompt_file,
        fallback_prompt: settings.fallback_prompt,
    };
    let parts = Parts {
        id: fresh_id(),
        prefix: settings.key_prefix,
        link,
        no_store,
        channel,
        clock,
        limits: settings.limits,
        mutation: Mutation::default(),
    };
    let cache = SharedCache::new(
        parts,
        settings.capacity,
        settings.signing_keys,
        settings.threshold,
        sink,
    );
    Ok((cache, project))
}

fn unusable(fault: Fault) -> Error {
    Error {
        code: ErrorCode::ConfigInvalid,
        message: "no HTTP client could be made; check HTTPS_PROXY".into(),
        fault: Some(fault),
    }
}

/// Tells this instance from all others; std seeds its hashers from the system's randomness.
fn fresh_id() -> String {
    let mut hasher = RandomState::new().build_hasher();
    SystemClock.wall_ms().hash(&mut hasher);
    std::process::id().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
