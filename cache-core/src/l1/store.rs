//! moka as a plain store of typed entries.

use std::{
    any::Any,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use foldhash::quality::RandomState;
use moka::{Equivalent, Expiry, notification::RemovalCause, sync::Cache};

use super::{Bound, L1};
use crate::{
    entry::{Entry, Name},
    lookup::Lookup,
    stats::{Counters, Event},
};

/// The entries of all caches of a stack.
pub(crate) struct Store {
    moka: Cache<Place, Slot, BuildHasherDefault<Prehashed>>,
    hasher: RandomState,
    bound: Bound,
}

impl Store {
    pub(crate) fn new(l1: L1) -> Self {
        let builder = Cache::builder()
            .expire_after(Reclaim)
            .eviction_listener(|_, slot: Slot, cause| slot.entry.counters().count_removal(cause));
        let moka = match l1.0 {
            Bound::Entries(count) => builder.max_capacity(count),
            Bound::Weight(bytes) => builder.max_capacity(bytes).weigher(|_, slot: &Slot| slot.weight),
        };
        Self {
            moka: moka.build_with_hasher(BuildHasherDefault::default()),
            hasher: RandomState::default(),
            bound: l1.0,
        }
    }

    /// Whether entries are weighed, so that their size must be known.
    pub(crate) fn is_weighed(&self) -> bool {
        matches!(self.bound, Bound::Weight(_))
    }

    /// The hash under which an entry is kept; seeded per store, so that nobody outside can make keys collide.
    #[inline]
    pub(crate) fn hash<L: Lookup>(&self, cache: u32, lookup: &L) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(cache);
        lookup.hash(&mut hasher);
        hasher.finish()
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

    pub(crate) fn insert<K, V>(&self, hash: u64, entry: Arc<Entry<K, V>>, lifetime: Duration)
    where
        K: Eq + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let place = Place { hash, name: Arc::<Name<K>>::clone(&entry.name) };
        let weight = entry.weight;
        self.moka.insert(place, Slot { entry, weight, lifetime });
    }

    pub(crate) fn remove<L: Lookup<Key: Send + Sync + 'static>>(&self, cache: u32, hash: u64, lookup: &L) {
        self.moka.invalidate(&Query { cache, hash, lookup });
    }

    /// Lets moka do what it put off: evict, expire, tell.
    pub(crate) fn tend(&self) {
        self.moka.run_pending_tasks();
    }

    /// How many entries are kept, and their weight. Approximate until [`tend`](Self::tend) was called.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.moka.entry_count(), self.moka.weighted_size())
    }
}

/// An entry without its types.
trait Resident: Any + Send + Sync {
    fn counters(&self) -> &Counters;
}

impl<K: Send + Sync + 'static, V: Send + Sync + 'static> Resident for Entry<K, V> {
    fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Counters {
    fn count_removal(&self, cause: RemovalCause) {
        match cause {
            RemovalCause::Size => self.count(Event::Eviction),
            RemovalCause::Expired => self.count(Event::Expiration),
            RemovalCause::Explicit | RemovalCause::Replaced => {}
        }
    }
}

/// moka's key, which stays when its entry is replaced.
struct Place {
    hash: u64,
    name: Arc<dyn Named>,
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
