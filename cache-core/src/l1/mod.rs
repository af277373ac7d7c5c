//! L1: the entries of all caches of a stack, in this process.
//!
//! moka decides what stays. It is used as a plain store (`get`, `insert`, `invalidate`), never by its loading calls: those
//! store what they loaded although the key was invalidated meanwhile. All caches share one store, so that one bound covers
//! the process; an entry is found by the seeded hash of its cache and typed key, and compared by the full key.
//!
//! Whether an entry may be served is decided by its own clock and marks ([`Entry::is_fresh`]). moka's expiry only frees
//! the memory of what nobody asks for any more.

mod store;

pub(crate) use self::store::Store;

/// How much a stack may keep in the process.
///
/// Default: 10,000 entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct L1(pub(crate) Bound);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bound {
    Entries(u64),
    Weight(u64),
}

impl L1 {
    /// At most so many entries, whatever their size. `0` keeps nothing: every read goes to L2.
    #[must_use]
    pub const fn entries(count: u64) -> Self {
        Self(Bound::Entries(count))
    }

    /// At most so many bytes.
    ///
    /// An entry weighs what its cache's [`weigher`](crate::CacheBuilder::weigher) says, or else the size of its key and
    /// value as encoded for L2, plus [`ENTRY_OVERHEAD`] bytes for the store's own.
    #[must_use]
    pub const fn weight(bytes: u64) -> Self {
        Self(Bound::Weight(bytes))
    }
}

impl Default for L1 {
    fn default() -> Self {
        Self::entries(10_000)
    }
}

/// What an entry takes beside its key and value, in bytes: the store's nodes and the entry's times and marks.
pub const ENTRY_OVERHEAD: u32 = 480;
