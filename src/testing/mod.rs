//! Switches for tests: rules of the protocol that can be broken one at a time, and a store inside the process. The product is
//! built without the feature `testing`, and then keeps every rule.

#[cfg(feature = "testing")]
pub mod embedded;
#[cfg(feature = "testing")]
pub mod fuzzing;
pub mod mutants;
