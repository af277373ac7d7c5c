//! What L1 keeps: the typed value with its times and what it rests on.

use std::{
    ops::Deref,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

use sdd::Shared;
use tokio::time::Instant;

use crate::{
    clock,
    coherence::{
        ledger::Standing,
        proof::{AsOf, Proof},
    },
    l1::{Residence, discarded},
    policy::{LONGEST, Policy},
    token::{EntryId, random_unit},
};

/// One entry of one cache. What a hit looks at comes first, close together.
#[repr(C)]
pub(crate) struct Entry<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
    pub(crate) residence: Residence<K, V>,
    pub(crate) standing: Standing,
    pub(crate) origin: Origin,
    life: Life,
    pub(crate) retry: Retry,
}

/// A share in an entry. The entry is freed with the last one, unless a hit has it [borrowed](crate::l1::Borrowed).
pub(crate) struct EntryRef<K, V>(Option<Shared<Entry<K, V>>>);

impl<K: 'static, V: 'static> EntryRef<K, V> {
    pub(crate) fn new(entry: Entry<K, V>) -> Self {
        Self(Some(Shared::new(entry)))
    }
}

impl<K, V> EntryRef<K, V> {
    pub(crate) fn of(share: Shared<Entry<K, V>>) -> Self {
        Self(Some(share))
    }

    pub(crate) fn share(&self) -> &Shared<Entry<K, V>> {
        self.0.as_ref().expect("taken only when it is dropped")
    }
}

impl<K, V> Clone for EntryRef<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Deref for EntryRef<K, V> {
    type Target = Entry<K, V>;

    fn deref(&self) -> &Entry<K, V> {
        self.share()
    }
}

impl<K, V> Drop for EntryRef<K, V> {
    fn drop(&mut self) {
        let weight = self.residence.weight();
        if self.0.take().is_some_and(Shared::release) {
            discarded(weight);
        }
    }
}

/// Where an entry came from: by this it can be validated in L2 without being moved.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) as_of: AsOf,
    /// None if L2 has no copy that is known to be this one.
    pub(crate) id: Option<EntryId>,
    /// By which the origin knows what it gave; few entries have one.
    validator: Option<Box<Box<str>>>,
}

impl Origin {
    pub(crate) fn new(as_of: AsOf, id: Option<EntryId>, validator: Option<Box<str>>) -> Self {
        Self { as_of, id, validator: validator.map(Box::new) }
    }

    pub(crate) fn validator(&self) -> Option<&str> {
        self.validator.as_ref().map(|validator| &***validator)
    }
}

/// The times of an entry, on this process's monotonic clock: after its load began in nanoseconds since then, so that a time is
/// compared as one number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// When its load began: the value is known to have been current then, and not later.
    loaded: Instant,
    /// When a call that can load has it loaded anew, although it is fresh.
    due: u64,
    /// When its time to live is over.
    expires: u64,
    /// When its last stale window is over.
    ends: u64,
    /// When it leaves L1, which is no later.
    leaves_l1: u64,
    /// So many seconds after it came here it has left L1.
    pub(crate) stay: u32,
    /// Whether it came here marked as stale.
    pub(crate) expired: bool,
}

/// How long an entry lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    /// Since its load began.
    pub(crate) age: Duration,
    /// Its time to live, from the start of its load.
    pub(crate) ttl: Duration,
    /// From now until its last stale window is over.
    pub(crate) left: Duration,
}

