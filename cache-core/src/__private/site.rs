//! Where a cached function is declared: the settings of its cache, and the cache once it was called.

use std::{
    any::Any,
    borrow::Cow,
    ops::Deref,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use super::spec::Spec;
use crate::{
    cache::{Cache, CacheKey, CacheValue},
    error::Result,
    stack::Stack,
    stats::Stats,
};

/// The static part of a cached function.
pub struct Site {
    spec: Spec,
    /// The cache of the first stack that it was called with; as a rule there is no other.
    first: OnceLock<Bound>,
    /// Those of other stacks.
    others: RwLock<Vec<Bound>>,
}

impl Site {
    /// A site that was not called yet.
    pub const fn new(spec: Spec) -> Self {
        Self { spec, first: OnceLock::new(), others: RwLock::new(Vec::new()) }
    }

    /// The function's cache in `stack`, or in the global one, if it is the first that it was called with.
    #[inline(always)]
    pub(super) fn first<K: CacheKey, V: CacheValue>(
        &'static self,
        stack: Option<&Stack>,
    ) -> Option<&'static Cache<K, V>> {
        let bound = self.first.get()?;
        // The global stack never changes once it was used, so it need not be looked at again.
        if stack.is_none_or(|stack| bound.is_of(stack)) { bound.cache() } else { None }
    }

    /// The function's cache in `stack`, or in the global one.
    #[inline]
    pub(super) fn cache<K: CacheKey, V: CacheValue>(&'static self, stack: Option<&Stack>) -> Result<Handle<K, V>> {
        match (self.first(stack), stack) {
            (Some(cache), _) => Ok(Handle::Bound(cache)),
            (None, Some(stack)) if self.first.get().is_some() => self.other(stack),
            (None, Some(stack)) => self.bind(stack),
            (None, None) => self.bind(&Stack::global()),
        }
    }

    /// The name of its cache.
    pub(super) fn name(&self) -> Cow<'static, str> {
        self.spec.name()
    }

    /// What happened to the function's cache in `stack`; nothing, if it was not called yet.
    pub(super) fn stats(&self, stack: &Stack) -> Stats {
        let caches = stack.inner().registry();
        caches.get(&*self.name()).map(|cache| cache.counters.snapshot()).unwrap_or_default()
    }

    #[cold]
    fn bind<K: CacheKey, V: CacheValue>(&'static self, stack: &Stack) -> Result<Handle<K, V>> {
        let cache: Cache<K, V> = self.spec.build(stack)?;
        let _ = self.first.set(Bound::new(stack, cache));
        self.first(Some(stack)).map_or_else(|| self.other(stack), |cache| Ok(Handle::Bound(cache)))
    }

    fn other<K: CacheKey, V: CacheValue>(&'static self, stack: &Stack) -> Result<Handle<K, V>> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cache) = others.iter().filter(|bound| bound.is_of(stack)).find_map(Bound::cache) {
            return Ok(Handle::Owned(Cache::clone(cache)));
        }
        drop(others);
        let cache: Cache<K, V> = self.spec.build(stack)?;
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        others.retain(|bound| !bound.stack.inner().is_closed() && !bound.is_of(stack));
        others.push(Bound::new(stack, cache.clone()));
        Ok(Handle::Owned(cache))
    }
}

/// A stack, and the function's cache in it. Its types are those of the function, which only its calls can name; all of them
/// name the same, unless the key is an expression whose type depends on an argument that is an `impl Trait`: for a second type
/// there is no cache of that name.
struct Bound {
    stack: Stack,
    cache: Box<dyn Any + Send + Sync>,
}

impl Bound {
    fn new<K: CacheKey, V: CacheValue>(stack: &Stack, cache: Cache<K, V>) -> Self {
        Self { stack: stack.clone(), cache: Box::new(cache) }
    }

    #[inline]
    fn is_of(&self, stack: &Stack) -> bool {
        Arc::ptr_eq(self.stack.inner(), stack.inner())
    }

    #[inline]
    fn cache<K: CacheKey, V: CacheValue>(&self) -> Option<&Cache<K, V>> {
        self.cache.downcast_ref()
    }
}

/// A cache, without a reference count that all calls would write to.
pub(super) enum Handle<K: 'static, V: 'static> {
    Bound(&'static Cache<K, V>),
    Owned(Cache<K, V>),
}

impl<K, V> Deref for Handle<K, V> {
    type Target = Cache<K, V>;

    #[inline]
    fn deref(&self) -> &Cache<K, V> {
        match self {
            Self::Bound(cache) => cache,
            Self::Owned(cache) => cache,
        }
    }
}
