//! One run of a loader: its own options, deadline, panics, and the guard against a loader that waits for itself.

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    cache::{CacheKey, CacheValue},
    coherence::table::OperationId,
    entry::EntryRef,
    error::{Error, ErrorKind},
};

/// Handed to a loader, so that it can say how its value is to be kept. A cheap clone of an `Arc`.
///
/// What it is told counts when the loader ends with a value; afterwards it has no effect.
#[derive(Clone, Default)]
pub struct Load {
    wishes: Arc<Mutex<Wishes>>,
}

/// The longest validator that is kept, in bytes.
const MAX_VALIDATOR: usize = 1024;

/// What a loader asked for.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) tags: Vec<String>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) no_store: bool,
    pub(crate) validator: Option<Box<str>>,
    pub(crate) is_unchanged: bool,
    earlier: Option<Box<dyn Earlier>>,
    /// Set for one that shares its load with others. To be called if it has to wait before it comes to that.
    when_late: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// The entry that a load is to replace.
pub(crate) trait Earlier: Send + Sync {
    fn value(&self) -> &dyn Any;
    fn validator(&self) -> Option<&str>;
}

impl<K: CacheKey, V: CacheValue> Earlier for EntryRef<K, V> {
    fn value(&self) -> &dyn Any {
        &self.value
    }

    fn validator(&self) -> Option<&str> {
        self.origin.validator()
    }
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").finish_non_exhaustive()
    }
}

impl Load {
    /// Adds a tag to the entry, beside those that the call names.
    ///
    /// If any tag of the namespace was invalidated while the load ran, L2 can't know whether this one was: the value is
    /// then returned but not stored there. A tag that the call itself can name ([`At::tag`](crate::At::tag)) is always
    /// told apart.
    pub fn tag(&self, tag: impl Into<String>) {
        self.with(|wishes| wishes.tags.push(tag.into()));
    }

    /// Replaces the time to live of this entry, at most 100 years. One below a millisecond stores nothing.
    pub fn ttl(&self, ttl: Duration) {
        self.with(|wishes| wishes.ttl = Some(ttl));
    }

    /// The value is returned to all who wait for it, and stored in no tier.
    pub fn no_store(&self) {
        self.with(|wishes| wishes.no_store = true);
    }

    /// The value that this load is to replace: one that is due for a [refresh ahead](crate::Policy::refresh_ahead) or past its
    /// time to live, inside a stale window. None if there is none, if it was invalidated, or if `V` is not the cache's type.
    #[must_use]
    pub fn previous<V: Clone + 'static>(&self) -> Option<V> {
        self.with(|wishes| wishes.earlier.as_ref()?.value().downcast_ref().cloned())
    }

    /// The [validator](Self::set_validator) of the [previous](Self::previous) value, for a conditional request.
    #[must_use]
    pub fn validator(&self) -> Option<String> {
        self.with(|wishes| wishes.earlier.as_ref()?.validator().map(str::to_owned))
    }

    /// Keeps the origin's name for the content, such as an HTTP `ETag`, with the value in every tier. At most 1 KiB, or it is
    /// not kept.
    pub fn set_validator(&self, validator: impl Into<String>) {
        let validator = validator.into();
        self.with(|wishes| wishes.validator = (validator.len() <= MAX_VALIDATOR).then(|| validator.into()));
    }

    /// The [previous](Self::previous) value, to be returned by a loader whose origin says that it still holds. It is stored
    /// for another time to live, with its validator and its tags.
    #[must_use]
    pub fn not_modified<V: Clone + 'static>(&self) -> Option<V> {
        let previous = self.previous()?;
        self.with(|wishes| {
            wishes.validator = wishes.earlier.as_ref().and_then(|earlier| earlier.validator()).map(Into::into);
            wishes.is_unchanged = true;
        });
        Some(previous)
    }

    /// It shares its load with others, who are not to wait for it beyond `when_late`.
    pub(crate) fn set_batch(&self, when_late: impl Fn() + Send + Sync + 'static) {
        self.with(|wishes| wishes.when_late = Some(Arc::new(when_late)));
    }

    pub(crate) fn is_of_a_batch(&self) -> bool {
        self.with(|wishes| wishes.when_late.is_some())
    }

    /// It has to wait before it comes to its load.
    pub(crate) fn is_late(&self) {
        // Called without the lock, which it may want.
        if let Some(when_late) = self.with(|wishes| wishes.when_late.clone()) {
            when_late();
        }
    }

    /// Before the loader runs.
    pub(crate) fn replaces<K: CacheKey, V: CacheValue>(&self, earlier: Option<EntryRef<K, V>>) {
        self.with(|wishes| wishes.earlier = earlier.map(|entry| Box::new(entry) as Box<dyn Earlier>));
    }

    /// What it was told so far; it forgets it.
    pub(crate) fn take(&self) -> Wishes {
        self.with(std::mem::take)
    }

    fn with<R>(&self, f: impl FnOnce(&mut Wishes) -> R) -> R {
        f(&mut self.wishes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The loader's own error, its type erased: waiters of one flight may have come by different calls.
pub(crate) type LoaderError = Arc<dyn Any + Send + Sync>;

/// Why a flight gave no value.
#[derive(Clone)]
pub(crate) enum Failure {
    /// The loader's own error.
    Loader(LoaderError),
    /// The load itself failed.
    Cache(Error),
    /// A batch was loaded, and the key was not in it.
    Missing,
    /// The flight's task was dropped before it ended: its runtime shut down.
    Abandoned,
}

/// A loader that is ready to run.
pub(crate) type BoxLoad<V> = Pin<Box<dyn Future<Output = Result<V, Failure>> + Send>>;

/// Runs a loader to its end, at most for `deadline`.
pub(crate) async fn run<V>(cache: &str, lineage: Lineage, deadline: Duration, load: BoxLoad<V>) -> Result<V, Failure> {
    let load = Lineage::scope(lineage, catch_panic(load));
    match timeout(deadline, crate::trace::load(cache, load)).await {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(panic)) => Err(Failure::Cache(panic)),
        Err(_) => Err(Failure::Cache(
            Error::new(ErrorKind::LoadTimeout, "load").context(format!("cancelled after {deadline:?}")),
        )),
    }
}

/// Takes what a loader that has run already gave.
pub(crate) async fn finish<V>(load: BoxLoad<V>) -> Result<V, Failure> {
    match catch_panic(load).await {
        Ok(loaded) => loaded,
        Err(panic) => Err(Failure::Cache(panic)),
    }
}

/// Turns a panic of code that is not ours (a loader, a value that is encoded) into an error with its message.
pub(crate) async fn catch_panic<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let mut work = pin!(work);
    // It is never polled again after a panic, so whatever it left broken is seen by nobody but its own drop.
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(panicked("load", &*panic))),
    })
    .await
}

