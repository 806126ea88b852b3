//! What happened in a run, and whether it kept the promises.
//!
//! *Bound*: a read that begins more than the bound after an invalidation resolved does not return what that invalidation
//! replaced. *Monotonic*: on one instance, a read that begins after another ended does not return something older, by the order
//! of the edits and by `updated_at`. *Told*: on an instance that knows of an edit, a read that begins later returns nothing
//! older. *Proven*: a read that begins after a receipt was proven does not return what that invalidation replaced, on any
//! instance; and a receipt is proven within the bound and the store's timeout. *Label*: what stands in for the prompt says so. *Ends*: every read ends within the two timeouts, while its process
//! runs. *Needless stand-in*: nothing stands in while the source answers. *Nothing*: that the source has none is believed for a lease. What is labelled as a stand-in is exempt from bound and told; a last known value is not exempt from monotonic.

use crate::world::MAX_STALENESS_MS;
use grove_shared_cache::cache::Proof;
use std::collections::BTreeMap;
use std::fmt::Write;

// The derived `Debug` reads the fields that nothing else does.
#[allow(dead_code)]
/// Times are milliseconds since the run began. `edit` numbers are the order in which the source was changed.
#[derive(Clone, Debug)]
pub enum Event {
    Edited {
        at: u64,
        edit: u64,
        updated_at: u64,
    },
    /// An invalidation made after `edit` resolved.
    Invalidated {
        at: u64,
        edit: u64,
    },
    /// The receipt of an invalidation made after `edit` resolved.
    Proven {
        at: u64,
        begun: u64,
        /// For how long the process of the instance that waited was frozen meanwhile.
        frozen: u64,
        edit: u64,
        proof: Proof,
    },
    /// `instance` knows of `edit` from now on: it made an invalidation after it that resolved or is owed, or was told of one,
    /// or opened the stream after one.
    Heard {
        at: u64,
        instance: usize,
        life: u32,
        edit: u64,
    },
    Read(Read),
    /// A read began; `Read` says how it ended.
    Begun {
        at: u64,
        instance: usize,
        life: u32,
    },
    /// A process ended without notice.
    Crashed {
        at: u64,
        instance: usize,
        life: u32,
    },
    /// The source gave `instance` no prompt: no answer, or no active row.
    Lacked {
        at: u64,
        instance: usize,
    },
    /// A process whose clocks stood still while it was frozen: until then it may believe a lease that is over. What it reads
    /// meanwhile is exempt from bound and proven; nobody can tell it.
    Stood {
        at: u64,
        instance: usize,
        life: u32,
        until: u64,
    },
    /// Something of the schedule, for the reader of a failing history.
    Note {
        at: u64,
        text: String,
    },
}

#[derive(Clone, Debug)]
pub struct Read {
    pub begun: u64,
    pub ended: u64,
    /// For how long its process was frozen meanwhile.
    pub frozen: u64,
    pub instance: usize,
    /// Counts the restarts of the instance: a new process has no memory to be true to.
    pub life: u32,
    /// Counts how often its entry was entered into the near cache anew, where entries are evicted.
    pub line: u32,
    /// `None`: the fallback.
    pub edit: Option<u64>,
    /// By what the instance tells older from newer, where that is not the edit's `updated_at`.
    pub version: Option<i128>,
    /// Whether the edit was that there is no value.
    pub nothing: bool,
    /// Whether its instance left Redis alone within a lease before it began, because that had failed: then it cannot know that it was
    /// taken off the list.
    pub apart: bool,
    pub tier: &'static str,
}

impl Event {
    fn at(&self) -> u64 {
        match self {
            Event::Edited { at, .. }
            | Event::Invalidated { at, .. }
            | Event::Proven { at, .. }
            | Event::Heard { at, .. }
            | Event::Begun { at, .. }
            | Event::Crashed { at, .. }
            | Event::Lacked { at, .. }
            | Event::Stood { at, .. }
            | Event::Note { at, .. } => *at,
            Event::Read(read) => read.ended,
        }
    }
}

impl Event {
    /// Whether it is a read that the near cache answered.
    pub fn was_a_hit(&self) -> bool {
        matches!(self, Event::Read(read) if read.tier == "memory")
    }
}

#[derive(Debug)]
pub struct Violation {
    pub property: &'static str,
    pub read: Read,
    /// The oldest edit that would have been right.
    pub expected: u64,
}

