//! One contract, three stores: the embedded one, Upstash's protocol over a real Redis, and the same over the store that stands in for
//! Redis where none is installed.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "../common/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../common/stack.rs"]
#[allow(dead_code)]
mod stack;

/// The same situations over each store, in a world of their own.
macro_rules! contract {
    ($($situation:ident => |$world:ident| $body:block)*) => {
        $(async fn $situation($world: $crate::world::World) $body)*

        mod embedded {
            $(#[tokio::test] async fn $situation() {
                super::$situation($crate::world::World::embedded()).await;
            })*
        }

        mod redis {
            $(#[tokio::test] async fn $situation() {
                super::$situation($crate::world::World::redis()).await;
            })*
        }

        mod without_redis {
            $(#[tokio::test] async fn $situation() {
                super::$situation($crate::world::World::without_redis()).await;
            })*
        }
    };
}

mod billing;
mod fills;
mod full;
mod invalidations;
mod link;
mod members;
mod sequence;
mod values;
mod world;
