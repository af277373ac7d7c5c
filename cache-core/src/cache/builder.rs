//! Building a typed cache.

use std::{any::Any, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    Cache, CacheKey, CacheValue,
    shared::{Definition, Parts, Shared, Weigher},
};
use crate::{
    codec::{self, Codec, ValueCodec},
    error::{Error, ErrorKind, Result},
    key::CacheName,
    policy::Overrides,
    stack::{Registered, StackInner},
};

/// Builds a [`Cache`]: made by [`Stack::cache`](crate::Stack::cache).
#[must_use = "a builder does nothing until it is built"]
pub struct CacheBuilder<K, V> {
    stack: Arc<StackInner>,
    name: String,
    kind: Option<String>,
    version: u32,
    overrides: Overrides,
    codec: Option<Arc<dyn ValueCodec<V>>>,
    weigher: Option<Weigher<K, V>>,
    key: PhantomData<fn(&K)>,
}

impl<K: CacheKey, V: CacheValue> CacheBuilder<K, V> {
    pub(crate) fn new(stack: Arc<StackInner>, name: String) -> Self {
        Self {
            stack,
            name,
            kind: None,
            version: 1,
            overrides: Overrides::default(),
            codec: None,
            weigher: None,
            key: PhantomData,
        }
    }

    /// The schema version, in every key of L2. Raise it when the value's type changes in a way that its codec can't read:
    /// two versions live side by side during a deploy, and an invalidation from either side covers both. Default: 1.
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The kind of data: its entry in the stack's TTL map. Default: the cache's name.
    pub fn policy(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Time to live, from the start of the load. Default: the TTL map's, or else 5 minutes.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.overrides = self.overrides.ttl(ttl);
        self
    }

    /// How long L1 may keep an entry. Other processes don't hear of an invalidation: this bounds how stale L1 can be there.
    /// Default: the stack's ([`StackBuilder::l1_ttl`](crate::StackBuilder::l1_ttl)).
    pub fn l1_ttl(mut self, ttl: Duration) -> Self {
        self.overrides = self.overrides.l1_ttl(ttl);
        self
    }

    /// Any of the policy's fields. They win over the TTL map.
    pub fn overrides(mut self, overrides: Overrides) -> Self {
        self.overrides = overrides.or(self.overrides);
        self
    }

    /// The codec of its values in L2. Default: the policy's, or else the stack's.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codec = Some(codec::typed(codec));
        self
    }

    /// How many bytes a key and its value take in L1, for a stack bound by weight.
    pub fn weigher(mut self, weigher: impl Fn(&K, &V) -> u32 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Arc::new(weigher));
        self
    }

    /// Builds it, or gives a handle to the one that was built of this name, types and settings.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: the name is empty or too long, the policy contradicts itself, the codec's feature is off, or
    /// a cache of this name exists with other types or settings.
    pub fn build(self) -> Result<Cache<K, V>> {
        let name = CacheName::new(&self.stack.namespace, &self.name)?;
        let kind = self.kind.clone().unwrap_or_else(|| self.name.clone());
        let policies = self.stack.policies.load_full();
        let policy = policies.resolve(&kind, &self.overrides)?;
        policy.compression.check()?;
        let codec = match &self.codec {
            Some(codec) => Arc::clone(codec),
            None => policy.codec.unwrap_or(self.stack.settings.codec).typed()?,
        };
        let stack = Arc::clone(&self.stack);
        let mut registry = stack.registry();
        if !Arc::ptr_eq(&policies, &stack.policies.load()) {
            drop(registry);
            return self.build();
        }
        let registered = registry.entry(self.name.clone()).or_insert_with(|| Registered::new(&stack, &self.name));
        if let Some(existing) = registered.live() {
            let existing: Arc<dyn Any + Send + Sync> = existing;
            let Ok(shared) = existing.downcast::<Shared<K, V>>() else {
                return Err(self.conflict("it holds other types"));
            };
            if shared.version != self.version || *shared.policy() != policy || shared.codec.id() != codec.id() {
                return Err(self.conflict("its version, policy or codec differs"));
            }
            return Ok(Cache::new(shared));
        }
        let is_known = registered.is_known::<Shared<K, V>>(self.version);
        let shared = Arc::new(Shared::new(Parts {
            is_known,
            id: registered.id::<Shared<K, V>>(&stack, self.version),
            counters: Arc::clone(&registered.counters),
            label: self.name.into(),
            stack: self.stack,
            name,
            version: self.version,
            definition: Definition { kind, overrides: self.overrides, has_codec: self.codec.is_some() },
            policy,
            codec,
            weigher: self.weigher,
        }));
        registered.hold(&shared);
        Ok(Cache::new(shared))
    }

    fn conflict(&self, why: &str) -> Error {
        Error::new(ErrorKind::Config, "build").context(format!(
            "the stack has a cache named `{}` already, and {why}; build it once and clone the handle, or choose another name",
            self.name
        ))
    }
}
