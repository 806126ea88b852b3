//! The cache of many values, as `lib/shared-cache.cjs` sees it: that file is its public face, and checks what a program gives.

use crate::binding::answers;
use crate::binding::errors::{promise, to_js};
use crate::binding::held::HeldPromise;
use crate::binding::loader::JsLoader;
use crate::binding::options::{self, Fields, Given, Refusal, Wait};
use crate::binding::resource_values::{Form, is_shared, value_of};
use crate::core::answer::{Answer, Tier};
use crate::core::cache::Asking;
use crate::core::collection::ids::{MAX_ID_BYTES, is_id, no_name};
use crate::core::collection::invalidation::Targets;
use crate::core::collection::lines::Line;
use crate::core::collection::values::Loader;
use crate::core::collection::{Collection, Found, Resource, ResourceParts};
use crate::core::config::{DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS, millis, whole};
use crate::core::error::Error;
use crate::core::near::{AtHand, Held};
use crate::core::source::rows::Rows;
use crate::core::wiring::{self, Project, Room};
use napi::bindgen_prelude::{
    FnArgs, Function, FunctionRef, JsObjectValue, JsValue, Object, PromiseRaw, ToNapiValue,
    within_runtime_if_available,
};
use napi::{Env, Unknown, ValueType, sys};
use napi_derive::napi;
use once_cell::unsync::OnceCell;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    /// The caches of this environment by number: what settles a promise may be dropped on another thread, and holds no more
    /// of a cache than that.
    static CACHES: RefCell<HashMap<u64, Weak<Shared>>> = RefCell::default();
    static MADE: Cell<u64> = const { Cell::new(0) };
}

/// Where readers of one entry find what they are given.
#[derive(Default)]
struct Place {
    /// How many entries had this place before: who has the handle of one of those finds nothing.
    round: u32,
    line: Option<Arc<Line>>,
    value: Promises,
    entry: Promises,
}

/// The room for the number of a place in a handle.
const PLACES: i64 = 1 << 24;

/// What they are given in one form.
#[derive(Default)]
struct Promises {
    /// Resolved, for hits.
    hit: HeldPromise,
    /// For those that join the last flight.
    flight: HeldPromise,
}

impl Place {
    fn promises(&self, form: Form) -> &Promises {
        match form {
            Form::Value => &self.value,
            Form::Entry => &self.entry,
        }
    }

    fn handle(&self, number: u32) -> f64 {
        (i64::from(self.round) * PLACES + i64::from(number)) as f64
    }

    fn release(&self, env: &Env) -> napi::Result<()> {
        for promises in [&self.value, &self.entry] {
            promises.hit.release(env)?;
            promises.flight.release(env)?;
        }
        Ok(())
    }
}

struct Shared {
    number: u64,
    env: sys::napi_env,
    given: Given,
    room: Room,
    /// Made at the first use, when `process.env` is read.
    opened: OnceCell<Opened>,
    closed: Cell<bool>,
    definitions: RefCell<Vec<Rc<Definition>>>,
    /// Of the entries, by the number that each has of its own.
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<u32>>,
}

struct Opened {
    collection: Arc<Collection>,
    project: Project,
}

/// A resource as it was asked for.
struct Definition {
    name: String,
    number: usize,
    ttl_seconds: u32,
    source_timeout: Option<Duration>,
    from: From,
    readers: Readers,
    tags: Option<FunctionRef<String, Vec<String>>>,
    fallback: Option<FunctionRef<String, Unknown<'static>>>,
    /// Once it is in the collection.
    resource: OnceCell<Arc<Resource>>,
    /// Whether readers may share what was made of a value, as far as the last one told.
    shared: Cell<bool>,
}

/// The functions of `resource_readers.js` that keep the handles of a resource's entries by their ids.
struct Readers {
    remember: FunctionRef<FnArgs<(String, f64)>, ()>,
    forget: FunctionRef<String, ()>,
}

enum From {
    Load(Arc<JsLoader>),
    Supabase(Rows),
}

