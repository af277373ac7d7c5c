//! Which operations on a key are under way?
//!
//! One table per shard of a cache, under its lock. It knows three kinds of operations: loads, which calls for the same key
//! join; lookups, which read L2 without loading; and writes, which are joined by nobody. Each may put something into L1
//! when it ends, unless an invalidation or a write has superseded it.

use std::{collections::HashMap, hash::Hash};

use foldhash::quality::SeedableRandomState;
use smallvec::SmallVec;

use crate::token::random_hasher;

/// Names an operation; unique in the process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct OperationId(pub(crate) u64);

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Reads L2, and loads what is not there.
    Load,
    /// Reads L2 only.
    Lookup,
    /// Stores a value that the caller brought.
    Write,
}

/// The operations under way on the keys of a shard. `F` is what those who join are given.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Table<K, F> {
    operations: HashMap<K, UnderWay<F>, SeedableRandomState>,
}

/// As a rule one.
type UnderWay<F> = SmallVec<[Operation<F>; 1]>;

#[cfg_attr(test, derive(Clone))]
struct Operation<F> {
    id: OperationId,
    kind: Kind,
    superseded: bool,
    flight: Option<F>,
}

impl<K: Hash + Eq + Clone, F: Clone> Table<K, F> {
    pub(crate) fn new() -> Self {
        Self { operations: HashMap::with_hasher(random_hasher()) }
    }

    /// The flight of this kind that a call may join, if `joinable` agrees.
    pub(crate) fn join(&self, key: &K, kind: Kind, joinable: impl Fn(&F) -> bool) -> Option<F> {
        let under_way = self.operations.get(key)?;
        let joined = under_way.iter().find(|operation| operation.kind == kind && !operation.superseded)?;
        joined.flight.clone().filter(joinable)
    }

    /// Registers a flight. An older one of its kind that nobody could join any more is superseded by it.
    pub(crate) fn lead(&mut self, key: &K, kind: Kind, id: OperationId, flight: F) {
        let under_way = self.operations.entry(key.clone()).or_default();
        for older in under_way.iter_mut().filter(|operation| operation.kind == kind) {
            older.superseded = true;
        }
        under_way.push(Operation { id, kind, superseded: false, flight: Some(flight) });
    }

    /// Registers a write. Loads under way are superseded; of two writes that overlap neither may enter L1, because
    /// nobody here knows in which order they reach L2.
    pub(crate) fn write(&mut self, key: &K, id: OperationId) {
        self.supersede(key);
        let under_way = self.operations.entry(key.clone()).or_default();
        let superseded = under_way.iter().any(|operation| operation.kind == Kind::Write);
        under_way.push(Operation { id, kind: Kind::Write, superseded, flight: None });
    }

    /// Applies an invalidation: nobody joins what is under way any more, and nothing of it is stored.
    pub(crate) fn supersede(&mut self, key: &K) {
        for operation in self.operations.get_mut(key).into_iter().flatten() {
            operation.superseded = true;
        }
    }

    /// Ends an operation; says whether what it brings may enter L1. A write that ends supersedes the flights that began
    /// while it was under way, and a load the lookups: they may have read what was there before.
    pub(crate) fn finish(&mut self, key: &K, id: OperationId) -> bool {
        let Some(under_way) = self.operations.get_mut(key) else { return false };
        let Some(place) = under_way.iter().position(|operation| operation.id == id) else { return false };
        let ended = under_way.swap_remove(place);
        for other in under_way.iter_mut() {
            other.superseded |= match ended.kind {
                Kind::Write => true,
                Kind::Load => other.kind == Kind::Lookup,
                Kind::Lookup => false,
            };
        }
        if under_way.is_empty() {
            self.operations.remove(key);
            self.shrink();
        }
        !ended.superseded
    }

    /// How many operations are under way.
    pub(crate) fn len(&self) -> usize {
        self.operations.values().map(SmallVec::len).sum()
    }

    /// The operations under way on a key, and whether they were superseded.
    #[cfg(test)]
    pub(crate) fn under_way(&self, key: &K) -> impl Iterator<Item = (OperationId, bool)> {
        self.operations.get(key).into_iter().flatten().map(|operation| (operation.id, operation.superseded))
    }

    /// A burst of misses must not hold its memory for ever.
    fn shrink(&mut self) {
        if self.operations.is_empty() && self.operations.capacity() > 1024 {
            self.operations.shrink_to(64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: OperationId = OperationId(1);
    const B: OperationId = OperationId(2);
    const C: OperationId = OperationId(3);

    fn table() -> Table<&'static str, &'static str> {
        Table::new()
    }

    #[test]
    fn a_flight_is_joined_until_it_ends() {
        let mut table = table();
        assert_eq!(table.join(&"k", Kind::Load, |_| true), None);
        table.lead(&"k", Kind::Load, A, "a");
        assert_eq!(table.join(&"k", Kind::Load, |_| true), Some("a"));
        assert_eq!(table.join(&"k", Kind::Lookup, |_| true), None);
        assert!(table.finish(&"k", A));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn an_invalidation_detaches_the_flight_and_bars_its_value() {
        let mut table = table();
        table.lead(&"k", Kind::Load, A, "a");
        table.supersede(&"k");
        assert_eq!(table.join(&"k", Kind::Load, |_| true), None);
        table.lead(&"k", Kind::Load, B, "b");
        assert_eq!(table.join(&"k", Kind::Load, |_| true), Some("b"));
        assert!(!table.finish(&"k", A));
        assert!(table.finish(&"k", B), "the end of the old flight leaves the new one alone");
    }

    #[test]
    fn a_flight_that_nobody_may_join_gives_way_to_a_new_one() {
        let mut table = table();
        table.lead(&"k", Kind::Load, A, "a");
        assert_eq!(table.join(&"k", Kind::Load, |_| false), None);
        table.lead(&"k", Kind::Load, B, "b");
        assert!(!table.finish(&"k", A));
        assert!(table.finish(&"k", B));
    }

    #[test]
    fn a_write_bars_the_loads_that_overlap_it() {
        let mut table = table();
        table.lead(&"k", Kind::Load, A, "a");
        table.write(&"k", B);
        table.lead(&"k", Kind::Load, C, "c");
        assert!(table.finish(&"k", B));
        assert!(!table.finish(&"k", A));
        assert!(!table.finish(&"k", C));
    }

    #[test]
    fn a_load_that_ends_bars_the_lookups_that_overlap_it() {
        let mut table = table();
        table.lead(&"k", Kind::Lookup, A, "a");
        table.lead(&"k", Kind::Load, B, "b");
        table.lead(&"k", Kind::Lookup, C, "c");
        assert!(table.finish(&"k", B));
        assert!(!table.finish(&"k", A));
        assert!(!table.finish(&"k", C));
        table.lead(&"k", Kind::Load, A, "a");
        table.lead(&"k", Kind::Lookup, B, "b");
        assert!(table.finish(&"k", B));
        assert!(table.finish(&"k", A), "a lookup brings nothing new");
    }

    #[test]
    fn of_two_writes_that_overlap_neither_enters() {
        let mut table = table();
        table.write(&"k", A);
        table.write(&"k", B);
        assert!(!table.finish(&"k", B));
        assert!(!table.finish(&"k", A));
        table.write(&"k", C);
        assert!(table.finish(&"k", C));
    }

    #[test]
    fn ending_twice_is_harmless() {
        let mut table = table();
        table.lead(&"k", Kind::Load, A, "a");
        assert!(table.finish(&"k", A));
        assert!(!table.finish(&"k", A));
    }
}
