//! L1: the entries of all caches of a stack, in this process.
//!
//! moka decides what stays, or another [engine](L1Engine). It is used as a plain store (`get`, `insert`, `invalidate`), never by
//! its loading calls: those store what they loaded although the key was invalidated meanwhile. All caches share one store, so that
//! one bound covers the process; an entry is found by the seeded hash of its cache and typed key, and then compared by the full key.
//!
//! Whether an entry may be served is decided by its own clock and marks ([`Entry::is_proven`]). moka's expiry only frees
//! the memory of what nobody asks for any more.
//!
//! # The front
//!
//! moka is asked for a hit only if the [`Front`] of the cache has not got it: a table from which an entry is borrowed without a
//! lock, and without a write to memory that cores share. `benches/instructions` counts both.
//!
//! *It has nothing that moka has not*, so that memory stays within moka's bound. An entry is put into the front before it is
//! put into moka, and whatever moka drops, leaves the front as well: that very entry, not one that has taken its place. So says
//! the `Drop` of what moka is given; an eviction listener takes as long as all the rest of an insert, for moka then locks keys.
//! Who fetches an entry from moka to put it in front looks at moka once more when it is there. Both ways in, and removal, are
//! under the lock of the key's table, so of two values of a key the front never has the older one.
//!
//! *moka judges as if it saw every hit.* It is told of the first hit of an entry in each round, and a round lasts until an eighth
//! of the entries were replaced: an order of use that is no finer than that serves it as well (`hit_ratio` in `benches` prints
//! the comparison: within half a point of moka alone, in a loop within what moka itself varies by). To tell it of one hit in
//! sixteen, drawn by chance, would cost 1 to 3 points, for then it learns of rare entries last. Where nothing is evicted
//! nothing is told.
//!
//! *An entry is one allocation*, which moka and the front share: a hit reads the line of its set and that of the entry, and then
//! the value.
//!
//! *Time* is asked of a coarse clock ([`clock`](crate::clock)), and *marks* are looked at only if anything was invalidated
//! since, or a round ended ([`Ledger::changes`](crate::coherence::ledger::Ledger::changes)), so tags cost a hit nothing. *The
//! proof* is looked at only if what it said last time no longer serves: it only grows, so until when it surely holds is noted on
//! the entry, as the coarse clock will read then.
//!
//! *What was dropped is freed soon, not at once*: a hit may have it borrowed. Whoever gives up the last share in a
//! large entry, or in the sixteenth small one, frees what nobody has borrowed, after it has given its locks back; the rest goes with
//! what the same thread gives up next, or when a stack is tended, twice a second. So does what moka frees in a thread that ends.
//!
//! `benches/README.md` says what a hit is made of, and what was tried in place of parts of it. In short:
//!
//! - a lock per slot or per shard: fewer instructions (30 for 40), but a line that all cores write to for every hit of a popular
//!   entry, and a writer that waits for a reader which lost its processor;
//! - tables of single threads: the fewest, but nobody can drop from them what moka evicted;
//! - `arc_swap`, which frees at once: 70 instructions for 40, and registers saved around its calls;
//! - `papaya`: more instructions than either;
//! - a clock that a task advances: 30 instructions less, but it stands still in a process that is stopped and goes on, which is
//!   when the proof of freshness is needed. The processor's counter (`rdtsc`) takes longer than the kernel's coarse clock.

mod engine;
mod front;
mod reclaim;
mod residence;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    front::Front,
    reclaim::{Pin, collect_lot, discarded, is_ending},
    residence::Residence,
    store::Store,
};

/// How much a stack may keep in the process.
///
/// Default: 10,000 entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct L1 {
    bound: Bound,
    engine: L1Engine,
}

/// What decides which entries stay in L1.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum L1Engine {
    /// [moka](https://docs.rs/moka): keeps what is asked for often and lately (TinyLFU), and frees what expired within a minute.
    #[default]
    Moka,
    /// [quick_cache](https://docs.rs/quick_cache): inserts and evicts in less time. What expired is not served, but keeps its place
    /// until room is needed, and an entry larger than a shard's part of the bound is not kept.
    #[cfg(feature = "quick_cache")]
    QuickCache,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bound {
    Entries(u64),
    Weight(u64),
}

impl Bound {
    fn is_nothing(self) -> bool {
        matches!(self, Self::Entries(0) | Self::Weight(0))
    }

    /// Whether an entry of such weight may be there, if it were alone.
    fn has_room_for(self, weight: u32) -> bool {
        match self {
            Self::Entries(_) => true,
            Self::Weight(bytes) => u64::from(weight) <= bytes,
        }
    }
}

impl L1 {
    /// At most so many entries, whatever their size. `0` keeps nothing: every read goes to L2.
    #[must_use]
    pub const fn entries(count: u64) -> Self {
        Self { bound: Bound::Entries(count), engine: L1Engine::Moka }
    }

    /// At most so many bytes.
    ///
    /// An entry weighs what its cache's [`weigher`](crate::CacheBuilder::weigher) says, or else the size of its key and
    /// value as encoded for L2, plus [`ENTRY_OVERHEAD`] bytes for the store's own and what its tags take: one that no other
    /// entry has some 300 bytes and twice its name, one that many have a share of that.
    #[must_use]
    pub const fn weight(bytes: u64) -> Self {
        Self { bound: Bound::Weight(bytes), engine: L1Engine::Moka }
    }

    /// With another engine; hits don't ask it, so they take as long. Default: [`L1Engine::Moka`].
    #[must_use]
    pub const fn engine(self, engine: L1Engine) -> Self {
        Self { engine, ..self }
    }
}

impl Default for L1 {
    fn default() -> Self {
        Self::entries(10_000)
    }
}

/// What an entry takes beside its key and value, in bytes: the nodes of the store, its place in front of it, and its own times
/// and marks. One that is loaded anew ahead of its end, or served stale after it, takes and weighs a little more; one with tags
/// what [`L1::weight`] says.
pub const ENTRY_OVERHEAD: u32 = 550;
