//! Whole stacks in a simulated fleet: every delay, loss and mishap is drawn from a seed, and what callers saw is held against
//! the contract (`cache_core::consistency`).
//!
//! ```text
//! SEEDS=100000 cargo test -p cache-core --all-features --test simulation          # 2,000 by default
//! SEED=7 cargo test -p cache-core --all-features --test simulation replay -- --nocapture
//! ```

#![cfg(test)]
#![cfg(feature = "test-util")]

mod fleet;
mod history;
mod network;

use std::{thread, time::Duration};

use cache_core::{
    clock,
    testing::history::{Record, Rule, staleness},
};

use crate::{
    fleet::{TERMS, run, run_two_writes},
    network::Lie,
};

fn check(record: &Record) -> Vec<(Rule, String)> {
    cache_core::testing::history::check(record, &TERMS)
}

/// What the seeds of one thread came to.
#[derive(Default)]
struct Tally {
    operations: usize,
    current: usize,
    stale: Vec<Duration>,
    rollbacks: usize,
    broken: Vec<(u64, Rule, String)>,
}

impl Tally {
    fn of(seeds: impl Iterator<Item = u64>) -> Self {
        let mut tally = Self::default();
        seeds.for_each(|seed| tally.add(seed));
        tally
    }

    fn add(&mut self, seed: u64) {
        let record = run(seed, Lie::None);
        let (stale, current) = staleness(&record);
        self.operations += record.operations.len();
        self.rollbacks += record.rollbacks.len();
        self.current += current;
        self.stale.extend(stale);
        self.broken.extend(check(&record).into_iter().map(|(rule, why)| (seed, rule, why)));
    }

    fn join(mut self, other: Self) -> Self {
        self.operations += other.operations;
        self.rollbacks += other.rollbacks;
        self.current += other.current;
        self.stale.extend(other.stale);
        self.broken.extend(other.broken);
        self
    }

    fn report(&mut self) {
        self.stale.sort();
        let part =
            |of_a_hundred: usize| self.stale.get(self.stale.len() * of_a_hundred / 100).copied().unwrap_or_default();
        println!(
            "{} operations, {} rollbacks; {} reads were current, {} stale: p50 {:?}, p99 {:?}, max {:?}",
            self.operations,
            self.rollbacks,
            self.current,
            self.stale.len(),
            part(50),
            part(99),
            self.stale.last(),
        );
    }
}

/// A number from the environment.
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn two_thousand_seeds_keep_the_contract() {
    let seeds = variable("SEEDS").unwrap_or(2000);
    let odd = thread::spawn(move || Tally::of((1..seeds).step_by(2)));
    let mut tally = Tally::of((0..seeds).step_by(2)).join(odd.join().unwrap());
    tally.report();
    let failed: Vec<_> =
        tally.broken.iter().map(|(seed, rule, why)| format!("seed {seed}: {rule:?}\n  {why}")).collect();
    assert!(
        failed.is_empty(),
        "{}\n{} breaches; to see one: SEED={} cargo test -p cache-core --all-features --test simulation replay -- --nocapture",
        failed.iter().take(20).cloned().collect::<Vec<_>>().join("\n"),
        failed.len(),
        tally.broken[0].0,
    );
}

/// A run in which the machine did not stand still for a minute: by its clock, moka would have freed what expired.
fn run_promptly(seed: u64) -> Record {
    loop {
        let began = clock::now();
        let record = run(seed, Lie::None);
        if clock::now() - began < Duration::from_secs(30) {
            return record;
        }
    }
}

#[test]
fn one_seed_gives_one_history() {
    for seed in 0..50 {
        let (first, second) = (run_promptly(seed), run_promptly(seed));
        assert!(first == second, "seed {seed}:\n{first}\n\n{second}");
        assert!(first != run_promptly(seed + 1));
    }
}

/// Runs the seed of the environment, or the first one, and tells what happened.
#[test]
fn replay() {
    let record = run(variable("SEED").unwrap_or(0), Lie::None);
    println!("{record}");
    let broken = check(&record);
    broken.iter().for_each(|(rule, why)| println!("{rule:?}\n  {why}"));
    assert!(broken.is_empty());
}

/// The first of 200 seeds in which a lie makes the fleet break one of the rules.
fn caught(lie: Lie, rules: &[Rule]) -> Option<u64> {
    (0..200).find(|seed| check(&run(*seed, lie)).iter().any(|(rule, _)| rules.contains(rule)))
}

#[test]
fn a_message_that_is_lost_unnoticed_is_caught() {
    assert!(caught(Lie::SwallowedMessages, &[Rule::BoundedStaleness]).is_some());
}

#[test]
fn an_invalidation_that_is_answered_and_not_done_is_caught() {
    assert!(caught(Lie::VanishedInvalidations, &[Rule::BoundedStaleness]).is_some());
}

#[test]
fn a_resurrection_is_caught() {
    assert!(caught(Lie::OldReads, &[Rule::BoundedStaleness]).is_some());
    assert!(caught(Lie::OldReads, &[Rule::OwnInvalidations]).is_some());
}

/// By a load that an invalidation overtook: a refresh ahead, or any other.
#[test]
fn a_fill_that_comes_too_late_is_caught() {
    assert!(caught(Lie::ForcedFills, &[Rule::BoundedStaleness]).is_some());
}

#[test]
fn a_load_of_many_keys_that_was_begun_too_early_is_caught() {
    assert!(caught(Lie::OldBatches, &[Rule::BoundedStaleness]).is_some());
}

/// What is stale by age may be served where a load is slow or fails; what was revoked may not.
#[test]
fn a_stale_value_that_was_revoked_is_caught() {
    assert!(caught(Lie::SoftInvalidations, &[Rule::BoundedStaleness]).is_some());
}

#[test]
fn an_expiration_that_is_answered_and_not_done_is_caught() {
    assert!(caught(Lie::VanishedExpirations, &[Rule::BoundedStaleness, Rule::Validated]).is_some());
}

/// The write that goes on is then protected by nothing if it can't say how it ended.
#[test]
fn a_guard_that_ends_with_another_write_is_caught() {
    assert_eq!(check(&run_two_writes(Lie::None)), []);
    let broken = check(&run_two_writes(Lie::OneGuard));
    assert_eq!(broken.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), [Rule::Validated]);
}
