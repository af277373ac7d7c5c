//! Warming a cache before it is asked: at start, on a schedule, on an event, by prediction.
//!
//! A [`Warmer`] is a named hook: one async function that yields what to warm, and one that warms each item by an ordinary
//! read. So a warmed entry comes by the same path as any other: one load in the fleet, nothing over a newer entry, nothing
//! loaded that is there.
//!
//! ```
//! use cache_core::{Stack, warm::Warmer};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stack = Stack::builder("shop").build().await?;
//! let plans = stack.cache::<u32, String>("plan").build()?;
//!
//! let reader = plans.clone();
//! let popular = Warmer::new("popular-plans", || async { Ok::<_, std::io::Error>(1..=200) }, move |id: u32| {
//!     let plans = reader.clone();
//!     async move { plans.at(&id).get_with(|_| async move { format!("plan {id}") }).await }
//! });
//! stack.register(popular.concurrency(8))?;
//!
//! let report = stack.warm("popular-plans").await?;
//! assert_eq!((report.warmed, report.skipped, report.failed), (200, 0, 0));
//! # Ok(())
//! # }
//! ```

use std::{
    collections::BTreeMap,
    fmt::Display,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::timeout_at};

use crate::{
    answer::{Answer, Source},
    clock,
    error::{Error, ErrorKind, Result},
    stack::Stack,
};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Item = Box<dyn FnOnce() -> BoxFuture<Result<Source, String>> + Send>;
type Plan = Arc<dyn Fn() -> BoxFuture<Result<Vec<Item>, String>> + Send + Sync>;

/// A named hook that warms a cache. Cheap to clone.
#[derive(Clone)]
pub struct Warmer {
    name: Arc<str>,
    plan: Plan,
    concurrency: usize,
    deadline: Duration,
}

impl Warmer {
    /// `items` says what to warm, `warm` warms one of them by an ordinary read, whose [`Answer`] tells whether anything was
    /// loaded.
    pub fn new<I, S, SFut, SErr, W, WFut, V, WErr>(name: impl Into<Arc<str>>, items: S, warm: W) -> Self
    where
        S: Fn() -> SFut + Send + Sync + 'static,
        SFut: Future<Output = Result<I, SErr>> + Send + 'static,
        SErr: Display,
        I: IntoIterator<Item: Send + 'static>,
        W: Fn(I::Item) -> WFut + Send + Sync + 'static,
        WFut: Future<Output = Result<Answer<V>, WErr>> + Send + 'static,
        WErr: Display,
    {
        let warm = Arc::new(warm);
        let plan = move || {
            let listing = items();
            let warm = Arc::clone(&warm);
            let plan = async move {
                let items = listing.await.map_err(|error| error.to_string())?;
                Ok(items.into_iter().map(|item| prepare(&warm, item)).collect())
            };
            Box::pin(plan) as BoxFuture<_>
        };
        Self { name: name.into(), plan: Arc::new(plan), concurrency: 16, deadline: Duration::from_secs(60) }
    }

    /// How many items are warmed at once. Default: 16; at least 1.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// The longest that one run takes, listing included; what is not warmed then counts as failed. Default: 60 s.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts a run in the background. Must be called in a tokio runtime.
    #[must_use = "dropping the run cancels it"]
    pub fn start(&self) -> WarmUp {
        let progress = watch::Sender::new(Progress::default());
        let watched = progress.subscribe();
        let warmer = self.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { warmer.run(&progress).await });
        WarmUp { tasks, progress: watched, name: Arc::clone(&self.name) }
    }

    async fn run(&self, progress: &watch::Sender<Progress>) -> Result<Report> {
        let started = clock::now();
        let end = started + self.deadline.min(LONGEST);
        let items = match timeout_at(end, (self.plan)()).await {
            Ok(Ok(items)) => items,
            Ok(Err(why)) => return Err(self.failed(ErrorKind::Unavailable, &why)),
            Err(_) => return Err(self.failed(ErrorKind::Timeout, "the list was not there by the deadline")),
        };
        progress.send_modify(|progress| progress.total = items.len());
        let mut report = Report::new(Arc::clone(&self.name));
        let warming = self.warm_all(items, progress, &mut report);
        let in_time = timeout_at(end, warming).await.is_ok();
        report.close(*progress.borrow(), in_time, clock::now() - started);
        Ok(report)
    }

    async fn warm_all(&self, items: Vec<Item>, progress: &watch::Sender<Progress>, report: &mut Report) {
        let mut items = items.into_iter();
        let mut warming = JoinSet::new();
        loop {
            while warming.len() < self.concurrency
                && let Some(item) = items.next()
            {
                warming.spawn(item());
            }
            let Some(warmed) = warming.join_next().await else { return };
            let outcome = warmed.unwrap_or_else(|_| Err("the item's task panicked".to_owned()));
            progress.send_modify(|progress| progress.count(&outcome));
            if let Err(why) = outcome {
                report.first_error.get_or_insert(why);
            }
        }
    }

    fn failed(&self, kind: ErrorKind, why: &str) -> Error {
        Error::new(kind, "warm").context(format!("warmer `{}`: {why}", self.name))
    }
}

