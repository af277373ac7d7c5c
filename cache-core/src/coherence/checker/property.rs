//! What must hold, and the bookkeeping that tells whether it does.

/// A promise of the protocol, or an invariant under one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Property {
    /// After an invalidation returned `Ok`, L2 never has a usable value that was loaded before it. The same of an insert.
    NoResurrection,
    /// A call that begins after an invalidation returned in its own process is served nothing older.
    ReadYourOwnInvalidations,
    /// The same although the invalidation did not reach L2; and while L2 has something usable that it forbids, its process
    /// knows not to believe it.
    Distrust,
    /// L1 holds nothing servable whose flight was registered before an invalidation that was applied here.
    Admission,
    /// No call is served by a flight of another that was registered before an invalidation which returned before the call.
    JoiningIsServing,
    /// A fill is stored only while its token is the lease.
    Fence,
    /// Two loads hold a lease at a time only if the older one's was lost or taken.
    OneLoad,
    /// A call is served nothing older than what an invalidation in *any* process forbids that returned `Ok` more than
    /// [`MAX_STALENESS`](super::setting::MAX_STALENESS) before the call began. The same of an insert.
    BoundedStaleness,
    /// When nothing can happen any more, every call was answered, and nothing is left under way.
    NothingIsStuck,
}

/// A value: a version of the origin, and how it came into the cache.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Value {
    pub(super) version: u8,
    pub(super) source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Source {
    Loaded,
    Inserted,
}

/// The oldest versions that may still be served, by how they came into the cache.
///
/// Inserts are blind. One that is under way while an invalidation begins, or whose answer was lost, may reach L2 after it,
/// so the invalidation says nothing about what was inserted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Floors {
    pub(super) loaded: u8,
    pub(super) inserted: u8,
}

impl Floors {
    pub(super) fn raise(&mut self, to: Self) {
        self.loaded = self.loaded.max(to.loaded);
        self.inserted = self.inserted.max(to.inserted);
    }

    pub(super) fn allow(self, value: Value) -> bool {
        match value.source {
            Source::Loaded => value.version >= self.loaded,
            Source::Inserted => value.version >= self.inserted,
        }
    }
}

/// What invalidations that returned `Ok` in any process forbid to whoever calls now, by how long ago that was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Bounds {
    /// Longer than the longest staleness.
    pub(super) overdue: Floors,
    /// At this tick, and at the one before it.
    recent: [Floors; 2],
}

impl Bounds {
    pub(super) fn returned(&mut self, covers: Floors) {
        self.recent[0].raise(covers);
    }

    pub(super) fn tick(&mut self) {
        let [now, before] = self.recent;
        self.overdue.raise(before);
        self.recent = [Floors::default(), now];
    }
}
