//! An engine as a store of typed entries, and the front before it.

use std::{
    any::Any,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use foldhash::quality::SeedableRandomState;

use super::{
    Bound, Front, L1,
    engine::{Engine, Kept, Resident, engine},
    front::Before,
    reclaim,
};
use crate::{
    cache::CacheKey,
    entry::{Entry, EntryRef},
    key::encode::text,
    lookup::Lookup,
    stats::Event,
    token::{hasher, random_hasher},
};

/// The entries of all caches of a stack.
pub(crate) struct Store {
    engine: Box<dyn Engine>,
    hasher: SeedableRandomState,
    bound: Bound,
    rounds: Rounds,
}

impl Store {
    pub(crate) fn new(l1: L1) -> Self {
        Self { engine: engine(l1), hasher: random_hasher(), bound: l1.bound, rounds: Rounds::default() }
    }

    /// Whether entries are weighed, so that their size must be known.
    pub(crate) fn is_weighed(&self) -> bool {
        matches!(self.bound, Bound::Weight(_))
    }

    /// For the hash under which an entry of a cache is kept; seeded per store and cache, so that nobody outside can make keys
    /// collide, nor keys of one cache with their like in another.
    pub(crate) fn hasher(&self, cache: u32) -> SeedableRandomState {
        hasher(self.hasher.hash_one(cache))
    }

    /// The entry, live or not.
    #[inline]
    pub(crate) fn get<L, V>(&self, front: &Front<L::Key, V>, hash: u64, lookup: &L) -> Option<EntryRef<L::Key, V>>
    where
        L: Lookup<Key: CacheKey>,
        V: Send + Sync + 'static,
    {
        self.engine.get(hash)?.entry_of(front, lookup).cloned()
    }

    /// The engine is told of the first hit in each round.
    pub(crate) fn tell<K, V>(&self, entry: &Entry<K, V>) {
        let round = self.rounds.now();
        if entry.residence.is_due(round) {
            entry.residence.tell(round);
            self.engine.get(entry.residence.hash);
        }
    }

    /// Puts an entry of the engine's into the front. Only under the lock of its key's table.
    pub(crate) fn promote<L, V>(&self, front: &Front<L::Key, V>, lookup: &L, entry: &EntryRef<L::Key, V>)
    where
        L: Lookup<Key: CacheKey>,
        V: Send + Sync + 'static,
    {
        let is_kept = || {
            let kept = self.get(front, entry.residence.hash, lookup);
            kept.is_some_and(|kept| std::ptr::eq(&*kept, &**entry))
        };
        // One of a cache that was built before is not to be found by this one's, which it would not leave.
        let is_its_own = std::ptr::addr_eq(entry.standing.scopes.front.as_ptr(), front);
        if !is_its_own || !is_kept() {
            return;
        }
        let round = self.rounds.now();
        entry.residence.tell(round);
        front.put(entry, round);
        // The engine may have dropped it before it was there to be dropped from the front.
        if !is_kept() {
            front.evict(entry);
        }
    }

    /// Only under the lock of its key's table. Says whether a round ended.
    pub(crate) fn insert<K, V>(&self, front: &Front<K, V>, entry: EntryRef<K, V>) -> bool
    where
        K: CacheKey,
        V: Send + Sync + 'static,
    {
        if self.bound.is_nothing() {
            return false;
        }
        let hash = entry.residence.hash;
        if !self.bound.has_room_for(entry.residence.weight()) {
            self.remove(front, hash, &entry.key);
            return false;
        }
        entry.enter();
        // In this order: what the engine drops is in the front by then, and is dropped there too.
        let has_ended = self.rounds.count(self.engine.len());
        let round = self.rounds.now();
        entry.residence.tell(round.wrapping_sub(1));
        let older = match front.put(&entry, round) {
            Before::Here(older) => Some(older),
            Before::Unknown => self.get(front, hash, &&entry.key),
            Before::Nothing => None,
        };
        if let Some(older) = older {
            if std::ptr::eq(&*older, &*entry) {
                return has_ended;
            }
            older.residence.dismiss();
        }
        self.engine.insert(Kept(Arc::new(Tenant(entry))));
        has_ended
    }

    /// Only under the lock of its key's table.
    pub(crate) fn remove<K, V>(&self, front: &Front<K, V>, hash: u64, key: &K)
    where
        K: CacheKey,
        V: Send + Sync + 'static,
    {
        if let Some(kept) = self.engine.remove(hash)
            && let Some(entry) = kept.entry_of(front, &key)
        {
            entry.residence.dismiss();
        }
        front.remove(hash, key);
    }

    /// Lets the engine do what it put off: evict, expire, tell.
    pub(crate) fn tend(&self) {
        self.engine.tend();
        reclaim::clear_up();
        reclaim::collect();
    }

    /// How many entries are kept, and their weight. Approximate until [`tend`](Self::tend) was called.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.engine.len(), self.engine.weight())
    }
}

/// When the engine is told that an entry is asked for: at its first hit in each round. A round ends when an eighth as many entries
/// were inserted as there are. So the order of use that it evicts by is never off by more than that, popularity is counted
/// in rounds in which an entry was asked for, and while nothing is inserted nothing need be told.
#[derive(Default)]
struct Rounds {
    round: AtomicU16,
    inserted: AtomicU64,
}

impl Rounds {
    const SHARE: u64 = 8;

    #[inline]
    fn now(&self) -> u16 {
        self.round.load(Ordering::Relaxed)
    }

    /// Says whether a round ended.
    fn count(&self, entries: u64) -> bool {
        let has_ended = self.inserted.fetch_add(1, Ordering::Relaxed) >= entries / Self::SHARE;
        if has_ended {
            self.inserted.store(0, Ordering::Relaxed);
            self.round.fetch_add(1, Ordering::Relaxed);
        }
        has_ended
    }
}

impl Kept {
    /// With its types, if it is that of a key and not of another one with its hash.
    fn entry_of<L, V>(&self, front: &Front<L::Key, V>, lookup: &L) -> Option<&EntryRef<L::Key, V>>
    where
        L: Lookup<Key: CacheKey>,
        V: Send + Sync + 'static,
    {
        let tenant: &dyn Any = &*self.0;
        let Tenant(entry) = tenant.downcast_ref()?;
        (entry.standing.scopes.cache == front.cache && lookup.matches(&entry.key)).then_some(entry)
    }
}

/// An entry in an engine. When the engine gives it up it leaves the front of its cache as well: so says its `Drop`, for a listener
/// would have moka lock the key with each insert and each eviction, which takes as long again.
struct Tenant<K: CacheKey, V: Send + Sync + 'static>(EntryRef<K, V>);

impl<K: CacheKey, V: Send + Sync + 'static> Resident for Tenant<K, V> {
    fn hash(&self) -> u64 {
        self.0.residence.hash
    }

    fn weight(&self) -> u32 {
        self.0.residence.weight()
    }

    fn stay(&self) -> Duration {
        self.0.life().stay()
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Tenant<K, V> {
    fn drop(&mut self) {
        let Self(entry) = self;
        if reclaim::is_ending() {
            return reclaim::leave(Self(entry.take()));
        }
        // Unless the cache is gone.
        let Some(front) = entry.standing.scopes.front.upgrade() else { return };
        let Ok(front) = front.downcast::<Front<K, V>>() else { return };
        front.evict(entry);
        if !entry.residence.is_dismissed() {
            let event = if entry.life().stay().is_zero() { Event::Expiration } else { Event::Eviction };
            front.counters.note(event, Some(entry.residence.hash), || text(&entry.key));
        }
    }
}