fn prepare<T, W, WFut, V, WErr>(warm: &Arc<W>, item: T) -> Item
where
    T: Send + 'static,
    W: Fn(T) -> WFut + Send + Sync + 'static,
    WFut: Future<Output = Result<Answer<V>, WErr>> + Send + 'static,
    WErr: Display,
{
    let warm = Arc::clone(warm);
    Box::new(move || {
        let warming = warm(item);
        Box::pin(async move { warming.await.map(|answer| answer.source).map_err(|error| error.to_string()) })
    })
}

/// Further than any run goes, and no further than a clock does.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A run under way. Dropping it cancels what is left; what is warm stays.
#[derive(Debug)]
pub struct WarmUp {
    tasks: JoinSet<Result<Report>>,
    progress: watch::Receiver<Progress>,
    name: Arc<str>,
}

impl WarmUp {
    /// How far it is; the receiver can be awaited for changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The list could not be had ([`ErrorKind::Unavailable`]), not by the deadline ([`ErrorKind::Timeout`]), or it panicked
    /// ([`ErrorKind::Panicked`]). Items that fail are no error: the report counts them.
    pub async fn report(mut self) -> Result<Report> {
        match self.tasks.join_next().await {
            Some(Ok(result)) => result,
            _ => Err(Error::new(ErrorKind::Panicked, "warm").context(format!("warmer `{}`", self.name))),
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Items to warm; zero until they are listed.
    pub total: usize,
    /// Loaded by this run, or by a load that it joined.
    pub warmed: usize,
    /// Warm already, here or in L2.
    pub skipped: usize,
    /// Not warmed.
    pub failed: usize,
}

impl Progress {
    fn count(&mut self, outcome: &Result<Source, String>) {
        match outcome {
            Ok(Source::Loaded | Source::Joined) => self.warmed += 1,
            Ok(Source::L1 | Source::L2 | Source::Stale) => self.skipped += 1,
            // A default is no value that anything was warmed with.
            Ok(Source::Default) | Err(_) => self.failed += 1,
        }
    }

    fn done(&self) -> usize {
        self.warmed + self.skipped + self.failed
    }
}

/// What a run did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The warmer.
    pub name: Arc<str>,
    /// Items loaded by this run, or by a load that it joined.
    pub warmed: usize,
    /// Items that were warm already, here or in L2.
    pub skipped: usize,
    /// Items that could not be warmed, and those that the deadline cut off.
    pub failed: usize,
    /// What the first failed item said.
    pub first_error: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    fn new(name: Arc<str>) -> Self {
        Self { name, warmed: 0, skipped: 0, failed: 0, first_error: None, took: Duration::ZERO }
    }

    fn close(&mut self, progress: Progress, in_time: bool, took: Duration) {
        (self.warmed, self.skipped, self.failed) = (progress.warmed, progress.skipped, progress.failed);
        self.failed += progress.total - progress.done();
        self.took = took;
        if !in_time {
            self.first_error.get_or_insert_with(|| "the deadline came first".to_owned());
        }
    }
}

/// The warmers of a stack, by name.
#[derive(Default)]
pub(crate) struct Warmers(Mutex<BTreeMap<Arc<str>, Warmer>>);

impl Stack {
    /// Registers a warmer, to be run by its name or with all others.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if one of its name is registered.
    pub fn register(&self, warmer: Warmer) -> Result<()> {
        let mut warmers = self.warmers();
        if warmers.contains_key(&warmer.name) {
            let context = format!("a warmer named `{}` is registered already", warmer.name);
            return Err(Error::new(ErrorKind::Config, "register").context(context));
        }
        warmers.insert(Arc::clone(&warmer.name), warmer);
        Ok(())
    }

    /// Runs the warmer of this name now.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there is none, and those of [`WarmUp::report`].
    ///
    /// # Cancellation
    /// Dropping the future ends the run; what is warm stays.
    pub async fn warm(&self, name: &str) -> Result<Report> {
        let warmer = self.warmers().get(name).cloned();
        let warmer = warmer.ok_or_else(|| {
            Error::new(ErrorKind::Config, "warm").context(format!("no warmer is named `{name}`; register it first"))
        })?;
        warmer.start().report().await
    }

    /// Runs all warmers, one after the other in the order of their names, as at start. One that fails as a whole does not
    /// keep the others from running.
    ///
    /// # Cancellation
    /// Dropping the future ends the run under way; what is warm stays.
    pub async fn warm_all(&self) -> Vec<Result<Report>> {
        let warmers: Vec<Warmer> = self.warmers().values().cloned().collect();
        let mut reports = Vec::with_capacity(warmers.len());
        for warmer in warmers {
            reports.push(warmer.start().report().await);
        }
        reports
    }

    fn warmers(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Warmer>> {
        self.inner().warmers.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
