//! A signing key against somebody who may write to the store whatever he likes, and knows everything but the key.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use common::{HandClock, LIMITS, Lines, Scene, ScriptedSource, prompt, row, until};
use grove_shared_cache::core::answer::{Answer, Tier};
use grove_shared_cache::core::cache::{Cache, Parts};
use grove_shared_cache::core::clock::Clock;
use grove_shared_cache::core::error::Fault;
use grove_shared_cache::core::http::Deadline;
use grove_shared_cache::core::log::{Level, Logger};
use grove_shared_cache::core::prompt::{DEFAULT_FALLBACK, SystemPrompt};
use grove_shared_cache::core::protocol::{Announcement, Entry, Generation, Keys, record};
use grove_shared_cache::core::push::Listener;
use grove_shared_cache::core::rules::Rules;
use grove_shared_cache::core::signature::Signer;
use grove_shared_cache::core::store::KeyValue;
use grove_shared_cache::core::store::memory::Memory;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

const T1: &str = "2026-01-01T00:00:00+00:00";
const T2: &str = "2026-01-02T00:00:00+00:00";
const PREFIX: &str = "test";
const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";
const NAMES: [&str; 4] = ["active", "version", "config", "generation"];
/// When an entry is believed no more, and then some.
const LONG_PAST: Duration = Duration::from_secs(400);

struct Fleet {
    store: Memory,
    clock: Arc<HandClock>,
    lines: Arc<Lines>,
    source: Arc<ScriptedSource>,
}

/// The content of the four keys.
type Copy = [Option<String>; 4];

impl Fleet {
    fn new() -> Self {
        let clock = Arc::new(HandClock::default());
        Fleet {
            store: Memory::new(clock.clone(), Keys::under(PREFIX)),
            clock,
            lines: Arc::default(),
            source: ScriptedSource::of([Scene::Row(row("one", T1))]),
        }
    }

    fn instance(&self, signer: Option<Signer>) -> Arc<Cache> {
        let resource = Arc::new(SystemPrompt::new(None));
        let logger = Logger::new(Some(Level::Debug), self.lines.clone(), resource.clone());
        let parts = Parts {
            id: "test".into(),
            name: "test".into(),
            no_store: None,
            resource,
            store: Some(Arc::new(self.store.clone())),
            channel: None,
            source: Some(self.source.clone()),
            legacy: None,
            clock: self.clock.clone(),
            limits: LIMITS,
            signer,
            rules: Rules::ALL_KEPT,
        };
        Cache::new(parts, logger)
    }

    fn signed(&self) -> Arc<Cache> {
        self.instance(Some(Signer::new(PREFIX, KEY, None)))
    }

    /// An instance that has read and stored the first prompt.
    async fn settled(&self) -> Arc<Cache> {
        let cache = self.signed();
        assert_eq!(content(&cache.fetch().await), prompt("one"));
        until(|| cache.stats.fills.get() == 1).await;
        cache
    }

    /// The row is changed and invalidated through this instance.
    async fn change(&self, admin: &Arc<Cache>) -> Generation {
        self.source.then(Scene::Row(row("two", T2)));
        let receipt = admin.invalidate().await.unwrap();
        receipt.generation.unwrap()
    }

    async fn copy(&self) -> Copy {
        let mut copy = Copy::default();
        for (name, value) in NAMES.iter().zip(&mut copy) {
            *value = self.store.get(deadline(), &key(name)).await.unwrap();
        }
        copy
    }

