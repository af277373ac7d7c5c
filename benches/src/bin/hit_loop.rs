//! `hit_loop <way> <hits>`: hits in a loop and nothing else, for a tool that counts instructions. The script
//! `instructions` runs it. Hits in L2 are those of a Redis of its own.

use std::{
    env,
    hint::black_box,
    process::ExitCode,
    sync::{Arc, LazyLock},
    time::Duration,
};

use benches::{Server, Traffic, User, in_tasks, single_threaded};
use cache_core::{Cache, CacheKey, L1, L1Engine, Lookup, Stack, cached};
use redis::AsyncCommands;
use tokio::task::yield_now;

const TTL: Duration = Duration::from_secs(24 * 60 * 60);
const TAGS: [&str; 3] = ["org:7", "plan:team", "region:eu"];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [way, hits] = arguments.as_slice() else { return usage() };
    let Ok(hits) = hits.parse() else { return usage() };
    match single_threaded().block_on(run(way, hits)) {
        Some(()) => ExitCode::SUCCESS,
        None => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: hit_loop <way> <hits>, with one of the ways that the script `instructions` lists");
    ExitCode::FAILURE
}

async fn run(way: &str, hits: usize) -> Option<()> {
    let numbers: Vec<_> = (0..Traffic::hot().keys() as u64).collect();
    let names: Vec<_> = numbers.iter().map(|number| format!("ada.{number:05}@example.com")).collect();
    let pairs: Vec<_> = numbers.iter().copied().zip(names.iter().cloned()).collect();
    match way {
        "bare function" => repeat(&numbers, hits, |number| bare(*number)).await,
        "moka churn" => moka_churn(hits),
        "churn" => churn(L1::entries(1_000), hits).await,
        "churn, quick_cache" => churn(L1::entries(1_000).engine(L1Engine::QuickCache), hits).await,
        "moka u64" => moka(&numbers, hits).await,
        "moka str" => moka(&names, hits).await,
        "moka tuple" => moka(&pairs, hits).await,
        "get u64" => get(&numbers, hits, |number| number, &[]).await,
        "get str" => get(&names, hits, String::as_str, &[]).await,
        "get tuple" => get(&pairs, hits, by_parts, &[]).await,
        "get u64, 3 tags" => get(&numbers, hits, |number| number, &TAGS).await,
        "get_with u64" => get_with(&numbers, hits).await,
        "#[cached] u64" => repeat(&numbers, hits, |number| by_number(*number)).await,
        "#[cached] str" => repeat(&names, hits, |name| by_name(name)).await,
        "#[cached] tuple" => repeat(&pairs, hits, |(number, name)| by_pair(*number, name)).await,
        "raw GET" => raw_get(1, hits).await,
        "raw GET, 64 tasks" => raw_get(64, hits).await,
        "L2" => get_from_l2(1, hits).await,
        "L2, 64 tasks" => get_from_l2(64, hits).await,
        "miss" => miss(1, hits).await,
        "miss, 64 tasks" => miss(64, hits).await,
        _ => return None,
    }
    Some(())
}