/// The first violation found, if there is one. `bound`: milliseconds. `timeouts`: those of store and source together.
pub fn check(events: &[Event], bound: u64, timeouts: u64) -> Option<Violation> {
    let mut lives: BTreeMap<(usize, u32, u32), Vec<&Read>> = BTreeMap::new();
    let mut edited = BTreeMap::new();
    let (mut facts, mut updated_at) = (Vec::new(), BTreeMap::from([(0, 0)]));
    let (mut under_way, mut lacks) = (BTreeMap::new(), BTreeMap::new());
    let mut stood: Vec<Stood> = Vec::new();
    for event in events {
        match event {
            Event::Read(read) => {
                let life = (read.instance, read.life, read.line);
                lives.entry(life).or_default().push(read);
                *under_way.entry((read.instance, read.life)).or_insert(0) -= 1;
            }
            Event::Begun { instance, life, .. } => {
                *under_way.entry((*instance, *life)).or_insert(0) += 1;
            }
            Event::Crashed { instance, life, .. } => {
                under_way.insert((*instance, *life), i64::MIN / 2);
            }
            Event::Lacked { at, instance } => {
                lacks.entry(*instance).or_insert_with(Vec::new).push(*at);
            }
            Event::Invalidated { .. } | Event::Proven { .. } | Event::Heard { .. } => {
                facts.push(event);
            }
            Event::Stood {
                at,
                instance,
                life,
                until,
            } => stood.push(((*instance, *life), (*at, *until))),
            Event::Edited {
                at,
                edit,
                updated_at: time,
            } => {
                edited.insert(*edit, *at);
                updated_at.insert(*edit, *time);
            }
            Event::Note { .. } => {}
        }
    }
    if let Some(((instance, life), count)) = under_way.iter().find(|(_, count)| **count > 0) {
        return Some(Violation {
            property: "ends",
            read: Read {
                begun: 0,
                ended: u64::MAX,
                frozen: 0,
                instance: *instance,
                life: *life,
                line: 0,
                edit: None,
                version: None,
                nothing: false,
                apart: false,
                tier: "never",
            },
            expected: *count as u64,
        });
    }
    if let Some(slow) = facts.iter().find_map(|fact| slow_receipt(fact, bound)) {
        return Some(slow);
    }
    lives
        .values_mut()
        .find_map(|reads| not_monotonic(reads, &updated_at))
        .or_else(|| {
            let mut reads = lives.values().flatten();
            reads.find_map(|read| {
                hung(read, timeouts)
                    .or_else(|| needless(read, &lacks, timeouts))
                    .or_else(|| nothing_kept(read, &edited, &stood))
                    .or_else(|| too_old(read, &facts, &stood, bound))
            })
        })
}

/// A receipt that took longer than a lease and what a task switch takes.
fn slow_receipt(fact: &Event, bound: u64) -> Option<Violation> {
    let Event::Proven {
        at,
        begun,
        frozen,
        edit,
        proof,
    } = fact
    else {
        return None;
    };
    let in_time = at - begun <= bound + frozen + 5;
    if in_time && proof.after.is_some() {
        return None;
    }
    Some(Violation {
        property: "receipt",
        read: Read {
            begun: *begun,
            ended: *at,
            frozen: *frozen,
            instance: 0,
            life: 0,
            line: 0,
            edit: Some(*edit),
            version: None,
            nothing: false,
            apart: false,
            tier: "receipt",
        },
        expected: *edit,
    })
}

/// A read that took longer than both timeouts, while its process ran.
fn hung(read: &Read, timeouts: u64) -> Option<Violation> {
    // A millisecond for each end of a freeze, and for each of the two timeouts.
    let took = read.ended - read.begun;
    (took > timeouts + read.frozen + 4).then(|| Violation {
        property: "ends",
        read: read.clone(),
        expected: 0,
    })
}

/// A stand-in, though the source had not failed its instance since the flight may have begun.
fn needless(read: &Read, lacks: &BTreeMap<usize, Vec<u64>>, timeouts: u64) -> Option<Violation> {
    let stands_in = matches!(read.tier, "stale" | "fallback");
    let since = read.begun.saturating_sub(timeouts);
    let lacked = lacks
        .get(&read.instance)
        .is_some_and(|times| times.iter().any(|at| (since..=read.ended).contains(at)));
    (stands_in && !lacked).then(|| Violation {
        property: "needless stand-in",
        read: read.clone(),
        expected: 0,
    })
}

/// That there is none, though there had been one for longer than a lease.
fn nothing_kept(read: &Read, edited: &BTreeMap<u64, u64>, stood: &[Stood]) -> Option<Violation> {
    if believes(read, stood) {
        return None;
    }
    let over = *edited.get(&(read.edit? + 1))?;
    let kept = read.nothing && read.tier != "stale" && over + MAX_STALENESS_MS < read.begun;
    kept.then(|| Violation {
        property: "nothing",
        read: read.clone(),
        expected: 0,
    })
}

