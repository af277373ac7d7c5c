//! Lists that are short as a rule.

use std::{fmt, ops::Deref};

use smallvec::SmallVec;

/// A list that takes no memory of its own while it has at most three elements. So many epochs has an entry with one tag, which
/// come after those of its namespace and its cache, and each hit in L2 reads them.
///
/// It is collected or extended, and read as a slice.
#[derive(Clone)]
pub struct Few<T>(SmallVec<[T; 3]>);

impl<T> Few<T> {
    /// Keeps the first `length` elements, if there are more.
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        self.0.extend(elements);
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> AsRef<[T]> for Few<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: PartialEq, U: AsRef<[T]>> PartialEq<U> for Few<T> {
    fn eq(&self, other: &U) -> bool {
        **self == *other.as_ref()
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
