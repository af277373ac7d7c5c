//! The rules, each where it is kept and where it is broken.

use super::*;

const TERMS: Terms = Terms {
    max_staleness: Duration::from_millis(300),
    ttl: [Duration::from_secs(600), Duration::from_secs(2)],
    grace: [Duration::ZERO, Duration::from_secs(1)],
    lease_ttl: Duration::from_millis(500),
    guard_ttl: Duration::from_secs(2),
};

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
    let invalidate = Deed::Invalidate { scope: Scope::Tag, versions: vec![2, 1, 1, 1], told };
    let operations = [operation(110, 120, 0, invalidate)].into_iter().chain(reads).collect();
    Record { operations, commits: vec![vec![at(100)]], ..Record::default() }
}

fn rules(record: &Record) -> Vec<Rule> {
    check(record, &TERMS).into_iter().map(|(rule, _)| rule).collect()
}

fn x() -> u64 {
    TERMS.max_staleness.as_millis() as u64
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
    let ttl = (TERMS.ttl[0] + TERMS.lease_ttl).as_millis() as u64;
    let of = |key, loaded| {
        let value = Value { key, version: 1, loaded };
        let deed = Deed::Read { key: 0, mode: Mode::Get, answer: Some((value, Source::L2)) };
        Record { operations: vec![operation(ttl + 10, ttl + 11, 1, deed)], ..Record::of(1) }
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
        Record { operations, commits: vec![vec![at(100)]], ..Record::default() }
    };
    assert_eq!(rules(&with(true)), [Rule::BoundedStaleness]);
    assert_eq!(rules(&with(false)), []);
}

#[test]
fn a_guard_that_was_lost_or_outlived_protects_nothing() {
    let guard_ttl = TERMS.guard_ttl.as_millis() as u64;
    let with = |committed, loss: Option<[u64; 2]>| {
        let write = operation(50, committed + 30, 0, Deed::Write { key: 0, version: 2, told: true });
        let losses = loss.iter().map(|[from, to]| Loss { from: at(*from), to: at(*to) }).collect();
        let operations = vec![write, read(9000, 1, Mode::Get, 1)];
        rules(&Record { operations, losses, commits: vec![vec![at(committed)]], ..Record::default() })
    };
    assert_eq!(with(50 + guard_ttl, None), [Rule::BoundedStaleness]);
    assert_eq!(with(51 + guard_ttl, None), []);
    assert_eq!(with(100, Some([10, 51])), []);
    assert_eq!(with(100, Some([129, 200])), []);
    assert_eq!(with(100, Some([10, 50])), [Rule::BoundedStaleness], "it was over");
    assert_eq!(with(100, Some([130, 200])), [Rule::BoundedStaleness], "it came after");
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

/// A stale answer must say that it is one, and is none where nobody asked for such.
#[test]
fn a_stale_value_is_served_only_as_such_and_inside_its_window() {
    let answer = |key: usize, source, age: u64, mode| {
        let value = Value { key, version: 1, loaded: 10_000 - age };
        let deed = Deed::Read { key, mode, answer: Some((value, source)) };
        rules(&Record { operations: vec![operation(10_000, 10_001, 0, deed)], ..Record::of(2) })
    };
    let lease = TERMS.lease_ttl.as_millis() as u64;
    assert_eq!(answer(1, Source::Stale, 3000 + lease, Mode::GetWith), []);
    assert_eq!(answer(1, Source::Stale, 3001 + lease, Mode::GetWith), [Rule::Age]);
    assert_eq!(answer(1, Source::L1, 2001 + lease, Mode::GetWith), [Rule::Age]);
    assert_eq!(answer(1, Source::Stale, 100, Mode::Validated), [Rule::Age]);
    assert_eq!(answer(0, Source::Stale, 100, Mode::GetWith), [Rule::Age]);
}

#[test]
fn what_expired_softly_is_served_only_as_stale() {
    let with = |source, mode| {
        let expire = Deed::Expire { scope: Scope::Key(1), versions: vec![1, 2], told: true };
        let value = Value { key: 1, version: 1, loaded: 100 };
        let read = Deed::Read { key: 1, mode, answer: Some((value, source)) };
        let operations = vec![operation(110, 120, 0, expire), operation(121 + x(), 130 + x(), 1, read)];
        rules(&Record { operations, commits: vec![vec![], vec![at(100)]], ..Record::default() })
    };
    assert_eq!(with(Source::Stale, Mode::GetWith), []);
    assert_eq!(with(Source::L1, Mode::GetWith), [Rule::BoundedStaleness]);
    assert_eq!(with(Source::L2, Mode::Validated), [Rule::Validated]);
}
