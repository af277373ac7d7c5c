//! What a hit looks at: the entries of one cache, found without moka.
//!
//! A table of sets, each in a cache line of its own: seven entries, and a byte of each one's hash. A hit compares the seven
//! bytes in one step, borrows the entry (`arc_swap`: no lock, no line that another core writes to) and compares the key. An
//! entry that finds its set full goes to the one beside it; if that is full too, it takes the place of the one that was asked for
//! the longest ago, which is still in moka.
//!
//! The table grows by a segment as large as all before it, into which half of every set moves, so the memory stays in
//! proportion to the entries: 21 to 43 bytes for each.
//!
//! Whoever changes a set holds its gate, for a few instructions; no entry is dropped meanwhile, for a value's `Drop` is the
//! user's code.

use std::{
    array,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use arc_swap::{ArcSwapOption, Guard};

use crate::{entry::Entry, lookup::Lookup};

/// The entries of one cache that a hit finds at once: a part of those that moka keeps.
pub(crate) struct Front<K, V> {
    /// The first has [`FIRST`] sets, each further one as many as all before it.
    segments: [OnceLock<Segment<K, V>>; SEGMENTS],
    /// One less than the number of sets, which is a power of two.
    mask: AtomicUsize,
    entries: AtomicUsize,
    gates: [Mutex<()>; GATES],
}

type Segment<K, V> = Box<[Set<K, V>]>;

/// An entry that is borrowed from the table: it is not freed meanwhile, though it may be dropped from there.
pub(crate) type Borrowed<K, V> = Guard<Option<Arc<Entry<K, V>>>>;

/// Sets in a new table. Both powers of two.
const FIRST: usize = 16;
/// Of one gate are all pairs whose numbers end alike, so that a pair and those that it is split into share theirs.
const GATES: usize = FIRST / 2;
/// Enough for 900 million entries.
const SEGMENTS: usize = 24;

/// Entries in a set: they and their tags fill a cache line.
const WAYS: usize = 7;

const OVERFLOWN: u64 = 1 << 56;

#[repr(align(64))]
struct Set<K, V> {
    /// A byte for each place: zero if it is empty. The last one says whether entries had to go to the set beside this one.
    tags: AtomicU64,
    places: [ArcSwapOption<Entry<K, V>>; WAYS],
}

impl<K, V> Front<K, V> {
    pub(crate) fn new() -> Self {
        let segments = [const { OnceLock::new() }; SEGMENTS];
        let _ = segments[0].set(empty(FIRST));
        Self {
            segments,
            mask: AtomicUsize::new(FIRST - 1),
            entries: AtomicUsize::new(0),
            gates: [const { Mutex::new(()) }; GATES],
        }
    }

    /// The entry that `lookup` names, servable or not.
    #[inline(always)]
    pub(crate) fn get<L: Lookup<Key = K>>(&self, hash: u64, lookup: &L) -> Option<Borrowed<K, V>> {
        let number = self.number(hash);
        let home = self.set(number)?;
        for place in home.candidates(hash) {
            let entry = home.places[place].load();
            if entry.as_ref().is_some_and(|entry| lookup.matches(&entry.name.key)) {
                return Some(entry);
            }
        }
        if home.has_overflown() { self.get_beside(number, hash, lookup) } else { None }
    }

    #[cold]
    fn get_beside<L: Lookup<Key = K>>(&self, number: usize, hash: u64, lookup: &L) -> Option<Borrowed<K, V>> {
        let set = self.set(beside(number))?;
        let mut entries = set.candidates(hash).map(|place| set.places[place].load());
        entries.find(|entry| entry.as_ref().is_some_and(|entry| lookup.matches(&entry.name.key)))
    }

    /// Puts an entry in, in the place of the one of its key. Before moka has it: then moka tells when it drops it.
    pub(super) fn put(&self, entry: &Arc<Entry<K, V>>, round: u32)
    where
        K: Eq,
    {
        let hash = entry.residence.hash;
        let gate = self.gate(hash);
        let Some(sets) = self.sets(hash) else { return };
        let place = find(sets, hash, |there| there.name.key == entry.name.key);
        let (set, place) = place.unwrap_or_else(|| place_to_take(sets, round));
        let displaced = set.fill(place, hash, entry);
        let is_more = displaced.is_none();
        drop(gate);
        drop(displaced);
        if is_more && self.entries.fetch_add(1, Ordering::Relaxed) >= most(self.mask.load(Ordering::Acquire)) {
            self.grow();
        }
    }

    /// Drops this very entry; not one that took its place.
    pub(super) fn evict(&self, entry: &Entry<K, V>) {
        self.clear(entry.residence.hash, |there| std::ptr::eq(there, entry));
    }

    /// Drops the entry of a key.
    pub(super) fn remove(&self, hash: u64, key: &K)
    where
        K: Eq,
    {
        self.clear(hash, |there| there.name.key == *key);
    }

    fn clear(&self, hash: u64, is_it: impl Fn(&Entry<K, V>) -> bool) {
        let gate = self.gate(hash);
        let Some((set, place)) = self.sets(hash).and_then(|sets| find(sets, hash, is_it)) else { return };
        let dropped = set.empty(place);
        self.entries.fetch_sub(1, Ordering::Relaxed);
        drop(gate);
        drop(dropped);
    }

    #[inline(always)]
    fn number(&self, hash: u64) -> usize {
        hash as usize & self.mask.load(Ordering::Acquire)
    }

    #[inline(always)]
    fn set(&self, number: usize) -> Option<&Set<K, V>> {
        let segment = usize::BITS - (number / FIRST).leading_zeros();
        let sets = self.segments.get(segment as usize)?.get()?;
        sets.get(number & (sets.len() - 1))
    }

    /// The set where an entry belongs, and the one where it is if there was no room.
    fn sets(&self, hash: u64) -> Option<[&Set<K, V>; 2]> {
        let number = self.number(hash);
        Some([self.set(number)?, self.set(beside(number))?])
    }

    fn gate(&self, hash: u64) -> MutexGuard<'_, ()> {
        lock(&self.gates[hash as usize / 2 % GATES])
    }

    /// Doubles the number of sets. Readers go on meanwhile: they find an entry in the set where it was or in the one where it
    /// will be.
    #[cold]
    fn grow(&self) {
        let _gates: [_; GATES] = array::from_fn(|gate| lock(&self.gates[gate]));
        let mask = self.mask.load(Ordering::Acquire);
        let sets = mask + 1;
        let segment = (usize::BITS - (sets / FIRST).leading_zeros()) as usize;
        if self.entries.load(Ordering::Relaxed) < most(mask) || segment == SEGMENTS {
            return;
        }
        let _ = self.segments[segment].set(empty(sets));
        let moves = |entry: &Arc<Entry<K, V>>| entry.residence.hash as usize & sets != 0;
        for number in 0..sets {
            let (Some(old), Some(new)) = (self.set(number), self.set(number + sets)) else { return };
            for (place, entry) in old.entries().filter(|(_, entry)| moves(entry)) {
                new.fill(place, entry.residence.hash, &entry);
            }
            if old.has_overflown() {
                new.overflow();
            }
        }
        self.mask.store(mask | sets, Ordering::Release);
        for number in 0..sets {
            let Some(old) = self.set(number) else { return };
            for (place, _) in old.entries().filter(|(_, entry)| moves(entry)) {
                drop(old.empty(place));
            }
        }
    }

    /// How many entries there are, and bytes of the table.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        let sets: Vec<_> = self.segments.iter().filter_map(OnceLock::get).flatten().collect();
        (sets.iter().map(|set| set.entries().count()).sum(), sets.len() * size_of::<Set<K, V>>())
    }
}

