//! Calls of one key each that one load answers together.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    gathering::{Gathering, LoadMany, Pace, When},
    many::{bypassing, erased},
};
use crate::{
    cache::{Cache, CacheKey, CacheValue, Call},
    entry::Asker,
    error::{LoadError, Result},
    load::Load,
    lookup::Lookup,
    scope::{self, Scope},
};

/// A cache with a loader of many keys, for code that asks for one key at a time: made by [`Cache::batched`].
///
/// Calls that need a load within a short time of each other are answered by one run of the loader, as a `DataLoader` does it.
/// Keep it, or a clone, where the calls are made: only what comes through the same one is gathered.
pub struct Batched<K, V, E> {
    cache: Cache<K, V>,
    load: Arc<LoadMany<K, V>>,
    pace: Pace,
    tags: Option<Tagger<K>>,
    gathering: Arc<Gathering<K, V>>,
    error: PhantomData<fn() -> E>,
}

type Tagger<K> = Arc<dyn Fn(&K) -> Vec<String> + Send + Sync>;

impl<K, V, E> Clone for Batched<K, V, E> {
    fn clone(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            load: Arc::clone(&self.load),
            pace: self.pace,
            tags: self.tags.clone(),
            gathering: Arc::clone(&self.gathering),
            error: PhantomData,
        }
    }
}

impl<K, V, E> fmt::Debug for Batched<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batched").field("cache", &self.cache).finish_non_exhaustive()
    }
}

const PACE: Pace = Pace { window: Duration::from_millis(1), most: 1000 };

impl<K: CacheKey, V: CacheValue> Cache<K, V> {
    /// Gathers single calls into loads of many keys. The loader is as for [`AtMany::try_get_with`](crate::AtMany::try_get_with).
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let stack = cache_core::Stack::builder("shop").build().await?;
    /// let squares = stack.cache::<u64, u64>("square").build()?.batched(|numbers: Vec<u64>| async move {
    ///     Ok::<_, Infallible>(numbers.into_iter().map(|n| (n, Ok(n * n))).collect::<Vec<_>>())
    /// });
    /// let (three, four) = tokio::join!(squares.get(&3), squares.get(&4)); // one load
    /// assert_eq!((three?, four?), (Some(9), Some(16)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn batched<F, Fut, I, E>(&self, load: F) -> Batched<K, V, E>
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<I, E>> + Send + 'static,
        I: IntoIterator<Item = (K, Result<V, E>)>,
        E: Send + Sync + 'static,
    {
        Batched::new(self.clone(), erased(load), PACE, None)
    }
}

impl<K: CacheKey, V: CacheValue> Cache<K, V> {
    /// [`batched`](Self::batched), by the same handle each time: the first one's loader is that of all.
    pub(crate) fn gathered<F, Fut, I, E>(&self, load: F) -> Batched<K, V, E>
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<I, E>> + Send + 'static,
        I: IntoIterator<Item = (K, Result<V, E>)>,
        E: Send + Sync + 'static,
    {
        let make = || Gathering::new(self.shared(), When::Soon(PACE), erased(load));
        let gathering = Arc::clone(self.shared().gathering.get_or_init(make));
        let load = Arc::clone(&gathering.load);
        Batched { cache: self.clone(), load, pace: PACE, tags: None, gathering, error: PhantomData }
    }
}

impl<K: CacheKey, V: CacheValue, E: Send + Sync + 'static> Batched<K, V, E> {
    fn new(cache: Cache<K, V>, load: Arc<LoadMany<K, V>>, pace: Pace, tags: Option<Tagger<K>>) -> Self {
        let gathering = Gathering::new(cache.shared(), When::Soon(pace), Arc::clone(&load));
        Self { cache, load, pace, tags, gathering, error: PhantomData }
    }

    /// For how long the first call of a load waits for others. Default: 1 ms. Clones that were made before keep
    /// theirs.
    #[must_use]
    pub fn window(self, window: Duration) -> Self {
        let pace = Pace { window, ..self.pace };
        Self::new(self.cache, self.load, pace, self.tags)
    }

    /// The most keys of one load, at least 1; so many don't wait for more. Default: 1,000.
    #[must_use]
    pub fn max_size(self, most: usize) -> Self {
        let pace = Pace { most: most.max(1), ..self.pace };
        Self::new(self.cache, self.load, pace, self.tags)
    }

    /// The tags of each entry that is stored: as [`At::tag`](crate::At::tag). Default: none.
    #[must_use]
    pub fn tags<T, I>(self, tags: impl Fn(&K) -> I + Send + Sync + 'static) -> Self
    where
        T: Into<String>,
        I: IntoIterator<Item = T>,
    {
        let tags: Tagger<K> = Arc::new(move |key| tags(key).into_iter().map(Into::into).collect());
        Self { tags: Some(tags), ..self }
    }

    /// The cached value, or else that of a load that this call shares with others. None if the loader does not name the key,
    /// which is not cached.
    ///
    /// # Errors
    /// As for [`Cache::try_get_with`]; each caller has the error of its own key, or the one of the whole load.
    ///
    /// # Cancellation
    /// The load goes on for whoever else waits for it, and is cancelled when nobody does.
    pub async fn get<L: Lookup<Key = K>>(&self, key: L) -> Result<Option<V>, LoadError<E>> {
        let shared = self.cache.shared();
        if let Some(value) = shared.value(&key, Asker::Loads) {
            return Ok(Some(value));
        }
        let hash = shared.hash(&key);
        let key = key.to_key();
        if shared.is_bypassed() || scope::current() == Some(Scope::Bypass) {
            let many = bypassing(vec![key], &self.load).await;
            return many.into_result().map(|values| values.into_values().next());
        }
        let share = self.gathering.share(key.clone());
        let mut load = Some(move |handle: Load| share.into_load(&handle));
        let tags = self.tags.as_ref().map(|tags| tags(&key)).unwrap_or_default();
        let call = Call { is_of_a_batch: true, tags, ..Call::default() };
        let trip = shared.depart::<_, E>(key, hash, call, &mut load)?;
        let fetched = Box::pin(trip.arrive::<_, E>(load)).await?;
        Ok(fetched.map(|(entry, _)| entry.value.clone()))
    }
}
