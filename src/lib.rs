//! grove-shared-cache: a cache of configuration that all instances of a Node server share. A second after an invalidation no
//! instance serves the old value. How that is kept, and why: docs/ARCHITECTURE.md.
//!
//! | folder       | what is in it                                                                                              |
//! | ------------ | ---------------------------------------------------------------------------------------------------------- |
//! | [`node`]     | the N-API surface: what `lib/*.cjs` calls; converts, and decides nothing                                   |
//! | [`config`]   | the settings of a cache, and how a cache is built of them                                                  |
//! | [`cache`]    | the way of a read and of an invalidation, through all tiers; here everything below comes together          |
//! | [`near`]     | the entries in memory, the watermark up to which the log is applied, and the lease that follows: pure      |
//! | [`protocol`] | what instances agree on, as values: sequence, log record, announcement, member, stored record, signature   |
//! | [`fleet`]    | whether this instance is listed as a member, and how far an invalidation has come through the others: pure |
//! | [`resource`] | the kinds of values, the system prompt among them, and their keys                                          |
//! | [`store`]    | Redis: commands and scripts over a link, behind a breaker; Upstash's REST protocol is the first link        |
//! | [`push`]     | the stream of announcements                                                                                |
//! | [`source`]   | the truth: Supabase, a file, or a function of the user                                                     |
//! | [`http`]     | every request: one deadline, no redirects, a cap on answers                                                |
//! | [`observe`]  | counters, metrics, log lines                                                                               |
//! | [`testing`]  | mutants of the protocol, a store inside the process, parser invariants; the product is built without them  |
//!
//! [`clock`] is the time, and [`error`] everything that can go wrong.
//!
//! **A read.** JavaScript asks [`node`] whether the value that it holds may still be served: [`near`] compares the entry with
//! the lease and the invalidations that were applied. If it may not, [`cache`] joins a load or begins one. It asks the primary
//! of the [`store`] for the sequence, which renews the lease of all entries; looks for the value; and if the store has none that
//! is whole and of the present generations, asks the [`source`] and fills the store, fenced by what was seen before.
//!
//! **An invalidation** runs one script in the [`store`]: new generations, the values dropped, the sequence moved on, a record in the
//! log. Then the new prompt is loaded for all, and the others are told over [`push`]. Whoever is not told finds the record in the
//! log at the next validation. What did not reach the store is owed, and tried again until it did.

// Unit tests run without Node; the binding is tested from JavaScript, in `__test__`.
#[cfg(all(feature = "binding", not(test)))]
mod node;

/// Modules are private, so that the compiler finds what nothing uses. The tests of the crate see them.
macro_rules! modules {
    ($($name:ident)*) => {$(
        #[cfg(feature = "testing")]
        pub mod $name;
        #[cfg(not(feature = "testing"))]
        mod $name;
    )*};
}

modules! {
    cache
    clock
    config
    error
    fleet
    http
    near
    observe
    protocol
    push
    resource
    source
    store
    testing
}
