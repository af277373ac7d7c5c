//! How a call was answered.

use std::time::Duration;

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
#[cfg_attr(feature = "test-util", derive(serde::Serialize, serde::Deserialize))]
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
    /// What the call gave for the case that its load fails.
    Default,
}

impl<V> Answer<V> {
    /// Of a value that went past the cache.
    pub(crate) fn uncached(value: V) -> Self {
        Self { value, source: Source::Loaded, age: Duration::ZERO, remaining: Duration::ZERO }
    }

    /// Of the value that a call gave for the case that its load fails.
    pub(crate) fn default(value: V) -> Self {
        Self { source: Source::Default, ..Self::uncached(value) }
    }

    /// The same answer with another value, made of this one.
    #[must_use]
    pub fn map<T>(self, f: impl FnOnce(V) -> T) -> Answer<T> {
        Answer { value: f(self.value), source: self.source, age: self.age, remaining: self.remaining }
    }
}

impl<V, E> Answer<Result<V, E>> {
    /// The error, or else the answer with the value: what `#[cached]`'s `explain` gives for a function that may fail, as a
    /// [`Warmer`](crate::warm::Warmer) or `?` wants it.
    ///
    /// # Errors
    /// That of the value.
    pub fn transpose(self) -> Result<Answer<V>, E> {
        let Self { value, source, age, remaining } = self;
        value.map(|value| Answer { value, source, age, remaining })
    }
}

impl<V: Clone> Answer<V> {
    pub(crate) fn new<K>(entry: &Entry<K, V>, source: Source) -> Self {
        let now = clock::now();
        let remaining = if source == Source::Stale { Duration::ZERO } else { entry.life().remaining(now) };
        Self { value: entry.value.clone(), source, age: entry.life().age(now), remaining }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer<V>(value: V) -> Answer<V> {
        Answer { value, source: Source::L2, age: Duration::from_secs(1), remaining: Duration::from_secs(2) }
    }

    #[test]
    fn another_value_keeps_how_it_was_answered() {
        assert_eq!(answer(20).map(|value| format!("{value}")), answer("20".to_owned()));
    }

    #[test]
    fn an_answer_that_holds_an_error_is_the_error() {
        assert_eq!(answer(Ok::<_, &str>(7)).transpose(), Ok(answer(7)));
        assert_eq!(answer(Err::<u32, _>("no rows")).transpose(), Err("no rows"));
    }
}