impl Shared {
    fn opened(&self, env: &Env) -> Result<&Opened, Error> {
        if self.closed.get() {
            return Err(Error::closed());
        }
        self.opened.get_or_try_init(|| self.open(env))
    }

    fn open(&self, env: &Env) -> Result<Opened, Error> {
        let (settings, sink) = options::resolved(env, &self.given)?;
        let (collection, project) = wiring::wire_collection(settings, self.room, sink)?;
        if self.closed.get() {
            collection.engine().close();
        }
        let opened = Opened {
            collection,
            project,
        };
        for definition in self.definitions.borrow().iter() {
            definition.add_to(&opened);
        }
        Ok(opened)
    }

    /// A place for an entry, after those of entries that went are cleared.
    fn place(&self, env: &Env, collection: &Collection) -> napi::Result<u32> {
        for line in collection.lines.take_vacated() {
            let mut places = self.places.borrow_mut();
            let place = &mut places[line.place as usize];
            place.release(env)?;
            *place = Place {
                round: place.round.wrapping_add(1) % (1 << 28),
                ..Place::default()
            };
            drop(places);
            self.free.borrow_mut().push(line.place);
            let definition = self.definitions.borrow()[line.resource as usize].clone();
            definition
                .readers
                .forget
                .borrow_back(env)?
                .call(line.id.to_string())?;
        }
        if let Some(place) = self.free.borrow_mut().pop() {
            return Ok(place);
        }
        let mut places = self.places.borrow_mut();
        places.push(Place::default());
        Ok(places.len() as u32 - 1)
    }

    fn release(&self, env: &Env) -> napi::Result<()> {
        for place in self.places.borrow().iter() {
            place.release(env)?;
        }
        Ok(())
    }
}

impl Definition {
    fn add_to(&self, opened: &Opened) {
        let loader: Arc<dyn Loader> = match &self.from {
            From::Load(load) => load.clone(),
            From::Supabase(rows) => opened.project.loader(rows.clone()),
        };
        let default = opened.collection.engine().source_timeout();
        let added = opened.collection.add(ResourceParts {
            name: self.name.clone(),
            ttl_seconds: self.ttl_seconds,
            source_timeout: self.source_timeout.unwrap_or(default),
            loader,
        });
        if let Some(resource) = added {
            let _ = self.resource.set(resource);
        }
    }

    fn read(number: usize, given: &Fields, readers: Readers) -> Result<Self, Refusal> {
        let name = given.text("name")?.unwrap_or_default();
        if let Some(rule) = no_name(&name) {
            return Err(Error::config_invalid("name", &format!("{name:?}"), &rule).into());
        }
        let ttl_seconds = given.number("ttlSeconds")?;
        let ttl_seconds = whole(
            "ttlSeconds",
            ttl_seconds,
            DEFAULT_TTL_SECONDS,
            1.0,
            MAX_TTL_SECONDS,
        )?;
        let source_timeout = given
            .number("loadTimeoutMs")?
            .map(|ms| millis("loadTimeoutMs", Some(ms), ms, 1.0))
            .transpose()?;
        let load: Option<Function<FnArgs<(String, f64)>, _>> =
            given.typed("load", ValueType::Function)?;
        let from = match (load, given.typed::<Object>("supabase", ValueType::Object)?) {
            (Some(load), _) => From::Load(Arc::new(JsLoader::new(load)?)),
            (None, Some(rows)) => From::Supabase(rows_of(&rows)?),
            (None, None) => {
                let rule = "must come with a function `load`, or be made by supabaseResource()";
                return Err(Error::config_invalid("name", &format!("{name:?}"), rule).into());
            }
        };
        let tags: Option<Function<String, Vec<String>>> =
            given.typed("tags", ValueType::Function)?;
        let fallback: Option<Function<String, Unknown>> =
            given.typed("fallback", ValueType::Function)?;
        Ok(Definition {
            name,
            number,
            ttl_seconds: ttl_seconds as u32,
            source_timeout,
            from,
            readers,
            tags: tags.map(|function| function.create_ref()).transpose()?,
            fallback: fallback.map(|function| function.create_ref()).transpose()?,
            resource: OnceCell::new(),
            shared: Cell::new(false),
        })
    }

