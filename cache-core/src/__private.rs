//! What `#[cached]` and `#[invalidates]` call. Not part of the public interface: any release may change it, together with the attributes.

mod argument;
mod ask;
mod gate;
mod here;
mod many;
mod outcome;
mod revoking;
mod site;
mod sites;
mod spec;
mod whole;

use std::{
    convert::Infallible,
    future::ready,
    sync::{Mutex, PoisonError},
    time::Duration,
};

pub use self::{
    argument::{AsStack, Lent, again, cache_name, copy, key, key_part, lend, lent, tag, tags_of},
    ask::{Ask, Told, later},
    here::EntryHere,
    many::{Batch, FunctionOfMany, OfMany, OneOf, ValueOf, Values},
    outcome::{ByConverting, ByPanicking, ByValue, Holds, Loading, Outcome, Returns, boxed, outcome},
    revoking::{ByEnd, ByResult, Ended, Refusable, Revocable, Revoking, guarded, never, target},
    site::Site,
    sites::Sites,
    spec::Spec,
    whole::{Failing, Whole, whole},
};
pub use crate::aside::aside;
use crate::{
    answer::{Answer, Source},
    cache::{Cache, CacheKey, CacheValue, Call},
    codec::is_negative,
    coherence::course::Mode,
    entry::Asker,
    error::{LoadError, Result},
    load::Load,
    lookup::Lookup,
    stack::Stack,
    stats::Stats,
    warm::{Report, Warmer},
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
    cache.value(&key, Asker::Loads).map(|value| O::join(Ok(value)))
}

/// What a call of a cached function is about.
#[inline]
pub fn entry<O, L>(site: &'static Site, stack: Option<&Stack>, _: O, key: L) -> impl EntryHere<Outcome = O> + use<O, L>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey> + Send,
{
    Found::<O, L> {
        cache: site.cache(stack),
        key,
        bypassed: false,
        validated: false,
        to_the_end: false,
        default: None,
        keep: Keep::default(),
    }
}

/// The cache of a function, its value's type as the signature shows it. `key` is never called: it has the key's type.
pub fn handle<O, D, A, L>(
    site: &'static Site,
    stack: Option<&Stack>,
    _: O,
    _: impl FnOnce(A) -> L,
) -> Result<Cache<L::Key, D>>
where
    O: Outcome<Value: CacheValue> + Holds<D>,
    L: Lookup<Key: CacheKey>,
{
    O::typed(&*site.cache::<L::Key, O::Value>(stack)?)
}

/// The statistics of a function's cache.
pub fn stats(site: &'static Site, stack: Option<&Stack>) -> Stats {
    match stack {
        Some(stack) => site.stats(stack),
        None => site.stats(&Stack::global()),
    }
}

/// The owned key.
pub fn own<L: Lookup>(key: L) -> L::Key {
    key.to_key()
}

/// A call that warmed an entry, or found it warm.
pub type Warmed = Result<Answer<()>, String>;

/// Calls a function for each of `items`.
pub fn warm<T: Send + 'static>(
    site: &'static Site,
    items: impl IntoIterator<Item = T>,
    warm: fn(T) -> Loading<Warmed>,
) -> impl Future<Output = Result<Report>> + Send {
    let items: Mutex<Vec<T>> = Mutex::new(items.into_iter().collect());
    let items = move || {
        let items = std::mem::take(&mut *items.lock().unwrap_or_else(PoisonError::into_inner));
        ready(Ok::<_, Infallible>(items))
    };
    Warmer::new(site.name(), items, warm).start().report()
}

/// An entry, by the arguments of a cached function. Bodies and tags come as closures: a hit runs neither.
pub trait Entry: Sized {
    /// What the function's return type means.
    type Outcome: Outcome;

    /// `when = …`, `unless = …`: where it says so, calls go past the cache.
    fn bypassed(self, bypassed: bool) -> Self;

    /// `validated`
    fn validated(self) -> Self;

    /// `to_the_end`
    fn to_the_end(self) -> Self;

    /// `default_on_error = …`; it is evaluated where the cache is asked.
    fn or_default(self, value: impl FnOnce() -> <Self::Outcome as Outcome>::Value) -> Self;

    /// `tags = [|value| …]`
    fn tagged_by(self, tags: fn(&<Self::Outcome as Outcome>::Value) -> Vec<String>) -> Self;

    /// `cache_none = false`
    fn without_none(self) -> Self;

    /// `cache_err = …`
    fn errors_if(self, judge: fn(&<Self::Outcome as Outcome>::Error) -> bool) -> Self;

    /// `cache_if = …`
    fn only_if(self, judge: fn(&<Self::Outcome as Outcome>::Value) -> bool) -> Self;

    /// Calls the function.
    fn call(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<Returned<Self>> + Send,
    ) -> impl Future<Output = Returned<Self>> + Send;

