//! What is asked for, and how often: few things very often, most of them rarely.

use cache_core::Answer;

use crate::{
    database::Database,
    service::{PlanId, ServiceError, UserId, plan, profile, quote, recommendations, usage},
};

/// A question to the service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Request {
    Plan(PlanId),
    Profile(UserId),
    Recommendations(UserId),
    Usage(UserId),
    Quote(PlanId, u32),
}

impl Request {
    /// Asks, and keeps only how it was answered.
    pub(crate) async fn ask(self, db: &Database) -> Result<Answer<()>, ServiceError> {
        Ok(match self {
            Self::Plan(plan) => plan::explain(db, plan).await.transpose()?.map(drop),
            Self::Profile(user) => profile::explain(db, user).await.transpose()?.map(drop),
            Self::Recommendations(user) => recommendations::explain(db, user).await.transpose()?.map(drop),
            Self::Usage(user) => usage::explain(db, user).await.transpose()?.map(drop),
            Self::Quote(plan, seats) => quote::explain(db, plan, seats).await.transpose()?.map(drop),
        })
    }

    /// All that there is to ask: 3,900 questions of five kinds.
    fn all() -> Vec<Self> {
        let plans = || (1..=100).map(PlanId);
        let users = || (1..=1_000).map(UserId);
        let seats = [1, 5, 10, 25, 50, 100, 250, 500];
        plans()
            .map(Self::Plan)
            .chain(users().map(Self::Profile))
            .chain(users().map(Self::Recommendations))
            .chain(users().map(Self::Usage))
            .chain(plans().flat_map(|plan| seats.map(|seats| Self::Quote(plan, seats))))
            .collect()
    }
}

/// All requests by popularity, after Zipf: the one of rank `n` is asked `n` times less often than the first.
pub(crate) struct Popularity {
    ranked: Vec<Request>,
    /// The sum of the weights up to each rank.
    cumulative: Vec<f64>,
}

impl Popularity {
    /// The same in every run: kinds, plans and users are mixed by chance, but by the same.
    pub(crate) fn new() -> Self {
        let mut ranked = Request::all();
        let mut dice = Dice::new(0);
        for last in (1..ranked.len()).rev() {
            ranked.swap(last, dice.below(last + 1));
        }
        let mut sum = 0.0;
        let cumulative = (1..=ranked.len()).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self { cumulative: cumulative.collect(), ranked }
    }

    /// How many different requests there are.
    pub(crate) fn len(&self) -> usize {
        self.ranked.len()
    }

    /// The first `count` of them.
    pub(crate) fn most_popular(&self, count: usize) -> Vec<Request> {
        self.ranked[..count].to_vec()
    }

    /// Draws one.
    pub(crate) fn draw(&self, dice: &mut Dice) -> Request {
        let all = self.cumulative[self.len() - 1];
        let point = dice.unit() * all;
        let rank = self.cumulative.partition_point(|sum| *sum <= point);
        self.ranked[rank.min(self.len() - 1)]
    }
}

/// Chance that is the same in every run (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Evenly spread over [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
