//! A typed, named cache of a stack.

mod at;
mod backoff;
mod builder;
mod shared;

use std::{convert::Infallible, hash::Hash, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::shared::Shared;
pub use self::{at::At, builder::CacheBuilder};
use crate::{
    answer::Answer,
    aside::aside,
    coherence::course::Mode,
    entry::Asker,
    error::{Error, ErrorKind, LoadError, Result},
    events::Events,
    load::{BoxLoad, Load},
    lookup::Lookup,
    policy::Policy,
    read::Passenger,
    scope::{self, Scope},
    stats::{Event, Stats},
};

/// What can be a key: any hashable type that serde can serialize. `Debug` is never used.
///
/// Two values of one type that serialize alike are one entry in L2; derived implementations never do.
pub trait CacheKey: Hash + Eq + Clone + Serialize + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + Serialize + Send + Sync + 'static> CacheKey for K {}

/// What can be a value: anything that serde can write and read back, and that is cheap to hand out; wrap it in an `Arc` if
/// its `Clone` is not.
pub trait CacheValue: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> CacheValue for V {}

/// A typed, named part of a [`Stack`](crate::Stack). A cheap clone of an `Arc`; `Send + Sync`.
///
/// Keys are looked up in borrowed form ([`Lookup`]): `users.get("alice")` for a `Cache<String, _>`.
///
/// Every method that returns a future must be called in a tokio runtime. Dropping a future is safe at any point: a flight
/// goes on for whoever else waits for it and is cancelled, its lease given back, when nobody does; an invalidation or an
/// insert that was begun is finished in the background.
pub struct Cache<K, V> {
    shared: Arc<Shared<K, V>>,
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K, V> std::fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("name", &self.shared.label).finish_non_exhaustive()
    }
}

impl<K: CacheKey, V: CacheValue> Cache<K, V> {
    pub(crate) fn new(shared: Arc<Shared<K, V>>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<K, V>> {
        &self.shared
    }

    /// The cached value, from L1 or L2. Loads nothing, and does not wait for a load that is under way.
    ///
    /// What L2 can't answer (it is away, or the bytes are damaged) is `None`.
    pub async fn get<L: Lookup<Key = K>>(&self, key: L) -> Option<V> {
        if let Some(value) = self.shared.value(&key, Asker::Looks) {
            return Some(value);
        }
        let look_up = || self.look_up(key.to_key(), self.shared.hash(&key), Call::default());
        aside(look_up).await.map(|answer| answer.value)
    }

    /// The cached value, or else the loader's, which is then cached. All who ask for the key meanwhile share one load.
    ///
    /// The loader runs in a task of its own, and is told what it may ask for by a [`Load`]. Like any async code it must not
    /// block its thread (`tokio::task::spawn_blocking` is for that): its deadline and its lease could not be kept meanwhile.
    /// Two loaders that wait for each other's keys end at their deadline, [`hard_timeout`](Policy::hard_timeout). Where the
    /// cache is disabled, the loader runs in the caller's place, with no deadline and shared by nobody.
    ///
    /// # Errors
    /// Only what goes wrong in the load itself, never in L2:
    /// - [`Panicked`](crate::ErrorKind::Panicked): the loader panicked.
    /// - [`LoadTimeout`](crate::ErrorKind::LoadTimeout): it took longer than the policy's
    ///   [`hard_timeout`](Policy::hard_timeout).
    /// - [`Reentrant`](crate::ErrorKind::Reentrant): it asked for the entry that it was loading.
    /// - [`Codec`](crate::ErrorKind::Codec): serde can't serialize the key.
    /// - [`Closed`](crate::ErrorKind::Closed): the runtime shut down.
    pub async fn get_with<L, F, Fut>(&self, key: L, load: F) -> Result<V>
    where
        L: Lookup<Key = K>,
        F: FnOnce(Load) -> Fut + Send,
        Fut: Future<Output = V> + Send + 'static,
    {
        if let Some(value) = self.shared.value(&key, Asker::Loads) {
            return Ok(value);
        }
        let load = |handle| infallible(load(handle));
        let load = || self.load(key.to_key(), self.shared.hash(&key), Call::default(), load);
        aside(load).await.map(|answer| answer.value).map_err(only_cache)
    }

    /// [`get_with`](Self::get_with) for a loader that may fail. Its error goes to all who waited, and is not cached.
    ///
    /// # Errors
    /// [`LoadError::Loader`] with the loader's error; [`LoadError::Cache`] for what [`get_with`](Self::get_with) names.
    pub async fn try_get_with<L, F, Fut, E>(&self, key: L, load: F) -> Result<V, LoadError<E>>
    where
        L: Lookup<Key = K>,
        F: FnOnce(Load) -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        if let Some(value) = self.shared.value(&key, Asker::Loads) {
            return Ok(value);
        }
        let load = || self.load(key.to_key(), self.shared.hash(&key), Call::default(), load);
        aside(load).await.map(|answer| answer.value)
    }