    /// [`call`](Self::call), and how it was answered. An error is never cached, so it is told as the end of a load.
    fn explain(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<Returned<Self>> + Send,
    ) -> impl Future<Output = Answer<Returned<Self>>> + Send;

    /// Loads, whatever is cached.
    fn refresh(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<Returned<Self>> + Send,
    ) -> impl Future<Output = Returned<Self>> + Send;

    /// Calls the function for the sake of what is cached.
    fn warm(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<Returned<Self>> + Send,
    ) -> impl Future<Output = Warmed> + Send;

    /// Loads nothing.
    fn get<D>(self, tags: impl FnOnce() -> Vec<String> + Send) -> impl Future<Output = Option<D>> + Send
    where
        Self::Outcome: Holds<D>;

    /// Stores a value.
    fn insert<D: Send>(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        value: D,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self::Outcome: Holds<D>;

    /// What a companion asks.
    fn ask<D: Send>(
        self,
        ask: Ask<D>,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<Returned<Self>> + Send,
    ) -> impl Future<Output = Told<Returned<Self>, D>> + Send
    where
        Self: Send,
        Self::Outcome: Holds<D>,
    {
        async {
            match ask {
                Ask::Refresh => Told::Returned(self.refresh(tags, load).await),
                Ask::Explain => Told::Explained(self.explain(tags, load).await),
                Ask::Get => Told::Found(self.get(tags).await),
                Ask::Insert(value) => Told::Inserted(self.insert(tags, value).await),
                Ask::Warm => Told::Warmed(self.warm(tags, load).await),
            }
        }
    }
}

/// What the function returns.
type Returned<E> = <<E as Entry>::Outcome as Outcome>::Return;

struct Found<O: Outcome<Value: 'static>, L: Lookup<Key: 'static>> {
    cache: Result<site::Handle<L::Key, O::Value>>,
    key: L,
    bypassed: bool,
    validated: bool,
    to_the_end: bool,
    default: Option<O::Value>,
    keep: Keep<O>,
}

impl<O, L> Entry for Found<O, L>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey> + Send,
{
    type Outcome = O;

    fn bypassed(self, bypassed: bool) -> Self {
        Self { bypassed, ..self }
    }

    fn validated(self) -> Self {
        Self { validated: true, ..self }
    }

    fn to_the_end(self) -> Self {
        Self { to_the_end: true, ..self }
    }

    fn or_default(self, value: impl FnOnce() -> O::Value) -> Self {
        Self { default: (!self.bypassed).then(value), ..self }
    }

    fn tagged_by(mut self, tags: fn(&O::Value) -> Vec<String>) -> Self {
        self.keep.tags = tags;
        self
    }

    fn without_none(mut self) -> Self {
        self.keep.none = false;
        self
    }

    fn errors_if(mut self, judge: fn(&O::Error) -> bool) -> Self {
        self.keep.errors = judge;
        self
    }

    fn only_if(mut self, judge: fn(&O::Value) -> bool) -> Self {
        self.keep.judge = Some(judge);
        self
    }

    async fn call(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<O::Return> + Send,
    ) -> O::Return {
        if self.bypassed {
            return load().await;
        }
        let cache = match self.cache {
            Ok(cache) => cache,
            Err(error) => return O::join(Err(error.into())),
        };
        let (validated, keep) = (self.validated, self.keep);
        if !(validated && cache.shared().l2().is_some())
            && let Some(value) = cache.shared().value(&self.key, Asker::Loads)
        {
            return O::join(Ok(value));
        }
        let hash = cache.shared().hash(&self.key);
        let call = Call { tags: tags(), validated, to_the_end: self.to_the_end, ..Call::default() };
        let of_errors = cache.shared().policy().negative_ttl;
        let loader = |handle| keep.split(load(), handle, of_errors);
        let loaded = Box::pin(cache.load(self.key.to_key(), hash, call, loader)).await;
        let answer = cache.or_default(hash, &self.key, loaded, self.default);
        O::join(answer.map(|answer| answer.value))
    }

    async fn explain(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<O::Return> + Send,
    ) -> Answer<O::Return> {
        if self.bypassed {
            return Answer::uncached(load().await);
        }
        match self.answer(tags, load).await {
            Ok(answer) => answer.map(|value| O::join(Ok(value))),
            Err(error) => Answer::uncached(O::join(Err(error))),
        }
    }

