//! What `#[invalidates]` calls: revoking what a function makes obsolete, once it is known how it ended.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{
    Loading,
    gate::{Closed, Never, Open},
};
use crate::{
    cache::{Cache, CacheKey, CacheValue},
    error::{Error, Result},
    stack::{Invalidation, Stack},
};

/// An entry of a cached function that is to be revoked, or why its cache can't be made.
pub struct Target(Result<Box<dyn Revocable>>);

impl Target {
    pub(super) fn new<K: CacheKey, V: CacheValue>(cache: Result<Cache<K, V>>, key: K) -> Self {
        Self(cache.map(|cache| Box::new((cache, key)) as Box<dyn Revocable>))
    }

    fn invalidation(self) -> Result<Invalidation> {
        let Revocation { stack, add } = self.0?.revocation();
        Ok(add(stack.invalidation()))
    }

    /// Revokes it.
    pub async fn invalidate(self) -> Result<()> {
        self.invalidation()?.send().await
    }

    /// Revokes it here, and soon elsewhere.
    ///
    /// # Errors
    /// The cache can't be made.
    pub fn invalidate_here(self) -> Result<()> {
        self.invalidation()?.send_soon()
    }

    /// Marks it as stale.
    pub async fn expire(self) -> Result<()> {
        self.invalidation()?.soft().send().await
    }

    /// A guarded write.
    pub async fn write<T: Send + 'static>(self, commit: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let (tell, mut told) = oneshot::channel();
        let commit = async move {
            let _ = tell.send(commit.await);
        };
        self.0?.write(Box::pin(commit)).await?;
        Ok(told.try_recv().expect("what was written was committed"))
    }
}

/// An entry, whatever its types.
trait Revocable: Send {
    fn write(self: Box<Self>, commit: Loading<()>) -> Loading<Result<()>>;

    fn revocation(self: Box<Self>) -> Revocation;
}

impl<K: CacheKey, V: CacheValue> Revocable for (Cache<K, V>, K) {
    fn write(self: Box<Self>, commit: Loading<()>) -> Loading<Result<()>> {
        Box::pin(async move { self.0.write(&self.1, commit).await })
    }

    fn revocation(self: Box<Self>) -> Revocation {
        let stack = Stack::from_inner(Arc::clone(&self.0.shared().stack));
        Revocation { stack, add: Box::new(move |invalidation| invalidation.key(&self.0, &self.1)) }
    }
}

/// One thing to revoke, in a stack. It can be done again.
struct Revocation {
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
    pub fn entry(mut self, Target(target): Target) -> Self {
        // A cache that can't be made holds nothing.
        self.revocations.extend(target.ok().map(Revocable::revocation));
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
