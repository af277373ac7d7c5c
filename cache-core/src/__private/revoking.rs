//! What `#[invalidates]` calls: revoking what a function makes obsolete, once it is known how it ended.

use std::{sync::Arc, time::Duration};

use super::{
    gate::{Closed, Never, Open},
    outcome::Outcome,
    site::Site,
};
use crate::{
    cache::{Cache, CacheKey, CacheValue},
    error::{Error, Result},
    lookup::Lookup,
    stack::{Invalidation, Stack},
};

/// An entry of a cached function, by its owned key.
pub struct Target<K, V> {
    cache: Result<Cache<K, V>>,
    key: K,
}

/// The entry that a call of a cached function would be about.
pub fn target<O, L>(site: &'static Site, stack: Option<&Stack>, _: O, key: L) -> Target<L::Key, O::Value>
where
    O: Outcome<Value: CacheValue>,
    L: Lookup<Key: CacheKey>,
{
    Target { cache: site.cache(stack).map(|cache| Cache::clone(&cache)), key: key.to_key() }
}

/// A target, whatever its types.
pub trait Revocable: Send + 'static {
    /// A guarded write.
    fn write<T: Send + 'static>(
        self,
        commit: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send;

    /// Revokes it.
    fn invalidate(self) -> impl Future<Output = Result<()>> + Send;

    /// Revokes it here, and soon elsewhere.
    ///
    /// # Errors
    /// The cache can't be made.
    fn invalidate_here(self) -> Result<()>;

    /// Marks it as stale.
    fn expire(self) -> impl Future<Output = Result<()>> + Send;

    /// Adds it to what is to be revoked. A cache that can't be made holds nothing.
    fn into_revocation(self) -> Option<Revocation>;
}

impl<K: CacheKey, V: CacheValue> Revocable for Target<K, V> {
    async fn write<T: Send + 'static>(self, commit: impl Future<Output = T> + Send + 'static) -> Result<T> {
        self.cache?.write(&self.key, commit).await
    }

    async fn invalidate(self) -> Result<()> {
        self.cache?.invalidate(&self.key).await
    }

    fn invalidate_here(self) -> Result<()> {
        let cache = self.cache?;
        let stack = Stack::from_inner(Arc::clone(&cache.shared().stack));
        stack.invalidation().key(&cache, &self.key).send_soon()
    }

    async fn expire(self) -> Result<()> {
        self.cache?.expire(&self.key).await
    }

    fn into_revocation(self) -> Option<Revocation> {
        let Self { cache, key } = self;
        let cache = cache.ok()?;
        let stack = Stack::from_inner(Arc::clone(&cache.shared().stack));
        Some(Revocation { stack, add: Box::new(move |invalidation| invalidation.key(&cache, &key)) })
    }
}

/// One thing to revoke, in a stack. It can be done again.
pub struct Revocation {
    stack: Stack,
    add: Box<dyn Fn(Invalidation) -> Invalidation + Send + Sync>,
}

/// What a function makes obsolete. If it is dropped before the function ended, by a panic or by a caller who went away,
/// nobody knows what was changed: then all of it is revoked.
#[derive(Default)]
pub struct Revoking {
    revocations: Vec<Revocation>,
    soft: bool,
    hold_off: Option<Duration>,
    is_over: bool,
}

impl Revoking {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An entry.
    #[must_use]
    pub fn entry(mut self, target: impl Revocable) -> Self {
        self.revocations.extend(target.into_revocation());
        self
    }

    /// Tags, in this stack, or in those of the entries, or in the global one.
    #[must_use]
    pub fn tags(mut self, stack: Option<&Stack>, tags: Vec<String>) -> Self {
        let stacks = match stack {
            Some(stack) => vec![stack.clone()],
            None if self.revocations.is_empty() => vec![Stack::global()],
            None => self.stacks(),
        };
        let tags: Arc<[String]> = tags.into();
        self.revocations.extend(stacks.into_iter().map(|stack| {
            let tags = Arc::clone(&tags);
            Revocation { stack, add: Box::new(move |invalidation| invalidation.tags(&*tags)) }
        }));
        self
    }

