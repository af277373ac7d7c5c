//! What L1 notes on an entry.

use std::sync::{
    Weak,
    atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering},
};

use super::Front;
use crate::{clock::Reading, coherence::proof::Stamp};

/// An entry's place in L1, and what was last found out about it.
#[repr(C)]
pub(crate) struct Residence<K, V> {
    /// The round in which moka was last told that it is asked for.
    told: AtomicU32,
    /// Until when it may surely be served, as far as anybody has looked.
    proven: AtomicI64,
    /// The number of [applied](crate::coherence::ledger::Ledger::applied) invalidations when its marks were looked at.
    standing: AtomicU64,
    /// Under which it is kept.
    pub(crate) hash: u64,
    /// When it leaves L1.
    pub(crate) until: Stamp,
    /// Where it may be beside moka.
    pub(super) front: Weak<Front<K, V>>,
}

impl<K, V> Residence<K, V> {
    pub(crate) fn new(hash: u64, until: Stamp, front: Weak<Front<K, V>>) -> Self {
        Self {
            hash,
            until,
            proven: AtomicI64::new(i64::MIN),
            standing: AtomicU64::new(u64::MAX),
            told: AtomicU32::new(0),
            front,
        }
    }

    #[inline(always)]
    pub(crate) fn proven(&self) -> Reading {
        Reading(self.proven.load(Ordering::Acquire))
    }

    pub(crate) fn prove(&self, until: Reading) {
        // What was applied before the proof is seen by whoever sees the proof.
        self.proven.store(until.0, Ordering::Release);
    }

    /// Whether `applied` is still what it was when `look` was last given a yes, or it is given one now.
    #[inline(always)]
    pub(crate) fn stands(&self, applied: u64, look: impl FnOnce() -> bool) -> bool {
        if self.standing.load(Ordering::Relaxed) == applied {
            return true;
        }
        let stands = look();
        if stands {
            self.standing.store(applied, Ordering::Relaxed);
        }
        stands
    }

    /// moka is told of it in `round`.
    pub(super) fn tell(&self, round: u32) {
        self.told.store(round, Ordering::Relaxed);
    }

    /// Whether moka is yet to be told of it in `round`.
    #[inline]
    pub(super) fn is_due(&self, round: u32) -> bool {
        self.told.load(Ordering::Relaxed) != round
    }

    /// For how many rounds moka was not told of it.
    pub(super) fn age(&self, round: u32) -> u32 {
        round.wrapping_sub(self.told.load(Ordering::Relaxed))
    }
}
