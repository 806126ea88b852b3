//! How far an invalidation has come through the fleet, by what the members say and by the time that has passed. Pure.

use crate::near::Watermark;
use crate::protocol::{Member, Roster, Sequence};
use std::time::Duration;

/// Why a member can serve nothing old any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// It said so.
    Ack,
    /// It said nothing for as long as its leases last.
    LeaseExpired,
    /// The same, and it is not listed any more: it was closed, or expelled.
    Gone,
}

impl By {
    pub fn as_str(self) -> &'static str {
        match self {
            By::Ack => "ack",
            By::LeaseExpired => "lease-expired",
            By::Gone => "gone",
        }
    }
}

/// What a receipt says of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    pub id: String,
    /// Since the commit, and why; `None` if it was not confirmed in time.
    pub confirmed: Option<(Duration, By)>,
}

/// How far an invalidation has come. Times count from its commit.
#[derive(Clone, Debug)]
pub struct Progress {
    sequence: Sequence,
    own_id: String,
    members: Vec<Awaited>,
    /// Until when there may be members that the list does not know.
    unlisted_until: Option<Duration>,
    unsettled: Option<String>,
    proven_after: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Awaited {
    id: String,
    lease: Duration,
    /// As the list had it last; `None` if it is not listed any more.
    field: Option<String>,
    confirmed: Option<(Duration, By)>,
}

impl Progress {
    /// The list as it stood at the commit. The instance that asks has applied the invalidation.
    pub fn begin(sequence: Sequence, own_id: &str, own_lease: Duration, roster: &Roster) -> Self {
        let others = roster.members.iter().filter(|(id, ..)| id != own_id);
        let members: Vec<_> = others
            .map(|(id, member, field)| Awaited {
                id: id.clone(),
                lease: member.lease,
                field: Some(field.clone()),
                confirmed: None,
            })
            .collect();
        let longest = members
            .iter()
            .map(|it| it.lease)
            .fold(own_lease, Duration::max);
        Progress {
            sequence,
            own_id: own_id.to_owned(),
            members,
            unlisted_until: roster.unsettled.is_some().then_some(longest),
            unsettled: roster.unsettled.clone(),
            proven_after: None,
        }
    }

    /// The ids of those that are still to be asked.
    pub fn awaited(&self) -> Vec<String> {
        let awaited = self.members.iter().filter(|it| it.confirmed.is_none());
        awaited.map(|it| it.id.clone()).collect()
    }

    /// The fields of those awaited. A member has acknowledged the invalidation if it has applied it, or a later one that this instance
    /// has applied, too.
    pub fn hear(&mut self, fields: Vec<Option<String>>, now: Duration, watermark: &Watermark) {
        let awaited = self.members.iter_mut().filter(|it| it.confirmed.is_none());
        for (member, field) in awaited.zip(fields) {
            let said = field.as_deref().and_then(Member::parse);
            member.field = field;
            let applied = said.and_then(|said| said.applied);
            if applied.is_some_and(|it| {
                it == self.sequence || watermark.is_at_or_after(it, self.sequence)
            }) {
                member.confirmed = Some((now, By::Ack));
            }
        }
        self.look(now);
    }

    /// So much time has passed: a member whose lease is over needs to say nothing.
    pub fn look(&mut self, now: Duration) {
        for member in &mut self.members {
            if member.confirmed.is_none() && now >= member.lease {
                let by = match &member.field {
                    Some(field) if Member::parse(field).is_some_and(|it| !it.expelled) => {
                        By::LeaseExpired
                    }
                    _ => By::Gone,
                };
                member.confirmed = Some((member.lease, by));
            }
        }
        let times: Option<Vec<Duration>> = self
            .members
            .iter()
            .map(|it| it.confirmed.map(|(at, _)| at))
            .collect();
        if let Some(times) = times
            && self.unlisted_until.is_none_or(|until| now >= until)
            && self.proven_after.is_none()
        {
            let all = times.into_iter().chain(self.unlisted_until);
            self.proven_after = Some(all.max().unwrap_or_default());
        }
    }

    /// Until when nothing follows from time alone.
    pub fn next_look(&self) -> Option<Duration> {
        let awaited = self.members.iter().filter(|it| it.confirmed.is_none());
        awaited.map(|it| it.lease).chain(self.unlisted_until).min()
    }

    /// When it was proven that no instance serves anything older; `None`: not yet.
    pub fn proven_after(&self) -> Option<Duration> {
        self.proven_after
    }

    /// This instance first.
    pub fn confirmations(&self) -> Vec<Confirmation> {
        let own = Confirmation {
            id: self.own_id.clone(),
            confirmed: Some((Duration::ZERO, By::Ack)),
        };
        let others = self.members.iter().map(|member| Confirmation {
            id: member.id.clone(),
            confirmed: member.confirmed,
        });
        std::iter::once(own).chain(others).collect()
    }

