//! Several invalidations at once.

use std::{sync::Arc, time::Duration};

use super::{Stack, StackInner};
use crate::{
    cache::{Cache, CacheKey, CacheValue},
    error::{Error, ErrorKind, Result},
    key::Scope,
    lookup::Lookup,
    stats::Event,
    write::{Local, Revocation},
};

/// Several invalidations in one call to L2 and one message to the fleet: made by [`Stack::invalidation`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// # let stack = cache_core::Stack::builder("shop").build().await?;
/// # let users = stack.cache::<u64, String>("user").build()?;
/// # let plans = stack.cache::<String, String>("plan").build()?;
/// stack.invalidation().keys(&users, [&7, &8]).key(&plans, "gold").tag("org:7").send().await?;
/// # Ok(())
/// # }
/// ```
///
/// Beyond some 490 names it takes one more call and message for each 490.
#[must_use = "an invalidation does nothing until it is sent"]
pub struct Invalidation {
    stack: Arc<StackInner>,
    what: Result<Revocation>,
}

impl Stack {
    /// Begins an invalidation of several things at once.
    pub fn invalidation(&self) -> Invalidation {
        Invalidation { stack: Arc::clone(&self.inner), what: Ok(Revocation::default()) }
    }
}

impl Invalidation {
    /// An entry of a cache of this stack.
    pub fn key<K: CacheKey, V: CacheValue, L: Lookup<Key = K>>(mut self, cache: &Cache<K, V>, key: L) -> Self {
        let added = self.entry(cache, key);
        self.what = self.what.and_then(|mut what| {
            let (local, entry) = added?;
            what.locals.push(local);
            what.keys.push(entry);
            Ok(what)
        });
        self
    }

    /// Entries of a cache of this stack.
    pub fn keys<K, V, L>(self, cache: &Cache<K, V>, keys: impl IntoIterator<Item = L>) -> Self
    where
        K: CacheKey,
        V: CacheValue,
        L: Lookup<Key = K>,
    {
        keys.into_iter().fold(self, |invalidation, key| invalidation.key(cache, key))
    }

    /// Every entry with this tag.
    pub fn tag(mut self, tag: impl AsRef<str>) -> Self {
        if let Ok(what) = &mut self.what {
            what.marks.push(self.stack.namespace.tag(tag.as_ref()));
        }
        self
    }

    /// Every entry with any of these tags.
    pub fn tags<T: AsRef<str>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        tags.into_iter().fold(self, Self::tag)
    }

    /// Every entry of a cache, in all its versions.
    pub fn cache<K: CacheKey, V: CacheValue>(mut self, cache: &Cache<K, V>) -> Self {
        if let Ok(what) = &mut self.what {
            what.marks.push(cache.shared().scopes[1].clone());
            cache.shared().counters.note(Event::Invalidation, None, || None);
        }
        self
    }

    /// For so long nothing of it is cached by anybody: see [`At::hold_off`](crate::At::hold_off).
    pub fn hold_off(mut self, lag: Duration) -> Self {
        if let Ok(what) = &mut self.what {
            what.hold_off = Some(lag);
        }
        self
    }

    /// Marks entries and tags as stale instead of revoking them: see [`Cache::expire`].
    pub fn soft(mut self) -> Self {
        if let Ok(what) = &mut self.what {
            what.soft = true;
        }
        self
    }

    /// Tells L2, drops it all here, and returns.
    ///
    /// # Errors
    /// As for [`Cache::invalidate`]; and [`ErrorKind::Config`] for a cache of another stack, or for a soft one with a whole
    /// cache or a hold-off, [`ErrorKind::Codec`] for a key that serde can't serialize: then nothing was invalidated.
    ///
    /// # Cancellation
    /// Once begun it is finished in the background.
    pub async fn send(self) -> Result<()> {
        let (stack, what) = self.checked()?;
        stack.invalidate(what).await
    }

    /// Drops it all here at once, and tells L2 within some 50 ms, together with whatever else comes meanwhile: for bursts, of
    /// which the fleet then hears in few messages. This process trusts nothing in L2 that it covers until L2 was told; others
    /// serve the old values until then, and nobody learns of a failure: it is retried, and in
    /// [`Stack::health`]'s queue. A hold-off is not kept.
    ///
    /// # Errors
    /// Those that [`send`](Self::send) finds before it tells anybody; [`ErrorKind::Config`] for a soft one.
    pub fn send_soon(self) -> Result<()> {
        let (stack, what) = self.checked()?;
        if what.soft {
            return Err(refused("a soft invalidation is not queued: send it"));
        }
        stack.invalidate_soon(what);
        Ok(())
    }

    fn checked(self) -> Result<(Arc<StackInner>, Revocation)> {
        let what = self.what?;
        if what.soft && what.hold_off.is_some() {
            return Err(refused("a hold-off goes with a hard invalidation: leave one of both out"));
        }
        if what.soft && what.marks.iter().any(|mark| mark.scope() != Scope::Tag) {
            return Err(refused("a whole cache can't be marked as stale: give its entries a tag, or revoke it"));
        }
        Ok((self.stack, what))
    }

    fn entry<K: CacheKey, V: CacheValue>(
        &self,
        cache: &Cache<K, V>,
        key: impl Lookup<Key = K>,
    ) -> Result<(Local, crate::key::EntryKey)> {
        let shared = Arc::clone(cache.shared());
        if !Arc::ptr_eq(&shared.stack, &self.stack) {
            let context = format!("the cache {:?} belongs to another stack", &*shared.label);
            return Err(Error::new(ErrorKind::Config, "invalidate").context(context));
        }
        let hash = shared.hash(&key);
        shared.revocation_of(key.to_key(), hash)
    }
}

fn refused(context: &'static str) -> Error {
    Error::new(ErrorKind::Config, "invalidate").context(context)
}
