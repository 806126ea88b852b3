//! One contract, two stores: the embedded one, and Upstash's protocol over a real Redis. And the source over a real
//! PostgREST.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use common::HandClock;
use common::stack::stack;
use grove_shared_cache::core::clock::SystemClock;
use grove_shared_cache::core::fleet::{List, Roll, Standing};
use grove_shared_cache::core::http::{Deadline, Http, Trust};
use grove_shared_cache::core::prompt::{COLUMNS, TABLE};
use grove_shared_cache::core::protocol::{
    Announcement, Entry, Generation, Keys, Marks, Record, Snapshot, judge, record,
};
use grove_shared_cache::core::push::Channel;
use grove_shared_cache::core::push::upstash::UpstashChannel;
use grove_shared_cache::core::source::Source;
use grove_shared_cache::core::source::supabase::Supabase;
use grove_shared_cache::core::store::SharedStore;
use grove_shared_cache::core::store::memory::Memory;
use grove_shared_cache::core::store::upstash::Upstash;
use grove_shared_cache::core::store::{Fill, Store};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const NOW_MS: u64 = 1_800_000_000_000;
/// An instance that is not listed.
const NOBODY: &str = "nobody";
const SETTLING: Duration = Duration::from_secs(60);
/// Of a claim.
const TERM: Duration = Duration::from_secs(60);

/// Keys that no other test uses.
fn fresh_keys() -> Keys {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    Keys::under(&format!("contract:{}", NEXT.fetch_add(1, Ordering::SeqCst)))
}

fn upstash(keys: Keys) -> Upstash {
    let url = stack().variable("UPSTASH_REDIS_REST_URL").parse().unwrap();
    Upstash::new(
        client(&url),
        url,
        stack().variable("UPSTASH_REDIS_REST_TOKEN"),
        keys,
    )
}

fn client(url: &reqwest::Url) -> Http {
    let (trust, clock) = (Trust::new(None).unwrap(), Arc::new(SystemClock));
    Http::new(url, &trust, clock).unwrap()
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

fn entry(content: &str) -> Entry {
    Entry {
        content: content.into(),
        version: "2026-01-01T00:00:00+00:00".into(),
        source: "supabase".into(),
        loaded_at_ms: NOW_MS,
        attributes: json!({ "title": "Grove \u{1F333}" })
            .as_object()
            .unwrap()
            .clone(),
    }
}

fn a_record(generation: &Generation) -> Record {
    record(&entry("prompt"), generation)
}

macro_rules! contract {
    ($($situation:ident => |$store:ident, $keys:ident| $body:block)*) => {
        $(async fn $situation($store: Arc<dyn SharedStore>, $keys: Keys) $body)*

        mod embedded {
            use super::*;
            $(#[tokio::test] async fn $situation() {
                let keys = fresh_keys();
                let store = Memory::new(Arc::new(HandClock::default()), keys.clone());
                super::$situation(Arc::new(store), keys).await;
            })*
        }

        mod real {
            use super::*;
            $(#[tokio::test] async fn $situation() {
                let keys = fresh_keys();
                super::$situation(Arc::new(upstash(keys.clone())), keys).await;
            })*
        }
    };
}

