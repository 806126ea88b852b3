//! A cache, as `lib/cache.cjs` holds it. Its entries have handles: small numbers that are used again when an entry had to go,
//! after JavaScript was told so.

use crate::cache::{CachedEntry, Found, KeyedResource, ResourceParts, SharedCache};
use crate::config::{Project, SYSTEM_PROMPT, Settings, build};
use crate::error::{Error, ErrorCode};
use crate::near::HitValue;
use crate::node::answers;
use crate::node::callbacks::{JsLegacySource, JsLoader, JsSink};
use crate::node::promise::{delivered, settled, thrown};
use crate::protocol::{entry_dependency, resource_dependency, tag_dependency};
use crate::resource::Loader;
use crate::source::LegacySource;
use crate::source::rows::Rows;
use napi::Env;
use napi::bindgen_prelude::{
    Array, Either, FnArgs, Function, JsValue, Object, Promise, PromiseRaw, Unknown,
    within_runtime_if_available,
};
use napi_derive::napi;
use once_cell::unsync::OnceCell;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

#[napi]
pub struct NativeCache(Rc<Inner>);

struct Inner {
    cache: Arc<SharedCache>,
    project: Project,
    prompt: OnceCell<u32>,
    resources: RefCell<Vec<Arc<KeyedResource>>>,
    /// By handle.
    entries: RefCell<Vec<Option<Arc<CachedEntry>>>>,
    free: RefCell<Vec<u32>>,
}

impl Inner {
    /// The lowest handle that is free.
    fn place(&self) -> u32 {
        if let Some(handle) = self.free.borrow_mut().pop() {
            return handle;
        }
        let mut entries = self.entries.borrow_mut();
        entries.push(None);
        entries.len() as u32 - 1
    }

    fn keep(&self, handle: u32, entry: Arc<CachedEntry>) {
        self.entries.borrow_mut()[handle as usize] = Some(entry);
    }

    /// Frees the handles of entries that had to go.
    fn vacated(&self) -> Vec<u32> {
        let gone = self.cache.entries.take_vacated();
        let handles: Vec<_> = gone.iter().map(|entry| entry.place).collect();
        for &handle in &handles {
            self.entries.borrow_mut()[handle as usize] = None;
        }
        self.free.borrow_mut().extend(&handles);
        handles
    }

    fn entry(&self, handle: u32) -> napi::Result<Arc<CachedEntry>> {
        let entries = self.entries.borrow();
        let entry = entries.get(handle as usize).and_then(Option::as_ref);
        entry.cloned().ok_or_else(|| thrown(&Error::internal()))
    }

    fn prompt(&self) -> napi::Result<Arc<CachedEntry>> {
        let handle = self.prompt.get().copied();
        self.entry(handle.unwrap_or(u32::MAX))
    }
}

#[napi]
impl NativeCache {
    /// `settings`: JSON, as `lib/settings.cjs` gives it. Connects to nothing.
    #[napi(catch_unwind, constructor)]
    pub fn new(
        settings: String,
        log: Function<FnArgs<(String, String)>, Unknown<'static>>,
    ) -> napi::Result<Self> {
        let settings = Settings::read(&settings).map_err(|message| {
            let (code, fault) = (ErrorCode::ConfigInvalid, None);
            thrown(&Error {
                code,
                message,
                fault,
            })
        })?;
        let sink = Arc::new(JsSink::new(log)?);
        let built = within_runtime_if_available(|| build(settings, sink));
        let (cache, project) = built.map_err(|error| thrown(&error))?;
        Ok(NativeCache(Rc::new(Inner {
            cache,
            project,
            prompt: OnceCell::new(),
            resources: RefCell::default(),
            entries: RefCell::default(),
            free: RefCell::default(),
        })))
    }

    /// The handle of the system prompt. `legacy` counts the first time.
    #[napi(catch_unwind)]
    pub fn system_prompt(
        &self,
        legacy: Option<Function<(), Promise<String>>>,
    ) -> napi::Result<u32> {
        let inner = &self.0;
        if let Some(handle) = inner.prompt.get() {
            return Ok(*handle);
        }
        let legacy = legacy.map(JsLegacySource::new).transpose()?;
        let legacy = legacy.map(|legacy| Arc::new(legacy) as Arc<dyn LegacySource>);
        let parts = inner.project.system_prompt(legacy);
        let handle = inner.place();
        inner.keep(handle, inner.cache.add_single(parts));
        let _ = inner.prompt.set(handle);
        Ok(handle)
    }

