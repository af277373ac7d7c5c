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
mod tests;
