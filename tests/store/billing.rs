//! What a read and an invalidation cost: as a cache counts it for its owner, as the server has run it, and no more than was promised.

use crate::stack::Stack;
use crate::world::{Quiet, SEED, World, sequence};
use async_trait::async_trait;
use grove_shared_cache::cache::{
    CachedEntry, KeyedResource, Parts, ResourceParts, SharedCache, SingleParts, Tier,
};
use grove_shared_cache::clock::SystemClock;
use grove_shared_cache::config::{Capacity, Limits};
use grove_shared_cache::error::Fault;
use grove_shared_cache::http::Deadline;
use grove_shared_cache::resource::{Kind, Loaded, Loader, SystemPrompt};
use grove_shared_cache::source::{Row, Source};
use grove_shared_cache::testing::mutants::Mutation;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// So that no lease ends meanwhile.
const LEASE: Duration = Duration::from_secs(3600);
const TIMEOUT: Duration = Duration::from_secs(20);
/// What this package sends, or runs in scripts.
const OURS: [&str; 16] = [
    "eval",
    "get",
    "mget",
    "set",
    "del",
    "ttl",
    "incr",
    "incrby",
    "hset",
    "hget",
    "hdel",
    "hgetall",
    "hmget",
    "xadd",
    "xrevrange",
    "publish",
];

struct Texts;

#[async_trait]
impl Loader for Texts {
    fn name(&self) -> &'static str {
        "loader"
    }

    async fn load(&self, id: &str, _: Deadline) -> Result<Loaded, Fault> {
        Ok(Loaded {
            kind: Kind::Text,
            content: id.into(),
        })
    }
}

#[async_trait]
impl Source for Texts {
    fn name(&self) -> &'static str {
        "supabase"
    }

    async fn load(&self, _: Deadline) -> Result<Option<Row>, Fault> {
        let row = json!({
            "id": "row",
            "title": "Grove",
            "updated_at": "2026-01-01T00:00:00+00:00",
            "payload": { "identity": "text" }
        });
        Ok(row.as_object().cloned())
    }
}

/// One instance, whose commands are counted from here on.
struct Instance<'a> {
    world: &'a World,
    cache: Arc<SharedCache>,
    prompt: Arc<CachedEntry>,
    docs: Arc<KeyedResource>,
    run_before: u64,
}

impl<'a> Instance<'a> {
    async fn of(world: &'a World, id: &str) -> Self {
        let parts = Parts {
            id: id.into(),
            prefix: world.keys.prefix.to_string(),
            link: Some(world.link.clone()),
            no_store: None,
            channel: None,
            clock: Arc::new(SystemClock),
            limits: Limits {
                ttl_seconds: 300,
                max_staleness: LEASE,
                redis_timeout: TIMEOUT,
                source_timeout: TIMEOUT,
            },
            mutation: Mutation::NONE,
        };
        let capacity = Capacity {
            max_entries: 100,
            max_bytes: 1 << 20,
        };
        let cache = SharedCache::new(parts, capacity, None, None, Arc::new(Quiet));
        let prompt = cache.add_single(SingleParts {
            name: "system-prompt".into(),
            resource: Arc::new(SystemPrompt::new(None)),
            source: Some(Arc::new(Texts)),
            no_source: None,
            legacy: None,
        });
        let docs = ResourceParts {
            name: "docs".into(),
            ttl_seconds: 300,
            source_timeout: TIMEOUT,
            loader: Arc::new(Texts),
        };
        Instance {
            docs: cache.add(docs).unwrap(),
            run_before: commands_run(world).await,
            world,
            cache,
            prompt,
        }
    }

    fn doc(&self, id: &str, tags: &[&str]) -> Arc<CachedEntry> {
        let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
        self.cache.enter(&self.docs, id, &tags, 0)
    }

    async fn reads(&self, entry: &Arc<CachedEntry>, tier: Tier) {
        assert_eq!(self.cache.fetch(entry).await.tier, tier);
    }

    async fn invalidates(&self, name: &str, acknowledge: bool) {
        let invalidated = self.cache.invalidate([name.into()].into(), acknowledge);
        invalidated.await.unwrap();
    }

