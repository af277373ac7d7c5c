//! The read path of synchronous functions. A load runs on its caller's thread, and those who ask for the same meanwhile wait on
//! theirs. Only L1 is asked, so nothing waits for a runtime.
//!
//! No wait is for ever: who has waited as long as a load may take loads by itself. So a load that needs the very thread that
//! waits for it, because it blocks on a runtime whose threads all wait, is slow and no more.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use super::{Boarding, Fetched, Lead, Passenger};
use crate::{
    answer::{Answer, Source},
    cache::{CacheKey, CacheValue, Call, Shared},
    clock,
    coherence::course::Mode,
    error::{Error, ErrorKind, LoadError},
    flight::{Flight, Landing, Order, fly},
    load::{BoxLoad, Failure, Load},
    scope::{self, Scope},
};

impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    /// Loads here, unless L1 or the load of another caller answers. The cache is one of L1 alone.
    pub(crate) fn fetch_here<E: Send + Sync + 'static>(
        self: &Arc<Self>,
        key: K,
        hash: u64,
        call: Call,
        load: impl FnOnce(Load) -> Result<V, E>,
    ) -> Result<Answer<V>, LoadError<E>> {
        let scope = scope::current();
        if self.is_bypassed() || scope == Some(Scope::Bypass) {
            return load(Load::default()).map(Answer::uncached).map_err(|error| LoadError::Loader(Arc::new(error)));
        }
        let mode = if scope == Some(Scope::Refresh) { Mode::Refresh } else { call.mode };
        let passenger = Passenger::new(self, key, hash, Call { here: true, mode, ..call })?;
        let fetched = passenger.travel_here(load)?;
        let (entry, source) = fetched.expect("a flight with a loader ends with a value or an error");
        Ok(Answer::new(&entry, source))
    }
}

impl<K: CacheKey, V: CacheValue> Passenger<'_, K, V> {
    fn travel_here<E: Send + Sync + 'static>(
        mut self,
        load: impl FnOnce(Load) -> Result<V, E>,
    ) -> Result<Fetched<K, V>, LoadError<E>> {
        loop {
            let seat = match self.board()? {
                Boarding::Hit(entry, _) => return Ok(Some((entry, Source::L1))),
                Boarding::Stale(entry, _) => return Ok(Some((entry, Source::Stale))),
                Boarding::Joined(seat) => seat,
                Boarding::Leads(Lead { flight, seat, .. }) => {
                    self.lead_here(&flight, load);
                    let arrived = wait_here(self.arrive(seat, true), Duration::ZERO).transpose()?;
                    return arrived.flatten().ok_or_else(|| Error::new(ErrorKind::Closed, "load").into());
                }
            };
            let patience = self.cache.policy().hard_timeout;
            match wait_here(self.arrive(seat, false), patience) {
                Some(arrived) => {
                    if let Some(fetched) = arrived? {
                        return Ok(fetched);
                    }
                }
                None => self.alone = true,
            }
        }
    }

    /// The loader runs first, and then a flight that finds it done: nothing of that waits.
    fn lead_here<E: Send + Sync + 'static>(&self, flight: &Arc<Flight<K, V>>, load: impl FnOnce(Load) -> Result<V, E>) {
        let landing = Landing::new(self.cache, flight, &self.key, self.hash);
        let (handle, began) = (Load::default(), clock::now());
        let lineage = self.lineage.with(flight.id);
        let loaded = lineage.around(|| catch_unwind(AssertUnwindSafe(|| load(handle.clone()))));
        let loader: BoxLoad<V> = Box::pin(async move {
            let loaded = loaded.unwrap_or_else(|panic| resume_unwind(panic));
            loaded.map_err(|error| Failure::Loader(Arc::new(error)))
        });
        let order = Order {
            loader: Some((loader, handle)),
            ran_from: Some(began),
            paused: None,
            ..self.order::<fn(Load) -> BoxLoad<V>, E>(None)
        };
        let _ = wait_here(fly(landing, order), Duration::ZERO);
    }
}

/// Blocks the thread until `future` ends, at most for `patience`.
fn wait_here<F: Future>(future: F, patience: Duration) -> Option<F::Output> {
    struct Parked(Thread);
    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Parked(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let began = clock::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = patience.saturating_sub(clock::now() - began);
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}
