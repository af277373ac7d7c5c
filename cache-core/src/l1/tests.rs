use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde::Serialize;

use super::{ENTRY_OVERHEAD, L1, L1Engine, Pin};
use crate::{
    Cache, Stack,
    cache::{CacheKey, Shared},
    clock,
    entry::{Asker, EntryRef, Life, Origin, Span},
    tag::Tags,
};

type Numbers = Shared<u64, Arc<u64>>;

/// The same bound, with each engine.
fn engines(l1: L1) -> impl Iterator<Item = L1> {
    let engines = [
        L1Engine::Moka,
        #[cfg(feature = "quick_cache")]
        L1Engine::QuickCache,
    ];
    engines.into_iter().map(move |engine| l1.engine(engine))
}

async fn numbers(l1: L1) -> (Stack, Cache<u64, Arc<u64>>) {
    let stack = Stack::builder("shop").l1(l1).build().await.unwrap();
    let cache = stack.cache("number").ttl(Duration::from_secs(3600)).build().unwrap();
    (stack, cache)
}

impl Numbers {
    fn fresh(&self, key: u64, value: u64) -> EntryRef<u64, Arc<u64>> {
        let text = self.encode(&key).unwrap();
        let lot = self.lot(self.hash(&&key), &self.entry_key(&text));
        let standing = self.standing(lot, self.stack.ledger.moment(), &Tags::default());
        let (now, hour) = (clock::now(), Duration::from_secs(3600));
        let origin = Origin::new(self.as_of(now), None, None);
        self.entry(
            key,
            Arc::new(value),
            Life::new(now, Span { age: Duration::ZERO, ttl: hour, left: hour }, hour),
            standing,
            origin,
            None,
        )
    }

    fn store(&self, key: u64, value: u64) -> Weak<u64> {
        let entry = self.fresh(key, value);
        let _table = self.table(entry.residence.hash);
        self.admit(entry.residence.hash, &entry, clock::now());
        Arc::downgrade(&entry.value)
    }

    fn read(&self, key: u64) -> Option<u64> {
        self.hit(self.hash(&&key), &&key, Asker::Looks, |entry| *entry.value)
    }

    fn in_front(&self, key: u64) -> Option<u64> {
        self.front.get(self.hash(&&key), &&key, &Pin::new()).map(|entry| *entry.value)
    }

    fn in_engine(&self, key: u64) -> Option<u64> {
        self.stack.store.get(&self.front, self.hash(&&key), &&key).map(|entry| *entry.value)
    }
}

/// Waits until the engine has carried out what it put off, and has freed what other threads may have been reading.
fn settle<K: CacheKey>(cache: &Shared<K, Arc<u64>>, is_so: impl Fn() -> bool) {
    while !is_so() {
        cache.stack.store.tend();
        thread::yield_now();
    }
}

#[tokio::test]
async fn a_hit_finds_what_was_stored_last_and_nothing_after_a_removal() {
    let (_stack, cache) = numbers(L1::entries(1000)).await;
    let numbers = cache.shared();
    numbers.store(7, 1);
    assert_eq!((numbers.read(7), numbers.in_front(7)), (Some(1), Some(1)));
    let old = numbers.store(7, 2);
    assert_eq!((numbers.read(7), numbers.in_front(7)), (Some(2), Some(2)));
    numbers.drop_local(numbers.hash(&&7), &7);
    assert_eq!((numbers.read(7), numbers.in_front(7)), (None, None));
    settle(numbers, || old.upgrade().is_none());
}

#[tokio::test]
async fn a_table_that_grows_loses_nothing() {
    let (_stack, cache) = numbers(L1::entries(100_000)).await;
    let numbers = cache.shared();
    for key in 0..20_000 {
        numbers.store(key, key);
    }
    let (entries, bytes) = numbers.front.size();
    // The seed says which sets are full: of sixty draws one in two thousand found no place, and at worst twice as many.
    assert!(entries > 19_950, "{entries} of 20,000 are found at once");
    assert!(bytes <= 50 * entries, "{bytes} bytes for {entries} entries");
    for key in 0..20_000 {
        assert_eq!(numbers.read(key), Some(key));
    }
}

#[tokio::test]
async fn replacing_every_entry_leaves_every_new_one_in_front() {
    let (_stack, cache) = numbers(L1::entries(20_000)).await;
    let numbers = cache.shared();
    for round in 0..3 {
        for key in 0..10_000 {
            numbers.store(key, key + round);
        }
    }
    let (entries, _) = numbers.front.size();
    assert!(entries > 9_970, "{entries} of 10,000");
    assert!((0..10_000).all(|key| numbers.read(key) == Some(key + 2)));
}

#[tokio::test]
async fn an_entry_that_was_displaced_is_found_again_when_it_is_asked_for() {
    let (_stack, cache) = numbers(L1::entries(1000)).await;
    let numbers = cache.shared();
    numbers.store(7, 1);
    numbers.front.remove(numbers.hash(&&7), &7);
    assert_eq!((numbers.in_front(7), numbers.in_engine(7)), (None, Some(1)));
    assert_eq!(numbers.read(7), Some(1));
    assert_eq!(numbers.in_front(7), Some(1));
}

