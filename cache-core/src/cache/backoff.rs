//! Keys whose loads fail are left alone for a while.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use tokio::time::Instant;

use super::CacheKey;
use crate::{clock, coherence::ledger::Standing, error::ErrorKind, load::Failure};

/// The last failures of a cache's keys.
pub(crate) struct Backoff<K> {
    first: Duration,
    failed: Cache<K, Arc<Failed>>,
}

struct Failed {
    failure: Failure,
    /// What is invalidated afterwards may be loaded again at once.
    standing: Standing,
    until: Instant,
    in_a_row: u32,
}

/// Keys that are remembered; of more than these the rarest are forgotten, and loaded again at once.
const MOST: u64 = 10_000;
const LONGEST: Duration = Duration::from_secs(30);

impl<K: CacheKey> Backoff<K> {
    pub(crate) fn new(first: Duration) -> Self {
        Self { first, failed: Cache::builder().max_capacity(MOST).time_to_live(2 * LONGEST).build() }
    }

    /// The failure that answers a call in place of a load.
    pub(crate) fn failure(&self, key: &K) -> Option<Failure> {
        let failed = self.failed.get(key)?;
        (clock::now() < failed.until && failed.standing.holds()).then(|| failed.failure.clone())
    }

    /// A load failed that was registered with `standing`.
    pub(crate) fn note(&self, key: &K, failure: &Failure, standing: &Standing) {
        if !is_of_the_origin(failure) {
            return;
        }
        let earlier = self.failed.get(key).filter(|failed| failed.standing.holds());
        let in_a_row = earlier.map_or(0, |failed| failed.in_a_row + 1);
        let pause = self.first.saturating_mul(1 << in_a_row.min(16)).min(LONGEST.max(self.first));
        let failed =
            Failed { failure: failure.clone(), standing: standing.clone(), until: clock::now() + pause, in_a_row };
        self.failed.insert(key.clone(), Arc::new(failed));
    }

    /// The key has a value again.
    pub(crate) fn forgive(&self, key: &K) {
        self.failed.invalidate(key);
    }
}

/// Whether asking again soon would hammer the origin.
fn is_of_the_origin(failure: &Failure) -> bool {
    match failure {
        Failure::Loader(_) => true,
        Failure::Cache(error) => matches!(error.kind(), ErrorKind::Panicked | ErrorKind::LoadTimeout),
        Failure::Abandoned => false,
    }
}
