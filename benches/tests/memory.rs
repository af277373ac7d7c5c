//! What entries take in memory, beside moka's own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use allocation_counter::measure;
use benches::{User, single_threaded};
use cache_core::{Cache, ENTRY_OVERHEAD, L1, Stack};

const ENTRIES: u64 = 20_000;

/// More than what the same entries take in moka, which knows of no times, tags or proofs: 260, most of it the entry itself.
const MORE_PER_ENTRY: i64 = 270;

#[test]
fn an_entry_takes_little_more_than_in_moka() {
    let _alone = alone();
    let user = User::sample(7);
    let mut moka = None;
    let of_moka = measure(|| {
        let cache = moka::sync::Cache::new(2 * ENTRIES);
        (0..ENTRIES).for_each(|key| cache.insert(key, Arc::clone(&user)));
        cache.run_pending_tasks();
        moka = Some(cache);
    });
    let mut ours = None;
    let of_ours = measure(|| ours = Some(filled(L1::entries(2 * ENTRIES), |_| [], |_| Arc::clone(&user))));
    let per_entry = |bytes: i64| bytes / i64::try_from(ENTRIES).expect("few");
    let (of_moka, of_ours) = (per_entry(of_moka.bytes_current), per_entry(of_ours.bytes_current));
    assert!(of_ours <= of_moka + MORE_PER_ENTRY, "{of_ours} bytes for an entry, {of_moka} in moka");
}

/// What L1 may keep where it is bound in bytes.
const WEIGHT: u64 = 16 << 20;

#[test]
fn what_is_kept_weighs_no_more_than_it_may() {
    let _alone = alone();
    assert_is_within_weight(&kept(|_| []));
}

#[test]
fn a_key_weighs_as_its_value_does() {
    let _alone = alone();
    let stack = single_threaded().block_on(async {
        let stack = Stack::builder("memory").l1(L1::weight(WEIGHT)).build().await.expect("valid settings");
        let cache: Cache<String, u8> = stack.cache("value").build().expect("valid settings");
        cache.insert(&"k".repeat(10_000), 7).await.expect("without an L2 nothing can fail");
        stack
    });
    assert_eq!(stack.l1_size(), (1, u64::from(ENTRY_OVERHEAD) + 10_001));
}

/// And go with it: more entries are inserted than there is room for.
#[test]
fn tags_of_its_own_weigh_on_an_entry() {
    let _alone = alone();
    assert_is_within_weight(&kept(|key| [format!("order:{key}"), format!("customer:{key}")]));
}

#[test]
fn tags_that_many_share_leave_room_for_as_many() {
    let _alone = alone();
    let (shared, none) = (kept(|key| [format!("org:{}", key % 10), "vip".into()]), kept(|_| []));
    assert_is_within_weight(&shared);
    let (shared, none) = (shared.entries, none.entries);
    assert!(shared >= none * 9 / 10, "{shared} entries, {none} without tags");
}

/// A thread that lost its processor to another test would hold up what the other one frees.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Kept {
    entries: u64,
    weight: u64,
    taken: u64,
}

/// Of values that take as much as they weigh: a number takes more in memory than as text.
fn kept<const N: usize>(tags: impl Fn(u64) -> [String; N]) -> Kept {
    let mut ours = None;
    let taken = measure(|| ours = Some(filled(L1::weight(WEIGHT), tags, |key| format!("{key:0500}"))));
    let (entries, weight) = ours.expect("it was filled").0.l1_size();
    Kept { entries, weight, taken: u64::try_from(taken.bytes_current).expect("something is kept") }
}

fn assert_is_within_weight(kept: &Kept) {
    let Kept { entries, weight, taken } = kept;
    assert!(*taken <= WEIGHT + WEIGHT / 20, "{entries} entries of {weight} bytes take {taken} of {WEIGHT}");
}

/// A stack with entries, as they are once moka has done what it put off.
fn filled<V: cache_core::CacheValue, const N: usize>(
    l1: L1,
    tags: impl Fn(u64) -> [String; N],
    value: impl Fn(u64) -> V,
) -> (Stack, Cache<u64, V>) {
    single_threaded().block_on(async {
        let stack = Stack::builder("memory").l1(l1).build().await.expect("valid settings");
        let cache = stack.cache("value").build().expect("valid settings");
        for key in 0..ENTRIES {
            let inserting = cache.at(&key).tags(tags(key)).insert(value(key));
            inserting.await.expect("without an L2 nothing can fail");
        }
        let _ = stack.l1_size();
        (stack, cache)
    })
}
