//! The tags of an entry.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{coherence::ledger::LocalMark, key::Mark};

/// Tags of one entry: sorted, each once, so that two calls that name the same tags name the same list. A clone shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags(Option<Arc<List>>);

type List = SmallVec<[Arc<Tag>; 3]>;

/// A tag that is in use here. There is one of each: [`Ledger::tags`](crate::coherence::ledger::Ledger::tags).
#[derive(Debug)]
pub(crate) struct Tag {
    /// What its users call it.
    pub(crate) name: Arc<str>,
    pub(crate) mark: Mark,
    pub(crate) local: Arc<LocalMark>,
}

impl FromIterator<Arc<Tag>> for Tags {
    fn from_iter<I: IntoIterator<Item = Arc<Tag>>>(tags: I) -> Self {
        let mut list: List = tags.into_iter().collect();
        list.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        list.dedup_by(|a, b| a.name == b.name);
        Self((!list.is_empty()).then(|| Arc::new(list)))
    }
}

impl Tags {
    fn list(&self) -> &[Arc<Tag>] {
        self.0.as_ref().map_or(&[], |list| list)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// These and `more`.
    pub(crate) fn with(&self, more: &Self) -> Self {
        self.list().iter().chain(more.list()).cloned().collect()
    }

    /// Those of these that are among `names`.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        if self.names().eq(names.iter().copied()) {
            return self.clone();
        }
        self.list().iter().filter(|tag| names.contains(&&*tag.name)).cloned().collect()
    }

    /// These in two: those in `known`, and the others.
    pub(crate) fn split(&self, known: &Self) -> (Self, Self) {
        let part = |is_known| self.list().iter().filter(move |tag| known.contains(&tag.name) == is_known).cloned();
        (part(true).collect(), part(false).collect())
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.list().binary_search_by(|tag| (*tag.name).cmp(name)).ok()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list().iter().map(|tag| &*tag.name)
    }

    pub(crate) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.list().iter().map(|tag| &tag.mark)
    }

    pub(crate) fn locals(&self) -> impl Iterator<Item = &LocalMark> {
        self.list().iter().map(|tag| &*tag.local)
    }

    pub(crate) fn len(&self) -> usize {
        self.list().len()
    }
}

#[cfg(test)]
mod tests {
    use crate::{coherence::ledger::Ledger, key::Namespace};

    #[test]
    fn order_and_repetition_make_no_difference() {
        let ledger = Ledger::new(Namespace::new("shop").unwrap());
        let tags = ledger.tags(&["b", "a", "b"]);
        assert_eq!(tags.names().collect::<Vec<_>>(), ["a", "b"]);
        let more = tags.with(&ledger.tags(&["0", "a"]));
        assert_eq!(more.names().collect::<Vec<_>>(), ["0", "a", "b"]);
        assert_eq!(more.only(&["b", "0", "c"]).names().collect::<Vec<_>>(), ["0", "b"]);
        assert_eq!(more.only(&["0", "a", "b"]).len(), 3);
        let (known, others) = more.split(&tags);
        assert_eq!((known.len(), others.names().collect::<Vec<_>>()), (2, vec!["0"]));
    }
}
