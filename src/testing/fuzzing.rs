//! What must hold whatever bytes arrive from outside: the event stream, the store's answers, the source's answers. Each
//! function takes bytes, panics where a promise is broken, and says whether they led to what a well-meaning server causes.
//!
//! For `fuzz/` and `tests/corpus.rs`, which cannot name what is private. Where a promise has a plain form (split at line ends,
//! hash the content), it is written here a second time.

use crate::cache::within_cap;
use crate::http::{CONTENT_CAP_BYTES, Reply as Answer};
use crate::observe::Formatter;
use crate::observe::log::Event as Told;
use crate::protocol::{
    Age, Announcement, Generation, MOST_MEMBERS, Member, MissReason, Notes, RESERVED_ATTRIBUTES,
    Roster, Scope, Sequence, Signer, Snapshot, Value, age, judge, record,
};
use crate::push::sse::{LINE_CAP_BYTES, Lines};
use crate::push::upstash::{Event, read};
use crate::resource::{Behaviours, Resource, SystemPrompt, assemble, section_names};
use crate::source::supabase::rows;
use crate::store::{SyncToken, result, results};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

/// The channel of the subscription.
const CHANNEL: &str = "grove:events";
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
    let mut token = SyncToken::default();
    let mut announced = false;
    for event in events {
        let Some(Event::Message(message)) = read(&event, CHANNEL) else {
            continue;
        };
        if let Some(announcement) = Announcement::parse(&message) {
            let line = announcement.to_line();
            assert!(!line.contains(['\n', '\r']), "one line: {line:?}");
            if let Some(announced) = &announcement.sync {
                token.announced(announced);
                let header = token.newest().map(|it| HeaderValue::from_str(&it).is_ok());
                assert_ne!(header, Some(false), "no header holds {announced:?}");
            }
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

/// An answer of the store: its HTTP status, a line feed and its body, or a body alone for 200. True: it is the look at an entry's
/// keys, and its value is served.
pub fn store_answer(bytes: &[u8]) -> bool {
    let answer = answer(bytes);
    // Of several commands in one request. Whatever it is, it is read.
    let _ = results(&answer);
    let Ok(texts) = result(&answer).and_then(|reply| reply.texts()) else {
        return false;
    };
    is_read_as_members(&texts);
    texts.iter().flatten().for_each(|text| is_read_as_log(text));
    let mut texts = texts.into_iter();
    let mut next = || texts.next().flatten();
    let (content, config, sequence) = (next(), next(), next());
    let snapshot = Snapshot {
        content,
        config,
        sequence: sequence.as_deref().and_then(Sequence::parse),
        generations: texts.map(|it| it.map(Generation::new)).collect(),
    };
    if let Some(value) = as_this_package_stores(&snapshot) {
        is_judged_a_hit(&value, &snapshot.generations);
        let other = Value {
            version: sequence.unwrap_or_default(),
            content: "".into(),
            ..value.clone()
        };
        let ages = [age(&value, &other), age(&other, &value)];
        assert_ne!(ages, [Age::Newer, Age::Newer], "each newer than the other");
    }
    let signer = Signer::new("fuzzing", "no fuzzer knows what it signed", None);
    assert!(!signer.vouches_for(&snapshot), "a signature out of nothing");
    match judge(&snapshot) {
        Err(_) => false,
        Ok(value) => {
            is_what_is_stored(&value, &snapshot);
            snapshot.sequence.is_some()
        }
    }
}

fn answer(bytes: &[u8]) -> Answer {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let headed = end.and_then(|end| {
        let status = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
        Some((status, &bytes[end + 1..]))
    });
    let (status, body) = headed.unwrap_or((200, bytes));
    Answer {
        status,
        headers: HeaderMap::new(),
        body: body.to_vec(),
    }
}

/// A list of members is bounded, and each says the same when it is written again.
fn is_read_as_members(texts: &[Option<String>]) {
    let fields: Vec<String> = texts.iter().map(|it| it.clone().unwrap_or_default()).collect();
    let roster = Roster::of(&fields);
    assert!(roster.members.len() <= MOST_MEMBERS);
    for (_, member, field) in roster.members {
        assert_eq!(Member::parse(&field).as_ref(), Some(&member));
        let unmarked = Member {
            expelled: false,
            ..member
        };
        assert_eq!(Member::parse(&unmarked.to_line()), Some(unmarked));
    }
}

/// The texts of a log record say the same when they are written again.
fn is_read_as_log(text: &str) {
    let scope = Scope::parse(text);
    assert_eq!(Scope::parse(&scope.to_text()), scope);
    let notes = Notes::parse(text);
    assert_eq!(Notes::parse(&notes.to_text()), notes);
    if let Some(sequence) = Sequence::parse(text) {
        assert_eq!(sequence.to_string(), text);
    }
}

/// What is served is whole, of the store's generations, and its date is one.
fn is_what_is_stored(value: &Value, snapshot: &Snapshot) {
    assert_eq!(Some(&*value.content), snapshot.content.as_deref());
    let config: Json = snapshot
        .config
        .as_deref()
        .and_then(|config| serde_json::from_str(config).ok())
        .unwrap_or_default();
    let digest = Sha256::digest(value.content.as_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(config["sha256"], *hash, "the hash");
    let stored = config["generations"].as_array().into_iter().flatten();
    let stored: Vec<_> = stored
        .map(|it| it.as_str().map(Generation::new))
        .collect();
    assert!(!stored.is_empty() && !stored.contains(&None));
    assert_eq!(snapshot.generations, stored);
    assert_eq!(config["filledAt"], value.loaded_at_ms);
    assert!(value.loaded_at_ms <= LAST_DATE_MS, "{}", value.loaded_at_ms);
    let reserved = |name: &str| value.attributes.contains_key(name);
    assert!(
        !RESERVED_ATTRIBUTES.into_iter().any(reserved),
        "a name of the protocol"
    );
}

/// A value with what a snapshot holds, and a hash that is right: no fuzzer finds one.
fn as_this_package_stores(snapshot: &Snapshot) -> Option<Value> {
    let mut config: Map<String, Json> = serde_json::from_str(snapshot.config.as_deref()?).ok()?;
    let text = |value: Option<Json>| match value {
        Some(Json::String(text)) => text,
        _ => String::new(),
    };
    let (version, source) = (
        text(config.remove("version")),
        text(config.remove("source")),
    );
    let loaded_at_ms = config.remove("filledAt").and_then(|ms| ms.as_u64());
    // A resource keeps texts and flags. Of a fraction, JSON may give back another last digit.
    config.retain(|name, value| {
        !RESERVED_ATTRIBUTES.contains(&name.as_str()) && (value.is_string() || value.is_boolean())
    });
    Some(Value {
        content: snapshot.content.as_deref()?.into(),
        version,
        source,
        loaded_at_ms: loaded_at_ms.unwrap_or(NOW_MS),
        attributes: config,
    })
}

/// What a fill writes is read back as it was, and only under its generations and with its content.
fn is_judged_a_hit(value: &Value, generations: &[Option<Generation>]) {
    let [first, sequence] = [1, 9].map(|number| Sequence::new(number).unwrap_or_else(|| panic!()));
    let found = Snapshot {
        generations: generations.to_vec(),
        sequence: Some(first),
        ..Snapshot::default()
    };
    let mut fence = found.fence().unwrap_or_default();
    if fence.is_empty() {
        fence.push(Generation::of(first));
    }
    let record = record(value, &fence, sequence);
    let present: Vec<_> = fence.into_iter().map(Some).collect();
    let judged = |content: &str, generations: &[Option<Generation>]| {
        judge(&Snapshot {
            content: Some(content.to_owned()),
            config: Some(record.config.clone()),
            generations: generations.to_vec(),
            sequence: Some(sequence),
        })
    };
    if value.loaded_at_ms > LAST_DATE_MS {
        assert_eq!(
            judged(&value.content, &present),
            Err(MissReason::Foreign),
            "no date"
        );
        return;
    }
    assert_eq!(judged(&value.content, &present).as_ref(), Ok(value));
    let superseded = Err(MissReason::Superseded);
    for at in 0..present.len() {
        let mut others = present.clone();
        others[at] = others[at]
            .as_ref()
            .map(|it| Generation::new(format!("{}0", it.as_str())));
        assert_eq!(judged(&value.content, &others), superseded);
        others[at] = None;
        assert_eq!(judged(&value.content, &others), superseded);
    }
    let fewer = &present[1..];
    assert_eq!(judged(&value.content, fewer), superseded);
    let altered = format!("{} ", value.content);
    assert_eq!(judged(&altered, &present), Err(MissReason::Foreign));
}

/// The body of the source's answer. True: there is a prompt in it.
pub fn source_answer(body: &[u8]) -> bool {
    let Ok(Some(row)) = rows(body) else {
        return false;
    };
    let resource = SystemPrompt::new(None);
    let made = resource.value_of_row(&row, "supabase", NOW_MS);
    let (Ok(value), Some(Json::Object(payload))) = (made.and_then(within_cap), row.get("payload"))
    else {
        return false;
    };
    assert!((1..=CONTENT_CAP_BYTES).contains(&value.content.len()));
    assert_eq!(assemble(payload).as_deref(), Ok(&*value.content));
    let mut rest = &*value.content;
    for text in section_names().filter_map(|name| payload.get(name)?.as_str()) {
        let after = rest.split_once(text).map(|(_, after)| after);
        assert!(after.is_some(), "each section is there, in order");
        rest = after.unwrap_or_default();
    }
    assert_eq!(
        Behaviours::read(&value.attributes),
        Behaviours::read(payload)
    );
    let line = resource.line(&Told::Loaded {
        source: "supabase",
        title: resource.title(&value),
        fresh: true,
    });
    assert!(!line.contains(char::is_control), "one line: {line:?}");
    is_judged_a_hit(&value, &[]);
    true
}
