//! Signatures of what is stored, so that the store's token alone is not enough to put words into the prompt.
//!
//! HMAC-SHA-256 over where it is stored, the `config` (generation, version, behaviours, hash, when it was filled) and the
//! content, each with its length before it, so that nothing can be moved from one to the next. The first key signs, both are
//! accepted: keys can be changed while instances with either run side by side.

use crate::protocol::record::hex;
use crate::protocol::{Snapshot, StoredRecord};
use ring::hmac::{self, HMAC_SHA256};
use serde_json::{Map, Value};

/// What the signature is for, so that no other use of the same key gives one that fits.
const PURPOSE: &str = "grove-shared-cache signature 1";
/// Its name in `config`.
pub const SIGNATURE: &str = "signature";

pub struct Signer {
    /// The prefix of the keys: an entry of another one is no entry of this one.
    scope: String,
    key: hmac::Key,
    second: Option<hmac::Key>,
}

impl Signer {
    pub fn new(scope: &str, key: &str, second: Option<&str>) -> Self {
        let key_of = |key: &str| hmac::Key::new(HMAC_SHA256, key.as_bytes());
        Signer {
            scope: scope.to_owned(),
            key: key_of(key),
            second: second.map(key_of),
        }
    }

    /// The record with its signature in `config`.
    pub fn sign(&self, mut record: StoredRecord) -> StoredRecord {
        if let Ok(Value::Object(mut config)) = serde_json::from_str(&record.config) {
            let message = self.message(&config, &record.content);
            let signature = hmac::sign(&self.key, &message);
            config.insert(SIGNATURE.into(), hex(signature.as_ref()).into());
            record.config = Value::Object(config).to_string();
        }
        record
    }

    /// Whether one of the keys signed what is stored. In a time that does not tell how much of it is right.
    pub fn vouches_for(&self, snapshot: &Snapshot) -> bool {
        let (Some(content), Some(config)) = (&snapshot.content, &snapshot.config) else {
            return false;
        };
        let Ok(Value::Object(mut config)) = serde_json::from_str(config) else {
            return false;
        };
        let Some(signature) = config.remove(SIGNATURE).as_ref().and_then(bytes_of) else {
            return false;
        };
        let message = self.message(&config, content);
        let keys = [Some(&self.key), self.second.as_ref()];
        keys.into_iter()
            .flatten()
            .any(|key| hmac::verify(key, &message, &signature).is_ok())
    }

    fn message(&self, config: &Map<String, Value>, content: &str) -> Vec<u8> {
        // The names of the map are in order, so equal configs are equal bytes.
        let config = serde_json::to_vec(config).unwrap_or_default();
        let mut message = Vec::with_capacity(content.len() + config.len() + 256);
        for part in [
            PURPOSE.as_bytes(),
            self.scope.as_bytes(),
            &config,
            content.as_bytes(),
        ] {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        message
    }
}

fn bytes_of(signature: &Value) -> Option<Vec<u8>> {
    let text = signature.as_str()?;
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::record::tests::sequence;
    use crate::protocol::value::tests::value;
    use crate::protocol::{Generation, judge, record};
    use serde_json::json;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    fn signed(signer: &Signer, content: &str, generation: &str) -> Snapshot {
        let generation = Generation::new(generation);
        let fence = std::slice::from_ref(&generation);
        let record = signer.sign(record(&value(content, 1), fence, sequence(9)));
        Snapshot {
            content: Some(record.content.to_string()),
            config: Some(record.config),
            generations: vec![Some(generation)],
            sequence: Some(sequence(9)),
        }
    }

    #[test]
    fn what_is_signed_is_vouched_for_and_read_as_it_was() {
        let signer = Signer::new("prefix", KEY, None);
        let snapshot = signed(&signer, "prompt", "5");
        assert!(signer.vouches_for(&snapshot));
        assert_eq!(
            judge(&snapshot),
            Ok(value("prompt", 1)),
            "and without a key"
        );
    }

    #[test]
    fn each_change_to_what_is_stored_is_noticed() {
        let signer = Signer::new("prefix", KEY, None);
        let whole = signed(&signer, "prompt", "5");
        let with = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut config: Map<String, Value> =
                serde_json::from_str(whole.config.as_deref().unwrap_or_default())
                    .unwrap_or_default();
            change(&mut config);
            Snapshot {
                config: Some(Value::Object(config).to_string()),
                ..whole.clone()
            }
        };
        let names = with(&|_| ());
        assert!(signer.vouches_for(&names), "written anew it is the same");
        for name in [
            "generations",
            "sequence",
            "version",
            "sha256",
            "source",
            "filledAt",
            "title",
            "useTopicTags",
            SIGNATURE,
        ] {
            let missing = with(&|config| drop(config.remove(name)));
            assert!(!signer.vouches_for(&missing), "without {name}");
            for value in [json!(null), json!("x"), json!(6), json!(true), json!("")] {
                let changed = with(&|config| drop(config.insert(name.into(), value.clone())));
                assert!(!signer.vouches_for(&changed), "{name} is {value}");
            }
        }
        let added = with(&|config| drop(config.insert("responseMode".into(), json!("x"))));
        assert!(!signer.vouches_for(&added));
        for active in [
            None,
            Some(""),
            Some("promp"),
            Some("prompt "),
            Some("injected"),
        ] {
            let changed = Snapshot {
                content: active.map(str::to_owned),
                ..whole.clone()
            };
            assert!(!signer.vouches_for(&changed), "{active:?}");
        }
    }

    #[test]
    fn a_signature_is_for_one_key_and_one_place() {
        let signer = Signer::new("prefix", KEY, None);
        for another in [
            Signer::new("prefix", OTHER, None),
            Signer::new("prefix2", KEY, None),
        ] {
            assert!(!signer.vouches_for(&signed(&another, "prompt", "5")));
            assert!(!another.vouches_for(&signed(&signer, "prompt", "5")));
        }
    }

    #[test]
    fn with_a_second_key_both_are_accepted_and_the_first_signs() {
        let (old, new) = (Signer::new("p", KEY, None), Signer::new("p", OTHER, None));
        let both = Signer::new("p", OTHER, Some(KEY));
        assert!(both.vouches_for(&signed(&old, "prompt", "5")));
        assert!(both.vouches_for(&signed(&new, "prompt", "5")));
        assert!(new.vouches_for(&signed(&both, "prompt", "5")));
        assert!(!old.vouches_for(&signed(&both, "prompt", "5")));
    }

    #[test]
    fn what_is_moved_between_the_parts_does_not_fit() {
        let signers = [Signer::new("a", KEY, None), Signer::new("ab", KEY, None)];
        let messages = signers.map(|signer| signer.message(&Map::new(), "prompt"));
        assert_ne!(messages[0], messages[1]);
        let signer = Signer::new("a", KEY, None);
        assert_ne!(
            signer.message(&Map::new(), "{}"),
            signer.message(&Map::new(), "")
        );
    }
}
