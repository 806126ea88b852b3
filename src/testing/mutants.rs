//! Mutants: the protocol with one rule broken, to show that the simulation misses it.

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Leases count from when the answer came, not from when it was asked for.
    LeasesCountFromTheAnswer,
    /// An invalidation moves the watermark whatever came before it.
    WatermarkMovesAnywhere,
    /// What is missing in the log is taken for nothing.
    GapsAreSkipped,
    /// A missing sequence is taken for "nothing happened".
    MissingSequenceConfirms,
    /// A reset, or the first validation, supersedes nothing.
    ResetKeepsEntries,
    /// An applied record supersedes nothing.
    AppliedRecordsKeepEntries,
    /// Loads that began before an invalidation are joined after it.
    SupersededLoadsAreJoined,
    /// A value counts as of the last thing learnt, not of the sequence beside it.
    EntriesAreOfTheLastTick,
    /// Loads are joined however old they are.
    OldLoadsAreJoined,
    /// A value is delivered without a look whether it is still under a lease.
    LateAnswersAreDelivered,
    /// An older value replaces a newer one.
    OlderAnswersAreAccepted,
    /// While an invalidation is owed, the store is read and filled as ever.
    OwedInvalidationsAreForgotten,
    /// What stands in for a value is stored.
    StandInsAreStored,
    /// That there is no value is stored.
    NothingIsStored,
    /// An instance that is not listed holds leases.
    LeasesNeedNoListing,
    /// A member that was expelled, or whose list was lost, does not list itself anew.
    ListingsAreForEver,
}

/// Which rule is broken, if any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutation {
    #[cfg(feature = "testing")]
    mutant: Option<Mutant>,
}

impl Mutation {
    #[cfg(any(test, feature = "testing"))]
    pub const NONE: Mutation = Mutation {
        #[cfg(feature = "testing")]
        mutant: None,
    };

    #[cfg(feature = "testing")]
    pub fn of(mutant: Mutant) -> Self {
        Mutation {
            mutant: Some(mutant),
        }
    }

    #[cfg(feature = "testing")]
    pub fn is(self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    #[cfg(not(feature = "testing"))]
    pub const fn is(self, _: Mutant) -> bool {
        false
    }
}