    /// The number of a new resource. `definition`: JSON, as `lib/definition.cjs` gives it.
    #[napi(catch_unwind)]
    pub fn resource(
        &self,
        definition: String,
        load: Option<Function<FnArgs<(String, f64)>, Promise<String>>>,
    ) -> napi::Result<u32> {
        let inner = &self.0;
        let definition: Value = serde_json::from_str(&definition).unwrap_or_default();
        let loader: Arc<dyn Loader> = match load {
            Some(load) => Arc::new(JsLoader::new(load)?),
            None => inner.project.loader(rows_of(&definition["supabase"])),
        };
        let limits = inner.cache.context().limits;
        let timeout = definition["loadTimeoutMs"].as_u64();
        let parts = ResourceParts {
            name: definition["name"].as_str().unwrap_or_default().to_owned(),
            ttl_seconds: definition["ttlSeconds"].as_u64().unwrap_or_default() as u32,
            source_timeout: timeout.map_or(limits.source_timeout, Duration::from_millis),
            loader,
        };
        let added = inner.cache.add(parts);
        let added = added.ok_or_else(|| thrown(&Error::internal()))?;
        let number = added.number();
        inner.resources.borrow_mut().push(added);
        Ok(number)
    }

    /// Begins an entry: its handle, and after it the handles that are free from now on.
    #[napi(catch_unwind)]
    pub fn enter(&self, resource: u32, id: String, tags: Vec<String>) -> napi::Result<Vec<u32>> {
        let inner = &self.0;
        let vacated = inner.vacated();
        let resources = inner.resources.borrow();
        let resource = resources.get(resource as usize);
        let resource = resource.ok_or_else(|| thrown(&Error::internal()))?;
        let handle = inner.place();
        inner.keep(handle, inner.cache.enter(resource, &id, &tags, handle));
        Ok([vec![handle], vacated].concat())
    }

