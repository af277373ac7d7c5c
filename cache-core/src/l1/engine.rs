//! What decides which entries stay, behind one small trait: how much there may be, and who makes room for whom.

mod with_moka;
#[cfg(feature = "quick_cache")]
mod with_quick_cache;

use std::{
    any::Any,
    hash::{Hash, Hasher},
    sync::{Arc, Weak},
    time::Duration,
};

use moka::Equivalent;

use super::{Bound, L1, L1Engine};

/// A plain store of entries without their types. What it gives up it may drop under its own locks: that asks nothing of it.
pub(super) trait Engine: Send + Sync {
    /// An entry, which counts as used.
    fn get(&self, sought: &Sought<'_>) -> Option<Kept>;

    /// Takes the place of nothing: who had the key was removed before.
    fn insert(&self, kept: Kept);

    fn remove(&self, sought: &Sought<'_>) -> Option<Kept>;

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
    /// It makes way for another of its key, or is revoked: that is no eviction.
    fn dismiss(&self);

    fn hash(&self) -> u64;

    fn weight(&self) -> u32;

    /// How long it stays here at most.
    fn stay(&self) -> Duration;

    /// Whether another is an entry of the same cache and key.
    fn is_like(&self, other: &dyn Any) -> bool;
}

/// What an entry is looked up by.
pub(super) struct Sought<'a> {
    pub(super) hash: u64,
    pub(super) is_it: &'a dyn Fn(&Kept) -> bool,
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Place> for Sought<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        place.hash == self.hash && place.kept().is_some_and(|kept| (self.is_it)(&kept))
    }
}

/// An engine's key, which is that of the entry. moka holds on to a place that was given up until it rehashes, which must not hold on
/// to the entry.
struct Place {
    hash: u64,
    entry: Weak<dyn Resident>,
}

impl Place {
    fn of(kept: &Kept) -> Self {
        Self { hash: kept.0.hash(), entry: Arc::downgrade(&kept.0) }
    }

    fn kept(&self) -> Option<Kept> {
        self.entry.upgrade().map(Kept)
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        let is_like = || Some(self.kept()?.0.is_like(&*other.kept()?.0));
        self.hash == other.hash && is_like() == Some(true)
    }
}

impl Eq for Place {}

/// Passes the hash through that a place or what is sought already has.
#[derive(Default)]
struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("places write one u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
