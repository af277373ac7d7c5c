//! What L1 keeps: the typed value with its times and what it rests on.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    clock,
    coherence::{
        ledger::{Ledger, Standing},
        proof::{AsOf, Proof},
    },
    l1::Residence,
    policy::LONGEST,
    stats::Counters,
    tag::Tags,
    token::EntryId,
};

/// One entry of one cache. What a hit looks at comes first, close together.
#[repr(C)]
pub(crate) struct Entry<K, V> {
    pub(crate) name: Arc<Name<K>>,
    pub(crate) residence: Residence<K, V>,
    pub(crate) value: V,
    pub(crate) origin: Origin,
    pub(crate) life: Life,
    pub(crate) standing: Standing,
    pub(crate) counters: Arc<Counters>,
    /// In bytes, all in all.
    pub(crate) weight: u32,
}

/// Where an entry came from: by this it can be validated in L2 without being moved.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Origin {
    pub(crate) as_of: AsOf,
    /// None if L2 has no copy that is known to be this one.
    pub(crate) id: Option<EntryId>,
    pub(crate) tags: Tags,
}

/// What an entry is kept under. Apart from it, because L1 holds on to the name under which a place was first taken, and
/// must not hold on to the value with it.
pub(crate) struct Name<K> {
    /// The cache it belongs to: two caches may have keys of one type.
    pub(crate) cache: u32,
    pub(crate) key: K,
}

/// The times of an entry, on this process's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// When its load began: the value is known to have been current then, and not later.
    pub(crate) loaded: Instant,
    /// When it stops being fresh.
    pub(crate) fresh_until: Instant,
    /// When it leaves L1, which is no later.
    pub(crate) leaves_l1: Instant,
}

impl Life {
    /// The life of an entry that was `age` old at `now`, has `remaining` of its time to live, and may stay in L1 for
    /// `l1_ttl`. A remaining time that no policy gives is cut: it was read from L2, and an `Instant` can't hold every sum.
    pub(crate) fn new(now: Instant, age: Duration, remaining: Duration, l1_ttl: Duration) -> Self {
        let remaining = remaining.min(LONGEST);
        Self {
            loaded: now.checked_sub(age).unwrap_or(now),
            fresh_until: now + remaining,
            leaves_l1: now + remaining.min(l1_ttl),
        }
    }

    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.loaded)
    }

    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.fresh_until.saturating_duration_since(now)
    }
}

impl<K, V> Entry<K, V> {
    /// Whether L1 may serve it to a call that begins now. Looks at the marks only if anything was invalidated since they were
    /// last looked at, and at the exact clock only if the coarse one can't tell.
    #[inline(always)]
    pub(crate) fn is_servable(&self, ledger: &Ledger, proof: &Proof) -> bool {
        self.residence.stands(ledger.applied(), || self.standing.holds())
            && (proof.surely_holds(self.origin.as_of.get(), self.residence.until)
                || self.is_servable_at(clock::now(), proof))
    }

    #[cold]
    fn is_servable_at(&self, now: Instant, proof: &Proof) -> bool {
        self.is_live(now) && proof.holds(self.origin.as_of.get(), now)
    }

    /// Whether L1 may serve it at `now`.
    #[inline]
    pub(crate) fn is_live(&self, now: Instant) -> bool {
        now < self.life.leaves_l1 && self.standing.holds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_a_foreign_writer_made_up_are_survived() {
        let now = clock::now();
        let life = Life::new(now, Duration::MAX, Duration::MAX, Duration::MAX);
        assert_eq!((life.loaded, life.remaining(now)), (now, LONGEST));
    }
}
