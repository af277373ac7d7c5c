//! quick_cache: each insert makes room by itself, so there is nothing to put off. It knows no times; what expired leaves when
//! room is needed.

use std::{hash::BuildHasherDefault, num::NonZero, thread::available_parallelism};

use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{Bound, Engine, Kept, Prehashed};
use crate::l1::ENTRY_OVERHEAD;

pub(super) struct QuickCache(Cache<u64, Kept, Weights, BuildHasherDefault<Prehashed>>);

impl QuickCache {
    pub(super) fn new(bound: Bound) -> Self {
        let (items, weight) = match bound {
            Bound::Entries(count) => (count, count),
            // As many keys are remembered of entries that left. A value is about as large as what is kept beside it.
            Bound::Weight(bytes) => (bytes / u64::from(2 * ENTRY_OVERHEAD), bytes),
        };
        let shards = shards(items);
        let options = OptionsBuilder::new()
            .shards(shards)
            .estimated_items_capacity(usize::try_from(items).unwrap_or(usize::MAX))
            // Each shard has its part, rounded up.
            .weight_capacity(weight - weight % shards as u64)
            .build()
            .expect("all that is needed is given");
        Self(Cache::with_options(options, Weights(bound), BuildHasherDefault::default(), DefaultLifecycle::default()))
    }
}

/// Enough of them that threads seldom meet in one; a single one where each would have too few entries to choose from.
fn shards(items: u64) -> usize {
    let shards = (4 * available_parallelism().map_or(1, NonZero::get)).next_power_of_two();
    if items < 32 * shards as u64 { 1 } else { shards }
}

impl Engine for QuickCache {
    fn get(&self, hash: u64) -> Option<Kept> {
        self.0.get(&hash)
    }

    fn insert(&self, kept: Kept) {
        self.0.insert(kept.0.hash(), kept);
    }

    fn remove(&self, hash: u64) -> Option<Kept> {
        self.0.remove(&hash).map(|(_, kept)| kept)
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn weight(&self) -> u64 {
        self.0.weight()
    }

    fn tend(&self) {}
}

#[derive(Clone)]
struct Weights(Bound);

impl Weighter<u64, Kept> for Weights {
    fn weight(&self, _: &u64, kept: &Kept) -> u64 {
        match self.0 {
            Bound::Entries(_) => 1,
            Bound::Weight(_) => kept.0.weight().into(),
        }
    }
}
