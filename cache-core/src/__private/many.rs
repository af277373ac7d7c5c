//! Functions of many keys.

use std::{collections::HashMap, convert::Infallible, marker::PhantomData, sync::Arc};

use super::{Loading, Site};
use crate::{
    batch::Many,
    cache::{Cache, CacheKey, CacheValue},
    error::{Error, LoadError, Result},
    stack::Stack,
    stats::Stats,
};

/// What a function of many keys returns.
#[diagnostic::on_unimplemented(
    message = "`#[cached(batch)]` can't cache what is in a `{Self}`",
    label = "needs to be a `HashMap` of keys and values, or a `Result` of one",
    note = "keys need `Clone`, `Eq`, `Hash` and `serde::Serialize`, and values `Clone`, `serde::Serialize` and `serde::Deserialize`; all are `Send + Sync + 'static`",
    note = "the error of a `Result` needs `Clone`, because callers share it, and `From<cache_core::Error>`, for a load that panicked or ran out of time"
)]
pub trait OfMany: Sized + Send + 'static {
    /// What is looked up.
    type Key: CacheKey;
    /// What is cached under each.
    type Value: CacheValue;
    /// What is not.
    type Error: Send + Sync + 'static;
    /// What a call for one key returns.
    type One;

    /// Takes apart what the body returned.
    fn split(self) -> Result<Values<Self>, Self::Error>;

    /// Makes what the function returns.
    fn join(answer: Result<Values<Self>, LoadError<Self::Error>>) -> Self;

    /// Makes what a call for one key returns.
    fn one(answer: Result<Option<Self::Value>, LoadError<Self::Error>>) -> Self::One;

    /// The cached values, and for the rest those of one run of the body.
    fn call<F>(keys: Vec<Self::Key>) -> impl Future<Output = Self> + Send
    where
        F: FunctionOfMany<Key = Self::Key, Output = Self>,
    {
        async move {
            let answer = match Batch::<F>::cache() {
                Ok(cache) => {
                    let many: Many<_, _, Self::Error> = cache.many(&keys).try_get_with(loading::<F>).await;
                    many.into_result()
                }
                Err(error) => Err(LoadError::Cache(error)),
            };
            Self::join(answer)
        }
    }
}

/// What is found, by key.
pub type Values<R> = HashMap<<R as OfMany>::Key, <R as OfMany>::Value>;

#[diagnostic::do_not_recommend]
impl<K: CacheKey, V: CacheValue> OfMany for HashMap<K, V> {
    type Key = K;
    type Value = V;
    type Error = Infallible;
    type One = Option<V>;

    fn split(self) -> Result<Self, Infallible> {
        Ok(self)
    }

    fn join(answer: Result<Self, LoadError<Infallible>>) -> Self {
        answer.unwrap_or_else(panicking)
    }

    fn one(answer: Result<Option<V>, LoadError<Infallible>>) -> Option<V> {
        answer.unwrap_or_else(panicking)
    }
}

fn panicking<T>(error: LoadError<Infallible>) -> T {
    match error {
        LoadError::Cache(error) => super::outcome::give_up(&error),
        LoadError::Loader(never) => match *never {},
    }
}

#[diagnostic::do_not_recommend]
impl<K, V, E> OfMany for Result<HashMap<K, V>, E>
where
    K: CacheKey,
    V: CacheValue,
    E: Clone + From<Error> + Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    type Error = E;
    type One = Result<Option<V>, E>;

    fn split(self) -> Self {
        self
    }

    fn join(answer: Result<HashMap<K, V>, LoadError<E>>) -> Self {
        answer.map_err(own)
    }

    fn one(answer: Result<Option<V>, LoadError<E>>) -> Self::One {
        answer.map_err(own)
    }
}

fn own<E: Clone + From<Error>>(error: LoadError<E>) -> E {
    match error {
        LoadError::Cache(error) => error.into(),
        LoadError::Loader(error) => Arc::unwrap_or_clone(error),
    }
}

/// A function of many keys, as the attribute describes it.
pub trait FunctionOfMany: Sized + 'static {
    /// What is looked up.
    type Key;
    /// What the function returns.
    type Output: OfMany<Key = Self::Key>;

    /// Where its cache is kept.
    fn site() -> &'static Site;

    /// The stack that it is in, if it names one.
    fn stack() -> Option<Stack>;

    /// Runs the body.
    fn load(keys: Vec<Self::Key>) -> Loading<Self::Output>;
}

/// What goes with a cached function of many keys.
pub struct Batch<F>(PhantomData<fn() -> F>);

/// What a function caches of each key.
pub type ValueOf<F> = <<F as FunctionOfMany>::Output as OfMany>::Value;

/// What a function returns for one key.
pub type OneOf<F> = <<F as FunctionOfMany>::Output as OfMany>::One;

impl<F: FunctionOfMany> Batch<F> {
    /// The function itself. Of its types nothing is asked here, so that what they lack is said once, where the function is
    /// described.
    #[doc(hidden)]
    pub fn call(keys: Vec<F::Key>) -> impl Future<Output = F::Output> + Send {
        F::Output::call::<F>(keys)
    }
}

impl<K: CacheKey, F: FunctionOfMany<Key = K>> Batch<F> {
    /// The value of one key. Calls within a moment of each other share one run of the body.
    pub async fn one(key: K) -> OneOf<F> {
        let answer = match Self::cache() {
            Ok(cache) => cache.gathered::<_, _, _, <F::Output as OfMany>::Error>(loading::<F>).get(&key).await,
            Err(error) => Err(LoadError::Cache(error)),
        };
        F::Output::one(answer)
    }

    /// The cached values. Loads nothing.
    pub async fn get(keys: Vec<K>) -> HashMap<K, ValueOf<F>> {
        match Self::cache() {
            Ok(cache) => cache.get_many(&keys).await,
            Err(_) => HashMap::new(),
        }
    }

    /// Revokes the entries, everywhere.
    ///
    /// # Errors
    /// As for [`Cache::invalidate_many`].
    pub async fn invalidate(keys: Vec<K>) -> Result<()> {
        Self::cache()?.invalidate_many(&keys).await
    }

    /// Runs the body for all keys; the cache is neither read nor written.
    pub async fn uncached(keys: Vec<K>) -> F::Output {
        F::load(keys).await
    }

    /// The function's cache.
    ///
    /// # Errors
    /// As for [`CacheBuilder::build`](crate::CacheBuilder::build).
    pub fn cache() -> Result<Cache<K, ValueOf<F>>> {
        Ok(F::site().cache::<K, ValueOf<F>>(F::stack().as_ref())?.clone())
    }

    /// What happened to the function's cache so far in this process.
    #[must_use]
    pub fn stats() -> Stats {
        super::stats(F::site(), F::stack().as_ref())
    }
}

async fn loading<F: FunctionOfMany>(keys: Vec<F::Key>) -> Result<Each<F>, <F::Output as OfMany>::Error> {
    let loaded = F::load(keys).await.split()?;
    Ok(loaded.into_iter().map(|(key, value)| (key, Ok(value))).collect())
}

type Each<F> = Vec<(<F as FunctionOfMany>::Key, Result<ValueOf<F>, <<F as FunctionOfMany>::Output as OfMany>::Error>)>;
