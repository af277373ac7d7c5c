use std::{
    sync::{Barrier, atomic::AtomicUsize},
    thread,
};

use proptest::prelude::*;

use super::*;
use crate::clock;

const MS: Duration = Duration::from_millis(1);

fn breaker() -> (Breaker, Instant) {
    (Breaker::new(BreakerSettings::new()), clock::now())
}

fn opened() -> (Breaker, Instant) {
    let (breaker, now) = breaker();
    for _ in 0..5 {
        breaker.admit(now).unwrap().failed(now);
    }
    (breaker, now)
}

#[test]
fn it_opens_after_so_many_failures_in_a_row() {
    let (breaker, now) = breaker();
    for failure in 1..=4 {
        assert!(!breaker.admit(now).unwrap().failed(now), "{failure}");
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
    assert!(breaker.admit(now).unwrap().failed(now), "the fifth one opens it");
    assert_eq!((breaker.state(now), breaker.openings()), (BreakerState::Open, 1));
    assert!(breaker.admit(now).is_none());
}

#[test]
fn a_success_between_failures_starts_the_count_again() {
    let (breaker, now) = breaker();
    for _ in 0..10 {
        for _ in 0..4 {
            breaker.admit(now).unwrap().failed(now);
        }
        assert!(!breaker.admit(now).unwrap().succeeded());
    }
    assert_eq!((breaker.state(now), breaker.openings()), (BreakerState::Closed, 0));
}

fn by_rate() -> (Breaker, Instant) {
    let settings = BreakerSettings::new().failures(100).error_rate(0.5, 1000 * MS, 10);
    settings.check().unwrap();
    (Breaker::new(settings), clock::now())
}

#[test]
fn it_opens_when_too_many_of_the_last_calls_failed() {
    let (breaker, now) = by_rate();
    for call in 1..=9 {
        let permit = breaker.admit(now).unwrap();
        let opened = if call % 2 == 0 { permit.failed(now) } else { permit.succeeded() };
        assert!(!opened, "{call}");
    }
    assert!(breaker.admit(now).unwrap().failed(now), "five of ten");
    assert_eq!(breaker.state(now), BreakerState::Open);
}

#[test]
fn few_calls_and_few_failures_of_many_open_nothing() {
    let (breaker, now) = by_rate();
    for _ in 0..9 {
        assert!(!breaker.admit(now).unwrap().failed(now), "too few to judge by");
    }
    let later = now + 2000 * MS;
    for call in 0..1000 {
        let permit = breaker.admit(later).unwrap();
        let opened = if call % 3 == 0 && call > 10 { permit.failed(later) } else { permit.succeeded() };
        assert!(!opened, "a third is not half, and what is long past does not count: {call}");
    }
}

#[test]
fn a_rate_is_counted_anew_when_the_breaker_has_closed() {
    let (breaker, now) = by_rate();
    for _ in 0..10 {
        breaker.admit(now).unwrap().failed(now);
    }
    let later = now + 500 * MS;
    assert!(breaker.admit(later).unwrap().succeeded());
    assert!(!breaker.admit(later).unwrap().failed(later), "though the window is not over");
}

#[test]
fn as_many_probes_as_are_asked_for_succeed_one_after_the_other() {
    let breaker = Breaker::new(BreakerSettings::new().failures(1).probes(3));
    let now = clock::now();
    breaker.admit(now).unwrap().failed(now);
    let later = now + 500 * MS;
    for _ in 0..2 {
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_none(), "one at a time");
        assert!(!probe.succeeded());
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    }
    assert!(breaker.admit(later).unwrap().succeeded());
    breaker.admit(later).unwrap().failed(later);
    let again = later + 500 * MS;
    assert!(!breaker.admit(again).unwrap().succeeded());
    breaker.admit(again).unwrap().failed(again);
    let at_last = again + 1000 * MS;
    for closes in [false, false, true] {
        assert_eq!(breaker.admit(at_last).unwrap().succeeded(), closes, "a failed probe starts the count again");
    }
}

