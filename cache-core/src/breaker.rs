//! A circuit breaker: after some failures in a row, or too large a share of them, calls to a store that is down are not even
//! tried.
//!
//! ```text
//!            failures in a row, or             the pause is over
//!            too many of all calls
//!   Closed ────────────────────▶ Open ────────────────────────────▶ HalfOpen
//!      ▲                          ▲                                  │    │
//!      │                          └─── a probe fails: longer pause ──┘    │
//!      └────────────────────── enough probes succeed ────────────────────┘
//! ```
//!
//! Half open, one call at a time is admitted to find out. A probe that is cancelled says nothing, and the next call may
//! probe. Nor does the end of a call that began before the breaker opened or closed say anything of what came after:
//! each permit knows the era it was given in, and an era ends whenever the breaker opens or closes.

mod window;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use self::window::Window;
use crate::error::{Error, ErrorKind, Result};

/// When the circuit breaker in front of L2 opens, and for how long.
///
/// ```
/// # use std::time::Duration;
/// # use cache_core::BreakerSettings;
/// let settings = BreakerSettings::new().failures(10).pause(Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BreakerSettings {
    failures: u32,
    rate: Option<Rate>,
    probes: u32,
    pause: Duration,
    max_pause: Duration,
}

/// So large a share of the calls of the last while, if there were enough of them.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Rate {
    share: f64,
    window: Duration,
    calls: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            rate: None,
            probes: 1,
            pause: Duration::from_millis(500),
            max_pause: Duration::from_secs(10),
        }
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

    /// It opens too when so large a share of the calls of the last `window` failed, from above 0 to 1, and there were `calls`
    /// of them or more: for a store that answers now and then, so that its failures are never many in a row. The window goes
    /// on in tenths. Default: only [`failures`](Self::failures) in a row count.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cache_core::BreakerSettings;
    /// let settings = BreakerSettings::new().error_rate(0.5, Duration::from_secs(10), 20);
    /// ```
    #[must_use]
    pub fn error_rate(self, share: f64, window: Duration, calls: u32) -> Self {
        Self { rate: Some(Rate { share, window, calls }), ..self }
    }

    /// How many probes in a row must succeed before it closes, at least 1; each waits for the one before it. Default: 1.
    #[must_use]
    pub fn probes(self, probes: u32) -> Self {
        Self { probes, ..self }
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
        let Self { failures, rate, probes, pause, max_pause } = *self;
        let fault = if failures == 0 {
            "failures is 0; give it 1 or more".to_owned()
        } else if let Some(fault) = rate.and_then(Rate::fault) {
            fault
        } else if probes == 0 {
            "probes is 0; give it 1 or more".to_owned()
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

impl Rate {
    fn fault(self) -> Option<String> {
        let Self { share, window, calls } = self;
        if !(share > 0.0 && share <= 1.0) {
            Some(format!("the share of error_rate is {share}; give it more than 0, and 1 at most"))
        } else if window < WINDOW || window > LONGEST {
            Some(format!("the window of error_rate is {window:?}; give it {WINDOW:?} to {LONGEST:?}"))
        } else if calls == 0 {
            Some("error_rate wants 0 calls; give it 1 or more".to_owned())
        } else {
            None
        }
    }
}

/// The shortest window of an error rate.
const WINDOW: Duration = Duration::from_millis(10);
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
    /// The calls of the last while, if their share of failures counts.
    window: Option<Window>,
    /// What holds while it is open or half open.
    cut: Mutex<Option<Cut>>,
}

struct Cut {
    until: Instant,
    pause: Duration,
    probed: bool,
    /// Probes in a row that succeeded.
    succeeded: u32,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            era: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            window: settings.rate.map(|rate| Window::new(rate.window)),
            cut: Mutex::new(None),
        }
    }

    /// Permits a call, or refuses it. While closed it is one relaxed load: who reads an era that has just ended gets a
    /// permit of that era, as if it had come a moment earlier.
    pub(crate) fn admit(&self, now: Instant) -> Option<Permit<'_>> {
        let era = self.era.load(Ordering::Relaxed);
        if is_closed(era) {
            return Some(self.permit(era, Role::Ordinary, now));
        }
        let mut cut = self.lock();
        let era = self.era.load(Ordering::Relaxed);
        match &mut *cut {
            None => Some(self.permit(era, Role::Ordinary, now)),
            Some(cut) if cut.probed || now < cut.until => None,
            Some(cut) => {
                cut.probed = true;
                Some(self.permit(era, Role::Probe, now))
            }
        }
    }

    fn permit(&self, era: u64, role: Role, began: Instant) -> Permit<'_> {
        Permit { breaker: self, era, role, began }
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
        if let Some(window) = &self.window {
            window.clear();
        }
        self.era.store(era + 1, Ordering::Relaxed);
    }
}

impl Breaker {
    /// Notes an ordinary call. Says whether too many of the last ones failed.
    fn note(&self, at: Instant, failed: bool) -> bool {
        let (Some(window), Some(rate)) = (&self.window, self.settings.rate) else { return false };
        window.note(at, failed);
        failed && {
            let (calls, failures) = window.sum(at);
            calls >= u64::from(rate.calls) && failures as f64 >= rate.share * calls as f64
        }
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
    began: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Ordinary,
    Probe,
    /// A probe whose outcome was reported.
    Reported,
}

impl Permit<'_> {
    /// Whether the call finds out if the store is back.
    pub(crate) fn is_probe(&self) -> bool {
        self.role == Role::Probe
    }

    /// The call was answered. Says whether that closed the breaker.
    pub(crate) fn succeeded(mut self) -> bool {
        if self.role == Role::Ordinary && !self.is_late() {
            self.breaker.note(self.began, false);
        }
        if self.role == Role::Ordinary && self.breaker.failures.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut cut = self.breaker.lock();
        if self.is_late() {
            return false;
        }
        self.role = Role::Reported;
        match &mut *cut {
            None => {
                self.breaker.failures.store(0, Ordering::Relaxed);
                false
            }
            Some(open) if open.succeeded + 1 < self.breaker.settings.probes => {
                (open.probed, open.succeeded) = (false, open.succeeded + 1);
                false
            }
            Some(_) => {
                *cut = None;
                self.breaker.turn(self.era);
                true
            }
        }
    }

    /// The call failed. Says whether that opened the breaker; a failed probe keeps it open, which is not the same.
    pub(crate) fn failed(mut self, now: Instant) -> bool {
        let BreakerSettings { failures: limit, pause, max_pause, .. } = self.breaker.settings;
        let mut cut = self.breaker.lock();
        if self.is_late() {
            return false;
        }
        self.role = Role::Reported;
        if let Some(cut) = &mut *cut {
            let pause = cut.pause.saturating_mul(2).min(max_pause);
            *cut = Cut { until: now + pause, pause, probed: false, succeeded: 0 };
            return false;
        }
        let failures = self.breaker.failures.load(Ordering::Relaxed) + 1;
        if !self.breaker.note(now, true) && failures < limit {
            self.breaker.failures.store(failures, Ordering::Relaxed);
            return false;
        }
        *cut = Some(Cut { until: now + pause, pause, probed: false, succeeded: 0 });
        self.breaker.turn(self.era);
        true
    }

    /// Whether the breaker opened or closed since the permit was given.
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
mod tests;
