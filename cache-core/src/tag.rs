//! The tags of an entry.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use smallvec::SmallVec;

use crate::{coherence::ledger::LocalMark, key::Mark};

/// Tags of one entry: sorted, each once, so that two calls that name the same tags name the same list. A clone shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags(Option<Arc<List>>);

pub(crate) type List = SmallVec<[Arc<Tag>; 3]>;

/// A tag that is in use here. There is one of each: [`Ledger::tags`](crate::coherence::ledger::Ledger::tags).
#[derive(Debug)]
pub(crate) struct Tag {
    /// What its users call it.
    pub(crate) name: Arc<str>,
    pub(crate) mark: Mark,
    pub(crate) local: Arc<LocalMark>,
    /// How many entries in L1 have it: no hit looks at that.
    entries: AtomicU32,
}

impl Tag {
    /// What the ledger has of a tag beside its names, in bytes: this, its mark, and its places in two tables.
    const RECORD: usize = 300;

    pub(crate) fn new(name: Arc<str>, mark: Mark, local: Arc<LocalMark>) -> Self {
        Self { name, mark, local, entries: AtomicU32::new(0) }
    }

    /// How much of it weighs on one entry more: twice its share, and at most all, for an entry that takes another's place is
    /// one of two for a while, and alone then.
    fn weight(&self) -> usize {
        let all = Self::RECORD + self.name.len() + self.mark.name().len();
        let entries = self.entries.load(Ordering::Relaxed) as usize + 1;
        all.min(2 * all / entries)
    }
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

    /// How many bytes they take on account of one entry more.
    pub(crate) fn weight(&self) -> u32 {
        let Some(list) = &self.0 else { return 0 };
        let spilled = if list.spilled() { size_of_val(&list[..]) } else { 0 };
        // Its block begins with two counts.
        let own = 2 * size_of::<usize>() + size_of::<List>() + spilled;
        let bytes = own + list.iter().map(|tag| tag.weight()).sum::<usize>();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// An entry in L1 has these from now on.
    pub(crate) fn enter(&self) {
        for tag in self.list() {
            tag.entries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The entry that had these is gone. Gives them if nobody else has the list, and no entry one of its tags.
    pub(crate) fn leave(&mut self) -> Option<List> {
        let list = self.0.take()?;
        let others = list.iter().map(|tag| tag.entries.fetch_sub(1, Ordering::Relaxed) - 1).min();
        if others == Some(0) { Arc::into_inner(list) } else { None }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// These and `more`.
    pub(crate) fn with(&self, more: &Self) -> Self {
        if more.is_empty() {
            return self.clone();
        }
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

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.list().len()
    }
}

#[cfg(test)]
mod tests {
    use crate::{coherence::ledger::Ledger, key::Namespace};

    #[test]
    fn a_tag_weighs_in_full_on_entries_of_its_own_and_in_shares_on_many() {
        let tags = Ledger::new(Namespace::new("shop").unwrap()).tags(&["a"]);
        let weigh = || {
            let weight = tags.weight();
            tags.enter();
            weight
        };
        let (alone, in_its_place) = (weigh(), weigh());
        assert_eq!(alone, in_its_place);
        assert!(tags.clone().leave().is_none(), "another has them");
        assert_eq!(weigh(), alone);
        let shares: Vec<_> = (0..1000).map(|_| weigh()).collect();
        assert!(shares.is_sorted_by(|earlier, later| earlier >= later));
        assert!(shares[999] < 60, "{} bytes, of which 48 are the list", shares[999]);
    }

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