    /// Stores a value in every tier, whatever was there; a load in flight does not overwrite it.
    ///
    /// Where the cache is disabled the old entry is revoked instead.
    ///
    /// Blind: of two processes that insert at once the last one to reach L2 wins. To change data, change it at its origin
    /// and [`invalidate`](Self::invalidate).
    ///
    /// # Errors
    /// L2 could not be written (its old entry may be there still), or the value can't be stored: its codec fails, or it is
    /// larger than the policy allows. L1 here then holds nothing for the key.
    pub async fn insert<L: Lookup<Key = K>>(&self, key: L, value: V) -> Result<()> {
        let hash = self.shared.hash(&key);
        self.shared.insert(key, hash, value, Call::default()).await
    }

    /// Revokes an entry: in L2 first, with every load of it in flight anywhere, then here.
    ///
    /// Once this has returned `Ok`, no value loaded before can be read from L2 again by any process, and none is served to
    /// a call that begins here afterwards. Other processes drop theirs from L1 when the message reaches them, as a rule within
    /// a millisecond, and serve it for [`max_staleness`](crate::StackBuilder::max_staleness) at most.
    ///
    /// # Errors
    /// L2 could not be told. The entry is dropped here all the same, this process trusts no copy of it in L2, and the
    /// invalidation is retried until it gets through; [`Stack::health`](crate::Stack::health) shows the queue.
    ///
    /// # Cancellation
    /// Once begun it is finished in the background.
    pub async fn invalidate<L: Lookup<Key = K>>(&self, key: L) -> Result<()> {
        self.at(key).invalidate().await
    }

    /// Marks an entry as stale: as if its time to live were over, everywhere. It is served to nobody but inside a
    /// [stale window](Policy::stale_while_revalidate), for which its age counts as ever; without one this is what
    /// [`invalidate`](Self::invalidate) does. What is being loaded meanwhile is not stored.
    ///
    /// For data whose old value will do for a moment, where all who ask at once should not wait for one load. Other
    /// processes learn of it as they do of an invalidation.
    ///
    /// # Errors
    /// L2 could not be told. The entry is stale here all the same, and an invalidation is queued in its place.
    ///
    /// # Cancellation
    /// Once begun it is finished in the background.
    pub async fn expire<L: Lookup<Key = K>>(&self, key: L) -> Result<()> {
        self.at(key).expire().await
    }

    /// Revokes every entry of this cache, in all its versions, in O(1).
    ///
    /// # Errors
    /// As for [`invalidate`](Self::invalidate).
    pub async fn invalidate_all(&self) -> Result<()> {
        self.shared.counters.note(Event::Invalidation, None, || None);
        let told = self.shared.stack.clone().invalidate_marks(vec![self.shared.scopes[1].clone()]).await;
        if told.is_err() {
            self.shared.counters.count(Event::InvalidationQueued);
        }
        told
    }