    async fn refresh(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<O::Return> + Send,
    ) -> O::Return {
        if self.bypassed {
            return load().await;
        }
        let cache = match self.cache {
            Ok(cache) => cache,
            Err(error) => return O::join(Err(error.into())),
        };
        let (key, keep) = (self.key.to_key(), self.keep);
        let of_errors = cache.shared().policy().negative_ttl;
        let call = Call { mode: Mode::Refresh, tags: tags(), to_the_end: self.to_the_end, ..Call::default() };
        let hash = cache.shared().hash(&self.key);
        let loader = |handle| keep.split(load(), handle, of_errors);
        let loaded = Box::pin(cache.load(key.clone(), hash, call, loader)).await;
        if loaded.as_ref().is_ok_and(|loaded| !keep.says(&loaded.value)) {
            // What is cached yet is older than what must not be. If it can't be told, it is queued.
            let _ = cache.invalidate(&key).await;
        }
        let answer = cache.or_default(hash, &self.key, loaded, self.default);
        O::join(answer.map(|answer| answer.value))
    }

    async fn warm(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<O::Return> + Send,
    ) -> Warmed {
        if self.bypassed {
            // Nothing of it would be cached.
            return Ok(Answer { source: Source::L1, ..Answer::uncached(()) });
        }
        // What stands in for a load that failed warms nothing.
        match (Self { default: None, ..self }).answer(tags, load).await {
            Ok(answer) => Ok(answer.map(drop)),
            Err(LoadError::Loader(_)) => Err("the function returned an error".to_owned()),
            Err(LoadError::Cache(error)) => Err(error.to_string()),
        }
    }

    async fn get<D>(self, tags: impl FnOnce() -> Vec<String> + Send) -> Option<D>
    where
        O: Holds<D>,
    {
        if self.bypassed {
            return None;
        }
        let cache = self.cache.ok()?;
        if let Some(value) = cache.shared().value(&self.key, Asker::Looks) {
            return Some(O::give(value));
        }
        let hash = cache.shared().hash(&self.key);
        let call = Call { tags: tags(), ..Call::default() };
        let found = Box::pin(cache.look_up(self.key.to_key(), hash, call)).await;
        found.map(|answer| O::give(answer.value))
    }

    async fn insert<D: Send>(self, tags: impl FnOnce() -> Vec<String> + Send, value: D) -> Result<()>
    where
        O: Holds<D>,
    {
        let value = O::take(value)?;
        if self.bypassed || !self.keep.says(&value) {
            return Ok(());
        }
        let cache = self.cache?;
        let at = cache.at(self.key).tags(tags()).tags((self.keep.tags)(&value));
        match cache.shared().policy().negative_ttl.filter(|_| O::is_error(&value)) {
            Some(ttl) => at.ttl(ttl).insert(value).await,
            None => at.insert(value).await,
        }
    }
}

impl<O, L> Found<O, L>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey> + Send,
{
    async fn answer(
        self,
        tags: impl FnOnce() -> Vec<String> + Send,
        load: impl FnOnce() -> Loading<O::Return> + Send,
    ) -> Result<Answer<O::Value>, LoadError<O::Error>> {
        let (cache, keep) = (self.cache?, self.keep);
        let mut at = cache.at(self.key).tags(tags());
        if self.validated {
            at = at.validated();
        }
        if self.to_the_end {
            at = at.to_the_end();
        }
        if let Some(value) = self.default {
            at = at.default_on_error(value);
        }
        let of_errors = cache.shared().policy().negative_ttl;
        at.try_get_with(|handle| keep.split(load(), handle, of_errors)).await
    }
}

/// What is cached, under which tags, and for how long.
struct Keep<O: Outcome> {
    none: bool,
    judge: Option<fn(&O::Value) -> bool>,
    errors: fn(&O::Error) -> bool,
    /// Those that the value tells, beside those of the call.
    tags: fn(&O::Value) -> Vec<String>,
}

impl<O: Outcome> Clone for Keep<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O: Outcome> Copy for Keep<O> {}

impl<O: Outcome> Default for Keep<O> {
    fn default() -> Self {
        Self { none: true, judge: None, errors: |_| true, tags: |_| Vec::new() }
    }
}

impl<O: Outcome<Value: CacheValue>> Keep<O> {
    fn says(&self, value: &O::Value) -> bool {
        (self.none || !is_negative(value)) && self.judge.is_none_or(|judge| judge(value))
    }

    async fn split(
        self,
        loading: Loading<O::Return>,
        load: Load,
        of_errors: Option<Duration>,
    ) -> Result<O::Value, O::Error> {
        self.sort(loading.await, &load, of_errors)
    }

    /// What the body returned, taken apart. A remembered error lives as `None` does.
    fn sort(self, returned: O::Return, load: &Load, of_errors: Option<Duration>) -> Result<O::Value, O::Error> {
        let value = O::split(returned, self.errors)?;
        if !self.says(&value) {
            load.no_store();
        }
        (self.tags)(&value).into_iter().for_each(|tag| load.tag(tag));
        if let Some(ttl) = of_errors.filter(|_| O::is_error(&value)) {
            load.ttl(ttl);
        }
        Ok(value)
    }
}

/// Evaluates `when = …`, in a closure so that the expression can't leave the function.
pub fn condition(condition: impl FnOnce() -> bool) -> bool {
    condition()
}
