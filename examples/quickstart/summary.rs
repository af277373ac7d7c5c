//! What the run has shown, in numbers, and whether every promise was kept.

use std::{fmt, time::Duration};

use cache_core::{Source, warm::Report};

use crate::{
    WARMED,
    database::CONNECTIONS,
    load::{Load, TASKS},
    stampede::{CALLERS, Stampede},
    update::Update,
};

pub(crate) struct Summary {
    /// The backend of L2.
    pub(crate) l2: &'static str,
    /// Different things to ask for.
    pub(crate) keys: usize,
    pub(crate) warm_up: Report,
    pub(crate) load: Load,
    pub(crate) update: Update,
    pub(crate) stampede: Stampede,
}

const SOURCES: [(Source, &str); 4] =
    [(Source::L1, "L1"), (Source::L2, "L2"), (Source::Loaded, "loaded"), (Source::Joined, "joined a load")];

impl Summary {
    /// What was promised and not kept; empty if all is well.
    pub(crate) fn broken_promises(&self) -> Vec<String> {
        let (hit_rate, queries) = (self.hit_rate(), self.queries());
        let Report { warmed, skipped, took, first_error, .. } = &self.warm_up;
        let promises = [
            (hit_rate > 0.9, format!("the hit rate is {}, not above 90 %", percent(hit_rate))),
            (queries * 10 < self.requests(), format!("{queries} queries are not below 10 % of the requests")),
            (self.stampede.loads == 1, format!("the stampede made {} loads, not 1", self.stampede.loads)),
            (
                warmed + skipped == WARMED && (self.is_shared() || *skipped == 0),
                format!("{warmed} entries were warmed and {skipped} skipped, not {WARMED} warmed: {first_error:?}"),
            ),
            (*took < Duration::from_secs(3), format!("the warm-up took {}, not below 3 s", time(*took))),
            (self.update.stale == 0, format!("{} reads after an invalidation were stale", self.update.stale)),
        ];
        promises.into_iter().filter_map(|(kept, otherwise)| (!kept).then_some(otherwise)).collect()
    }

    /// Whether L2 may have entries of an earlier run.
    fn is_shared(&self) -> bool {
        self.l2 != "memory"
    }

    fn requests(&self) -> u64 {
        self.load.latencies.requests() as u64
    }

    /// Requests that were answered from a tier; those that waited for a load are no hits.
    fn hit_rate(&self) -> f64 {
        self.load.latencies.share(Source::L1) + self.load.latencies.share(Source::L2)
    }

    /// Those of the warm-up count too.
    fn queries(&self) -> u64 {
        self.load.queries + self.warm_up.warmed as u64
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { l2, keys, warm_up, load, update, stampede } = self;
        let (requests, took) = (self.requests(), load.took.as_secs_f64());
        let (all, per_second) = (count(requests), count((requests as f64 / took) as u64));
        writeln!(f, "{all} requests by {TASKS} tasks for {} things of 5 kinds; L2 is {l2}", count(*keys as u64))?;
        writeln!(f, "took {}: {per_second} per second\n", time(load.took))?;
        self.table(f)?;

        writeln!(f, "\nhit rate   {} were answered by L1 or L2", percent(self.hit_rate()))?;
        let queries = self.queries();
        let spared = requests.saturating_sub(queries);
        let share = percent(spared as f64 / requests as f64);
        writeln!(f, "database   {} queries, {} ({share}) spared", count(queries), count(spared))?;
        let each = time(load.busy.div_f64(load.queries.max(1) as f64));
        writeln!(f, "           {each} each; the rest of a load is the wait for one of {CONNECTIONS} connections")?;
        let Report { warmed, skipped, took, .. } = warm_up;
        writeln!(f, "warm-up    {warmed} loaded and {skipped} found in L2 within {}", time(*took))?;
        let Stampede { loads, joined } = stampede;
        let (callers, joined) = (count(CALLERS as u64), count(*joined as u64));
        writeln!(f, "stampede   {callers} callers at once on a cold key: {loads} load, {joined} waited for it")?;
        let Update { changes, stale } = update;
        writeln!(f, "update     {changes} changes of a price, each invalidated by tag: {stale} stale reads")
    }
}

impl Summary {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14}{:>9}{:>9}{:>11}{:>11}{:>11}", "answered from", "requests", "share", "p50", "p95", "p99")?;
        for (source, name) in SOURCES {
            let latencies = &self.load.latencies;
            let (requests, share) = (count(latencies.count(source) as u64), percent(latencies.share(source)));
            let [p50, p95, p99] =
                [0.5, 0.95, 0.99].map(|share| latencies.quantile(source, share).map_or("-".to_owned(), time));
            writeln!(f, "{name:<14}{requests:>9}{share:>9}{p50:>11}{p95:>11}{p99:>11}")?;
        }
        Ok(())
    }
}

/// With its thousands set apart.
fn count(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        _ => format!("{},{:03}", self::count(count / 1_000), count % 1_000),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// With three significant digits or so.
fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        1.0.. => format!("{seconds:.2} s"),
        1e-3.. => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{:.1} µs", seconds * 1e6),
    }
}
