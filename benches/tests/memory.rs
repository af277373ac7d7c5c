//! What entries take in memory, beside moka's own.

use std::sync::Arc;

use allocation_counter::measure;
use benches::{User, single_threaded};
use cache_core::{Cache, L1, Stack};

const ENTRIES: u64 = 20_000;

/// More than what the same entries take in moka, which knows of no times, tags or proofs: 260, most of it the entry itself.
const MORE_PER_ENTRY: i64 = 270;

#[test]
fn an_entry_takes_little_more_than_in_moka() {
    let user = User::sample(7);
    let mut moka = None;
    let of_moka = measure(|| {
        let cache = moka::sync::Cache::new(2 * ENTRIES);
        (0..ENTRIES).for_each(|key| cache.insert(key, Arc::clone(&user)));
        cache.run_pending_tasks();
        moka = Some(cache);
    });
    let mut ours = None;
    let of_ours = measure(|| ours = Some(filled(L1::entries(2 * ENTRIES), |_| Arc::clone(&user))));
    let per_entry = |bytes: i64| bytes / i64::try_from(ENTRIES).expect("few");
    let (of_moka, of_ours) = (per_entry(of_moka.bytes_current), per_entry(of_ours.bytes_current));
    assert!(of_ours <= of_moka + MORE_PER_ENTRY, "{of_ours} bytes for an entry, {of_moka} in moka");
}

/// Of values that take as much as they weigh: a number takes more in memory than as text.
#[test]
fn what_is_kept_weighs_no_more_than_it_may() {
    const WEIGHT: u64 = 16 << 20;
    let mut ours = None;
    let taken = measure(|| ours = Some(filled(L1::weight(WEIGHT), |key| format!("{key:0500}"))));
    let taken = u64::try_from(taken.bytes_current).expect("something is kept");
    assert!(taken <= WEIGHT + WEIGHT / 20, "{taken} bytes are kept of {WEIGHT}");
}

/// A stack with entries, as they are once moka has done what it put off.
fn filled<V: cache_core::CacheValue>(l1: L1, value: impl Fn(u64) -> V) -> (Stack, Cache<u64, V>) {
    single_threaded().block_on(async {
        let stack = Stack::builder("memory").l1(l1).build().await.expect("valid settings");
        let cache = stack.cache("value").build().expect("valid settings");
        for key in 0..ENTRIES {
            cache.insert(&key, value(key)).await.expect("without an L2 nothing can fail");
        }
        let _ = stack.l1_size();
        (stack, cache)
    })
}
