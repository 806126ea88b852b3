//! What somebody can put into the store who may write there whatever he likes, and knows everything but the signing key.

use crate::store::{PREFIX, TestLink, prompt_key};
use grove_shared_cache::config::SYSTEM_PROMPT;
use grove_shared_cache::protocol::{Generation, Sequence, Signer, Value, record};
use serde_json::{Map, Value as Json, json};

pub const KEY: &str = "0123456789abcdef0123456789abcdef";
pub const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

/// The content of the keys that a copy is of.
pub type Copy = [Option<String>; 5];

const CONTENT: usize = 0;
const CONFIG: usize = 2;
const GENERATION: usize = 3;

fn keys() -> [String; 5] {
    let [content, version, config, generation] =
        ["active", "version", "config", "generation"].map(prompt_key);
    let sequence = format!("{PREFIX}:sequence");
    [content, version, config, generation, sequence]
}

pub fn copy(link: &TestLink) -> Copy {
    keys().map(|key| link.get(&key))
}

pub fn put(link: &TestLink, copy: &Copy) {
    for (key, value) in keys().iter().zip(copy) {
        link.put(key, value.as_deref());
    }
}

pub fn signer(prefix: &str, key: &str) -> Signer {
    Signer::new(&format!("{prefix}:{SYSTEM_PROMPT}"), key, None)
}

/// What this package would store beside what is there, as whoever knows its source can make it.
pub fn forged(signer: Option<&Signer>, content: &str, beside: &Copy, now_ms: u64) -> Copy {
    let value = Value {
        content: content.into(),
        version: "2027-01-01T00:00:00+00:00".into(),
        source: "supabase".into(),
        loaded_at_ms: now_ms,
        attributes: Map::new(),
    };
    let [_, _, _, generation, sequence] = beside.clone();
    let fence = [Generation::new(generation.clone().unwrap_or_default())];
    let at = sequence.as_deref().and_then(Sequence::parse);
    let record = record(&value, &fence, at.expect("there is a sequence"));
    let record = match signer {
        Some(signer) => signer.sign(record),
        None => record,
    };
    [
        Some(record.content.to_string()),
        Some(record.version),
        Some(record.config),
        generation,
        sequence,
    ]
}

pub fn with_config(copy: &Copy, change: impl FnOnce(&mut Map<String, Json>)) -> Copy {
    let mut config = serde_json::from_str(copy[CONFIG].as_deref().unwrap()).unwrap();
    change(&mut config);
    let mut changed = copy.clone();
    changed[CONFIG] = Some(Json::Object(config).to_string());
    changed
}

fn with(copy: &Copy, name: &str, value: Json) -> Copy {
    with_config(copy, |config| drop(config.insert(name.to_owned(), value)))
}

/// Whether this is the same value, of the same generation.
pub fn is_of(one: &Copy, other: &Copy) -> bool {
    [CONTENT, CONFIG, GENERATION]
        .iter()
        .all(|&part| one[part] == other[part])
}

/// Everything that somebody could put there who has seen `old` and `new`, by name.
pub fn attacks(old: &Copy, new: &Copy, now_ms: u64) -> Vec<(&'static str, Copy)> {
    let forged_by = |signer: Option<&Signer>| forged(signer, "injected", new, now_ms);
    let mut mixed = new.clone();
    mixed[CONTENT] = Some("injected".into());
    let mut truncated = new.clone();
    truncated[CONTENT].as_mut().unwrap().pop();
    let shorter = truncated[CONTENT].as_deref().unwrap();
    let fitting = forged(None, shorter, new, now_ms);
    let fitting: Json = serde_json::from_str(fitting[CONFIG].as_deref().unwrap()).unwrap();
    let rehashed = with(&truncated, "sha256", fitting["sha256"].clone());
    let mut crossed = new.clone();
    crossed[CONTENT] = old[CONTENT].clone();
    let signature = |of: &Copy| {
        let config: Json = serde_json::from_str(of[CONFIG].as_deref().unwrap()).unwrap();
        config["signature"].as_str().unwrap().to_owned()
    };
    // As it was before, in the present.
    let mut replayed = old.clone();
    replayed[3..].clone_from_slice(&new[3..]);
    let renumbered = with(&replayed, "generations", json!([new[GENERATION]]));
    let mut renewed = old.clone();
    renewed[4] = new[4].clone();
    vec![
        ("injected text", mixed),
        ("a whole value without a signature", forged_by(None)),
        (
            "a whole value signed with another key",
            forged_by(Some(&signer(PREFIX, OTHER_KEY))),
        ),
        (
            "a whole value signed for another place",
            forged_by(Some(&signer("other", KEY))),
        ),
        ("a truncated prompt", truncated),
        ("a truncated prompt with a fitting hash", rehashed),
        ("the old text under the new signature", crossed),
        (
            "a stripped signature",
            with_config(new, |config| drop(config.remove("signature"))),
        ),
        ("an empty signature", with(new, "signature", json!(""))),
        (
            "half a signature",
            with(new, "signature", signature(new)[..32].into()),
        ),
        (
            "a signature that is no text",
            with(new, "signature", json!([0])),
        ),
        ("another behaviour", with(new, "useTopicTags", json!(false))),
        (
            "another time of the fill",
            with(new, "filledAt", json!(now_ms + 1)),
        ),
        ("the old value under the new generation", replayed),
        ("the old value with the new generation in it", renumbered),
        ("everything as it was before", old.clone()),
        ("everything as it was before, at the new sequence", renewed),
        ("nothing at all", Copy::default()),
    ]
}
