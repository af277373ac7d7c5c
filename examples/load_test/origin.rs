//! What the cache is in front of: a store that takes a few milliseconds for each load.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::sleep;

pub(crate) struct Origin {
    versions: Vec<AtomicU64>,
    /// Of each key: the share of the calls that are for it or for one that is more popular.
    popularity: Vec<f64>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Origin {
    pub(crate) fn new(keys: usize) -> Self {
        let mut sum = 0.0;
        let mut popularity: Vec<f64> = (1..=keys)
            .map(|rank| {
                sum += (rank as f64).powf(-0.99);
                sum
            })
            .collect();
        popularity.iter_mut().for_each(|share| *share /= sum);
        let versions = (0..keys).map(|_| AtomicU64::new(0)).collect();
        Self { versions, popularity, running: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    /// A key by Zipf's law; `unit` is evenly spread over [0, 1).
    pub(crate) fn popular(&self, unit: f64) -> usize {
        self.popularity.partition_point(|share| *share <= unit).min(self.versions.len() - 1)
    }

    pub(crate) async fn load(&self, key: usize) -> Result<u64, Infallible> {
        let _running = Running::new(self);
        let version = self.versions[key].load(Relaxed);
        sleep(Duration::from_millis(3 + key as u64 % 5)).await;
        Ok(version)
    }

    pub(crate) fn change(&self, key: usize) {
        self.versions[key].fetch_add(1, Relaxed);
    }

    /// The most loads that ran at once since this was last asked.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.swap(self.running.load(Relaxed), Relaxed)
    }
}

/// A load that runs; one may be cancelled.
struct Running<'a>(&'a Origin);

impl<'a> Running<'a> {
    fn new(origin: &'a Origin) -> Self {
        let running = origin.running.fetch_add(1, Relaxed) + 1;
        origin.most.fetch_max(running, Relaxed);
        Self(origin)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}

/// Numbers that look random: the SplitMix64 generator of Steele, Lea and Flood (2014).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// Evenly spread over [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
