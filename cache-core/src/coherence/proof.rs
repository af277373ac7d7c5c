//! Is what this process holds proven fresh enough to be served?
//!
//! What is known to have been current at `t` may be served to calls that begin no more than `max_staleness` after it, or
//! after the moment up to which all invalidations are known to be applied here, whichever is later.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    clock::{self, Coarse, Reading},
    sync::atomic::{AtomicU64, Ordering},
};

/// A moment as nanoseconds since the stack was built, so that it fits into an atomic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Stamp(pub(crate) u64);

/// As of when something is known to have been current: a stamp that only grows.
#[derive(Debug)]
pub(crate) struct AsOf(AtomicU64);

impl AsOf {
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self(AtomicU64::new(stamp.0))
    }

    #[inline]
    pub(crate) fn get(&self) -> Stamp {
        Stamp(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn raise(&self, to: Stamp) {
        self.0.fetch_max(to.0, Ordering::AcqRel);
    }
}

/// How far this process is in step with the log.
pub(crate) struct Proof {
    start: Instant,
    coarse: Coarse,
    /// Like all stamps, at most `i64::MAX`.
    synced: AtomicU64,
    max_staleness: u64,
}

impl Proof {
    pub(crate) fn new(start: Instant, max_staleness: Duration) -> Self {
        Self { start, coarse: Coarse::new(start), synced: AtomicU64::new(0), max_staleness: nanos(max_staleness) }
    }

    /// For a process that shares nothing: it knows of every invalidation.
    pub(crate) fn unneeded(start: Instant) -> Self {
        Self { start, coarse: Coarse::new(start), synced: AtomicU64::new(FOREVER), max_staleness: FOREVER }
    }

    #[inline]
    pub(crate) fn stamp(&self, at: Instant) -> Stamp {
        Stamp(nanos(at.saturating_duration_since(self.start)))
    }

    /// Of a time that is a [number](clock::number).
    pub(crate) fn stamp_of(&self, number: i64) -> Stamp {
        Stamp(number.saturating_sub(clock::number(self.start)).max(0).cast_unsigned())
    }

    /// Whether what was current at `as_of` may be served to a call that begins `now`.
    #[inline]
    pub(crate) fn holds(&self, as_of: Stamp, now: Instant) -> bool {
        let latest = as_of.0.max(self.synced.load(Ordering::Acquire));
        self.stamp(now).0.saturating_sub(latest) <= self.max_staleness
    }

    /// Until when what was current at `as_of` and is fresh until `until` may be served at least: being in step only prolongs it.
    pub(crate) fn surely_until(&self, as_of: Stamp, until: Stamp) -> Reading {
        let latest = as_of.0.max(self.synced.load(Ordering::Acquire));
        let proven = latest.cast_signed().saturating_add(self.max_staleness.cast_signed()).saturating_add(1);
        self.coarse.at(proven.min(until.0.cast_signed()))
    }

    /// Whether a coarse clock can tell that it is before then.
    #[inline(always)]
    pub(crate) fn is_before(&self, then: Reading) -> bool {
        self.coarse.is_before(then)
    }

    /// Whether it was current so recently that no proof is needed.
    pub(crate) fn is_recent(&self, as_of: Stamp, now: Instant) -> bool {
        self.stamp(now).0.saturating_sub(as_of.0) <= self.max_staleness
    }

    /// All that was invalidated before `at` is applied here.
    pub(crate) fn sync(&self, at: Instant) {
        self.synced.fetch_max(self.stamp(at).0, Ordering::AcqRel);
    }

    /// How long ago that was.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.stamp(now).0.saturating_sub(self.synced.load(Ordering::Acquire)))
    }

    /// One of its own that is as far.
    #[cfg(test)]
    pub(crate) fn fork(&self) -> Self {
        Self { synced: AtomicU64::new(self.synced.load(Ordering::Acquire)), ..*self }
    }

    /// All that tells two of one stack apart.
    #[cfg(test)]
    pub(crate) fn contents(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }
}

const FOREVER: u64 = i64::MAX.cast_unsigned();

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(FOREVER).min(FOREVER)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);
    const BIT: Duration = Duration::from_nanos(1);

    #[test]
    fn what_is_current_is_served_for_so_long_and_no_longer() {
        let start = clock::now();
        let proof = Proof::new(start, LIMIT);
        let loaded = start + 5 * LIMIT;
        assert!(proof.holds(proof.stamp(loaded), loaded + LIMIT));
        assert!(!proof.holds(proof.stamp(loaded), loaded + LIMIT + BIT));
    }

    #[test]
    fn being_in_step_prolongs_it_and_never_shortens_it() {
        let start = clock::now();
        let proof = Proof::new(start, LIMIT);
        let (loaded, synced) = (proof.stamp(start), start + 2 * LIMIT);
        proof.sync(synced);
        proof.sync(start);
        assert!(proof.holds(loaded, synced + LIMIT));
        assert!(!proof.holds(loaded, synced + LIMIT + BIT));
        assert_eq!(proof.age(synced + LIMIT), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_coarse_clock_is_sure_of_is_so_for_longer_than_it_lags() {
        let lag = Duration::from_nanos(clock::LAG.cast_unsigned());
        let start = clock::now();
        let proof = Proof::new(start, LIMIT);
        let (loaded, until) = (proof.stamp(start), proof.stamp(start + 2 * LIMIT));
        let surely_holds = || proof.is_before(proof.surely_until(loaded, until));
        advance(LIMIT - lag).await;
        assert!(surely_holds());
        advance(BIT).await;
        assert!(!surely_holds() && proof.holds(loaded, clock::now()), "the exact clock is to be asked");
        proof.sync(clock::now());
        assert!(surely_holds());
        advance(LIMIT - BIT).await;
        assert!(!surely_holds(), "its lifetime is almost over");
    }

    #[test]
    fn a_process_that_shares_nothing_needs_no_proof() {
        let start = clock::now();
        let proof = Proof::unneeded(start);
        assert!(proof.holds(proof.stamp(start), start + 1_000_000 * LIMIT));
    }
}
