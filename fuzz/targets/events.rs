#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    grove_shared_cache::testing::fuzzing::events(bytes);
});
