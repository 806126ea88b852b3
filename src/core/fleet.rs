//! The instances that read, as the store lists them, and how a receipt follows from what they say. Pure: no I/O, and the time
//! is what the caller says it is.
//!
//! An instance is listed before it holds a lease, and says which generation it has acknowledged: it can serve nothing older
//! than that any more. One that is silent needs to say nothing once its lease is over. So the fleet has changed as soon as
//! each instance has either said so or been silent for a lease.

use crate::core::config::MAX_TIMEOUT_MS;
use crate::core::protocol::Generation;
use serde_json::{Value, json};
use std::time::Duration;

/// How an instance stands, by its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The generation before which it serves nothing any more; `None` if it has met none yet.
    pub generation: Option<Generation>,
    /// How long its leases last.
    pub lease: Duration,
}

/// Of how many instances a receipt tells; where more are listed, there may be others.
pub const MOST_INSTANCES: usize = 1000;
/// The longest lease that an instance may have.
const LONGEST_LEASE: Duration = Duration::from_millis(MAX_TIMEOUT_MS as u64);
/// How long an instance stays listed after it said how it stands, at least.
const LISTED: Duration = Duration::from_secs(300);

impl Standing {
    /// For how long the instance is listed: a lease is renewed in less.
    pub fn listed_for(&self) -> Duration {
        LISTED.max(self.lease * 2)
    }

    /// One line of JSON.
    pub fn to_line(&self) -> String {
        let generation = self.generation.as_ref().map(Generation::to_json);
        json!({ "generation": generation, "leaseMs": self.lease.as_millis() as u64 }).to_string()
    }

    /// `None` for what no instance of this package wrote.
    pub fn parse(line: &str) -> Option<Self> {
        let said: Value = serde_json::from_str(line).ok()?;
        let lease = Duration::from_millis(said.get("leaseMs")?.as_u64()?);
        Some(Standing {
            generation: Generation::from_json(said.get("generation")?),
            lease: Some(lease).filter(|lease| *lease <= LONGEST_LEASE)?,
        })
    }
}

/// Who is listed, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    pub ids: Vec<String>,
    /// Whether there may be instances that the list has lost.
    pub settling: bool,
}

/// How some instances stand, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    pub generation: Option<Generation>,
    /// In the order in which they were asked for; `None` for one that says nothing any more.
    pub standings: Vec<Option<Standing>>,
}

/// An instance, as the store lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub standing: Standing,
    /// Whether it is the one that asks.
    pub is_self: bool,
}

/// Why an instance can serve nothing old any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// It said so.
    Ack,
    /// It said nothing for as long as its leases last.
    LeaseExpired,
    /// The same, and it is not listed any more: it was closed, or had not been heard of for minutes.
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

/// What a receipt says of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    pub id: String,
    /// Since the commit, and why; `None` if it was not confirmed in time.
    pub confirmed: Option<(Duration, By)>,
}

/// How far a change has come through the fleet. Times count from its commit.
#[derive(Clone, Debug)]
pub struct Progress {
    generation: Generation,
    own_id: String,
    /// That of the instance that asks, and of those that say nothing of theirs.
    lease: Duration,
    /// What the store is given at least to say who is listed and how they stand; after that, others are taken to have this lease.
    patience: Duration,
    heard: bool,
    listed: bool,
    /// Whether there may be instances beside the listed ones: until the list was read, and where it is not whole.
    unlisted: bool,
    instances: Vec<Instance>,
    proven_after: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Instance {
    id: String,
    lease: Duration,
    silent: bool,
    confirmed: Option<(Duration, By)>,
}

impl Progress {
    /// The instance that made the change has ended its own epoch before the store was asked.
    pub fn begin(
        generation: Generation,
        own_id: &str,
        lease: Duration,
        patience: Duration,
    ) -> Self {
        Progress {
            generation,
            own_id: own_id.to_owned(),
            lease,
            patience,
            heard: false,
            listed: false,
            unlisted: true,
            instances: vec![Instance {
                id: own_id.to_owned(),
                lease,
                silent: false,
                confirmed: Some((Duration::ZERO, By::Ack)),
            }],
            proven_after: None,
        }
    }

    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// The list was read, after the commit. `expected`: the instance that asks is listed, by its own count, so that a list
    /// without it is not whole.
    pub fn list(&mut self, list: List, expected: bool) {
        self.listed = true;
        self.unlisted = list.settling
            || list.ids.is_empty()
            || list.ids.len() > MOST_INSTANCES
            || expected && !list.ids.contains(&self.own_id);
        for id in list.ids.into_iter().take(MOST_INSTANCES) {
            if id != self.own_id {
                self.instances.push(Instance {
                    id,
                    lease: self.lease,
                    silent: false,
                    confirmed: None,
                });
            }
        }
    }

    /// The ids of those that are still to be asked.
    pub fn awaited(&self) -> Vec<String> {
        let awaited = self.instances.iter().filter(|it| it.confirmed.is_none());
        awaited.map(|instance| instance.id.clone()).collect()
    }

