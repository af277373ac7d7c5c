//! Where the loads of several flights meet.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{select, sync::oneshot, time::sleep};

use crate::{
    cache::{CacheKey, CacheValue, Shared},
    load::{BoxLoad, Failure, Lineage, Load, catch_panic},
};

/// What a loader of many keys gives: the values of those that it knows, or why it has none.
pub(super) type Loaded<K, V> = Result<HashMap<K, Result<V, Failure>>, Failure>;

/// A loader of many keys.
pub(super) type LoadMany<K, V> = dyn Fn(Vec<K>) -> Pin<Box<dyn Future<Output = Loaded<K, V>> + Send>> + Send + Sync;

/// When the keys that have come together are loaded.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// When nobody else is awaited.
    AllHaveCome,
    /// When the first has waited for long, or they are many.
    Soon(Pace),
}

/// So long the first of a load waits for others, and so many at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) window: Duration,
    pub(super) most: usize,
}

pub(crate) struct Gathering<K, V> {
    /// A cache may hold on to its gathering.
    cache: Weak<Shared<K, V>>,
    pub(super) load: Arc<LoadMany<K, V>>,
    when: When,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    /// Shares whose keys may still be wanted.
    awaited: usize,
    wanted: Vec<Wanted<K, V>>,
    /// Those that wait for the first of `wanted` to have waited long enough know by it whether that is still to come.
    round: u64,
}

/// A key whose flight waits for its value.
struct Wanted<K, V> {
    key: K,
    lineage: Lineage,
    answer: oneshot::Sender<Result<V, Failure>>,
}

/// One flight's part in a gathering.
pub(super) struct Share<K: CacheKey, V: CacheValue> {
    key: K,
    hold: Hold<K, V>,
}

/// What the others wait for, until it is dropped.
pub(super) struct Hold<K: CacheKey, V: CacheValue>(Arc<Place<K, V>>);

/// A place among those who are awaited.
pub(super) struct Place<K, V> {
    gathering: Arc<Gathering<K, V>>,
    is_awaited: AtomicBool,
}

impl<K: CacheKey, V: CacheValue> Gathering<K, V> {
    pub(super) fn new(cache: &Arc<Shared<K, V>>, when: When, load: Arc<LoadMany<K, V>>) -> Arc<Self> {
        let state = Mutex::new(State { awaited: 0, wanted: Vec::new(), round: 0 });
        Arc::new(Self { cache: Arc::downgrade(cache), load, when, state })
    }

    /// Nothing is loaded before this is dropped, if all are awaited.
    pub(super) fn hold(self: &Arc<Self>) -> Hold<K, V> {
        self.state().awaited += 1;
        Hold(Arc::new(Place { gathering: Arc::clone(self), is_awaited: AtomicBool::new(true) }))
    }

    /// A flight's part: it is awaited until the flight has decided.
    pub(super) fn share(self: &Arc<Self>, key: K) -> Share<K, V> {
        Share { key, hold: self.hold() }
    }

    async fn wait_for(self: &Arc<Self>, key: K, place: &Place<K, V>) -> Result<V, Failure> {
        let (answer, answered) = oneshot::channel();
        let wanted = Wanted { key, lineage: Lineage::current(), answer };
        let (number, round) = {
            let mut state = self.state();
            state.wanted.push(wanted);
            (state.wanted.len(), state.round)
        };
        match self.when {
            // Who came late, because another process was to load its key, is awaited no more, and goes at once.
            When::AllHaveCome => place.leave(),
            When::Soon(pace) if number >= pace.most => self.go(Some(round)),
            When::Soon(pace) if number == 1 => {
                let gathering = Arc::clone(self);
                tokio::spawn(async move {
                    sleep(pace.window).await;
                    gathering.go(Some(round));
                });
            }
            When::Soon(_) => {}
        }
        answered.await.unwrap_or(Err(Failure::Abandoned))
    }

    /// Loads what has come together, unless the round is over already.
    fn go(self: &Arc<Self>, round: Option<u64>) {
        let mut state = self.state();
        if state.wanted.is_empty() || round.is_some_and(|round| round != state.round) {
            return;
        }
        state.round += 1;
        let mut wanted = std::mem::take(&mut state.wanted);
        drop(state);
        wanted.retain(|wanted| !wanted.answer.is_closed());
        tokio::spawn(Arc::clone(self).load(wanted));
    }

    /// Ends early when nobody waits any more.
    async fn load(self: Arc<Self>, mut wanted: Vec<Wanted<K, V>>) {
        let keys = wanted.iter().map(|wanted| wanted.key.clone()).collect();
        let is_nested = wanted.iter().any(|wanted| wanted.lineage.is_nested());
        let lineage = wanted.iter().map(|wanted| &wanted.lineage).collect();
        let loading = Lineage::scope(lineage, catch_panic(self.run(keys, is_nested)));
        let loaded = select! {
            biased;
            loaded = loading => loaded.unwrap_or_else(|panic| Err(Failure::Cache(panic))),
            () = everyone_left(&mut wanted) => return,
        };
        match loaded {
            Ok(mut values) => wanted.into_iter().for_each(|Wanted { key, answer, .. }| {
                // Who has left needs no answer.
                let _ = answer.send(values.remove(&key).unwrap_or(Err(Failure::Missing)));
            }),
            Err(failure) => wanted.into_iter().for_each(|Wanted { answer, .. }| {
                let _ = answer.send(Err(failure.clone()));
            }),
        }
    }

    async fn run(&self, keys: Vec<K>, is_nested: bool) -> Loaded<K, V> {
        // Who waits holds on to it.
        let cache = self.cache.upgrade().ok_or(Failure::Abandoned)?;
        let _room = cache.room(is_nested).await.map_err(Failure::Cache)?;
        (self.load)(keys).await
    }

    fn state(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn everyone_left<K, V>(wanted: &mut [Wanted<K, V>]) {
    for wanted in wanted {
        wanted.answer.closed().await;
    }
}

impl<K: CacheKey, V: CacheValue> Share<K, V> {
    /// The load of its flight.
    pub(super) fn into_load(self, handle: &Load) -> BoxLoad<V> {
        let place = self.place();
        handle.set_batch(move || place.leave());
        Box::pin(async move { self.hold.0.gathering.wait_for(self.key.clone(), &self.hold.0).await })
    }

    pub(super) fn place(&self) -> Arc<Place<K, V>> {
        Arc::clone(&self.hold.0)
    }
}

impl<K: CacheKey, V: CacheValue> Place<K, V> {
    /// It is not waited for any more, and may still come.
    pub(super) fn leave(&self) {
        let mut state = self.gathering.state();
        if self.is_awaited.swap(false, Ordering::Relaxed) {
            state.awaited -= 1;
        }
        let is_complete = state.awaited == 0;
        drop(state);
        if is_complete && matches!(self.gathering.when, When::AllHaveCome) {
            self.gathering.go(None);
        }
    }
}

impl<K: CacheKey, V: CacheValue> Drop for Hold<K, V> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
