//! Functions of many keys.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use super::{Loading, Site};
use crate::{
    batch::Many,
    cache::{Cache, CacheKey, CacheValue},
    error::{Error, LoadError, Result},
    stack::Stack,
};

/// What a function of many keys returns.
#[diagnostic::on_unimplemented(
    message = "`#[cached(batch)]` is for functions of many keys, which return a `HashMap` of keys and values, not `{Self}`",
    label = "needs to be a `HashMap<K, V>`, or a `Result` of one",
    note = "keys and values need what those of any cached function need; the error of a `Result` needs `Clone`, because callers share it, and `From<cache_core::Error>`, for a load that panicked or ran out of time"
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
}

/// What is found, by key.
pub type Values<R> = HashMap<<R as OfMany>::Key, <R as OfMany>::Value>;

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

/// A body that is asked for the keys that are missing.
pub type LoadMany<R> = fn(Vec<<R as OfMany>::Key>) -> Loading<R>;

/// The cached values, and for the rest those of one run of the body.
pub async fn many<R: OfMany>(site: &'static Site, stack: Option<&Stack>, keys: Vec<R::Key>, load: LoadMany<R>) -> R {
    let answer = match site.cache::<R::Key, R::Value>(stack) {
        Ok(cache) => {
            let many: Many<_, _, R::Error> = cache.many(&keys).try_get_with(move |keys| loading(load, keys)).await;
            many.into_result()
        }
        Err(error) => Err(LoadError::Cache(error)),
    };
    R::join(answer)
}

/// The cached value, or that of a run of the body for all keys that are asked for within a moment.
pub async fn one<R: OfMany>(site: &'static Site, stack: Option<&Stack>, key: R::Key, load: LoadMany<R>) -> R::One {
    let answer = match site.cache::<R::Key, R::Value>(stack) {
        Ok(cache) => cache.gathered::<_, _, _, R::Error>(move |keys| loading(load, keys)).get(&key).await,
        Err(error) => Err(LoadError::Cache(error)),
    };
    R::one(answer)
}

async fn loading<R: OfMany>(load: LoadMany<R>, keys: Vec<R::Key>) -> Result<Each<R>, R::Error> {
    let loaded = load(keys).await.split()?;
    Ok(loaded.into_iter().map(|(key, value)| (key, Ok(value))).collect())
}

type Each<R> = Vec<(<R as OfMany>::Key, Result<<R as OfMany>::Value, <R as OfMany>::Error>)>;

/// The cached values.
pub async fn get_many<R: OfMany>(site: &'static Site, stack: Option<&Stack>, keys: Vec<R::Key>) -> Values<R> {
    match site.cache::<R::Key, R::Value>(stack) {
        Ok(cache) => cache.get_many(&keys).await,
        Err(_) => HashMap::new(),
    }
}

/// Revokes the entries of many keys.
///
/// # Errors
/// As for [`Cache::invalidate_many`].
pub async fn invalidate_many<R: OfMany>(site: &'static Site, stack: Option<&Stack>, keys: Vec<R::Key>) -> Result<()> {
    site.cache::<R::Key, R::Value>(stack)?.invalidate_many(&keys).await
}

/// The cache of a function of many keys.
///
/// # Errors
/// As for [`CacheBuilder::build`](crate::CacheBuilder::build).
pub fn handle_of_many<R: OfMany>(site: &'static Site, stack: Option<&Stack>) -> Result<Cache<R::Key, R::Value>> {
    Ok(site.cache::<R::Key, R::Value>(stack)?.clone())
}