    fn tags_of(&self, env: &Env, id: &str) -> napi::Result<Vec<String>> {
        match &self.tags {
            Some(tags) => tags.borrow_back(env)?.call(id.to_owned()),
            None => Ok(Vec::new()),
        }
    }

    /// What stands in for a value of `id`, as JavaScript is given it.
    fn stand_in<'env>(
        &self,
        env: &'env Env,
        id: &str,
        answer: &Answer,
    ) -> napi::Result<Unknown<'env>> {
        let failed = || Error::load_failed(&self.name, answer.fault.clone());
        let Some(fallback) = &self.fallback else {
            return Err(to_js(env, failed()));
        };
        // One that throws is none.
        let stand_in = fallback.borrow_back(env)?.call(id.to_owned());
        stand_in.map_err(|_| to_js(env, failed()))
    }
}

fn rows_of(given: &Object) -> napi::Result<Rows> {
    let text = |name: &str| given.get::<String>(name);
    let limit: Option<f64> = given.get("limit")?;
    let conditions: Option<Vec<Vec<String>>> = given.get("where")?;
    Ok(Rows {
        table: text("table")?.unwrap_or_default(),
        schema: text("schema")?,
        select: text("select")?.unwrap_or_else(|| "*".to_owned()),
        matches: text("match")?.unwrap_or_default(),
        conditions: conditions
            .unwrap_or_default()
            .into_iter()
            .filter_map(pair)
            .collect(),
        order: text("order")?,
        limit: limit.map(|limit| limit as u32),
        single: given.get("single")?.unwrap_or(false),
    })
}

type Reader<'env> = Function<'env, (), PromiseRaw<'static, ()>>;

const READERS: &str = concat!("(", include_str!("resource_readers.js"), "\n)");

/// The names in the definition of a resource.
const DEFINITION: [&str; 7] = [
    "name",
    "ttlSeconds",
    "loadTimeoutMs",
    "load",
    "supabase",
    "tags",
    "fallback",
];

/// A cache as functions that need no `this`. Not for users: `SharedCache` is made of it.
#[napi(js_name = "__sharedCache", catch_unwind, skip_typescript)]
pub fn shared_cache<'env>(env: &'env Env, options: Unknown) -> napi::Result<Object<'env>> {
    let (given, room) =
        options::read_collection(env, options).map_err(|refusal| refusal.into_js(env))?;
    let number = MADE.get();
    MADE.set(number + 1);
    let shared = Rc::new(Shared {
        number,
        env: env.raw(),
        given,
        room,
        opened: OnceCell::new(),
        closed: Cell::new(false),
        definitions: RefCell::default(),
        places: RefCell::default(),
        free: RefCell::default(),
    });
    CACHES.with_borrow_mut(|caches| caches.insert(number, Rc::downgrade(&shared)));
    let mut cache = Object::new(env)?;
    let of = shared.clone();
    let resource = env.create_function_from_closure("resource", move |call| {
        Ok(detached(
            call.env,
            of.resource(call.env, call.first_arg()?)?,
        ))
    })?;
    cache.set::<_, Function<(), Object>>("resource", resource)?;
    let of = shared.clone();
    let invalidate = env.create_function_from_closure("invalidate", move |call| {
        let invalidation = of.invalidate(call.env, call.get(0)?, call.get(1)?)?;
        Ok(PromiseRaw::<()>::new(call.env.raw(), invalidation.raw()))
    })?;
    cache.set::<_, Function<(), PromiseRaw<()>>>("invalidate", invalidate)?;
    let of = shared.clone();
    let stats = env.create_function_from_closure("stats", move |call| {
        let stats = answers::collection_stats(call.env, &*of.even_closed(call.env)?)?;
        Ok(detached(call.env, stats))
    })?;
    cache.set::<_, Function<(), Object>>("stats", stats)?;
    let of = shared.clone();
    let metrics = env.create_function_from_closure("metrics", move |call| {
        Ok(of.even_closed(call.env)?.metrics())
    })?;
    cache.set::<_, Function<(), String>>("metrics", metrics)?;
    let close = env.create_function_from_closure("close", move |call| {
        Ok(PromiseRaw::<()>::new(
            call.env.raw(),
            shared.close(call.env)?.raw(),
        ))
    })?;
    cache.set::<_, Function<(), PromiseRaw<()>>>("close", close)?;
    Ok(cache)
}

