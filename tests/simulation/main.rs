//! The whole fleet in one deterministic simulation: the real cache, simulated time, wires, Redis, source and processes.
//!
//! `cargo test --test simulation` runs the default seeds and finds every mutant below; `SEEDS=1000000` runs the long way, and
//! `SEED=<number>` replays one run and prints its history.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr)]

mod collection;
mod economy;
mod history;
mod network;
mod schedule;
mod store;
mod world;

use grove_shared_cache::core::rules::{Rule, Rules};
use history::story;
use schedule::{Outcome, run};
use std::time::Instant;
use store::StoreFlaw;
use world::Build;

const DEFAULT_SEEDS: u64 = 600;
/// A mutant is looked for in so many; most are found in the first hundred.
const MUTANT_SEEDS: u64 = 20_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs seeds until one breaks a promise.
fn search(build: Build, seeds: impl Iterator<Item = u64>) -> Option<Outcome> {
    seeds
        .map(|seed| run(seed, build))
        .find(|outcome| outcome.violation.is_some())
}

#[test]
fn no_schedule_breaks_a_promise() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(DEFAULT_SEEDS),
    };
    let begun = Instant::now();
    let (mut reads, count) = (0, seeds.end - seeds.start);
    for seed in seeds {
        let outcome = run(seed, Build::default());
        reads += outcome.reads();
        if let Some(violation) = &outcome.violation {
            panic!(
                "SEED={seed} ({:?})\n{}",
                outcome.circumstances,
                story(&outcome.history, violation)
            );
        }
    }
    eprintln!("{count} seeds, {reads} reads, {:?}", begun.elapsed());
    assert!(reads > count * 100, "the fleet hardly read at all");
}

/// Each rule of the protocol, broken, and how many seeds it takes.
#[test]
fn every_broken_rule_breaks_a_promise() {
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
        ("mint", flaw(StoreFlaw::UnmintedGeneration)),
        ("sync token", flaw(StoreFlaw::ForgottenSyncToken)),
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
        ("push extends no lease", rule(Rule::PushExtendsNoLease)),
        ("a lease needs a listing", rule(Rule::LeaseNeedsAListing)),
        (
            "pending keeps off the store",
            rule(Rule::PendingKeepsOffTheStore),
        ),
        ("stand-ins are not stored", rule(Rule::StandInsAreNotStored)),
    ];
    let mut survivors = Vec::new();
    if let Some(seeds) = number("SURVEY") {
        for (name, build) in mutants {
            let bad = (0..seeds).filter(|&seed| run(seed, build).violation.is_some());
            eprintln!("{name}: {} of {seeds} seeds", bad.count());
        }
        return;
    }
    for (name, build) in mutants {
        let begun = Instant::now();
        match search(build, 0..MUTANT_SEEDS) {
            Some(outcome) => {
                let violation = outcome.violation.as_ref().unwrap();
                let whole = run(outcome.seed, Build::default());
                assert!(
                    whole.violation.is_none(),
                    "{name}: its seed is bad without it"
                );
                eprintln!(
                    "{name}: seed {} breaks {} ({:?})",
                    outcome.seed,
                    violation.property,
                    begun.elapsed()
                );
                if number("STORY").is_some() {
                    eprintln!("{}", story(&outcome.history, violation));
                }
            }
            None => survivors.push(name),
        }
    }
    assert_eq!(survivors, [""; 0], "broken, and nobody noticed");
}
