//! One call with options of its own.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{Cache, CacheKey, CacheValue, Call, infallible, only_cache};
use crate::{
    answer::{Answer, Source},
    coherence::course::Mode,
    entry::Asker,
    error::{LoadError, Result},
    load::Load,
    lookup::Lookup,
    scope,
    write::Revocation,
};

/// One call on one key of a [`Cache`], with options of its own: made by [`Cache::at`].
///
/// Its reads tell how they were answered ([`Answer`]). Cancellation and errors are those of the cache's own methods.
#[must_use = "options do nothing until a call is made"]
pub struct At<'a, K, V, L> {
    cache: &'a Cache<K, V>,
    key: L,
    call: Call,
    default: Option<V>,
}

impl<'a, K: CacheKey, V: CacheValue, L: Lookup<Key = K>> At<'a, K, V, L> {
    pub(super) fn new(cache: &'a Cache<K, V>, key: L) -> Self {
        Self { cache, key, call: Call::default(), default: None }
    }

    /// Adds a tag to the entry that this call stores. An entry in L2 that lacks it is not served to this call. At most 64.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.call.tags.push(tag.into());
        self
    }

    /// Adds tags, as [`tag`](Self::tag) does.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.call.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// The time to live of the entry that this call stores, instead of the policy's; jitter still shortens it. At most
    /// 100 years; below a millisecond nothing is stored. The loader's own word ([`Load::ttl`]) counts more.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.call.ttl = Some(ttl);
        self
    }

    /// Serves this call only what is known to be current after it began: what L1 has is compared with L2 first, in one round
    /// trip that moves no value if nothing changed. No other call's flight is joined. Where L2 can't be asked, the loader is.
    pub fn validated(mut self) -> Self {
        self.call.validated = true;
        self
    }

    /// Goes past the cache: the loader runs in the caller's place, with no deadline and shared by nobody, and nothing is stored;
    /// [`get`](Self::get) finds nothing. For all calls of a task, see [`scope`](crate::scope).
    pub fn bypass(mut self) -> Self {
        self.call.bypass = true;
        self
    }

    /// For so long after [`invalidate`](Self::invalidate) nothing is cached under the key by anybody, and calls are answered by
    /// their loaders: for loaders that read a replica which lags behind the origin. A later invalidation does not end it. L2 keeps it:
    /// a stack of L1 alone knows of none.
    pub fn hold_off(mut self, lag: Duration) -> Self {
        self.call.hold_off = Some(lag);
        self
    }

    /// Answers this call with `value` if its load fails and no stale value may stand in: the loader's own error, a panic, a
    /// deadline. [`Answer::source`] then says [`Source::Default`]. It is stored nowhere, and others who wait for the same load
    /// are given its error, or a value of their own. A mistake of the caller's is still an error: more than 64 tags, a key that
    /// serde can't serialize, a loader that asks for its own entry.
    pub fn default_on_error(mut self, value: V) -> Self {
        self.default = Some(value);
        self
    }

    /// Lets a load that this call begins go on when everyone has stopped waiting for it. By default it is cancelled.
    pub fn to_the_end(mut self) -> Self {
        self.call.to_the_end = true;
        self
    }

    /// [`Cache::get`], and how it was answered.
    pub async fn get(self) -> Option<Answer<V>> {
        let hash = self.cache.shared().hash(&self.key);
        if let Some(hit) = self.hit(hash, Asker::Looks) {
            return Some(hit);
        }
        Box::pin(self.cache.look_up(self.key.to_key(), hash, self.call)).await
    }

    /// [`Cache::get_with`], and how it was answered.
    ///
    /// # Errors
    /// As for [`Cache::get_with`], and [`ErrorKind::Config`](crate::ErrorKind::Config) for more than 64 tags.
    pub async fn get_with<F, Fut>(self, load: F) -> Result<Answer<V>>
    where
        F: FnOnce(Load) -> Fut + Send,
        Fut: Future<Output = V> + Send + 'static,
    {
        self.try_get_with(|handle| infallible(load(handle))).await.map_err(only_cache)
    }

    /// [`Cache::try_get_with`], and how it was answered.
    ///
    /// # Errors
    /// As for [`Cache::try_get_with`], and [`ErrorKind::Config`](crate::ErrorKind::Config) for more than 64 tags.
    pub async fn try_get_with<F, Fut, E>(self, load: F) -> Result<Answer<V>, LoadError<E>>
    where
        F: FnOnce(Load) -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let hash = self.cache.shared().hash(&self.key);
        if let Some(hit) = self.hit(hash, Asker::Loads) {
            return Ok(hit);
        }
        let loaded = Box::pin(self.cache.load(self.key.to_key(), hash, self.call, load)).await;
        self.cache.or_default(hash, &self.key, loaded, self.default)
    }

    /// Loads whatever is cached, and caches the result in every tier. The old entry is served to others until then.
    ///
    /// # Errors
    /// As for [`get_with`](Self::get_with).
    pub async fn refresh_with<F, Fut>(self, load: F) -> Result<Answer<V>>
    where
        F: FnOnce(Load) -> Fut + Send,
        Fut: Future<Output = V> + Send + 'static,
    {
        self.try_refresh_with(|handle| infallible(load(handle))).await.map_err(only_cache)
    }

    /// [`refresh_with`](Self::refresh_with) for a loader that may fail: the old entry then stays.
    ///
    /// # Errors
    /// As for [`try_get_with`](Self::try_get_with).
    pub async fn try_refresh_with<F, Fut, E>(self, load: F) -> Result<Answer<V>, LoadError<E>>
    where
        F: FnOnce(Load) -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let hash = self.cache.shared().hash(&self.key);
        let call = Call { mode: Mode::Refresh, ..self.call };
        let loaded = Box::pin(self.cache.load(self.key.to_key(), hash, call, load)).await;
        self.cache.or_default(hash, &self.key, loaded, self.default)
    }

    /// [`Cache::insert`].
    ///
    /// # Errors
    /// As for [`Cache::insert`].
    pub async fn insert(self, value: V) -> Result<()> {
        let hash = self.cache.shared().hash(&self.key);
        self.cache.shared().insert(self.key, hash, value, self.call).await
    }

    /// [`Cache::invalidate`].
    ///
    /// # Errors
    /// As for [`Cache::invalidate`].
    pub async fn invalidate(self) -> Result<()> {
        let shared = self.cache.shared();
        let hash = shared.hash(&self.key);
        let (local, key) = shared.clone().revocation_of(self.key.to_key(), hash)?;
        let hold_off = self.call.hold_off;
        let what = Revocation { keys: vec![key], locals: vec![local], hold_off, ..Revocation::default() };
        shared.stack.clone().invalidate(what).await
    }

    /// [`Cache::expire`]. A hold-off is not kept.
    ///
    /// # Errors
    /// As for [`Cache::expire`].
    pub async fn expire(self) -> Result<()> {
        let shared = self.cache.shared();
        let hash = shared.hash(&self.key);
        let (local, key) = shared.clone().revocation_of(self.key.to_key(), hash)?;
        let what = Revocation { keys: vec![key], locals: vec![local], soft: true, ..Revocation::default() };
        shared.stack.clone().invalidate(what).await
    }

    /// [`Cache::invalidate`], which returns when no process anywhere serves an older value from its L1 any more: after the
    /// largest [`max_staleness`](crate::StackBuilder::max_staleness) of the fleet.
    ///
    /// # Errors
    /// As for [`Cache::invalidate`]; it then returns at once, and nothing is promised of other processes.
    pub async fn invalidate_everywhere(self) -> Result<()> {
        let stack = Arc::clone(&self.cache.shared().stack);
        self.invalidate().await?;
        if stack.l2.is_some() {
            sleep(stack.fleet_staleness()).await;
        }
        Ok(())
    }

    fn hit(&self, hash: u64, to: Asker) -> Option<Answer<V>> {
        let is_validated = self.call.validated && self.cache.shared().l2().is_some();
        if is_validated || self.call.bypass || scope::current().is_some() {
            return None;
        }
        self.cache.shared().hit(hash, &self.key, to, |entry| Answer::new(entry, Source::L1))
    }
}
