//! How soon do others hear of an invalidation? From the moment it has returned to the one in which a peer's L1 has dropped the
//! entry, next to a round trip of a bare `SET` on the same server.

use std::{hint::black_box, time::Duration};

use cache_core::{Cache, Source, Stack, clock};
use cache_redis::{Redis, testing::RedisServer};
use criterion::{Criterion, criterion_group, criterion_main};
use redis::AsyncCommands;
use tokio::{runtime::Runtime, task::yield_now};

fn log(c: &mut Criterion) {
    let server = RedisServer::start();
    let runtime = Runtime::new().expect("a runtime");
    let (here, peer, mut raw) = runtime.block_on(async {
        let client = redis::Client::open(server.url()).expect("a URL");
        let raw = client.get_multiplexed_async_connection().await.expect("a connection");
        (cache(&server).await, cache(&server).await, raw)
    });
    let mut group = c.benchmark_group("log");
    group.bench_function("set_round_trip", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let begun = clock::now();
                for round in 0..rounds {
                    raw.set::<_, _, ()>("raw", round).await.expect("the server answers");
                }
                clock::now() - begun
            })
        });
    });
    group.bench_function("invalidated_to_dropped", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let mut lag = Duration::ZERO;
                for _ in 0..rounds {
                    lag += one_lag(&here, &peer).await;
                }
                lag
            })
        });
    });
    group.finish();
}

async fn one_lag(here: &Cache<u64, u64>, peer: &Cache<u64, u64>) -> Duration {
    peer.get_with(&7, |_| async { 1 }).await.expect("a value");
    here.invalidate(&7).await.expect("the server was told");
    let told = clock::now();
    loop {
        let asked = clock::now();
        let source = peer.at(&7).get().await.map(|answer| answer.source);
        if black_box(source) != Some(Source::L1) {
            return asked - told;
        }
        yield_now().await;
    }
}

async fn cache(server: &RedisServer) -> Cache<u64, u64> {
    let redis = Redis::connect(server.url()).await.expect("the server is there");
    let stack = Stack::builder("bench").l2(redis).build().await.expect("a stack");
    stack.cache("lag").build().expect("a cache")
}

criterion_group!(benches, log);
criterion_main!(benches);