contract! {
    nothing_is_stored_at_first => |store, _keys| {
        assert_eq!(store.read(deadline(), NOBODY).await, Ok(Snapshot::default()));
        assert_eq!(store.probe(deadline()).await.unwrap().ttl_seconds, None);
    }

    a_generation_is_minted_once => |store, _keys| {
        let minted = store.mint(deadline(), NOW_MS).await.unwrap();
        assert_eq!(minted.as_str(), NOW_MS.to_string());
        assert_eq!(store.mint(deadline(), NOW_MS + 5).await.unwrap(), minted);
        assert_eq!(store.read(deadline(), NOBODY).await.unwrap().generation, Some(minted));
    }

    a_fill_of_the_current_generation_is_read_back_whole => |store, keys| {
        let generation = store.mint(deadline(), NOW_MS).await.unwrap();
        assert_eq!(store.fill(deadline(), &generation, &a_record(&generation), 300).await, Ok(Fill::Stored));
        assert_eq!(judge(&store.read(deadline(), NOBODY).await.unwrap()), Ok(entry("prompt")));
        let ttl = store.probe(deadline()).await.unwrap().ttl_seconds.unwrap();
        assert!((299..=300).contains(&ttl), "{ttl}");
        assert_eq!(store.get(deadline(), &keys.version).await, Ok(Some("2026-01-01T00:00:00+00:00".into())));
    }

    a_fill_of_another_generation_is_refused => |store, _keys| {
        let generation = store.mint(deadline(), NOW_MS).await.unwrap();
        let earlier = Generation::new((NOW_MS - 1).to_string());
        assert_eq!(store.fill(deadline(), &earlier, &a_record(&earlier), 300).await, Ok(Fill::Refused));
        let snapshot = store.read(deadline(), NOBODY).await.unwrap();
        assert_eq!(snapshot, Snapshot { generation: Some(generation), ..Snapshot::default() });
    }

    a_fill_without_a_generation_in_the_store_is_refused => |store, _keys| {
        let gone = Generation::new(NOW_MS.to_string());
        assert_eq!(store.fill(deadline(), &gone, &a_record(&gone), 300).await, Ok(Fill::Refused));
        assert_eq!(store.read(deadline(), NOBODY).await, Ok(Snapshot::default()));
    }

    an_invalidation_drops_everything_and_opens_a_larger_generation => |store, keys| {
        let generation = store.mint(deadline(), NOW_MS).await.unwrap();
        store.fill(deadline(), &generation, &a_record(&generation), 300).await.unwrap();
        let next = store.invalidate(deadline(), NOW_MS, TERM).await.unwrap();
        assert_eq!(next.as_str(), (NOW_MS + 1).to_string(), "larger, even in the same millisecond");
        let later = store.invalidate(deadline(), NOW_MS + 10, TERM).await.unwrap();
        assert_eq!(later.as_str(), (NOW_MS + 10).to_string());
        let snapshot = store.read(deadline(), NOBODY).await.unwrap();
        assert_eq!(snapshot, Snapshot { generation: Some(later), ..Snapshot::default() });
        assert_eq!(store.get(deadline(), &keys.version).await, Ok(None));
    }

    the_marks_vouch_for_what_is_stored_until_an_invalidation => |store, _keys| {
        assert_eq!(store.marks(deadline(), NOBODY).await, Ok(Marks::default()));
        let generation = store.mint(deadline(), NOW_MS).await.unwrap();
        let vouched = async || {
            let marks = store.marks(deadline(), NOBODY).await.unwrap();
            marks.vouch_for(&entry("prompt"), Some(&generation))
        };
        assert!(!vouched().await, "nothing is stored");
        store.fill(deadline(), &generation, &a_record(&generation), 300).await.unwrap();
        assert!(vouched().await);
        store.invalidate(deadline(), NOW_MS, TERM).await.unwrap();
        assert!(!vouched().await);
    }

    what_remains_of_a_value_is_known => |store, keys| {
        assert_eq!(store.remaining(deadline()).await, Ok(None));
        let generation = store.mint(deadline(), NOW_MS).await.unwrap();
        store.fill(deadline(), &generation, &a_record(&generation), 300).await.unwrap();
        let left = store.remaining(deadline()).await.unwrap().unwrap();
        assert!(left > Duration::from_secs(295) && left <= Duration::from_secs(300), "{left:?}");
        store.del(deadline(), &keys.active).await.unwrap();
        assert_eq!(store.remaining(deadline()).await, Ok(None));
    }

    a_load_is_claimed_by_one_until_it_is_given_up => |store, _keys| {
        assert_eq!(store.claim(deadline(), TERM).await, Ok(true));
        assert_eq!(store.claim(deadline(), TERM).await, Ok(false));
        store.release(deadline()).await.unwrap();
        assert_eq!(store.claim(deadline(), TERM).await, Ok(true));
    }

    an_invalidation_claims_the_load => |store, _keys| {
        store.invalidate(deadline(), NOW_MS, TERM).await.unwrap();
        assert_eq!(store.claim(deadline(), TERM).await, Ok(false));
    }

    an_invalidation_heals_a_generation_that_is_no_number => |store, keys| {
        for broken in ["canary", "-5", "1e300", "nan", "99999999999999999999", ""] {
            store.set(deadline(), &keys.generation, broken, 300).await.unwrap();
            let next = store.invalidate(deadline(), NOW_MS, TERM).await.unwrap();
            assert_eq!(next.as_str(), NOW_MS.to_string(), "after {broken:?}");
        }
    }

    an_instance_is_listed_with_how_it_stands_until_it_leaves => |store, keys| {
        assert_eq!(store.members(deadline()).await, Ok(List::default()));
        let standing = Standing { generation: None, lease: Duration::from_secs(1) };
        for id in ["one", "two"] {
            store.enlist(deadline(), id, &standing, SETTLING).await.unwrap();
        }
        let mut list = store.members(deadline()).await.unwrap();
        list.ids.sort();
        assert_eq!(list, List { ids: vec!["one".into(), "two".into()], settling: true });
        assert!(store.read(deadline(), "one").await.unwrap().listed);
        assert!(store.marks(deadline(), "two").await.unwrap().listed);
        assert!(!store.marks(deadline(), NOBODY).await.unwrap().listed);

        let generation = store.invalidate(deadline(), NOW_MS, TERM).await.unwrap();
        let acknowledged = Standing { generation: Some(generation.clone()), lease: Duration::from_millis(250) };
        store.enlist(deadline(), "two", &acknowledged, SETTLING).await.unwrap();
        let ids = ["two", NOBODY, "one"].map(str::to_owned);
        let roll = Roll { generation: Some(generation), standings: vec![Some(acknowledged), None, Some(standing)] };
        assert_eq!(store.roll(deadline(), &ids).await, Ok(roll));

        store.leave(deadline(), "one").await.unwrap();
        let list = store.members(deadline()).await.unwrap();
        assert_eq!(list.ids, ["two"]);
        assert!(!store.marks(deadline(), "one").await.unwrap().listed);
        store.set(deadline(), &keys.instance("two"), "no standing", 300).await.unwrap();
        assert_eq!(store.roll(deadline(), &ids[..1]).await.unwrap().standings, [None]);
    }

    only_who_says_nothing_any_more_is_struck_off_the_list => |store, keys| {
        let standing = Standing { generation: None, lease: Duration::ZERO };
        for id in ["silent", "there"] {
            store.enlist(deadline(), id, &standing, SETTLING).await.unwrap();
        }
        store.del(deadline(), &keys.instance("silent")).await.unwrap();
        store.strike(deadline(), &["silent", "there", "never"].map(str::to_owned)).await.unwrap();
        assert_eq!(store.members(deadline()).await.unwrap().ids, ["there"]);
    }

    a_list_that_was_lost_settles_for_a_while => |store, keys| {
        let standing = Standing { generation: None, lease: Duration::ZERO };
        store.enlist(deadline(), "one", &standing, SETTLING).await.unwrap();
        store.del(deadline(), &keys.settling).await.unwrap();
        store.enlist(deadline(), "two", &standing, SETTLING).await.unwrap();
        assert!(!store.members(deadline()).await.unwrap().settling, "the list was there");
        store.del(deadline(), &keys.fleet).await.unwrap();
        store.enlist(deadline(), "two", &standing, SETTLING).await.unwrap();
        assert_eq!(store.members(deadline()).await, Ok(List { ids: vec!["two".into()], settling: true }));
    }

    plain_values_are_set_read_and_deleted => |store, keys| {
        let key = format!("{}:plain \u{1F511}", keys.active);
        assert_eq!(store.get(deadline(), &key).await, Ok(None));
        for value in ["text", "", "123", "null", "{\"a\":1}", "OK", "T0s=", "木\u{2028}\u{0}\r\n\"", &"x".repeat(1 << 20)] {
            store.set(deadline(), &key, value, 300).await.unwrap();
            assert_eq!(store.get(deadline(), &key).await, Ok(Some(value.to_owned())));
        }
        assert_eq!(store.del(deadline(), &key).await, Ok(true));
        assert_eq!(store.del(deadline(), &key).await, Ok(false));
    }

    prompts_come_back_as_they_were_written => |store, _keys| {
        let generation = store.mint(deadline(), NOW_MS).await.unwrap();
        for content in ["123", "\"quoted\"", "{}", "null", "OK", "Aborted", "👩‍💻 木 é\u{2028}\u{2029}", "\u{0}\u{1f}\\", &"木".repeat(300_000)] {
            let entry = entry(content);
            store.fill(deadline(), &generation, &record(&entry, &generation), 300).await.unwrap();
            assert_eq!(judge(&store.read(deadline(), NOBODY).await.unwrap()), Ok(entry));
        }
    }
}

