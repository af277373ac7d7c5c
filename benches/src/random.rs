//! Numbers that look random and are the same in every run.

/// The SplitMix64 generator of Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// One of `0..end`; the bias is below `end / 2^64`.
    pub fn below(&mut self, end: usize) -> usize {
        let product = u128::from(self.bits()) * end as u128;
        usize::try_from(product >> 64).expect("less than `end`")
    }

    /// Evenly spread over [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Puts `items` into any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Ranks of which the one at `r` (from 0) is drawn in proportion to `1 / (r + 1)^exponent`.
#[derive(Clone, Debug)]
pub struct Zipf {
    /// Of each rank: the share of itself and all before it.
    cumulative: Vec<f64>,
}

impl Zipf {
    /// A distribution over `0..ranks`.
    ///
    /// # Panics
    /// If there is no rank.
    #[must_use]
    pub fn new(ranks: usize, exponent: f64) -> Self {
        let mut cumulative = Vec::with_capacity(ranks);
        let mut sum = 0.0;
        for rank in 1..=ranks {
            sum += (rank as f64).powf(-exponent);
            cumulative.push(sum);
        }
        assert!(sum > 0.0, "a distribution has at least one rank");
        for share in &mut cumulative {
            *share /= sum;
        }
        Self { cumulative }
    }

    /// Draws a rank.
    pub fn sample(&self, random: &mut Random) -> usize {
        let draw = random.unit();
        // The last share may be rounded to less than 1.
        self.cumulative.partition_point(|&share| share <= draw).min(self.cumulative.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!(
            [random.bits(), random.bits(), random.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn ranks_are_drawn_as_often_as_the_distribution_says() {
        const DRAWS: u32 = 1_000_000;
        let (zipf, mut random) = (Zipf::new(10_000, 0.99), Random::new(1));
        let mut drawn = vec![0u32; 10_000];
        for _ in 0..DRAWS {
            drawn[zipf.sample(&mut random)] += 1;
        }
        let total: f64 = (1..=10_000).map(|rank| f64::from(rank).powf(-0.99)).sum();
        for rank in [1u32, 2, 10, 100] {
            let expected = f64::from(DRAWS) * f64::from(rank).powf(-0.99) / total;
            let got = f64::from(drawn[rank as usize - 1]);
            assert!((got - expected).abs() < 6.0 * expected.sqrt(), "rank {rank}: {got}, not {expected}");
        }
    }

    #[test]
    fn a_shuffle_loses_nothing() {
        let mut items: Vec<_> = (0..1_000).collect();
        Random::new(1).shuffle(&mut items);
        assert!(!items.is_sorted());
        items.sort_unstable();
        assert!(items.into_iter().eq(0..1_000));
    }
}
