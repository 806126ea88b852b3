//! Whether the store lists this instance. An instance that is not listed holds no lease: what a receipt does not know of
//! serves nothing without asking.
//!
//! A member hears of it in the log if it was taken off the list, or if the list was lost, and then lists itself anew before it
//! extends its lease.

use crate::near::Request;
use crate::protocol::{Member, Notes, Sequence};
use crate::testing::mutants::{Mutant, Mutation};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a member with traffic says how it stands, for people.
const RENEWAL: Duration = Duration::from_secs(60);

pub struct Membership {
    id: String,
    lease: Duration,
    mutation: Mutation,
    /// Never held across `.await`.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    listed: bool,
    /// The tick at which it heard that it is not listed any more.
    lost_at: u64,
    /// When it is to say again how it stands.
    renew_at: Duration,
    /// It is not to be listed any more.
    left: bool,
    /// Whether dead members were looked for.
    swept: bool,
}

impl Membership {
    pub fn new(id: String, lease: Duration, mutation: Mutation) -> Self {
        Membership {
            id,
            lease,
            mutation,
            state: Mutex::default(),
        }
    }

    /// Tells this instance from all others.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What to list it with before the next validation; `None` if it need not be listed.
    pub fn listing(
        &self,
        applied: Option<Sequence>,
        now: Duration,
        wall_ms: u64,
    ) -> Option<String> {
        let state = self.state();
        let due = !state.left && (!state.listed || now >= state.renew_at);
        due.then(|| self.line(applied, wall_ms))
    }

    /// How it stands.
    pub fn line(&self, applied: Option<Sequence>, wall_ms: u64) -> String {
        let member = Member {
            applied,
            lease: self.lease,
            said_at_ms: wall_ms,
            expelled: false,
        };
        member.to_line()
    }

    /// The store listed it by this request.
    pub fn listed(&self, request: Request) {
        let mut state = self.state();
        if request.tick >= state.lost_at && !state.left {
            state.listed = true;
            state.renew_at = request.sent_at + RENEWAL;
        }
    }

    /// It may not be listed any more, as was learnt at this tick.
    pub fn lost(&self, tick: u64) {
        if self.mutation.is(Mutant::ListingsAreForEver) {
            return;
        }
        let mut state = self.state();
        state.listed = false;
        state.lost_at = tick;
    }

    /// What a record of the log notes, which was applied by this tick. Whether it is to be acknowledged.
    pub fn note(&self, notes: &Notes, tick: u64) -> bool {
        if notes.members_lost || notes.expelled.as_ref() == Some(&self.id) {
            self.lost(tick);
        }
        notes.acknowledge && self.is_member()
    }

    /// Whether it may hold a lease.
    pub fn may_lease(&self) -> bool {
        let state = self.state();
        state.listed || self.mutation.is(Mutant::LeasesNeedNoListing) && !state.left
    }

    /// Whether it was ever listed, and did not leave.
    pub fn is_member(&self) -> bool {
        let state = self.state();
        !state.left && state.renew_at > Duration::ZERO
    }

    /// True once.
    pub fn take_sweep(&self) -> bool {
        !std::mem::replace(&mut self.state().swept, true)
    }

    /// It is not to be listed any more. Whether the store may list it: also one that heard otherwise may still be there.
    pub fn leave(&self) -> bool {
        let mut state = self.state();
        let first = !std::mem::replace(&mut state.left, true);
        state.listed = false;
        first && state.renew_at > Duration::ZERO
    }

    pub fn has_left(&self) -> bool {
        self.state().left
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves a state that is whole: every field is set by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::near::Watermark;
    use crate::protocol::Scope;

    const LEASE: Duration = Duration::from_secs(1);

    #[test]
    fn it_lists_itself_until_it_is_listed_and_again_once_it_heard_otherwise() {
        let membership = Membership::new("a1".into(), LEASE, Mutation::NONE);
        let watermark = Watermark::new(LEASE, Mutation::NONE);
        let listing = |ms| {
            membership
                .listing(None, Duration::from_millis(ms), 0)
                .is_some()
        };
        assert!(listing(1) && !membership.may_lease());
        let request = watermark.request(Duration::from_millis(1));
        membership.listed(request);
        assert!(!listing(2) && membership.may_lease());
        assert!(listing(60_001), "it says again how it stands");
        for notes in ["lost", "expelled=a1"] {
            watermark.supersede(Scope::Everything);
            membership.note(&Notes::parse(notes), watermark.tick());
            assert!(listing(2) && !membership.may_lease(), "{notes}");
            membership.listed(request);
            assert!(!membership.may_lease(), "it was listed before");
            membership.listed(watermark.request(Duration::from_millis(3)));
            assert!(membership.may_lease());
        }
        membership.note(&Notes::parse("expelled=a2"), watermark.tick());
        assert!(membership.may_lease());
    }

    #[test]
    fn only_a_member_acknowledges_and_one_that_left_is_none() {
        let membership = Membership::new("a1".into(), LEASE, Mutation::NONE);
        let watermark = Watermark::new(LEASE, Mutation::NONE);
        let asked = Notes::parse("ack");
        assert!(!membership.note(&asked, 1));
        membership.listed(watermark.request(LEASE));
        assert!(membership.note(&asked, 1));
        membership.lost(1);
        assert!(membership.leave(), "its field may still be there");
        assert!(!membership.note(&asked, 1) && !membership.may_lease());
        assert!(!membership.leave(), "it has left");
        membership.listed(watermark.request(LEASE));
        assert!(!membership.may_lease());
    }
}