    async fn put(&self, copy: &Copy) {
        for (name, value) in NAMES.iter().zip(copy) {
            match value {
                Some(value) => self
                    .store
                    .set(deadline(), &key(name), value, 1_000_000)
                    .await
                    .unwrap(),
                None => drop(self.store.del(deadline(), &key(name)).await.unwrap()),
            }
        }
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

fn key(name: &str) -> String {
    format!("{PREFIX}:{name}")
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

/// A line of the channel.
fn said(generation: &Generation, from: &str) -> String {
    let announcement = Announcement {
        generation: generation.clone(),
        sync: None,
        from: from.into(),
        scope: None,
    };
    announcement.to_line()
}

fn content(answer: &Answer) -> String {
    answer.entry.content.to_string()
}

/// What this package would store, as whoever knows its source can make it.
fn forged(signer: Option<&Signer>, content: &str, generation: &str, now_ms: u64) -> Copy {
    let entry = Entry {
        content: content.into(),
        version: "2027-01-01T00:00:00+00:00".into(),
        source: "supabase".into(),
        loaded_at_ms: now_ms,
        attributes: Map::new(),
    };
    let record = record(&entry, &Generation::new(generation));
    let record = match signer {
        Some(signer) => signer.sign(record),
        None => record,
    };
    [
        Some(record.content.to_string()),
        Some(record.version),
        Some(record.config),
        Some(generation.to_owned()),
    ]
}

fn with_config(copy: &Copy, change: impl FnOnce(&mut Map<String, Value>)) -> Copy {
    let mut config = serde_json::from_str(copy[2].as_deref().unwrap()).unwrap();
    change(&mut config);
    let mut changed = copy.clone();
    changed[2] = Some(Value::Object(config).to_string());
    changed
}

/// Whether this is the same entry, of the same generation.
fn is_of(one: &Copy, other: &Copy) -> bool {
    [0, 2, 3].iter().all(|&name| one[name] == other[name])
}

/// Everything that somebody could put there who has seen `old` and `new`, by name.
fn attacks(old: &Copy, new: &Copy, now_ms: u64) -> Vec<(&'static str, Copy)> {
    let generation = new[3].clone().unwrap();
    let signed_by = |scope, key| Signer::new(scope, key, None);
    let mut mixed = new.clone();
    mixed[0] = Some("injected".into());
    let mut truncated = new.clone();
    truncated[0] = new[0]
        .as_ref()
        .map(|text| text[..text.len() - 1].to_owned());
    let rehashed = with_config(&truncated, |config| {
        let unsigned = forged(None, truncated[0].as_deref().unwrap(), &generation, now_ms);
        let fitting: Map<String, Value> =
            serde_json::from_str(unsigned[2].as_deref().unwrap()).unwrap();
        config.insert("sha256".into(), fitting["sha256"].clone());
    });
    let mut replayed = old.clone();
    replayed[3] = new[3].clone();
    let renumbered = with_config(&replayed, |config| {
        config.insert(
            "generation".into(),
            generation.parse::<u64>().unwrap().into(),
        );
    });
    let mut disguised = old.clone();
    disguised[1] = new[1].clone();
    let mut crossed = new.clone();
    crossed[0] = old[0].clone();
    vec![
        ("injected text", mixed),
        (
            "a whole entry without a signature",
            forged(None, "injected", &generation, now_ms),
        ),
        (
            "a whole entry signed with another key",
            forged(
                Some(&signed_by(PREFIX, OTHER_KEY)),
                "injected",
                &generation,
                now_ms,
            ),
        ),
        (
            "a whole entry signed for another place",
            forged(
                Some(&signed_by("other", KEY)),
                "injected",
                &generation,
                now_ms,
            ),
        ),
        ("a truncated prompt", truncated),
        ("a truncated prompt with a fitting hash", rehashed),
        ("the old text under the new signature", crossed),
        (
            "a stripped signature",
            with_config(new, |config| drop(config.remove("signature"))),
        ),
        (
            "an empty signature",
            with_config(new, |config| {
                drop(config.insert("signature".into(), json!("")))
            }),
        ),
        (
            "half a signature",
            with_config(new, |config| {
                let half = config["signature"].as_str().unwrap()[..32].to_owned();
                config.insert("signature".into(), half.into());
            }),
        ),
        (
            "a signature that is no text",
            with_config(new, |config| {
                drop(config.insert("signature".into(), json!([0])))
            }),
        ),
        (
            "another behaviour",
            with_config(new, |config| {
                drop(config.insert("useTopicTags".into(), json!(false)))
            }),
        ),
        (
            "another time of the fill",
            with_config(new, |config| {
                drop(config.insert("filledAt".into(), json!(now_ms + 1)))
            }),
        ),
        ("the old entry under the new generation", replayed),
        ("the old entry with the new generation in it", renumbered),
        ("everything as it was before", old.clone()),
        (
            "everything as it was before, with the new version beside it",
            disguised,
        ),
        ("nothing at all", Copy::default()),
    ]
}

#[tokio::test(start_paused = true)]
async fn nothing_that_somebody_else_wrote_or_put_back_is_served() {
    let corpus = {
        let fleet = Fleet::new();
        let admin = fleet.settled().await;
        let old = fleet.copy().await;
        fleet.change(&admin).await;
        attacks(&old, &fleet.copy().await, fleet.clock.wall_ms())
    };
    for (index, (attack, _)) in corpus.iter().enumerate() {
        let fleet = Fleet::new();
        let admin = fleet.settled().await;
        // Was there before the change, and heard of it; one that holds the old prompt.
        let told = fleet.signed();
        told.fetch().await;
        let old = fleet.copy().await;
        let generation = fleet.change(&admin).await;
        told.clone().message(&said(&generation, "admin"));
        let (name, planted) =
            attacks(&old, &fleet.copy().await, fleet.clock.wall_ms()).swap_remove(index);
        assert_eq!(&name, attack);
        let fresh = fleet.signed();
        for (who, cache) in [("admin", &admin), ("told", &told), ("fresh", &fresh)] {
            fleet.put(&planted).await;
            fleet.pass(LIMITS.max_staleness);
            let misses = cache.stats.misses.get();
            for _ in 0..3 {
                let answer = cache.fetch().await;
                assert_eq!(content(&answer), prompt("two"), "{who}: {attack}");
                let attributes = &answer.entry.attributes;
                assert_eq!(attributes["useTopicTags"], true, "{who}: {attack}");
                assert_eq!(attributes["title"], "Grove", "{who}: {attack}");
            }
            // This one has to read all of it, so that it is a miss, unless it was once the truth: then the source decides.
            if who == "told" && !is_of(&planted, &old) {
                assert!(cache.stats.misses.get() > misses, "{attack}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_was_signed_for_a_generation_before_its_time_is_not_served_when_that_comes() {
    for early in ["9007199254740991", "1800000000777"] {
        let fleet = Fleet::new();
        let admin = fleet.settled().await;
        let told = fleet.signed();
        told.fetch().await;
        let before = fleet.copy().await;
        // The generation is set, and what was stored deleted: the next miss signs the old prompt for it.
        fleet.put(&[None, None, None, Some(early.into())]).await;
        fleet.pass(LIMITS.max_staleness);
        told.fetch().await;
        until(|| told.stats.fills.get() == 1).await;
        let kept = fleet.copy().await;
        fleet.put(&before).await;
        let generation = fleet.change(&admin).await;
        told.clone().message(&said(&generation, "admin"));
        fleet.put(&kept).await;
        fleet.pass(LIMITS.max_staleness);
        assert_eq!(content(&told.fetch().await), prompt("two"), "{early}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_announcement_before_its_time_does_not_make_the_real_one_known() {
    let fleet = Fleet::new();
    let admin = fleet.settled().await;
    let told = fleet.signed();
    told.fetch().await;
    let before = fleet.copy().await;
    let next = Generation::new("1900000000000");
    fleet
        .store
        .set(deadline(), &key("generation"), "1899999999999", 1_000_000)
        .await
        .unwrap();
    for from in ["admin", "stranger"] {
        told.clone().message(&said(&next, from));
        told.fetch().await;
    }
    let generation = fleet.change(&admin).await;
    assert_eq!(generation, next, "as was foreseen");
    told.clone().message(&said(&generation, "admin"));
    fleet.put(&before).await;
    assert_eq!(content(&told.fetch().await), prompt("two"));
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_amid_reads_is_no_attack() {
    let fleet = Fleet::new();
    let admin = fleet.settled().await;
    for _ in 0..20 {
        fleet.pass(LIMITS.max_staleness);
        let reads: Vec<_> = (0..4)
            .map(|_| {
                let admin = admin.clone();
                tokio::spawn(async move { admin.fetch().await })
            })
            .collect();
        tokio::task::yield_now().await;
        admin.invalidate().await.unwrap();
        for read in reads {
            read.await.unwrap();
        }
    }
    assert_eq!(admin.stats.signatures_refused.get(), 0);
    let warnings = fleet.lines.at_least(Level::Warn);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_instance_believes_the_source_that_there_is_no_prompt() {
    let fleet = Fleet::new();
    fleet.settled().await;
    fleet.source.then(Scene::NoRow);
    assert_eq!(fleet.signed().fetch().await.tier, Tier::Fallback);
}
#[tokio::test(start_paused = true)]
async fn where_nobody_can_prove_it_only_what_was_once_signed_is_served() {
    let fleet = Fleet::new();
    let admin = fleet.settled().await;
    let old = fleet.copy().await;
    fleet.change(&admin).await;
    let new = fleet.copy().await;
    for (attack, planted) in attacks(&old, &new, fleet.clock.wall_ms()) {
        fleet.put(&planted).await;
        fleet.source.then(Scene::Fault(Fault::Unreachable));
        let answer = fleet.signed().fetch().await;
        let expected = if is_of(&planted, &old) {
            (Tier::Redis, prompt("one"))
        } else {
            (Tier::Fallback, DEFAULT_FALLBACK.into())
        };
        assert_eq!((answer.tier, content(&answer)), expected, "{attack}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_put_back_behind_the_back_of_an_instance_is_believed_for_a_ttl_at_most() {
    let fleet = Fleet::new();
    let admin = fleet.settled().await;
    let silent = fleet.signed();
    silent.fetch().await;
    let old = fleet.copy().await;
    fleet.change(&admin).await;
    fleet.put(&old).await;
    fleet.pass(LIMITS.max_staleness);
    assert_eq!(
        content(&silent.fetch().await),
        prompt("one"),
        "nothing tells it"
    );
    fleet.pass(LONG_PAST);
    fleet.put(&old).await;
    assert_eq!(content(&silent.fetch().await), prompt("two"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_signature_is_counted_and_warned_of_once() {
    let fleet = Fleet::new();
    let cache = fleet.settled().await;
    let planted = forged(None, "injected", "7", fleet.clock.wall_ms());
    let mut fills = cache.stats.fills.get();
    for _ in 0..3 {
        fleet.put(&planted).await;
        fleet.pass(LIMITS.max_staleness);
        assert_eq!(content(&cache.fetch().await), prompt("one"));
        until(|| cache.stats.fills.get() > fills).await;
        fills = cache.stats.fills.get();
        fleet.pass(LIMITS.max_staleness);
        assert_eq!(cache.fetch().await.tier, Tier::Redis, "a hit in between");
    }
    assert!(cache.stats.signatures_refused.get() >= 3);
    let warnings = fleet.lines.at_least(Level::Warn);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("its signature is missing or wrong"),
        "{warnings:?}"
    );
    assert!(!warnings[0].contains("injected"), "{warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_changed_without_a_miss() {
    let fleet = Fleet::new();
    let with = |key, second| fleet.instance(Some(Signer::new(PREFIX, key, second)));
    fleet.settled().await;
    // One after the other, all instances accept the new key, then sign with it, then forget the old one.
    let stages = [
        [with(KEY, None), with(KEY, Some(OTHER_KEY))],
        [with(KEY, Some(OTHER_KEY)), with(OTHER_KEY, Some(KEY))],
        [with(OTHER_KEY, Some(KEY)), with(OTHER_KEY, None)],
    ];
    for (stage, caches) in stages.iter().enumerate() {
        for cache in caches {
            // A change in each stage, signed by the one, and read by both.
            cache.invalidate().await.unwrap();
            for reader in caches {
                fleet.pass(LIMITS.max_staleness);
                reader.fetch().await;
                let refused = reader.stats.signatures_refused.get();
                assert_eq!(
                    (refused, reader.stats.misses.get()),
                    (0, 0),
                    "stage {stage}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn instances_with_and_without_a_key_live_together() {
    let fleet = Fleet::new();
    let unsigned = fleet.instance(None);
    unsigned.fetch().await;
    until(|| unsigned.stats.fills.get() == 1).await;
    let signed = fleet.signed();
    signed.fetch().await;
    until(|| signed.stats.fills.get() == 1).await;
    for cache in [&unsigned, &signed] {
        fleet.pass(LIMITS.max_staleness);
        let answer = cache.fetch().await;
        assert_eq!(
            (answer.tier, content(&answer)),
            (Tier::Redis, prompt("one"))
        );
        assert!(!answer.entry.attributes.contains_key("signature"));
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_source_fails_a_new_instance_believes_what_is_signed() {
    let fleet = Fleet::new();
    fleet.settled().await;
    fleet.source.then(Scene::Fault(Fault::Unreachable));
    let answer = fleet.signed().fetch().await;
    assert_eq!(
        (answer.tier, content(&answer)),
        (Tier::Redis, prompt("one"))
    );
}
