//! moka as a plain store of typed entries.

use std::{
    any::Any,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use foldhash::{
    SharedSeed,
    quality::{RandomState, SeedableRandomState},
};
use moka::{Equivalent, Expiry, notification::RemovalCause, sync::Cache};

use super::{Bound, Front, L1, front};
use crate::{cache::CacheKey, entry::Entry, key::encode::text, lookup::Lookup, stats::Event};

/// The entries of all caches of a stack.
pub(crate) struct Store {
    moka: Cache<Place, Slot, BuildHasherDefault<Prehashed>>,
    hasher: RandomState,
    bound: Bound,
    rounds: Rounds,
}

impl Store {
    pub(crate) fn new(l1: L1) -> Self {
        let builder = Cache::builder().expire_after(Reclaim).eviction_listener(|_, slot: Slot, cause| {
            slot.entry.leave_front();
            slot.entry.note_removal(cause);
        });
        let moka = match l1.0 {
            Bound::Entries(count) => builder.max_capacity(count),
            Bound::Weight(bytes) => builder.max_capacity(bytes).weigher(|_, slot: &Slot| slot.weight),
        };
        Self {
            moka: moka.build_with_hasher(BuildHasherDefault::default()),
            hasher: RandomState::default(),
            bound: l1.0,
            rounds: Rounds::default(),
        }
    }

    /// Whether entries are weighed, so that their size must be known.
    pub(crate) fn is_weighed(&self) -> bool {
        matches!(self.bound, Bound::Weight(_))
    }

    /// For the hash under which an entry of a cache is kept; seeded per store and cache, so that nobody outside can make keys
    /// collide, nor keys of one cache with their like in another.
    pub(crate) fn hasher(&self, cache: u32) -> SeedableRandomState {
        SeedableRandomState::with_seed(self.hasher.hash_one(cache), SharedSeed::global_random())
    }

    /// The entry, live or not.
    #[inline]
    pub(crate) fn get<L, V>(&self, cache: u32, hash: u64, lookup: &L) -> Option<Arc<Entry<L::Key, V>>>
    where
        L: Lookup<Key: Send + Sync + 'static>,
        V: Send + Sync + 'static,
    {
        let slot = self.moka.get(&Query { cache, hash, lookup })?;
        let entry: Arc<dyn Any + Send + Sync> = slot.entry;
        entry.downcast().ok()
    }

    /// Whether moka is yet to be told of an entry that was found without it.
    #[inline(always)]
    pub(crate) fn is_due<K, V>(&self, entry: &Entry<K, V>) -> bool {
        entry.residence.is_due(self.rounds.now())
    }

    /// moka is told of a sample of the reads.
    #[cold]
    pub(crate) fn tell<L, V>(&self, cache: u32, lookup: &L, entry: &Entry<L::Key, V>)
    where
        L: Lookup<Key: Send + Sync + 'static>,
    {
        entry.residence.tell(self.rounds.now());
        self.moka.get(&Query { cache, hash: entry.residence.hash, lookup });
    }

    /// Puts an entry of moka's into the front. Only under the lock of its key's table.
    pub(crate) fn promote<L, V>(&self, front: &Front<L::Key, V>, cache: u32, lookup: &L, entry: &Arc<Entry<L::Key, V>>)
    where
        L: Lookup<Key: Eq + Send + Sync + 'static>,
        V: Send + Sync + 'static,
    {
        let is_kept = || self.get(cache, entry.residence.hash, lookup).is_some_and(|kept| Arc::ptr_eq(&kept, entry));
        if !std::ptr::eq(entry.residence.front.as_ptr(), front) || !is_kept() {
            return;
        }
        let round = self.rounds.now();
        entry.residence.tell(round);
        front.put(entry, round);
        // moka may have dropped it before it was there to be dropped from the front.
        if !is_kept() {
            front.evict(entry);
        }
    }

    /// Only under the lock of its key's table.
    pub(crate) fn insert<K, V>(
        &self,
        front: &Front<K, V>,
        cache: u32,
        hash: u64,
        entry: Arc<Entry<K, V>>,
        lifetime: Duration,
    ) where
        K: CacheKey,
        V: Send + Sync + 'static,
    {
        if self.bound.is_nothing() {
            return;
        }
        // In this order: what moka drops is in the front by then, and is dropped there too.
        self.rounds.count(self.moka.entry_count());
        let round = self.rounds.now();
        entry.residence.tell(round.wrapping_sub(1));
        front.put(&entry, round);
        let place = Place { hash, name: Arc::new(Name { cache, key: entry.key.clone() }) };
        let weight = entry.weight;
        self.moka.insert(place, Slot { entry, weight, lifetime });
    }

    /// Only under the lock of its key's table.
    pub(crate) fn remove<K, V>(&self, front: &Front<K, V>, cache: u32, hash: u64, key: &K)
    where
        K: CacheKey,
        V: 'static,
    {
        self.moka.invalidate(&Query { cache, hash, lookup: &key });
        front.remove(hash, key);
    }

    /// Lets moka do what it put off: evict, expire, tell.
    pub(crate) fn tend(&self) {
        self.moka.run_pending_tasks();
        front::collect();
    }

    /// How many entries are kept, and their weight. Approximate until [`tend`](Self::tend) was called.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.moka.entry_count(), self.moka.weighted_size())
    }
}

