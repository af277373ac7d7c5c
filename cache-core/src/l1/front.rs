//! What a hit looks at: the entries of one cache, found without moka.
//!
//! A table of sets, each in a cache line of its own: seven entries, and a byte of each one's hash. A hit compares the seven
//! bytes in one step, borrows the entry (`sdd`: no lock, no line that another core writes to) and compares the key. An
//! entry that finds its set full goes to the one beside it; if that is full too, it takes the place of the one that was asked for
//! the longest ago, which is still in moka.
//!
//! When the table is half full, one of twice the size takes its place, so the memory stays in proportion to the entries: 21 to
//! 43 bytes for each. Readers go on meanwhile in the table that they found.
//!
//! Whoever changes a set holds its gate, for a few instructions; no entry is dropped meanwhile, for a value's `Drop` is the
//! user's code.
//!
//! What was dropped from here is freed when no hit that is under way can have borrowed it ([`reclaim`](super::reclaim)).

use std::{
    array,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use sdd::{AtomicShared, Shared, Tag};

use super::reclaim::{Pin, collect};
use crate::{
    entry::{Entry, EntryRef},
    lookup::Lookup,
    stats::Counters,
};

/// The entries of one cache that a hit finds at once: a part of those that moka keeps.
pub(crate) struct Front<K, V> {
    table: AtomicShared<Table<K, V>>,
    entries: AtomicUsize,
    gates: [Mutex<()>; GATES],
    /// The number of its cache.
    pub(super) cache: u32,
    /// What happens to the cache's entries.
    pub(super) counters: Arc<Counters>,
}

/// What there was of a key when an entry of it was [put](Front::put) in.
pub(super) enum Before<K, V> {
    /// This one, here and in moka.
    Here(EntryRef<K, V>),
    /// Nothing here; moka may have one.
    Unknown,
    Nothing,
}

/// As many sets as a power of two.
type Table<K, V> = Box<[Set<K, V>]>;

type Node<K, V> = Shared<Entry<K, V>>;

/// Sets in a new table. Both powers of two.
const FIRST: usize = 16;
/// Of one gate are all pairs whose numbers end alike, so that a pair and those that it is split into share theirs.
const GATES: usize = FIRST / 2;
/// Enough for 800 million entries.
const MOST: usize = 1 << 28;

/// Entries in a set: they and their tags fill a cache line.
const WAYS: usize = 7;

/// Entries had to go to the set beside this one.
const OVERFLOWN: u64 = 1 << 56;
/// Entries of the pair may be in moka alone.
const DISPLACED: u64 = 1 << 57;

#[repr(align(64))]
struct Set<K, V> {
    /// A byte for each place: zero if it is empty. The last one says what has become of entries that found no place.
    tags: AtomicU64,
    places: [AtomicShared<Entry<K, V>>; WAYS],
}

impl<K: 'static, V: 'static> Front<K, V> {
    pub(crate) fn new(cache: u32, counters: Arc<Counters>) -> Self {
        Self {
            table: AtomicShared::new(empty(FIRST)),
            entries: AtomicUsize::new(0),
            gates: [const { Mutex::new(()) }; GATES],
            cache,
            counters,
        }
    }

    /// The entry that `lookup` names, servable or not.
    #[inline(always)]
    pub(crate) fn get<'a, L: Lookup<Key = K>>(&self, hash: u64, lookup: &L, pin: &'a Pin) -> Option<&'a Entry<K, V>> {
        let sets = self.sets(pin)?;
        let home = sets.get(hash as usize & (sets.len() - 1))?;
        let mut places = home.alike(hash);
        while places != 0 {
            if let Some(entry) = home.entry(first(places), pin)
                && lookup.matches(&entry.key)
            {
                return Some(entry);
            }
            places &= places - 1;
        }
        if home.has(OVERFLOWN) { get_beside(sets, hash, lookup, pin) } else { None }
    }

    /// Puts an entry in, in the place of the one of its key. Before moka has it: then moka tells when it drops it.
    pub(super) fn put(&self, entry: &EntryRef<K, V>, round: u16) -> Before<K, V>
    where
        K: Eq,
    {
        let hash = entry.residence.hash;
        let node = entry.share().clone();
        let pin = Pin::new();
        let gate = self.gate(hash);
        let Some(sets) = self.sets(&pin) else { return Before::Unknown };
        let pair = pair(sets, hash);
        let older = find(pair, hash, &pin, |there| there.key == entry.key);
        let before = if pair[0].has(DISPLACED) { Before::Unknown } else { Before::Nothing };
        let (set, place) = older.unwrap_or_else(|| place_to_take(pair, round, &pin));
        let displaced = set.fill(place, hash, node);
        drop(gate);
        if displaced.is_none() && self.entries.fetch_add(1, Ordering::Relaxed) >= most(sets.len()) {
            self.grow(&pin);
        }
        match (older, displaced) {
            (Some(_), Some(displaced)) => Before::Here(EntryRef::of(displaced)),
            _ => before,
        }
    }

    /// moka has entries of the cache that are not here: those of one that was built before.
    pub(crate) fn is_behind(&self) {
        let pin = Pin::new();
        let _gates: [_; GATES] = array::from_fn(|gate| lock(&self.gates[gate]));
        self.sets(&pin).into_iter().flatten().for_each(|set| set.note(DISPLACED));
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
        self.clear(hash, |there| there.key == *key);
    }

    fn clear(&self, hash: u64, is_it: impl Fn(&Entry<K, V>) -> bool) {
        let pin = Pin::new();
        let _gate = self.gate(hash);
        let Some((set, place)) = self.sets(&pin).and_then(|sets| find(pair(sets, hash), hash, &pin, is_it)) else {
            return;
        };
        // Freed after the gate is open, since this thread has a pin.
        drop(set.empty(place));
        self.entries.fetch_sub(1, Ordering::Relaxed);
    }

    fn gate(&self, hash: u64) -> MutexGuard<'_, ()> {
        lock(&self.gates[hash as usize / 2 % GATES])
    }

    /// Doubles the number of sets. Readers go on meanwhile: what they find in the old table was there when they began.
    #[cold]
    fn grow(&self, pin: &Pin) {
        let _gates: [_; GATES] = array::from_fn(|gate| lock(&self.gates[gate]));
        let Some(old) = self.sets(pin) else { return };
        if self.entries.load(Ordering::Relaxed) < most(old.len()) || old.len() == MOST {
            return;
        }
        let new = empty(2 * old.len());
        for (number, set) in old.iter().enumerate() {
            for (place, node) in set.nodes(pin) {
                let hash = node.residence.hash;
                // One that had to go to the set beside its own stays beside it.
                let is_beside = (hash as usize ^ number) & 1;
                new[hash as usize & (new.len() - 1) ^ is_beside].fill(place, hash, node);
            }
            for of in [&new[number], &new[number + old.len()]] {
                of.note(set.tags.load(Ordering::Acquire) & (OVERFLOWN | DISPLACED));
            }
        }
        self.replace(Some(Shared::new(new)), pin);
    }

    /// How many entries there are, and bytes of the table.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        let pin = Pin::new();
        let sets = self.sets(&pin).unwrap();
        (sets.iter().map(|set| set.nodes(&pin).count()).sum(), size_of_val(sets))
    }
}

