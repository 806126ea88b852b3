//! The rules that carry the guarantee, by name. A cache keeps all of them; the simulation (`tests/simulation`) breaks one at
//! a time to show that each is needed and would be missed.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A lease counts from when its request was sent, not from when the answer came.
    LeaseFromSendTime,
    /// A flight is joined only while it is young.
    OldFlightsAreNotJoined,
    /// An older value does not replace a newer one.
    OlderAnswersAreNotAccepted,
    /// An invalidation made here ends the epoch.
    OwnInvalidationEndsTheEpoch,
    /// An announcement ends the epoch.
    PushEndsTheEpoch,
    /// A (re)connect of the stream ends the epoch.
    ReconnectEndsTheEpoch,
    /// An announcement that shows that another was missed ends all epochs of a collection.
    GapsEndAllEpochs,
    /// An open stream does not make a lease longer.
    PushExtendsNoLease,
    /// An instance that the store does not list holds no lease, and its flights are not joined.
    LeaseNeedsAListing,
    /// While an invalidation is owed, the store is neither read nor filled.
    PendingKeepsOffTheStore,
    /// What stands in for the value is never stored.
    StandInsAreNotStored,
    /// That there is no value is never stored.
    NothingIsNotStored,
    /// What a collection has evicted hears of no invalidation, so what is under way for it is not joined.
    EvictedLinesAreNotJoined,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    broken: Option<Rule>,
}

impl Rules {
    pub const ALL_KEPT: Rules = Rules { broken: None };

    pub fn without(rule: Rule) -> Self {
        Rules { broken: Some(rule) }
    }

    pub fn keep(self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }
}