impl Life {
    /// The life of an entry at `now` that may stay in L1 for `l1_ttl`. Times that no policy gives are cut: they were read from
    /// L2, and an `Instant` can't hold every sum.
    pub(crate) fn new(now: Instant, span: Span, l1_ttl: Duration) -> Self {
        let (ttl, mut left) = (span.ttl.min(LONGEST), span.left.min(LONGEST));
        let (loaded, age) = match now.checked_sub(span.age) {
            Some(loaded) if !span.age.is_zero() => (loaded, nanos(span.age)),
            _ => (now, 0),
        };
        let mut expires = age.saturating_add(nanos(ttl.saturating_sub(span.age)));
        if span.age > ttl {
            expires = age.min(nanos(ttl));
            if now.checked_sub(span.age - ttl).is_none() {
                // Before this machine's clock began: nobody here can tell how long ago.
                left = Duration::ZERO;
            }
        }
        let (ends, stay) = (age.saturating_add(nanos(left)), left.min(l1_ttl));
        let expires = expires.min(ends);
        Self {
            loaded,
            due: expires,
            expires,
            ends,
            leaves_l1: age.saturating_add(nanos(stay)),
            stay: u32::try_from(stay.as_secs() + 1).unwrap_or(u32::MAX),
            expired: false,
        }
    }

    /// With the time from which it is loaded anew ahead of its end. Its load took `cost`.
    pub(crate) fn due_by(self, policy: &Policy, cost: Duration) -> Self {
        match policy.refresh_ahead {
            Some(ahead) => {
                let lead = ahead.lead(self.ttl(), cost, random_unit());
                Self { due: self.expires.saturating_sub(nanos(lead)), ..self }
            }
            None => self,
        }
    }

    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.loaded)
    }

    #[inline]
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.since(now) < self.expires && !self.expired
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due <= self.since(now)
    }

    /// Whether it may be in L1, fresh or stale.
    pub(crate) fn is_kept(&self, now: Instant) -> bool {
        self.since(now) < self.leaves_l1
    }

    /// The time to live that it was given.
    pub(crate) fn ttl(&self) -> Duration {
        Duration::from_nanos(self.expires)
    }

    /// Until when L1 serves it with nothing else to do.
    pub(crate) fn undisturbed_until(&self) -> Instant {
        if self.expired { self.loaded } else { self.loaded + Duration::from_nanos(self.due.min(self.leaves_l1)) }
    }

    /// Of its time to live.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.expires.saturating_sub(self.since(now)))
    }

    /// Whether its time to live is over by less than `window`, if it is over. Without a window it is not.
    pub(crate) fn is_within(&self, window: Option<Duration>, now: Instant) -> bool {
        let since = self.since(now);
        window.is_some_and(|window| since < self.ends && since.saturating_sub(self.expires) < nanos(window))
    }

    fn since(&self, now: Instant) -> u64 {
        nanos(self.age(now))
    }
}

/// Some five hundred years at most.
fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_secs().saturating_mul(1_000_000_000);
    nanos.saturating_add(duration.subsec_nanos().into())
}

impl<K, V> Entry<K, V> {
    pub(crate) fn new(
        key: K,
        value: V,
        life: Life,
        standing: Standing,
        origin: Origin,
        residence: Residence<K, V>,
    ) -> Self {
        Self { key, value, residence, standing, origin, life, retry: Retry::default() }
    }

    pub(crate) fn life(&self) -> &Life {
        &self.life
    }

    /// Whether L1 may serve it to a call that begins now, and that is all there is to do, if its marks hold. They are to be looked
    /// at afterwards: the message that revokes it may come in between, and with it the proof that it has come.
    ///
    /// Looks at the proof only if the last one no longer serves, and at the exact clock only if the coarse one can't tell.
    #[inline(always)]
    pub(crate) fn is_proven(&self, proof: &Proof, to: Asker) -> bool {
        proof.is_before(self.residence.proven()) || self.is_proven_now(proof, to)
    }

    #[cold]
    fn is_proven_now(&self, proof: &Proof, to: Asker) -> bool {
        let life = self.life();
        let until = proof.surely_until(self.origin.as_of.get(), proof.stamp(life.undisturbed_until()));
        if proof.is_before(until) {
            self.residence.prove(until);
            return true;
        }
        let now = clock::now();
        let is_fresh_here = life.is_fresh(now) && life.is_kept(now);
        proof.holds(self.origin.as_of.get(), now) && is_fresh_here && !(to == Asker::Loads && self.is_due(now, proof))
    }

