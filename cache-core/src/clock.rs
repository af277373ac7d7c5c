//! The one place that reads a clock.
//!
//! It is tokio's, so a test that pauses time (`#[tokio::test(start_paused = true)]`, `tokio::time::advance`) moves every
//! lifetime, deadline and back-off of a stack with it.
//!
//! A hit in L1 asks a coarse clock instead, which is read in a quarter of the time: on Linux the one that the kernel advances
//! with each of its ticks, every 1 to 10 ms. It is never ahead, and taken to be up to 100 ms behind. What it says is believed
//! only where so much makes no difference; closer to the end of a lifetime or of a proof, a hit asks the exact clock. So no
//! promise is stretched by it, and a process that was stopped and goes on sees the time at once: no thread of its own has
//! to run for the coarse clock to go on. Where there is none (other systems; a build of tokio that can pause its clock), the
//! exact clock is asked each time.

use std::{sync::LazyLock, time::Duration};

use tokio::time::Instant;

/// The present, on the monotonic clock of this process.
#[allow(clippy::disallowed_methods, reason = "this is the clock that everything else asks")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// A time as the number of nanoseconds from some moment of this process, before it or after: so it takes half the room, and is
/// compared as one number.
pub(crate) fn number(at: Instant) -> i64 {
    let (zero, _) = *ZERO;
    match at.checked_duration_since(zero) {
        Some(since) => nanos(since),
        None => -nanos(zero - at),
    }
}

/// The [`number`] of the present within [`LAG`], where no promise hangs on so little.
pub(crate) fn roughly_now() -> i64 {
    match kernel::nanos() {
        Some(coarse) => coarse - ZERO.1,
        None => number(now()),
    }
}

/// The time whose number is zero, and what the coarse clock read then.
static ZERO: LazyLock<(Instant, i64)> = LazyLock::new(|| (now(), kernel::nanos().unwrap_or_default()));

/// How far the coarse clock is behind at most, in nanoseconds. The kernel promises a tick; a virtual machine may be given no
/// processor for some of them.
pub(crate) const LAG: i64 = 100_000_000;

/// The coarse clock, from a moment on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coarse {
    start: Instant,
    /// How much more than it reads, in nanoseconds, may have passed since then.
    lead: i64,
}

/// A moment until which the coarse clock is sure that it is not over yet, as it reads then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reading(pub(crate) i64);

impl Coarse {
    pub(crate) fn new(start: Instant) -> Self {
        // In this order: the exact clock is not behind the coarse one then, so what is added to it later is not either.
        let lead = kernel::nanos().map_or(0, |coarse| nanos(now().saturating_duration_since(start)) - coarse);
        Self { start, lead: lead + LAG }
    }

    /// What it reads so many nanoseconds after the start, or later.
    pub(crate) fn at(&self, nanos: i64) -> Reading {
        Reading(nanos.saturating_sub(self.lead))
    }

    /// Whether it surely is before then. If not, it may be so all the same, for [`LAG`].
    #[inline(always)]
    pub(crate) fn is_before(&self, then: Reading) -> bool {
        let reads = match kernel::nanos() {
            Some(coarse) => coarse,
            None => nanos(now().saturating_duration_since(self.start)),
        };
        reads < then.0
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(target_os = "linux")]
mod kernel {
    use rustix::time::{ClockId, clock_gettime};

    #[inline]
    pub(super) fn nanos() -> Option<i64> {
        (!CAN_BE_PAUSED).then(|| read(ClockId::MonotonicCoarse))
    }

    #[inline]
    pub(super) fn read(clock: ClockId) -> i64 {
        let time = clock_gettime(clock);
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// Whether this build of tokio can pause its clock: its feature `test-util`. Cargo tells nobody of another crate's features,
    /// but a name that a glob brings in hides one from further out.
    #[allow(dead_code, unused_imports, reason = "which `pause` is used is the question")]
    pub(super) const CAN_BE_PAUSED: bool = {
        const fn pause() -> u8 {
            0
        }
        {
            use tokio::time::*;
            size_of_output(pause) == 0
        }
    };

    const fn size_of_output<T>(_: fn() -> T) -> usize {
        size_of::<T>()
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    pub(super) const fn nanos() -> Option<i64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_can_be_paused_is_asked_itself() {
        let coarse = Coarse::new(now());
        advance(Duration::from_secs(7)).await;
        let is_before = |nanos| coarse.is_before(coarse.at(nanos + LAG));
        assert!(is_before(7_000_000_001) && !is_before(7_000_000_000));
    }

    #[test]
    fn numbers_are_as_far_apart_as_their_times() {
        let (zero, century) = (ZERO.0, Duration::from_secs(100 * 365 * 24 * 3600));
        let earlier = zero.checked_sub(Duration::from_nanos(7)).unwrap();
        assert_eq!((number(earlier), number(zero), number(zero + century)), (-7, 0, nanos(century)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernels_coarse_clock_is_never_ahead_and_a_little_behind() {
        use rustix::time::ClockId::{Monotonic, MonotonicCoarse};

        const { assert!(kernel::CAN_BE_PAUSED, "tests can") };
        let mut least = i64::MAX;
        for _ in 0..1000 {
            let (before, coarse, after) =
                (kernel::read(Monotonic), kernel::read(MonotonicCoarse), kernel::read(Monotonic));
            assert!(coarse <= after);
            least = least.min(before - coarse);
        }
        assert!(least <= LAG, "{least} ns behind");
    }
}
