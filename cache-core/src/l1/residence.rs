//! What L1 notes on an entry.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU64, Ordering};

use crate::clock::Reading;

/// An entry's place in L1, and what was last found out about it.
#[repr(C)]
pub(crate) struct Residence {
    /// Until when it may surely be served, as far as anybody has looked.
    proven: AtomicI64,
    /// The number of [changes](crate::coherence::ledger::Ledger::changes) when it was last looked at.
    seen: AtomicU64,
    /// The round in which moka was last told that it is asked for.
    told: AtomicU16,
    /// Whether it made way for another of its key, or was revoked.
    dismissed: AtomicBool,
    /// Whether it has tags that count it.
    counted: AtomicBool,
    /// In bytes, all in all.
    weight: u32,
    /// Under which it is kept.
    pub(crate) hash: u64,
}

impl Residence {
    pub(crate) fn new(hash: u64, weight: u32) -> Self {
        Self {
            proven: AtomicI64::new(i64::MIN),
            seen: AtomicU64::new(u64::MAX),
            told: AtomicU16::new(0),
            dismissed: AtomicBool::new(false),
            counted: AtomicBool::new(false),
            weight,
            hash,
        }
    }

    pub(crate) fn weight(&self) -> u32 {
        self.weight
    }

    #[inline(always)]
    pub(crate) fn proven(&self) -> Reading {
        Reading(self.proven.load(Ordering::Acquire))
    }

    pub(crate) fn prove(&self, until: Reading) {
        // What was applied before the proof is seen by whoever sees the proof.
        self.proven.store(until.0, Ordering::Release);
    }

    /// Whether nothing changed that it goes by since it was last looked at.
    #[inline(always)]
    pub(crate) fn is_as_seen(&self, changes: u64) -> bool {
        self.seen.load(Ordering::Relaxed) == changes
    }

    pub(crate) fn see(&self, changes: u64) {
        self.seen.store(changes, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) {
        self.counted.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_counted(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    pub(super) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Relaxed)
    }

    /// moka is told of it in `round`.
    pub(super) fn tell(&self, round: u16) {
        self.told.store(round, Ordering::Relaxed);
    }

    /// Whether moka is yet to be told of it in `round`.
    #[inline]
    pub(super) fn is_due(&self, round: u16) -> bool {
        self.told.load(Ordering::Relaxed) != round
    }

    /// For how many rounds moka was not told of it.
    pub(super) fn age(&self, round: u16) -> u16 {
        round.wrapping_sub(self.told.load(Ordering::Relaxed))
    }
}
