//! What decides which entries stay, behind one small trait: how much there may be, and who makes room for whom.

mod with_moka;
#[cfg(feature = "quick_cache")]
mod with_quick_cache;

use std::{any::Any, hash::Hasher, sync::Arc, time::Duration};

use super::{Bound, L1, L1Engine};

/// A plain store of entries without their types. What it gives up it may drop under its own locks: that asks nothing of it.
///
/// Its key is the hash of an entry's key, and no more: whose entry is found by it is for the caller to see. The hash is seeded by
/// chance, for each cache of each stack, so nobody can foresee two keys that have one. Such two make way for each other, as by an
/// eviction: one of them loses its place, and neither is served what the other has.
pub(super) trait Engine: Send + Sync {
    /// The entry with this hash, which counts as used.
    fn get(&self, hash: u64) -> Option<Kept>;

    /// Takes the place of the one with its hash.
    fn insert(&self, kept: Kept);

    fn remove(&self, hash: u64) -> Option<Kept>;

    /// How many there are; approximate until [`tend`](Self::tend) was called.
    fn len(&self) -> u64;

    /// What they weigh; approximate as well.
    fn weight(&self) -> u64;

    /// Does what was put off.
    fn tend(&self);
}

/// The engine that was asked for.
pub(super) fn engine(l1: L1) -> Box<dyn Engine> {
    match l1.engine {
        L1Engine::Moka => Box::new(with_moka::Moka::new(l1.bound)),
        #[cfg(feature = "quick_cache")]
        L1Engine::QuickCache => Box::new(with_quick_cache::QuickCache::new(l1.bound)),
    }
}

/// What an engine has of an entry, without its types.
#[derive(Clone)]
pub(super) struct Kept(pub(super) Arc<dyn Resident>);

/// What is asked of an entry in an engine.
pub(super) trait Resident: Any + Send + Sync {
    fn hash(&self) -> u64;

    fn weight(&self) -> u32;

    /// How long it stays here at most from now on.
    fn stay(&self) -> Duration;
}

/// Passes a hash through.
#[derive(Default)]
struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a hash is one u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
