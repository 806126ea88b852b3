//! grove-shared-cache: configuration of a Node server, shared by all its instances.
pub mod cache;
pub mod clock;
pub mod config;
pub mod error;
pub mod fleet;
pub mod http;
pub mod near;
// Unit tests run without Node; the binding is tested from JavaScript, in `__test__`.
#[cfg(all(feature = "binding", not(test)))]
mod node;
pub mod observe;
pub mod protocol;
pub mod push;
pub mod resource;
pub mod source;
pub mod store;
pub mod testing;
