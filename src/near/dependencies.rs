//! When each dependency was last invalidated, in ticks of this instance. Entries that depend on it hold it and compare, so that
//! an invalidation costs the same however many entries depend on it.

use crate::protocol::Scope;
use std::collections::HashMap;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub struct Dependency {
    name: Arc<str>,
    invalidated_at: AtomicU64,
}

impl Dependency {
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The tick of its last invalidation; 0 if it had none since somebody began to depend on it.
    pub fn invalidated_at(&self) -> u64 {
        self.invalidated_at.load(Acquire)
    }
}

/// The dependencies of all entries, by name.
#[derive(Default)]
pub struct Dependencies {
    /// Never held across `.await`.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_name: HashMap<Arc<str>, Weak<Dependency>>,
    /// How many there were when those that nothing depends on were last removed.
    kept: usize,
}

/// How many may be there before it is worth a look which of them nothing depends on.
const FEW: usize = 1024;

impl Dependencies {
    pub fn get(&self, name: &Arc<str>) -> Arc<Dependency> {
        // A panic under this lock leaves whole pointers.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dependency) = known.by_name.get(name).and_then(Weak::upgrade) {
            return dependency;
        }
        if known.by_name.len() >= FEW.max(2 * known.kept) {
            known.by_name.retain(|_, it| it.strong_count() > 0);
            known.kept = known.by_name.len();
        }
        let dependency = Arc::new(Dependency {
            name: name.clone(),
            invalidated_at: AtomicU64::new(0),
        });
        known
            .by_name
            .insert(name.clone(), Arc::downgrade(&dependency));
        dependency
    }

    /// Those of `scope` were invalidated at this tick. Of everything, the caller keeps track.
    pub fn invalidate(&self, scope: &Scope, tick: u64) {
        let Scope::Of(names) = scope else {
            return;
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if let Some(dependency) = known.by_name.get(name).and_then(Weak::upgrade) {
                dependency.invalidated_at.store(tick, Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::entry_dependency;

    #[test]
    fn those_that_depend_on_the_same_see_the_same_invalidation() {
        let dependencies = Dependencies::default();
        let [one, other] = ["a", "b"].map(|id| entry_dependency("docs", id));
        let [first, second] = [dependencies.get(&one), dependencies.get(&one)];
        let third = dependencies.get(&other);
        dependencies.invalidate(&Scope::Of([one].into()), 7);
        let ticks = [first, second, third].map(|it| it.invalidated_at());
        assert_eq!(ticks, [7, 7, 0]);
    }

    #[test]
    fn what_nothing_depends_on_is_forgotten() {
        let dependencies = Dependencies::default();
        let kept = dependencies.get(&entry_dependency("docs", "kept"));
        for id in 0..10 * FEW {
            dependencies.get(&entry_dependency("docs", &id.to_string()));
        }
        assert!(dependencies.known.lock().unwrap().by_name.len() <= FEW);
        assert!(Arc::ptr_eq(&kept, &dependencies.get(kept.name())));
    }
}
