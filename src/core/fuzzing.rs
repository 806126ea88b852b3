//! What must hold whatever bytes arrive from outside: the event stream, the store's answers, the source's answers. Each
//! function takes bytes, panics where a promise is broken, and says whether they led to what a well-meaning server causes.
//!
//! For `fuzz/` and `tests/corpus.rs`, which cannot name what is private. Nothing in the addon calls it, so the linker leaves it
//! out. Where a promise has a plain form (split at line ends, hash the content), it is written here a second time.

use crate::core::cache::{Resource, within_cap};
use crate::core::http::{CONTENT_CAP_BYTES, Reply};
use crate::core::log::{Event as Told, Narrator};
use crate::core::prompt::{Behaviours, SystemPrompt, assemble, section_names};
use crate::core::protocol::{
    Age, Announcement, Entry, Generation, Marks, MissReason, RESERVED, Snapshot, age, judge, record,
};
use crate::core::push::sse::{LINE_CAP_BYTES, Lines};
use crate::core::push::upstash::{Event, read};
use crate::core::signature::Signer;
use crate::core::source::supabase::rows;
use crate::core::store::sync::Sync;
use crate::core::store::upstash::{result, texts_of};
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The channel of the subscription.
const CHANNEL: &str = "grove:system-prompt:events";
/// A wall clock in milliseconds that stands still.
const NOW_MS: u64 = 1_800_000_000_000;
/// The last millisecond of a JavaScript date, as ECMA-262 has it.
const LAST_DATE_MS: u64 = 8_640_000_000_000_000;

/// An event stream. True: an announcement was read.
pub fn events(stream: &[u8]) -> bool {
    let events = fed([stream]);
    assert_eq!(events, of_whole_lines(stream), "the events of whole lines");
    assert_eq!(events, fed(stream.chunks(1)), "byte by byte");
    assert_eq!(events, fed(pieces(stream)), "in pieces");
    let mut sync = Sync::default();
    let mut announced = false;
    for event in events {
        let Some(Event::Message(message)) = read(&event, CHANNEL) else {
            continue;
        };
        if let Some(announcement) = Announcement::parse(&message) {
            let line = announcement.to_line();
            assert!(!line.contains(['\n', '\r']), "one line: {line:?}");
            sync.announced(&announcement);
            assert_eq!(Announcement::parse(&line), Some(announcement));
            announced = true;
        }
    }
    announced
}

fn fed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut lines = Lines::default();
    let chunks = chunks.into_iter();
    chunks.flat_map(|chunk| lines.feed(chunk)).collect()
}

/// What the parser's header says, of a stream that is there as a whole.
fn of_whole_lines(stream: &[u8]) -> Vec<String> {
    let mut lines: Vec<_> = stream
        .split(|&byte| matches!(byte, b'\n' | b'\r'))
        .collect();
    // What follows the last line end is no line yet.
    lines.pop();
    let values = lines.into_iter().filter_map(|line| {
        let value = line.strip_prefix(b"data:")?;
        (line.len() <= LINE_CAP_BYTES).then(|| value.strip_prefix(b" ").unwrap_or(value))
    });
    let text = |value| String::from_utf8_lossy(value).into_owned();
    values.map(text).collect()
}

/// Cuts where the bytes themselves say, so that a fuzzer moves the cuts.
fn pieces(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = usize::from(*rest.first()?) % 61 + 1;
        let piece;
        (piece, rest) = rest.split_at(length.min(rest.len()));
        Some(piece)
    })
}

/// An answer of the store: its HTTP status, a line feed and its body, or a body alone for 200. True: it is served.
pub fn store_answer(answer: &[u8]) -> bool {
    let Ok(result) = result(&reply(answer)) else {
        return false;
    };
    let marks = |version, generation: Option<String>| Marks {
        version,
        generation: generation.map(Generation::new),
        listed: false,
    };
    if let Ok([version, generation]) = texts_of(&result) {
        let marks = marks(version, generation);
        let vouched = marks.vouch_for(&of_version(""), marks.generation.as_ref());
        assert!(!vouched, "without a version two values look alike");
    }
    let Ok([active, version, config, generation]) = texts_of(&result) else {
        return false;
    };
    let marks = marks(version, generation);
    let snapshot = Snapshot {
        active,
        config,
        generation: marks.generation.clone(),
        listed: false,
    };
    if let Some(entry) = as_this_package_stores(&snapshot) {
        is_judged_a_hit(&entry, marks.generation.as_ref());
        let other = of_version(marks.version.as_deref().unwrap_or_default());
        let ages = [age(&entry, &other), age(&other, &entry)];
        assert_ne!(ages, [Age::Newer, Age::Newer], "each newer than the other");
    }
    let signer = Signer::new("fuzzing", "no fuzzer knows what it signed", None);
    assert!(!signer.vouches_for(&snapshot), "a signature out of nothing");
    match judge(&snapshot) {
        Err(_) => false,
        Ok(entry) => {
            is_what_is_stored(&entry, &snapshot);
            let vouched = marks.vouch_for(&entry, snapshot.generation.as_ref());
            let same = marks.version.as_ref() == Some(&entry.version);
            assert_eq!(vouched, same && !entry.version.is_empty());
            true
        }
    }
}

