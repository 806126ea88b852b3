//! The targets of `fuzz/` on stable Rust: every file of their corpora, and thousands of variants of each. A fuzzer finds more,
//! as it sees which branches an input takes; this keeps what it found.
//!
//! `PROPTEST_CASES=100000 cargo test --no-default-features --features testing --test corpus` tries more of them.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use allocation_counter::measure;
use grove_shared_cache::http::CONTENT_CAP_BYTES;
use grove_shared_cache::push::sse::Lines;
use grove_shared_cache::testing::fuzzing::{events, source_answer, store_answer};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use std::fmt;
use std::fs;

/// The longest line that the stream's parser reads.
const LINE_CAP_BYTES: usize = 64 << 10;

struct Target {
    /// Its folder in `fuzz/corpus`.
    name: &'static str,
    run: fn(&[u8]) -> bool,
    /// How the name of a seed begins that is what a well-meaning server sends, and of one that is not. What a fuzzer found
    /// has a hash for a name.
    good: &'static str,
    bad: &'static str,
}

const EVENTS: Target = Target {
    name: "events",
    run: events,
    good: "announced-",
    bad: "silent-",
};

const STORE_ANSWER: Target = Target {
    name: "store_answer",
    run: store_answer,
    good: "served-",
    bad: "missed-",
};

const SOURCE_ANSWER: Target = Target {
    name: "source_answer",
    run: source_answer,
    good: "loaded-",
    bad: "refused-",
};

#[derive(Clone)]
struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Target {
    /// Names and contents, in the order of their names.
    fn corpus(&self) -> Vec<(String, Vec<u8>)> {
        let folder = format!("{}/fuzz/corpus/{}", env!("CARGO_MANIFEST_DIR"), self.name);
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|file| {
                let file = file.unwrap();
                let name = file.file_name().into_string().unwrap();
                (name, fs::read(file.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn holds_for_its_corpus(&self) {
        for (name, bytes) in self.corpus() {
            let good = (self.run)(&bytes);
            if name.starts_with(self.good) || name.starts_with(self.bad) {
                assert_eq!(good, name.starts_with(self.good), "{name}");
            }
        }
    }

    fn holds_for_variants_of_its_corpus(&self) {
        let files: Vec<_> = self.corpus().into_iter().map(|(_, bytes)| bytes).collect();
        let changes = prop::collection::vec(change(), 1..6);
        let variants = (any::<Index>(), changes).prop_map(move |(file, changes)| {
            let mut bytes = file.get(&files).clone();
            for change in &changes {
                change.make(&mut bytes, &files);
            }
            Bytes(bytes)
        });
        let usual = ProptestConfig::default();
        let config = ProptestConfig {
            cases: 32 * usual.cases,
            failure_persistence: None,
            ..usual
        };
        let run = |Bytes(bytes)| {
            (self.run)(&bytes);
            Ok(())
        };
        TestRunner::new(config).run(&variants, run).unwrap();
    }
}

/// What happens to bytes on their way.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, u8),
    Repeat(Index, u8),
    /// Ends as another file does.
    Continue(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let token = prop::sample::select(vec![
        "\n",
        "\r",
        "data:",
        ",",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        "null",
        "0",
        "-1",
        "1e9",
        "\\u0000",
        "\u{1F333}",
    ]);
    let bytes = prop_oneof![
        token.prop_map(|token| token.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..5),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (any::<Index>(), bytes).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Repeat(at, count)),
        (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, file, from)| Change::Continue(at, file, from)),
    ]
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>, files: &[Vec<u8>]) {
        let place = |at: &Index| at.index(bytes.len() + 1);
        match self {
            Change::Flip(at, bits) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Change::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Remove(at, count) => {
                let from = place(at);
                let to = bytes.len().min(from + usize::from(*count));
                bytes.drain(from..to);
            }
            Change::Repeat(at, count) => {
                let from = place(at);
                let to = bytes.len().min(from + usize::from(*count));
                let again = bytes[from..to].to_vec();
                bytes.splice(to..to, again);
            }
            Change::Continue(at, file, from) => {
                let at = place(at);
                let other = file.get(files);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
}

#[test]
fn event_streams_of_the_corpus_hold() {
    EVENTS.holds_for_its_corpus();
}

#[test]
fn variants_of_event_streams_hold() {
    EVENTS.holds_for_variants_of_its_corpus();
}

#[test]
fn lines_about_as_long_as_the_cap_hold() {
    for (_, stream) in EVENTS.corpus() {
        for length in LINE_CAP_BYTES - 2..LINE_CAP_BYTES + 2 {
            let mut long = b"data: ".to_vec();
            long.resize(length, b'x');
            events(&[&long[..], b"\n", &stream].concat());
            events(&[&stream[..], b"\n", &long, b"\n"].concat());
        }
    }
}

#[test]
fn a_line_without_an_end_takes_no_more_than_the_cap() {
    let chunk = [b'x'; 1000];
    let mut lines = Lines::default();
    let cost = measure(|| {
        for _ in 0..1000 {
            assert!(lines.feed(&chunk).is_empty());
        }
    });
    assert_eq!(cost.bytes_current, LINE_CAP_BYTES as i64);
}

#[test]
fn answers_of_the_store_in_the_corpus_hold() {
    STORE_ANSWER.holds_for_its_corpus();
}

#[test]
fn variants_of_answers_of_the_store_hold() {
    STORE_ANSWER.holds_for_variants_of_its_corpus();
}

#[test]
fn answers_of_the_source_in_the_corpus_hold() {
    SOURCE_ANSWER.holds_for_its_corpus();
}

#[test]
fn variants_of_answers_of_the_source_hold() {
    SOURCE_ANSWER.holds_for_variants_of_its_corpus();
}

#[test]
fn a_prompt_is_loaded_up_to_the_cap() {
    let room = CONTENT_CAP_BYTES - "## Identity\n".len();
    let answer = |bytes: usize| {
        let identity = "x".repeat(bytes);
        format!(r#"[{{"payload":{{"identity":"{identity}"}}}}]"#)
    };
    assert!(source_answer(answer(room).as_bytes()));
    assert!(!source_answer(answer(room + 1).as_bytes()));
}
