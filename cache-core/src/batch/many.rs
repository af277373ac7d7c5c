//! Many keys in one call.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use super::gathering::{Gathering, LoadMany, Loaded, When};
use tokio::task::JoinSet;

use crate::{
    answer::{Answer, Source},
    cache::{Cache, CacheKey, CacheValue, Call},
    coherence::course::Mode,
    entry::Asker,
    error::{Error, LoadError, Result},
    load::{BoxLoad, Failure, Load},
    lookup::Lookup,
    scope::{self, Scope},
    stats::Event,
    write::Revocation,
};

/// What became of many keys. Those that are in neither map have no value: the loader named none.
#[derive(Debug)]
#[must_use = "it may hold errors"]
pub struct Many<K, V, E = Infallible> {
    /// What was cached or loaded, and how each was come by.
    pub answers: HashMap<K, Answer<V>>,
    /// What went wrong, key by key.
    pub errors: HashMap<K, LoadError<E>>,
}

impl<K, V, E> Many<K, V, E> {
    /// The values of those that have one, whatever went wrong with others.
    pub fn into_values(self) -> HashMap<K, V>
    where
        K: Hash + Eq,
    {
        self.answers.into_iter().map(|(key, answer)| (key, answer.value)).collect()
    }

    /// The values, unless anything went wrong.
    ///
    /// # Errors
    /// One of the errors.
    pub fn into_result(mut self) -> Result<HashMap<K, V>, LoadError<E>>
    where
        K: Hash + Eq,
    {
        let error = self.errors.drain().next();
        error.map_or_else(|| Ok(self.into_values()), |(_, error)| Err(error))
    }
}

impl<K, V, E> Default for Many<K, V, E> {
    fn default() -> Self {
        Self { answers: HashMap::new(), errors: HashMap::new() }
    }
}

/// One call on many keys of a [`Cache`], with options of its own: made by [`Cache::many`].
///
/// Dropping its future is safe at any point: what nobody else waits for is cancelled.
#[must_use = "options do nothing until a call is made"]
pub struct AtMany<'a, K, V> {
    cache: &'a Cache<K, V>,
    /// In the order in which they came, each once.
    keys: Vec<K>,
    tags: Option<Tagger<'a, K>>,
    call: Call,
}

/// Keys that are asked for together: L2 must have answered for all of them within its deadline.
const AT_ONCE: usize = 500;

/// Likewise, of inserts.
const INSERTS: usize = 64;

type Tagger<'a, K> = Box<dyn Fn(&K) -> Vec<String> + Send + Sync + 'a>;

