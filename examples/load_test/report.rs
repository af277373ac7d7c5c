//! What users noticed, second by second, and over the three phases.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_core::Stats;

/// Seconds of a run whose hit rate is judged: a shorter one finds most entries cold, twice.
const LONG: usize = 55;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Before,
    Away,
    Back,
}

/// One second.
#[derive(Clone)]
pub(crate) struct Second {
    pub(crate) phase: Phase,
    pub(crate) stats: Stats,
    /// How long each call took.
    pub(crate) took: Vec<Duration>,
    pub(crate) failed: usize,
    /// The most loads at once.
    pub(crate) loads: usize,
}

pub(crate) struct Report(Mutex<State>);

struct State {
    phase: Phase,
    took: Vec<Duration>,
    failed: usize,
    seconds: Vec<Second>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { phase: Phase::Before, took: Vec::new(), failed: 0, seconds: Vec::new() }))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    pub(crate) fn called(&self, took: Duration, succeeded: bool) {
        let mut state = self.state();
        state.took.push(took);
        state.failed += usize::from(!succeeded);
    }

    pub(crate) fn second(&self, stats: Stats, loads: usize) {
        let state = &mut *self.state();
        let (took, failed) = (std::mem::take(&mut state.took), std::mem::take(&mut state.failed));
        state.seconds.push(Second { phase: state.phase, stats, took, failed, loads });
    }

    pub(crate) fn seconds(&self) -> Vec<Second> {
        self.state().seconds.clone()
    }

    pub(crate) fn print(&self, users: usize) {
        println!("{users} users");
        println!("| phase | calls | answered | hit rate | loads | at once | p50 | p95 | p99 |");
        println!("|---|---|---|---|---|---|---|---|---|");
        let seconds = self.seconds();
        for (name, phase) in [("before", Phase::Before), ("Redis away", Phase::Away), ("Redis back", Phase::Back)] {
            let of_it: Vec<_> = seconds.iter().filter(|second| second.phase == phase).collect();
            println!("| {name} {}", Summary::of(&of_it).row());
        }
        println!("| in all {}", Summary::of(&seconds.iter().collect::<Vec<_>>()).row());
    }

    /// Whether it was as promised.
    pub(crate) fn check(&self, max_loads: usize, deadline: Duration) -> Result<(), String> {
        let seconds = self.seconds();
        let all = Summary::of(&seconds.iter().collect::<Vec<_>>());
        let is_mostly_cold = seconds.len() < LONG;
        let kept = [
            (all.failed == 0, "a call was not answered"),
            (is_mostly_cold || all.stats.hit_rate() > 0.9, "the hit rate is not above 90 %"),
            (all.loads <= max_loads, "more loads ran at once than the bulkhead lets"),
            (all.part(95) <= deadline, "the 95th percentile is beyond the deadline"),
        ];
        kept.iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, broken)| Err((*broken).to_owned()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Several seconds.
struct Summary {
    stats: Stats,
    /// In order.
    took: Vec<Duration>,
    failed: usize,
    loads: usize,
}

impl Summary {
    fn of(seconds: &[&Second]) -> Self {
        let mut took: Vec<_> = seconds.iter().flat_map(|second| second.took.iter().copied()).collect();
        took.sort_unstable();
        Self {
            stats: seconds.iter().map(|second| second.stats).sum(),
            took,
            failed: seconds.iter().map(|second| second.failed).sum(),
            loads: seconds.iter().map(|second| second.loads).max().unwrap_or_default(),
        }
    }

    fn part(&self, of_a_hundred: usize) -> Duration {
        self.took.get(self.took.len() * of_a_hundred / 100).copied().unwrap_or_default()
    }

    fn row(&self) -> String {
        let calls = self.took.len();
        let answered = 100.0 * (calls - self.failed) as f64 / calls.max(1) as f64;
        let millis = |of_a_hundred| self.part(of_a_hundred).as_secs_f64() * 1e3;
        format!(
            "| {calls} | {answered:.3} % | {:.1} % | {} | {} | {:.2} ms | {:.2} ms | {:.2} ms |",
            100.0 * self.stats.hit_rate(),
            self.stats.loads,
            self.loads,
            millis(50),
            millis(95),
            millis(99),
        )
    }
}

impl Second {
    /// The time that 95 of 100 calls took at most.
    pub(crate) fn p95(&self) -> Duration {
        Summary::of(&[self]).part(95)
    }
}
