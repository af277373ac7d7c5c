//! Where a cached function is declared: the settings of its cache, and the cache once it was called.

use std::{
    any::{Any, TypeId, type_name},
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

use crate::{
    cache::{Cache, CacheKey, CacheValue},
    error::{Error, ErrorKind, Result},
    policy::Overrides,
    stack::Stack,
    stats::Stats,
};

/// The static part of a cached function.
pub struct Site {
    spec: Spec,
    /// The type whose method it is.
    of: OnceLock<TypeId>,
    /// The cache of the first stack that it was called with; as a rule there is no other.
    first: OnceLock<Bound>,
    /// Those of other stacks.
    others: RwLock<Vec<Bound>>,
}

/// What the attribute says of the cache.
pub struct Spec {
    path: fn() -> &'static str,
    cache: Option<&'static str>,
    policy: Option<&'static str>,
    version: Option<u32>,
    overrides: Option<fn(Overrides) -> Overrides>,
}

impl Spec {
    /// `path` is the function's own; it names the cache unless the attribute does. The body of a function has no module
    /// path of its own, hence not `module_path!()`: two local functions of one name would share their entries.
    pub const fn new(path: fn() -> &'static str) -> Self {
        Self { path, cache: None, policy: None, version: None, overrides: None }
    }

    /// `cache = "…"`
    pub const fn cache(mut self, cache: &'static str) -> Self {
        self.cache = Some(cache);
        self
    }

    /// `policy = "…"`
    pub const fn policy(mut self, policy: &'static str) -> Self {
        self.policy = Some(policy);
        self
    }

    /// `version = …`
    pub const fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// `ttl = …` and the other fields of the policy
    pub const fn overrides(mut self, overrides: fn(Overrides) -> Overrides) -> Self {
        self.overrides = Some(overrides);
        self
    }

    fn build<K: CacheKey, V: CacheValue>(&'static self, stack: &Stack) -> Result<Cache<K, V>> {
        let name = match self.cache {
            Some(cache) => cache,
            None => self.claim_path()?,
        };
        let mut builder = stack.cache(name);
        if let Some(policy) = self.policy {
            builder = builder.policy(policy);
        }
        if let Some(version) = self.version {
            builder = builder.version(version);
        }
        if let Some(overrides) = self.overrides {
            builder = builder.overrides(overrides(Overrides::new()));
        }
        builder.build()
    }

    /// The path, unless another function has it too: in two blocks of one function, or in two versions of one crate.
    fn claim_path(&'static self) -> Result<&'static str> {
        static CLAIMS: Mutex<BTreeMap<&'static str, usize>> = Mutex::new(BTreeMap::new());
        let path = (self.path)();
        let me = std::ptr::from_ref(self).addr();
        let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
        if *claims.entry(path).or_insert(me) == me {
            return Ok(path);
        }
        Err(Error::new(ErrorKind::Config, "build").context(format!(
            "two cached functions are both `{path}`, and would share their entries; name their caches by \
             #[cached(cache = …)]"
        )))
    }
}

/// The path of a method, made of that of something declared in a function beside it: `shop::Users::__user_site::Method`.
pub fn path_of_method(declared: &'static str, method: &str) -> &'static str {
    static PATHS: Mutex<BTreeMap<&'static str, &'static str>> = Mutex::new(BTreeMap::new());
    let mut paths = PATHS.lock().unwrap_or_else(PoisonError::into_inner);
    paths.entry(declared).or_insert_with(|| {
        let path = declared.rsplitn(3, "::").nth(2).unwrap_or(declared);
        // Once for each method of the program.
        format!("{path}::{method}").leak()
    })
}

impl Site {
    /// A site that was not called yet.
    pub const fn new(spec: Spec) -> Self {
        Self { spec, of: OnceLock::new(), first: OnceLock::new(), others: RwLock::new(Vec::new()) }
    }

    /// The site of a method. It has one cache, so its type has to be one: an `impl` for many shares what is declared in it.
    /// Such an `impl` does not compile as it is, since `#[cached]` names all types of it that a companion captures: none.
    ///
    /// # Panics
    /// If the `impl` is generic, and this is its second type.
    #[inline]
    pub fn of<T: 'static>(&'static self) -> &'static Self {
        let of = TypeId::of::<T>();
        assert!(
            *self.of.get_or_init(|| of) == of,
            "a cached method of a generic type holds what one type has, and was called for a second one, `{}`; cache a free \
             function per type instead",
            type_name::<T>()
        );
        self
    }

    /// The function's cache in `stack`, or in the global one, if it is the first that it was called with.
    #[inline(always)]
    pub(super) fn first<K: CacheKey, V: CacheValue>(
        &'static self,
        stack: Option<&Stack>,
    ) -> Option<&'static Cache<K, V>> {
        let bound = self.first.get()?;
        // The global stack never changes once it was used, so it need not be looked at again.
        stack.is_none_or(|stack| bound.is_of(stack)).then(|| bound.cache())
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
    pub(super) fn name(&self) -> &'static str {
        self.spec.cache.unwrap_or_else(|| (self.spec.path)())
    }

    /// What happened to the function's cache in `stack`; nothing, if it was not called yet.
    pub(super) fn stats(&self, stack: &Stack) -> Stats {
        let caches = stack.inner().registry();
        caches.get(self.name()).map(|cache| cache.counters.snapshot()).unwrap_or_default()
    }

    #[cold]
    fn bind<K: CacheKey, V: CacheValue>(&'static self, stack: &Stack) -> Result<Handle<K, V>> {
        let cache: Cache<K, V> = self.spec.build(stack)?;
        let first = self.first.get_or_init(|| Bound::new(stack, cache));
        if first.is_of(stack) { Ok(Handle::Bound(first.cache())) } else { self.other(stack) }
    }

    fn other<K: CacheKey, V: CacheValue>(&'static self, stack: &Stack) -> Result<Handle<K, V>> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = others.iter().find(|bound| bound.is_of(stack)) {
            return Ok(Handle::Owned(bound.cache().clone()));
        }
        drop(others);
        let cache: Cache<K, V> = self.spec.build(stack)?;
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        others.retain(|bound| !bound.stack.inner().is_closed() && !bound.is_of(stack));
        others.push(Bound::new(stack, cache.clone()));
        Ok(Handle::Owned(cache))
    }
}

/// A stack, and the function's cache in it. Its types are those of the function, which only its calls can name.
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
    fn cache<K: CacheKey, V: CacheValue>(&self) -> &Cache<K, V> {
        self.cache.downcast_ref().expect("all calls of a function have one type of key and of value")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_one_type_is_none_of_another() {
        static SITE: Site = Site::new(Spec::new(type_name::<u8>));
        SITE.of::<u8>().of::<u8>();
        let message = std::panic::catch_unwind(|| SITE.of::<u16>().name()).expect_err("a second type");
        assert!(message.downcast_ref::<String>().is_some_and(|message| message.contains("`u16`")));
    }
}