impl Shared {
    /// Adds a resource; gives the functions that read it.
    fn resource<'env>(
        self: &Rc<Self>,
        env: &'env Env,
        definition: Unknown,
    ) -> napi::Result<Object<'env>> {
        let script: Function<(), Object> = env.run_script(READERS)?;
        let kept = script.call(())?;
        let definition = self
            .define(env, definition, &kept)
            .map_err(|refusal| refusal.into_js(env))?;
        let reader: Function<FnArgs<(Reader, Reader)>, Reader> =
            kept.get_named_property("reader")?;
        let mut readers = Object::new(env)?;
        for (name, form) in [("get", Form::Value), ("getEntry", Form::Entry)] {
            let shared = self.clone();
            let hit = env.create_function_from_closure("hit", move |call| {
                let found = shared.hit(call.env, call.first_arg()?, form)?;
                let found = match found {
                    Some(promise) => promise,
                    None => ().into_unknown(call.env)?.raw(),
                };
                Ok(PromiseRaw::new(call.env.raw(), found))
            })?;
            let (shared, definition) = (self.clone(), definition.clone());
            let ask = env.create_function_from_closure("ask", move |call| {
                let id = id_of(call.env, call.first_arg()?)?;
                let promise = read(call.env, &shared, &definition, form, &id)?;
                Ok(PromiseRaw::new(call.env.raw(), promise))
            })?;
            readers.set(name, reader.call((hit, ask).into())?)?;
        }
        Ok(readers)
    }

    /// The promise that is held for the entry of this handle, if the near cache says so.
    fn hit(&self, env: &Env, handle: i64, form: Form) -> napi::Result<Option<sys::napi_value>> {
        let places = self.places.borrow();
        let place = &places[(handle % PLACES) as usize];
        if i64::from(place.round) != handle / PLACES || self.closed.get() {
            return Ok(None);
        }
        let (Some(opened), Some(line)) = (self.opened.get(), &place.line) else {
            return Ok(None);
        };
        let promises = place.promises(form);
        let Some(Found { value, renew }) = opened.collection.at_hand(line, promises.hit.number())
        else {
            return Ok(None);
        };
        if renew {
            sweep(&opened.collection);
        }
        let promise = match value {
            AtHand::Known => promises.hit.get::<()>(env)?.raw(),
            AtHand::Other(held) => hold(env, promises, form, *held)?,
        };
        Ok(Some(promise))
    }

    fn define(
        &self,
        env: &Env,
        definition: Unknown,
        readers: &Object,
    ) -> Result<Rc<Definition>, Refusal> {
        let readers = Readers {
            remember: readers
                .get_named_property::<Function<FnArgs<(String, f64)>, ()>>("remember")?
                .create_ref()?,
            forget: readers
                .get_named_property::<Function<String, ()>>("forget")?
                .create_ref()?,
        };
        let given = Fields::of(env, definition, &DEFINITION)?;
        let given = given.ok_or_else(|| Error::options_invalid("undefined"))?;
        let mut definitions = self.definitions.borrow_mut();
        let definition = Definition::read(definitions.len(), &given, readers)?;
        let name = &definition.name;
        if definitions.iter().any(|known| known.name == *name) {
            let rule = "must be that of no other resource of this cache";
            return Err(Error::config_invalid("name", &format!("{name:?}"), rule).into());
        }
        let definition = Rc::new(definition);
        if let Some(opened) = self.opened.get() {
            definition.add_to(opened);
        }
        definitions.push(definition.clone());
        Ok(definition)
    }

    /// `targets`: `{ entries: [[name, id]], resources: [name], tags: [tag] }`.
    fn invalidate<'env>(
        &self,
        env: &'env Env,
        targets: Object,
        options: Unknown,
    ) -> napi::Result<PromiseRaw<'env, answers::InvalidationReceipt>> {
        let wait = options::read_wait(env, options).map_err(|refusal| refusal.into_js(env))?;
        let texts = |name: &str| {
            targets
                .get::<Vec<String>>(name)
                .map(Option::unwrap_or_default)
        };
        let entries: Option<Vec<Vec<String>>> = targets.get("entries")?;
        let targets = Targets {
            entries: entries
                .unwrap_or_default()
                .into_iter()
                .filter_map(pair)
                .collect(),
            resources: texts("resources")?,
            tags: texts("tags")?,
        };
        // Called here, not in the future: the epochs end before the promise is handed out.
        let invalidation = self.opened(env).map(|opened| {
            let collection = &opened.collection;
            let invalidation = collection.invalidate(targets.marks());
            (invalidation, collection.engine().clone())
        });
        let proven = async move {
            let (invalidation, engine) = invalidation?;
            let receipt = invalidation.await?;
            let proof = match wait {
                Wait::Commit => None,
                Wait::All { patience } => Some(engine.prove_everywhere(&receipt, patience).await),
            };
            Ok((receipt, proof))
        };
        promise(env, proven, |_, (receipt, proof)| {
            Ok(answers::receipt(receipt, proof))
        })
    }

    fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        self.closed.set(true);
        let opened = self.opened.get();
        let engine = opened.map(|opened| opened.collection.engine().clone());
        if let Some(engine) = &engine {
            engine.close();
        }
        self.release(env)?;
        let left = async move {
            if let Some(engine) = engine {
                engine.leave().await;
            }
            Ok(())
        };
        promise(env, left, |_, ()| Ok(()))
    }

    fn even_closed(&self, env: &Env) -> napi::Result<Arc<Collection>> {
        let opened = self.opened.get_or_try_init(|| self.open(env));
        opened
            .map(|opened| opened.collection.clone())
            .map_err(|error| to_js(env, error))
    }
}