#[test]
fn a_rate_that_can_not_be_is_refused() {
    let settings = BreakerSettings::new();
    for (settings, complaint) in [
        (settings.error_rate(0.0, 1000 * MS, 10), "share of error_rate is 0"),
        (settings.error_rate(1.5, 1000 * MS, 10), "share of error_rate is 1.5"),
        (settings.error_rate(f64::NAN, 1000 * MS, 10), "share of error_rate is NaN"),
        (settings.error_rate(0.5, MS, 10), "window of error_rate is 1ms"),
        (settings.error_rate(0.5, 1000 * MS, 0), "wants 0 calls"),
        (settings.probes(0), "probes is 0"),
    ] {
        let error = settings.check().unwrap_err();
        assert!(error.to_string().contains(complaint), "{error}");
    }
}

#[test]
fn a_call_that_is_cancelled_counts_for_nothing() {
    let (breaker, now) = breaker();
    for _ in 0..4 {
        breaker.admit(now).unwrap().failed(now);
    }
    drop(breaker.admit(now));
    assert!(breaker.admit(now).unwrap().failed(now));
}

#[test]
fn one_failure_is_enough_if_so_set() {
    let breaker = Breaker::new(BreakerSettings::new().failures(1));
    assert!(breaker.admit(clock::now()).unwrap().failed(clock::now()));
}

#[test]
fn after_the_pause_one_call_probes_and_its_success_closes() {
    let (breaker, now) = opened();
    assert!(breaker.admit(now + 499 * MS).is_none());
    let later = now + 500 * MS;
    assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    let probe = breaker.admit(later).unwrap();
    assert!(breaker.admit(later).is_none(), "a second probe");
    assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    assert!(probe.succeeded());
    assert_eq!((breaker.state(later), breaker.openings()), (BreakerState::Closed, 1));
    let first = breaker.admit(later).unwrap();
    let second = breaker.admit(later).unwrap();
    assert!(!first.succeeded() && !second.succeeded());
}

#[test]
fn each_failed_probe_doubles_the_pause_up_to_its_bound() {
    let (breaker, mut now) = opened();
    for pause in [500, 1000, 2000, 4000, 8000, 10_000, 10_000] {
        assert!(breaker.admit(now + (pause - 1) * MS).is_none(), "{pause}");
        now += pause * MS;
        assert!(!breaker.admit(now).unwrap().failed(now), "{pause}");
        assert_eq!(breaker.state(now), BreakerState::Open);
    }
    assert_eq!(breaker.openings(), 1);
}

#[test]
fn the_pause_is_short_again_after_it_closed() {
    let (breaker, now) = opened();
    let mut now = now + 500 * MS;
    breaker.admit(now).unwrap().failed(now);
    now += 1000 * MS;
    assert!(breaker.admit(now).unwrap().succeeded());
    for _ in 0..5 {
        breaker.admit(now).unwrap().failed(now);
    }
    assert!(breaker.admit(now + 499 * MS).is_none());
    assert!(breaker.admit(now + 500 * MS).is_some());
    assert_eq!(breaker.openings(), 2);
}

#[test]
fn a_probe_that_is_cancelled_frees_its_place() {
    let (breaker, now) = opened();
    let later = now + 500 * MS;
    for _ in 0..3 {
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_none());
        drop(probe);
    }
    assert!(breaker.admit(later).unwrap().succeeded());
}

#[test]
fn what_began_before_it_opened_neither_closes_nor_prolongs_it() {
    let (breaker, now) = breaker();
    let mut early: Vec<_> = (0..10).map(|_| breaker.admit(now).unwrap()).collect();
    for permit in early.drain(..5) {
        permit.failed(now);
    }
    let mut early = early.into_iter();
    assert!(!early.next().unwrap().succeeded());
    assert!(!early.next().unwrap().failed(now + 400 * MS));
    assert_eq!(breaker.state(now), BreakerState::Open);
    let later = now + 500 * MS;
    let probe = breaker.admit(later).unwrap();
    assert!(!early.next().unwrap().succeeded());
    drop(early.next());
    assert!(breaker.admit(later).is_none(), "the probe's place is still taken");
    assert!(probe.succeeded());
    assert!(!early.next().unwrap().failed(later));
    assert_eq!(breaker.failures.load(Ordering::Relaxed), 0, "a failure of an earlier era");
}

