//! The tags of an entry.

use std::sync::Arc;

use crate::key::{Mark, Namespace};

/// Tags of one entry: sorted, each once, so that two calls that name the same tags name the same list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags(Vec<Tag>);

#[derive(Clone, Debug)]
struct Tag {
    name: Arc<str>,
    mark: Mark,
}

impl Tags {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn new(namespace: &Namespace, names: impl IntoIterator<Item: AsRef<str>>) -> Self {
        let mut tags = Self::default();
        for name in names {
            let name = name.as_ref();
            if let Err(place) = tags.0.binary_search_by(|tag| (*tag.name).cmp(name)) {
                tags.0.insert(place, Tag { name: name.into(), mark: namespace.tag(name) });
            }
        }
        tags
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// These and `more`.
    pub(crate) fn with(&self, more: &Self) -> Self {
        let mut all = self.clone();
        all.0.extend(more.0.iter().filter(|tag| !self.contains(&tag.name)).cloned());
        all.0.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Those of these that are among `names`.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|tag| names.contains(&&*tag.name)).cloned().collect())
    }

    /// These in two: those in `known`, and the others.
    pub(crate) fn split(&self, known: &Self) -> (Self, Self) {
        let (known, others) = self.0.iter().cloned().partition(|tag| known.contains(&tag.name));
        (Self(known), Self(others))
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|tag| (*tag.name).cmp(name)).ok()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|tag| &*tag.name)
    }

    pub(crate) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter().map(|tag| &tag.mark)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_make_no_difference() {
        let shop = Namespace::new("shop").unwrap();
        let tags = Tags::new(&shop, ["b", "a", "b"]);
        assert_eq!(tags.names().collect::<Vec<_>>(), ["a", "b"]);
        let more = tags.with(&Tags::new(&shop, ["0", "a"]));
        assert_eq!(more.names().collect::<Vec<_>>(), ["0", "a", "b"]);
        assert_eq!(more.only(&["b", "0", "c"]).names().collect::<Vec<_>>(), ["0", "b"]);
    }
}
