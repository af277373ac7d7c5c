//! What a hit in L1 costs beside a `get` of bare moka with the same keys.

use std::{cell::LazyCell, sync::Arc, time::Duration};

use benches::{Traffic, User, single_threaded};
use cache_core::{Cache, CacheKey, L1, Lookup, Source, Stack};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;

/// More than there are keys: every read is a hit.
const CAPACITY: u64 = 20_000;
const TTL: Duration = Duration::from_secs(24 * 60 * 60);
const TAGS: [&str; 3] = ["org:7", "plan:team", "region:eu"];

fn l1_hit(criterion: &mut Criterion) {
    for (name, traffic) in [("hot", Traffic::hot()), ("zipf", Traffic::zipf())] {
        let numbers: Vec<_> = (0..traffic.keys() as u64).collect();
        let names: Vec<_> = numbers.iter().map(|number| format!("ada.{number:05}@example.com")).collect();
        let pairs: Vec<_> = numbers.iter().copied().zip(names.iter().cloned()).collect();

        compare(criterion, &format!("l1_hit/{name}/u64"), &traffic, &numbers, |number| number);
        compare(criterion, &format!("l1_hit/{name}/str"), &traffic, &names, String::as_str);
        compare(criterion, &format!("l1_hit/{name}/tuple"), &traffic, &pairs, by_parts);
    }
}

fn by_parts((number, name): &(u64, String)) -> (&u64, &str) {
    (number, name)
}

/// `keys` are what both caches hold. Ours is asked by what `lookup` makes of them, moka by the owned keys themselves.
fn compare<'a, K, L>(
    criterion: &mut Criterion,
    name: &str,
    traffic: &Traffic,
    keys: &'a [K],
    lookup: impl Fn(&'a K) -> L,
) where
    K: CacheKey,
    L: Lookup<Key = K> + Copy,
{
    let lookups: Vec<_> = keys.iter().map(lookup).collect();
    let runtime = single_threaded();

    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    let moka = LazyCell::new(|| filled_moka(keys));
    group.bench_function("moka", |bencher| {
        let (moka, mut requests) = (&*moka, traffic.requests());
        bencher.to_async(&runtime).iter(|| {
            let key = &keys[next(&mut requests)];
            async move { moka.get(key).expect("it has room for all") }
        });
    });
    for (name, tags) in [("cache", &[][..]), ("cache, 3 tags", &TAGS)] {
        let filled = LazyCell::new(|| filled_cache(&runtime, &lookups, tags));
        group.bench_function(name, |bencher| {
            let (cache, mut requests) = (&*filled, traffic.requests());
            bencher.to_async(&runtime).iter(|| {
                let key = lookups[next(&mut requests)];
                async move { cache.get(key).await.expect("L1 has room for all") }
            });
        });
    }
    group.finish();
}

fn next(requests: &mut impl Iterator<Item = usize>) -> usize {
    requests.next().expect("traffic never ends")
}

fn filled_moka<K: CacheKey>(keys: &[K]) -> moka::sync::Cache<K, Arc<User>> {
    let moka = moka::sync::Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build();
    for (id, key) in keys.iter().enumerate() {
        moka.insert(key.clone(), User::sample(id as u64));
    }
    moka.run_pending_tasks();
    assert_eq!(moka.entry_count(), keys.len() as u64);
    moka
}

/// A cache without L2, in which every key is a hit.
fn filled_cache<K, L>(runtime: &Runtime, lookups: &[L], tags: &[&str]) -> Cache<K, Arc<User>>
where
    K: CacheKey,
    L: Lookup<Key = K> + Copy,
{
    runtime.block_on(async {
        let stack = Stack::builder("bench").l1(L1::entries(CAPACITY)).build().await.expect("valid settings");
        let cache = stack.cache("user").ttl(TTL).build().expect("valid settings");
        fill(&cache, lookups, tags).await;
        if let Some(tag) = tags.last() {
            check_that_tags_count(&stack, &cache, lookups[0], tag).await;
            fill(&cache, lookups, tags).await;
        }
        assert_eq!(stack.l1_size().0, lookups.len() as u64);
        for key in lookups {
            let answer = cache.at(*key).get().await;
            assert!(answer.is_some_and(|answer| answer.source == Source::L1));
        }
        cache
    })
}

async fn fill<K, L>(cache: &Cache<K, Arc<User>>, lookups: &[L], tags: &[&str])
where
    K: CacheKey,
    L: Lookup<Key = K> + Copy,
{
    for (id, key) in lookups.iter().enumerate() {
        let filling = cache.at(*key).tags(tags.iter().copied()).insert(User::sample(id as u64));
        filling.await.expect("without an L2 nothing can fail");
    }
}

/// Entries rest on their tags, so a hit has to look at them.
async fn check_that_tags_count<K, L>(stack: &Stack, cache: &Cache<K, Arc<User>>, key: L, tag: &str)
where
    K: CacheKey,
    L: Lookup<Key = K> + Copy,
{
    assert!(cache.contains_key(key).await);
    stack.invalidate_tag(tag).await.expect("without an L2 nothing can fail");
    assert!(!cache.contains_key(key).await);
}

criterion_group! {
    name = group;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = l1_hit
}
criterion_main!(group);