    /// Waits until this is there: a fill is not awaited by whoever reads.
    async fn until_stored(&self, key: &str) {
        for _ in 0..1000 {
            let there = self.world.tell(&["EXISTS", key]).await;
            if there.unwrap().integer() == Ok(1) {
                return;
            }
        }
        panic!("{key} was not stored");
    }

    /// What was billed since it began: what it counted, which is what was run.
    async fn billed(&self) -> u64 {
        // What goes on beside a read may still wait for its answer.
        for _ in 0..1000 {
            let run = commands_run(self.world).await - self.run_before;
            if self.cache.context().store_commands() == run {
                return run;
            }
        }
        let run = commands_run(self.world).await - self.run_before;
        panic!(
            "{} commands were counted, {run} were run",
            self.cache.context().store_commands()
        );
    }
}

/// How many commands the server has run that are somebody's bill.
async fn commands_run(world: &World) -> u64 {
    let statistics = world.tell(&["INFO", "commandstats"]).await.unwrap();
    let statistics = statistics.text().unwrap().unwrap();
    let calls = statistics.lines().filter_map(|line| {
        let (name, said) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        let calls = said.strip_prefix("calls=")?.split(',').next()?;
        OURS.contains(&name).then(|| calls.parse::<u64>().unwrap())
    });
    calls.sum()
}

#[tokio::test]
async fn reads_and_invalidations_cost_what_they_are_counted_as_and_no_more_than_promised() {
    let stack = Stack::store(&[]);
    let world = World::on(&stack);
    let key = |name: &str, part: &str| format!("{}:{name}:{part}", world.keys.prefix);
    let mut costs = Vec::new();

    let first = Instance::of(&world, "first").await;
    first.reads(&first.doc("a", &[]), Tier::Source).await;
    // No fill: it has seen no sequence when it looked.
    costs.push((
        "a read where there is no sequence yet",
        first.billed().await,
        9,
    ));

    // Three to ask and be listed, one to claim the load, five to fill, and one for each generation that is missing.
    let new = Instance::of(&world, "new").await;
    new.reads(&new.doc("b", &[]), Tier::Source).await;
    new.until_stored(&key("docs:b", "value")).await;
    let cost = new.billed().await;
    costs.push(("a cold miss, the first of its resource", cost, 11));

    let tagged = Instance::of(&world, "tagged").await;
    let entry = tagged.doc("c", &["x", "y", "z"]);
    tagged.reads(&entry, Tier::Source).await;
    tagged.until_stored(&key("docs:c", "value")).await;
    let cost = tagged.billed().await;
    costs.push(("a cold miss, the first of its three tags", cost, 13));

    let untagged = Instance::of(&world, "untagged").await;
    untagged.reads(&untagged.doc("d", &[]), Tier::Source).await;
    untagged.until_stored(&key("docs:d", "value")).await;
    let cost = untagged.billed().await;
    costs.push(("a cold miss, the first of this entry", cost, 10));

    world.invalidate(&["docs:d"]).await;
    let cold = Instance::of(&world, "cold").await;
    cold.reads(&cold.doc("d", &[]), Tier::Source).await;
    cold.until_stored(&key("docs:d", "value")).await;
    costs.push(("a cold miss", cold.billed().await, 9));

    let hit = Instance::of(&world, "hit").await;
    let entry = hit.doc("c", &["x", "y", "z"]);
    hit.reads(&entry, Tier::Redis).await;
    costs.push(("a first read of what is stored", hit.billed().await, 3));
    hit.reads(&entry, Tier::Memory).await;
    costs.push(("and a second", hit.billed().await, 3));

    let lone = Instance::of(&world, "lone").await;
    lone.invalidates("docs:a", false).await;
    costs.push(("an invalidation of an entry", lone.billed().await, 7));

    // Whoever first asks finds the list lost, and says so in it.
    let asks = Instance::of(&world, "asks").await;
    asks.invalidates("docs:a", true).await;
    let cost = asks.billed().await;
    costs.push(("one that begins the list of members", cost, 8));
    let asks = Instance::of(&world, "again").await;
    asks.invalidates("docs:a", true).await;
    costs.push(("one that asks for the members", asks.billed().await, 7));

    let prompt = Instance::of(&world, "prompt").await;
    prompt.invalidates("system-prompt", true).await;
    prompt.until_stored(&key("system-prompt", "active")).await;
    let cost = prompt.billed().await;
    costs.push(("one of the prompt, and its refill", cost, 13));

    let late = Instance::of(&world, "late").await;
    late.reads(&late.prompt, Tier::Redis).await;
    let cost = late.billed().await;
    costs.push(("a first read of the prompt after it", cost, 3));

    for (what, cost, most) in &costs {
        assert!(cost <= most, "{what} costs {cost}: {costs:?}");
    }
}

