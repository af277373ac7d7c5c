//! What `#[cached]` calls. Not part of the public interface: any release may change it, together with the attribute.

mod argument;
mod gate;
mod outcome;
mod site;

use std::{marker::PhantomData, time::Duration};

pub use self::{
    argument::{AsStack, Lent, copy, key, key_part, lend, lent, tag},
    outcome::{ByConverting, ByPanicking, ByValue, Loading, Outcome, Returns, boxed, outcome},
    site::{Site, Spec},
};
use crate::{
    answer::{Answer, Source},
    cache::{CacheKey, CacheValue, Call},
    error::Result,
    lookup::Lookup,
    stack::Stack,
};

/// What L1 answers, if the function was called before and has the value there. Nothing is made for it, no future either: this
/// is all that a hit runs.
#[inline(always)]
pub fn hit<O, L>(site: &'static Site, stack: Option<&Stack>, _: &O, key: L) -> Option<O::Return>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey>,
{
    let cache = site.first::<L::Key, O::Value>(stack)?.shared();
    cache.value(&key).map(|value| O::join(Ok(value)))
}

/// What a call of a cached function is about.
#[inline]
pub fn entry<O, L>(
    site: &'static Site,
    stack: Option<&Stack>,
    _: O,
    key: L,
) -> impl Entry<Return = O::Return> + use<O, L>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey> + Send,
{
    Found { cache: site.cache(stack), key, outcome: PhantomData::<fn() -> O> }
}

/// An entry, by the arguments of a cached function. Bodies and tags come as closures: a hit runs neither.
pub trait Entry: Sized {
    /// What the function returns.
    type Return;

    /// Calls the function.
    fn call(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<Self::Return> + Send,
    ) -> impl Future<Output = Self::Return> + Send;

    /// [`call`](Self::call), and how it was answered. An error is never cached, so it is told as the end of a load.
    fn explain(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<Self::Return> + Send,
    ) -> impl Future<Output = Answer<Self::Return>> + Send;

    /// Loads, whatever is cached.
    fn refresh(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<Self::Return> + Send,
    ) -> impl Future<Output = Self::Return> + Send;

    /// Revokes the entry.
    fn invalidate(self) -> impl Future<Output = Result<()>> + Send;
}

struct Found<O: Outcome<Value: 'static>, L: Lookup<Key: 'static>> {
    cache: Result<site::Handle<L::Key, O::Value>>,
    key: L,
    outcome: PhantomData<fn() -> O>,
}

impl<O, L> Entry for Found<O, L>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey> + Send,
{
    type Return = O::Return;

    async fn call(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<O::Return> + Send,
    ) -> O::Return {
        let cache = match self.cache {
            Ok(cache) => cache,
            Err(error) => return O::join(Err(error.into())),
        };
        if let Some(value) = cache.shared().value(&self.key) {
            return O::join(Ok(value));
        }
        let hash = cache.shared().hash(&self.key);
        let call = Call { tags: tags(), ..Call::default() };
        let answer = Box::pin(cache.load(self.key.to_key(), hash, call, |_| split::<O>(load()))).await;
        O::join(answer.map(|answer| answer.value))
    }

    async fn explain(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<O::Return> + Send,
    ) -> Answer<O::Return> {
        let answer = match self.cache {
            Ok(cache) => cache.at(self.key).tags(tags()).try_get_with(|_| split::<O>(load())).await,
            Err(error) => Err(error.into()),
        };
        match answer {
            Ok(Answer { value, source, age, remaining }) => {
                Answer { value: O::join(Ok(value)), source, age, remaining }
            }
            Err(error) => {
                let (age, remaining) = (Duration::ZERO, Duration::ZERO);
                Answer { value: O::join(Err(error)), source: Source::Loaded, age, remaining }
            }
        }
    }

    async fn refresh(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<O::Return> + Send,
    ) -> O::Return {
        let answer = match self.cache {
            Ok(cache) => cache.at(self.key).tags(tags()).try_refresh_with(|_| split::<O>(load())).await,
            Err(error) => Err(error.into()),
        };
        O::join(answer.map(|answer| answer.value))
    }

    async fn invalidate(self) -> Result<()> {
        self.cache?.invalidate(self.key).await
    }
}

async fn split<O: Outcome>(loading: Loading<O::Return>) -> Result<O::Value, O::Error> {
    O::split(loading.await)
}
