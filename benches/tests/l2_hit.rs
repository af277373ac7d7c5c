//! What a hit in Redis allocates, beside `GET` and `serde_json` on a raw connection: client and decoding, all in this thread.

use std::{sync::Arc, time::Duration};

use allocation_counter::{AllocationInfo, measure};
use benches::{Server, User, in_tasks, single_threaded};
use cache_core::{Cache, L1, Stack};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use tokio::runtime::Runtime;

const KEYS: u64 = 256;
const TURNS: u64 = 64;

struct Rig {
    runtime: Runtime,
    connection: MultiplexedConnection,
    cache: Cache<u64, Arc<User>>,
    _server: Server,
}

impl Rig {
    fn new() -> Self {
        let runtime = single_threaded();
        let (server, cache) = runtime.block_on(async {
            let server = Server::start().await;
            let builder = Stack::builder("bench").l1(L1::entries(0)).l2(server.backend().await);
            let stack = builder.l2_deadline(Server::patience()).build().await.expect("valid settings");
            let cache = stack.cache("user").ttl(Duration::from_secs(3_600)).build().expect("valid settings");
            for key in 0..KEYS {
                let user = User::sample(key);
                let json = serde_json::to_vec(&user).expect("a user is JSON");
                let _: () = server.connection().set(raw_key(key), json).await.expect("an answer");
                cache.insert(&key, user).await.expect("an answer");
            }
            (server, cache)
        });
        Self { runtime, connection: server.connection(), cache, _server: server }
    }

    /// Allocations for each of as many reads as were made by so many tasks at once.
    fn count<F: Future<Output = ()> + Send>(
        &self,
        tasks: u64,
        read: impl Fn(u64) -> F + Clone + Send + 'static,
    ) -> f64 {
        let run = |turns| {
            let read = read.clone();
            self.runtime.block_on(in_tasks(tasks, turns, read));
        };
        run(2);
        let counts: Vec<AllocationInfo> = [TURNS, 3 * TURNS].map(|turns| measure(|| run(turns))).into();
        // What the tasks themselves take is in both.
        (counts[1].count_total - counts[0].count_total) as f64 / (2 * TURNS * tasks) as f64
    }

    fn raw(&self, tasks: u64) -> f64 {
        let connection = self.connection.clone();
        self.count(tasks, move |call| {
            let mut connection = connection.clone();
            async move {
                let bytes: Vec<u8> = connection.get(raw_key(call % KEYS)).await.expect("a value");
                let user: Arc<User> = serde_json::from_slice(&bytes).expect("what was stored");
                assert_eq!(user.id, call % KEYS);
            }
        })
    }

    fn cache(&self, tasks: u64) -> f64 {
        let cache = self.cache.clone();
        self.count(tasks, move |call| {
            let cache = cache.clone();
            async move {
                assert_eq!(cache.get(&(call % KEYS)).await.expect("an entry in L2").id, call % KEYS);
            }
        })
    }
}

#[test]
fn a_hit_in_redis_allocates_not_much_more_than_a_raw_client() {
    let rig = Rig::new();
    for (tasks, most) in [(1, MOST_ALONE), (64, MOST_GATHERED)] {
        let (raw, cache) = (rig.raw(tasks), rig.cache(tasks));
        eprintln!("{tasks} at once: {raw:.1} allocations for each raw GET, {cache:.1} for each hit");
        assert!(cache - raw <= most, "{tasks} at once: {cache:.1} instead of {raw:.1}");
    }
}

/// The names of the entry, its place among the flights, the reply's list with its marks, and what L1 keeps of an entry. Those who go
/// together share most of a command and its reply.
const MOST_ALONE: f64 = 7.0;
const MOST_GATHERED: f64 = 0.0;

fn raw_key(key: u64) -> String {
    format!("raw:{{bench:user}}:1:{key}")
}