/// Hits each key once, which for some is the load, and then as often as was asked for, in tens of thousands.
async fn repeat<'a, K, F>(keys: &'a [K], hits: usize, hit: impl Fn(&'a K) -> F)
where
    F: Future<Output = Arc<User>>,
{
    for key in keys {
        hit(key).await;
    }
    // No more of a loop around the hits than there has to be.
    const ROUND: usize = 10_000;
    let requests: Vec<_> = Traffic::hot().requests().take(ROUND).map(|key| &keys[key]).collect();
    for _ in 0..hits / ROUND {
        for key in &requests {
            black_box(hit(key).await);
        }
    }
}

async fn bare(number: u64) -> Arc<User> {
    static USERS: LazyLock<Vec<Arc<User>>> =
        LazyLock::new(|| (0..Traffic::hot().keys() as u64).map(User::sample).collect());
    Arc::clone(&USERS[number as usize])
}

async fn moka<K: CacheKey>(keys: &[K], hits: usize) {
    let moka = moka::sync::Cache::builder().max_capacity(10_000).time_to_live(TTL).build();
    for (number, key) in (0..).zip(keys) {
        moka.insert(key.clone(), User::sample(number));
    }
    repeat(keys, hits, async |key| moka.get(key).expect("it has room for all")).await;
}

/// Entries that are new, into a cache that is full of others.
fn moka_churn(inserts: usize) {
    let moka = moka::sync::Cache::builder().max_capacity(1_000).time_to_live(TTL).build();
    let user = User::sample(7);
    for key in 0..inserts as u64 {
        moka.insert(key, Arc::clone(&user));
    }
}

async fn churn(l1: L1, inserts: usize) {
    let stack = Stack::builder("churn").l1(l1).build().await.expect("valid settings");
    let cache: Cache<u64, Arc<User>> = stack.cache("user").ttl(TTL).build().expect("valid settings");
    let user = User::sample(7);
    for key in 0..inserts as u64 {
        cache.insert(&key, Arc::clone(&user)).await.expect("without an L2 nothing can fail");
    }
}

async fn get<'a, K, L>(keys: &'a [K], hits: usize, lookup: impl Fn(&'a K) -> L, tags: &[&str])
where
    K: CacheKey,
    L: Lookup<Key = K>,
{
    let cache = own_cache();
    for (number, key) in (0..).zip(keys) {
        let filling = cache.at(lookup(key)).tags(tags.iter().copied()).insert(User::sample(number));
        filling.await.expect("without an L2 nothing can fail");
    }
    repeat(keys, hits, async |key| cache.get(lookup(key)).await.expect("L1 has room for all")).await;
}

fn by_parts((number, name): &(u64, String)) -> (&u64, &str) {
    (number, name)
}

async fn get_with(keys: &[u64], hits: usize) {
    let cache = own_cache();
    let hit = async |number: &u64| {
        let number = *number;
        cache.get_with(&number, move |_| bare(number)).await.expect("the loader does not fail")
    };
    repeat(keys, hits, hit).await;
}

/// A multiple of the number of tasks, so that no two of them ask for one key at a time: they would share a flight.
const IN_L2: u64 = 256;

async fn raw_get(tasks: u64, hits: usize) {
    let server = Server::start().await;
    let connection = server.connection();
    for key in 0..IN_L2 {
        let json = serde_json::to_vec(&User::sample(key)).expect("a user is JSON");
        let () = server.connection().set(raw_key(key), json).await.expect("a server that answers");
    }
    let hit = move |call| {
        let mut connection = connection.clone();
        async move {
            let bytes: Vec<u8> = connection.get(raw_key(call % IN_L2)).await.expect("a value");
            black_box(serde_json::from_slice::<Arc<User>>(&bytes).expect("what was stored"));
        }
    };
    in_tasks(tasks, hits as u64 / tasks, hit).await;
}

/// As long as the names that a cache gives its entries.
fn raw_key(key: u64) -> String {
    format!("raw:{{bench:user}}:1:{key}")
}

async fn get_from_l2(tasks: u64, hits: usize) {
    let server = Server::start().await;
    let cache = cache_with_l2(&server, L1::entries(0)).await;
    for key in 0..IN_L2 {
        cache.insert(&key, User::sample(key)).await.expect("a server that answers");
    }
    let hit = move |call| {
        let cache = cache.clone();
        async move {
            black_box(cache.get(&(call % IN_L2)).await.expect("an entry in L2"));
        }
    };
    in_tasks(tasks, hits as u64 / tasks, hit).await;
}

/// Reads what is not there, leases, loads, and fills both tiers. The loader waits once, as any does.
async fn miss(tasks: u64, misses: usize) {
    let server = Server::start().await;
    let cache = cache_with_l2(&server, L1::entries(1_000)).await;
    let user = User::sample(7);
    let miss = move |call| {
        let (cache, user) = (cache.clone(), Arc::clone(&user));
        let load = move |_| async move {
            yield_now().await;
            user
        };
        async move {
            black_box(cache.get_with(&call, load).await.expect("the loader does not fail"));
        }
    };
    in_tasks(tasks, misses as u64 / tasks, miss).await;
}

async fn cache_with_l2(server: &Server, l1: L1) -> Cache<u64, Arc<User>> {
    let builder = Stack::builder("bench").l1(l1).l2(server.backend().await);
    // So that hardly a heartbeat is counted.
    let builder = builder.l2_deadline(Server::patience()).max_staleness(Duration::from_secs(600));
    let stack = builder.build().await.expect("valid settings");
    stack.cache("user").ttl(TTL).build().expect("valid settings")
}

fn own_cache<K: CacheKey>() -> Cache<K, Arc<User>> {
    Stack::global().cache("user").ttl(TTL).build().expect("valid settings")
}

#[cached(ttl = "24h")]
async fn by_number(number: u64) -> Arc<User> {
    bare(number).await
}

#[cached(ttl = "24h")]
async fn by_name(name: &str) -> Arc<User> {
    bare(name.len() as u64).await
}

#[cached(ttl = "24h")]
async fn by_pair(number: u64, name: &str) -> Arc<User> {
    assert!(!name.is_empty());
    bare(number).await
}