impl<K, V> Set<K, V> {
    /// The places whose tag is that of `hash`; seldom also another one.
    #[inline(always)]
    fn candidates(&self, hash: u64) -> impl Iterator<Item = usize> + use<K, V> {
        const ONES: u64 = 0x0001_0101_0101_0101;
        const HIGHS: u64 = 0x0080_8080_8080_8080;
        // Of what is zero where the tags are alike, the bytes that are zero: "Determine if a word has a zero byte", Anderson,
        // Bit Twiddling Hacks.
        let unlike = self.tags.load(Ordering::Acquire) ^ (ONES * tag(hash));
        let mut alike = unlike.wrapping_sub(ONES) & !unlike & HIGHS;
        std::iter::from_fn(move || {
            let place = alike.trailing_zeros() as usize / 8;
            alike &= alike.wrapping_sub(1);
            (place < WAYS).then_some(place)
        })
    }

    fn entries(&self) -> impl Iterator<Item = (usize, Arc<Entry<K, V>>)> {
        self.places.iter().enumerate().filter_map(|(place, entry)| Some((place, entry.load_full()?)))
    }

    /// Only with the gate, like all that follows.
    fn find(&self, hash: u64, is_it: impl Fn(&Entry<K, V>) -> bool) -> Option<usize> {
        self.candidates(hash).find(|place| self.places[*place].load().as_ref().is_some_and(|entry| is_it(entry)))
    }