#[tokio::test]
async fn a_wrong_token_is_not_authorised() {
    let url = stack().variable("UPSTASH_REDIS_REST_URL").parse().unwrap();
    let http = client(&url);
    let store = Upstash::new(http, url, "wrong".into(), fresh_keys());
    assert_eq!(
        store.read(deadline(), NOBODY).await.unwrap_err().class(),
        "unauthorized"
    );
}

/// What the store answers to a command that no store of ours sends.
async fn raw(command: serde_json::Value) -> String {
    let url = stack().variable("UPSTASH_REDIS_REST_URL");
    let token = stack().variable("UPSTASH_REDIS_REST_TOKEN");
    let http = client(&url.parse().unwrap());
    let request = |client: &reqwest::Client| {
        client
            .post(&url)
            .bearer_auth(&token)
            .body(command.to_string())
    };
    String::from_utf8(http.exchange(deadline(), request).await.unwrap().body).unwrap()
}

#[tokio::test]
async fn a_generation_of_another_type_is_healed_by_an_invalidation() {
    let keys = fresh_keys();
    assert_eq!(
        raw(json!(["RPUSH", keys.generation, "x"])).await,
        r#"{"result":1}"#
    );
    let store = upstash(keys);
    assert_eq!(
        store.mint(deadline(), NOW_MS).await.unwrap_err().class(),
        "rejected"
    );
    assert_eq!(
        store
            .invalidate(deadline(), NOW_MS, TERM)
            .await
            .unwrap()
            .as_str(),
        NOW_MS.to_string()
    );
}

