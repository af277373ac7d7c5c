//! What a history must be like. This knows the contract and nothing of how it is kept.

use std::time::Duration;

use crate::{
    fleet::{LEASE_TTL, TTL, X},
    history::{Deed, Moment, Operation, Record, Rollback, Scope, Value, Versions, cache_of},
};

/// A rule of the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    /// A value is that of the key.
    Integrity,
    /// No value is from the future.
    Future,
    /// G2.
    OwnInvalidations,
    /// G3, and with it G1.
    BoundedStaleness,
    /// G4.
    Validated,
    /// G7.
    Age,
    /// When all is well, everybody has what the origin has.
    Quiescence,
}

/// A read that was answered.
struct Answered<'a> {
    operation: &'a Operation,
    key: usize,
    is_validated: bool,
    value: Value,
}

/// What a read must not be older than, from when on, and for whom.
struct Bound<'a> {
    operation: &'a Operation,
    scope: Scope,
    versions: Versions,
    /// Whether L2 was told, so that it holds for others.
    told: bool,
}

/// The rules that a history breaks, with the operations that show it.
pub(crate) fn check(record: &Record) -> Vec<(Rule, String)> {
    let bounds: Vec<_> = record.operations.iter().filter_map(|operation| bound(record, operation)).collect();
    let reads = record.operations.iter().filter_map(answered);
    reads.flat_map(|read| broken(record, &bounds, &read)).collect()
}

/// How long ago the first newer version was committed when each read that was not current began; and how many were current.
pub(crate) fn staleness(record: &Record) -> (Vec<Duration>, usize) {
    let (mut stale, mut current) = (Vec::new(), 0);
    for read in record.operations.iter().filter_map(answered) {
        let mut commits = record.commits.iter().filter(|(_, key)| *key == read.key);
        match commits.nth(read.value.version as usize - 1) {
            Some((newer, _)) if *newer < read.operation.began => stale.push(read.operation.began.at - newer.at),
            _ => current += 1,
        }
    }
    (stale, current)
}

fn answered(operation: &Operation) -> Option<Answered<'_>> {
    let Deed::Read { key, mode, answer: Some((value, _)) } = operation.deed else { return None };
    Some(Answered { operation, key, is_validated: mode.is_validated(), value })
}

fn bound<'a>(record: &Record, operation: &'a Operation) -> Option<Bound<'a>> {
    match operation.deed {
        Deed::Invalidate { scope, versions, told } => Some(Bound { operation, scope, versions, told }),
        Deed::Write { key, version, told: true } => {
            // A guard that a rollback lost protects nothing, and a write does not say whether L2 knows that it ended.
            let lost = record.rollbacks.iter().any(|back| (operation.began..operation.ended).contains(&back.at));
            Some(Bound { operation, scope: Scope::Key(key), versions: [version; _], told: !lost })
        }
        _ => None,
    }
}

