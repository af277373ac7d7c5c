//! What a hit in Redis costs beside GET and `serde_json` on a raw connection.

use std::{cell::LazyCell, sync::Arc, time::Duration};

use benches::{Server, User, in_tasks, runtime};
use cache_core::{Cache, L1, Source, Stack};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis::AsyncCommands;

/// A multiple of every number of tasks, so that no two tasks ask for one key at a time: they would share a flight.
const KEYS: u64 = 1_024;
const TASKS: [u64; 3] = [1, 64, 1_024];
const TTL: Duration = Duration::from_secs(24 * 60 * 60);

fn l2_hit(criterion: &mut Criterion) {
    let runtime = runtime();
    let rig = LazyCell::new(|| runtime.block_on(Rig::start()));

    for tasks in TASKS {
        let mut group = criterion.benchmark_group(format!("l2_hit/{tasks} at once"));
        group.throughput(Throughput::Elements(tasks));
        group.bench_function("raw GET, serde_json", |bencher| {
            let connection = rig.server.connection();
            let read = move |call| {
                let mut connection = connection.clone();
                async move {
                    let key = call % KEYS;
                    let bytes: Vec<u8> = connection.get(raw_key(key)).await.expect("a value");
                    let user: Arc<User> = serde_json::from_slice(&bytes).expect("what was stored");
                    assert_eq!(user.id, key);
                }
            };
            bencher.to_async(&runtime).iter_custom(|turns| in_tasks(tasks, turns, read.clone()));
        });
        group.bench_function("cache", |bencher| {
            let cache = rig.cache.clone();
            let read = move |call| {
                let cache = cache.clone();
                async move {
                    let key = call % KEYS;
                    let user = cache.get(&key).await.expect("an entry in L2");
                    assert_eq!(user.id, key);
                }
            };
            bencher.to_async(&runtime).iter_custom(|turns| in_tasks(tasks, turns, read.clone()));
        });
        group.finish();
    }
}

struct Rig {
    server: Server,
    cache: Cache<u64, Arc<User>>,
}

impl Rig {
    /// A server that has every user twice: as an entry of a cache that keeps none in L1, and as bare JSON.
    async fn start() -> Self {
        let server = Server::start().await;
        let stack = Stack::builder("bench")
            .l1(L1::entries(0))
            .l2(server.backend().await)
            .l2_deadline(Server::patience())
            .build()
            .await
            .expect("valid settings");
        let cache = stack.cache("user").ttl(TTL).build().expect("valid settings");
        let rig = Self { server, cache };
        rig.fill().await;
        rig.check().await;
        rig
    }

    async fn fill(&self) {
        let mut connection = self.server.connection();
        for key in 0..KEYS {
            let user = User::sample(key);
            let json = serde_json::to_vec(&user).expect("a user is JSON");
            let _: () =
                connection.pset_ex(raw_key(key), json, 24 * 60 * 60 * 1_000).await.expect("a server that answers");
            self.cache.insert(&key, user).await.expect("a server that answers");
        }
    }

    /// One round trip each, and one read of the entry with its marks.
    async fn check(&self) {
        let mut connection = self.server.connection();
        let raw = connection.get::<_, Vec<u8>>(raw_key(7));
        let (_, spent) = self.server.spent(raw).await;
        assert_eq!((spent.round_trips(), spent.calls("get")), (1, 1));

        for key in [7, 7, 8] {
            let (answer, spent) = self.server.spent(self.cache.at(&key).get()).await;
            assert_eq!(answer.map(|answer| answer.source), Some(Source::L2));
            assert_eq!((spent.round_trips(), spent.calls("mget"), spent.calls("evalsha")), (1, 1, 0), "{spent:?}");
        }
    }
}

/// As long as the names that a cache gives its entries.
fn raw_key(key: u64) -> String {
    format!("raw:{{bench:user}}:1:{key}")
}

criterion_group! {
    name = group;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    targets = l2_hit
}
criterion_main!(group);