    /// What the store said of those awaited. An instance has acknowledged the change if it names its generation, or the
    /// store's, which then is a later one.
    pub fn hear(&mut self, roll: &Roll, now: Duration) {
        self.heard = true;
        let later = |generation: &Generation| {
            roll.generation.as_ref() == Some(generation)
                && generation.number() >= self.generation.number()
        };
        let awaited = self
            .instances
            .iter_mut()
            .filter(|it| it.confirmed.is_none());
        for (instance, standing) in awaited.zip(&roll.standings) {
            instance.silent = standing.is_none();
            let Some(standing) = standing else { continue };
            instance.lease = standing.lease;
            if let Some(said) = &standing.generation
                && (*said == self.generation || later(said))
            {
                instance.confirmed = Some((now, By::Ack));
            }
        }
        self.look(now);
    }

    /// So much time has passed: whose lease is over needs to say nothing.
    pub fn look(&mut self, now: Duration) {
        // The others' leases are not known yet.
        if !self.heard && now < self.lease.max(self.patience) {
            return;
        }
        for instance in &mut self.instances {
            if instance.confirmed.is_none() && now >= instance.lease {
                let by = if instance.silent {
                    By::Gone
                } else {
                    By::LeaseExpired
                };
                instance.confirmed = Some((instance.lease, by));
            }
        }
        let unlisted_until = self.unlisted.then_some(self.longest_lease());
        let confirmed = self.instances.iter().map(|instance| instance.confirmed);
        let times: Option<Vec<Duration>> = confirmed.map(|it| it.map(|(at, _)| at)).collect();
        if let Some(times) = times
            && unlisted_until.is_none_or(|until| now >= until)
            && self.proven_after.is_none()
        {
            self.proven_after = times.into_iter().chain(unlisted_until).max();
        }
    }

    fn longest_lease(&self) -> Duration {
        let leases = self.instances.iter().map(|instance| instance.lease);
        leases.max().unwrap_or(self.lease)
    }

    /// Until when nothing follows from time alone, if it has to be waited for.
    pub fn next_look(&self) -> Option<Duration> {
        if !self.heard {
            return Some(self.lease.max(self.patience));
        }
        let awaited = self.instances.iter().filter(|it| it.confirmed.is_none());
        let leases = awaited.map(|instance| instance.lease);
        leases
            .chain(self.unlisted.then_some(self.longest_lease()))
            .min()
    }

    /// When it was proven that no instance serves anything older; `None`: not yet.
    pub fn proven_after(&self) -> Option<Duration> {
        self.proven_after
    }

    pub fn confirmations(&self) -> Vec<Confirmation> {
        let confirmation = |instance: &Instance| Confirmation {
            id: instance.id.clone(),
            confirmed: instance.confirmed,
        };
        self.instances.iter().map(confirmation).collect()
    }

