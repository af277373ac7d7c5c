//! How often a key is still there when it is asked for again.

use std::iter;

use cache_core::{Cache, CacheKey, L1, Stack};

use crate::{
    random::{Random, Zipf},
    tasks::single_threaded,
};

/// An endless sequence of requests for keys, the same in every run. Its numbers are in proportion to the capacity of the cache
/// that is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    /// Ten times as many keys as there is room for, by a Zipf distribution of exponent 0.99.
    Zipf,
    /// The same, with every fourth request for a key that is asked for once.
    ScanAmongZipf,
    /// The same as `Zipf`, interrupted by scans twice as long as there is room for.
    ScansBetweenZipf,
    /// Round and round over a fifth more keys than there is room for.
    Loop,
    /// Zipf over twice as many keys as there is room for; now and then half as many of the keys are replaced by new ones.
    ShiftingHotSet,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Zipf, Self::ScanAmongZipf, Self::ScansBetweenZipf, Self::Loop, Self::ShiftingHotSet];

    /// The requests to a cache of this capacity.
    #[must_use]
    pub fn requests(self, capacity: u64) -> Box<dyn Iterator<Item = u64>> {
        let mut random = Random::new(capacity);
        let mut scanned = u64::MAX / 2;
        let mut scan = move || {
            scanned += 1;
            scanned
        };
        match self {
            Self::Zipf => zipf(10 * capacity, random),
            Self::ScanAmongZipf => {
                let mut zipf = zipf(10 * capacity, random.clone());
                Box::new(iter::from_fn(move || if random.below(4) == 0 { Some(scan()) } else { zipf.next() }))
            }
            Self::ScansBetweenZipf => {
                let phases = zipf(10 * capacity, random).zip(0..);
                let is_scan = move |time: u64| time / (2 * capacity) % 4 == 3;
                Box::new(phases.map(move |(key, time)| if is_scan(time) { scan() } else { key }))
            }
            Self::Loop => Box::new((0..capacity + capacity / 5).cycle()),
            Self::ShiftingHotSet => {
                let shifts = zipf(2 * capacity, random).zip(0..);
                Box::new(shifts.map(move |(key, time)| key + time / (20 * capacity) * (capacity / 2)))
            }
        }
    }
}

fn zipf(keys: u64, mut random: Random) -> Box<dyn Iterator<Item = u64>> {
    let zipf = Zipf::new(usize::try_from(keys).expect("fewer keys than bytes of memory"), 0.99);
    Box::new(iter::from_fn(move || Some(zipf.sample(&mut random) as u64)))
}

/// Hits in a hundred requests.
#[derive(Clone, Copy, Debug)]
pub struct Ratios {
    /// Of moka alone.
    pub moka: f64,
    /// Of a stack of L1 alone.
    pub ours: f64,
}

/// Asks both caches, of the same capacity in entries, for the same keys; what is not there is stored.
#[must_use]
pub fn ratios(workload: Workload, capacity: u64, requests: usize) -> Ratios {
    let moka = moka::sync::Cache::new(capacity);
    let of_moka = workload.requests(capacity).take(requests).filter(|key| {
        let is_hit = moka.get(key).is_some();
        if !is_hit {
            moka.insert(*key, ());
        }
        is_hit
    });
    let percent = |hits: usize| 100.0 * hits as f64 / requests as f64;
    let of_moka = percent(of_moka.count());
    let of_ours = single_threaded().block_on(async {
        let stack = Stack::builder("ratio").l1(L1::entries(capacity)).build().await.expect("valid settings");
        let cache = stack.cache("key").build().expect("valid settings");
        let mut hits = 0;
        for key in workload.requests(capacity).take(requests) {
            hits += usize::from(is_hit(&cache, key).await);
        }
        percent(hits)
    });
    Ratios { moka: of_moka, ours: of_ours }
}

async fn is_hit<K: CacheKey>(cache: &Cache<K, ()>, key: K) -> bool {
    let is_hit = cache.contains_key(&key).await;
    if !is_hit {
        cache.insert(&key, ()).await.expect("without an L2 nothing can fail");
    }
    is_hit
}