/// Only its functions hold it, so it goes on the thread of its environment.
impl Drop for Shared {
    fn drop(&mut self) {
        CACHES.with_borrow_mut(|caches| caches.remove(&self.number));
        // What is left is left to the end of the environment.
        drop(self.release(&Env::from_raw(self.env)));
    }
}

/// What a closure gives back is JavaScript's at once.
fn detached(env: &Env, object: Object) -> Object<'static> {
    Object::from_raw(env.raw(), object.raw())
}

fn pair(pair: Vec<String>) -> Option<(String, String)> {
    let mut pair = pair.into_iter();
    Some((pair.next()?, pair.next()?))
}

/// A string, or a whole number as its digits.
fn id_of(env: &Env, id: Unknown) -> napi::Result<String> {
    let text = match id.get_type()? {
        ValueType::String => Some(id.coerce_to_string()?.into_utf8()?.into_owned()?),
        ValueType::Number => {
            let number = id.coerce_to_number()?.get_double()?;
            let safe = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_991.0;
            safe.then(|| format!("{number:.0}"))
        }
        _ => None,
    };
    text.filter(|id| is_id(id)).ok_or_else(|| {
        let rule = format!(
            "the id must be a well-formed string of 1 to {MAX_ID_BYTES} bytes, or a whole number"
        );
        to_js(env, Error::argument_invalid(rule))
    })
}

/// A promise of what the collection gives, without asking where it may.
fn read(
    env: &Env,
    shared: &Rc<Shared>,
    definition: &Rc<Definition>,
    form: Form,
    id: &str,
) -> napi::Result<sys::napi_value> {
    if let Some(opened) = shared.opened.get()
        && let Some(resource) = definition.resource.get()
        && let Some(line) = opened.collection.line(resource, id)
    {
        let handle = shared.places.borrow()[line.place as usize].handle(line.place);
        if let Some(promise) = shared.hit(env, handle as i64, form)? {
            return Ok(promise);
        }
    }
    ask(env, shared, definition, form, id)
}

