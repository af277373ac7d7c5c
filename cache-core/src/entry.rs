//! What L1 keeps: the typed value with its times and what it rests on.

use std::{
    mem,
    ops::Deref,
    sync::atomic::{AtomicU64, Ordering},
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
    l1::{Residence, discarded, is_ending},
    policy::{LONGEST, Policy},
    token::{EntryId, random_unit},
};

/// One entry of one cache. What a hit looks at comes first, close together.
#[repr(C)]
pub(crate) struct Entry<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
    pub(crate) residence: Residence,
    pub(crate) standing: Standing,
    pub(crate) origin: Origin,
    /// Its [`Life`], but for the windows that few have.
    loaded: i64,
    expires: u64,
    leaves_l1: u64,
    pub(crate) retry: Retry,
}

/// A share in an entry. The entry is freed with the last one, unless a hit looks at it under a [`Pin`](crate::l1::Pin).
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

    /// The share itself, which is then here no more.
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
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
        let Some(share) = self.0.take() else { return };
        let weight = share.residence.weight();
        if is_ending() {
            // A cache in a variable of its thread: better its memory stays taken than that the process ends.
            mem::forget(share);
        } else if share.release() {
            discarded(weight);
        }
    }
}

/// Where an entry came from: by this it can be validated in L2 without being moved.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) as_of: AsOf,
    id: EntryId,
    more: Option<Box<More>>,
}

/// What few entries have.
#[derive(Default, Debug)]
struct More {
    validator: Option<Box<str>>,
    windows: Option<Windows>,
}

impl Origin {
    /// In the place of an `Option`, which would take a word more. Chance draws no such one.
    const NO_ID: EntryId = EntryId::from_bytes([0; 16]);

    pub(crate) fn new(as_of: AsOf, id: Option<EntryId>, validator: Option<Box<str>>) -> Self {
        let more = validator.map(|validator| Box::new(More { validator: Some(validator), windows: None }));
        Self { as_of, id: id.unwrap_or(Self::NO_ID), more }
    }

    /// None if L2 has no copy that is known to be this one.
    pub(crate) fn id(&self) -> Option<EntryId> {
        (self.id != Self::NO_ID).then_some(self.id)
    }

    /// By which the origin knows what it gave.
    pub(crate) fn validator(&self) -> Option<&str> {
        self.more.as_ref()?.validator.as_deref()
    }
}

/// The times of an entry, on this process's monotonic clock: after its load began in nanoseconds since then, so that a time is
/// compared as one number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// When its load began, as a [number](clock::number): the value is known to have been current then, and not later.
    loaded: i64,
    /// When its time to live is over.
    expires: u64,
    /// When it leaves L1, which is no later than the end of its last window.
    leaves_l1: u64,
    pub(crate) windows: Windows,
}

/// The times of an entry that are those of its time to live, as a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Windows {
    /// When a call that can load has it loaded anew, although it is fresh.
    due: u64,
    /// When its last stale window is over.
    ends: u64,
    /// Whether it came here marked as stale.
    pub(crate) expired: bool,
}

impl Windows {
    /// It is served until then, and that is all.
    fn none(expires: u64) -> Self {
        Self { due: expires, ends: expires, expired: false }
    }
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
    /// L2, and what is older than any entry can be is over.
    pub(crate) fn new(now: Instant, span: Span, l1_ttl: Duration) -> Self {
        let longest = nanos(LONGEST);
        let age = nanos(span.age).min(longest);
        let left = if span.age > LONGEST { 0 } else { nanos(span.left).min(longest) };
        let ends = age + left;
        let expires = nanos(span.ttl).min(longest).min(ends);
        Self {
            loaded: clock::number(now).saturating_sub_unsigned(age),
            expires,
            leaves_l1: age + left.min(nanos(l1_ttl)),
            windows: Windows { due: expires, ends, expired: false },
        }
    }

    /// With the time from which it is loaded anew ahead of its end. Its load took `cost`.
    pub(crate) fn due_by(self, policy: &Policy, cost: Duration) -> Self {
        match policy.refresh_ahead {
            Some(ahead) => {
                let lead = ahead.lead(self.ttl(), cost, random_unit());
                let due = self.expires.saturating_sub(nanos(lead));
                Self { windows: Windows { due, ..self.windows }, ..self }
            }
            None => self,
        }
    }

    pub(crate) fn age(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.since(now))
    }

    #[inline]
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.since(now) < self.expires && !self.windows.expired
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.windows.due <= self.since(now)
    }

    /// Whether it may be in L1, fresh or stale.
    pub(crate) fn is_kept(&self, now: Instant) -> bool {
        self.since(now) < self.leaves_l1
    }

    /// For how long from now on, roughly.
    pub(crate) fn stay(&self) -> Duration {
        Duration::from_nanos(self.leaves_l1.saturating_sub(self.until(clock::roughly_now())))
    }

    /// The time to live that it was given.
    pub(crate) fn ttl(&self) -> Duration {
        Duration::from_nanos(self.expires)
    }

    /// Until when L1 serves it with nothing else to do, as a number.
    fn undisturbed_until(&self) -> i64 {
        let Windows { due, expired, .. } = self.windows;
        let undisturbed = if expired { 0 } else { due.min(self.leaves_l1) };
        self.loaded.saturating_add_unsigned(undisturbed)
    }

    /// Of its time to live.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.expires.saturating_sub(self.since(now)))
    }

    /// Whether its time to live is over by less than `window`, if it is over. Without a window it is not.
    pub(crate) fn is_within(&self, window: Option<Duration>, now: Instant) -> bool {
        let since = self.since(now);
        window.is_some_and(|window| since < self.windows.ends && since.saturating_sub(self.expires) < nanos(window))
    }

    fn since(&self, now: Instant) -> u64 {
        self.until(clock::number(now))
    }

    /// No less than nothing.
    fn until(&self, now: i64) -> u64 {
        now.saturating_sub(self.loaded).max(0).cast_unsigned()
    }
}

