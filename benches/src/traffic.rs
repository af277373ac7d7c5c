//! Which key is asked for next.

use crate::random::{Random, Zipf};

/// A sequence of requests, each for one of a number of keys. It is drawn beforehand, so that drawing is not measured, and
/// the same in every run.
#[derive(Clone, Debug)]
pub struct Traffic {
    keys: usize,
    requests: Vec<usize>,
}

/// How many requests there are before they repeat.
const REQUESTS: usize = 1 << 16;

impl Traffic {
    /// 256 keys, each asked for as often as any other: they stay in the processor's own caches.
    #[must_use]
    pub fn hot() -> Self {
        let mut random = Random::new(256);
        let keys = 256;
        Self { keys, requests: (0..REQUESTS).map(|_| random.below(keys)).collect() }
    }

    /// 10,000 keys, asked for by a Zipf distribution of exponent 0.99. Popular keys do not lie side by side.
    #[must_use]
    pub fn zipf() -> Self {
        Self::zipf_over(10_000)
    }

    /// The same with another number of keys.
    #[must_use]
    pub fn zipf_over(keys: usize) -> Self {
        let mut random = Random::new(keys as u64);
        let mut by_rank: Vec<_> = (0..keys).collect();
        random.shuffle(&mut by_rank);
        let zipf = Zipf::new(keys, 0.99);
        Self { keys, requests: (0..REQUESTS).map(|_| by_rank[zipf.sample(&mut random)]).collect() }
    }

    /// How many keys there are. Requests are for `0..keys()`.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// After how many requests they repeat.
    #[must_use]
    pub const fn drawn(&self) -> usize {
        self.requests.len()
    }

    /// The requests, over and over.
    pub fn requests(&self) -> impl Iterator<Item = usize> + '_ {
        self.requests.iter().copied().cycle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_for_keys_that_there_are() {
        for traffic in [Traffic::hot(), Traffic::zipf(), Traffic::zipf_over(100_000)] {
            assert!(traffic.requests().take(REQUESTS).all(|key| key < traffic.keys()));
        }
    }

    #[test]
    fn every_hot_key_is_asked_for() {
        let traffic = Traffic::hot();
        let mut asked = vec![false; traffic.keys()];
        traffic.requests().take(REQUESTS).for_each(|key| asked[key] = true);
        assert!(asked.into_iter().all(|asked| asked));
    }
}