/// The operations that the situations above do not have.
#[tokio::test]
async fn each_operation_is_counted_as_it_is_run() {
    let stack = Stack::store(&[]);
    let world = World::on(&stack);
    let store = &world.store;
    let deadline = crate::world::deadline;
    let before = commands_run(&world).await;
    let agree = async |what: &str| {
        let run = commands_run(&world).await - before;
        assert_eq!(store.commands(), run, "after {what}");
    };
    world.seed().await;
    agree("a seed").await;
    world.seed().await;
    store.seed(deadline(), None).await.unwrap();
    agree("a seed that was there").await;
    world.validate().await;
    let listing = Some(("a1", "line".to_owned()));
    store
        .validate(deadline(), listing, vec!["key".into()])
        .await
        .unwrap();
    agree("validations").await;
    let [one, other] = ["r:a", "r:b"].map(|name| world.entry(&[name, "r:*", "tag:x"]));
    let fillings = [
        world.filling(&one, "one").await,
        world.filling(&other, "other").await,
    ];
    agree("looks").await;
    let [first, second] = fillings.clone();
    let filled = tokio::join!(world.fill(first), world.fill(second));
    assert_eq!(filled, (true, true));
    agree("fills").await;
    world.invalidate(&["r:a", "r:b", "tag:x"]).await;
    agree("an invalidation").await;
    let [first, _] = fillings;
    assert!(!world.fill(first).await);
    agree("a fill that was refused").await;
    let term = Duration::from_secs(60);
    for _ in 0..2 {
        let claim = |key| store.claim(deadline(), key, term);
        let _ = tokio::join!(claim(&one.claim), claim(&other.claim));
        agree("claims").await;
    }
    store.release(deadline(), &one.claim).await.unwrap();
    agree("a release").await;
    let marked = store.expel(deadline(), sequence(SEED), "a1", "line").await;
    let marked = marked.unwrap().unwrap();
    agree("a mark").await;
    for field in ["line", &marked] {
        let expelled = store.expel(deadline(), sequence(SEED), "a1", field).await;
        assert_eq!(expelled, Ok(None));
        agree("an expulsion").await;
    }
    let mut asked = world.invalidation(&["r:a"]);
    asked.acknowledge = true;
    asked.claim = Some((one.claim.clone(), term));
    let unsettled = world.commit(asked).await.roster.unsettled.unwrap();
    agree("an invalidation that begins the list").await;
    for unsettled in ["other", &unsettled] {
        store.settle(deadline(), unsettled).await.unwrap();
        agree("a settlement").await;
    }
    store.log(deadline(), 10).await.unwrap();
    store.roster(deadline()).await.unwrap();
    store.fields(deadline(), &["a1".into()]).await.unwrap();
    store.list(deadline(), "a1", "line").await.unwrap();
    store.leave(deadline(), "a1").await.unwrap();
    store.publish(deadline(), "line").await.unwrap();
    store.set(deadline(), "key", "value", 300).await.unwrap();
    store.get(deadline(), "key").await.unwrap();
    store.probe(deadline(), "key").await.unwrap();
    store.del(deadline(), "key").await.unwrap();
    agree("the rest").await;
    for key in [&world.keys.sequence, &world.keys.log, &world.keys.members] {
        world.tell(&["UNLINK", key]).await.unwrap();
        world.tell(&["SETRANGE", key, "0", "canary"]).await.unwrap();
    }
    let before = commands_run(&world).await - store.commands();
    let mut asked = world.invalidation(&["r:a"]);
    asked.acknowledge = true;
    world.commit(asked).await;
    store.log(deadline(), 10).await.unwrap();
    store.settle(deadline(), "other").await.unwrap();
    assert_eq!(
        commands_run(&world).await - before,
        store.commands(),
        "over strangers' keys"
    );
}
