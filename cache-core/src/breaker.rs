//! A circuit breaker: after some failures in a row, calls to a store that is down are not even tried.
//!
//! ```text
//!            failures in a row                 the pause is over
//!   Closed ────────────────────▶ Open ────────────────────────────▶ HalfOpen
//!      ▲                          ▲                                  │    │
//!      │                          └── the probe fails: longer pause ─┘    │
//!      └────────────────────────── the probe succeeds ───────────────────┘
//! ```
//!
//! Half open, one call at a time is admitted to find out. A probe that is cancelled says nothing, and the next call may
//! probe. Nor does the end of a call that began before the breaker opened or closed say anything of what came after:
//! each permit knows the era it was given in, and an era ends whenever the breaker opens or closes.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};

/// When the circuit breaker in front of L2 opens, and for how long.
///
/// ```
/// # use std::time::Duration;
/// # use cache_core::BreakerSettings;
/// let settings = BreakerSettings::new().failures(10).pause(Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerSettings {
    failures: u32,
    pause: Duration,
    max_pause: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_millis(500), max_pause: Duration::from_secs(10) }
    }
}

impl BreakerSettings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// After how many failures in a row it opens, at least 1. Default: 5.
    #[must_use]
    pub fn failures(self, failures: u32) -> Self {
        Self { failures, ..self }
    }

    /// How long it stays open before the first probe, from 1 ms. Default: 500 ms. Each failed probe doubles it.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// The longest pause between two probes, from [`pause`](Self::pause) to an hour. Default: 10 s.
    #[must_use]
    pub fn max_pause(self, max_pause: Duration) -> Self {
        Self { max_pause, ..self }
    }

    /// # Errors
    /// [`ErrorKind::Config`]: which setting, its value and the way out.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { failures, pause, max_pause } = *self;
        let fault = if failures == 0 {
            "failures is 0; give it 1 or more".to_owned()
        } else if pause < SHORTEST {
            format!("pause is {pause:?}; give it {SHORTEST:?} or more")
        } else if max_pause < pause {
            format!("max_pause is {max_pause:?}, shorter than the pause of {pause:?}; give it that or more")
        } else if max_pause > LONGEST {
            format!("max_pause is {max_pause:?}; give it {LONGEST:?} or less")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Config, "breaker").context(fault))
    }
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// Whether calls to L2 get through.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum BreakerState {
    /// All do.
    Closed,
    /// None does, until the pause is over.
    Open,
    /// One at a time does, to find out whether the store is back.
    HalfOpen,
}

/// The breaker itself. Time is handed in.
pub(crate) struct Breaker {
    settings: BreakerSettings,
    /// Grows by one whenever the breaker opens or closes, so it is even while closed. Written only under the lock.
    era: AtomicU64,
    /// Failures in a row while closed. Written only under the lock.
    failures: AtomicU32,
    /// What holds while it is open or half open.
    cut: Mutex<Option<Cut>>,
}

struct Cut {
    until: Instant,
    pause: Duration,
    probed: bool,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        Self { settings, era: AtomicU64::new(0), failures: AtomicU32::new(0), cut: Mutex::new(None) }
    }

    /// Permits a call, or refuses it. While closed this is one relaxed load: who reads an era that has just ended gets a
    /// permit of that era, as if it had come a moment earlier.
    pub(crate) fn admit(&self, now: Instant) -> Option<Permit<'_>> {
        let era = self.era.load(Ordering::Relaxed);
        if is_closed(era) {
            return Some(Permit { breaker: self, era, role: Role::Ordinary });
        }
        let mut cut = self.lock();
        let era = self.era.load(Ordering::Relaxed);
        match &mut *cut {
            None => Some(Permit { breaker: self, era, role: Role::Ordinary }),
            Some(cut) if cut.probed || now < cut.until => None,
            Some(cut) => {
                cut.probed = true;
                Some(Permit { breaker: self, era, role: Role::Probe })
            }
        }
    }

    /// Its state at `now`.
    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        match &*self.lock() {
            None => BreakerState::Closed,
            Some(cut) if now < cut.until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// How often it went from closed to open.
    pub(crate) fn openings(&self) -> u64 {
        self.era.load(Ordering::Relaxed).div_ceil(2)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Cut>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the era, under the lock.
    fn turn(&self, era: u64) {
        self.failures.store(0, Ordering::Relaxed);
        self.era.store(era + 1, Ordering::Relaxed);
    }
}

fn is_closed(era: u64) -> bool {
    era.is_multiple_of(2)
}

/// Leave to make one call. Its outcome is to be reported; dropped without, the call has said nothing.
#[must_use = "a dropped permit reports nothing"]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    era: u64,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Ordinary,
    Probe,
    /// A probe whose outcome was reported.
    Reported,
}

impl Permit<'_> {
    /// The call was answered. Says whether that closed the breaker.
    pub(crate) fn succeeded(mut self) -> bool {
        if self.role == Role::Ordinary && self.breaker.failures.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut cut = self.breaker.lock();
        if self.is_late() {
            return false;
        }
        self.role = Role::Reported;
        let closes = cut.take().is_some();
        if closes {
            self.breaker.turn(self.era);
        } else {
            self.breaker.failures.store(0, Ordering::Relaxed);
        }
        closes
    }

    /// The call failed. Says whether that opened the breaker; a failed probe keeps it open, which is not the same.
    pub(crate) fn failed(mut self, now: Instant) -> bool {
        let BreakerSettings { failures: limit, pause, max_pause } = self.breaker.settings;
        let mut cut = self.breaker.lock();
        if self.is_late() {
            return false;
        }
        self.role = Role::Reported;
        if let Some(cut) = &mut *cut {
            let pause = cut.pause.saturating_mul(2).min(max_pause);
            *cut = Cut { until: now + pause, pause, probed: false };
            return false;
        }
        let failures = self.breaker.failures.load(Ordering::Relaxed) + 1;
        if failures < limit {
            self.breaker.failures.store(failures, Ordering::Relaxed);
            return false;
        }
        *cut = Some(Cut { until: now + pause, pause, probed: false });
        self.breaker.turn(self.era);
        true
    }

    /// Under the lock: whether the breaker opened or closed since the permit was given.
    fn is_late(&self) -> bool {
        self.era != self.breaker.era.load(Ordering::Relaxed)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.role != Role::Probe {
            return;
        }
        if let Some(cut) = &mut *self.breaker.lock() {
            cut.probed = false;
        }
    }
}

#[cfg(test)]
mod tests {
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
}
