//! All calls of a task at once: past the cache, or loaded anew.
//!
//! For what is known only further out than where the calls are made: a request that asks for fresh data, a job that must not
//! fill the cache. [`At::bypass`](crate::At::bypass) and [`At::refresh_with`](crate::At::refresh_with) do the same for one
//! call. `#[cached]` functions heed it like any other call.
//!
//! ```
//! use cache_core::{Stack, scope};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> cache_core::Result<()> {
//! # let stack = Stack::builder("shop").build().await?;
//! let plans = stack.cache::<u64, u64>("plan").build()?;
//! let load = |price| plans.get_with(&7, move |_| async move { price });
//! assert_eq!(load(1).await?, 1);
//! assert_eq!(scope::bypass(load(2)).await?, 2);  // loaded, and not stored
//! assert_eq!(load(3).await?, 1);
//! assert_eq!(scope::refresh(load(4)).await?, 4); // loaded, and stored
//! assert_eq!(load(5).await?, 4);
//! # Ok(())
//! # }
//! ```
//!
//! Of two scopes, one in the other, the inner one counts. A task that is spawned inside is not in it, and neither is a loader
//! that runs in a task of its own: what it asks for itself is answered from the cache. Where calls go past the cache loaders
//! run in the caller's place, so there they are.
//!
//! Inserts, invalidations and guarded writes are what they always are.

use std::sync::Once;

use crate::attention;

/// What a scope asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    Bypass,
    Refresh,
}

tokio::task_local! {
    static SCOPE: Scope;
}

/// Runs `work` as if its caches were disabled: each call loads, nothing is read or stored, nothing is shared.
/// [`get`](crate::Cache::get) finds nothing.
pub async fn bypass<T>(work: impl Future<Output = T>) -> T {
    within(Scope::Bypass, work).await
}

/// Runs `work` so that nothing is served that was loaded before: each call loads and stores the result, as
/// [`At::refresh_with`](crate::At::refresh_with) does. [`get`](crate::Cache::get), which loads nothing, finds nothing.
pub async fn refresh<T>(work: impl Future<Output = T>) -> T {
    within(Scope::Refresh, work).await
}

async fn within<T>(scope: Scope, work: impl Future<Output = T>) -> T {
    // For good. Nobody is inside before hits have been asked to look.
    static FIRST: Once = Once::new();
    FIRST.call_once(attention::ask);
    SCOPE.scope(scope, work).await
}

/// The innermost scope of this task.
#[inline(always)]
pub(crate) fn current() -> Option<Scope> {
    if attention::is_asked() { of_task() } else { None }
}

#[cold]
fn of_task() -> Option<Scope> {
    SCOPE.try_with(|scope| *scope).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_inner_scope_counts_and_tasks_inherit_none() {
        assert_eq!(current(), None);
        let work = async {
            let inner = refresh(async { current() }).await;
            let spawned = tokio::spawn(async { current() }).await.unwrap();
            (inner, spawned, current())
        };
        assert_eq!(bypass(work).await, (Some(Scope::Refresh), None, Some(Scope::Bypass)));
        assert_eq!(current(), None);
    }
}