// What few reads do is kept out of line: the room that it takes on the stack would cost every hit.

#[inline(never)]
fn sweep(collection: &Arc<Collection>) {
    within_runtime_if_available(|| collection.sweep());
}

#[inline(never)]
fn hold(env: &Env, promises: &Promises, form: Form, held: Held) -> napi::Result<sys::napi_value> {
    let (number, answer) = (held.number, &Answer::of(held, Tier::Memory));
    let value = form.of(env, answer, value_of(env, answer)?)?;
    let promise = PromiseRaw::resolve(env, value)?;
    if is_shared(answer) {
        promises.hit.replace(env, number, &promise)?;
        // Who hits needs it no more.
        promises.flight.release(env)?;
    }
    Ok(promise.raw())
}

#[inline(never)]
fn ask(
    env: &Env,
    shared: &Rc<Shared>,
    definition: &Rc<Definition>,
    form: Form,
    id: &str,
) -> napi::Result<sys::napi_value> {
    let (collection, resource) = match shared.opened(env) {
        Ok(opened) => match definition.resource.get() {
            Some(resource) => (&opened.collection, resource),
            None => return Err(to_js(env, Error::internal())),
        },
        Err(error) => return Ok(PromiseRaw::<()>::reject(env, to_js(env, error))?.raw()),
    };
    let line = match collection.line(resource, id) {
        Some(line) => line,
        None => match enter(env, shared, definition, id, collection, resource) {
            Ok(line) => line,
            Err(error) => return Ok(PromiseRaw::<()>::reject(env, error)?.raw()),
        },
    };
    let Asking { flight, answer } = within_runtime_if_available(|| collection.ask(&line));
    let places = shared.places.borrow();
    let held = &places[line.place as usize].promises(form).flight;
    let joins = definition.shared.get() && !line.is_evicted();
    if joins && flight == held.number() {
        return Ok(held.get::<()>(env)?.raw());
    }
    let (cache, number, id) = (shared.number, definition.number, id.to_owned());
    let answer = async move { Ok(answer.await) };
    let promise = promise(env, answer, move |env, answer| {
        deliver(env, cache, number, form, &id, &answer)
    })?;
    if joins {
        held.replace(env, flight, &promise)?;
    }
    Ok(promise.raw())
}

fn enter(
    env: &Env,
    shared: &Shared,
    definition: &Definition,
    id: &str,
    collection: &Collection,
    resource: &Resource,
) -> napi::Result<Arc<Line>> {
    // First what the user's function may do.
    let tags = definition.tags_of(env, id)?;
    if let Some(line) = collection.line(resource, id) {
        return Ok(line);
    }
    let place = shared.place(env, collection)?;
    let line = collection.enter(resource, id, &tags, place);
    let handle = {
        let mut places = shared.places.borrow_mut();
        let at = &mut places[place as usize];
        at.line = Some(line.clone());
        at.handle(place)
    };
    let remember = definition.readers.remember.borrow_back(env)?;
    remember.call((id.to_owned(), handle).into())?;
    Ok(line)
}

fn deliver<'env>(
    env: &'env Env,
    cache: u64,
    definition: usize,
    form: Form,
    id: &str,
    answer: &Answer,
) -> napi::Result<Unknown<'env>> {
    let shared = CACHES.with_borrow(|caches| caches.get(&cache).and_then(Weak::upgrade));
    let definition = shared
        .as_ref()
        .and_then(|shared| shared.definitions.borrow().get(definition).cloned());
    let value = match &definition {
        Some(definition) if answer.tier == Tier::Fallback => {
            definition.stand_in(env, id, answer)?
        }
        None if answer.tier == Tier::Fallback => {
            // Nobody holds the cache any more, nor what would stand in.
            let error = Error::load_failed("a resource", answer.fault.clone());
            return Err(to_js(env, error));
        }
        _ => value_of(env, answer)?,
    };
    if let Some(definition) = definition {
        definition.shared.set(is_shared(answer));
    }
    form.of(env, answer, value)
}