    /// `expire`
    #[must_use]
    pub fn softly(mut self) -> Self {
        self.soft = true;
        self
    }

    /// `hold_off = …`
    #[must_use]
    pub fn hold_off(mut self, lag: Duration) -> Self {
        self.hold_off = Some(lag);
        self
    }

    /// `before`: whatever comes of the function.
    pub async fn before(&self) {
        self.revoke().await;
    }

    /// The function ended.
    pub async fn after(mut self, succeeded: bool) {
        if succeeded {
            self.revoke().await;
        }
        self.is_over = true;
    }

    /// What can't be told is queued; that is no failure of the function, which did its work.
    async fn revoke(&self) {
        for invalidation in self.invalidations() {
            let _ = invalidation.send().await;
        }
    }

    /// One per stack.
    fn invalidations(&self) -> Vec<Invalidation> {
        let of = |stack: &Stack| {
            let own = self.revocations.iter().filter(|revocation| is_same(&revocation.stack, stack));
            own.fold(self.invalidation_of(stack), |invalidation, revocation| (revocation.add)(invalidation))
        };
        self.stacks().iter().map(of).collect()
    }

    fn invalidation_of(&self, stack: &Stack) -> Invalidation {
        match self.hold_off {
            _ if self.soft => stack.invalidation().soft(),
            Some(lag) => stack.invalidation().hold_off(lag),
            None => stack.invalidation(),
        }
    }

    fn stacks(&self) -> Vec<Stack> {
        let mut stacks: Vec<Stack> = Vec::new();
        for Revocation { stack, .. } in &self.revocations {
            if !stacks.iter().any(|known| is_same(known, stack)) {
                stacks.push(stack.clone());
            }
        }
        stacks
    }
}

impl Drop for Revoking {
    fn drop(&mut self) {
        // Where the runtime is gone, so is the process, as a rule.
        if self.is_over || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        for invalidation in self.invalidations() {
            // A queue keeps neither a hold-off nor what is soft.
            if self.soft || self.hold_off.is_some() {
                tokio::spawn(async { drop(invalidation.send().await) });
            } else {
                let _ = invalidation.send_soon();
            }
        }
    }
}

fn is_same(one: &Stack, other: &Stack) -> bool {
    Arc::ptr_eq(one.inner(), other.inner())
}

/// What a function returned.
pub struct Ended<'a, R>(pub &'a R);

/// A `Result` says whether it did its work.
pub trait ByResult {
    /// Whether it did.
    fn succeeded(&self) -> bool;
}

/// Anything else does not.
pub trait ByEnd {
    /// It did.
    fn succeeded(&self) -> bool;
}

impl<T, E> ByResult for &Ended<'_, std::result::Result<T, E>> {
    fn succeeded(&self) -> bool {
        self.0.is_ok()
    }
}

impl<R> ByEnd for Ended<'_, R> {
    fn succeeded(&self) -> bool {
        true
    }
}

/// What a guarded function returns, so that it can say that there was no guard.
#[diagnostic::on_unimplemented(
    message = "a guarded function can't return a `{Self}`, which has no place for the cache's error",
    label = "needs to be a `Result` whose error implements `From<cache_core::Error>`",
    note = "without a guard the body is not run, and the caller has to be told"
)]
pub trait Refusable<Way> {
    /// There was none.
    fn refused(error: Error) -> Self;
}

impl<T, E: From<Error>> Refusable<Open> for std::result::Result<T, E> {
    fn refused(error: Error) -> Self {
        Err(error.into())
    }
}

impl<R: Never> Refusable<Closed> for R {
    fn refused(_: Error) -> Self {
        unreachable!("nothing is this")
    }
}

/// What came of a guarded function.
pub fn guarded<R: Refusable<Way>, Way>(written: Result<R>) -> R {
    written.unwrap_or_else(R::refused)
}

/// A type for the compiler to know; it is never called.
pub fn never<R>() -> R {
    unreachable!("it stands where no code runs")
}
