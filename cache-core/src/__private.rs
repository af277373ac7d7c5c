//! What `#[cached]` and `#[invalidates]` call. Not part of the public interface: any release may change it, together with the attributes.

mod argument;
mod ask;
mod entry;
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
};

pub use self::{
    argument::{AsStack, Lent, again, cache_name, copy, key, key_part, lend, lent, tag, tags_of},
    ask::{Ask, Told, at_once, later},
    entry::{Entry, entry},
    many::{Batch, FunctionOfMany, OfMany, OneOf, ValueOf, Values},
    outcome::{ByConverting, ByPanicking, ByValue, Holds, Loading, Outcome, Returns, boxed, outcome},
    revoking::{ByEnd, ByResult, Ended, Refusable, Revoking, Target, guarded, never},
    site::Site,
    sites::Sites,
    spec::Spec,
    whole::{Failing, Whole, whole},
};
pub use crate::aside::aside;
use crate::{
    answer::Answer,
    cache::{Cache, CacheKey, CacheValue},
    entry::Asker,
    error::Result,
    lookup::Lookup,
    stack::Stack,
    stats::Stats,
    warm::{Report, Warmer},
};

/// What L1 answers, if the function was called before and has the value there. Nothing is made for it, no future either: this
/// is all that a hit runs.
#[inline(always)]
pub fn hit<O, L>(site: &'static Site, stack: Option<&Stack>, _: O, key: L) -> Option<O::Return>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey>,
{
    let cache = site.first::<L::Key, O::Value>(stack)?.shared();
    cache.value(&key, Asker::Loads).map(|value| O::join(Ok(value)))
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

/// Evaluates `when = …`, in a closure so that the expression can't leave the function.
pub fn condition(condition: impl FnOnce() -> bool) -> bool {
    condition()
}
