//! The keys in the store. All of them are made here, from the configured prefix and the names of dependencies.
//!
//! No key of one prefix is a key of another: read from its end, each tells where its prefix ends.

use crate::protocol::{Generation, Sequence, Snapshot};
use std::sync::Arc;

/// For how much longer than any value the store keeps the generations that come and go with ids and tags. Shorter is safe: a
/// value whose generation is gone is loaded anew.
const KEPT_SECONDS: u64 = 24 * 3600;
const SYSTEM_PROMPT: &str = "system-prompt";

/// The keys that all entries of a cache share.
#[derive(Clone, Debug)]
pub struct StoreKeys {
    pub prefix: Arc<str>,
    /// The counter of invalidations.
    pub sequence: String,
    /// The stream of the last invalidations.
    pub log: String,
    /// The hash of the instances that read.
    pub members: String,
    /// The channel of announcements.
    pub events: String,
}

impl StoreKeys {
    pub fn under(prefix: &str) -> Self {
        StoreKeys {
            prefix: prefix.into(),
            sequence: format!("{prefix}:sequence"),
            log: format!("{prefix}:log"),
            members: format!("{prefix}:members"),
            events: format!("{prefix}:events"),
        }
    }

    /// The key of a dependency's generation, and for how many seconds it is kept (0: for ever), beside values that live as long
    /// as this.
    pub fn generation(&self, name: &str, ttl_seconds: u32) -> (String, u64) {
        let few = name == SYSTEM_PROMPT || name.ends_with(":*");
        let kept = if few {
            0
        } else {
            KEPT_SECONDS + u64::from(ttl_seconds)
        };
        (format!("{}:{name}:generation", self.prefix), kept)
    }

    /// The keys that hold an entry's value, and the one by which its load is claimed; `None` for what is no entry.
    pub fn of_entry(&self, name: &str) -> Option<[String; 4]> {
        let is_entry = name == SYSTEM_PROMPT
            || name.contains(':') && !name.starts_with("tag:") && !name.ends_with(":*");
        // The document names the prompt's.
        let value = if name == SYSTEM_PROMPT {
            "active"
        } else {
            "value"
        };
        is_entry.then(|| {
            [value, "version", "config", "loader"]
                .map(|part| format!("{}:{name}:{part}", self.prefix))
        })
    }
}

/// The keys of one entry.
#[derive(Clone, Debug)]
pub struct EntryKeys {
    pub value: String,
    pub version: String,
    pub config: String,
    /// There while one instance loads the value for all; expires by itself.
    pub claim: String,
    /// Those of its dependencies, its own first, and for how many seconds each is kept.
    pub generations: Vec<(String, u64)>,
    sequence: String,
}

impl EntryKeys {
    /// `dependencies`: its own first.
    pub fn new(keys: &StoreKeys, dependencies: &[Arc<str>], ttl_seconds: u32) -> Option<Self> {
        let [value, version, config, claim] = keys.of_entry(dependencies.first()?)?;
        let generations = dependencies
            .iter()
            .map(|name| keys.generation(name, ttl_seconds));
        Some(EntryKeys {
            value,
            version,
            config,
            claim,
            generations: generations.collect(),
            sequence: keys.sequence.clone(),
        })
    }

    /// The keys to look at.
    pub fn look(&self) -> Vec<String> {
        let mut keys = vec![
            self.value.clone(),
            self.config.clone(),
            self.sequence.clone(),
        ];
        keys.extend(self.generations.iter().map(|(key, _)| key.clone()));
        keys
    }

    /// Whether the counter was there when they were looked at: a value can be stored only under a sequence.
    pub fn saw_sequence(&self, found: &[Option<String>]) -> bool {
        let sequence = found.get(2).and_then(Option::as_deref);
        sequence.and_then(Sequence::parse).is_some()
    }

    /// What was found under them.
    pub fn snapshot(&self, found: Vec<Option<String>>) -> Snapshot {
        let mut found = found.into_iter();
        let mut next = || found.next().flatten();
        let (content, config, sequence) = (next(), next(), next());
        Snapshot {
            content,
            config,
            sequence: sequence.as_deref().and_then(Sequence::parse),
            generations: found.map(|it| it.map(Generation::new)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{entry_dependency, resource_dependency, tag_dependency};
    use std::collections::HashMap;

    #[test]
    fn the_prompt_has_the_keys_of_the_users_document() {
        let keys = StoreKeys::under("grove");
        let prompt = EntryKeys::new(&keys, &[SYSTEM_PROMPT.into()], 300).unwrap();
        assert_eq!(prompt.value, "grove:system-prompt:active");
        assert_eq!(prompt.version, "grove:system-prompt:version");
        assert_eq!(prompt.config, "grove:system-prompt:config");
        assert_eq!(
            prompt.generations,
            [("grove:system-prompt:generation".into(), 0)]
        );
    }

    /// Names that look like parts of keys, under prefixes that begin with one another.
    #[test]
    fn no_key_of_one_prefix_resource_id_or_tag_is_that_of_another() {
        let words = [
            "a",
            "b",
            "value",
            "generation",
            "system-prompt",
            "sequence",
            "version",
            "tag",
            "*",
            "events",
            "a:b",
        ];
        let resources = ["a", "b", "value", "generation", "events"];
        let mut owners: HashMap<String, String> = HashMap::new();
        let mut own = |key: String, owner: String| {
            let other = owners.insert(key.clone(), owner.clone());
            assert!(
                other.as_ref().is_none_or(|other| *other == owner),
                "{key}: {owner} and {other:?}"
            );
        };
        for prefix in [
            "a",
            "a:a",
            "a:b",
            "a:a:b",
            "a:tag",
            "a:system-prompt",
            "a:a:system-prompt",
            "a:a:value",
        ] {
            let keys = StoreKeys::under(prefix);
            for key in [&keys.sequence, &keys.log, &keys.members, &keys.events] {
                own(key.clone(), format!("{prefix} itself"));
            }
            let mut names = vec![Arc::from(SYSTEM_PROMPT)];
            names.extend(resources.map(resource_dependency));
            names.extend(words.map(tag_dependency));
            names.extend(
                resources
                    .iter()
                    .flat_map(|it| words.map(|id| entry_dependency(it, id))),
            );
            for name in names {
                own(keys.generation(&name, 1).0, format!("{prefix} {name}"));
                for key in keys.of_entry(&name).into_iter().flatten() {
                    own(key, format!("{prefix} {name}"));
                }
            }
        }
    }
}