/// Some five hundred years at most.
fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_secs().saturating_mul(1_000_000_000);
    nanos.saturating_add(duration.subsec_nanos().into())
}

impl<K, V> Entry<K, V> {
    /// `hash` is that of its key, and without what few entries have it weighs `weight`.
    pub(crate) fn new(
        (key, hash): (K, u64),
        (value, weight): (V, u32),
        life: Life,
        standing: Standing,
        mut origin: Origin,
    ) -> Self {
        let Life { loaded, expires, leaves_l1, windows } = life;
        if windows != Windows::none(expires) {
            origin.more.get_or_insert_default().windows = Some(windows);
        }
        let more = origin.more.as_deref().map_or(0, size_of_val) as u32;
        let weight = weight.saturating_add(more).saturating_add(standing.tags().weight());
        let residence = Residence::new(hash, weight);
        Self { key, value, residence, standing, origin, loaded, expires, leaves_l1, retry: Retry::default() }
    }

    /// It is to be in L1, so its tags count it. Only under the lock of its key's table.
    pub(crate) fn enter(&self) {
        if !self.standing.tags().is_empty() && !self.residence.is_counted() {
            self.residence.count();
            self.standing.tags().enter();
        }
    }

    pub(crate) fn life(&self) -> Life {
        let &Self { loaded, expires, leaves_l1, .. } = self;
        let windows = self.origin.more.as_ref().and_then(|more| more.windows);
        Life { loaded, expires, leaves_l1, windows: windows.unwrap_or(Windows::none(expires)) }
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
        let until = proof.surely_until(self.origin.as_of.get(), proof.stamp_of(life.undisturbed_until()));
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
        self.life().is_due(now) && !self.retry.is_under_way() && !self.retry.is_paused(proof, now)
    }

    /// Whether L1 may serve it at `now` to anybody.
    #[inline]
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        let life = self.life();
        life.is_fresh(now) && life.is_kept(now) && self.standing.holds()
    }
}

impl<K, V> Drop for Entry<K, V> {
    fn drop(&mut self) {
        // If it never was in L1 its tags stay until they are swept: calls that L2 answers one after another make them once.
        if self.residence.is_counted() {
            self.standing.leave();
        }
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
///
/// In one number: that time, and in the place of its last bits, which are too little to wait for, how many loads failed and whether
/// one is under way.
#[derive(Debug, Default)]
pub(crate) struct Retry(AtomicU64);

impl Retry {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(30);

    const UNDER_WAY: u64 = 1;
    const FAILURE: u64 = 2;
    const MOST_FAILURES: u64 = 16;
    const STATE: u64 = 2 * Self::MOST_FAILURES * Self::FAILURE - 1;

    /// The latest of several loads counts; they don't overlap, unless an invalidation came between.
    pub(crate) fn failed(&self, proof: &Proof, now: Instant) {
        let after = |before: u64| {
            let state = before & Self::STATE;
            let failures = state / Self::FAILURE;
            let pause = (Self::FIRST * (1 << failures)).min(Self::LONGEST);
            let one_more = if failures < Self::MOST_FAILURES { Self::FAILURE } else { 0 };
            Some(proof.stamp(now + pause).0 & !Self::STATE | (state + one_more))
        };
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::UNDER_WAY != 0
    }

    pub(crate) fn set_under_way(&self, under_way: bool) {
        match under_way {
            true => self.0.fetch_or(Self::UNDER_WAY, Ordering::Relaxed),
            false => self.0.fetch_and(!Self::UNDER_WAY, Ordering::Relaxed),
        };
    }

    /// Whether it is too early.
    pub(crate) fn is_paused(&self, proof: &Proof, now: Instant) -> bool {
        proof.stamp(now).0 < self.0.load(Ordering::Relaxed) & !Self::STATE
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
        assert!(!life.is_fresh(now) && !life.is_kept(now) && !life.is_within(Some(Duration::MAX), now));
        let life = Life::new(now, Span { age: Duration::ZERO, ..most }, Duration::MAX);
        assert_eq!((life.age(now), life.remaining(now), life.windows.ends), (Duration::ZERO, LONGEST, nanos(LONGEST)));
        let life = Life::new(now, Span { age: LONGEST, ..most }, Duration::MAX);
        assert_eq!((life.age(now), life.is_fresh(now), life.windows.ends), (LONGEST, false, 2 * nanos(LONGEST)));
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