    fn has_overflown(&self) -> bool {
        self.tags.load(Ordering::Acquire) & OVERFLOWN != 0
    }

    fn overflow(&self) {
        self.tags.fetch_or(OVERFLOWN, Ordering::AcqRel);
    }

    fn fill(&self, place: usize, hash: u64, entry: &Arc<Entry<K, V>>) -> Option<Arc<Entry<K, V>>> {
        let displaced = self.places[place].swap(Some(Arc::clone(entry)));
        self.mark(place, tag(hash));
        displaced
    }

    fn empty(&self, place: usize) -> Option<Arc<Entry<K, V>>> {
        let dropped = self.places[place].swap(None);
        self.mark(place, 0);
        dropped
    }

    fn mark(&self, place: usize, tag: u64) {
        let others = self.tags.load(Ordering::Relaxed) & !(0xff << (8 * place));
        self.tags.store(others | tag << (8 * place), Ordering::Release);
    }
}

/// The place of an entry in one of the two sets where it may be.
fn find<K, V>(sets: [&Set<K, V>; 2], hash: u64, is_it: impl Fn(&Entry<K, V>) -> bool) -> Option<(&Set<K, V>, usize)> {
    sets.into_iter().find_map(|set| Some((set, set.find(hash, &is_it)?)))
}

/// An empty place, in the first set if there is one, or that of the entry which moka was told of the longest ago.
fn place_to_take<K, V>(sets: [&Set<K, V>; 2], round: u32) -> (&Set<K, V>, usize) {
    let [home, beside] = sets;
    let is_empty = |set: &Set<K, V>, place: &usize| set.places[*place].load().is_none();
    if let Some(place) = (0..WAYS).find(|place| is_empty(home, place)) {
        return (home, place);
    }
    if let Some(place) = (0..WAYS).find(|place| is_empty(beside, place)) {
        home.overflow();
        return (beside, place);
    }
    let age = |place: &usize| home.places[*place].load().as_ref().map(|entry| entry.residence.age(round));
    (home, (0..WAYS).max_by_key(age).unwrap_or_default())
}

/// The other set of a pair.
const fn beside(number: usize) -> usize {
    number ^ 1
}

/// Seven bits that no set's number is made of, and one that tells it from none.
#[inline]
const fn tag(hash: u64) -> u64 {
    hash >> 57 | 0x80
}

/// Entries in a table of `mask + 1` sets: three of seven places are taken then. One set in a hundred has overflown, one pair in
/// some thousands is full.
const fn most(mask: usize) -> usize {
    (mask + 1) * 3
}

fn empty<K, V>(sets: usize) -> Segment<K, V> {
    let set = || Set { tags: AtomicU64::new(0), places: [const { ArcSwapOption::const_empty() }; WAYS] };
    (0..sets).map(|_| set()).collect()
}

fn lock(gate: &Mutex<()>) -> MutexGuard<'_, ()> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}