fn reply(answer: &[u8]) -> Reply {
    let end = answer.iter().position(|&byte| byte == b'\n');
    let headed = end.and_then(|end| {
        let status = std::str::from_utf8(&answer[..end]).ok()?.parse().ok()?;
        Some((status, &answer[end + 1..]))
    });
    let (status, body) = headed.unwrap_or((200, answer));
    Reply {
        status,
        headers: HeaderMap::new(),
        body: body.to_vec(),
    }
}

/// What is served is whole, of the store's generation, and its date is one.
fn is_what_is_stored(entry: &Entry, snapshot: &Snapshot) {
    assert_eq!(Some(&*entry.content), snapshot.active.as_deref());
    let config: Value = snapshot
        .config
        .as_deref()
        .and_then(|config| serde_json::from_str(config).ok())
        .unwrap_or_default();
    let digest = Sha256::digest(entry.content.as_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(config["sha256"], *hash, "the hash");
    let generation = match &config["generation"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    assert_eq!(snapshot.generation, Some(Generation::new(generation)));
    assert_eq!(config["filledAt"], entry.loaded_at_ms);
    assert!(entry.loaded_at_ms <= LAST_DATE_MS, "{}", entry.loaded_at_ms);
    let reserved = |name: &str| entry.attributes.contains_key(name);
    assert!(
        !RESERVED.into_iter().any(reserved),
        "a name of the protocol"
    );
}

/// An entry with what a snapshot holds, and a hash that is right: no fuzzer finds one.
fn as_this_package_stores(snapshot: &Snapshot) -> Option<Entry> {
    let mut config: Map<String, Value> = serde_json::from_str(snapshot.config.as_deref()?).ok()?;
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (version, source) = (
        text(config.remove("version")),
        text(config.remove("source")),
    );
    let loaded_at_ms = config.remove("filledAt").and_then(|ms| ms.as_u64());
    // A resource keeps texts and flags. Of a fraction, JSON may give back another last digit.
    config.retain(|name, value| {
        !RESERVED.contains(&name.as_str()) && (value.is_string() || value.is_boolean())
    });
    Some(Entry {
        content: snapshot.active.as_deref()?.into(),
        version,
        source,
        loaded_at_ms: loaded_at_ms.unwrap_or(NOW_MS),
        attributes: config,
    })
}

/// What a fill writes is read back as it was, and only under its generation and with its content.
fn is_judged_a_hit(entry: &Entry, generation: Option<&Generation>) {
    let first = Generation::new("1");
    let generation = generation.unwrap_or(&first);
    let record = record(entry, generation);
    let snapshot = |content: &str, generation: Generation| Snapshot {
        active: Some(content.to_owned()),
        config: Some(record.config.clone()),
        generation: Some(generation),
        listed: false,
    };
    let judged = judge(&snapshot(&entry.content, generation.clone()));
    if entry.loaded_at_ms > LAST_DATE_MS {
        assert_eq!(judged, Err(MissReason::Foreign), "no date");
        return;
    }
    assert_eq!(judged.as_ref(), Ok(entry));
    let later = Generation::new(format!("{generation}0"));
    let superseded = judge(&snapshot(&entry.content, later));
    assert_eq!(superseded, Err(MissReason::Superseded));
    let altered = format!("{} ", entry.content);
    let foreign = judge(&snapshot(&altered, generation.clone()));
    assert_eq!(foreign, Err(MissReason::Foreign));
}

fn of_version(version: &str) -> Entry {
    Entry {
        content: "".into(),
        version: version.to_owned(),
        source: String::new(),
        loaded_at_ms: NOW_MS,
        attributes: Map::new(),
    }
}

/// The body of the source's answer. True: there is a prompt in it.
pub fn source_answer(body: &[u8]) -> bool {
    let Ok(Some(row)) = rows(body) else {
        return false;
    };
    let resource = SystemPrompt::new(None);
    let made = resource.entry_of_row(&row, "supabase", NOW_MS);
    let (Ok(entry), Some(Value::Object(payload))) = (made.and_then(within_cap), row.get("payload"))
    else {
        return false;
    };
    assert!((1..=CONTENT_CAP_BYTES).contains(&entry.content.len()));
    assert_eq!(assemble(payload).as_deref(), Ok(&*entry.content));
    let mut rest = &*entry.content;
    for text in section_names().filter_map(|name| payload.get(name)?.as_str()) {
        let after = rest.split_once(text).map(|(_, after)| after);
        assert!(after.is_some(), "each section is there, in order");
        rest = after.unwrap_or_default();
    }
    assert_eq!(
        Behaviours::read(&entry.attributes),
        Behaviours::read(payload)
    );
    let line = resource.line(&Told::Loaded {
        source: "supabase",
        title: resource.title(&entry),
        fresh: true,
    });
    assert!(!line.contains(char::is_control), "one line: {line:?}");
    is_judged_a_hit(&entry, None);
    true
}
