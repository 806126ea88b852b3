//! grove-shared-cache: the active system prompt of a Node server, shared by all its instances.
//!
//! **The life of a read.** `fetchActiveSystemPrompt()` arrives in [`binding`], which hands it to a [`core::cache`] that was
//! put together from options and environment ([`core::config`], [`core::wiring`]) at the first use. While the
//! [`core::lease`] of the [`core::near`] cache runs, `binding` hands out a promise that it holds. Else the cache joins a
//! load that is under way ([`core::flight`]) or begins one: it asks the [`core::store`] (Upstash Redis over REST) whether
//! what it holds is still there, or for all of it, and lets [`core::protocol`] judge whether that may be served. If not, it
//! asks the [`core::source`] (Supabase, or a file), unless another instance does already ([`core::refresh`]), makes an
//! entry of the row ([`core::prompt`]), delivers it, and fills the store behind the caller's back, fenced by the
//! generation that was read before. When nothing answers, the last known value, the user's legacy function and then the
//! fallback prompt stand in ([`core::stand_ins`]). A store that fails is left alone by its [`core::breaker`]; with a key, what
//! is stored is signed ([`core::signature`]) and what is found there distrusted ([`core::distrust`]).
//!
//! **The life of an invalidation** ([`core::invalidation`]). It ends this instance's epoch at once, opens a new generation in
//! the store by one script, refills it, and tells the other instances over the [`core::push`] stream. From then on a fill that
//! was loaded earlier is refused. Instances list themselves before they hold a lease ([`core::registration`]), so that a receipt can say
//! of each of them ([`core::fleet`]) that the change has arrived ([`core::receipt`]). Calls that come together share one ([`core::batches`]). One that did not get through is owed
//! ([`core::pending`]) and tried again until it did. The rules that make this add up to a guarantee have names in [`core::rules`].
//!
//! Everything that waits for the network does so on tokio's threads; the event loop only receives the result. All HTTP
//! goes through [`core::http`]: one deadline, no redirects, a cap. What went wrong is a [`core::error`]; what happened
//! is counted in [`core::stats`], shown by [`core::metrics`], and told through [`core::journal`] and [`core::log`].
//!
//! **The next engine** stands beside it, and is not the product yet: one log, one watermark and one lease for everything a cache
//! holds. [`protocol`] is what instances agree on, [`near`] the entries in memory and how far the log is applied, [`store`] the
//! commands and scripts for Redis behind a breaker, [`resource`] the kinds of values and their keys, [`fleet`] the members and
//! receipts, [`cache`] the way of a read and of an invalidation, [`testing`] mutants and an embedded store. `tests/fleet`
//! simulates it. When `binding` has moved to it, `core` keeps nothing of its own and goes.
//!
//! `binding` may use all of `core`; `core` never names N-API, and builds and tests without it. In `core`, only `prompt`, its
//! options in `config`, and `wiring` know that the value is a system prompt.

// Unit tests run without Node; the binding is tested from JavaScript, in `__test__`.
#[cfg(all(feature = "binding", not(test)))]
mod binding;
pub mod cache;
pub mod core;
pub mod fleet;
pub mod near;
pub mod protocol;
pub mod resource;
pub mod store;
pub mod testing;