    /// Runs `commit`, which changes the data behind a key at its origin, so that nothing stale can come of it, not even if
    /// this process dies half-way.
    ///
    /// The entry is revoked and a guard opened on it in L2 before `commit` runs. While the guard is open nothing is cached
    /// under the key by anybody; calls are answered by their loaders. When `commit` has ended, whatever came of it, the entry
    /// is revoked once more and the guard closed. Should this process die, the guard ends after
    /// [`guard_ttl`](crate::StackBuilder::guard_ttl). Writes of one key may overlap. With all writers guarded, and read by
    /// [validated](At::validated) calls, a key is a linearizable register; a `commit` that is still to take effect after its
    /// guard ended (its process was stopped for longer) is the exception.
    ///
    /// # Errors
    /// L2 could not be told, and `commit` was not run. Once it ran its own output is returned: a guard that can't be closed
    /// ends by itself, and the last revocation is queued like any other.
    ///
    /// # Cancellation
    /// Once begun it is finished in the background.
    pub async fn write<L, T>(&self, key: L, commit: impl Future<Output = T> + Send + 'static) -> Result<T>
    where
        L: Lookup<Key = K>,
        T: Send + 'static,
    {
        let hash = self.shared.hash(&key);
        self.shared.clone().write(key.to_key(), hash, commit).await
    }

    /// Whether [`get`](Self::get) would find a value.
    pub async fn contains_key<L: Lookup<Key = K>>(&self, key: L) -> bool {
        self.get(key).await.is_some()
    }

    /// One call with options of its own: tags, a time to live, how it was answered.
    pub fn at<L: Lookup<Key = K>>(&self, key: L) -> At<'_, K, V, L> {
        At::new(self, key)
    }

    /// What happened so far in this process, since the cache was first built.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Subscribes to what happens in this cache, in this process: see [`Stack::events`](crate::Stack::events). What concerns
    /// tags, the namespace and the shared store is told to subscribers of the stack alone.
    #[must_use]
    pub fn events(&self, capacity: usize) -> Events {
        self.shared.stack.hub.subscribe(Some(Arc::clone(&self.shared.label)), capacity)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.label
    }

    /// Its policy: that of the TTL map and its definition, as they are now.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.shared.policy()
    }

    /// Switches the cache off, or on again, in this process while it runs. Off, every call loads, as where the policy says
    /// [`enabled = false`](Policy::enabled); invalidations are made all the same. What L1 has is dropped; what L2 has is
    /// found again later, unless it was invalidated meanwhile.
    ///
    /// It does not switch on what the policy switches off: see [`Stack::reload_policies`](crate::Stack::reload_policies).
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.switch(enabled);
    }

    /// Whether it is switched on, by its policy and by [`set_enabled`](Self::set_enabled).
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        !self.shared.is_bypassed()
    }

    /// How many loads, lookups and writes are under way here.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight()
    }

    pub(crate) fn look_up(&self, key: K, hash: u64, call: Call) -> impl Future<Output = Option<Answer<V>>> {
        let mut passenger = self.passenger(key, hash, call);
        // Not an `async fn`, which would keep its arguments for as long as it waits.
        async move {
            let passenger = passenger.as_mut()?;
            let fetched = passenger.travel(&mut None::<fn(Load) -> BoxLoad<V>>).await.map_err(only_cache);
            let fetched = fetched.inspect_err(|error| self.note_failed_look_up(hash, error)).ok()?;
            fetched.map(|(entry, source)| Answer::new(&entry, source))
        }
    }

    /// Who looks in L2, if it is to be asked.
    fn passenger(&self, key: K, hash: u64, call: Call) -> Option<Passenger<'_, K, V>> {
        if self.shared.is_bypassed() || call.bypass || scope::current().is_some() {
            return None;
        }
        if self.shared.l2().is_none() {
            self.shared.note(Event::Miss, hash, &key);
            return None;
        }
        let passenger = Passenger::new(&self.shared, key, hash, Call { mode: Mode::Lookup, ..call });
        passenger.inspect_err(|error| self.note_failed_look_up(hash, error)).ok()
    }

    fn note_failed_look_up(&self, hash: u64, error: &Error) {
        self.shared.counters.note(Event::Miss, Some(hash), || None);
        self.shared.stack.problems.report(&self.shared.label, "lookup", || error.to_string());
    }

    pub(crate) async fn load<F, Fut, E>(
        &self,
        key: K,
        hash: u64,
        call: Call,
        load: F,
    ) -> Result<Answer<V>, LoadError<E>>
    where
        F: FnOnce(Load) -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let scope = scope::current();
        if self.shared.is_bypassed() || call.bypass || scope == Some(Scope::Bypass) {
            let loaded = load(Load::default()).await;
            return loaded.map(Answer::uncached).map_err(|error| LoadError::Loader(Arc::new(error)));
        }
        let call = match scope {
            Some(Scope::Refresh) => Call { mode: Mode::Refresh, ..call },
            _ => call,
        };
        let (entry, source) = self
            .shared
            .fetch(key, hash, call, Some(load))?
            .await?
            .expect("a flight with a loader ends with a value or an error");
        Ok(Answer::new(&entry, source))
    }
}

