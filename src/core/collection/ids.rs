//! Names, ids and tags, and the keys that come of them. What users may write becomes part of a key only percent-encoded, so
//! that no two ids have the same key, and none has a key that is not its own.

use std::fmt::Write;
use std::sync::Arc;

/// What an id and a tag may have, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 512;
const MAX_NAME_BYTES: usize = 64;
/// What the keys of the collection itself begin with, and those of the system prompt.
const RESERVED: [&str; 8] = [
    "system-prompt",
    "tag",
    "events",
    "fleet",
    "generation",
    "instance",
    "settling",
    "active",
];

/// What the name of a resource has to be, if this is none.
pub fn no_name(name: &str) -> Option<String> {
    if RESERVED.contains(&name) {
        return Some(format!("must not be one of {}", RESERVED.join(", ")));
    }
    let possible =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(possible);
    (!fits).then(|| format!("must be 1 to {MAX_NAME_BYTES} of the characters a-z 0-9 _ . -"))
}

/// Whether this may be an id or a tag.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
}

/// The mark of one entry. Marks are what stands between the prefix and `:generation` in a key.
pub fn entry_mark(resource: &str, id: &str) -> Arc<str> {
    format!("{resource}:{}", encoded(id)).into()
}

/// The mark of all entries of a resource.
pub fn resource_mark(resource: &str) -> Arc<str> {
    resource.into()
}

/// The mark of all entries with a tag.
pub fn tag_mark(tag: &str) -> Arc<str> {
    format!("tag:{}", encoded(tag)).into()
}

/// Whether only one entry has this mark.
pub fn is_entry_mark(mark: &str) -> bool {
    mark.contains(':') && !mark.starts_with("tag:")
}

/// The resource and the id of an entry by its mark; `None` for the mark of several.
pub fn entry_of_mark(mark: &str) -> Option<(&str, String)> {
    let (resource, id) = mark.split_once(':').filter(|_| is_entry_mark(mark))?;
    Some((resource, decoded(id)?))
}

/// The key of a mark's generation.
pub fn generation_key(prefix: &str, mark: &str) -> String {
    format!("{prefix}:{mark}:generation")
}

/// All but `A-Z a-z 0-9 _ . -` as `%` and two hexadecimal digits per byte.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-".contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_short_and_plain_and_nobody_elses() {
        for name in ["rag-context", "lens", "a", "0_9.z-"] {
            assert_eq!(no_name(name), None, "{name}");
        }
        let long = "x".repeat(65);
        for name in [
            "",
            "Lens",
            "a:b",
            "a b",
            "é",
            "tag",
            "system-prompt",
            "fleet",
            &long,
        ] {
            assert!(no_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn an_id_is_encoded_where_it_is_not_plain() {
        assert_eq!(&*entry_mark("r", "hub-1_a.B"), "r:hub-1_a.B");
        assert_eq!(&*entry_mark("r", "a:b*%\n é"), "r:a%3Ab%2A%25%0A%20%C3%A9");
        assert_eq!(&*tag_mark("hub:7"), "tag:hub%3A7");
        assert_eq!(generation_key("grove", "r:1"), "grove:r:1:generation");
    }

    proptest! {
        #[test]
        fn different_ids_have_different_marks_of_one_segment(one in ".{1,20}", other in ".{1,20}") {
            let marks = [&one, &other].map(|id| entry_mark("r", id));
            prop_assert_eq!(one == other, marks[0] == marks[1]);
            for mark in marks {
                prop_assert_eq!(mark.matches(':').count(), 1);
                prop_assert!(mark.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*'));
                prop_assert!(is_entry_mark(&mark));
            }
        }

        #[test]
        fn an_entry_is_found_by_its_mark(id in ".{1,20}", mark in ".{0,30}") {
            let own = entry_mark("r", &id);
            prop_assert_eq!(entry_of_mark(&own), Some(("r", id)));
            // What somebody else announced.
            let _ = entry_of_mark(&mark);
        }
    }
}