/// Whatever the seed: sets are full that have to do without entries which the engine has.
#[tokio::test]
async fn entries_that_are_in_the_engine_alone_are_replaced_there() {
    for l1 in engines(L1::entries(1000)) {
        let (_stack, cache) = numbers(l1).await;
        let numbers = cache.shared();
        let old: Vec<_> = (0..8).map(|key| numbers.store(key, key)).collect();
        numbers.front.is_behind();
        for key in 0..8 {
            numbers.front.remove(numbers.hash(&&key), &key);
            numbers.store(key, key + 8);
            numbers.front.remove(numbers.hash(&&key), &key);
            assert_eq!((numbers.in_engine(key), numbers.read(key)), (Some(key + 8), Some(key + 8)));
        }
        settle(numbers, || old.iter().all(|value| value.upgrade().is_none()));
        assert_eq!((numbers.stack.store.size().0, cache.stats().evictions), (8, 0));
    }
}

#[tokio::test]
async fn a_cache_that_is_built_anew_replaces_what_it_finds() {
    for l1 in engines(L1::entries(1000)) {
        let (stack, cache) = numbers(l1).await;
        (0..8).for_each(|key| drop(cache.shared().store(key, key)));
        drop(cache);
        let cache = stack.cache("number").ttl(Duration::from_secs(3600)).build().unwrap();
        let numbers: &Numbers = cache.shared();
        assert_eq!(numbers.read(0), Some(0));
        (0..8).for_each(|key| drop(numbers.store(key, key + 8)));
        numbers.stack.store.tend();
        assert!((0..8).all(|key| numbers.in_engine(key) == Some(key + 8)));
        assert_eq!(numbers.stack.store.size().0, 8);
    }
}

/// All of these have one hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Alike(u64);