impl<K: CacheKey, V: CacheValue> Cache<K, V> {
    /// One call on many keys, each of which is cached on its own; a key that comes twice counts once. The loader is given those
    /// that are missing in the order in which they came.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let stack = cache_core::Stack::builder("shop").build().await?;
    /// let names = stack.cache::<u64, String>("name").build()?;
    /// names.insert(&1, "Ada".to_owned()).await?;
    /// let load = |missing: Vec<u64>| async move {
    ///     // SELECT … WHERE id = ANY(…): one query for those that are missing.
    ///     missing.into_iter().filter(|id| *id < 3).map(|id| (id, format!("user {id}"))).collect::<HashMap<_, _>>()
    /// };
    /// let found = names.many([&1, &2, &3]).tags(|id| [format!("user:{id}")]).get_with(load).await.into_result()?;
    /// assert_eq!(found, HashMap::from([(1, "Ada".to_owned()), (2, "user 2".to_owned())]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn many<L: Lookup<Key = K>>(&self, keys: impl IntoIterator<Item = L>) -> AtMany<'_, K, V> {
        let mut seen = HashSet::new();
        let keys = keys.into_iter().map(|key| key.to_key()).filter(|key| seen.insert(key.clone())).collect();
        AtMany { cache: self, keys, tags: None, call: Call { is_of_a_batch: true, ..Call::default() } }
    }

    /// The cached values of many keys: [`get`](Self::get), all at once.
    pub async fn get_many<L: Lookup<Key = K>>(&self, keys: impl IntoIterator<Item = L>) -> HashMap<K, V> {
        self.many(keys).get().await.into_iter().map(|(key, answer)| (key, answer.value)).collect()
    }

    /// Stores many values, all at once: [`insert`](Self::insert) for each.
    ///
    /// # Errors
    /// Those of [`insert`](Self::insert), with their keys; all others are stored.
    ///
    /// # Cancellation
    /// Those that were begun are finished in the background.
    pub async fn insert_many(&self, entries: impl IntoIterator<Item = (K, V)>) -> Result<(), Vec<(K, Error)>> {
        let (mut writes, mut failed) = (JoinSet::new(), Vec::new());
        let mut entries = entries.into_iter();
        loop {
            while writes.len() < INSERTS
                && let Some((key, value)) = entries.next()
            {
                let cache = self.clone();
                writes.spawn(async move {
                    let stored = cache.insert(&key, value).await;
                    (key, stored)
                });
            }
            match writes.join_next().await {
                Some(Ok((_, Ok(())))) => {}
                Some(Ok((key, Err(error)))) => failed.push((key, error)),
                Some(Err(end)) => std::panic::resume_unwind(end.into_panic()),
                None => break,
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// Revokes many entries in one call to L2 and one message to the fleet: [`invalidate`](Self::invalidate) for each.
    ///
    /// # Errors
    /// As for [`invalidate`](Self::invalidate); serde can't serialize a key: then nothing was invalidated.
    ///
    /// # Cancellation
    /// Once begun it is finished in the background.
    pub async fn invalidate_many<L: Lookup<Key = K>>(&self, keys: impl IntoIterator<Item = L>) -> Result<()> {
        let shared = self.shared();
        let mut what = Revocation::default();
        for key in keys {
            let (local, key) = shared.clone().revocation_of(key.to_key(), shared.hash(&key))?;
            what.locals.push(local);
            what.keys.push(key);
        }
        shared.stack.clone().invalidate(what).await
    }
}

impl<'a, K: CacheKey, V: CacheValue> AtMany<'a, K, V> {
    /// The tags of each entry that this call stores: as [`At::tag`](crate::At::tag).
    pub fn tags<T: Into<String>, I: IntoIterator<Item = T>>(
        mut self,
        tags: impl Fn(&K) -> I + Send + Sync + 'a,
    ) -> Self {
        self.tags = Some(Box::new(move |key| tags(key).into_iter().map(Into::into).collect()));
        self
    }

    /// The time to live of the entries that this call stores: as [`At::ttl`](crate::At::ttl).
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.call.ttl = Some(ttl);
        self
    }

    /// Served only what is known to be current after the call began: as [`At::validated`](crate::At::validated).
    pub fn validated(mut self) -> Self {
        self.call.validated = true;
        self
    }

    /// The values that are cached, in L1 or L2, and how each was come by. Loads nothing.
    pub async fn get(mut self) -> HashMap<K, Answer<V>> {
        self.call.mode = Mode::Lookup;
        let shared = self.cache.shared();
        if shared.is_bypassed() || scope::current().is_some() {
            return HashMap::new();
        }
        let (mut answers, missing) = self.hits(Asker::Looks);
        let note = |error: Error| {
            shared.counters.note(Event::Miss, None, || None);
            shared.stack.problems.report(&shared.label, "lookup", || error.to_string());
        };
        if shared.l2().is_none() {
            missing.iter().for_each(|key| shared.note(Event::Miss, shared.hash(&key), key));
            return answers;
        }
        for keys in missing.chunks(AT_ONCE) {
            let mut trips = Vec::with_capacity(keys.len());
            for key in keys.iter().cloned() {
                let (hash, call) = (shared.hash(&&key), self.call(&key));
                match shared.depart::<NoLoad<V>, Infallible>(key.clone(), hash, call, &mut None) {
                    Ok(trip) => trips.push((key, trip)),
                    Err(error) => note(error),
                }
            }
            for (key, trip) in trips {
                match trip.arrive::<NoLoad<V>, Infallible>(None).await {
                    Ok(fetched) => answers.extend(fetched.map(|(entry, source)| (key, Answer::new(&entry, source)))),
                    Err(LoadError::Cache(error)) => note(error),
                    Err(LoadError::Loader(never)) => match *never {},
                }
            }
        }
        answers
    }

    /// The values that are cached, and for all other keys those of one run of `load`, each of which is then cached. Keys that
    /// are being loaded already are awaited, here or in another process, and not loaded again.
    ///
    /// The loader names the keys that it knows; of the others nothing is cached, unless `V` is an `Option` and it names them
    /// with `None`. It runs once for each 500 keys that are missing, and once more for those that another process was to load
    /// and did not.
    ///
    /// Each load has the policy's [`hard_timeout`](crate::Policy::hard_timeout), and all of them one place among the
    /// [`max_loads`](crate::Policy::max_loads).
    pub async fn get_with<F, Fut, I>(self, load: F) -> Many<K, V>
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = I> + Send + 'static,
        I: IntoIterator<Item = (K, V)>,
    {
        let load = move |keys| {
            let loading = load(keys);
            async move {
                Ok::<_, Infallible>(loading.await.into_iter().map(|(key, value)| (key, Ok(value))).collect::<Vec<_>>())
            }
        };
        self.try_get_with(load).await
    }

    /// [`get_with`](Self::get_with) for a loader that may fail: as a whole, or for single keys. Its errors go to all who
    /// waited for the keys.
    pub async fn try_get_with<F, Fut, I, E>(self, load: F) -> Many<K, V, E>
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<I, E>> + Send + 'static,
        I: IntoIterator<Item = (K, Result<V, E>)>,
        E: Send + Sync + 'static,
    {
        self.fetch(erased(load)).await
    }

    async fn fetch<E: Send + Sync + 'static>(mut self, load: Arc<LoadMany<K, V>>) -> Many<K, V, E> {
        let shared = self.cache.shared();
        let scope = scope::current();
        if shared.is_bypassed() || scope == Some(Scope::Bypass) {
            return bypassing(self.keys, &load).await;
        }
        if scope == Some(Scope::Refresh) {
            self.call.mode = Mode::Refresh;
        }
        let mut many = Many::default();
        let missing;
        (many.answers, missing) = self.hits(Asker::Loads);
        for keys in missing.chunks(AT_ONCE) {
            self.fetch_some(keys, &load, &mut many).await;
        }
        many
    }

    async fn fetch_some<E: Send + Sync + 'static>(
        &self,
        keys: &[K],
        load: &Arc<LoadMany<K, V>>,
        many: &mut Many<K, V, E>,
    ) {
        let shared = self.cache.shared();
        let gathering = Gathering::new(shared, When::AllHaveCome, Arc::clone(load));
        let hold = gathering.hold();
        let mut trips = Vec::with_capacity(keys.len());
        for key in keys.iter().cloned() {
            let (hash, call) = (shared.hash(&&key), self.call(&key));
            let share = gathering.share(key.clone());
            let place = share.place();
            let mut load = Some(move |handle: Load| share.into_load(&handle));
            match shared.depart::<_, E>(key.clone(), hash, call, &mut load) {
                Ok(trip) => {
                    if load.is_some() {
                        // It has a seat on another call's flight.
                        place.leave();
                    }
                    trips.push((key, trip, load));
                }
                Err(error) => _ = many.errors.insert(key, LoadError::Cache(error)),
            }
        }
        drop(hold);
        for (key, trip, load) in trips {
            match trip.arrive::<_, E>(load).await {
                Ok(fetched) => many.answers.extend(fetched.map(|(entry, source)| (key, Answer::new(&entry, source)))),
                Err(error) => _ = many.errors.insert(key, error),
            }
        }
    }

    /// What L1 has, and the keys of the rest.
    fn hits(&mut self, to: Asker) -> (HashMap<K, Answer<V>>, Vec<K>) {
        let shared = self.cache.shared();
        let (mut answers, mut missing) = (HashMap::with_capacity(self.keys.len()), Vec::new());
        let hit = |key: &K| shared.hit(shared.hash(&key), &key, to, |entry| Answer::new(entry, Source::L1));
        let asks_further = self.call.mode == Mode::Refresh || (self.call.validated && shared.l2().is_some());
        for key in self.keys.drain(..) {
            match (!asks_further).then(|| hit(&key)).flatten() {
                Some(answer) => _ = answers.insert(key, answer),
                None => missing.push(key),
            }
        }
        (answers, missing)
    }

    fn call(&self, key: &K) -> Call {
        let tags = self.tags.as_ref().map(|tags| tags(key)).unwrap_or_default();
        Call { tags, ..self.call.clone() }
    }
}

