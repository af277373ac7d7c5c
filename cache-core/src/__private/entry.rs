//! The entry that a call of a cached function is about, and what can be asked of it.
//!
//! Bodies and tags come as closures: a hit runs neither. They are boxed at once, so that the code below is made, and checked,
//! for each kind of key and value, and not for each function.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use super::{Ask, Loading, Outcome, Site, Told, Warmed, outcome::Holds, revoking::Target, site::Handle};
use crate::{
    answer::{Answer, Source},
    cache::{Cache, CacheKey, CacheValue, Call},
    codec::is_negative,
    coherence::course::Mode,
    entry::Asker,
    error::{Error, LoadError, Result},
    load::Load,
    lookup::Lookup,
    stack::Stack,
};

/// By the arguments of a cached function.
pub struct Entry<O: Outcome<Value: 'static>, L: Lookup<Key: 'static>> {
    pub(super) cache: Result<Handle<L::Key, O::Value>>,
    pub(super) key: L,
    pub(super) bypassed: bool,
    validated: bool,
    pub(super) to_the_end: bool,
    pub(super) default: Option<O::Value>,
    pub(super) keep: Keep<O>,
}

/// The tags of a load.
pub(super) type Tags<'a> = Box<dyn FnOnce() -> Vec<String> + Send + 'a>;

/// The body, with its arguments.
pub(super) type Body<'a, R> = Box<dyn FnOnce() -> Loading<R> + Send + 'a>;

/// An answer, or one on its way.
pub enum Asking<'a, R, D> {
    /// Taken by the first poll.
    There(Option<Told<R, D>>),
    Awaited(Pin<Box<dyn Future<Output = Told<R, D>> + Send + 'a>>),
}

// Nothing of an answer is pinned.
impl<R, D> Unpin for Asking<'_, R, D> {}

impl<R, D> Future for Asking<'_, R, D> {
    type Output = Told<R, D>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Told<R, D>> {
        match self.get_mut() {
            Self::There(answer) => Poll::Ready(answer.take().expect("it is polled once")),
            Self::Awaited(answer) => answer.as_mut().poll(context),
        }
    }
}

