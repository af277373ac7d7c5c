//! The load: hundreds of tasks that ask at once, and how long each answer took.

use std::{collections::HashMap, sync::Arc, time::Duration};

use cache_core::{Source, clock};
use tokio::task::{JoinSet, yield_now};

use crate::{
    database::Database,
    popularity::{Dice, Popularity},
    service::ServiceError,
};

pub(crate) const TASKS: u64 = 256;
const REQUESTS_PER_TASK: usize = 1_000;

/// What came of it.
pub(crate) struct Load {
    pub(crate) latencies: Latencies,
    pub(crate) took: Duration,
    /// Queries that reached the database meanwhile.
    pub(crate) queries: u64,
    /// How long they ran, all together.
    pub(crate) busy: Duration,
}

/// Runs it.
pub(crate) async fn run(db: &Database, popularity: &Arc<Popularity>) -> Result<Load, ServiceError> {
    let (started, queries, busy) = (clock::now(), db.queries(), db.busy());
    let mut tasks = JoinSet::new();
    for task in 1..=TASKS {
        tasks.spawn(ask_on(db.clone(), Arc::clone(popularity), Dice::new(task)));
    }
    let mut latencies = Latencies::default();
    while let Some(done) = tasks.join_next().await {
        latencies.add_all(done.expect("no task panics")?);
    }
    let took = clock::now() - started;
    latencies.sort();
    Ok(Load { latencies, took, queries: db.queries() - queries, busy: db.busy() - busy })
}

async fn ask_on(db: Database, popularity: Arc<Popularity>, mut dice: Dice) -> Result<Latencies, ServiceError> {
    let mut latencies = Latencies::default();
    for _ in 0..REQUESTS_PER_TASK {
        let request = popularity.draw(&mut dice);
        let asked = clock::now();
        let answer = request.ask(&db).await?;
        latencies.add(answer.source, clock::now() - asked);
        // Requests of a server take turns; a hit by itself never gives way.
        yield_now().await;
    }
    Ok(latencies)
}

/// Latencies by where the answer came from.
#[derive(Default)]
pub(crate) struct Latencies(HashMap<Source, Vec<Duration>>);

impl Latencies {
    fn add(&mut self, source: Source, latency: Duration) {
        self.0.entry(source).or_default().push(latency);
    }

    fn add_all(&mut self, others: Self) {
        for (source, latencies) in others.0 {
            self.0.entry(source).or_default().extend(latencies);
        }
    }

    fn sort(&mut self) {
        self.0.values_mut().for_each(|latencies| latencies.sort_unstable());
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// How many were answered from there.
    pub(crate) fn count(&self, source: Source) -> usize {
        self.of(source).len()
    }

    /// The share of requests that were answered from there.
    pub(crate) fn share(&self, source: Source) -> f64 {
        self.count(source) as f64 / self.requests() as f64
    }

    /// The latency that this share of the answers from there did not exceed.
    pub(crate) fn quantile(&self, source: Source, share: f64) -> Option<Duration> {
        let sorted = self.of(source);
        let rank = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }

    fn of(&self, source: Source) -> &[Duration] {
        self.0.get(&source).map_or(&[], Vec::as_slice)
    }
}
