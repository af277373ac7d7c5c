//! What `#[cached]` adds to a hit, beside the cache called by hand and the least that any asynchronous function does.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use benches::{Traffic, User, single_threaded};
use cache_core::{Cache, Source, Stack, cached};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const TTL: Duration = Duration::from_secs(24 * 60 * 60);

static USERS: LazyLock<Vec<Arc<User>>> =
    LazyLock::new(|| (0..Traffic::hot().keys() as u64).map(User::sample).collect());

async fn bare(id: u64) -> Arc<User> {
    Arc::clone(&USERS[id as usize])
}

async fn by_hand(cache: &Cache<u64, Arc<User>>, id: u64) -> Arc<User> {
    cache.get_with(&id, move |_| bare(id)).await.expect("the loader does not fail")
}

#[cached(ttl = "24h")]
async fn by_attribute(id: u64) -> Arc<User> {
    bare(id).await
}

#[cached(ttl = "24h", tags = ["user:{id}", "org:{org}"])]
async fn with_tags(org: u64, id: u64) -> Arc<User> {
    assert_eq!(org, 7);
    bare(id).await
}

fn macro_overhead(criterion: &mut Criterion) {
    let (runtime, traffic) = (single_threaded(), Traffic::hot());
    let stack = Stack::global();
    let cache = stack.cache("by hand").ttl(TTL).build().expect("valid settings");
    runtime.block_on(check_that_all_hit(&cache));
    let mut requests = traffic.requests().map(|key| key as u64);
    let mut next = || requests.next().expect("traffic never ends");

    let mut group = criterion.benchmark_group("macro_overhead");
    group.throughput(Throughput::Elements(1));
    group.bench_function("bare function", |bencher| bencher.to_async(&runtime).iter(|| bare(next())));
    group.bench_function("get_with", |bencher| bencher.to_async(&runtime).iter(|| by_hand(&cache, next())));
    group.bench_function("#[cached]", |bencher| bencher.to_async(&runtime).iter(|| by_attribute(next())));
    group.bench_function("#[cached], 2 arguments, 2 tags", |bencher| {
        bencher.to_async(&runtime).iter(|| with_tags(7, next()));
    });
    group.finish();
}

async fn check_that_all_hit(cache: &Cache<u64, Arc<User>>) {
    for id in 0..USERS.len() as u64 {
        assert_eq!(by_hand(cache, id).await.id, id);
        assert_eq!(by_attribute(id).await.id, id);
        assert_eq!(with_tags(7, id).await.id, id);
    }
    for id in 0..USERS.len() as u64 {
        let by_hand = cache.at(&id).get_with(move |_| bare(id)).await.expect("the loader does not fail");
        let sources = [by_hand.source, by_attribute::explain(id).await.source, with_tags::explain(7, id).await.source];
        assert_eq!(sources, [Source::L1; 3]);
    }
}

criterion_group! {
    name = group;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = macro_overhead
}
criterion_main!(group);
