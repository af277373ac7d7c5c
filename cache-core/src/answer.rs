//! How a call was answered.

use std::{sync::Arc, time::Duration};

use crate::{clock, entry::Entry};

/// A value, with how it was come by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer<V> {
    /// The value.
    pub value: V,
    /// Where it came from.
    pub source: Source,
    /// Since its load began: then it was current, later it may have changed.
    pub age: Duration,
    /// For so long it will still be fresh; zero if it was not stored.
    pub remaining: Duration,
}

/// Where a value came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Source {
    /// This process.
    L1,
    /// The shared store.
    L2,
    /// The loader, run by this call.
    Loaded,
    /// A flight that was under way for another call.
    Joined,
    /// An entry past its time to live, inside a stale window.
    Stale,
}

impl<V: Clone> Answer<V> {
    pub(crate) fn new<K>(entry: &Arc<Entry<K, V>>, source: Source) -> Self {
        let now = clock::now();
        Self { value: entry.value.clone(), source, age: entry.life.age(now), remaining: entry.life.remaining(now) }
    }

    /// Of a value that went past the cache.
    pub(crate) fn uncached(value: V) -> Self {
        Self { value, source: Source::Loaded, age: Duration::ZERO, remaining: Duration::ZERO }
    }
}
