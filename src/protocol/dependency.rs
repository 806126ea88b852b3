//! Dependencies: what an entry is invalidated by (itself, its resource, its tags), and their names.
//!
//! A dependency's name is what stands between the prefix and `:generation` in a key. What users may write becomes part of it
//! percent-encoded only, so that no two have the same name, and every name tells of what kind it is:
//! `docs:a%3Ab` (an entry), `docs:*` (a resource), `tag:hub%3A1`, `system-prompt` (an entry without an id).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

const SYSTEM_PROMPT: &str = "system-prompt";

/// The entry of this id.
pub fn entry_dependency(resource: &str, id: &str) -> Arc<str> {
    format!("{resource}:{}", encoded(id)).into()
}

/// All entries of a resource. No encoded id is an asterisk.
pub fn resource_dependency(resource: &str) -> Arc<str> {
    format!("{resource}:*").into()
}

/// All entries with this tag.
pub fn tag_dependency(tag: &str) -> Arc<str> {
    format!("tag:{}", encoded(tag)).into()
}

/// All but `A-Z a-z 0-9 _ . -` as `%` and two hexadecimal digits per byte. The name of the prompt is none of an id: with a
/// longer prefix the two would have the same keys.
pub fn encoded(text: &str) -> String {
    if text == SYSTEM_PROMPT {
        return "system%2Dprompt".into();
    }
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

/// What an invalidation is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Everything,
    Of(BTreeSet<Arc<str>>),
}

/// What the names in one log record may take. The log keeps about a thousand records.
const MOST_NAMED_BYTES: usize = 8 << 10;
const EVERYTHING: &str = "*";

impl Scope {
    /// These dependencies, or as many more as fit a log record: the resources of the entries, or everything. What is named
    /// beyond need is looked up in the store again, and found there.
    pub fn bounded(dependencies: &BTreeSet<Arc<str>>) -> Self {
        let bytes = |names: &BTreeSet<Arc<str>>| names.iter().map(|it| it.len() + 3).sum::<usize>();
        if bytes(dependencies) <= MOST_NAMED_BYTES {
            return Scope::Of(dependencies.clone());
        }
        let widened = dependencies.iter().map(|name| match name.split_once(':') {
            Some((resource, _)) if resource != "tag" => resource_dependency(resource),
            _ => name.clone(),
        });
        let widened: BTreeSet<_> = widened.collect();
        if bytes(&widened) <= MOST_NAMED_BYTES {
            Scope::Of(widened)
        } else {
            Scope::Everything
        }
    }

    /// ASCII, without a space: names with commas between, which none of them holds; `*` for everything.
    pub fn to_text(&self) -> String {
        match self {
            Scope::Everything => EVERYTHING.into(),
            Scope::Of(names) => {
                let names: Vec<&str> = names.iter().map(|name| &**name).collect();
                names.join(",")
            }
        }
    }

    pub fn parse(text: &str) -> Self {
        match text {
            EVERYTHING => Scope::Everything,
            text => {
                let names = text.split(',').filter(|name| !name.is_empty());
                let names: BTreeSet<Arc<str>> = names.map(Arc::from).collect();
                if names.contains(EVERYTHING) {
                    return Scope::Everything;
                }
                Scope::Of(names)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ids_have_one_name_and_none_is_that_of_a_group() {
        let ids = [
            "a",
            "A",
            "a:b",
            "a%3Ab",
            "*",
            "%2A",
            "é",
            "system-prompt",
            "system%2Dprompt",
        ];
        let names: BTreeSet<_> = ids.iter().map(|id| entry_dependency("docs", id)).collect();
        assert_eq!(names.len(), ids.len());
        assert!(!names.contains(&resource_dependency("docs")));
        assert!(
            names
                .iter()
                .all(|name| name.bytes().filter(|&byte| byte == b':').count() == 1)
        );
        assert!(
            names
                .iter()
                .all(|name| name.is_ascii() && !name.contains([',', ' ']))
        );
    }

    #[test]
    fn a_scope_that_is_too_long_for_the_log_is_widened() {
        let ids = |count: usize| {
            (0..count)
                .map(|id| entry_dependency("docs", &id.to_string()))
                .collect()
        };
        let few: BTreeSet<_> = ids(10);
        assert_eq!(Scope::bounded(&few), Scope::Of(few.clone()));
        let many: BTreeSet<_> = ids(5000);
        assert_eq!(Scope::bounded(&many).to_text(), "docs:*");
        let tags = (0..5000).map(|tag| tag_dependency(&tag.to_string()));
        assert_eq!(Scope::bounded(&tags.collect()), Scope::Everything);
    }

    #[test]
    fn a_scope_is_read_as_it_was_written() {
        let names = [entry_dependency("docs", "a b,c"), tag_dependency("é")];
        for scope in [
            Scope::Everything,
            Scope::Of(BTreeSet::from(names)),
            Scope::Of(BTreeSet::new()),
        ] {
            assert_eq!(Scope::parse(&scope.to_text()), scope);
        }
        assert_eq!(Scope::parse("docs:a,*"), Scope::Everything);
    }
}
