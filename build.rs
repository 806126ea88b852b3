//! Emits the linker settings of a Node addon, only where the addon itself is built.

fn main() {
    if std::env::var_os("CARGO_FEATURE_BINDING").is_some() {
        napi_build::setup();
    }
}