fn broken(record: &Record, bounds: &[Bound<'_>], read: &Answered<'_>) -> Vec<(Rule, String)> {
    let mut broken = Vec::new();
    let Answered { operation, key, value, .. } = read;
    let shown = |rule: Rule, why: &str| (rule, format!("{operation}\n    {why}"));
    if value.key != *key {
        broken.push(shown(Rule::Integrity, "it is another key's value"));
    }
    if value.version > record.version(*key, operation.ended) {
        broken.push(shown(Rule::Future, "there was no such version yet"));
    }
    if operation.began.at.saturating_sub(Duration::from_millis(value.loaded)) > TTL[cache_of(*key)] + LEASE_TTL {
        broken.push(shown(Rule::Age, "it had expired"));
    }
    if record.quiet.is_some_and(|quiet| operation.began > quiet)
        && value.version != record.version(*key, operation.began)
    {
        broken.push(shown(Rule::Quiescence, "all was well, and it is not the origin's value"));
    }
    for bound in bounds.iter().filter(|bound| bound.scope.covers(*key) && value.version < bound.versions[*key]) {
        if let Some(rule) = binds(record, bound, read) {
            broken.push(shown(rule, &bound.operation.to_string()));
        }
    }
    broken
}

/// By which rule a read must know of an invalidation.
fn binds(record: &Record, bound: &Bound<'_>, read: &Answered<'_>) -> Option<Rule> {
    let (invalidated, began) = (bound.operation.ended, read.operation.began);
    if record.rollbacks.iter().any(|back| excuses(back, bound, read)) || invalidated > began {
        return None;
    }
    if bound.operation.process == read.operation.process {
        return Some(Rule::OwnInvalidations);
    }
    match bound.told {
        true if read.is_validated => Some(Rule::Validated),
        true if invalidated.at + X < began.at => Some(Rule::BoundedStaleness),
        _ => None,
    }
}

/// Whether a rollback may have undone the invalidation for this read: from when it happened until the namespace was renewed
/// for it, and for X more where L1 serves.
fn excuses(back: &Rollback, bound: &Bound<'_>, read: &Answered<'_>) -> bool {
    let may_be_undone = bound.operation.began < back.at && back.at < read.operation.ended;
    let is_over = |noticed: Moment| match read.is_validated {
        true => noticed < read.operation.began,
        false => noticed.at + X < read.operation.began.at,
    };
    may_be_undone && !back.noticed.is_some_and(is_over)
}

#[cfg(test)]
mod tests {
    use cache_core::Source;

    use super::*;
    use crate::history::Mode;

    fn at(millis: u64) -> Moment {
        Moment { step: millis, at: Duration::from_millis(millis) }
    }

    fn operation(began: u64, ended: u64, process: usize, deed: Deed) -> Operation {
        Operation { began: at(began), ended: at(ended), process, deed }
    }

    fn read(began: u64, process: usize, mode: Mode, version: u64) -> Operation {
        let value = Value { key: 0, version, loaded: began.saturating_sub(1000) };
        operation(began, began + 5, process, Deed::Read { key: 0, mode, answer: Some((value, Source::L1)) })
    }

    /// Key 0 has version 2 from 100 ms on, which process 0 told or did not tell at 120 ms.
    fn record(told: bool, reads: impl IntoIterator<Item = Operation>) -> Record {
        let invalidate = Deed::Invalidate { scope: Scope::Tag, versions: [2, 1, 1, 1], told };
        let operations = [operation(110, 120, 0, invalidate)].into_iter().chain(reads).collect();
        Record { operations, commits: vec![(at(100), 0)], ..Record::default() }
    }

    fn rules(record: &Record) -> Vec<Rule> {
        check(record).into_iter().map(|(rule, _)| rule).collect()
    }

    fn x() -> u64 {
        X.as_millis() as u64
    }

    #[test]
    fn a_good_history_breaks_no_rule() {
        let reads = [
            read(119, 0, Mode::Get, 1),
            read(121, 0, Mode::Get, 2),
            read(119, 1, Mode::Validated, 1),
            read(120 + x(), 1, Mode::Get, 1),
            read(121 + x(), 1, Mode::Get, 2),
        ];
        assert_eq!(rules(&record(true, reads)), []);
        assert_eq!(rules(&record(false, [read(9000, 1, Mode::Get, 1)])), [], "nobody was told");
    }

    #[test]
    fn each_rule_is_missed_where_it_is_broken() {
        let bad = [
            (true, read(121, 0, Mode::Get, 1), Rule::OwnInvalidations),
            (false, read(121, 0, Mode::Get, 1), Rule::OwnInvalidations),
            (true, read(121 + x(), 1, Mode::Get, 1), Rule::BoundedStaleness),
            (true, read(121, 1, Mode::Validated, 1), Rule::Validated),
            (true, read(90, 1, Mode::Get, 2), Rule::Future),
        ];
        for (told, read, rule) in bad {
            assert_eq!(rules(&record(told, [read])), [rule]);
        }
    }

    #[test]
    fn a_value_of_another_key_or_past_its_time_is_found() {
        let ttl = (TTL[0] + LEASE_TTL).as_millis() as u64;
        let of = |key, loaded| {
            let value = Value { key, version: 1, loaded };
            let deed = Deed::Read { key: 0, mode: Mode::Get, answer: Some((value, Source::L2)) };
            Record { operations: vec![operation(ttl + 10, ttl + 11, 1, deed)], ..Record::default() }
        };
        assert_eq!(rules(&of(1, 10)), [Rule::Integrity]);
        assert_eq!(rules(&of(0, 9)), [Rule::Age]);
        assert_eq!(rules(&of(0, 10)), []);
    }

    #[test]
    fn when_all_is_well_nothing_is_stale() {
        let mut record = record(false, [read(9000, 1, Mode::Get, 1)]);
        record.quiet = Some(at(8000));
        assert_eq!(rules(&record), [Rule::Quiescence]);
    }

    #[test]
    fn a_guarded_write_binds_as_an_invalidation_does() {
        let write = |told| operation(50, 130, 0, Deed::Write { key: 0, version: 2, told });
        let with = |told| {
            let operations = vec![write(told), read(131 + x(), 1, Mode::Get, 1)];
            Record { operations, commits: vec![(at(100), 0)], ..Record::default() }
        };
        assert_eq!(rules(&with(true)), [Rule::BoundedStaleness]);
        assert_eq!(rules(&with(false)), []);
    }

    #[test]
    fn a_rollback_excuses_until_it_was_noticed_and_no_longer() {
        let with = |mode, began, noticed: Option<u64>| {
            let mut record = record(true, [read(began, 1, mode, 1)]);
            record.rollbacks = vec![Rollback { at: at(1000), noticed: noticed.map(at) }];
            rules(&record)
        };
        assert_eq!(with(Mode::Get, 1100 + x(), Some(1100)), []);
        assert_eq!(with(Mode::Get, 1101 + x(), Some(1100)), [Rule::BoundedStaleness]);
        assert_eq!(with(Mode::Validated, 1099, Some(1100)), []);
        assert_eq!(with(Mode::Validated, 1101, Some(1100)), [Rule::Validated]);
        assert_eq!(with(Mode::Get, 900, Some(1100)), [Rule::BoundedStaleness], "it ended before");
        assert_eq!(with(Mode::Get, 5000, None), []);
    }

    #[test]
    fn staleness_counts_from_the_first_newer_version() {
        let record = record(true, [read(150, 1, Mode::Get, 1), read(160, 1, Mode::Get, 2)]);
        assert_eq!(staleness(&record), (vec![Duration::from_millis(50)], 1));
    }
}
