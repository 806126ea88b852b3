//! A signing key against somebody who may write to the store whatever he likes ([`crate::attacks`]), and say what he likes on the
//! channel.

use crate::attacks::{KEY, OTHER_KEY, attacks, copy, forged, is_of, put};
use crate::common::{Scene, ScriptedSource, prompt, row, until};
use crate::store::{PREFIX, prompt_key};
use crate::world::{Instance, Special, T1, T2, World, settled};
use grove_shared_cache::cache::{Answer, Receipt, Tier};
use grove_shared_cache::clock::Clock;
use grove_shared_cache::error::Fault;
use grove_shared_cache::observe::log::Level;
use grove_shared_cache::protocol::{Announcement, LogRecord, Notes, Scope, Sequence};
use grove_shared_cache::resource::DEFAULT_FALLBACK;
use std::time::Duration;

/// When a value is believed no more, and then some.
const LONG_PAST: Duration = Duration::from_secs(400);
/// From one look at the keys of the prompt to the next, and then some.
const LOOK: Duration = Duration::from_secs(10);

fn signed_with(key: &str, second: Option<&str>) -> Special {
    Special {
        keys: Some((key.to_owned(), second.map(str::to_owned))),
        ..Special::default()
    }
}

impl World {
    fn new() -> Self {
        World::of(ScriptedSource::of([Scene::Row(row("one", T1))]))
    }

    fn signed(&self, id: &str) -> Instance {
        self.special(id, signed_with(KEY, None))
    }

    /// An instance that listens.
    async fn told(&self) -> Instance {
        let special = Special {
            push: true,
            ..signed_with(KEY, None)
        };
        let told = self.special("told", special);
        told.read().await;
        until(|| told.cache.context().push().1).await;
        told
    }

    /// An instance that has read and stored the first prompt.
    async fn settled(&self) -> Instance {
        let admin = self.signed("admin");
        assert_eq!(content(&admin.read().await), prompt("one"));
        admin.filled(1).await;
        admin
    }

    /// The row is changed and invalidated through this instance.
    async fn change(&self, admin: &Instance) -> Receipt {
        self.source.then(Scene::Row(row("two", T2)));
        admin.invalidate().await.unwrap()
    }

    /// Says on the channel that an invalidation was made.
    async fn say(&self, sequence: Sequence, from: &str, listener: &Instance) {
        let announcement = Announcement {
            record: LogRecord {
                previous: self.link.sequence(),
                sequence,
                scope: Scope::parse("system-prompt"),
                notes: Notes::default(),
            },
            sync: None,
            from: from.to_owned(),
        };
        let pushes = &listener.cache.context().stats.pushes;
        let before = pushes.get();
        self.link.announcements.say(&announcement.to_line());
        until(|| pushes.get() > before).await;
    }
}

fn content(answer: &Answer) -> String {
    answer.value.content.to_string()
}

