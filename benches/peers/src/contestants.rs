//! The caches, each behind an asynchronous function of a number, as its documentation would have its user write it.

use std::{
    convert::Infallible,
    error::Error,
    hint::black_box,
    sync::{Arc, LazyLock},
    time::Duration,
};

use benches::User;
use cache_core::{Cache, Stack, backend::Memory, cached};
use tokio::runtime::Handle;

const CAPACITY: usize = 200_000;
const TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// A cache, and how its hits are run.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// What it does for a hit beside finding the value.
    pub(crate) does: &'static str,
    run: fn(&Handle, &[u64]),
}

impl Contestant {
    /// Asks for each of `keys`, on this thread.
    pub(crate) fn run(&self, handle: &Handle, keys: &[u64]) {
        (self.run)(handle, keys);
    }
}

/// What every ratio is against.
pub(crate) const OURS: &str = "ours, `#[cached]`";

macro_rules! contestant {
    ($name:expr, $does:literal, $function:path) => {
        Contestant {
            name: $name,
            does: $does,
            run: |handle, keys| {
                handle.block_on(async {
                    for key in keys {
                        black_box($function(*key).await);
                    }
                })
            },
        }
    };
}

pub(crate) async fn contestants() -> Result<Vec<Contestant>, Box<dyn Error>> {
    let stack = Stack::builder("peers")
        .l1(cache_core::L1::entries(CAPACITY as u64))
        .l2(Memory::new())
        .l1_ttl(TTL)
        .build()
        .await?;
    stack.install()?;
    Ok(vec![
        contestant!(OURS, "TTL, 3 tags, proof, statistics", ours),
        contestant!("ours, `Cache::get_with`", "TTL, proof, statistics", ours_by_hand),
        contestant!("quick_cache `get_or_insert_async`", "-", by_quick_cache),
        contestant!("`cached` `#[concurrent_cached]`", "TTL, LRU", by_cached),
        contestant!("foyer `get_or_fetch`", "-", by_foyer),
        contestant!("moka `sync::Cache::get`", "TTL, no load", by_moka_sync),
        contestant!("moka `future::Cache::get_with`", "TTL", by_moka),
    ])
}

#[cached(ttl = "24h", tags = ["org:{number}", "plan:team", "region:eu"])]
async fn ours(number: u64) -> Arc<User> {
    User::sample(number)
}

async fn ours_by_hand(number: u64) -> Arc<User> {
    static CACHE: LazyLock<Cache<u64, Arc<User>>> =
        LazyLock::new(|| Stack::global().cache("by hand").ttl(TTL).build().expect("valid settings"));
    CACHE.get_with(&number, async move |_| User::sample(number)).await.expect("the loader does not fail")
}

async fn by_quick_cache(number: u64) -> Arc<User> {
    static CACHE: LazyLock<quick_cache::sync::Cache<u64, Arc<User>>> =
        LazyLock::new(|| quick_cache::sync::Cache::new(CAPACITY));
    let load = async { Ok::<_, Infallible>(User::sample(number)) };
    CACHE.get_or_insert_async(&number, load).await.expect("the loader does not fail")
}

mod cached_crate {
    use std::sync::Arc;

    use benches::User;
    use cached::macros::concurrent_cached;

    #[concurrent_cached(max_size = 200_000, ttl_secs = 86_400)]
    pub(super) async fn by_cached(number: u64) -> Arc<User> {
        User::sample(number)
    }
}

use cached_crate::by_cached;

async fn by_foyer(number: u64) -> Arc<User> {
    static CACHE: LazyLock<foyer::Cache<u64, Arc<User>>> = LazyLock::new(|| foyer::CacheBuilder::new(CAPACITY).build());
    let load = move || async move { Ok::<_, Infallible>(User::sample(number)) };
    CACHE.get_or_fetch(&number, load).await.expect("the loader does not fail").value().clone()
}

async fn by_moka(number: u64) -> Arc<User> {
    static CACHE: LazyLock<moka::future::Cache<u64, Arc<User>>> =
        LazyLock::new(|| moka::future::Cache::builder().max_capacity(CAPACITY as u64).time_to_live(TTL).build());
    CACHE.get_with(number, async move { User::sample(number) }).await
}

async fn by_moka_sync(number: u64) -> Arc<User> {
    static CACHE: LazyLock<moka::sync::Cache<u64, Arc<User>>> =
        LazyLock::new(|| moka::sync::Cache::builder().max_capacity(CAPACITY as u64).time_to_live(TTL).build());
    match CACHE.get(&number) {
        Some(user) => user,
        None => {
            let user = User::sample(number);
            CACHE.insert(number, Arc::clone(&user));
            user
        }
    }
}
