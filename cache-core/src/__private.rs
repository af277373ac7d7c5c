//! What `#[cached]` calls. Not part of the public interface: any release may change it, together with the attribute.

mod argument;
mod outcome;
mod site;

use std::time::Duration;

pub use self::{
    argument::{Argument, AsStack, key, key_part},
    outcome::{ByConverting, ByPanicking, ByValue, Loading, Outcome, Returns, Shared, boxed},
    site::{Site, Spec},
};
use crate::{
    answer::{Answer, Source},
    cache::{CacheKey, CacheValue, Call},
    error::Result,
    lookup::Lookup,
    stack::Stack,
};

/// Calls a cached function. A hit in L1 clones the value, and does nothing else.
pub async fn call<O: Outcome, L: Lookup<Key: CacheKey>>(
    site: &Site,
    stack: Option<&Stack>,
    _: O,
    key: L,
    tags: impl FnOnce() -> Vec<String>,
    load: impl FnOnce() -> Loading<O::Return> + Send,
) -> O::Return
where
    O::Value: CacheValue,
    O::Error: Shared,
{
    let cache = match site.cache::<L::Key, O::Value>(stack) {
        Ok(cache) => cache,
        Err(error) => return O::join(Err(error.into())),
    };
    let hash = cache.shared().hash(&key);
    if let Some(entry) = cache.shared().hit(hash, &key) {
        return O::join(Ok(entry.value.clone()));
    }
    let call = Call { tags: tags(), ..Call::default() };
    let answer = Box::pin(cache.load(key.to_key(), hash, call, |_| split::<O>(load()))).await;
    O::join(answer.map(|answer| answer.value))
}

/// [`call`], and how it was answered. An error is never cached, so it is told as the end of a load.
pub async fn explain<O: Outcome, L: Lookup<Key: CacheKey>>(
    site: &Site,
    stack: Option<&Stack>,
    _: O,
    key: L,
    tags: impl FnOnce() -> Vec<String>,
    load: impl FnOnce() -> Loading<O::Return> + Send,
) -> Answer<O::Return>
where
    O::Value: CacheValue,
    O::Error: Shared,
{
    let answer = match site.cache::<L::Key, O::Value>(stack) {
        Ok(cache) => cache.at(key).tags(tags()).try_get_with(|_| split::<O>(load())).await,
        Err(error) => Err(error.into()),
    };
    match answer {
        Ok(Answer { value, source, age, remaining }) => Answer { value: O::join(Ok(value)), source, age, remaining },
        Err(error) => {
            let (age, remaining) = (Duration::ZERO, Duration::ZERO);
            Answer { value: O::join(Err(error)), source: Source::Loaded, age, remaining }
        }
    }
}

/// Loads, whatever is cached.
pub async fn refresh<O: Outcome, L: Lookup<Key: CacheKey>>(
    site: &Site,
    stack: Option<&Stack>,
    _: O,
    key: L,
    tags: impl FnOnce() -> Vec<String>,
    load: impl FnOnce() -> Loading<O::Return> + Send,
) -> O::Return
where
    O::Value: CacheValue,
    O::Error: Shared,
{
    let answer = match site.cache::<L::Key, O::Value>(stack) {
        Ok(cache) => cache.at(key).tags(tags()).try_refresh_with(|_| split::<O>(load())).await,
        Err(error) => Err(error.into()),
    };
    O::join(answer.map(|answer| answer.value))
}

/// Revokes one entry.
pub async fn invalidate<O: Outcome, L: Lookup<Key: CacheKey>>(
    site: &Site,
    stack: Option<&Stack>,
    _: O,
    key: L,
) -> Result<()>
where
    O::Value: CacheValue,
{
    let cache = site.cache::<L::Key, O::Value>(stack)?;
    cache.invalidate(key).await
}

async fn split<O: Outcome>(loading: Loading<O::Return>) -> Result<O::Value, O::Error> {
    O::split(loading.await)
}