impl<K, V> Front<K, V> {
    #[inline(always)]
    fn sets<'a>(&self, pin: &'a Pin) -> Option<&'a [Set<K, V>]> {
        self.table.load(Ordering::Acquire, &pin.0).as_ref().map(|table| &**table)
    }

    /// The nodes of the old table don't wait to be freed until it is.
    fn replace(&self, table: Option<Shared<Table<K, V>>>, pin: &Pin) {
        let old = self.sets(pin).into_iter().flatten();
        self.table.swap((table, Tag::None), Ordering::AcqRel);
        old.for_each(|set| (0..WAYS).for_each(|place| drop(set.empty(place))));
    }
}

impl<K, V> Drop for Front<K, V> {
    fn drop(&mut self) {
        self.replace(None, &Pin::new());
        collect();
    }
}

#[cold]
fn get_beside<'a, K, V, L: Lookup<Key = K>>(
    sets: &'a [Set<K, V>],
    hash: u64,
    lookup: &L,
    pin: &'a Pin,
) -> Option<&'a Entry<K, V>> {
    let [_, set] = pair(sets, hash);
    let mut entries = set.candidates(hash).filter_map(|place| set.entry(place, pin));
    entries.find(|entry| lookup.matches(&entry.key))
}

/// The set where an entry belongs, and the one where it is if there was no room.
fn pair<K, V>(sets: &[Set<K, V>], hash: u64) -> [&Set<K, V>; 2] {
    let home = hash as usize & (sets.len() - 1);
    [&sets[home], &sets[home ^ 1]]
}