#[tokio::test(start_paused = true)]
async fn nothing_that_somebody_else_wrote_or_put_back_is_served() {
    let corpus = {
        let world = World::new();
        let admin = world.settled().await;
        let old = copy(&world.link);
        world.change(&admin).await;
        attacks(&old, &copy(&world.link), world.clock.wall_ms())
    };
    assert_eq!(corpus.len(), 18);
    for (index, (attack, _)) in corpus.iter().enumerate() {
        let world = World::new();
        let admin = world.settled().await;
        // Was there before the change, and hears of it; one that holds the old prompt.
        let told = world.told().await;
        let old = copy(&world.link);
        world.change(&admin).await;
        until(|| told.cache.context().stats.pushes.get() == 1).await;
        let (name, planted) =
            attacks(&old, &copy(&world.link), world.clock.wall_ms()).swap_remove(index);
        assert_eq!(&name, attack);
        let fresh = world.signed("fresh");
        for (who, instance) in [("told", &told), ("admin", &admin), ("fresh", &fresh)] {
            put(&world.link, &planted);
            world.end_leases();
            let misses = instance.stats().misses.get();
            for _ in 0..3 {
                let answer = instance.read().await;
                assert_eq!(content(&answer), prompt("two"), "{who}: {attack}");
                let attributes = &answer.value.attributes;
                assert_eq!(attributes["useTopicTags"], true, "{who}: {attack}");
                assert_eq!(attributes["title"], "Grove", "{who}: {attack}");
            }
            // These have to read all of it, so that it is a miss, unless it was once the truth: then the source decides.
            if who != "admin" && !is_of(&planted, &old) {
                assert!(instance.stats().misses.get() > misses, "{who}: {attack}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_looks_at_the_keys_refuses_all_of_it_too() {
    let world = World::new();
    let admin = world.settled().await;
    let old = copy(&world.link);
    world.change(&admin).await;
    let new = copy(&world.link);
    for (attack, planted) in attacks(&old, &new, world.clock.wall_ms()) {
        put(&world.link, &planted);
        world.clock.advance(LOOK);
        let looks = world.link.count("MGET");
        // The first read after a while confirms, the next has the look done.
        for _ in 0..10 {
            assert_eq!(content(&admin.read().await), prompt("two"), "{attack}");
        }
        until(|| world.link.count("MGET") > looks).await;
        // The look comes to its end.
        settled().await;
        assert_eq!(content(&admin.read().await), prompt("two"), "{attack}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_was_signed_for_a_generation_before_its_time_is_not_served_when_that_comes() {
    let next = (crate::store::FIRST_SEQUENCE + 1).to_string();
    for early in [&next, "9007199254740991", "1800000000777"] {
        let world = World::new();
        let admin = world.settled().await;
        let told = world.told().await;
        let before = copy(&world.link);
        // The generation is set, and what was stored deleted: the next miss signs the old prompt for it.
        for part in ["active", "version", "config"] {
            world.link.put(&prompt_key(part), None);
        }
        world.link.put(&prompt_key("generation"), Some(early));
        let accomplice = world.signed("accomplice");
        accomplice.read().await;
        accomplice.filled(1).await;
        let kept = copy(&world.link);
        put(&world.link, &before);
        let receipt = world.change(&admin).await;
        let foreseen = receipt.sequence.unwrap().to_string() == next;
        assert!(foreseen, "the sequence can be foreseen");
        until(|| told.cache.context().stats.pushes.get() == 1).await;
        let now = copy(&world.link);
        put(&world.link, &kept);
        world
            .link
            .put(&format!("{PREFIX}:sequence"), now[4].as_deref());
        world.end_leases();
        for reader in [&told, &world.signed("fresh")] {
            assert_eq!(content(&reader.read().await), prompt("two"), "{early}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_announcement_before_its_time_does_not_make_the_real_one_known() {
    let world = World::new();
    let admin = world.settled().await;
    let told = world.told().await;
    let before = copy(&world.link);
    let next = Sequence::new(crate::store::FIRST_SEQUENCE + 1).unwrap();
    for from in ["admin", "stranger"] {
        world.say(next, from, &told).await;
        told.read().await;
    }
    let pushes = told.cache.context().stats.pushes.get();
    let receipt = world.change(&admin).await;
    assert_eq!(receipt.sequence, Some(next), "as was foreseen");
    until(|| told.cache.context().stats.pushes.get() > pushes).await;
    put(&world.link, &before);
    assert_eq!(content(&told.read().await), prompt("two"));
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_amid_reads_is_no_attack() {
    let world = World::new();
    let admin = world.settled().await;
    for _ in 0..20 {
        world.end_leases();
        let reads = [(); 4].map(|()| admin.begin_read());
        tokio::task::yield_now().await;
        admin.invalidate().await.unwrap();
        for read in reads {
            read.await.unwrap();
        }
    }
    assert_eq!(admin.stats().signatures_refused.get(), 0);
    let warnings = world.lines.at_least(Level::Warn);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_instance_believes_the_source_that_there_is_no_prompt() {
    let world = World::new();
    world.settled().await;
    world.source.then(Scene::NoRow);
    assert_eq!(world.signed("fresh").read().await.tier, Tier::Fallback);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_prove_it_only_what_was_once_signed_is_served() {
    let world = World::new();
    let admin = world.settled().await;
    let old = copy(&world.link);
    world.change(&admin).await;
    let new = copy(&world.link);
    for (attack, planted) in attacks(&old, &new, world.clock.wall_ms()) {
        put(&world.link, &planted);
        world.source.then(Scene::Fault(Fault::Unreachable));
        let answer = world.signed("fresh").read().await;
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
    let world = World::new();
    let admin = world.settled().await;
    let silent = world.signed("silent");
    silent.read().await;
    let old = copy(&world.link);
    world.change(&admin).await;
    put(&world.link, &old);
    world.end_leases();
    assert_eq!(
        content(&silent.read().await),
        prompt("one"),
        "nothing tells it, with the sequence put back"
    );
    world.clock.advance(LONG_PAST);
    put(&world.link, &old);
    assert_eq!(content(&silent.read().await), prompt("two"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_signature_is_counted_and_warned_of_once() {
    let world = World::new();
    let admin = world.settled().await;
    let whole = copy(&world.link);
    let planted = forged(None, "injected", &whole, world.clock.wall_ms());
    for _ in 0..3 {
        let fills = admin.stats().fills.get();
        put(&world.link, &planted);
        world.clock.advance(LOOK);
        assert_eq!(admin.read().await.tier, Tier::Redis, "a hit in between");
        assert_eq!(content(&admin.read().await), prompt("one"));
        until(|| admin.stats().fills.get() > fills).await;
    }
    assert_eq!(admin.stats().signatures_refused.get(), 3);
    let warnings = world.lines.at_least(Level::Warn);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("its signature is missing or wrong"),
        "{warnings:?}"
    );
    assert!(!warnings[0].contains("injected"), "{warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_changed_without_a_miss() {
    let world = World::new();
    let with = |key, second| world.special("of a stage", signed_with(key, second));
    world.settled().await;
    // One after the other, all instances accept the new key, then sign with it, then forget the old one.
    let stages = [
        [with(KEY, None), with(KEY, Some(OTHER_KEY))],
        [with(KEY, Some(OTHER_KEY)), with(OTHER_KEY, Some(KEY))],
        [with(OTHER_KEY, Some(KEY)), with(OTHER_KEY, None)],
    ];
    for (stage, instances) in stages.iter().enumerate() {
        for instance in instances {
            // A change in each stage, signed by the one, and read by both.
            instance.invalidate().await.unwrap();
            for reader in instances {
                world.end_leases();
                reader.read().await;
                let stats = reader.stats();
                assert_eq!(
                    (stats.signatures_refused.get(), stats.misses.get()),
                    (0, 0),
                    "stage {stage}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn instances_with_and_without_a_key_live_together() {
    let world = World::new();
    let unsigned = world.instance("unsigned");
    unsigned.read().await;
    unsigned.filled(1).await;
    let signed = world.signed("signed");
    signed.read().await;
    signed.filled(1).await;
    for instance in [&unsigned, &signed, &world.instance("fresh")] {
        world.end_leases();
        let answer = instance.read().await;
        assert_eq!(
            (answer.tier, content(&answer)),
            (Tier::Redis, prompt("one"))
        );
        assert!(!answer.value.attributes.contains_key("signature"));
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_source_fails_a_new_instance_believes_what_is_signed() {
    let world = World::new();
    world.settled().await;
    world.source.then(Scene::Fault(Fault::Unreachable));
    let answer = world.signed("fresh").read().await;
    assert_eq!(
        (answer.tier, content(&answer)),
        (Tier::Redis, prompt("one"))
    );
}