#[test]
fn of_many_threads_one_probes() {
    const THREADS: usize = 8;
    let (breaker, mut now) = opened();
    for _ in 0..200 {
        now += Duration::from_secs(10);
        let (start, finish) = (Barrier::new(THREADS), Barrier::new(THREADS));
        let admitted = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    let permit = breaker.admit(now);
                    admitted.fetch_add(usize::from(permit.is_some()), Ordering::Relaxed);
                    // Nobody gives the place back before all have asked.
                    finish.wait();
                    permit.map(|permit| permit.failed(now))
                });
            }
        });
        assert_eq!(admitted.into_inner(), 1);
    }
    assert_eq!(breaker.openings(), 1);
}

#[test]
fn of_many_threads_that_fail_one_opens_it() {
    const THREADS: usize = 8;
    for _ in 0..200 {
        let (breaker, now) = breaker();
        let start = Barrier::new(THREADS);
        let opened = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    let opens = breaker.admit(now).is_some_and(|permit| permit.failed(now));
                    opened.fetch_add(usize::from(opens), Ordering::Relaxed);
                });
            }
        });
        assert_eq!((opened.into_inner(), breaker.openings()), (1, 1));
    }
}

#[test]
fn impossible_settings_are_refused_with_the_way_out() {
    let day = Duration::from_secs(86_400);
    for (settings, complaint) in [
        (BreakerSettings::new().failures(0), "failures is 0"),
        (BreakerSettings::new().pause(Duration::ZERO), "pause is 0ns; give it 1ms"),
        (BreakerSettings::new().max_pause(MS), "shorter than the pause of 500ms"),
        (BreakerSettings::new().max_pause(day), "give it 3600s or less"),
    ] {
        let error = settings.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(complaint), "{error}");
    }
    BreakerSettings::new().check().unwrap();
    BreakerSettings::new().pause(MS).max_pause(MS).check().unwrap();
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Admit,
    Succeed(usize),
    Fail(usize),
    Cancel(usize),
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Admit),
        1 => any::<usize>().prop_map(Step::Succeed),
        3 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => (1..2000u32).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn whatever_happens_at_most_one_probe_is_out_and_none_during_a_pause(steps in steps()) {
        let breaker = Breaker::new(BreakerSettings::new().failures(2));
        let mut now = clock::now();
        let mut out: Vec<Permit<'_>> = Vec::new();
        for step in steps {
            let state = breaker.state(now);
            let probes = |out: &[Permit<'_>]| out.iter().filter(|permit| permit.role == Role::Probe).count();
            match step {
                Step::Wait(millis) => now += millis * MS,
                Step::Admit => {
                    let free = probes(&out) == 0;
                    let permit = breaker.admit(now);
                    prop_assert_eq!(permit.is_some(), match state {
                        BreakerState::Closed => true,
                        BreakerState::Open => false,
                        BreakerState::HalfOpen => free,
                    });
                    out.extend(permit);
                }
                Step::Succeed(n) | Step::Fail(n) | Step::Cancel(n) if !out.is_empty() => {
                    let permit = out.swap_remove(n % out.len());
                    let is_probe = permit.role == Role::Probe;
                    match step {
                        Step::Succeed(_) => prop_assert_eq!(permit.succeeded(), is_probe),
                        Step::Fail(_) => prop_assert!(!permit.failed(now) || !is_probe),
                        _ => drop(permit),
                    }
                }
                _ => {}
            }
            prop_assert!(probes(&out) <= 1);
        }
    }
}
