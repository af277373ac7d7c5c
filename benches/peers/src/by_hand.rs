//! Caches that are called by hand, each behind an asynchronous function of a number, as its documentation would have its user
//! write it.

use std::{
    convert::Infallible,
    sync::{Arc, LazyLock},
};

use benches::User;
use side_by_side::{CAPACITY, TTL};

pub(crate) async fn quick_cache(number: u64) -> Arc<User> {
    static CACHE: LazyLock<quick_cache::sync::Cache<u64, Arc<User>>> =
        LazyLock::new(|| quick_cache::sync::Cache::new(CAPACITY));
    let load = async { Ok::<_, Infallible>(User::sample(number)) };
    CACHE.get_or_insert_async(&number, load).await.expect("the loader does not fail")
}

pub(crate) async fn foyer(number: u64) -> Arc<User> {
    static CACHE: LazyLock<foyer::Cache<u64, Arc<User>>> = LazyLock::new(|| foyer::CacheBuilder::new(CAPACITY).build());
    let load = move || async move { Ok::<_, Infallible>(User::sample(number)) };
    CACHE.get_or_fetch(&number, load).await.expect("the loader does not fail").value().clone()
}

pub(crate) async fn moka(number: u64) -> Arc<User> {
    static CACHE: LazyLock<moka::future::Cache<u64, Arc<User>>> =
        LazyLock::new(|| moka::future::Cache::builder().max_capacity(CAPACITY as u64).time_to_live(TTL).build());
    CACHE.get_with(number, async move { User::sample(number) }).await
}

pub(crate) async fn moka_sync(number: u64) -> Arc<User> {
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