type NoLoad<V> = fn(Load) -> BoxLoad<V>;

/// A loader without its types.
pub(super) fn erased<K, V, F, Fut, I, E>(load: F) -> Arc<LoadMany<K, V>>
where
    K: CacheKey,
    V: CacheValue,
    F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<I, E>> + Send + 'static,
    I: IntoIterator<Item = (K, Result<V, E>)>,
    E: Send + Sync + 'static,
{
    Arc::new(move |keys| {
        let loading = load(keys);
        Box::pin(async move {
            let loaded = loading.await.map_err(|error| Failure::Loader(Arc::new(error)))?;
            let each = |(key, value): (K, Result<V, E>)| (key, value.map_err(|error| Failure::Loader(Arc::new(error))));
            Ok(loaded.into_iter().map(each).collect())
        })
    })
}

/// Past the cache.
pub(super) async fn bypassing<K: CacheKey, V, E: Send + Sync + 'static>(
    keys: Vec<K>,
    load: &Arc<LoadMany<K, V>>,
) -> Many<K, V, E> {
    let mut many = Many::default();
    if keys.is_empty() {
        return many;
    }
    let loaded: Loaded<K, V> = load(keys.clone()).await;
    let mut loaded = loaded.map_err(own_error);
    for key in keys {
        let outcome = match &mut loaded {
            Ok(values) => values.remove(&key).map(|value| value.map_err(own_error)),
            Err(error) => Some(Err(error.clone())),
        };
        match outcome {
            Some(Ok(value)) => _ = many.answers.insert(key, Answer::uncached(value)),
            Some(Err(error)) => _ = many.errors.insert(key, error),
            None => {}
        }
    }
    many
}

/// The error of a loader that this very call brought.
fn own_error<E: Send + Sync + 'static>(failure: Failure) -> LoadError<E> {
    match failure {
        Failure::Loader(error) => {
            LoadError::Loader(error.downcast().expect("the call's own loader has the call's own error"))
        }
        Failure::Cache(error) => LoadError::Cache(error),
        Failure::Missing | Failure::Abandoned => unreachable!("a loader that was awaited to its end said something"),
    }
}
