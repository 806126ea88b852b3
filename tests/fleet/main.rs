//! The whole fleet in one deterministic simulation: the real cache, simulated time, wires, Redis, source and processes.
//!
//! `cargo test --features testing --test fleet` runs the default seeds and finds every mutant below; `SEEDS=1000000` runs the long
//! way, `SEED=<number>` replays one run and prints its history, `MUTANT=<part of its name> STORY=1` tells how one is found, and
//! `SURVEY=<seeds>` counts how often each is.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr)]

mod history;
mod network;
mod redis;
mod schedule;
mod world;

use grove_shared_cache::testing::embedded::Flaw;
use grove_shared_cache::testing::mutants::{Mutant, Mutation};
use history::{Event, story};
use redis::LinkFlaw;
use schedule::{Outcome, run};
use std::time::Instant;
use world::Build;

const DEFAULT_SEEDS: u64 = 600;
/// A mutant is looked for in so many.
const MUTANT_SEEDS: u64 = 5_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn tell(outcome: &Outcome) -> String {
    let (entry, violation) = outcome.violation.as_ref().unwrap();
    format!(
        "SEED={} entry {entry} ({:?})\n{}",
        outcome.seed,
        outcome.circumstances,
        story(&outcome.histories[*entry], violation)
    )
}

#[test]
fn no_schedule_breaks_a_promise() {
    let first = number("FROM").unwrap_or(0);
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + number("SEEDS").unwrap_or(DEFAULT_SEEDS),
    };
    let begun = Instant::now();
    let (mut reads, mut hits, mut bad, count) = (0, 0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let outcome = run(seed, Build::default());
        reads += outcome.count(|event| matches!(event, Event::Read(_)));
        hits += outcome.count(Event::was_a_hit);
        if let Some((entry, violation)) = &outcome.violation {
            if number("SURVEY").is_none() {
                panic!("{}", tell(&outcome));
            }
            bad += 1;
            eprintln!(
                "SEED={seed} entry {entry} {} {:?}",
                violation.property, outcome.circumstances
            );
        }
    }
    eprintln!(
        "{count} seeds, {reads} reads, {hits} hits, {bad} bad, {:?}",
        begun.elapsed()
    );
    assert!(reads > count * 100, "the fleet hardly read at all");
    assert!(hits > reads / 10, "nothing was held");
}

fn mutants() -> Vec<(&'static str, Build)> {
    let mutant = |mutant| Build {
        mutation: Mutation::of(mutant),
        ..Build::default()
    };
    let flaw = |flaw| Build {
        flaw: Some(flaw),
        ..Build::default()
    };
    let link = |flaw| Build {
        link_flaw: Some(flaw),
        ..Build::default()
    };
    vec![
        ("fence", flaw(Flaw::UnfencedFill)),
        ("fence by its own alone", flaw(Flaw::FencedByFirst(1))),
        ("fence without tags", flaw(Flaw::FencedByFirst(2))),
        ("missing generations", flaw(Flaw::MissingGenerationsFit)),
        ("lost list", flaw(Flaw::UnnoticedLoss)),
        ("expelled at once", flaw(Flaw::ExpelledAtOnce)),
        ("repeated seed", flaw(Flaw::RepeatedSeed)),
        ("replicas confirm", link(LinkFlaw::ReplicasConfirm)),
        (
            "lease from send time",
            mutant(Mutant::LeasesCountFromTheAnswer),
        ),
        ("along the chain", mutant(Mutant::WatermarkMovesAnywhere)),
        ("gaps reset", mutant(Mutant::GapsAreSkipped)),
        ("missing sequence", mutant(Mutant::MissingSequenceConfirms)),
        ("reset supersedes", mutant(Mutant::ResetKeepsEntries)),
        (
            "applied supersedes",
            mutant(Mutant::AppliedRecordsKeepEntries),
        ),
        ("superseded loads", mutant(Mutant::SupersededLoadsAreJoined)),
        (
            "sequence of the MGET",
            mutant(Mutant::EntriesAreOfTheLastTick),
        ),
        ("older answers", mutant(Mutant::OlderAnswersAreAccepted)),
        ("owed", mutant(Mutant::OwedInvalidationsAreForgotten)),
        ("stand-ins", mutant(Mutant::StandInsAreStored)),
        ("nothing", mutant(Mutant::NothingIsStored)),
        ("listing before lease", mutant(Mutant::LeasesNeedNoListing)),
        ("listing anew", mutant(Mutant::ListingsAreForEver)),
    ]
}

/// Rules that no schedule was found to need yet: either it is found, or the rule goes.
fn survivors() -> Vec<(&'static str, Build)> {
    let mutant = |mutant| Build {
        mutation: Mutation::of(mutant),
        ..Build::default()
    };
    vec![
        ("old loads", mutant(Mutant::OldLoadsAreJoined)),
        ("late answers", mutant(Mutant::LateAnswersAreDelivered)),
    ]
}

/// Each rule of the protocol, broken, and how many seeds it takes.
#[test]
fn every_broken_rule_breaks_a_promise() {
    let wanted = std::env::var("MUTANT").unwrap_or_default();
    let mutants = mutants()
        .into_iter()
        .filter(|(name, _)| name.contains(&wanted));
    if let Some(seeds) = number("SURVEY") {
        let survivors = survivors().into_iter();
        let survivors = survivors.filter(|(name, _)| name.contains(&wanted));
        for (name, build) in mutants.chain(survivors) {
            let bad = (0..seeds).filter(|&seed| run(seed, build).violation.is_some());
            eprintln!("{name}: {} of {seeds} seeds", bad.count());
        }
        return;
    }
    let mut survivors = Vec::new();
    for (name, build) in mutants {
        let begun = Instant::now();
        let mut outcomes = (0..MUTANT_SEEDS).map(|seed| run(seed, build));
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