    /// Those that say nothing any more: they can be taken off the list.
    pub fn gone(&self) -> Vec<String> {
        let gone = |it: &&Instance| matches!(it.confirmed, Some((_, By::Gone)));
        self.instances
            .iter()
            .filter(gone)
            .map(|it| it.id.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_millis(500);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn begun(ids: &[&str]) -> Progress {
        let mut progress = Progress::begin(Generation::new("7"), "own", LEASE, PATIENCE);
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let settling = false;
        progress.list(List { ids, settling }, true);
        progress
    }

    /// The store is at `generation`, and those awaited have acknowledged these.
    fn roll(generation: &str, acknowledged: &[Option<&str>]) -> Roll {
        let standing = |said: &Option<&str>| {
            said.map(|said| Standing {
                generation: (!said.is_empty()).then(|| Generation::new(said)),
                lease: LEASE,
            })
        };
        Roll {
            generation: Some(Generation::new(generation)),
            standings: acknowledged.iter().map(standing).collect(),
        }
    }

    fn confirmed(progress: &Progress) -> Vec<(String, Option<(u64, By)>)> {
        let confirmations = progress.confirmations().into_iter();
        let plain = |it: Confirmation| {
            let confirmed = it
                .confirmed
                .map(|(after, by)| (after.as_millis() as u64, by));
            (it.id, confirmed)
        };
        confirmations.map(plain).collect()
    }

    #[test]
    fn a_change_is_proven_when_the_last_one_has_acknowledged_it() {
        let mut progress = begun(&["own", "a", "b"]);
        assert_eq!(progress.awaited(), ["a", "b"]);
        progress.hear(&roll("7", &[Some("6"), Some("7")]), at(20));
        assert_eq!(
            (progress.awaited(), progress.proven_after()),
            (vec!["a".into()], None)
        );
        progress.hear(&roll("7", &[Some("7")]), at(30));
        assert_eq!(progress.proven_after(), Some(at(30)));
        let by = |ms| Some((ms, By::Ack));
        let expected = [("own", by(0)), ("a", by(30)), ("b", by(20))];
        assert_eq!(
            confirmed(&progress),
            expected.map(|(id, by)| (id.to_owned(), by))
        );
    }

    #[test]
    fn the_stores_own_generation_acknowledges_if_it_is_a_later_one() {
        for (current, said, acknowledges) in [
            ("8", "8", true),
            ("8", "9", false),
            // What a replica says that has not seen the change.
            ("6", "6", false),
            ("7", "", false),
        ] {
            let mut progress = begun(&["own", "a"]);
            progress.hear(&roll(current, &[Some(said)]), at(20));
            assert_eq!(
                progress.proven_after().is_some(),
                acknowledges,
                "{said} of {current}"
            );
        }
    }

    #[test]
    fn who_says_nothing_is_waited_for_as_long_as_its_lease_lasts() {
        let mut progress = begun(&["own", "frozen", "left"]);
        progress.hear(&roll("7", &[Some("6"), None]), at(20));
        assert_eq!(progress.next_look(), Some(LEASE));
        progress.look(at(999));
        assert_eq!(progress.proven_after(), None);
        progress.look(at(1003));
        assert_eq!(progress.proven_after(), Some(LEASE));
        assert_eq!(confirmed(&progress)[1].1, Some((1000, By::LeaseExpired)));
        assert_eq!(confirmed(&progress)[2].1, Some((1000, By::Gone)));
        assert_eq!(progress.gone(), ["left"]);
    }

    #[test]
    fn a_longer_lease_is_waited_for() {
        let mut progress = begun(&["own", "slow"]);
        let mut roll = roll("7", &[Some("6")]);
        roll.standings[0].as_mut().unwrap().lease = at(5000);
        progress.hear(&roll, at(20));
        progress.look(at(4999));
        assert_eq!(progress.proven_after(), None);
        progress.look(at(5000));
        assert_eq!(progress.proven_after(), Some(at(5000)));
    }

    #[test]
    fn a_list_that_may_not_be_whole_takes_a_lease() {
        let list = |ids: &[&str], settling| List {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            settling,
        };
        let crowd: Vec<String> = (0..=MOST_INSTANCES).map(|id| id.to_string()).collect();
        let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
        for (list, expected) in [
            (list(&[], false), false),
            (list(&["own"], true), true),
            (list(&["other"], false), true),
            (list(&crowd, false), false),
        ] {
            let mut progress = Progress::begin(Generation::new("7"), "own", LEASE, PATIENCE);
            let said = vec![Some("7"); list.ids.len()];
            let situation = format!("{:?} of {}", list.settling, list.ids.len());
            progress.list(list, expected);
            progress.hear(&roll("7", &said), at(20));
            progress.look(at(999));
            assert_eq!(progress.proven_after(), None, "{situation}");
            progress.look(at(1000));
            assert_eq!(progress.proven_after(), Some(LEASE), "{situation}");
        }
    }

    #[test]
    fn nothing_is_proven_before_the_others_leases_are_known() {
        for own_lease in [Duration::ZERO, at(100)] {
            let own = Generation::new("7");
            let mut progress = Progress::begin(own, "own", own_lease, PATIENCE);
            assert_eq!(progress.next_look(), Some(PATIENCE));
            let ids = vec!["own".to_owned(), "other".to_owned()];
            let settling = false;
            progress.list(List { ids, settling }, false);
            progress.look(at(499));
            assert_eq!(progress.proven_after(), None, "only its name is known");
            progress.hear(&roll("7", &[Some("6")]), at(499));
            progress.look(at(999));
            assert_eq!(progress.proven_after(), None);
            progress.look(at(1000));
            assert_eq!(progress.proven_after(), Some(LEASE));
        }
    }

    #[test]
    fn a_store_that_does_not_say_who_is_listed_is_waited_for_no_longer_than_a_lease() {
        let mut progress = Progress::begin(Generation::new("7"), "own", LEASE, PATIENCE);
        progress.look(at(999));
        assert_eq!(progress.proven_after(), None);
        progress.look(at(1000));
        assert_eq!(progress.proven_after(), Some(LEASE));
    }

    #[test]
    fn an_instance_is_listed_for_longer_than_its_lease() {
        for (lease, listed_for) in [(at(1000), 300), (at(3_600_000), 7200)] {
            let standing = Standing {
                generation: None,
                lease,
            };
            assert_eq!(standing.listed_for(), Duration::from_secs(listed_for));
        }
    }

    #[test]
    fn a_standing_is_read_back_as_it_was_written() {
        for generation in [
            None,
            Some(Generation::new("1800000000000")),
            Some(Generation::new("canary")),
        ] {
            let standing = Standing {
                generation,
                lease: at(1500),
            };
            assert_eq!(Standing::parse(&standing.to_line()), Some(standing));
        }
        for line in [
            "",
            "7",
            "{}",
            r#"{"generation":7}"#,
            r#"{"leaseMs":1}"#,
            r#"{"generation":7,"leaseMs":-1}"#,
            r#"{"generation":7,"leaseMs":3600001}"#,
        ] {
            assert_eq!(Standing::parse(line), None, "{line}");
        }
    }
}