    /// The function of a read that hits: given a handle, and the number of the value that its reader has (0: none), true if
    /// that is to be served, what [`answers::read`] says of another, or false if there is none. Of what a hit costs the glue
    /// is the larger part; that of a closure is the least.
    #[napi(
        catch_unwind,
        ts_return_type = "(handle: number, known: number) => boolean | unknown[]"
    )]
    pub fn hit_function<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<Function<'env, FnArgs<(u32, f64)>, Either<bool, Object<'static>>>> {
        let inner = self.0.clone();
        env.create_function_from_closure("hit", move |call| {
            let (handle, known) = (call.get::<u32>(0)?, call.get::<f64>(1)?);
            let entries = inner.entries.borrow();
            let Some(Some(entry)) = entries.get(handle as usize) else {
                return Ok(Either::A(false));
            };
            let Some(found) = inner.cache.hit(entry, known as u64) else {
                return Ok(Either::A(false));
            };
            if found.renew || found.refresh {
                tend(&inner.cache, entry, &found);
            }
            match found.value {
                HitValue::Known => Ok(Either::A(true)),
                HitValue::Other(held) => {
                    let number = held.number;
                    let answer = crate::cache::Answer::of(*held, crate::cache::Tier::Memory);
                    let read = answers::read(call.env, entry, number, Ok(&answer))?;
                    // What a closure gives back is JavaScript's at once.
                    Ok(Either::B(Object::from_raw(call.env.raw(), read.raw())))
                }
            }
        })
    }

    /// A read from further away: true if it joins the load of this number, else the number of its load and a promise of what
    /// [`answers::read`] says. False if the entry had to leave the memory.
    #[napi(
        catch_unwind,
        ts_return_type = "boolean | [number, Promise<unknown[]>]"
    )]
    pub fn ask<'env>(
        &self,
        env: &'env Env,
        handle: u32,
        load: f64,
    ) -> napi::Result<Either<bool, Array<'env>>> {
        let entry = self.0.entry(handle)?;
        if entry.is_evicted() {
            return Ok(Either::A(false));
        }
        let asking = within_runtime_if_available(|| self.0.cache.ask(&entry));
        if asking.load == load as u64 {
            return Ok(Either::A(true));
        }
        let promise = delivered(env, asking.answer, move |env, answer| {
            answers::read(env, &entry, 0, answer.as_ref().map_err(Error::clone))
        })?;
        let mut asked = env.create_array(2)?;
        asked.set(0, asking.load as f64)?;
        asked.set(1, promise)?;
        Ok(Either::B(asked))
    }

    /// `targets`: JSON, `{ entries: [[resource, id]], resources, tags }`. With `prove`, waits until no instance can serve what
    /// was dropped, for `patience_ms` after the commit at most. A promise of JSON: an `InvalidationReceipt`.
    #[napi(catch_unwind)]
    pub fn invalidate<'env>(
        &self,
        env: &'env Env,
        targets: String,
        prove: bool,
        patience_ms: Option<f64>,
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let targets: Value = serde_json::from_str(&targets).unwrap_or_default();
        let cache = self.0.cache.clone();
        let names = names_of(&targets);
        // Called here, not in the future: what it concerns is dropped in this instance before the promise is handed out.
        let invalidation = within_runtime_if_available(|| cache.invalidate(names, prove));
        settled(env, async move {
            let receipt = invalidation.await?;
            let patience = patience_ms.map(|ms| Duration::from_millis(ms as u64));
            let proof = match prove {
                true => Some(cache.prove_everywhere(&receipt, patience).await),
                false => None,
            };
            Ok(answers::receipt(&receipt, proof))
        })
    }

    /// A promise of JSON: how the cache and its store are, and with `read` what a read of the prompt gives now.
    #[napi(catch_unwind)]
    pub fn debug<'env>(
        &self,
        env: &'env Env,
        read: bool,
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let cache = self.0.cache.clone();
        let prompt = if read { Some(self.0.prompt()?) } else { None };
        settled(env, async move {
            let examination = cache.examine(prompt.as_ref()).await;
            Ok(answers::debug(&cache, prompt.as_deref(), &examination))
        })
    }

    /// JSON: `CacheStats`.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> String {
        let prompt = self.0.prompt().ok();
        json!(self.0.cache.report(prompt.as_deref())).to_string()
    }

    #[napi(catch_unwind)]
    pub fn metrics(&self) -> String {
        self.0.cache.metrics()
    }

    /// A promise of JSON: the text under a key, or null.
    #[napi(catch_unwind)]
    pub fn get<'env>(&self, env: &'env Env, key: String) -> napi::Result<PromiseRaw<'env, String>> {
        let cache = self.0.cache.clone();
        settled(env, async move { Ok(json!(cache.get(&key).await?)) })
    }

    #[napi(catch_unwind)]
    pub fn set<'env>(
        &self,
        env: &'env Env,
        key: String,
        text: String,
        ttl_seconds: u32,
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let cache = self.0.cache.clone();
        settled(env, async move {
            cache.set(&key, &text, ttl_seconds).await?;
            Ok(Value::Null)
        })
    }

    /// A promise of JSON: whether there was something to delete.
    #[napi(catch_unwind)]
    pub fn del<'env>(&self, env: &'env Env, key: String) -> napi::Result<PromiseRaw<'env, String>> {
        let cache = self.0.cache.clone();
        settled(env, async move { Ok(json!(cache.del(&key).await?)) })
    }

    /// Gives up what is owed, and the stream; the promise is of when the store does not list this instance any more.
    #[napi(catch_unwind)]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, String>> {
        let cache = self.0.cache.clone();
        within_runtime_if_available(|| cache.close());
        settled(env, async move {
            cache.leave().await;
            Ok(Value::Null)
        })
    }
}

/// Kept out of line: the room that it takes on the stack would cost every hit.
#[inline(never)]
fn tend(cache: &Arc<SharedCache>, entry: &Arc<CachedEntry>, found: &Found) {
    within_runtime_if_available(|| cache.tend(entry, found.renew, found.refresh));
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The dependencies that targets name.
fn names_of(targets: &Value) -> std::collections::BTreeSet<Arc<str>> {
    let entries = targets["entries"].as_array().into_iter().flatten();
    let entries = entries.filter_map(|pair| {
        let (resource, id) = (pair[0].as_str()?, pair[1].as_str()?);
        Some(entry_dependency(resource, id))
    });
    let resources = texts(&targets["resources"]).map(|name| match name {
        SYSTEM_PROMPT => name.into(),
        name => resource_dependency(name),
    });
    let tags = texts(&targets["tags"]).map(tag_dependency);
    entries.chain(resources).chain(tags).collect()
}

fn rows_of(given: &Value) -> Rows {
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    let conditions = given["where"].as_array().into_iter().flatten();
    let conditions = conditions.filter_map(|pair| {
        let (column, text) = (pair[0].as_str()?, pair[1].as_str()?);
        Some((column.to_owned(), text.to_owned()))
    });
    Rows {
        table: text("table").unwrap_or_default(),
        schema: text("schema"),
        select: text("select").unwrap_or_else(|| "*".to_owned()),
        matches: text("match").unwrap_or_default(),
        conditions: conditions.collect(),
        order: text("order"),
        limit: given["limit"].as_u64().map(|limit| limit as u32),
        single: given["single"].as_bool().unwrap_or(false),
    }
}
