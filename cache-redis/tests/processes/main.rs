//! The contract (`cache_core::consistency`) over real processes on a real Redis: they are stopped, killed and cut off, and so
//! is their server, which is emptied, rolled back and replaced, as a seed has it. What their callers saw is held against the
//! contract by the checker of `cache_core::testing::history`.
//!
//! ```text
//! PROCESS_SECONDS=600 cargo test -p cache-redis --all-features --test processes contract -- --nocapture   # 30 by default
//! SEED=7 cargo test -p cache-redis --all-features --test processes contract -- --nocapture
//! ```
//!
//! A seed draws the same troubles again; how the processes and the machine meet them is not drawn. A process is this very
//! program, started once more for the same test with [`PROCESS`] set.

#![cfg(test)]

mod dialogue;
mod faults;
mod fleet;
mod origin;
mod process;
mod proxy;

use std::{collections::BTreeMap, env, thread::sleep, time::Duration};

use cache_core::{
    testing::{
        Dice,
        history::{Deed, Record, Rule, Terms, check, staleness},
    },
    token::EntryId,
};

use crate::{
    dialogue::Lie,
    faults::Chaos,
    fleet::Fleet,
    proxy::{Way, Weather},
};

/// Holds the order of a process in its environment.
const PROCESS: &str = "CACHE_TEST_PROCESS";

const PROCESSES: usize = 4;
const KEYS: usize = 16;
const TERMS: Terms = Terms {
    max_staleness: Duration::from_millis(400),
    ttl: [Duration::from_secs(6), Duration::from_millis(1500)],
    grace: [Duration::ZERO, Duration::from_secs(1)],
    lease_ttl: Duration::from_millis(500),
    guard_ttl: Duration::from_secs(2),
};

/// Whether this program is a process of a fleet. Then it has lived.
fn was_a_process() -> bool {
    let order = env::var(PROCESS).ok();
    order.iter().for_each(|order| process::live(serde_json::from_str(order).unwrap()));
    order.is_some()
}

/// A number from the environment.
fn variable(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn processes_keep_the_contract() {
    if was_a_process() {
        return;
    }
    let seed = variable("SEED")
        .unwrap_or_else(|| u32::from_be_bytes(*EntryId::random().as_bytes().first_chunk().unwrap()).into());
    let time = Duration::from_secs(variable("PROCESS_SECONDS").unwrap_or(30));
    println!("SEED={seed}, for {time:?}");
    let mut fleet = Fleet::start("processes_keep_the_contract", PROCESSES, seed, Lie::None);
    let faults = Chaos::new(&mut fleet, Dice::new(seed, 0)).reign(time);
    let record = fleet.close();
    summarize(&record, &faults);
    let broken = check(&record, &TERMS);
    let shown: Vec<_> = broken.iter().take(20).map(|(rule, why)| format!("{rule:?}\n  {why}")).collect();
    assert!(broken.is_empty(), "SEED={seed}: {} breaches\n{}", broken.len(), shown.join("\n"));
}

/// Whether the checker finds the rule broken, now or when more has happened.
fn caught(mut fleet: Fleet, rule: Rule, mut trouble: impl FnMut(&mut Fleet)) -> bool {
    (0..60).any(|_| {
        trouble(&mut fleet);
        fleet.assert_alive();
        check(&fleet.record(), &TERMS).iter().any(|(broken, _)| *broken == rule)
    })
}

#[test]
fn an_invalidation_that_is_told_and_not_done_is_caught() {
    if was_a_process() {
        return;
    }
    let fleet = Fleet::start("an_invalidation_that_is_told_and_not_done_is_caught", 2, 1, Lie::IdleInvalidations);
    assert!(caught(fleet, Rule::BoundedStaleness, |_| sleep(TERMS.max_staleness * 2)));
}

#[test]
fn a_process_that_trusts_itself_for_too_long_is_caught() {
    if was_a_process() {
        return;
    }
    let fleet = Fleet::start("a_process_that_trusts_itself_for_too_long_is_caught", 2, 1, Lie::LongStaleness);
    let cut_off = |fleet: &mut Fleet| {
        for weather in [Weather::Stuck(Way::Back), Weather::Fair] {
            fleet.members[0].proxy.set(weather);
            sleep(TERMS.max_staleness * 4);
        }
    };
    assert!(caught(fleet, Rule::BoundedStaleness, cut_off));
}

#[test]
fn a_store_that_was_rolled_back_and_is_trusted_is_caught() {
    if was_a_process() {
        return;
    }
    let fleet = Fleet::start("a_store_that_was_rolled_back_and_is_trusted_is_caught", 2, 1, Lie::WarmRollbacks);
    assert!(caught(fleet, Rule::BoundedStaleness, |fleet| {
        let mut chaos = Chaos::new(fleet, Dice::new(1, 0));
        for _snapshot_and_then_rollback in 0..2 {
            chaos.snapshot_or_rollback();
            chaos.pass(TERMS.max_staleness * 3);
        }
    }));
}

fn summarize(record: &Record, faults: &BTreeMap<String, usize>) {
    let mut kinds = BTreeMap::new();
    let mut count = |kind: String| *kinds.entry(kind).or_insert(0) += 1;
    for operation in &record.operations {
        match &operation.deed {
            Deed::Read { answer: None, .. } => count("reads of nothing".to_owned()),
            Deed::Read { answer: Some((_, source)), .. } => count(format!("reads from {source:?}")),
            Deed::Invalidate { told, .. } => count(format!("invalidations {}", if *told { "told" } else { "queued" })),
            Deed::Expire { told, .. } => count(format!("expirations {}", if *told { "told" } else { "queued" })),
            Deed::Write { told, .. } => count(format!("guarded writes {}", if *told { "done" } else { "refused" })),
        }
    }
    println!("{} operations", record.operations.len());
    kinds.iter().for_each(|(kind, number)| println!("{number:>9} {kind}"));
    let (mut stale, current) = staleness(record);
    stale.sort();
    let part = |of_a_hundred: usize| stale.get(stale.len() * of_a_hundred / 100).copied().unwrap_or_default();
    println!("{} reads were current, {} stale", current, stale.len());
    println!("    since the commit: p50 {:?}, p99 {:?}, max {:?}", part(50), part(99), stale.last());
    let noticed = record.rollbacks.iter().filter_map(|back| back.noticed.map(|noticed| noticed.at - back.at.at));
    println!("{} rollbacks, all noticed within {:?}", record.rollbacks.len(), noticed.max());
    println!("{} troubles", faults.values().sum::<usize>());
    faults.iter().for_each(|(fault, number)| println!("{number:>9} {fault}"));
}
