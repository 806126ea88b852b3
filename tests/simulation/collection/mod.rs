//! The same for collections: a fleet of real ones, resources whose entries have tags in common, and everything that goes wrong.
//! Each entry has a history of its own, and every promise is held against each.
//!
//! `COLLECTION_SEED=7` replays one, `COLLECTION_SEEDS=100000` runs the long way; `MUTANT=fence STORY=1` tells how one is found.

mod schedule;
mod world;

use crate::history::{Event, story};
use crate::number;
use crate::store::StoreFlaw;
use crate::world::Build;
use grove_shared_cache::core::rules::{Rule, Rules};
use schedule::{Outcome, run};
use std::time::Instant;

const DEFAULT_SEEDS: u64 = 250;
/// A mutant is looked for in so many.
const MUTANT_SEEDS: u64 = 10_000;

fn tell(outcome: &Outcome) -> String {
    let (entry, violation) = outcome.violation.as_ref().unwrap();
    format!(
        "COLLECTION_SEED={} entry {entry} ({:?})\n{}",
        outcome.seed,
        outcome.circumstances,
        story(&outcome.histories[*entry], violation)
    )
}

#[test]
fn no_schedule_breaks_a_promise_of_a_collection() {
    let seeds = match number("COLLECTION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("COLLECTION_SEEDS").unwrap_or(DEFAULT_SEEDS),
    };
    let begun = Instant::now();
    let (mut reads, mut hits, count) = (0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let outcome = run(seed, Build::default());
        let events = || outcome.histories.iter().flatten();
        reads += events().filter(|it| matches!(it, Event::Read(_))).count() as u64;
        hits += events().filter(|it| it.was_a_hit()).count() as u64;
        assert!(outcome.violation.is_none(), "{}", tell(&outcome));
    }
    eprintln!(
        "{count} seeds of collections, {reads} reads, {hits} hits, {:?}",
        begun.elapsed()
    );
    assert!(reads > count * 200, "the fleet hardly read at all");
    assert!(hits > reads / 10, "nothing was held");
}

/// Each rule that carries it, broken. Not that a lease needs a listing: an instance of many entries asks so often that it is
/// listed within milliseconds, and it takes too many seeds to meet the moment before. The simulation of the prompt breaks that rule.
#[test]
fn every_broken_rule_breaks_a_promise_of_a_collection() {
    let rule = |rule| Build {
        rules: Rules::without(rule),
        flaw: None,
    };
    let flaw = |flaw| Build {
        rules: Rules::ALL_KEPT,
        flaw: Some(flaw),
    };
    let mutants = [
        ("fence", flaw(StoreFlaw::UnfencedFill)),
        ("fence by its own alone", flaw(StoreFlaw::FencedByFirst(1))),
        ("fence without tags", flaw(StoreFlaw::FencedByFirst(2))),
        ("mint", flaw(StoreFlaw::UnmintedGeneration)),
        ("mint of all", flaw(StoreFlaw::UnmintedMarks)),
        ("sync token", flaw(StoreFlaw::ForgottenSyncToken)),
        ("acknowledgement", flaw(StoreFlaw::AcknowledgedForThem)),
        ("lease from send time", rule(Rule::LeaseFromSendTime)),
        (
            "old flights are not joined",
            rule(Rule::OldFlightsAreNotJoined),
        ),
        ("accept rule", rule(Rule::OlderAnswersAreNotAccepted)),
        (
            "epoch on own invalidation",
            rule(Rule::OwnInvalidationEndsTheEpoch),
        ),
        ("epoch on push", rule(Rule::PushEndsTheEpoch)),
        ("epoch on reconnect", rule(Rule::ReconnectEndsTheEpoch)),
        ("gaps end all epochs", rule(Rule::GapsEndAllEpochs)),
        (
            "pending keeps off the store",
            rule(Rule::PendingKeepsOffTheStore),
        ),
        ("nothing is not stored", rule(Rule::NothingIsNotStored)),
        (
            "evicted lines are not joined",
            rule(Rule::EvictedLinesAreNotJoined),
        ),
    ];
    if let Some(seeds) = number("SURVEY") {
        for (name, build) in mutants {
            let bad = (0..seeds).filter(|&seed| run(seed, build).violation.is_some());
            eprintln!("{name}: {} of {seeds} seeds", bad.count());
        }
        return;
    }
    let mut survivors = Vec::new();
    let wanted = std::env::var("MUTANT").unwrap_or_default();
    for (name, build) in mutants {
        if !name.contains(&wanted) {
            continue;
        }
        let begun = Instant::now();
        let mut outcomes =
            (number("MUTANT_FROM").unwrap_or(0)..MUTANT_SEEDS).map(|seed| run(seed, build));
        let Some(outcome) = outcomes.find(|outcome| outcome.violation.is_some()) else {
            survivors.push(name);
            continue;
        };
        let whole = run(outcome.seed, Build::default());
        assert!(
            whole.violation.is_none(),
            "{name}: its seed is bad without it"
        );
        let (_, violation) = outcome.violation.as_ref().unwrap();
        eprintln!(
            "{name}: seed {} breaks {} ({:?})",
            outcome.seed,
            violation.property,
            begun.elapsed()
        );
        if number("STORY").is_some() {
            eprintln!("{}", tell(&outcome));
        }
    }
    assert_eq!(survivors, [""; 0], "broken, and nobody noticed");
}