/// [`catch_panic`] for what does not wait.
pub(crate) fn panic_caught<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panicked("load", &*panic))
}

/// The error for a panic of code that is not ours.
pub(crate) fn panicked(operation: &'static str, panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::new(ErrorKind::Panicked, operation).context(message)
}

/// The flights whose loaders wait for the present one, outermost first.
#[derive(Clone, Default)]
pub(crate) struct Lineage(Arc<[OperationId]>);

tokio::task_local! {
    static LINEAGE: Lineage;
}

impl Lineage {
    /// The one of the running loader; empty outside of loaders.
    pub(crate) fn current() -> Self {
        LINEAGE.try_with(Clone::clone).unwrap_or_default()
    }

    pub(crate) fn with(&self, flight: OperationId) -> Self {
        Self(self.0.iter().copied().chain([flight]).collect())
    }

    /// Runs a synchronous loader.
    pub(crate) fn around<R>(self, load: impl FnOnce() -> R) -> R {
        LINEAGE.sync_scope(self, load)
    }

    /// Whether nobody's load waits for this one.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether another load waits for the flight that it is of.
    pub(crate) fn is_nested(&self) -> bool {
        self.0.len() > 1
    }

    /// Runs a loader within it.
    pub(crate) fn scope<F: Future>(lineage: Self, loading: F) -> impl Future<Output = F::Output> {
        LINEAGE.scope(lineage, loading)
    }

    /// Whether waiting for `flight` would be waiting for oneself.
    pub(crate) fn contains(&self, flight: OperationId) -> bool {
        self.0.contains(&flight)
    }
}

/// That of a load for several flights.
impl<'a> FromIterator<&'a Self> for Lineage {
    fn from_iter<I: IntoIterator<Item = &'a Self>>(lineages: I) -> Self {
        Self(lineages.into_iter().flat_map(|lineage| lineage.0.iter().copied()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run_one(load: impl Future<Output = Result<u32, Failure>> + Send + 'static) -> Result<u32, Failure> {
        run("test", Lineage::default(), Duration::from_secs(1), Box::pin(load)).await
    }

    fn kind<V>(result: Result<V, Failure>) -> Option<ErrorKind> {
        match result {
            Err(Failure::Cache(error)) => Some(error.kind()),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_message() {
        let Err(Failure::Cache(error)) = run_one(async { panic!("no {}", "rows") }).await else {
            panic!("the panic got lost")
        };
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(error.to_string().contains("no rows"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loader_that_hangs_is_cancelled_at_its_deadline() {
        let started = crate::clock::now();
        assert_eq!(kind(run_one(std::future::pending()).await), Some(ErrorKind::LoadTimeout));
        assert_eq!(crate::clock::now() - started, Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_loader_knows_which_flights_wait_for_it() {
        let outer = Lineage::default().with(OperationId(7));
        let load = Box::pin(async { Ok(Lineage::current().contains(OperationId(7))) });
        assert!(matches!(run("test", outer, Duration::from_secs(1), load).await, Ok(true)));
        assert!(!Lineage::current().contains(OperationId(7)));
    }
}