/// A read that returned something older than one that had ended before it began. Where `updated_at` went back with an edit,
/// nobody but the source can tell the order, and until that edit's invalidation went through the store has the earlier one.
///
/// The values of a collection have no `updated_at`: their version is when their load began, by the clock of the instance that
/// loaded. So two loads that overlap, or whose instances' clocks differ by more than what lies between them, may be taken for the
/// other way round, until the later edit's invalidation went through. What is promised is the order of the versions: nothing of
/// both an earlier edit and an earlier version comes after. What a source of one's own gave counts whatever its version, so a
/// version that the instance itself has gone back to since is no measure any more. And an instance has no memory of what it
/// evicted: each time that an entry is entered begins anew.
fn not_monotonic(reads: &mut Vec<&Read>, updated_at: &BTreeMap<u64, u64>) -> Option<Violation> {
    let mut ends: Vec<(u64, u64, Option<i128>)> = reads
        .iter()
        .filter_map(|read| Some((read.ended, read.edit?, read.version)))
        .collect();
    ends.sort_unstable();
    reads.sort_by_key(|read| read.begun);
    let mut ends = ends.into_iter().peekable();
    let mut seen: Vec<(u64, Option<i128>)> = Vec::new();
    for read in reads {
        while let Some((_, edit, version)) = ends.next_if(|(ended, ..)| *ended < read.begun) {
            seen.retain(|(_, before)| *before <= version);
            if !seen.contains(&(edit, version)) {
                seen.push((edit, version));
            }
        }
        let Some(edit) = read.edit else { continue };
        let newer = |&&(seen, version): &&(u64, Option<i128>)| {
            let newer = match read.version {
                Some(_) => read.version < version,
                None => updated_at.get(&edit) < updated_at.get(&seen),
            };
            edit < seen && newer
        };
        if let Some(&(expected, _)) = seen.iter().find(newer) {
            return Some(Violation {
                property: "monotonic",
                read: read.clone(),
                expected,
            });
        }
    }
    None
}

/// Of an instance and life, from when to when it may believe a lease that is over.
type Stood = ((usize, u32), (u64, u64));

fn believes(read: &Read, stood: &[Stood]) -> bool {
    let here = |place: (usize, u32)| place == (read.instance, read.life);
    stood
        .iter()
        .any(|(place, (at, until))| here(*place) && (*at..=*until).contains(&read.begun))
}

/// A read that returned something older than it had to know of.
fn too_old(read: &Read, facts: &[&Event], stood: &[Stood], bound: u64) -> Option<Violation> {
    let Some(found) = read.edit else {
        return (read.tier != "fallback").then(|| Violation {
            property: "label",
            read: read.clone(),
            expected: 0,
        });
    };
    if read.tier == "stale" {
        return None;
    }
    let here = |place: (usize, u32)| place == (read.instance, read.life);
    let believes = believes(read, stood);
    facts.iter().find_map(|fact| {
        let (property, expected) = match fact {
            Event::Invalidated { at, edit } if at + bound < read.begun && !believes => {
                ("bound", *edit)
            }
            Event::Proven { at, edit, .. } if *at + 1 < read.begun && !believes && !read.apart => {
                ("proven", *edit)
            }
            Event::Heard {
                at,
                instance,
                life,
                edit,
            } if here((*instance, *life)) && *at < read.begun => ("told", *edit),
            _ => return None,
        };
        (found < expected).then(|| Violation {
            property,
            read: read.clone(),
            expected,
        })
    })
}

/// What led to a violation: everything but the reads that tell nothing new.
pub fn story(events: &[Event], violation: &Violation) -> String {
    let mut events: Vec<_> = events.iter().collect();
    events.sort_by_key(|event| event.at());
    let mut text = format!(
        "{} is violated by {:?}\n",
        violation.property, violation.read
    );
    let _ = writeln!(
        text,
        "expected edit {} or later; before:",
        violation.expected
    );
    let mut last: Vec<(usize, Option<u64>, &str)> = Vec::new();
    for event in events {
        if event.at() > violation.read.ended {
            break;
        }
        if let Event::Read(read) = event {
            let line = (read.instance, read.edit, read.tier);
            let news = last.iter().rev().find(|told| told.0 == read.instance) != Some(&line);
            if !news {
                continue;
            }
            last.push(line);
        }
        let _ = writeln!(text, "{:>7} {event:?}", event.at());
    }
    text
}