    /// Whether a call that can load has it loaded anew, unless that is under way or has just failed.
    pub(crate) fn is_due(&self, now: Instant, proof: &Proof) -> bool {
        self.life.is_due(now) && !self.retry.is_under_way() && !self.retry.is_paused(proof, now)
    }

    /// Whether L1 may serve it at `now` to anybody.
    #[inline]
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.life.is_fresh(now) && self.life.is_kept(now) && self.standing.holds()
    }
}

/// Who asks for an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asker {
    /// A call that brings a loader.
    Loads,
    /// One that takes what there is.
    Looks,
}

/// Where an entry's replacement stands: whether a load for it is under way, and when one may be tried again after it failed.
/// That pause doubles with each failure.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    not_before: AtomicU64,
    failures: AtomicU8,
    under_way: AtomicBool,
}

impl Retry {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(30);

    /// The latest of several loads counts; they don't overlap, unless an invalidation came between.
    pub(crate) fn failed(&self, proof: &Proof, now: Instant) {
        let failures = self.failures.load(Ordering::Relaxed).min(16);
        self.failures.store(failures + 1, Ordering::Relaxed);
        let pause = (Self::FIRST * (1 << failures)).min(Self::LONGEST);
        self.not_before.store(proof.stamp(now + pause).0, Ordering::Relaxed);
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(crate) fn set_under_way(&self, under_way: bool) {
        self.under_way.store(under_way, Ordering::Relaxed);
    }

    /// Whether it is too early.
    pub(crate) fn is_paused(&self, proof: &Proof, now: Instant) -> bool {
        proof.stamp(now).0 < self.not_before.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn times_that_a_foreign_writer_made_up_are_survived() {
        let now = clock::now();
        let most = Span { age: Duration::MAX, ttl: Duration::MAX, left: Duration::MAX };
        let life = Life::new(now, most, Duration::MAX);
        assert_eq!((life.loaded, life.expires, life.ends), (now, 0, 0));
        let life = Life::new(now, Span { age: Duration::ZERO, ..most }, Duration::MAX);
        assert_eq!((life.loaded, life.remaining(now), life.ends), (now, LONGEST, nanos(LONGEST)));
    }

    #[test]
    fn a_window_begins_when_the_time_to_live_is_over_and_ends_with_the_entry() {
        let now = clock::now();
        let life = Life::new(now, Span { age: SECOND, ttl: 2 * SECOND, left: 5 * SECOND }, Duration::MAX);
        let after = |seconds: u32, window| life.is_within(window, now + seconds * SECOND);
        assert!(after(1, Some(SECOND)) && !after(2, Some(SECOND)));
        assert!(after(4, Some(9 * SECOND)) && !after(5, Some(9 * SECOND)), "the entry's own end is absolute");
        assert!(!after(1, None));
        let old = Life::new(now, Span { age: 3 * SECOND, ttl: 2 * SECOND, left: SECOND }, Duration::MAX);
        assert!(!old.is_within(Some(SECOND), now) && old.is_within(Some(SECOND + SECOND / 2), now));
    }

    #[test]
    fn the_pause_after_failures_doubles_up_to_a_bound() {
        let start = clock::now();
        let (proof, retry) = (Proof::unneeded(start), Retry::default());
        assert!(!retry.is_paused(&proof, start));
        for pause in [200, 400, 800] {
            retry.failed(&proof, start);
            assert!(retry.is_paused(&proof, start + Duration::from_millis(pause - 1)));
            assert!(!retry.is_paused(&proof, start + Duration::from_millis(pause)));
        }
        (0..40).for_each(|_| retry.failed(&proof, start));
        assert!(!retry.is_paused(&proof, start + Retry::LONGEST));
    }
}
