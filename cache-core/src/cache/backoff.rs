//! Keys whose loads fail are left alone for a while.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use moka::sync::Cache;
use tokio::time::Instant;

use super::CacheKey;
use crate::{clock, coherence::ledger::Standing, error::ErrorKind, load::Failure};

/// The last failures of a cache's keys. Made when the first is noted: most caches need none.
pub(crate) struct Backoff<K>(OnceLock<Cache<K, Arc<Failed>>>);

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

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<K: CacheKey> Backoff<K> {
    /// The failure that answers a call in place of a load.
    pub(crate) fn failure(&self, key: &K) -> Option<Failure> {
        let failed = self.0.get()?.get(key)?;
        (clock::now() < failed.until && failed.standing.holds()).then(|| failed.failure.clone())
    }

    /// A load failed that was registered with `standing`; `first` is the pause after a first failure.
    pub(crate) fn note(&self, key: &K, failure: &Failure, standing: &Standing, first: Duration) {
        if !is_of_the_origin(failure) {
            return;
        }
        let memory = || Cache::builder().max_capacity(MOST).time_to_live(2 * LONGEST).build();
        let noted = self.0.get_or_init(memory);
        let earlier = noted.get(key).filter(|failed| failed.standing.holds());
        let in_a_row = earlier.map_or(0, |failed| failed.in_a_row + 1);
        let pause = first.saturating_mul(1 << in_a_row.min(16)).min(LONGEST.max(first));
        let failed =
            Failed { failure: failure.clone(), standing: standing.clone(), until: clock::now() + pause, in_a_row };
        noted.insert(key.clone(), Arc::new(failed));
    }

    /// The key has a value again.
    pub(crate) fn forgive(&self, key: &K) {
        if let Some(noted) = self.0.get() {
            noted.invalidate(key);
        }
    }
}

/// Whether asking again soon would hammer the origin.
fn is_of_the_origin(failure: &Failure) -> bool {
    match failure {
        Failure::Loader(_) => true,
        Failure::Cache(error) => matches!(error.kind(), ErrorKind::Panicked | ErrorKind::LoadTimeout),
        Failure::Missing | Failure::Abandoned => false,
    }
}