#[tokio::test]
async fn a_generation_has_no_expiry_minted_or_opened() {
    let keys = fresh_keys();
    let store = upstash(keys.clone());
    store.mint(deadline(), NOW_MS).await.unwrap();
    assert_eq!(
        raw(json!(["TTL", keys.generation])).await,
        r#"{"result":-1}"#
    );
    raw(json!(["EXPIRE", keys.generation, 100])).await;
    store.invalidate(deadline(), NOW_MS, TERM).await.unwrap();
    assert_eq!(
        raw(json!(["TTL", keys.generation])).await,
        r#"{"result":-1}"#
    );
}

#[tokio::test]
async fn a_claim_expires_and_a_value_without_an_expiry_is_no_fill() {
    let keys = fresh_keys();
    let store = upstash(keys.clone());
    store
        .invalidate(deadline(), NOW_MS, Duration::from_millis(5))
        .await
        .unwrap();
    while store.claim(deadline(), TERM).await != Ok(true) {}
    raw(json!(["SET", keys.active, "a stranger's"])).await;
    assert_eq!(store.remaining(deadline()).await, Ok(None));
}

#[tokio::test]
async fn an_announcement_reaches_who_listens_on_the_channel() {
    let url: reqwest::Url = stack().variable("UPSTASH_REDIS_REST_URL").parse().unwrap();
    let token = stack().variable("UPSTASH_REDIS_REST_TOKEN");
    let keys = fresh_keys();
    let store = upstash(keys.clone());
    let channel = UpstashChannel::new(client(&url), &url, token, keys.events.clone());
    let mut stream = channel.subscribe().await.unwrap();
    let generation = store.invalidate(deadline(), NOW_MS, TERM).await.unwrap();
    let announcement = Announcement {
        generation,
        sync: store.sync_token(),
        from: "here".into(),
        scope: None,
    };
    assert!(announcement.sync.is_some());
    store.publish(deadline(), &announcement).await.unwrap();
    let message = loop {
        if let Some(message) = stream.next().await.unwrap() {
            break message;
        }
    };
    assert_eq!(Announcement::parse(&message), Some(announcement));
}

#[tokio::test]
async fn the_active_row_of_a_real_table_is_loaded() {
    let base = stack().variable("SUPABASE_URL").parse().unwrap();
    let key = stack().variable("SUPABASE_SERVICE_ROLE_KEY");
    let source = Supabase::new(client(&base), &base, key, TABLE, COLUMNS);
    let row = source
        .load(deadline())
        .await
        .unwrap()
        .expect("the seed has an active row");
    assert!(row["payload"]["identity"].is_string());
    assert!(row["updated_at"].is_string());

    let stranger = Supabase::new(client(&base), &base, "wrong".into(), TABLE, COLUMNS);
    assert_eq!(
        stranger.load(deadline()).await.unwrap_err().class(),
        "unauthorized"
    );
}
