//! moka, the default: entries leave by how often and how lately they were used, or when their time is over.

use std::{
    hash::BuildHasherDefault,
    time::{Duration, Instant},
};

use moka::{Expiry, sync::Cache};

use super::{Bound, Engine, Kept, Prehashed};

pub(super) struct Moka(Cache<u64, Kept, BuildHasherDefault<Prehashed>>);

impl Moka {
    pub(super) fn new(bound: Bound) -> Self {
        let builder = Cache::builder().expire_after(Reclaim);
        let builder = match bound {
            Bound::Entries(count) => builder.max_capacity(count),
            Bound::Weight(bytes) => builder.max_capacity(bytes).weigher(|_, kept: &Kept| kept.0.weight()),
        };
        Self(builder.build_with_hasher(BuildHasherDefault::default()))
    }
}

impl Engine for Moka {
    fn get(&self, hash: u64) -> Option<Kept> {
        self.0.get(&hash)
    }

    fn insert(&self, kept: Kept) {
        self.0.insert(kept.0.hash(), kept);
    }

    fn remove(&self, hash: u64) -> Option<Kept> {
        self.0.remove(&hash)
    }

    fn len(&self) -> u64 {
        self.0.entry_count()
    }

    fn weight(&self) -> u64 {
        self.0.weighted_size()
    }

    fn tend(&self) {
        self.0.run_pending_tasks();
    }
}

/// Frees what nobody may be served any more. It runs on moka's own clock, so it is never early: a paused test clock
/// may be behind it.
struct Reclaim;

impl Reclaim {
    /// How long an expired entry may keep its memory.
    const GRACE: Duration = Duration::from_secs(60);
    /// moka takes no lifetime of centuries.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

    fn after(kept: &Kept) -> Option<Duration> {
        Some(kept.0.stay().min(Self::LONGEST) + Self::GRACE)
    }
}

impl Expiry<u64, Kept> for Reclaim {
    fn expire_after_create(&self, _: &u64, kept: &Kept, _: Instant) -> Option<Duration> {
        Self::after(kept)
    }

    fn expire_after_update(&self, _: &u64, kept: &Kept, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Self::after(kept)
    }
}
