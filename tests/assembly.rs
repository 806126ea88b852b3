//! Assembly against the fixtures that the JavaScript tests use too.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use grove_shared_cache::resource::assemble;
use serde_json::Value;

#[test]
fn each_fixture_assembles_to_its_exact_text() {
    let fixtures: Vec<Value> =
        serde_json::from_str(include_str!("fixtures/assembly.json")).unwrap();
    assert!(!fixtures.is_empty());
    for fixture in fixtures {
        let content = assemble(fixture["payload"].as_object().unwrap());
        assert_eq!(
            content.as_deref(),
            Ok(fixture["content"].as_str().unwrap()),
            "{}",
            fixture["situation"]
        );
    }
}
