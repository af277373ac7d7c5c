//! Contenders that take turns, so that both meet the same machine.

use crate::{cpu_time, in_tasks};

/// What calls took, in microseconds for each.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// From the first to the last of them, divided by their number.
    pub time: f64,
    /// Of all threads of this process.
    pub cpu: f64,
}

impl Took {
    /// Runs them, as [`in_tasks`] does. Nothing else may run in this process meanwhile.
    ///
    /// # Panics
    /// If a call does.
    pub async fn by<F>(tasks: u64, turns: u64, call: impl Fn(u64) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let before = cpu_time();
        let time = in_tasks(tasks, turns, call).await;
        let cpu = cpu_time() - before;
        let each = 1e6 / (tasks * turns) as f64;
        Self { time: time.as_secs_f64() * each, cpu: cpu.as_secs_f64() * each }
    }
}

/// Rounds of two contenders: what the cache is compared with, and the cache.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<(Took, Took)>);

impl Rounds {
    /// Adds a round.
    pub fn add(&mut self, yardstick: Took, cache: Took) {
        self.0.push((yardstick, cache));
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The median of what each round comes to. A ratio is to be made within the round.
    ///
    /// # Panics
    /// If there was no round.
    pub fn median(&self, of: impl Fn(Took, Took) -> f64) -> f64 {
        let mut all: Vec<_> = self.0.iter().map(|(yardstick, cache)| of(*yardstick, *cache)).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_made_within_its_round() {
        let took = |time| Took { time, cpu: 1.0 };
        let mut rounds = Rounds::default();
        // The machine was slow in the second one.
        for slow in [1.0, 9.0, 1.0] {
            rounds.add(took(2.0 * slow), took(3.0 * slow));
        }
        assert_eq!(rounds.median(|yardstick, cache| cache.time / yardstick.time), 1.5);
        assert_eq!(rounds.median(|_, cache| cache.time), 3.0);
    }
}