    /// The members that said nothing for as long as their leases last and are still listed: id, lease and field.
    pub fn silent(&self) -> Vec<(String, Duration, String)> {
        let silent = self
            .members
            .iter()
            .filter(|it| !matches!(it.confirmed, None | Some((_, By::Ack))));
        silent
            .filter_map(|it| Some((it.id.clone(), it.lease, it.field.clone()?)))
            .collect()
    }

    /// What the list says in place of "whole", once a lease has passed since.
    pub fn unsettled(&self) -> Option<&str> {
        self.proven_after.and(self.unsettled.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{LogRecord, Notes, Scope};
    use crate::testing::mutants::Mutation;

    const LEASE: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sequence(number: u64) -> Sequence {
        Sequence::new(number).unwrap()
    }

    fn field(applied: u64, lease_ms: u64) -> String {
        let member = Member {
            applied: Sequence::new(applied),
            lease: at(lease_ms),
            said_at_ms: 0,
            expelled: false,
        };
        member.to_line()
    }

    /// Of sequence 7, which this instance has applied, and 8.
    fn progress(fields: &[(&str, String)], settled: &str) -> (Progress, Watermark) {
        let watermark = Watermark::new(LEASE, Mutation::NONE);
        watermark.reset(sequence(6), watermark.request(at(0)));
        for number in [7, 8] {
            watermark.observe(&LogRecord {
                previous: Sequence::new(number - 1),
                sequence: sequence(number),
                scope: Scope::Everything,
                notes: Notes::default(),
            });
        }
        let mut all = vec![
            "~".to_owned(),
            settled.to_owned(),
            "own".to_owned(),
            field(6, 1000),
        ];
        all.extend(
            fields
                .iter()
                .flat_map(|(id, field)| [id.to_string(), field.clone()]),
        );
        (
            Progress::begin(sequence(7), "own", LEASE, &Roster::of(&all)),
            watermark,
        )
    }

    #[test]
    fn it_is_proven_once_every_member_has_acknowledged_it_or_a_later_one() {
        let (mut progress, watermark) =
            progress(&[("a", field(6, 1000)), ("b", field(6, 1000))], "whole");
        assert_eq!(progress.awaited(), ["a", "b"]);
        progress.hear(
            vec![Some(field(6, 1000)), Some(field(7, 1000))],
            at(5),
            &watermark,
        );
        assert_eq!(
            (progress.awaited(), progress.proven_after()),
            (vec!["a".to_owned()], None)
        );
        progress.hear(vec![Some(field(8, 1000))], at(9), &watermark);
        assert_eq!(progress.proven_after(), Some(at(9)));
        assert!(progress.silent().is_empty());
    }

    #[test]
    fn a_number_that_this_instance_has_not_applied_acknowledges_nothing() {
        let (mut progress, watermark) = progress(&[("a", field(6, 1000))], "whole");
        for number in [6, 9, 5000] {
            progress.hear(vec![Some(field(number, 1000))], at(5), &watermark);
            assert_eq!(progress.proven_after(), None, "{number}");
        }
    }

    #[test]
    fn a_silent_member_is_waited_for_as_long_as_its_leases_last() {
        let (mut progress, watermark) =
            progress(&[("a", field(6, 2000)), ("b", field(6, 500))], "whole");
        progress.hear(vec![Some(field(6, 2000)), None], at(600), &watermark);
        assert_eq!(
            (progress.proven_after(), progress.next_look()),
            (None, Some(at(2000)))
        );
        progress.look(at(2100));
        assert_eq!(progress.proven_after(), Some(at(2000)));
        let by: Vec<_> = progress
            .confirmations()
            .iter()
            .map(|it| it.confirmed.unwrap().1)
            .collect();
        assert_eq!(by, [By::Ack, By::LeaseExpired, By::Gone]);
        assert_eq!(
            progress.silent(),
            [("a".to_owned(), at(2000), field(6, 2000))]
        );
    }

    #[test]
    fn where_the_list_may_not_be_whole_the_longest_lease_is_waited_for() {
        for settled in ["7", "8"] {
            let (mut progress, watermark) = progress(&[("a", field(6, 2000))], settled);
            progress.hear(vec![Some(field(7, 2000))], at(5), &watermark);
            assert_eq!(
                (progress.proven_after(), progress.unsettled()),
                (None, None)
            );
            progress.look(at(2000));
            assert_eq!(progress.proven_after(), Some(at(2000)));
            assert_eq!(progress.unsettled(), Some(settled));
        }
    }

    #[test]
    fn alone_it_is_proven_at_once() {
        let (mut progress, _) = progress(&[], "whole");
        progress.look(at(0));
        assert_eq!(progress.proven_after(), Some(at(0)));
    }
}