/// When moka is told that an entry is asked for: at its first hit in each round. A round ends when an eighth as many entries
/// were inserted as there are. So the order of use that moka evicts by is never off by more than that, popularity is counted
/// in rounds in which an entry was asked for, and while nothing is inserted nothing need be told.
#[derive(Default)]
struct Rounds {
    round: AtomicU32,
    inserted: AtomicU64,
}

impl Rounds {
    const SHARE: u64 = 8;

    #[inline]
    fn now(&self) -> u32 {
        self.round.load(Ordering::Relaxed)
    }

    fn count(&self, entries: u64) {
        if self.inserted.fetch_add(1, Ordering::Relaxed) >= entries / Self::SHARE {
            self.inserted.store(0, Ordering::Relaxed);
            self.round.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An entry without its types.
trait Resident: Any + Send + Sync {
    /// Drops it from the front of its cache, if it is there.
    fn leave_front(&self);

    /// Counts that it was dropped.
    fn note_removal(&self, cause: RemovalCause);
}

impl<K: CacheKey, V: Send + Sync + 'static> Resident for Entry<K, V> {
    fn leave_front(&self) {
        if let Some(front) = self.residence.front.upgrade() {
            front.evict(self);
        }
    }

    fn note_removal(&self, cause: RemovalCause) {
        let event = match cause {
            RemovalCause::Size => Event::Eviction,
            RemovalCause::Expired => Event::Expiration,
            RemovalCause::Explicit | RemovalCause::Replaced => return,
        };
        self.counters.note(event, Some(self.residence.hash), || text(&self.key));
    }
}

/// moka's key, which stays when its entry is replaced.
struct Place {
    hash: u64,
    name: Arc<dyn Named>,
}

/// What an entry is kept under, with a key of its own: moka holds on to the name under which a place was first taken, which
/// must not hold on to the value, and a hit would have to look for the key in another line.
struct Name<K> {
    /// The cache it belongs to: two caches may have keys of one type.
    cache: u32,
    key: K,
}

/// A name without its type.
trait Named: Any + Send + Sync {
    fn is(&self, other: &dyn Any) -> bool;
}

impl<K: Eq + Send + Sync + 'static> Named for Name<K> {
    fn is(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| other.cache == self.cache && other.key == self.key)
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.name.is(&*other.name)
    }
}

impl Eq for Place {}

struct Query<'a, L> {
    cache: u32,
    hash: u64,
    lookup: &'a L,
}

impl<L> Hash for Query<'_, L> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<L: Lookup<Key: Send + Sync + 'static>> Equivalent<Place> for Query<'_, L> {
    #[inline]
    fn equivalent(&self, place: &Place) -> bool {
        if place.hash != self.hash {
            return false;
        }
        let name: &dyn Any = &*place.name;
        name.downcast_ref::<Name<L::Key>>()
            .is_some_and(|name| name.cache == self.cache && self.lookup.matches(&name.key))
    }
}

#[derive(Clone)]
struct Slot {
    entry: Arc<dyn Resident>,
    weight: u32,
    lifetime: Duration,
}

/// Frees what nobody may be served any more. It runs on moka's own clock, so it is never early: a paused test clock
/// may be behind it.
struct Reclaim;

impl Reclaim {
    /// How long an expired entry may keep its memory.
    const GRACE: Duration = Duration::from_secs(60);
    /// moka takes no lifetime of centuries.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

    fn after(slot: &Slot) -> Option<Duration> {
        Some(slot.lifetime.min(Self::LONGEST) + Self::GRACE)
    }
}

impl Expiry<Place, Slot> for Reclaim {
    fn expire_after_create(&self, _: &Place, slot: &Slot, _: Instant) -> Option<Duration> {
        Self::after(slot)
    }

    fn expire_after_update(&self, _: &Place, slot: &Slot, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Self::after(slot)
    }
}

/// Passes the hash through that a place or a query already has.
#[derive(Default)]
struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("places and queries write one u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