impl<K: CacheKey, V: CacheValue> Cache<K, V> {
    /// What was loaded, or in place of a load that failed the value that was given for that.
    pub(crate) fn or_default<E>(
        &self,
        hash: u64,
        key: &impl Lookup<Key = K>,
        loaded: Result<Answer<V>, LoadError<E>>,
        default: Option<V>,
    ) -> Result<Answer<V>, LoadError<E>> {
        match (loaded, default) {
            (Err(error), Some(value)) if !is_a_mistake(&error) => {
                self.shared.note(Event::Default, hash, &key.to_key());
                Ok(Answer::default(value))
            }
            (loaded, _) => loaded,
        }
    }
}

/// Whether an error says that the call should not have been made as it was.
fn is_a_mistake<E>(error: &LoadError<E>) -> bool {
    let mistakes = [ErrorKind::Config, ErrorKind::Codec, ErrorKind::Reentrant];
    matches!(error, LoadError::Cache(error) if mistakes.contains(&error.kind()))
}

/// Options of one call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) mode: Mode,
    pub(crate) tags: Vec<String>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) to_the_end: bool,
    /// Its loader is one of many keys, and may know nothing of this one.
    pub(crate) is_of_a_batch: bool,
    /// Goes past the cache.
    pub(crate) bypass: bool,
    /// Served only what is validated after it began.
    pub(crate) validated: bool,
    /// Loads on the caller's thread, with nothing behind it.
    pub(crate) here: bool,
    /// How long nothing is cached after an invalidation.
    pub(crate) hold_off: Option<Duration>,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            mode: Mode::Load,
            tags: Vec::new(),
            ttl: None,
            to_the_end: false,
            is_of_a_batch: false,
            bypass: false,
            validated: false,
            here: false,
            hold_off: None,
        }
    }
}

/// A load that can't fail, as one that could.
async fn infallible<V>(loading: impl Future<Output = V>) -> Result<V, Infallible> {
    Ok(loading.await)
}

/// The error of a load that can't fail.
fn only_cache(error: LoadError<Infallible>) -> Error {
    match error {
        LoadError::Cache(error) => error,
        LoadError::Loader(never) => match *never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stack, backend::Memory};

    /// glibc keeps larger blocks at hand for no thread, and then they are the dearest part of a hit in L2.
    #[tokio::test]
    async fn who_waits_for_l2_takes_no_more_than_malloc_keeps_at_hand() {
        let stack = Stack::builder("sizes").l2(Memory::new()).build().await.unwrap();
        let cache: Cache<u64, Arc<String>> = stack.cache("value").build().unwrap();
        let waiting = size_of_val(&cache.look_up(7, 0, Call::default()));
        assert!(waiting <= 1_032, "{waiting} bytes");
    }
}