impl Hash for Alike {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// By chance that happens to one pair of keys in 2^64.
#[tokio::test]
async fn keys_with_one_hash_evict_each_other_and_never_answer_for_each_other() {
    for l1 in engines(L1::entries(1000)) {
        let stack = Stack::builder("shop").l1(l1).build().await.unwrap();
        let cache: Cache<Alike, Arc<u64>> = stack.cache("alike").build().unwrap();
        let (ours, [a, b, c]) = (cache.shared(), [1, 2, 3].map(Alike));
        let evicted = |count| settle(ours, || cache.stats().evictions == count);
        for (key, value) in [(&a, 1), (&b, 2), (&b, 3)] {
            cache.insert(key, Arc::new(value)).await.unwrap();
            assert_eq!(cache.get(key).await.as_deref(), Some(&value));
        }
        evicted(1);
        assert_eq!((cache.get(&a).await, cache.get(&b).await.as_deref()), (None, Some(&3)));
        // Found behind the front, by the hash, is only what is theirs.
        ours.front.remove(ours.hash(&&b), &b);
        assert_eq!((cache.get(&c).await, cache.get(&b).await.as_deref()), (None, Some(&3)));
        cache.invalidate(&a).await.unwrap();
        evicted(2);
        cache.insert(&c, Arc::new(4)).await.unwrap();
        cache.invalidate(&c).await.unwrap();
        settle(ours, || ours.stack.store.size().0 == 0);
        assert_eq!((cache.get(&b).await, cache.get(&c).await, cache.stats().evictions), (None, None, 2));
    }
}

/// A load fails, and the stale entry stays: it is stored again.
#[tokio::test]
async fn an_entry_that_is_stored_again_keeps_its_place() {
    for l1 in engines(L1::entries(1000)) {
        let (_stack, cache) = numbers(l1).await;
        let numbers = cache.shared();
        let entry = numbers.fresh(7, 1);
        for _ in 0..3 {
            let _table = numbers.table(entry.residence.hash);
            numbers.admit(entry.residence.hash, &entry, clock::now());
        }
        (0..100).for_each(|_| numbers.stack.store.tend());
        assert_eq!((numbers.in_front(7), numbers.in_engine(7)), (Some(1), Some(1)));
        numbers.store(7, 2);
        assert_eq!((numbers.in_front(7), numbers.in_engine(7)), (Some(2), Some(2)));
    }
}

#[tokio::test]
async fn an_entry_that_grows_too_heavy_leaves_and_takes_nothing_with_it() {
    for l1 in engines(L1::weight(100 * u64::from(ENTRY_OVERHEAD))) {
        let stack = Stack::builder("shop").l1(l1).build().await.unwrap();
        let weigh = |_: &u64, value: &Arc<u64>| u32::try_from(**value).unwrap();
        let cache = stack.cache("number").weigher(weigh).build().unwrap();
        for key in 0..8 {
            cache.insert(&key, Arc::new(key)).await.unwrap();
        }
        cache.insert(&7, Arc::new(1 << 20)).await.unwrap();
        (0..100).for_each(|_| cache.shared().stack.store.tend());
        assert_eq!(cache.get(&7).await, None);
        assert_eq!(cache.shared().stack.store.size().0, 7);
    }
}

#[tokio::test]
async fn what_the_engine_evicts_gives_its_memory_back() {
    for l1 in engines(L1::entries(500)) {
        let (_stack, cache) = numbers(l1).await;
        let numbers = cache.shared();
        let values: Vec<_> = (0..10_000).map(|key| numbers.store(key, key)).collect();
        let alive = || values.iter().filter(|value| value.strong_count() > 0).count() as u64;
        // Nothing but what the engine has.
        settle(numbers, || alive() == numbers.stack.store.size().0);
        assert!((450..=500).contains(&alive()), "{}", alive());
        assert!(numbers.front.size().0 as u64 <= alive());
        assert_eq!(cache.stats().evictions, 10_000 - alive());
    }
}

#[tokio::test]
async fn an_entry_that_is_too_heavy_stays_nowhere() {
    for l1 in engines(L1::weight(u64::from(ENTRY_OVERHEAD) / 2)) {
        let (_stack, cache) = numbers(l1).await;
        let numbers = cache.shared();
        let value = numbers.store(7, 1);
        settle(numbers, || value.upgrade().is_none());
        assert_eq!((numbers.in_front(7), numbers.in_engine(7)), (None, None));
    }
}

#[tokio::test]
async fn a_store_without_room_keeps_nothing() {
    for l1 in engines(L1::entries(0)) {
        let (_stack, cache) = numbers(l1).await;
        let (numbers, value) = (cache.shared(), cache.shared().store(7, 1));
        settle(numbers, || value.upgrade().is_none());
    }
}

#[tokio::test]
async fn a_stack_that_is_gone_leaves_nothing_behind() {
    for l1 in engines(L1::entries(1000)) {
        let (stack, cache) = numbers(l1).await;
        let value = cache.shared().store(7, 1);
        drop((stack, cache));
        assert_eq!(value.upgrade(), None, "entries and their front don't keep each other");
    }
}

/// Stores, removals, evictions and reads of the same few keys at once, on all threads. A thread's own order of writes is held
/// against what it reads; in the end the front has nothing that the engine has not.
#[tokio::test]
async fn front_and_engine_agree_whatever_happens_at_once() {
    for l1 in engines(L1::entries(48)) {
        const KEYS: u64 = 96;
        const THREADS: u64 = 4;
        let (_stack, cache) = numbers(l1).await;
        let numbers = &**cache.shared();
        let clock: &[AtomicU64] = &(0..KEYS).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for step in 0..6_000 {
                        let draw = (step * THREADS + thread).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                        let key = draw % KEYS;
                        // What was stored and removed before the read began is not served.
                        match draw / KEYS % 8 {
                            0 | 1 => {
                                let hash = numbers.hash(&&key);
                                let table = numbers.table(hash);
                                let version = clock[key as usize].load(Ordering::Relaxed) + 1;
                                numbers.admit(hash, &numbers.fresh(key, version), clock::now());
                                clock[key as usize].store(version, Ordering::Release);
                                drop(table);
                            }
                            2 => {
                                let hash = numbers.hash(&&key);
                                let table = numbers.table(hash);
                                let version = clock[key as usize].load(Ordering::Relaxed) + 1;
                                numbers.remove(hash, &key);
                                assert_eq!(numbers.read(key), None, "under the lock nobody puts it back");
                                clock[key as usize].store(version, Ordering::Release);
                                drop(table);
                            }
                            3 if step % 64 == 0 => numbers.stack.store.tend(),
                            _ => {
                                let oldest = clock[key as usize].load(Ordering::Acquire);
                                if let Some(version) = numbers.read(key) {
                                    assert!(version >= oldest, "{version} was replaced by {oldest}");
                                }
                            }
                        }
                    }
                });
            }
        });
        settle(numbers, || numbers.front.size().0 as u64 <= numbers.stack.store.size().0);
        for key in 0..KEYS {
            if let Some(version) = numbers.in_front(key) {
                assert_eq!(numbers.in_engine(key), Some(version));
            }
        }
    }
}

/// moka has threads that end free what it gave up.
#[tokio::test]
async fn a_thread_that_ends_loses_no_entry_that_was_given_up() {
    let (_stack, cache) = numbers(L1::entries(100)).await;
    let numbers = cache.shared();
    let stored_by = |inserts| {
        let cache = cache.clone();
        thread::spawn(move || {
            let numbers = cache.shared();
            // The engine is used before the front, so its last words come when the front knows nothing of the thread any more.
            numbers.stack.store.tend();
            (0..inserts).map(|key| numbers.store(key, key)).collect::<Vec<_>>()
        })
    };
    let values: Vec<_> = (0..300).flat_map(|inserts| stored_by(inserts).join().unwrap()).collect();
    let alive = || values.iter().filter(|value| value.strong_count() > 0).count() as u64;
    settle(numbers, || alive() == numbers.stack.store.size().0);
}
