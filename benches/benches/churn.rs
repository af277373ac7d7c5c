//! What an insert into a full L1 costs beside one into a full moka: entries come that are new, and others go.

use std::{sync::Arc, time::Duration};

use benches::{User, single_threaded};
use cache_core::{Cache, L1, Stack};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const CAPACITY: u64 = 10_000;
const TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// Of a value, as both are told.
const WEIGHT: u32 = 500;

/// What L1 may keep.
#[derive(Clone, Copy)]
enum Bound {
    Entries,
    Weight,
}

fn churn(criterion: &mut Criterion) {
    for (name, bound) in [("entries", Bound::Entries), ("weight", Bound::Weight)] {
        let runtime = single_threaded();
        let mut group = criterion.benchmark_group(format!("churn/{name}"));
        group.throughput(Throughput::Elements(1));
        let user = User::sample(7);
        group.bench_function("moka", |bencher| {
            let (moka, mut keys) = (full_moka(bound, &user), CAPACITY..);
            bencher.to_async(&runtime).iter(|| {
                let (moka, key, user) = (&moka, next(&mut keys), Arc::clone(&user));
                async move { moka.insert(key, user) }
            });
        });
        group.bench_function("cache", |bencher| {
            let (_stack, cache) = runtime.block_on(full_cache(bound, &user));
            let mut keys = CAPACITY..;
            bencher.to_async(&runtime).iter(|| {
                let (cache, key, user) = (&cache, next(&mut keys), Arc::clone(&user));
                async move { cache.insert(&key, user).await.expect("without an L2 nothing can fail") }
            });
        });
        group.finish();
    }
}

fn next(keys: &mut impl Iterator<Item = u64>) -> u64 {
    keys.next().expect("there are keys for ever")
}

fn full_moka(bound: Bound, user: &Arc<User>) -> moka::sync::Cache<u64, Arc<User>> {
    let builder = moka::sync::Cache::builder().time_to_live(TTL);
    let moka = match bound {
        Bound::Entries => builder.max_capacity(CAPACITY).build(),
        Bound::Weight => builder.max_capacity(CAPACITY * u64::from(WEIGHT)).weigher(|_, _| WEIGHT).build(),
    };
    (0..CAPACITY).for_each(|key| moka.insert(key, Arc::clone(user)));
    moka.run_pending_tasks();
    assert_eq!(moka.entry_count(), CAPACITY);
    moka
}

/// A stack of L1 alone.
async fn full_cache(bound: Bound, user: &Arc<User>) -> (Stack, Cache<u64, Arc<User>>) {
    let l1 = match bound {
        Bound::Entries => L1::entries(CAPACITY),
        Bound::Weight => L1::weight(CAPACITY * u64::from(WEIGHT + cache_core::ENTRY_OVERHEAD)),
    };
    let stack = Stack::builder("churn").l1(l1).build().await.expect("valid settings");
    let cache = stack.cache("user").ttl(TTL).weigher(|_, _| WEIGHT).build().expect("valid settings");
    for key in 0..CAPACITY {
        cache.insert(&key, Arc::clone(user)).await.expect("without an L2 nothing can fail");
    }
    assert_eq!(stack.l1_size().0, CAPACITY);
    (stack, cache)
}

criterion_group! {
    name = group;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = churn
}
criterion_main!(group);