impl<K, V> Set<K, V> {
    #[inline(always)]
    fn entry<'a>(&self, place: usize, pin: &'a Pin) -> Option<&'a Entry<K, V>> {
        self.places.get(place)?.load(Ordering::Acquire, &pin.0).as_ref()
    }

    /// The places whose tag is that of `hash`; seldom also another one.
    fn candidates(&self, hash: u64) -> impl Iterator<Item = usize> + use<K, V> {
        let mut places = self.alike(hash);
        std::iter::from_fn(move || {
            let place = (places != 0).then(|| first(places))?;
            places &= places - 1;
            Some(place)
        })
    }

    /// A bit in the byte of each of them.
    #[inline(always)]
    fn alike(&self, hash: u64) -> u64 {
        const ONES: u64 = 0x0001_0101_0101_0101;
        const HIGHS: u64 = 0x0080_8080_8080_8080;
        // Of what is zero where the tags are alike, the bytes that are zero: "Determine if a word has a zero byte", Anderson,
        // Bit Twiddling Hacks.
        let unlike = self.tags.load(Ordering::Acquire) ^ (ONES * tag(hash));
        unlike.wrapping_sub(ONES) & !unlike & HIGHS
    }

    fn nodes<'a>(&'a self, pin: &'a Pin) -> impl Iterator<Item = (usize, Node<K, V>)> {
        let node = |place: &AtomicShared<_>| place.load(Ordering::Acquire, &pin.0).get_shared();
        self.places.iter().enumerate().filter_map(move |(place, there)| Some((place, node(there)?)))
    }

    /// Only with the gate, like all that follows.
    fn find(&self, hash: u64, pin: &Pin, is_it: impl Fn(&Entry<K, V>) -> bool) -> Option<usize> {
        self.candidates(hash).find(|place| self.entry(*place, pin).is_some_and(&is_it))
    }

    fn has(&self, note: u64) -> bool {
        self.tags.load(Ordering::Acquire) & note != 0
    }

    fn note(&self, what: u64) {
        self.tags.fetch_or(what, Ordering::AcqRel);
    }

    fn fill(&self, place: usize, hash: u64, node: Node<K, V>) -> Option<Node<K, V>> {
        let (displaced, _) = self.places[place].swap((Some(node), Tag::None), Ordering::AcqRel);
        self.mark(place, tag(hash));
        displaced
    }

    fn empty(&self, place: usize) -> Option<Node<K, V>> {
        let (dropped, _) = self.places[place].swap((None, Tag::None), Ordering::AcqRel);
        self.mark(place, 0);
        dropped
    }

    fn mark(&self, place: usize, tag: u64) {
        let others = self.tags.load(Ordering::Relaxed) & !(0xff << (8 * place));
        self.tags.store(others | tag << (8 * place), Ordering::Release);
    }
}

/// The place of an entry in one of the two sets where it may be.
fn find<'a, K, V>(
    pair: [&'a Set<K, V>; 2],
    hash: u64,
    pin: &Pin,
    is_it: impl Fn(&Entry<K, V>) -> bool,
) -> Option<(&'a Set<K, V>, usize)> {
    pair.into_iter().find_map(|set| Some((set, set.find(hash, pin, &is_it)?)))
}

/// An empty place, in the first set if there is one, or that of the entry which moka was told of the longest ago.
fn place_to_take<'a, K, V>(pair: [&'a Set<K, V>; 2], round: u16, pin: &Pin) -> (&'a Set<K, V>, usize) {
    let [home, beside] = pair;
    let is_empty = |set: &Set<K, V>, place: &usize| set.entry(*place, pin).is_none();
    if let Some(place) = (0..WAYS).find(|place| is_empty(home, place)) {
        return (home, place);
    }
    if let Some(place) = (0..WAYS).find(|place| is_empty(beside, place)) {
        home.note(OVERFLOWN);
        return (beside, place);
    }
    pair.into_iter().for_each(|set| set.note(DISPLACED));
    let age = |place: &usize| home.entry(*place, pin).map(|entry| entry.residence.age(round));
    (home, (0..WAYS).max_by_key(age).unwrap_or_default())
}

/// The first of some places.
#[inline(always)]
fn first(places: u64) -> usize {
    places.trailing_zeros() as usize / 8
}

/// Seven bits that no set's number is made of, and one that tells it from none.
#[inline]
const fn tag(hash: u64) -> u64 {
    hash >> 57 | 0x80
}

/// Entries in a table of so many sets: three of seven places are taken then. One set in a hundred has overflown, one pair in
/// some thousands is full.
const fn most(sets: usize) -> usize {
    sets * 3
}

fn empty<K, V>(sets: usize) -> Table<K, V> {
    let set = || Set { tags: AtomicU64::new(0), places: [const { AtomicShared::null() }; WAYS] };
    (0..sets).map(|_| set()).collect()
}

fn lock(gate: &Mutex<()>) -> MutexGuard<'_, ()> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}