/// What a call of a cached function is about.
#[inline]
pub fn entry<O, L>(site: &'static Site, stack: Option<&Stack>, _: O, key: L) -> Entry<O, L>
where
    O: Outcome<Value: CacheValue>,
    L: Lookup<Key: CacheKey>,
{
    Entry {
        cache: site.cache(stack),
        key,
        bypassed: false,
        validated: false,
        to_the_end: false,
        default: None,
        keep: Keep::default(),
    }
}

impl<O: Outcome, L: Lookup> Entry<O, L> {
    /// `when = …`, `unless = …`: where it says so, calls go past the cache.
    #[must_use]
    pub fn bypassed(self, bypassed: bool) -> Self {
        Self { bypassed, ..self }
    }

    /// `validated`
    #[must_use]
    pub fn validated(self) -> Self {
        Self { validated: true, ..self }
    }

    /// `to_the_end`
    #[must_use]
    pub fn to_the_end(self) -> Self {
        Self { to_the_end: true, ..self }
    }

    /// `default_on_error = …`; it is evaluated where the cache may have something loaded.
    #[must_use]
    pub fn or_default<D>(self, ask: &Ask<D>, value: impl FnOnce() -> O::Value) -> Self {
        Self { default: (!self.bypassed && ask.loads()).then(value), ..self }
    }

    /// `tags = [|value| …]`
    #[must_use]
    pub fn tagged_by(mut self, tags: fn(&O::Value) -> Vec<String>) -> Self {
        self.keep.tags = tags;
        self
    }

    /// `cache_none = false`
    #[must_use]
    pub fn without_none(mut self) -> Self {
        self.keep.none = false;
        self
    }

    /// `cache_err = …`
    #[must_use]
    pub fn errors_if(mut self, judge: fn(&O::Error) -> bool) -> Self {
        self.keep.errors = judge;
        self
    }

    /// `cache_if = …`
    #[must_use]
    pub fn only_if(mut self, judge: fn(&O::Value) -> bool) -> Self {
        self.keep.judge = Some(judge);
        self
    }
}

impl<O, L> Entry<O, L>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey> + Send,
{
    /// What the function asks, or a companion of it.
    pub fn ask<'a, D: Send + 'a>(
        self,
        ask: Ask<D>,
        tags: impl FnOnce() -> Vec<String> + Send + 'a,
        load: impl FnOnce() -> Loading<O::Return> + Send + 'a,
    ) -> Asking<'a, O::Return, D>
    where
        O: Holds<D>,
        Self: 'a,
    {
        match self.told_at_once(&ask) {
            Some(answer) => Asking::There(Some(answer)),
            None => Asking::Awaited(Box::pin(self.told(ask, Box::new(tags), Box::new(load)))),
        }
    }

    /// What L1 has, and what there is to revoke: neither waits, and so nothing is allocated for it.
    fn told_at_once<D>(&self, ask: &Ask<D>) -> Option<Told<O::Return, D>>
    where
        O: Holds<D>,
    {
        match ask {
            Ask::Get if !self.bypassed => {
                let value = self.cache.as_ref().ok()?.shared().value(&self.key, Asker::Looks)?;
                Some(Told::Found(Some(O::give(value))))
            }
            Ask::Target => Some(Told::Target(self.target())),
            _ => None,
        }
    }

    async fn told<D: Send>(self, ask: Ask<D>, tags: Tags<'_>, load: Body<'_, O::Return>) -> Told<O::Return, D>
    where
        O: Holds<D>,
    {
        // Calls wait in crowds, so what each of them holds is theirs alone.
        match ask {
            Ask::Call | Ask::Past => Told::Returned(self.returned(Mode::Load, tags, load).await),
            Ask::Refresh => Told::Returned(Box::pin(self.returned(Mode::Refresh, tags, load)).await),
            Ask::Explain => Told::Explained(Box::pin(self.explain(tags, load)).await),
            Ask::Get => Told::Found(Box::pin(self.get(tags)).await),
            Ask::Insert(value) => Told::Inserted(Box::pin(self.insert(tags, value)).await),
            Ask::Warm => Told::Warmed(Box::pin(self.warm(tags, load)).await),
            Ask::Target => unreachable!("it was told at once"),
        }
    }

    /// What there is to revoke.
    pub(super) fn target(&self) -> Target {
        let cache = self.cache.as_ref().map(|cache| Cache::clone(cache)).map_err(Error::clone);
        Target::new(cache, self.key.to_key())
    }

    /// What the function returns: by what is cached, or whatever is.
    async fn returned(self, mode: Mode, tags: Tags<'_>, load: Body<'_, O::Return>) -> O::Return {
        if self.bypassed {
            return load().await;
        }
        O::join(self.answer(mode, tags, load).await.map(|answer| answer.value))
    }

    /// How a call is answered. An error is never cached, so it is told as the end of a load.
    async fn explain(self, tags: Tags<'_>, load: Body<'_, O::Return>) -> Answer<O::Return> {
        if self.bypassed {
            return Answer::uncached(load().await);
        }
        match self.answer(Mode::Load, tags, load).await {
            Ok(answer) => answer.map(|value| O::join(Ok(value))),
            Err(error) => Answer::uncached(O::join(Err(error))),
        }
    }

    /// Calls the function for the sake of what is cached.
    async fn warm(self, tags: Tags<'_>, load: Body<'_, O::Return>) -> Warmed {
        if self.bypassed {
            // Nothing of it would be cached.
            return Ok(Answer { source: Source::L1, ..Answer::uncached(()) });
        }
        // What stands in for a load that failed warms nothing.
        match (Self { default: None, ..self }).answer(Mode::Load, tags, load).await {
            Ok(answer) => Ok(answer.map(drop)),
            Err(LoadError::Loader(_)) => Err("the function returned an error".to_owned()),
            Err(LoadError::Cache(error)) => Err(error.to_string()),
        }
    }

    /// Loads nothing. L1 was asked.
    async fn get<D>(self, tags: Tags<'_>) -> Option<D>
    where
        O: Holds<D>,
    {
        if self.bypassed {
            return None;
        }
        let cache = self.cache.ok()?;
        let hash = cache.shared().hash(&self.key);
        let call = Call { tags: tags(), ..Call::default() };
        let found = Box::pin(cache.look_up(self.key.to_key(), hash, call)).await;
        found.map(|answer| O::give(answer.value))
    }

    /// Stores a value.
    async fn insert<D: Send>(self, tags: Tags<'_>, value: D) -> Result<()>
    where
        O: Holds<D>,
    {
        let Some((value, call)) = self.to_store(tags, value)? else { return Ok(()) };
        let cache = self.cache?;
        let hash = cache.shared().hash(&self.key);
        cache.shared().insert(self.key, hash, value, call).await
    }

    /// What is to be stored of a value, and how; nothing of one that must not be.
    pub(super) fn to_store<D>(&self, tags: impl FnOnce() -> Vec<String>, value: D) -> Result<Option<(O::Value, Call)>>
    where
        O: Holds<D>,
    {
        let value = O::take(value)?;
        if self.bypassed || !self.keep.says(&value) {
            return Ok(None);
        }
        let cache = self.cache.as_ref().map_err(Error::clone)?;
        let ttl = cache.shared().policy().negative_ttl.filter(|_| O::is_error(&value));
        let tags = tags().into_iter().chain((self.keep.tags)(&value)).collect();
        Ok(Some((value, Call { tags, ttl, ..Call::default() })))
    }

    async fn answer(
        self,
        mode: Mode,
        tags: Tags<'_>,
        load: Body<'_, O::Return>,
    ) -> Result<Answer<O::Value>, LoadError<O::Error>> {
        let (cache, keep) = (self.cache?, self.keep);
        let shared = cache.shared();
        let hash = shared.hash(&self.key);
        let validated = self.validated && mode == Mode::Load;
        let call = Call { mode, tags: tags(), validated, to_the_end: self.to_the_end, ..Call::default() };
        let of_errors = shared.policy().negative_ttl;
        let loader = |handle| keep.split(load(), handle, of_errors);
        let loaded = Box::pin(cache.load(self.key.to_key(), hash, call, loader)).await;
        let is_unwanted = mode == Mode::Refresh && loaded.as_ref().is_ok_and(|loaded| !keep.says(&loaded.value));
        let answer = cache.or_default(hash, &self.key, loaded, self.default);
        if is_unwanted {
            // What is cached yet is older than what must not be. If it can't be told, it is queued.
            let _ = cache.invalidate(self.key).await;
        }
        answer
    }
}

/// What is cached, under which tags, and for how long.
pub(super) struct Keep<O: Outcome> {
    none: bool,
    judge: Option<fn(&O::Value) -> bool>,
    errors: fn(&O::Error) -> bool,
    /// Those that the value tells, beside those of the call.
    pub(super) tags: fn(&O::Value) -> Vec<String>,
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
    pub(super) fn says(&self, value: &O::Value) -> bool {
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
    pub(super) fn sort(
        self,
        returned: O::Return,
        load: &Load,
        of_errors: Option<Duration>,
    ) -> Result<O::Value, O::Error> {
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
